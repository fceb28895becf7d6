// The 16-bit floats as types, for kernels that are templates over the element type.
#pragma once

#include "base/half.h"

namespace dlcore {

struct Half {
  std::uint16_t bits;
};
struct Bfloat {
  std::uint16_t bits;
};

/// An element as a number that can be computed with; 16-bit floats become float.
template <class T>
inline T widen(T x) {
  return x;
}
inline float widen(Half x) { return half_to_float(x.bits); }
inline float widen(Bfloat x) { return bfloat_to_float(x.bits); }

/// The inverse; rounds to nearest.
template <class T, class Wide>
inline T narrow(Wide x) {
  return static_cast<T>(x);
}
template <>
inline Half narrow<Half, float>(float x) {
  return {float_to_half(x)};
}
template <>
inline Bfloat narrow<Bfloat, float>(float x) {
  return {float_to_bfloat(x)};
}
template <>
inline Half narrow<Half, double>(double x) {
  return {float_to_half(static_cast<float>(x))};
}
template <>
inline Bfloat narrow<Bfloat, double>(double x) {
  return {float_to_bfloat(static_cast<float>(x))};
}

}  // namespace dlcore
