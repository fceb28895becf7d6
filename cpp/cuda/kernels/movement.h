// Kernels that move elements without looking at them; all bandwidth: what is read and written once, and no more.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/movement/movement.h"

namespace dlcore::cuda {

/// As MovementKernels::strided_copy; copy: simplified. in and out do not overlap. The innermost axis is written by
/// neighbouring threads; a transposed one goes through a tile in shared memory, so that both sides move whole sectors.
void strided_copy(cudaStream_t stream, const StridedCopy& copy, const void* in, void* out);

/// out = in; nothing when they are the same buffer.
void copy_bytes(cudaStream_t stream, const void* in, void* out, std::size_t bytes);
/// out = in, unless *guard is not 0 when it runs. The buffers don't overlap, or are the same.
void copy_guarded(cudaStream_t stream, const int* guard, const void* in, void* out, std::size_t bytes);
void zero_bytes(cudaStream_t stream, void* out, std::size_t bytes);

/// out[i] = value, i < n elements of `element` bytes (1, 2, 4 or 8), given in the low bytes of `value`.
void fill(cudaStream_t stream, int element, std::int64_t n, std::uint64_t value, void* out);

/// out[i_0, ..., i_r] = in[i - low], mirrored at the edges or `value` where that lies outside.
struct PadShape {
  enum Mode { Constant, Reflect, Symmetric } mode = Constant;
  static constexpr int kMaxRank = 8;
  int rank = 0;
  std::int64_t in_size[kMaxRank], out_size[kMaxRank], low[kMaxRank];  // low may be negative: then it cuts
};
void pad(cudaStream_t stream, const PadShape& shape, int element, std::uint64_t value, const void* in, void* out);

/// out[o, i, c] = i for out [n / (size * inner), size, inner].
void iota(cudaStream_t stream, DType dtype, std::int64_t n, std::int64_t size, std::int64_t inner, void* out);

/// out = in as another dtype, float types only.
void convert_floats(cudaStream_t stream, DType from, DType to, std::int64_t n, const void* in, void* out);

}  // namespace dlcore::cuda
