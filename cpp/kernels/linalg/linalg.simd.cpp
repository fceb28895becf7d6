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
    for (int p = 0; p < Steps; ++p) factor[i][p] = -a[i * a_row + p * a_column];
  std::int64_t j = 0;
  for (; j + kLanes64 <= n; j += kLanes64) {
    f64v sum[Rows];
    for (int i = 0; i < Rows; ++i) sum[i] = load(c + i * c_row + j);
    for (int p = 0; p < Steps; ++p) {
      const f64v x = load(b + p * b_row + j);
      for (int i = 0; i < Rows; ++i) sum[i] = fma(broadcast(factor[i][p]), x, sum[i]);
    }
    for (int i = 0; i < Rows; ++i) store(c + i * c_row + j, sum[i]);
  }
  for (; j < n; ++j)
    for (int i = 0; i < Rows; ++i) {
      double sum = c[i * c_row + j];
      for (int p = 0; p < Steps; ++p) sum += factor[i][p] * b[p * b_row + j];
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

/// Rows i < Rows of `multiply_rows`.
template <int Rows>
void multiply_tile(std::int64_t n, const double* a, std::int64_t a_row, const double* x, double* y) {
  f64v sum[Rows]{}, other[Rows]{};
  std::int64_t j = 0;
  for (; j + 2 * kLanes64 <= n; j += 2 * kLanes64) {
    const f64v left = load(x + j), right = load(x + j + kLanes64);
    for (int i = 0; i < Rows; ++i) {
      sum[i] = fma(load(a + i * a_row + j), left, sum[i]);
      other[i] = fma(load(a + i * a_row + j + kLanes64), right, other[i]);
    }
  }
  for (; j < n; j += kLanes64) {
    const int count = static_cast<int>(min_of<std::int64_t>(kLanes64, n - j));
    const f64v left = load_partial(x + j, count);
    for (int i = 0; i < Rows; ++i) sum[i] = fma(load_partial(a + i * a_row + j, count), left, sum[i]);
  }
  for (int i = 0; i < Rows; ++i) y[i] = reduce_add<double>(sum[i] + other[i]);
}

void multiply_rows(std::int64_t m, std::int64_t n, const double* a, std::int64_t a_row, const double* x, double* y) {
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) multiply_tile<4>(n, a + i * a_row, a_row, x, y + i);
  for (; i < m; ++i) multiply_tile<1>(n, a + i * a_row, a_row, x, y + i);
}

/// Rows i < Rows of `update_rows`.
template <int Rows>
void update_tile(std::int64_t n, double* a, std::int64_t a_row, const RankTwo& by, std::int64_t row, const double* w,
                 double* sums) {
  f64v u[Rows], x[Rows], weight[Rows];
  for (int i = 0; i < Rows; ++i) {
    u[i] = broadcast(-by.u[row + i]);
    x[i] = broadcast(-by.x[row + i]);
    weight[i] = broadcast(w[row + i]);
  }
  const auto block = [&](std::int64_t j, auto get, auto put) {
    const f64v y = get(by.y + j), v = get(by.v + j);
    f64v sum = get(sums + j);
    for (int i = 0; i < Rows; ++i) {
      const f64v changed = fma(x[i], v, fma(u[i], y, get(a + i * a_row + j)));
      sum = fma(weight[i], changed, sum);
      put(a + i * a_row + j, changed);
    }
    put(sums + j, sum);
  };
  std::int64_t j = 0;
  for (; j + kLanes64 <= n; j += kLanes64)
    block(
        j, [](const double* p) { return load(p); }, [](double* p, f64v y) { store(p, y); });
  if (const int rest = static_cast<int>(n - j); rest > 0)
    block(
        j, [=](const double* p) { return load_partial(p, rest); },
        [=](double* p, f64v y) { store_partial(p, y, rest); });
}

void update_rows(std::int64_t m, std::int64_t n, double* a, std::int64_t a_row, const RankTwo& by, const double* w,
                 double* sums) {
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) update_tile<4>(n, a + i * a_row, a_row, by, i, w, sums);
  for (; i < m; ++i) update_tile<1>(n, a + i * a_row, a_row, by, i, w, sums);
}

/// The lower row of a rotation is the upper one of the next and stays in registers.
void turn_rows(std::int64_t sweeps, const Sweep* sweep, double* x) {
  constexpr int kVectors = kStripColumns / kLanes64;
  for (std::int64_t k = 0; k < sweeps; ++k) {
    double* row = x + sweep[k].first * kStripColumns;
    const double* turns = sweep[k].turns;
    f64v upper[kVectors];
    for (int j = 0; j < kVectors; ++j) upper[j] = load(row + j * kLanes64);
    for (std::int64_t i = 0; i < sweep[k].count; ++i, row += kStripColumns) {
      const f64v c = broadcast(turns[2 * i]), s = broadcast(turns[2 * i + 1]);
      for (int j = 0; j < kVectors; ++j) {
        const f64v lower = load(row + kStripColumns + j * kLanes64);
        store(row + j * kLanes64, fma(c, upper[j], s * lower));
        upper[j] = fma(-s, upper[j], c * lower);
      }
    }
    for (int j = 0; j < kVectors; ++j) store(row + j * kLanes64, upper[j]);
  }
}

}  // namespace

constexpr LinalgKernels linalg_kernels_table = {subtract_product, multiply_rows, update_rows, turn_rows};

}  // namespace dlcore::DLCORE_ISA
