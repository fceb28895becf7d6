// Batch and layer normalisation: the formulas of kernels/norm/norm.h. Parameters and statistics are of the type that x
// is computed in: float for 16-bit floats.
//
// batch_norm: a first pass gives mean and sum of squared deviations of pieces of each channel, by sums around the
// piece's first element; a second joins the pieces in order (Chan, Golub & LeVeque 1983), a third normalises: x is read
// twice and y written once, the floor without a grid-wide barrier. layer_norm: a warp or a block per row, x is read
// once, unless a row is too long for the registers.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"

namespace dlcore::cuda {

/// x[outer, channels, inner], and in how many pieces a channel is summed.
struct ChannelShape {
  std::int64_t outer, channels, inner, pieces;
  ChannelShape(std::int64_t outer, std::int64_t channels, std::int64_t inner, int sm_count);
  std::size_t scratch_bytes() const;
};

/// relu: y is rectified. Of such a y the gradient needs beta, else it is null.
void batch_norm(cudaStream_t stream, DType dtype, const ChannelShape& shape, double epsilon, bool relu, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* var, void* rstd, void* scratch);
void batch_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& shape, const void* x, const void* gamma,
                     const void* beta, const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma,
                     void* dbeta, void* scratch);

/// x, y [rows, size].
void layer_norm(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon, const void* x,
                const void* gamma, const void* beta, void* y, void* mean, void* rstd);
/// shape: [rows, size, 1], for the sums of dgamma and dbeta.
void layer_norm_grad(cudaStream_t stream, DType dtype, const ChannelShape& shape, const void* x, const void* gamma,
                     const void* mean, const void* rstd, const void* dy, void* dx, void* dgamma, void* dbeta,
                     void* scratch);

}  // namespace dlcore::cuda
