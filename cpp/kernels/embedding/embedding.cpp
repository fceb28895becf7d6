#include "kernels/embedding/embedding.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr std::int64_t kChunkBytes = 64 << 10;        // worth a visit to the chunk counter
constexpr std::int64_t kLeastScatterBytes = 1 << 20;  // of rows that a thread zeroes and adds to: as many as there
constexpr std::int64_t kMostScatterBytes = 8 << 20;   // are updates, for every chunk reads all indices
constexpr double kBytesPerNanosecond = 8;             // of one thread, for cost estimates

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The row of an index, or -1 for none.
std::int64_t row_of(std::int64_t index, const Lookup& lookup) {
  const std::int64_t rows = lookup.rows;
  switch (lookup.mode) {
    case IndexMode::Clip:
      return std::clamp<std::int64_t>(index, 0, rows - 1);
    case IndexMode::Wrap:
      return (index % rows + rows) % rows;
    default:
      if (index < 0) index += rows;
      return index >= 0 && index < rows ? index : -1;
  }
}

template <std::size_t kBytes, class Index>
void gather_rows(const Lookup& lookup, std::size_t row_bytes, const std::byte* table, const Index* index, std::byte* y,
                 std::int64_t n) {
  const std::size_t bytes = kBytes ? kBytes : row_bytes;
  for (std::int64_t i = 0; i < n; ++i, y += bytes) {
    const std::int64_t row = row_of(index[i], lookup);
    if (row >= 0)
      std::memcpy(y, table + row * bytes, bytes);
    else
      std::memset(y, 0, bytes);
  }
}

// The sizes of single elements as constants: the copy becomes one move.
template <class Index>
auto gather_rows_of(std::size_t row_bytes) {
  switch (row_bytes) {
    case 1:
      return gather_rows<1, Index>;
    case 2:
      return gather_rows<2, Index>;
    case 4:
      return gather_rows<4, Index>;
    case 8:
      return gather_rows<8, Index>;
    default:
      return gather_rows<0, Index>;
  }
}

/// Sums of integers wrap.
template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  else
    return narrow<T>(widen(a) + widen(b));
}

/// Products of integers wrap.
template <class T>
T product_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  else
    return narrow<T>(widen(a) * widen(b));
}

template <class T>
T max_of(T a, T b) {
  return widen(a) > widen(b) || widen(a) != widen(a) ? a : b;
}
template <class T>
T min_of(T a, T b) {
  return widen(a) < widen(b) || widen(a) != widen(a) ? a : b;
}

/// Rows [first, last) of one outer slice: begun as those of x (null: as zeros), then joined with the updates in the
/// order of the indices.
template <class T, class Index, class Join>
void scatter_rows(const Lookup& lookup, const Index* index, const T* x, const T* u, T* d, std::int64_t first,
                  std::int64_t last, const Join& join) {
  const std::int64_t inner = lookup.inner, begin = first * inner;
  const std::size_t bytes = sizeof(T) * (last - first) * inner;
  if (x)
    std::memcpy(d + begin, x + begin, bytes);
  else
    std::memset(d + begin, 0, bytes);
  for (std::int64_t i = 0; i < lookup.count; ++i) {
    const std::int64_t row = row_of(index[i], lookup);
    if (row < first || row >= last) continue;
    for (std::int64_t c = 0; c < inner; ++c) d[row * inner + c] = join(d[row * inner + c], u[i * inner + c]);
  }
}

template <class Word, class Index>
void gather_slice(const Lookup& lookup, const Word* x, const Index* index, Word* y) {
  for (std::int64_t i = 0; i < lookup.count; ++i)
    for (std::int64_t c = 0; c < lookup.inner; ++c, ++index, ++y) {
      const std::int64_t row = row_of(*index, lookup);
      *y = row >= 0 ? x[row * lookup.inner + c] : Word{0};
    }
}

template <class T, class Index>
void scatter_slice(const Lookup& lookup, const Index* index, const T* u, T* d) {
  std::memset(d, 0, sizeof(T) * lookup.rows * lookup.inner);
  for (std::int64_t i = 0; i < lookup.count; ++i)
    for (std::int64_t c = 0; c < lookup.inner; ++c, ++index, ++u) {
      const std::int64_t row = row_of(*index, lookup);
      if (row >= 0) d[row * lookup.inner + c] = sum_of(d[row * lookup.inner + c], *u);
    }
}

/// body(item) for every item; each moves about `item_bytes`. Small items share a chunk.
template <class Body>
void for_items(std::int64_t items, std::int64_t item_bytes, const Body& body) {
  const std::int64_t group = std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, item_bytes));
  parallel_for(ceil_div(items, group), items * item_bytes / kBytesPerNanosecond, [&](std::int64_t chunk) {
    const std::int64_t last = std::min((chunk + 1) * group, items);
    for (std::int64_t item = chunk * group; item < last; ++item) body(item);
  });
}

/// Threads split the rows.
template <class T, class Index, class Join>
void scatter(const Lookup& lookup, const Index* index, const T* x, const T* u, T* d, const Join& join) {
  const std::int64_t slice = lookup.rows * lookup.inner, updates = lookup.count * lookup.inner;
  const std::int64_t chunk = std::clamp<std::int64_t>(updates * sizeof(T), kLeastScatterBytes, kMostScatterBytes);
  const std::int64_t wanted = std::max<std::int64_t>(1, slice * sizeof(T) / chunk);
  const std::int64_t rows = std::max<std::int64_t>(1, ceil_div(lookup.rows, wanted));
  const std::int64_t pieces = ceil_div(lookup.rows, rows);
  const std::int64_t slice_bytes = sizeof(T) * (slice + 3 * updates);
  for_items(lookup.outer * pieces, slice_bytes / std::max<std::int64_t>(1, pieces), [&](std::int64_t item) {
    const std::int64_t o = item / pieces, first = item % pieces * rows;
    scatter_rows(lookup, index, x ? x + o * slice : nullptr, u + o * updates, d + o * slice, first,
                 std::min(first + rows, lookup.rows), join);
  });
}

template <class Word, class Index>
void gather_along_words(const Lookup& lookup, const void* x, const Index* index, void* y) {
  const std::int64_t in = lookup.rows * lookup.inner, out = lookup.count * lookup.inner;
  for_items(lookup.outer, out * (sizeof(Word) + sizeof(Index)), [&](std::int64_t o) {
    gather_slice(lookup, static_cast<const Word*>(x) + o * in, index + o * out, static_cast<Word*>(y) + o * out);
  });
}

}  // namespace

template <class Index>
std::int64_t first_bad_index(const Index* index, std::int64_t n, std::int64_t least, std::int64_t rows) {
  // Many are looked at before one is looked for.
  constexpr std::int64_t kTogether = 1024;
  for (std::int64_t first = 0; first < n; first += kTogether) {
    const std::int64_t last = std::min(first + kTogether, n);
    bool bad = false;
    for (std::int64_t i = first; i < last; ++i) bad |= index[i] < least || index[i] >= rows;
    for (std::int64_t i = first; bad && i < last; ++i)
      if (index[i] < least || index[i] >= rows) return i;
  }
  return -1;
}

template <class Index>
void gather(const Lookup& lookup, std::size_t element_bytes, const void* x, const Index* index, void* y) {
  const std::int64_t row_bytes = lookup.inner * element_bytes;
  const std::int64_t rows = std::max<std::int64_t>(1, kChunkBytes / std::max<std::int64_t>(1, row_bytes));
  const std::int64_t pieces = ceil_div(lookup.count, rows);
  const auto copy = gather_rows_of<Index>(row_bytes);
  for_items(lookup.outer * pieces, 2 * row_bytes * std::min(rows, lookup.count), [&](std::int64_t item) {
    const std::int64_t o = item / pieces, first = item % pieces * rows;
    copy(lookup, row_bytes, static_cast<const std::byte*>(x) + o * lookup.rows * row_bytes, index + first,
         static_cast<std::byte*>(y) + (o * lookup.count + first) * row_bytes, std::min(rows, lookup.count - first));
  });
}

template <class T, class Index>
void scatter_add(const Lookup& lookup, const Index* index, const T* u, T* d) {
  scatter<T>(lookup, index, nullptr, u, d, [](T a, T b) { return sum_of(a, b); });
}

template <class T, class Index>
void scatter_combine(const Lookup& lookup, Combine combine, const Index* index, const T* x, const T* u, T* y) {
  switch (combine) {
    case Combine::Max:
      return scatter(lookup, index, x, u, y, [](T a, T b) { return max_of(a, b); });
    case Combine::Min:
      return scatter(lookup, index, x, u, y, [](T a, T b) { return min_of(a, b); });
    case Combine::Mul:
      return scatter(lookup, index, x, u, y, [](T a, T b) { return product_of(a, b); });
    case Combine::Set:
      return scatter(lookup, index, x, u, y, [](T, T b) { return b; });
  }
}

template <class Index>
void gather_along(const Lookup& lookup, std::size_t element_bytes, const void* x, const Index* index, void* y) {
  switch (element_bytes) {
    case 1:
      return gather_along_words<std::uint8_t>(lookup, x, index, y);
    case 2:
      return gather_along_words<std::uint16_t>(lookup, x, index, y);
    case 4:
      return gather_along_words<std::uint32_t>(lookup, x, index, y);
    default:
      return gather_along_words<std::uint64_t>(lookup, x, index, y);
  }
}

template <class T, class Index>
void scatter_along(const Lookup& lookup, const Index* index, const T* u, T* d) {
  const std::int64_t slice = lookup.rows * lookup.inner, updates = lookup.count * lookup.inner;
  for_items(lookup.outer, sizeof(T) * (slice + 3 * updates),
            [&](std::int64_t o) { scatter_slice(lookup, index + o * updates, u + o * updates, d + o * slice); });
}

namespace {

/// Of the table that finds an index again: a power of two, at most half of it taken.
std::uint64_t unique_slots(std::int64_t count) { return std::bit_ceil(2 * static_cast<std::uint64_t>(count) + 2); }

}  // namespace

std::size_t unique_indices_scratch_bytes(std::int64_t count) { return sizeof(std::int32_t) * unique_slots(count); }

// Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4) with linear probing.
template <class Index>
void unique_indices(const Index* index, std::int64_t count, std::int64_t rows, Index* unique, std::int32_t* inverse,
                    void* scratch) {
  constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;
  const std::uint64_t slots = unique_slots(count);
  const int shift = 64 - std::countr_zero(slots);
  auto* const position = static_cast<std::int32_t*>(scratch);  // in unique; -1: none
  std::fill_n(position, slots, -1);
  const std::int64_t most = count - count / 16;
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < count && found <= most; ++i) {
    std::uint64_t slot = static_cast<std::uint64_t>(index[i]) * kGoldenRatio >> shift;
    while (position[slot] >= 0 && unique[position[slot]] != index[i]) slot = (slot + 1) & (slots - 1);
    if (position[slot] < 0) {
      unique[found] = index[i];
      position[slot] = static_cast<std::int32_t>(found++);
    }
    inverse[i] = position[slot];
  }
  if (found > most) {
    std::copy_n(index, count, unique);
    std::iota(inverse, inverse + count, 0);
    return;
  }
  std::fill(unique + found, unique + count, static_cast<Index>(rows));
}

template <class Index>
void one_hot(std::int64_t count, std::int64_t depth, const Index* index, const void* one, std::size_t element_bytes,
             void* y) {
  const std::int64_t row_bytes = depth * element_bytes;
  for_items(count, row_bytes, [&](std::int64_t i) {
    std::byte* row = static_cast<std::byte*>(y) + i * row_bytes;
    std::memset(row, 0, row_bytes);
    if (index[i] >= 0 && index[i] < depth) std::memcpy(row + index[i] * element_bytes, one, element_bytes);
  });
}

#define DLCORE_INSTANTIATE_SCATTER(T, Index)                                                   \
  template void scatter_add(const Lookup&, const Index*, const T*, T*);                        \
  template void scatter_combine(const Lookup&, Combine, const Index*, const T*, const T*, T*); \
  template void scatter_along(const Lookup&, const Index*, const T*, T*);
#define DLCORE_INSTANTIATE_SCATTERS(T)        \
  DLCORE_INSTANTIATE_SCATTER(T, std::int32_t) \
  DLCORE_INSTANTIATE_SCATTER(T, std::int64_t)
#define DLCORE_INSTANTIATE_INDEX(Index)                                                                 \
  template std::int64_t first_bad_index(const Index*, std::int64_t, std::int64_t, std::int64_t);        \
  template void gather(const Lookup&, std::size_t, const void*, const Index*, void*);                   \
  template void gather_along(const Lookup&, std::size_t, const void*, const Index*, void*);             \
  template void unique_indices(const Index*, std::int64_t, std::int64_t, Index*, std::int32_t*, void*); \
  template void one_hot(std::int64_t, std::int64_t, const Index*, const void*, std::size_t, void*);
DLCORE_INSTANTIATE_INDEX(std::int32_t)
DLCORE_INSTANTIATE_INDEX(std::int64_t)
DLCORE_INSTANTIATE_SCATTERS(std::uint8_t)
DLCORE_INSTANTIATE_SCATTERS(std::int8_t)
DLCORE_INSTANTIATE_SCATTERS(std::int32_t)
DLCORE_INSTANTIATE_SCATTERS(std::int64_t)
DLCORE_INSTANTIATE_SCATTERS(float)
DLCORE_INSTANTIATE_SCATTERS(double)
DLCORE_INSTANTIATE_SCATTERS(Half)
DLCORE_INSTANTIATE_SCATTERS(Bfloat)

}  // namespace dlcore
