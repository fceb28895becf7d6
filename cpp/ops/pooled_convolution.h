// What a pass needs to know about the gradients of convolutions in front of max pooling.
#pragma once

#include <optional>

#include "program/primitive.h"

namespace dlcore {

/// The attributes of conv2d_pooled_backward_input and _weights for a convolution with these attributes, images and
/// weights, whose output max_pool2d pools with those; none where they would not save work.
std::optional<Attrs> pooled_convolution(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w);

}  // namespace dlcore
