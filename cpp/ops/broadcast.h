// NumPy's broadcasting of shapes whose sizes may be unknown.
#pragma once

#include <algorithm>

#include "dlcore/shape.h"

namespace dlcore {

/// Axes are aligned at the last; a size of 1 takes the other's. An unknown size with 1 stays unknown, with n > 1 it is
/// n.
inline Shape broadcast_shapes(const Shape& a, const Shape& b) {
  Shape result;
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - rank + a.rank(), in_b = axis - rank + b.rank();
    const std::int64_t size_a = in_a < 0 ? 1 : a[in_a], size_b = in_b < 0 ? 1 : b[in_b];
    if (size_a == 1 || (size_a == Shape::kUnknown && size_b != 1)) {
      result.push_back(size_b);
    } else {
      if (size_b != 1 && size_b != Shape::kUnknown && size_a != size_b)
        throw value_error("shapes ", a, " and ", b, " can't be broadcast together: axis ", axis - rank, " has ", size_a,
                          " and ", size_b, " elements. Sizes must be equal, or one of them 1.");
      result.push_back(size_a);
    }
  }
  return result;
}

}  // namespace dlcore
