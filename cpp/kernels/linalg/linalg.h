// Decompositions of dense matrices, in double. Each works on one matrix; all matrices are row-major. Work on one large
// matrix is shared out to threads, by strips of columns.
#pragma once

#include <complex>
#include <cstdint>

#include "base/isa.h"

namespace dlcore {

/// The rotations of rows first + i and first + i + 1, i = 0 .. count - 1, one after the other:
/// (upper, lower) <- (c upper + s lower, c lower - s upper) with turns = {c, s} of each.
struct Sweep {
  std::int64_t first, count;
  const double* turns;
};

/// Matrices whose rows are turned lie in strips of so many columns, one behind the other: x [strips][rows][columns].
constexpr std::int64_t kStripColumns = 16;

/// u y^T + x v^T
struct RankTwo {
  const double *u, *y, *x, *v;
};

struct LinalgKernels {
  /// c[i, j] -= sum_p a(i, p) b[p, j]; c [m,n], b [k,n] and a [m,k] are parts of matrices: a(i, p) is
  /// a[i * a_row + p * a_column].
  void (*subtract_product)(std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t a_row,
                           std::int64_t a_column, const double* b, std::int64_t b_row, double* c, std::int64_t c_row);
  /// y[i] = sum_j a[i, j] x[j]; a [m,n] has rows a_row apart.
  void (*multiply_rows)(std::int64_t m, std::int64_t n, const double* a, std::int64_t a_row, const double* x,
                        double* y);
  /// a[i, j] -= u[i] y[j] + x[i] v[j], and of what a is then sums[j] += sum_i w[i] a[i, j]; a [m,n] has rows a_row
  /// apart. A reduction of a matrix reads and writes it once for each of its reflections.
  void (*update_rows)(std::int64_t m, std::int64_t n, double* a, std::int64_t a_row, const RankTwo& by, const double* w,
                      double* sums);
  /// Applies sweeps in order to a strip.
  void (*turn_rows)(std::int64_t sweeps, const Sweep* sweep, double* strip);
};
const LinalgKernels& linalg_kernels();

/// x [n,columns], of rows x_row apart, <- the y with a y = x. a(i, j) is a[i * a_row + j * a_column]; what is not in
/// its triangle, and the diagonal if that is all ones, is not read.
void triangular_solve(std::int64_t n, std::int64_t columns, const double* a, std::int64_t a_row, std::int64_t a_column,
                      bool lower, bool unit_diagonal, double* x, std::int64_t x_row);

/// The upper triangle of a positive definite a, of rows `row` apart, <- u with u^T u = a; NaN from the row on where a
/// is not. What is below the diagonal is not read.
void cholesky(std::int64_t n, double* a, std::int64_t row);

/// a [m,n] <- l (below the diagonal; ones on it) and u with rows `order` [m] of a = l u. Each column's pivot is its
/// greatest element: pivots [min(m, n)] tells the row that each row was exchanged with in its turn.
void lu(std::int64_t m, std::int64_t n, double* a, std::int32_t* pivots, std::int32_t* order);

/// a [m,n] = q r by Householder's reflections, min(m - 1, n) of them, in panels (Schreiber & Van Loan 1989). r is left
/// on and above the diagonal of a; q [m,kept], min(m, n) <= kept <= m.
std::int64_t qr_scratch(std::int64_t m, std::int64_t n, std::int64_t kept);
void qr(std::int64_t m, std::int64_t n, std::int64_t kept, double* a, double* q, double* scratch);

/// Of a square matrix in strips.
inline std::int64_t strip_doubles(std::int64_t n) {
  return n * ((n + kStripColumns - 1) / kStripColumns * kStripColumns);
}

/// to [n,n] <- the rows of x, in strips, in the order given, or those as columns.
template <class T>
void rows_from_strips(std::int64_t n, const double* x, const std::int64_t* order, T* to) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      to[i * n + j] = static_cast<T>(x[(j / kStripColumns * n + order[i]) * kStripColumns + j % kStripColumns]);
}
template <class T>
void columns_from_strips(std::int64_t n, const double* x, const std::int64_t* order, T* to) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double* column = x + j / kStripColumns * n * kStripColumns + j % kStripColumns;
    for (std::int64_t i = 0; i < n; ++i) to[j * n + i] = static_cast<T>(column[order[i] * kStripColumns]);
  }
}

/// Symmetric a = v^T diag(w) v with the eigenvectors as rows of v; order [n] sorts w and them, w ascending.
/// a [n,n], overwritten.  w [n], v strip_doubles(n), order [n], overwritten.  scratch: eigh_scratch(n) doubles.
/// All is NaN where a has elements that are not finite.
/// Householder's reduction to a tridiagonal matrix, then QR with implicit shifts (Dubrulle, Martin & Wilkinson 1968).
std::int64_t eigh_scratch(std::int64_t n);
void eigh(std::int64_t n, double* a, double* w, double* v, std::int64_t* order, double* scratch);

/// a = sum_i s[i] u[i]^T v[i] with orthonormal rows of u and v; order [n] sorts s and them, s descending.
/// a [n,n], overwritten.  s [n] >= 0, u, v strip_doubles(n), order [n], overwritten.  scratch: svd_scratch(n) doubles.
/// u and v may be null together: only s is found.  All is NaN where a has elements that are not finite.
/// Householder's reduction to a bidiagonal matrix, then QR with implicit shifts (Golub & Kahan 1965; Demmel & Kahan
/// 1990).
std::int64_t svd_scratch(std::int64_t n);
void svd(std::int64_t n, double* a, double* s, double* u, double* v, std::int64_t* order, double* scratch);

/// The x [n,columns] that makes |a x - b| least, of several the shortest. Singular values up to `rcond` times the
/// greatest count as 0. a [m,n], overwritten.  b [m,columns], overwritten.  scratch: lstsq_scratch(...) doubles.
/// By a QR decomposition of a or a^T; only where its triangular factor may be of lower rank that one's singular values
/// are looked at.
std::int64_t lstsq_scratch(std::int64_t m, std::int64_t n, std::int64_t columns);
void lstsq(std::int64_t m, std::int64_t n, std::int64_t columns, double rcond, double* a, double* b, double* x,
           double* scratch);

/// Eigenvalues w [n] and eigenvectors, the columns of v [n,n], of any square matrix a [n,n], which is overwritten, as t
/// [n,n] is. Each eigenvector has norm 1, and its largest element is real and positive. Complex eigenvalues come in
/// pairs. All is NaN where a has elements that are not finite.  scratch: eig_scratch(n) doubles.
/// Reduction to Hessenberg form by Householder's reflections, QR with pairs of shifts (Francis 1961), then on complex
/// numbers what is left.
std::int64_t eig_scratch(std::int64_t n);
void eig(std::int64_t n, double* a, std::complex<double>* w, std::complex<double>* v, std::complex<double>* t,
         double* scratch);

}  // namespace dlcore
