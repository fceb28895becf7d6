#include "program/feed.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/parallel.h"
#include "kernels/element_type.h"

namespace dlcore {

namespace {

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
    // Numbers that 64 bits can't hold (NaN too) become the least integer, as the processor does it, of which a narrower
    // one has the lowest bits, as of all others; never undefined.
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

RowConverter converter(DType from, DType to) {
  RowConverter result = nullptr;
  with_type(to, [&]<class To>(To) { with_type(from, [&]<class From>(From) { result = convert_row<To, From>; }); });
  return result;
}

}  // namespace

void expect_rows(const Rows& rows, const std::int64_t* order, std::int64_t first, std::int64_t count) {
  if (!order && (first < 0 || first > rows.rows - count))
    throw index_error("Asked for ", count, " rows from row ", first, " on, of an array of ", rows.rows, " rows.");
  if (!order) return;
  for (std::int64_t i = first; i < first + count; ++i)
    if (order[i] < 0 || order[i] >= rows.rows)
      throw index_error("Row ", order[i], " is not in an array of ", rows.rows, " rows.");
}

void gather_rows(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
                 void* out) {
  expect_rows(source, order, first, count);
  auto row_of = [=](std::int64_t i) { return order ? order[first + i] : first + i; };
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
  expect_rows(destination, nullptr, first, count);
  const std::size_t row_bytes = static_cast<std::size_t>(destination.row_elements) * size_of(destination.dtype);
  std::byte* to = destination.data + static_cast<std::size_t>(first) * row_bytes;
  const std::byte* from = static_cast<const std::byte*>(in);
  if (dtype == destination.dtype)
    std::memcpy(to, from, static_cast<std::size_t>(count) * row_bytes);
  else
    converter(dtype, destination.dtype)(from, to, count * destination.row_elements);
}

}  // namespace dlcore
