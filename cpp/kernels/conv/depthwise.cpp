#include "kernels/conv/depthwise.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/scratch.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(DepthwiseKernels, depthwise_kernels)

namespace {

constexpr double kFlopsPerNs = 30;  // of one thread, roughly
constexpr double kTaskFlops = 4e5;  // worth a visit to the task counter

constexpr std::int64_t kMostParts = 16;

template <class T>
const DepthwiseSet<T>& depthwise_set([[maybe_unused]] std::int64_t inputs) {
  const DepthwiseKernels& kernels = depthwise_kernels();
  if constexpr (std::is_same_v<T, float>)
    return inputs > 1 ? kernels.groups_f32 : kernels.f32;
  else
    return kernels.f64;
}
template <class T>
const DepthwiseGradientSet<T>& gradient_set([[maybe_unused]] std::int64_t inputs) {
  const DepthwiseKernels& kernels = depthwise_kernels();
  if constexpr (std::is_same_v<T, float>)
    return inputs > 1 ? kernels.groups_gradient_f32 : kernels.gradient_f32;
  else
    return kernels.gradient_f64;
}

}  // namespace

template <class T>
bool fits_depthwise(std::int64_t inputs, std::int64_t channels) {
  const int lanes = depthwise_kernels().lanes;
  return inputs == 1 || (std::is_same_v<T, float> && inputs < lanes && lanes % inputs == 0 && channels % lanes == 0);
}

/// Adds the next position, if it lies at the same distance as those before.
template <class T>
bool Depthwise<T>::Line::append(std::int64_t next_target, std::int64_t next_source) {
  if (count == 1) {
    target_step = next_target - target;
    source_step = next_source - source;
  }
  if (next_target != target + count * target_step || next_source != source + count * source_step) return false;
  ++count;
  return true;
}

template <class T>
std::int64_t Depthwise<T>::most_taps(const std::vector<Line>& lines) {
  std::int64_t taps = 1;
  for (const Line& line : lines) taps = std::max(taps, line.taps);
  return taps;
}

// The taps of a class, and what they read, are at equal distances as well.
template <class T>
auto Depthwise<T>::lines_of(const std::vector<TapClass>& classes) -> std::vector<Line> {
  std::vector<Line> lines;
  for (const TapClass& c : classes) {
    Line line{};
    line.taps = static_cast<std::int64_t>(c.taps.size());
    const bool backwards = line.taps > 1 && c.steps[1] < c.steps[0];
    const std::int64_t first_read = line.taps == 0 ? 0 : backwards ? c.steps.back() : 0;
    line.tap = line.taps == 0 ? 0 : backwards ? c.taps.back() : c.taps.front();
    if (line.taps > 1) {
      line.tap_step = (c.taps[1] - c.taps[0]) * (backwards ? -1 : 1);
      line.reach = (c.steps[1] - c.steps[0]) * (backwards ? -1 : 1);
    }
    for (std::size_t i = 0; i < c.targets.size(); ++i) {
      const std::int64_t source = line.taps == 0 ? 0 : c.sources[i] + first_read;
      if (i == 0 || !lines.back().append(c.targets[i], source)) {
        line.target = c.targets[i];
        line.source = source;
        line.count = 1;
        lines.push_back(line);
      }
    }
  }
  return lines;
}

template <class T>
Depthwise<T>::Depthwise(const DepthwiseShape& shape, const std::vector<TapClass>& rows,
                        const std::vector<TapClass>& cols)
    : shape_(shape), row_lines_(lines_of(rows)), col_lines_(lines_of(cols)), rows_(shape.target_h) {
  for (std::size_t l = 0; l < row_lines_.size(); ++l) {
    const Line& line = row_lines_[l];
    for (std::int64_t i = 0; i < line.count; ++i)
      rows_[line.target + i * line.target_step] = {line.source + i * line.source_step, l};
  }
}

template <class T>
struct Depthwise<T>::Operands {
  const T *source, *w, *bias;
  Activation activation;
  T* target;
};

template <class T>
void Depthwise<T>::run(const T* source, const T* w, const T* bias, Activation activation, T* target) const {
  const std::int64_t rows = shape_.images * shape_.target_h;
  const std::int64_t taps = most_taps(row_lines_) * most_taps(col_lines_);
  const double row_flops = 2.0 * static_cast<double>(shape_.target_w * shape_.channels * shape_.inputs * taps);
  const std::int64_t rows_per_task = std::max<std::int64_t>(1, static_cast<std::int64_t>(kTaskFlops / row_flops));
  const Operands operands{source, w, bias, activation, target};
  parallel_for((rows + rows_per_task - 1) / rows_per_task, static_cast<double>(rows) * row_flops / kFlopsPerNs,
               [&](std::int64_t task) {
                 const std::int64_t last = std::min(rows, (task + 1) * rows_per_task);
                 for (std::int64_t row = task * rows_per_task; row < last; ++row) run_row(row, operands);
               });
}

/// Row image * target_h + h of the targets.
template <class T>
void Depthwise<T>::run_row(std::int64_t row, const Operands& operands) const {
  const DepthwiseSet<T>& kernels = depthwise_set<T>(shape_.inputs);
  const std::int64_t channels = shape_.channels, source_row = shape_.source_w * channels;
  const std::int64_t tap = shape_.inputs * channels;  // of the weights
  const Row& plan = rows_[row % shape_.target_h];
  const Line& rows = row_lines_[plan.line];
  const T* const source = operands.source + (row / shape_.target_h * shape_.source_h + plan.source) * source_row;
  T* const target = operands.target + row * shape_.target_w * channels;
  for (const Line& cols : col_lines_) {
    DepthwiseArgs<T> args{};
    args.bias = operands.bias;
    args.activation = operands.activation;
    args.channels = channels;
    args.inputs = shape_.inputs;
    args.tap_rows = rows.taps;
    args.tap_cols = cols.taps;
    args.tap_row_reach = rows.reach * source_row;
    args.tap_col_reach = cols.reach * channels;
    args.source_pixel = cols.source_step * channels;
    args.w = operands.w + (rows.tap * shape_.taps_w + cols.tap) * tap;
    args.w_tap_row = rows.tap_step * shape_.taps_w * tap;
    args.w_tap_col = cols.tap_step * tap;
    args.target_pixel = cols.target_step * channels;
    const bool adjacent = cols.taps == 3 && cols.reach == cols.source_step;
    const auto& kernel = adjacent ? kernels.three_adjacent : kernels.any;
    std::int64_t pixel = 0;
    for (std::size_t i = 0; i < std::size(kDepthwisePixels); ++i) {
      for (; pixel + kDepthwisePixels[i] <= cols.count; pixel += kDepthwisePixels[i]) {
        args.source = source + (cols.source + pixel * cols.source_step) * channels;
        args.target = target + (cols.target + pixel * cols.target_step) * channels;
        kernel[i](args);
      }
    }
  }
}

// -------------------------------------------------------------------------------------------------- to the filters

template <class T>
DepthwiseGradient<T>::DepthwiseGradient(std::int64_t images, std::int64_t channels, std::int64_t inputs,
                                        const ConvAxis& rows, const ConvAxis& cols)
    : images_(images), channels_(channels), inputs_(inputs), rows_(rows), cols_(cols) {
  for (std::int64_t tap = 0; tap < cols.taps; ++tap) col_outputs_.push_back(valid_outputs(cols, tap));
  // A part costs a copy of dw.
  const std::int64_t elements = images * channels * (rows.in * cols.in + rows.out * cols.out);
  parts_ = std::clamp<std::int64_t>(elements / (4 * std::max<std::int64_t>(weights(), 1)), 1, kMostParts);
}

template <class T>
std::size_t DepthwiseGradient<T>::scratch_bytes() const {
  return static_cast<std::size_t>(parts_) * bytes_of<T>(weights());
}

template <class T>
void DepthwiseGradient<T>::run(const T* x, const T* dy, T* dw, void* scratch) const {
  const std::int64_t rows = images_ * rows_.out;
  const std::int64_t sum_step = static_cast<std::int64_t>(bytes_of<T>(weights()) / sizeof(T));
  T* const sums = static_cast<T*>(scratch);
  parallel_for(parts_, 2.0 * static_cast<double>(rows * cols_.out * weights()) / kFlopsPerNs, [&](std::int64_t part) {
    T* const own = sums + part * sum_step;
    std::fill_n(own, weights(), T{});
    for (std::int64_t row = rows * part / parts_; row < rows * (part + 1) / parts_; ++row) add_row(row, x, dy, own);
  });
  std::copy_n(sums, weights(), dw);
  for (std::int64_t part = 1; part < parts_; ++part)
    for (std::int64_t i = 0; i < weights(); ++i) dw[i] += sums[part * sum_step + i];
}

/// Row n * OH + oh of dy. Taps go three by three, then those that are left.
template <class T>
void DepthwiseGradient<T>::add_row(std::int64_t row, const T* x, const T* dy, T* sums) const {
  const std::int64_t image = row / rows_.out, oh = row % rows_.out;
  const std::int64_t x_row = cols_.in * channels_, top = oh * rows_.stride - rows_.pad;
  const auto reads_inside = [&](std::int64_t tap) {
    const std::int64_t h = top + tap * rows_.dilation;
    return h >= 0 && h < rows_.in;
  };
  DepthwiseGradientArgs<T> args{};
  args.dy = dy + row * cols_.out * channels_;
  args.channels = channels_;
  args.inputs = inputs_;
  args.x_pixel = cols_.stride * channels_;
  args.tap_row_reach = rows_.dilation * x_row;
  args.tap_col_reach = cols_.dilation * channels_;
  args.sums_col = inputs_ * channels_;
  args.sums_row = cols_.taps * args.sums_col;
  const DepthwiseGradientSet<T>& set = gradient_set<T>(inputs_);
  const auto& three = cols_.dilation == cols_.stride ? set.three_adjacent : set.three_columns;
  for (std::int64_t tap_row = 0, count; tap_row < rows_.taps; tap_row += std::max<std::int64_t>(count, 1)) {
    for (count = 0; count < kMostTapRows && tap_row + count < rows_.taps && reads_inside(tap_row + count);) ++count;
    if (count == 0) continue;
    const T* const x_first = x + (image * rows_.in + top + tap_row * rows_.dilation) * x_row - cols_.pad * channels_;
    for (std::int64_t tap = 0, taps; tap < cols_.taps; tap += taps) {
      taps = cols_.taps - tap >= 3 ? 3 : 1;
      args.x = x_first + tap * args.tap_col_reach;
      args.sums = sums + tap_row * args.sums_row + tap * args.sums_col;
      std::copy_n(col_outputs_.begin() + tap, taps, args.outputs);
      (taps == 3 ? three : set.one_column)[count](args);
    }
  }
}

template bool fits_depthwise<float>(std::int64_t, std::int64_t);
template bool fits_depthwise<double>(std::int64_t, std::int64_t);
template class Depthwise<float>;
template class Depthwise<double>;
template class DepthwiseGradient<float>;
template class DepthwiseGradient<double>;

}  // namespace dlcore
