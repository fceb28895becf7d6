// Decompositions of matrices in double, as kernels/linalg/linalg.h and ops/linear_algebra.cpp have them: one block per
// matrix, whose threads share every rotation and reflection. For many small matrices, and single ones of a few hundred
// rows. x, w, v, ... are float or double; everything else is scratch.
//   eigh  Jacobi's method, the pairs of a round disjoint (Brent & Luk 1985)
//   svd   rows turned in pairs until all are orthogonal (Hestenes 1958), in the same rounds
//   eig   Householder's reduction to Hessenberg form, QR with Wilkinson's shifts on complex numbers (Francis 1961)
//   lstsq  by the singular values
//   cholesky, lu, triangular_solve, qr  a column at a time
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "dlcore/dtype.h"

namespace dlcore::cuda {

/// x [count,n,n] symmetric; w [count,n] ascending, v [count,n,n]: eigenvectors as columns.
std::size_t eigh_scratch_bytes(std::int64_t count, std::int64_t n);
void eigh(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* w, void* v,
          void* scratch);

/// x [count,rows,cols]; with K = min(rows, cols): u [count,rows,rows or K], s [count,K] descending, vh [count,cols or
/// K,cols]. u and vh may be null together.
std::size_t svd_scratch_bytes(std::int64_t count, std::int64_t rows, std::int64_t cols, bool full);
void svd(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t rows, std::int64_t cols, bool full,
         const void* x, void* u, void* s, void* vh, void* scratch);

/// a [count,m,n], b [count,m,columns], x [count,n,columns]; by the singular values of a.
std::size_t lstsq_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t columns);
void lstsq(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t columns,
           double rcond, const void* a, const void* b, void* x, void* scratch);

/// Real and imaginary parts of eigenvalues [count,n] and eigenvectors [count,n,n], columns.
std::size_t eig_scratch_bytes(std::int64_t count, std::int64_t n);
void eig(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* w_re, void* w_im,
         void* v_re, void* v_im, void* scratch);

/// x [count,n,n], of which the lower triangle is read; lower [count,n,n].
std::size_t cholesky_scratch_bytes(std::int64_t count, std::int64_t n);
void cholesky(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, const void* x, void* lower,
              void* scratch);

/// x, lu [count,m,n]; pivots [count,min(m, n)]; order [count,m].
std::size_t lu_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n);
void lu(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, const void* x, void* lu,
        std::int32_t* pivots, std::int32_t* order, void* scratch);

struct TriangularSolve {
  bool lower, transpose, unit_diagonal;
};
/// a [count,n,n]; b, x [count,n,columns].
std::size_t triangular_solve_scratch_bytes(std::int64_t count, std::int64_t n, std::int64_t columns);
void triangular_solve(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t n, std::int64_t columns,
                      TriangularSolve how, const void* a, const void* b, void* x, void* scratch);

/// x [count,m,n]; q [count,m,kept], r [count,kept,n]; min(m, n) <= kept <= m.
std::size_t qr_scratch_bytes(std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t kept);
void qr(cudaStream_t stream, DType dtype, std::int64_t count, std::int64_t m, std::int64_t n, std::int64_t kept,
        const void* x, void* q, void* r, void* scratch);

}  // namespace dlcore::cuda
