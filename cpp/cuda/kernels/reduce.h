// Reductions of x [outer, reduce, inner] over its middle axis, as kernels/reduce/reduce.h has them.
//
// Rows (inner = 1): a warp or a block per row, or several blocks per row where rows are few. Columns: a block of 32
// neighbouring columns times 8 rows. What a row or column is cut into depends on the shape and the device alone, and
// partial results are joined in a fixed order: two runs give the same bits. 16-bit floats are added up in float, and
// rounded once.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/reduce/reduce.h"

namespace dlcore::cuda {

/// What becomes of a result: nothing, a division by the number of elements, or center + log.
enum class ReduceFinish { None, Divide, AddLog };

struct ReduceShape {
  std::int64_t outer, reduce, inner;
  std::int64_t pieces;  // of the reduced axis; more than 1 needs scratch

  ReduceShape(std::int64_t outer, std::int64_t reduce, std::int64_t inner, int sm_count);
  std::size_t scratch_bytes() const;
};

/// y[outer, inner] = finish(reduction of op over x). center [outer, inner], of the type that x is computed in (float
/// for 16-bit floats), is read for SumExp and SumSquare. y has x's dtype, or the computed type when `wide`.
void reduce(cudaStream_t stream, ReduceOp op, DType dtype, const ReduceShape& shape, ReduceFinish finish, bool wide,
            const void* x, const void* center, void* y, void* scratch);

/// center[i] = 0 where it is not finite; of the computed type.
void make_finite(cudaStream_t stream, DType dtype, std::int64_t n, void* center);

/// y[outer, inner] = first index of the largest (or smallest) element along the middle axis; NaN counts as the
/// extremum.
void arg_reduce(cudaStream_t stream, bool smallest, DType dtype, std::int64_t outer, std::int64_t reduce,
                std::int64_t inner, const void* x, std::int32_t* y);

}  // namespace dlcore::cuda
