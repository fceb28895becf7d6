// A CUDA device in host C++: the threads of a block run as fibers, one block after another. Slow and exact: what a
// kernel computes here is what it computes on a device, as far as it has no data race.
#pragma once

#include <math.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)
#define __grid_constant__ &  // after a parameter's type: one for all threads

namespace dlcore::emulation {

struct Index {
  unsigned x, y, z;
};

/// Runs body once for every thread of every block.
void run(dim3 grid, dim3 block, std::size_t shared_bytes, void (*body)(void*), void* argument);
template <class Body>
void run(dim3 grid, dim3 block, std::size_t shared_bytes, const Body& body) {
  run(
      grid, block, shared_bytes, [](void* given) { (*static_cast<const Body*>(given))(); }, const_cast<Body*>(&body));
}
/// The block's dynamic shared memory, filled with NaN before the block starts.
void* shared();
/// Waits until all threads of the block (or of the warp) that still run are here.
void wait_for_block();
void wait_for_warp();
/// Eight bytes per lane of this warp, to exchange values.
std::uint64_t* lane_slots();
unsigned lane();

/// What lane `from` has: every lane of the warp calls it.
template <class T>
T exchange(T value, int from) {
  static_assert(sizeof(T) <= 8);
  std::memcpy(&lane_slots()[lane()], &value, sizeof(T));
  wait_for_warp();
  T result = value;
  if (from >= 0 && from < 32) std::memcpy(&result, &lane_slots()[from], sizeof(T));
  wait_for_warp();
  return result;
}

}  // namespace dlcore::emulation

using std::max;
using std::min;

extern dlcore::emulation::Index threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

inline void __syncthreads() { dlcore::emulation::wait_for_block(); }
inline void __syncwarp(unsigned = ~0u) { dlcore::emulation::wait_for_warp(); }
template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return dlcore::emulation::exchange(value, from);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int lanes) {
  return dlcore::emulation::exchange(value, static_cast<int>(dlcore::emulation::lane()) ^ lanes);
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned lanes) {
  return dlcore::emulation::exchange(value, static_cast<int>(dlcore::emulation::lane()) - static_cast<int>(lanes));
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned lanes) {
  return dlcore::emulation::exchange(value, static_cast<int>(dlcore::emulation::lane()) + static_cast<int>(lanes));
}
template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}
inline int atomicCAS(int* at, int expected, int value) {
  const int before = *at;
  if (before == expected) *at = value;
  return before;
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
