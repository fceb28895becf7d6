// A convolution of unit stride, turned: from y to x, its taps in reverse order. For turned weights its gradient to the
// input is the convolution's output, and its gradient to the weights the convolution's, turned.
#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/movement/movement.h"

namespace dlcore {

/// shape.groups is 1.
ConvShape turned(const ConvShape& shape);

/// From weights [taps, rows, cols] to [taps, cols, rows], the taps in reverse order.
StridedCopy turn_weights(std::int64_t taps, std::int64_t rows, std::int64_t cols, std::int64_t bytes);

}  // namespace dlcore
