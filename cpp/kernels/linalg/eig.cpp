#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/linalg/linalg.h"

namespace dlcore {

namespace {

using Complex = std::complex<double>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMaxSteps = 60;  // per eigenvalue; NaN never converges

/// Without the operator's provisions for infinite parts.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// a <- q^H a q, zero below the first subdiagonal; v <- q.
void to_hessenberg(std::int64_t n, Complex* a, Complex* v, Complex* x) {
  std::fill(v, v + n * n, Complex(0));
  for (std::int64_t i = 0; i < n; ++i) v[i * n + i] = 1.0;
  for (std::int64_t k = 0; k + 2 < n; ++k) {
    const std::int64_t first = k + 1;
    double squared = 0;
    for (std::int64_t i = first; i < n; ++i) squared += std::norm(x[i] = a[i * n + k]);
    const double size = std::abs(x[first]);
    const Complex phase = size > 0 ? x[first] / size : Complex(1);
    x[first] += phase * std::sqrt(squared);
    double length = 0;
    for (std::int64_t i = first; i < n; ++i) length += std::norm(x[i]);
    if (!(length > 0)) continue;
    auto reflect_rows = [&](Complex* m) {  // m <- (1 - 2 x x^H / |x|^2) m
      for (std::int64_t j = 0; j < n; ++j) {
        Complex sum = 0;
        for (std::int64_t i = first; i < n; ++i) sum += times(std::conj(x[i]), m[i * n + j]);
        sum *= 2.0 / length;
        for (std::int64_t i = first; i < n; ++i) m[i * n + j] -= times(x[i], sum);
      }
    };
    auto reflect_columns = [&](Complex* m) {  // m <- m (1 - 2 x x^H / |x|^2)
      for (std::int64_t i = 0; i < n; ++i) {
        Complex sum = 0;
        for (std::int64_t j = first; j < n; ++j) sum += times(m[i * n + j], x[j]);
        sum *= 2.0 / length;
        for (std::int64_t j = first; j < n; ++j) m[i * n + j] -= times(sum, std::conj(x[j]));
      }
    };
    reflect_rows(a);
    reflect_columns(a);
    reflect_columns(v);
  }
}

/// The eigenvalue of the block [last-1, last] that is nearer to its last element.
Complex wilkinson_shift(std::int64_t n, std::int64_t last, const Complex* a) {
  const Complex p = a[(last - 1) * n + last - 1], q = a[(last - 1) * n + last];
  const Complex r = a[last * n + last - 1], t = a[last * n + last];
  const Complex middle = 0.5 * (p + t), root = std::sqrt(0.25 * (p - t) * (p - t) + q * r);
  const Complex one = middle + root, other = middle - root;
  return std::abs(one - t) < std::abs(other - t) ? one : other;
}

/// One QR step on the block [first, last] of the Hessenberg matrix a, all of whose rows and columns are turned; v too.
void qr_step(std::int64_t n, std::int64_t first, std::int64_t last, Complex shift, Complex* a, Complex* v, Complex* g) {
  for (std::int64_t i = first; i <= last; ++i) a[i * n + i] -= shift;
  for (std::int64_t k = first; k < last; ++k) {
    const Complex x = a[k * n + k], y = a[(k + 1) * n + k];
    const double length = std::hypot(std::abs(x), std::abs(y));
    const Complex c = g[2 * k] = length > 0 ? x / length : Complex(1);
    const Complex s = g[2 * k + 1] = length > 0 ? y / length : Complex(0);
    for (std::int64_t j = k; j < n; ++j) {
      const Complex upper = a[k * n + j], lower = a[(k + 1) * n + j];
      a[k * n + j] = times(std::conj(c), upper) + times(std::conj(s), lower);
      a[(k + 1) * n + j] = times(c, lower) - times(s, upper);
    }
  }
  for (std::int64_t k = first; k < last; ++k) {
    const Complex c = g[2 * k], s = g[2 * k + 1];
    auto turn_columns = [&](Complex* m, std::int64_t rows) {
      for (std::int64_t i = 0; i < rows; ++i) {
        const Complex left = m[i * n + k], right = m[i * n + k + 1];
        m[i * n + k] = times(left, c) + times(right, s);
        m[i * n + k + 1] = times(right, std::conj(c)) - times(left, std::conj(s));
      }
    };
    turn_columns(a, std::min(k + 2, last + 1));
    turn_columns(v, n);
  }
  for (std::int64_t i = first; i <= last; ++i) a[i * n + i] += shift;
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

void eig(std::int64_t n, Complex* a, Complex* w, Complex* v, Complex* scratch) {
  to_hessenberg(n, a, v, scratch);
  std::int64_t last = n - 1;
  for (int step = 0; last > 0;) {
    std::int64_t first = last;
    while (first > 0) {
      const double below = std::abs(a[first * n + first - 1]);
      const double beside = std::abs(a[first * n + first]) + std::abs(a[(first - 1) * n + first - 1]);
      if (!(below > kEpsilon * beside)) break;
      --first;
    }
    if (first > 0) a[first * n + first - 1] = 0.0;
    if (first == last || step == kMaxSteps) {
      --last;
      step = 0;
      continue;
    }
    // Now and then another shift, for matrices that the usual one leaves as they are.
    const Complex shift = ++step % 10 == 0 ? Complex(std::abs(a[last * n + last - 1]) + std::abs(a[last * n + last]))
                                           : wilkinson_shift(n, last, a);
    qr_step(n, first, last, shift, a, v, scratch);
  }
  for (std::int64_t i = 0; i < n; ++i) w[i] = a[i * n + i];
  triangular_eigenvectors(n, a, v, scratch);
}

}  // namespace dlcore
