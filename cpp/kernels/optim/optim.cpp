#include "kernels/optim/optim.h"

#include <algorithm>
#include <cstddef>

#include "base/parallel.h"
#include "kernels/pointwise/pointwise.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(OptimKernels, optim_kernels)

namespace {

constexpr std::int64_t kBlock = 16384;  // elements of a block, and least of a chunk
constexpr double kCost = 0.5;           // ns per element and tensor touched

/// Of 16-bit floats: their float32 form lies on the stack.
void update_half(OptimKernels::Update update, DType dtype, const UpdateTile& tile, int kinds, std::int64_t n,
                 const double* coefficients) {
  alignas(64) float wide[2 + kMaxStates][kHalfTile];
  const TileFn widen = converter(dtype, DType::F32), narrow = converter(DType::F32, dtype);
  float* gradient = wide[1 + kMaxStates];
  UpdateTile inner{gradient, {}, {}};
  widen(gradient, tile.gradient, nullptr, nullptr, n, 0);
  for (int k = 0; k < kinds; ++k) {
    widen(wide[k], tile.in[k], nullptr, nullptr, n, 0);
    inner.in[k] = inner.out[k] = wide[k];
  }
  update(inner, n, coefficients);
  for (int k = 0; k < kinds; ++k) narrow(tile.out[k], wide[k], nullptr, nullptr, n, 0);
}

}  // namespace

int states_of(UpdateRule rule) {
  constexpr int states[] = {0, 1, 1, 1, 2, 2, 3, 2, 3, 1};
  static_assert(std::size(states) == kUpdateRules);
  return states[static_cast<int>(rule)];
}

void update_tile(UpdateRule rule, DType dtype, const UpdateTile& tile, std::int64_t n, const double* coefficients) {
  const int r = static_cast<int>(rule);
  if (dtype == DType::F32)
    optim_kernels().f32[r](tile, n, coefficients);
  else if (dtype == DType::F64)
    optim_kernels().f64[r](tile, n, coefficients);
  else
    update_half(optim_kernels().f32[r], dtype, tile, 1 + states_of(rule), n, coefficients);
}

MultiTensorUpdate::MultiTensorUpdate(UpdateRule rule, DType dtype, std::vector<std::int64_t> sizes)
    : rule_(rule), dtype_(dtype), tensors_(static_cast<int>(sizes.size())), kinds_(1 + states_of(rule)) {
  const std::int64_t block = size_of(dtype) == 2 ? kHalfTile : kBlock;
  std::int64_t in_chunk = kBlock, total = 0;
  for (int t = 0; t < tensors_; ++t) {
    total += sizes[t];
    for (std::int64_t first = 0; first < sizes[t]; first += block) {
      const std::int64_t n = std::min(block, sizes[t] - first);
      if (in_chunk + n > kBlock) {
        chunks_.push_back(static_cast<std::int64_t>(blocks_.size()));
        in_chunk = 0;
      }
      blocks_.push_back({t, first, n});
      in_chunk += n;
    }
  }
  chunks_.push_back(static_cast<std::int64_t>(blocks_.size()));
  cost_ = kCost * static_cast<double>(total * (2 * kinds_ + 1));
}

void MultiTensorUpdate::run_block(const Block& block, const void* const* in, void* const* out,
                                  const double* coefficients) const {
  const std::int64_t offset = block.first * static_cast<std::int64_t>(size_of(dtype_));
  const auto input = [&](int kind) {
    return static_cast<const std::byte*>(in[kind * tensors_ + block.tensor]) + offset;
  };
  UpdateTile tile{input(1), {input(0)}, {}};
  for (int k = 1; k < kinds_; ++k) tile.in[k] = input(k + 1);
  for (int k = 0; k < kinds_; ++k) tile.out[k] = static_cast<std::byte*>(out[k * tensors_ + block.tensor]) + offset;
  update_tile(rule_, dtype_, tile, block.n, coefficients);
}

void MultiTensorUpdate::run(const void* const* in, void* const* out, const double* coefficients) const {
  parallel_for(static_cast<std::int64_t>(chunks_.size()) - 1, cost_, [&](std::int64_t chunk) {
    for (std::int64_t b = chunks_[chunk]; b < chunks_[chunk + 1]; ++b) run_block(blocks_[b], in, out, coefficients);
  });
}

}  // namespace dlcore
