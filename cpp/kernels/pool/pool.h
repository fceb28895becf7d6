// Pooling of NHWC images and its gradients, vectors over channels. The window of output pixel (oh, ow) covers the input
// rows oh*stride_h - pad_top + i, i < pool_h, as far as they exist, and columns likewise; it is never without a pixel.
//
//   max      y = the greatest of the window, argmax = i * pool_w + j of the first such pixel; NaN is greater than all
//   average  y = the mean of the window's existing pixels
//
// x and dx [N,H,W,C], y, dy and argmax [N,OH,OW,C]. Every element of the result is written, once. Nothing is allocated;
// rows are shared out among threads. Argmax is std::uint8_t (at most 255 positions) or std::int32_t; forward it may be
// null: not wanted.
#pragma once

#include <cstdint>

namespace dlcore {

struct PoolShape {
  std::int64_t n, h, w, c;
  std::int64_t oh, ow;
  std::int64_t pool_h, pool_w;
  std::int64_t stride_h, stride_w;
  std::int64_t pad_top, pad_left;
};

template <class T, class Argmax>
void max_pool_forward(const PoolShape& shape, const T* x, T* y, Argmax* argmax);

/// dx = dy at the pixels that argmax names, summed where windows overlap.
template <class T, class Argmax>
void max_pool_backward(const PoolShape& shape, const T* dy, const Argmax* argmax, T* dx);

/// y = x at the pixels that argmax names, 0 where it names none of the image: the transpose of max_pool_backward.
template <class T, class Argmax>
void max_pool_take(const PoolShape& shape, const T* x, const Argmax* argmax, T* y);

template <class T>
void average_pool_forward(const PoolShape& shape, const T* x, T* y);
template <class T>
void average_pool_backward(const PoolShape& shape, const T* dy, T* dx);

/// What one instruction set provides. Each function computes one row of its result: row = n * OH + oh, or n * H + h;
/// backward_disjoint, for windows that do not overlap, what lies under one row of windows, n * OH + oh.
template <class T, class Argmax>
struct MaxPoolRows {
  void (*forward)(const PoolShape&, const T* x, T* y, Argmax* argmax, std::int64_t row);
  void (*backward)(const PoolShape&, const T* dy, const Argmax* argmax, T* dx, std::int64_t row);
  void (*backward_disjoint)(const PoolShape&, const T* dy, const Argmax* argmax, T* dx, std::int64_t row);
  void (*take)(const PoolShape&, const T* x, const Argmax* argmax, T* y, std::int64_t row);
};
template <class T>
struct AveragePoolRows {
  void (*forward)(const PoolShape&, const T* x, T* y, std::int64_t row);
  void (*backward)(const PoolShape&, const T* dy, T* dx, std::int64_t row);
};
template <class T>
struct PoolRows {
  MaxPoolRows<T, std::uint8_t> max_u8;
  MaxPoolRows<T, std::int32_t> max_i32;
  AveragePoolRows<T> average;
};
struct PoolKernels {
  PoolRows<float> f32;
  PoolRows<double> f64;
};

const PoolKernels& pool_kernels();

}  // namespace dlcore
