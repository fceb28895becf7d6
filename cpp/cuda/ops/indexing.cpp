// gather (the embedding lookup), scatter_add (its gradient), scatter_max, scatter_min, scatter_mul and scatter_set,
// one_hot, and element-wise lookups along an axis.
#include "ops/indexing.h"

#include <cstring>

#include "cuda/kernels/embedding.h"
#include "cuda/ops/families.h"
#include "ops/data_errors.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

std::shared_ptr<const FaultSite> fault_of(const char* name, SpecSpan in, const Attrs& attrs, const Lookup& lookup,
                                          const Context& context) {
  return context.faults->site([lookup, axis = axis_text_of(name, in, attrs)](auto index, auto position) {
    return index_out_of_range(index, position, lookup.rows, axis, lookup.mode == IndexMode::Strict);
  });
}

using Gather = void (*)(cudaStream_t, const Lookup&, DType index, std::size_t element_bytes, const void* x,
                        const void* indices, void* y, const FaultSite&);
void add_gather(const char* name, Gather kernel) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    const Lookup lookup = lookup_of(name, in, attrs);
    return {.run =
                [=, bytes = size_of(in[0].dtype), index = in[1].dtype,
                 fault = fault_of(name, in, attrs, lookup, context), &context](const Buffers& b) {
                  kernel(context.stream, lookup, index, bytes, b.in[0], b.in[1], b.out[0], *fault);
                },
            .label = name,
            .may_fail = raises(lookup.mode)};
  });
}

Kernel plan_scatter_add(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const Lookup lookup = lookup_of("scatter_add", in, attrs);
  return {.run =
              [=, dtype = in[2].dtype, index = in[1].dtype, fault = fault_of("scatter_add", in, attrs, lookup, context),
               &context](const Buffers& b) {
                scatter_add(context.stream, lookup, index, dtype, b.in[1], b.in[2], b.out[0], b.scratch, *fault);
              },
          .scratch_bytes = scatter_scratch_bytes(lookup),
          .label = "scatter_add",
          .may_fail = raises(lookup.mode)};
}

void add_scatter_combine(const char* name, Combine combine) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    const Lookup lookup = lookup_of(name, in, attrs);
    return {.run =
                [=, dtype = in[2].dtype, index = in[1].dtype, fault = fault_of(name, in, attrs, lookup, context),
                 &context](const Buffers& b) {
                  scatter_combine(context.stream, lookup, combine, index, dtype, b.in[1], b.in[0], b.in[2], b.out[0],
                                  b.scratch, *fault);
                },
            .scratch_bytes = scatter_scratch_bytes(lookup),
            .label = name,
            .may_fail = raises(lookup.mode)};
  });
}

void add_scatter_along(const char* name) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    const Lookup lookup = lookup_of(name, in, attrs);
    return {.run =
                [=, dtype = in[2].dtype, index = in[1].dtype, fault = fault_of(name, in, attrs, lookup, context),
                 &context](const Buffers& b) {
                  scatter_along(context.stream, lookup, index, dtype, b.in[1], b.in[2], b.out[0], *fault);
                },
            .label = name,
            .may_fail = raises(lookup.mode)};
  });
}

Kernel plan_one_hot(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const std::size_t bytes = size_of(out[0].dtype);
  std::uint64_t one = 0;
  std::memcpy(&one, Tensor::scalar(out[0].dtype, 1).bytes(), bytes);
  return {.run = [=, index = in[0].dtype, count = in[0].shape.elements(), depth = attrs.integer("depth", 0), &context](
                     const Buffers& b) { one_hot(context.stream, count, depth, index, b.in[0], one, bytes, b.out[0]); },
          .label = "one_hot"};
}

}  // namespace

void register_indexing() {
  add_gather("gather", gather);
  add_gather("gather_along", gather_along);
  add_gather("gather_last", gather_along);
  register_kernel("scatter_add", plan_scatter_add);
  add_scatter_combine("scatter_max", Combine::Max);
  add_scatter_combine("scatter_min", Combine::Min);
  add_scatter_combine("scatter_mul", Combine::Mul);
  add_scatter_combine("scatter_set", Combine::Set);
  add_scatter_along("scatter_along");
  add_scatter_along("scatter_last");
  register_kernel("one_hot", plan_one_hot);
}

}  // namespace dlcore::cuda
