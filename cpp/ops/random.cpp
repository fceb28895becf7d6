// Random tensors and dropout. Input `seed` is int64[2] = (seed, counter); what is drawn is a pure function of it.
#include "ops/random.h"

#include <algorithm>
#include <cmath>

#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

void expect_seed(const TensorSpec& seed) {
  if (!(seed == TensorSpec{DType::I64, {2}}))
    throw value_error("the seed is ", seed, "; expected int64(2,), the seed and a counter.");
}

RandomStream stream_of(const void* seed) {
  const auto* numbers = static_cast<const std::int64_t*>(seed);
  return {static_cast<std::uint64_t>(numbers[0]), static_cast<std::uint64_t>(numbers[1])};
}

// ---- random tensors

/// The shape of `like`, or the attribute's.
Specs infer_random(SpecSpan in, const Attrs& attrs, DType fallback) {
  expect_inputs(in, 1, 2);
  expect_seed(in[0]);
  const DType dtype = attrs.dtype("dtype", fallback);
  if (in.size() == 2) return {{dtype, in[1].shape}};
  Shape shape;
  for (std::int64_t size : attrs.integers("shape", {})) shape.push_back(size);
  if (!shape.known())
    throw value_error("the shape ", shape, " is not known; give all sizes, or a second input that has the shape.");
  return {{dtype, shape}};
}

Specs infer_random_float(SpecSpan in, const Attrs& attrs) {
  const Specs out = infer_random(in, attrs, DType::F32);
  if (!is_float(out[0].dtype))
    throw type_error("dtype is ", out[0].dtype, "; expected a float dtype. For integers use random_int.");
  return out;
}

Specs infer_random_uniform(SpecSpan in, const Attrs& attrs) {
  const double low = attrs.number("low", 0), high = attrs.number("high", 1);
  if (!(low <= high)) throw value_error("low is ", low, " and high is ", high, "; expected low <= high.");
  return infer_random_float(in, attrs);
}

Specs infer_random_normal(SpecSpan in, const Attrs& attrs) {
  const double stddev = attrs.number("stddev", 1);
  if (!(stddev >= 0)) throw value_error("stddev is ", stddev, "; expected a number of at least 0.");
  attrs.number("mean", 0);
  return infer_random_float(in, attrs);
}

template <class T>
using FillFn = void (*)(const RandomStream& stream, std::int64_t n, double a, double b, T* y);

struct FloatFill {
  FillFn<float> f32;
  FillFn<double> f64;
};

Kernel plan_fill(const FloatFill& fill, SpecSpan out, double a, double b, const char* label) {
  const std::int64_t n = out[0].shape.elements();
  if (out[0].dtype == DType::F64)
    return {
        .run = [=](const Buffers& buffers) { fill.f64(stream_of(buffers.in[0]), n, a, b, buffers.output<double>(0)); },
        .label = label};
  return {.run = [=](const Buffers& buffers) { fill.f32(stream_of(buffers.in[0]), n, a, b, buffers.output<float>(0)); },
          .label = label};
}

Kernel plan_random_uniform(SpecSpan, SpecSpan out, const Attrs& attrs) {
  const RandomKernels& kernels = random_kernels();
  return plan_fill({kernels.uniform_f32, kernels.uniform_f64}, out, attrs.number("low", 0), attrs.number("high", 1),
                   "random_uniform");
}

Kernel plan_random_normal(SpecSpan, SpecSpan out, const Attrs& attrs) {
  const RandomKernels& kernels = random_kernels();
  return plan_fill({kernels.normal_f32, kernels.normal_f64}, out, attrs.number("mean", 0), attrs.number("stddev", 1),
                   "random_normal");
}

Kernel plan_random_truncated_normal(SpecSpan, SpecSpan out, const Attrs& attrs) {
  const RandomKernels& kernels = random_kernels();
  return plan_fill({kernels.truncated_f32, kernels.truncated_f64}, out, attrs.number("mean", 0),
                   attrs.number("stddev", 1), "random_truncated_normal");
}

// ---- integers

Specs infer_random_int(SpecSpan in, const Attrs& attrs) {
  const Specs out = infer_random(in, attrs, DType::I32);
  if (is_float(out[0].dtype) || out[0].dtype == DType::Bool)
    throw type_error("dtype is ", out[0].dtype, "; expected an integer dtype. For floats use random_uniform.");
  const std::int64_t low = attrs.integer("low", 0), high = attrs.integer("high", 0);
  if (low >= high)
    throw value_error("low is ", low, " and high is ", high, "; expected low < high: high itself is never drawn.");
  return out;
}

template <class T>
void narrow_integers(const std::int64_t* from, std::int64_t n, void* to) {
  std::transform(from, from + n, static_cast<T*>(to), [](std::int64_t x) { return static_cast<T>(x); });
}

void narrow_integers(DType dtype, const std::int64_t* from, std::int64_t n, void* to) {
  switch (dtype) {
    case DType::U8:
      return narrow_integers<std::uint8_t>(from, n, to);
    case DType::I8:
      return narrow_integers<std::int8_t>(from, n, to);
    default:
      return narrow_integers<std::int32_t>(from, n, to);
  }
}

Kernel plan_random_int(SpecSpan, SpecSpan out, const Attrs& attrs) {
  const std::int64_t n = out[0].shape.elements(), low = attrs.integer("low", 0), high = attrs.integer("high", 0);
  const DType dtype = out[0].dtype;
  if (dtype == DType::I64)
    return {.run =
                [=](const Buffers& b) {
                  random_kernels().integers(stream_of(b.in[0]), n, low, high, b.output<std::int64_t>(0));
                },
            .label = "random_int"};
  return {.run =
              [=](const Buffers& b) {
                auto* wide = static_cast<std::int64_t*>(b.scratch);
                random_kernels().integers(stream_of(b.in[0]), n, low, high, wide);
                narrow_integers(dtype, wide, n, b.out[0]);
              },
          .scratch_bytes = static_cast<std::size_t>(n) * sizeof(std::int64_t),
          .label = "random_int"};
}

Specs infer_random_permutation(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  expect_seed(in[0]);
  const std::int64_t n = attrs.integer("n", 0);
  if (n < 0) throw value_error("n is ", n, "; expected how many numbers to permute, at least 0.");
  return {{DType::I64, {n}}};
}

Kernel plan_random_permutation(SpecSpan, SpecSpan out, const Attrs&) {
  return {.run = [n = out[0].shape[0]](
                     const Buffers& b) { random_permutation(stream_of(b.in[0]), n, b.output<std::int64_t>(0)); },
          .label = "random_permutation"};
}

// ---- dropout

Specs infer_dropout(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  expect_float(in[0]);
  expect_seed(in[1]);
  const double rate = attrs.number("rate", 0);
  if (!(rate >= 0 && rate < 1))
    throw value_error("rate is ", rate, "; expected the share of elements to drop, 0 <= rate < 1.");
  for (std::int64_t axis : attrs.integers("noise_axes", {})) resolve_axis(axis, in[0].shape.rank());
  return {in[0]};
}

}  // namespace

MaskPlan mask_plan(const Shape& x, const Attrs& attrs) {
  MaskPlan plan;
  bool shares[Shape::kMaxRank] = {};
  for (std::int64_t axis : attrs.integers("noise_axes", {})) shares[resolve_axis(axis, x.rank())] = true;
  plan.mask.rank = x.rank();
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    const bool one = shares[axis] || x[axis] == 1;
    plan.shared = plan.shared || (shares[axis] && x[axis] != 1);
    plan.mask.size[axis] = x[axis];
    plan.mask.stride[axis] = one ? 0 : plan.elements;
    if (!one) plan.elements *= x[axis];
  }
  return plan;
}

DropoutNumbers dropout_numbers(const Attrs& attrs) {
  const double rate = attrs.number("rate", 0);
  return {static_cast<std::uint32_t>(std::lround(rate * 65536)), 1 / (1 - rate)};
}

namespace {

template <class T>
auto dropout_kernel() {
  if constexpr (sizeof(T) == 4)
    return random_kernels().dropout_f32;
  else
    return random_kernels().dropout_f64;
}

Kernel plan_dropout(SpecSpan in, SpecSpan, const Attrs& attrs) {
  const auto [threshold, scale] = dropout_numbers(attrs);
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    const MaskPlan plan = mask_plan(in[0].shape, attrs);
    const std::int64_t n = in[0].shape.elements();
    if (!plan.shared)
      return {.run =
                  [=](const Buffers& b) {
                    dropout_kernel<T>()(stream_of(b.in[1]), n, threshold, scale, b.input<T>(0), b.output<T>(0));
                  },
              .label = "dropout",
              .in_place = {{0, 0}}};
    return {.run =
                [=](const Buffers& b) {
                  auto* keep = static_cast<std::uint8_t*>(b.scratch);
                  random_kernels().dropout_mask(stream_of(b.in[1]), plan.elements, threshold, keep);
                  apply_shared_mask(plan.mask, keep, scale, b.input<T>(0), b.output<T>(0));
                },
            .scratch_bytes = static_cast<std::size_t>(plan.elements),
            .label = "dropout_shared",
            .in_place = {{0, 0}}};
  });
}

std::vector<Tensor> vjp_dropout(const VjpContext& c) {
  return {apply("dropout", {c.dout[0], c.in[1]}, c.attrs), Tensor()};
}

}  // namespace

void register_random() {
  constexpr unsigned kLike = 2;
  const auto add_op = [](const char* name, auto infer, Plan plan) {
    register_primitive({.name = name, .infer = infer, .plan = std::move(plan), .shape_only_inputs = kLike});
  };
  add_op("random_uniform", infer_random_uniform, on_float32(plan_random_uniform, kLike));
  add_op("random_normal", infer_random_normal, on_float32(plan_random_normal, kLike));
  add_op("random_truncated_normal", infer_random_normal, on_float32(plan_random_truncated_normal, kLike));
  add_op("random_int", infer_random_int, plan_random_int);
  register_primitive(
      {.name = "random_permutation", .infer = infer_random_permutation, .plan = plan_random_permutation});
  register_primitive({.name = "dropout", .infer = infer_dropout, .plan = on_float32(plan_dropout), .vjp = vjp_dropout});
}

}  // namespace dlcore
