// Shapes of pooling, as attributes and tensors give them.
#pragma once

#include "kernels/pool/pool.h"
#include "program/primitive.h"

namespace dlcore {

/// What the kernels take, for known shapes that have been checked.
PoolShape pool_shape(const Shape& x, const Shape& y, const Attrs& attrs);

}  // namespace dlcore
