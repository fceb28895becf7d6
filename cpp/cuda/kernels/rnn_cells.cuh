// The formulas of recurrent cells for one row and unit, with what the products before them gave. Every kernel that
// computes steps has them from here. T = float or double.
#pragma once

#include "cuda/kernels/device.h"
#include "cuda/kernels/pointwise_math.cuh"
#include "kernels/rnn/rows.h"

namespace dlcore::cuda {

/// How many vectors of U a cell has of what, and where some are among those that it saves (RnnLayout).
struct RnnSizes {
  RnnCell cell;
  int gates, saved, h_before, reset, deltas;
};
constexpr RnnSizes rnn_sizes(RnnCell cell) {
  const RnnLayout layout = rnn_layout(cell);
  return {cell, rnn_gates(cell), layout.saved, layout.h_before, layout.reset, layout.deltas};
}

constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;

template <class T>
__device__ T activate(RnnActivation activation, T x) {
  const T zero = 0, one = 1;
  // Those of most models are decided without a jump table, which takes longer than they do.
  if (activation == RnnActivation::Tanh) return tanh(x);
  if (activation == RnnActivation::Sigmoid) return dlcore_math::op_sigmoid(x);
  const auto between = [](T v, T low, T high) { return v < low ? low : v > high ? high : v; };
  switch (activation) {
    case RnnActivation::Relu:
      return dlcore_math::op_relu(x);
    case RnnActivation::Relu6:
      return between(x, zero, T(6));
    case RnnActivation::LeakyRelu:
      return x > zero ? x : x * T(0.2);
    case RnnActivation::HardTanh:
      return between(x, -one, one);
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
    default:
      return x;
  }
}

/// f'(x) where y = f(x).
template <class T>
__device__ T slope(RnnActivation activation, T y) {
  const T zero = 0, one = 1;
  const bool is_tanh = activation == RnnActivation::Tanh;
  if (is_tanh || activation == RnnActivation::Sigmoid) return is_tanh ? one - y * y : y * (one - y);
  switch (activation) {
    case RnnActivation::Relu:
      return y > zero ? one : zero;
    case RnnActivation::Relu6:
      return y > zero && y < T(6) ? one : zero;
    case RnnActivation::LeakyRelu:
      return y > zero ? one : T(0.2);
    case RnnActivation::HardTanh:
      return fabs(y) < one ? one : zero;
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
    default:
      return one;
  }
}

/// What the formulas take of gate k: its activated sum. GruResetAfter has z, r, n_h and, as a fourth, n_x.
template <class T>
__device__ T gate_value(const RnnShape& s, RnnCell cell, int k, T input, T recurrent) {
  if (cell == RnnCell::GruResetAfter && k >= 2) return k == 2 ? recurrent : input;
  const int candidate = cell == RnnCell::Simple ? 0 : 2;
  return activate(k == candidate ? s.activation : s.recurrent_activation, input + recurrent);
}

/// GruResetBefore, as soon as it has z and r: what the candidate's product takes in h's place.
template <class T, class Save>
__device__ T reset_forward(const RnnSizes& sizes, const T* gate, T h_before, const Save& save) {
  const T reset = gate[1] * h_before;
  save(0, gate[0]), save(1, gate[1]), save(sizes.reset, reset);
  return reset;
}

/// h after the step, from gate_value of every gate; replaces c. save(k, value) is called for what the step saves but
/// for h before it.
template <class T, class Save>
__device__ T step_forward(const RnnShape& s, const RnnSizes& sizes, const T* gate, T h_before, T& c, const Save& save) {
  switch (sizes.cell) {
    case RnnCell::Lstm: {
      const T c_before = c;
      c = fma(gate[1], c_before, gate[0] * gate[2]);
      const T squashed = activate(s.activation, c);
      save(0, gate[0]), save(1, gate[1]), save(2, gate[2]), save(3, gate[3]), save(4, c_before), save(5, squashed);
      return gate[3] * squashed;
    }
    case RnnCell::GruResetAfter: {
      const T n = activate(s.activation, fma(gate[1], gate[2], gate[3]));
      save(0, gate[0]), save(1, gate[1]), save(2, n), save(3, gate[2]);
      return fma(gate[0], h_before - n, n);
    }
    case RnnCell::GruResetBefore:
      save(2, gate[2]);
      return fma(gate[0], h_before - gate[2], gate[2]);
    case RnnCell::Simple:
      save(0, gate[0]);
      return gate[0];
  }
  return h_before;
}

/// From dh after the step to what of it flows past the products; replaces dc. leave(k, delta) is called for all but the
/// reset gate of GruResetBefore.
template <class T, class Saved, class Leave>
__device__ T step_backward(const RnnShape& s, const RnnSizes& sizes, const Saved& saved, T dh, T& dc,
                           const Leave& leave) {
  const auto state_slope = [&](T y) { return slope(s.activation, y); };
  const auto gate_slope = [&](T y) { return slope(s.recurrent_activation, y); };
  switch (sizes.cell) {
    case RnnCell::Lstm: {
      const T i = saved(0), f = saved(1), g = saved(2), o = saved(3), c_before = saved(4), squashed = saved(5);
      const T d = fma(dh * o, state_slope(squashed), dc);
      leave(0, d * g * gate_slope(i));
      leave(1, d * c_before * gate_slope(f));
      leave(2, d * i * state_slope(g));
      leave(3, dh * squashed * gate_slope(o));
      dc = d * f;
      return T(0);
    }
    case RnnCell::GruResetAfter: {
      const T z = saved(0), r = saved(1), n = saved(2), n_h = saved(3), h_before = saved(sizes.h_before);
      const T dn = (dh - dh * z) * state_slope(n);
      leave(0, dh * (h_before - n) * gate_slope(z));
      leave(1, dn * n_h * gate_slope(r));
      leave(2, dn);
      leave(3, dn * r);
      return dh * z;
    }
    case RnnCell::GruResetBefore: {
      const T z = saved(0), n = saved(2), h_before = saved(sizes.h_before);
      leave(0, dh * (h_before - n) * gate_slope(z));
      leave(2, (dh - dh * z) * state_slope(n));
      return dh * z;
    }
    case RnnCell::Simple:
      leave(0, dh * state_slope(saved(0)));
      return T(0);
  }
  return dh;
}

/// The reset gate of GruResetBefore, with the gradient of r * h; returns dh with what r lets through.
template <class T, class Saved, class Leave>
__device__ T reset_backward(const RnnShape& s, const RnnSizes& sizes, const Saved& saved, T dreset, T dh,
                            const Leave& leave) {
  const T r = saved(1);
  leave(1, dreset * saved(sizes.h_before) * slope(s.recurrent_activation, r));
  return fma(dreset, r, dh);
}

}  // namespace dlcore::cuda
