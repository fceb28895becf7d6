// Images sampled at other places.
#include "ops/sampling.h"

#include "cuda/kernels/sampling.h"
#include "cuda/ops/families.h"

namespace dlcore::cuda {

namespace {

Kernel plan_projective_transform(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs,
                                 const Context& context) {
  return {.run =
              [transform = projective_transform_of(in, attrs), dtype = in[0].dtype, &context](const Buffers& b) {
                projective_transform(context.stream, dtype, transform, b.in[0], b.in[1], b.out[0]);
              },
          .label = "projective_transform"};
}

}  // namespace

void register_sampling() { register_kernel("projective_transform", plan_projective_transform); }

}  // namespace dlcore::cuda
