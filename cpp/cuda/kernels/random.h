// Random numbers: the streams of kernels/random/random.h. One thread draws one Philox block, so nothing is drawn twice.
// seed: the two entries of a seed tensor, in device memory.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/random/random.h"

namespace dlcore::cuda {

enum class Distribution { Uniform, Normal, TruncatedNormal };
/// a, b: low and high, or mean and standard deviation. Uniform numbers have the CPU's bits in every dtype; float32
/// normal numbers those of a CPU with fused multiply-adds.
void random_floats(cudaStream_t stream, Distribution distribution, DType dtype, const std::int64_t* seed,
                   std::int64_t n, double a, double b, void* y);
void random_integers(cudaStream_t stream, DType dtype, const std::int64_t* seed, std::int64_t n, std::int64_t low,
                     std::int64_t high, void* y);
/// One thread swaps: a few hundred nanoseconds per element.
void random_permutation(cudaStream_t stream, const std::int64_t* seed, std::int64_t n, std::int64_t* y);
/// y = x * scale where kept, else 0; y may be x.
void dropout(cudaStream_t stream, DType dtype, const std::int64_t* seed, std::int64_t n, std::uint32_t threshold,
             double scale, const void* x, void* y);
/// The same where some axes share their mask.
void shared_dropout(cudaStream_t stream, DType dtype, const std::int64_t* seed, const SharedMask& mask,
                    std::uint32_t threshold, double scale, const void* x, void* y);

}  // namespace dlcore::cuda
