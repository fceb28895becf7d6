// The rows of a batch, gathered on the GPU from an array that lies there, converted on the way.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/program.h"

namespace dlcore::cuda {

/// to[i] = source row (order ? order[first + i] : first + i) converted to dtype, i < count; as gather_rows of feed.h.
/// All pointers are device memory and every row is in the source.
void gather_rows(const Rows& source, const std::int64_t* order, std::int64_t first, std::int64_t count, DType dtype,
                 std::byte* to, cudaStream_t stream);

}  // namespace dlcore::cuda
