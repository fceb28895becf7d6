#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(ReduceKernels, reduce_kernels)

namespace {

constexpr std::int64_t kRowPiece = 32768;   // elements of a row reduced by one thread
constexpr std::int64_t kColumnPiece = 128;  // rows whose columns are reduced by one thread
constexpr std::int64_t kGrain = 32768;      // elements that a thread takes at a time
constexpr double kCost = 0.15;              // ns per element

std::int64_t pieces_of(std::int64_t n, std::int64_t piece) {
  return std::max<std::int64_t>(1, (n + piece - 1) / piece);
}

}  // namespace

Reduction::Reduction(ReduceOp op, DType dtype, std::int64_t outer, std::int64_t reduce, std::int64_t inner)
    : op_(op), stored_(dtype), dtype_(dtype == DType::BF16 ? DType::F32 : dtype), outer_(outer), inner_(inner) {
  const std::int64_t piece = inner == 1 ? kRowPiece : kColumnPiece;
  for (std::int64_t left = reduce;; left = levels_.back().pieces) {
    levels_.push_back({left, piece, pieces_of(left, piece)});
    if (levels_.back().pieces == 1) break;
    scratch_bytes_ += static_cast<std::size_t>(outer * levels_.back().pieces * inner) * size_of(dtype_);
  }
}

void Reduction::run(const void* x, const void* center, void* y, void* scratch) const {
  const std::byte* from = static_cast<const std::byte*>(x);
  std::byte* partials = static_cast<std::byte*>(scratch);
  ReduceOp op = op_;
  DType dtype = stored_;
  for (const Level& level : levels_) {
    const bool last = level.pieces == 1;
    run_level(level, op, dtype, from, static_cast<const std::byte*>(center),
              last ? static_cast<std::byte*>(y) : partials);
    if (last) break;
    from = partials;
    partials += static_cast<std::size_t>(outer_ * level.pieces * inner_) * size_of(dtype_);
    if (op == ReduceOp::SumExp || op == ReduceOp::SumSquare) op = ReduceOp::Sum;
    dtype = dtype_;
  }
}

/// y [outer, pieces, inner]; an item is one piece of one outer index (of up to kColumnBlock columns).
void Reduction::run_level(const Level& level, ReduceOp op, DType dtype, const std::byte* x, const std::byte* center,
                          std::byte* y) const {
  const std::int64_t x_bytes = static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t bytes = static_cast<std::int64_t>(size_of(dtype_));
  const int o = static_cast<int>(op), d = static_cast<int>(dtype);
  const bool has_center = op == ReduceOp::SumExp || op == ReduceOp::SumSquare;
  const double cost = kCost * static_cast<double>(outer_ * level.reduce * inner_) * (op == ReduceOp::SumExp ? 4 : 1);

  if (inner_ == 1 && level.pieces == 1) {
    const std::int64_t rows_at_once = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, level.reduce));
    const auto kernel = reduce_kernels().rows[o][d];
    parallel_for(pieces_of(outer_, rows_at_once), cost, [&](std::int64_t chunk) {
      const std::int64_t first = chunk * rows_at_once, rows = std::min(rows_at_once, outer_ - first);
      kernel(y + first * bytes, x + first * level.reduce * x_bytes, rows, level.reduce, level.reduce,
             has_center ? center + first * bytes : nullptr);
    });
    return;
  }
  const auto kernel = inner_ == 1 ? reduce_kernels().rows[o][d] : reduce_kernels().columns[o][d];
  const std::int64_t blocks = pieces_of(inner_, kColumnBlock), items = outer_ * level.pieces * blocks;
  const std::int64_t item_elements = std::min(level.piece, level.reduce) * std::min(inner_, kColumnBlock);
  const std::int64_t items_at_once = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, item_elements));
  parallel_for(pieces_of(items, items_at_once), cost, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(items, (chunk + 1) * items_at_once);
    for (std::int64_t item = chunk * items_at_once; item < end; ++item) {
      const std::int64_t column = item % blocks * kColumnBlock, piece = item / blocks % level.pieces;
      const std::int64_t outer = item / blocks / level.pieces, first = piece * level.piece;
      const std::int64_t rows = std::min(level.piece, level.reduce - first);
      const std::int64_t columns = std::min(kColumnBlock, inner_ - column);
      const std::byte* from = x + ((outer * level.reduce + first) * inner_ + column) * x_bytes;
      std::byte* to = y + ((outer * level.pieces + piece) * inner_ + column) * bytes;
      const std::byte* own_center = has_center ? center + (outer * inner_ + column) * bytes : nullptr;
      if (inner_ == 1)
        kernel(to, from, 1, rows, rows, own_center);
      else
        kernel(to, from, rows, columns, inner_, own_center);
    }
  });
}

CenteredReduction::CenteredReduction(ReduceOp op, DType dtype, std::int64_t outer, std::int64_t reduce,
                                     std::int64_t inner)
    : op_(op),
      center_op_(op == ReduceOp::SumSquare ? ReduceOp::Sum : ReduceOp::Max),
      dtype_(dtype),
      outer_(outer),
      reduce_(reduce),
      inner_(inner),
      centers_(center_op_, dtype, outer, reduce, inner),
      sums_(op, dtype, outer, reduce, inner) {}

std::size_t CenteredReduction::scratch_bytes() const {
  return static_cast<std::size_t>(outer_ * inner_) * size_of(dtype_) + sums_.scratch_bytes();
}

void CenteredReduction::finish_centers(void* center, std::int64_t n) const {
  const int d = static_cast<int>(dtype_);
  if (op_ == ReduceOp::SumSquare)
    reduce_kernels().divide[d](center, n, static_cast<double>(reduce_));
  else
    reduce_kernels().make_finite[d](center, n);
}

void CenteredReduction::finish(void* y, const void* center, std::int64_t n) const {
  const int d = static_cast<int>(dtype_);
  if (op_ == ReduceOp::SumSquare)
    reduce_kernels().divide[d](y, n, static_cast<double>(reduce_));
  else
    reduce_kernels().add_log[d](y, center, n);
}

void CenteredReduction::run(const void* x, void* y, void* scratch) const {
  std::byte *center = static_cast<std::byte*>(scratch), *out = static_cast<std::byte*>(y);
  const std::int64_t bytes = static_cast<std::int64_t>(size_of(dtype_)), count = outer_ * inner_;
  if (inner_ == 1 && reduce_ <= kRowPiece) {  // all passes over a few rows, while they are in the cache
    const int d = static_cast<int>(dtype_);
    const auto center_rows = reduce_kernels().rows[static_cast<int>(center_op_)][d];
    const auto sum_rows = reduce_kernels().rows[static_cast<int>(op_)][d];
    const std::int64_t rows_at_once = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, reduce_));
    const double cost = kCost * (op_ == ReduceOp::SumExp ? 4 : 2) * static_cast<double>(outer_ * reduce_);
    parallel_for(pieces_of(outer_, rows_at_once), cost, [&](std::int64_t chunk) {
      const std::int64_t first = chunk * rows_at_once, rows = std::min(rows_at_once, outer_ - first);
      const std::byte* from = static_cast<const std::byte*>(x) + first * reduce_ * bytes;
      std::byte *own_center = center + first * bytes, *to = out + first * bytes;
      center_rows(own_center, from, rows, reduce_, reduce_, nullptr);
      finish_centers(own_center, rows);
      sum_rows(to, from, rows, reduce_, reduce_, own_center);
      finish(to, own_center, rows);
    });
    return;
  }
  std::byte* partials = center + count * bytes;
  centers_.run(x, nullptr, center, partials);
  finish_centers(center, count);
  sums_.run(x, center, y, partials);
  finish(y, center, count);
}

void arg_reduce(bool smallest, DType dtype, std::int64_t outer, std::int64_t reduce, std::int64_t inner, const void* x,
                std::int32_t* y) {
  const std::byte* from = static_cast<const std::byte*>(x);
  const std::int64_t bytes = static_cast<std::int64_t>(size_of(dtype));
  const double cost = kCost * 3 * static_cast<double>(outer * reduce * inner);
  if (inner == 1) {
    const auto kernel = reduce_kernels().arg_rows[smallest][static_cast<int>(dtype)];
    const std::int64_t rows_at_once = std::max<std::int64_t>(1, kGrain / reduce);
    parallel_for(pieces_of(outer, rows_at_once), cost, [&](std::int64_t chunk) {
      const std::int64_t first = chunk * rows_at_once;
      kernel(y + first, from + first * reduce * bytes, std::min(rows_at_once, outer - first), reduce);
    });
    return;
  }
  const auto kernel = reduce_kernels().arg_columns[smallest][static_cast<int>(dtype)];
  const std::int64_t blocks = pieces_of(inner, kColumnBlock);
  parallel_for(outer * blocks, cost, [&](std::int64_t item) {
    alignas(64) std::byte best[kColumnBlock * sizeof(double)];
    const std::int64_t o = item / blocks, column = item % blocks * kColumnBlock;
    kernel(y + o * inner + column, best, from + (o * reduce * inner + column) * bytes, reduce,
           std::min(kColumnBlock, inner - column), inner);
  });
}

}  // namespace dlcore
