// What passes and other devices need to know about convolutions in front of max pooling.
#pragma once

#include <optional>

#include "kernels/conv/conv.h"
#include "kernels/pool/pool.h"
#include "program/primitive.h"

namespace dlcore {

/// For a convolution with these attributes, images and weights, whose output max_pool2d pools with those: the
/// attributes of conv2d_max_pool2d, none where that would not be faster;
std::optional<Attrs> pooled_convolution(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w);
/// and of conv2d_pooled_backward_input and _weights, none where they would not save work.
std::optional<Attrs> pooled_gradient(const Attrs& conv, const Attrs& pool, const TensorSpec& x, const TensorSpec& w);

/// What the kernels take, from the shapes of images, filters and the pooled output.
struct PooledShape {
  ConvShape conv;
  PoolShape pool;
};
PooledShape pooled_shape(const Shape& x, const Shape& w, const Shape& pooled, const Attrs& attrs);

}  // namespace dlcore
