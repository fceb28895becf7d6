// Rows looked up by index, and added back: kernels/embedding/embedding.h on the device.
//
// Adding back is deterministic and has the CPU's bits: the updates of a row are added in the order of the indices, by
// one thread for each element of the row. For that, the positions are sorted by the row that they name.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/fault_site.h"
#include "dlcore/dtype.h"
#include "kernels/embedding/embedding.h"

namespace dlcore::cuda {

// An index that modes Raise and Strict do not allow is reported, and is then as Fill has it.
void gather(cudaStream_t stream, const Lookup& lookup, DType index_dtype, std::size_t element_bytes, const void* x,
            const void* index, void* y, const FaultSite& fault);
void gather_along(cudaStream_t stream, const Lookup& lookup, DType index_dtype, std::size_t element_bytes,
                  const void* x, const void* index, void* y, const FaultSite& fault);

/// Of scatter_add and scatter_combine.
std::size_t scatter_scratch_bytes(const Lookup& lookup);
void scatter_add(cudaStream_t stream, const Lookup& lookup, DType index_dtype, DType dtype, const void* index,
                 const void* u, void* d, void* scratch, const FaultSite& fault);

void scatter_combine(cudaStream_t stream, const Lookup& lookup, Combine combine, DType index_dtype, DType dtype,
                     const void* index, const void* x, const void* u, void* y, void* scratch, const FaultSite& fault);

/// One thread adds up a line.
void scatter_along(cudaStream_t stream, const Lookup& lookup, DType index_dtype, DType dtype, const void* index,
                   const void* u, void* d, const FaultSite& fault);

/// y [count, depth]; one: the bytes of 1.
void one_hot(cudaStream_t stream, std::int64_t count, std::int64_t depth, DType index_dtype, const void* index,
             std::uint64_t one, std::size_t element_bytes, void* y);

}  // namespace dlcore::cuda
