// A convolution and the max pooling of its output by 2x2 windows, stride 2, together: the four pixels of a window are
// computed in registers and only the greatest is stored, so that the convolution's output is never written to memory.
//
//   y, argmax = max_pool(activation(conv(x, w) + bias))             conv.h, pool.h; activation None or Relu
//
// run() allocates nothing, writes every element of its outputs, splits work by shape only and needs scratch_bytes() of
// 64-byte aligned scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/conv/conv.h"
#include "kernels/pool/pool.h"

namespace dlcore {

/// Whether there is a way to do both together that is faster: register tiles for few products per output, Winograd's
/// algorithm (winograd.h, float only) for many. No window may reach beyond the output's edges.
template <class T>
bool pooling_fits_in(const ConvShape& conv, const PoolShape& pool);

template <class T>
class PooledForward {
 public:
  PooledForward(const ConvShape& conv, const PoolShape& pool);
  ~PooledForward();
  std::size_t scratch_bytes() const;
  /// bias may be null; so may argmax, when it is not wanted.
  void run(const T* x, const T* w, const T* bias, Activation activation, T* y, std::uint8_t* argmax,
           void* scratch) const;
  /// "conv2d_max_pool2d_winograd_f32_avx2"
  std::string label() const;

  struct Plan;

 private:
  std::unique_ptr<const Plan> plan_;
};

}  // namespace dlcore
