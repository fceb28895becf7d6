// Order: sort, argsort, top_k, searchsorted; running sums and products.
#include "cuda/kernels/sort.h"

#include "cuda/ops/families.h"
#include "ops/axis.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

Lines lines_along(const TensorSpec& x, int axis) {
  const AxisView view = view_along(x.shape, axis);
  return {view.outer, view.size, view.inner};
}
Lines lines_of(const TensorSpec& x, const Attrs& attrs) {
  return lines_along(x, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
}

/// values, indices: output numbers, -1 for none.
Kernel sort_kernel(const char* label, const TensorSpec& x, const Lines& lines, std::int64_t k, bool descending,
                   int values, int indices, const Context& context) {
  return {.run =
              [=, dtype = x.dtype, &context](const Buffers& b) {
                sort_lines(context.stream, dtype, lines, k, descending, b.in[0], values < 0 ? nullptr : b.out[values],
                           indices < 0 ? nullptr : b.output<std::int32_t>(indices), b.scratch);
              },
          .scratch_bytes = sort_scratch_bytes(x.dtype, lines),
          .label = label};
}

void add_sort(const char* name, int values, int indices) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    const Lines lines = lines_of(in[0], attrs);
    return sort_kernel(name, in[0], lines, lines.size, attrs.boolean("descending", false), values, indices, context);
  });
}

using Scan = void (*)(cudaStream_t, DType, const Lines&, bool exclusive, bool reverse, const void*, void*);
void add_scan(const char* name, Scan scan) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    return {.run = [=, lines = lines_of(in[0], attrs), dtype = in[0].dtype,
                    exclusive = attrs.boolean("exclusive", false), reverse = attrs.boolean("reverse", false), &context](
                       const Buffers& b) { scan(context.stream, dtype, lines, exclusive, reverse, b.in[0], b.out[0]); },
            .label = name};
  });
}

Kernel plan_cumprod_grad(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  return {.run =
              [lines = lines_of(in[1], attrs), dtype = in[1].dtype, exclusive = attrs.boolean("exclusive", false),
               reverse = attrs.boolean("reverse", false), &context](const Buffers& b) {
                cumprod_grad_lines(context.stream, dtype, lines, exclusive, reverse, b.in[0], b.in[1], b.out[0]);
              },
          .label = "cumprod_grad"};
}

Kernel plan_searchsorted(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  return {.run =
              [dtype = in[0].dtype, size = in[0].shape[0], count = in[1].shape.elements(),
               right = attrs.boolean("right", false), &context](const Buffers& b) {
                search_sorted(context.stream, dtype, b.in[0], size, b.in[1], count, right, b.output<std::int32_t>(0));
              },
          .label = "searchsorted"};
}

}  // namespace

void register_sorting() {
  add_sort("sort", 0, -1);
  add_sort("argsort", -1, 0);
  register_kernel("top_k", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    const Lines lines = lines_along(in[0], in[0].shape.rank() - 1);
    return sort_kernel("top_k", in[0], lines, attrs.integer("k", 1), true, 0, 1, context);
  });
  add_scan("cumsum", cumsum_lines);
  add_scan("cumprod", cumprod_lines);
  register_kernel("cumprod_grad", plan_cumprod_grad);
  register_kernel("searchsorted", plan_searchsorted);
}

}  // namespace dlcore::cuda
