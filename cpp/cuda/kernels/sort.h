// Order along the middle axis of x[outer, size, inner]: kernels/sort/sort.h on the device.
//
// Every element becomes an item (an unsigned key that orders as the element does, its index); no two items are equal,
// so any sort gives the stable order. Tiles of a line are sorted in shared memory (Batcher 1968), then runs are merged
// in pairs, every thread finding its part of the output by bisection (Green, McColl & Bader 2012).
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/sort/sort.h"

namespace dlcore::cuda {

std::size_t sort_scratch_bytes(DType dtype, const Lines& lines);
/// The first k of every line in order: values [outer, k, inner] and indices likewise; each may be null.
void sort_lines(cudaStream_t stream, DType dtype, const Lines& lines, std::int64_t k, bool descending, const void* x,
                void* values, std::int32_t* indices, void* scratch);

/// order[i]: the numbers (key << 32 | i) of n keys sorted, for keys of at most 32 bits: order[j] & 0xffffffff is the
/// position of the j-th. items [n] holds them unsorted and is overwritten; other [n] is scratch. Returns which of the
/// two has the result.
std::uint64_t* sort_items(cudaStream_t stream, std::int64_t n, std::uint64_t* items, std::uint64_t* other);

void cumsum_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse, const void* x,
                  void* y);
void cumprod_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse, const void* x,
                   void* y);
void cumprod_grad_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse,
                        const void* dy, const void* x, void* dx);

void search_sorted(cudaStream_t stream, DType dtype, const void* sorted, std::int64_t size, const void* value,
                   std::int64_t count, bool right, std::int32_t* index);

}  // namespace dlcore::cuda
