// The loops of the matrix product, for any unit T of k that has an Operand (ukernel.simd.h). k counts units.
#pragma once

#include "base/parallel.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemv.simd.h"
#include "kernels/gemm/transposed.simd.h"
#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA::gemm_loops {

namespace {  // one body after inlining, in each of the two sources that include this

/// Whether sums are rounded on their way to C; otherwise they are added up in C itself.
template <class T>
inline constexpr bool kRounds = sizeof(Stored<T>) < sizeof(Sum<T>);

// Where a task stores blocks of C^T.
template <class T>
struct Destination {
  T* c;
  std::int64_t ldc;
  GemmEpilogue<T> epilogue;
};

// The product over k in [k0, k1).
template <class T>
struct Product {
  const GemmPlan& plan;
  const Stored<T>*a, *b;
  Sum<T>* sums;  // C, or room in the scratch, perhaps for the part of C from row i_sums and column j_sums on
  std::int64_t ld_sums, i_sums, j_sums;
  Stored<T>* c;  // null when the sums stay as they are
  std::int64_t ldc;
  std::int64_t k0, k1;
  bool accumulate;
  GemmEpilogue<Stored<T>> epilogue;
  T *packed_a, *packed_b;  // room for the part of A and B that is packed at a time, or rows of A per task
  T* panels;               // room for a panel of B per task
  char* scratch;
  const Destination<Stored<T>>* transposed = nullptr;  // of what is computed in the rooms of the workers
  Sum<T>* rooms = nullptr;
};

// The sums over all of k, in the scratch.
template <class T>
Product<T> unfinished(const GemmPlan& plan, const Stored<T>* a, const Stored<T>* b, char* scratch) {
  return {.plan = plan,
          .a = a,
          .b = b,
          .sums = reinterpret_cast<Sum<T>*>(scratch + plan.sums_offset),
          .ld_sums = plan.shape.n,
          .i_sums = 0,
          .j_sums = 0,
          .c = nullptr,
          .ldc = 0,
          .k0 = 0,
          .k1 = plan.k,
          .accumulate = false,
          .epilogue = {},
          .packed_a = reinterpret_cast<T*>(scratch + plan.a_offset),
          .packed_b = reinterpret_cast<T*>(scratch + plan.b_offset),
          .panels = reinterpret_cast<T*>(scratch + plan.panel_offset),
          .scratch = scratch};
}

// The s-th partial product, in a scratch of its own; all of x where k is not cut.
template <class T>
Product<T> partial(const Product<T>& x, std::int64_t s) {
  const GemmPlan& plan = x.plan;
  if (plan.k_split == plan.k) return x;
  Product<T> y = unfinished<T>(plan, x.a, x.b, x.scratch + s * plan.split_bytes);
  y.k0 = s * plan.k_split;
  y.k1 = min_of(y.k0 + plan.k_split, plan.k);
  return y;
}

template <class T>
Sum<T>* sums_at(const Product<T>& x, std::int64_t i, std::int64_t j) {
  return x.sums + (i - x.i_sums) * x.ld_sums + (j - x.j_sums);
}

// The part of A, B and C that one pass of packing serves, half open, and where A is packed.
template <class T>
struct Part {
  std::int64_t i0, i1, j0, j1, p0, p1;
  T* packed_a;
};

// The part from row i, column j and unit q of k on.
template <class T>
Part<T> part_of(const Product<T>& x, std::int64_t i, std::int64_t j, std::int64_t q) {
  const GemmPlan& plan = x.plan;
  const std::int64_t p0 = min_of(x.k0 + q, x.k1);
  return {i,  min_of(i + plan.m_packed, plan.shape.m), j,         min_of(j + plan.n_packed, plan.shape.n),
          p0, min_of(p0 + plan.k_packed, x.k1),        x.packed_a};
}

// The last partial product may have no more to sum when the others do.
template <class T>
bool exhausted(const Part<T>& part, std::int64_t q) {
  return q > 0 && part.p0 == part.p1;
}

// Where an operand is found from one row of A, or column of B, on: data[row * step + p * k_step].
template <class T>
struct View {
  const T* data;
  std::int64_t step, k_step;
  bool panel;  // packed
};

template <class T>
View<T> a_view(const Product<T>& x, const Part<T>& part, std::int64_t i, std::int64_t p) {
  const GemmShape& shape = x.plan.shape;
  if (x.plan.pack_a != Pack::No)
    return {part.packed_a + (i - part.i0) * (part.p1 - part.p0) + (p - part.p0) * x.plan.mr, 1, x.plan.mr, true};
  const auto* a = reinterpret_cast<const T*>(x.a);
  if (shape.transpose_a) return {a + p * shape.lda + i, 1, shape.lda, false};
  const std::int64_t lda = shape.lda / kSteps<T>;
  return {a + i * lda + p, lda, 1, false};
}

template <class T>
View<T> b_view(const Product<T>& x, const Part<T>& part, std::int64_t p, std::int64_t j) {
  const GemmShape& shape = x.plan.shape;
  if (shape.packed_b) return {reinterpret_cast<const T*>(x.b) + j * x.plan.k + p * kNr<T>, 1, kNr<T>, true};
  if (x.plan.pack_b == Pack::No)
    return {reinterpret_cast<const T*>(x.b + p * kSteps<T> * shape.ldb + j), 1, shape.ldb, false};
  return {x.packed_b + (j - part.j0) * (part.p1 - part.p0) + (p - part.p0) * kNr<T>, 1, kNr<T>, true};
}

// The first column of [j0, j1) whose panel the task packs for itself: all are, or those of the last tile, where a part
// of a vector can't be read cheaply, or pairs would be made for a single vector at a time.
template <class T>
std::int64_t first_own_column(const GemmPlan& plan, std::int64_t j0, std::int64_t j1) {
  if (plan.shape.packed_b || plan.pack_b == Pack::Once) return j1;
  if (plan.pack_b == Pack::PerTask) return j0;
  const std::int64_t cols = j1 - j0, last = cols % kNr<T>;
  const bool stored = kSteps<T> > 1 ? last == 0 || last > kLanes<T> : kMaskedLoads || last % kLanes<T> == 0;
  return stored ? j1 : j1 - last;
}

// Elements [first, first + count) of k that are in the units [p0, p1): the last unit may be short.
struct Elements {
  std::int64_t first, count;
};
template <class T>
Elements elements_of(const GemmShape& shape, std::int64_t p0, std::int64_t p1) {
  const std::int64_t first = p0 * kSteps<T>;
  return {first, min_of(p1 * kSteps<T>, shape.k) - first};
}

template <class T>
void pack_b_panel(const GemmShape& shape, const Stored<T>* b, T* panel, std::int64_t j, std::int64_t p0,
                  std::int64_t p1) {
  const Elements k = elements_of<T>(shape, p0, p1);
  const int cols = static_cast<int>(min_of<std::int64_t>(kNr<T>, shape.n - j));
  const Stored<T>* from = shape.transpose_b ? b + j * shape.ldb + k.first : b + k.first * shape.ldb + j;
  pack_panel(panel, kNr<T>, from, shape.ldb, shape.transpose_b, cols, k.count);
}

template <class T>
void pack_a_panel(const Product<T>& x, const Part<T>& part, std::int64_t i) {
  const GemmShape& shape = x.plan.shape;
  const Elements k = elements_of<T>(shape, part.p0, part.p1);
  const int rows = static_cast<int>(min_of<std::int64_t>(x.plan.mr, part.i1 - i));
  const Stored<T>* from = shape.transpose_a ? x.a + k.first * shape.lda + i : x.a + i * shape.lda + k.first;
  T* panel = part.packed_a + (i - part.i0) * (part.p1 - part.p0);
  pack_panel(panel, x.plan.mr, from, shape.lda, !shape.transpose_a, rows, k.count);
}

// Packs what the tasks of a part share; B only for the first rows that it serves. It is the same part of all partial
// products, whose tasks are then shared out together.
template <class T>
void pack(const Product<T>& x, std::int64_t splits, std::int64_t i, std::int64_t j, std::int64_t q) {
  const Part<T> first = part_of(x, i, j, q);
  const bool with_b = x.plan.pack_b == Pack::Once && i == 0;
  const std::int64_t b_panels = with_b ? parts(first.j1 - j, kNr<T>) : 0;
  const std::int64_t a_panels = x.plan.pack_a == Pack::Once ? parts(first.i1 - i, x.plan.mr) : 0;
  const std::int64_t panels = a_panels + b_panels;
  if (panels == 0) return;
  const double elements = static_cast<double>((first.p1 - first.p0) * (b_panels * kNr<T> + a_panels * x.plan.mr));
  parallel_for(splits * panels, 0.3 * elements * static_cast<double>(splits), [&](std::int64_t task) {
    const Product<T> y = partial(x, task / panels);
    const Part<T> part = part_of(y, i, j, q);
    if (exhausted(part, q)) return;
    const std::int64_t panel = task % panels;
    if (panel < a_panels) return pack_a_panel(y, part, i + panel * x.plan.mr);
    const std::int64_t column = (panel - a_panels) * kNr<T>;
    pack_b_panel(x.plan.shape, x.b, y.packed_b + column * (part.p1 - part.p0), j + column, part.p0, part.p1);
  });
}

// act(sums + bias) in C, for rows and columns of it from (i, j) on.
template <class T>
void finish(const Product<T>& x, Sum<T>* sums, std::int64_t ld, std::int64_t i, std::int64_t j, std::int64_t rows,
            std::int64_t cols) {
  if (!x.c) return;
  const Stored<T>* bias = x.epilogue.bias ? x.epilogue.bias + j : nullptr;
  if constexpr (!kRounds<T>)
    apply_epilogue<T>(sums, ld, rows, cols, bias, x.epilogue.activation);
  else
    Operand<T>::finish(sums, ld, rows, cols, bias, x.epilogue.activation, x.c + i * x.ldc + j, x.ldc);
}

// Where the sums of a tile stay until they are finished.
template <class T>
struct Tile {
  Sum<T>* sums;
  std::int64_t ld;
  int cols;
};
// Sums that are rounded after one pass over k stay in `room`, which never leaves the nearest cache. Of a panel, which
// has zeros behind its columns, they stay there as whole vectors: a masked store would have to be waited for before it
// can be read.
template <class T>
Tile<T> tile_at(const Product<T>& x, std::int64_t i, std::int64_t j, int cols, bool panel, Sum<T>* room) {
  const int whole = static_cast<int>(parts(cols, kLanes<T>)) * kLanes<T>;
  if (kRounds<T> && x.c && x.plan.kc >= x.k1 - x.k0) return {room, whole, panel ? whole : cols};
  return {sums_at(x, i, j), x.ld_sums, cols};
}

// Steps of a tile whose sums are rounded from which it pays to fetch its part of C before them.
inline constexpr std::int64_t kStepsToFetchC = 64;

// Whether tiles fetch the rows of A that come next: where they read B from panels.
inline bool tiles_fetch_rows(const GemmPlan& plan) {
  return kFetchesRows && (plan.shape.packed_b || plan.pack_b != Pack::No);
}

// Loop ir: rows [i0, i1) of A by columns [j, j + cols) of B, which `b` shows. first_columns: no others have read these
// rows before. next_b: the panel read after it, or null.
// Rows of C that are narrower than a vector are finished together: none is waited for that was just stored in part.
template <class T>
void compute_rows(const Product<T>& x, const Part<T>& part, std::int64_t i0, std::int64_t i1, const View<T>& b,
                  std::int64_t j, int cols, std::int64_t p, std::int64_t kc, bool first_columns, const T* next_b) {
  alignas(kCacheLine) Sum<T> one_pass[kRounds<T> ? kMr<T> * kNr<T> : 1];
  const int mr = x.plan.mr;
  const std::int64_t tiles = parts(i1 - i0, mr), fetches = kc * (kNr<T> / kFetched<T>);
  const bool last = p + kc == x.k1, together = !kRounds<T> && cols < kLanes<T> && x.ld_sums == cols;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t i = i0 + t * mr;
    const int rows = static_cast<int>(min_of<std::int64_t>(mr, i1 - i));
    const View<T> a = a_view(x, part, i, p);
    const Tile<T> tile = tile_at(x, i, j, cols, b.panel, one_pass);
    const bool goes_on = x.plan.fetch_ahead && i1 < part.i1;
    const bool next = t + 1 < tiles || goes_on,
               fetches_a = a.step == 1 || (next && first_columns && tiles_fetch_rows(x.plan));
    const Ahead<T> ahead{fetches_a ? a_view(x, part, next ? i + mr : i0, p).data : nullptr,
                         next_b ? next_b + min_of(t * fetches / tiles, fetches - kc) * kFetched<T> : nullptr};
    if (kRounds<T> && tile.sums == one_pass && kc >= kStepsToFetchC)
      for (int r = 0; r < rows; ++r) __builtin_prefetch(x.c + (i + r) * x.ldc + j, 1, kIntoL2);
    if constexpr (!kRounds<T>)
      if (x.transposed && last)
        for (int c = 0; c < cols; ++c)
          __builtin_prefetch(x.transposed->c + (j + c) * x.transposed->ldc + i, 1, kIntoL2);
    gemm_ukernel<T>(rows, tile.cols, kc, a.data, a.step, a.k_step, b.data, b.k_step, b.panel, tile.sums, tile.ld,
                    x.accumulate || p > x.k0, ahead);
    if (last && !together) finish(x, tile.sums, tile.ld, i, j, rows, cols);
  }
  if (last && together) finish(x, sums_at(x, i0, j), cols, i0, j, i1 - i0, cols);
}

// Rows [i0, i1) and columns [j0, j1) of C, half open.
struct Block {
  std::int64_t i0, i1, j0, j1;
};

// Columns of the next tile; a packed panel has no more than kNr.
template <class T>
int next_columns(const GemmPlan& plan, std::int64_t cols) {
  const bool packed = plan.shape.packed_b || plan.pack_b != Pack::No;
  return packed ? static_cast<int>(min_of<std::int64_t>(kNr<T>, cols)) : tile_columns<T>(plan.mr, cols);
}

// Fetches what the register tile below row i, columns from j on, will write, and of A what it will read first, unless
// tiles do so. Inline, or GCC drops it as a function without effect.
template <class T>
DLCORE_INLINE void fetch_rows(const Product<T>& x, std::int64_t i, const Block& block, std::int64_t j, std::int64_t p,
                              std::int64_t kc) {
  constexpr std::int64_t kLine = kCacheLine / sizeof(T);
  const GemmShape& shape = x.plan.shape;
  const bool tiles_do = tiles_fetch_rows(x.plan);
  const bool reads_a = j == block.j0 && !shape.transpose_a && x.plan.pack_a == Pack::No && !tiles_do;
  for (std::int64_t row = i + x.plan.mr; row < min_of(i + 2 * x.plan.mr, block.i1); ++row) {
    const bool rounds = kRounds<T> && x.c;
    __builtin_prefetch(rounds ? static_cast<const void*>(x.c + row * x.ldc + j) : sums_at(x, row, j), 1);
    if (!reads_a) continue;
    for (std::int64_t q = p; q < p + kc; q += kLine) __builtin_prefetch(x.a + row * shape.lda + q * kSteps<T>);
  }
}

// Loops ic and jr: mc rows of A and a panel of B stay in L2. Columns of B from `own` on are in `panel`. A task that
// packs A for itself does so here, in `own_a`.
template <class T>
void compute_tiles(const Product<T>& x, const Part<T>& part, const Block& block, std::int64_t own, const T* panel,
                   T* own_a, std::int64_t p, std::int64_t kc) {
  auto b_from = [&](std::int64_t j) { return j < own ? b_view(x, part, p, j) : View<T>{panel, 1, kNr<T>, true}; };
  const std::int64_t mc = x.plan.pack_b == Pack::PerTask ? block.i1 - block.i0 : x.plan.mc;
  for (std::int64_t ic = block.i0; ic < block.i1; ic += mc) {
    const std::int64_t end = min_of(ic + mc, block.i1);
    const bool packs = kSteps<T> != 1 && x.plan.pack_a == Pack::PerTask;
    const Part<T> rows = packs ? Part<T>{ic, end, part.j0, part.j1, p, p + kc, own_a} : part;
    for (std::int64_t i = ic; packs && i < end; i += x.plan.mr) pack_a_panel(x, rows, i);
    for (std::int64_t j = block.j0; j < block.j1;) {
      const int cols = next_columns<T>(x.plan, (j < own ? own : block.j1) - j);
      if (x.plan.fetch_ahead) fetch_rows(x, ic, block, j, p, kc);
      const std::int64_t next = j + cols;
      compute_rows(x, rows, ic, end, b_from(j), j, cols, p, kc, j == block.j0,
                   next < block.j1 ? b_from(next).data : nullptr);
      j = next;
    }
  }
}

// Whether a product of one row reads B without tiles: where it is stored, or packed before.
template <class T>
bool runs_by_row(const GemmPlan& plan) {
  return plan.shape.m == 1 && (plan.shape.packed_b ? kSteps<T> == 1 : plan.pack_b == Pack::No);
}

template <class T>
void compute_row(const Product<T>& x, const Part<T>& part, std::int64_t j0, std::int64_t j1) {
  const GemmShape& shape = x.plan.shape;
  const View<T> a = a_view(x, part, 0, part.p0);
  const std::int64_t kc = part.p1 - part.p0, cols = j1 - j0;
  const bool accumulate = x.accumulate || part.p0 > x.k0;
  Sum<T>* const sums = sums_at(x, 0, j0);
  if (!shape.packed_b && !shape.transpose_b) {
    const Stored<T>* b = x.b + part.p0 * kSteps<T> * shape.ldb + j0;
    gemv<T>(kc, a.data, a.k_step, b, shape.ldb, sums, cols, accumulate);
  } else if (!shape.packed_b) {
    const Elements k = elements_of<T>(shape, part.p0, part.p1);
    gemv_dots<T>(k.count, x.a + k.first, x.b + j0 * shape.ldb + k.first, shape.ldb, sums, cols, accumulate);
  } else if constexpr (kSteps<T> == 1) {
    gemv_packed<T>(kc, a.data, a.k_step, b_view(x, part, part.p0, j0).data, kNr<T> * x.plan.k, sums, cols, accumulate);
  }
  if (part.p1 == x.k1) finish(x, sums, 0, 0, j0, 1, cols);
}

// Loop pc; `panel` has room for one panel of B, `own_a` for mc rows of A.
template <class T>
void compute_block(const Product<T>& x, const Part<T>& part, const Block& block, T* panel, T* own_a) {
  if (runs_by_row<T>(x.plan)) return compute_row(x, part, block.j0, block.j1);
  const std::int64_t own = first_own_column<T>(x.plan, block.j0, block.j1);
  const std::int64_t step = x.plan.pack_b == Pack::PerTask ? std::int64_t{kNr<T>} : block.j1 - block.j0;
  for (std::int64_t p = part.p0; p < part.p1; p += x.plan.kc) {
    const std::int64_t kc = min_of(x.plan.kc, part.p1 - p);
    for (std::int64_t j = block.j0; j < block.j1; j += step) {
      const Block columns{block.i0, block.i1, j, min_of(j + step, block.j1)};
      const std::int64_t packed = max_of(j, own);
      if (packed < columns.j1) pack_b_panel(x.plan.shape, x.b, panel, packed, p, p + kc);
      compute_tiles(x, part, columns, packed, panel, own_a, p, kc);
    }
  }
}

// A block of C^T, some rows at a time, in `room` and then in C.
template <class T>
void compute_transposed(Product<T> x, const Part<T>& part, const Block& block, T* panel, T* own_a, Sum<T>* room) {
  const GemmPlan& plan = x.plan;
  const Destination<T> to = *x.transposed;
  const std::int64_t rows = block.j1 - block.j0;
  x.sums = room, x.ld_sums = rows, x.j_sums = block.j0;
  for (std::int64_t i = block.i0; i < block.i1; i += plan.m_transposed) {
    const std::int64_t end = min_of(i + plan.m_transposed, block.i1);
    T* const c = to.c + block.j0 * to.ldc + i;
    x.i_sums = i;
    compute_block(x, part, Block{i, end, block.j0, block.j1}, panel, own_a);
    store_transposed(room, rows, rows, end - i, c, to.ldc);
    apply_epilogue<T>(c, to.ldc, rows, end - i, to.epilogue.bias ? to.epilogue.bias + i : nullptr,
                      to.epilogue.activation);
  }
}

template <class T>
void compute(const Product<T>& x, std::int64_t splits, std::int64_t i, std::int64_t j, std::int64_t q) {
  const GemmPlan& plan = x.plan;
  const Part<T> first = part_of(x, i, j, q);
  const std::int64_t rows = first.i1 - i, cols = first.j1 - j, column_blocks = parts(cols, plan.block_n);
  const std::int64_t blocks = parts(rows, plan.block_m) * column_blocks;
  const double share = static_cast<double>(rows * cols) / static_cast<double>(plan.shape.m * plan.shape.n) *
                       static_cast<double>(splits * (first.p1 - first.p0)) / static_cast<double>(plan.k);
  const int workers = x.transposed ? plan.workers : num_threads();
  parallel_for_workers(splits * blocks, plan.cost * share, workers, [&](std::int64_t task, int worker) {
    const Product<T> y = partial(x, task / blocks);
    const Part<T> part = part_of(y, i, j, q);
    if (exhausted(part, q)) return;
    const std::int64_t block = task % blocks, room = plan.scratch_bytes > 0 ? block : 0;  // null has no offsets
    const std::int64_t i0 = i + block / column_blocks * plan.block_m, j0 = j + block % column_blocks * plan.block_n;
    const Block part_of_c{i0, min_of(i0 + plan.block_m, part.i1), j0, min_of(j0 + plan.block_n, part.j1)};
    T *const panel = y.panels + room * plan.kc * kNr<T>, *const own_a = y.packed_a + room * plan.mc * plan.kc;
    if constexpr (!kRounds<T>)
      if (y.transposed)
        return compute_transposed(y, part, part_of_c, panel, own_a,
                                  y.rooms + worker * plan.m_transposed * plan.block_n);
    compute_block(y, part, part_of_c, panel, own_a);
  });
}

// Loops jc, pc, ic.
template <class T>
void compute_product(const Product<T>& x, std::int64_t splits) {
  const GemmPlan& plan = x.plan;
  for (std::int64_t j = 0; j < plan.shape.n; j += plan.n_packed) {
    for (std::int64_t q = 0; q < plan.k_split; q += plan.k_packed) {
      for (std::int64_t i = 0; i < plan.shape.m; i += plan.m_packed) {
        pack(x, splits, i, j, q);
        compute(x, splits, i, j, q);
      }
    }
  }
}

// The product over no k: its operands may have no address.
template <class T>
void finish_empty(const Product<T>& x) {
  const std::int64_t m = x.plan.shape.m, n = x.plan.shape.n;
  parallel_for(m, 0.1 * static_cast<double>(m * n), [&](std::int64_t i) {
    for (std::int64_t j = 0; j < n; j += kNr<T>) {
      const std::int64_t cols = min_of<std::int64_t>(kNr<T>, n - j);
      Sum<T> room[kNr<T>];
      Sum<T>* const sums = kRounds<T> ? room : x.sums + i * x.ld_sums + j;
      if (!x.accumulate) __builtin_memset(sums, 0, static_cast<std::size_t>(cols) * sizeof(Sum<T>));
      finish(x, sums, 0, i, j, 1, cols);
    }
  });
}

// C out of the partial products.
template <class T>
void finish_split(const Product<T>& x, std::int64_t splits) {
  const std::int64_t m = x.plan.shape.m, n = x.plan.shape.n;
  const auto* first = reinterpret_cast<const Sum<T>*>(x.scratch + x.plan.sums_offset);
  const std::int64_t step = static_cast<std::int64_t>(x.plan.split_bytes / sizeof(Sum<T>));
  parallel_for(m, 0.1 * static_cast<double>(m * n * splits), [&](std::int64_t i) {
    Sum<T>* sums = x.sums + i * x.ld_sums;
    add_partials(first + i * n, splits, step, n, x.plan.shape.accumulate, sums);
    finish(x, sums, 0, i, 0, 1, n);
  });
}

template <class T>
void gemm_as_planned(const GemmPlan& plan, const Stored<T>* a, const Stored<T>* b, Stored<T>* c,
                     const GemmEpilogue<Stored<T>>& epilogue, char* scratch) {
  Product<T> x = unfinished<T>(plan, a, b, scratch);
  x.c = c;
  x.ldc = plan.shape.ldc;
  x.epilogue = epilogue;
  if constexpr (!kRounds<T>) {
    x.sums = c;
    x.ld_sums = x.ldc;
    x.accumulate = plan.shape.accumulate;
  }
  if (plan.k == 0) return finish_empty(x);
  const std::int64_t splits = plan.k_split < plan.k ? parts(plan.k, plan.k_split) : 1;
  compute_product(x, splits);
  if (splits > 1) finish_split(x, splits);
}

// A column of C, dense, as the row that it is in memory. What follows its sums finds one bias for all of it.
template <class T>
void gemm_column(const GemmPlan& plan, const Stored<T>* a, const Stored<T>* b, Stored<T>* c,
                 GemmEpilogue<Stored<T>> epilogue, char* bytes) {
  if (epilogue.bias) {
    auto* const row = reinterpret_cast<Stored<T>*>(bytes + plan.transposed_offset);
    for (std::int64_t i = 0; i < plan.shape.n; ++i) row[i] = *epilogue.bias;
    epilogue.bias = row;
  }
  gemm_as_planned<T>(plan, b, a, c, epilogue, bytes);
}

// C^T in scratch: of each worker, what it transposes next, or all of it. A dense column is its own transpose.
template <class T>
void gemm_swapped(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, char* bytes) {
  constexpr std::int64_t kBlock = 256;
  const std::int64_t rows = plan.shape.n, cols = plan.shape.m;
  auto* const room = reinterpret_cast<T*>(bytes + plan.transposed_offset);
  if (plan.m_transposed > 0) {
    const Destination<T> to{c, plan.ldc, epilogue};
    Product<T> x = unfinished<T>(plan, b, a, bytes);
    x.transposed = &to, x.rooms = room;
    return compute_product(x, 1);
  }
  const bool in_place = cols == 1 && plan.ldc == 1;
  T* const transposed = in_place ? c : room;
  gemm_as_planned<T>(plan, b, a, transposed, {}, bytes);
  parallel_for(parts(cols, kBlock), 0.2 * static_cast<double>(rows * cols), [&](std::int64_t block) {
    const std::int64_t j = block * kBlock, width = min_of(kBlock, cols - j);
    if (!in_place) store_transposed(transposed + j * rows, rows, rows, width, c + j, plan.ldc);
    apply_epilogue<T>(c + j, plan.ldc, rows, width, epilogue.bias ? epilogue.bias + j : nullptr, epilogue.activation);
  });
}

template <class T>
void gemm(const GemmPlan& plan, const Stored<T>* a, const Stored<T>* b, Stored<T>* c,
          const GemmEpilogue<Stored<T>>& epilogue, void* scratch) {
  char* bytes = static_cast<char*>(scratch);
  if constexpr (kRounds<T>) {
    if (plan.swapped) return gemm_column<T>(plan, a, b, c, epilogue, bytes);
  } else {
    if (plan.swapped) return gemm_swapped(plan, a, b, c, epilogue, bytes);
  }
  gemm_as_planned<T>(plan, a, b, c, epilogue, bytes);
}

template <class T>
void pack_b(const GemmShape& shape, const Stored<T>* b, Stored<T>* packed) {
  const std::int64_t panels = parts(shape.n, kNr<T>), k = parts(shape.k, kSteps<T>);
  parallel_for(panels, 0.3 * static_cast<double>(shape.n * shape.k), [&](std::int64_t panel) {
    const std::int64_t j = panel * kNr<T>;
    pack_b_panel(shape, b, reinterpret_cast<T*>(packed) + j * k, j, 0, k);
  });
}

}  // namespace

}  // namespace dlcore::DLCORE_ISA::gemm_loops
