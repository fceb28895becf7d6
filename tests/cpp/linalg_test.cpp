#include "kernels/linalg/linalg.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dlcore/ops.h"
#include "gradient_check.h"
#include "ops/custom_gradient.h"
#include "testing.h"

namespace dlcore {
namespace {

using Complex = std::complex<double>;
using testing::error_text;
using testing::GuardedBuffer;
using testing::random_reals;

using Matrix = std::vector<double>;

Tensor tensor(const std::vector<double>& numbers, const Shape& shape) { return Tensor::from<double>(numbers, shape); }

Matrix identity(std::int64_t n) {
  Matrix x(n * n);
  for (std::int64_t i = 0; i < n; ++i) x[i * n + i] = 1;
  return x;
}

/// Matrices that such algorithms stumble over: equal, zero and widely spread values, and random ones.
std::vector<Matrix> square_matrices(std::int64_t n) {
  std::vector<Matrix> found{random_reals<double>(n * n, 1), identity(n), Matrix(n * n), Matrix(n * n, 1.0),
                            Matrix(n * n)};
  for (std::int64_t i = 0; i < n; ++i) {
    found[4][i * n + (i + 1) % n] = 1;                        // a permutation
    found.back()[i * n + i] += std::pow(10.0, -2.0 * i / n);  // and a diagonal
  }
  return found;
}

/// The greatest |q q^T - 1| of the rows of q.
double distance_from_orthonormal(std::int64_t rows, std::int64_t n, const double* q) {
  double worst = 0;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < rows; ++j) {
      double sum = i == j ? -1 : 0;
      for (std::int64_t k = 0; k < n; ++k) sum += q[i * n + k] * q[j * n + k];
      worst = std::isnan(sum) ? INFINITY : std::max(worst, std::abs(sum));
    }
  return worst;
}

/// The greatest |left^T diag(values in this order) right - a|, all [n,n].
double distance_from_product(const Matrix& left, const double* values, const std::int64_t* order, const Matrix& right,
                             const Matrix& a) {
  const auto n = static_cast<std::int64_t>(std::sqrt(static_cast<double>(a.size())));
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = -a[i * n + j];
      for (std::int64_t k = 0; k < n; ++k) sum += left[k * n + i] * values[order[k]] * right[k * n + j];
      worst = std::isnan(sum) ? INFINITY : std::max(worst, std::abs(sum));
    }
  return worst;
}

constexpr std::int64_t kSizes[] = {1, 2, 3, 7, 8, 9, 33};

Matrix rows_of(std::int64_t n, const double* strips, const std::int64_t* order) {
  Matrix rows(n * n), columns(n * n);
  rows_from_strips(n, strips, order, rows.data());
  columns_from_strips(n, strips, order, columns.data());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(columns[j * n + i], rows[i * n + j]);
  return rows;
}

// Each bound is a multiple of n times the precision times the norm of what is decomposed, as Householder's reflections
// and the rotations after them have it (Higham 2002, chapter 19).
constexpr double kPrecision = 0x1p-52;
double norm_of(const Matrix& a) {
  double sum = 0;
  for (const double x : a) sum += x * x;
  return std::sqrt(sum);
}

TEST(Eigh, ComposesToTheMatrix) {
  for (const std::int64_t n : kSizes)
    for (Matrix a : square_matrices(n))
      for (const double scale : {1.0, 1e-160, 1e150}) {
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t j = 0; j < n; ++j) a[i * n + j] = j < i ? a[j * n + i] : a[i * n + j] * scale;
        const double bound = 20 * n * kPrecision * norm_of(a);
        GuardedBuffer<double> copy(n * n), w(n), v(strip_doubles(n)), scratch(eigh_scratch(n));
        GuardedBuffer<std::int64_t> order(n);
        std::copy(a.begin(), a.end(), copy.data());
        eigh(n, copy.data(), w.data(), v.data(), order.data(), scratch.data());
        const Matrix rows = rows_of(n, v.data(), order.data());
        for (std::int64_t i = 0; i < n; ++i) EXPECT_LE(w[order[i > 0 ? i - 1 : i]], w[order[i]]);
        EXPECT_LE(distance_from_product(rows, w.data(), order.data(), rows, a), bound) << "n = " << n;
        EXPECT_LE(distance_from_orthonormal(n, n, rows.data()), 20 * n * kPrecision);
        EXPECT_TRUE(copy.untouched() && w.untouched() && v.untouched() && order.untouched() && scratch.untouched());
        for (double& x : a) x /= scale;
      }
}

TEST(Svd, ComposesToTheMatrix) {
  for (const std::int64_t n : kSizes)
    for (Matrix a : square_matrices(n))
      for (const double scale : {1.0, 1e-160, 1e150}) {
        for (double& x : a) x *= scale;
        const double bound = 20 * n * kPrecision * norm_of(a);
        GuardedBuffer<double> copy(n * n), s(n), u(strip_doubles(n)), v(strip_doubles(n)), scratch(svd_scratch(n));
        GuardedBuffer<std::int64_t> order(n);
        std::copy(a.begin(), a.end(), copy.data());
        svd(n, copy.data(), s.data(), nullptr, nullptr, order.data(), scratch.data());
        const Matrix alone(s.data(), s.data() + n);
        std::copy(a.begin(), a.end(), copy.data());
        svd(n, copy.data(), s.data(), u.data(), v.data(), order.data(), scratch.data());
        const Matrix left = rows_of(n, u.data(), order.data()), right = rows_of(n, v.data(), order.data());
        for (std::int64_t i = 0; i < n; ++i) {
          EXPECT_EQ(alone[i], s[i]);
          EXPECT_GE(s[i], 0);
          EXPECT_GE(s[order[i > 0 ? i - 1 : i]], s[order[i]]);
        }
        EXPECT_LE(distance_from_product(left, s.data(), order.data(), right, a), bound) << "n = " << n;
        EXPECT_LE(distance_from_orthonormal(n, n, left.data()), 20 * n * kPrecision);
        EXPECT_LE(distance_from_orthonormal(n, n, right.data()), 20 * n * kPrecision);
        EXPECT_TRUE(copy.untouched() && s.untouched() && u.untouched() && v.untouched() && scratch.untouched());
        for (double& x : a) x /= scale;
      }
}

TEST(Decompositions, ArrangedValuesAreFoundToTheLast) {
  // Bidiagonal and tridiagonal matrices whose values cluster, vanish and spread, which QR steps must split.
  for (const std::int64_t n : {2, 8, 33})
    for (int kind = 0; kind < 4; ++kind) {
      Matrix a(n * n), b(n * n);
      for (std::int64_t i = 0; i < n; ++i) {
        const double value = kind == 0 ? 1.0 : kind == 1 ? static_cast<double>(i % 3) : std::pow(10.0, -12.0 * i / n);
        a[i * n + i] = b[i * n + i] = kind == 3 ? 0.0 : value;
        if (i > 0) a[(i - 1) * n + i] = b[(i - 1) * n + i] = b[i * n + i - 1] = 1.0;
      }
      Matrix w(n), s(n), u(strip_doubles(n)), v(strip_doubles(n)), work(eigh_scratch(n) + svd_scratch(n));
      std::vector<std::int64_t> order(n);
      const double norm = norm_of(b), trace = [&] {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += b[i * (n + 1)];
        return sum;
      }();
      eigh(n, b.data(), w.data(), v.data(), order.data(), work.data());
      double sum = 0, squares = 0;
      for (const double x : w) sum += x, squares += x * x;
      EXPECT_NEAR(sum, trace, 20 * n * n * kPrecision * norm);
      EXPECT_NEAR(std::sqrt(squares), norm, 20 * n * kPrecision * norm);
      const double size = norm_of(a);
      svd(n, a.data(), s.data(), u.data(), v.data(), order.data(), work.data());
      EXPECT_NEAR(norm_of(s), size, 20 * n * kPrecision * size);
      if (kind == 3) {
        EXPECT_LE(s[order[n - 1]], 20 * n * kPrecision);
        EXPECT_NEAR(s[order[0]], 1, 20 * n * kPrecision);
      }
    }
}

TEST(Decompositions, TinyAndHugeMatricesAreThoseOfOnesScaled) {
  // The norms' squares are no numbers.
  const std::int64_t n = 6;
  const Matrix a = random_reals<double>(n * n, 5);
  for (const int exponent : {-900, 900}) {
    Matrix one = a, scaled(n * n), w(n), other(n), work(svd_scratch(n) + qr_scratch(n, n, n)), q(n * n), p(n * n);
    for (std::int64_t i = 0; i < n * n; ++i) scaled[i] = std::ldexp(a[i], exponent);
    Matrix r = a, r_scaled = scaled;
    std::vector<std::int64_t> order(n);
    svd(n, one.data(), w.data(), nullptr, nullptr, order.data(), work.data());
    svd(n, scaled.data(), other.data(), nullptr, nullptr, order.data(), work.data());
    qr(n, n, n, r.data(), q.data(), work.data());
    qr(n, n, n, r_scaled.data(), p.data(), work.data());
    for (std::int64_t i = 0; i < n; ++i) EXPECT_EQ(std::ldexp(w[i], exponent), other[i]);
    for (std::int64_t i = 0; i < n * n; ++i) {
      EXPECT_NEAR(q[i], p[i], 50 * kPrecision);
      if (i % n >= i / n) {
        EXPECT_NEAR(std::ldexp(r_scaled[i], -exponent), r[i], 50 * kPrecision);
      }
    }
  }
}

TEST(Decompositions, AreNaNOfWhatIsNotFinite) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    const std::int64_t n = 5;
    Matrix a = random_reals<double>(n * n, 1), b = a, c = a, s(n), u(strip_doubles(n)), v(strip_doubles(n)),
           work(eigh_scratch(n) + svd_scratch(n) + eig_scratch(n));
    a[7] = b[7] = c[7] = bad;
    std::vector<std::int64_t> order(n);
    std::vector<Complex> w(n), vectors(n * n), t(n * n);
    eigh(n, a.data(), s.data(), v.data(), order.data(), work.data());
    EXPECT_TRUE(std::isnan(s[0]) && std::isnan(v[n]));
    svd(n, b.data(), s.data(), u.data(), v.data(), order.data(), work.data());
    EXPECT_TRUE(std::isnan(s[n - 1]) && std::isnan(u[0]) && std::isnan(v[n]));
    eig(n, c.data(), w.data(), vectors.data(), t.data(), work.data());
    EXPECT_TRUE(std::isnan(w[0].real()) && std::isnan(vectors[n].imag()));
  }
}

TEST(Eig, VectorsKeepTheirDirection) {
  for (const std::int64_t n : kSizes)
    for (const Matrix& a : square_matrices(n)) {
      GuardedBuffer<double> copy(n * n), scratch(eig_scratch(n));
      std::copy(a.begin(), a.end(), copy.data());
      std::vector<Complex> w(n), v(n * n), t(n * n);
      eig(n, copy.data(), w.data(), v.data(), t.data(), scratch.data());
      EXPECT_TRUE(copy.untouched() && scratch.untouched());
      Complex trace = 0, sum = 0;
      for (std::int64_t i = 0; i < n; ++i) trace += a[i * n + i], sum += w[i];
      EXPECT_NEAR(std::abs(trace - sum), 0, 1e-13 * n);
      for (std::int64_t k = 0; k < n; ++k) {
        double length = 0, worst = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          Complex y = -w[k] * v[i * n + k];
          for (std::int64_t j = 0; j < n; ++j) y += a[i * n + j] * v[j * n + k];
          length += std::norm(v[i * n + k]);
          worst = std::max(worst, std::abs(y));
        }
        EXPECT_NEAR(length, 1, 1e-14 * n);
        EXPECT_LE(worst, 1e-13 * n) << "n = " << n;
      }
    }
}

TEST(Lstsq, IsThePseudoInverseTimesB) {
  for (const std::int64_t m : {1, 2, 7, 33, 40})
    for (const std::int64_t n : {1, 3, 8, 33, 70})
      for (const std::int64_t rank : {std::min(m, n), (std::min(m, n) + 1) / 2, std::int64_t{0}}) {
        // a = p q of that rank; x is the least solution if a^T (a x - b) = 0 and x lies in the rows of a: x = q^T z.
        const std::int64_t columns = 3;
        const Matrix p = random_reals<double>(m * rank, 1), q = random_reals<double>(rank * n, 2);
        const Matrix b = random_reals<double>(m * columns, 3);
        Matrix a(m * n);
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t j = 0; j < n; ++j)
            for (std::int64_t k = 0; k < rank; ++k) a[i * n + j] += p[i * rank + k] * q[k * n + j];
        GuardedBuffer<double> left(m * n), right(m * columns), x(n * columns), again(n * columns),
            scratch(lstsq_scratch(m, n, columns));
        const auto solve = [&](double rcond, const Matrix& of, double* to) {
          std::copy(a.begin(), a.end(), left.data());
          std::copy(of.begin(), of.end(), right.data());
          lstsq(m, n, columns, rcond, left.data(), right.data(), to, scratch.data());
        };
        solve(1e-10, b, x.data());
        Matrix ax(m * columns);
        double size = 1;
        for (std::int64_t i = 0; i < n * columns; ++i) size = std::max(size, std::abs(x[i]));
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t c = 0; c < columns; ++c)
            for (std::int64_t j = 0; j < n; ++j) ax[i * columns + c] += a[i * n + j] * x[j * columns + c];
        for (std::int64_t j = 0; j < n; ++j)
          for (std::int64_t c = 0; c < columns; ++c) {
            double sum = 0;
            for (std::int64_t i = 0; i < m; ++i) sum += a[i * n + j] * (ax[i * columns + c] - b[i * columns + c]);
            ASSERT_LE(std::abs(sum), 1e-11 * size * m) << m << " x " << n << ", rank " << rank;
          }
        solve(1e-10, ax, again.data());  // of several solutions the same
        for (std::int64_t i = 0; i < n * columns; ++i) ASSERT_NEAR(again[i], x[i], 1e-9 * size);
        EXPECT_TRUE(left.untouched() && right.untouched() && x.untouched() && scratch.untouched());
      }
}

/// Small integers that repeat.
Matrix integers(std::int64_t count, std::int64_t step) {
  Matrix x(count);
  for (std::int64_t i = 0; i < count; ++i) x[i] = static_cast<double>(i * step % 11) - 5;
  return x;
}

TEST(MultiplyRows, IsExactOnIntegersInEveryTile) {
  for (const std::int64_t m : {0, 1, 3, 4, 5, 9})
    for (const std::int64_t n : {0, 1, 7, 8, 16, 17, 35}) {
      const std::int64_t row = n + 3;
      const Matrix a = integers(m * row, 7), x = integers(n, 5);
      GuardedBuffer<double> y(m);
      linalg_kernels().multiply_rows(m, n, a.data(), row, x.data(), y.data());
      for (std::int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (std::int64_t j = 0; j < n; ++j) sum += a[i * row + j] * x[j];
        ASSERT_EQ(y[i], sum) << m << ", " << n;
      }
      EXPECT_TRUE(y.untouched());
    }
}

TEST(UpdateRows, IsExactOnIntegersInEveryTile) {
  for (const std::int64_t m : {0, 1, 3, 4, 5, 9})
    for (const std::int64_t n : {0, 1, 7, 8, 17}) {
      const std::int64_t row = n + 3;
      const Matrix before = integers(m * row, 7), u = integers(m, 3), x = integers(m, 5), w = integers(m, 2);
      const Matrix y = integers(n, 3), v = integers(n, 9);
      GuardedBuffer<double> a(m * row), sums(n);
      std::copy(before.begin(), before.end(), a.data());
      std::fill(sums.data(), sums.data() + n, 1.0);
      linalg_kernels().update_rows(m, n, a.data(), row, {u.data(), y.data(), x.data(), v.data()}, w.data(),
                                   sums.data());
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 1;
        for (std::int64_t i = 0; i < m; ++i) {
          ASSERT_EQ(a[i * row + j], before[i * row + j] - u[i] * y[j] - x[i] * v[j]) << m << ", " << n;
          sum += w[i] * a[i * row + j];
        }
        ASSERT_EQ(sums[j], sum) << m << ", " << n;
      }
      for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = n; j < row; ++j) ASSERT_EQ(a[i * row + j], before[i * row + j]);
      EXPECT_TRUE(a.untouched() && sums.untouched());
    }
}

TEST(TurnRows, TurnsNeighboursInOrder) {
  const std::int64_t rows = 6, count = rows * kStripColumns;
  const Matrix before = integers(count, 7), turns{0, 1, 2, 3, -1, 1, 1, -2, 0, -1};
  const Sweep sweeps[] = {{0, 5, turns.data()}, {2, 1, turns.data() + 2}, {3, 0, nullptr}, {1, 4, turns.data()}};
  GuardedBuffer<double> x(count);
  std::copy(before.begin(), before.end(), x.data());
  linalg_kernels().turn_rows(4, sweeps, x.data());
  Matrix expected = before;
  for (const Sweep& sweep : sweeps)
    for (std::int64_t i = 0; i < sweep.count; ++i)
      for (std::int64_t j = 0; j < kStripColumns; ++j) {
        double &upper = expected[(sweep.first + i) * kStripColumns + j], &lower = (&upper)[kStripColumns];
        const double c = sweep.turns[2 * i], s = sweep.turns[2 * i + 1], old = upper;
        upper = c * old + s * lower;
        lower = c * lower - s * old;
      }
  for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(x[i], expected[i]);
  EXPECT_TRUE(x.untouched());
}

TEST(LinearAlgebra, HasTheSameBitsForAnyNumberOfThreads) {
  const Tensor x = tensor(random_reals<double>(150 * 150, 1), {150, 150});
  const Tensor b = tensor(random_reals<double>(150 * 5, 2), {150, 5});
  for (const char* name : {"eigh", "svd", "eig", "qr", "lstsq"}) {
    const auto in = name == std::string("lstsq") ? std::vector{x, b} : std::vector{x};
    std::vector<std::vector<Tensor>> found;
    for (const int count : {1, 2, 5}) {
      const testing::WithThreads with(count);
      found.push_back(apply_all(name, in));
    }
    for (const auto& other : found)
      for (std::size_t i = 0; i < other.size(); ++i)
        for (std::int64_t k = 0; k < other[i].shape().elements(); ++k)
          ASSERT_EQ(other[i].data<double>()[k], found[0][i].data<double>()[k]) << name;
  }
}

TEST(SubtractProduct, IsExactOnIntegersInEveryTile) {
  for (const std::int64_t m : {1, 3, 4, 5, 9})
    for (const std::int64_t n : {1, 7, 8, 17})
      for (const std::int64_t k : {0, 1, 2, 3, 8, 11})
        for (const bool transposed : {false, true}) {
          const std::int64_t row = n + 3;
          Matrix a(m * k), b(k * row);
          for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i * 7 % 11) - 5;
          for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(i * 5 % 13) - 6;
          GuardedBuffer<double> c(m * row);
          std::fill(c.data(), c.data() + m * row, 9.0);
          linalg_kernels().subtract_product(m, n, k, a.data(), transposed ? 1 : k, transposed ? m : 1, b.data(), row,
                                            c.data(), row);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < row; ++j) {
              double expected = 9;
              for (std::int64_t p = 0; j < n && p < k; ++p)
                expected -= a[transposed ? p * m + i : i * k + p] * b[p * row + j];
              ASSERT_EQ(c[i * row + j], expected) << m << ", " << n << ", " << k;
            }
          EXPECT_TRUE(c.untouched());
        }
}

TEST(Cholesky, ComposesToTheMatrix) {
  for (const std::int64_t n : kSizes) {
    // u^T u of small integers with ones on the diagonal of u, so every step is exact.
    Matrix u(n * n), a(n * n);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i; j < n; ++j) u[i * n + j] = i == j ? 1 : static_cast<double>((i * 3 + j) % 5) - 2;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t k = 0; k < n; ++k) a[i * n + j] += u[k * n + i] * u[k * n + j];
    GuardedBuffer<double> x(n * n);
    std::copy(a.begin(), a.end(), x.data());
    cholesky(n, x.data(), n);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i; j < n; ++j) ASSERT_EQ(x[i * n + j], u[i * n + j]) << "n = " << n;
    EXPECT_TRUE(x.untouched());
  }
}

TEST(Cholesky, IsNaNFromWhereTheMatrixIsNotDefinite) {
  Matrix a{1, 2, 0, 2, 1, 0, 0, 0, 1};
  cholesky(3, a.data(), 3);
  EXPECT_EQ(a[0], 1);
  EXPECT_EQ(a[1], 2);
  EXPECT_TRUE(std::isnan(a[4]) && std::isnan(a[5]) && std::isnan(a[8]));
}

TEST(TriangularSolve, GivesBackWhatWasMultiplied) {
  for (const std::int64_t n : kSizes)
    for (const bool lower : {false, true})
      for (const bool transpose : {false, true})
        for (const bool unit : {false, true}) {
          const std::int64_t columns = 3;
          Matrix a(n * n, 1e300), expected(n * columns);  // outside the triangle: not read
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
              if (lower ? j < i : j > i) a[i * n + j] = static_cast<double>((i + 2 * j) % 3) - 1;
              if (i == j && !unit) a[i * n + j] = 2;
            }
          for (std::int64_t i = 0; i < n * columns; ++i) expected[i] = static_cast<double>(i % 7) - 3;
          GuardedBuffer<double> x(n * columns);
          for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t c = 0; c < columns; ++c) {
              double sum = (unit ? 1 : 2) * expected[i * columns + c];
              for (std::int64_t j = 0; j < n; ++j)
                if (lower != transpose ? j < i : j > i)
                  sum += (transpose ? a[j * n + i] : a[i * n + j]) * expected[j * columns + c];
              x[i * columns + c] = sum;
            }
          triangular_solve(n, columns, a.data(), transpose ? 1 : n, transpose ? n : 1, lower != transpose, unit,
                           x.data(), columns);
          for (std::int64_t i = 0; i < n * columns; ++i) ASSERT_EQ(x[i], expected[i]) << "n = " << n;
          EXPECT_TRUE(x.untouched());
        }
}

TEST(Lu, ComposesToTheRowsInOrder) {
  for (const std::int64_t m : kSizes)
    for (const std::int64_t n : kSizes)
      for (const Matrix& square : square_matrices(std::max(m, n))) {
        const std::int64_t k = std::min(m, n);
        const Matrix a(square.begin(), square.begin() + m * n);
        GuardedBuffer<double> x(m * n);
        GuardedBuffer<std::int32_t> pivots(k), order(m);
        std::copy(a.begin(), a.end(), x.data());
        lu(m, n, x.data(), pivots.data(), order.data());
        std::vector<std::int32_t> exchanged(m);
        for (std::int64_t i = 0; i < m; ++i) exchanged[i] = static_cast<std::int32_t>(i);
        for (std::int64_t i = 0; i < k; ++i) std::swap(exchanged[i], exchanged[pivots[i]]);
        for (std::int64_t i = 0; i < m; ++i) {
          ASSERT_EQ(order[i], exchanged[i]);
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t p = 0; p <= std::min({i, j, k - 1}); ++p)
              sum += (p == i ? 1.0 : x[i * n + p]) * x[p * n + j];
            ASSERT_NEAR(sum, a[order[i] * n + j], 1e-14 * (m + n)) << m << " x " << n;
            if (j < i && j < k) {
              ASSERT_LE(std::abs(x[i * n + j]), 1);
            }
          }
        }
        EXPECT_TRUE(x.untouched() && pivots.untouched() && order.untouched());
      }
}

TEST(Qr, ComposesToTheMatrix) {
  for (const std::int64_t m : {1, 2, 7, 33, 70})
    for (const std::int64_t n : {1, 3, 8, 33, 70})
      for (const std::int64_t kept : {std::min(m, n), m}) {
        for (const Matrix& square : square_matrices(std::max(m, n))) {
          const Matrix a(square.begin(), square.begin() + m * n);
          GuardedBuffer<double> r(m * n), q(m * kept), scratch(qr_scratch(m, n, kept));
          std::copy(a.begin(), a.end(), r.data());
          qr(m, n, kept, r.data(), q.data(), scratch.data());
          Matrix columns(kept * m);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < kept; ++j) columns[j * m + i] = q[i * kept + j];
          EXPECT_LE(distance_from_orthonormal(kept, m, columns.data()), 1e-14 * m);
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) {
              double sum = 0;
              for (std::int64_t p = 0; p <= std::min(j, kept - 1); ++p) sum += q[i * kept + p] * r[p * n + j];
              ASSERT_NEAR(sum, a[i * n + j], 1e-14 * (m + n)) << m << " x " << n;
            }
          EXPECT_TRUE(r.untouched() && q.untouched() && scratch.untouched());
        }
      }
}

TEST(LinearAlgebra, RefusesSystemsThatDoNotFit) {
  const Tensor a = tensor({1, 0, 0, 1}, {2, 2});
  for (const Tensor& b : {tensor({1, 2, 3}, {3, 1}), tensor({1, 2}, {1, 2, 1})})
    EXPECT_NE(error_text([&] {
                apply_all("triangular_solve", std::vector{a, b});
              }).find("as many rows"),
              std::string::npos);
}

TEST(LinearAlgebra, RefusesWhatIsNoMatrix) {
  const Tensor vector = tensor({1, 2, 3}, {3});
  EXPECT_NE(error_text([&] { apply_all("svd", std::vector{vector}); }).find("matrices of known size"),
            std::string::npos);
  const Tensor wide = tensor({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_NE(error_text([&] { apply_all("eigh", std::vector{wide}); }).find("square matrices"), std::string::npos);
  EXPECT_NE(error_text([&] {
              apply_all("eig", std::vector{Tensor::empty(DType::I32, {1, 1})});
            }).find("float32 or"),
            std::string::npos);
}

TEST(CustomGradient, AsksTheFunction) {
  const Tensor x = tensor({1, 2}, {2}), y = tensor({5, 7}, {2});
  set_gradient_function([](std::int64_t key, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                           std::span<const Tensor> gradients) -> std::vector<Tensor> {
    EXPECT_EQ(inputs.size(), 1u);
    EXPECT_EQ(outputs.size(), 1u);
    return {ops::operator*(ops::operator*(gradients[0], outputs[0]), static_cast<double>(key))};
  });
  Tape tape;
  tape.start();
  tape.watch(x);
  const Tensor z = apply("custom_gradient", {y, x}, {{"key", std::int64_t{10}}});
  tape.stop();
  EXPECT_EQ(z.data<double>()[1], 7);
  const Tensor dx = gradient(tape.records(), std::vector{z}, {}, std::vector{x})[0];
  EXPECT_EQ(dx.data<double>()[0], 50);
  EXPECT_EQ(dx.data<double>()[1], 70);
  set_gradient_function(nullptr);
  EXPECT_THROW(gradient(tape.records(), std::vector{z}, {}, std::vector{x}), Error);
}

}  // namespace
}  // namespace dlcore
