// From a dtype at run time to a template argument, in one place.
#pragma once

#include "cuda/kernels/device.h"
#include "kernels/element_type.h"

namespace dlcore::cuda {

/// Calls body(T{}) with the element type of a float dtype.
template <class Body>
void with_float(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::F16:
      return body(Half{});
    case DType::BF16:
      return body(Bfloat{});
    case DType::F64:
      return body(double{});
    default:
      return body(float{});
  }
}

/// Calls body(T{}) with the element type of a number; bool counts as a byte.
template <class Body>
void with_number(DType dtype, const Body& body) {
  with_type(dtype, [&]<class T>(T zero) {
    if constexpr (std::is_same_v<T, bool>)
      body(std::uint8_t{});
    else
      body(zero);
  });
}

/// Calls body(Index{}) for int32 or int64.
template <class Body>
void with_index(DType dtype, const Body& body) {
  if (dtype == DType::I32)
    body(std::int32_t{});
  else
    body(std::int64_t{});
}

/// Calls body(Word{}) for elements that only move.
template <class Body>
void with_word(std::size_t bytes, const Body& body) {
  switch (bytes) {
    case 1:
      return body(std::uint8_t{});
    case 2:
      return body(std::uint16_t{});
    case 4:
      return body(std::uint32_t{});
    case 8:
      return body(std::uint64_t{});
    default:
      return body(Pack<std::uint64_t, 2>{});
  }
}

}  // namespace dlcore::cuda
