# The core: every source below base, kernels, ops and program. Names with two dots are for some instruction sets.
file(GLOB_RECURSE core_sources CONFIGURE_DEPENDS cpp/base/*.cpp cpp/kernels/*.cpp cpp/ops/*.cpp cpp/program/*.cpp)
set(kernel_sources ${core_sources})
list(FILTER kernel_sources INCLUDE REGEX "\\.[a-z0-9_]+\\.cpp$")
list(FILTER core_sources EXCLUDE REGEX "\\.[a-z0-9_]+\\.cpp$")

add_library(dlcore ${core_sources})
add_library(dlcore::dlcore ALIAS dlcore)
dlcore_add_kernels(dlcore ${kernel_sources})
target_compile_features(dlcore PUBLIC cxx_std_20)
target_include_directories(dlcore PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cpp/include>
                                         $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
                                  PRIVATE cpp)
target_link_libraries(dlcore PUBLIC Threads::Threads PRIVATE ${CMAKE_DL_LIBS} $<BUILD_INTERFACE:dlcore_options>)
target_compile_options(dlcore PRIVATE ${DLCORE_SANITIZERS})
set_target_properties(dlcore PROPERTIES POSITION_INDEPENDENT_CODE ON VERSION ${PROJECT_VERSION}
                                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
# The core's small files spend half of their compile time on the standard library.
target_precompile_headers(dlcore PRIVATE <algorithm> <cmath> <cstring> <functional> <map> <memory> <optional> <span>
                                         <sstream> <string> <variant> <vector>)

# JSON is for the files' headers alone. Its templates compile twice as fast without optimisation that they don't need.
set_source_files_properties(
  cpp/program/model.cpp cpp/program/safetensors.cpp
  PROPERTIES INCLUDE_DIRECTORIES $<TARGET_PROPERTY:nlohmann_json::nlohmann_json,INTERFACE_INCLUDE_DIRECTORIES>
             COMPILE_OPTIONS $<$<NOT:$<BOOL:${DLCORE_SANITIZE}>>:-O1> SKIP_PRECOMPILE_HEADERS ON)
