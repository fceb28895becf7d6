// Resampling along an axis, or along two adjacent ones: kernels/resample/resample.h on the device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <span>

#include "dlcore/dtype.h"
#include "kernels/resample/resample.h"

namespace dlcore::cuda {

/// steps: one or two, the second on what the first gives; dtype: of the weights.
std::size_t resample_scratch_bytes(std::span<const ResampleShape> steps, DType dtype);

/// in: x, of `dtype` or uint8, then the weights of each step.
void resample(cudaStream_t stream, std::span<const ResampleShape> steps, DType x_dtype, DType dtype,
              const void* const* in, void* y, void* scratch);

}  // namespace dlcore::cuda
