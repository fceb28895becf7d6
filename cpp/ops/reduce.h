// Reductions in the one form that kernels know.
#pragma once

#include <array>
#include <optional>

#include "kernels/movement/movement.h"
#include "program/primitive.h"

namespace dlcore {

using AxisSet = std::array<bool, Shape::kMaxRank>;

/// The axes that the attribute `axes` names, all of them when it is empty.
AxisSet reduced_axes(const Shape& shape, const Attrs& attrs);
/// The axes of x that `like` was broadcast along.
AxisSet broadcast_axes(const Shape& x, const Shape& like);

/// x[outer, reduce, inner], reduced in the middle.
struct ReduceForm {
  std::int64_t outer = 1, reduce = 1, inner = 1;
  std::optional<StridedCopy> copy;  // first, when the reduced axes don't lie side by side
};
ReduceForm form_of(const TensorSpec& x, const AxisSet& reduced);

}  // namespace dlcore
