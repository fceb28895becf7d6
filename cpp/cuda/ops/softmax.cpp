// Softmax and the cross-entropies.
#include "cuda/kernels/softmax.h"

#include "cuda/ops/families.h"
#include "ops/axis.h"
#include "ops/data_errors.h"

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

/// Labels as the kernels take them, and whom they report to; their data is known when they run.
class PlannedLabels {
 public:
  PlannedLabels(const TensorSpec& labels, std::int64_t classes, const Attrs& attrs, const Context& context)
      : labels_{nullptr, labels.dtype == DType::I64, attrs.has("ignore_class"), attrs.integer("ignore_class", 0)},
        fault_(context.faults->site(
            [classes](std::int64_t label, std::int64_t row) { return label_out_of_range(label, row, classes); })) {}
  LabelRows at(const void* data) const {
    LabelRows rows{labels_, *fault_};
    rows.labels.data = data;
    return rows;
  }

 private:
  Labels labels_;
  std::shared_ptr<const FaultSite> fault_;
};

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
                      [rows = rows_of(in[0]), dtype = in[0].dtype,
                       labels = PlannedLabels(in[1], in[0].shape.back(), attrs, context), &context](const Buffers& b) {
                        sparse_softmax_xent(context.stream, dtype, rows.count, rows.size, b.in[0], labels.at(b.in[1]),
                                            b.out[0]);
                      },
                  .label = "sparse_softmax_xent",
                  .may_fail = true};
  });
  register_kernel("sparse_softmax_xent_grad", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[1]), dtype = in[1].dtype,
                       labels = PlannedLabels(in[2], in[1].shape.back(), attrs, context), &context](const Buffers& b) {
                        sparse_softmax_xent_grad(context.stream, dtype, rows.count, rows.size, b.in[0], b.in[1],
                                                 labels.at(b.in[2]), b.out[0]);
                      },
                  .label = "sparse_softmax_xent_grad",
                  .in_place = {{0, 1}},
                  .may_fail = true};
  });
  register_kernel("sparse_xent", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[0]), dtype = in[0].dtype,
                       labels = PlannedLabels(in[1], in[0].shape.back(), attrs, context),
                       epsilon = attrs.number("epsilon", 1e-7), &context](const Buffers& b) {
                        sparse_xent(context.stream, dtype, rows.count, rows.size, epsilon, b.in[0], labels.at(b.in[1]),
                                    b.out[0]);
                      },
                  .label = "sparse_xent",
                  .may_fail = true};
  });
  register_kernel("sparse_xent_grad", [](SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
    return Kernel{.run =
                      [rows = rows_of(in[1]), dtype = in[1].dtype,
                       labels = PlannedLabels(in[2], in[1].shape.back(), attrs, context),
                       epsilon = attrs.number("epsilon", 1e-7), &context](const Buffers& b) {
                        sparse_xent_grad(context.stream, dtype, rows.count, rows.size, epsilon, b.in[0], b.in[1],
                                         labels.at(b.in[2]), b.out[0]);
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
