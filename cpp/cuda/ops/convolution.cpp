// Convolution and its gradients, each in one of three ways: by cuDNN where it has kernels for tensor cores, as a matrix
// product of the windows where not, and by definition for depthwise filters and groups that cuDNN declines.
#include "ops/convolution.h"

#include <algorithm>
#include <optional>

#include "cuda/kernels/conv.h"
#include "cuda/kernels/gemm.h"
#include "cuda/kernels/movement.h"
#include "cuda/kernels/pool.h"
#include "cuda/library.h"
#include "cuda/ops/families.h"
#include "cuda/ops/im2col_convolution.h"
#include "cuda/ops/scratch.h"
#include "ops/activation.h"
#include "ops/pooled_convolution.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// The same convolution of images as far as its windows reach, padding included.
ConvShape on_padded_images(ConvShape s) {
  s.h = (s.oh - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1;
  s.w = (s.ow - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1;
  s.pad_top = s.pad_left = 0;
  return s;
}

/// Between the images of a convolution and larger ones: which are zero beyond the first.
struct Padding {
  PadShape to_padded, from_padded;
  std::size_t bytes;
};
Padding padding_of(const ConvShape& s, const ConvShape& padded, DType dtype) {
  PadShape in, out;
  in.rank = out.rank = 4;
  const std::int64_t plain_size[] = {s.n, s.h, s.w, s.cin}, padded_size[] = {s.n, padded.h, padded.w, padded.cin};
  const std::int64_t low[] = {0, s.pad_top - padded.pad_top, s.pad_left - padded.pad_left, 0};
  for (int axis = 0; axis < 4; ++axis) {
    in.in_size[axis] = out.out_size[axis] = plain_size[axis];
    in.out_size[axis] = out.in_size[axis] = padded_size[axis];
    in.low[axis] = low[axis];
    out.low[axis] = -low[axis];
  }
  return {in, out, static_cast<std::size_t>(s.n * padded.h * padded.w * padded.cin) * size_of(dtype)};
}

/// Filters HWIO to [Cout, KH, KW, channels], whose channels beyond the filters' are left alone, or back.
StridedCopy filter_copy(const ConvShape& s, std::int64_t channels, DType dtype, bool back) {
  const std::int64_t element = static_cast<std::int64_t>(size_of(dtype)), taps = s.kh * s.kw, cin = s.cin_per_group();
  StridedCopy copy;
  copy.element = static_cast<int>(element);
  const auto add = [&](std::int64_t n, std::int64_t hwio, std::int64_t ours) {
    copy.add_axis(n, (back ? ours : hwio) * element, (back ? hwio : ours) * element);
  };
  if (!back) add(s.cout, 1, taps * channels);
  add(taps, cin * s.cout, channels);
  add(cin, s.cout, 1);
  if (back) add(s.cout, 1, taps * channels);
  return simplify(copy);
}

/// One of the three computations: run(first, second, bias, result, scratch) as ops have them, filters HWIO.
struct Convolution {
  std::function<void(const void* first, const void* second, const void* bias, void* result, void* scratch)> run;
  std::size_t scratch_bytes;
  std::string label;
};

// ---- by definition

Convolution by_definition(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                          const Context& context) {
  switch (direction) {
    case ConvDirection::Forward:
      return {[=, &context](const void* x, const void* w, const void* bias, void* y, void*) {
                conv_forward(context.stream, dtype, s, x, w, bias, epilogue.activation, y);
              },
              0, "conv2d_direct"};
    case ConvDirection::BackwardInput:
      return {[=, &context](const void* dy, const void* w, const void*, void* dx, void*) {
                conv_backward_input(context.stream, dtype, s, dy, w, dx);
              },
              0, "conv2d_backward_input_direct"};
    default:
      break;
  }
  const ConvWeightsShape shape(s, context.sm_count);
  return {[=, &context](const void* x, const void* dy, const void*, void* dw, void* scratch) {
            conv_backward_weights(context.stream, dtype, shape, x, dy, dw, scratch);
          },
          shape.scratch_bytes(), "conv2d_backward_weights_direct"};
}

// ---- as a matrix product

Convolution by_product(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                       const Context& context) {
  constexpr const char* kLabels[] = {"conv2d_gemm", "conv2d_backward_input_gemm", "conv2d_backward_weights_gemm"};
  auto conv = std::make_shared<const Im2colConvolution>(direction, s, dtype, epilogue, context);
  return {[conv](const void* first, const void* second, const void* bias, void* result, void* scratch) {
            conv->run(first, second, bias, result, scratch);
          },
          conv->scratch_bytes(), kLabels[static_cast<int>(direction)]};
}

// ---- by cuDNN: filters [Cout, KH, KW, Cin]. Filters are transposed (they are small). Images get channels of zeros up
// to whole 16 bytes, which kernels for tensor cores need, and where cuDNN declines padding that differs between the
// sides, borders.

std::int64_t whole_packs(std::int64_t channels, DType dtype) {
  const std::int64_t pack = 16 / static_cast<std::int64_t>(size_of(dtype));
  return (channels + pack - 1) / pack * pack;
}

/// Nothing where it declines.
std::optional<Convolution> by_cudnn(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                                    const Context& context) {
  ConvShape inner = s;
  if (s.groups == 1 && direction != ConvDirection::BackwardInput) inner.cin = whole_packs(s.cin, dtype);
  RunConvolution run = plan_convolution(direction, inner, dtype, context);
  if (!run) {
    inner = on_padded_images(inner);
    run = plan_convolution(direction, inner, dtype, context);
  }
  if (!run) return std::nullopt;

  const bool as_they_are = inner.h == s.h && inner.w == s.w && inner.cin == s.cin && inner.pad_top == s.pad_top &&
                           inner.pad_left == s.pad_left;
  const Padding padding = padding_of(s, inner, dtype);
  const std::int64_t channels = inner.cin_per_group();
  const StridedCopy to_filters = filter_copy(s, channels, dtype, false);
  const StridedCopy from_filters = filter_copy(s, channels, dtype, true);
  const std::size_t filter_bytes = static_cast<std::size_t>(s.kh * s.kw * channels * s.cout) * size_of(dtype);
  ScratchPlan scratch;
  const std::size_t filters = scratch.add(filter_bytes);
  const std::size_t images = as_they_are ? 0 : scratch.add(padding.bytes);
  const int element = static_cast<int>(size_of(dtype));
  const auto padded = [=, &context](const void* x, void* bytes) -> const void* {
    if (as_they_are) return x;
    pad(context.stream, padding.to_padded, element, 0, x, moved(bytes, images));
    return moved(bytes, images);
  };
  const auto transposed = [=, more = channels > s.cin_per_group(), &context](const void* w,
                                                                             void* bytes) -> const void* {
    if (more) zero_bytes(context.stream, moved(bytes, filters), filter_bytes);
    strided_copy(context.stream, to_filters, w, moved(bytes, filters));
    return moved(bytes, filters);
  };
  switch (direction) {
    case ConvDirection::Forward:
      return Convolution{[=, &context](const void* x, const void* w, const void* bias, void* y, void* bytes) {
                           run(padded(x, bytes), transposed(w, bytes), y);
                           bias_activation(context.stream, dtype, s.n * s.oh * s.ow, s.cout, bias, epilogue.activation,
                                           y);
                         },
                         scratch.bytes(), "conv2d"};
    case ConvDirection::BackwardInput:
      return Convolution{[=, &context](const void* dy, const void* w, const void*, void* dx, void* bytes) {
                           run(dy, transposed(w, bytes), as_they_are ? dx : moved(bytes, images));
                           if (!as_they_are)
                             pad(context.stream, padding.from_padded, element, 0, moved(bytes, images), dx);
                         },
                         scratch.bytes(), "conv2d_backward_input"};
    default:
      break;
  }
  return Convolution{[=, &context](const void* x, const void* dy, const void*, void* dw, void* bytes) {
                       run(padded(x, bytes), dy, moved(bytes, filters));
                       strided_copy(context.stream, from_filters, moved(bytes, filters), dw);
                     },
                     scratch.bytes(), "conv2d_backward_weights"};
}

/// Whether cuDNN's kernels for tensor cores take it: numbers that they compute with, rows of channels of whole 16
/// bytes; images of few channels get more where that costs less than laying out their windows.
bool suits_tensor_cores(ConvDirection direction, const ConvShape& s, DType dtype, const Context& context) {
  const bool precision = dtype == DType::F16 || dtype == DType::BF16 ||
                         (dtype == DType::F32 && context.precision == Context::Precision::tf32);
  const std::int64_t most = direction == ConvDirection::BackwardInput ? s.cin : 3 * s.cin;
  return precision && whole_packs(s.cout, dtype) == s.cout && whole_packs(s.cin, dtype) <= most;
}

/// Whether it is a product of the pixels and the filter as they lie. The sum over all pixels, for the filter's
/// gradient, is cuDNN's; so are float32's, as tf32's instructions (wgmma) want both factors along k, which cuDNN's
/// filters are.
bool is_product(ConvDirection direction, const ConvShape& s, DType dtype) {
  return direction != ConvDirection::BackwardWeights && dtype != DType::F32 &&
         s.groups * s.kh * s.kw * s.stride_h * s.stride_w == 1 && s.oh == s.h && s.ow == s.w && s.pad_top == 0 &&
         s.pad_left == 0;
}

Convolution plan_any(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                     const Context& context) {
  constexpr std::int64_t kMostElements = (std::int64_t{1} << 31) - 1;
  const bool empty = s.n * s.oh * s.ow * s.cin * s.cout == 0, depthwise = s.groups > 1 && s.cin_per_group() == 1;
  if (empty || depthwise || (s.groups > 1 && dtype == DType::F64))
    return by_definition(direction, s, dtype, epilogue, context);
  if (s.groups > 1 || (suits_tensor_cores(direction, s, dtype, context) && !is_product(direction, s, dtype)))
    if (std::optional<Convolution> conv = by_cudnn(direction, s, dtype, epilogue, context)) return *std::move(conv);
  const std::int64_t window = s.kh * s.kw * s.cin + 16, image = std::max(s.oh * s.ow * window, s.h * s.w * s.cin);
  if (s.groups > 1 || image > kMostElements) return by_definition(direction, s, dtype, epilogue, context);
  return by_product(direction, s, dtype, epilogue, context);
}

Kernel kernel_of(ConvDirection direction, const ConvShape& shape, DType dtype, const Epilogue& epilogue,
                 const Context& context) {
  Convolution conv = plan_any(direction, shape, dtype, epilogue, context);
  return {
      .run = [run = std::move(conv.run), epilogue](
                 const Buffers& b) { run(b.in[0], b.in[1], epilogue.bias ? b.in[2] : nullptr, b.out[0], b.scratch); },
      .scratch_bytes = conv.scratch_bytes,
      .label = conv.label,
      .flops = shape.flops()};
}

Kernel plan_conv2d(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return kernel_of(ConvDirection::Forward, conv_shape(in[0].shape, in[1].shape, out[0].shape, attrs), in[0].dtype,
                   {in.size() == 3, activation_of(attrs)}, context);
}
Kernel plan_backward_input(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return kernel_of(ConvDirection::BackwardInput, conv_shape(out[0].shape, in[1].shape, in[0].shape, attrs), in[0].dtype,
                   {}, context);
}
Kernel plan_backward_weights(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return kernel_of(ConvDirection::BackwardWeights, conv_shape(in[0].shape, out[0].shape, in[1].shape, attrs),
                   in[0].dtype, {}, context);
}
Kernel plan_transpose(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return plan_backward_input(in, out, convolution_behind(attrs, in[1].shape), context);
}

// ---- in front of max pooling: the convolution's output, or its gradient, goes through scratch

std::size_t output_bytes(const ConvShape& s, DType dtype) {
  return static_cast<std::size_t>(s.n * s.oh * s.ow * s.cout) * size_of(dtype);
}

Kernel plan_max_pool(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const DType dtype = in[0].dtype;
  const PooledShape s = pooled_shape(in[0].shape, in[1].shape, out[0].shape, attrs);
  const Epilogue epilogue{in.size() == 3, activation_of(attrs)};
  Convolution conv = plan_any(ConvDirection::Forward, s.conv, dtype, epilogue, context);
  const bool keeps_argmax = attrs.boolean("keeps_argmax", true);
  ScratchPlan scratch;
  const std::size_t y = scratch.add(output_bytes(s.conv, dtype));
  const std::size_t argmax = scratch.add(keeps_argmax ? 0 : static_cast<std::size_t>(out[0].shape.elements()));
  const std::size_t inner = scratch.add(conv.scratch_bytes);
  return {.run =
              [=, run = std::move(conv.run), pool = s.pool, &context](const Buffers& b) {
                run(b.in[0], b.in[1], epilogue.bias ? b.in[2] : nullptr, at(b, y), at(b, inner));
                max_pool(context.stream, dtype, DType::U8, pool, at(b, y), b.out[0],
                         keeps_argmax ? b.out[1] : at(b, argmax));
              },
          .scratch_bytes = scratch.bytes(),
          .label = conv.label + "_max_pool2d",
          .flops = s.conv.flops()};
}

/// dp, argmax: which inputs they are.
Kernel plan_pooled(ConvDirection direction, const PooledShape& s, DType dtype, int dp, int argmax, int other,
                   const Context& context) {
  Convolution conv = plan_any(direction, s.conv, dtype, {}, context);
  ScratchPlan scratch;
  const std::size_t dy = scratch.add(output_bytes(s.conv, dtype));
  const std::size_t inner = scratch.add(conv.scratch_bytes);
  return {.run =
              [=, run = std::move(conv.run), pool = s.pool, &context](const Buffers& b) {
                max_pool_grad(context.stream, dtype, DType::U8, pool, b.in[dp], b.in[argmax], at(b, dy));
                const bool to_input = direction == ConvDirection::BackwardInput;
                run(to_input ? at(b, dy) : b.in[other], to_input ? b.in[other] : at(b, dy), nullptr, b.out[0],
                    at(b, inner));
              },
          .scratch_bytes = scratch.bytes(),
          .label = "pooled_" + conv.label,
          .flops = s.conv.flops()};
}

}  // namespace

void register_convolution() {
  register_kernel("conv2d", plan_conv2d);
  register_kernel("conv2d_backward_input", plan_backward_input);
  register_kernel("conv2d_backward_weights", plan_backward_weights);
  register_kernel("conv2d_transpose", plan_transpose);
  register_kernel("conv2d_max_pool2d", plan_max_pool);
  register_kernel("conv2d_pooled_backward_input",  // dp, argmax, w, like x
                  [](SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
                    return plan_pooled(ConvDirection::BackwardInput,
                                       pooled_shape(out[0].shape, in[2].shape, in[0].shape, attrs), in[0].dtype, 0, 1,
                                       2, context);
                  });
  register_kernel("conv2d_pooled_backward_weights",  // x, dp, argmax, like w
                  [](SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
                    return plan_pooled(ConvDirection::BackwardWeights,
                                       pooled_shape(in[0].shape, out[0].shape, in[1].shape, attrs), in[0].dtype, 1, 2,
                                       0, context);
                  });
}

}  // namespace dlcore::cuda
