// The transform as its formula has it, in double: what the fast one is tested against.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <vector>

namespace dlcore {

inline std::vector<std::complex<double>> fft_ref(const std::vector<std::complex<double>>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<std::complex<double>> y(x.size());
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < n; ++j)
      y[k] += x[j] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(j * k % n) / static_cast<double>(n));
  return y;
}

}  // namespace dlcore
