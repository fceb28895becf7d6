// By halves: most of the work is products of blocks, subtracted from what is still to be factored.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/linalg/linalg.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(LinalgKernels, linalg_kernels)

namespace {

constexpr std::int64_t kSmall = 8;   // rows or columns that are not halved
constexpr std::int64_t kPanel = 32;  // columns of qr whose reflections are applied together

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

/// Reflects columns [first, first + count) of a [m,n] onto r, the columns of the panel alone. The reflections together
/// are 1 - V T V^T with V [m,count], zero above row `first`, and T [count,count], upper.
void reflect_panel(std::int64_t m, std::int64_t n, std::int64_t first, std::int64_t count, double* a, double* v,
                   double* t) {
  std::fill(v, v + m * count, 0.0);
  std::fill(t, t + count * count, 0.0);
  double along[kPanel];
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t column = first + j;
    double squares = 0;
    for (std::int64_t i = column; i < m; ++i) {
      const double x = v[i * count + j] = a[i * n + column];
      squares += x * x;
    }
    double& head = v[column * count + j];
    head += std::copysign(std::sqrt(squares), head < 0 ? -1.0 : 1.0);
    double length = head * head;
    for (std::int64_t i = column + 1; i < m; ++i) length += v[i * count + j] * v[i * count + j];
    const double beta = length == 0.0 ? 0.0 : 2.0 / length;
    // The other columns of the panel, and V^T v.
    std::fill(along, along + count, 0.0);
    for (std::int64_t i = column; i < m; ++i) {
      const double x = v[i * count + j];
      for (std::int64_t c = 0; c < j; ++c) along[c] += x * v[i * count + c];
      for (std::int64_t c = j; c < count; ++c) along[c] += x * a[i * n + first + c];
    }
    for (std::int64_t i = column; i < m; ++i) {
      const double x = beta * v[i * count + j];
      for (std::int64_t c = j; c < count; ++c) a[i * n + first + c] -= x * along[c];
    }
    for (std::int64_t i = 0; i < j; ++i) {
      double sum = 0;
      for (std::int64_t c = i; c < j; ++c) sum += t[i * count + c] * along[c];
      t[i * count + j] = -beta * sum;
    }
    t[j * count + j] = beta;
  }
}

/// x [m,columns], of row length x_row, <- (1 - V T V^T) x, or its transpose; work: 2 count columns.
void apply_reflections(std::int64_t m, std::int64_t columns, std::int64_t count, const double* v, const double* t,
                       bool transpose, double* x, std::int64_t x_row, double* work) {
  double *along = work, *turned = work + count * columns;
  std::fill(work, turned + count * columns, 0.0);
  const auto subtract_product = linalg_kernels().subtract_product;
  subtract_product(count, columns, m, v, 1, count, x, x_row, along, columns);
  subtract_product(count, columns, count, t, transpose ? 1 : count, transpose ? count : 1, along, columns, turned,
                   columns);
  subtract_product(m, columns, count, v, count, 1, turned, columns, x, x_row);
}

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
  return (m + kPanel) * std::min(m, n) + 2 * kPanel * std::max(n, kept);
}

void qr(std::int64_t m, std::int64_t n, std::int64_t kept, double* a, double* q, double* scratch) {
  const std::int64_t k = std::max<std::int64_t>(0, std::min(m - 1, n));
  double *v = scratch, *t = v + m * k, *work = t + kPanel * k;
  for (std::int64_t first = 0; first < k; first += kPanel) {
    const std::int64_t count = std::min(kPanel, k - first), next = first + count;
    double *panel = v + m * first, *turns = t + kPanel * first;
    reflect_panel(m, n, first, count, a, panel, turns);
    apply_reflections(m - first, n - next, count, panel + first * count, turns, true, a + first * n + next, n, work);
  }
  std::fill(q, q + m * kept, 0.0);
  for (std::int64_t i = 0; i < std::min(m, kept); ++i) q[i * kept + i] = 1.0;
  if (k == 0) return;
  for (std::int64_t first = (k - 1) / kPanel * kPanel; first >= 0; first -= kPanel) {
    const std::int64_t count = std::min(kPanel, k - first);
    apply_reflections(m - first, kept - first, count, v + m * first + first * count, t + kPanel * first, false,
                      q + first * (kept + 1), kept, work);
  }
}

}  // namespace dlcore
