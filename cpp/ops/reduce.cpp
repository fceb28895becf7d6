// Reductions over any set of axes, brought to the form [outer, reduce, inner]. What is not of that form is copied first
// so that the reduced axes lie side by side.
#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "dlcore/ops.h"
#include "kernels/movement/movement.h"
#include "kernels/pointwise/pointwise.h"
#include "kernels/reduce/reduce.h"
#include "ops/axis.h"
#include "ops/broadcast.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/reduce.h"

namespace dlcore {

namespace {

using namespace ops;
using SpecSpan = std::span<const TensorSpec>;

// ------------------------------------------------------------------------------------------------------- shape rules

}  // namespace

AxisSet reduced_axes(const Shape& shape, const Attrs& attrs) {
  AxisSet reduced{};
  const std::vector<std::int64_t> axes = attrs.integers("axes", {});
  for (std::int64_t axis : axes) {
    bool& named = reduced[resolve_axis(axis, shape.rank())];
    if (named) throw value_error("axis ", axis, " is named twice in 'axes' for an input of shape ", shape, ".");
    named = true;
  }
  if (axes.empty()) std::fill_n(reduced.begin(), shape.rank(), true);
  return reduced;
}

namespace {

Shape reduced_shape(const Shape& shape, const AxisSet& reduced, bool keepdims) {
  Shape result;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!reduced[axis])
      result.push_back(shape[axis]);
    else if (keepdims)
      result.push_back(1);
  }
  return result;
}

/// Extrema of nothing do not exist.
void expect_elements(const Shape& shape, const AxisSet& reduced) {
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (reduced[axis] && shape[axis] == 0)
      throw value_error("axis ", axis, " of shape ", shape, " is empty; there is nothing to choose from.");
}

// --------------------------------------------------------------------------------------------------------- the form

/// Neighbouring axes that are both reduced or both kept are one; axes of size 1 are none.
struct MergedAxes {
  std::vector<std::int64_t> sizes;
  std::vector<bool> reduced;
};

MergedAxes merge_axes(const Shape& shape, const AxisSet& reduced) {
  MergedAxes merged;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    if (!merged.sizes.empty() && merged.reduced.back() == reduced[axis]) {
      merged.sizes.back() *= shape[axis];
    } else {
      merged.sizes.push_back(shape[axis]);
      merged.reduced.push_back(reduced[axis]);
    }
  }
  return merged;
}

/// Kept axes first, then the reduced ones; the last axis stays last so that the copy moves runs.
StridedCopy gather_reduced(const MergedAxes& axes, std::int64_t bytes) {
  const int rank = static_cast<int>(axes.sizes.size());
  std::vector<int> order;
  for (bool reduced : {false, true})
    for (int axis = 0; axis + 1 < rank; ++axis)
      if (axes.reduced[axis] == reduced) order.push_back(axis);
  order.push_back(rank - 1);
  std::vector<std::int64_t> in_stride(rank), out_stride(rank);
  std::int64_t step = bytes;
  for (int axis = rank - 1; axis >= 0; step *= axes.sizes[axis--]) in_stride[axis] = step;
  step = bytes;
  for (int k = rank - 1; k >= 0; step *= axes.sizes[order[k--]]) out_stride[k] = step;
  StridedCopy copy;
  copy.element = static_cast<int>(bytes);
  for (int k = 0; k < rank; ++k) copy.add_axis(axes.sizes[order[k]], in_stride[order[k]], out_stride[k]);
  return simplify(copy);
}

}  // namespace

ReduceForm form_of(const TensorSpec& x, const AxisSet& reduced) {
  const MergedAxes axes = merge_axes(x.shape, reduced);
  const std::int64_t groups = std::count(axes.reduced.begin(), axes.reduced.end(), true);
  ReduceForm form;
  if (groups > 1) form.copy = gather_reduced(axes, static_cast<std::int64_t>(size_of(x.dtype)));
  bool seen = false;
  for (std::size_t k = 0; k < axes.sizes.size(); ++k) {
    seen |= axes.reduced[k];
    const bool last = k + 1 == axes.sizes.size();
    std::int64_t& part = axes.reduced[k] ? form.reduce : (groups > 1 ? last : seen) ? form.inner : form.outer;
    part *= axes.sizes[k];
  }
  if (groups == 0) std::swap(form.outer, form.inner);  // a copy: one row of all columns
  return form;
}

namespace {

// ---------------------------------------------------------------------------------------------------------- kernels

/// Consecutive pieces of a kernel's scratch, each 64-byte aligned.
class ScratchPlan {
 public:
  std::size_t add(std::size_t bytes) {
    const std::size_t offset = bytes_;
    bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

std::string label_of(const char* prefix, DType dtype) { return std::string(prefix).append(name_of(dtype)); }

void* at(const Buffers& buffers, std::size_t offset) { return static_cast<std::byte*>(buffers.scratch) + offset; }

/// What every reduction starts with: x in its form, copied where needed.
struct Source {
  std::optional<StridedCopy> copy;
  std::size_t offset = 0;

  Source(const TensorSpec& x, const ReduceForm& form, ScratchPlan& scratch) : copy(form.copy) {
    if (copy) offset = scratch.add(x.bytes());
  }
  const void* get(const Buffers& buffers) const {
    if (!copy) return buffers.in[0];
    movement_kernels().strided_copy(*copy, buffers.in[0], at(buffers, offset));
    return at(buffers, offset);
  }
};

Kernel plan_simple(ReduceOp op, const TensorSpec& x, const AxisSet& reduced, bool mean) {
  const ReduceForm form = form_of(x, reduced);
  ScratchPlan scratch;
  const Source source(x, form, scratch);
  const Reduction reduction(op, x.dtype, form.outer, form.reduce, form.inner);
  const std::size_t partials = scratch.add(reduction.scratch_bytes());
  const DType computed = computed_dtype(x.dtype);
  const std::int64_t count = form.outer * form.inner;
  const std::size_t unrounded =
      computed == x.dtype ? 0 : scratch.add(static_cast<std::size_t>(count) * size_of(computed));
  const auto divide = reduce_kernels().divide[static_cast<int>(computed)];
  auto run = [=, stored = x.dtype](const Buffers& buffers) {
    void* const y = computed == stored ? buffers.out[0] : at(buffers, unrounded);
    reduction.run(source.get(buffers), nullptr, y, at(buffers, partials));
    if (mean) divide(y, count, static_cast<double>(form.reduce));
    if (computed != stored) convert(computed, y, stored, buffers.out[0], count);
  };
  return {.run = run, .scratch_bytes = scratch.bytes(), .label = label_of("reduce_", x.dtype)};
}

Kernel plan_centered(ReduceOp op, const TensorSpec& x, const AxisSet& reduced) {
  const ReduceForm form = form_of(x, reduced);
  ScratchPlan scratch;
  const Source source(x, form, scratch);
  const CenteredReduction reduction(op, x.dtype, form.outer, form.reduce, form.inner);
  const std::size_t own = scratch.add(reduction.scratch_bytes());
  auto run = [=](const Buffers& buffers) { reduction.run(source.get(buffers), buffers.out[0], at(buffers, own)); };
  const char* label = op == ReduceOp::SumSquare ? "var_" : "logsumexp_";
  return {.run = run, .scratch_bytes = scratch.bytes(), .label = label_of(label, x.dtype)};
}

Kernel plan_arg(bool smallest, const TensorSpec& x, const Attrs& attrs) {
  const AxisView view = view_along(x.shape, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
  const DType dtype = x.dtype;
  auto run = [=](const Buffers& buffers) {
    arg_reduce(smallest, dtype, view.outer, view.size, view.inner, buffers.in[0], buffers.output<std::int32_t>(0));
  };
  return {.run = run, .label = label_of(smallest ? "argmin_" : "argmax_", dtype)};
}

// --------------------------------------------------------------------------------------------------------- gradients

/// A reduced result (or its gradient) with the reduced axes back as 1, ready to be broadcast against x.
Tensor with_axes(const Tensor& y, const VjpContext& c) {
  if (c.attrs.boolean("keepdims", false)) return y;
  const Shape shape = reduced_shape(c.in[0].shape(), reduced_axes(c.in[0].shape(), c.attrs), true);
  if (std::count(shape.begin(), shape.end(), Shape::kUnknown) <= 1) return reshape(y, shape);
  return reshape_like(y, sum(c.in[0], c.attrs.integers("axes", {}), true));
}

/// How many elements were reduced to one, as a number of x's dtype.
Tensor reduced_count(const VjpContext& c) {
  const Tensor& x = c.in[0];
  const AxisSet reduced = reduced_axes(x.shape(), c.attrs);
  std::int64_t count = 1;
  for (int axis = 0; axis < x.shape().rank() && count >= 0; ++axis)
    if (reduced[axis]) count = x.shape()[axis] == Shape::kUnknown ? -1 : count * x.shape()[axis];
  return count >= 0 ? scalar_like(x, static_cast<double>(count))
                    : sum(ones_like(x), c.attrs.integers("axes", {}), true);
}

using Gradients = std::vector<Tensor>;

Gradients sum_vjp(const VjpContext& c) { return {broadcast_like(with_axes(c.dout[0], c), c.in[0])}; }

Gradients mean_vjp(const VjpContext& c) {
  return {broadcast_like(with_axes(c.dout[0], c) / reduced_count(c), c.in[0])};
}

/// Split evenly among equal extrema.
Gradients extremum_vjp(const VjpContext& c) {
  const Tensor& x = c.in[0];
  const Tensor winners = cast(binary("equal", x, with_axes(c.out[0], c)), x.dtype());
  const Tensor share = with_axes(c.dout[0], c) / sum(winners, c.attrs.integers("axes", {}), true);
  return {winners * share};
}

/// The product of the others: y / x, written so that it also holds where one factor or several are 0.
Gradients prod_vjp(const VjpContext& c) {
  const Tensor& x = c.in[0];
  const Axes axes = c.attrs.integers("axes", {});
  const Tensor zero = scalar_like(x, 0), one = scalar_like(x, 1);
  const Tensor is_zero = binary("equal", x, zero);
  const Tensor zeros = sum(cast(is_zero, x.dtype()), axes, true);
  const Tensor nonzero = where(is_zero, one, x);
  const Tensor product = apply("reduce_prod", {nonzero}, {{"axes", axes}, {"keepdims", true}});
  const Tensor of_zero = where(binary("equal", zeros, one), product, zero);
  const Tensor of_others = where(binary("equal", zeros, zero), product, zero) / nonzero;
  return {with_axes(c.dout[0], c) * where(is_zero, of_zero, of_others)};
}

Gradients logsumexp_vjp(const VjpContext& c) {
  return {with_axes(c.dout[0], c) * unary("exp", c.in[0] - with_axes(c.out[0], c))};
}

Gradients var_vjp(const VjpContext& c) {
  const Tensor& x = c.in[0];
  const Tensor deviation = x - mean(x, c.attrs.integers("axes", {}), true);
  return {with_axes(c.dout[0], c) * (2.0 / reduced_count(c)) * deviation};
}

// ------------------------------------------------------------------------------------------------------ registration

enum class Takes { Floats, Numbers, Bools, Ordered };

void expect_dtype(const TensorSpec& x, Takes takes) {
  if (takes == Takes::Floats) expect_float(x);
  if (takes == Takes::Numbers && x.dtype == DType::Bool)
    throw type_error("the input is ", x, "; expected numbers. Cast it first, e.g. to int32.");
  if (takes == Takes::Bools && x.dtype != DType::Bool)
    throw type_error("the input is ", x, "; expected bool. Cast it first, or compare it with 0.");
}

void add(const char* name, Takes takes, ReduceOp op, std::function<Gradients(const VjpContext&)> vjp = nullptr) {
  const bool is_mean = std::string_view(name) == "reduce_mean";
  Primitive primitive;
  primitive.name = name;
  primitive.infer = [=](SpecSpan in, const Attrs& attrs) -> Specs {
    expect_inputs(in, 1);
    expect_dtype(in[0], takes);
    const AxisSet reduced = reduced_axes(in[0].shape, attrs);
    if (takes == Takes::Ordered) expect_elements(in[0].shape, reduced);
    return {{in[0].dtype, reduced_shape(in[0].shape, reduced, attrs.boolean("keepdims", false))}};
  };
  const Plan plan = [=](SpecSpan in, SpecSpan, const Attrs& attrs) {
    const AxisSet reduced = reduced_axes(in[0].shape, attrs);
    const bool centered = op == ReduceOp::SumExp || op == ReduceOp::SumSquare;
    return centered ? plan_centered(op, in[0], reduced) : plan_simple(op, in[0], reduced, is_mean);
  };
  const auto is_sum = [=](SpecSpan, SpecSpan, const Attrs&) { return op == ReduceOp::Sum; };
  primitive.plan = as_bfloat_or_on_float32(is_sum, plan, plan);
  primitive.vjp = std::move(vjp);
  register_primitive(std::move(primitive));
}

void add_arg(const char* name, bool smallest) {
  Primitive primitive;
  primitive.name = name;
  primitive.infer = [](SpecSpan in, const Attrs& attrs) -> Specs {
    expect_inputs(in, 1);
    const int axis = resolve_axis(attrs.integer("axis", -1), in[0].shape.rank());
    expect_countable(in[0], axis);
    AxisSet reduced{};
    reduced[axis] = true;
    expect_elements(in[0].shape, reduced);
    return {{DType::I32, reduced_shape(in[0].shape, reduced, attrs.boolean("keepdims", false))}};
  };
  primitive.plan =
      on_float32([=](SpecSpan in, SpecSpan, const Attrs& attrs) { return plan_arg(smallest, in[0], attrs); });
  register_primitive(std::move(primitive));
}

}  // namespace

AxisSet broadcast_axes(const Shape& x, const Shape& like) {
  AxisSet reduced{};
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int own = axis - x.rank() + like.rank();
    reduced[axis] = own < 0 || (like[own] == 1 && x[axis] != 1);
  }
  return reduced;
}

namespace {

Specs infer_sum_like(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  expect_dtype(in[0], Takes::Numbers);
  if (in[1].shape.rank() > in[0].shape.rank() || !shapes_agree(broadcast_shapes(in[0].shape, in[1].shape), in[0].shape))
    throw value_error("shape ", in[0].shape, " can't be summed down to ", in[1].shape,
                      ": the latter does not broadcast to the former.");
  return {{in[0].dtype, in[1].shape}};
}

void add_sum_like() {
  Primitive primitive;
  primitive.name = "sum_like";
  primitive.infer = infer_sum_like;
  const Plan plan = [](SpecSpan in, SpecSpan out, const Attrs&) {
    return plan_simple(ReduceOp::Sum, in[0], broadcast_axes(in[0].shape, out[0].shape), false);
  };
  primitive.plan = as_bfloat_or_on_float32(always, plan, plan, 1u << 1);
  primitive.vjp = [](const VjpContext& c) -> Gradients { return {broadcast_like(c.dout[0], c.in[0]), Tensor()}; };
  primitive.shape_only_inputs = 1u << 1;
  register_primitive(std::move(primitive));
}

}  // namespace

void register_reduce() {
  add("reduce_sum", Takes::Numbers, ReduceOp::Sum, sum_vjp);
  add("reduce_mean", Takes::Floats, ReduceOp::Sum, mean_vjp);
  add("reduce_max", Takes::Ordered, ReduceOp::Max, extremum_vjp);
  add("reduce_min", Takes::Ordered, ReduceOp::Min, extremum_vjp);
  add("reduce_prod", Takes::Numbers, ReduceOp::Prod, prod_vjp);
  add("reduce_logsumexp", Takes::Floats, ReduceOp::SumExp, logsumexp_vjp);
  add("reduce_var", Takes::Floats, ReduceOp::SumSquare, var_vjp);
  add("reduce_any", Takes::Bools, ReduceOp::Max);
  add("reduce_all", Takes::Bools, ReduceOp::Min);
  add_arg("argmax", false);
  add_arg("argmin", true);
  add_sum_like();
}

}  // namespace dlcore
