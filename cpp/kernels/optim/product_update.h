// The update of one weight whose gradient is a product, as that of every dense layer is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/optim/row_blocks.h"

namespace dlcore {

/// The update of a weight [rows, cols] with the gradient A^T B, A [k, rows] and B [k, cols], all dense, float or
/// double; or of a float weight, A and B being Bfloat and the gradient rounded to it.
class ProductUpdate {
 public:
  ProductUpdate(UpdateRule rule, DType dtype, DType factors, std::int64_t rows, std::int64_t cols, std::int64_t k);

  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// weight: it and its states; out[i] may be in[i].
  void run(const void* a, const void* b, const UpdateTile& weight, const double* coefficients, void* scratch) const;

 private:
  /// P: factors, T: weights.
  template <class P, class T>
  void lay_out();
  template <class P, class T>
  void run_as(const void* a, const void* b, const UpdateTile& weight, const double* coefficients, void* scratch) const;
  template <class T>
  bool run_sparse(const T* a, const T* b, const UpdateTile& weight, const double* coefficients, void* scratch) const;
  template <class T, class Product>
  void update(const Product& product, const UpdateTile& weight, const double* coefficients, void* scratch) const;

  UpdateRule rule_;
  DType dtype_, factors_;
  RowBlocks blocks_;
  std::int64_t k_;
  GemmPlan plan_, last_plan_;  // of a block, and of the last one
  SparseGemmPlan skip_b_;      // of the whole product, its zeros of B left out
  std::size_t shared_bytes_, room_bytes_, scratch_bytes_;
};

}  // namespace dlcore
