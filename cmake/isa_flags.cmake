# Instruction sets the kernels are compiled for. The names are the namespaces of the compiled kernels (DLCORE_ISA) and
# the values of DLCORE_MAX_ISA.
include(CheckCXXCompilerFlag)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(DLCORE_ISA_NAMES baseline avx2 avx512)
  set(DLCORE_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
  set(DLCORE_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi2
                              -mprefer-vector-width=512)
  # What only some processors have beside a set, for sources named after it (gemm.avx512_bf16.cpp).
  set(DLCORE_ISA_FLAGS_avx512_bf16 ${DLCORE_ISA_FLAGS_avx512} -mavx512bf16)
  set(DLCORE_ISA_FLAGS_amx_bf16 ${DLCORE_ISA_FLAGS_avx512_bf16} -mamx-tile -mamx-bf16)
  check_cxx_compiler_flag(-mavx512bf16 DLCORE_AVX512_BF16)
  check_cxx_compiler_flag(-mamx-bf16 DLCORE_AMX_BF16)
  foreach(name IN ITEMS avx512_bf16 amx_bf16)
    string(TOUPPER ${name} feature)
    if(DLCORE_${feature})
      list(APPEND DLCORE_ISA_EXTENSIONS ${name})
    endif()
  endforeach()
else()
  set(DLCORE_ISA_NAMES baseline)
endif()

# Compiles the sources for one instruction set, in the namespace of its name, into `target`.
function(dlcore_add_kernels_of name target)
  set(objects dlcore_kernels_${name})
  add_library(${objects} OBJECT ${ARGN})
  target_include_directories(${objects} PRIVATE ${PROJECT_SOURCE_DIR}/cpp ${PROJECT_SOURCE_DIR}/cpp/include)
  target_compile_features(${objects} PRIVATE cxx_std_20)
  target_compile_definitions(${objects} PRIVATE DLCORE_ISA=${name})
  target_compile_options(${objects} PRIVATE ${DLCORE_ISA_FLAGS_${name}} -fno-math-errno -fno-trapping-math
                                            -Wno-psabi)
  if(DLCORE_SANITIZE)
    # By GCC, without -O1 each vector goes through memory at each step, and without -fexpensive-optimizations upper halves
    # of vectors stay set, which makes their callers fifteen times slower. Clang would optimize the checks for minutes.
    target_compile_options(${objects} PRIVATE ${DLCORE_SANITIZERS}
                                              $<$<CXX_COMPILER_ID:GNU>:-O1;-fexpensive-optimizations>)
  endif()
  target_link_libraries(${objects} PRIVATE dlcore_options)
  set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
endfunction()

# Of the sources, *.simd.cpp once per instruction set, and *.<extension>.cpp where the compiler knows the extension;
# DLCORE_<EXTENSION> is defined then.
function(dlcore_add_kernels target)
  set(sources ${ARGN})
  list(FILTER sources INCLUDE REGEX "\\.simd\\.cpp$")
  if(sources)
    foreach(name IN LISTS DLCORE_ISA_NAMES)
      dlcore_add_kernels_of(${name} ${target} ${sources})
    endforeach()
  endif()
  foreach(name IN LISTS DLCORE_ISA_EXTENSIONS)
    set(sources ${ARGN})
    list(FILTER sources INCLUDE REGEX "\\.${name}\\.cpp$")
    if(sources)
      dlcore_add_kernels_of(${name} ${target} ${sources})
      string(TOUPPER ${name} feature)
      target_compile_definitions(${target} PRIVATE DLCORE_${feature})
    endif()
  endforeach()
endfunction()
