// Random tensors and dropout.
#include "cuda/kernels/random.h"

#include "cuda/ops/families.h"
#include "ops/random.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

void add(const char* name, Distribution distribution, const char* a, double a_default, const char* b) {
  register_kernel(name, [=](SpecSpan, SpecSpan out, const Attrs& attrs, const Context& context) -> Kernel {
    return {.run =
                [=, spec = out[0], first = attrs.number(a, a_default), second = attrs.number(b, 1),
                 &context](const Buffers& buffers) {
                  random_floats(context.stream, distribution, spec.dtype, buffers.input<std::int64_t>(0),
                                spec.shape.elements(), first, second, buffers.out[0]);
                },
            .label = name};
  });
}

Kernel plan_random_int(SpecSpan, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {
      .run =
          [spec = out[0], low = attrs.integer("low", 0), high = attrs.integer("high", 0), &context](const Buffers& b) {
            random_integers(context.stream, spec.dtype, b.input<std::int64_t>(0), spec.shape.elements(), low, high,
                            b.out[0]);
          },
      .label = "random_int"};
}

Kernel plan_dropout(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const MaskPlan plan = mask_plan(in[0].shape, attrs);
  auto run = [=, numbers = dropout_numbers(attrs), spec = in[0], &context](const Buffers& b) {
    const auto* seed = b.input<std::int64_t>(1);
    if (plan.shared)
      shared_dropout(context.stream, spec.dtype, seed, plan.mask, numbers.threshold, numbers.scale, b.in[0], b.out[0]);
    else
      dropout(context.stream, spec.dtype, seed, spec.shape.elements(), numbers.threshold, numbers.scale, b.in[0],
              b.out[0]);
  };
  return {.run = run, .label = plan.shared ? "dropout_shared" : "dropout", .in_place = {{0, 0}}};
}

}  // namespace

void register_random() {
  add("random_uniform", Distribution::Uniform, "low", 0, "high");
  add("random_normal", Distribution::Normal, "mean", 0, "stddev");
  add("random_truncated_normal", Distribution::TruncatedNormal, "mean", 0, "stddev");
  register_kernel("random_int", plan_random_int);
  register_kernel("random_permutation", [](SpecSpan, SpecSpan out, const Attrs&, const Context& context) -> Kernel {
    return {.run =
                [n = out[0].shape[0], &context](const Buffers& b) {
                  random_permutation(context.stream, b.input<std::int64_t>(0), n, b.output<std::int64_t>(0));
                },
            .label = "random_permutation"};
  });
  register_kernel("dropout", plan_dropout);
}

}  // namespace dlcore::cuda
