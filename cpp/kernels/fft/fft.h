/// Fourier transforms of lines:  y[k] = sum_j x[j] exp(-2 pi i j k / n)                             T = float or double
///
/// Complex      x, y: n complex numbers each, real and imaginary parts apart; element j of line (outer, inner) is at
///              [(outer * n + j) * inners + inner].
/// Real         x: n real numbers, y: the first n / 2 + 1 complex ones; lines one behind the other (inners = 1).
///              With frames: x: signals of `length` numbers, of each of which so many lines, `step` apart, are
///              transformed, times a window [n].
/// RealInverse  x: those n / 2 + 1, y: the n real numbers whose transform they begin. Imaginary parts that must be 0
///              in such a transform are not read.
///
/// x is read, y overwritten; they don't overlap. scratch: plan.scratch_bytes, 64-byte aligned.
/// n has no prime factor above kMostRadix.
///
/// Each lane of a vector transforms a line of its own, so no radix needs shuffles: lines are transposed on the way in
/// and out, or lie beside each other. Mixed radices in an order that needs no bit reversal (Stockham; see Cochran et
/// al. 1967); n real numbers, if n is even, as n / 2 complex ones. Threads share groups of lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/isa.h"

namespace dlcore {

enum class FftKind { Complex, Real, RealInverse };

struct FftShape {
  FftKind kind;
  std::int64_t outer, n, inners = 1;
  /// Of Real: line i begins at i / frames * length + i % frames * step.
  std::int64_t frames = 1, step = 0, length = n;
};

constexpr int kMostRadix = 64;

template <class T>
struct FftPlan {
  FftShape shape;
  std::int64_t points;       // of the complex transform
  std::vector<int> radices;  // whose product is `points`
  /// For each radix r behind l points of those before it: the turns exp(-2 pi i a q / (l r)), q < l, 0 < a < r, and
  /// exp(-2 pi i a / r), a < r; cosines and sines by turns.
  std::vector<T> turns;
  std::vector<T> real_turns;  // exp(-2 pi i k / n), k <= points
  std::size_t scratch_bytes = 0;
  double cost = 0;  // nanoseconds on one thread
  int workers = 1;
};

bool has_fft(std::int64_t n);

template <class T>
FftPlan<T> plan_fft(const FftShape& shape);

/// x_im, y_im: null where that side is real. window: null, or that of frames.
template <class T>
void fft(const FftPlan<T>& plan, const T* x_re, const T* x_im, const T* window, T* y_re, T* y_im, void* scratch);

/// What the entry points compiled per instruction set read of a plan.
template <class T>
struct FftTables {
  FftShape shape;
  std::int64_t points, stages;
  const int* radices;
  const T *turns, *real_turns;
};
template <class T>
struct FftEntry {
  int lanes;
  /// Transforms the lines of one group. work: 4 lanes (points + 1) elements.
  void (*group)(const FftTables<T>& tables, std::int64_t group, const T* x_re, const T* x_im, const T* window, T* y_re,
                T* y_im, T* work);
};
struct FftKernels {
  FftEntry<float> f32;
  FftEntry<double> f64;
};
const FftKernels& fft_kernels();

}  // namespace dlcore
