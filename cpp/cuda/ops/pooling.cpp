// Max and average pooling.
#include "ops/pooling.h"

#include "cuda/kernels/pool.h"
#include "cuda/ops/families.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

Kernel plan_max_pool(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {.run = [shape = pool_shape(in[0].shape, out[0].shape, attrs), dtype = in[0].dtype, argmax = out[1].dtype,
                  &context](
                     const Buffers& b) { max_pool(context.stream, dtype, argmax, shape, b.in[0], b.out[0], b.out[1]); },
          .label = "max_pool2d"};
}
Kernel plan_max_pool_grad(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {
      .run = [shape = pool_shape(out[0].shape, in[0].shape, attrs), dtype = in[0].dtype, argmax = in[1].dtype,
              &context](
                 const Buffers& b) { max_pool_grad(context.stream, dtype, argmax, shape, b.in[0], b.in[1], b.out[0]); },
      .label = "max_pool2d_grad"};
}
Kernel plan_max_pool_take(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {
      .run = [shape = pool_shape(in[0].shape, out[0].shape, attrs), dtype = in[0].dtype, argmax = in[1].dtype,
              &context](
                 const Buffers& b) { max_pool_take(context.stream, dtype, argmax, shape, b.in[0], b.in[1], b.out[0]); },
      .label = "max_pool2d_take"};
}
Kernel plan_avg_pool(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {.run = [shape = pool_shape(in[0].shape, out[0].shape, attrs), dtype = in[0].dtype,
                  &context](const Buffers& b) { average_pool(context.stream, dtype, shape, b.in[0], b.out[0]); },
          .label = "avg_pool2d"};
}
Kernel plan_avg_pool_grad(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  return {.run = [shape = pool_shape(out[0].shape, in[0].shape, attrs), dtype = in[0].dtype,
                  &context](const Buffers& b) { average_pool_grad(context.stream, dtype, shape, b.in[0], b.out[0]); },
          .label = "avg_pool2d_grad"};
}

}  // namespace

void register_pooling() {
  register_kernel("max_pool2d", plan_max_pool);
  register_kernel("max_pool2d_grad", plan_max_pool_grad);
  register_kernel("max_pool2d_take", plan_max_pool_take);
  register_kernel("avg_pool2d", plan_avg_pool);
  register_kernel("avg_pool2d_grad", plan_avg_pool_grad);
}

}  // namespace dlcore::cuda
