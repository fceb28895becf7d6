// Movement as copies: for what fills and pads, and for devices that have a kernel for these.
#pragma once

#include <limits>
#include <optional>

#include "kernels/movement/movement.h"
#include "program/primitive.h"

namespace dlcore {

using Integers = std::vector<std::int64_t>;

/// As a stop of a slice: whatever the size of the axis.
inline constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

/// A list attribute that has not one entry for each axis.
Error wrong_length(const char* attribute, const Integers& numbers, const TensorSpec& x);
/// Byte strides of a row-major array.
Integers strides_of(const Shape& shape, std::int64_t element);
StridedCopy copy_of(DType dtype);

/// What a slice takes, elements [first, last) of one axis, where it takes all others whole.
struct SlicedAxis {
  int axis;
  std::int64_t first, last;
};
/// Of a slice of x with these attributes; nothing where it is of no or of several axes, or with strides.
std::optional<SlicedAxis> sliced_axis(const TensorSpec& x, const Attrs& attrs);

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
