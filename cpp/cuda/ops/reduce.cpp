// Reductions over any axes, brought to the form [outer, reduce, inner] as on the CPU.
#include "cuda/kernels/reduce.h"

#include "cuda/kernels/movement.h"
#include "cuda/ops/families.h"
#include "cuda/ops/scratch.h"
#include "ops/axis.h"
#include "ops/reduce.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// x in its form: copied where the reduced axes don't lie side by side.
struct Source {
  ReduceForm form;
  std::size_t offset = 0;

  Source(const TensorSpec& x, const AxisSet& reduced, ScratchPlan& scratch) : form(form_of(x, reduced)) {
    if (form.copy) offset = scratch.add(x.bytes());
  }
  const void* get(const Buffers& b, const Context& context) const {
    if (!form.copy) return b.in[0];
    strided_copy(context.stream, *form.copy, b.in[0], at(b, offset));
    return at(b, offset);
  }
};

std::size_t computed_bytes(DType dtype) { return dtype == DType::F64 ? sizeof(double) : sizeof(float); }

Kernel plan_simple(ReduceOp op, ReduceFinish finish, const TensorSpec& x, const AxisSet& reduced,
                   const Context& context) {
  ScratchPlan scratch;
  const Source source(x, reduced, scratch);
  const ReduceShape shape(source.form.outer, source.form.reduce, source.form.inner, context.sm_count);
  const std::size_t partials = scratch.add(shape.scratch_bytes());
  return {.run =
              [=, dtype = x.dtype, &context](const Buffers& b) {
                reduce(context.stream, op, dtype, shape, finish, false, source.get(b, context), nullptr, b.out[0],
                       at(b, partials));
              },
          .scratch_bytes = scratch.bytes(),
          .label = "reduce"};
}

/// var: center is the mean, then the mean of (x - center)^2. logsumexp: center is the maximum.
Kernel plan_centered(ReduceOp op, const TensorSpec& x, const AxisSet& reduced, const Context& context) {
  ScratchPlan scratch;
  const Source source(x, reduced, scratch);
  const ReduceShape shape(source.form.outer, source.form.reduce, source.form.inner, context.sm_count);
  const std::int64_t count = shape.outer * shape.inner;
  const bool var = op == ReduceOp::SumSquare;
  const std::size_t center = scratch.add(static_cast<std::size_t>(count) * computed_bytes(x.dtype));
  const std::size_t partials = scratch.add(shape.scratch_bytes());
  return {.run =
              [=, dtype = x.dtype, &context](const Buffers& b) {
                const void* from = source.get(b, context);
                reduce(context.stream, var ? ReduceOp::Sum : ReduceOp::Max, dtype, shape,
                       var ? ReduceFinish::Divide : ReduceFinish::None, true, from, nullptr, at(b, center),
                       at(b, partials));
                if (!var) make_finite(context.stream, dtype, count, at(b, center));
                reduce(context.stream, op, dtype, shape, var ? ReduceFinish::Divide : ReduceFinish::AddLog, false, from,
                       at(b, center), b.out[0], at(b, partials));
              },
          .scratch_bytes = scratch.bytes(),
          .label = var ? "reduce_var" : "reduce_logsumexp"};
}

void add(const char* name, ReduceOp op, ReduceFinish finish = ReduceFinish::None) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    const AxisSet reduced = reduced_axes(in[0].shape, attrs);
    const bool centered = op == ReduceOp::SumExp || op == ReduceOp::SumSquare;
    return centered ? plan_centered(op, in[0], reduced, context) : plan_simple(op, finish, in[0], reduced, context);
  });
}

void add_arg(const char* name, bool smallest) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    const AxisView view = view_along(in[0].shape, resolve_axis(attrs.integer("axis", -1), in[0].shape.rank()));
    return {.run =
                [=, dtype = in[0].dtype, &context](const Buffers& b) {
                  arg_reduce(context.stream, smallest, dtype, view.outer, view.size, view.inner, b.in[0],
                             b.output<std::int32_t>(0));
                },
            .label = name};
  });
}

}  // namespace

void register_reduce() {
  add("reduce_sum", ReduceOp::Sum);
  add("reduce_mean", ReduceOp::Sum, ReduceFinish::Divide);
  add("reduce_max", ReduceOp::Max);
  add("reduce_min", ReduceOp::Min);
  add("reduce_prod", ReduceOp::Prod);
  add("reduce_logsumexp", ReduceOp::SumExp);
  add("reduce_var", ReduceOp::SumSquare);
  add("reduce_any", ReduceOp::Max);
  add("reduce_all", ReduceOp::Min);
  add_arg("argmax", false);
  add_arg("argmin", true);
  register_kernel("sum_like", [](SpecSpan in, SpecSpan out, const Attrs&, const Context& context) {
    return plan_simple(ReduceOp::Sum, ReduceFinish::None, in[0], broadcast_axes(in[0].shape, out[0].shape), context);
  });
}

}  // namespace dlcore::cuda
