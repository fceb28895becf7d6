// Convolution and its gradients, each in one of three ways: by cuDNN where it has kernels for tensor cores, as a matrix
// product of the windows where not, and by definition for depthwise filters and groups that cuDNN declines.
#include "ops/convolution.h"

#include <algorithm>
#include <memory>

#include "cuda/kernels/conv.h"
#include "cuda/kernels/pool.h"
#include "cuda/ops/cudnn_convolution.h"
#include "cuda/ops/families.h"
#include "cuda/ops/im2col_convolution.h"
#include "cuda/ops/scratch.h"
#include "ops/activation.h"
#include "ops/pooled_convolution.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// One of the three computations: run(first, second, bias, result, scratch) as ops have them, filters HWIO.
struct Convolution {
  std::function<void(const void* first, const void* second, const void* bias, void* result, void* scratch)> run;
  std::size_t scratch_bytes;
  std::string label;
};

std::string label_of(ConvDirection direction, const char* way) {
  constexpr const char* kNames[] = {"conv2d", "conv2d_backward_input", "conv2d_backward_weights"};
  return str(kNames[static_cast<int>(direction)], way);
}

/// By a class of which an object is one computation.
template <class Way>
Convolution by(std::shared_ptr<const Way> conv, std::string label) {
  const std::size_t bytes = conv->scratch_bytes();
  return {[conv = std::move(conv)](const void* first, const void* second, const void* bias, void* result,
                                   void* scratch) { conv->run(first, second, bias, result, scratch); },
          bytes, std::move(label)};
}

Convolution by_definition(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                          const Context& context) {
  const std::string label = label_of(direction, "_direct");
  switch (direction) {
    case ConvDirection::Forward:
      return {[=, &context](const void* x, const void* w, const void* bias, void* y, void*) {
                conv_forward(context.stream, dtype, s, x, w, bias, epilogue.activation, y);
              },
              0, label};
    case ConvDirection::BackwardInput:
      return {[=, &context](const void* dy, const void* w, const void*, void* dx, void*) {
                conv_backward_input(context.stream, dtype, s, dy, w, dx);
              },
              0, label};
    default:
      break;
  }
  const ConvWeightsShape shape(s, context.sm_count);
  return {[=, &context](const void* x, const void* dy, const void*, void* dw, void* scratch) {
            conv_backward_weights(context.stream, dtype, shape, x, dy, dw, scratch);
          },
          shape.scratch_bytes(), label};
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
  return direction != ConvDirection::BackwardWeights && dtype != DType::F32 && s.groups == 1 && windows_are_pixels(s);
}

Convolution plan_any(ConvDirection direction, const ConvShape& s, DType dtype, const Epilogue& epilogue,
                     const Context& context) {
  constexpr std::int64_t kMostElements = (std::int64_t{1} << 31) - 1;
  const bool empty = s.n * s.oh * s.ow * s.cin * s.cout == 0, depthwise = s.groups > 1 && s.cin_per_group() == 1;
  if (empty || depthwise || (s.groups > 1 && dtype == DType::F64))
    return by_definition(direction, s, dtype, epilogue, context);
  if (s.groups > 1 || (suits_tensor_cores(direction, s, dtype, context) && !is_product(direction, s, dtype))) {
    auto conv = std::make_shared<const CudnnConvolution>(direction, s, dtype, epilogue, context);
    if (conv->is_usable()) return by(std::move(conv), label_of(direction, ""));
  }
  const std::int64_t window = s.kh * s.kw * s.cin + 16, image = std::max(s.oh * s.ow * window, s.h * s.w * s.cin);
  if (s.groups > 1 || image > kMostElements) return by_definition(direction, s, dtype, epilogue, context);
  return by(std::make_shared<const Im2colConvolution>(direction, s, dtype, epilogue, context),
            label_of(direction, "_gemm"));
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
