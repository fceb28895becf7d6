// Rotations of neighbouring rows, collected and then applied many sweeps at a time.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/parallel.h"
#include "kernels/linalg/linalg.h"

namespace dlcore {

/// Nothing beside 1, the greatest element of what is decomposed; its square is a number.
constexpr double kTiny = 1e-140;

/// (c f + s g, c g - s f) = (length, 0), as far as g is not nothing.
struct Rotation {
  double c, s, length;
  Rotation(double f, double g) : c(1), s(0), length(f) {
    const double squares = f * f + g * g;
    if (squares < kTiny * kTiny) return;
    length = std::sqrt(squares);
    const double inverse = 1 / length;
    c = f * inverse;
    s = g * inverse;
  }
};

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
      parallel_for(
          strip_doubles(n_) / (n_ * kStripColumns), 0.15 * static_cast<double>(turns * n_),
          [&](std::int64_t strip) { linalg_kernels().turn_rows(count_, sweeps_, x_ + strip * n_ * kStripColumns); });
    count_ = 0;
  }

 private:
  std::int64_t n_, count_ = 0;
  double *x_, *turns_;
  Sweep sweeps_[kSweeps];
};

}  // namespace dlcore
