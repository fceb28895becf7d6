// Optimizer updates of many tensors in few launches: one pass over weights, gradients and states, the rules of
// kernels/optim/rules.inc, in the order of their operations. Per element of a float32 Adam update 16 bytes are read and
// 12 written.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "kernels/optim/optim.h"

namespace dlcore::cuda {

/// The coefficients of a step: those that are known before, and where the others come from.
struct StepCoefficients {
  double known[6];
  const float* lr;           // device memory
  const std::int64_t* step;  // likewise; null but for Adam: then number 0 is corrected for the step, number 5 is lr
};

/// One tensor: n elements; weight, gradient and states, and where the new weight and states go (may be the same).
struct UpdateTensor {
  std::int64_t n;
  UpdateTile tile;
};

/// guard: null, or nothing is written unless *guard is 0 when it runs.
void update_tensors(cudaStream_t stream, UpdateRule rule, DType dtype, const std::vector<UpdateTensor>& tensors,
                    const StepCoefficients& coefficients, const int* guard);

}  // namespace dlcore::cuda
