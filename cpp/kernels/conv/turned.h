// A convolution of unit stride, turned: from y to x, its taps in reverse order. For turned weights its gradient to the
// input is the convolution's output, and its gradient to the weights the convolution's, turned.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/movement/movement.h"

namespace dlcore {

/// shape.groups is 1.
ConvShape turned(const ConvShape& shape);

/// From weights [taps, rows, cols] to [taps, cols, rows], the taps in reverse order.
StridedCopy turn_weights(std::int64_t taps, std::int64_t rows, std::int64_t cols, std::int64_t bytes);

/// A part of the gradient to the input of a convolution of any strides: the pixels of x of one residue of them.
struct TurnedPart {
  ConvShape conv;       // from dy to the pixels, of unit stride
  StridedCopy weights;  // those of conv out of the whole's
  StridedCopy pixels;   // from conv's output to where they lie in dx; of one element, zero, where conv has no taps
  std::int64_t first;   // of the pixels, in an image of x
  Residue residue;

  bool has_taps() const { return conv.kh > 0 && conv.kw > 0; }
};
/// Those that have pixels. An axis has unit stride or unit dilation, and shape.groups is 1.
std::vector<TurnedPart> turned_parts(const ConvShape& shape, std::int64_t bytes);

}  // namespace dlcore
