# Instruction sets the kernels are compiled for. The names are the namespaces of the compiled kernels (DLCORE_ISA) and
# the values of DLCORE_MAX_ISA.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(DLCORE_ISA_NAMES baseline avx2 avx512)
  set(DLCORE_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
  set(DLCORE_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi2
                              -mprefer-vector-width=512)
else()
  set(DLCORE_ISA_NAMES baseline)
endif()

# Compiles the sources once per instruction set, each time in the namespace of its name, into `target`.
function(dlcore_add_kernels target)
  if(NOT ARGN)
    return()
  endif()
  foreach(name IN LISTS DLCORE_ISA_NAMES)
    set(objects dlcore_kernels_${name})
    add_library(${objects} OBJECT ${ARGN})
    target_include_directories(${objects} PRIVATE ${PROJECT_SOURCE_DIR}/cpp ${PROJECT_SOURCE_DIR}/cpp/include)
    target_compile_features(${objects} PRIVATE cxx_std_20)
    target_compile_definitions(${objects} PRIVATE DLCORE_ISA=${name})
    target_compile_options(${objects} PRIVATE ${DLCORE_ISA_FLAGS_${name}} -fno-math-errno -fno-trapping-math
                                              -ffp-contract=off -Wno-psabi)
    if(DLCORE_SANITIZE)
      target_compile_options(${objects} PRIVATE -O1)  # without it each vector goes through memory at each step
    endif()
    target_link_libraries(${objects} PRIVATE dlcore_options)
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
