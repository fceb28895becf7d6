#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/linalg/linalg.h"
#include "kernels/linalg/qr_iteration.h"
#include "kernels/linalg/reflections.h"
#include "kernels/linalg/rotations.h"

namespace dlcore {

namespace {

/// a <- q^T a q, tridiagonal: diagonal d, beside it e[0 .. n-2]. Row k of a keeps the reflection of column k, zero up
/// to element k; beta [n-1] their factors. p: 2 n doubles.
void to_tridiagonal(std::int64_t n, double* a, double* d, double* e, double* beta, double* p) {
  // What a reflection does to the rest, a - x p^T - p x^T, is done when the rest is read for the next one.
  double* next = p + n;
  std::fill(p, p + n, 0.0);
  const double* before = p;  // the x of the reflection before: none yet
  for (std::int64_t k = 0; k < n; ++k) {
    double* x = a + k * n;
    for (std::int64_t j = k; j < n; ++j) x[j] -= before[k] * p[j] + p[k] * before[j];
    d[k] = x[k];
    if (k + 1 == n) break;
    std::fill(x, x + k + 1, 0.0);
    const std::int64_t first = k + 1, rest = n - first;
    const Reflection reflection = reflect_onto_axis(rest, x + first);
    e[k] = reflection.value;
    beta[k] = reflection.beta;
    std::fill(next + first, next + n, 0.0);
    linalg_kernels().update_rows(rest, rest, a + first * (n + 1), n,
                                 {before + first, p + first, p + first, before + first}, x + first, next + first);
    double along;
    linalg_kernels().multiply_rows(1, rest, next + first, n, x + first, &along);
    const double half = 0.5 * beta[k] * along;
    for (std::int64_t j = first; j < n; ++j) next[j] = beta[k] * (next[j] - half * x[j]);
    std::swap(p, next);
    before = x;
  }
}

/// One QR step with Wilkinson's shift on the unreduced block [first, last].
void qr_step(std::int64_t first, std::int64_t last, double* d, double* e, PendingSweeps& sweeps) {
  const double half_gap = (d[last - 1] - d[last]) / (2.0 * e[last - 1]);
  double bulge =
      d[first] - d[last] + e[last - 1] / (half_gap + std::copysign(std::sqrt(half_gap * half_gap + 1.0), half_gap));
  double sine = 1.0, cosine = 1.0, carried = 0.0;
  sweeps.begin(first);
  for (std::int64_t i = first; i < last; ++i) {
    const Rotation turn(bulge, sine * e[i]);
    const double beside = cosine * e[i];
    if (i > first) e[i - 1] = turn.length;
    sine = turn.s;
    cosine = turn.c;
    const double shifted = d[i] - carried, mixed = (d[i + 1] - shifted) * sine + 2.0 * cosine * beside;
    carried = sine * mixed;
    d[i] = shifted + carried;
    bulge = cosine * mixed - beside;
    sweeps.turn(cosine, sine);
  }
  d[last] -= carried;
  e[last - 1] = bulge;
}

}  // namespace

std::int64_t eigh_scratch(std::int64_t n) {
  return 2 * n + std::max({2 * n, kPanel * (kPanel + 2 * n) + n * n, PendingSweeps::scratch(n)});
}

void eigh(std::int64_t n, double* a, double* w, double* v, std::int64_t* order, double* scratch) {
  std::iota(order, order + n, 0);
  const double scale = scale_of(n * n, a);
  if (n == 0 || std::isnan(scale)) {
    std::fill(w, w + n, scale);
    std::fill(v, v + strip_doubles(n), scale);
    return;
  }
  for (std::int64_t i = 0; i < n * n; ++i) a[i] *= scale;
  double *e = scratch, *beta = e + n, *work = beta + n;
  to_tridiagonal(n, a, w, e, beta, work);
  form_rows({n - 1, n - 1, a + 1, beta, n}, 1, v, work);
  PendingSweeps sweeps(n, v, work);
  iterate_qr(n, w, e, [&](std::int64_t first, std::int64_t last) { qr_step(first, last, w, e, sweeps); });
  sweeps.apply();
  for (std::int64_t i = 0; i < n; ++i) w[i] /= scale;
  std::sort(order, order + n, [&](std::int64_t i, std::int64_t j) { return w[i] < w[j] || (w[i] == w[j] && i < j); });
}

}  // namespace dlcore
