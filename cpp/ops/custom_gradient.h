// Gradients that a function outside of the core gives.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dlcore/tensor.h"

namespace dlcore {

/// The gradients of inputs, given the key of a custom_gradient node, its inputs (behind those passed on), its outputs
/// and their gradients (an empty Tensor where none flows). One per input, empty where none flows.
using GradientFunction =
    std::function<std::vector<Tensor>(std::int64_t key, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                                      std::span<const Tensor> gradients)>;

/// Sets what the vjp of "custom_gradient" calls: one function for all keys.
void set_gradient_function(GradientFunction function);

}  // namespace dlcore
