// Axes as the attributes of primitives name them.
#pragma once

#include "program/primitive.h"

namespace dlcore {

/// Counts a negative axis from the end. Throws when it is not in [-rank, rank).
inline int resolve_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    throw value_error("axis ", axis, " is out of range for ", rank, rank == 1 ? " axis" : " axes", "; expected ", -rank,
                      " <= axis < ", rank, ".");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

/// A tensor seen from one axis: x[outer, size, inner].
struct AxisView {
  std::int64_t outer, size, inner;
};

inline AxisView view_along(const Shape& shape, int axis) {
  return {shape.product(0, axis), shape[axis], shape.product(axis + 1, shape.rank())};
}

}  // namespace dlcore
