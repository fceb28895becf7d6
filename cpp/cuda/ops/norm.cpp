// Batch and layer normalisation.
#include "cuda/kernels/norm.h"

#include "cuda/ops/families.h"
#include "ops/activation.h"
#include "ops/axis.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

ChannelShape channels_of(const TensorSpec& x, const Attrs& attrs, const Context& context) {
  const AxisView view = view_along(x.shape, resolve_axis(attrs.integer("axis", -1), x.shape.rank()));
  return {view.outer, view.size, view.inner, context.sm_count};
}

/// x as [rows, size]: all axes from `axis` on are one row.
ChannelShape rows_of(const TensorSpec& x, const Attrs& attrs, const Context& context) {
  const int rank = x.shape.rank(), first = resolve_axis(attrs.integer("axis", -1), rank);
  return {x.shape.product(0, first), x.shape.product(first, rank), 1, context.sm_count};
}

Kernel plan_batch_norm(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const ChannelShape shape = channels_of(in[0], attrs, context);
  return {.run =
              [=, dtype = in[0].dtype, epsilon = attrs.number("epsilon", 1e-3),
               relu = activation_of(attrs) == Activation::Relu, &context](const Buffers& b) {
                batch_norm(context.stream, dtype, shape, epsilon, relu, b.in[0], b.in[1], b.in[2], b.out[0], b.out[1],
                           b.out[2], b.out[3], b.scratch);
              },
          .scratch_bytes = shape.scratch_bytes(),
          .label = "batch_norm",
          .in_place = {{0, 0}}};
}

Kernel plan_batch_norm_grad(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const ChannelShape shape = channels_of(in[0], attrs, context);
  return {.run =
              [=, dtype = in[0].dtype, relu = in.size() == 6, &context](const Buffers& b) {
                batch_norm_grad(context.stream, dtype, shape, b.in[0], b.in[1], relu ? b.in[5] : nullptr, b.in[2],
                                b.in[3], b.in[4], b.out[0], b.out[1], b.out[2], b.scratch);
              },
          .scratch_bytes = shape.scratch_bytes(),
          .label = "batch_norm_grad",
          .in_place = {{0, 4}, {0, 0}}};
}

Kernel plan_layer_norm(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const ChannelShape shape = rows_of(in[0], attrs, context);
  return {.run =
              [=, dtype = in[0].dtype, epsilon = attrs.number("epsilon", 1e-3), &context](const Buffers& b) {
                layer_norm(context.stream, dtype, shape.outer, shape.channels, epsilon, b.in[0], b.in[1], b.in[2],
                           b.out[0], b.out[1], b.out[2]);
              },
          .label = "layer_norm",
          .in_place = {{0, 0}}};
}

Kernel plan_layer_norm_grad(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const ChannelShape shape = rows_of(in[0], attrs, context);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                layer_norm_grad(context.stream, dtype, shape, b.in[0], b.in[1], b.in[2], b.in[3], b.in[4], b.out[0],
                                b.out[1], b.out[2], b.scratch);
              },
          .scratch_bytes = shape.scratch_bytes(),
          .label = "layer_norm_grad",
          .in_place = {{0, 4}, {0, 0}}};
}

}  // namespace

void register_norm() {
  register_kernel("batch_norm", plan_batch_norm);
  register_kernel("batch_norm_grad", plan_batch_norm_grad);
  register_kernel("layer_norm", plan_layer_norm);
  register_kernel("layer_norm_grad", plan_layer_norm_grad);
}

}  // namespace dlcore::cuda
