#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/gemm/amx.h"
#include "kernels/gemm/blocking.h"
#include "kernels/gemm/sparse.h"

namespace dlcore {

using blocking::align;
using blocking::even_part;
using blocking::parts;
using blocking::round_up;

DLCORE_SELECT_KERNELS(GemmKernels, gemm_kernels)

#if defined(DLCORE_AVX512_BF16)
namespace avx512_bf16 {
extern const GemmEntries<Bfloat> gemm_bfloat_kernels_table;
}
const GemmEntries<Bfloat>* gemm_bfloat_kernels() {
  return has_avx512_bf16() ? &avx512_bf16::gemm_bfloat_kernels_table : nullptr;
}
#else
const GemmEntries<Bfloat>* gemm_bfloat_kernels() { return nullptr; }
#endif

namespace {

constexpr double kTaskCost = 30000;           // ns: shorter tasks are not worth a cut
constexpr double kTwoTasks = 6500;            // but the first, which gives a second thread something to do
constexpr double kTasks = 32;                 // more of them are not worth having
constexpr std::int64_t kUsesOfSharedB = 24;   // row tiles from which one packing of B for all tasks pays
constexpr std::int64_t kUsesOfCrowdedB = 16;  // where its rows, a cache line each in the tile, are all in one set of L1
constexpr std::int64_t kUsesOfOwnB = 6;       // row tiles of such a B from which a task packs it for itself,
constexpr std::int64_t kUsesOfFarOwnB = 8;    // and where it comes from memory
constexpr std::int64_t kUsesOfPackedA = 16;   // column tiles from which packing A pays
constexpr std::int64_t kSplitLength = 512;    // k of a partial product at least
constexpr double kRowTaskCost = 5000;         // and of one row, whose B is read as it lies when k alone is cut
constexpr std::int64_t kRowSplitLength = 128;
constexpr std::int64_t kColumnSplitLength = 4096;  // where it is not rows of B that are read from end to end

// Of the units that the loops count: an element, or a pair along k of 16-bit ones.
std::size_t unit_bytes(std::size_t element_bytes) { return std::max(element_bytes, sizeof(float)); }

// Register tile and arithmetic of an instruction set, of multiplications and additions of units; the same as
// kernels/gemm/ukernel.simd.h and simd.h.
struct Tile {
  int mr, nr;
  double flops_per_ns;
  bool fetches_rows = false;  // of A for the next tile, where B is packed
};
Tile tile_of(Isa isa, std::size_t element_bytes) {
  const int size = static_cast<int>(unit_bytes(element_bytes));
  switch (isa) {
    case Isa::Avx512:
      return {14, 128 / size, 640.0 / size, true};
    case Isa::Avx2:
      return {6, 64 / size, 320.0 / size};
    case Isa::Baseline:
      break;
  }
#if defined(__aarch64__)
  return {12, 32 / size, 160.0 / size};
#else
  return {6, 32 / size, 80.0 / size};
#endif
}

// The same with about half of `part`, or less where that leaves no small rest: a thread would wait for the others.
std::int64_t half_part(std::int64_t n, std::int64_t part, std::int64_t step) {
  const std::int64_t half = even_part(n, (part + 1) / 2, step), rest = n % half;
  return rest > 0 && 2 * rest < half && half >= 2 * step ? half - step : half;
}

// Nanoseconds on one thread: arithmetic, or reading and writing what is too large for the near caches.
double cost_of(const GemmShape& s, std::int64_t units, std::size_t size, double flops_per_ns) {
  constexpr double kBytesPerNs = 20;
  const double m = static_cast<double>(s.m), n = static_cast<double>(s.n), k = static_cast<double>(units);
  const double bytes = (m * k + k * n + m * n) * static_cast<double>(size);
  return 100 + std::max(2 * m * n * k / flops_per_ns, bytes / kBytesPerNs);
}

// Whether to compute C^T: a single column is a row then; and with few rows, packing a B stored [n,k] would take longer
// than transposing C.
bool wants_swap(const GemmShape& s, const Tile& tile, bool pairs) {
  if (s.n == 1 && s.m > 1 && !s.packed_b && !s.accumulate && (!pairs || s.ldc == 1)) return true;
  return !pairs && s.transpose_b && !s.packed_b && !s.accumulate && 2 * s.m >= tile.nr &&
         parts(s.m, tile.mr) < kUsesOfSharedB && s.n >= 4 * s.m && s.k >= s.m;
}

// Whether it is one row with a B stored [n,k]: dot products.
bool is_dots(const GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  return s.m == 1 && s.transpose_b && !s.packed_b && !s.transpose_a;
}
// Whether pairs of A can't be read where they are stored: they are not neighbours, or the last one has no partner.
bool must_pack_a(const GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  return plan.pairs && !is_dots(plan) && (s.transpose_a || s.k % 2 != 0 || (s.lda % 2 != 0 && s.m > 1));
}
// Whether B can't be read where it is stored.
bool must_pack_b(const GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  return !s.packed_b && !is_dots(plan) && (s.transpose_b || (plan.pairs && s.k % 2 != 0));
}

// Whether each task packs B for itself: then rows are better not cut.
bool packs_b_per_task(const GemmPlan& plan) {
  return must_pack_b(plan) && parts(plan.shape.m, plan.mr) < kUsesOfSharedB;
}
// Whether each task packs A for itself: then columns are better not cut.
bool packs_a_per_task(const GemmPlan& plan) {
  return must_pack_a(plan) && !packs_b_per_task(plan) && plan.shape.m > 1 &&
         parts(plan.shape.n, plan.nr) < kUsesOfPackedA;
}

// Cuts rows, columns or k in halves until there are enough tasks, each time where the operands and partial products
// that the tasks read and write grow least. Blocks stay wide enough to use what they read a few times, if less often
// where the other threads would have nothing to do. A single row reads B once, from end to end along its columns or
// along its rows: cuts between these cost nothing.
void choose_tasks(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  const bool row = s.m == 1, by_columns = row && (s.packed_b || is_dots(plan)), by_rows = row && !by_columns;
  const double least = !row && plan.cost >= kTwoTasks ? 2 : 1;
  const double tasks = std::clamp(plan.cost / (row ? kRowTaskCost : kTaskCost), least, kTasks);
  const std::int64_t least_k = by_columns ? kColumnSplitLength : by_rows ? kRowSplitLength : kSplitLength;
  plan.block_m = round_up(std::max<std::int64_t>(s.m, 1), plan.mr);
  plan.block_n = round_up(std::max<std::int64_t>(s.n, 1), plan.nr);
  std::int64_t splits = 1;
  for (;;) {
    const std::int64_t count = parts(s.m, plan.block_m) * parts(s.n, plan.block_n) * splits;
    if (static_cast<double>(count) >= tasks) break;
    const std::int64_t never = INT64_MAX, tiles = by_columns || count == 1 ? 1 : row ? 4 : 2;
    const std::int64_t least_m = tiles * plan.mr, least_n = tiles * plan.nr;
    const std::int64_t cut_m =
        plan.block_m >= 2 * least_m && !packs_b_per_task(plan) ? parts(s.m, plan.block_m) * s.n * plan.k : never;
    const std::int64_t cut_n = plan.block_n >= 2 * least_n && !packs_a_per_task(plan)
                                   ? (by_columns ? 0 : parts(s.n, plan.block_n) * s.m * plan.k)
                                   : never;
    const std::int64_t cut_k = plan.k >= 2 * splits * least_k ? (by_rows ? 0 : 12 * splits * s.m * s.n) : never;
    if (cut_m == never && cut_n == never && cut_k == never) break;
    if (cut_k <= cut_m && cut_k <= cut_n)
      splits *= 2;
    else if (cut_m <= cut_n)
      plan.block_m = half_part(s.m, plan.block_m, plan.mr);
    else
      plan.block_n = half_part(s.n, plan.block_n, plan.nr);
  }
  plan.k_split = splits == 1 ? plan.k : parts(plan.k, splits);
}

// How many cache lines, `stride` bytes apart, find room in the first cache (8 ways of 4 KB): few where they share sets.
std::int64_t lines_in_l1(std::int64_t stride) {
  const std::int64_t way = 4096, line = 64, ways = 8;
  return ways * way / std::max(line, std::gcd(stride, way));
}

void choose_packing(GemmPlan& plan, const Tile& tile, std::size_t size, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const auto near = static_cast<std::int64_t>(caches.l2 / 2 / size);
  const std::int64_t a_uses = parts(s.n, plan.nr), b_uses = parts(s.m, plan.mr);
  const std::int64_t steps = plan.pairs ? 2 : 1;
  const std::int64_t element = static_cast<std::int64_t>(size) / steps;
  const bool pays_a = a_uses >= kUsesOfPackedA && s.m * plan.k_split > near &&
                      (s.transpose_a ? plan.kc : plan.mc) > lines_in_l1(s.lda * element);
  const bool crowded_b = plan.nr * size == 64 && lines_in_l1(s.ldb * element) <= 8;
  const bool pays_b = !s.packed_b && b_uses >= (crowded_b ? kUsesOfCrowdedB : kUsesOfSharedB) &&
                      (s.n * plan.k_split > near || plan.kc * steps > lines_in_l1(s.ldb * element) ||
                       (plan.fetch_ahead && tile.fetches_rows && !s.transpose_a));
  const bool far_b = s.n * s.k * element > static_cast<std::int64_t>(caches.l3) / 4;
  const bool pays_own_b = !s.packed_b && crowded_b && b_uses >= (far_b ? kUsesOfFarOwnB : kUsesOfOwnB);
  plan.pack_a = packs_a_per_task(plan) ? Pack::PerTask : must_pack_a(plan) || pays_a ? Pack::Once : Pack::No;
  plan.pack_b = packs_b_per_task(plan)        ? Pack::PerTask
                : must_pack_b(plan) || pays_b ? Pack::Once
                : pays_own_b                  ? Pack::PerTask
                                              : Pack::No;
}

// mc: what these rows read of A and write of C fills a third of L2.
std::int64_t rows_in_l2(const GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  return even_part(plan.block_m, static_cast<std::int64_t>(caches.l2 / 3 / size) / (plan.kc + plan.block_n), plan.mr);
}

// kc: what the tiles read of B fills a sixteenth of L2, from where rows that are read in order come as fast as from L1.
// When all of the task's B stays in half of L1, mc is one register tile: then C is written row by row.
void choose_register_blocks(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  const auto l1 = static_cast<std::int64_t>(caches.l1d / size), l2 = static_cast<std::int64_t>(caches.l2 / size);
  const std::int64_t k = std::max<std::int64_t>(plan.k_split, 1);
  plan.kc = even_part(k, l1 / 2 / plan.nr, 1);
  const bool row_by_row = plan.kc * plan.block_n <= l1 / 2;
  if (!row_by_row) plan.kc = even_part(k, std::max(l1 / 2, l2 / 16) / plan.nr, 1);
  plan.mc = row_by_row ? plan.mr : rows_in_l2(plan, size, caches);
  plan.fetch_ahead = row_by_row && plan.shape.m * (plan.k_split + plan.shape.n) > l2;
}

// A panel may be twice as long, so that C is read and written for fewer passes.
void lengthen_panels(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  const bool row_by_row = plan.mc == plan.mr, panels = plan.shape.packed_b || plan.pack_b != Pack::No;
  const bool columns = plan.shape.transpose_a && plan.pack_a == Pack::No;  // of A: their lines crowd L2 as it is
  if (row_by_row || !panels || columns) return;
  plan.kc =
      even_part(std::max<std::int64_t>(plan.k_split, 1), static_cast<std::int64_t>(caches.l2 / 8 / size) / plan.nr, 1);
  plan.mc = rows_in_l2(plan, size, caches);
}

// Rows of C that are narrower than a vector are finished together: as many as half of L1 holds with those of A.
void gather_narrow_rows(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  if (2 * plan.shape.n >= plan.nr || plan.fetch_ahead) return;
  const auto l1 = static_cast<std::int64_t>(caches.l1d / size);
  plan.mc = std::max(plan.mc, even_part(plan.block_m, l1 / 2 / (plan.kc + plan.shape.n), plan.mr));
}

void choose_cache_blocks(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const auto element = static_cast<std::int64_t>(size);
  const std::int64_t k = std::max<std::int64_t>(plan.k_split, 1);
  plan.m_packed = plan.pack_a == Pack::Once ? even_part(s.m, 2048, plan.block_m)
                                            : round_up(std::max<std::int64_t>(s.m, 1), plan.block_m);
  plan.n_packed = plan.pack_b == Pack::Once ? even_part(s.n, 2048, plan.block_n)
                                            : round_up(std::max<std::int64_t>(s.n, 1), plan.block_n);
  const std::int64_t budget = std::clamp<std::int64_t>(static_cast<std::int64_t>(caches.l3) / 4, 2 << 20, 8 << 20);
  const std::int64_t packed =
      (plan.pack_a == Pack::Once ? plan.m_packed : 0) + (plan.pack_b == Pack::Once ? plan.n_packed : 0);
  plan.k_packed = even_part(k, packed == 0 ? k : std::max(plan.kc, budget / (element * packed)), plan.kc);
  plan.k_packed = std::min(plan.k_packed, k);
}

// A task that makes whole sums transposes some rows of C^T while they are near.
void choose_transposition(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  if (!plan.swapped || s.m == 1 || plan.k == 0 || plan.k_split < plan.k || plan.k_packed < plan.k) return;
  constexpr std::int64_t kTiles = 16;
  const std::int64_t rows = plan.pack_b == Pack::PerTask ? plan.block_m : std::max(plan.mc, kTiles * plan.mr);
  plan.m_transposed = std::min(rows, plan.block_m);
  plan.workers = workers_for(parts(s.m, plan.block_m) * parts(s.n, plan.block_n));
}

void lay_out_scratch(GemmPlan& plan, std::size_t size) {
  const GemmShape& s = plan.shape;
  auto bytes = [&](std::int64_t elements) { return align(static_cast<std::size_t>(elements) * size); };
  const bool split = plan.k_split < plan.k, sums = split || (plan.pairs && (plan.kc < plan.k || s.m == 1));
  const bool own_panels = plan.pack_b == Pack::PerTask ||
                          (plan.pack_b == Pack::No && !s.packed_b && s.n % (plan.pairs ? plan.nr : plan.nr / 2) != 0);
  const std::int64_t tasks = parts(plan.m_packed, plan.block_m) * parts(plan.n_packed, plan.block_n);
  const std::int64_t a_per_task = plan.pack_a == Pack::PerTask ? tasks * plan.mc * plan.kc : 0;
  plan.a_offset = 0;
  plan.b_offset = plan.a_offset + bytes(plan.pack_a == Pack::Once ? plan.m_packed * plan.k_packed : a_per_task);
  plan.panel_offset = plan.b_offset + bytes(plan.pack_b == Pack::Once ? plan.n_packed * plan.k_packed : 0);
  plan.sums_offset = plan.panel_offset + bytes(own_panels ? tasks * plan.kc * plan.nr : 0);
  plan.split_bytes = plan.sums_offset + bytes(sums ? s.m * s.n : 0);
  plan.transposed_offset = plan.split_bytes * static_cast<std::size_t>(split ? parts(plan.k, plan.k_split) : 1);
  const std::int64_t rooms = plan.workers * plan.m_transposed * plan.block_n;
  plan.scratch_bytes = plan.transposed_offset + bytes(!plan.swapped ? 0 : plan.m_transposed > 0 ? rooms : s.m * s.n);
}

// The plan with register tiles of this kind, of as many rows at most.
GemmPlan plan_tiles(const GemmShape& shape, std::size_t element_bytes, const Tile& tile, const CacheSizes& caches) {
  const std::size_t size = unit_bytes(element_bytes);
  GemmPlan plan{};
  plan.pairs = element_bytes < size;
  plan.k = plan.pairs ? parts(shape.k, 2) : shape.k;
  plan.swapped = wants_swap(shape, tile, plan.pairs);
  plan.shape = plan.swapped ? swap_operands(shape) : shape;
  if (plan.shape.m == 1 && plan.shape.transpose_a && plan.shape.lda == 1) {  // a dense column is a row
    plan.shape.transpose_a = false;
    plan.shape.lda = plan.shape.k;
  }
  plan.ldc = shape.ldc;
  plan.mr = static_cast<int>(even_part(plan.shape.m, tile.mr, 1));
  plan.nr = tile.nr;
  plan.cost = cost_of(shape, plan.k, size, tile.flops_per_ns);
  choose_tasks(plan);
  choose_register_blocks(plan, size, caches);
  choose_packing(plan, tile, size, caches);
  lengthen_panels(plan, size, caches);
  gather_narrow_rows(plan, size, caches);
  choose_cache_blocks(plan, size, caches);
  choose_transposition(plan);
  lay_out_scratch(plan, size);
  return plan;
}

// Whether the matrix unit takes less time, in a good part: it is slow where another thread of its core is busy. Where
// there is one, pairs of Bfloat take twice as long without it as units of float.
template <class T>
bool takes_amx(const GemmShape& s) {
  constexpr bool kPairs = sizeof(T) == 2;
  constexpr double kGain = kPairs ? 1 : 0.8;
  if (sizeof(T) > sizeof(float) || !amx_kernels()) return false;
  const double flops_per_ns = tile_of(isa(), sizeof(T)).flops_per_ns / (kPairs ? 2 : 1);
  const double dense = cost_of(s, parts(s.k, kPairs ? 2 : 1), unit_bytes(sizeof(T)), flops_per_ns);
  return amx_gemm_cost(s, sizeof(T), cache_sizes()) < kGain * dense;
}

template <class T>
const GemmEntries<T>& entries();
template <>
const GemmEntries<float>& entries() {
  return gemm_kernels().f32;
}
template <>
const GemmEntries<double>& entries() {
  return gemm_kernels().f64;
}
template <>
const GemmEntries<Bfloat>& entries() {
  return *gemm_bfloat_kernels();
}

template <class T>
const GemmEntries<T>* amx_entries() {
  if constexpr (std::is_same_v<T, float>) return amx_kernels() ? &amx_kernels()->f32 : nullptr;
  if constexpr (std::is_same_v<T, Bfloat>) return amx_kernels() ? &amx_kernels()->bf16 : nullptr;
  return nullptr;
}

}  // namespace

GemmShape dense_gemm(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b) {
  return {.m = m,
          .n = n,
          .k = k,
          .lda = transpose_a ? m : k,
          .ldb = transpose_b ? k : n,
          .ldc = n,
          .transpose_a = transpose_a,
          .transpose_b = transpose_b};
}

GemmShape swap_operands(const GemmShape& s) {
  return {.m = s.n,
          .n = s.m,
          .k = s.k,
          .lda = s.ldb,
          .ldb = s.lda,
          .ldc = s.m,
          .transpose_a = !s.transpose_b,
          .transpose_b = !s.transpose_a};
}

namespace {

GemmPlan plan_dense(const GemmShape& shape, std::size_t element_bytes, Isa isa, const CacheSizes& caches) {
  Tile tile = tile_of(isa, element_bytes);
  const GemmPlan plan = plan_tiles(shape, element_bytes, tile, caches);
  // Rows of A that a tile reads where they are stored must not put each other out of the first cache.
  const std::int64_t rows = lines_in_l1(plan.shape.lda * static_cast<std::int64_t>(element_bytes));
  if (plan.shape.transpose_a || plan.pack_a != Pack::No || rows >= plan.mr) return plan;
  tile.mr = static_cast<int>(rows);
  return plan_tiles(shape, element_bytes, tile, caches);
}

// The better of the plans that leave out zeros, where one takes less time than the dense product.
template <class T>
const SparseGemmPlan* sparse_plan(const GemmPlan& plan, const T* a, const T* b) {
  const double share_a = relative_share(plan.skip_a, a, b), share_b = relative_share(plan.skip_b, a, b);
  if (share_a >= 1 && share_b >= 1) return nullptr;
  return share_a <= share_b ? &plan.skip_a : &plan.skip_b;
}

}  // namespace

GemmPlan plan_gemm(const GemmShape& shape, std::size_t element_bytes, Isa isa, const CacheSizes& caches) {
  GemmPlan plan = plan_dense(shape, element_bytes, isa, caches);
  for (SparseGemmPlan* skip : {&plan.skip_a, &plan.skip_b}) {
    *skip = plan_sparse_gemm(shape, skip == &plan.skip_b, element_bytes, isa, caches, plan.cost);
    plan.scratch_bytes = std::max(plan.scratch_bytes, skip->scratch_bytes);
  }
  return plan;
}

template <class T>
GemmPlan plan_gemm(const GemmShape& shape) {
  GemmPlan plan = plan_gemm(shape, sizeof(T), isa(), cache_sizes());
  if (shape.packed_b ? !shape.packed_tiles : !takes_amx<T>(shape)) return plan;
  plan.amx = plan_amx_gemm(shape, sizeof(T), cache_sizes());
  plan.scratch_bytes = plan.amx.scratch_bytes;
  for (SparseGemmPlan* skip : {&plan.skip_a, &plan.skip_b}) {
    // Of packed tiles no zeros are left out, and otherwise they must be more than beside the dense product.
    skip->most_nonzeros = shape.packed_b ? -1 : skip->most_nonzeros * plan.amx.cost / plan.cost;
    if (skip->most_nonzeros > 0) plan.scratch_bytes = std::max(plan.scratch_bytes, skip->scratch_bytes);
  }
  plan.cost = plan.amx.cost;
  return plan;
}

template <class T>
void gemm(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, void* scratch) {
  if constexpr (sizeof(T) >= sizeof(float)) {
    if (const SparseGemmPlan* sparse = sparse_plan(plan, a, b)) return sparse_gemm(*sparse, a, b, c, epilogue, scratch);
  }
  (plan.amx.runs && plan.k > 0 ? *amx_entries<T>() : entries<T>()).gemm(plan, a, b, c, epilogue, scratch);
}

template <class T>
bool gemm_packs_tiles(const GemmShape& shape) {
  return takes_amx<T>(shape);
}

template <class T>
std::size_t gemm_packed_b_bytes(const GemmShape& shape) {
  if (shape.packed_tiles) return amx_packed_b_bytes(shape, sizeof(T));
  const std::int64_t columns = round_up(shape.n, tile_of(isa(), sizeof(T)).nr);
  const std::size_t unit = unit_bytes(sizeof(T));
  const std::int64_t k = parts(shape.k, static_cast<std::int64_t>(unit / sizeof(T)));
  return align(static_cast<std::size_t>(columns * k) * unit);
}

template <class T>
void gemm_pack_b(const GemmShape& shape, const T* b, T* packed) {
  if (shape.k == 0) return;  // b may have no address
  (shape.packed_tiles ? *amx_entries<T>() : entries<T>()).pack_b(shape, b, packed);
}

// Not where the columns fill less than half of the panels, and not where memory sets the pace. A single row reads B as
// it lies just as fast where its sums stay in registers (gemv.simd.h), and packed pairs tile by tile.
template <class T>
bool gemm_gains_from_packed_b(const GemmShape& s) {
  const std::size_t packed = gemm_packed_b_bytes<T>(s), stored = static_cast<std::size_t>(s.n * s.k) * sizeof(T);
  if (s.m == 0 || packed > 2 * stored || packed > cache_sizes().l3) return false;
  return s.m > 1 || (sizeof(T) == unit_bytes(sizeof(T)) && s.n > 4 * tile_of(isa(), sizeof(T)).nr);
}

template <class T>
std::string gemm_label(const GemmPlan& plan) {
  const Tile tile = tile_of(isa(), sizeof(T));
  const std::string name = (sizeof(T) == 2 ? "gemm_bf" : "gemm_f") + std::to_string(8 * sizeof(T)) + "_";
  if (plan.amx.runs) return name + "amx";
  return name + std::to_string(tile.mr) + "x" + std::to_string(tile.nr) + "_" + std::string(name_of(isa()));
}

#define DLCORE_GEMM(T)                                                                           \
  template GemmPlan plan_gemm<T>(const GemmShape&);                                              \
  template void gemm<T>(const GemmPlan&, const T*, const T*, T*, const GemmEpilogue<T>&, void*); \
  template bool gemm_packs_tiles<T>(const GemmShape&);                                           \
  template std::size_t gemm_packed_b_bytes<T>(const GemmShape&);                                 \
  template void gemm_pack_b<T>(const GemmShape&, const T*, T*);                                  \
  template bool gemm_gains_from_packed_b<T>(const GemmShape&);                                   \
  template std::string gemm_label<T>(const GemmPlan&);
DLCORE_GEMM(float)
DLCORE_GEMM(double)
DLCORE_GEMM(Bfloat)
#undef DLCORE_GEMM

}  // namespace dlcore
