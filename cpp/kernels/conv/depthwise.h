// Convolution in narrow groups, of I input and as many output channels each: vectors go over channels, of many groups
// at once. I = 1 is depthwise convolution. With g = c - c % I, the first channel of c's group: forward and backward to
// the input
//
//   target[n, p, c] = act(bias[c] + sum over taps t of p, i < I of source[n, position(p, t), g + i] * w[t, i, c])
//
// and backward to the filters, dw[t, i, c] = sum over n, p of x[n, position(p, t), g + i] * dy[n, p, c].
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/activation.h"
#include "kernels/conv/taps.h"

namespace dlcore {

/// Whether there are kernels for groups of so many inputs; for one there are.
template <class T>
bool fits_depthwise(std::int64_t inputs, std::int64_t channels);

struct DepthwiseShape {
  std::int64_t images, channels;
  std::int64_t inputs;  // of a group
  std::int64_t source_h, source_w;
  std::int64_t target_h, target_w;
  std::int64_t taps_w;  // of a row of the filters
};

template <class T>
class Depthwise {
 public:
  Depthwise(const DepthwiseShape& shape, const std::vector<TapClass>& rows, const std::vector<TapClass>& cols);
  /// w [taps, inputs, channels]; bias may be null.
  void run(const T* source, const T* w, const T* bias, Activation activation, T* target) const;

 private:
  /// Positions of a class along an axis at equal distances, and what they read.
  struct Line {
    std::int64_t target, target_step, source, source_step, count;
    std::int64_t taps, tap, tap_step, reach;  // the first tap, from one to the next, and how much further that reads

    bool append(std::int64_t next_target, std::int64_t next_source);
  };
  struct Row {
    std::int64_t source;  // where its first tap reads
    std::size_t line;
  };
  struct Operands;

  static std::vector<Line> lines_of(const std::vector<TapClass>& classes);
  static std::int64_t most_taps(const std::vector<Line>& lines);
  void run_row(std::int64_t row, const Operands& operands) const;

  DepthwiseShape shape_;
  std::vector<Line> row_lines_, col_lines_;
  std::vector<Row> rows_;  // by target row
};

template <class T>
class DepthwiseGradient {
 public:
  DepthwiseGradient(std::int64_t images, std::int64_t channels, std::int64_t inputs, const ConvAxis& rows,
                    const ConvAxis& cols);
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* dy, T* dw, void* scratch) const;

 private:
  std::int64_t weights() const { return rows_.taps * cols_.taps * inputs_ * channels_; }
  void add_row(std::int64_t row, const T* x, const T* dy, T* sums) const;

  std::int64_t images_, channels_, inputs_;
  ConvAxis rows_, cols_;
  std::vector<TapRange> col_outputs_;  // those that each tap of a row counts for
  std::int64_t parts_;                 // of the rows, each with sums of its own
};

// ---- what one instruction set provides

/// Some pixels. Steps are in elements, from a tap or a pixel to the next.
template <class T>
struct DepthwiseArgs {
  const T* source;  // what the first tap reads for the first pixel
  const T* w;       // of the first tap
  T* target;
  const T* bias;  // or null
  Activation activation;
  std::int64_t channels, inputs;
  std::int64_t tap_rows, tap_cols;
  std::int64_t tap_row_reach, tap_col_reach, source_pixel;
  std::int64_t w_tap_row, w_tap_col;
  std::int64_t target_pixel;
};

inline constexpr int kDepthwisePixels[] = {8, 4, 2, 1};

template <class T>
struct DepthwiseSet {
  /// By the index of the number of pixels in kDepthwisePixels.
  void (*any[4])(const DepthwiseArgs<T>& args);
  /// tap_cols = 3 and tap_col_reach = source_pixel: neighbours share what they read.
  void (*three_adjacent[4])(const DepthwiseArgs<T>& args);
};

/// Of a row of dy, for rows and columns of taps:
///   sums[r, t, i, c] += over pixels p in outputs[t] of x[p, r, t, c - c % I + i] * dy[p, c].
template <class T>
struct DepthwiseGradientArgs {
  const T* x;   // what the first tap reads for pixel 0, which may lie outside
  const T* dy;  // of pixel 0
  T* sums;      // of the first tap
  std::int64_t channels, inputs;
  std::int64_t x_pixel, tap_row_reach, tap_col_reach;  // in x, from a pixel or a tap to the next
  std::int64_t sums_row, sums_col;
  TapRange outputs[3];  // by column
};

inline constexpr int kMostTapRows = 3;

template <class T>
struct DepthwiseGradientSet {
  /// By the number of rows of taps.
  using Kernels = void (*[kMostTapRows + 1])(const DepthwiseGradientArgs<T>& args);
  Kernels one_column;
  Kernels three_columns;
  Kernels three_adjacent;  // tap_col_reach = x_pixel
};

struct DepthwiseKernels {
  DepthwiseSet<float> f32;
  DepthwiseSet<double> f64;
  DepthwiseGradientSet<float> gradient_f32;
  DepthwiseGradientSet<double> gradient_f64;
  // Groups of several inputs, which divide the lanes of a vector, as those divide the channels.
  DepthwiseSet<float> groups_f32;
  DepthwiseGradientSet<float> groups_gradient_f32;
  int lanes;  // 0 where no instruction permutes them: then there are no kernels for groups
};
const DepthwiseKernels& depthwise_kernels();

}  // namespace dlcore
