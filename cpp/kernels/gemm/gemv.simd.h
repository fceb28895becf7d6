/// One row of a product:  c[cols] (+)= sum_p a[p * a_step] * B[p, cols]      B stored [kc, cols], rows b_row apart
///
/// Nothing of B is used twice, so its rows are read where they are, a few long streams at a time.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

inline constexpr int kGemvRows = 8;

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
void gemv(std::int64_t kc, const T* a, std::int64_t a_step, const T* b, std::int64_t b_row, T* c, std::int64_t cols,
          bool accumulate) {
  if (kc == 0 && !accumulate)
    for (std::int64_t j = 0; j < cols; ++j) c[j] = 0;
  std::int64_t p = 0;
  for (; p + kGemvRows <= kc; p += kGemvRows)
    gemv_rows<T, kGemvRows>(a + p * a_step, a_step, b + p * b_row, b_row, c, cols, accumulate || p > 0);
  for (; p < kc; ++p) gemv_rows<T, 1>(a + p * a_step, a_step, b + p * b_row, b_row, c, cols, accumulate || p > 0);
}

}  // namespace dlcore::DLCORE_ISA
