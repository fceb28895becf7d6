// Pooling of NHWC images and its gradients, as kernels/pool/pool.h has them: a thread per element of the result,
// channels side by side. Gradients gather what falls on a pixel, so every element is written once, in a fixed order.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/pool/pool.h"

namespace dlcore::cuda {

/// argmax: uint8 or int32, by its dtype.
void max_pool(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* x, void* y,
              void* argmax);
void max_pool_grad(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* dy,
                   const void* argmax, void* dx);
void max_pool_take(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* x,
                   const void* argmax, void* y);
void average_pool(cudaStream_t stream, DType dtype, const PoolShape& shape, const void* x, void* y);
void average_pool_grad(cudaStream_t stream, DType dtype, const PoolShape& shape, const void* dy, void* dx);

}  // namespace dlcore::cuda
