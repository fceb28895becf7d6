#include "kernels/linalg/reflections.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/linalg/linalg.h"

namespace dlcore {

namespace {

constexpr std::int64_t kStrip = 64;  // columns that one thread takes

}  // namespace

double scale_of(std::int64_t count, const double* x) {
  double greatest = 0, sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    greatest = std::max(greatest, std::abs(x[i]));
    sum += 0.0 * x[i];
  }
  if (greatest == 0 || sum != 0) return 1.0 + sum;
  return std::ldexp(1.0, std::min(1000, -std::ilogb(greatest)));
}

Reflection reflect_onto_axis(std::int64_t n, double* x) {
  double rest = 0;
  if (n > 1) linalg_kernels().multiply_rows(1, n - 1, x + 1, n, x + 1, &rest);
  const double squares = x[0] * x[0] + rest;
  if (!(squares > 1e-280 && squares < 1e280)) {  // these would not be exact, nor their inverse a number
    const double scale = scale_of(n, x);
    if (std::isnan(scale)) return {scale, scale};
    if (scale != 1) {
      for (std::int64_t i = 0; i < n; ++i) x[i] *= scale;
      const Reflection scaled = reflect_onto_axis(n, x);
      return {scaled.beta, scaled.value / scale};
    }
  }
  if (rest == 0) return {0, x[0]};
  const double length = std::sqrt(squares), value = x[0] > 0 ? -length : length;
  x[0] -= value;
  return {2 / (x[0] * x[0] + rest), value};
}

void join_reflections(const Reflections& h, double* t) {
  std::fill(t, t + h.count * h.count, 0.0);
  double along[kPanel];
  for (std::int64_t j = 0; j < h.count; ++j) {
    linalg_kernels().multiply_rows(j, h.m - j, h.v + j, h.v_row, h.v + j * h.v_row + j, along);
    for (std::int64_t i = 0; i < j; ++i) {
      double sum = 0;
      for (std::int64_t c = i; c < j; ++c) sum += t[i * h.count + c] * along[c];
      t[i * h.count + j] = -h.beta[j] * sum;
    }
    t[j * h.count + j] = h.beta[j];
  }
}

void apply_joined(const Reflections& h, const double* t, bool transpose, std::int64_t columns, double* x,
                  std::int64_t x_row, double* work) {
  const auto subtract_product = linalg_kernels().subtract_product;
  const std::int64_t count = h.count;
  const auto apply = [&](std::int64_t strip) {
    const std::int64_t first = strip * kStrip, width = std::min(kStrip, columns - first);
    double *along = work + 2 * count * first, *turned = along + count * width;
    std::fill(along, turned + count * width, 0.0);
    subtract_product(count, width, h.m, h.v, h.v_row, 1, x + first, x_row, along, width);
    subtract_product(count, width, count, t, transpose ? 1 : count, transpose ? count : 1, along, width, turned, width);
    subtract_product(h.m, width, count, h.v, 1, h.v_row, turned, width, x + first, x_row);
  };
  parallel_for((columns + kStrip - 1) / kStrip, 0.2 * static_cast<double>(h.m * count * columns), apply);
}

namespace {

/// Reflections [first, first + kPanel) of h, from row `first` on.
Reflections panel_of(const Reflections& h, std::int64_t first) {
  return {std::min(kPanel, h.count - first), h.m - first, h.v + first * (h.v_row + 1), h.beta + first, h.v_row};
}

/// body(first row, panel, t) for all panels, the last one first unless in_order.
template <class Body>
void for_panels(const Reflections& h, bool in_order, double* t, const Body& body) {
  const std::int64_t panels = (h.count + kPanel - 1) / kPanel;
  for (std::int64_t i = 0; i < panels; ++i) {
    const std::int64_t first = (in_order ? i : panels - 1 - i) * kPanel;
    const Reflections panel = panel_of(h, first);
    join_reflections(panel, t);
    body(first, panel);
  }
}

}  // namespace

void apply_reflections(const Reflections& h, bool transpose, std::int64_t columns, double* x, std::int64_t x_row,
                       double* work) {
  for_panels(h, transpose, work, [&](std::int64_t first, const Reflections& panel) {
    apply_joined(panel, work, transpose, columns, x + first * x_row, x_row, work + kPanel * kPanel);
  });
}

void form_columns(const Reflections& h, std::int64_t kept, double* q, std::int64_t q_row, double* work) {
  for (std::int64_t i = 0; i < h.m; ++i) {
    std::fill(q + i * q_row, q + i * q_row + kept, 0.0);
    if (i < kept) q[i * q_row + i] = 1.0;
  }
  for_panels(h, false, work, [&](std::int64_t first, const Reflections& panel) {
    apply_joined(panel, work, false, kept - first, q + first * (q_row + 1), q_row, work + kPanel * kPanel);
  });
}

void form_rows(const Reflections& h, std::int64_t corner, double* x, double* work) {
  const std::int64_t n = h.m + corner;
  double* q = work + kPanel * (kPanel + 2 * h.m);
  form_columns(h, h.m, q, h.m, work);
  std::fill(x, x + strip_doubles(n), 0.0);
  for (std::int64_t j = 0; j < n; ++j) {
    double* column = x + j / kStripColumns * n * kStripColumns + j % kStripColumns;
    if (j < corner) {
      column[j * kStripColumns] = 1.0;
      continue;
    }
    for (std::int64_t i = 0; i < h.m; ++i) column[(corner + i) * kStripColumns] = q[(j - corner) * h.m + i];
  }
}

}  // namespace dlcore
