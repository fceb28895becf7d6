// Vectors have no sign of their own, so results are checked by what they decompose, and values against the CPU's.
#include <cmath>
#include <complex>

#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;
using Matrix = std::vector<double>;

Matrix product(const Matrix& a, const Matrix& b, std::int64_t m, std::int64_t k, std::int64_t n) {
  Matrix c(m * n);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t p = 0; p < k; ++p) c[i * n + j] += a[i * k + p] * b[p * n + j];
  return c;
}
Matrix transposed(const Matrix& a, std::int64_t rows, std::int64_t cols) {
  Matrix t(a.size());
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) t[j * rows + i] = a[i * cols + j];
  return t;
}
void expect_near(const Matrix& a, const Matrix& b, double bound) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], bound);
}
Matrix identity(std::int64_t n) {
  Matrix one(n * n);
  for (std::int64_t i = 0; i < n; ++i) one[i * n + i] = 1;
  return one;
}
Matrix matrix(const Tensor& x, std::int64_t number, std::int64_t size) {
  const std::vector<double> all = values(x);
  return {all.begin() + number * size, all.begin() + (number + 1) * size};
}
double bound(DType dtype) { return dtype == DType::F64 ? 1e-12 : 2e-5; }

TEST(LinearAlgebra, SymmetricEigenvalues) {
  for (DType dtype : {DType::F32, DType::F64})
    for (std::int64_t n : {1, 2, 3, 8, 21}) {
      const Tensor half = numbers(dtype, {2, n, n}, 1);
      const Tensor x = ops::operator+(half, ops::transpose(half, {0, 2, 1}));
      const std::vector<Tensor> got = run_on_device("eigh", {x}), expected = apply_all("eigh", std::vector{x});
      expect_near(values(got[0]), values(expected[0]), 20 * bound(dtype));
      for (std::int64_t i = 0; i < 2; ++i) {
        const Matrix v = matrix(got[1], i, n * n), w = matrix(got[0], i, n);
        expect_near(product(transposed(v, n, n), v, n, n, n), identity(n), 20 * bound(dtype));
        Matrix scaled = v;
        for (std::int64_t k = 0; k < n * n; ++k) scaled[k] *= w[k % n];
        expect_near(product(matrix(x, i, n * n), v, n, n, n), scaled, 100 * bound(dtype));
      }
    }
}

TEST(LinearAlgebra, SingularValues) {
  for (DType dtype : {DType::F32, DType::F64})
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 5}, {5, 3}, {8, 8}, {9, 20}, {17, 4}})
      for (bool full : {true, false})
        for (bool deficient : {false, true}) {
          Tensor x = numbers(dtype, {2, rows, cols}, 2);
          if (deficient) x = ops::operator*(x, Tensor::scalar(dtype, 0));
          const Attrs attrs{{"full_matrices", full}};
          const std::vector<Tensor> got = run_on_device("svd", {x}, attrs),
                                    expected = apply_all("svd", std::vector{x}, attrs);
          const std::int64_t k = std::min(rows, cols), m = full ? rows : k, n = full ? cols : k;
          expect_near(values(got[1]), values(expected[1]), 20 * bound(dtype));
          for (std::int64_t i = 0; i < 2; ++i) {
            const Matrix u = matrix(got[0], i, rows * m), vh = matrix(got[2], i, n * cols), s = matrix(got[1], i, k);
            expect_near(product(transposed(u, rows, m), u, m, rows, m), identity(m), 20 * bound(dtype));
            expect_near(product(vh, transposed(vh, n, cols), n, cols, n), identity(n), 20 * bound(dtype));
            Matrix middle(m * n);
            for (std::int64_t j = 0; j < k; ++j) middle[j * n + j] = s[j];
            expect_near(product(product(u, middle, rows, m, n), vh, rows, n, cols), matrix(x, i, rows * cols),
                        50 * bound(dtype));
          }
        }
}

TEST(LinearAlgebra, SingularValuesAlone) {
  for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 5}, {9, 4}})
    expect_same("svd", {numbers(DType::F64, {2, rows, cols}, 2)}, {{"vectors", false}}, {1e-12, 1e-12});
}

TEST(LinearAlgebra, LeastSquares) {
  for (DType dtype : {DType::F32, DType::F64})
    for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 5}, {5, 3}, {8, 8}, {20, 9}})
      for (bool deficient : {false, true}) {
        Tensor a = numbers(dtype, {2, m, n}, 2);
        if (deficient) a = ops::matmul(numbers(dtype, {2, m, 1}, 3), numbers(dtype, {2, 1, n}, 4));
        expect_same("lstsq", {a, numbers(dtype, {2, m, 3}, 5)}, {{"rcond", 1e-5}},
                    {1e3 * bound(dtype), 1e3 * bound(dtype)});
      }
}

TEST(Fourier, Transforms) {
  for (DType dtype : {DType::F32, DType::F64})
    for (std::int64_t n : {1, 2, 3, 8, 12, 30, 61, 128}) {
      const Tolerance near{0, bound(dtype) * n};
      const Tensor x = numbers(dtype, {3, n, 2}, 1), y = numbers(dtype, {3, n, 2}, 2);
      expect_same("fft", {x, y}, {{"axis", std::int64_t{1}}}, near);
      expect_same("rfft", {numbers(dtype, {3, n}, 3)}, {}, near);
      expect_same("irfft", {numbers(dtype, {3, n / 2 + 1}, 4), numbers(dtype, {3, n / 2 + 1}, 5)}, {{"length", n}},
                  near);
      expect_same("stft", {numbers(dtype, {2, 2 * n + 7}, 6), numbers(dtype, {n}, 7)}, {{"step", std::int64_t{3}}},
                  {0, 3 * near.absolute});
    }
}

TEST(LinearAlgebra, Eigenvalues) {
  using Complex = std::complex<double>;
  for (DType dtype : {DType::F32, DType::F64})
    for (std::int64_t n : {1, 2, 3, 6, 13}) {
      const Tensor x = numbers(dtype, {2, n, n}, 3);
      const std::vector<Tensor> got = run_on_device("eig", {x});
      for (std::int64_t m = 0; m < 2; ++m) {
        const Matrix a = matrix(x, m, n * n), w_re = matrix(got[0], m, n), w_im = matrix(got[1], m, n);
        const Matrix v_re = matrix(got[2], m, n * n), v_im = matrix(got[3], m, n * n);
        double trace = 0, sum = 0;
        for (std::int64_t j = 0; j < n; ++j) {
          trace += a[j * n + j];
          sum += w_re[j];
          double length = 0;
          for (std::int64_t i = 0; i < n; ++i) {
            Complex left = 0;
            for (std::int64_t k = 0; k < n; ++k) left += a[i * n + k] * Complex(v_re[k * n + j], v_im[k * n + j]);
            const Complex right = Complex(w_re[j], w_im[j]) * Complex(v_re[i * n + j], v_im[i * n + j]);
            ASSERT_LT(std::abs(left - right), 100 * bound(dtype));
            length += std::norm(Complex(v_re[i * n + j], v_im[i * n + j]));
          }
          ASSERT_NEAR(length, 1, 10 * bound(dtype));
        }
        ASSERT_NEAR(trace, sum, 100 * bound(dtype));
      }
    }
}

Tensor definite(DType dtype, std::int64_t n) {
  const Tensor x = numbers(dtype, {2, n, n}, 4);
  return ops::operator+(ops::matmul(x, ops::transpose(x, {0, 2, 1})),
                        ops::cast(Tensor::from<double>(identity(n), {1, n, n}), dtype));
}

TEST(LinearAlgebra, Factors) {
  for (DType dtype : {DType::F32, DType::F64}) {
    const Tolerance near{100 * bound(dtype), 100 * bound(dtype)};
    for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 4}, {4, 1}, {3, 5}, {5, 3}, {21, 21}}) {
      expect_same("lu", {numbers(dtype, {2, m, n}, 5)}, {}, near);
      for (bool complete : {false, true})
        expect_same("qr", {numbers(dtype, {2, m, n}, 6)}, {{"complete", complete}}, near);
    }
    expect_same("lu", {ops::operator*(numbers(dtype, {2, 3, 3}, 5), Tensor::scalar(dtype, 0))}, {}, near);
    for (std::int64_t n : {1, 2, 8, 21}) {
      expect_same("cholesky", {definite(dtype, n)}, {}, near);
      expect_same("cholesky", {ops::operator*(definite(dtype, n), Tensor::scalar(dtype, -1))}, {}, near);
      for (bool lower : {false, true})
        for (bool transpose : {false, true})
          for (bool unit_diagonal : {false, true})
            expect_same("triangular_solve", {definite(dtype, n), numbers(dtype, {2, n, 3}, 7)},
                        {{"lower", lower}, {"transpose", transpose}, {"unit_diagonal", unit_diagonal}}, near);
    }
  }
}

}  // namespace
}  // namespace dlcore
