#include "kernels/gemm/amx.h"

#include <algorithm>
#include <limits>

#include "base/parallel.h"
#include "kernels/gemm/blocking.h"

namespace dlcore {

using blocking::align;
using blocking::even_part;
using blocking::parts;
using blocking::round_up;

#if defined(DLCORE_AMX_BF16)
namespace amx_bf16 {
extern const AmxKernels amx_kernels_table;
}
const AmxKernels* amx_kernels() { return has_amx() ? &amx_bf16::amx_kernels_table : nullptr; }
#else
const AmxKernels* amx_kernels() { return nullptr; }
#endif

namespace {

constexpr std::int64_t kBlockRows = 2 * kTileRows;  // of a register block
constexpr double kFlopsPerNs = 2300;                // of the unit, half of it while other threads of its core are busy
constexpr double kPacking = 0.35;                   // ns for an element: another core may have written it
constexpr double kSum = 0.125, kFarSum = 0.3;       // ns for an element of C, and of one beyond L2
constexpr double kTaskCost = 20000, kTwoTasks = 6500, kTasks = 16;  // ns, and tasks at most
constexpr std::int64_t kFewRows = 256;                              // that are one block
constexpr std::int64_t kSmall = 1 << 15, kLong = 2048;  // elements of C, and k that makes up for partial sums
constexpr std::int64_t kManyRows = 512;                 // that make up for packing all of B in each worker
constexpr std::int64_t kFewSplits = 2;                  // that leave threads without work
constexpr std::int64_t kRows = 128, kColumns = 1024;    // of a task of a larger product
constexpr std::int64_t kLeastSteps = 256;               // k of a partial sum

}  // namespace

double amx_gemm_cost(const GemmShape& s, std::size_t element_bytes, const CacheSizes& caches) {
  // Few rows of float take what reading B takes: as tiles it is longer by half.
  const bool unfit = element_bytes > sizeof(float) || (element_bytes == sizeof(float) && s.m < kTileRows);
  if (unfit || s.m == 0 || s.n == 0) return std::numeric_limits<double>::infinity();
  const double m = static_cast<double>(round_up(s.m, kTileRows)), n = static_cast<double>(round_up(s.n, kTileRows));
  const double k = static_cast<double>(round_up(s.k, kTileSteps)), count = parts_of_element(element_bytes);
  const double flops = 2 * m * n * k * (count == 1 ? 1 : 6);
  const double packed = m * k + (s.packed_b ? 0 : k * n);
  const bool far = m * n * static_cast<double>(element_bytes) > static_cast<double>(caches.l2) / 2;
  return 1000 + flops / kFlopsPerNs + packed * (count == 1 ? 0.4 : 1) * kPacking + m * n * (far ? kFarSum : kSum);
}

namespace {

/// Packed elements of a quarter of L2.
std::int64_t near(std::size_t element_bytes, const CacheSizes& caches) {
  return static_cast<std::int64_t>(caches.l2) / 4 / (2 * parts_of_element(element_bytes));
}

// Cuts a long k where C is small: then nothing is packed twice. Few rows are one block, and columns are cut. Of many
// rows only these are, where each worker packs all of B for itself; else columns where there are too few tasks.
// None of it depends on the number of threads: the order of sums does on the blocks.
void choose_blocks(AmxGemmPlan& plan, std::size_t element_bytes, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const bool few = s.m <= kFewRows, small = s.m * s.n <= kSmall && s.k >= kLong;
  const bool whole = s.m >= kManyRows && s.n * s.k <= near(element_bytes, caches);
  plan.block_m = few ? round_up(s.m, kTileRows) : even_part(s.m, kRows, kBlockRows);
  plan.block_n = even_part(s.n, few && !small ? kColumns / 4 : kColumns, s.n <= kTileRows ? kTileRows : kBlockRows);
  plan.splits = 1;
  const double tasks = std::clamp(plan.cost / kTaskCost, plan.cost >= kTwoTasks ? 2.0 : 1.0, kTasks);
  auto count = [&] { return static_cast<double>(parts(s.m, plan.block_m) * parts(s.n, plan.block_n) * plan.splits); };
  auto cut_rows = [&](double wanted) {
    while (count() < wanted && plan.block_m >= 2 * kBlockRows)
      plan.block_m = even_part(s.m, plan.block_m / 2, kBlockRows);
  };
  auto cut_k = [&](double wanted) {
    while (count() < wanted && s.k >= 2 * plan.splits * kLeastSteps) plan.splits *= 2;
  };
  if (small) cut_k(tasks);
  if (plan.splits > kFewSplits) return;
  if (whole) cut_rows(tasks);
  while (count() < tasks && plan.block_n >= 4 * kBlockRows) plan.block_n = even_part(s.n, plan.block_n / 2, kBlockRows);
  cut_rows(tasks / 2);
  cut_k(tasks / 2);
}

// Where B is small, or used by one block of rows, each task packs its part for itself.
void choose_packing(AmxGemmPlan& plan, std::size_t element_bytes, const CacheSizes& caches) {
  const GemmShape& s = plan.shape;
  const std::int64_t bytes = 2 * parts_of_element(element_bytes);  // of a packed element
  const std::int64_t k = std::max<std::int64_t>(1, parts(s.k, plan.splits)), room = near(element_bytes, caches);
  const bool one = plan.block_m >= s.m, own = one || plan.block_n * k <= room;
  plan.pack_b = s.packed_b ? Pack::No : own ? Pack::PerTask : Pack::Once;
  const std::int64_t rows = plan.block_m + (own && !s.packed_b ? plan.block_n : 0);
  plan.k_packed = even_part(k, std::max((one ? room + room / 2 : room) / rows, kLeastSteps), kTileSteps);
  const std::int64_t far = std::max<std::int64_t>(1, (8 << 20) / (bytes * plan.k_packed * plan.splits));
  plan.n_packed = plan.pack_b == Pack::Once ? even_part(s.n, std::max(far, plan.block_n), plan.block_n)
                                            : round_up(s.n, plan.block_n);
}

void lay_out_scratch(AmxGemmPlan& plan, std::size_t element_bytes) {
  const GemmShape& s = plan.shape;
  const auto step_bytes = static_cast<std::size_t>(plan.k_packed * 2 * parts_of_element(element_bytes));
  auto panels = [&](std::int64_t rows) {
    const auto count = static_cast<std::size_t>(parts(rows, kTileRows));
    return align(count * static_cast<std::size_t>(kTileRows) * step_bytes + count);
  };
  const auto splits = static_cast<std::size_t>(plan.splits);
  const bool passes = s.k > plan.k_packed * plan.splits, sums = plan.splits > 1 || (element_bytes == 2 && passes);
  plan.b_bytes = plan.pack_b == Pack::Once ? panels(plan.n_packed) : 0;
  plan.rooms_offset = splits * plan.b_bytes;
  plan.b_in_room = kAmxRoomHeader + panels(plan.block_m);
  plan.room_bytes = plan.b_in_room + (plan.pack_b == Pack::PerTask ? panels(plan.block_n) : 0);
  plan.sums_offset = plan.rooms_offset + static_cast<std::size_t>(plan.workers) * plan.room_bytes;
  plan.sums_bytes = sums ? align(splits * static_cast<std::size_t>(s.m * s.n) * sizeof(float)) : 0;
  plan.scratch_bytes = plan.sums_offset + plan.sums_bytes;
}

}  // namespace

AmxGemmPlan plan_amx_gemm(const GemmShape& shape, std::size_t element_bytes, const CacheSizes& caches) {
  AmxGemmPlan plan{};
  plan.shape = shape;
  plan.runs = true;
  plan.cost = amx_gemm_cost(shape, element_bytes, caches);
  choose_blocks(plan, element_bytes, caches);
  plan.workers = workers_for(parts(shape.m, plan.block_m) * parts(shape.n, plan.block_n) * plan.splits);
  choose_packing(plan, element_bytes, caches);
  lay_out_scratch(plan, element_bytes);
  return plan;
}

std::size_t amx_packed_b_bytes(const GemmShape& s, std::size_t element_bytes) {
  const std::int64_t panels = parts(s.n, kTileRows), tiles = parts(s.k, kTileSteps) * parts_of_element(element_bytes);
  return align(static_cast<std::size_t>(panels * (tiles * kTileBytes + 1)));
}

}  // namespace dlcore
