// The return codes of CUDA and its libraries as dlcore errors.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "dlcore/error.h"

namespace dlcore::cuda {

// Each throws a dlcore::Error with the call and the library's text (OutOfMemory where that was the reason) when the
// code is not success. Used through the macro below, which gives the call's text.
void check(cudaError_t code, const char* call);
void check(cublasStatus_t code, const char* call);
void check(cudnnStatus_t code, const char* call);

}  // namespace dlcore::cuda

#define DLCORE_CUDA_CHECK(call) ::dlcore::cuda::check((call), #call)
