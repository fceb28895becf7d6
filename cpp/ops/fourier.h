// What the Fourier transforms of every device agree on: the lines that a node transforms.
#pragma once

#include "dlcore/tensor.h"
#include "kernels/fft/fft.h"
#include "ops/axis.h"
#include "program/primitive.h"

namespace dlcore {

/// What runs, as `explain` names it.
inline const char* fft_label(FftKind kind, bool windowed) {
  if (kind == FftKind::Complex) return "fft";
  return kind == FftKind::RealInverse ? "irfft" : windowed ? "stft" : "rfft";
}

using FftLines = FftShape (*)(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs);

/// fft: along attrs' axis.
inline FftShape fft_lines(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Shape& shape = in[0].shape;
  const AxisView x = view_along(shape, resolve_axis(attrs.integer("axis", -1), shape.rank()));
  return {FftKind::Complex, x.outer, x.size, x.inner};
}
/// rfft: of the real numbers in.
inline FftShape rfft_lines(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  const Shape& x = in[0].shape;
  return {FftKind::Real, x.product(0, x.rank() - 1), x.back()};
}
/// irfft: of the real numbers out.
inline FftShape irfft_lines(std::span<const TensorSpec>, std::span<const TensorSpec> out, const Attrs&) {
  const Shape& y = out[0].shape;
  return {FftKind::RealInverse, y.product(0, y.rank() - 1), y.back()};
}
/// stft: of the frames, attrs' step apart, of the signals in, times a window.
inline FftShape stft_lines(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
  const Shape& y = out[0].shape;
  return {.kind = FftKind::Real,
          .outer = y.product(0, y.rank() - 1),
          .n = in[1].shape[0],
          .frames = y[y.rank() - 2],
          .step = attrs.integer("step", 1),
          .length = in[0].shape.back()};
}

}  // namespace dlcore
