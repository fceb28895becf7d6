// Convolution of NHWC images with HWIO weights. Its two gradients are primitives of their own, and each other's
// gradients are convolutions again, so derivatives of any order exist.
#include "ops/convolution.h"

#include <algorithm>
#include <functional>

#include "base/cpu.h"
#include "dlcore/ops.h"
#include "kernels/conv/amx.h"
#include "kernels/conv/pooled.h"
#include "kernels/conv/winograd.h"
#include "kernels/gemm/gemm.h"
#include "kernels/pointwise/pointwise.h"
#include "ops/activation.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/window.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;
constexpr unsigned kThirdInput = 1u << 2;

// --------------------------------------------------------------------------------------------------------- shape rules

void expect_rank_4(const TensorSpec& spec, const char* what, const char* layout) {
  if (spec.shape.rank() != 4)
    throw value_error(what, " is ", spec, "; expected 4 axes ", layout,
                      ". Add the missing axes, e.g. a batch or channel axis of 1.");
}

void expect_same_dtype(const TensorSpec& a, const TensorSpec& b, const char* what) {
  if (a.dtype != b.dtype) throw type_error(what, " is ", b, " but the images are ", a, "; both should have one dtype.");
}

std::int64_t read_groups(const Attrs& attrs) {
  const std::int64_t groups = attrs.integer("groups", 1);
  if (groups < 1) throw value_error("groups is ", groups, "; expected at least 1.");
  return groups;
}

/// Kernels may pad the images first: throws OutOfMemory where the bytes of those can't be counted.
void expect_room_for_padding(const TensorSpec& x, const Shape& y, const Window& window) {
  if (!x.shape.known()) return;
  TensorSpec padded = x;
  for (int axis = 0; axis < 2; ++axis)
    padded.shape[axis + 1] = std::max<std::int64_t>(0, y[axis + 1] - 1) * window.strides[axis] + window.extent(axis);
  padded.bytes();
}

}  // namespace

Shape conv2d_output(const TensorSpec& x, const TensorSpec& w, const Attrs& attrs) {
  expect_float(x);
  expect_rank_4(x, "input", "[NHWC]");
  expect_rank_4(w, "kernel", "[HWIO]");
  expect_same_dtype(x, w, "the kernel");
  const std::int64_t groups = read_groups(attrs), cin = x.shape[3], cout = w.shape[3];
  if (w.shape[2] < 1 || cout < 1)
    throw value_error("kernel ", w.shape, " [HWIO] should have known channels, at least 1.");
  const std::int64_t expected = Shape{w.shape[2], groups}.elements();
  if (cin != Shape::kUnknown && cin != expected)
    throw value_error("the input has ", cin, cin == 1 ? " channel" : " channels", " but the kernel was built for ",
                      expected, ". Got input ", x.shape, " [NHWC], kernel ", w.shape, " [HWIO], groups ", groups,
                      ". Pass images with ", expected, " channels, or rebuild the layer with this input shape.");
  if (cout % groups != 0)
    throw value_error("the kernel ", w.shape, " [HWIO] gives ", cout, " channels, which ", groups,
                      " groups do not divide. Choose filters as a multiple of groups.");
  const Window window = read_window(attrs, w.shape[0], w.shape[1]);
  const Shape y{x.shape[0], window_positions(window, 0, x.shape[1]), window_positions(window, 1, x.shape[2]), cout};
  expect_room_for_padding(x, y, window);
  return y;
}

std::span<const TensorSpec> without_filters(SpecSpan in, const Attrs& attrs) {
  return attrs.boolean(kHasFilters, false) && !in.empty() ? in.first(in.size() - 1) : in;
}

namespace {

/// What the transformed filters of a convolution depend on: w, the strides and the dilation.
WinogradShape filter_shape(const Shape& w, const Attrs& attrs) {
  const Window window = read_window(attrs, w[0], w[1]);
  ConvShape shape{};
  shape.kh = w[0], shape.kw = w[1], shape.cin = w[2], shape.cout = w[3];
  shape.stride_h = window.strides[0], shape.stride_w = window.strides[1];
  shape.dilation_h = window.dilation[0], shape.dilation_w = window.dilation[1];
  return WinogradShape(shape);
}

Specs infer_winograd_filters(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const Shape& w = in[0].shape;
  const bool fits = in[0].dtype == DType::F32 && w.rank() == 4 && w[2] >= 1 && w[3] >= 1;
  if (!fits || w[0] < 1 || w[1] <= read_window(attrs, w[0], w[1]).strides[1])
    throw value_error("the kernel is ", in[0],
                      "; expected float32(height, width, input channels, output channels), wider than the stride.");
  return {{DType::F32, {winograd_filter_elements(filter_shape(w, attrs))}}};
}

void expect_output_gradient(const TensorSpec& dy, const TensorSpec& x, const TensorSpec& w, const Attrs& attrs) {
  const Shape y = conv2d_output(x, w, attrs);
  if (dy.dtype != x.dtype || !shapes_agree(dy.shape, y))
    throw value_error("the output's gradient is ", dy, " but the output of input ", x.shape, " [NHWC] and kernel ",
                      w.shape, " [HWIO] is ", TensorSpec{x.dtype, y}, ".");
}

Specs infer_conv2d(SpecSpan inputs, const Attrs& attrs) {
  const SpecSpan in = without_filters(inputs, attrs);
  expect_inputs(in, 2, 3);
  const Shape y = conv2d_output(in[0], in[1], attrs);
  activation_of(attrs);
  if (in.size() == 3 && (in[2].shape != Shape{y[3]} || in[2].dtype != in[0].dtype))
    throw value_error("bias is ", in[2], "; expected ", TensorSpec{in[0].dtype, {y[3]}},
                      ", one number per output channel.");
  return {{in[0].dtype, y}};
}

Specs infer_backward_input(SpecSpan in, const Attrs& attrs) {  // dy, w, like x
  expect_inputs(in, 3);
  const TensorSpec x{in[0].dtype, in[2].shape};
  expect_output_gradient(in[0], x, in[1], attrs);
  return {x};
}

Specs infer_backward_weights(SpecSpan in, const Attrs& attrs) {  // x, dy, like w
  expect_inputs(in, 3);
  const TensorSpec w{in[0].dtype, in[2].shape};
  expect_output_gradient(in[1], in[0], w, attrs);
  return {w};
}

// --------------------------------------------------------------------------------------------------------------- plans

}  // namespace

ConvShape conv_shape(const Shape& x, const Shape& w, const Shape& y, const Attrs& attrs) {
  const Window window = read_window(attrs, w[0], w[1]);
  return {x[0],
          x[1],
          x[2],
          x[3],
          y[1],
          y[2],
          y[3],
          w[0],
          w[1],
          window.strides[0],
          window.strides[1],
          window.dilation[0],
          window.dilation[1],
          pad_before(window, 0, x[1]),
          pad_before(window, 1, x[2]),
          read_groups(attrs)};
}

bool takes_winograd(DType dtype, const ConvShape& conv, bool has_filters) {
  WinogradShape shape(conv);
  shape.has_filters = has_filters;
  return dtype == DType::F32 && fits_winograd(conv) && winograd_saves_work(shape);
}

// Larger ones take more room, and longer to read, than it is worth.
bool keeps_filters(DType dtype, const ConvShape& conv) {
  const auto bytes = static_cast<std::size_t>(winograd_filter_elements(WinogradShape(conv))) * sizeof(float);
  return takes_winograd(dtype, conv, true) && bytes <= cache_sizes().l2;
}

bool takes_matrix_unit(const TensorSpec& x, const TensorSpec& w, const Attrs& attrs) {
  return x.dtype == DType::BF16 && amx_conv_fits(conv_shape(x.shape, w.shape, conv2d_output(x, w, attrs), attrs));
}

std::string winograd_label(const char* op, const char* type) {
  return str(op, "_winograd_", type, '_', name_of(isa()));
}

namespace {

// What Winograd's algorithm computes of float images, and of Bfloat ones where nothing does it in their own arithmetic.
bool output_fits_winograd(const ConvShape& s) { return takes_winograd(DType::F32, s, false); }
bool input_fits_winograd(const ConvShape& s) {
  const std::size_t parts = winograd_parts_of_input(s).size();
  return parts > 0 && parts == turned_parts(s, sizeof(float)).size();
}
bool weights_fit_winograd(const ConvShape& s) {
  return fits_winograd(s) && winograd_weights_saves_work(WinogradShape(s));
}

std::string amx_label(const char* op) { return str(op, "_bf16_amx"); }

template <class T, class Conv>
Kernel forward_kernel(const ConvShape& shape, std::string label, bool has_bias, Activation activation) {
  auto conv = std::make_shared<const Conv>(shape);
  return {.run =
              [conv, has_bias, activation](const Buffers& b) {
                const T* bias = has_bias ? b.input<T>(2) : nullptr;
                conv->run(b.input<T>(0), b.input<T>(1), bias, activation, b.output<T>(0), b.scratch);
              },
          .scratch_bytes = conv->scratch_bytes(),
          .label = std::move(label),
          .flops = shape.flops()};
}

/// Of the gradients: conv->run(first input, second input, result, scratch).
template <class T, class Conv>
Kernel gradient_kernel(std::shared_ptr<const Conv> conv, std::string label, double flops) {
  return {.run = [conv](const Buffers& b) { conv->run(b.input<T>(0), b.input<T>(1), b.output<T>(0), b.scratch); },
          .scratch_bytes = conv->scratch_bytes(),
          .label = std::move(label),
          .flops = flops};
}

Kernel winograd_forward_kernel(const ConvShape& shape, bool has_bias, bool has_filters, Activation activation) {
  WinogradShape winograd(shape);
  winograd.has_filters = has_filters;
  auto conv = std::make_shared<const Winograd>(winograd);
  const int filters = !has_filters ? 1 : has_bias ? 3 : 2;
  return {.run =
              [conv, has_bias, filters, activation](const Buffers& b) {
                const float* bias = has_bias ? b.input<float>(2) : nullptr;
                conv->run(b.input<float>(0), b.input<float>(filters), bias, activation, b.output<float>(0), nullptr,
                          b.scratch);
              },
          .scratch_bytes = conv->scratch_bytes(),
          .label = winograd_label("conv2d"),
          .flops = shape.flops()};
}

/// Of a primitive's inputs and outputs the convolution behind it.
using ConvShapeOf = ConvShape (*)(SpecSpan in, SpecSpan out, const Attrs& attrs);

ConvShape shape_of_forward(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return conv_shape(in[0].shape, in[1].shape, out[0].shape, attrs);
}
ConvShape shape_of_backward_input(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return conv_shape(out[0].shape, in[1].shape, in[0].shape, attrs);
}
ConvShape shape_of_backward_weights(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return conv_shape(in[0].shape, out[0].shape, in[1].shape, attrs);
}
ConvShape shape_of_transpose(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return shape_of_backward_input(in, out, convolution_behind(attrs, in[1].shape));
}

Kernel plan_conv2d(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const ConvShape shape = shape_of_forward(in, out, attrs);
  const bool has_filters = attrs.boolean(kHasFilters, false), has_bias = without_filters(in, attrs).size() == 3;
  const Activation activation = activation_of(attrs);
  if (has_filters || takes_winograd(in[0].dtype, shape, false))
    return winograd_forward_kernel(shape, has_bias, has_filters, activation);
  return for_float_type(in[0].dtype, [&](auto type) {
    using T = decltype(type);
    return forward_kernel<T, ConvForward<T>>(shape, conv_label<T>("conv2d", shape), has_bias, activation);
  });
}

Kernel plan_winograd_filters(SpecSpan in, SpecSpan, const Attrs& attrs) {
  const WinogradShape shape = filter_shape(in[0].shape, attrs);
  return {.run = [=](const Buffers& b) { transform_winograd_filters(shape, b.input<float>(0), b.output<float>(0)); },
          .label = winograd_label("conv2d_filters")};
}

/// `dense`, or `sparse` where a sample of dy says that it is nearly all zeros.
Kernel skipping_zeros(const ConvShape& shape, int dy, Kernel dense, std::function<void(const Buffers&)> sparse,
                      std::size_t sparse_bytes) {
  Kernel kernel = dense;
  kernel.scratch_bytes = std::max(dense.scratch_bytes, sparse_bytes);
  kernel.run = [shape, dy, dense = std::move(dense.run), sparse = std::move(sparse)](const Buffers& b) {
    is_nearly_all_zeros(shape, b.input<float>(dy)) ? sparse(b) : dense(b);
  };
  return kernel;
}

Kernel plan_dense_dx(DType dtype, const char* label, const ConvShape& shape) {
  const auto parts = dtype == DType::F32 ? winograd_parts_of_input(shape) : std::vector<TurnedPart>();
  if (!parts.empty())
    return gradient_kernel<float>(std::make_shared<const WinogradBackwardInput>(shape, parts), winograd_label(label),
                                  shape.flops());
  return for_float_type(dtype, [&](auto type) {
    using T = decltype(type);
    return gradient_kernel<T>(std::make_shared<const ConvBackwardInput<T>>(shape), conv_label<T>(label, shape),
                              shape.flops());
  });
}

Kernel plan_dx(DType dtype, const char* label, const ConvShape& shape) {
  Kernel dense = plan_dense_dx(dtype, label, shape);
  if (dtype != DType::F32 || !zeros_save_work(shape)) return dense;
  auto conv = std::make_shared<const PooledBackwardInput<float>>(shape, no_pooling(shape));
  const auto sparse = [conv](const Buffers& b) {
    conv->run(b.input<float>(0), nullptr, b.input<float>(1), b.output<float>(0), b.scratch);
  };
  return skipping_zeros(shape, 0, std::move(dense), sparse, conv->scratch_bytes());
}

Kernel plan_backward_input(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return plan_dx(in[0].dtype, "conv2d_backward_input", shape_of_backward_input(in, out, attrs));
}

Kernel plan_dense_dw(DType dtype, const ConvShape& shape) {
  constexpr const char* kLabel = "conv2d_backward_weights";
  if (dtype == DType::F32 && weights_fit_winograd(shape))
    return gradient_kernel<float>(std::make_shared<const WinogradBackwardWeights>(WinogradShape(shape)),
                                  winograd_label(kLabel), shape.flops());
  return for_float_type(dtype, [&](auto type) {
    using T = decltype(type);
    return gradient_kernel<T>(std::make_shared<const ConvBackwardWeights<T>>(shape), conv_label<T>(kLabel, shape),
                              shape.flops());
  });
}

Kernel plan_backward_weights(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const ConvShape shape = shape_of_backward_weights(in, out, attrs);
  Kernel dense = plan_dense_dw(in[0].dtype, shape);
  if (in[0].dtype != DType::F32 || !zeros_save_work(shape)) return dense;
  auto conv = std::make_shared<const PooledBackwardWeights<float>>(shape, no_pooling(shape));
  const auto sparse = [conv](const Buffers& b) {
    conv->run(b.input<float>(0), b.input<float>(1), nullptr, b.output<float>(0), b.scratch);
  };
  return skipping_zeros(shape, 1, std::move(dense), sparse, conv->scratch_bytes());
}

// ---- bfloat16 as it is stored: on the matrix unit, as products of matrices, or widened within Winograd's transforms

using ConvFits = bool (*)(const ConvShape&);

/// So many numbers of bfloat16, as float in scratch.
const float* widened(const Bfloat* numbers, std::int64_t count, Scratch& free) {
  float* const wide = free.take<float>(count);
  convert(DType::BF16, numbers, DType::F32, wide, count);
  return wide;
}

Kernel winograd_bfloat_kernel(const ConvShape& conv, bool has_bias, Activation activation) {
  WinogradShape shape(conv);
  shape.bfloat = true;
  auto winograd = std::make_shared<const Winograd>(shape);
  const std::int64_t weights = shape.weights(), cout = shape.cout;
  return {.run =
              [=](const Buffers& b) {
                Scratch free(b.scratch);
                const float* const w = widened(b.input<Bfloat>(1), weights, free);
                const float* const bias = has_bias ? widened(b.input<Bfloat>(2), cout, free) : nullptr;
                winograd->run(b.in[0], w, bias, activation, b.out[0], nullptr, free.take<std::byte>(0));
              },
          .scratch_bytes = bytes_of<float>(weights) + bytes_of<float>(cout) + winograd->scratch_bytes(),
          .label = winograd_label("conv2d", "bf16"),
          .flops = conv.flops()};
}

Kernel winograd_bfloat_input_kernel(const char* op, const ConvShape& conv) {
  auto winograd = std::make_shared<const WinogradBackwardInput>(conv, winograd_parts_of_input(conv), true);
  const std::int64_t weights = conv.kh * conv.kw * conv.cin * conv.cout;
  return {.run =
              [=](const Buffers& b) {
                Scratch free(b.scratch);
                const float* const w = widened(b.input<Bfloat>(1), weights, free);
                winograd->run(b.in[0], w, b.out[0], free.take<std::byte>(0));
              },
          .scratch_bytes = bytes_of<float>(weights) + winograd->scratch_bytes(),
          .label = winograd_label(op, "bf16"),
          .flops = conv.flops()};
}

Kernel winograd_bfloat_weights_kernel(const char* op, const ConvShape& conv) {
  WinogradShape shape(conv);
  shape.bfloat = true;
  auto winograd = std::make_shared<const WinogradBackwardWeights>(shape);
  const std::int64_t weights = shape.weights();
  return {.run =
              [=](const Buffers& b) {
                Scratch free(b.scratch);
                float* const dw = free.take<float>(weights);
                winograd->run(b.in[0], b.in[1], dw, free.take<std::byte>(0));
                convert(DType::F32, dw, DType::BF16, b.out[0], weights);
              },
          .scratch_bytes = bytes_of<float>(weights) + winograd->scratch_bytes(),
          .label = winograd_label(op, "bf16"),
          .flops = conv.flops()};
}

bool is_bfloat_product(const ConvShape& shape) { return gemm_bfloat_kernels() && is_product(shape); }

/// The kernel for bfloat16 as it is stored, where there is one.
Plan as_bfloat_or_float32(ConvShapeOf shape_of, ConvFits fits_unit, ConvFits winograd_fits, Plan bfloat, Plan plan,
                          unsigned shape_only_inputs = 0) {
  const auto takes = [=](SpecSpan in, SpecSpan out, const Attrs& attrs) {
    const ConvShape shape = shape_of(in, out, attrs);
    const bool by_winograd = winograd_fits(shape) && activation_of(attrs) <= Activation::Relu;
    return fits_unit(shape) || is_bfloat_product(shape) || by_winograd;
  };
  return as_bfloat_or_on_float32(takes, bfloat, plan, shape_only_inputs);
}

/// y = x w, dx = dy w^T or dw = x^T dy, as the shape says.
Kernel product_kernel(const GemmShape& shape, const char* op, bool has_bias = false,
                      Activation activation = Activation::None) {
  const GemmPlan plan = plan_gemm<Bfloat>(shape);
  return {.run =
              [plan, has_bias, activation](const Buffers& b) {
                const Bfloat* bias = has_bias ? b.input<Bfloat>(2) : nullptr;
                gemm(plan, b.input<Bfloat>(0), b.input<Bfloat>(1), b.output<Bfloat>(0), {bias, activation}, b.scratch);
              },
          .scratch_bytes = plan.scratch_bytes,
          .label = str(op, "_", gemm_label<Bfloat>(plan)),
          .flops = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k)};
}
std::int64_t pixels_of(const ConvShape& s) { return s.n * s.oh * s.ow; }
GemmShape input_product(const ConvShape& s) { return dense_gemm(pixels_of(s), s.cin, s.cout, false, true); }
GemmShape weights_product(const ConvShape& s) { return dense_gemm(s.cin, s.cout, pixels_of(s), true, false); }

Kernel plan_bfloat_conv2d(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const ConvShape shape = shape_of_forward(in, out, attrs);
  const bool has_bias = in.size() == 3;
  const Activation activation = activation_of(attrs);
  if (amx_conv_fits(shape))
    return forward_kernel<Bfloat, AmxConvForward>(shape, amx_label("conv2d"), has_bias, activation);
  if (is_bfloat_product(shape))
    return product_kernel(dense_gemm(pixels_of(shape), shape.cout, shape.cin), "conv2d", has_bias, activation);
  return winograd_bfloat_kernel(shape, has_bias, activation);
}

Plan bfloat_input_gradient(const char* op, ConvShapeOf shape_of) {
  return [=](SpecSpan in, SpecSpan out, const Attrs& attrs) {
    const ConvShape shape = shape_of(in, out, attrs);
    if (amx_conv_input_fits(shape))
      return gradient_kernel<Bfloat>(std::make_shared<const AmxConvBackwardInput>(shape), amx_label(op), shape.flops());
    if (is_bfloat_product(shape)) return product_kernel(input_product(shape), op);
    return winograd_bfloat_input_kernel(op, shape);
  };
}

Kernel plan_bfloat_weights_gradient(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  constexpr const char* kOp = "conv2d_backward_weights";
  const ConvShape shape = shape_of_backward_weights(in, out, attrs);
  if (amx_conv_fits(shape))
    return gradient_kernel<Bfloat>(std::make_shared<const AmxConvBackwardWeights>(shape), amx_label(kOp),
                                   shape.flops());
  if (is_bfloat_product(shape)) return product_kernel(weights_product(shape), kOp);
  return winograd_bfloat_weights_kernel(kOp, shape);
}

// ----------------------------------------------------------------------------------------------------------- gradients

Tensor conv2d(const Tensor& x, const Tensor& w, const Attrs& attrs) { return apply("conv2d", {x, w}, attrs); }
Tensor backward_input(const Tensor& dy, const Tensor& w, const Tensor& x, const Attrs& attrs) {
  return apply("conv2d_backward_input", {dy, w, x}, attrs);
}
Tensor backward_weights(const Tensor& x, const Tensor& dy, const Tensor& w, const Attrs& attrs) {
  return apply("conv2d_backward_weights", {x, dy, w}, attrs);
}

std::vector<Tensor> vjp_conv2d(const VjpContext& c) {
  const Attrs attrs = without_activation(c.attrs);
  const Tensor dy =
      activation_gradient(c.attrs, c.out[0], c.dout[0], [&] { return apply_all("conv2d", c.in, attrs)[0]; });
  std::vector<Tensor> gradients(c.in.size());
  if (c.wanted[0]) gradients[0] = backward_input(dy, c.in[1], c.in[0], attrs);
  if (c.wanted[1]) gradients[1] = backward_weights(c.in[0], dy, c.in[1], attrs);
  if (c.in.size() == 3 && c.wanted[2]) gradients[2] = ops::sum(dy, {0, 1, 2});
  return gradients;
}

// dx = J^T dy is linear in dy and in w: its gradient with respect to dy is the convolution itself.
std::vector<Tensor> vjp_backward_input(const VjpContext& c) {
  const Tensor& g = c.dout[0];
  return {c.wanted[0] ? conv2d(g, c.in[1], c.attrs) : Tensor(),
          c.wanted[1] ? backward_weights(g, c.in[0], c.in[1], c.attrs) : Tensor(), Tensor()};
}

std::vector<Tensor> vjp_backward_weights(const VjpContext& c) {
  const Tensor& g = c.dout[0];
  return {c.wanted[0] ? backward_input(c.in[1], g, c.in[0], c.attrs) : Tensor(),
          c.wanted[1] ? conv2d(c.in[0], g, c.attrs) : Tensor(), Tensor()};
}

// --------------------------------------------------------------------------------------------------- conv2d_transpose
// y = conv2d_transpose(x, w) is the gradient to the input of the convolution that maps images of y's shape to x's. That
// convolution has explicit pads that do not depend on the sizes; negative ones cut the image.

}  // namespace

Attrs convolution_behind(const Attrs& attrs, const Shape& w) {
  const Window window = read_window(attrs, w[0], w[1]);
  const std::vector<std::int64_t> added = attrs.integers("output_padding", {});
  if (!added.empty() && added.size() != 2)
    throw value_error("'output_padding' has ", added.size(), " numbers; expected two, or none for the default.");
  std::vector<std::int64_t> pads;
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t extent = window.extent(axis), stride = window.strides[axis];
    std::int64_t low = 0, total = 0;  // such that y has (size of x - 1) * stride + extent - total pixels
    switch (window.padding) {
      case Padding::Valid:
        total = added.empty() ? std::min<std::int64_t>(0, extent - stride) : -added[axis];
        break;
      case Padding::Same:
        total = added.empty() ? extent - stride : extent - extent % 2 - added[axis];
        low = std::max<std::int64_t>(0, total) / 2;
        break;
      case Padding::Explicit:
        low = window.pads[2 * axis];
        total = low + window.pads[2 * axis + 1] - (added.empty() ? 0 : added[axis]);
        break;
    }
    pads.insert(pads.end(), {low, total - low});
  }
  return {{"strides", attrs.integers("strides", {1, 1})},
          {"dilation", attrs.integers("dilation", {1, 1})},
          {"padding", std::string("explicit")},
          {"pads", pads},
          {"groups", read_groups(attrs)}};
}

namespace {

Specs infer_conv2d_transpose(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  const TensorSpec &x = in[0], &w = in[1];
  expect_float(x);
  expect_rank_4(x, "input", "[NHWC]");
  expect_rank_4(w, "kernel", "[height, width, output channels, input channels]");
  const Attrs conv = convolution_behind(attrs, w.shape);
  const Window window = read_window(conv, w.shape[0], w.shape[1]);
  if (!sizes_agree(x.shape[3], w.shape[3]))
    throw value_error("the input has ", x.shape[3], " channels but the kernel was built for ", w.shape[3],
                      ". Got input ", x.shape, " [NHWC], kernel ", w.shape,
                      " [height, width, output channels, input channels].");
  Shape y = x.shape;
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t size = x.shape[axis + 1], total = window.pads[2 * axis] + window.pads[2 * axis + 1];
    if (size == Shape::kUnknown) continue;
    y[axis + 1] = (size - 1) * window.strides[axis] + window.extent(axis) - total;
    if (size < 1 || y[axis + 1] < 1)
      throw value_error("input ", x.shape, " [NHWC] with ", text_of(window), " gives an output without pixels.");
  }
  y[3] = w.shape[2] * read_groups(attrs);
  expect_output_gradient(x, {x.dtype, y}, w, conv);
  return {{x.dtype, y}};
}

Kernel plan_conv2d_transpose(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  return plan_dx(in[0].dtype, "conv2d_transpose", shape_of_transpose(in, out, attrs));
}

std::vector<Tensor> vjp_conv2d_transpose(const VjpContext& c) {
  const Attrs conv = convolution_behind(c.attrs, c.in[1].shape());
  const Tensor& g = c.dout[0];
  return {c.wanted[0] ? conv2d(g, c.in[1], conv) : Tensor(),
          c.wanted[1] ? backward_weights(g, c.in[0], c.in[1], conv) : Tensor()};
}

}  // namespace

void register_convolution() {
  const auto add_gradient = [](const char* name, auto infer, Plan plan, auto vjp) {
    register_primitive({.name = name, .infer = infer, .plan = plan, .vjp = vjp, .shape_only_inputs = kThirdInput});
  };
  register_primitive({.name = "conv2d",
                      .infer = infer_conv2d,
                      .plan = as_bfloat_or_float32(shape_of_forward, amx_conv_fits, output_fits_winograd,
                                                   plan_bfloat_conv2d, plan_conv2d),
                      .vjp = vjp_conv2d});
  register_primitive({.name = "conv2d_winograd_filters",
                      .infer = infer_winograd_filters,
                      .plan = plan_winograd_filters,
                      .processor_only = true});
  add_gradient("conv2d_backward_input", infer_backward_input,
               as_bfloat_or_float32(shape_of_backward_input, amx_conv_input_fits, input_fits_winograd,
                                    bfloat_input_gradient("conv2d_backward_input", shape_of_backward_input),
                                    plan_backward_input, kThirdInput),
               vjp_backward_input);
  add_gradient("conv2d_backward_weights", infer_backward_weights,
               as_bfloat_or_float32(shape_of_backward_weights, amx_conv_fits, weights_fit_winograd,
                                    plan_bfloat_weights_gradient, plan_backward_weights, kThirdInput),
               vjp_backward_weights);
  register_primitive({.name = "conv2d_transpose",
                      .infer = infer_conv2d_transpose,
                      .plan = as_bfloat_or_float32(shape_of_transpose, amx_conv_input_fits, input_fits_winograd,
                                                   bfloat_input_gradient("conv2d_transpose", shape_of_transpose),
                                                   plan_conv2d_transpose),
                      .vjp = vjp_conv2d_transpose});
}

}  // namespace dlcore
