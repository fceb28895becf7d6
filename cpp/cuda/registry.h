// The kernels that the plug-in has, by primitive.
#pragma once

#include "cuda/context.h"

namespace dlcore::cuda {

/// Null when there is none.
const PlanKernel* find_kernel(std::string_view primitive);

}  // namespace dlcore::cuda
