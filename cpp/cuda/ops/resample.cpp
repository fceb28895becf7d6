// Weighted sums along an axis, or two.
#include "ops/resample.h"

#include <vector>

#include "cuda/kernels/resample.h"
#include "cuda/ops/families.h"

namespace dlcore::cuda {

namespace {

Kernel plan_resample(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs,
                     const Context& context) {
  std::vector<ResampleShape> steps{resample_shape(in, attrs)};
  if (in.size() == 3) steps.push_back(next_resample_shape(steps[0], in, attrs));
  return {.run = [steps, x = in[0].dtype, dtype = out[0].dtype,
                  &context](const Buffers& b) { resample(context.stream, steps, x, dtype, b.in, b.out[0], b.scratch); },
          .scratch_bytes = resample_scratch_bytes(steps, out[0].dtype),
          .label = "resample"};
}

}  // namespace

void register_resample() { register_kernel("resample", plan_resample); }

}  // namespace dlcore::cuda
