/// Products that leave out the zeros of one operand.
///
/// A row of sums stays in registers, as wide as a tile; for each nonzero element of the row of A, a multiple of a row
/// of B is added. Which elements these are is written down once, in bits. That a row of B is read for each of them, and
/// not once for many rows as in the dense product, is what a share of about a half of zeros must pay for first.
///
///   SparseTrain: Leveraging Dynamic Sparsity in Software for Training DNNs on General-Purpose SIMD Processors
///   (Gong et al. 2020)
///
/// The sum of each element runs over k in order. Where B has a NaN or an infinity, the zeros are multiplied too.
#pragma once

#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace dlcore {

inline constexpr std::int64_t kMaskBits = 64;

/// The rows of op(A) with k contiguous, and the bits of each: bit p % kMaskBits of masks[i * words + p / kMaskBits]
/// says whether element p of row i is not zero.
template <class T>
struct SparseRows {
  T* data;
  std::int64_t ld;
  std::uint64_t* masks;
  std::int64_t words;
};

/// op(B) [k, n]: stored [k, n] or (transposed) [n, k], rows ld apart, or packed by gemm_pack_b; k: all of it.
template <class T>
struct DenseOperand {
  const T* data;
  std::int64_t ld, k;
  bool transposed, packed;
};

/// Half open.
struct Range {
  std::int64_t begin, end;
};

/// C[rows, cols] (+)= A[rows, k] * B[k, cols], of whole operands the parts that the ranges name; c is where element
/// (rows.begin, cols.begin) belongs. k.begin is a multiple of kMaskBits. swapped: C^T is stored, c[j * ldc + i]. far:
/// C is beyond L2.
struct SparseBlock {
  Range rows, cols, k;
  int tile;
  std::int64_t k_block, ldc;
  bool swapped, accumulate;  // not both
  bool far = false;
};
/// Bytes of the room that a block of rows x cols needs while it is computed.
std::size_t sparse_room_bytes(std::size_t element_bytes, int tile, std::int64_t k_block, std::int64_t rows,
                              std::int64_t cols, bool swapped);

/// The shape of C^T = op(B)^T op(A)^T.
GemmShape swap_operands(const GemmShape& shape);

/// The plan of a product with the zeros of A left out, or of B (swapped), for any machine.
SparseGemmPlan plan_sparse_gemm(const GemmShape& shape, bool swapped, std::size_t element_bytes, Isa isa,
                                const CacheSizes& caches, double dense_cost);

/// The entry points compiled per instruction set, for float and double.
template <class T>
struct SparseEntries {
  /// The share of elements that are not zero, in a sample of x [rows, cols] with rows ld apart.
  double (*share_of_nonzeros)(const T* x, std::int64_t rows, std::int64_t cols, std::int64_t ld);
  /// Writes the masks of rows i and elements k, which begin at a multiple of kMaskBits, and the elements when x is
  /// transposed: stored [k, m] with rows ld apart. Otherwise they stay where they are, rows.data.
  void (*find_nonzeros)(const T* x, std::int64_t ld, bool transposed, Range i, Range k, const SparseRows<T>& rows);
  /// Computes a block and act(C + bias) of it; the bias is that of all of C. room: sparse_room_bytes.
  void (*multiply)(const SparseRows<T>& a, const DenseOperand<T>& b, const SparseBlock& block, T* c,
                   const GemmEpilogue<T>& epilogue, void* room);
  /// A row of C: act((c +) `count` partial sums of n elements, step apart + bias).
  void (*finish_row)(const T* partials, std::int64_t count, std::int64_t step, std::int64_t n, bool accumulate, T* c,
                     const GemmEpilogue<T>& epilogue);
};
struct SparseKernels {
  SparseEntries<float> f32;
  SparseEntries<double> f64;
};
const SparseKernels& sparse_kernels();
template <class T>
const SparseEntries<T>& sparse_entries();

/// The rows of A of a product, in this scratch; by all threads.
std::size_t sparse_rows_bytes(const GemmShape& shape, std::size_t element_bytes);
template <class T>
SparseRows<T> find_sparse_rows(const GemmShape& shape, const T* a, void* scratch);

/// The share of nonzero elements of what a plan leaves zeros out of, relative to the most that it is good for: below 1
/// it takes less time than the dense product.
template <class T>
double relative_share(const SparseGemmPlan& plan, const T* a, const T* b);

/// a and b as those of the dense product.
template <class T>
void sparse_gemm(const SparseGemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue,
                 void* scratch);

}  // namespace dlcore
