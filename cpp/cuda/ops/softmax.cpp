// Softmax and the cross-entropies.
#include "cuda/kernels/softmax.h"

#include "cuda/ops/families.h"
#include "ops/axis.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

SoftmaxView view_of(const TensorSpec& x, const Attrs& attrs) {
  const AxisView view = view_along(x.shape, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
  return {view.outer, view.size, view.inner};
}

struct Rows {
  std::int64_t count, size;
};
Rows rows_of(const TensorSpec& scores) {
  return {scores.shape.product(0, scores.shape.rank() - 1), scores.shape.back()};
}

using OneInput = void (*)(cudaStream_t, DType, const SoftmaxView&, const void*, void*);
using TwoInputs = void (*)(cudaStream_t, DType, const SoftmaxView&, const void*, const void*, void*);

void add(const char* name, OneInput kernel) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    return {.run = [=, view = view_of(in[0], attrs), dtype = in[0].dtype,
                    &context](const Buffers& b) { kernel(context.stream, dtype, view, b.in[0], b.out[0]); },
            .label = name,
            .in_place = {{0, 0}}};
  });
}
void add(const char* name, TwoInputs kernel) {
  register_kernel(name, [=](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) -> Kernel {
    return {.run = [=, view = view_of(in[0], attrs), dtype = in[0].dtype,
                    &context](const Buffers& b) { kernel(context.stream, dtype, view, b.in[0], b.in[1], b.out[0]); },
            .label = name,
            .in_place = {{0, 0}, {0, 1}}};
  });
}

/// Labels as the kernels take them; their data is known when they run.
LabelRows label_rows(const TensorSpec& labels, const Attrs& attrs, const Context& context) {
  return {{nullptr, labels.dtype == DType::I64, attrs.has("ignore_class"), attrs.integer("ignore_class", 0)},
          context.fault,
          1 + static_cast<int>(Fault::label_out_of_range)};
}
LabelRows with_data(LabelRows rows, const void* data) {
  rows.labels.data = data;
  return rows;
}

void register_dense() {
  register_kernel("softmax_xent", [](SpecSpan in, SpecSpan, const Attrs&, const Context& context) -> Kernel {
    return {.run =
                [rows = rows_of(in[0]), dtype = in[0].dtype, &context](const Buffers& b) {
                  softmax_xent(context.stream, dtype, rows.count, rows.size, b.in[0], b.in[1], b.out[0]);
                },
            .label = "softmax_xent"};
  });
  register_kernel("softmax_xent_grad", [](SpecSpan in, SpecSpan, const Attrs&, const Context& context) -> Kernel {
    return {.run =
                [rows = rows_of(in[1]), dtype = in[1].dtype, &context](const Buffers& b) {
                  softmax_xent_grad(context.stream, dtype, rows.count, rows.size, b.in[0], b.in[1], b.in[2], b.out[0]);
                },
            .label = "softmax_xent_grad",
            .in_place = {{0, 1}, {0, 2}}};
  });
  register_kernel("sigmoid_xent", [](SpecSpan in, SpecSpan, const Attrs&, const Context& context) -> Kernel {
    return {.run = [n = in[0].shape.elements(), dtype = in[0].dtype,
                    &context](const Buffers& b) { sigmoid_xent(context.stream, dtype, n, b.in[0], b.in[1], b.out[0]); },
            .label = "sigmoid_xent",
            .in_place = {{0, 0}, {0, 1}}};
  });
  register_kernel("sigmoid_xent_grad", [](SpecSpan in, SpecSpan, const Attrs&, const Context& context) -> Kernel {
    return {.run =
                [n = in[0].shape.elements(), dtype = in[0].dtype, &context](const Buffers& b) {
                  sigmoid_xent_grad(context.stream, dtype, n, b.in[0], b.in[1], b.in[2], b.out[0]);
                },
            .label = "sigmoid_xent_grad",
            .in_place = {{0, 0}, {0, 1}, {0, 2}}};
  });
}

void register_sparse() {
  register_kernel("sparse_softmax_xent", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[0]), dtype = in[0].dtype, labels = label_rows(in[1], attrs, context),
                       &context](const Buffers& b) {
                        sparse_softmax_xent(context.stream, dtype, rows.count, rows.size, b.in[0],
                                            with_data(labels, b.in[1]), b.out[0]);
                      },
                  .label = "sparse_softmax_xent",
                  .may_fail = true};
  });
  register_kernel("sparse_softmax_xent_grad", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[1]), dtype = in[1].dtype, labels = label_rows(in[2], attrs, context),
                       &context](const Buffers& b) {
                        sparse_softmax_xent_grad(context.stream, dtype, rows.count, rows.size, b.in[0], b.in[1],
                                                 with_data(labels, b.in[2]), b.out[0]);
                      },
                  .label = "sparse_softmax_xent_grad",
                  .in_place = {{0, 1}},
                  .may_fail = true};
  });
  register_kernel("sparse_xent", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[0]), dtype = in[0].dtype, labels = label_rows(in[1], attrs, context),
                       epsilon = attrs.number("epsilon", 1e-7), &context](const Buffers& b) {
                        sparse_xent(context.stream, dtype, rows.count, rows.size, epsilon, b.in[0],
                                    with_data(labels, b.in[1]), b.out[0]);
                      },
                  .label = "sparse_xent",
                  .may_fail = true};
  });
  register_kernel("sparse_xent_grad", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[1]), dtype = in[1].dtype, labels = label_rows(in[2], attrs, context),
                       epsilon = attrs.number("epsilon", 1e-7), &context](const Buffers& b) {
                        sparse_xent_grad(context.stream, dtype, rows.count, rows.size, epsilon, b.in[0], b.in[1],
                                         with_data(labels, b.in[2]), b.out[0]);
                      },
                  .label = "sparse_xent_grad",
                  .may_fail = true};
  });
}

}  // namespace

void register_softmax() {
  add("softmax", softmax);
  add("log_softmax", log_softmax);
  add("softmax_grad", softmax_grad);
  add("log_softmax_grad", log_softmax_grad);
  register_dense();
  register_sparse();
}

}  // namespace dlcore::cuda
