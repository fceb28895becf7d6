// The update of one weight whose gradient is a product, as that of every dense layer is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/optim/optim.h"

namespace dlcore {

/// The update of a weight [rows, cols] with the gradient A^T B, A [k, rows] and B [k, cols], all dense, float or
/// double. Blocks of rows of the gradient are made and used while they are in the near cache: the whole of it never
/// exists.
class ProductUpdate {
 public:
  ProductUpdate(UpdateRule rule, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t k);

  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// in, out: the weight and its states; out[i] may be in[i].
  void run(const void* a, const void* b, const void* const* in, void* const* out, const double* coefficients,
           void* scratch) const;

 private:
  template <class T>
  void lay_out();
  template <class T>
  void run_as(const T* a, const T* b, const UpdateTile& weight, const double* coefficients, void* scratch) const;

  UpdateRule rule_;
  DType dtype_;
  std::int64_t rows_, cols_, k_;
  std::int64_t block_, lanes_;  // rows of a block; lanes: runs of blocks that share the scratch of one
  GemmPlan plan_, last_plan_;   // of a block, and of the last one
  std::size_t packed_bytes_, lane_bytes_, scratch_bytes_;
};

}  // namespace dlcore
