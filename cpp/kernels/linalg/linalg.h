// Decompositions of small dense matrices, in double. Each works on one matrix; all matrices are row-major.
#pragma once

#include <complex>
#include <cstdint>

namespace dlcore {

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
