// What every device kernel is written with: the launch, element types, warp and block reductions. The same source is
// compiled by nvcc for the device, and by the host compiler for the tests, where emulation.h stands for the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cuda/fault_site.h"
#include "dlcore/dtype.h"
#include "kernels/float16.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>

#include "cuda/check.h"
#else
#include "emulation.h"
#endif

namespace dlcore::cuda {

inline constexpr std::size_t kSharedBytes = 48 << 10;  // of a block that has not asked for more

/// kernel<<<grid, block, shared, stream>>>(args...). A grid without blocks launches nothing.
template <class... Parameters, class... Args>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
            const Args&... args) {
  static_assert(sizeof...(Parameters) == sizeof...(Args));
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
#if defined(__CUDACC__)
  if (shared_bytes > kSharedBytes)
    DLCORE_CUDA_CHECK(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(args)...);
  DLCORE_CUDA_CHECK(cudaGetLastError());
#else
  (void)stream;
  emulation::run(grid, block, shared_bytes, [&] { kernel(static_cast<Parameters>(args)...); });
#endif
}

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
inline unsigned blocks_for(std::int64_t n, std::int64_t per_block) {
  return static_cast<unsigned>(ceil_div(n, per_block));
}
inline constexpr int kThreads = 256;  // of a block, where nothing speaks for another number
inline constexpr int kWarp = 32;

/// The shared memory that the launch asked for.
template <class T>
__device__ T* dynamic_shared() {
#if defined(__CUDACC__)
  extern __shared__ __align__(16) unsigned char dlcore_shared_bytes[];
  return reinterpret_cast<T*>(dlcore_shared_bytes);
#else
  return static_cast<T*>(emulation::shared());
#endif
}

__device__ inline std::int64_t thread_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Image, pixel and channel of element i of [N, height, width, C].
struct Element {
  std::int64_t n, h, w, c;
  __device__ Element(std::int64_t i, std::int64_t height, std::int64_t width, std::int64_t channels) {
    c = i % channels;
    i /= channels;
    w = i % width;
    i /= width;
    h = i % height;
    n = i / height;
  }
};

/// Writes down a value that can't be computed with, unless another has been already.
__device__ inline void report(const FaultSite& fault, std::int64_t value, std::int64_t position) {
  if (atomicCAS(fault.flag, 0, 1) != 0) return;
  *fault.record = {fault.site, value, position};
}

/// Whether a kernel that makes variables leaves them as they are. guard: see Faults.
__device__ inline bool is_shut(const int* guard) { return guard && *guard != 0; }

// ---- element types

/// What elements are computed in: float for the 16-bit floats.
template <class T>
struct MathOf {
  using type = T;
};
template <>
struct MathOf<Half> {
  using type = float;
};
template <>
struct MathOf<Bfloat> {
  using type = float;
};
template <class T>
using math_t = typename MathOf<T>::type;

template <class T>
__device__ inline T to_math(T x) {
  return x;
}
#if defined(__CUDACC__)
__device__ inline float to_math(Half x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
__device__ inline float to_math(Bfloat x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
template <class T>
__device__ inline T from_math(math_t<T> x) {
  if constexpr (std::is_same_v<T, Half>) {
    Half y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
  } else if constexpr (std::is_same_v<T, Bfloat>) {
    Bfloat y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
  } else {
    return x;
  }
}
#else
inline float to_math(Half x) { return widen(x); }
inline float to_math(Bfloat x) { return widen(x); }
template <class T>
inline T from_math(math_t<T> x) {
  return narrow<T>(x);
}
#endif

/// Aligned elements that move together: one load or store of up to 16 bytes.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};

inline bool is_aligned(const void* pointer, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

// ---- reductions over a warp and a block, in a fixed order: the result has the same bits in every thread, every time

template <class V>
__device__ inline V shuffle_xor(V v, int lanes) {
  return __shfl_xor_sync(0xffffffffu, v, lanes);
}

template <class V, class Op>
__device__ V warp_reduce(V v, const Op& op) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) v = op(v, shuffle_xor(v, lanes));
  return v;
}

/// blockDim.x is a multiple of a warp, at most 1024; blockDim.y and z are 1. All threads take part.
template <class V, class Op>
__device__ V block_reduce(V v, const Op& op) {
  __shared__ V of_warp[kWarp];
  v = warp_reduce(v, op);
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = v;
  __syncthreads();
  v = of_warp[0];
  for (int warp = 1; warp < warps; ++warp) v = op(v, of_warp[warp]);
  __syncthreads();
  return v;
}

struct Add {
  template <class V>
  __device__ V operator()(V a, V b) const {
    return a + b;
  }
};
/// NaN in either operand gives NaN.
struct Greater {
  template <class V>
  __device__ V operator()(V a, V b) const {
    return a > b || a != a ? a : b;
  }
};

}  // namespace dlcore::cuda
