// QR steps on a bidiagonal or symmetric tridiagonal matrix until nothing is left beside the diagonal.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/linalg/rotations.h"

namespace dlcore {

/// d [n]: the diagonal, e [n-1]: beside it. qr_step(first, last) works on the unreduced block [first, last], at most 60
/// times for each value.
template <class Step>
void iterate_qr(std::int64_t n, const double* d, const double* e, const Step& qr_step) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  constexpr int kMostSteps = 60;
  const auto splits = [=](std::int64_t i) {
    return std::abs(e[i]) <= kEpsilon * (std::abs(d[i]) + std::abs(d[i + 1])) || std::abs(e[i]) < kTiny;
  };
  std::int64_t last = n - 1;
  for (int step = 0; last > 0; ++step) {
    std::int64_t first = last;
    while (first > 0 && !splits(first - 1)) --first;
    if (first == last || step == kMostSteps) {
      --last;
      step = -1;
      continue;
    }
    qr_step(first, last);
  }
}

}  // namespace dlcore
