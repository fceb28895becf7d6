// A convolution whose output max_pool2d pools: both in one, and the gradients from the gradient and the argmax of what
// the pooling gave. Passes put them where a graph has the pair, or conv2d_backward_* of a max_pool2d_grad. They have no
// gradients of their own.
#include "ops/pooled_convolution.h"

#include <array>

#include "base/cpu.h"
#include "kernels/conv/pooled.h"
#include "kernels/conv/windows.h"
#include "kernels/conv/winograd.h"
#include "ops/activation.h"
#include "ops/checks.h"
#include "ops/convolution.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/pooling.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;
constexpr unsigned kLastInput = 1u << 3;
constexpr std::array<const char*, 4> kPoolAttrs{"window", "strides", "padding", "pads"};

std::string in_convolution(const char* name) { return str("pool_", name); }

/// The part of the attributes that max_pool2d has.
Attrs pool_attrs(const Attrs& attrs) {
  Attrs pool;
  for (const char* name : kPoolAttrs)
    if (const Attr* attr = attrs.find(in_convolution(name))) pool.set(name, *attr);
  return pool;
}

}  // namespace

PooledShape pooled_shape(const Shape& x, const Shape& w, const Shape& pooled, const Attrs& attrs) {
  const Shape y = conv2d_output({DType::F32, x}, {DType::F32, w}, attrs);
  return {conv_shape(x, w, y, attrs), pool_shape(y, pooled, pool_attrs(attrs))};
}

namespace {

Specs infer_forward(SpecSpan in, const Attrs& attrs) {  // x, w, bias
  const Specs y = primitive("conv2d").infer(in, attrs);
  Specs pooled = primitive("max_pool2d").infer(y, pool_attrs(attrs));
  if (!attrs.boolean("keeps_argmax", true)) pooled[1].shape = {0};
  return pooled;
}

void expect_pooled(const TensorSpec& x, const TensorSpec& w, const TensorSpec& dp, const TensorSpec& argmax,
                   const Attrs& attrs) {
  const TensorSpec y{x.dtype, conv2d_output(x, w, attrs)};
  const Specs pooled = primitive("max_pool2d").infer({&y, 1}, pool_attrs(attrs));
  if (!(dp == pooled[0]) || !(argmax == pooled[1]) || argmax.dtype != DType::U8)
    throw value_error("the gradient and argmax of the pooled output are ", dp, " and ", argmax, "; expected ",
                      pooled[0], " and ", TensorSpec{DType::U8, pooled[0].shape}, ".");
}

Specs infer_backward_input(SpecSpan in, const Attrs& attrs) {  // dp, argmax, w, like x
  expect_inputs(in, 4);
  const TensorSpec x{in[0].dtype, in[3].shape};
  expect_pooled(x, in[2], in[0], in[1], attrs);
  return {x};
}

Specs infer_backward_weights(SpecSpan in, const Attrs& attrs) {  // x, dp, argmax, like w
  expect_inputs(in, 4);
  const TensorSpec w{in[0].dtype, in[3].shape};
  expect_pooled(in[0], w, in[1], in[2], attrs);
  return {w};
}

template <class T>
std::string label(const char* op, const char* algorithm = "") {
  return str(op, algorithm, std::is_same_v<T, double> ? "_f64_" : "_f32_", name_of(isa()));
}

/// conv->run(x, w, bias, activation, y, argmax, scratch)
template <class T, class Conv>
Kernel forward_kernel(std::shared_ptr<const Conv> conv, std::string label, const PooledShape& s, bool has_bias,
                      const Attrs& attrs) {
  const bool keeps_argmax = attrs.boolean("keeps_argmax", true);
  const int filters = !attrs.boolean(kHasFilters, false) ? 1 : has_bias ? 3 : 2;
  return {.run =
              [conv, has_bias, filters, keeps_argmax, activation = activation_of(attrs)](const Buffers& b) {
                conv->run(b.input<T>(0), b.input<T>(filters), has_bias ? b.input<T>(2) : nullptr, activation,
                          b.output<T>(0), keeps_argmax ? b.output<std::uint8_t>(1) : nullptr, b.scratch);
              },
          .scratch_bytes = conv->scratch_bytes(),
          .label = std::move(label),
          .flops = s.conv.flops()};
}

/// Whether Winograd's tiles, of 4x4 pixels, are computed where the pooling would be of pixels that are stored.
bool pools_in_tiles(DType dtype, const ConvShape& conv) {
  return is_unit_3x3(conv) && takes_winograd(dtype, conv, false);
}

Kernel plan_forward(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  constexpr const char* kLabel = "conv2d_max_pool2d";
  const PooledShape s = pooled_shape(in[0].shape, in[1].shape, out[0].shape, attrs);
  const bool has_filters = attrs.boolean(kHasFilters, false), has_bias = without_filters(in, attrs).size() == 3;
  if (has_filters || pools_in_tiles(in[0].dtype, s.conv)) {
    WinogradShape shape(s.conv);
    shape.pooled = true, shape.has_filters = has_filters;
    return forward_kernel<float>(std::make_shared<const Winograd>(shape), winograd_label(kLabel), s, has_bias, attrs);
  }
  return for_float_type(in[0].dtype, [&](auto type) {
    using T = decltype(type);
    return forward_kernel<T>(std::make_shared<const WindowForward<T>>(s.conv, s.pool), label<T>(kLabel, "_windows"), s,
                             has_bias, attrs);
  });
}

Kernel plan_backward_input(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  const PooledShape s = pooled_shape(out[0].shape, in[2].shape, in[0].shape, attrs);
  return for_float_type(in[0].dtype, [&](auto type) -> Kernel {
    using T = decltype(type);
    auto conv = std::make_shared<const PooledBackwardInput<T>>(s.conv, s.pool);
    return {.run =
                [conv](const Buffers& b) {
                  conv->run(b.input<T>(0), b.input<std::uint8_t>(1), b.input<T>(2), b.output<T>(0), b.scratch);
                },
            .scratch_bytes = conv->scratch_bytes(),
            .label = label<T>("conv2d_pooled_backward_input"),
            .flops = pooled_conv_flops(s.conv, s.pool)};
  });
}

/// conv->run(x, dp, argmax, dw, scratch)
template <class T, class Conv>
Kernel weights_kernel(std::shared_ptr<const Conv> conv, std::string label, const PooledShape& s) {
  return {.run =
              [conv](const Buffers& b) {
                conv->run(b.input<T>(0), b.input<T>(1), b.input<std::uint8_t>(2), b.output<T>(0), b.scratch);
              },
          .scratch_bytes = conv->scratch_bytes(),
          .label = std::move(label),
          .flops = pooled_conv_flops(s.conv, s.pool)};
}

Kernel plan_backward_weights(SpecSpan in, SpecSpan out, const Attrs& attrs) {
  constexpr const char* kLabel = "conv2d_pooled_backward_weights";
  const PooledShape s = pooled_shape(in[0].shape, out[0].shape, in[1].shape, attrs);
  if (in[0].dtype == DType::F32 && windows_save_work(s.conv, s.pool))
    return weights_kernel<float>(std::make_shared<const WindowBackwardWeights>(s.conv, s.pool),
                                 label<float>(kLabel, "_windows"), s);
  return for_float_type(in[0].dtype, [&](auto type) {
    using T = decltype(type);
    return weights_kernel<T>(std::make_shared<const PooledBackwardWeights<T>>(s.conv, s.pool), label<T>(kLabel), s);
  });
}

}  // namespace

namespace {

/// The attributes of both, if the fused primitives take such a pair.
std::optional<Attrs> merge_attrs(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w,
                                 bool (*worth_it)(DType dtype, const PooledShape& shape)) {
  Attrs attrs = conv;
  for (const char* name : kPoolAttrs)
    if (const Attr* attr = pool.find(name)) attrs.set(in_convolution(name), *attr);
  const TensorSpec y{x.dtype, conv2d_output(x, w, attrs)};
  const Specs pooled = primitive("max_pool2d").infer({&y, 1}, pool);
  if (pooled[1].dtype != DType::U8 || !worth_it(x.dtype, pooled_shape(x.shape, w.shape, pooled[0].shape, attrs)))
    return std::nullopt;
  return attrs;
}

}  // namespace

std::optional<Attrs> pooled_convolution(const Attrs& conv, const Attrs& pool, const TensorSpec& x,
                                        const TensorSpec& w) {
  const Activation activation = activation_of(conv);
  if (activation != Activation::None && activation != Activation::Relu) return std::nullopt;
  if (conv.boolean(kHasFilters, false))
    return merge_attrs(conv, pool, x, w, [](DType, const PooledShape& s) {
      return is_unit_3x3(s.conv) && has_whole_windows(s.conv, s.pool);
    });
  return merge_attrs(conv, pool, x, w, [](DType dtype, const PooledShape& s) {
    const DType computed = dtype == DType::F64 ? DType::F64 : DType::F32;
    const bool in_tiles = pools_in_tiles(computed, s.conv) && has_whole_windows(s.conv, s.pool);
    return in_tiles || windows_save_work(s.conv, s.pool);
  });
}

std::optional<Attrs> pooled_gradient(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w) {
  return merge_attrs(conv, pool, x, w, [](DType, const PooledShape& s) { return pooling_saves_work(s.conv, s.pool); });
}

void register_pooled_convolution() {
  register_primitive({.name = "conv2d_max_pool2d",
                      .infer = infer_forward,
                      .plan = on_float32(plan_forward),
                      .last_output_wanted = "keeps_argmax"});
  register_primitive({.name = "conv2d_pooled_backward_input",
                      .infer = infer_backward_input,
                      .plan = on_float32(plan_backward_input, kLastInput),
                      .shape_only_inputs = kLastInput});
  register_primitive({.name = "conv2d_pooled_backward_weights",
                      .infer = infer_backward_weights,
                      .plan = on_float32(plan_backward_weights, kLastInput),
                      .shape_only_inputs = kLastInput});
}

}  // namespace dlcore
