/// Products of bfloat16 that add up in float32, with the instruction that multiplies pairs (AVX512_BF16):
///
///   sum[lane] += a[2 lane + 1] * b[2 lane + 1] + a[2 lane] * b[2 lane]
///
/// The tiles, packings and loops are those of float32: a pair of elements at steps 2p and 2p + 1 of k takes a lane of
/// 32 bits. An odd k gets a zero. The instruction rounds to nearest even in whatever mode, and denormals count as zero.
#pragma once

#include "kernels/float16.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {

/// Two steps of k.
struct BfloatPair {
  Bfloat first, second;
};
template <>
struct VectorOf<BfloatPair> {
  using type = i32v;
};

typedef std::uint16_t u16half __attribute__((vector_size(DLCORE_SIMD_BYTES / 2)));

// Clang 16 crashes where it optimises vectors of bfloat16, so it does not see any.
/// sum + the products of pairs, two in each lane.
DLCORE_INLINE f32v add_pairs(f32v sum, i32v a, i32v b) {
#if defined(__clang__)
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return _mm512_dpbf16_ps(sum, bitcast<__m512bh>(a), bitcast<__m512bh>(b));
#endif
}
/// `low` and, behind it, `high`, rounded to bfloat16.
DLCORE_INLINE __m512i round_both(f32v low, f32v high) {
#if defined(__clang__)
  __m512i rounded;
  __asm__("vcvtne2ps2bf16 %2, %1, %0" : "=v"(rounded) : "v"(high), "v"(low));
  return rounded;
#else
  return bitcast<__m512i>(_mm512_cvtne2ps_pbh(bitcast<__m512>(high), bitcast<__m512>(low)));
#endif
}

/// The first `lanes` elements, the others zero.
DLCORE_INLINE u16half load_half(const Bfloat* x, int lanes) {
  if (lanes == kF32) return bitcast<u16half>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
  return bitcast<u16half>(_mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << lanes) - 1u), x));
}
DLCORE_INLINE f32v load_as_float(const Bfloat* x, int lanes) {
  return bitcast<f32v>(__builtin_convertvector(load_half(x, lanes), u32v) << 16);
}
/// Mask of the first elements (0 ... 32) of a register.
DLCORE_INLINE __mmask32 first_of(int elements) { return static_cast<__mmask32>((std::uint64_t{1} << elements) - 1u); }
/// The first elements of `low` and, behind it, `high`.
DLCORE_INLINE void store_rounded(Bfloat* x, f32v low, f32v high, int elements) {
  _mm512_mask_storeu_epi16(x, first_of(elements), round_both(low, high));
}

template <>
struct Operand<BfloatPair> {
  using Stored = Bfloat;
  using Sum = float;

  static DLCORE_INLINE i32v spread(const BfloatPair* x) {
    std::int32_t pair;
    __builtin_memcpy(&pair, x, sizeof(pair));
    return broadcast(pair);
  }
  static DLCORE_INLINE f32v multiply_add(i32v a, i32v b, f32v sum) { return add_pairs(sum, a, b); }
  static DLCORE_INLINE i32v load_units(const Bfloat* x, int elements) {
    return bitcast<i32v>(_mm512_maskz_loadu_epi16(first_of(elements), x));
  }
  static DLCORE_INLINE i32v load_step(const Bfloat* x, std::int64_t ld, int lanes, int steps) {
    const auto first = bitcast<__m256i>(load_half(x, lanes));
    const auto second = steps == 1 ? __m256i{} : bitcast<__m256i>(load_half(x + ld, lanes));
    const __m512i both = _mm512_maskz_inserti64x4(0xff, _mm512_castsi256_si512(first), second, 1);
    const i32v lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return bitcast<i32v>(_mm512_permutexvar_epi16(bitcast<__m512i>(lane | (lane + kF32) << 16), both));
  }
  // Two vectors come from 32 elements of each row, interleaved in blocks of 8: the first has columns 0 ... 3, 8 ... 11,
  // 16 ... 19 and 24 ... 27, the second the others.
  template <int kVectors>
  static DLCORE_INLINE void load_stored(i32v (&units)[kVectors], const Bfloat* x, std::int64_t ld, int last_lanes) {
#pragma GCC unroll 4
    for (int j = 0; j + 1 < kVectors; j += 2) {
      const int elements = j + 2 == kVectors ? kF32 + last_lanes : 2 * kF32;
      const auto first = bitcast<__m512i>(load_units(x + j * kF32, elements));
      const auto second = bitcast<__m512i>(load_units(x + ld + j * kF32, elements));
      units[j] = bitcast<i32v>(_mm512_unpacklo_epi16(first, second));
      units[j + 1] = bitcast<i32v>(_mm512_unpackhi_epi16(first, second));
    }
    constexpr int kLast = kVectors - 1;
    if constexpr (kLast % 2 == 0) units[kLast] = load_step(x + kLast * kF32, ld, last_lanes, 2);
  }
  template <int kVectors>
  static DLCORE_INLINE void in_order(f32v (&sums)[kVectors]) {
    const i32v first = {0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23};
#pragma GCC unroll 4
    for (int j = 0; j + 1 < kVectors; j += 2) {
      const __m512 even = bitcast<__m512>(sums[j]), odd = bitcast<__m512>(sums[j + 1]);
      sums[j] = bitcast<f32v>(_mm512_permutex2var_ps(even, bitcast<__m512i>(first), odd));
      sums[j + 1] = bitcast<f32v>(_mm512_permutex2var_ps(even, bitcast<__m512i>(first + 8), odd));
    }
  }

  /// c[rows, cols] = act(sums + bias), rounded to nearest even. bias: cols elements, or null.
  static void finish(const float* sums, std::int64_t ld, std::int64_t rows, std::int64_t cols, const Bfloat* bias,
                     Activation activation, Bfloat* c, std::int64_t ldc) {
    for (std::int64_t j = 0; j < cols; j += 2 * kF32) {
      const int elements = static_cast<int>(min_of<std::int64_t>(2 * kF32, cols - j));
      const int low = min_of(elements, kF32), high = elements - low;
      const f32v b_low = bias ? load_as_float(bias + j, low) : f32v{};
      const f32v b_high = bias && high ? load_as_float(bias + j + kF32, high) : f32v{};
      for (std::int64_t i = 0; i < rows; ++i) {
        const float* from = sums + i * ld + j;
        const f32v x_low = activate<float>(load_partial(from, low) + b_low, activation);
        const f32v x_high = high ? activate<float>(load_partial(from + kF32, high) + b_high, activation) : f32v{};
        store_rounded(c + i * ldc + j, x_low, x_high, elements);
      }
    }
  }
};

}  // namespace dlcore::DLCORE_ISA
