// Rows of pooling windows of 2x2, stride 2, over the output of a convolution with few products per output: what one
// instruction set provides, and the gradient to the weights that is made of it. Images have no padding here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/pool/pool.h"

namespace dlcore {

inline constexpr std::int64_t kFewProducts = 64;  // of an output: then storing it costs as much as computing it

/// Whether the windows are such, none of them reaching beyond the output's edges.
bool has_whole_windows(const ConvShape& conv, const PoolShape& pool);

/// Where in x the products of one output are, from the first on, and the same products of its neighbours.
struct WindowOffsets {
  const std::int32_t* offsets;
  std::int64_t products;
  std::int64_t right, below;  // of the output pixel beside, and of the one beneath
};
/// offsets for the products of a convolution, and all of it.
std::vector<std::int32_t> product_offsets(const ConvShape& conv);
WindowOffsets window_offsets(const ConvShape& conv, const std::vector<std::int32_t>& offsets);

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
  float* four;  // scratch: [windows, products, 4]
  float* sums;  // [products, channels]
};

struct WindowKernels {
  void (*forward_f32)(const WindowRow<float>&);
  void (*forward_f64)(const WindowRow<double>&);
  void (*add_gradients)(const WindowGradients&);
};
const WindowKernels& window_kernels();

/// dw of the convolution, with the contract of PooledBackwardWeights.
class WindowBackwardWeights {
 public:
  WindowBackwardWeights(const ConvShape& conv, const PoolShape& pool);
  /// Whether it can, and is worth it.
  static bool fits(const ConvShape& conv, const PoolShape& pool);
  std::size_t scratch_bytes() const;
  void run(const float* x, const float* dp, const std::uint8_t* argmax, float* dw, void* scratch) const;

 private:
  std::int64_t weights() const { return inner_.kh * inner_.kw * inner_.cin * inner_.cout; }
  std::int64_t padded_elements() const;
  std::int64_t four_elements() const;
  void run_images(std::int64_t first, std::int64_t last, const float* x, const float* dp, const std::uint8_t* argmax,
                  float* four, float* sums) const;

  ConvShape shape_, inner_;  // inner: of the padded images
  PoolShape pool_;
  std::vector<std::int32_t> offsets_;
  std::int64_t parts_;  // of the images, each with sums of its own
};

}  // namespace dlcore
