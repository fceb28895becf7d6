// What matrix products need beside the library's: the epilogue that it does not fuse, and integers.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/activation.h"

namespace dlcore::cuda {

/// c[rows, cols] = act(c + bias[cols]); bias may be null.
void bias_activation(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t cols, const void* bias,
                     Activation activation, void* c);

/// c[n] of a 16-bit float dtype: the float32 sums, rounded.
void round_sums(cudaStream_t stream, DType dtype, std::int64_t n, const void* sums, void* c);

/// C[m,n] = op(A) op(B) + bias for int32 and int64, dense, wrapping around.
void integer_product(cudaStream_t stream, DType dtype, std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a,
                     bool transpose_b, const void* a, const void* b, const void* bias, void* c);

}  // namespace dlcore::cuda
