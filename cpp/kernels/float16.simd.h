// 16-bit floats in vectors.
#pragma once

#include "kernels/float16.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// The bits of floats, one (uint32_t) or a vector of them (u32v), rounded to nearest even as bfloat16 in the lower
/// halves. NaN stays NaN.
template <class Bits>
DLCORE_INLINE Bits bfloat_bits(Bits bits) {
  const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded;
}

/// The first `lanes` numbers, the others zero; those of 16 bits as floats.
template <class T>
DLCORE_INLINE vec<T> load_lanes(const T* p, int lanes) {
  return lanes == kLanes<T> ? load(p) : load_partial(p, lanes);
}
template <class T>
DLCORE_INLINE void store_lanes(T* p, vec<T> v, int lanes) {
  if (lanes == kLanes<T>) return store(p, v);
  store_partial(p, v, lanes);
}

typedef std::uint16_t u16half __attribute__((vector_size(DLCORE_SIMD_BYTES / 2)));

DLCORE_INLINE f32v load_lanes(const Bfloat* p, int lanes) {
  u16half bits{};
  if (lanes == kF32)
    __builtin_memcpy(&bits, p, sizeof(bits));
  else
    for (int i = 0; i < lanes; ++i) bits[i] = p[i].bits;
  return bitcast<f32v>(__builtin_convertvector(bits, u32v) << 16);
}
DLCORE_INLINE void store_lanes(Bfloat* p, f32v v, int lanes) {
  const u16half upper = __builtin_convertvector(bfloat_bits(bitcast<u32v>(v)), u16half);
  if (lanes == kF32)
    __builtin_memcpy(p, &upper, sizeof(upper));
  else
    for (int i = 0; i < lanes; ++i) p[i].bits = upper[i];
}

}  // namespace dlcore::DLCORE_ISA
