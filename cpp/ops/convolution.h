// Shapes of two-dimensional convolutions, as attributes and tensors give them.
#pragma once

#include <string>

#include "kernels/conv/conv.h"
#include "program/primitive.h"

namespace dlcore {

/// Checks images, weights and attributes against each other; returns the shape of the output.
Shape conv2d_output(const TensorSpec& x, const TensorSpec& w, const Attrs& attrs);

/// What the kernels take, for known shapes that have been checked.
ConvShape conv_shape(const Shape& x, const Shape& w, const Shape& y, const Attrs& attrs);

/// The attributes of the convolution whose gradient to the input a conv2d_transpose with filters w is.
Attrs convolution_behind(const Attrs& attrs, const Shape& w);

/// The attribute of a convolution whose last input is what conv2d_winograd_filters made of its filters.
inline constexpr const char* kHasFilters = "has_filters";
/// The other inputs: images, filters and, perhaps, bias.
std::span<const TensorSpec> without_filters(std::span<const TensorSpec> in, const Attrs& attrs);
/// Whether it pays to keep the transformed filters from run to run.
bool keeps_filters(DType dtype, const ConvShape& conv);

/// Whether the processor's matrix unit computes the convolution of images x with filters w, and its gradient to the
/// filters: then pooling behind it has little to save.
bool takes_matrix_unit(const TensorSpec& x, const TensorSpec& w, const Attrs& attrs);

/// Whether Winograd's algorithm computes such a convolution. Of 3x3 filters with unit strides (is_unit_3x3) it can pool
/// what it computes.
bool takes_winograd(DType dtype, const ConvShape& conv, bool has_filters);
/// "conv2d_winograd_f32_avx2"; type: of the images.
std::string winograd_label(const char* op, const char* type = "f32");

}  // namespace dlcore
