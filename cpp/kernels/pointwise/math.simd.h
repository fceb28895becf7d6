// Elementary functions on vectors, the same source for every instruction set. Only for *.simd.cpp.
// f32v: within 2 units in the last place over all floats (gelu 4, erf 2.5, log10 without FMA 2.1), infinities and NaN
// included. Denormals count as zero: around the smallest normal number a flushed intermediate costs up to 2^-125. The
// tanh form of gelu rounds its exponent w = 2u to float: 4|w| units more in the tail. f64v: the C library lane by lane
// (float64 serves gradient checks). Polynomials are minimax fits of the function named beside them, lowest power first.
#pragma once

#include "kernels/pointwise/piecewise.simd.h"

namespace dlcore::DLCORE_ISA {

inline constexpr float kInf = __builtin_inff();
inline constexpr float kNaN = __builtin_nanf("");
inline constexpr float kSmallestNormal = 0x1p-126f;
inline constexpr float kLargest = 0x1.fffffep127f;

/// c0 + c1*x + c2*x^2 + ...
template <class V>
DLCORE_INLINE V polynomial(V, double c0) {
  return V{} + static_cast<decltype(V{}[0] + 0)>(c0);
}
template <class V, class... More>
DLCORE_INLINE V polynomial(V x, double c0, More... more) {
  return fma(x, polynomial(x, more...), V{} + static_cast<decltype(V{}[0] + 0)>(c0));
}

DLCORE_INLINE f32v vabs(f32v x) { return bitcast<f32v>(bitcast<u32v>(x) & 0x7fffffffu); }
DLCORE_INLINE f64v vabs(f64v x) { return bitcast<f64v>(bitcast<u64v>(x) & 0x7fffffffffffffffull); }
/// |magnitude| with the sign of `sign`.
DLCORE_INLINE f32v copysign(f32v magnitude, f32v sign) {
  return bitcast<f32v>((bitcast<u32v>(magnitude) & 0x7fffffffu) | (bitcast<u32v>(sign) & 0x80000000u));
}

/// Calls f on each lane; for functions that have no vector form here.
template <class V, class F>
DLCORE_INLINE V each_lane(V x, F f) {
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) x[i] = f(x[i]);
  return x;
}

// ---- exp

/// x * scale to the nearest whole number, below 2^22.
DLCORE_INLINE f32v round_scaled(f32v x, float scale) {
  return fma(x, broadcast(scale), broadcast(0x1.8p23f)) - 0x1.8p23f;
}

/// x - n * ln 2, ln 2 in two parts: the product with the first has no rounding.
DLCORE_INLINE f32v minus_ln2(f32v x, f32v n) {
  return fma(n, broadcast(2.12194440e-4f), fma(n, broadcast(-0.693359375f), x));
}
/// exp(r), |r| <= ln 2 / 2.
DLCORE_INLINE f32v exp_of_rest(f32v r) {
  return polynomial(r, 1.0, 1.0, 0.49999988, 0.1666644, 0.041669324, 0.008377323, 0.0013796826);
}

/// p * 2^n, |n| <= 252 and whole.
DLCORE_INLINE f32v scale_by_power(f32v p, f32v n) {
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(0xffff, p, n);  // the unmasked form warns in GCC 12
#else
  const i32v whole = to_i32(n), half = whole >> 1;
  return p * bitcast<f32v>((half + 127) << 23) * bitcast<f32v>((whole - half + 127) << 23);
#endif
}
/// 2^n where that is a normal number; 0 for n = -127.
DLCORE_INLINE f32v power_of_two(f32v n) {
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(0xffff, broadcast(1.0f), n);  // the unmasked form warns in GCC 12
#else
  return bitcast<f32v>((to_i32(n) + 127) << 23);
#endif
}

DLCORE_INLINE f32v vexp(f32v x) {
  x = vmax(broadcast(-105.0f), vmin(broadcast(89.5f), x));  // keeps NaN; beyond lie 0 and infinity
  const f32v n = round_scaled(x, 0x1.715476p0f);            // log2(e)
  return scale_by_power(exp_of_rest(minus_ln2(x, n)), n);
}

DLCORE_INLINE f32v vexpm1(f32v x) {
  x = vmax(broadcast(-20.0f), vmin(broadcast(88.8f), x));
  const f32v n = round_scaled(x, 0x1.715476p0f);
  const f32v r = minus_ln2(x, n);
  const f32v q = polynomial(r, 0.5, 0.16666666, 0.041666098, 0.008333589, 0.0013958026, 0.00019776961);
  const f32v half = bitcast<f32v>((to_i32(n) + 126) << 23);  // 2^n / 2, so that n = 128 does not overflow
  const f32v y = half * (r * r * q) + (half * r + (half - 0.5f));
  return y + y;
}

// ---- log

/// log(1 + f) + n*ln 2 for 1 + f in [sqrt(1/2), sqrt(2)).
DLCORE_INLINE f32v log_of_parts(f32v f, f32v n) {
  // (log(1 + f) - f) / f^2
  const f32v q = polynomial(f, -0.5, 0.3333333, -0.2500082, 0.20001227, -0.16623357, 0.14201757, -0.13160183,
                            0.12761576, -0.07634497);
  return fma(n, broadcast(0.693359375f), fma(n, broadcast(-2.12194440e-4f), fma(f * f, q, f)));
}

struct LogParts {
  f32v m;  // in [sqrt(1/2), sqrt(2))
  i32v n;
};
/// x = m * 2^n for normal x > 0.
DLCORE_INLINE LogParts log_parts(f32v x) {
  const u32v bits = bitcast<u32v>(x);  // unsigned: anything may stand in x, only the special cases are put in later
  const i32v n = bitcast<i32v>(bits - 0x3f3504f3u) >> 23;
  return {bitcast<f32v>(bits - (bitcast<u32v>(n) << 23)), n};
}

/// The logarithm y of x with the special cases put in: zero, negative, infinity, NaN.
DLCORE_INLINE f32v log_specials(f32v x, f32v y) {
  if (all_within(x, kSmallestNormal, kLargest)) return y;
  y = x <= kLargest ? y : x;
  const f32v special = x > -kSmallestNormal ? broadcast(-kInf) : broadcast(kNaN);
  return x < kSmallestNormal ? special : y;
}

DLCORE_INLINE f32v vlog(f32v x) {
  const LogParts parts = log_parts(x);
  return log_specials(x, log_of_parts(parts.m - 1.0f, to_f32(parts.n)));
}

DLCORE_INLINE f32v vlog2(f32v x) {
  const LogParts parts = log_parts(x);
  const f32v y = log_of_parts(parts.m - 1.0f, f32v{});
  const f32v n = to_f32(parts.n);
  return log_specials(x, (n + y * 1.44269502e+00f) + y * 1.92596299e-08f);
}

DLCORE_INLINE f32v vlog10(f32v x) {
  const f32v y = vlog(x);
  return vabs(y) <= kLargest ? fma(y, broadcast(4.34294492e-01f), y * -1.01e-08f) : y;
}

DLCORE_INLINE f32v vlog1p(f32v x) {
  const f32v u = x + 1.0f;
  const f32v rounded_off = x - (u - 1.0f);
  const LogParts parts = log_parts(u);
  const i32v n = parts.n < 100 ? parts.n : i32v{} + 100;
  const f32v scale = bitcast<f32v>((127 - n) << 23);  // 2^-n
  return log_specials(u, log_of_parts((parts.m - 1.0f) + rounded_off * scale, to_f32(parts.n)));
}

// ---- tanh, sigmoid and the activations made of exp

/// exp(-x) = (1 - t) / 2^n with n whole and t in about [-0.42, 0.3]: a sum with it rounds fewer times.
struct ExpParts {
  f32v t, n;
};
DLCORE_INLINE ExpParts exp_parts(f32v x) {
  const f32v n = round_scaled(x, 0x1.715476p0f);
  const f32v r = minus_ln2(x, n);
  // -(e^-r - 1 + r) / r^2
  return {fma(r * r, polynomial(r, -0.49999988, 0.1666644, -0.041669324, 0.008377323, -0.0013796826), r), n};
}

/// The function of a = |x|, bounded, with the sign of x. Pieces are numbers of the same exponent and two more leading
/// bits, and all numbers below 0.15625.
DLCORE_INLINE f32v odd_piecewise(const PiecewiseTable& table, f32v a, f32v x) {
  const u32v index = bitcast<u32v>(vmax(a, broadcast(0.125f))) >> 21;
  return copysign(piecewise<5>(table, index, a), x);
}

DLCORE_INLINE f32v vtanh(f32v x) { return odd_piecewise(kTanh, vmin(broadcast(9.5f), vabs(x)), x); }

DLCORE_INLINE f32v vsigmoid(f32v x) {
  const ExpParts e = exp_parts(vmax(broadcast(-88.0f), vmin(broadcast(88.0f), x)));
  const f32v power = power_of_two(e.n);
  return power / ((power - e.t) + 1.0f);
}

/// x * sigmoid(w) for w in [-120, 30]. The power of two is multiplied last: it may underflow where the product does
/// not.
DLCORE_INLINE f32v times_sigmoid(f32v x, f32v w) {
  const ExpParts e = exp_parts(w);
  const f32v sum = (power_of_two(vmax(broadcast(-127.0f), e.n)) - e.t) + 1.0f;
  return scale_by_power(x / sum, e.n);
}
/// Beyond the bounds below, here and in vgelu_tanh, the result is zero and the sigmoid is one.
DLCORE_INLINE f32v vsilu(f32v x) {
  x = vmax(broadcast(-105.0f), x);
  return times_sigmoid(x, vmin(broadcast(30.0f), x));
}

DLCORE_INLINE f32v vsoftplus(f32v x) { return vmax(f32v{}, x) + vlog1p(vexp(-vabs(x))); }

// ---- erf and gelu

DLCORE_INLINE f32v verf(f32v x) { return odd_piecewise(kErf, vmin(broadcast(3.99f), vabs(x)), x); }

/// a * Phi(-a) = exp(-a^2/2) * g(1/a^2) for a in [5.9, 13.5], beyond which it is zero; a^2 is taken exactly, in two
/// parts.
DLCORE_INLINE f32v gelu_far_tail(f32v a) {
  const f32v high = bitcast<f32v>(bitcast<u32v>(a) & 0xfffff000u);
  const f32v x = -0.5f * high * high;
  const f32v n = round_scaled(x, 0x1.715476p0f);
  const f32v r = minus_ln2(x, n) - 0.5f * (a - high) * (a + high);
  const f32v g = polynomial(1.0f / (a * a), 0.398942143, -0.398890465, 1.18905103, -5.42816353, 21.6490097);
  return scale_by_power(exp_of_rest(r) * g, n);
}

/// x * Phi(x) = max(x, 0) - a * Phi(-a), a = |x|.
DLCORE_INLINE f32v vgelu(f32v x) {
  constexpr float kTable = 5.9f;
  const f32v a = vmin(broadcast(kTable), vabs(x));
  const u32v index = bitcast<u32v>(fma(a, broadcast(16.0f / 3), broadcast(0x1.8p23f)));
  const f32v y = vmax(f32v{}, x) - piecewise<6>(kGeluTail, index, a);
  if (all_within(x, -kTable, kInf)) return y;
  return x < -kTable ? -gelu_far_tail(vmin(broadcast(13.5f), -x)) : y;
}

/// x * sigmoid(2u) = x/2 * (1 + tanh(u)), u = sqrt(2/pi) * (x + 0.044715 x^3).
DLCORE_INLINE f32v vgelu_tanh(f32v x) {
  x = vmax(broadcast(-11.0f), x);
  return times_sigmoid(x, vmin(broadcast(30.0f), x * fma(x * x, broadcast(0.0713548163f), broadcast(1.59576912f))));
}

/// 1/2 plus an odd function of x, which is 1/2 from the table's last row on: the slopes of both forms of gelu.
DLCORE_INLINE f32v half_plus_odd(const PiecewiseTable& table, f32v x) {
  const f32v a = vmin(broadcast(6.25f), vabs(x));
  const u32v index = bitcast<u32v>(fma(a, broadcast(5.0f), broadcast(0x1.8p23f)));
  return 0.5f + copysign(piecewise<4>(table, index, a), x);
}
DLCORE_INLINE f32v vgelu_slope(f32v x) { return half_plus_odd(kGeluSlope, x); }
DLCORE_INLINE f32v vgelu_tanh_slope(f32v x) { return half_plus_odd(kGeluTanhSlope, x); }

// ---- sin and cos: in double, for both types

/// sin(x), or cos(x) = sin(x + pi/2), |x| <= 2^20; coefficients of (sin(r) - r) / r^3 in r^2, |r| <= pi/2. Beyond that
/// the reduction needs more bits than are kept here: the C library does it.
template <bool kCos, int kParts, class... Coefficients>
DLCORE_INLINE f64v sin_or_cos(f64v x, Coefficients... coefficients) {
  const f64v per_pi = f64v{} + 0x1.45f306dc9c883p-2, half = f64v{} + 0.5, magic = f64v{} + 0x1.8p52;
  const f64v shifted = kCos ? fma(x, per_pi, half) + magic : fma(x, per_pi, magic);
  const f64v n = shifted - magic - (kCos ? 0.5 : 0.0);
  // pi in parts, three of them for numbers in double; products of n with all but the last are exact.
  f64v r = fma(n, f64v{} - 0x1.921fb544p+1, x);
  r = fma(n, f64v{} - (kParts == 2 ? 0x1.0b4611a626331p-33 : 0x1.0b4611a6p-33), r);
  if (kParts == 3) r = fma(n, f64v{} - 0x1.3198a2e037073p-68, r);
  const f64v z = r * r;
  const f64v y = fma(r * z, polynomial(z, coefficients...), r);
  return bitcast<f64v>(bitcast<u64v>(y) ^ (bitcast<u64v>(shifted) << 63));  // odd n: the other sign
}
template <bool kCos>
DLCORE_INLINE f64v sin_or_cos_f64(f64v x) {
  return sin_or_cos<kCos, 3>(x, -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800.,
                             -1. / 1307674368000., 1. / 355687428096000., -1. / 121645100408832000.,
                             1. / 51090942171709440000., -1. / 25852016738884976640000.);
}
template <bool kCos>
DLCORE_INLINE f64v sin_or_cos_f32(f64v x) {
  return sin_or_cos<kCos, 2>(x, -0.16666666624863966, 0.008333331067332117, -0.00019840863775510325,
                             2.752518891217283e-06, -2.3885863185794942e-08);
}

DLCORE_INLINE bool any_beyond(f64v x, double limit) {
  bool beyond = false;
  for (int i = 0; i < kLanes<double>; ++i) beyond |= !(__builtin_fabs(x[i]) <= limit);
  return beyond;
}
DLCORE_INLINE f64v vsin(f64v x) {
  if (any_beyond(x, 0x1p20)) return each_lane(x, [](double v) { return __builtin_sin(v); });
  return sin_or_cos_f64<false>(x);
}
DLCORE_INLINE f64v vcos(f64v x) {
  if (any_beyond(x, 0x1p20)) return each_lane(x, [](double v) { return __builtin_cos(v); });
  return sin_or_cos_f64<true>(x);
}

DLCORE_INLINE f32v vsin(f32v x) {
  if (!all_within(x, -0x1p20f, 0x1p20f))
    return each_lane(x, [](float v) { return static_cast<float>(__builtin_sin(static_cast<double>(v))); });
  return to_f32(sin_or_cos_f32<false>(low_to_f64(x)), sin_or_cos_f32<false>(high_to_f64(x)));
}
DLCORE_INLINE f32v vcos(f32v x) {
  if (!all_within(x, -0x1p20f, 0x1p20f))
    return each_lane(x, [](float v) { return static_cast<float>(__builtin_cos(static_cast<double>(v))); });
  return to_f32(sin_or_cos_f32<true>(low_to_f64(x)), sin_or_cos_f32<true>(high_to_f64(x)));
}

// ---- pow: in double, so that |y log2(x)| of up to 150 leaves enough bits for float

/// 2^(y * log2(m * 2^n)) for m in [sqrt(1/2), sqrt(2)); f = m - 1.
DLCORE_INLINE f64v power_of_parts(f64v f, f64v n, f64v y) {
  const f64v s = f / (f + 2.0), z = s * s, z2 = z * z;
  // log2(m) / s = 2 atanh(s) / (s ln 2)
  const f64v series = fma(z, polynomial(z2, 0.961796694113402, 0.412209254338553, 0.2829014468425148),
                          polynomial(z2, 2.88539008177785, 0.5770779423465763, 0.3199056116530945));
  const f64v t = vmax(f64v{} - 160.0, vmin(f64v{} + 160.0, y * fma(s, series, n)));
  const f64v shifted = t + 0x1.8p52, r = t - (shifted - 0x1.8p52), r2 = r * r;
  const f64v e =  // 2^r
      fma(r, polynomial(r2, 0.693147180728716, 0.055504103528335576, 0.0013333922854617422, 1.5201901298853636e-05),
          polynomial(r2, 1.0, 0.24022651198755016, 0.00961802717271647, 0.0001546931732208822));
  return bitcast<f64v>(bitcast<i64v>(e) + (bitcast<i64v>(shifted) << 52));
}

DLCORE_INLINE f32v vpow(f32v x, f32v y) {
  if (all_within(y, 2, 2)) return x * x;
  const f32v a = vabs(x);
  const LogParts parts = log_parts(a);
  const f32v f = parts.m - 1.0f;
  const bool usual = all_within(x, kSmallestNormal, kLargest) && all_within(y, -kLargest, kLargest);
  f32v n = to_f32(parts.n);
  if (!usual) {
    n = a < kSmallestNormal ? broadcast(-kInf) : n;
    n = a <= kLargest ? n : a;
  }
  f32v r = to_f32(power_of_parts(low_to_f64(f), low_to_f64(n), low_to_f64(y)),
                  power_of_parts(high_to_f64(f), high_to_f64(n), high_to_f64(y)));
  if (usual) return r;
  const i32v near = to_i32(vmax(broadcast(-0x1p30f), vmin(broadcast(0x1p30f), y)));
  const auto whole = (to_f32(near) == y) | (vabs(y) >= 0x1p23f);
  const u32v odd = bitcast<u32v>(whole & (vabs(y) < 0x1p24f) & ((near & 1) != 0));
  r = a == 1.0f ? f32v{} + 1.0f : r;
  r = bitcast<f32v>(bitcast<u32v>(r) ^ (bitcast<u32v>(x) & odd & 0x80000000u));
  r = (((x < 0.0f) & (x > -kInf) & ~whole) | (x != x) | (y != y)) ? f32v{} + kNaN : r;
  return ((y == 0.0f) | (x == 1.0f)) ? f32v{} + 1.0f : r;
}

// ---- f64v through the C library

/// Phi(x) + x * phi(x)
DLCORE_INLINE double gelu_slope_of(double x) {
  if (__builtin_fabs(x) > 40) return x > 0;
  return 0.5 * __builtin_erfc(x * -0.70710678118654752440) + x * 0.39894228040143267794 * __builtin_exp(-0.5 * x * x);
}
/// Of x * s with s = sigmoid(w), w = 2 sqrt(2/pi) * (x + 0.044715 x^3): s + x * s * (1 - s) * w'
DLCORE_INLINE double gelu_tanh_slope_of(double x) {
  if (__builtin_fabs(x) > 20) return x > 0;
  constexpr double kScale = 1.59576912160573071176, kCube = 0.044715;
  const double s = 1 / (1 + __builtin_exp(-kScale * (x + kCube * x * x * x)));
  return s + x * s * (1 - s) * kScale * (1 + 3 * kCube * x * x);
}

#define DLCORE_LANES(name, expression)                        \
  DLCORE_INLINE f64v name(f64v x) {                           \
    return each_lane(x, [](double v) { return expression; }); \
  }
DLCORE_LANES(vexp, __builtin_exp(v))
DLCORE_LANES(vexpm1, __builtin_expm1(v))
DLCORE_LANES(vlog, __builtin_log(v))
DLCORE_LANES(vlog1p, __builtin_log1p(v))
DLCORE_LANES(vlog2, __builtin_log2(v))
DLCORE_LANES(vlog10, __builtin_log10(v))
DLCORE_LANES(vtanh, __builtin_tanh(v))
DLCORE_LANES(verf, __builtin_erf(v))
DLCORE_LANES(vsigmoid, v < 0 ? __builtin_exp(v) / (1 + __builtin_exp(v)) : 1 / (1 + __builtin_exp(-v)))
DLCORE_LANES(vsilu, v < -745 ? -0.0 : v / (1 + __builtin_exp(-v)))
DLCORE_LANES(vsoftplus, (v > 0 ? v : 0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(v))))
DLCORE_LANES(vgelu, v < -40 ? -0.0 : v * 0.5 * __builtin_erfc(v * -0.70710678118654752440))
DLCORE_LANES(vgelu_tanh, v < -40 ? -0.0 : v / (1 + __builtin_exp(-1.59576912160573071176 * (v + 0.044715 * v * v * v))))
DLCORE_LANES(vgelu_slope, gelu_slope_of(v))
DLCORE_LANES(vgelu_tanh_slope, gelu_tanh_slope_of(v))
#undef DLCORE_LANES

DLCORE_INLINE f64v vpow(f64v x, f64v y) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_pow(x[i], y[i]);
  return x;
}

}  // namespace dlcore::DLCORE_ISA
