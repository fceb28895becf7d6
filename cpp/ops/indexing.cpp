// gather (the embedding lookup), scatter_add (its gradient), scatter_max, scatter_min, scatter_mul and scatter_set,
// unique_indices, one_hot, and element-wise lookups along an axis.
#include <array>
#include <cstring>
#include <type_traits>

#include "dlcore/ops.h"
#include "kernels/element_type.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/data_errors.h"
#include "ops/families.h"
#include "ops/indexing.h"

namespace dlcore {

namespace {

using namespace ops;

// ---------------------------------------------------------------------------------------------------- checks, dispatch

void check_index_dtype(const TensorSpec& indices) {
  if (indices.dtype != DType::I32 && indices.dtype != DType::I64)
    throw type_error("indices should be int32 or int64; got ", indices, ". Cast them first.");
}

IndexMode mode_of(const Attrs& attrs) {
  const std::string mode = attrs.text("mode", "raise");
  if (mode == "raise") return IndexMode::Raise;
  if (mode == "strict") return IndexMode::Strict;
  if (mode == "clip") return IndexMode::Clip;
  if (mode == "wrap") return IndexMode::Wrap;
  if (mode == "fill") return IndexMode::Fill;
  throw value_error("mode '", mode, "' is not known; expected 'raise', 'strict', 'clip', 'wrap' or 'fill'.");
}

/// No row can be read of an axis of size 0.
void check_not_empty(const TensorSpec& x, int axis, const TensorSpec& indices) {
  if (x.shape[axis] == 0 && indices.shape.known() && indices.shape.elements() > 0)
    throw index_error("axis ", axis, " of ", x, " is empty, so no index is valid; got indices ", indices, ".");
}

/// a with the sizes that only b knows.
Shape merged(Shape a, const Shape& b) {
  for (int axis = 0; axis < a.rank(); ++axis)
    if (a[axis] == Shape::kUnknown) a[axis] = b[axis];
  return a;
}

/// Calls body(index) with the typed index pointer.
template <class Body>
void with_index(DType dtype, const Buffers& buffers, int input, const Body& body) {
  if (dtype == DType::I32)
    body(buffers.input<std::int32_t>(input));
  else
    body(buffers.input<std::int64_t>(input));
}

/// Calls body(T{}) with the element type, in which sums of `dtype` are made.
template <class Body>
void with_sum_type(DType dtype, const Body& body) {
  with_type(dtype, [&]<class T>(T zero) {
    if constexpr (std::is_same_v<T, bool>)
      throw type_error("bool can't be added up; cast to int32 first.");
    else
      body(zero);
  });
}

/// Throws for the first index that the mode does not allow.
template <class Index>
void check_indices(const Index* index, std::int64_t count, const Lookup& lookup, const std::string& axis_text) {
  if (!raises(lookup.mode)) return;
  const bool strict = lookup.mode == IndexMode::Strict;
  const std::int64_t at = first_bad_index(index, count, strict ? 0 : -lookup.rows, lookup.rows);
  if (at >= 0) throw index_out_of_range(index[at], at, lookup.rows, axis_text, strict);
}

std::string axis_text(const Shape& shape, int axis) {
  return str("axis ", axis, " of size ", shape[axis], " of ", shape);
}

// ------------------------------------------------------------------------------------------------- gather, scatter_add

/// x.shape[:axis] + indices.shape + x.shape[axis+1:]
Shape gathered_shape(const Shape& x, int axis, const Shape& indices) {
  Shape y;
  for (int i = 0; i < axis; ++i) y.push_back(x[i]);
  for (std::int64_t size : indices) y.push_back(size);
  for (int i = axis + 1; i < x.rank(); ++i) y.push_back(x[i]);
  return y;
}

Lookup lookup_of(const Shape& x, int axis, std::int64_t count, const Attrs& attrs) {
  const AxisView view = view_along(x, axis);
  return {view.outer, view.size, view.inner, count, mode_of(attrs)};
}

Specs infer_gather(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 2);
  check_index_dtype(in[1]);
  mode_of(attrs);
  const int axis = resolve_axis(attrs.integer("axis", 0), in[0].shape.rank());
  check_not_empty(in[0], axis, in[1]);
  return {{in[0].dtype, gathered_shape(in[0].shape, axis, in[1].shape)}};
}

Kernel plan_gather(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const int axis = resolve_axis(attrs.integer("axis", 0), in[0].shape.rank());
  const Lookup lookup = lookup_of(in[0].shape, axis, in[1].shape.elements(), attrs);
  auto run = [=, bytes = size_of(in[0].dtype), indices = in[1].dtype,
              text = axis_text(in[0].shape, axis)](const Buffers& buffers) {
    with_index(indices, buffers, 1, [&](const auto* index) {
      check_indices(index, lookup.count, lookup, text);
      gather(lookup, bytes, buffers.in[0], index, buffers.out[0]);
    });
  };
  return {.run = run, .label = "gather", .may_fail = raises(mode_of(attrs))};
}

std::vector<Tensor> gather_vjp(const VjpContext& context) {
  return {apply("scatter_add", {context.in[0], context.in[1], context.dout[0]}, context.attrs), {}};
}

Specs infer_scatter_add(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 3);
  const auto& [like, indices, updates] = std::tie(in[0], in[1], in[2]);
  check_index_dtype(indices);
  mode_of(attrs);
  if (updates.dtype == DType::Bool) throw type_error("bool can't be added up; cast the updates to int32 first.");
  const int axis = resolve_axis(attrs.integer("axis", 0), like.shape.rank());
  check_not_empty(like, axis, indices);
  const Shape expected = gathered_shape(like.shape, axis, indices.shape);
  if (!shapes_agree(expected, updates.shape))
    throw value_error("updates should have the shape ", expected, " (", like.shape, " with axis ", axis,
                      " replaced by the indices' shape ", indices.shape, "); got ", updates, ".");
  return {{updates.dtype, like.shape}};
}

/// scatter(T{}, lookup, index, buffers), T being the updates' type.
template <class Scatter>
Kernel plan_scatter(const char* label, std::span<const TensorSpec> in, const Attrs& attrs, const Scatter& scatter) {
  const int axis = resolve_axis(attrs.integer("axis", 0), in[0].shape.rank());
  const Lookup lookup = lookup_of(in[0].shape, axis, in[1].shape.elements(), attrs);
  auto run = [=, dtype = in[2].dtype, indices = in[1].dtype,
              text = axis_text(in[0].shape, axis)](const Buffers& buffers) {
    with_index(indices, buffers, 1, [&](const auto* index) {
      check_indices(index, lookup.count, lookup, text);
      with_sum_type(dtype, [&](auto zero) { scatter(zero, lookup, index, buffers); });
    });
  };
  return {.run = run, .label = label, .may_fail = raises(mode_of(attrs))};
}

Kernel plan_scatter_add(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  return plan_scatter("scatter_add", in, attrs,
                      []<class T>(T, const Lookup& lookup, const auto* index, const Buffers& buffers) {
                        scatter_add(lookup, index, buffers.input<T>(2), buffers.output<T>(0));
                      });
}

std::vector<Tensor> scatter_add_vjp(const VjpContext& context) {
  return {{}, {}, apply("gather", {context.dout[0], context.in[1]}, context.attrs)};
}

// ------------------------------------------------------------------------------------- scatter_max, _min, _mul, _set

constexpr const char* name_of(Combine combine) {
  switch (combine) {
    case Combine::Max:
      return "scatter_max";
    case Combine::Min:
      return "scatter_min";
    case Combine::Mul:
      return "scatter_mul";
    case Combine::Set:
      return "scatter_set";
  }
  return "";
}

template <Combine combine>
Specs infer_scatter_combine(std::span<const TensorSpec> in, const Attrs& attrs) {
  const Specs out = infer_scatter_add(in, attrs);
  if (combine == Combine::Set && in[1].shape.rank() != 1)
    throw value_error("indices should have one axis; got ", in[1], ". Reshape them.");
  if (in[0].dtype != in[2].dtype)
    throw type_error("updates should have the dtype of x; got ", in[2], " for x of ", in[0], ".");
  return out;
}

template <Combine combine>
Kernel plan_scatter_combine(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  return plan_scatter(
      name_of(combine), in, attrs, []<class T>(T, const Lookup& lookup, const auto* index, const Buffers& buffers) {
        scatter_combine(lookup, combine, index, buffers.input<T>(0), buffers.input<T>(2), buffers.output<T>(0));
      });
}

Tensor gathered(const Tensor& table, const VjpContext& c) { return apply("gather", {table, c.in[1]}, c.attrs); }

/// Split evenly among equal extrema.
std::vector<Tensor> scatter_extremum_vjp(const VjpContext& c) {
  const auto& [x, indices, updates] = std::tie(c.in[0], c.in[1], c.in[2]);
  const Tensor& y = c.out[0];
  const Tensor kept = cast(binary("equal", x, y), x.dtype());
  const Tensor won = cast(binary("equal", updates, gathered(y, c)), x.dtype());
  const Tensor share = c.dout[0] / (kept + apply("scatter_add", {x, indices, won}, c.attrs));
  return {kept * share, {}, won * gathered(share, c)};
}

/// The product of the others: y / x, written so that it also holds where one factor or several are 0.
std::vector<Tensor> scatter_mul_vjp(const VjpContext& c) {
  const auto& [x, indices, updates] = std::tie(c.in[0], c.in[1], c.in[2]);
  const Tensor zero = scalar_like(x, 0), one = scalar_like(x, 1);
  const auto is_zero = [&](const Tensor& factor) { return binary("equal", factor, zero); };
  const auto nonzero = [&](const Tensor& factor) { return where(is_zero(factor), one, factor); };
  const auto counted = [&](const Tensor& factor) { return cast(is_zero(factor), x.dtype()); };
  const Tensor zeros = counted(x) + apply("scatter_add", {x, indices, counted(updates)}, c.attrs);
  const Tensor product = c.dout[0] * apply("scatter_mul", {nonzero(x), indices, nonzero(updates)}, c.attrs);
  const Tensor of_zero = where(binary("equal", zeros, one), product, zero);
  const Tensor of_others = where(binary("equal", zeros, zero), product, zero);
  return {where(is_zero(x), of_zero, of_others / nonzero(x)),
          {},
          where(is_zero(updates), gathered(of_zero, c), gathered(of_others, c) / nonzero(updates))};
}

/// To the last update of each row, and to the rows that have none.
std::vector<Tensor> scatter_set_vjp(const VjpContext& c) {
  const auto& [x, indices, updates] = std::tie(c.in[0], c.in[1], c.in[2]);
  const Tensor& dy = c.dout[0];
  const std::string i32(name_of(DType::I32));
  const Tensor number = apply("iota_like", {updates}, {{"axis", c.attrs.integer("axis", 0)}, {"dtype", i32}});
  const Tensor none = apply("full_like", {x}, {{"value", -1.0}, {"dtype", i32}});
  const Tensor last = apply("scatter_set", {none, indices, number}, c.attrs);
  return {where(binary("equal", last, none), dy, zeros_like(dy)),
          {},
          where(binary("equal", gathered(last, c), number), gathered(dy, c), zeros_like(updates))};
}

template <Combine combine>
void register_scatter_combine(std::vector<Tensor> (*vjp)(const VjpContext&)) {
  register_primitive({.name = name_of(combine),
                      .infer = infer_scatter_combine<combine>,
                      .plan = plan_scatter_combine<combine>,
                      .vjp = vjp});
}

// ---------------------------------------------------------------------------------------------- one element per
// element gather_along / scatter_along: indices as long as x but along the axis.  gather_last / scatter_last: one index
// per row of the last axis, which the indices lack.

enum class Along { Axis, Last };

int along_axis(Along along, const Shape& x, const Attrs& attrs) {
  if (x.rank() == 0) throw value_error("x needs at least one axis; got a scalar.");
  return along == Along::Last ? x.rank() - 1 : resolve_axis(attrs.integer("axis", -1), x.rank());
}

/// The shape that the indices should have, as far as x says: unknown along the axis.
Shape index_shape(Along along, const Shape& x, int axis) {
  Shape expected;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis)
      expected.push_back(x[i]);
    else if (along == Along::Axis)
      expected.push_back(Shape::kUnknown);
  return expected;
}

int check_along(Along along, const TensorSpec& x, const TensorSpec& indices, const Attrs& attrs) {
  check_index_dtype(indices);
  mode_of(attrs);
  const int axis = along_axis(along, x.shape, attrs);
  const Shape expected = index_shape(along, x.shape, axis);
  if (!shapes_agree(expected, indices.shape))
    throw value_error("indices should have the shape ", expected, " for x of ", x, " and axis ", axis, "; got ",
                      indices, ".");
  check_not_empty(x, axis, indices);
  return axis;
}

Lookup lookup_along(Along along, const Shape& x, const Shape& indices, const Attrs& attrs) {
  const int axis = along_axis(along, x, attrs);
  return lookup_of(x, axis, along == Along::Last ? 1 : indices[axis], attrs);
}

template <Along along>
Specs infer_gather_along(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 2);
  const int axis = check_along(along, in[0], in[1], attrs);
  return {{in[0].dtype, merged(in[1].shape, index_shape(along, in[0].shape, axis))}};
}

template <Along along>
Kernel plan_gather_along(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Lookup lookup = lookup_along(along, in[0].shape, in[1].shape, attrs);
  const std::int64_t count = in[1].shape.elements();
  auto run = [=, bytes = size_of(in[0].dtype), indices = in[1].dtype,
              text = axis_text(in[0].shape, along_axis(along, in[0].shape, attrs))](const Buffers& buffers) {
    with_index(indices, buffers, 1, [&](const auto* index) {
      check_indices(index, count, lookup, text);
      gather_along(lookup, bytes, buffers.in[0], index, buffers.out[0]);
    });
  };
  return {.run = run, .label = "gather_along", .may_fail = raises(mode_of(attrs))};
}

template <Along along>
Specs infer_scatter_along(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 3);
  check_along(along, in[0], in[1], attrs);
  if (in[2].dtype == DType::Bool) throw type_error("bool can't be added up; cast the updates to int32 first.");
  if (!shapes_agree(in[1].shape, in[2].shape))
    throw value_error("updates should have the shape of the indices, ", in[1].shape, "; got ", in[2], ".");
  return {{in[2].dtype, in[0].shape}};
}

template <Along along>
Kernel plan_scatter_along(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Lookup lookup = lookup_along(along, in[0].shape, in[1].shape, attrs);
  const std::int64_t count = in[1].shape.elements();
  auto run = [=, dtype = in[2].dtype, indices = in[1].dtype,
              text = axis_text(in[0].shape, along_axis(along, in[0].shape, attrs))](const Buffers& buffers) {
    with_index(indices, buffers, 1, [&](const auto* index) {
      check_indices(index, count, lookup, text);
      with_sum_type(dtype,
                    [&]<class T>(T) { scatter_along(lookup, index, buffers.input<T>(2), buffers.output<T>(0)); });
    });
  };
  return {.run = run, .label = "scatter_along", .may_fail = raises(mode_of(attrs))};
}

template <Along along>
void register_along(const char* gather_name, const char* scatter_name) {
  auto gather_vjp = [=](const VjpContext& context) -> std::vector<Tensor> {
    return {apply(scatter_name, {context.in[0], context.in[1], context.dout[0]}, context.attrs), {}};
  };
  auto scatter_vjp = [=](const VjpContext& context) -> std::vector<Tensor> {
    return {{}, {}, apply(gather_name, {context.dout[0], context.in[1]}, context.attrs)};
  };
  register_primitive(
      {.name = gather_name, .infer = infer_gather_along<along>, .plan = plan_gather_along<along>, .vjp = gather_vjp});
  register_primitive({.name = scatter_name,
                      .infer = infer_scatter_along<along>,
                      .plan = plan_scatter_along<along>,
                      .vjp = scatter_vjp,
                      .shape_only_inputs = 1});
}

// ------------------------------------------------------------------------------------------------------ unique_indices

Specs infer_unique(std::span<const TensorSpec> in, const Attrs&) {
  expect_inputs(in, 2);
  check_index_dtype(in[1]);
  if (in[0].shape.rank() == 0) throw value_error("x needs at least one axis; got a scalar.");
  check_not_empty(in[0], 0, in[1]);
  if (in[1].shape.known() && in[1].shape.elements() > INT32_MAX)
    throw value_error("there are too many indices; expected at most ", INT32_MAX, ", got ", in[1], ".");
  return {in[1], {DType::I32, in[1].shape}};
}

Kernel plan_unique(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  const std::int64_t count = in[1].shape.elements();
  const Lookup lookup{1, in[0].shape[0], 1, count, IndexMode::Strict};
  auto run = [=, indices = in[1].dtype, text = axis_text(in[0].shape, 0)](const Buffers& buffers) {
    with_index(indices, buffers, 1, [&]<class Index>(const Index* index) {
      check_indices(index, count, lookup, text);
      unique_indices(index, count, lookup.rows, buffers.output<Index>(0), buffers.output<std::int32_t>(1),
                     buffers.scratch);
    });
  };
  return {
      .run = run, .scratch_bytes = unique_indices_scratch_bytes(count), .label = "unique_indices", .may_fail = true};
}

// ------------------------------------------------------------------------------------------------------------- one_hot

Specs infer_one_hot(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 1);
  check_index_dtype(in[0]);
  const std::int64_t depth = attrs.integer("depth", 0);
  if (depth < 1) throw value_error("depth should be at least 1; got ", depth, ".");
  Shape y = in[0].shape;
  y.push_back(depth);
  return {{attrs.dtype("dtype", DType::F32), y}};
}

Kernel plan_one_hot(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
  const std::size_t bytes = size_of(out[0].dtype);
  std::array<std::byte, 8> one{};
  std::memcpy(one.data(), Tensor::scalar(out[0].dtype, 1).bytes(), bytes);
  auto run = [=, indices = in[0].dtype, count = in[0].shape.elements(),
              depth = attrs.integer("depth", 0)](const Buffers& buffers) {
    with_index(indices, buffers, 0,
               [&](const auto* index) { one_hot(count, depth, index, one.data(), bytes, buffers.out[0]); });
  };
  return {.run = run, .label = "one_hot"};
}

/// Whether whole rows are looked up, and not single elements.
bool is_of_rows(std::string_view primitive) { return !primitive.ends_with("_along") && !primitive.ends_with("_last"); }

}  // namespace

Lookup lookup_of(std::string_view primitive, std::span<const TensorSpec> in, const Attrs& attrs) {
  if (is_of_rows(primitive))
    return lookup_of(in[0].shape, resolve_axis(attrs.integer("axis", 0), in[0].shape.rank()), in[1].shape.elements(),
                     attrs);
  const bool last = primitive == "gather_last" || primitive == "scatter_last";
  return lookup_along(last ? Along::Last : Along::Axis, in[0].shape, in[1].shape, attrs);
}

std::string axis_text_of(std::string_view primitive, std::span<const TensorSpec> in, const Attrs& attrs) {
  const Shape& x = in[0].shape;
  if (is_of_rows(primitive)) return axis_text(x, resolve_axis(attrs.integer("axis", 0), x.rank()));
  const bool last = primitive == "gather_last" || primitive == "scatter_last";
  return axis_text(x, along_axis(last ? Along::Last : Along::Axis, x, attrs));
}

void register_indexing() {
  register_primitive({.name = "gather", .infer = infer_gather, .plan = plan_gather, .vjp = gather_vjp});
  register_primitive({.name = "scatter_add",
                      .infer = infer_scatter_add,
                      .plan = plan_scatter_add,
                      .vjp = scatter_add_vjp,
                      .shape_only_inputs = 1});
  register_scatter_combine<Combine::Max>(scatter_extremum_vjp);
  register_scatter_combine<Combine::Min>(scatter_extremum_vjp);
  register_scatter_combine<Combine::Mul>(scatter_mul_vjp);
  register_scatter_combine<Combine::Set>(scatter_set_vjp);
  register_along<Along::Axis>("gather_along", "scatter_along");
  register_along<Along::Last>("gather_last", "scatter_last");
  register_primitive({.name = "unique_indices",
                      .infer = infer_unique,
                      .plan = plan_unique,
                      .shape_only_inputs = 1,
                      .processor_only = true});
  register_primitive({.name = "one_hot", .infer = infer_one_hot, .plan = plan_one_hot});
}

}  // namespace dlcore
