#include "cuda/check.h"

namespace dlcore::cuda {

void check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // an error that does not stick is not to be found by the next call
  const std::string what = str(cudaGetErrorName(code), " (", cudaGetErrorString(code), ") from ", call);
  switch (code) {
    case cudaErrorMemoryAllocation:
      throw Error(ErrorKind::OutOfMemory, "Out of memory on the GPU: " + what);
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
      throw Error(ErrorKind::Runtime, "The GPU was lost, start the process again: " + what);
    default:
      throw Error(ErrorKind::Runtime, "CUDA: " + what);
  }
}

void check(cublasStatus_t code, const char* call) {
  if (code == CUBLAS_STATUS_SUCCESS) return;
  const ErrorKind kind = code == CUBLAS_STATUS_ALLOC_FAILED ? ErrorKind::OutOfMemory : ErrorKind::Runtime;
  throw Error(kind, str("cuBLAS: ", cublasLtGetStatusName(code), " (", cublasLtGetStatusString(code), ") from ", call));
}

void check(cudnnStatus_t code, const char* call) {
  if (code == CUDNN_STATUS_SUCCESS) return;
  char more[512] = "";
  cudnnGetLastErrorString(more, sizeof more);
  throw Error(ErrorKind::Runtime, str("cuDNN: ", cudnnGetErrorString(code), " from ", call, *more ? ": " : "", more));
}

}  // namespace dlcore::cuda
