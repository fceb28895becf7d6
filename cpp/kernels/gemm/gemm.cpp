#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <cmath>

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(GemmKernels, gemm_kernels)

namespace {

constexpr double kTaskCost = 20000;       // ns: smaller tasks are not worth cutting
constexpr std::int64_t kTasks = 32;       // more of them are not worth having
constexpr std::int64_t kSplitTiles = 16;  // with fewer register tiles in C, a long sum is cut
constexpr std::int64_t kSplitLength = 1024;

// Register tile and arithmetic of an instruction set; the same as kernels/gemm/ukernel.simd.h and simd.h.
struct Tile {
  int mr, nr;
  double flops_per_ns;
};
Tile tile_of(Isa isa, std::size_t element_bytes) {
  const int size = static_cast<int>(element_bytes);
  switch (isa) {
    case Isa::Avx512:
      return {14, 128 / size, 640.0 / size};
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

std::int64_t parts(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }
std::int64_t round_up(std::int64_t n, std::int64_t step) { return parts(n, step) * step; }
// Cuts n in parts of at most `most`, of nearly equal size, multiples of `step`.
std::int64_t even_part(std::int64_t n, std::int64_t most, std::int64_t step) {
  const std::int64_t count = std::max<std::int64_t>(1, parts(n, std::max(most, step)));
  return std::max(step, round_up(parts(n, count), step));
}

std::size_t align(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

void choose_packing(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  plan.pack_a = s.n > 2 * plan.nr;
  plan.pack_b = !s.packed_b && (s.transpose_b || s.m > 4 * plan.mr);
}

void choose_cache_blocks(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const auto element = static_cast<std::int64_t>(size);
  const std::int64_t k = std::max<std::int64_t>(plan.k_split, 1);
  plan.kc = even_part(k, static_cast<std::int64_t>(caches.l1d) * 2 / 3 / (plan.nr * element), 1);
  plan.m_packed = even_part(s.m, 2048, plan.mr);
  plan.n_packed = s.packed_b ? round_up(std::max<std::int64_t>(s.n, 1), plan.nr) : even_part(s.n, 2048, plan.nr);
  const std::int64_t budget = std::clamp<std::int64_t>(static_cast<std::int64_t>(caches.l3) / 4, 2 << 20, 8 << 20);
  const std::int64_t fit = budget / (element * (plan.m_packed + plan.n_packed));
  plan.k_packed = std::min(k, std::max<std::int64_t>(1, fit / plan.kc) * plan.kc);
}

// Halves the longer side of a task's block until there are enough tasks, or they are short.
void choose_tasks(GemmPlan& plan, std::size_t size, const CacheSizes& caches) {
  const std::int64_t l2_rows = static_cast<std::int64_t>(caches.l2 / 2 / size) / plan.kc;
  plan.block_m = even_part(plan.m_packed, l2_rows, plan.mr);
  plan.block_n = even_part(plan.n_packed, 1024, plan.nr);
  const double k_share =
      static_cast<double>(plan.k_packed) / static_cast<double>(std::max<std::int64_t>(plan.shape.k, 1));
  while (true) {
    const std::int64_t tasks = parts(plan.m_packed, plan.block_m) * parts(plan.n_packed, plan.block_n);
    const double cost = plan.cost * k_share * static_cast<double>(plan.block_m * plan.block_n) /
                        static_cast<double>(std::max<std::int64_t>(plan.shape.m * plan.shape.n, 1));
    if (tasks >= kTasks || cost < 2 * kTaskCost) return;
    const bool can_m = plan.block_m > plan.mr, can_n = plan.block_n > plan.nr;
    if (!can_m && !can_n) return;
    if (can_m && (plan.block_m >= plan.block_n || !can_n))
      plan.block_m = even_part(plan.block_m, (plan.block_m + 1) / 2, plan.mr);
    else
      plan.block_n = even_part(plan.block_n, (plan.block_n + 1) / 2, plan.nr);
  }
}

void choose_split(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  plan.k_split = s.k;
  const std::int64_t tiles = parts(s.m, plan.mr) * parts(s.n, plan.nr);
  if (tiles >= kSplitTiles || s.k < 2 * kSplitLength || plan.cost < 2 * kTaskCost) return;
  plan.k_split = even_part(s.k, std::max(kSplitLength, parts(s.k, kSplitTiles)), 1);
}

void lay_out_scratch(GemmPlan& plan, std::size_t size) {
  const GemmShape& s = plan.shape;
  const std::int64_t b_columns = plan.pack_b ? plan.n_packed : s.packed_b || s.n % (plan.nr / 2) == 0 ? 0 : plan.nr;
  const std::int64_t a_rows = plan.pack_a ? plan.m_packed : 0;
  const bool split = plan.k_split < s.k;
  plan.a_offset = 0;
  plan.b_offset = align(static_cast<std::size_t>(a_rows * plan.k_packed) * size);
  plan.partial_offset = plan.b_offset + align(static_cast<std::size_t>(b_columns * plan.k_packed) * size);
  plan.split_bytes = plan.partial_offset + (split ? align(static_cast<std::size_t>(s.m * s.n) * size) : 0);
  plan.scratch_bytes = plan.split_bytes * static_cast<std::size_t>(split ? parts(s.k, plan.k_split) : 1);
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

GemmPlan plan_gemm(const GemmShape& shape, std::size_t element_bytes, Isa isa, const CacheSizes& caches) {
  const Tile tile = tile_of(isa, element_bytes);
  GemmPlan plan{};
  plan.shape = shape;
  plan.mr = static_cast<int>(even_part(shape.m, tile.mr, 1));
  plan.nr = tile.nr;
  plan.cost = 100 + 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k) /
                        tile.flops_per_ns;
  choose_split(plan);
  choose_packing(plan);
  choose_cache_blocks(plan, element_bytes, caches);
  choose_tasks(plan, element_bytes, caches);
  lay_out_scratch(plan, element_bytes);
  return plan;
}

template <class T>
GemmPlan plan_gemm(const GemmShape& shape) {
  return plan_gemm(shape, sizeof(T), isa(), cache_sizes());
}

template <class T>
void gemm(const GemmPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue, void* scratch) {
  entries<T>().gemm(plan, a, b, c, epilogue, scratch);
}

template <class T>
std::size_t gemm_packed_b_bytes(const GemmShape& shape) {
  const std::int64_t columns = round_up(shape.n, tile_of(isa(), sizeof(T)).nr);
  return align(static_cast<std::size_t>(columns * shape.k) * sizeof(T));
}

template <class T>
void gemm_pack_b(const GemmShape& shape, const T* b, T* packed) {
  entries<T>().pack_b(shape, b, packed);
}

template <class T>
std::string gemm_label() {
  const Tile tile = tile_of(isa(), sizeof(T));
  return "gemm_f" + std::to_string(8 * sizeof(T)) + "_" + std::to_string(tile.mr) + "x" + std::to_string(tile.nr) +
         "_" + std::string(name_of(isa()));
}

#define DLCORE_GEMM(T)                                                                           \
  template GemmPlan plan_gemm<T>(const GemmShape&);                                              \
  template void gemm<T>(const GemmPlan&, const T*, const T*, T*, const GemmEpilogue<T>&, void*); \
  template std::size_t gemm_packed_b_bytes<T>(const GemmShape&);                                 \
  template void gemm_pack_b<T>(const GemmShape&, const T*, T*);                                  \
  template std::string gemm_label<T>();
DLCORE_GEMM(float)
DLCORE_GEMM(double)
#undef DLCORE_GEMM

}  // namespace dlcore
