// Rotations of neighbouring rows, collected and then applied many sweeps at a time.
#pragma once

#include <cstdint>

#include "base/parallel.h"
#include "kernels/linalg/linalg.h"

namespace dlcore {

/// The sweeps over the rows of a square x [n,n] in strips (of nothing if null).
class PendingSweeps {
 public:
  static constexpr std::int64_t kSweeps = 32;
  static std::int64_t scratch(std::int64_t n) { return 2 * kSweeps * n; }

  PendingSweeps(std::int64_t n, double* x, double* scratch) : n_(n), x_(x), turns_(scratch) {}

  /// Begins a sweep from row `first` on.
  void begin(std::int64_t first) {
    if (count_ == kSweeps) apply();
    sweeps_[count_] = {first, 0, turns_ + 2 * n_ * count_};
    ++count_;
  }
  /// The next rotation of the sweep.
  void turn(double c, double s) {
    Sweep& sweep = sweeps_[count_ - 1];
    double* to = turns_ + 2 * n_ * (count_ - 1) + 2 * sweep.count++;
    to[0] = c;
    to[1] = s;
  }

  void apply() {
    std::int64_t turns = 0;
    for (std::int64_t i = 0; i < count_; ++i) turns += sweeps_[i].count;
    if (x_ && turns > 0)
      parallel_for(strip_doubles(n_) / (n_ * kStripColumns), 0.15 * static_cast<double>(turns * n_),
                   [&](std::int64_t strip) {
                     linalg_kernels().turn_rows(count_, sweeps_, x_ + strip * n_ * kStripColumns);
                   });
    count_ = 0;
  }

 private:
  std::int64_t n_, count_ = 0;
  double *x_, *turns_;
  Sweep sweeps_[kSweeps];
};

/// What makes the greatest |x[i]| a number from 1 to 2, a power of two: 1 if all are 0, NaN if one is not finite.
double scale_of(std::int64_t count, const double* x);

}  // namespace dlcore
