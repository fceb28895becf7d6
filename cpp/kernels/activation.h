// Activations that kernels can apply to a result while it is still in registers or cache.
#pragma once

namespace dlcore {

enum class Activation { None, Relu, Sigmoid, Tanh, Gelu, GeluTanh, Silu, Softplus };

}  // namespace dlcore
