// Shapes of sampling, as attributes and tensors give them.
#pragma once

#include "kernels/sampling/projective_transform.h"
#include "program/primitive.h"

namespace dlcore {

/// What the kernels take, for known shapes that have been checked.
ProjectiveTransform projective_transform_of(std::span<const TensorSpec> in, const Attrs& attrs);

}  // namespace dlcore
