#include "kernels/random/random.h"

#include <utility>

#include "base/parallel.h"
#include "kernels/pointwise/math.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

using std::int64_t;
using std::uint32_t;
using std::uint64_t;

constexpr int L = kF32;
constexpr int kBlocks = 16;          // of a group
constexpr int kWords = 4 * kBlocks;  // of a group
constexpr int64_t kGroupsOfChunk = 64;

// ---- Philox

/// Low halves of the 64-bit lanes, multiplied to 64 bits; the high halves of a do not matter.
DLCORE_INLINE u64v multiply_low(u64v a, uint32_t m) {
#if defined(__AVX512F__)
  return bitcast<u64v>(_mm512_maskz_mul_epu32(0xff, bitcast<__m512i>(a), _mm512_set1_epi64(m)));
#elif defined(__AVX2__)
  return bitcast<u64v>(_mm256_mul_epu32(bitcast<__m256i>(a), _mm256_set1_epi64x(m)));
#elif defined(__x86_64__)
  return bitcast<u64v>(_mm_mul_epu32(bitcast<__m128i>(a), _mm_set1_epi64x(m)));
#elif defined(__aarch64__)
  return bitcast<u64v>(vmull_u32(vmovn_u64(bitcast<uint64x2_t>(a)), vdup_n_u32(m)));
#else
  return (a & 0xffffffffu) * uint64_t{m};
#endif
}

/// The round keys of a stream and its part of the counter.
struct Philox {
  uint64_t key0[10], key1[10];
  uint64_t counter0, counter1;

  explicit Philox(const RandomStream& stream) : counter0(stream.counter & 0xffffffffu), counter1(stream.counter >> 32) {
    uint32_t k0 = static_cast<uint32_t>(stream.seed), k1 = static_cast<uint32_t>(stream.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      key0[round] = k0;
      key1[round] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }
};

/// A block per 64-bit lane. The words are the low halves; what is above them is left over and never read.
struct WideWords {
  u64v w[4];
};

DLCORE_INLINE WideWords philox(const Philox& p, u64v block) {
  u64v c0 = block, c1 = block >> 32, c2 = u64v{} + p.counter0, c3 = u64v{} + p.counter1;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const u64v p0 = multiply_low(c0, 0xD2511F53u), p1 = multiply_low(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ p.key0[round];
    c2 = (p0 >> 32) ^ c3 ^ p.key1[round];
    c1 = p1;
    c3 = p0;
  }
  return {{c0, c1, c2, c3}};
}

struct Words {
  u32v w[4];
};

template <int... J>
DLCORE_INLINE u64v even_numbers(std::integer_sequence<int, J...>) {
  return u64v{(2 * uint64_t{J})...};
}

/// The words of L consecutive blocks: even blocks in one vector, odd ones in another, until they are put together.
DLCORE_INLINE Words words_of(const Philox& p, uint64_t first_block) {
  const u64v even = even_numbers(std::make_integer_sequence<int, L / 2>()) + first_block;
  const WideWords a = philox(p, even), b = philox(p, even + 1);
  Words words;
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) words.w[j] = bitcast<u32v>((a.w[j] & 0xffffffffu) | (b.w[j] << 32));
  return words;
}

// ---- walk over groups

/// y[0 .. n): make(group, out) writes the N elements of one group.
template <int N, class T, class Make>
DLCORE_INLINE void for_groups(int64_t n, double nanoseconds, T* y, const Make& make) {
  const int64_t groups = (n + N - 1) / N;
  parallel_for((groups + kGroupsOfChunk - 1) / kGroupsOfChunk, static_cast<double>(n) * nanoseconds,
               [&](int64_t chunk) {
                 const int64_t last = min_of(groups, (chunk + 1) * kGroupsOfChunk);
                 for (int64_t group = chunk * kGroupsOfChunk; group < last; ++group) {
                   const int64_t rest = n - group * N;
                   if (__builtin_expect(rest >= N, 1)) {
                     make(group, y + group * N);
                   } else {
                     T part[N];
                     make(group, part);
                     __builtin_memcpy(y + group * N, part, static_cast<std::size_t>(rest) * sizeof(T));
                   }
                 }
               });
}

/// Calls put(words, lane) for the lanes of a group, L at a time.
template <class Put>
DLCORE_INLINE void for_lanes(const Philox& p, int64_t group, const Put& put) {
#pragma GCC unroll 1
  for (int lane = 0; lane < kBlocks; lane += L) put(words_of(p, static_cast<uint64_t>(group) * kBlocks + lane), lane);
}

/// The 64-bit numbers of a group, in the order of their elements.
DLCORE_INLINE void numbers64(const Philox& p, int64_t group, uint64_t* numbers) {
  for_lanes(
      p, group, [&](const Words& words, int lane) __attribute__((always_inline)) {
        for (int pair = 0; pair < 2; ++pair)
          for (int k = 0; k < L; ++k)
            numbers[pair * kBlocks + lane + k] = uint64_t{words.w[2 * pair][k]} << 32 | words.w[2 * pair + 1][k];
      });
}

constexpr int kNumbers64 = kWords / 2;

/// y[i] = f(number i of 64 bits)
template <class T, class F>
DLCORE_INLINE void from_numbers64(const RandomStream& stream, int64_t n, T* y, const F& f) {
  const Philox p(stream);
  for_groups<kNumbers64>(n, 5, y, [&](int64_t group, T* out) {
    uint64_t numbers[kNumbers64];
    numbers64(p, group, numbers);
    for (int i = 0; i < kNumbers64; ++i) out[i] = f(numbers[i]);
  });
}

/// y[i] = f(number i of 32 bits), vector by vector.
template <class F>
DLCORE_INLINE void from_numbers32(const RandomStream& stream, int64_t n, double nanoseconds, float* y, const F& f) {
  const Philox p(stream);
  for_groups<kWords>(n, nanoseconds, y, [&](int64_t group, float* out) {
    for_lanes(
        p, group, [&](const Words& words, int lane) __attribute__((always_inline)) {
#pragma GCC unroll 4
          for (int j = 0; j < 4; ++j) store(out + j * kBlocks + lane, f(words.w[j]));
        });
  });
}

// ---- uniform

/// 24 bits as a float in [0, 2^24).
DLCORE_INLINE f32v top_bits(u32v n) { return to_f32(bitcast<i32v>(n >> 8)); }

void uniform_f32(const RandomStream& stream, int64_t n, double low, double high, float* y) {
  const float first = static_cast<float>(low), span = static_cast<float>(high) - first;
  const float below = __builtin_nextafterf(static_cast<float>(high), first);
  from_numbers32(
      stream, n, 0.5, y, [&](u32v number) __attribute__((always_inline)) {
        return vmin(top_bits(number) * 0x1p-24f * span + first, broadcast(below));
      });
}

void uniform_f64(const RandomStream& stream, int64_t n, double low, double high, double* y) {
  const double span = high - low, below = __builtin_nextafter(high, low);
  from_numbers64(stream, n, y, [&](uint64_t number) {
    return min_of(static_cast<double>(number >> 11) * 0x1p-53 * span + low, below);
  });
}

// ---- normal

/// cos and sin of n / 2^32 turns.
DLCORE_INLINE void turn(u32v n, f32v& cosine, f32v& sine) {
  const u32v quarter = (n + (1u << 29)) >> 30;                                  // the nearest
  const f32v x = to_f32(bitcast<i32v>(n - (quarter << 30))) * 0x1.921fb6p-30f;  // within pi/4; pi/2 * 2^-30
  const f32v z = x * x;
  const f32v s = fma(x * z, polynomial(z, -1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4), x);
  const f32v c = fma(z * z, polynomial(z, 4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5),
                     fma(z, broadcast(-0.5f), broadcast(1.0f)));
  const auto swapped = (quarter & 1u) != 0u;
  const u32v negative_cosine = ((quarter + 1u) & 2u) << 30, negative_sine = (quarter & 2u) << 30;
  cosine = bitcast<f32v>(bitcast<u32v>(swapped ? s : c) ^ negative_cosine);
  sine = bitcast<f32v>(bitcast<u32v>(swapped ? c : s) ^ negative_sine);
}

void normal_f32(const RandomStream& stream, int64_t n, double mean, double stddev, float* y) {
  const Philox p(stream);
  const f32v shift = broadcast(static_cast<float>(mean));
  const float scale = static_cast<float>(stddev);
  for_groups<kWords>(n, 1.5, y, [&](int64_t group, float* out) {
    for_lanes(
        p, group, [&](const Words& words, int lane) __attribute__((always_inline)) {
#pragma GCC unroll 2
          for (int j = 0; j < 4; j += 2) {
            const f32v u = (to_f32(bitcast<i32v>(words.w[j] >> 1)) + 0.5f) * 0x1p-31f;
            const f32v r = vsqrt(-2.0f * vlog(u)) * scale;
            f32v cosine, sine;
            turn(words.w[j + 1], cosine, sine);
            store(out + j * kBlocks + lane, fma(r, cosine, shift));
            store(out + (j + 1) * kBlocks + lane, fma(r, sine, shift));
          }
        });
  });
}

void normal_f64(const RandomStream& stream, int64_t n, double mean, double stddev, double* y) {
  const Philox p(stream);
  for_groups<kNumbers64>(n, 20, y, [&](int64_t group, double* out) {
    uint64_t numbers[kNumbers64];
    numbers64(p, group, numbers);
    for (int i = 0; i < kBlocks; ++i) {
      const double u = (static_cast<double>(numbers[i] >> 11) + 0.5) * 0x1p-53;
      const double angle = static_cast<double>(numbers[kBlocks + i]) * (6.283185307179586477 * 0x1p-64);
      const double r = stddev * __builtin_sqrt(-2 * __builtin_log(u));
      out[i] = mean + r * __builtin_cos(angle);
      out[kBlocks + i] = mean + r * __builtin_sin(angle);
    }
  });
}

// ---- truncated normal

constexpr double kErfOfSqrt2 = 0.95449973610364158560;
constexpr double kSqrt2 = 1.41421356237309504880;

/// erfinv(x) for |x| < 0.9545. Source of the polynomial: Giles 2012, "Approximating the erfinv function".
DLCORE_INLINE f32v erf_inverse(f32v x) {
  const f32v w = -2.5f - vlog((1.0f - x) * (1.0f + x));
  return x * polynomial(w, 1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06,
                        -3.5233877e-06, 3.43273939e-07, 2.81022636e-08);
}

void truncated_f32(const RandomStream& stream, int64_t n, double mean, double stddev, float* y) {
  const float scale = static_cast<float>(stddev), shift = static_cast<float>(mean);
  from_numbers32(
      stream, n, 1.2, y, [&](u32v number) __attribute__((always_inline)) {
        const f32v x = (top_bits(number) - (0x1p23f - 0.5f)) * static_cast<float>(0x1p-23 * kErfOfSqrt2);
        const f32v z = erf_inverse(x) * static_cast<float>(kSqrt2);
        return vmin(vmax(z, broadcast(-2.0f)), broadcast(2.0f)) * scale + shift;
      });
}

/// The float polynomial, then two steps of Newton's method on erf.
DLCORE_INLINE double erf_inverse(double x) {
  double y = erf_inverse(broadcast(static_cast<float>(x)))[0];
  for (int step = 0; step < 2; ++step) y -= (__builtin_erf(y) - x) * 0.88622692545275801365 * __builtin_exp(y * y);
  return y;
}

void truncated_f64(const RandomStream& stream, int64_t n, double mean, double stddev, double* y) {
  from_numbers64(stream, n, y, [&](uint64_t number) {
    const double u = (static_cast<double>(number >> 11) + 0.5) * 0x1p-53;
    return erf_inverse((2 * u - 1) * kErfOfSqrt2) * kSqrt2 * stddev + mean;
  });
}

// ---- integers

void integers(const RandomStream& stream, int64_t n, int64_t low, int64_t high, int64_t* y) {
  const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  from_numbers64(stream, n, y, [&](uint64_t number) {
    const unsigned __int128 product = static_cast<unsigned __int128>(number) * span;
    return static_cast<int64_t>(static_cast<uint64_t>(low) + static_cast<uint64_t>(product >> 64));
  });
}

// ---- dropout

constexpr int kHalves = 2 * kWords;

/// put(keep, at): all bits of the lanes of `keep` are set where elements at, at + 1, ... of the group are kept.
template <class Put>
DLCORE_INLINE void for_masks(const Philox& p, int64_t group, uint32_t threshold, const Put& put) {
  const i32v least = i32v{} + static_cast<std::int32_t>(threshold);
  for_lanes(
      p, group, [&](const Words& words, int lane) __attribute__((always_inline)) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          put(bitcast<i32v>(words.w[j] & 0xffffu) >= least, j * kBlocks + lane);
          put(bitcast<i32v>(words.w[j] >> 16) >= least, kWords + j * kBlocks + lane);
        }
      });
}

void dropout_f32(const RandomStream& stream, int64_t n, uint32_t threshold, double scale, const float* x, float* y) {
  const Philox p(stream);
  const float factor = static_cast<float>(scale);
  for_groups<kHalves>(n, 0.35, y, [&](int64_t group, float* out) {
    float part[kHalves];
    const float* from = x + group * kHalves;
    const int64_t rest = n - group * kHalves;
    if (rest < kHalves) {
      __builtin_memcpy(part, from, static_cast<std::size_t>(rest) * sizeof(float));
      __builtin_memset(part + rest, 0, static_cast<std::size_t>(kHalves - rest) * sizeof(float));
      from = part;
    }
    for_masks(
        p, group, threshold, [&](auto keep, int at) __attribute__((always_inline)) {
          store(out + at, keep ? load(from + at) * factor : f32v{});
        });
  });
}

/// The masks of a group as bytes, in the order of their elements.
DLCORE_INLINE void mask_bytes(const Philox& p, int64_t group, uint32_t threshold, std::uint8_t* keep) {
  for_masks(
      p, group, threshold, [&](auto lanes, int at) __attribute__((always_inline)) {
        for (int k = 0; k < L; ++k) keep[at + k] = lanes[k] != 0;
      });
}

void dropout_f64(const RandomStream& stream, int64_t n, uint32_t threshold, double scale, const double* x, double* y) {
  const Philox p(stream);
  const int64_t groups = (n + kHalves - 1) / kHalves;
  parallel_for((groups + kGroupsOfChunk - 1) / kGroupsOfChunk, static_cast<double>(n), [&](int64_t chunk) {
    for (int64_t group = chunk * kGroupsOfChunk; group < min_of(groups, (chunk + 1) * kGroupsOfChunk); ++group) {
      std::uint8_t keep[kHalves];
      mask_bytes(p, group, threshold, keep);
      const int64_t first = group * kHalves, elements = min_of<int64_t>(kHalves, n - first);
      for (int64_t i = 0; i < elements; ++i) y[first + i] = keep[i] ? x[first + i] * scale : 0.0;
    }
  });
}

void dropout_mask(const RandomStream& stream, int64_t n, uint32_t threshold, std::uint8_t* keep) {
  const Philox p(stream);
  for_groups<kHalves>(n, 0.5, keep, [&](int64_t group, std::uint8_t* out) { mask_bytes(p, group, threshold, out); });
}

}  // namespace

extern const RandomKernels random_kernels_table;
const RandomKernels random_kernels_table = {uniform_f32,   uniform_f64, normal_f32,  normal_f64,  truncated_f32,
                                            truncated_f64, integers,    dropout_f32, dropout_f64, dropout_mask};

}  // namespace dlcore::DLCORE_ISA
