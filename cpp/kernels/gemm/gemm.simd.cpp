#include "kernels/gemm/gemm.h"

#include "base/parallel.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/gemv.simd.h"
#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {
namespace {

// The product over k in [k0, k1), whose results go to c.
template <class T>
struct Product {
  const GemmPlan& plan;
  const T *a, *b;
  T* c;
  std::int64_t ldc;
  std::int64_t k0, k1;
  bool accumulate;
  GemmEpilogue<T> epilogue;
  T *packed_a, *packed_b;  // room for the part of A and B that is packed at a time
  T* panels;               // room for a panel of B per task
};

// The part of A, B and C that one pass of packing serves, half open.
struct Part {
  std::int64_t i0, i1, j0, j1, p0, p1;
};

std::int64_t parts(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

// Where an operand is found from one row of A, or column of B, on: data[row * step + p * k_step].
template <class T>
struct View {
  const T* data;
  std::int64_t step, k_step;
};

template <class T>
View<T> a_view(const Product<T>& x, const Part& part, std::int64_t i, std::int64_t p) {
  const GemmShape& shape = x.plan.shape;
  if (x.plan.pack_a)
    return {x.packed_a + (i - part.i0) * (part.p1 - part.p0) + (p - part.p0) * x.plan.mr, 1, x.plan.mr};
  if (shape.transpose_a) return {x.a + p * shape.lda + i, 1, shape.lda};
  return {x.a + i * shape.lda + p, shape.lda, 1};
}

template <class T>
View<T> b_view(const Product<T>& x, const Part& part, std::int64_t p, std::int64_t j) {
  const GemmShape& shape = x.plan.shape;
  if (shape.packed_b) return {x.b + j * shape.k + p * kNr<T>, 1, kNr<T>};
  if (x.plan.pack_b == PackB::No) return {x.b + p * shape.ldb + j, 1, shape.ldb};
  return {x.packed_b + (j - part.j0) * (part.p1 - part.p0) + (p - part.p0) * kNr<T>, 1, kNr<T>};
}

// The first column of [j0, j1) whose panel the task packs for itself: all are, or, where a part of a vector can't be
// read cheaply, those of the last tile.
template <class T>
std::int64_t first_own_column(const GemmPlan& plan, std::int64_t j0, std::int64_t j1) {
  if (plan.shape.packed_b || plan.pack_b == PackB::Once) return j1;
  if (plan.pack_b == PackB::PerTask) return j0;
  const std::int64_t cols = j1 - j0;
  return kMaskedLoads || cols % kLanes<T> == 0 ? j1 : j0 + cols / kNr<T> * kNr<T>;
}

template <class T>
void pack_b_panel(const GemmShape& shape, const T* b, T* panel, std::int64_t j, std::int64_t p0, std::int64_t p1) {
  const int cols = static_cast<int>(min_of<std::int64_t>(kNr<T>, shape.n - j));
  const T* from = shape.transpose_b ? b + j * shape.ldb + p0 : b + p0 * shape.ldb + j;
  pack_panel(panel, kNr<T>, from, shape.ldb, shape.transpose_b, cols, p1 - p0);
}

template <class T>
void pack_a_panel(const Product<T>& x, const Part& part, std::int64_t i) {
  const GemmShape& shape = x.plan.shape;
  const int rows = static_cast<int>(min_of<std::int64_t>(x.plan.mr, part.i1 - i));
  const T* from = shape.transpose_a ? x.a + part.p0 * shape.lda + i : x.a + i * shape.lda + part.p0;
  T* panel = x.packed_a + (i - part.i0) * (part.p1 - part.p0);
  pack_panel(panel, x.plan.mr, from, shape.lda, !shape.transpose_a, rows, part.p1 - part.p0);
}

// Packs what the tasks of the part share; B only for the first rows that it serves.
template <class T>
void pack(const Product<T>& x, const Part& part) {
  const bool with_b = x.plan.pack_b == PackB::Once && part.i0 == 0;
  const std::int64_t b_panels = with_b ? parts(part.j1 - part.j0, kNr<T>) : 0;
  const std::int64_t a_panels = x.plan.pack_a ? parts(part.i1 - part.i0, x.plan.mr) : 0;
  if (a_panels + b_panels == 0) return;
  const std::int64_t k = part.p1 - part.p0;
  const double cost = 0.3 * static_cast<double>(k * (b_panels * kNr<T> + a_panels * x.plan.mr));
  parallel_for(a_panels + b_panels, cost, [&](std::int64_t panel) {
    if (panel < a_panels) return pack_a_panel(x, part, part.i0 + panel * x.plan.mr);
    const std::int64_t column = (panel - a_panels) * kNr<T>;
    pack_b_panel(x.plan.shape, x.b, x.packed_b + column * k, part.j0 + column, part.p0, part.p1);
  });
}

// Loop ir: rows [i0, i1) of A by columns [j, j + cols) of B, which `b` shows. next_b: the panel read after it, or null.
template <class T>
void compute_rows(const Product<T>& x, const Part& part, std::int64_t i0, std::int64_t i1, const View<T>& b,
                  std::int64_t j, int cols, std::int64_t p, std::int64_t kc, const T* next_b) {
  const int mr = x.plan.mr;
  const std::int64_t tiles = parts(i1 - i0, mr), fetches = kc * (kNr<T> / kFetched<T>);
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t i = i0 + t * mr;
    const int rows = static_cast<int>(min_of<std::int64_t>(mr, i1 - i));
    const View<T> a = a_view(x, part, i, p);
    T* c = x.c + i * x.ldc + j;
    const Ahead<T> ahead{a_view(x, part, t + 1 < tiles ? i + mr : i0, p).data,
                         next_b ? next_b + min_of(t * fetches / tiles, fetches - kc) * kFetched<T> : nullptr};
    gemm_ukernel<T>(rows, cols, kc, a.data, a.step, a.k_step, b.data, b.k_step, c, x.ldc, x.accumulate || p > x.k0,
                    ahead);
    if (p + kc == x.k1)
      apply_epilogue<T>(c, x.ldc, rows, cols, x.epilogue.bias ? x.epilogue.bias + j : nullptr, x.epilogue.activation);
  }
}

// Rows [i0, i1) and columns [j0, j1) of C, half open.
struct Block {
  std::int64_t i0, i1, j0, j1;
};

// Columns of the next tile; a packed panel has no more than kNr.
template <class T>
int next_columns(const GemmPlan& plan, std::int64_t cols) {
  const bool packed = plan.shape.packed_b || plan.pack_b != PackB::No;
  return packed ? static_cast<int>(min_of<std::int64_t>(kNr<T>, cols)) : tile_columns<T>(plan.mr, cols);
}

// Fetches what the register tile below row i, columns from j on, will write, and of A what it will read first. Inline,
// or GCC drops it as a function without effect.
template <class T>
DLCORE_INLINE void fetch_rows(const Product<T>& x, std::int64_t i, const Block& block, std::int64_t j, std::int64_t p,
                              std::int64_t kc) {
  constexpr std::int64_t kLine = kCacheLine / sizeof(T);
  const GemmShape& shape = x.plan.shape;
  const bool reads_a = j == block.j0 && !shape.transpose_a && !x.plan.pack_a;
  for (std::int64_t row = i + x.plan.mr; row < min_of(i + 2 * x.plan.mr, block.i1); ++row) {
    __builtin_prefetch(x.c + row * x.ldc + j, 1);
    if (!reads_a) continue;
    for (std::int64_t q = p; q < p + kc; q += kLine) __builtin_prefetch(x.a + row * shape.lda + q);
  }
}

// Loops ic and jr over tiles whose columns of B are ready to read: mc rows of A and a panel of B stay in L2.
template <class T>
void compute_tiles(const Product<T>& x, const Part& part, const Block& block, std::int64_t p, std::int64_t kc) {
  for (std::int64_t ic = block.i0; ic < block.i1; ic += x.plan.mc) {
    const std::int64_t end = min_of(ic + x.plan.mc, block.i1);
    for (std::int64_t j = block.j0; j < block.j1;) {
      const int cols = next_columns<T>(x.plan, block.j1 - j);
      const View<T> b = b_view(x, part, p, j);
      if (x.plan.fetch_ahead) fetch_rows(x, ic, block, j, p, kc);
      const std::int64_t next = j + cols;
      compute_rows(x, part, ic, end, b, j, cols, p, kc, next < block.j1 ? b_view(x, part, p, next).data : nullptr);
      j = next;
    }
  }
}

// A block of a product of one row whose B is read where it is stored.
template <class T>
void compute_row(const Product<T>& x, const Part& part, std::int64_t j0, std::int64_t j1) {
  const GemmShape& shape = x.plan.shape;
  const std::int64_t a_step = shape.transpose_a ? shape.lda : 1;
  gemv(part.p1 - part.p0, x.a + part.p0 * a_step, a_step, x.b + part.p0 * shape.ldb + j0, shape.ldb, x.c + j0, j1 - j0,
       x.accumulate || part.p0 > x.k0);
  if (part.p1 == x.k1)
    apply_epilogue<T>(x.c + j0, 0, 1, j1 - j0, x.epilogue.bias ? x.epilogue.bias + j0 : nullptr, x.epilogue.activation);
}

// Loop pc; `panel` has room for one panel of B.
template <class T>
void compute_block(const Product<T>& x, const Part& part, const Block& block, T* panel) {
  if (x.plan.shape.m == 1 && x.plan.pack_b == PackB::No && !x.plan.shape.packed_b)
    return compute_row(x, part, block.j0, block.j1);
  const std::int64_t own = first_own_column<T>(x.plan, block.j0, block.j1);
  std::int64_t p = part.p0;
  do {  // also once for k = 0
    const std::int64_t kc = min_of(x.plan.kc, part.p1 - p);
    compute_tiles(x, part, {block.i0, block.i1, block.j0, own}, p, kc);
    for (std::int64_t j = own; j < block.j1; j += kNr<T>) {
      const int cols = static_cast<int>(min_of<std::int64_t>(kNr<T>, block.j1 - j));
      pack_b_panel(x.plan.shape, x.b, panel, j, p, p + kc);
      compute_rows<T>(x, part, block.i0, block.i1, {panel, 1, kNr<T>}, j, cols, p, kc, nullptr);
    }
    p += kc;
  } while (p < part.p1);
}

template <class T>
void compute(const Product<T>& x, const Part& part) {
  const GemmPlan& plan = x.plan;
  const std::int64_t rows = part.i1 - part.i0, cols = part.j1 - part.j0;
  const std::int64_t column_blocks = parts(cols, plan.block_n);
  const double share = static_cast<double>(rows * cols) / static_cast<double>(plan.shape.m * plan.shape.n) *
                       static_cast<double>(part.p1 - part.p0 + 1) / static_cast<double>(plan.shape.k + 1);
  parallel_for(parts(rows, plan.block_m) * column_blocks, plan.cost * share, [&](std::int64_t block) {
    const std::int64_t i = part.i0 + block / column_blocks * plan.block_m;
    const std::int64_t j = part.j0 + block % column_blocks * plan.block_n;
    compute_block(x, part, Block{i, min_of(i + plan.block_m, part.i1), j, min_of(j + plan.block_n, part.j1)},
                  x.panels + block * plan.kc * kNr<T>);
  });
}

// Loops jc, pc, ic.
template <class T>
void compute_product(const Product<T>& x) {
  const GemmPlan& plan = x.plan;
  const std::int64_t m = plan.shape.m, n = plan.shape.n;
  for (std::int64_t j = 0; j < n; j += plan.n_packed) {
    std::int64_t p = x.k0;
    do {
      const std::int64_t p1 = min_of(p + plan.k_packed, x.k1);
      for (std::int64_t i = 0; i < m; i += plan.m_packed) {
        const Part part{i, min_of(i + plan.m_packed, m), j, min_of(j + plan.n_packed, n), p, p1};
        pack(x, part);
        compute(x, part);
      }
      p = p1;
    } while (p < x.k1);
  }
}

// c[i, :] = (c[i, :] +) the sum of the partial products' rows i, in order.
template <class T>
void add_partials(const GemmPlan& plan, const char* first, std::int64_t count, std::int64_t i, T* c) {
  const std::int64_t n = plan.shape.n;
  for (std::int64_t j = 0; j < n; j += kLanes<T>) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kLanes<T>, n - j));
    vec<T> sum = plan.shape.accumulate ? load_partial(c + j, lanes) : vec<T>{};
    for (std::int64_t s = 0; s < count; ++s)
      sum += load_partial(reinterpret_cast<const T*>(first + s * plan.split_bytes) + i * n + j, lanes);
    store_partial(c + j, sum, lanes);
  }
}

// The whole product, or k in [k0, k1) of it, with its part of the scratch.
template <class T>
Product<T> product(const GemmPlan& plan, const T* a, const T* b, T* c, std::int64_t ldc, char* scratch) {
  return {plan,
          a,
          b,
          c,
          ldc,
          0,
          plan.shape.k,
          plan.shape.accumulate,
          {},
          reinterpret_cast<T*>(scratch + plan.a_offset),
          reinterpret_cast<T*>(scratch + plan.b_offset),
          reinterpret_cast<T*>(scratch + plan.panel_offset)};
}

template <class T>
void gemm_split(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, char* scratch) {
  const std::int64_t m = plan.shape.m, n = plan.shape.n, k = plan.shape.k;
  const std::int64_t splits = parts(k, plan.k_split);
  parallel_for(splits, plan.cost, [&](std::int64_t s) {
    char* own = scratch + s * plan.split_bytes;
    Product<T> partial = product(plan, a, b, reinterpret_cast<T*>(own + plan.partial_offset), n, own);
    partial.k0 = s * plan.k_split;
    partial.k1 = min_of(partial.k0 + plan.k_split, k);
    partial.accumulate = false;
    compute_product(partial);
  });
  parallel_for(m, 0.1 * static_cast<double>(m * n * splits), [&](std::int64_t i) {
    add_partials(plan, scratch + plan.partial_offset, splits, i, c + i * plan.shape.ldc);
    apply_epilogue<T>(c + i * plan.shape.ldc, 0, 1, n, epilogue.bias, epilogue.activation);
  });
}

template <class T>
void gemm_as_planned(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, char* bytes) {
  if (plan.k_split < plan.shape.k) return gemm_split(plan, a, b, c, epilogue, bytes);
  Product<T> whole = product(plan, a, b, c, plan.shape.ldc, bytes);
  whole.epilogue = epilogue;
  compute_product(whole);
}

// c[i, j] = x[j, i] for i < rows and j < cols; x has `rows` columns.
template <class T>
void store_transposed(const T* x, std::int64_t rows, std::int64_t cols, T* c, std::int64_t ldc) {
  constexpr int kWidth = kLanes<T>;
  for (std::int64_t i = 0; i < rows; i += kWidth) {
    const int height = static_cast<int>(min_of<std::int64_t>(kWidth, rows - i));
    for (std::int64_t j = 0; j < cols; j += kWidth) {
      const int width = static_cast<int>(min_of<std::int64_t>(kWidth, cols - j));
      vec<T> square[kWidth];
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r) {
        const T* from = x + (j + r) * rows + i;
        square[r] = r >= width ? vec<T>{} : height == kWidth ? load(from) : load_partial(from, height);
      }
      transpose<T>(square);
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r)
        if (r < height) store_partial(c + (i + r) * ldc + j, square[r], width);
    }
  }
}

// C^T in scratch, then block by block into C.
template <class T>
void gemm_swapped(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, char* bytes) {
  constexpr std::int64_t kBlock = 256;
  const std::int64_t rows = plan.shape.n, cols = plan.shape.m;
  T* const transposed = reinterpret_cast<T*>(bytes + plan.transposed_offset);
  gemm_as_planned<T>(plan, b, a, transposed, {}, bytes);
  parallel_for(parts(cols, kBlock), 0.2 * static_cast<double>(rows * cols), [&](std::int64_t block) {
    const std::int64_t j = block * kBlock, width = min_of(kBlock, cols - j);
    store_transposed(transposed + j * rows, rows, width, c + j, plan.ldc);
    apply_epilogue<T>(c + j, plan.ldc, rows, width, epilogue.bias ? epilogue.bias + j : nullptr, epilogue.activation);
  });
}

template <class T>
void gemm(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, void* scratch) {
  char* bytes = static_cast<char*>(scratch);
  if (plan.swapped) return gemm_swapped(plan, a, b, c, epilogue, bytes);
  gemm_as_planned(plan, a, b, c, epilogue, bytes);
}

template <class T>
void pack_b(const GemmShape& shape, const T* b, T* packed) {
  const std::int64_t panels = parts(shape.n, kNr<T>);
  parallel_for(panels, 0.3 * static_cast<double>(shape.n * shape.k), [&](std::int64_t panel) {
    const std::int64_t j = panel * kNr<T>;
    pack_b_panel(shape, b, packed + j * shape.k, j, 0, shape.k);
  });
}

}  // namespace

extern const GemmKernels gemm_kernels_table;
const GemmKernels gemm_kernels_table = {{gemm<float>, pack_b<float>}, {gemm<double>, pack_b<double>}};

}  // namespace dlcore::DLCORE_ISA
