// The `activation` attribute: an activation that a primitive applies to its own result.
#pragma once

#include "kernels/activation.h"
#include "program/primitive.h"

namespace dlcore {

/// "" (none), "relu", "sigmoid", "tanh", "gelu", "gelu_tanh" (gelu with approximate=true), "silu" or "softplus".
Activation activation_of(const Attrs& attrs);

/// Gradient of what the activation was applied to. y: its result, dy: the gradient of y, before(): computes again what
/// it was applied to; it is called only when there is an activation.
Tensor activation_gradient(const Attrs& attrs, const Tensor& y, const Tensor& dy,
                           const std::function<Tensor()>& before);

/// The attributes without the activation.
Attrs without_activation(const Attrs& attrs);

}  // namespace dlcore
