// The activations that kernels apply to their results.
#pragma once

#include "cuda/kernels/device.h"
#include "cuda/kernels/pointwise_math.cuh"
#include "kernels/activation.h"

namespace dlcore::cuda {

template <class M>
__device__ M activate(M x, Activation activation) {
  switch (activation) {
    case Activation::Relu:
      return dlcore_math::op_relu(x);
    case Activation::Sigmoid:
      return dlcore_math::op_sigmoid(x);
    case Activation::Tanh:
      return dlcore_math::op_tanh(x);
    case Activation::Gelu:
      return dlcore_math::op_gelu(x);
    case Activation::GeluTanh:
      return dlcore_math::op_gelu_tanh(x);
    case Activation::Silu:
      return dlcore_math::op_silu(x);
    case Activation::Softplus:
      return dlcore_math::op_softplus(x);
    case Activation::None:
      break;
  }
  return x;
}

}  // namespace dlcore::cuda
