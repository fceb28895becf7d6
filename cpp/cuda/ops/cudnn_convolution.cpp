#include "cuda/ops/cudnn_convolution.h"

#include <algorithm>
#include <array>

#include "cuda/kernels/gemm.h"

namespace dlcore::cuda {

namespace {

/// The same convolution of images as far as its windows reach, padding included.
ConvShape on_padded_images(ConvShape s) {
  s.h = (s.oh - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1;
  s.w = (s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1;
  s.pad_top = s.pad_left = 0;
  return s;
}

/// From the images of one form of a convolution to those of another, which are zero where the first have nothing.
PadShape between_images(const ConvShape& from, const ConvShape& to) {
  PadShape shape;
  shape.rank = 4;
  std::ranges::copy(std::array{from.n, from.h, from.w, from.cin}, shape.in_size);
  std::ranges::copy(std::array{to.n, to.h, to.w, to.cin}, shape.out_size);
  std::ranges::copy(std::array<std::int64_t, 4>{0, from.pad_top - to.pad_top, from.pad_left - to.pad_left, 0},
                    shape.low);
  return shape;
}

/// Filters HWIO to [Cout, KH, KW, channels], whose channels beyond the filters' are left alone, or back.
StridedCopy between_filters(const ConvShape& s, std::int64_t channels, DType dtype, bool back) {
  struct Axis {
    std::int64_t size, hwio, ours;  // strides
  };
  const std::int64_t taps = s.kh * s.kw, cin = s.cin_per_group(), element = static_cast<std::int64_t>(size_of(dtype));
  const Axis output{s.cout, 1, taps * channels}, tap{taps, cin * s.cout, channels}, input{cin, s.cout, 1};
  StridedCopy copy;
  copy.element = static_cast<int>(element);
  for (const Axis& axis : back ? std::array{tap, input, output} : std::array{output, tap, input})
    copy.add_axis(axis.size, (back ? axis.ours : axis.hwio) * element, (back ? axis.hwio : axis.ours) * element);
  return simplify(copy);
}

}  // namespace

std::int64_t whole_packs(std::int64_t channels, DType dtype) {
  const std::int64_t pack = 16 / static_cast<std::int64_t>(size_of(dtype));
  return (channels + pack - 1) / pack * pack;
}

CudnnConvolution::CudnnConvolution(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                                   const Context& context)
    : direction_(direction), shape_(s), inner_(s), dtype_(dtype), epilogue_(epilogue), context_(context) {
  if (s.groups == 1 && direction != ConvDirection::BackwardInput) inner_.cin = whole_packs(s.cin, dtype);
  run_ = plan_convolution(direction, inner_, dtype, context);
  if (!run_) {
    inner_ = on_padded_images(inner_);
    run_ = plan_convolution(direction, inner_, dtype, context);
  }
  as_they_are_ = inner_.h == s.h && inner_.w == s.w && inner_.cin == s.cin && inner_.pad_top == s.pad_top &&
                 inner_.pad_left == s.pad_left;
  const std::int64_t channels = inner_.cin_per_group();
  to_filters_ = between_filters(s, channels, dtype, false);
  from_filters_ = between_filters(s, channels, dtype, true);
  filter_bytes_ = static_cast<std::size_t>(s.cout * s.kh * s.kw * channels) * size_of(dtype);
  filters_ = scratch_.add(filter_bytes_);
  images_ = scratch_.add(
      as_they_are_ ? 0 : static_cast<std::size_t>(inner_.n * inner_.h * inner_.w * inner_.cin) * size_of(dtype));
}

void CudnnConvolution::run(const void* first, const void* second, const void* bias, void* result, void* scratch) const {
  const ConvShape& s = shape_;
  void *filters = moved(scratch, filters_), *images = moved(scratch, images_);
  switch (direction_) {
    case ConvDirection::Forward:
      run_(inner_images(first, images), inner_filters(second, filters), result);
      bias_activation(context_.stream, dtype_, s.n * s.oh * s.ow, s.cout, bias, epilogue_.activation, result);
      break;
    case ConvDirection::BackwardInput:
      run_(first, inner_filters(second, filters), as_they_are_ ? result : images);
      if (!as_they_are_)
        pad(context_.stream, between_images(inner_, s), static_cast<int>(size_of(dtype_)), 0, images, result);
      break;
    case ConvDirection::BackwardWeights:
      run_(inner_images(first, images), second, filters);
      strided_copy(context_.stream, from_filters_, filters, result);
      break;
  }
}

const void* CudnnConvolution::inner_images(const void* x, void* images) const {
  if (as_they_are_) return x;
  pad(context_.stream, between_images(shape_, inner_), static_cast<int>(size_of(dtype_)), 0, x, images);
  return images;
}

const void* CudnnConvolution::inner_filters(const void* w, void* filters) const {
  if (inner_.cin != shape_.cin) zero_bytes(context_.stream, filters, filter_bytes_);
  strided_copy(context_.stream, to_filters_, w, filters);
  return filters;
}

}  // namespace dlcore::cuda
