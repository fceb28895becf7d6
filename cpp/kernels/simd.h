// The vector type of the kernels: compiler vectors of the widest registers of the instruction set under compilation.
// Arithmetic, comparison and `mask ? a : b` are the compiler's own operators; this header adds what they lack.
// Included only by *.simd.cpp, inside which everything lives in namespace dlcore::DLCORE_ISA. Such sources use no
// inline function or template from outside that namespace (std:: included): the linker keeps one copy of those, and it
// may be the one compiled for AVX-512. Compiler builtins (__builtin_*) and intrinsics are fine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef DLCORE_ISA
#error "simd.h is for sources that cmake/isa_flags.cmake compiles per instruction set"
#endif

#if defined(__AVX512F__)
#define DLCORE_SIMD_BYTES 64
#elif defined(__AVX2__)
#define DLCORE_SIMD_BYTES 32
#else
#define DLCORE_SIMD_BYTES 16
#endif

namespace dlcore::DLCORE_ISA {

typedef float f32v __attribute__((vector_size(DLCORE_SIMD_BYTES)));
typedef double f64v __attribute__((vector_size(DLCORE_SIMD_BYTES)));
typedef std::int32_t i32v __attribute__((vector_size(DLCORE_SIMD_BYTES)));
typedef std::uint32_t u32v __attribute__((vector_size(DLCORE_SIMD_BYTES)));
typedef std::int64_t i64v __attribute__((vector_size(DLCORE_SIMD_BYTES)));
typedef std::uint64_t u64v __attribute__((vector_size(DLCORE_SIMD_BYTES)));

/// The vector of a scalar type, and its number of lanes.
template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = f32v;
};
template <>
struct VectorOf<double> {
  using type = f64v;
};
template <>
struct VectorOf<std::int32_t> {
  using type = i32v;
};
template <>
struct VectorOf<std::int64_t> {
  using type = i64v;
};
template <class T>
using vec = typename VectorOf<T>::type;
template <class T>
inline constexpr int kLanes = DLCORE_SIMD_BYTES / static_cast<int>(sizeof(T));
inline constexpr int kF32 = kLanes<float>;

#define DLCORE_INLINE inline __attribute__((always_inline))

template <class T>
DLCORE_INLINE T min_of(T a, T b) {
  return b < a ? b : a;
}
template <class T>
DLCORE_INLINE T max_of(T a, T b) {
  return a < b ? b : a;
}

/// Loads and stores need no alignment.
template <class T>
DLCORE_INLINE vec<T> load(const T* p) {
  vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
template <class T>
DLCORE_INLINE void store(T* p, vec<T> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}
template <class T>
DLCORE_INLINE vec<T> broadcast(T x) {
  return x - vec<T>{};
}

template <class To, class From>
DLCORE_INLINE To bitcast(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To r;
  __builtin_memcpy(&r, &v, sizeof(r));
  return r;
}

/// The first n lanes (0 <= n <= lanes), the others zero; nothing beyond p[n-1] is touched.
template <class T>
DLCORE_INLINE vec<T> load_partial(const T* p, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return bitcast<vec<T>>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << n) - 1u), p));
  } else {
    return bitcast<vec<T>>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>((1u << n) - 1u), p));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return bitcast<vec<T>>(_mm256_maskload_epi32(reinterpret_cast<const int*>(p), mask));
  } else {
    const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
    return bitcast<vec<T>>(_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), mask));
  }
#else
  vec<T> v{};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}

template <class T>
DLCORE_INLINE void store_partial(T* p, vec<T> v, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1u), bitcast<__m512i>(v));
  } else {
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>((1u << n) - 1u), bitcast<__m512i>(v));
  }
#elif defined(__AVX2__)
  // Halves, quarters, ...: a masked store takes some processors (Zen 2 and 3) a dozen cycles.
  if (n >= kLanes<T>) return store(p, v);
  __m128d part = _mm256_castpd256_pd128(bitcast<__m256d>(v));
  const int words = n * static_cast<int>(sizeof(T)) / 4;
  char* to = reinterpret_cast<char*>(p);
  if (words & 4) {
    _mm_storeu_pd(reinterpret_cast<double*>(to), part);
    part = _mm256_extractf128_pd(bitcast<__m256d>(v), 1);
    to += 16;
  }
  if (words & 2) {
    __builtin_memcpy(to, &part, 8);
    part = _mm_unpackhi_pd(part, part);
    to += 8;
  }
  if (words & 1) __builtin_memcpy(to, &part, 4);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// a * b + c, rounded once where the instruction set has FMA.
DLCORE_INLINE f32v fma(f32v a, f32v b, f32v c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return bitcast<f32v>(vfmaq_f32(bitcast<float32x4_t>(c), bitcast<float32x4_t>(a), bitcast<float32x4_t>(b)));
#else
  return a * b + c;
#endif
}
DLCORE_INLINE f64v fma(f64v a, f64v b, f64v c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_pd(a, b, c);
#elif defined(__aarch64__)
  return bitcast<f64v>(vfmaq_f64(bitcast<float64x2_t>(c), bitcast<float64x2_t>(a), bitcast<float64x2_t>(b)));
#else
  return a * b + c;
#endif
}

/// Lane by lane. When a lane of a is NaN the result is b, as the x86 instruction does it.
template <class V>
DLCORE_INLINE V vmin(V a, V b) {
  return a < b ? a : b;
}
template <class V>
DLCORE_INLINE V vmax(V a, V b) {
  return a > b ? a : b;
}
#if defined(__AVX512F__)
// The compiler makes two instructions of these when one side is a constant.
DLCORE_INLINE f32v vmin(f32v a, f32v b) { return _mm512_maskz_min_ps(0xffff, a, b); }
DLCORE_INLINE f32v vmax(f32v a, f32v b) { return _mm512_maskz_max_ps(0xffff, a, b); }
DLCORE_INLINE f64v vmin(f64v a, f64v b) { return _mm512_maskz_min_pd(0xff, a, b); }
DLCORE_INLINE f64v vmax(f64v a, f64v b) { return _mm512_maskz_max_pd(0xff, a, b); }
#elif defined(__AVX2__)
DLCORE_INLINE f32v vmin(f32v a, f32v b) { return _mm256_min_ps(a, b); }
DLCORE_INLINE f32v vmax(f32v a, f32v b) { return _mm256_max_ps(a, b); }
DLCORE_INLINE f64v vmin(f64v a, f64v b) { return _mm256_min_pd(a, b); }
DLCORE_INLINE f64v vmax(f64v a, f64v b) { return _mm256_max_pd(a, b); }
#endif

DLCORE_INLINE f32v vsqrt(f32v x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, x);  // the unmasked form warns in GCC 12
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#elif defined(__x86_64__)
  return _mm_sqrt_ps(x);
#elif defined(__aarch64__)
  return bitcast<f32v>(vsqrtq_f32(bitcast<float32x4_t>(x)));
#else
  for (int i = 0; i < kF32; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}
DLCORE_INLINE f64v vsqrt(f64v x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xff, x);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x);
#elif defined(__x86_64__)
  return _mm_sqrt_pd(x);
#elif defined(__aarch64__)
  return bitcast<f64v>(vsqrtq_f64(bitcast<float64x2_t>(x)));
#else
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
#endif
}

/// The low and the high half of float lanes in double, and back.
DLCORE_INLINE f64v low_to_f64(f32v x) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(
      0xff, __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7));  // the unmasked form warns in GCC 12
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm256_castps256_ps128(x));
#elif defined(__x86_64__)
  return _mm_cvtps_pd(x);
#elif defined(__aarch64__)
  return bitcast<f64v>(vcvt_f64_f32(vget_low_f32(bitcast<float32x4_t>(x))));
#else
  return f64v{x[0], x[1]};
#endif
}
DLCORE_INLINE f64v high_to_f64(f32v x) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(0xff, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#elif defined(__x86_64__)
  return _mm_cvtps_pd(_mm_movehl_ps(x, x));
#elif defined(__aarch64__)
  return bitcast<f64v>(vcvt_high_f64_f32(bitcast<float32x4_t>(x)));
#else
  return f64v{x[2], x[3]};
#endif
}
DLCORE_INLINE f32v to_f32(f64v low, f64v high) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(_mm512_maskz_cvtpd_ps(0xff, low), _mm512_maskz_cvtpd_ps(0xff, high), 0, 1, 2, 3, 4, 5,
                                 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX2__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
#elif defined(__x86_64__)
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#elif defined(__aarch64__)
  return bitcast<f32v>(vcvt_high_f32_f64(vcvt_f32_f64(bitcast<float64x2_t>(low)), bitcast<float64x2_t>(high)));
#else
  return f32v{static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
              static_cast<float>(high[1])};
#endif
}

/// Lane conversions of equal width; float to integer truncates.
DLCORE_INLINE i32v to_i32(f32v x) { return __builtin_convertvector(x, i32v); }
DLCORE_INLINE f32v to_f32(i32v x) { return __builtin_convertvector(x, f32v); }

/// Whether low <= x <= high in every lane; a NaN is not.
DLCORE_INLINE bool all_within(f32v x, float low, float high) {
#if defined(__AVX512F__)
  const __mmask16 above = _mm512_cmp_ps_mask(x, broadcast(low), _CMP_GE_OQ);
  return _mm512_mask_cmp_ps_mask(above, x, broadcast(high), _CMP_LE_OQ) == 0xffff;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(bitcast<__m256>((x >= low) & (x <= high))) == 0xff;
#elif defined(__x86_64__)
  return _mm_movemask_ps(bitcast<__m128>((x >= low) & (x <= high))) == 0xf;
#elif defined(__aarch64__)
  return vminvq_u32(bitcast<uint32x4_t>((x >= low) & (x <= high))) != 0;
#else
  bool within = true;
  for (int i = 0; i < kF32; ++i) within &= x[i] >= low && x[i] <= high;
  return within;
#endif
}

/// Bit i: whether lane i of a vector of floats or doubles is not zero; a NaN is not.
template <class T>
DLCORE_INLINE unsigned nonzero_lanes(vec<T> x) {
  [[maybe_unused]] constexpr bool kSingle = sizeof(T) == 4;
#if defined(__AVX512F__)
  if constexpr (kSingle)
    return _mm512_cmp_ps_mask(x, vec<T>{}, _CMP_NEQ_UQ);
  else
    return _mm512_cmp_pd_mask(x, vec<T>{}, _CMP_NEQ_UQ);
#elif defined(__AVX2__)
  if constexpr (kSingle)
    return static_cast<unsigned>(_mm256_movemask_ps(bitcast<__m256>(x != vec<T>{})));
  else
    return static_cast<unsigned>(_mm256_movemask_pd(bitcast<__m256d>(x != vec<T>{})));
#elif defined(__x86_64__)
  if constexpr (kSingle)
    return static_cast<unsigned>(_mm_movemask_ps(bitcast<__m128>(x != vec<T>{})));
  else
    return static_cast<unsigned>(_mm_movemask_pd(bitcast<__m128d>(x != vec<T>{})));
#else
  unsigned bits = 0;
  for (int i = 0; i < kLanes<T>; ++i) bits |= static_cast<unsigned>(x[i] != 0) << i;
  return bits;
#endif
}

#if defined(__AVX2__) || defined(__aarch64__)
#define DLCORE_PERMUTE
/// Lane i of the result is lane index[i] of v.
DLCORE_INLINE f32v permute(f32v v, i32v index) {
#if defined(__AVX512F__)
  return _mm512_maskz_permutexvar_ps(0xffff, bitcast<__m512i>(index), v);  // the unmasked form warns in GCC 12
#elif defined(__AVX2__)
  return _mm256_permutevar8x32_ps(v, bitcast<__m256i>(index));
#else
  const u32v bytes = bitcast<u32v>(index) * 0x04040404u + 0x03020100u;
  return bitcast<f32v>(vqtbl1q_u8(bitcast<uint8x16_t>(v), bitcast<uint8x16_t>(bytes)));
#endif
}
#endif

/// Lanes folded as a tree: halves, quarters, ... The order is the same everywhere for a given vector width.
template <class T>
DLCORE_INLINE T reduce_add(vec<T> v) {
  T lane[kLanes<T>];
  store(lane, v);
  for (int width = kLanes<T> / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}
template <class T>
DLCORE_INLINE T reduce_max(vec<T> v) {
  T best = v[0];
  for (int i = 1; i < kLanes<T>; ++i) best = v[i] > best ? v[i] : best;
  return best;
}

// Transposition in two kinds of steps, each one instruction on x86: interleaving inside 128-bit lanes, and gathering
// the even or the odd lanes of two vectors.
template <class T>
inline constexpr int kPerLane = 16 / static_cast<int>(sizeof(T));

/// Where element i of the result of an interleaving comes from, in (a, b): low or high halves of every 128-bit lane.
template <class T>
constexpr int interleaved(int i, bool high) {
  const int lane = i / kPerLane<T>, at = i % kPerLane<T>;
  return (at % 2) * kLanes<T> + lane * kPerLane<T> + at / 2 + (high ? kPerLane<T> / 2 : 0);
}
/// The same for a's even (odd) 128-bit lanes, then b's.
template <class T>
constexpr int gathered(int i, bool odd) {
  const int half = kLanes<T> / 2, lane = i % half / kPerLane<T>;
  return i / half * kLanes<T> + (2 * lane + odd) * kPerLane<T> + i % kPerLane<T>;
}
template <class T, bool kHigh, int... kIndex>
DLCORE_INLINE vec<T> interleave(vec<T> a, vec<T> b, std::integer_sequence<int, kIndex...>) {
  return __builtin_shufflevector(a, b, interleaved<T>(kIndex, kHigh)...);
}
template <class T, bool kOdd, int... kIndex>
DLCORE_INLINE vec<T> gather_lanes(vec<T> a, vec<T> b, std::integer_sequence<int, kIndex...>) {
  return __builtin_shufflevector(a, b, gathered<T>(kIndex, kOdd)...);
}

/// In each 128-bit lane of as many rows as a lane has elements: rows become columns.
template <class T>
DLCORE_INLINE void transpose_lanes(vec<T>* rows) {
  constexpr int kRows = kPerLane<T>;
  using All = std::make_integer_sequence<int, kLanes<T>>;
  vec<T> next[kRows];
#pragma GCC unroll 2
  for (int stage = 1; stage < kRows; stage *= 2) {
#pragma GCC unroll 2
    for (int r = 0; r < kRows / 2; ++r) {
      next[2 * r] = interleave<T, false>(rows[r], rows[r + kRows / 2], All{});
      next[2 * r + 1] = interleave<T, true>(rows[r], rows[r + kRows / 2], All{});
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) rows[r] = next[r];
  }
}

/// Element i of the result is the sum of row i's elements. Steps of a transposition, whose results are added at once.
template <class T>
DLCORE_INLINE vec<T> sum_rows(vec<T> (&rows)[kLanes<T>]) {
  constexpr int kGroups = kLanes<T> / kPerLane<T>;
  using All = std::make_integer_sequence<int, kLanes<T>>;
  int count = kLanes<T>;
#pragma GCC unroll 2
  for (int half = kPerLane<T> / 2; half > 0; half /= 2) {
    count /= 2;
#pragma GCC unroll 8
    for (int r = 0; r < count; ++r) {
      const vec<T> a = rows[r / half * 2 * half + r % half], b = rows[r / half * 2 * half + r % half + half];
      rows[r] = interleave<T, false>(a, b, All{}) + interleave<T, true>(a, b, All{});
    }
  }
  if constexpr (kGroups > 1) {
#pragma GCC unroll 2
    while (count > 1) {
      count /= 2;
#pragma GCC unroll 2
      for (int r = 0; r < count; ++r)
        rows[r] = gather_lanes<T, false>(rows[2 * r], rows[2 * r + 1], All{}) +
                  gather_lanes<T, true>(rows[2 * r], rows[2 * r + 1], All{});
    }
  }
  return rows[0];
}

/// A square of lanes x lanes elements: rows become columns.
template <class T>
DLCORE_INLINE void transpose(vec<T> (&rows)[kLanes<T>]) {
  constexpr int kRows = kLanes<T>, kGroup = kPerLane<T>, kGroups = kRows / kGroup;
  using All = std::make_integer_sequence<int, kRows>;
  vec<T> next[kRows];
#pragma GCC unroll 8
  for (int group = 0; group < kGroups; ++group) transpose_lanes<T>(rows + group * kGroup);
    // Squares of lanes: row `at` of every group.
#pragma GCC unroll 2
  for (int stage = 1; stage < kGroups; stage *= 2) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows / 2; ++r) {
      const int group = r / kGroup, at = r % kGroup;
      const vec<T> a = rows[2 * group * kGroup + at], b = rows[(2 * group + 1) * kGroup + at];
      if constexpr (kGroups > 1) {
        next[r] = gather_lanes<T, false>(a, b, All{});
        next[r + kRows / 2] = gather_lanes<T, true>(a, b, All{});
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) rows[r] = next[r];
  }
}

/// sum of x[i] * y[i], i < n.
DLCORE_INLINE float dot(const float* x, const float* y, std::int64_t n) {
  f32v sum{};
  std::int64_t i = 0;
  for (; i + kF32 <= n; i += kF32) sum = fma(load(x + i), load(y + i), sum);
  if (i < n) sum = fma(load_partial(x + i, static_cast<int>(n - i)), load_partial(y + i, static_cast<int>(n - i)), sum);
  return reduce_add<float>(sum);
}

}  // namespace dlcore::DLCORE_ISA
