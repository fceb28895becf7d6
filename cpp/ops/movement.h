// Movement as copies, for devices that have a kernel for these.
#pragma once

#include "kernels/movement/movement.h"
#include "program/primitive.h"

namespace dlcore {

/// A copy, simplified, from one of a node's inputs to one of its outputs.
struct Move {
  StridedCopy copy;
  int in = 0, out = 0;
};

/// What transpose, broadcast_to, broadcast_like, concat, split, split_like, slice, slice_grad (into zeros), tile or
/// flip does.
std::vector<Move> moves_of(std::string_view primitive, std::span<const TensorSpec> in, std::span<const TensorSpec> out,
                           const Attrs& attrs);

}  // namespace dlcore
