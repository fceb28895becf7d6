/// What follows a sum while its tile is still in the nearest cache:  C[rows,cols] = act(C + bias[cols]).
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

/// c[count] = act(c + bias).
template <class T>
void apply_to_column(T* c, std::int64_t count, T bias, Activation activation) {
  const vec<T> b = broadcast(bias);
  std::int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) store(c + i, activate<T>(load(c + i) + b, activation));
  if (const int last = static_cast<int>(count - i); last > 0)
    store_partial(c + i, activate<T>(load_partial(c + i, last) + b, activation), last);
}

/// bias: cols elements, or null.
template <class T>
void apply_epilogue(T* c, std::int64_t ldc, std::int64_t rows, std::int64_t cols, const T* bias,
                    Activation activation) {
  if (!bias && activation == Activation::None) return;
  if (cols == 1 && ldc == 1) return apply_to_column(c, rows, bias ? *bias : T(0), activation);
  if (activation > Activation::Relu && ldc == cols && rows > 1 && cols < kLanes<T>) {  // narrow rows in whole vectors
    apply_epilogue(c, ldc, rows, cols, bias, Activation::None);
    return apply_epilogue(c, rows * cols, 1, rows * cols, static_cast<const T*>(nullptr), activation);
  }
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
