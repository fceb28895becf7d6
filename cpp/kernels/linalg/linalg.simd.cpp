#include "kernels/linalg/linalg.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

extern const LinalgKernels linalg_kernels_table;

namespace {

constexpr std::int64_t kLanes64 = kLanes<double>;

/// Rows i < Rows: c[i, j] -= sum_p a(i, p) b[p, j], p < Steps.
template <int Rows, int Steps>
void subtract_tile(std::int64_t n, const double* a, std::int64_t a_row, std::int64_t a_column, const double* b,
                   std::int64_t b_row, double* c, std::int64_t c_row) {
  double factor[Rows][Steps];
  for (int i = 0; i < Rows; ++i)
    for (int p = 0; p < Steps; ++p) factor[i][p] = a[i * a_row + p * a_column];
  std::int64_t j = 0;
  for (; j + kLanes64 <= n; j += kLanes64) {
    f64v sum[Rows];
    for (int i = 0; i < Rows; ++i) sum[i] = load(c + i * c_row + j);
    for (int p = 0; p < Steps; ++p) {
      const f64v x = load(b + p * b_row + j);
      for (int i = 0; i < Rows; ++i) sum[i] -= broadcast(factor[i][p]) * x;
    }
    for (int i = 0; i < Rows; ++i) store(c + i * c_row + j, sum[i]);
  }
  for (; j < n; ++j)
    for (int i = 0; i < Rows; ++i) {
      double sum = c[i * c_row + j];
      for (int p = 0; p < Steps; ++p) sum -= factor[i][p] * b[p * b_row + j];
      c[i * c_row + j] = sum;
    }
}

template <int Steps>
void subtract_steps(std::int64_t m, std::int64_t n, const double* a, std::int64_t a_row, std::int64_t a_column,
                    const double* b, std::int64_t b_row, double* c, std::int64_t c_row) {
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) subtract_tile<4, Steps>(n, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row);
  for (; i < m; ++i) subtract_tile<1, Steps>(n, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row);
}

/// Rows of b that stay in the first cache while all of c goes by.
void subtract_product(std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t a_row,
                      std::int64_t a_column, const double* b, std::int64_t b_row, double* c, std::int64_t c_row) {
  std::int64_t p = 0;
  for (; p + 8 <= k; p += 8) subtract_steps<8>(m, n, a + p * a_column, a_row, a_column, b + p * b_row, b_row, c, c_row);
  for (; p + 2 <= k; p += 2) subtract_steps<2>(m, n, a + p * a_column, a_row, a_column, b + p * b_row, b_row, c, c_row);
  if (p < k) subtract_steps<1>(m, n, a + p * a_column, a_row, a_column, b + p * b_row, b_row, c, c_row);
}

}  // namespace

constexpr LinalgKernels linalg_kernels_table = {subtract_product};

}  // namespace dlcore::DLCORE_ISA
