// Every elementwise operation as a function of scalars: op_<primitive>. Kernels made at run time start with this text
// (it includes nothing), and kernels that apply an activation include it. T: float, double, the integers, bool. The
// semantics are those of kernels/pointwise/pointwise.simd.cpp.
#pragma once

namespace dlcore_math {

template <class T>
struct Traits {
  static constexpr bool real = false;
  using wrapping = T;  // integers compute in the unsigned type of their width: overflow wraps around
};
template <>
struct Traits<float> {
  static constexpr bool real = true;
  using wrapping = float;
};
template <>
struct Traits<double> {
  static constexpr bool real = true;
  using wrapping = double;
};
template <>
struct Traits<signed char> {
  static constexpr bool real = false;
  using wrapping = unsigned char;
};
template <>
struct Traits<int> {
  static constexpr bool real = false;
  using wrapping = unsigned;
};
template <>
struct Traits<long> {
  static constexpr bool real = false;
  using wrapping = unsigned long;
};
template <>
struct Traits<long long> {
  static constexpr bool real = false;
  using wrapping = unsigned long long;
};
template <class T>
using wrapping = typename Traits<T>::wrapping;
template <class T>
inline constexpr bool is_real = Traits<T>::real;
template <class A, class B>
inline constexpr bool is_same = false;
template <class A>
inline constexpr bool is_same<A, A> = true;
template <class T>
inline constexpr bool is_signed = static_cast<T>(-1) < static_cast<T>(0);

// ---- one operand

template <class T>
__device__ inline T op_neg(T x) {
  if constexpr (is_real<T>)
    return -x;
  else
    return static_cast<T>(wrapping<T>(0) - wrapping<T>(x));
}
template <class T>
__device__ inline T op_abs(T x) {
  if constexpr (is_real<T>)
    return fabs(x);
  else
    return x < T(0) ? op_neg(x) : x;
}
template <class T>
__device__ inline T op_sign(T x) {
  return x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : x;
}
template <class T>
__device__ inline T op_square(T x) {
  return static_cast<T>(wrapping<T>(x) * wrapping<T>(x));
}
template <class T>
__device__ inline T op_sqrt(T x) {
  return sqrt(x);
}
template <class T>
__device__ inline T op_rsqrt(T x) {
  return T(1) / sqrt(x);
}
template <class T>
__device__ inline T op_reciprocal(T x) {
  return T(1) / x;
}
template <class T>
__device__ inline T op_exp(T x) {
  return exp(x);
}
template <class T>
__device__ inline T op_expm1(T x) {
  return expm1(x);
}
template <class T>
__device__ inline T op_log(T x) {
  return log(x);
}
template <class T>
__device__ inline T op_log1p(T x) {
  return log1p(x);
}
template <class T>
__device__ inline T op_log2(T x) {
  return log2(x);
}
template <class T>
__device__ inline T op_log10(T x) {
  return log10(x);
}
template <class T>
__device__ inline T op_sin(T x) {
  return sin(x);
}
template <class T>
__device__ inline T op_cos(T x) {
  return cos(x);
}
template <class T>
__device__ inline T op_tan(T x) {
  return tan(x);
}
template <class T>
__device__ inline T op_asin(T x) {
  return asin(x);
}
template <class T>
__device__ inline T op_acos(T x) {
  return acos(x);
}
template <class T>
__device__ inline T op_atan(T x) {
  return atan(x);
}
template <class T>
__device__ inline T op_sinh(T x) {
  return sinh(x);
}
template <class T>
__device__ inline T op_cosh(T x) {
  return cosh(x);
}
template <class T>
__device__ inline T op_tanh(T x) {
  return tanh(x);
}
template <class T>
__device__ inline T op_asinh(T x) {
  return asinh(x);
}
template <class T>
__device__ inline T op_acosh(T x) {
  return acosh(x);
}
template <class T>
__device__ inline T op_atanh(T x) {
  return atanh(x);
}
template <class T>
__device__ inline T op_erf(T x) {
  return erf(x);
}
template <class T>
__device__ inline T op_floor(T x) {
  if constexpr (is_real<T>)
    return floor(x);
  else
    return x;
}
template <class T>
__device__ inline T op_ceil(T x) {
  if constexpr (is_real<T>)
    return ceil(x);
  else
    return x;
}
template <class T>
__device__ inline T op_round(T x) {
  if constexpr (is_real<T>)
    return rint(x);
  else
    return x;
}
template <class T>
__device__ inline T op_trunc(T x) {
  if constexpr (is_real<T>)
    return trunc(x);
  else
    return x;
}
template <class T>
__device__ inline T op_relu(T x) {
  return x <= T(0) ? T(0) : x;  // keeps NaN
}
template <class T>
__device__ inline T op_sigmoid(T x) {
  const T e = exp(-fabs(x));
  return (x >= T(0) ? T(1) : e) / (T(1) + e);
}
template <class T>
__device__ inline T op_softplus(T x) {
  return (x > T(0) ? x : T(0)) + log1p(exp(-fabs(x)));
}
/// x * sigmoid(w); w and x have the same sign. Far below zero exp(-w) would overflow.
template <class T>
__device__ inline T times_sigmoid(T x, T w) {
  if (w < (sizeof(T) == 4 ? T(-104) : T(-745))) return T(-0.0);
  if (w < T(-80)) return x * exp(w);
  return x / (T(1) + exp(-w));
}
template <class T>
__device__ inline T op_silu(T x) {
  return times_sigmoid(x, x);
}
template <class T>
__device__ inline T op_gelu(T x) {
  return x < T(-40) ? T(-0.0) : x * T(0.5) * erfc(x * T(-0.70710678118654752440));
}
template <class T>
__device__ inline T op_gelu_tanh(T x) {
  return times_sigmoid(x, T(1.59576912160573071176) * (x + T(0.044715) * x * x * x));
}
template <class T>
__device__ inline T op_elu(T x, T alpha) {
  return x > T(0) ? x : alpha * expm1(x);
}
template <class T>
__device__ inline T op_leaky_relu(T x, T slope) {
  return x > T(0) ? x : slope * x;
}
template <class T>
__device__ inline bool op_isnan(T x) {
  return x != x;
}
template <class T>
__device__ inline bool op_isinf(T x) {
  if constexpr (is_real<T>)
    return x - x != T(0) && x == x;
  else
    return false;
}
template <class T>
__device__ inline bool op_isfinite(T x) {
  if constexpr (is_real<T>)
    return x - x == T(0);
  else
    return true;
}
template <class T>
__device__ inline bool op_logical_not(T x) {
  return x == T(0);
}
/// Float to integer truncates and saturates, NaN becomes 0.
template <class To, class From>
__device__ inline To op_cast(From x) {
  if constexpr (is_same<To, bool>) {
    return x != From(0);
  } else if constexpr (is_real<From> && !is_real<To>) {
    constexpr int bits = 8 * sizeof(To);
    constexpr To lowest = is_signed<To> ? static_cast<To>(1ull << (bits - 1)) : To(0);
    constexpr To highest = static_cast<To>(~lowest);
    constexpr From beyond = From(1ull << (bits - 1)) * (is_signed<To> ? From(1) : From(2));
    constexpr From low = is_signed<To> ? -beyond : From(0);
    return x >= beyond ? highest : x > low ? static_cast<To>(x) : x <= low ? lowest : To(0);
  } else {
    return static_cast<To>(x);
  }
}

// ---- two operands

template <class T>
__device__ inline T op_add(T a, T b) {
  return static_cast<T>(wrapping<T>(a) + wrapping<T>(b));
}
template <class T>
__device__ inline T op_sub(T a, T b) {
  return static_cast<T>(wrapping<T>(a) - wrapping<T>(b));
}
template <class T>
__device__ inline T op_mul(T a, T b) {
  return static_cast<T>(wrapping<T>(a) * wrapping<T>(b));
}
template <class T>
__device__ inline T op_div(T a, T b) {
  return a / b;
}
/// Negative integer exponents give what truncation of the exact result gives.
template <class T>
__device__ inline T op_pow(T a, T b) {
  if constexpr (is_real<T>) {
    return pow(a, b);
  } else {
    if (b < T(0)) return a == T(1) ? T(1) : a == static_cast<T>(-1) ? (b % 2 ? a : T(1)) : T(0);
    unsigned long long result = 1, square = static_cast<unsigned long long>(a);
    for (unsigned long long e = static_cast<unsigned long long>(b); e; e >>= 1) {
      if (e & 1) result *= square;
      square *= square;
    }
    return static_cast<T>(result);
  }
}
template <class T>
__device__ inline T op_minimum(T a, T b) {
  return a < b || a != a ? a : b;
}
template <class T>
__device__ inline T op_maximum(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
__device__ inline T op_mod(T a, T b) {
  T r;
  if constexpr (is_real<T>) {
    r = fmod(a, b);
  } else {
    if (b == T(0) || (is_signed<T> && b == static_cast<T>(-1))) return T(0);
    r = static_cast<T>(a % b);
  }
  return r != T(0) && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
}
/// Integer division by zero gives 0; float division follows IEEE: by an infinity it gives 0, or -1 where signs differ.
template <class T>
__device__ inline T op_floor_divide(T a, T b) {
  if constexpr (is_real<T>) {
    if (b == T(0)) return a / b;
    const T r = op_mod(a, b);
    if (isinf(b)) return r == a ? T(0) : r == b ? T(-1) : r;
    return rint((a - r) / b);
  } else {
    if (b == T(0)) return T(0);
    if (is_signed<T> && b == static_cast<T>(-1)) return op_neg(a);
    const T q = static_cast<T>(a / b);
    return a % b != 0 && (a < T(0)) != (b < T(0)) ? static_cast<T>(q - 1) : q;
  }
}
template <class T>
__device__ inline T op_atan2(T a, T b) {
  return atan2(a, b);
}
template <class T>
__device__ inline bool op_equal(T a, T b) {
  return a == b;
}
template <class T>
__device__ inline bool op_not_equal(T a, T b) {
  return a != b;
}
template <class T>
__device__ inline bool op_less(T a, T b) {
  return a < b;
}
template <class T>
__device__ inline bool op_less_equal(T a, T b) {
  return a <= b;
}
template <class T>
__device__ inline bool op_greater(T a, T b) {
  return a > b;
}
template <class T>
__device__ inline bool op_greater_equal(T a, T b) {
  return a >= b;
}
template <class T>
__device__ inline bool op_logical_and(T a, T b) {
  return a && b;
}
template <class T>
__device__ inline bool op_logical_or(T a, T b) {
  return a || b;
}
template <class T>
__device__ inline bool op_logical_xor(T a, T b) {
  return a != b;
}
template <class T>
__device__ inline T op_relu_grad(T dy, T y) {
  return y > T(0) ? dy : T(0);
}
template <class T>
__device__ inline T op_sigmoid_grad(T dy, T y) {
  return dy * (y * (T(1) - y));
}
template <class T>
__device__ inline T op_tanh_grad(T dy, T y) {
  return dy * (T(1) - y * y);
}
/// Beyond the bounds, here and in op_gelu_grad_tanh, the slope is 0 or 1.
template <class T>
__device__ inline T op_gelu_grad(T dy, T x) {
  if (x > T(40) || x < T(-40)) return x > T(0) ? dy : T(0) * dy;
  return dy * (T(0.5) * erfc(x * T(-0.70710678118654752440)) + x * T(0.39894228040143267794) * exp(T(-0.5) * x * x));
}
template <class T>
__device__ inline T op_gelu_grad_tanh(T dy, T x) {
  if (x > T(20) || x < T(-20)) return x > T(0) ? dy : T(0) * dy;
  const T scale = T(1.59576912160573071176), cube = T(0.044715);
  // s = sigmoid(w) and s * (1 - s), which must not cancel
  const T w = scale * (x + cube * x * x * x), e = exp(-op_abs(w)), sum = T(1) + e;
  const T s = (w > T(0) ? T(1) : e) / sum, product = e / (sum * sum);
  return dy * (s + x * product * scale * (T(1) + T(3) * cube * x * x));
}
template <class T>
__device__ inline T op_bitwise_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
__device__ inline T op_bitwise_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
__device__ inline T op_bitwise_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
/// A shift by less than 0 or by the width of T or more moves every bit out.
template <class T>
__device__ inline T op_shift_left(T a, T b) {
  return wrapping<T>(b) < 8 * sizeof(T) ? static_cast<T>(wrapping<T>(a) << b) : T(0);
}
template <class T>
__device__ inline T op_shift_right(T a, T b) {
  return wrapping<T>(b) < 8 * sizeof(T) ? static_cast<T>(a >> b) : a < T(0) ? static_cast<T>(-1) : T(0);
}
template <class T>
__device__ inline T op_gcd(T a, T b) {
  auto x = wrapping<T>(op_abs(a)), y = wrapping<T>(op_abs(b));
  while (y != 0) {
    const auto rest = static_cast<wrapping<T>>(x % y);
    x = y;
    y = rest;
  }
  return static_cast<T>(x);
}

// ---- three operands

template <class T>
__device__ inline T op_where(bool condition, T a, T b) {
  return condition ? a : b;
}
/// A NaN in x stays; where low > high the result is high.
template <class T>
__device__ inline T op_clip(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}

}  // namespace dlcore_math
