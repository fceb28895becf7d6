#include "kernels/optim/product_update.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

constexpr std::int64_t kBlockElements = 16384;  // of the gradient: with the states' they fit into L2
constexpr std::int64_t kBlockRows = 24;         // at least: the product reads B for every few rows
constexpr std::int64_t kLanes = 32;
constexpr double kFlopsPerNs = 20, kBytesPerNs = 10;

}  // namespace

ProductUpdate::ProductUpdate(UpdateRule rule, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t k)
    : rule_(rule), dtype_(dtype), rows_(rows), cols_(cols), k_(k) {
  block_ = std::clamp<std::int64_t>(kBlockElements / std::max<std::int64_t>(1, cols), kBlockRows, 512);
  lanes_ = std::min(kLanes, (rows + block_ - 1) / block_);
  dtype == DType::F64 ? lay_out<double>() : lay_out<float>();
}

template <class T>
void ProductUpdate::lay_out() {
  GemmShape shape{.m = block_,
                  .n = cols_,
                  .k = k_,
                  .lda = rows_,
                  .ldb = cols_,
                  .ldc = cols_,
                  .transpose_a = true,
                  .packed_b = true};
  plan_ = plan_gemm<T>(shape);
  if (rows_ % block_ != 0) shape.m = rows_ % block_;
  last_plan_ = plan_gemm<T>(shape);
  packed_bytes_ = gemm_packed_b_bytes<T>(shape);
  lane_bytes_ = bytes_of<T>(block_ * cols_) + std::max(plan_.scratch_bytes, last_plan_.scratch_bytes);
  scratch_bytes_ = packed_bytes_ + static_cast<std::size_t>(lanes_) * lane_bytes_;
}

template <class T>
void ProductUpdate::run_as(const T* a, const T* b, const UpdateTile& weight, const double* coefficients,
                           void* scratch) const {
  T* const packed = static_cast<T*>(scratch);
  std::byte* const lanes = static_cast<std::byte*>(scratch) + packed_bytes_;
  gemm_pack_b<T>(plan_.shape, b, packed);

  const std::int64_t blocks = (rows_ + block_ - 1) / block_;
  const int kinds = 1 + states_of(rule_);
  const double elements = static_cast<double>(rows_ * cols_);
  const double cost = elements * (2.0 * static_cast<double>(k_) / kFlopsPerNs + 2.0 * kinds * sizeof(T) / kBytesPerNs);
  parallel_for(lanes_, cost, [&](std::int64_t lane) {
    Scratch own(lanes + static_cast<std::size_t>(lane) * lane_bytes_);
    T* gradient = own.take<T>(block_ * cols_);
    void* const gemm_scratch = own.take<std::byte>(0);
    for (std::int64_t i = blocks * lane / lanes_; i < blocks * (lane + 1) / lanes_; ++i) {
      const std::int64_t row = i * block_, count = std::min(block_, rows_ - row);
      gemm<T>(count == block_ ? plan_ : last_plan_, a + row, packed, gradient, {}, gemm_scratch);
      UpdateTile tile{gradient, {}, {}};
      for (int kind = 0; kind < kinds; ++kind) {
        tile.in[kind] = static_cast<const T*>(weight.in[kind]) + row * cols_;
        tile.out[kind] = static_cast<T*>(weight.out[kind]) + row * cols_;
      }
      update_tile(rule_, dtype_, tile, count * cols_, coefficients);
    }
  });
}

void ProductUpdate::run(const void* a, const void* b, const void* const* in, void* const* out,
                        const double* coefficients, void* scratch) const {
  UpdateTile weight{nullptr, {}, {}};
  for (int kind = 0; kind < 1 + states_of(rule_); ++kind) weight.in[kind] = in[kind], weight.out[kind] = out[kind];
  if (dtype_ == DType::F64)
    run_as(static_cast<const double*>(a), static_cast<const double*>(b), weight, coefficients, scratch);
  else
    run_as(static_cast<const float*>(a), static_cast<const float*>(b), weight, coefficients, scratch);
}

}  // namespace dlcore
