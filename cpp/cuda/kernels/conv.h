// Convolutions by definition, as kernels/conv/conv.h has them: a thread per element of the result. They serve what the
// library has no good kernel for: depthwise convolution, where they read every image once from memory and its windows
// from the caches, float64, and shapes that it declines. Filters are HWIO.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/conv/conv.h"

namespace dlcore::cuda {

/// y = act(conv(x, w) + bias); bias may be null.
void conv_forward(cudaStream_t stream, DType dtype, const ConvShape& shape, const void* x, const void* w,
                  const void* bias, Activation activation, void* y);
void conv_backward_input(cudaStream_t stream, DType dtype, const ConvShape& shape, const void* dy, const void* w,
                         void* dx);

/// The pixels are cut into pieces whose sums are added in order.
struct ConvWeightsShape {
  ConvShape conv;
  std::int64_t pieces;
  ConvWeightsShape(const ConvShape& conv, int sm_count);
  std::int64_t weights() const { return conv.kh * conv.kw * conv.cin_per_group() * conv.cout; }
  std::size_t scratch_bytes() const { return static_cast<std::size_t>((pieces + 1) * weights()) * sizeof(double); }
};
void conv_backward_weights(cudaStream_t stream, DType dtype, const ConvWeightsShape& shape, const void* x,
                           const void* dy, void* dw, void* scratch);

}  // namespace dlcore::cuda
