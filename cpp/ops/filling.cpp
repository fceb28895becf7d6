// Tensors of the same shape as another: copies of it, its bytes as another dtype, constants, and numbers that count.
#include <cstring>

#include "kernels/movement/movement.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/movement.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

Specs infer_same(SpecSpan in, const Attrs&) {
  expect_inputs(in, 1);
  return {in[0]};
}

/// The same bytes as elements of another size: the last axis grows or shrinks to hold them.
Specs infer_bitcast(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const TensorSpec& x = in[0];
  const DType dtype = attrs.dtype("dtype", x.dtype);
  const auto before = static_cast<std::int64_t>(size_of(x.dtype)), after = static_cast<std::int64_t>(size_of(dtype));
  if (dtype == DType::Bool && x.dtype != DType::Bool)
    throw type_error("the bytes of ", x, " can't be read as bool, which are 0 and 1 only; compare with 0.");
  Shape shape = x.shape;
  if (before == after) return {{dtype, shape}};
  if (shape.rank() == 0) throw value_error("a scalar of ", x.dtype, " can't be read as ", dtype, ", of another size.");
  std::int64_t& last = shape[shape.rank() - 1];
  if (last != Shape::kUnknown) {
    if (last * before % after)
      throw value_error("the last axis of ", x, " has ", last * before, " bytes; ", dtype, " needs a multiple of ",
                        after, ".");
    last = last * before / after;
  }
  return {{dtype, shape}};
}

Kernel plan_copy(SpecSpan in, SpecSpan, const Attrs&) {
  const std::int64_t bytes = static_cast<std::int64_t>(in[0].bytes());
  return {.run = [bytes](const Buffers& b) { copy_bytes(b.in[0], b.out[0], bytes); }, .label = "copy"};
}

Specs infer_full_like(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  attrs.number("value", 0.0);
  return {{attrs.dtype("dtype", in[0].dtype), in[0].shape}};
}

Kernel plan_full_like(SpecSpan, SpecSpan out, const Attrs& attrs) {
  return {.run =
              [value = Tensor::scalar(out[0].dtype, attrs.number("value", 0.0)),
               n = out[0].shape.elements()](const Buffers& b) {
                movement_kernels().fill(static_cast<int>(size_of(value.dtype())), n, value.bytes(), b.out[0]);
              },
          .label = "fill"};
}

Specs infer_iota_like(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  resolve_axis(attrs.integer("axis", -1), in[0].shape.rank());
  return {{attrs.dtype("dtype", DType::I32), in[0].shape}};
}

Kernel plan_iota_like(SpecSpan, SpecSpan out, const Attrs& attrs) {
  const TensorSpec spec = out[0];
  const int axis = resolve_axis(attrs.integer("axis", -1), spec.shape.rank());
  // The numbers along the axis, computed once; every other axis repeats them.
  const std::size_t element = size_of(spec.dtype);
  Tensor numbers = Tensor::empty(spec.dtype, {spec.shape[axis]});
  for (std::int64_t i = 0; i < spec.shape[axis]; ++i)
    std::memcpy(numbers.bytes() + i * element, Tensor::scalar(spec.dtype, static_cast<double>(i)).bytes(), element);
  StridedCopy copy = copy_of(spec.dtype);
  const Integers to = strides_of(spec.shape, copy.element);
  for (int k = 0; k < spec.shape.rank(); ++k) copy.add_axis(spec.shape[k], k == axis ? copy.element : 0, to[k]);
  return {.run = [copy = simplify(copy),
                  numbers](const Buffers& b) { movement_kernels().strided_copy(copy, numbers.bytes(), b.out[0]); },
          .label = "iota"};
}

}  // namespace

void register_filling() {
  constexpr unsigned kFirst = 1;
  register_primitive({.name = "copy", .infer = infer_same, .plan = plan_copy, .vjp = [](const VjpContext& c) {
                        return std::vector<Tensor>{c.dout[0]};
                      }});
  register_primitive({.name = "bitcast", .infer = infer_bitcast, .plan = plan_copy});
  register_primitive({.name = "optimization_barrier",
                      .infer = infer_same,
                      .plan = nullptr,
                      .vjp = [](const VjpContext& c) { return std::vector<Tensor>{c.dout[0]}; },
                      .is_alias = true});
  register_primitive({.name = "stop_gradient", .infer = infer_same, .plan = nullptr, .is_alias = true});
  register_primitive(
      {.name = "full_like", .infer = infer_full_like, .plan = plan_full_like, .shape_only_inputs = kFirst});
  register_primitive(
      {.name = "iota_like", .infer = infer_iota_like, .plan = plan_iota_like, .shape_only_inputs = kFirst});
}

}  // namespace dlcore
