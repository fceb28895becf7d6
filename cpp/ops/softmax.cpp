// Softmax and the cross-entropies. Those on logits are one kernel, so that nothing is lost between exp and log.
#include "kernels/softmax/softmax.h"

#include <string>

#include "dlcore/ops.h"
#include "ops/axis.h"
#include "ops/checks.h"
#include "ops/data_errors.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

using SpecSpan = std::span<const TensorSpec>;

template <class T>
const SoftmaxKernels<T>& softmax_kernels() {
  if constexpr (sizeof(T) == 4)
    return softmax_kernels_f32();
  else
    return softmax_kernels_f64();
}

Tensor mul(const Tensor& a, const Tensor& b) { return ops::operator*(a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return ops::operator-(a, b); }
Tensor neg(const Tensor& a) { return ops::operator-(a); }
Tensor sum_last(const Tensor& x) { return ops::sum(x, {-1}, true); }
/// d [...] as [..., 1], for x [..., C].
Tensor as_column(const Tensor& d, const Tensor& x) { return ops::reshape_like(d, sum_last(x)); }

/// Pairs of an output and an input that may be one buffer, for rows of `size` numbers. Not for rows shorter than a
/// vector: the masked store of one would have to be waited for before the next one is read.
using InPlace = std::vector<std::pair<int, int>>;
InPlace in_place_rows(std::int64_t size, InPlace pairs) {
  constexpr std::int64_t kWidest = 16;
  return size < kWidest ? InPlace{} : std::move(pairs);
}

// ---- softmax

SoftmaxView view_of(const TensorSpec& x, const Attrs& attrs) {
  const AxisView view = view_along(x.shape, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
  return {view.outer, view.size, view.inner};
}

Specs infer_softmax(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 1);
  expect_float(in[0]);
  resolve_axis(attrs.integer("axis", -1), in[0].shape.rank());
  return {in[0]};
}

Specs infer_softmax_grad(SpecSpan in, const Attrs& attrs) {
  expect_inputs(in, 2);
  expect_float(in[0]);
  resolve_axis(attrs.integer("axis", -1), in[0].shape.rank());
  if (in[0].dtype != in[1].dtype || !shapes_agree(in[0].shape, in[1].shape))
    throw value_error("the gradient is ", in[0], " but the output is ", in[1], "; they must be alike.");
  return {in[1]};
}

template <bool LOG>
Kernel plan_softmax(SpecSpan in, SpecSpan, const Attrs& attrs) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    const auto kernel = LOG ? softmax_kernels<T>().log_softmax : softmax_kernels<T>().softmax;
    const SoftmaxView view = view_of(in[0], attrs);
    return {.run = [kernel, view](const Buffers& b) { kernel(view, b.input<T>(0), b.output<T>(0)); },
            .label = LOG ? "log_softmax" : "softmax",
            .flops = 5.0 * static_cast<double>(in[0].shape.elements()),
            .in_place = in_place_rows(view.size * view.inner, {{0, 0}})};
  });
}

template <bool LOG>
Kernel plan_softmax_grad(SpecSpan in, SpecSpan, const Attrs& attrs) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    const auto kernel = LOG ? softmax_kernels<T>().log_softmax_grad : softmax_kernels<T>().softmax_grad;
    const SoftmaxView view = view_of(in[0], attrs);
    return {.run = [kernel, view](const Buffers& b) { kernel(view, b.input<T>(0), b.input<T>(1), b.output<T>(0)); },
            .label = LOG ? "log_softmax_grad" : "softmax_grad",
            .flops = 4.0 * static_cast<double>(in[0].shape.elements()),
            .in_place = in_place_rows(view.size * view.inner, {{0, 0}, {0, 1}})};
  });
}

std::vector<Tensor> vjp_softmax(const VjpContext& c) { return {apply("softmax_grad", {c.dout[0], c.out[0]}, c.attrs)}; }
std::vector<Tensor> vjp_log_softmax(const VjpContext& c) {
  return {apply("log_softmax_grad", {c.dout[0], c.out[0]}, c.attrs)};
}

// dx = y * (dy - sum dy*y), given the gradient g of dx.
std::vector<Tensor> vjp_softmax_grad(const VjpContext& c) {
  const Tensor &dy = c.in[0], &y = c.in[1], &g = c.dout[0];
  const ops::Axes axis{c.attrs.integer("axis", -1)};
  std::vector<Tensor> d(2);
  if (c.wanted[0]) d[0] = apply("softmax_grad", {g, y}, c.attrs);
  if (c.wanted[1])
    d[1] = sub(mul(g, sub(dy, ops::sum(mul(dy, y), axis, true))), mul(dy, ops::sum(mul(g, y), axis, true)));
  return d;
}

// dx = dy - exp(y) * sum dy, given the gradient g of dx.
std::vector<Tensor> vjp_log_softmax_grad(const VjpContext& c) {
  const Tensor &dy = c.in[0], &g = c.dout[0];
  const ops::Axes axis{c.attrs.integer("axis", -1)};
  const Tensor weighted = mul(g, ops::unary("exp", c.in[1]));
  std::vector<Tensor> d(2);
  if (c.wanted[0]) d[0] = sub(g, ops::sum(weighted, axis, true));
  if (c.wanted[1]) d[1] = neg(mul(weighted, ops::sum(dy, axis, true)));
  return d;
}

// ---- cross-entropy with target [..., C]

Shape rows_shape(const TensorSpec& logits) {
  if (logits.shape.rank() == 0)
    throw value_error("the scores are a scalar; expected a last axis of classes: [..., C].");
  Shape shape;
  for (int axis = 0; axis + 1 < logits.shape.rank(); ++axis) shape.push_back(logits.shape[axis]);
  return shape;
}

void expect_target_like(const TensorSpec& logits, const TensorSpec& target) {
  expect_float(logits);
  if (logits.dtype != target.dtype || !shapes_agree(logits.shape, target.shape))
    throw value_error("the logits are ", logits, " but the target is ", target,
                      "; they must be alike. For class numbers use the sparse cross-entropy.");
}

void expect_row_gradient(const TensorSpec& dloss, const TensorSpec& scores) {
  const TensorSpec expected{scores.dtype, rows_shape(scores)};
  if (dloss.dtype != expected.dtype || !shapes_agree(dloss.shape, expected.shape))
    throw value_error("the loss's gradient is ", dloss, "; expected ", expected, " for scores ", scores, ".");
}

Specs infer_softmax_xent(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  expect_target_like(in[0], in[1]);
  return {{in[0].dtype, rows_shape(in[0])}};
}

Specs infer_softmax_xent_grad(SpecSpan in, const Attrs&) {
  expect_inputs(in, 3);
  expect_target_like(in[1], in[2]);
  expect_row_gradient(in[0], in[1]);
  return {in[1]};
}

struct Rows {
  std::int64_t count, size;
};
Rows rows_of(const TensorSpec& scores) { return {rows_shape(scores).elements(), scores.shape.back()}; }

Kernel plan_softmax_xent(SpecSpan in, SpecSpan, const Attrs&) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[0])](const Buffers& b) {
                  softmax_kernels<T>().xent(rows.count, rows.size, b.input<T>(0), b.input<T>(1), b.output<T>(0));
                },
            .label = "softmax_xent",
            .flops = 6.0 * static_cast<double>(in[0].shape.elements())};
  });
}

Kernel plan_softmax_xent_grad(SpecSpan in, SpecSpan, const Attrs&) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[1])](const Buffers& b) {
                  softmax_kernels<T>().xent_grad(rows.count, rows.size, b.input<T>(0), b.input<T>(1), b.input<T>(2),
                                                 b.output<T>(0));
                },
            .label = "softmax_xent_grad",
            .flops = 7.0 * static_cast<double>(in[1].shape.elements()),
            .in_place = in_place_rows(rows_of(in[1]).size, {{0, 1}})};
  });
}

std::vector<Tensor> vjp_softmax_xent(const VjpContext& c) {
  const Tensor &logits = c.in[0], &target = c.in[1], &dloss = c.dout[0];
  std::vector<Tensor> d(2);
  if (c.wanted[0]) d[0] = apply("softmax_xent_grad", {dloss, logits, target});
  if (c.wanted[1]) d[1] = neg(mul(as_column(dloss, logits), apply("log_softmax", {logits})));
  return d;
}

// dlogits = dloss * (p * sum t - t) with p = softmax(logits), given the gradient g of dlogits.
std::vector<Tensor> vjp_softmax_xent_grad(const VjpContext& c) {
  const Tensor &logits = c.in[1], &target = c.in[2], &g = c.dout[0];
  const Tensor dloss = as_column(c.in[0], logits), p = apply("softmax", {logits}), weight = sum_last(target);
  std::vector<Tensor> d(3);
  if (c.wanted[0]) d[0] = ops::sum(mul(g, sub(mul(p, weight), target)), {-1});
  if (c.wanted[1]) d[1] = apply("softmax_grad", {mul(g, mul(dloss, weight)), p});
  if (c.wanted[2]) d[2] = mul(dloss, sub(sum_last(mul(g, p)), g));
  return d;
}

// ---- cross-entropy with class numbers

void expect_labels(const TensorSpec& scores, const TensorSpec& labels) {
  expect_float(scores);
  if (labels.dtype != DType::I32 && labels.dtype != DType::I64)
    throw type_error("the labels are ", labels, "; expected int32 or int64 class numbers, cast them first.");
  if (!shapes_agree(labels.shape, rows_shape(scores)))
    throw value_error("the labels are ", labels, " but the scores are ", scores, "; expected labels of shape ",
                      rows_shape(scores), ", one class number for each row of scores.");
}

Specs infer_sparse_xent(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  expect_labels(in[0], in[1]);
  return {{in[0].dtype, rows_shape(in[0])}};
}

Specs infer_sparse_xent_grad(SpecSpan in, const Attrs&) {
  expect_inputs(in, 3);
  expect_labels(in[1], in[2]);
  expect_row_gradient(in[0], in[1]);
  return {in[1]};
}

/// What is known about the labels before they are there.
struct LabelAttrs {
  bool wide, has_ignored;
  std::int64_t ignored;

  LabelAttrs(const TensorSpec& labels, const Attrs& attrs)
      : wide(labels.dtype == DType::I64),
        has_ignored(attrs.has("ignore_class")),
        ignored(attrs.integer("ignore_class", 0)) {}

  /// Throws when a label that counts is not a class.
  Labels check(const void* data, const Rows& rows) const {
    const Labels labels{data, wide, has_ignored, ignored};
    const std::int64_t row = first_bad_label(labels, rows.count, rows.size);
    if (row >= 0) throw label_out_of_range(labels.at(row), row, rows.size);
    return labels;
  }
};

Kernel plan_sparse_softmax_xent(SpecSpan in, SpecSpan, const Attrs& attrs) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[0]), label_attrs = LabelAttrs(in[1], attrs)](const Buffers& b) {
                  const Labels labels = label_attrs.check(b.in[1], rows);
                  softmax_kernels<T>().sparse_xent_logits(rows.count, rows.size, b.input<T>(0), labels, b.output<T>(0));
                },
            .label = "sparse_softmax_xent",
            .flops = 4.0 * static_cast<double>(in[0].shape.elements()),
            .may_fail = true};
  });
}

Kernel plan_sparse_softmax_xent_grad(SpecSpan in, SpecSpan, const Attrs& attrs) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[1]), label_attrs = LabelAttrs(in[2], attrs)](const Buffers& b) {
                  const Labels labels = label_attrs.check(b.in[2], rows);
                  softmax_kernels<T>().sparse_xent_logits_grad(rows.count, rows.size, b.input<T>(0), b.input<T>(1),
                                                               labels, b.output<T>(0));
                },
            .label = "sparse_softmax_xent_grad",
            .flops = 5.0 * static_cast<double>(in[1].shape.elements()),
            .in_place = in_place_rows(rows_of(in[1]).size, {{0, 1}}),
            .may_fail = true};
  });
}

Kernel plan_sparse_xent(SpecSpan in, SpecSpan, const Attrs& attrs) {
  const double epsilon = attrs.number("epsilon", 1e-7);
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[0]), epsilon, label_attrs = LabelAttrs(in[1], attrs)](const Buffers& b) {
                  const Labels labels = label_attrs.check(b.in[1], rows);
                  softmax_kernels<T>().sparse_xent(rows.count, rows.size, epsilon, b.input<T>(0), labels,
                                                   b.output<T>(0));
                },
            .label = "sparse_xent",
            .flops = static_cast<double>(in[0].shape.elements()),
            .may_fail = true};
  });
}

Kernel plan_sparse_xent_grad(SpecSpan in, SpecSpan, const Attrs& attrs) {
  const double epsilon = attrs.number("epsilon", 1e-7);
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [rows = rows_of(in[1]), epsilon, label_attrs = LabelAttrs(in[2], attrs)](const Buffers& b) {
                  const Labels labels = label_attrs.check(b.in[2], rows);
                  softmax_kernels<T>().sparse_xent_grad(rows.count, rows.size, epsilon, b.input<T>(0), b.input<T>(1),
                                                        labels, b.output<T>(0));
                },
            .label = "sparse_xent_grad",
            .flops = static_cast<double>(in[1].shape.elements()),
            .may_fail = true};
  });
}

std::vector<Tensor> vjp_sparse_softmax_xent(const VjpContext& c) {
  return {apply("sparse_softmax_xent_grad", {c.dout[0], c.in[0], c.in[1]}, c.attrs), Tensor()};
}

// dlogits = dloss * (p - one_hot), given the gradient g of dlogits. An ignored row has dlogits 0: its loss's gradient
// is 0.
std::vector<Tensor> vjp_sparse_softmax_xent_grad(const VjpContext& c) {
  const Tensor &dloss = c.in[0], &logits = c.in[1], &labels = c.in[2], &g = c.dout[0];
  std::vector<Tensor> d(3);
  const Tensor per_loss = apply("sparse_softmax_xent_grad", {ops::ones_like(dloss), logits, labels}, c.attrs);
  if (c.wanted[0]) d[0] = ops::sum(mul(g, per_loss), {-1});
  if (c.wanted[1]) {
    // 0 for ignored rows. A row that p predicts exactly looks like one, but has no curvature either.
    const Tensor counts =
        ops::cast(apply("not_equal", {sum_last(mul(per_loss, per_loss)), ops::scalar_like(logits, 0)}), logits.dtype());
    d[1] = apply("softmax_grad", {mul(mul(g, as_column(dloss, logits)), counts), apply("softmax", {logits})});
  }
  return d;
}

std::vector<Tensor> vjp_sparse_xent(const VjpContext& c) {
  return {apply("sparse_xent_grad", {c.dout[0], c.in[0], c.in[1]}, c.attrs), Tensor()};
}

// dprobs = dloss * q with q = 1 / S - one_hot / p and S = sum p, 0 where the clip holds; given the gradient g of
// dprobs.
std::vector<Tensor> vjp_sparse_xent_grad(const VjpContext& c) {
  const Tensor &dloss = c.in[0], &probs = c.in[1], &labels = c.in[2], &g = c.dout[0];
  const Tensor q = apply("sparse_xent_grad", {ops::ones_like(dloss), probs, labels}, c.attrs);
  std::vector<Tensor> d(3);
  if (c.wanted[0]) d[0] = ops::sum(mul(g, q), {-1});
  if (!c.wanted[1]) return d;
  const Tensor inside = ops::cast(apply("not_equal", {sum_last(mul(q, q)), ops::scalar_like(q, 0)}), q.dtype());
  const Tensor share = inside / sum_last(probs);  // 1 / S, 0 where the clip holds
  const Tensor hit = sub(share, q);               // one_hot / p
  d[1] = mul(as_column(dloss, probs), sub(mul(g, mul(hit, hit)), mul(sum_last(g), mul(share, share))));
  return d;
}

// ---- sigmoid_xent

Specs infer_sigmoid_xent(SpecSpan in, const Attrs&) {
  expect_inputs(in, 2);
  expect_target_like(in[0], in[1]);
  return {in[0]};
}

Specs infer_sigmoid_xent_grad(SpecSpan in, const Attrs&) {
  expect_inputs(in, 3);
  expect_target_like(in[1], in[2]);
  expect_target_like(in[1], in[0]);
  return {in[1]};
}

Kernel plan_sigmoid_xent(SpecSpan in, SpecSpan, const Attrs&) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [n = in[0].shape.elements()](const Buffers& b) {
                  softmax_kernels<T>().sigmoid_xent(n, b.input<T>(0), b.input<T>(1), b.output<T>(0));
                },
            .label = "sigmoid_xent",
            .flops = 6.0 * static_cast<double>(in[0].shape.elements()),
            .in_place = {{0, 0}, {0, 1}}};
  });
}

Kernel plan_sigmoid_xent_grad(SpecSpan in, SpecSpan, const Attrs&) {
  return for_float_type(in[0].dtype, [&](auto zero) -> Kernel {
    using T = decltype(zero);
    return {.run =
                [n = in[0].shape.elements()](const Buffers& b) {
                  softmax_kernels<T>().sigmoid_xent_grad(n, b.input<T>(0), b.input<T>(1), b.input<T>(2),
                                                         b.output<T>(0));
                },
            .label = "sigmoid_xent_grad",
            .flops = 5.0 * static_cast<double>(in[0].shape.elements()),
            .in_place = {{0, 0}, {0, 1}, {0, 2}}};
  });
}

std::vector<Tensor> vjp_sigmoid_xent(const VjpContext& c) {
  std::vector<Tensor> d(2);
  if (c.wanted[0]) d[0] = apply("sigmoid_xent_grad", {c.dout[0], c.in[0], c.in[1]});
  if (c.wanted[1]) d[1] = neg(mul(c.dout[0], c.in[0]));
  return d;
}

// dlogits = dloss * (s - t) with s = sigmoid(logits), given the gradient g of dlogits.
std::vector<Tensor> vjp_sigmoid_xent_grad(const VjpContext& c) {
  const Tensor &dloss = c.in[0], &target = c.in[2], &g = c.dout[0];
  const Tensor s = ops::unary("sigmoid", c.in[1]);
  std::vector<Tensor> d(3);
  if (c.wanted[0]) d[0] = mul(g, sub(s, target));
  if (c.wanted[1]) d[1] = apply("sigmoid_grad", {mul(g, dloss), s});
  if (c.wanted[2]) d[2] = neg(mul(g, dloss));
  return d;
}

}  // namespace

void register_softmax() {
  const auto add_op = [](const char* name, auto infer, auto plan, auto vjp) {
    register_primitive({.name = name, .infer = infer, .plan = on_float32(plan), .vjp = vjp});
  };
  add_op("softmax", infer_softmax, plan_softmax<false>, vjp_softmax);
  add_op("log_softmax", infer_softmax, plan_softmax<true>, vjp_log_softmax);
  add_op("softmax_grad", infer_softmax_grad, plan_softmax_grad<false>, vjp_softmax_grad);
  add_op("log_softmax_grad", infer_softmax_grad, plan_softmax_grad<true>, vjp_log_softmax_grad);
  add_op("softmax_xent", infer_softmax_xent, plan_softmax_xent, vjp_softmax_xent);
  add_op("softmax_xent_grad", infer_softmax_xent_grad, plan_softmax_xent_grad, vjp_softmax_xent_grad);
  add_op("sparse_softmax_xent", infer_sparse_xent, plan_sparse_softmax_xent, vjp_sparse_softmax_xent);
  add_op("sparse_softmax_xent_grad", infer_sparse_xent_grad, plan_sparse_softmax_xent_grad,
         vjp_sparse_softmax_xent_grad);
  add_op("sparse_xent", infer_sparse_xent, plan_sparse_xent, vjp_sparse_xent);
  add_op("sparse_xent_grad", infer_sparse_xent_grad, plan_sparse_xent_grad, vjp_sparse_xent_grad);
  add_op("sigmoid_xent", infer_sigmoid_xent, plan_sigmoid_xent, vjp_sigmoid_xent);
  add_op("sigmoid_xent_grad", infer_sigmoid_xent_grad, plan_sigmoid_xent_grad, vjp_sigmoid_xent_grad);
}

}  // namespace dlcore
