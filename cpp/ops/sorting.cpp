// Order: sort, argsort, top_k, searchsorted; running sums and products.
#include "dlcore/ops.h"
#include "kernels/element_type.h"
#include "kernels/sort/sort.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

int axis_of(const TensorSpec& x, const Attrs& attrs) { return resolve_axis(attrs.integer("axis", -1), x.shape.rank()); }

Lines lines_along(const TensorSpec& x, int axis) {
  const AxisView view = view_along(x.shape, axis);
  return {view.outer, view.size, view.inner};
}

// ------------------------------------------------------------------------------------------------ sort, argsort, top_k

/// Which results are wanted, and how many elements of every line.
struct SortPlan {
  Lines lines;
  std::int64_t k;
  bool descending;
  int values, indices;  // output numbers, -1 for none
};

Kernel sort_kernel(const char* label, DType dtype, const SortPlan& sort) {
  auto run = [=](const Buffers& buffers) {
    with_type(dtype, [&]<class T>(T) {
      sort_lines(sort.lines, sort.k, sort.descending, buffers.input<T>(0),
                 sort.values < 0 ? nullptr : buffers.output<T>(sort.values),
                 sort.indices < 0 ? nullptr : buffers.output<std::int32_t>(sort.indices), buffers.scratch);
    });
  };
  return {.run = run, .scratch_bytes = sort_scratch_bytes(sort.lines, size_of(dtype)), .label = label};
}

Specs infer_sort(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 1);
  expect_countable(in[0], axis_of(in[0], attrs));
  attrs.boolean("descending", false);
  return {in[0]};
}

Specs infer_argsort(std::span<const TensorSpec> in, const Attrs& attrs) {
  return {{DType::I32, infer_sort(in, attrs)[0].shape}};
}

Kernel plan_sort(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Lines lines = lines_along(in[0], axis_of(in[0], attrs));
  return sort_kernel("sort", in[0].dtype, {lines, lines.size, attrs.boolean("descending", false), 0, -1});
}

Kernel plan_argsort(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Lines lines = lines_along(in[0], axis_of(in[0], attrs));
  return sort_kernel("argsort", in[0].dtype, {lines, lines.size, attrs.boolean("descending", false), -1, 0});
}

std::vector<Tensor> sort_vjp(const VjpContext& context) {
  const Tensor order = apply("argsort", {context.in[0]}, context.attrs);
  return {
      apply("scatter_along", {context.in[0], order, context.dout[0]}, {{"axis", context.attrs.integer("axis", -1)}})};
}

Specs infer_top_k(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 1);
  const TensorSpec& x = in[0];
  if (x.shape.rank() == 0) throw value_error("x needs at least one axis; got a scalar.");
  expect_countable(x, x.shape.rank() - 1);
  const std::int64_t k = attrs.integer("k", 1);
  if (k < 1 || (x.shape.back() != Shape::kUnknown && k > x.shape.back()))
    throw value_error("k should be between 1 and the size of the last axis; got k = ", k, " for x of ", x, ".");
  Shape shape = x.shape;
  shape[shape.rank() - 1] = k;
  return {{x.dtype, shape}, {DType::I32, shape}};
}

Kernel plan_top_k(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Lines lines = lines_along(in[0], in[0].shape.rank() - 1);
  return sort_kernel("top_k", in[0].dtype, {lines, attrs.integer("k", 1), true, 0, 1});
}

std::vector<Tensor> top_k_vjp(const VjpContext& context) {
  return {apply("scatter_along", {context.in[0], context.out[1], context.dout[0]}, {{"axis", std::int64_t{-1}}})};
}

// ---------------------------------------------------------------------------------------------------- cumsum, cumprod

Specs infer_scan(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 1);
  axis_of(in[0], attrs);
  attrs.boolean("exclusive", false);
  attrs.boolean("reverse", false);
  if (in[0].dtype == DType::Bool) throw type_error("bool can't be added up or multiplied; cast to int32 first.");
  return {in[0]};
}

Specs infer_cumprod_grad(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 2);
  if (!is_float(in[1].dtype)) throw type_error("x should be a float tensor; got ", in[1], ".");
  expect_like("dy", in[0], "x", in[1]);
  return infer_scan(in.subspan(1), attrs);
}

struct ScanPlan {
  Lines lines;
  bool exclusive, reverse;
};

ScanPlan scan_plan(const TensorSpec& x, const Attrs& attrs) {
  return {lines_along(x, axis_of(x, attrs)), attrs.boolean("exclusive", false), attrs.boolean("reverse", false)};
}

Kernel plan_cumsum(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  auto run = [scan = scan_plan(in[0], attrs), dtype = in[0].dtype](const Buffers& buffers) {
    with_type(dtype, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, bool>)
        cumsum_lines(scan.lines, scan.exclusive, scan.reverse, buffers.input<T>(0), buffers.output<T>(0));
    });
  };
  return {.run = run, .label = "cumsum"};
}

Kernel plan_cumprod(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  auto run = [scan = scan_plan(in[0], attrs), dtype = in[0].dtype](const Buffers& buffers) {
    with_type(dtype, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, bool>)
        cumprod_lines(scan.lines, scan.exclusive, scan.reverse, buffers.input<T>(0), buffers.output<T>(0));
    });
  };
  return {.run = run, .label = "cumprod"};
}

Kernel plan_cumprod_grad(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  auto run = [scan = scan_plan(in[1], attrs), dtype = in[1].dtype](const Buffers& buffers) {
    with_type(dtype, [&]<class T>(T) {
      if constexpr (!std::is_integral_v<T>)
        cumprod_grad_lines(scan.lines, scan.exclusive, scan.reverse, buffers.input<T>(0), buffers.input<T>(1),
                           buffers.output<T>(0));
    });
  };
  return {.run = run, .label = "cumprod_grad"};
}

std::vector<Tensor> cumsum_vjp(const VjpContext& context) {
  Attrs attrs = context.attrs;
  attrs.set("reverse", !attrs.boolean("reverse", false));
  return {apply("cumsum", {context.dout[0]}, attrs)};
}

std::vector<Tensor> cumprod_vjp(const VjpContext& context) {
  return {apply("cumprod_grad", {context.dout[0], context.in[0]}, context.attrs)};
}

std::vector<Tensor> no_second_derivative(const VjpContext&) {
  throw Error(ErrorKind::NotImplemented,
              "the gradient of cumprod's gradient is not implemented. For second derivatives of positive numbers write "
              "exp(cumsum(log(x))).");
}

// -------------------------------------------------------------------------------------------------------- searchsorted

Specs infer_searchsorted(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 2);
  attrs.boolean("right", false);
  if (in[0].shape.rank() != 1) throw value_error("sorted should have one axis; got ", in[0], ".");
  if (in[0].dtype != in[1].dtype)
    throw type_error("sorted and values should have the same dtype; got ", in[0], " and ", in[1], ".");
  expect_countable(in[0], 0);
  return {{DType::I32, in[1].shape}};
}

Kernel plan_searchsorted(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  auto run = [dtype = in[0].dtype, size = in[0].shape[0], count = in[1].shape.elements(),
              right = attrs.boolean("right", false)](const Buffers& buffers) {
    with_type(dtype, [&]<class T>(T) {
      search_sorted(buffers.input<T>(0), size, buffers.input<T>(1), count, right, buffers.output<std::int32_t>(0));
    });
  };
  return {.run = run, .label = "searchsorted"};
}

}  // namespace

void register_sorting() {
  register_primitive({.name = "sort", .infer = infer_sort, .plan = plan_sort, .vjp = sort_vjp});
  register_primitive({.name = "argsort", .infer = infer_argsort, .plan = plan_argsort});
  register_primitive({.name = "top_k", .infer = infer_top_k, .plan = plan_top_k, .vjp = top_k_vjp});
  register_primitive({.name = "cumsum", .infer = infer_scan, .plan = plan_cumsum, .vjp = cumsum_vjp});
  register_primitive({.name = "cumprod", .infer = infer_scan, .plan = plan_cumprod, .vjp = cumprod_vjp});
  register_primitive(
      {.name = "cumprod_grad", .infer = infer_cumprod_grad, .plan = plan_cumprod_grad, .vjp = no_second_derivative});
  register_primitive({.name = "searchsorted", .infer = infer_searchsorted, .plan = plan_searchsorted});
}

}  // namespace dlcore
