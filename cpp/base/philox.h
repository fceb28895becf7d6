// Philox4x32-10, a counter-based random generator: the number at (key, counter) is a pure function, the same on any
// thread count, instruction set and device. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define DLCORE_HOST_DEVICE __host__ __device__
#else
#define DLCORE_HOST_DEVICE
#endif

namespace dlcore {

struct Philox4 {
  std::uint32_t v[4];
};

/// Ten rounds on counter (c0, c1, c2, c3) under key (k0, k1).
DLCORE_HOST_DEVICE inline Philox4 philox4x32(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                                             std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace dlcore
