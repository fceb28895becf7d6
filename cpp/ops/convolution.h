// Shapes of two-dimensional convolutions, as attributes and tensors give them.
#pragma once

#include "kernels/conv/conv.h"
#include "program/primitive.h"

namespace dlcore {

/// Checks images, weights and attributes against each other; returns the shape of the output.
Shape conv2d_output(const TensorSpec& x, const TensorSpec& w, const Attrs& attrs);

/// What the kernels take, for known shapes that have been checked.
ConvShape conv_shape(const Shape& x, const Shape& w, const Shape& y, const Attrs& attrs);

/// The attributes of the convolution whose gradient to the input a conv2d_transpose with filters w is.
Attrs convolution_behind(const Attrs& attrs, const Shape& w);

}  // namespace dlcore
