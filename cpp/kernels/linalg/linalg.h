// Decompositions of small dense matrices, in double. Each works on one matrix; all matrices are row-major.
#pragma once

#include <complex>
#include <cstdint>

#include "base/isa.h"

namespace dlcore {

struct LinalgKernels {
  /// c[i, j] -= sum_p a(i, p) b[p, j]; c [m,n], b [k,n] and a [m,k] are parts of matrices: a(i, p) is
  /// a[i * a_row + p * a_column].
  void (*subtract_product)(std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t a_row,
                           std::int64_t a_column, const double* b, std::int64_t b_row, double* c, std::int64_t c_row);
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

/// Symmetric a = v^T diag(w) v with w ascending and orthonormal rows of v: the rows are the eigenvectors.
/// a [n,n], overwritten.  w [n], v [n,n], overwritten.  scratch: 2 n doubles.
/// Householder's reduction to a tridiagonal matrix, then QL with implicit shifts (Dubrulle, Martin & Wilkinson 1968).
void eigh(std::int64_t n, double* a, double* w, double* v, double* scratch);

/// The singular values of a [rows, n], and both sides as rows: a = sum_i s[i] v[i]^T u[i], s descending.
/// a [rows, n] with rows <= n: on return its row i is u[i], orthonormal, also where s[i] is 0.
/// s [rows], v [rows, rows] (row i is v[i]), overwritten.  scratch: rows doubles.
/// Rows are turned in pairs until all are orthogonal (Hestenes 1958).
void svd(std::int64_t rows, std::int64_t n, double* a, double* s, double* v, double* scratch);

/// Fills rows [have, want) of q [want, n] so that all rows are orthonormal; the first `have` are.
void complete_rows(std::int64_t have, std::int64_t want, std::int64_t n, double* q);

/// Eigenvalues w [n] and eigenvectors, the columns of v [n,n], of any square matrix a [n,n], which is overwritten.
/// Each eigenvector has norm 1, and its largest element is real and positive.
/// scratch: 2 n complex numbers.  Reduction to Hessenberg form by Householder's reflections, then QR with Wilkinson's
/// shifts on complex numbers (Francis 1961; Wilkinson 1965).
void eig(std::int64_t n, std::complex<double>* a, std::complex<double>* w, std::complex<double>* v,
         std::complex<double>* scratch);

}  // namespace dlcore
