#include "kernels/optim/lookup_update.h"

#include <algorithm>

namespace dlcore {

namespace {

constexpr double kBytesPerNs = 8;

/// The positions of the indices, sorted by the block of rows that they name; those of block b are
/// order[first[b] ... first[b + 1]), as they come.
struct Sorted {
  std::int64_t *first, *order;
};

template <class Index>
void sort_by_block(const Index* index, std::int64_t count, const RowBlocks& blocks, const Sorted& sorted) {
  const auto for_those_inside = [&](const auto& body) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = index[i] + (index[i] < 0 ? blocks.rows : 0);
      if (row >= 0 && row < blocks.rows) body(i, row / blocks.block);
    }
  };
  std::fill_n(sorted.first, blocks.count() + 1, 0);
  for_those_inside([&](std::int64_t, std::int64_t block) { ++sorted.first[block + 1]; });
  for (std::int64_t b = 0; b < blocks.count(); ++b) sorted.first[b + 1] += sorted.first[b];
  for_those_inside([&](std::int64_t i, std::int64_t block) { sorted.order[sorted.first[block]++] = i; });
  std::copy_backward(sorted.first, sorted.first + blocks.count(), sorted.first + blocks.count() + 1);
  sorted.first[0] = 0;
}

}  // namespace

LookupUpdate::LookupUpdate(UpdateRule rule, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t count)
    : rule_(rule), dtype_(dtype), blocks_(rows, cols, 1), count_(count) {}

std::size_t LookupUpdate::scratch_bytes() const {
  return bytes_of<std::int64_t>(blocks_.count() + 1) + bytes_of<std::int64_t>(count_) +
         (dtype_ == DType::F64 ? blocks_.scratch_bytes<double>(0) : blocks_.scratch_bytes<float>(0));
}

template <class T, class Index>
void LookupUpdate::run_as(const Index* index, const T* u, const UpdateTile& weight, const double* coefficients,
                          void* scratch) const {
  Scratch free(scratch);
  std::int64_t* const first = free.take<std::int64_t>(blocks_.count() + 1);
  const Sorted sorted{first, free.take<std::int64_t>(count_)};
  sort_by_block(index, count_, blocks_, sorted);
  const std::int64_t cols = blocks_.cols;
  const double kinds = 1 + states_of(rule_);
  const double cost = sizeof(T) * static_cast<double>(cols) *
                      (2 * kinds * static_cast<double>(blocks_.rows) + 3 * static_cast<double>(count_)) / kBytesPerNs;
  update_row_blocks<T>(blocks_, rule_, dtype_, weight, coefficients, cost, 0, free.take<std::byte>(0),
                       [&](std::int64_t block, std::int64_t row, std::int64_t rows, T* gradient, void*) {
                         std::fill_n(gradient, rows * cols, T{0});
                         for (std::int64_t k = sorted.first[block]; k < sorted.first[block + 1]; ++k) {
                           const std::int64_t i = sorted.order[k], at = index[i] + (index[i] < 0 ? blocks_.rows : 0);
                           T* const sum = gradient + (at - row) * cols;
                           for (std::int64_t c = 0; c < cols; ++c) sum[c] += u[i * cols + c];
                         }
                       });
}

template <class Index>
void LookupUpdate::run(const Index* index, const void* u, const UpdateTile& weight, const double* coefficients,
                       void* scratch) const {
  if (dtype_ == DType::F64)
    run_as(index, static_cast<const double*>(u), weight, coefficients, scratch);
  else
    run_as(index, static_cast<const float*>(u), weight, coefficients, scratch);
}

template void LookupUpdate::run(const std::int32_t*, const void*, const UpdateTile&, const double*, void*) const;
template void LookupUpdate::run(const std::int64_t*, const void*, const UpdateTile&, const double*, void*) const;

}  // namespace dlcore
