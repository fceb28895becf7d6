// Windows that slide over the two image axes of NHWC tensors: what convolution and pooling have in common.
#pragma once

#include <array>
#include <string>

#include "program/primitive.h"

namespace dlcore {

enum class Padding { Valid, Same, Explicit };

struct Window {
  std::array<std::int64_t, 2> sizes, strides, dilation;
  Padding padding;
  std::array<std::int64_t, 4> pads;  // top, bottom, left, right; read when padding is Explicit

  /// Pixels from the first to the last tap.
  std::int64_t extent(int axis) const { return (sizes[axis] - 1) * dilation[axis] + 1; }
};

/// Reads strides, dilation, padding and pads. sizes: of the window.
Window read_window(const Attrs& attrs, std::int64_t size_h, std::int64_t size_w);

/// Positions of the window along an image axis (0: height, 1: width) of that size; unknown for an unknown size.
/// Throws when the window does not fit.
std::int64_t window_positions(const Window& window, int axis, std::int64_t size);

/// Padding before the first pixel. "same" puts what is odd at the end.
std::int64_t pad_before(const Window& window, int axis, std::int64_t size);

/// "window (3, 3), strides (2, 2), padding 'same'"
std::string text_of(const Window& window);

}  // namespace dlcore
