// The matrix product as its formula says, in double: what gemm is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/gemm/gemm.h"

namespace dlcore {

inline double activate_ref(double x, Activation activation) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return std::max(x, 0.0);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::Tanh:
      return std::tanh(x);
    case Activation::Gelu:
      return x / 2 * std::erfc(-x * std::sqrt(0.5));
    case Activation::GeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case Activation::Silu:
      return x / (1 + std::exp(-x));
    case Activation::Softplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

/// act((C +) op(A) op(B) + bias) as [m,n]; c is read with shape.accumulate only. shape.packed_b is not looked at.
template <class T>
std::vector<double> gemm_ref(const GemmShape& s, const T* a, const T* b, const T* c, const GemmEpilogue<T>& epilogue) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = s.accumulate ? widen(c[i * s.ldc + j]) : 0;
      for (std::int64_t p = 0; p < s.k; ++p)
        sum += static_cast<double>(widen(s.transpose_a ? a[p * s.lda + i] : a[i * s.lda + p])) *
               static_cast<double>(widen(s.transpose_b ? b[j * s.ldb + p] : b[p * s.ldb + j]));
      result.push_back(activate_ref(sum + (epilogue.bias ? widen(epilogue.bias[j]) : 0), epilogue.activation));
    }
  return result;
}

}  // namespace dlcore
