/// One row of a product:  c[cols] (+)= sum_p a[p * a_step] * B[p, cols]      B where it is stored, rows ldb apart
///
/// Nothing of B is used twice, so its rows are read where they are: one after another with all of c in registers, or,
/// where c is too long for that, a few long streams at a time; of a transposed B one after another, too. p counts units
/// of k, all of them whole.
#pragma once

#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {

/// Vectors of c that stay in registers: enough sums for each to wait for the addition before.
inline constexpr int kGemvVectors = 8;
inline constexpr int kGemvRows = 8;

/// c (+)= the sums in sum[0].
template <class T, int kVectors>
DLCORE_INLINE void add_to_row(vec<Sum<T>> (&sum)[kVectors], Sum<T>* c, int last_lanes, bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  Operand<T>::in_order(sum);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    Sum<T>* at = c + v * kWidth;
    if (v + 1 < kVectors || last_lanes == kWidth)
      store(at, accumulate ? load(at) + sum[v] : sum[v]);
    else
      store_partial(at, accumulate ? load_partial(at, last_lanes) + sum[v] : sum[v], last_lanes);
  }
}

/// c of kVectors vectors. With few vectors there are several sums, of every so many units.  kPacked: b is a panel of
/// that many vectors, one line after another and zero behind the last lane; otherwise rows of it are ldb apart.
template <class T, int kVectors, bool kPacked = false>
void gemv_panel(std::int64_t kc, const T* a, std::int64_t a_step, const Stored<T>* b, std::int64_t ldb, Sum<T>* c,
                int last_lanes, bool accumulate) {
  constexpr int kSums = kVectors > 4 ? 1 : kVectors > 2 ? 2 : kVectors > 1 ? 4 : 8;
  constexpr std::int64_t kPanelStep = kVectors * kLanes<T> * kSteps<T>;
  const std::int64_t b_step = kPacked ? kPanelStep : kSteps<T> * ldb;
  vec<Sum<T>> sum[kSums][kVectors] = {};
  const auto add = [&](vec<Sum<T>>(&to)[kVectors], std::int64_t p) __attribute__((always_inline)) {
    const vec<T> factor = Operand<T>::spread(a + p * a_step);
    vec<T> units[kVectors];
    Operand<T>::load_stored(units, b, ldb, kPacked ? kLanes<T> : last_lanes);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) to[v] = Operand<T>::multiply_add(factor, units[v], to[v]);
    b += b_step;
  };
  std::int64_t p = 0;
  for (; p + kSums <= kc; p += kSums) {
#pragma GCC unroll 8
    for (int s = 0; s < kSums; ++s) add(sum[s], p + s);
  }
  for (; p < kc; ++p) add(sum[0], p);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
#pragma GCC unroll 4
    for (int step = kSums / 2; step > 0; step /= 2)
#pragma GCC unroll 4
      for (int s = 0; s < step; ++s) sum[s][v] += sum[s + step][v];
  add_to_row<T>(sum[0], c, last_lanes, accumulate);
}

/// kVectors vectors of c (+)= the share of kUnits units; two sums, as each addition waits for the one before.
template <class T, int kUnits, int kVectors>
DLCORE_INLINE void gemv_columns(const vec<T> (&a)[kUnits], const Stored<T>* b, std::int64_t ldb, Sum<T>* c,
                                int last_lanes, bool accumulate) {
  vec<Sum<T>> sum[2][kVectors] = {};
#pragma GCC unroll 8
  for (int r = 0; r < kUnits; ++r) {
    vec<T> units[kVectors];
    Operand<T>::load_stored(units, b + r * kSteps<T> * ldb, ldb, last_lanes);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[r % 2][v] = Operand<T>::multiply_add(a[r], units[v], sum[r % 2][v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    if (kUnits > 1) sum[0][v] += sum[1][v];
  add_to_row<T>(sum[0], c, last_lanes, accumulate);
}

template <class T, int kUnits>
void gemv_rows(const T* a, std::int64_t a_step, const Stored<T>* b, std::int64_t ldb, Sum<T>* c, std::int64_t cols,
               bool accumulate) {
  constexpr int kWidth = kLanes<T>, kVectors = kSteps<T>;  // of each row as many bytes as a register has
  vec<T> factors[kUnits];
#pragma GCC unroll 8
  for (int r = 0; r < kUnits; ++r) factors[r] = Operand<T>::spread(a + r * a_step);
  std::int64_t j = 0;
  for (; j + kVectors * kWidth <= cols; j += kVectors * kWidth)
    gemv_columns<T, kUnits, kVectors>(factors, b + j, ldb, c + j, kWidth, accumulate);
  for (; j < cols; j += kWidth) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kWidth, cols - j));
    gemv_columns<T, kUnits, 1>(factors, b + j, ldb, c + j, lanes, accumulate);
  }
}

template <class T>
using GemvPanel = void (*)(std::int64_t kc, const T* a, std::int64_t a_step, const Stored<T>* b, std::int64_t ldb,
                           Sum<T>* c, int last_lanes, bool accumulate);

template <class T>
void gemv(std::int64_t kc, const T* a, std::int64_t a_step, const Stored<T>* b, std::int64_t ldb, Sum<T>* c,
          std::int64_t cols, bool accumulate) {
  static constexpr GemvPanel<T> kPanels[kGemvVectors + 1] = {nullptr,          gemv_panel<T, 1>, gemv_panel<T, 2>,
                                                             gemv_panel<T, 3>, gemv_panel<T, 4>, gemv_panel<T, 5>,
                                                             gemv_panel<T, 6>, gemv_panel<T, 7>, gemv_panel<T, 8>};
  constexpr int kUnits = kGemvRows / kSteps<T>;
  if (cols == 0) return;
  const std::int64_t vectors = (cols + kLanes<T> - 1) / kLanes<T>;
  if (vectors <= kGemvVectors)
    return kPanels[vectors](kc, a, a_step, b, ldb, c, static_cast<int>(cols - (vectors - 1) * kLanes<T>), accumulate);
  if (kc == 0 && !accumulate)
    for (std::int64_t j = 0; j < cols; ++j) c[j] = 0;
  std::int64_t p = 0;
  for (; p + kUnits <= kc; p += kUnits)
    gemv_rows<T, kUnits>(a + p * a_step, a_step, b + p * kSteps<T> * ldb, ldb, c, cols, accumulate || p > 0);
  for (; p < kc; ++p)
    gemv_rows<T, 1>(a + p * a_step, a_step, b + p * kSteps<T> * ldb, ldb, c, cols, accumulate || p > 0);
}

/// Elements that fill a vector of units.
template <class T>
inline constexpr int kElements = kLanes<T>* kSteps<T>;

/// sum + products of `count` elements of a and b, at most kElements.
template <class T>
DLCORE_INLINE vec<Sum<T>> add_products(const Stored<T>* a, const Stored<T>* b, int count, vec<Sum<T>> sum) {
  return Operand<T>::multiply_add(Operand<T>::load_units(a, count), Operand<T>::load_units(b, count), sum);
}

/// a[k] times b[k], in the lanes of a vector. Here and below k counts elements.
template <class T>
vec<Sum<T>> lanes_of_dot(std::int64_t k, const Stored<T>* a, const Stored<T>* b) {
  constexpr int kWidth = kElements<T>, kSums = 4;
  vec<Sum<T>> sum[kSums] = {};
  std::int64_t p = 0;
  for (; p + kSums * kWidth <= k; p += kSums * kWidth) {
#pragma GCC unroll 4
    for (int s = 0; s < kSums; ++s) sum[s] = add_products<T>(a + p + s * kWidth, b + p + s * kWidth, kWidth, sum[s]);
  }
  for (; p + kWidth <= k; p += kWidth) sum[0] = add_products<T>(a + p, b + p, kWidth, sum[0]);
  const int last = static_cast<int>(k - p);
  if (last > 0) sum[1] = add_products<T>(a + p, b + p, last, sum[1]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// The sums of a[k] times each of `width` rows of b: each row is a stream that the hardware knows how to fetch.
template <class T>
vec<Sum<T>> dots_of_rows(std::int64_t k, const Stored<T>* a, const Stored<T>* b, std::int64_t ldb, int width) {
  alignas(64) Sum<T> lanes[kLanes<T> * kLanes<T>] = {};
  for (int i = 0; i < width; ++i) store(lanes + i * kLanes<T>, lanes_of_dot<T>(k, a, b + i * ldb));
  vec<Sum<T>> rows[kLanes<T>];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) rows[i] = load(lanes + i * kLanes<T>);
  return sum_rows<Sum<T>>(rows);
}
/// The same for short rows, side by side.
template <class T>
DLCORE_INLINE vec<Sum<T>> dots_of_short_rows(std::int64_t k, const Stored<T>* a, const Stored<T>* b, std::int64_t ldb,
                                             int width) {
  vec<Sum<T>> rows[kLanes<T>] = {};
  for (std::int64_t p = 0; p < k; p += kElements<T>) {
    const int count = static_cast<int>(min_of<std::int64_t>(kElements<T>, k - p));
    const Stored<T>* row = b + p;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i, row += ldb)
      if (i < width) rows[i] = add_products<T>(a + p, row, count, rows[i]);
  }
  return sum_rows<Sum<T>>(rows);
}

/// One row times the transpose of B: its columns are rows of b, ldb apart. a is dense.
template <class T>
void gemv_dots(std::int64_t k, const Stored<T>* a, const Stored<T>* b, std::int64_t ldb, Sum<T>* c, std::int64_t cols,
               bool accumulate) {
  constexpr int kWidth = kLanes<T>, kShort = 4 * kElements<T>;
  for (std::int64_t j = 0; j < cols; j += kWidth) {
    const int width = static_cast<int>(min_of<std::int64_t>(kWidth, cols - j));
    const vec<Sum<T>> sums = k < kShort ? dots_of_short_rows<T>(k, a, b + j * ldb, ldb, width)
                                        : dots_of_rows<T>(k, a, b + j * ldb, ldb, width);
    store_partial(c + j, accumulate ? load_partial(c + j, width) + sums : sums, width);
  }
}

/// The same with B as panels of kNr columns, `panel` apart.
template <class T>
void gemv_packed(std::int64_t kc, const T* a, std::int64_t a_step, const T* panels, std::int64_t panel, Sum<T>* c,
                 std::int64_t cols, bool accumulate) {
  static_assert(kSteps<T> == 1);
  for (std::int64_t j = 0; j < cols; j += kNr<T>, panels += panel) {
    const int width = static_cast<int>(min_of<std::int64_t>(kNr<T>, cols - j));
    if (width > kLanes<T>)
      gemv_panel<T, 2, true>(kc, a, a_step, panels, 0, c + j, width - kLanes<T>, accumulate);
    else
      gemv_panel<T, 1>(kc, a, a_step, panels, kNr<T>, c + j, width, accumulate);
  }
}

}  // namespace dlcore::DLCORE_ISA
