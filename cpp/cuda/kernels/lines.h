// Lines along the middle axis of x[outer, size, inner], each worked on by a group of threads that keep in step: a
// thread where neighbouring lines are neighbours in memory (inner > 1), else a warp, or a block where lines are long.
// Formulas over lines are written once for all three. Only for kernels.
#pragma once

#include "cuda/kernels/device.h"

namespace dlcore::cuda {

struct LineShape {
  std::int64_t outer, size, inner;
  enum Group { Thread, Warp, Block } group;

  LineShape(std::int64_t outer, std::int64_t size, std::int64_t inner)
      : outer(outer),
        size(size),
        inner(inner),
        group(inner > 1      ? Thread
              : size <= 1024 ? Warp
                             : Block) {}
  std::int64_t lines() const { return outer * inner; }
  dim3 grid() const {
    return group == Thread ? blocks_for(lines(), kThreads)
           : group == Warp ? blocks_for(lines(), kThreads / kWarp)
                           : static_cast<unsigned>(lines());
  }
  dim3 block() const { return group == Warp ? dim3(kWarp, kThreads / kWarp) : dim3(kThreads); }
};

/// This thread's part of a line: elements first, first + step, ... below size, each `stride` apart from offset.
struct Line {
  std::int64_t number, size, offset, stride;
  int first, step;
  bool exists;  // a thread without a line still takes part in its block's sums
  LineShape::Group group;

  __device__ explicit Line(const LineShape& s) : size(s.size), stride(s.inner), group(s.group) {
    number = group == LineShape::Thread ? thread_index()
             : group == LineShape::Warp ? static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y
                                        : static_cast<std::int64_t>(blockIdx.x);
    exists = number < s.outer * s.inner;
    if (!exists) size = 0;
    offset = s.inner == 1 ? number * s.size : number / s.inner * s.size * s.inner + number % s.inner;
    first = group == LineShape::Thread ? 0 : static_cast<int>(threadIdx.x);
    step = group == LineShape::Thread ? 1 : static_cast<int>(blockDim.x);
  }
  __device__ std::int64_t at(std::int64_t i) const { return offset + i * stride; }
  /// One thread of the line's group.
  __device__ bool leads() const { return exists && first == 0; }

  template <class V, class Op>
  __device__ V fold(V v, const Op& op) const {
    return group == LineShape::Thread ? v : group == LineShape::Warp ? warp_reduce(v, op) : block_reduce(v, op);
  }
  /// The sum of f(i) over the line, in every thread of the group.
  template <class V, class F>
  __device__ V sum(const F& f) const {
    V total = 0;
#pragma unroll 4
    for (std::int64_t i = first; i < size; i += step) total += f(i);
    return fold(total, Add());
  }
  template <class V, class F>
  __device__ V maximum(const F& f) const {
    V best = -INFINITY;
#pragma unroll 4
    for (std::int64_t i = first; i < size; i += step) best = Greater()(f(i), best);
    return fold(best, Greater());
  }
  template <class F>
  __device__ void each(const F& f) const {
#pragma unroll 4
    for (std::int64_t i = first; i < size; i += step) f(i);
  }
};

}  // namespace dlcore::cuda
