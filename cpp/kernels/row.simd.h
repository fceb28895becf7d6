// A row of numbers as vectors, and folds over their lanes. Only for *.simd.cpp.
#pragma once

#include <utility>

#include "kernels/float16.simd.h"

namespace dlcore::DLCORE_ISA {

struct Sum {
  template <class V>
  static DLCORE_INLINE V of(V a, V b) {
    return a + b;
  }
};
struct Max {
  template <class V>
  static DLCORE_INLINE V of(V a, V b) {
    return vmax(a, b);
  }
};

/// All lanes get the folded value; the order is halves, quarters, ...
template <class Op, int S, class V, int... J>
DLCORE_INLINE V fold_lanes(V v, std::integer_sequence<int, J...> lanes) {
  if constexpr (S == 0) {
    return v;
  } else {
    return fold_lanes<Op, S / 2>(Op::of(v, V(__builtin_shufflevector(v, v, (J ^ S)...))), lanes);
  }
}

template <class T, int... J>
DLCORE_INLINE vec<T> numbers_of(std::integer_sequence<int, J...>) {
  return vec<T>{static_cast<T>(J)...};
}
/// 0, 1, 2, ...
template <class T>
DLCORE_INLINE vec<T> lane_numbers() {
  return numbers_of<T>(std::make_integer_sequence<int, kLanes<T>>());
}

/// A row of `size` numbers T, which may be stored in 16 bits, as steps() vectors. load() fills the lanes outside the
/// row with `beyond`, store() leaves the memory there alone, fold() combines the lanes.
template <class T>
struct Row {
  using V = vec<T>;
  static constexpr int L = kLanes<T>;
  std::int64_t full;
  int rest;

  DLCORE_INLINE explicit Row(std::int64_t size) : full(size / L), rest(static_cast<int>(size % L)) {}
  DLCORE_INLINE std::int64_t steps() const { return full + (rest > 0); }
  template <class E>
  DLCORE_INLINE V load(const E* p, std::int64_t i, T beyond) const {
    if (__builtin_expect(i < full, 1)) return load_lanes(p + i * L, L);
    const V v = load_lanes(p + i * L, rest);
    return beyond == 0 ? v : lane_numbers<T>() < static_cast<T>(rest) ? v : broadcast(beyond);
  }
  template <class E>
  DLCORE_INLINE void store(E* p, std::int64_t i, V v) const {
    store_lanes(p + i * L, v, __builtin_expect(i < full, 1) ? L : rest);
  }
  template <class Op>
  DLCORE_INLINE V fold(V v) const {
    return fold_lanes<Op, L / 2>(v, std::make_integer_sequence<int, L>());
  }
};

}  // namespace dlcore::DLCORE_ISA
