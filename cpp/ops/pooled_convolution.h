// What passes need to know about convolutions in front of max pooling.
#pragma once

#include <optional>

#include "program/primitive.h"

namespace dlcore {

/// For a convolution with these attributes, images and weights, whose output max_pool2d pools with those: the
/// attributes of conv2d_max_pool2d, none where that would not be faster;
std::optional<Attrs> pooled_convolution(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w);
/// and of conv2d_pooled_backward_input and _weights, none where they would not save work.
std::optional<Attrs> pooled_gradient(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w);

}  // namespace dlcore
