// Kernels for 16-bit floats made of float32 kernels: operands are converted before, results after.
#pragma once

#include "program/primitive.h"

namespace dlcore {

/// The same specs, with 16-bit floats as float32.
Specs widened(std::span<const TensorSpec> specs);

/// `kernel` was planned for the widened specs. shape_only: inputs that have no buffer, as in Primitive.
Kernel narrowed(Kernel kernel, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                unsigned shape_only = 0);

}  // namespace dlcore
