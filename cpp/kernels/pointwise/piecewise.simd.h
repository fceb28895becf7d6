// Functions in 32 pieces, each a polynomial of its own. Only for *.simd.cpp.
#pragma once

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// 32 rows (center, c0, c1, ...), stored as look_up reads them: AVX-512 permutes columns, others transpose rows.
struct PiecewiseTable {
  static constexpr int kRows = 32, kColumns = 8;
  consteval explicit PiecewiseTable(const float (&rows)[kRows][kColumns]) {
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < kColumns; ++c)
        numbers[DLCORE_SIMD_BYTES == 64 ? c * kRows + r : r * kColumns + c] = rows[r][c];
  }
  alignas(64) float numbers[kRows * kColumns] = {};
};

#if !defined(__AVX512F__)
/// Four floats from each of p + at[i], p + at[i + 4], ...
DLCORE_INLINE f32v load_fours(const float* p, const std::uint32_t (&at)[kF32], int i) {
#if defined(__AVX2__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + at[i])), _mm_loadu_ps(p + at[i + 4]), 1);
#else
  return load(p + at[i]);
#endif
}
#endif

/// column[c] = the first columns of row index % 32, lane by lane.
template <int kCount>
DLCORE_INLINE void look_up(const PiecewiseTable& table, u32v index, f32v (&column)[kCount]) {
  [[maybe_unused]] constexpr int kRows = PiecewiseTable::kRows, kColumns = PiecewiseTable::kColumns;
#if defined(__AVX512F__)
  for (int c = 0; c < kCount; ++c) {
    const float* numbers = table.numbers + c * kRows;
    column[c] = _mm512_permutex2var_ps(load(numbers), bitcast<__m512i>(index), load(numbers + kF32));
  }
#else
  // Squares of four rows and four columns, one in each 128 bits.
  std::uint32_t row[kF32];
  const u32v rows = index % kRows * kColumns;
  __builtin_memcpy(row, &rows, sizeof(rows));
  for (int first = 0; first < kColumns; first += 4) {
    f32v square[4];
    for (int i = 0; i < 4; ++i) square[i] = load_fours(table.numbers + first, row, i);
    transpose_lanes<float>(square);
    for (int i = 0; i < 4 && first + i < kCount; ++i) column[first + i] = square[i];
  }
#endif
}

/// c0 + c1*d + ... to the power kDegree, d = a - center.
template <int kDegree>
DLCORE_INLINE f32v piecewise(const PiecewiseTable& table, u32v index, f32v a) {
  f32v column[kDegree + 2];
  look_up(table, index, column);
  const f32v d = a - column[0];
  f32v y = column[kDegree + 1];
#pragma GCC unroll 8
  for (int k = kDegree; k > 0; --k) y = fma(d, y, column[k]);
  return y;
}

#include "kernels/pointwise/piecewise.inc"

}  // namespace dlcore::DLCORE_ISA
