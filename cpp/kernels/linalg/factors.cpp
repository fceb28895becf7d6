// By halves: most of the work is products of blocks, subtracted from what is still to be factored.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/linalg/linalg.h"
#include "kernels/linalg/reflections.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(LinalgKernels, linalg_kernels)

namespace {

constexpr std::int64_t kSmall = 8;  // rows or columns that are not halved

/// Columns [first, last) of a [m,n]; rows are exchanged whole.
void lu_columns(std::int64_t m, std::int64_t n, std::int64_t first, std::int64_t last, double* a, std::int32_t* pivots,
                std::int32_t* order) {
  if (last - first > kSmall) {
    const std::int64_t mid = first + (last - first) / 2;
    lu_columns(m, n, first, mid, a, pivots, order);
    double *left = a + first * n + first, *right = a + first * n + mid;
    triangular_solve(mid - first, last - mid, left, n, 1, true, true, right, n);
    linalg_kernels().subtract_product(m - mid, last - mid, mid - first, left + (mid - first) * n, n, 1, right, n,
                                      right + (mid - first) * n, n);
    return lu_columns(m, n, mid, last, a, pivots, order);
  }
  for (std::int64_t j = first; j < last; ++j) {
    std::int64_t pivot = j;
    for (std::int64_t i = j + 1; i < m; ++i)
      if (std::abs(a[i * n + j]) > std::abs(a[pivot * n + j])) pivot = i;
    pivots[j] = static_cast<std::int32_t>(pivot);
    const double* head = a + j * n;
    if (pivot != j) {
      std::swap_ranges(a + j * n, a + (j + 1) * n, a + pivot * n);
      std::swap(order[j], order[pivot]);
    }
    if (head[j] == 0.0) continue;  // so is all below
    for (std::int64_t i = j + 1; i < m; ++i) {
      double* row = a + i * n;
      const double factor = row[j] /= head[j];
      for (std::int64_t c = j + 1; c < last; ++c) row[c] -= factor * head[c];
    }
  }
}

/// a [m,n] <- r on and above the diagonal. v, beta: the reflections of h, overwritten.
/// work: kPanel * (kPanel + 2 n) doubles.
void reflect_columns(std::int64_t m, std::int64_t n, const Reflections& h, double* a, double* v, double* beta,
                     double* work) {
  const LinalgKernels& kernels = linalg_kernels();
  for (std::int64_t first = 0; first < h.count; first += kPanel) {
    const std::int64_t count = std::min(kPanel, h.count - first), end = first + count;
    // The panel's columns as rows.
    for (std::int64_t j = first; j < end; ++j) std::fill(v + j * m, v + j * m + first, 0.0);
    for (std::int64_t i = first; i < m; ++i)
      for (std::int64_t j = first; j < end; ++j) v[j * m + i] = a[i * n + j];
    for (std::int64_t j = first; j < end; ++j) {
      double *x = v + j * m + j, *others = x + m, along[kPanel];
      const Reflection reflection = reflect_onto_axis(m - j, x);
      a[j * n + j] = reflection.value;
      beta[j] = reflection.beta;
      kernels.multiply_rows(end - j - 1, m - j, others, m, x, along);
      for (std::int64_t c = 0; c < end - j - 1; ++c) along[c] *= reflection.beta;
      kernels.subtract_product(end - j - 1, m - j, 1, along, 1, 1, x, m, others, m);
      for (std::int64_t c = 0; c < end - j - 1; ++c) {
        a[j * n + j + 1 + c] = others[c * m];
        others[c * m] = 0.0;
      }
    }
    const Reflections panel{count, m - first, v + first * (m + 1), beta + first, m};
    join_reflections(panel, work);
    apply_joined(panel, work, true, n - end, a + first * n + end, n, work + kPanel * kPanel);
  }
}

std::int64_t reflection_count(std::int64_t m, std::int64_t n) { return std::max<std::int64_t>(0, std::min(m - 1, n)); }

}  // namespace

void triangular_solve(std::int64_t n, std::int64_t columns, const double* a, std::int64_t a_row, std::int64_t a_column,
                      bool lower, bool unit_diagonal, double* x, std::int64_t x_row) {
  const auto subtract_product = linalg_kernels().subtract_product;
  if (n > kSmall) {
    const std::int64_t half = n / 2, rest = n - half;
    const double* below = a + half * a_row + half * a_column;
    double* second = x + half * x_row;
    if (lower) {
      triangular_solve(half, columns, a, a_row, a_column, lower, unit_diagonal, x, x_row);
      subtract_product(rest, columns, half, a + half * a_row, a_row, a_column, x, x_row, second, x_row);
      triangular_solve(rest, columns, below, a_row, a_column, lower, unit_diagonal, second, x_row);
    } else {
      triangular_solve(rest, columns, below, a_row, a_column, lower, unit_diagonal, second, x_row);
      subtract_product(half, columns, rest, a + half * a_column, a_row, a_column, second, x_row, x, x_row);
      triangular_solve(half, columns, a, a_row, a_column, lower, unit_diagonal, x, x_row);
    }
    return;
  }
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t i = lower ? step : n - 1 - step, first = lower ? 0 : i + 1;
    double* row = x + i * x_row;
    subtract_product(1, columns, step, a + i * a_row + first * a_column, a_row, a_column, x + first * x_row, x_row, row,
                     x_row);
    if (unit_diagonal) continue;
    const double head = a[i * (a_row + a_column)];
    for (std::int64_t j = 0; j < columns; ++j) row[j] /= head;
  }
}

void cholesky(std::int64_t n, double* a, std::int64_t row) {
  const auto subtract_product = linalg_kernels().subtract_product;
  if (n > kSmall) {
    const std::int64_t half = n / 2, rest = n - half;
    double *right = a + half, *below = a + half * (row + 1);
    cholesky(half, a, row);
    triangular_solve(half, rest, a, 1, row, true, false, right, row);
    for (std::int64_t i = 0; i < rest; i += kSmall) {  // what is right of the diagonal, in strips
      const std::int64_t count = std::min(kSmall, rest - i);
      subtract_product(count, rest - i, half, right + i, 1, row, right + i, row, below + i * (row + 1), row);
    }
    return cholesky(rest, below, row);
  }
  for (std::int64_t j = 0; j < n; ++j) {
    double* head = a + j * row;
    const double root = head[j] > 0 ? std::sqrt(head[j]) : std::numeric_limits<double>::quiet_NaN();
    for (std::int64_t c = j; c < n; ++c) head[c] /= root;
    for (std::int64_t i = j + 1; i < n; ++i)
      for (std::int64_t c = i; c < n; ++c) a[i * row + c] -= head[i] * head[c];
  }
}

void lu(std::int64_t m, std::int64_t n, double* a, std::int32_t* pivots, std::int32_t* order) {
  const std::int64_t k = std::min(m, n);
  for (std::int64_t i = 0; i < m; ++i) order[i] = static_cast<std::int32_t>(i);
  lu_columns(m, n, 0, k, a, pivots, order);
  if (n > k) triangular_solve(k, n - k, a, n, 1, true, true, a + k, n);
}

std::int64_t qr_scratch(std::int64_t m, std::int64_t n, std::int64_t kept) {
  return (m + 1) * reflection_count(m, n) + kPanel * (kPanel + 2 * std::max(n, kept));
}

void qr(std::int64_t m, std::int64_t n, std::int64_t kept, double* a, double* q, double* scratch) {
  const std::int64_t k = reflection_count(m, n);
  double *v = scratch, *beta = v + m * k, *work = beta + k;
  const Reflections h{k, m, v, beta, m};
  reflect_columns(m, n, h, a, v, beta, work);
  form_columns(h, kept, q, kept, work);
}

std::int64_t lstsq_scratch(std::int64_t m, std::int64_t n, std::int64_t columns) {
  const std::int64_t few = std::min(m, n), many = std::max(m, n);
  const std::int64_t room =
      std::max(few * many, 2 * strip_doubles(few) + 2 * few + std::max(svd_scratch(few), few * (few + columns)));
  return (many + 1) * few + kPanel * (kPanel + 2 * std::max(few, columns)) + few * few + room;
}

namespace {

double sum_of_squares(std::int64_t n, const double* x) {
  double sum;
  linalg_kernels().multiply_rows(1, n, x, n, x, &sum);
  return sum;
}

/// Whether r's singular values are all greater than rcond times the greatest, for certain: none is less than
/// 1 / |r^-1|, none greater than |r|, in Frobenius' norm. r [n,n] is upper; inverse [n,n] is overwritten.
bool has_full_rank(std::int64_t n, const double* r, double rcond, double* inverse) {
  std::fill(inverse, inverse + n * n, 0.0);
  for (std::int64_t i = 0; i < n; ++i) inverse[i * (n + 1)] = 1.0;
  triangular_solve(n, n, r, n, 1, false, false, inverse, n);
  return std::sqrt(sum_of_squares(n * n, r)) * std::sqrt(sum_of_squares(n * n, inverse)) * rcond < 1.0;
}

/// y [n,columns] <- the pseudo-inverse of r [n,n], or of its transpose, times y.
void solve_by_singular_values(std::int64_t n, std::int64_t columns, double rcond, bool transpose, double* r, double* y,
                              double* room) {
  double *strips = room, *v_strips = strips + strip_doubles(n), *s = v_strips + strip_doubles(n);
  auto* order = reinterpret_cast<std::int64_t*>(s + n);
  double *along = s + 2 * n, *rows = along + n * columns;
  svd(n, r, s, strips, v_strips, order, along);
  if (transpose) std::swap(strips, v_strips);
  const auto subtract_product = linalg_kernels().subtract_product;
  std::fill(along, along + n * columns, 0.0);
  rows_from_strips(n, strips, order, rows);
  subtract_product(n, columns, n, rows, n, 1, y, columns, along, columns);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t c = 0; c < columns; ++c)
      along[i * columns + c] = s[order[i]] <= rcond * s[order[0]] ? 0.0 : along[i * columns + c] / s[order[i]];
  std::fill(y, y + n * columns, 0.0);
  rows_from_strips(n, v_strips, order, rows);
  subtract_product(n, columns, n, rows, 1, n, along, columns, y, columns);
}

}  // namespace

void lstsq(std::int64_t m, std::int64_t n, std::int64_t columns, double rcond, double* a, double* b, double* x,
           double* scratch) {
  const bool tall = m >= n;
  const std::int64_t few = std::min(m, n), many = std::max(m, n), k = reflection_count(many, few);
  double *v = scratch, *beta = v + many * k, *work = beta + k;
  double *r = work + kPanel * (kPanel + 2 * std::max(few, columns)), *room = r + few * few;
  if (!tall) {
    double* turned = room;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) turned[j * m + i] = a[i * n + j];
    a = turned;
  }
  const Reflections h{k, many, v, beta, many};
  reflect_columns(many, few, h, a, v, beta, work);
  for (std::int64_t i = 0; i < few; ++i)
    for (std::int64_t j = 0; j < few; ++j) r[i * few + j] = j < i ? 0.0 : a[i * few + j];
  if (tall) apply_reflections(h, true, columns, b, columns, work);
  if (has_full_rank(few, r, rcond, room))
    triangular_solve(few, columns, r, tall ? few : 1, tall ? 1 : few, !tall, false, b, columns);
  else if (few > 0)
    solve_by_singular_values(few, columns, rcond, !tall, r, b, room);
  std::copy(b, b + few * columns, x);
  std::fill(x + few * columns, x + n * columns, 0.0);
  if (!tall) apply_reflections(h, false, columns, x, columns, work);
}

}  // namespace dlcore
