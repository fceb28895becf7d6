#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "kernels/linalg/linalg.h"
#include "kernels/linalg/qr_iteration.h"
#include "kernels/linalg/reflections.h"
#include "kernels/linalg/rotations.h"

namespace dlcore {

namespace {

/// Reflections of a reduction: rows [n,n], and their factors [n].
struct Side {
  double *rows, *beta;
};

/// a [n,n] <- left^T a right, bidiagonal: diagonal d, beside it e[0 .. n-2]. Row k of left.rows keeps the reflection of
/// column k, of right.rows that of row k.  work: 6 n doubles.
void to_bidiagonal(std::int64_t n, double* a, double* d, double* e, const Side& left, const Side& right, double* work) {
  // What a pair of reflections does to the rest, a - u y^T - x v^T, is done when the rest is read for the next one.
  double *y = work, *x = y + n, *next_y = x + n, *next_x = next_y + n, *none = next_x + n;
  std::fill(work, work + 6 * n, 0.0);
  const double *u_before = none, *v_before = none;
  for (std::int64_t k = 0; k < n; ++k) {
    double *u = left.rows + k * n, *v = right.rows + k * n;
    std::fill(u, u + k, 0.0);
    std::fill(v, v + k + 1, 0.0);
    for (std::int64_t i = k; i < n; ++i) u[i] = a[i * n + k] - u_before[i] * y[k] - x[i] * v_before[k];
    const Reflection column = reflect_onto_axis(n - k, u + k);
    d[k] = column.value;
    left.beta[k] = column.beta;
    right.beta[k] = 0;
    if (k + 1 == n) break;
    const std::int64_t first = k + 1, rest = n - first;
    std::fill(next_y + first, next_y + n, 0.0);
    linalg_kernels().update_rows(n - k, rest, a + k * n + first, n, {u_before + k, y + first, x + k, v_before + first},
                                 u + k, next_y + first);
    for (std::int64_t j = first; j < n; ++j) next_y[j] *= column.beta;
    for (std::int64_t j = first; j < n; ++j) v[j] = a[k * n + j] - u[k] * next_y[j];
    const Reflection row = reflect_onto_axis(rest, v + first);
    e[k] = row.value;
    right.beta[k] = row.beta;
    linalg_kernels().multiply_rows(rest, rest, a + first * (n + 1), n, v + first, next_x + first);
    double along;
    linalg_kernels().multiply_rows(1, rest, next_y + first, n, v + first, &along);
    for (std::int64_t i = first; i < n; ++i) next_x[i] = row.beta * (next_x[i] - along * u[i]);
    std::swap(x, next_x);
    std::swap(y, next_y);
    u_before = u;
    v_before = v;
  }
}

/// The lesser singular value of [[f, g], [0, h]].
double lesser_singular_value(double f, double g, double h) {
  const double sum = std::abs(f) + std::abs(h), difference = std::abs(f) - std::abs(h);
  const double twice = std::sqrt(sum * sum + g * g) + std::sqrt(difference * difference + g * g);
  return twice == 0 ? 0.0 : 2.0 * std::abs(f) * std::abs(h) / twice;
}

/// One QR step on the unreduced block [first, last], shifted by the lesser singular value at its end; without shift
/// where a zero on the diagonal makes that the block's own.
void qr_step(std::int64_t first, std::int64_t last, double* d, double* e, PendingSweeps& left, PendingSweeps& right) {
  const bool singular = std::any_of(d + first, d + last + 1, [](double value) { return std::abs(value) < kTiny; });
  const double shift = singular ? 0.0 : lesser_singular_value(d[last - 1], e[last - 1], d[last]);
  double f = singular ? d[first] : (std::abs(d[first]) - shift) * (std::copysign(1.0, d[first]) + shift / d[first]);
  double g = e[first];
  left.begin(first);
  right.begin(first);
  for (std::int64_t i = first; i < last; ++i) {
    const Rotation columns(f, g);
    if (i > first) e[i - 1] = columns.length;
    f = columns.c * d[i] + columns.s * e[i];
    e[i] = columns.c * e[i] - columns.s * d[i];
    g = columns.s * d[i + 1];
    d[i + 1] *= columns.c;
    const Rotation rows(f, g);
    d[i] = rows.length;
    f = rows.c * e[i] + rows.s * d[i + 1];
    d[i + 1] = rows.c * d[i + 1] - rows.s * e[i];
    if (i + 1 < last) {
      g = rows.s * e[i + 1];
      e[i + 1] *= rows.c;
    }
    left.turn(rows.c, rows.s);
    right.turn(columns.c, columns.s);
  }
  e[last - 1] = f;
}

}  // namespace

std::int64_t svd_scratch(std::int64_t n) {
  return 2 * n * n + 3 * n + std::max({6 * n, kPanel * (kPanel + 2 * n) + n * n, 2 * PendingSweeps::scratch(n)});
}

void svd(std::int64_t n, double* a, double* s, double* u, double* v, std::int64_t* order, double* scratch) {
  std::iota(order, order + n, 0);
  const double scale = scale_of(n * n, a);
  if (n == 0 || std::isnan(scale)) {
    std::fill(s, s + n, scale);
    if (u) std::fill(u, u + strip_doubles(n), scale), std::fill(v, v + strip_doubles(n), scale);
    return;
  }
  for (std::int64_t i = 0; i < n * n; ++i) a[i] *= scale;
  double* e = scratch;
  const Side left{e + 3 * n, e + n}, right{left.rows + n * n, e + 2 * n};
  double* work = right.rows + n * n;
  to_bidiagonal(n, a, s, e, left, right, work);
  if (u) {
    form_rows({n, n, left.rows, left.beta, n}, 0, u, work);
    form_rows({n - 1, n - 1, right.rows + 1, right.beta, n}, 1, v, work);
  }
  PendingSweeps turned_left(n, u, work), turned_right(n, v, work + PendingSweeps::scratch(n));
  iterate_qr(n, s, e,
             [&](std::int64_t first, std::int64_t last) { qr_step(first, last, s, e, turned_left, turned_right); });
  turned_left.apply();
  turned_right.apply();
  for (std::int64_t i = 0; i < n; ++i) {
    if (u && s[i] < 0)
      for (std::int64_t j = i * kStripColumns; j < strip_doubles(n); j += n * kStripColumns)
        std::transform(v + j, v + j + kStripColumns, v + j, std::negate<>());
    s[i] = std::abs(s[i]) / scale;
  }
  std::sort(order, order + n, [&](std::int64_t i, std::int64_t j) { return s[i] > s[j] || (s[i] == s[j] && i < j); });
}

}  // namespace dlcore
