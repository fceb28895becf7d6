#include "cuda/kernels/random.h"

#include <cmath>

#include "base/philox.h"
#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

constexpr int kBlocksOfGroup = 16;

__device__ Philox4 draw(const std::int64_t* seed, std::uint64_t block) {
  const auto key = static_cast<std::uint64_t>(seed[0]), counter = static_cast<std::uint64_t>(seed[1]);
  return philox4x32(static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                    static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                    static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32));
}
__device__ std::uint64_t wide_number(const Philox4& words, int p) {
  return static_cast<std::uint64_t>(words.v[2 * p]) << 32 | words.v[2 * p + 1];
}

// ---- the float functions of the CPU's kernels, one number at a time, operation by operation

__device__ inline float polynomial(float, float c0) { return c0; }
template <class... More>
__device__ inline float polynomial(float x, float c0, More... more) {
  return fmaf(x, polynomial(x, static_cast<float>(more)...), c0);
}
template <class To, class From>
__device__ inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

/// log of a normal x > 0.
__device__ float same_log(float x) {
  const auto bits = bits_as<std::uint32_t>(x);
  const std::int32_t exponent = static_cast<std::int32_t>(bits - 0x3f3504f3u) >> 23;
  const float f = bits_as<float>(bits - (static_cast<std::uint32_t>(exponent) << 23)) - 1.0f;
  const float n = static_cast<float>(exponent);
  const float q = polynomial(f, -0.5f, 0.3333333f, -0.2500082f, 0.20001227f, -0.16623357f, 0.14201757f, -0.13160183f,
                             0.12761576f, -0.07634497f);
  return fmaf(n, 0.693359375f, fmaf(n, -2.12194440e-4f, fmaf(f * f, q, f)));
}

/// cos and sin of n / 2^32 turns.
__device__ void same_turn(std::uint32_t n, float& cosine, float& sine) {
  const std::uint32_t quarter = (n + (1u << 29)) >> 30;
  const float x = static_cast<float>(static_cast<std::int32_t>(n - (quarter << 30))) * 0x1.921fb6p-30f;
  const float z = x * x;
  const float s = fmaf(x * z, polynomial(z, -1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f), x);
  const float c = fmaf(z * z, polynomial(z, 4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f),
                       fmaf(z, -0.5f, 1.0f));
  const bool swapped = quarter & 1u;
  cosine = bits_as<float>(bits_as<std::uint32_t>(swapped ? s : c) ^ (((quarter + 1u) & 2u) << 30));
  sine = bits_as<float>(bits_as<std::uint32_t>(swapped ? c : s) ^ ((quarter & 2u) << 30));
}

__device__ float same_erf_inverse(float x) {
  const float w = -2.5f - same_log((1.0f - x) * (1.0f + x));
  return x * polynomial(w, 1.50140941f, 0.246640727f, -0.00417768164f, -0.00125372503f, 0.00021858087f,
                        -4.39150654e-06f, -3.5233877e-06f, 3.43273939e-07f, 2.81022636e-08f);
}
__device__ double erf_inverse(double x) {
  double y = same_erf_inverse(static_cast<float>(x));
  for (int step = 0; step < 2; ++step) y -= (erf(y) - x) * 0.88622692545275801365 * exp(y * y);
  return y;
}

// ---- distributions: what the words of a block become

constexpr double kErfOfSqrt2 = 0.95449973610364158560;
constexpr double kSqrt2 = 1.41421356237309504880;

/// a, b as the distribution has them; limit: the greatest uniform number.
struct Parameters {
  double a, b, limit;
};

/// Numbers of 32 bits: number j of a block becomes element 64 * group + 16 * j + lane.
struct Uniform32 {
  static __device__ void make(const Philox4& words, const Parameters& p, float* y) {
    const float low = static_cast<float>(p.a), span = static_cast<float>(p.b) - low;
    const float limit = static_cast<float>(p.limit);
    for (int j = 0; j < 4; ++j) {
      const float u = static_cast<float>(words.v[j] >> 8) * 0x1p-24f * span + low;
      y[j] = u < limit ? u : limit;
    }
  }
};
struct Normal32 {
  static __device__ void make(const Philox4& words, const Parameters& p, float* y) {
    const float mean = static_cast<float>(p.a), scale = static_cast<float>(p.b);
    for (int j = 0; j < 4; j += 2) {
      const float u = (static_cast<float>(static_cast<std::int32_t>(words.v[j] >> 1)) + 0.5f) * 0x1p-31f;
      const float r = sqrtf(-2.0f * same_log(u)) * scale;
      float cosine, sine;
      same_turn(words.v[j + 1], cosine, sine);
      y[j] = fmaf(r, cosine, mean);
      y[j + 1] = fmaf(r, sine, mean);
    }
  }
};
struct Truncated32 {
  static __device__ void make(const Philox4& words, const Parameters& p, float* y) {
    const float mean = static_cast<float>(p.a), scale = static_cast<float>(p.b);
    for (int j = 0; j < 4; ++j) {
      const float top = static_cast<float>(words.v[j] >> 8);
      const float x = (top - (0x1p23f - 0.5f)) * static_cast<float>(0x1p-23 * kErfOfSqrt2);
      const float z = same_erf_inverse(x) * static_cast<float>(kSqrt2);
      y[j] = fminf(fmaxf(z, -2.0f), 2.0f) * scale + mean;
    }
  }
};
/// Numbers of 64 bits: number p of a block becomes element 32 * group + 16 * p + lane.
struct Uniform64 {
  static __device__ void make(const Philox4& words, const Parameters& p, double* y) {
    for (int j = 0; j < 2; ++j) {
      const double u = static_cast<double>(wide_number(words, j) >> 11) * 0x1p-53 * (p.b - p.a) + p.a;
      y[j] = u < p.limit ? u : p.limit;
    }
  }
};
struct Normal64 {
  static __device__ void make(const Philox4& words, const Parameters& p, double* y) {
    const double u = (static_cast<double>(wide_number(words, 0) >> 11) + 0.5) * 0x1p-53;
    const double angle = static_cast<double>(wide_number(words, 1)) * (6.283185307179586477 * 0x1p-64);
    const double r = p.b * sqrt(-2 * log(u));
    y[0] = p.a + r * cos(angle);
    y[1] = p.a + r * sin(angle);
  }
};
struct Truncated64 {
  static __device__ void make(const Philox4& words, const Parameters& p, double* y) {
    for (int j = 0; j < 2; ++j) {
      const double u = (static_cast<double>(wide_number(words, j) >> 11) + 0.5) * 0x1p-53;
      y[j] = erf_inverse((2 * u - 1) * kErfOfSqrt2) * kSqrt2 * p.b + p.a;
    }
  }
};

/// N numbers of each block, of type M.
template <class T, class M, int N, class D>
__global__ void random_kernel(const std::int64_t* seed, std::int64_t n, Parameters parameters, T* y) {
  const std::int64_t block = thread_index();
  const std::int64_t first = block / kBlocksOfGroup * (N * kBlocksOfGroup) + block % kBlocksOfGroup;
  if (first >= n) return;
  M numbers[N];
  D::make(draw(seed, static_cast<std::uint64_t>(block)), parameters, numbers);
  for (int j = 0; j < N; ++j)
    if (first + j * kBlocksOfGroup < n) y[first + j * kBlocksOfGroup] = from_math<T>(numbers[j]);
}

template <class T>
__global__ void integers_kernel(const std::int64_t* seed, std::int64_t n, std::int64_t low, std::uint64_t span, T* y) {
  const std::int64_t block = thread_index();
  const std::int64_t first = block / kBlocksOfGroup * (2 * kBlocksOfGroup) + block % kBlocksOfGroup;
  if (first >= n) return;
  const Philox4 words = draw(seed, static_cast<std::uint64_t>(block));
  for (int p = 0; p < 2; ++p)
    if (first + p * kBlocksOfGroup < n)
      y[first + p * kBlocksOfGroup] =
          static_cast<T>(static_cast<std::uint64_t>(low) + __umul64hi(wide_number(words, p), span));
}

__global__ void permutation_kernel(const std::int64_t* seed, std::int64_t n, std::int64_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = i;
  for (std::int64_t i = n - 1; i > 0; --i) {
    const Philox4 words = draw(seed, static_cast<std::uint64_t>(i / 32 * 16 + i % 16));
    const auto at = static_cast<std::int64_t>(
        __umul64hi(wide_number(words, i % 32 < 16 ? 0 : 1), static_cast<std::uint64_t>(i + 1)));
    const std::int64_t moved = y[i];
    y[i] = y[at];
    y[at] = moved;
  }
}

// ---- dropout: number (h, j) of 16 bits of a block belongs to element 128 * group + 64 * h + 16 * j + lane

__device__ inline bool is_kept(const Philox4& words, int h, int j, std::uint32_t threshold) {
  return (words.v[j] >> (16 * h) & 0xffffu) >= threshold;
}

template <class T>
__global__ void dropout_kernel(const std::int64_t* seed, std::int64_t n, std::uint32_t threshold, math_t<T> scale,
                               const T* x, T* y) {
  const std::int64_t block = thread_index();
  const std::int64_t first = block / kBlocksOfGroup * (8 * kBlocksOfGroup) + block % kBlocksOfGroup;
  if (first >= n) return;
  const Philox4 words = draw(seed, static_cast<std::uint64_t>(block));
#pragma unroll
  for (int h = 0; h < 2; ++h)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::int64_t i = first + (4 * h + j) * kBlocksOfGroup;
      if (i < n) y[i] = from_math<T>(is_kept(words, h, j, threshold) ? to_math(x[i]) * scale : math_t<T>(0));
    }
}

template <class T>
__global__ void shared_dropout_kernel(const std::int64_t* seed, SharedMask mask, std::int64_t n,
                                      std::uint32_t threshold, math_t<T> scale, const T* x, T* y) {
  const std::int64_t i = thread_index();
  if (i >= n) return;
  std::int64_t rest = i, at = 0;
  for (int axis = mask.rank - 1; axis >= 0; --axis) {
    at += rest % mask.size[axis] * mask.stride[axis];
    rest /= mask.size[axis];
  }
  const Philox4 words = draw(seed, static_cast<std::uint64_t>(at / 128 * kBlocksOfGroup + at % kBlocksOfGroup));
  const bool kept = is_kept(words, static_cast<int>(at % 128 / 64), static_cast<int>(at % 64 / 16), threshold);
  y[i] = from_math<T>(kept ? to_math(x[i]) * scale : math_t<T>(0));
}

template <class T, class M, int N, class D>
void fill_random(cudaStream_t stream, const std::int64_t* seed, std::int64_t n, const Parameters& parameters, void* y) {
  const std::int64_t blocks = ceil_div(n, N * kBlocksOfGroup) * kBlocksOfGroup;
  launch(random_kernel<T, M, N, D>, blocks_for(blocks, kThreads), kThreads, 0, stream, seed, n, parameters,
         static_cast<T*>(y));
}

}  // namespace

void random_floats(cudaStream_t stream, Distribution distribution, DType dtype, const std::int64_t* seed,
                   std::int64_t n, double a, double b, void* y) {
  with_float(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, double>) {
      const Parameters p{a, b, std::nextafter(b, a)};
      switch (distribution) {
        case Distribution::Uniform:
          return fill_random<T, double, 2, Uniform64>(stream, seed, n, p, y);
        case Distribution::Normal:
          return fill_random<T, double, 2, Normal64>(stream, seed, n, p, y);
        case Distribution::TruncatedNormal:
          return fill_random<T, double, 2, Truncated64>(stream, seed, n, p, y);
      }
    } else {
      const Parameters p{a, b, std::nextafter(static_cast<float>(b), static_cast<float>(a))};
      switch (distribution) {
        case Distribution::Uniform:
          return fill_random<T, float, 4, Uniform32>(stream, seed, n, p, y);
        case Distribution::Normal:
          return fill_random<T, float, 4, Normal32>(stream, seed, n, p, y);
        case Distribution::TruncatedNormal:
          return fill_random<T, float, 4, Truncated32>(stream, seed, n, p, y);
      }
    }
  });
}

void random_integers(cudaStream_t stream, DType dtype, const std::int64_t* seed, std::int64_t n, std::int64_t low,
                     std::int64_t high, void* y) {
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const std::int64_t blocks = ceil_div(n, 2 * kBlocksOfGroup) * kBlocksOfGroup;
  with_number(dtype, [&]<class T>(T) {
    if constexpr (std::is_integral_v<T>)
      launch(integers_kernel<T>, blocks_for(blocks, kThreads), kThreads, 0, stream, seed, n, low, span,
             static_cast<T*>(y));
  });
}

void random_permutation(cudaStream_t stream, const std::int64_t* seed, std::int64_t n, std::int64_t* y) {
  if (n > 0) launch(permutation_kernel, 1, 1, 0, stream, seed, n, y);
}

void dropout(cudaStream_t stream, DType dtype, const std::int64_t* seed, std::int64_t n, std::uint32_t threshold,
             double scale, const void* x, void* y) {
  const std::int64_t blocks = ceil_div(n, 8 * kBlocksOfGroup) * kBlocksOfGroup;
  with_float(dtype, [&]<class T>(T) {
    launch(dropout_kernel<T>, blocks_for(blocks, kThreads), kThreads, 0, stream, seed, n, threshold,
           static_cast<math_t<T>>(scale), static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void shared_dropout(cudaStream_t stream, DType dtype, const std::int64_t* seed, const SharedMask& mask,
                    std::uint32_t threshold, double scale, const void* x, void* y) {
  std::int64_t n = 1;
  for (int axis = 0; axis < mask.rank; ++axis) n *= mask.size[axis];
  with_float(dtype, [&]<class T>(T) {
    launch(shared_dropout_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, seed, mask, n, threshold,
           static_cast<math_t<T>>(scale), static_cast<const T*>(x), static_cast<T*>(y));
  });
}

}  // namespace dlcore::cuda
