// Convolutions with few products per output (first layers) whose output goes through max pooling of 2x2, stride 2. The
// four pixels of a window are computed in registers and only the greatest is stored, so that the convolution's output
// is never written to memory; the gradient to the weights picks of four pixels the one that argmax names.
//
//   y, argmax = max_pool(activation(conv(x, w) + bias))             conv.h, pool.h; activation None or Relu
//   dw        = the gradient of w from dp, that of y, and argmax    pooled.h
//
// No window may reach beyond the output's edges. run() allocates nothing, writes every element of its outputs, splits
// work by shape only and needs scratch_bytes() of 64-byte aligned scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/activation.h"
#include "kernels/conv/conv.h"
#include "kernels/pool/pool.h"
#include "kernels/scratch.h"

namespace dlcore {

/// Whether the windows are such.
bool has_whole_windows(const ConvShape& conv, const PoolShape& pool);
/// Whether these classes can compute it, and faster: storing an output costs as much as its few products.
bool windows_save_work(const ConvShape& conv, const PoolShape& pool);

/// Where in x the products of one output are, from the first on, and the same products of its neighbours.
struct WindowOffsets {
  const std::int32_t* offsets;
  std::int64_t products;
  std::int64_t right, below;  // of the output pixel beside, and of the one beneath
};

/// The convolution, its images padded, and the rows of windows over it.
class WindowRows {
 public:
  WindowRows(const ConvShape& conv, const PoolShape& pool);

  const ConvShape& conv() const { return inner_; }
  const PoolShape& pool() const { return pool_; }
  std::int64_t count() const { return pool_.n * pool_.oh; }
  /// Of row n * OH + oh: its first pixel's first product in x, its first result in y, dp and argmax.
  std::int64_t source(std::int64_t row) const;
  std::int64_t result(std::int64_t row) const { return row * pool_.ow * pool_.c; }
  WindowOffsets offsets() const;
  std::int64_t products() const { return static_cast<std::int64_t>(offsets_.size()); }

  std::int64_t padded_elements() const;
  /// x with its padding, copied into scratch; where there is none, x itself.
  template <class T>
  const T* padded(const T* x, Scratch& free) const;

 private:
  ConvShape shape_, inner_;  // inner: of the padded images
  PoolShape pool_;
  std::vector<std::int32_t> offsets_;
};

template <class T>
class WindowForward {
 public:
  WindowForward(const ConvShape& conv, const PoolShape& pool) : rows_(conv, pool) {}
  std::size_t scratch_bytes() const { return bytes_of<T>(rows_.padded_elements()); }
  /// w [KH,KW,Cin,Cout]. bias may be null; so may argmax, when it is not wanted.
  void run(const T* x, const T* w, const T* bias, Activation activation, T* y, std::uint8_t* argmax,
           void* scratch) const;

 private:
  WindowRows rows_;
};

class WindowBackwardWeights {
 public:
  WindowBackwardWeights(const ConvShape& conv, const PoolShape& pool);
  std::size_t scratch_bytes() const;
  void run(const float* x, const float* dp, const std::uint8_t* argmax, float* dw, void* scratch) const;

 private:
  std::int64_t weights() const { return rows_.products() * rows_.pool().c; }
  std::int64_t choice_elements() const { return 4 * rows_.pool().ow * rows_.products(); }

  WindowRows rows_;
  std::int64_t parts_;  // of the images, each with sums of its own
};

// ---- what one instruction set provides

/// Forward: y = the greatest of a window's four outputs, argmax its position.
template <class T>
struct WindowRow {
  const T* x;  // of the first window's first pixel, the first product
  WindowOffsets at;
  const T* w;                      // [products, channels]
  std::int64_t channels, windows;  // windows: in the row
  const T* bias;                   // or null
  bool relu;
  T* y;                  // [windows, channels]
  std::uint8_t* argmax;  // likewise, or null
};

/// Gradient: sums[k, c] += over the windows dp[window, c] * x at product k of the pixel that argmax[window, c] names.
struct WindowGradients {
  const float* x;
  WindowOffsets at;
  std::int64_t channels, windows;
  const float* dp;
  const std::uint8_t* argmax;
  float* choices;  // scratch: [windows, products, 4], the numbers to choose from
  float* sums;     // [products, channels]
};

struct WindowKernels {
  void (*forward_f32)(const WindowRow<float>&);
  void (*forward_f64)(const WindowRow<double>&);
  void (*add_gradients)(const WindowGradients&);
};
const WindowKernels& window_kernels();

}  // namespace dlcore
