// The update of one weight whose gradient is rows added up by index, as that of every embedding is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/optim/row_blocks.h"

namespace dlcore {

/// The update of a weight [rows, cols], float or double, with the gradient d[r, :] = sum of u[i, :] over all i with
/// index[i] = r, added in the order of i (scatter_add of embedding.h).  u [count, cols], all dense. A negative index
/// counts from the end; those outside [-rows, rows) are left out.
class LookupUpdate {
 public:
  LookupUpdate(UpdateRule rule, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t count);

  std::size_t scratch_bytes() const;
  /// weight: it and its states; out[i] may be in[i]. Index: std::int32_t or std::int64_t.
  template <class Index>
  void run(const Index* index, const void* u, const UpdateTile& weight, const double* coefficients,
           void* scratch) const;

 private:
  template <class T, class Index>
  void run_as(const Index* index, const T* u, const UpdateTile& weight, const double* coefficients,
              void* scratch) const;

  UpdateRule rule_;
  DType dtype_;
  RowBlocks blocks_;
  std::int64_t count_;
};

}  // namespace dlcore
