// How plans of products cut sizes in parts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace dlcore::blocking {

inline std::int64_t parts(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }
inline std::int64_t round_up(std::int64_t n, std::int64_t step) { return parts(n, step) * step; }
/// The size of parts of n that are at most `most`, nearly equal and multiples of `step`.
inline std::int64_t even_part(std::int64_t n, std::int64_t most, std::int64_t step) {
  const std::int64_t count = std::max<std::int64_t>(1, parts(n, std::max(most, step)));
  return std::max(step, round_up(parts(n, count), step));
}
/// Bytes up to the next cache line.
inline std::size_t align(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace dlcore::blocking
