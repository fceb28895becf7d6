/// Matrix product:  C[m,n] = act( op(A)[m,k] * op(B)[k,n] + bias[n] )            T = float, double or Bfloat
///                  C[m,n] = act( C + op(A) * op(B) + bias )                     with shape.accumulate
///
/// A  stored [m,k] (transpose_a: [k,m]), rows lda elements apart, read.
/// B  stored [k,n] (transpose_b: [n,k]), rows ldb apart, read; or packed once by gemm_pack_b (shape.packed_b).
/// C  [m,n], rows ldc apart, overwritten; without accumulate it is never read, so it may hold NaN. Overlaps no operand.
/// bias  [n] or null.  act  applied last.  No pointer needs any alignment.
/// scratch: plan.scratch_bytes bytes, 64-byte aligned; null when that is 0.
/// m, n, k may be 0: k = 0 gives act(bias).
/// Bfloat: only where gemm_bfloat_kernels() is not null, and without accumulate. Everything is summed up in float32 and
/// rounded once, to nearest even; denormals count as zero. Odd strides and offsets of rows are welcome.
///
/// Algorithm: five loops around a register tile of mr x nr over packed panels (Goto & van de Geijn 2008; Van Zee & van
/// de Geijn 2015). Operands that would not be read often enough to pay for packing are read where they are. A product
/// of few elements and many k is cut along k, and the partial sums are added in order. A product of few rows with a
/// large B stored [n,k] is computed as its transpose, which reads B where it is. All of this is decided by the shape,
/// the instruction set and the cache sizes: results have the same bits for any number of threads.
///
/// Where the processor has a matrix unit, products of some size go through it (amx.h), and what follows of plans holds
/// for the others.
///
/// Zeros are left out where an operand has so many that this takes less time, as behind relu or dropout, in gradients
/// that went through them, in one-hot rows (sparse.h). Each product looks at a sample of its operands first. NaN and
/// infinity reach C all the same.
///
/// Plan once (plan_gemm), run many times (gemm):
///
///   const GemmPlan plan = plan_gemm<float>({.m = 32, .n = 10, .k = 128, .lda = 128, .ldb = 10, .ldc = 10});
///   gemm(plan, a, b, c, {.bias = bias, .activation = Activation::Relu}, scratch);
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "kernels/activation.h"
#include "kernels/float16.h"

namespace dlcore {

struct GemmShape {
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldc;
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;
  bool packed_b = false;      // B comes from gemm_pack_b; ldb is not used
  bool packed_tiles = false;  // and that in tiles of the matrix unit (gemm_packs_tiles)
};

/// The shape of densely stored operands.
GemmShape dense_gemm(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a = false,
                     bool transpose_b = false);

template <class T>
struct GemmEpilogue {
  const T* bias = nullptr;
  Activation activation = Activation::None;
};

/// Where an operand is packed: read where it is stored; by each task for itself, a part at a time; or once for all
/// tasks.
enum class Pack { No, PerTask, Once };

/// How a product is computed where op(A) has many zeros (sparse.h); all sizes in elements.
struct SparseGemmPlan {
  GemmShape shape;       // of C; of C^T = op(B)^T op(A)^T, whose rows and columns the others mean, when swapped
  bool swapped;          // the zeros of B are left out
  std::int64_t ldc;      // of C
  double most_nonzeros;  // the share of nonzero elements up to which it takes less time; negative: none does
  int tile;              // columns that are summed at a time
  std::int64_t k_block;  // k of a tile's panel of B, which stays in L1; a multiple of kMaskBits
  std::int64_t block_m, block_n;  // one task's part of C
  std::int64_t k_split;           // k of one partial product, a multiple of kMaskBits; k when the sum is not cut
  bool far;                       // C is beyond L2
  int workers;
  double cost;                                                       // as the dense product's
  std::size_t rooms_offset, room_bytes, sums_offset, scratch_bytes;  // in scratch, bytes
};

/// How a product is computed on the matrix unit (amx.h); all sizes in elements.
struct AmxGemmPlan {
  GemmShape shape;
  bool runs;                        // instead of the other
  double cost;                      // estimated nanoseconds on one thread
  std::int64_t block_m, block_n;    // one task's part of C
  std::int64_t splits;              // partial sums of each element of C
  std::int64_t n_packed, k_packed;  // columns of B and, for each partial sum, k that are packed at a time
  Pack pack_b;
  int workers;
  std::size_t b_bytes;  // of the columns of one partial sum that are packed for all tasks
  std::size_t rooms_offset, room_bytes, b_in_room, sums_offset, sums_bytes, scratch_bytes;  // places and sizes, bytes
};

/// How one product is cut; all sizes in units: elements, along k pairs of 16-bit ones.
struct GemmPlan {
  GemmShape shape;                  // of what the loops compute: C, or its transpose op(B)^T op(A)^T, when swapped
  bool pairs;                       // a unit of k is two elements, the last one perhaps alone
  std::int64_t k;                   // units in shape.k
  bool swapped;                     // the result is transposed into C
  std::int64_t ldc;                 // of C
  int mr, nr;                       // register tile: mr rows (at most the instruction set's), nr columns
  std::int64_t kc;                  // k of one pass over the register tiles
  std::int64_t mc;                  // rows of one pass: what they read of A stays in L2, beside a panel of B
  std::int64_t k_packed;            // k that is packed at a time: a multiple of kc, or all of it
  std::int64_t m_packed, n_packed;  // rows of A and columns of B that are packed at a time
  std::int64_t block_m, block_n;    // one task's part of C
  std::int64_t k_split;             // k of one partial product; k when the sum is not cut
  Pack pack_a, pack_b;
  bool fetch_ahead;  // rows of A and C pass by once, from beyond L2: those of the next register tile are fetched early
  double cost;       // estimated nanoseconds on one thread
  std::size_t a_offset, b_offset, panel_offset, sums_offset, split_bytes;  // places in scratch, bytes
  std::size_t transposed_offset;                                           // of C^T, or rooms for parts of it
  std::int64_t m_transposed;  // rows of C^T that a task transposes at a time; 0: all of them are, in the end
  int workers;                // that have such a room
  std::size_t scratch_bytes;
  SparseGemmPlan skip_a, skip_b;  // of a product that leaves out zeros of A or of B; never of pairs
  AmxGemmPlan amx;                // of the product on the matrix unit
};

template <class T>
GemmPlan plan_gemm(const GemmShape& shape);
/// The pure function behind it, for any machine; two bytes are Bfloat's.
GemmPlan plan_gemm(const GemmShape& shape, std::size_t element_bytes, Isa isa, const CacheSizes& caches);

template <class T>
void gemm(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, void* scratch);

/// Packing op(B) once for many products whose plans have shape.packed_b. `shape` gives k, n, ldb, transpose_b and
/// packed_tiles.
/// Such products of some size take less time in tiles, where there is a matrix unit: for shape.packed_tiles.
template <class T>
bool gemm_packs_tiles(const GemmShape& shape);
template <class T>
std::size_t gemm_packed_b_bytes(const GemmShape& shape);
template <class T>
void gemm_pack_b(const GemmShape& shape, const T* b, T* packed);
/// Whether the product takes less time with a B that is packed already; what the packing takes is not counted.
template <class T>
bool gemm_gains_from_packed_b(const GemmShape& shape);

/// "gemm_f32_14x32_avx512", "gemm_f32_amx"
template <class T>
std::string gemm_label(const GemmPlan& plan);

/// The entry points compiled per instruction set; used through the functions above.
template <class T>
struct GemmEntries {
  void (*gemm)(const GemmPlan&, const T* a, const T* b, T* c, const GemmEpilogue<T>&, void* scratch);
  void (*pack_b)(const GemmShape&, const T* b, T* packed);
};
struct GemmKernels {
  GemmEntries<float> f32;
  GemmEntries<double> f64;
};
const GemmKernels& gemm_kernels();
/// Null where the processor has no instructions for it, or DLCORE_MAX_ISA forbids them.
const GemmEntries<Bfloat>* gemm_bfloat_kernels();

}  // namespace dlcore
