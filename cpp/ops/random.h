// Dropout, as attributes and shapes give it.
#pragma once

#include "kernels/random/random.h"
#include "program/primitive.h"

namespace dlcore {

/// The mask's strides where the axes of `noise_axes` share it, and its number of elements.
struct MaskPlan {
  SharedMask mask{};
  std::int64_t elements = 1;
  bool shared = false;
};
MaskPlan mask_plan(const Shape& x, const Attrs& attrs);

struct DropoutNumbers {
  std::uint32_t threshold;  // of 16 bits: from it on an element is kept
  double scale;
};
DropoutNumbers dropout_numbers(const Attrs& attrs);

}  // namespace dlcore
