// The greatest of some vectors lane by lane, and where it was found. Only for *.simd.cpp.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// Positions of one vector's lanes.
template <class T>
struct LaneIndex;
template <>
struct LaneIndex<float> {
  using type = i32v;
};
template <>
struct LaneIndex<double> {
  using type = i64v;
};
template <class T>
using index_vec = typename LaneIndex<T>::type;

/// best, at: the greatest so far and its position; x, at position `here`, comes after them. The first of equals stays;
/// NaN is greater than all.
template <class T>
DLCORE_INLINE void take_greater(vec<T> x, int here, vec<T>& best, index_vec<T>& at) {
  const auto better = ~(x <= best) & (best == best);
  best = better ? x : best;
  at = better ? index_vec<T>{} + here : at;
}

/// In memory positions are as wide as Argmax. kAll: every lane exists.
template <class Argmax, int kCount>
struct Packed {
  typedef Argmax type __attribute__((vector_size(sizeof(Argmax) * kCount)));
};

#if defined(__AVX512F__)
DLCORE_INLINE __mmask16 byte_mask(int lanes) { return static_cast<__mmask16>((1u << lanes) - 1); }
#endif

template <class T, class Argmax, bool kAll>
DLCORE_INLINE index_vec<T> load_index(const Argmax* p, int lanes) {
  typename Packed<Argmax, kLanes<T>>::type packed{};
#if defined(__AVX512F__)
  // The compiler's own conversion takes vectors apart.
  if constexpr (sizeof(T) == 4 && sizeof(Argmax) == 1) {
    const __m128i bytes = _mm_maskz_loadu_epi8(byte_mask(kAll ? kLanes<T> : lanes), p);
    return bitcast<index_vec<T>>(_mm512_maskz_cvtepu8_epi32(0xffff, bytes));
  }
#elif defined(__AVX2__)
  if constexpr (kAll && sizeof(T) == 4 && sizeof(Argmax) == 1)
    return bitcast<index_vec<T>>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#endif
  if (kAll) {
    __builtin_memcpy(&packed, p, sizeof(packed));
  } else {
    for (int i = 0; i < lanes; ++i) packed[i] = p[i];
  }
  return __builtin_convertvector(packed, index_vec<T>);
}
/// The compiler's own conversion goes through scalar registers.
template <class Argmax, class V>
DLCORE_INLINE auto narrow(V index) {
  typename Packed<Argmax, sizeof(V) / sizeof(index[0])>::type packed;
#if defined(__AVX512F__)
  if constexpr (sizeof(index[0]) == 4 && sizeof(Argmax) == 1)
    return bitcast<decltype(packed)>(_mm512_maskz_cvtepi32_epi8(0xffff, bitcast<__m512i>(index)));
#elif defined(__AVX2__)
  if constexpr (sizeof(index[0]) == 4 && sizeof(Argmax) == 1) {
    const __m256i lanes = _mm256_shuffle_epi8(bitcast<__m256i>(index), _mm256_set1_epi32(0x0c080400));
    const __m128i halves = _mm_unpacklo_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    return bitcast<decltype(packed)>(_mm_cvtsi128_si64(halves));
  }
#endif
  packed = __builtin_convertvector(index, decltype(packed));
  return packed;
}
template <class T, class Argmax, bool kAll>
DLCORE_INLINE void store_index(Argmax* p, index_vec<T> index, int lanes) {
  const auto packed = narrow<Argmax>(index);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && sizeof(Argmax) == 1)
    return _mm_mask_storeu_epi8(p, byte_mask(kAll ? kLanes<T> : lanes), bitcast<__m128i>(packed));
#endif
  if (kAll) {
    __builtin_memcpy(p, &packed, sizeof(packed));
  } else {
    for (int i = 0; i < lanes; ++i) p[i] = packed[i];
  }
}

}  // namespace dlcore::DLCORE_ISA
