// Max and average pooling of NHWC images.
#include "ops/pooling.h"

#include "dlcore/ops.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/window.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;
constexpr std::int64_t kBytePositions = 255;  // windows with more positions have an int32 argmax

// --------------------------------------------------------------------------------------------------------- shape rules

Window read_pool(const Attrs& attrs) {
  const std::vector<std::int64_t> sizes = attrs.integers("window", {});
  if (sizes.size() != 2) throw value_error("'window' has ", sizes.size(), " numbers; expected two: height, width.");
  Attrs with_strides = attrs;
  if (!attrs.has("strides")) with_strides.set("strides", sizes);
  const Window window = read_window(with_strides, sizes[0], sizes[1]);
  if (window.dilation != std::array<std::int64_t, 2>{1, 1}) throw value_error("pooling windows can't be dilated.");
  for (int side = 0; side < 4; ++side)
    if (window.pads[side] >= window.sizes[side / 2])
      throw value_error("pads should be smaller than the window, so that every window holds a pixel; got ",
                        text_of(window), ".");
  return window;
}

DType argmax_dtype(const Window& window) {
  return window.sizes[0] * window.sizes[1] <= kBytePositions ? DType::U8 : DType::I32;
}

Shape pooled_shape(const TensorSpec& x, const Window& window) {
  expect_float(x);
  if (x.shape.rank() != 4) throw value_error("input is ", x, "; expected 4 axes [NHWC].");
  for (int axis : {1, 2})
    if (x.shape[axis] == 0) throw value_error("input is ", x, "; images without pixels can't be pooled.");
  return {x.shape[0], window_positions(window, 0, x.shape[1]), window_positions(window, 1, x.shape[2]), x.shape[3]};
}

void expect_pooled(const TensorSpec& given, const char* what, const TensorSpec& wanted) {
  if (given.dtype != wanted.dtype || !shapes_agree(given.shape, wanted.shape))
    throw value_error(what, " is ", given, "; the pooled images are ", wanted, ".");
}

Specs infer_max_pool(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const Window window = read_pool(attrs);
  const Shape y = pooled_shape(in[0], window);
  return {{in[0].dtype, y}, {argmax_dtype(window), y}};
}

Specs infer_max_pool_grad(SpecSpan in, const Attrs& attrs) {  // dy, argmax, like x
  expect_inputs(in, 3);
  const Window window = read_pool(attrs);
  const TensorSpec x{in[0].dtype, in[2].shape};
  expect_pooled(in[0], "the output's gradient", {x.dtype, pooled_shape(x, window)});
  expect_pooled(in[1], "argmax", {argmax_dtype(window), pooled_shape(x, window)});
  return {x};
}

Specs infer_max_pool_take(SpecSpan in, const Attrs& attrs) {  // x, argmax
  expect_inputs(in, 2);
  const Window window = read_pool(attrs);
  const Shape y = pooled_shape(in[0], window);
  expect_pooled(in[1], "argmax", {argmax_dtype(window), y});
  return {{in[0].dtype, y}};
}

Specs infer_avg_pool(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  return {{in[0].dtype, pooled_shape(in[0], read_pool(attrs))}};
}

Specs infer_avg_pool_grad(SpecSpan in, const Attrs& attrs) {  // dy, like x
  expect_inputs(in, 2);
  const TensorSpec x{in[0].dtype, in[1].shape};
  expect_pooled(in[0], "the output's gradient", {x.dtype, pooled_shape(x, read_pool(attrs))});
  return {x};
}

// --------------------------------------------------------------------------------------------------------------- plans

}  // namespace

PoolShape pool_shape(const Shape& x, const Shape& y, const Attrs& attrs) {
  const Window window = read_pool(attrs);
  return {x[0],
          x[1],
          x[2],
          x[3],
          y[1],
          y[2],
          window.sizes[0],
          window.sizes[1],
          window.strides[0],
          window.strides[1],
          pad_before(window, 0, x[1]),
          pad_before(window, 1, x[2])};
}

namespace {

/// plan(T{}, Argmax{}) for the types of the elements and the positions.
template <class Plan>
Kernel plan_max(DType dtype, DType argmax, const Plan& plan) {
  return for_float_type(
      dtype, [&](auto type) { return argmax == DType::U8 ? plan(type, std::uint8_t{}) : plan(type, std::int32_t{}); });
}

Kernel plan_max_pool(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PoolShape s = pool_shape(in[0].shape, out[0].shape, attrs);
  return plan_max(in[0].dtype, out[1].dtype, [&](auto type, auto argmax) -> Kernel {
    using T = decltype(type);
    using A = decltype(argmax);
    return {.run = [s](const Buffers& b) { max_pool_forward(s, b.input<T>(0), b.output<T>(0), b.output<A>(1)); },
            .label = "max_pool2d"};
  });
}

Kernel plan_max_pool_grad(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PoolShape s = pool_shape(out[0].shape, in[0].shape, attrs);
  return plan_max(in[0].dtype, in[1].dtype, [&](auto type, auto argmax) -> Kernel {
    using T = decltype(type);
    using A = decltype(argmax);
    return {.run = [s](const Buffers& b) { max_pool_backward(s, b.input<T>(0), b.input<A>(1), b.output<T>(0)); },
            .label = "max_pool2d_grad"};
  });
}

Kernel plan_max_pool_take(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PoolShape s = pool_shape(in[0].shape, out[0].shape, attrs);
  return plan_max(in[0].dtype, in[1].dtype, [&](auto type, auto argmax) -> Kernel {
    using T = decltype(type);
    using A = decltype(argmax);
    return {.run = [s](const Buffers& b) { max_pool_take(s, b.input<T>(0), b.input<A>(1), b.output<T>(0)); },
            .label = "max_pool2d_take"};
  });
}

Kernel plan_avg_pool(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PoolShape s = pool_shape(in[0].shape, out[0].shape, attrs);
  return for_float_type(in[0].dtype, [&](auto type) -> Kernel {
    using T = decltype(type);
    return {.run = [s](const Buffers& b) { average_pool_forward(s, b.input<T>(0), b.output<T>(0)); },
            .label = "avg_pool2d"};
  });
}

Kernel plan_avg_pool_grad(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PoolShape s = pool_shape(out[0].shape, in[0].shape, attrs);
  return for_float_type(in[0].dtype, [&](auto type) -> Kernel {
    using T = decltype(type);
    return {.run = [s](const Buffers& b) { average_pool_backward(s, b.input<T>(0), b.output<T>(0)); },
            .label = "avg_pool2d_grad"};
  });
}

// ----------------------------------------------------------------------------------------------------------- gradients

std::vector<Tensor> vjp_max_pool(const VjpContext& c) {
  return {apply("max_pool2d_grad", {c.dout[0], c.out[1], c.in[0]}, c.attrs)};
}
std::vector<Tensor> vjp_max_pool_grad(const VjpContext& c) {
  return {apply("max_pool2d_take", {c.dout[0], c.in[1]}, c.attrs), Tensor(), Tensor()};
}
std::vector<Tensor> vjp_max_pool_take(const VjpContext& c) {
  return {apply("max_pool2d_grad", {c.dout[0], c.in[1], c.in[0]}, c.attrs), Tensor()};
}
std::vector<Tensor> vjp_avg_pool(const VjpContext& c) {
  return {apply("avg_pool2d_grad", {c.dout[0], c.in[0]}, c.attrs)};
}
std::vector<Tensor> vjp_avg_pool_grad(const VjpContext& c) {
  return {apply("avg_pool2d", {c.dout[0]}, c.attrs), Tensor()};
}

}  // namespace

void register_pooling() {
  register_primitive(
      {.name = "max_pool2d", .infer = infer_max_pool, .plan = on_float32(plan_max_pool), .vjp = vjp_max_pool});
  register_primitive({.name = "max_pool2d_grad",
                      .infer = infer_max_pool_grad,
                      .plan = on_float32(plan_max_pool_grad, 1u << 2),
                      .vjp = vjp_max_pool_grad,
                      .shape_only_inputs = 1u << 2});
  register_primitive({.name = "max_pool2d_take",
                      .infer = infer_max_pool_take,
                      .plan = on_float32(plan_max_pool_take),
                      .vjp = vjp_max_pool_take});
  register_primitive(
      {.name = "avg_pool2d", .infer = infer_avg_pool, .plan = on_float32(plan_avg_pool), .vjp = vjp_avg_pool});
  register_primitive({.name = "avg_pool2d_grad",
                      .infer = infer_avg_pool_grad,
                      .plan = on_float32(plan_avg_pool_grad, 1u << 1),
                      .vjp = vjp_avg_pool_grad,
                      .shape_only_inputs = 1u << 1});
}

}  // namespace dlcore
