#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/linalg/linalg.h"
#include "kernels/linalg/reflections.h"
#include "kernels/linalg/rotations.h"

namespace dlcore {

namespace {

using Complex = std::complex<double>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMostSteps = 60;  // per eigenvalue

/// Without the operator's provisions for infinite parts.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// a [n,n] <- q^T a q, zero below the first subdiagonal. Row k of x [n,n] keeps the reflection of column k, beta [n]
/// the factors.  work: 4 n doubles.
void to_hessenberg(std::int64_t n, double* a, double* x, double* beta, double* work) {
  // What a reflection does to the rest, a - u y^T - t v^T, is done when the rest is read for the next one.
  double *u = work, *y = u + n, *t = y + n, *v = t + n;
  std::fill(work, work + 4 * n, 0.0);
  for (std::int64_t k = 0; k < n; ++k) {
    double* reflected = x + k * n;
    const std::int64_t first = k + 1, rest = n - first;
    for (std::int64_t i = 0; i < n; ++i) reflected[i] = a[i * n + k] -= u[i] * y[k] + t[i] * v[k];
    if (rest == 0) break;
    const Reflection reflection = reflect_onto_axis(rest, reflected + first);
    std::fill(reflected, reflected + first, 0.0);
    beta[k] = reflection.beta;
    a[first * n + k] = reflection.value;
    for (std::int64_t i = first + 1; i < n; ++i) a[i * n + k] = 0.0;
    double* along = beta + n;
    std::fill(along + first, along + n, 0.0);
    linalg_kernels().update_rows(n, rest, a + first, n, {u, y + first, t, v + first}, reflected, along + first);
    linalg_kernels().multiply_rows(n, rest, a + first, n, reflected + first, t);
    double across;
    linalg_kernels().multiply_rows(1, rest, along + first, n, reflected + first, &across);
    for (std::int64_t i = 0; i < n; ++i) {
      u[i] = reflection.beta * reflected[i];
      t[i] = reflection.beta * (t[i] - u[i] * across);
      v[i] = reflected[i];
    }
    std::copy(along + first, along + n, y + first);
  }
}

/// A reflection of three neighbouring rows or columns, the last of which may be missing: its factor 0.
struct SmallReflection {
  double normal[3], factor[3];  // 1 - factor normal^T
};

void reflect_rows(const SmallReflection& h, std::int64_t n, double* first, double* second, double* third) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double sum = h.normal[0] * first[j] + h.normal[1] * second[j] + h.normal[2] * third[j];
    first[j] -= h.factor[0] * sum;
    second[j] -= h.factor[1] * sum;
    third[j] -= h.factor[2] * sum;
  }
}
void reflect_columns(const SmallReflection& h, std::int64_t rows, double* x, std::int64_t x_row, int last) {
  for (std::int64_t i = 0; i < rows; ++i, x += x_row) {
    const double sum = h.normal[0] * x[0] + h.normal[1] * x[1] + h.normal[2] * x[last];
    x[0] -= h.factor[0] * sum;
    x[1] -= h.factor[1] * sum;
    x[last] -= h.factor[2] * sum;
  }
}

/// Two QR steps with shifts of the given sum and product on the unreduced block [first, last] of a Hessenberg matrix,
/// in real numbers (Francis 1961). All rows and columns of a are turned, and rows of z.
void double_step(std::int64_t n, std::int64_t first, std::int64_t last, double sum, double product, double* a,
                 double* z) {
  const double *row = a + first * (n + 1), *next = row + n;
  double x[3] = {row[0] * (row[0] - sum) + row[1] * next[0] + product, next[0] * (row[0] + next[1] - sum),
                 next[0] * next[n + 1]};
  for (std::int64_t k = first; k < last; ++k) {
    const int size = k + 1 < last ? 3 : 2, third = size - 1;
    double* corner = a + k * (n + 1);
    if (k > first)
      for (int i = 0; i < size; ++i) x[i] = corner[i * n - 1];
    const Reflection reflection = reflect_onto_axis(size, x);
    if (k > first) {
      corner[-1] = reflection.value;
      for (int i = 1; i < size; ++i) corner[i * n - 1] = 0.0;
    }
    if (reflection.beta == 0) continue;
    SmallReflection h{};
    for (int i = 0; i < size; ++i) {
      h.normal[i] = x[i];
      h.factor[i] = reflection.beta * x[i];
    }
    reflect_rows(h, n - k, corner, corner + n, corner + third * n);
    reflect_columns(h, std::min(k + 4, last + 1), a + k, n, third);
    reflect_rows(h, n, z + k * n, z + (k + 1) * n, z + (k + third) * n);
  }
}

/// Rows of z and the Hessenberg matrix a are turned until a is triangular but for blocks of two.
void to_schur(std::int64_t n, double* a, double* z) {
  std::int64_t last = n - 1;
  for (int step = 1; last > 0; ++step) {
    std::int64_t first = last;
    for (; first > 0; --first) {
      double& below = a[first * n + first - 1];
      const double beside = std::abs(a[first * n + first]) + std::abs(a[(first - 1) * n + first - 1]);
      if (std::abs(below) > kEpsilon * beside && std::abs(below) > kTiny) continue;
      below = 0.0;
      break;
    }
    if (first + 1 >= last || step > kMostSteps) {
      if (step > kMostSteps) a[last * n + last - 1] = 0.0;
      last = first + 1 == last ? first - 1 : last - 1;
      step = 0;
      continue;
    }
    const double* end = a + last * (n + 1);
    const double trace = end[-n - 1] + end[0], determinant = end[-n - 1] * end[0] - end[-n] * end[-1];
    // Now and then another shift, for matrices that the usual ones leave as they are.
    const double other = std::abs(end[-1]) + std::abs(end[-n - 2]);
    step % 10 == 0 ? double_step(n, first, last, 1.5 * other, other * other, a, z)
                   : double_step(n, first, last, trace, determinant, a, z);
  }
}

/// The block of two in rows and columns k - 1 and k of a <- triangular, by a unitary matrix; columns of v too.
void split_block(std::int64_t n, std::int64_t k, Complex* a, Complex* v) {
  Complex *upper = a + (k - 1) * n, *lower = upper + n;
  const double below = lower[k - 1].real(), half_gap = 0.5 * (upper[k - 1].real() - lower[k].real());
  const double middle = 0.5 * (upper[k - 1].real() + lower[k].real());
  const double square = half_gap * half_gap + upper[k].real() * below, root = std::sqrt(std::abs(square));
  // The eigenvector (x, y) of an eigenvalue, of norm 1.
  Complex x = square >= 0 ? Complex(half_gap + std::copysign(root, half_gap)) : Complex(half_gap, root), y = below;
  const double length = std::hypot(std::abs(x), below);
  x /= length;
  y /= length;
  for (std::int64_t j = k - 1; j < n; ++j) {
    const Complex p = upper[j], q = lower[j];
    upper[j] = times(std::conj(x), p) + times(std::conj(y), q);
    lower[j] = times(x, q) - times(y, p);
  }
  const auto turn_columns = [&](std::int64_t rows, Complex* m) {
    for (std::int64_t i = 0; i < rows; ++i, m += n) {
      const Complex p = m[k - 1], q = m[k];
      m[k - 1] = times(p, x) + times(q, y);
      m[k] = times(q, std::conj(x)) - times(p, std::conj(y));
    }
  };
  turn_columns(k + 1, a);
  turn_columns(n, v);
  lower[k - 1] = 0.0;
  if (square < 0) {
    upper[k - 1] = {middle, root};
    lower[k] = {middle, -root};
  }
}

/// Columns of v <- v times the eigenvectors of the triangular a, of norm 1.
void triangular_eigenvectors(std::int64_t n, const Complex* a, Complex* v, Complex* y) {
  double size = 0;
  for (std::int64_t i = 0; i < n * n; ++i) size = std::max(size, std::abs(a[i]));
  const double least = std::max(kEpsilon * size, std::numeric_limits<double>::min());
  for (std::int64_t k = n - 1; k >= 0; --k) {  // column k of v is only needed for columns from k on
    y[k] = 1.0;
    for (std::int64_t i = k - 1; i >= 0; --i) {
      Complex sum = 0;
      for (std::int64_t j = i + 1; j <= k; ++j) sum += times(a[i * n + j], y[j]);
      Complex gap = a[k * n + k] - a[i * n + i];
      if (std::abs(gap) < least) gap = least;
      y[i] = sum / gap;
    }
    double squared = 0, greatest = -1;
    Complex phase = 1;
    for (std::int64_t i = 0; i < n; ++i) {
      Complex sum = 0;
      for (std::int64_t j = 0; j <= k; ++j) sum += times(v[i * n + j], y[j]);
      v[i * n + k] = sum;
      squared += std::norm(sum);
      if (std::abs(sum) > greatest * (1 + 8 * kEpsilon)) greatest = std::abs(sum), phase = std::conj(sum);
    }
    const Complex scale = greatest > 0 ? phase / greatest / std::sqrt(squared) : Complex(1);
    for (std::int64_t i = 0; i < n; ++i) v[i * n + k] *= scale;
  }
}

}  // namespace

std::int64_t eig_scratch(std::int64_t n) { return 2 * n * n + 2 * n + std::max(4 * n, kPanel * (kPanel + 2 * n)); }

void eig(std::int64_t n, double* a, Complex* w, Complex* v, Complex* t, double* scratch) {
  const double scale = scale_of(n * n, a);
  if (n == 0 || std::isnan(scale)) {
    std::fill(w, w + n, Complex(scale, scale));
    std::fill(v, v + n * n, Complex(scale, scale));
    return;
  }
  for (std::int64_t i = 0; i < n * n; ++i) a[i] *= scale;
  double *x = scratch, *z = x + n * n, *beta = z + n * n, *work = beta + 2 * n;
  to_hessenberg(n, a, x, beta, work);
  // Columns of q, then as rows.
  form_columns({n - 1, n - 1, x + 1, beta, n}, n - 1, z + n + 1, n, work);
  z[0] = 1.0;
  for (std::int64_t i = 1; i < n; ++i) z[i] = z[i * n] = 0.0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) std::swap(z[i * n + j], z[j * n + i]);
  to_schur(n, a, z);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      t[i * n + j] = a[i * n + j];
      v[i * n + j] = z[j * n + i];
    }
  for (std::int64_t k = n - 1; k > 0; --k)
    if (t[k * n + k - 1] != 0.0) split_block(n, k, t, v);
  for (std::int64_t i = 0; i < n; ++i) w[i] = t[i * (n + 1)] / scale;
  triangular_eigenvectors(n, t, v, reinterpret_cast<Complex*>(x));
}

}  // namespace dlcore
