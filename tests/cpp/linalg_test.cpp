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
