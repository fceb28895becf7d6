// The arithmetic of recurrent cells: one row and unit at one step, for kernels that keep its values in different
// places. Only for kernels.
#pragma once

#include "cuda/kernels/device.h"
#include "cuda/kernels/pointwise_math.cuh"
#include "kernels/rnn/rows.h"

namespace dlcore::cuda {

inline constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;

template <class T>
__device__ T activate(RnnActivation activation, T x) {
  const T zero = 0, one = 1;
  const auto between = [](T v, T low, T high) { return v < low ? low : v > high ? high : v; };
  switch (activation) {
    case RnnActivation::Linear:
      return x;
    case RnnActivation::Relu:
      return dlcore_math::op_relu(x);
    case RnnActivation::Relu6:
      return between(x, zero, T(6));
    case RnnActivation::LeakyRelu:
      return x > zero ? x : x * T(0.2);
    case RnnActivation::Tanh:
      return tanh(x);
    case RnnActivation::HardTanh:
      return between(x, -one, one);
    case RnnActivation::Sigmoid:
      return dlcore_math::op_sigmoid(x);
    case RnnActivation::HardSigmoid:
      return between(x / T(6) + T(0.5), zero, one);
    case RnnActivation::Softplus:
      return dlcore_math::op_softplus(x);
    case RnnActivation::Softsign:
      return x / (fabs(x) + one);
    case RnnActivation::Elu:
      return x > zero ? x : expm1(x);
    case RnnActivation::Selu:
      return T(kSeluScale) * (x > zero ? x : T(kSeluAlpha) * expm1(x));
    case RnnActivation::Exponential:
      return exp(x);
  }
  return x;
}

/// f'(x) where y = f(x).
template <class T>
__device__ T slope(RnnActivation activation, T y) {
  const T zero = 0, one = 1;
  switch (activation) {
    case RnnActivation::Linear:
      return one;
    case RnnActivation::Relu:
      return y > zero ? one : zero;
    case RnnActivation::Relu6:
      return y > zero && y < T(6) ? one : zero;
    case RnnActivation::LeakyRelu:
      return y > zero ? one : T(0.2);
    case RnnActivation::Tanh:
      return one - y * y;
    case RnnActivation::HardTanh:
      return fabs(y) < one ? one : zero;
    case RnnActivation::Sigmoid:
      return y * (one - y);
    case RnnActivation::HardSigmoid:
      return y > zero && y < one ? one / T(6) : zero;
    case RnnActivation::Softplus:
      return one - exp(-y);
    case RnnActivation::Softsign:
      return (one - fabs(y)) * (one - fabs(y));
    case RnnActivation::Elu:
      return y > zero ? one : y + one;
    case RnnActivation::Selu:
      return y > zero ? T(kSeluScale) : y + T(kSeluScale * kSeluAlpha);
    case RnnActivation::Exponential:
      return y;
  }
  return one;
}

/// A step of f.s. At gives and takes its values: input(gate), recurrent(gate) and, for GruResetAfter, second_bias(gate)
/// are summed in a gate; h_before(), c_before(); save(k, v) for the gradient; put_c(c) and put(h) last. GruResetBefore
/// has its gates saved already: saved(0).
template <class T, class At>
__device__ void cell_forward(RnnCell cell, const At& f) {
  const T h_before = f.h_before();
  const auto state = [&](T x) { return activate(f.s.activation, x); };
  const auto gate = [&](T x) { return activate(f.s.recurrent_activation, x); };
  const auto sum = [&](int k) { return f.input(k) + f.recurrent(k); };
  switch (cell) {
    case RnnCell::Lstm: {
      const T i = gate(sum(0)), g_f = gate(sum(1)), g = state(sum(2)), o = gate(sum(3));
      const T c_before = f.c_before(), c = fma(g_f, c_before, i * g), squashed = state(c);
      f.save(0, i), f.save(1, g_f), f.save(2, g), f.save(3, o), f.save(4, c_before), f.save(5, squashed);
      f.put_c(c);
      return f.put(o * squashed);
    }
    case RnnCell::GruResetAfter: {
      const T z = gate(f.input(0) + (f.recurrent(0) + f.second_bias(0)));
      const T r = gate(f.input(1) + (f.recurrent(1) + f.second_bias(1)));
      const T n_h = f.recurrent(2) + f.second_bias(2), n = state(fma(r, n_h, f.input(2)));
      f.save(0, z), f.save(1, r), f.save(2, n), f.save(3, n_h);
      return f.put(fma(z, h_before - n, n));
    }
    case RnnCell::GruResetBefore: {
      const T z = f.saved(0), n = state(sum(2));
      f.save(2, n);
      return f.put(fma(z, h_before - n, n));
    }
    case RnnCell::Simple: {
      const T h = state(sum(0));
      f.save(0, h);
      return f.put(h);
    }
  }
}

/// The gradient of such a step. At: dh and dc() are those of its states; saved(k) is what it saved, h_before() among
/// it; leave(k, d) takes the gradients of the sums in the gates, put_dc(dc) and put_rest(dh) what flows past the
/// product with w_h. GruResetBefore: all but the reset gate.
template <class T, class At>
__device__ void cell_backward(RnnCell cell, const At& f, T dh) {
  const auto state_slope = [&](T y) { return slope(f.s.activation, y); };
  const auto gate_slope = [&](T y) { return slope(f.s.recurrent_activation, y); };
  switch (cell) {
    case RnnCell::Lstm: {
      const T i = f.saved(0), g_f = f.saved(1), g = f.saved(2), o = f.saved(3), squashed = f.saved(5);
      const T dc = fma(dh * o, state_slope(squashed), f.dc());
      f.leave(0, dc * g * gate_slope(i));
      f.leave(1, dc * f.saved(4) * gate_slope(g_f));
      f.leave(2, dc * i * state_slope(g));
      f.leave(3, dh * squashed * gate_slope(o));
      f.put_dc(dc * g_f);
      return f.put_rest(T(0));
    }
    case RnnCell::GruResetAfter: {
      const T z = f.saved(0), r = f.saved(1), n = f.saved(2), n_h = f.saved(3);
      const T dn = (dh - dh * z) * state_slope(n);
      f.leave(0, dh * (f.h_before() - n) * gate_slope(z));
      f.leave(1, dn * n_h * gate_slope(r));
      f.leave(2, dn);
      f.leave(3, dn * r);
      return f.put_rest(dh * z);
    }
    case RnnCell::GruResetBefore: {
      const T z = f.saved(0), n = f.saved(2);
      f.leave(0, dh * (f.h_before() - n) * gate_slope(z));
      f.leave(2, (dh - dh * z) * state_slope(n));
      return f.put_rest(dh * z);
    }
    case RnnCell::Simple:
      f.leave(0, dh * state_slope(f.saved(0)));
      return f.put_rest(T(0));
  }
}

}  // namespace dlcore::cuda
