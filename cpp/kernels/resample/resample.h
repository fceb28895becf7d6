// Resampling along one axis, what resizes images: every output is a weighted sum of a few inputs.
//
//   y[a, j, b] = sum over i < size of w[i, j] * x[a, i, b]       a < outer, j < out, b < inner
//
// w [size, out]. Inputs whose weight is zero are not read: neither their cost nor their NaN reach the sum. The others
// are added in the order of i. X is T, or std::uint8_t. Nothing is allocated; rows are shared out among threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dlcore {

struct ResampleShape {
  std::int64_t outer, size, inner, out;
};

template <class T>
std::size_t resample_scratch_bytes(const ResampleShape& shape);

template <class X, class T>
void resample(const ResampleShape& shape, const X* x, const T* w, T* y, void* scratch);

/// Along two adjacent axes, the first of them first: what lies between is made a few rows at a time, in a near cache.
template <class T>
class ResamplePair {
 public:
  /// across: [outer * out of `down`, size, inner], so that size * inner is the inner of `down`.
  ResamplePair(const ResampleShape& down, const ResampleShape& across);
  std::size_t scratch_bytes() const;
  template <class X>
  void run(const X* x, const T* w_down, const T* w_across, T* y, void* scratch) const;

 private:
  ResampleShape down_, across_;
  std::int64_t rows_;  // of a chunk: of what lies between
  int workers_;
};

/// The weights that are not zero: output j has those numbered from start[j] to start[j + 1], in the order of the
/// inputs.
template <class T>
struct ResampleTaps {
  std::int64_t* start;   // [out + 1]
  std::int64_t* offset;  // i * inner
  T* weight;
};

/// Outputs of fewer elements (pixels, along the width) have kernels of their own.
inline constexpr std::int64_t kNarrowResample = 16;

/// What one instruction set provides.
template <class X, class T>
struct ResampleRows {
  /// bands: room for 2 * out. size < 2^31.
  void (*find_taps)(const ResampleShape&, const T* w, const ResampleTaps<T>& taps, std::int32_t* bands);
  /// Rows [first, last) of the result [outer * out, inner] to y; all of their elements.
  void (*narrow)(const ResampleShape&, const ResampleTaps<T>&, const X* x, T* y, std::int64_t first, std::int64_t last);
  /// The same of `cols` elements from `col` on, at least kNarrowResample.
  void (*wide)(const ResampleShape&, const ResampleTaps<T>&, const X* x, T* y, std::int64_t first, std::int64_t last,
               std::int64_t col, std::int64_t cols);
};
struct ResampleKernels {
  ResampleRows<float, float> f32;
  ResampleRows<double, double> f64;
  ResampleRows<std::uint8_t, float> u8_f32;
  ResampleRows<std::uint8_t, double> u8_f64;
};

const ResampleKernels& resample_kernels();

}  // namespace dlcore
