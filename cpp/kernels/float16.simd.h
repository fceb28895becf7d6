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

}  // namespace dlcore::DLCORE_ISA
