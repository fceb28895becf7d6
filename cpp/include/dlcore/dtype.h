// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>
#include <type_traits>

namespace dlcore {

enum class DType : std::uint8_t { Bool, U8, I8, I32, I64, F16, BF16, F32, F64 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::Bool:
    case DType::U8:
    case DType::I8:
      return 1;
    case DType::F16:
    case DType::BF16:
      return 2;
    case DType::I32:
    case DType::F32:
      return 4;
    case DType::I64:
    case DType::F64:
      return 8;
  }
  return 0;
}

constexpr bool is_float(DType dtype) { return dtype >= DType::F16; }

/// NumPy's name: "float32", "int64", "bool", ...
std::string_view name_of(DType dtype);

/// The inverse of name_of. Throws a Type error that lists the known names.
DType dtype_from_name(std::string_view name);

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

/// The DType of a C++ scalar type: dtype_of<float>() == DType::F32. Others do not compile.
template <class T>
constexpr DType dtype_of() = delete;
template <>
constexpr DType dtype_of<bool>() {
  return DType::Bool;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::U8;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::I8;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::I32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::I64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::F32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::F64;
}

/// Whether an element of this dtype is a T in memory; a 16-bit float is any type of 16 bits.
template <class T>
constexpr bool is_stored_as(DType dtype) {
  if constexpr (sizeof(T) == 2)
    return size_of(dtype) == 2;
  else
    return dtype == dtype_of<std::remove_const_t<T>>();
}

}  // namespace dlcore
