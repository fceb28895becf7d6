#include "kernels/conv/row_sums.h"

#include <algorithm>

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(RowSumKernels, row_sum_kernels)

template <class T>
std::vector<RowSumTile<T>> row_sum_tiles(std::int64_t rows, std::int64_t cols) {
  const RowSumSet<T>& set = row_sum_set<T>();
  const std::int64_t vectors = (cols + set.lanes - 1) / set.lanes;
  const std::int64_t col_tiles = (vectors + kMaxRowSumVectors - 1) / kMaxRowSumVectors;
  std::vector<RowSumTile<T>> tiles;
  for (std::int64_t i = 0; i < col_tiles; ++i) {
    const std::int64_t first = vectors * i / col_tiles, last = vectors * (i + 1) / col_tiles;
    const std::int64_t most = set.max_rows[last - first], row_tiles = (rows + most - 1) / most;
    for (std::int64_t j = 0; j < row_tiles; ++j) {
      const std::int64_t row = rows * j / row_tiles, height = rows * (j + 1) / row_tiles - row;
      tiles.push_back({row, first * set.lanes, std::min(cols, last * set.lanes) - first * set.lanes,
                       set.tile[last - first][height]});
    }
  }
  return tiles;
}

template std::vector<RowSumTile<float>> row_sum_tiles(std::int64_t, std::int64_t);
template std::vector<RowSumTile<double>> row_sum_tiles(std::int64_t, std::int64_t);

}  // namespace dlcore
