#include "program/feed.h"

#include <cstring>
#include <type_traits>

#include "base/parallel.h"
#include "program/half.h"

namespace dlcore {

namespace {

// 16-bit floats as types of their own, so that conversions are chosen by type.
struct Half {
  std::uint16_t bits;
};
struct Bfloat {
  std::uint16_t bits;
};

template <class T>
auto widen(T x) {
  if constexpr (std::is_same_v<T, Half>)
    return half_to_float(x.bits);
  else if constexpr (std::is_same_v<T, Bfloat>)
    return bfloat_to_float(x.bits);
  else
    return x;
}

template <class To, class From>
To convert(From from) {
  const auto x = widen(from);
  if constexpr (std::is_same_v<To, Half>)
    return {float_to_half(static_cast<float>(x))};
  else if constexpr (std::is_same_v<To, Bfloat>)
    return {float_to_bfloat(static_cast<float>(x))};
  else if constexpr (std::is_same_v<To, bool>)
    return x != 0;
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<decltype(x)>)
    // Numbers that the integer can't hold (NaN too) become its least value, as the processor does it; never undefined.
    return x >= static_cast<decltype(x)>(-9.2e18) && x <= static_cast<decltype(x)>(9.2e18)
               ? static_cast<To>(static_cast<std::int64_t>(x))
               : static_cast<To>(INT64_MIN);
  else
    return static_cast<To>(x);
}

template <class To, class From>
void convert_row(const std::byte* in, std::byte* out, std::int64_t count) {
  const From* from = reinterpret_cast<const From*>(in);
  To* to = reinterpret_cast<To*>(out);
  for (std::int64_t i = 0; i < count; ++i) to[i] = convert<To>(from[i]);
}

using RowConverter = void (*)(const std::byte*, std::byte*, std::int64_t);

template <class To>
RowConverter converter_from(DType from) {
  switch (from) {
    case DType::Bool:
      return convert_row<To, bool>;
    case DType::U8:
      return convert_row<To, std::uint8_t>;
    case DType::I8:
      return convert_row<To, std::int8_t>;
    case DType::I32:
      return convert_row<To, std::int32_t>;
    case DType::I64:
      return convert_row<To, std::int64_t>;
    case DType::F16:
      return convert_row<To, Half>;
    case DType::BF16:
      return convert_row<To, Bfloat>;
    case DType::F32:
      return convert_row<To, float>;
    case DType::F64:
      return convert_row<To, double>;
  }
  return nullptr;
}

RowConverter converter(DType from, DType to) {
  switch (to) {
    case DType::Bool:
      return converter_from<bool>(from);
    case DType::U8:
      return converter_from<std::uint8_t>(from);
    case DType::I8:
      return converter_from<std::int8_t>(from);
    case DType::I32:
      return converter_from<std::int32_t>(from);
    case DType::I64:
      return converter_from<std::int64_t>(from);
    case DType::F16:
      return converter_from<Half>(from);
    case DType::BF16:
      return converter_from<Bfloat>(from);
    case DType::F32:
      return converter_from<float>(from);
    case DType::F64:
      return converter_from<double>(from);
  }
  return nullptr;
}

void check_row(std::int64_t row, const Rows& rows) {
  if (row < 0 || row >= rows.rows) throw index_error("Row ", row, " is not in an array of ", rows.rows, " rows.");
}

}  // namespace

void gather_rows(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
                 void* out) {
  auto row_of = [=](std::int64_t i) { return order ? order[first + i] : first + i; };
  for (std::int64_t i = 0; i < count; ++i) check_row(row_of(i), source);
  const std::size_t in_bytes = static_cast<std::size_t>(source.row_elements) * size_of(source.dtype);
  const std::size_t out_bytes = static_cast<std::size_t>(source.row_elements) * size_of(dtype);
  std::byte* to = static_cast<std::byte*>(out);
  const RowConverter convert = source.dtype == dtype ? nullptr : converter(source.dtype, dtype);
  // Rows lie anywhere: a short one takes as long as a cache line.
  const auto row_bytes = std::max<std::int64_t>(64, static_cast<std::int64_t>(out_bytes));
  const std::int64_t rows_per_chunk = std::max<std::int64_t>(1, 16384 / row_bytes);
  const std::int64_t chunks = (count + rows_per_chunk - 1) / rows_per_chunk;
  parallel_for(chunks, 0.15 * static_cast<double>(row_bytes * count), [&](std::int64_t chunk) {
    const std::int64_t end = std::min(count, (chunk + 1) * rows_per_chunk);
    for (std::int64_t i = chunk * rows_per_chunk; i < end; ++i) {
      const std::byte* from = source.data + static_cast<std::size_t>(row_of(i)) * in_bytes;
      if (convert)
        convert(from, to + i * out_bytes, source.row_elements);
      else
        std::memcpy(to + i * out_bytes, from, out_bytes);
    }
  });
}

void write_rows(const Rows& destination, std::int64_t first, std::int64_t count, DType dtype, const void* in) {
  check_row(first, destination);
  check_row(first + count - 1, destination);
  const std::size_t row_bytes = static_cast<std::size_t>(destination.row_elements) * size_of(destination.dtype);
  std::byte* to = destination.data + static_cast<std::size_t>(first) * row_bytes;
  const std::byte* from = static_cast<const std::byte*>(in);
  if (dtype == destination.dtype)
    std::memcpy(to, from, static_cast<std::size_t>(count) * row_bytes);
  else
    converter(dtype, destination.dtype)(from, to, count * destination.row_elements);
}

}  // namespace dlcore
