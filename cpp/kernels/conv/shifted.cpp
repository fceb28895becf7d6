#include "kernels/conv/shifted.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/gemm/amx.h"
#include "kernels/gemm/blocking.h"
#include "kernels/scratch.h"

namespace dlcore {

using blocking::even_part;
using blocking::parts;
using blocking::round_up;

#if defined(DLCORE_AMX_BF16)
namespace amx_bf16 {
extern const ShiftedKernels shifted_kernels_table;
}
#endif

namespace {

constexpr std::int64_t kTasks = 16;         // that a convolution is cut into, where its images have so many rows
constexpr std::int64_t kBlockColumns = 32;  // of a register block
constexpr std::int64_t kMostPixels = 1024;  // of a band whose gradients are added up
constexpr std::int64_t kSplits = 8, kSumsBytes = 4 << 20;  // of partial sums, at most
constexpr double kLargestPadded = 0x1p40;                  // elements: sizes of rooms stay countable
// As many products take the time of packing an element of a patch, and of adding a sum to those before.
constexpr double kPackedPatch = 240, kAdded = 150;

std::int64_t products_of(const ConvShape& s) { return s.kh * s.kw * s.cin; }
std::int64_t sums_bytes(const ConvShape& s) {
  return s.cout * products_of(s) * static_cast<std::int64_t>(sizeof(float));
}

/// All but the blocks' sizes and the scratch.
ShiftedPlan plan_images(const ConvShape& s) {
  ShiftedPlan plan{};
  plan.shape = s;
  plan.width = s.ow + (s.kw - 1) * s.dilation_w;
  plan.reach = (s.kh - 1) * s.dilation_h;
  plan.cost = amx_gemm_cost(dense_gemm(s.n * s.oh * s.ow, s.cout, products_of(s)), sizeof(Bfloat), cache_sizes());
  return plan;
}

/// Bands of at most so many rows, fewer where there would be too few tasks; not so few that most is read for two bands.
void cut_bands(ShiftedPlan& plan, std::int64_t most) {
  const std::int64_t oh = plan.shape.oh, few = std::max<std::int64_t>(4 * plan.reach, 1);
  const std::int64_t shared = std::max(plan.shape.n * oh / kTasks, few);
  plan.rows = even_part(oh, std::clamp<std::int64_t>(most, 1, shared), 1);
  plan.bands = parts(oh, plan.rows);
}

std::int64_t near_bytes() { return static_cast<std::int64_t>(cache_sizes().l2) / 4; }

/// Of a band's padded rows, and of what the last tile reads behind them.
std::size_t band_bytes(const ShiftedPlan& plan) {
  return bytes_of<Bfloat>((plan.read_pixels(plan.rows) + kTileSteps) * plan.shape.cin);
}

ShiftedPlan plan_forward(const ConvShape& s) {
  ShiftedPlan plan = plan_images(s);
  const std::int64_t row_bytes = plan.width * s.cin * static_cast<std::int64_t>(sizeof(Bfloat));
  cut_bands(plan, near_bytes() / row_bytes - plan.reach);
  const std::int64_t column_bytes = products_of(s) * static_cast<std::int64_t>(sizeof(Bfloat));
  plan.columns = even_part(s.cout, near_bytes() / column_bytes, kBlockColumns);
  plan.workers = workers_for(s.n * plan.bands);
  plan.rooms_offset = amx_packed_b_bytes(dense_gemm(s.n * s.oh * s.ow, s.cout, products_of(s)), sizeof(Bfloat));
  plan.room_bytes = band_bytes(plan);
  plan.scratch_bytes = plan.rooms_offset + static_cast<std::size_t>(plan.workers) * plan.room_bytes;
  return plan;
}

// Of two images at a time: the pairs of pixels that tiles are made of are the two's.
ShiftedPlan plan_weights(const ConvShape& s) {
  ShiftedPlan plan = plan_images(s);
  const std::int64_t row_bytes = plan.width * 2 * (s.cin + s.cout) * static_cast<std::int64_t>(sizeof(Bfloat));
  cut_bands(plan, std::min(near_bytes() / row_bytes - plan.reach, kMostPixels / plan.width));
  const std::int64_t total = parts(s.n, 2) * plan.bands;
  plan.splits = 1;
  while (plan.splits < kSplits && 2 * plan.splits <= total && 2 * plan.splits * sums_bytes(s) <= kSumsBytes)
    plan.splits *= 2;
  const std::size_t packed = bytes_of<Bfloat>(2 * (plan.read_pixels(plan.rows) + kTileRows) * s.cin) +
                             bytes_of<Bfloat>(2 * plan.steps() * kTileRows * round_up(s.cout, kTileRows));
  const std::int64_t fitting = 2 * near_bytes() / static_cast<std::int64_t>(packed);
  plan.together = std::clamp<std::int64_t>(fitting, 1, parts(total, plan.splits));
  plan.workers = workers_for(plan.splits);
  plan.rooms_offset = bytes_of<float>(plan.splits * s.cout * products_of(s));
  plan.room_bytes =
      static_cast<std::size_t>(plan.together) * packed + bytes_of<Bfloat>(2 * plan.rows * plan.width * s.cout);
  plan.scratch_bytes = plan.rooms_offset + static_cast<std::size_t>(plan.workers) * plan.room_bytes;
  return plan;
}

// The time of an element's products with all columns, where what is dropped is computed too.
double products_time(const ShiftedPlan& plan, std::int64_t step) {
  const ConvShape& s = plan.shape;
  const double computed = static_cast<double>(plan.bands * round_up(plan.pixels(plan.rows), step));
  return static_cast<double>(s.cout) * computed / static_cast<double>(s.oh * s.ow);
}
double patches_time(const ConvShape& s) { return static_cast<double>(s.cout) + kPackedPatch; }

const ShiftedKernels* shifted_kernels() {
#if defined(DLCORE_AMX_BF16)
  if (amx_kernels()) return &amx_bf16::shifted_kernels_table;
#endif
  return nullptr;
}

}  // namespace

bool shifted_fits(const ConvShape& s) {
  if (s.stride_h != 1 || s.stride_w != 1 || s.cin % kTileSteps != 0) return false;
  const double height = static_cast<double>(s.oh) + static_cast<double>(s.kh - 1) * static_cast<double>(s.dilation_h);
  const double width = static_cast<double>(s.ow) + static_cast<double>(s.kw - 1) * static_cast<double>(s.dilation_w);
  return height * width * static_cast<double>(std::max(s.cin, s.cout)) <= kLargestPadded;
}

bool shifted_pays(const ConvShape& s) {
  return shifted_fits(s) && s.kh * s.kw > 1 && products_time(plan_forward(s), kTileSteps) < patches_time(s);
}

bool shifted_weights_pay(const ConvShape& s) {
  if (!shifted_fits(s) || s.kh * s.kw == 1 || sums_bytes(s) > 2 * near_bytes()) return false;
  const ShiftedPlan plan = plan_weights(s);
  const double products =
      products_time(plan, kTileRows) * static_cast<double>(round_up(s.n, 2)) / static_cast<double>(s.n);
  const double added =
      kAdded * static_cast<double>(s.cout) / static_cast<double>(2 * plan.together * plan.steps() * kTileRows);
  return products + added < patches_time(s);
}

ShiftedForward::ShiftedForward(const ConvShape& shape) : plan_(plan_forward(shape)) {}

void ShiftedForward::run(const Bfloat* x, const Bfloat* w, const Bfloat* bias, Activation activation, Bfloat* y,
                         void* scratch) const {
  shifted_kernels()->forward(plan_, x, w, {.bias = bias, .activation = activation}, y,
                             static_cast<std::byte*>(scratch));
}

ShiftedBackwardWeights::ShiftedBackwardWeights(const ConvShape& shape) : plan_(plan_weights(shape)) {}

void ShiftedBackwardWeights::run(const Bfloat* x, const Bfloat* dy, Bfloat* dw, void* scratch) const {
  shifted_kernels()->transposed_weight_gradients(plan_, x, dy, dw, static_cast<std::byte*>(scratch));
}

}  // namespace dlcore
