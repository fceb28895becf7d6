/// What follows sums: partial ones are added up, and while their tile is still in the nearest cache,
/// C[rows,cols] = act(C + bias[cols]).
#pragma once

#include "kernels/activation.h"
#include "kernels/pointwise/math.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

template <class T>
DLCORE_INLINE vec<T> activate(vec<T> x, Activation activation) {
  switch (activation) {
    case Activation::Relu:
      return vmax(vec<T>{}, x);  // keeps NaN
    case Activation::Sigmoid:
      return vsigmoid(x);
    case Activation::Tanh:
      return vtanh(x);
    case Activation::Gelu:
      return vgelu(x);
    case Activation::GeluTanh:
      return vgelu_tanh(x);
    case Activation::Silu:
      return vsilu(x);
    case Activation::Softplus:
      return vsoftplus(x);
    case Activation::None:
      break;
  }
  return x;
}

/// sums[n] = (sums +) `count` partial sums of n elements, `step` apart, in order. `sums` may be the first of them.
template <class T>
void add_partials(const T* first, std::int64_t count, std::int64_t step, std::int64_t n, bool accumulate, T* sums) {
  for (std::int64_t j = 0; j < n; j += kLanes<T>) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kLanes<T>, n - j));
    vec<T> sum = accumulate ? load_partial(sums + j, lanes) : vec<T>{};
    for (std::int64_t s = 0; s < count; ++s) sum += load_partial(first + s * step + j, lanes);
    store_partial(sums + j, sum, lanes);
  }
}

/// Dense rows, each shorter than a vector, in whole vectors. The lanes' biases come again after `cols` vectors.
template <class T>
void apply_to_narrow(T* c, std::int64_t rows, std::int64_t cols, const T* bias, Activation activation) {
  constexpr int kWidth = kLanes<T>;
  alignas(64) T biases[kWidth * kWidth] = {};
  const std::int64_t count = rows * cols, period = cols * kWidth;
  for (std::int64_t i = 0; bias && i < min_of(count, period); ++i) biases[i] = i < cols ? bias[i] : biases[i - cols];
  for (std::int64_t i = 0, at = 0; i < count; i += kWidth, at = at + kWidth < period ? at + kWidth : 0) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kWidth, count - i));
    if (lanes == kWidth)
      store(c + i, activate<T>(load(c + i) + load(biases + at), activation));
    else
      store_partial(c + i, activate<T>(load_partial(c + i, lanes) + load(biases + at), activation), lanes);
  }
}

/// bias: cols elements, or null.
template <class T>
void apply_epilogue(T* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols, const T* bias,
                    Activation activation) {
  if (!bias && activation == Activation::None) return;
  if (ldc == cols && rows > 1 && cols < kLanes<T>) return apply_to_narrow(c, rows, cols, bias, activation);
  for (std::int64_t j = 0; j < cols; j += kLanes<T>) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kLanes<T>, cols - j));
    if (lanes == kLanes<T>) {
      const vec<T> b = bias ? load(bias + j) : vec<T>{};
      for (std::int64_t i = 0; i < rows; ++i)
        store(c + i * ldc + j, activate<T>(load(c + i * ldc + j) + b, activation));
    } else {
      const vec<T> b = bias ? load_partial(bias + j, lanes) : vec<T>{};
      for (std::int64_t i = 0; i < rows; ++i) {
        T* at = c + i * ldc + j;
        store_partial(at, activate<T>(load_partial(at, lanes) + b, activation), lanes);
      }
    }
  }
}

}  // namespace dlcore::DLCORE_ISA
