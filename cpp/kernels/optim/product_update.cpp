#include "kernels/optim/product_update.h"

#include <algorithm>

#include "kernels/gemm/sparse.h"

namespace dlcore {

namespace {

constexpr std::int64_t kLeastRows = 64;  // of a block: the product reads B for every few rows
constexpr double kFlopsPerNs = 20, kBytesPerNs = 10;

}  // namespace

ProductUpdate::ProductUpdate(UpdateRule rule, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t k)
    : rule_(rule), dtype_(dtype), blocks_(rows, cols, kLeastRows), k_(k) {
  dtype == DType::F64 ? lay_out<double>() : lay_out<float>();
}

template <class T>
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
  shape.packed_tiles = gemm_packs_tiles<T>(shape);
  plan_ = plan_gemm<T>(shape);
  if (rows % blocks_.block != 0) shape.m = rows % blocks_.block;
  last_plan_ = plan_gemm<T>(shape);
  skip_b_ = plan_gemm<T>(dense_gemm(rows, cols, k_, true)).skip_b;
  shared_bytes_ = gemm_packed_b_bytes<T>(shape);
  room_bytes_ = std::max(plan_.scratch_bytes, last_plan_.scratch_bytes);
  if (skip_b_.most_nonzeros > 0) {
    shared_bytes_ = std::max(shared_bytes_, sparse_rows_bytes(skip_b_.shape, sizeof(T)));
    room_bytes_ =
        std::max(room_bytes_, sparse_room_bytes(sizeof(T), skip_b_.tile, skip_b_.k_block, cols, blocks_.block, true));
  }
  shared_bytes_ = (shared_bytes_ + 63) / 64 * 64;
  room_bytes_ = (room_bytes_ + 63) / 64 * 64;
  scratch_bytes_ = shared_bytes_ + blocks_.scratch_bytes<T>(room_bytes_);
}

// product(first row, rows, gradient, room) computes rows of the gradient.
template <class T, class Product>
void ProductUpdate::update(const Product& product, const UpdateTile& weight, const double* coefficients,
                           std::byte* rooms) const {
  const double kinds = 1 + states_of(rule_), elements = static_cast<double>(blocks_.rows * blocks_.cols);
  const double cost = elements * (2.0 * static_cast<double>(k_) / kFlopsPerNs + 2.0 * kinds * sizeof(T) / kBytesPerNs);
  update_row_blocks<T>(blocks_, rule_, dtype_, weight, coefficients, cost, room_bytes_, rooms,
                       [&](std::int64_t, std::int64_t row, std::int64_t rows, T* gradient, void* room) {
                         product(row, rows, gradient, room);
                       });
}

template <class T>
void ProductUpdate::run_as(const T* a, const T* b, const UpdateTile& weight, const double* coefficients,
                           void* scratch) const {
  std::byte* const rooms = static_cast<std::byte*>(scratch) + shared_bytes_;
  const double share_b = relative_share(skip_b_, a, b);
  if (share_b < 1 && share_b < relative_share(plan_.skip_a, a, b)) {
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
    return update<T>(multiply, weight, coefficients, rooms);
  }
  T* const packed = static_cast<T*>(scratch);
  gemm_pack_b<T>(plan_.shape, b, packed);
  const auto multiply = [&](std::int64_t row, std::int64_t rows, T* gradient, void* room) {
    gemm<T>(rows == blocks_.block ? plan_ : last_plan_, a + row, packed, gradient, {}, room);
  };
  update<T>(multiply, weight, coefficients, rooms);
}

void ProductUpdate::run(const void* a, const void* b, const UpdateTile& weight, const double* coefficients,
                        void* scratch) const {
  if (dtype_ == DType::F64)
    run_as(static_cast<const double*>(a), static_cast<const double*>(b), weight, coefficients, scratch);
  else
    run_as(static_cast<const float*>(a), static_cast<const float*>(b), weight, coefficients, scratch);
}

}  // namespace dlcore
