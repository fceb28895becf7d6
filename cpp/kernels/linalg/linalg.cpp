#include "kernels/linalg/linalg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace dlcore {

namespace {

using Complex = std::complex<double>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMaxSteps = 60;  // per eigenvalue, or sweeps; NaN never converges

/// In eight running sums, so that additions need not wait for each other.
double dot(std::int64_t n, const double* x, const double* y) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; ++lane) sums[lane] += x[i + lane] * y[i + lane];
  double sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (const double part : sums) sum += part;
  return sum;
}

/// Without the operator's provisions for infinite parts.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// (x, y) <- (c x - s y, s x + c y)
void turn(std::int64_t n, double* x, double* y, double c, double s) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double old = x[i];
    x[i] = c * old - s * y[i];
    y[i] = s * old + c * y[i];
  }
}

void set_identity(std::int64_t n, double* v) {
  std::fill(v, v + n * n, 0.0);
  for (std::int64_t i = 0; i < n; ++i) v[i * n + i] = 1.0;
}

/// a <- q^T a q, tridiagonal: diagonal d, below it e[0 .. n-2].  Rows of v <- columns of q.
void to_tridiagonal(std::int64_t n, double* a, double* d, double* e, double* v) {
  // Column k is reflected onto its first element below the diagonal: h = 1 - beta x x^T with x kept in row k of a.
  for (std::int64_t k = 0; k + 1 < n; ++k) {
    double* x = a + k * n;  // by symmetry column k
    d[k] = x[k];
    const std::int64_t first = k + 1;
    const double length = std::sqrt(dot(n - first, x + first, x + first));
    e[k] = x[first] > 0 ? -length : length;
    x[first] -= e[k];
    const double squared = dot(n - first, x + first, x + first);
    const double beta = x[k] = squared > 0 ? 2.0 / squared : 0.0;
    double* p = v;  // free until the end
    for (std::int64_t i = first; i < n; ++i) p[i] = beta * dot(n - first, a + i * n + first, x + first);
    const double half = 0.5 * beta * dot(n - first, p + first, x + first);
    for (std::int64_t i = first; i < n; ++i) p[i] -= half * x[i];
    for (std::int64_t i = first; i < n; ++i)
      for (std::int64_t j = first; j < n; ++j) a[i * n + j] -= x[i] * p[j] + p[i] * x[j];
  }
  d[n - 1] = a[n * n - 1];
  set_identity(n, v);
  for (std::int64_t k = n - 2; k >= 0; --k) {
    const double* x = a + k * n;
    for (std::int64_t i = k + 1; i < n; ++i) {
      const double scale = x[k] * dot(n - k - 1, v + i * n + k + 1, x + k + 1);
      for (std::int64_t j = k + 1; j < n; ++j) v[i * n + j] -= scale * x[j];
    }
  }
}

/// One QL step with an implicit shift on the unreduced block [first, last].
void ql_step(std::int64_t n, std::int64_t first, std::int64_t last, double* d, double* e, double* v) {
  const double half_gap = (d[first + 1] - d[first]) / (2.0 * e[first]);
  const double root = std::hypot(half_gap, 1.0);
  double bulge = d[last] - d[first] + e[first] / (half_gap + std::copysign(root, half_gap));
  double sine = 1.0, cosine = 1.0, carried = 0.0;
  for (std::int64_t i = last - 1; i >= first; --i) {
    const double f = sine * e[i], b = cosine * e[i];
    const double r = std::hypot(f, bulge);
    e[i + 1] = r;
    if (r == 0.0) {  // the block falls apart here
      d[i + 1] -= carried;
      e[last] = 0.0;
      return;
    }
    sine = f / r;
    cosine = bulge / r;
    const double shifted = d[i + 1] - carried;
    const double mixed = (d[i] - shifted) * sine + 2.0 * cosine * b;
    carried = sine * mixed;
    d[i + 1] = shifted + carried;
    bulge = cosine * mixed - b;
    turn(n, v + i * n, v + (i + 1) * n, cosine, sine);
  }
  d[first] -= carried;
  e[first] = bulge;
  e[last] = 0.0;
}

}  // namespace

void eigh(std::int64_t n, double* a, double* w, double* v, double* scratch) {
  if (n == 0) return;
  double* e = scratch;
  e[n - 1] = 0.0;
  to_tridiagonal(n, a, w, e, v);
  for (std::int64_t first = 0; first < n; ++first) {
    for (int step = 0; step < kMaxSteps; ++step) {
      std::int64_t last = first;
      while (last + 1 < n && std::abs(e[last]) > kEpsilon * (std::abs(w[last]) + std::abs(w[last + 1]))) ++last;
      if (last == first) break;
      ql_step(n, first, last, w, e, v);
    }
  }
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    const std::int64_t least = std::min_element(w + i, w + n) - w;
    if (least == i) continue;
    std::swap(w[i], w[least]);
    std::swap_ranges(v + i * n, v + (i + 1) * n, v + least * n);
  }
}

void complete_rows(std::int64_t have, std::int64_t want, std::int64_t n, double* q) {
  for (std::int64_t row = have; row < want; ++row) {
    // The unit vector that the rows so far say least about.
    double best = -1.0;
    std::int64_t axis = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      double rest = 1.0;
      for (std::int64_t i = 0; i < row; ++i) rest -= q[i * n + j] * q[i * n + j];
      if (rest > best) best = rest, axis = j;
    }
    double* x = q + row * n;
    std::fill(x, x + n, 0.0);
    x[axis] = 1.0;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t i = 0; i < row; ++i) {
        const double share = dot(n, q + i * n, x);
        for (std::int64_t j = 0; j < n; ++j) x[j] -= share * q[i * n + j];
      }
      const double length = std::sqrt(dot(n, x, x));
      for (std::int64_t j = 0; j < n; ++j) x[j] /= length;
    }
  }
}

void svd(std::int64_t rows, std::int64_t n, double* a, double* s, double* v, double* scratch) {
  set_identity(rows, v);
  double* squares = scratch;
  for (int sweep = 0, turned = 1; turned && sweep < kMaxSteps; ++sweep) {
    turned = 0;
    for (std::int64_t i = 0; i < rows; ++i) squares[i] = dot(n, a + i * n, a + i * n);
    for (std::int64_t p = 0; p + 1 < rows; ++p)
      for (std::int64_t q = p + 1; q < rows; ++q) {
        const double product = dot(n, a + p * n, a + q * n);
        if (!(std::abs(product) > kEpsilon * std::sqrt(squares[p] * squares[q]))) continue;
        turned = 1;
        const double zeta = (squares[q] - squares[p]) / (2.0 * product);
        const double tangent = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1.0 / std::hypot(1.0, tangent);
        turn(n, a + p * n, a + q * n, cosine, cosine * tangent);
        turn(rows, v + p * rows, v + q * rows, cosine, cosine * tangent);
        squares[p] -= tangent * product;
        squares[q] += tangent * product;
      }
  }
  for (std::int64_t i = 0; i < rows; ++i) s[i] = std::sqrt(dot(n, a + i * n, a + i * n));
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t greatest = std::max_element(s + i, s + rows) - s;
    if (greatest != i) {
      std::swap(s[i], s[greatest]);
      std::swap_ranges(a + i * n, a + (i + 1) * n, a + greatest * n);
      std::swap_ranges(v + i * rows, v + (i + 1) * rows, v + greatest * rows);
    }
    if (s[i] == 0.0) continue;
    for (std::int64_t j = 0; j < n; ++j) a[i * n + j] /= s[i];
    rank = i + 1;
  }
  complete_rows(rank, rows, n, a);
}

namespace {

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
