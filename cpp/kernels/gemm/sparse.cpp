#include "kernels/gemm/sparse.h"

#include <algorithm>
#include <utility>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/gemm/blocking.h"

namespace dlcore {

using blocking::align;
using blocking::parts;
using blocking::round_up;

DLCORE_SELECT_KERNELS(SparseKernels, sparse_kernels)

template <>
const SparseEntries<float>& sparse_entries() {
  return sparse_kernels().f32;
}
template <>
const SparseEntries<double>& sparse_entries() {
  return sparse_kernels().f64;
}

namespace {

constexpr double kLeastCost = 30000;                  // ns: of a dense product that is worth the look
constexpr double kTaskCost = 40000;                   // ns: shorter tasks are not worth a cut
constexpr std::int64_t kFewRows = 64, kFewTasks = 4;  // rows are cut further for so many tasks at most
constexpr std::int64_t kFarTiles = 4;                 // that use what comes of A from beyond L2, before the next k
constexpr std::int64_t kTasks = 16;                   // more of them are not worth having
constexpr std::int64_t kRows = 256;                   // of a task: its sums stay in L2
constexpr std::int64_t kLeastRows = 16;               // that use what is packed of B
constexpr std::int64_t kSplitLength = 1024;           // k of a partial product at least

// Where the copy of a row begins: rows an odd number of cache lines apart do not share sets of a cache.
std::int64_t copied_row_bytes(std::int64_t k, std::size_t element_bytes) {
  const std::int64_t lines = parts(k * static_cast<std::int64_t>(element_bytes), 64);
  return (lines + 1 - lines % 2) * 64;
}
std::int64_t words_of(const GemmShape& s) { return parts(s.k, kMaskBits); }
std::size_t copied_bytes(const GemmShape& s, std::size_t element_bytes) {
  return s.transpose_a ? static_cast<std::size_t>(s.m * copied_row_bytes(s.k, element_bytes)) : 0;
}

std::int64_t lanes_of(Isa isa, std::size_t element_bytes) {
  const std::size_t bytes = isa == Isa::Avx512 ? 64 : isa == Isa::Avx2 ? 32 : 16;
  return static_cast<std::int64_t>(bytes / element_bytes);
}

// Fills half of L1 or more with 64 steps of k: eight vectors, or four of the largest where L1 is small.
void choose_tile(SparseGemmPlan& plan, std::int64_t lanes, std::size_t element_bytes, const CacheSizes& caches) {
  const auto l1 = static_cast<std::int64_t>(caches.l1d / element_bytes);
  plan.tile = static_cast<int>((lanes * element_bytes == 64 && caches.l1d < (40 << 10) ? 4 : 8) * lanes);
  plan.k_block = std::max(kMaskBits, l1 / plan.tile / kMaskBits * kMaskBits);
  plan.k_block = std::min(plan.k_block, round_up(std::max<std::int64_t>(plan.shape.k, 1), kMaskBits));
}

// In multiplications and additions of vectors for each element of A. The figures are measured: those of narrow tiles on
// Zen 4, where what comes from beyond L2 is told apart, and a transposed B from memory, whose panels come from many
// rows at once; those of wide ones on processors of Intel, with more to spare.
double most_nonzeros(const SparseGemmPlan& plan, std::int64_t lanes, std::size_t element_bytes,
                     const CacheSizes& caches) {
  constexpr double kDenseEfficiency = 0.9, kMultiple = 1.35, kLatency = 4;
  const GemmShape& s = plan.shape;
  const bool narrow = plan.tile == 4 * lanes;
  auto beyond = [&](std::int64_t elements, std::size_t bytes) {
    return narrow && static_cast<std::size_t>(elements) * element_bytes > bytes;
  };
  auto far = [&](std::int64_t elements) { return beyond(elements, caches.l2); };
  const bool scattered = s.transpose_b && beyond(s.k * s.n, caches.l3 / 4);
  const double vectors = static_cast<double>(parts(s.n, lanes)), n = static_cast<double>(s.n);
  const double rows = static_cast<double>(std::min(s.m, kRows)), k = static_cast<double>(std::min(s.k, plan.k_block));
  const double dense = n / static_cast<double>(lanes) / kDenseEfficiency;
  const double nonzero = std::max(kMultiple * vectors, kLatency * static_cast<double>(parts(s.n, plan.tile)));
  const double finding = 4 / static_cast<double>(lanes) + (!s.transpose_a ? 0 : far(s.m * s.k) ? 3.4 : 0.4);
  const double packing = vectors * (s.packed_b ? 1 : scattered ? 28 : far(s.k * s.n) ? 8 : 3) / rows;
  const double passing = vectors * 4 / k;
  const double transposing = plan.swapped ? 0.4 * n / static_cast<double>(s.k) : 0;
  return ((narrow ? 0.88 : 0.76) * dense - finding - packing - passing - transposing) / nonzero;
}

void choose_tasks(SparseGemmPlan& plan, std::size_t element_bytes, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const auto wanted = static_cast<std::int64_t>(std::clamp<double>(plan.cost / kTaskCost, 1, kTasks));
  plan.block_m = std::min(kRows, round_up(s.m, kLeastRows));
  plan.block_n = plan.tile;
  plan.k_split = s.k;
  auto count = [&] { return parts(s.m, plan.block_m) * parts(s.n, plan.block_n) * parts(s.k, plan.k_split); };
  while (count() < wanted && !plan.swapped && plan.k_split >= 2 * kSplitLength)
    plan.k_split = round_up((plan.k_split + 1) / 2, kMaskBits);
  // Each cut packs B once more, and changes no sum: it follows the threads.
  const std::int64_t shared = std::min<std::int64_t>(wanted, 2 * num_threads());
  while (count() < (plan.block_m > kFewRows ? shared : std::min(shared, kFewTasks)) && plan.block_m >= 2 * kLeastRows)
    plan.block_m = round_up((plan.block_m + 1) / 2, kLeastRows);
  const bool far_a = plan.block_m * plan.k_split > static_cast<std::int64_t>(caches.l2 / 4 / element_bytes);
  while (plan.block_n < s.n &&
         ((far_a && plan.block_n < kFarTiles * plan.tile && count() > kTasks / 2) || count() > 4 * kTasks))
    plan.block_n *= 2;
  plan.far = static_cast<std::size_t>(s.m * s.n) * element_bytes > caches.l2 / 2;
  plan.workers = workers_for(count());
}

void lay_out_scratch(SparseGemmPlan& plan, std::size_t element_bytes) {
  const GemmShape& s = plan.shape;
  auto bytes = [&](std::int64_t elements) { return align(static_cast<std::size_t>(elements) * element_bytes); };
  const std::int64_t splits = parts(s.k, plan.k_split);
  plan.rooms_offset = sparse_rows_bytes(s, element_bytes);
  plan.room_bytes = sparse_room_bytes(element_bytes, plan.tile, plan.k_block, plan.block_m, plan.block_n, plan.swapped);
  plan.sums_offset = plan.rooms_offset + static_cast<std::size_t>(plan.workers) * plan.room_bytes;
  plan.scratch_bytes = plan.sums_offset + (splits > 1 ? bytes(splits * s.m * s.n) : 0);
}

}  // namespace

std::size_t sparse_rows_bytes(const GemmShape& s, std::size_t element_bytes) {
  return copied_bytes(s, element_bytes) + align(static_cast<std::size_t>(s.m * words_of(s)) * sizeof(std::uint64_t));
}

std::size_t sparse_room_bytes(std::size_t element_bytes, int tile, std::int64_t k_block, std::int64_t rows,
                              std::int64_t cols, bool swapped) {
  return align(static_cast<std::size_t>(tile * k_block + (swapped ? rows * cols : 0)) * element_bytes);
}

SparseGemmPlan plan_sparse_gemm(const GemmShape& shape, bool swapped, std::size_t element_bytes, Isa isa,
                                const CacheSizes& caches, double dense_cost) {
  SparseGemmPlan plan{};
  plan.shape = swapped ? swap_operands(shape) : shape;
  plan.swapped = swapped;
  plan.ldc = shape.ldc;
  plan.most_nonzeros = -1;
  const GemmShape& s = plan.shape;
  const bool possible = !swapped || !(shape.accumulate || shape.packed_b);
  if (element_bytes < sizeof(float) || !possible || dense_cost < kLeastCost || s.m < kLeastRows) return plan;
  const std::int64_t lanes = lanes_of(isa, element_bytes);
  plan.cost = dense_cost;
  choose_tile(plan, lanes, element_bytes, caches);
  plan.most_nonzeros = most_nonzeros(plan, lanes, element_bytes, caches);
  if (plan.most_nonzeros < 0.05) return plan;
  choose_tasks(plan, element_bytes, caches);
  lay_out_scratch(plan, element_bytes);
  return plan;
}

template <class T>
SparseRows<T> find_sparse_rows(const GemmShape& s, const T* a, void* scratch) {
  std::byte* const bytes = static_cast<std::byte*>(scratch);
  auto* masks = reinterpret_cast<std::uint64_t*>(bytes + copied_bytes(s, sizeof(T)));
  SparseRows<T> rows{const_cast<T*>(a), s.lda, masks, words_of(s)};
  if (s.transpose_a)
    rows = {reinterpret_cast<T*>(bytes), copied_row_bytes(s.k, sizeof(T)) / std::int64_t{sizeof(T)}, masks,
            words_of(s)};
  // Whole cache lines are read and written, one after another.
  const std::int64_t height = s.transpose_a ? 256 : 16, k = s.transpose_a ? kMaskBits : s.k, parts_of_k = parts(s.k, k);
  const double cost = (s.transpose_a ? 0.2 : 0.05) * static_cast<double>(s.m * s.k);
  parallel_for(parts(s.m, height) * parts_of_k, cost, [&](std::int64_t part) {
    const std::int64_t i = part / parts_of_k * height, p = part % parts_of_k * k;
    sparse_entries<T>().find_nonzeros(a, s.lda, s.transpose_a, {i, std::min(i + height, s.m)},
                                      {p, std::min(p + k, s.k)}, rows);
  });
  return rows;
}

template <class T>
double relative_share(const SparseGemmPlan& plan, const T* a, const T* b) {
  if (plan.most_nonzeros <= 0) return 1;
  const GemmShape& s = plan.shape;
  const auto share = sparse_entries<T>().share_of_nonzeros;
  return share(plan.swapped ? b : a, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k, s.lda) / plan.most_nonzeros;
}

template <class T>
void sparse_gemm(const SparseGemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue,
                 void* scratch) {
  const GemmShape& s = plan.shape;
  std::byte* const bytes = static_cast<std::byte*>(scratch);
  if (plan.swapped) std::swap(a, b);
  const SparseRows<T> rows = find_sparse_rows(s, a, scratch);
  const DenseOperand<T> dense{b, s.ldb, s.k, s.transpose_b, s.packed_b};
  const std::int64_t splits = parts(s.k, plan.k_split), columns = parts(s.n, plan.block_n);
  const std::int64_t blocks = parts(s.m, plan.block_m) * columns;
  const bool whole = splits == 1;
  T* const partials = reinterpret_cast<T*>(bytes + plan.sums_offset);
  parallel_for_workers(splits * blocks, plan.cost, plan.workers, [&](std::int64_t task, int worker) {
    const std::int64_t split = task / blocks, p = split * plan.k_split;
    const std::int64_t i = task % blocks / columns * plan.block_m, j = task % columns * plan.block_n;
    const SparseBlock block{.rows = {i, std::min(i + plan.block_m, s.m)},
                            .cols = {j, std::min(j + plan.block_n, s.n)},
                            .k = {p, std::min(p + plan.k_split, s.k)},
                            .tile = plan.tile,
                            .k_block = plan.k_block,
                            .ldc = whole ? plan.ldc : s.n,
                            .swapped = plan.swapped,
                            .accumulate = s.accumulate && whole,
                            .far = plan.far};
    T* const part_of_c = !whole         ? partials + (split * s.m + i) * s.n + j
                         : plan.swapped ? c + j * plan.ldc + i
                                        : c + i * plan.ldc + j;
    sparse_entries<T>().multiply(rows, dense, block, part_of_c, whole ? epilogue : GemmEpilogue<T>{},
                                 bytes + plan.rooms_offset + static_cast<std::size_t>(worker) * plan.room_bytes);
  });
  if (whole) return;
  parallel_for(s.m, 0.1 * static_cast<double>(s.m * s.n * splits), [&](std::int64_t i) {
    sparse_entries<T>().finish_row(partials + i * s.n, splits, s.m * s.n, s.n, s.accumulate, c + i * plan.ldc,
                                   epilogue);
  });
}

#define DLCORE_SPARSE_GEMM(T)                                                    \
  template SparseRows<T> find_sparse_rows<T>(const GemmShape&, const T*, void*); \
  template double relative_share<T>(const SparseGemmPlan&, const T*, const T*);  \
  template void sparse_gemm<T>(const SparseGemmPlan&, const T*, const T*, T*, const GemmEpilogue<T>&, void*);
DLCORE_SPARSE_GEMM(float)
DLCORE_SPARSE_GEMM(double)
#undef DLCORE_SPARSE_GEMM

}  // namespace dlcore
