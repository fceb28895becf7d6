// The activations of recurrent cells and their derivatives, written with the value. Only for *.simd.cpp.
#pragma once

#include "kernels/pointwise/math.simd.h"
#include "kernels/rnn/rnn.h"

namespace dlcore::DLCORE_ISA {

inline constexpr double kSeluScale = 1.0507009873554805;
inline constexpr double kSeluAlpha = 1.6732632423543772;

template <class T>
DLCORE_INLINE vec<T> activate(RnnActivation activation, vec<T> x) {
  const vec<T> zero{}, one = broadcast(T{1});
  switch (activation) {
    case RnnActivation::Linear:
      return x;
    case RnnActivation::Relu:
      return vmax(x, zero);
    case RnnActivation::Relu6:
      return vmin(vmax(x, zero), broadcast(T{6}));
    case RnnActivation::LeakyRelu:
      return x > zero ? x : x * static_cast<T>(0.2);
    case RnnActivation::Tanh:
      return vtanh(x);
    case RnnActivation::HardTanh:
      return vmin(vmax(x, -one), one);
    case RnnActivation::Sigmoid:
      return vsigmoid(x);
    case RnnActivation::HardSigmoid:
      return vmin(vmax(x / T{6} + T{0.5}, zero), one);
    case RnnActivation::Softplus:
      return vsoftplus(x);
    case RnnActivation::Softsign:
      return x / (vabs(x) + T{1});
    case RnnActivation::Elu:
      return x > zero ? x : vexpm1(x);
    case RnnActivation::Selu:
      return static_cast<T>(kSeluScale) * (x > zero ? x : static_cast<T>(kSeluAlpha) * vexpm1(x));
    case RnnActivation::Exponential:
      return vexp(x);
  }
  return x;
}

/// f'(x) where y = f(x).
template <class T>
DLCORE_INLINE vec<T> slope(RnnActivation activation, vec<T> y) {
  const vec<T> zero{}, one = broadcast(T{1});
  switch (activation) {
    case RnnActivation::Linear:
      return one;
    case RnnActivation::Relu:
      return y > zero ? one : zero;
    case RnnActivation::Relu6:
      return y > zero ? (y < T{6} ? one : zero) : zero;
    case RnnActivation::LeakyRelu:
      return y > zero ? one : broadcast(static_cast<T>(0.2));
    case RnnActivation::Tanh:
      return one - y * y;
    case RnnActivation::HardTanh:
      return vabs(y) < one ? one : zero;
    case RnnActivation::Sigmoid:
      return y * (one - y);
    case RnnActivation::HardSigmoid:
      return y > zero ? (y < one ? broadcast(T{1} / T{6}) : zero) : zero;
    case RnnActivation::Softplus:
      return one - vexp(-y);
    case RnnActivation::Softsign:
      return (one - vabs(y)) * (one - vabs(y));
    case RnnActivation::Elu:
      return y > zero ? one : y + one;
    case RnnActivation::Selu:
      return y > zero ? broadcast(static_cast<T>(kSeluScale)) : y + static_cast<T>(kSeluScale * kSeluAlpha);
    case RnnActivation::Exponential:
      return y;
  }
  return one;
}

// Chosen at run time, at the price of a call: inlined at every use, the switches would be most of this library's code.
template <class T>
[[gnu::noinline]] vec<T> activate_chosen(RnnActivation activation, vec<T> x) {
  return activate<T>(activation, x);
}
template <class T>
[[gnu::noinline]] vec<T> slope_chosen(RnnActivation activation, vec<T> y) {
  return slope<T>(activation, y);
}

/// The pair of one layer; kUsual: tanh and sigmoid, known when the kernel is compiled.
template <class T, bool kUsual>
class Activations {
 public:
  explicit Activations(const RnnShape& shape) : state_(shape.activation), gate_(shape.recurrent_activation) {}
  DLCORE_INLINE vec<T> state(vec<T> x) const { return kUsual ? vtanh(x) : activate_chosen<T>(state_, x); }
  DLCORE_INLINE vec<T> gate(vec<T> x) const { return kUsual ? vsigmoid(x) : activate_chosen<T>(gate_, x); }
  DLCORE_INLINE vec<T> state_slope(vec<T> y) const {
    return kUsual ? slope<T>(RnnActivation::Tanh, y) : slope_chosen<T>(state_, y);
  }
  DLCORE_INLINE vec<T> gate_slope(vec<T> y) const {
    return kUsual ? slope<T>(RnnActivation::Sigmoid, y) : slope_chosen<T>(gate_, y);
  }

 private:
  RnnActivation state_, gate_;
};

}  // namespace dlcore::DLCORE_ISA
