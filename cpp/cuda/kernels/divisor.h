// Division of 32-bit indices, cheap beside the GPU's own.
#pragma once

#include "cuda/kernels/device.h"

namespace dlcore::cuda {

/// Quotients by a number known at launch: a product and a shift (Granlund and Montgomery 1994).
struct Divisor {
  unsigned value, factor, shift;

  explicit Divisor(std::int64_t d) : value(static_cast<unsigned>(d)), shift(0) {
    while ((std::uint64_t{1} << shift) < value) ++shift;
    const std::uint64_t excess = (std::uint64_t{1} << shift) - value;
    factor = static_cast<unsigned>((excess << 32) / value + 1);
  }
  __device__ unsigned quotient(unsigned n) const {
    const std::uint64_t high = (static_cast<std::uint64_t>(n) * factor) >> 32;
    return static_cast<unsigned>((high + n) >> shift);
  }
  /// n becomes the quotient; returns the remainder.
  __device__ unsigned split(unsigned& n) const {
    const unsigned q = quotient(n), rest = n - q * value;
    n = q;
    return rest;
  }
};

}  // namespace dlcore::cuda
