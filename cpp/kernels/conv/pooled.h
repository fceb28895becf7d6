// The gradients of a convolution whose output goes through max pooling. Only the greatest pixel of a window has a
// gradient, so most of the convolution's dy is zero, in each channel at other pixels. Here dy is never written down:
// dp, the gradient of what the pooling gave, and argmax say where it is not zero, and only that is multiplied.
//
//   dx, dw as in conv.h with dy = max_pool_backward(dp, argmax)
//
// The same classes serve where dy itself is nearly all zeros, as behind global max pooling: with no_pooling, dp is dy.
//
// run() allocates nothing, writes every element of its output, splits work by shape only and needs scratch_bytes() of
// 64-byte aligned scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/conv/conv.h"
#include "kernels/pool/pool.h"

namespace dlcore {

/// Whether these classes can compute the gradients of the convolution, and with less work than those in conv.h.
bool pooling_saves_work(const ConvShape& conv, const PoolShape& pool);

/// Windows of one pixel, for which argmax may be null.
PoolShape no_pooling(const ConvShape& conv);
/// Whether these classes can compute the gradients of the convolution from a dy with few numbers that are not zero, and
/// would gain by it.
bool zeros_save_work(const ConvShape& conv);
/// Whether a sample of dy [pixels, Cout] says that it is such a one.
bool is_nearly_all_zeros(const ConvShape& conv, const float* dy);

/// Operations of either computation when no gradient happens to be zero.
double pooled_conv_flops(const ConvShape& conv, const PoolShape& pool);

template <class T>
class PooledBackwardInput {
 public:
  PooledBackwardInput(const ConvShape& conv, const PoolShape& pool);
  ~PooledBackwardInput();
  std::size_t scratch_bytes() const;
  void run(const T* dp, const std::uint8_t* argmax, const T* w, T* dx, void* scratch) const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

template <class T>
class PooledBackwardWeights {
 public:
  PooledBackwardWeights(const ConvShape& conv, const PoolShape& pool);
  ~PooledBackwardWeights();
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* dp, const std::uint8_t* argmax, T* dw, void* scratch) const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

}  // namespace dlcore
