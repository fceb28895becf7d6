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
      worst = std::max(worst, std::abs(sum));
    }
  return worst;
}

constexpr std::int64_t kSizes[] = {1, 2, 3, 7, 8, 9, 33};

TEST(Eigh, ComposesToTheMatrix) {
  for (const std::int64_t n : kSizes)
    for (Matrix a : square_matrices(n)) {
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < i; ++j) a[i * n + j] = a[j * n + i];
      GuardedBuffer<double> copy(n * n), w(n), v(n * n), scratch(2 * n);
      std::copy(a.begin(), a.end(), copy.data());
      eigh(n, copy.data(), w.data(), v.data(), scratch.data());
      for (std::int64_t i = 0; i < n; ++i) {
        EXPECT_LE(i > 0 ? w[i - 1] : w[i], w[i]);
        for (std::int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (std::int64_t k = 0; k < n; ++k) sum += v[k * n + i] * w[k] * v[k * n + j];
          EXPECT_NEAR(sum, a[i * n + j], 1e-14 * n) << "n = " << n;
        }
      }
      EXPECT_LE(distance_from_orthonormal(n, n, v.data()), 1e-14 * n);
      EXPECT_TRUE(copy.untouched() && w.untouched() && v.untouched() && scratch.untouched());
    }
}

TEST(Svd, ComposesToTheMatrix) {
  for (const std::int64_t rows : kSizes)
    for (const std::int64_t more : {0, 1, 5})
      for (const Matrix& square : square_matrices(rows + more)) {
        const std::int64_t n = rows + more;
        const Matrix a(square.begin(), square.begin() + rows * n);
        GuardedBuffer<double> u(rows * n), s(rows), v(rows * rows), scratch(rows);
        std::copy(a.begin(), a.end(), u.data());
        svd(rows, n, u.data(), s.data(), v.data(), scratch.data());
        for (std::int64_t i = 0; i < rows; ++i) {
          EXPECT_GE(s[i], 0);
          EXPECT_GE(i > 0 ? s[i - 1] : s[i], s[i]);
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t k = 0; k < rows; ++k) sum += v[k * rows + i] * s[k] * u[k * n + j];
            EXPECT_NEAR(sum, a[i * n + j], 1e-14 * n) << rows << " x " << n;
          }
        }
        EXPECT_LE(distance_from_orthonormal(rows, n, u.data()), 1e-14 * n);
        EXPECT_LE(distance_from_orthonormal(rows, rows, v.data()), 1e-14 * n);
        EXPECT_TRUE(u.untouched() && s.untouched() && v.untouched() && scratch.untouched());
      }
}

TEST(CompleteRows, FillsAnOrthonormalBasis) {
  Matrix q(5 * 5);
  q[0] = q[1] = std::sqrt(0.5);
  complete_rows(1, 5, 5, q.data());
  EXPECT_LE(distance_from_orthonormal(5, 5, q.data()), 1e-15);
}

TEST(Eig, VectorsKeepTheirDirection) {
  for (const std::int64_t n : kSizes)
    for (const Matrix& a : square_matrices(n)) {
      std::vector<Complex> copy(a.begin(), a.end()), w(n), v(n * n), scratch(2 * n);
      eig(n, copy.data(), w.data(), v.data(), scratch.data());
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
