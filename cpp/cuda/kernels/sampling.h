// Images sampled at other places, as kernels/sampling/ has it: a thread per pixel and channel of the result.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/sampling/projective_transform.h"

namespace dlcore::cuda {

void projective_transform(cudaStream_t stream, DType dtype, const ProjectiveTransform& transform, const void* images,
                          const void* matrices, void* result);

}  // namespace dlcore::cuda
