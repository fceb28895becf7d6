// Checks that shape rules share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dlcore/error.h"
#include "dlcore/tensor.h"

namespace dlcore {

inline void expect_inputs(std::span<const TensorSpec> in, std::size_t least, std::size_t most) {
  if (in.size() >= least && in.size() <= most) return;
  throw value_error("got ", in.size(), in.size() == 1 ? " input" : " inputs", "; expected ", least,
                    least == most ? "" : str(" to ", most), ".");
}
inline void expect_inputs(std::span<const TensorSpec> in, std::size_t count) { expect_inputs(in, count, count); }

/// One of them may be unknown, or both are the same.
inline bool sizes_agree(std::int64_t a, std::int64_t b) {
  return a == b || a == Shape::kUnknown || b == Shape::kUnknown;
}

inline bool shapes_agree(const Shape& a, const Shape& b) {
  bool agree = a.rank() == b.rank();
  for (int axis = 0; agree && axis < a.rank(); ++axis) agree = sizes_agree(a[axis], b[axis]);
  return agree;
}

/// `x` has the dtype and, as far as both are known, the shape of `like`.
inline void expect_like(const char* name, const TensorSpec& x, const char* like_name, const TensorSpec& like) {
  if (x.dtype != like.dtype || !shapes_agree(x.shape, like.shape))
    throw value_error(name, " is ", x, "; expected ", like, " like ", like_name, ".");
}

/// Results are int32 indices along the axis.
inline void expect_countable(const TensorSpec& x, int axis) {
  if (x.shape[axis] > INT32_MAX)
    throw value_error("axis ", axis, " of ", x, " is too long; expected at most ", INT32_MAX, " elements.");
}

/// The known one of two sizes that agree.
inline std::int64_t known_size(std::int64_t a, std::int64_t b) { return a == Shape::kUnknown ? b : a; }

}  // namespace dlcore
