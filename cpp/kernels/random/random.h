// Random numbers: each a pure function of (seed, counter, its index), whatever the thread count, instruction set or
// device.
//
// Philox4x32-10 (base/philox.h) under the key (seed mod 2^32, seed / 2^32) maps the counter
//   (block mod 2^32, block / 2^32, counter mod 2^32, counter / 2^32)
// to the words w_0 .. w_3 of that block. 16 blocks are a group; within it, numbers lie word by word, so that 16 lanes
// store them side by side. Number i of
//   32 bits  is word j of block 16*g + lane      with g = i / 64,  j = i % 64 / 16,   lane = i % 16
//   64 bits  is w_2p * 2^32 + w_(2p+1) of block 16*g + lane  with g = i / 32,  p = i % 32 / 16,   lane = i % 16
//   16 bits  is half h (0: the low one) of word j of block 16*g + lane
//            with g = i / 128,  h = i % 128 / 64,  j = i % 64 / 16,  lane = i % 16
//
// From number n, element i becomes
//   uniform, float   u = (n >> 8) / 2^24 (32 bits),  low + u * (high - low), two roundings, then at most the float
//   below high uniform, double  the same with u = (n >> 11) / 2^53 (64 bits) normal, float    the words (w_0, w_1) and
//   (w_2, w_3) of a block make a pair each (Box & Muller 1958):
//                    u = ((w_0 >> 1) as float + 1/2) / 2^31,  t = w_1 / 2^32 turns,  r = sqrt(-2 log u);  r cos t, r
//                    sin t take the places of the words
//   normal, double   the 64-bit numbers 0 and 1 of a block make a pair: u = ((n_0 >> 11) + 1/2) / 2^53, t = n_1 / 2^64
//   turns truncated        z = sqrt 2 * erfinv((2 u - 1) * erf(sqrt 2)),  u = ((n >> 8) + 1/2) / 2^24 or ((n >> 11) +
//   1/2) / 2^53:
//                    the distribution of a normal number that is redrawn until it lies within 2
//   integer          low + floor(n * (high - low) / 2^64)  (64 bits)
//   dropout          kept if n >= threshold (16 bits), threshold = rate * 2^16 rounded
// Uniform numbers, integers and dropout masks have the same bits everywhere. Float normal and truncated numbers use
// polynomials with fused multiply-adds: instruction sets without these differ in the last places.
#pragma once

#include <cstdint>

namespace dlcore {

/// The numbers' stream: the two entries of a seed tensor.
struct RandomStream {
  std::uint64_t seed, counter;
};

/// y [outer..., size] = dropout of x where some axes share their mask: the mask's element for row r and column c is
/// row_of(r) + c * step.
struct SharedMask {
  static constexpr int kMaxRank = 8;
  int rank;                       // of x; axis rank - 1 is the row
  std::int64_t size[kMaxRank];    // of x
  std::int64_t stride[kMaxRank];  // in the mask, 0 where it is shared
};

/// Threads: cut by shape. No alignment is needed, no scratch but where it is named.
struct RandomKernels {
  void (*uniform_f32)(const RandomStream& stream, std::int64_t n, double low, double high, float* y);
  void (*uniform_f64)(const RandomStream& stream, std::int64_t n, double low, double high, double* y);
  void (*normal_f32)(const RandomStream& stream, std::int64_t n, double mean, double stddev, float* y);
  void (*normal_f64)(const RandomStream& stream, std::int64_t n, double mean, double stddev, double* y);
  void (*truncated_f32)(const RandomStream& stream, std::int64_t n, double mean, double stddev, float* y);
  void (*truncated_f64)(const RandomStream& stream, std::int64_t n, double mean, double stddev, double* y);
  void (*integers)(const RandomStream& stream, std::int64_t n, std::int64_t low, std::int64_t high, std::int64_t* y);
  /// y = x * scale where kept, else 0; y may be x.
  void (*dropout_f32)(const RandomStream& stream, std::int64_t n, std::uint32_t threshold, double scale, const float* x,
                      float* y);
  void (*dropout_f64)(const RandomStream& stream, std::int64_t n, std::uint32_t threshold, double scale,
                      const double* x, double* y);
  /// The mask itself: keep[i] = 1 where element i is kept, else 0.
  void (*dropout_mask)(const RandomStream& stream, std::int64_t n, std::uint32_t threshold, std::uint8_t* keep);
};

const RandomKernels& random_kernels();

/// y = x * scale where keep has 1 at the element's place in the mask, else 0; y may be x.
void apply_shared_mask(const SharedMask& shape, const std::uint8_t* keep, double scale, const float* x, float* y);
void apply_shared_mask(const SharedMask& shape, const std::uint8_t* keep, double scale, const double* x, double* y);

/// y = the numbers 0 .. n-1 in random order (Fisher & Yates): for i = n-1 .. 1, place i swaps with place
/// floor(number i * (i + 1) / 2^64), number i of 64 bits.
void random_permutation(const RandomStream& stream, std::int64_t n, std::int64_t* y);

}  // namespace dlcore
