// What the graph's fusion pass needs to know of elementwise primitives.
#pragma once

#include <optional>
#include <span>

#include "kernels/pointwise/program.h"
#include "program/primitive.h"

namespace dlcore {

/// The instruction that an elementwise node is, its operands not yet set; nothing when the primitive is another kind.
std::optional<Instruction> instruction_of(const Primitive& op, std::span<const TensorSpec> in, const Attrs& attrs);

}  // namespace dlcore
