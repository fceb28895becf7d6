#include "kernels/sort/sort.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <type_traits>
#include <utility>

#include "base/parallel.h"

namespace dlcore {

namespace {

constexpr std::int64_t kSortChunks = 16;  // each has scratch for one line
constexpr std::int64_t kFewItems = 12;    // per digit, that are sorted by comparing them
constexpr std::int64_t kFewFirst = 8;     // that are picked from lines of four times as many
constexpr std::int64_t kBlock = 32;       // neighbouring lines that a running sum takes together

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
template <class T>
constexpr KeyOf<T> kHalf = std::is_signed_v<T> ? KeyOf<T>{1} << (8 * sizeof(T) - 1) : 0;

/// Keys, unsigned numbers in the order of the elements: of floats those below zero are turned around, both zeros are
/// one, and so is every NaN.
template <std::integral T>
KeyOf<T> ordered(T x) {
  return static_cast<KeyOf<T>>(x) + kHalf<T>;
}
template <class T>
T integer_of(KeyOf<T> key) {
  return static_cast<T>(key - kHalf<T>);
}
template <class Float, class Bits>
Bits ordered_float(Float x) {
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  if (x != x) return ~Bits{0};
  const Bits bits = std::bit_cast<Bits>(x == 0 ? Float{0} : x);
  return bits & sign ? ~bits : bits | sign;
}
inline std::uint32_t ordered(float x) { return ordered_float<float, std::uint32_t>(x); }
inline std::uint64_t ordered(double x) { return ordered_float<double, std::uint64_t>(x); }

/// A key and where it was; they are in the order of the keys, and equal ones in that of the places.
class NarrowItem {
 public:
  using Key = std::uint32_t;
  NarrowItem() = default;
  NarrowItem(std::uint32_t key, std::int64_t index)
      : number_(std::uint64_t{key} << 32 | static_cast<std::uint64_t>(index)) {}
  Key key() const { return static_cast<Key>(number_ >> 32); }
  std::int32_t index() const { return static_cast<std::int32_t>(number_); }
  unsigned digit(int d) const { return number_ >> (32 + 8 * d) & 255u; }
  friend bool operator<(const NarrowItem& a, const NarrowItem& b) { return a.number_ < b.number_; }

 private:
  std::uint64_t number_;
};
class WideItem {
 public:
  using Key = std::uint64_t;
  WideItem() = default;
  WideItem(std::uint64_t key, std::int64_t index) : key_(key), index_(static_cast<std::int32_t>(index)) {}
  Key key() const { return key_; }
  std::int32_t index() const { return index_; }
  unsigned digit(int d) const { return key_ >> 8 * d & 255u; }
  friend bool operator<(const WideItem& a, const WideItem& b) {
    return a.key_ != b.key_ ? a.key_ < b.key_ : a.index_ < b.index_;
  }

 private:
  std::uint64_t key_;
  std::int32_t index_;
};

/// Sorts by one digit after another, the lowest first; returns `items` or `other`, where the result is.
template <int kDigits, class Item>
Item* sort_digits(Item* items, Item* other, std::int64_t size) {
  std::int32_t places[kDigits][256] = {};
  for (std::int64_t j = 0; j < size; ++j)
    for (int d = 0; d < kDigits; ++d) ++places[d][items[j].digit(d)];
  for (int d = 0; d < kDigits; ++d) {
    if (places[d][items[0].digit(d)] == size) continue;  // all have the same
    std::int32_t before = 0;
    for (std::int32_t& place : places[d]) before += std::exchange(place, before);
    for (std::int64_t j = 0; j < size; ++j) other[places[d][items[j].digit(d)]++] = items[j];
    std::swap(items, other);
  }
  return items;
}

/// The first k in order, in `items` or `other`.
template <int kDigits, class Item>
const Item* order(Item* items, Item* other, std::int64_t size, std::int64_t k) {
  if (k <= std::max(size / 16, std::min(size / 4, kFewFirst)))
    std::partial_sort(items, items + k, items + size);
  else if (size < kFewItems * kDigits)
    std::sort(items, items + size);
  else
    return sort_digits<kDigits>(items, other, size);
  return items;
}

/// The elements of a line and where the first k in order go, `stride` apart.
template <class T>
struct Line {
  const T* x;
  T* values;
  std::int32_t* indices;
  std::int64_t size, k, stride;
};

/// The least and the greatest key of a line.
template <class Key>
struct Range {
  Key lowest = ~Key{0}, highest = 0;
};

/// Keys are counted from the end of the range that comes first.
template <int kDigits, class Item, class T, class Key>
void sort_line(const Line<T>& line, bool descending, const Range<Key>& range, Item* items) {
  for (std::int64_t j = 0; j < line.size; ++j) {
    const Key key = ordered(widen(line.x[j * line.stride]));
    items[j] = {static_cast<typename Item::Key>(descending ? range.highest - key : key - range.lowest), j};
  }
  const Item* sorted = order<kDigits>(items, items + line.size, line.size, line.k);
  const auto element = [&](const Item& item) {
    if constexpr (std::is_integral_v<T>)
      return integer_of<T>(descending ? range.highest - item.key() : range.lowest + item.key());
    else
      return line.x[item.index() * line.stride];
  };
  for (std::int64_t j = 0; line.values && j < line.k; ++j) line.values[j * line.stride] = element(sorted[j]);
  for (std::int64_t j = 0; line.indices && j < line.k; ++j) line.indices[j * line.stride] = sorted[j].index();
}

template <class T>
void sort_line(const Line<T>& line, bool descending, void* scratch) {
  constexpr int kDigits = sizeof(widen(T{}));
  if constexpr (kDigits < 8) {
    sort_line<kDigits>(line, descending, Range<std::uint32_t>{0, ~std::uint32_t{0}}, static_cast<NarrowItem*>(scratch));
  } else {
    Range<std::uint64_t> range;
    for (std::int64_t j = 0; j < line.size; ++j) {
      const std::uint64_t key = ordered(line.x[j * line.stride]);
      range = {std::min(range.lowest, key), std::max(range.highest, key)};
    }
    if (range.highest - range.lowest <= ~std::uint32_t{0})
      sort_line<4>(line, descending, range, static_cast<NarrowItem*>(scratch));
    else
      sort_line<8>(line, descending, range, static_cast<WideItem*>(scratch));
  }
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

std::size_t sort_scratch_bytes(const Lines& lines, std::size_t element_bytes) {
  const std::size_t item_bytes = element_bytes == 8 ? sizeof(WideItem) : sizeof(NarrowItem);
  return 2 * item_bytes * lines.size * std::min(lines.outer * lines.inner, kSortChunks);
}

template <class T>
void sort_lines(const Lines& lines, std::int64_t k, bool descending, const T* x, T* values, std::int32_t* indices,
                void* scratch) {
  const std::int64_t size = lines.size, inner = lines.inner;
  const double cost = 12.0 * lines.outer * size * inner;
  const std::size_t line_bytes = sort_scratch_bytes({1, size, 1}, sizeof(T));
  for_line_ranges(lines.outer * inner, cost, [&](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    for (std::int64_t line = first; line < last; ++line) {
      const std::int64_t from = line_start(lines, line, size), to = line_start(lines, line, k);
      sort_line(Line<T>{x + from, values ? values + to : nullptr, indices ? indices + to : nullptr, size, k, inner},
                descending, static_cast<std::byte*>(scratch) + chunk * line_bytes);
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

namespace {

constexpr std::int64_t kTogether = 16;  // values whose steps overlap

/// Halves what is left of `sorted`, whose first elements are `numbers` and whose others are NaN, for several values in
/// step: no step waits for the one before it or depends on a branch.
template <bool kRight, class T>
void search(const T* sorted, std::int64_t numbers, std::int64_t size, const T* value, std::int64_t width,
            std::int32_t* index) {
  decltype(widen(T{})) keys[kTogether];
  std::int64_t found[kTogether] = {};
  for (std::int64_t v = 0; v < width; ++v) keys[v] = widen(value[v]);
  for (std::int64_t rest = numbers; rest > 0;) {
    const std::int64_t half = (rest + 1) / 2;
    for (std::int64_t v = 0; v < width; ++v) {
      const auto element = widen(sorted[found[v] + half - 1]);
      const bool is_before = kRight ? element <= keys[v] : element < keys[v];
      found[v] += half & -static_cast<std::int64_t>(is_before);
    }
    rest -= half;
  }
  const std::int64_t place_of_nan = kRight ? size : numbers;
  for (std::int64_t v = 0; v < width; ++v)
    index[v] = static_cast<std::int32_t>(keys[v] == keys[v] ? found[v] : place_of_nan);
}

}  // namespace

template <class T>
void search_sorted(const T* sorted, std::int64_t size, const T* value, std::int64_t count, bool right,
                   std::int32_t* index) {
  constexpr std::int64_t kValues = 4096;
  const auto is_number = [](T x) { return widen(x) == widen(x); };
  const std::int64_t numbers = std::partition_point(sorted, sorted + size, is_number) - sorted;
  parallel_for((count + kValues - 1) / kValues, 20.0 * count, [&](std::int64_t chunk) {
    const std::int64_t last = std::min((chunk + 1) * kValues, count);
    for (std::int64_t i = chunk * kValues; i < last; i += kTogether) {
      const std::int64_t width = std::min(kTogether, last - i);
      if (right)
        search<true>(sorted, numbers, size, value + i, width, index + i);
      else
        search<false>(sorted, numbers, size, value + i, width, index + i);
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
