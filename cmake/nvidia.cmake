# NVIDIA's libraries for the plug-in: the Python packages nvidia-cublas, nvidia-cudnn-cu13, ... of the interpreter in use
# (or below DLCORE_NVIDIA_ROOT, their folder "nvidia"), else a system's toolkit.
set(DLCORE_NVIDIA_ROOT "" CACHE PATH "The folder `nvidia` of NVIDIA's Python packages; empty: ask Python")

set(nvidia_roots "${DLCORE_NVIDIA_ROOT}")
find_package(Python 3.10 COMPONENTS Interpreter)
if(NOT nvidia_roots)
  if(Python_FOUND)
    execute_process(COMMAND "${Python_EXECUTABLE}" -c "import nvidia; print(*nvidia.__path__, sep=';')"
                    OUTPUT_VARIABLE nvidia_roots OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
set(nvidia_includes "")
set(nvidia_lib_folders "")
foreach(root IN LISTS nvidia_roots)
  foreach(package cu13 cudnn nccl)
    list(APPEND nvidia_includes "${root}/${package}/include")
    list(APPEND nvidia_lib_folders "${root}/${package}/lib")
  endforeach()
endforeach()

# nvidia::<name>: the library file and the folder of its header. The packages have no links without a version.
function(dlcore_find_nvidia name header soversion package)
  find_path(DLCORE_${name}_INCLUDE ${header} HINTS ${nvidia_includes} ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  find_library(DLCORE_${name}_LIBRARY NAMES lib${name}.so.${soversion} ${name}
               HINTS ${nvidia_lib_folders} ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES})
  if(NOT DLCORE_${name}_INCLUDE OR NOT DLCORE_${name}_LIBRARY)
    message(FATAL_ERROR "lib${name}.so.${soversion} or ${header} is missing: pip install ${package}, or name the folder "
                        "of NVIDIA's Python packages with -DDLCORE_NVIDIA_ROOT=.../site-packages/nvidia.")
  endif()
  add_library(nvidia::${name} SHARED IMPORTED)
  set_target_properties(nvidia::${name} PROPERTIES IMPORTED_LOCATION "${DLCORE_${name}_LIBRARY}"
                                                   INTERFACE_INCLUDE_DIRECTORIES "${DLCORE_${name}_INCLUDE}")
endfunction()

dlcore_find_nvidia(cudart cuda_runtime_api.h 13 nvidia-cuda-runtime)
dlcore_find_nvidia(cublasLt cublasLt.h 13 nvidia-cublas)
dlcore_find_nvidia(cudnn cudnn.h 9 nvidia-cudnn-cu13)
dlcore_find_nvidia(nvrtc nvrtc.h 13 nvidia-cuda-nvrtc)
dlcore_find_nvidia(nccl nccl.h 2 nvidia-nccl-cu13)

# cuDNN's graphs from C++: headers alone, beside the Python module cudnn.
set(nvidia_frontend "")
if(Python_FOUND)
  execute_process(COMMAND "${Python_EXECUTABLE}" -c "import importlib.util as u; print(u.find_spec('cudnn').origin)"
                  OUTPUT_VARIABLE nvidia_frontend OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
find_path(DLCORE_cudnn_frontend_INCLUDE cudnn_frontend.h HINTS "${nvidia_frontend}/../../include")
if(NOT DLCORE_cudnn_frontend_INCLUDE)
  message(FATAL_ERROR "cudnn_frontend.h is missing: pip install nvidia-cudnn-frontend.")
endif()
add_library(nvidia::cudnn_frontend INTERFACE IMPORTED)
set_target_properties(nvidia::cudnn_frontend PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                                                        "${DLCORE_cudnn_frontend_INCLUDE}")
