// The update of a weight [rows, cols] whose gradient is made block by block of its rows, while each is in the near
// cache: the whole gradient never exists.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/parallel.h"
#include "kernels/optim/optim.h"
#include "kernels/scratch.h"

namespace dlcore {

struct RowBlocks {
  std::int64_t rows, cols;
  std::int64_t block;  // rows of one; the last may have fewer
  int workers;

  /// At least so many rows to a block; of all, as many as fit into L2 with their states.
  RowBlocks(std::int64_t rows, std::int64_t cols, std::int64_t least)
      : rows(rows),
        cols(cols),
        block(std::clamp<std::int64_t>(kElements / std::max<std::int64_t>(1, cols), least, kMostRows)),
        workers(workers_for(count())) {}

  std::int64_t count() const { return (rows + block - 1) / block; }
  template <class T>
  std::size_t scratch_bytes(std::size_t scratch_per_worker) const {
    return static_cast<std::size_t>(workers) * (bytes_of<T>(block * cols) + scratch_per_worker);
  }

 private:
  static constexpr std::int64_t kElements = 16384, kMostRows = 512;
};

/// make(block, first row, rows, gradient, scratch) writes the rows of a block. weight: all of it and its states.
template <class T, class Make>
void update_row_blocks(const RowBlocks& blocks, UpdateRule rule, DType dtype, const UpdateTile& weight,
                       const double* coefficients, double cost, std::size_t scratch_per_worker, void* scratch,
                       const Make& make) {
  const std::size_t room = blocks.scratch_bytes<T>(scratch_per_worker) / static_cast<std::size_t>(blocks.workers);
  parallel_for_workers(blocks.count(), cost, blocks.workers, [&](std::int64_t block, int worker) {
    Scratch own(static_cast<std::byte*>(scratch) + static_cast<std::size_t>(worker) * room);
    T* const gradient = own.take<T>(blocks.block * blocks.cols);
    const std::int64_t row = block * blocks.block, rows = std::min(blocks.block, blocks.rows - row);
    make(block, row, rows, gradient, own.take<std::byte>(0));
    UpdateTile tile{gradient, {}, {}};
    for (int kind = 0; kind < 1 + states_of(rule); ++kind) {
      tile.in[kind] = static_cast<const T*>(weight.in[kind]) + row * blocks.cols;
      tile.out[kind] = static_cast<T*>(weight.out[kind]) + row * blocks.cols;
    }
    update_tile(rule, dtype, tile, rows * blocks.cols, coefficients);
  });
}

}  // namespace dlcore
