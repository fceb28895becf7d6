#include "kernels/sort/sort.h"

#include <algorithm>
#include <type_traits>

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr std::int64_t kSortChunks = 16;  // each has scratch for one line
constexpr std::int64_t kBlock = 32;       // neighbouring lines that a running sum takes together

/// An element and where it was. Wide enough for any key.
template <class Key>
struct Item {
  Key key;
  std::int32_t index;
};
constexpr std::size_t kItemBytes = 16;

template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b != b) return a == a;
  }
  return a < b;
}

template <class Key>
void order(Item<Key>* items, std::int64_t size, std::int64_t k, bool descending) {
  auto before = [descending](const Item<Key>& a, const Item<Key>& b) {
    if (less(a.key, b.key)) return !descending;
    if (less(b.key, a.key)) return descending;
    return a.index < b.index;
  };
  if (k < size)
    std::partial_sort(items, items + k, items + size, before);
  else
    std::sort(items, items + size, before);
}

/// Where line `line` of [outer, size, inner] starts.
std::int64_t line_start(const Lines& lines, std::int64_t line, std::int64_t size) {
  return line / lines.inner * size * lines.inner + line % lines.inner;
}

/// body(first, last) for ranges of lines, a fixed number of them.
template <class Body>
void for_line_ranges(std::int64_t lines, double cost, const Body& body) {
  const std::int64_t chunks = std::min(lines, kSortChunks);
  parallel_for(chunks, cost,
               [&](std::int64_t chunk) { body(chunk, lines * chunk / chunks, lines * (chunk + 1) / chunks); });
}

/// Walks every line from the end that the running value starts at; step(carry, position) reads and writes.
template <class Carry, class Step>
void scan_lines(const Lines& lines, bool reverse, Carry start, const Step& step) {
  const std::int64_t blocks = (lines.inner + kBlock - 1) / kBlock;
  const double cost = 2.0 * lines.outer * lines.size * lines.inner;
  for_line_ranges(lines.outer * blocks, cost, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t c = block % blocks * kBlock, width = std::min(kBlock, lines.inner - c);
      const std::int64_t base = block / blocks * lines.size * lines.inner + c;
      Carry carry[kBlock];
      std::fill_n(carry, width, start);
      for (std::int64_t j = 0; j < lines.size; ++j) {
        const std::int64_t at = base + (reverse ? lines.size - 1 - j : j) * lines.inner;
        for (std::int64_t i = 0; i < width; ++i) step(carry[i], at + i);
      }
    }
  });
}

/// What running sums and products are carried in: those of integers wrap.
template <class T>
struct CarryOf {
  using type = double;
};
template <class T>
requires std::is_integral_v<T>
struct CarryOf<T> {
  using type = std::make_unsigned_t<T>;
};
template <class T>
using Carry = typename CarryOf<T>::type;

}  // namespace

std::size_t sort_scratch_bytes(const Lines& lines) {
  return kItemBytes * lines.size * std::min(lines.outer * lines.inner, kSortChunks);
}

template <class T>
void sort_lines(const Lines& lines, std::int64_t k, bool descending, const T* x, T* values, std::int32_t* indices,
                void* scratch) {
  using Key = decltype(widen(T{}));
  static_assert(sizeof(Item<Key>) <= kItemBytes);
  const std::int64_t size = lines.size, inner = lines.inner;
  const double cost = 40.0 * lines.outer * size * inner;
  for_line_ranges(lines.outer * inner, cost, [&](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    auto* items = reinterpret_cast<Item<Key>*>(static_cast<std::byte*>(scratch) + chunk * size * kItemBytes);
    for (std::int64_t line = first; line < last; ++line) {
      const T* from = x + line_start(lines, line, size);
      for (std::int64_t j = 0; j < size; ++j) items[j] = {widen(from[j * inner]), static_cast<std::int32_t>(j)};
      order(items, size, k, descending);
      const std::int64_t to = line_start(lines, line, k);
      for (std::int64_t j = 0; values && j < k; ++j) values[to + j * inner] = from[items[j].index * inner];
      for (std::int64_t j = 0; indices && j < k; ++j) indices[to + j * inner] = items[j].index;
    }
  });
}

template <class T>
void cumsum_lines(const Lines& lines, bool exclusive, bool reverse, const T* x, T* y) {
  scan_lines(lines, reverse, Carry<T>{0}, [=](Carry<T>& sum, std::int64_t at) {
    const Carry<T> before = sum;
    sum += widen(x[at]);
    y[at] = narrow<T>(exclusive ? before : sum);
  });
}

template <class T>
void cumprod_lines(const Lines& lines, bool exclusive, bool reverse, const T* x, T* y) {
  scan_lines(lines, reverse, Carry<T>{1}, [=](Carry<T>& product, std::int64_t at) {
    const Carry<T> before = product;
    product *= widen(x[at]);
    y[at] = narrow<T>(exclusive ? before : product);
  });
}

// y_j is a product over i < j (exclusive) or i <= j, so with P_i the product before i,
//   dx_i = P_i * s_i,   s_i = dy_i + x_{i+1} s_{i+1},   or, exclusive, s_i = dy_{i+1} + x_{i+1} s_{i+1}.
// First the products go forwards into dx, then s comes backwards.
template <class T>
void cumprod_grad_lines(const Lines& lines, bool exclusive, bool reverse, const T* dy, const T* x, T* dx) {
  cumprod_lines(lines, true, reverse, x, dx);
  scan_lines(lines, !reverse, Carry<T>{0}, [=](Carry<T>& carried, std::int64_t at) {
    const Carry<T> s = exclusive ? carried : carried + widen(dy[at]);
    carried = widen(x[at]) * s + (exclusive ? static_cast<Carry<T>>(widen(dy[at])) : Carry<T>{0});
    dx[at] = narrow<T>(widen(dx[at]) * s);
  });
}

template <class T>
void search_sorted(const T* sorted, std::int64_t size, const T* value, std::int64_t count, bool right,
                   std::int32_t* index) {
  constexpr std::int64_t kValues = 4096;
  parallel_for((count + kValues - 1) / kValues, 50.0 * count, [&](std::int64_t chunk) {
    const std::int64_t last = std::min((chunk + 1) * kValues, count);
    for (std::int64_t i = chunk * kValues; i < last; ++i) {
      const auto key = widen(value[i]);
      const T* at = std::partition_point(sorted, sorted + size, [&](T element) {
        return right ? !less(key, widen(element)) : less(widen(element), key);
      });
      index[i] = static_cast<std::int32_t>(at - sorted);
    }
  });
}

#define DLCORE_INSTANTIATE(T)                                                                     \
  template void sort_lines(const Lines&, std::int64_t, bool, const T*, T*, std::int32_t*, void*); \
  template void search_sorted(const T*, std::int64_t, const T*, std::int64_t, bool, std::int32_t*);
DLCORE_INSTANTIATE(bool)
DLCORE_INSTANTIATE(std::uint8_t)
DLCORE_INSTANTIATE(std::int8_t)
DLCORE_INSTANTIATE(std::int32_t)
DLCORE_INSTANTIATE(std::int64_t)
DLCORE_INSTANTIATE(Half)
DLCORE_INSTANTIATE(Bfloat)
DLCORE_INSTANTIATE(float)
DLCORE_INSTANTIATE(double)

#define DLCORE_INSTANTIATE_SCAN(T)                                    \
  template void cumsum_lines(const Lines&, bool, bool, const T*, T*); \
  template void cumprod_lines(const Lines&, bool, bool, const T*, T*);
DLCORE_INSTANTIATE_SCAN(std::uint8_t)
DLCORE_INSTANTIATE_SCAN(std::int8_t)
DLCORE_INSTANTIATE_SCAN(std::int32_t)
DLCORE_INSTANTIATE_SCAN(std::int64_t)
DLCORE_INSTANTIATE_SCAN(Half)
DLCORE_INSTANTIATE_SCAN(Bfloat)
DLCORE_INSTANTIATE_SCAN(float)
DLCORE_INSTANTIATE_SCAN(double)

template void cumprod_grad_lines(const Lines&, bool, bool, const Half*, const Half*, Half*);
template void cumprod_grad_lines(const Lines&, bool, bool, const Bfloat*, const Bfloat*, Bfloat*);
template void cumprod_grad_lines(const Lines&, bool, bool, const float*, const float*, float*);
template void cumprod_grad_lines(const Lines&, bool, bool, const double*, const double*, double*);

}  // namespace dlcore
