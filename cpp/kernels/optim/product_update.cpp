#include "kernels/optim/product_update.h"

#include <algorithm>
#include <type_traits>

#include "kernels/gemm/sparse.h"
#include "kernels/pointwise/pointwise.h"

namespace dlcore {

namespace {

constexpr std::int64_t kLeastRows = 64;  // of a block: the product reads B for every few rows
constexpr double kFlopsPerNs = 20, kBytesPerNs = 10;

}  // namespace

ProductUpdate::ProductUpdate(UpdateRule rule, DType dtype, DType factors, std::int64_t rows, std::int64_t cols,
                             std::int64_t k)
    : rule_(rule), dtype_(dtype), factors_(factors), blocks_(rows, cols, kLeastRows), k_(k) {
  if (factors == DType::BF16)
    lay_out<Bfloat, float>();
  else
    dtype == DType::F64 ? lay_out<double, double>() : lay_out<float, float>();
}

template <class P, class T>
void ProductUpdate::lay_out() {
  const std::int64_t rows = blocks_.rows, cols = blocks_.cols;
  GemmShape shape{.m = blocks_.block,
                  .n = cols,
                  .k = k_,
                  .lda = rows,
                  .ldb = cols,
                  .ldc = cols,
                  .transpose_a = true,
                  .packed_b = true};
  shape.packed_tiles = gemm_packs_tiles<P>(shape);
  plan_ = plan_gemm<P>(shape);
  if (rows % blocks_.block != 0) shape.m = rows % blocks_.block;
  last_plan_ = plan_gemm<P>(shape);
  shared_bytes_ = gemm_packed_b_bytes<P>(shape);
  room_bytes_ = std::max(plan_.scratch_bytes, last_plan_.scratch_bytes);
  if constexpr (std::is_same_v<P, T>) {
    skip_b_ = plan_gemm<T>(dense_gemm(rows, cols, k_, true)).skip_b;
    if (skip_b_.most_nonzeros > 0) {
      shared_bytes_ = std::max(shared_bytes_, sparse_rows_bytes(skip_b_.shape, sizeof(T)));
      room_bytes_ =
          std::max(room_bytes_, sparse_room_bytes(sizeof(T), skip_b_.tile, skip_b_.k_block, cols, blocks_.block, true));
    }
  } else {
    room_bytes_ += bytes_of<P>(blocks_.block * cols);  // of the rounded gradient
  }
  shared_bytes_ = (shared_bytes_ + 63) / 64 * 64;
  room_bytes_ = (room_bytes_ + 63) / 64 * 64;
  scratch_bytes_ = shared_bytes_ + blocks_.scratch_bytes<T>(room_bytes_);
}

// product(first row, rows, gradient, room) computes rows of the gradient.
template <class T, class Product>
void ProductUpdate::update(const Product& product, const UpdateTile& weight, const double* coefficients,
                           void* scratch) const {
  const double kinds = 1 + states_of(rule_), elements = static_cast<double>(blocks_.rows * blocks_.cols);
  const double cost = elements * (2.0 * static_cast<double>(k_) / kFlopsPerNs + 2.0 * kinds * sizeof(T) / kBytesPerNs);
  std::byte* const rooms = static_cast<std::byte*>(scratch) + shared_bytes_;
  update_row_blocks<T>(blocks_, rule_, dtype_, weight, coefficients, cost, room_bytes_, rooms,
                       [&](std::int64_t, std::int64_t row, std::int64_t rows, T* gradient, void* room) {
                         product(row, rows, gradient, room);
                       });
}

// Leaves out the zeros of B, where that takes less time; otherwise returns false.
template <class T>
bool ProductUpdate::run_sparse(const T* a, const T* b, const UpdateTile& weight, const double* coefficients,
                               void* scratch) const {
  const double share_b = relative_share(skip_b_, a, b);
  if (share_b >= 1 || share_b >= relative_share(plan_.skip_a, a, b)) return false;
  const SparseRows<T> gradients = find_sparse_rows(skip_b_.shape, b, scratch);
  const DenseOperand<T> inputs{a, blocks_.rows, k_, false, false};
  const auto multiply = [&](std::int64_t row, std::int64_t rows, T* gradient, void* room) {
    const SparseBlock block{.rows = {0, blocks_.cols},
                            .cols = {row, row + rows},
                            .k = {0, k_},
                            .tile = skip_b_.tile,
                            .k_block = skip_b_.k_block,
                            .ldc = blocks_.cols,
                            .swapped = true,
                            .accumulate = false};
    sparse_entries<T>().multiply(gradients, inputs, block, gradient, {}, room);
  };
  update<T>(multiply, weight, coefficients, scratch);
  return true;
}

template <class P, class T>
void ProductUpdate::run_as(const void* factor_a, const void* factor_b, const UpdateTile& weight,
                           const double* coefficients, void* scratch) const {
  const auto* const a = static_cast<const P*>(factor_a);
  const auto* const b = static_cast<const P*>(factor_b);
  if constexpr (std::is_same_v<P, T>)
    if (run_sparse<T>(a, b, weight, coefficients, scratch)) return;
  P* const packed = static_cast<P*>(scratch);
  gemm_pack_b<P>(plan_.shape, b, packed);
  const auto multiply = [&](std::int64_t row, std::int64_t rows, T* gradient, void* room) {
    const GemmPlan& plan = rows == blocks_.block ? plan_ : last_plan_;
    if constexpr (std::is_same_v<P, T>) {
      gemm<P>(plan, a + row, packed, gradient, {}, room);
    } else {
      Scratch own(room);
      P* const rounded = own.take<P>(blocks_.block * blocks_.cols);
      gemm<P>(plan, a + row, packed, rounded, {}, own.take<std::byte>(0));
      converter(factors_, dtype_)(gradient, rounded, nullptr, nullptr, rows * blocks_.cols, 0);
    }
  };
  update<T>(multiply, weight, coefficients, scratch);
}

void ProductUpdate::run(const void* a, const void* b, const UpdateTile& weight, const double* coefficients,
                        void* scratch) const {
  if (factors_ == DType::BF16)
    run_as<Bfloat, float>(a, b, weight, coefficients, scratch);
  else if (dtype_ == DType::F64)
    run_as<double, double>(a, b, weight, coefficients, scratch);
  else
    run_as<float, float>(a, b, weight, coefficients, scratch);
}

}  // namespace dlcore
