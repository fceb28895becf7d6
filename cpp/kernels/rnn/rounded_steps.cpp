#include "kernels/rnn/rounded_steps.h"

#include <algorithm>

#include "kernels/gemm/amx.h"
#include "kernels/pointwise/pointwise.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

std::int64_t weights_of(const RnnShape& s) { return s.units * rnn_cols(s); }

/// Of dense factors and results; w packed, in tiles where rows are.
GemmShape gemm_shape(const RnnShape& s, const StepProduct& product, std::int64_t rows, bool in_tiles) {
  GemmShape shape = dense_gemm(rows, product.n, product.k, false, product.transposed);
  shape.ldb = rnn_cols(s);
  shape.packed_b = true;
  shape.packed_tiles = in_tiles;
  return shape;
}

/// Rows of a chunk that fill the unit's tiles.
std::int64_t rows_of_tiles(const RnnShape& s) {
  return kTileRows * (s.batch <= 2 * kTileRows ? 1 : s.batch <= 8 * kTileRows ? 2 : 4);
}
bool takes_tiles(const RnnShape& s) {
  const std::int64_t rows = std::min(rows_of_tiles(s), s.batch);
  return amx_kernels() && gemm_packs_tiles<Bfloat>(gemm_shape(s, forward_products(s)[0], rows, true));
}

}  // namespace

std::vector<StepProduct> forward_products(const RnnShape& s) {
  const std::int64_t units = s.units, cols = rnn_cols(s);
  StepProduct all{};
  all.n = cols, all.k = units;
  all.lda = units, all.ldz = cols;
  if (s.cell != RnnCell::GruResetBefore) return {all};
  StepProduct gates = all, candidate = all;
  gates.n = 2 * units;
  candidate.n = units, candidate.w = candidate.z = 2 * units;
  return {gates, candidate};
}

std::vector<StepProduct> backward_products(const RnnShape& s) {
  const RecurrentParts parts = recurrent_parts(s.cell);
  std::vector<StepProduct> products;
  for (int i = 0; i < parts.count; ++i) {
    StepProduct product{};
    product.n = s.units, product.k = parts.part[i].vectors * s.units;
    product.lda = s.steps * rnn_delta_stride<float>(s), product.ldz = s.units;
    product.w = parts.part[i].into * s.units;
    product.transposed = true;
    products.push_back(product);
  }
  return products;
}

std::int64_t rounded_step_rows(const RnnShape& s) {
  constexpr std::int64_t kLeastUnits = 64;  // whose products take longer than rounding what they multiply
  if (rnn_by_units(s) || s.batch <= kOneChunk) return 0;
  if (takes_tiles(s)) return rows_of_tiles(s);
  return s.units >= kLeastUnits ? rnn_chunk_rows(s) : 0;
}

RoundedSteps::RoundedSteps(const RnnShape& s, const std::vector<StepProduct>& products)
    : shape_(s), rounded_w_(0), room_bytes_(0) {
  const std::int64_t rows = std::min(s.chunk_rows, s.batch), left = s.batch % s.chunk_rows;
  const bool in_tiles = takes_tiles(s);
  for (const StepProduct& product : products) {
    const GemmShape whole = gemm_shape(s, product, rows, in_tiles);
    const GemmPlan plan = plan_gemm<Bfloat>(whole);
    const GemmPlan last = left == 0 ? plan : plan_gemm<Bfloat>(gemm_shape(s, product, left, in_tiles));
    parts_.push_back({product, plan, last, rounded_w_});
    rounded_w_ += bytes_of<std::byte>(static_cast<std::int64_t>(gemm_packed_b_bytes<Bfloat>(whole)));
    const std::size_t operands = bytes_of<Bfloat>(rows * product.k) + bytes_of<Bfloat>(rows * product.n);
    const std::size_t room = operands + bytes_of<float>(product.n) + std::max(plan.scratch_bytes, last.scratch_bytes);
    room_bytes_ = std::max(room_bytes_, bytes_of<std::byte>(static_cast<std::int64_t>(room)));
  }
  rooms_ = rounded_w_ + bytes_of<Bfloat>(weights_of(s));
}

std::size_t RoundedSteps::scratch_bytes() const {
  const std::int64_t chunks = (shape_.batch + shape_.chunk_rows - 1) / shape_.chunk_rows;
  return rooms_ + static_cast<std::size_t>(chunks) * room_bytes_;
}

RoundedSteps::Run::Run(const RoundedSteps& steps, const float* w_h, void* scratch)
    : steps_(steps), scratch_(static_cast<std::byte*>(scratch)) {
  auto* const rounded = reinterpret_cast<Bfloat*>(scratch_ + steps.rounded_w_);
  convert(DType::F32, w_h, DType::BF16, rounded, weights_of(steps.shape_));
  for (const Part& part : steps.parts_)
    gemm_pack_b(part.whole.shape, rounded + part.product.w, reinterpret_cast<Bfloat*>(scratch_ + part.packed));
}

void RoundedSteps::Run::multiply(int index, std::int64_t first, std::int64_t rows, const float* a, float* z,
                                 bool accumulate) const {
  const TileFn to_bfloat = converter(DType::F32, DType::BF16), to_float = converter(DType::BF16, DType::F32);
  const TileFn add = pointwise_kernels().tile[static_cast<int>(Opcode::Add)][static_cast<int>(DType::F32)];
  const Part& part = steps_.parts_[static_cast<std::size_t>(index)];
  const StepProduct& p = part.product;
  const auto chunk = static_cast<std::size_t>(first / steps_.shape_.chunk_rows);
  Scratch free(scratch_ + steps_.rooms_ + chunk * steps_.room_bytes_);
  auto* const factor = free.take<Bfloat>(rows * p.k);
  auto* const product = free.take<Bfloat>(rows * p.n);
  auto* const row = free.take<float>(p.n);
  for (std::int64_t i = 0; i < rows; ++i) to_bfloat(factor + i * p.k, a + i * p.lda, nullptr, nullptr, p.k, 0);
  gemm(rows == part.whole.shape.m ? part.whole : part.last, factor,
       reinterpret_cast<const Bfloat*>(scratch_ + part.packed), product, {}, free.take<std::byte>(0));
  for (std::int64_t i = 0; i < rows; ++i) {
    float* const to = z + p.z + i * p.ldz;
    to_float(accumulate ? row : to, product + i * p.n, nullptr, nullptr, p.n, 0);
    if (accumulate) add(to, to, row, nullptr, p.n, 0);
  }
}

}  // namespace dlcore
