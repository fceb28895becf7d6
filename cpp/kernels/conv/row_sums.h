// The register tile of the convolution gradients that skip zeros: a sum of rows, each times a number of its own.
//
//   sums[r * sum_step + j] += sum over i < count of scales[i] * rows[offsets[i] + r * row_step + j]     r < nr, j <
//   cols
#pragma once

#include <cstdint>
#include <vector>

namespace dlcore {

template <class T>
struct RowSumArgs {
  const T* rows;
  const std::int32_t* offsets;
  const T* scales;
  std::int64_t count;
  T* sums;
  std::int64_t row_step, sum_step;
  std::int64_t cols;  // (nv - 1) * lanes < cols <= nv * lanes; of rows, nv * lanes are read, of sums no more than cols
};

inline constexpr int kMaxRowSumVectors = 12;
inline constexpr int kMaxRowSumRows = 6;

/// The tiles of one type and instruction set: tile[nv][nr], for 1 <= nr <= max_rows[nv].
template <class T>
struct RowSumSet {
  int lanes;
  int max_rows[kMaxRowSumVectors + 1];
  void (*tile[kMaxRowSumVectors + 1][kMaxRowSumRows + 1])(const RowSumArgs<T>& args);
};

struct RowSumKernels {
  RowSumSet<float> f32;
  RowSumSet<double> f64;
};
const RowSumKernels& row_sum_kernels();

template <class T>
const RowSumSet<T>& row_sum_set();
template <>
inline const RowSumSet<float>& row_sum_set() {
  return row_sum_kernels().f32;
}
template <>
inline const RowSumSet<double>& row_sum_set() {
  return row_sum_kernels().f64;
}

/// A part of a patch of `rows` x `cols` numbers that one tile sums.
template <class T>
struct RowSumTile {
  std::int64_t row, col, cols;
  void (*run)(const RowSumArgs<T>& args);
};

/// Tiles that cover a patch, as equal as possible.
template <class T>
std::vector<RowSumTile<T>> row_sum_tiles(std::int64_t rows, std::int64_t cols);

}  // namespace dlcore
