// Reductions over the middle axis of x [outer, reduce, inner] (rows: inner = 1).
//
// Accuracy and order: sums are added in blocks, in an order that the shape alone decides: same bits for any number of
// threads, and an error that does not grow with the number of summands beyond the depth of the tree (about 50 roundings
// per level; a level shortens the axis by a factor of at least 128).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/isa.h"
#include "dlcore/dtype.h"

namespace dlcore {

/// SumExp adds exp(x - center), SumSquare (x - center)^2; center [outer, inner]. Max and Min of NaN are NaN.
enum class ReduceOp { Sum, Prod, Max, Min, SumExp, SumSquare, Count };
inline constexpr int kReduceOps = static_cast<int>(ReduceOp::Count);
inline constexpr int kReduceDTypes = static_cast<int>(DType::F64) + 1;

struct ReduceKernels {
  /// y[r] = reduction of x[r, 0..n), r < rows; row_stride and n in elements; center[r] or null.
  using Rows = void (*)(void* y, const void* x, std::int64_t rows, std::int64_t n, std::int64_t row_stride,
                        const void* center);
  /// y[c] = reduction of x[0..rows, c], c < columns (at most kColumnBlock); center[c] or null. y is overwritten.
  using Columns = Rows;
  /// y[r] = the first index of the extremum of x[r, 0..n). NaN counts as the extremum.
  using ArgRows = void (*)(std::int32_t* y, const void* x, std::int64_t rows, std::int64_t n);
  /// The same along axis 0 of x [n, columns], whose rows are `row_stride` apart; best: `columns` elements of scratch.
  using ArgColumns = void (*)(std::int32_t* y, void* best, const void* x, std::int64_t n, std::int64_t columns,
                              std::int64_t row_stride);
  /// y[i] = y[i] / count.
  using Divide = void (*)(void* y, std::int64_t n, double count);
  /// Centers that are not finite become 0.
  using MakeFinite = void (*)(void* center, std::int64_t n);
  /// y[i] = center[i] + log(y[i]).
  using AddLog = void (*)(void* y, const void* center, std::int64_t n);

  // By the type that x is stored in. Null where the op makes no sense for it; Bool as bytes: Max, Min; BF16: Sum, to
  // F32.
  Rows rows[kReduceOps][kReduceDTypes];
  Columns columns[kReduceOps][kReduceDTypes];
  ArgRows arg_rows[2][kReduceDTypes];  // 0: max, 1: min
  ArgColumns arg_columns[2][kReduceDTypes];
  Divide divide[kReduceDTypes];  // F32, F64
  MakeFinite make_finite[kReduceDTypes];
  AddLog add_log[kReduceDTypes];
};

const ReduceKernels& reduce_kernels();

inline constexpr std::int64_t kColumnBlock = 2048;

/// One reduction of known sizes, cut into pieces whose partial results are reduced again.
class Reduction {
 public:
  /// dtype: of x; y is of the same, of BF16 F32.
  Reduction(ReduceOp op, DType dtype, std::int64_t outer, std::int64_t reduce, std::int64_t inner);
  /// Of the partial results; scratch may be null when 0.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// x [outer, reduce, inner], y [outer, inner], overwritten; center [outer, inner] for SumExp and SumSquare.
  /// reduce = 0 gives the op's neutral element. Threads: over pieces.
  void run(const void* x, const void* center, void* y, void* scratch) const;

 private:
  struct Level {
    std::int64_t reduce, piece, pieces;  // along the reduced axis
  };
  /// x is of this dtype, center and y of dtype_.
  void run_level(const Level& level, ReduceOp op, DType dtype, const std::byte* x, const std::byte* center,
                 std::byte* y) const;

  ReduceOp op_;
  DType stored_, dtype_;
  std::int64_t outer_, inner_;
  std::vector<Level> levels_;
  std::size_t scratch_bytes_ = 0;
};

/// logsumexp (SumExp): the maximum + log(sum exp(x - maximum)). Variance (SumSquare): the mean of (x - mean)^2.
class CenteredReduction {
 public:
  CenteredReduction(ReduceOp op, DType dtype, std::int64_t outer, std::int64_t reduce, std::int64_t inner);
  std::size_t scratch_bytes() const;
  /// x [outer, reduce, inner], y [outer, inner], overwritten.
  void run(const void* x, void* y, void* scratch) const;

 private:
  void finish_centers(void* center, std::int64_t n) const;
  void finish(void* y, const void* center, std::int64_t n) const;

  ReduceOp op_, center_op_;
  DType dtype_;
  std::int64_t outer_, reduce_, inner_;
  Reduction centers_, sums_;
};

/// y[outer, inner] = first index along the reduced axis of the largest (or smallest) element.
void arg_reduce(bool smallest, DType dtype, std::int64_t outer, std::int64_t reduce, std::int64_t inner, const void* x,
                std::int32_t* y);

}  // namespace dlcore
