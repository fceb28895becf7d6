#include "kernels/optim/product_update.h"

#include <algorithm>

namespace dlcore {

namespace {

constexpr std::int64_t kLeastRows = 24;  // of a block: the product reads B for every few rows
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
  plan_ = plan_gemm<T>(shape);
  if (rows % blocks_.block != 0) shape.m = rows % blocks_.block;
  last_plan_ = plan_gemm<T>(shape);
  packed_bytes_ = gemm_packed_b_bytes<T>(shape);
  gemm_bytes_ = (std::max(plan_.scratch_bytes, last_plan_.scratch_bytes) + 63) / 64 * 64;
  scratch_bytes_ = packed_bytes_ + blocks_.scratch_bytes<T>(gemm_bytes_);
}

template <class T>
void ProductUpdate::run_as(const T* a, const T* b, const UpdateTile& weight, const double* coefficients,
                           void* scratch) const {
  T* const packed = static_cast<T*>(scratch);
  gemm_pack_b<T>(plan_.shape, b, packed);
  const double kinds = 1 + states_of(rule_), elements = static_cast<double>(blocks_.rows * blocks_.cols);
  const double cost = elements * (2.0 * static_cast<double>(k_) / kFlopsPerNs + 2.0 * kinds * sizeof(T) / kBytesPerNs);
  update_row_blocks<T>(
      blocks_, rule_, dtype_, weight, coefficients, cost, gemm_bytes_, static_cast<std::byte*>(scratch) + packed_bytes_,
      [&](std::int64_t, std::int64_t row, std::int64_t rows, T* gradient, void* gemm_scratch) {
        gemm<T>(rows == blocks_.block ? plan_ : last_plan_, a + row, packed, gradient, {}, gemm_scratch);
      });
}

void ProductUpdate::run(const void* a, const void* b, const UpdateTile& weight, const double* coefficients,
                        void* scratch) const {
  if (dtype_ == DType::F64)
    run_as(static_cast<const double*>(a), static_cast<const double*>(b), weight, coefficients, scratch);
  else
    run_as(static_cast<const float*>(a), static_cast<const float*>(b), weight, coefficients, scratch);
}

}  // namespace dlcore
