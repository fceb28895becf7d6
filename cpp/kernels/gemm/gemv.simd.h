/// One row of a product:  c[cols] (+)= sum_p a[p * a_step] * B[p, cols]      B stored [kc, cols], rows b_row apart
///
/// Nothing of B is used twice, so its rows are read where they are: one after another with all of c in registers, or,
/// where c is too long for that, a few long streams at a time.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// Vectors of c that stay in registers: enough sums for each to wait for the addition before.
inline constexpr int kGemvVectors = 8;
inline constexpr int kGemvRows = 8;

/// c of kVectors vectors, the last of `lanes`. With few vectors there are several sums, of every so many rows.
template <class T, int kVectors>
void gemv_panel(std::int64_t kc, const T* a, std::int64_t a_step, const T* b, std::int64_t b_row, T* c, int lanes,
                bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  constexpr int kSums = kVectors > 4 ? 1 : kVectors > 2 ? 2 : kVectors > 1 ? 4 : 8;
  const bool whole = lanes == kWidth;
  const auto read = [&](const T* p, int v) __attribute__((always_inline)) {
    return v + 1 < kVectors || whole ? load(p + v * kWidth) : load_partial(p + v * kWidth, lanes);
  };
  vec<T> sum[kSums][kVectors] = {};
  std::int64_t p = 0;
  for (; p + kSums <= kc; p += kSums, b += kSums * b_row) {
#pragma GCC unroll 8
    for (int s = 0; s < kSums; ++s) {
      const vec<T> factor = broadcast(a[(p + s) * a_step]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[s][v] = fma(factor, read(b + s * b_row, v), sum[s][v]);
    }
  }
  for (; p < kc; ++p, b += b_row) {
    const vec<T> factor = broadcast(a[p * a_step]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[0][v] = fma(factor, read(b, v), sum[0][v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
    for (int step = kSums / 2; step > 0; step /= 2)
#pragma GCC unroll 4
      for (int s = 0; s < step; ++s) sum[s][v] += sum[s + step][v];
    if (accumulate) sum[0][v] += read(c, v);
    if (v + 1 < kVectors || whole)
      store(c + v * kWidth, sum[0][v]);
    else
      store_partial(c + v * kWidth, sum[0][v], lanes);
  }
}

/// c[0:lanes] = sum + the rows' share; two sums, as each addition waits for the one before.
template <class T, int kRows>
DLCORE_INLINE vec<T> gemv_step(vec<T> sum, const vec<T> (&a)[kRows], const T* b, std::int64_t b_row, int lanes) {
  vec<T> odd{};
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const T* at = b + r * b_row;
    const vec<T> row = lanes == kLanes<T> ? load(at) : load_partial(at, lanes);
    if (r % 2)
      odd = fma(a[r], row, odd);
    else
      sum = fma(a[r], row, sum);
  }
  return kRows > 1 ? sum + odd : sum;
}

template <class T, int kRows>
void gemv_rows(const T* a, std::int64_t a_step, const T* b, std::int64_t b_row, T* c, std::int64_t cols,
               bool accumulate) {
  constexpr int kWidth = kLanes<T>;
  vec<T> factors[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) factors[r] = broadcast(a[r * a_step]);
  std::int64_t j = 0;
  for (; j + kWidth <= cols; j += kWidth)
    store(c + j, gemv_step<T>(accumulate ? load(c + j) : vec<T>{}, factors, b + j, b_row, kWidth));
  if (j == cols) return;
  const int lanes = static_cast<int>(cols - j);
  const vec<T> sum = accumulate ? load_partial(c + j, lanes) : vec<T>{};
  store_partial(c + j, gemv_step<T>(sum, factors, b + j, b_row, lanes), lanes);
}

template <class T>
using GemvPanel = void (*)(std::int64_t kc, const T* a, std::int64_t a_step, const T* b, std::int64_t b_row, T* c,
                           int lanes, bool accumulate);

template <class T>
void gemv(std::int64_t kc, const T* a, std::int64_t a_step, const T* b, std::int64_t b_row, T* c, std::int64_t cols,
          bool accumulate) {
  static constexpr GemvPanel<T> kPanels[kGemvVectors + 1] = {nullptr,          gemv_panel<T, 1>, gemv_panel<T, 2>,
                                                             gemv_panel<T, 3>, gemv_panel<T, 4>, gemv_panel<T, 5>,
                                                             gemv_panel<T, 6>, gemv_panel<T, 7>, gemv_panel<T, 8>};
  if (cols == 0) return;
  const std::int64_t vectors = (cols + kLanes<T> - 1) / kLanes<T>;
  if (vectors <= kGemvVectors)
    return kPanels[vectors](kc, a, a_step, b, b_row, c, static_cast<int>(cols - (vectors - 1) * kLanes<T>), accumulate);
  if (kc == 0 && !accumulate)
    for (std::int64_t j = 0; j < cols; ++j) c[j] = 0;
  std::int64_t p = 0;
  for (; p + kGemvRows <= kc; p += kGemvRows)
    gemv_rows<T, kGemvRows>(a + p * a_step, a_step, b + p * b_row, b_row, c, cols, accumulate || p > 0);
  for (; p < kc; ++p) gemv_rows<T, 1>(a + p * a_step, a_step, b + p * b_row, b_row, c, cols, accumulate || p > 0);
}

}  // namespace dlcore::DLCORE_ISA
