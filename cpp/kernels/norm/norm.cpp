#include "kernels/norm/norm.h"

#include <algorithm>
#include <numeric>

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(BatchNormKernels<float>, batch_norm_kernels_f32)
DLCORE_SELECT_KERNELS(BatchNormKernels<double>, batch_norm_kernels_f64)
DLCORE_SELECT_KERNELS(BatchNormKernels<Bfloat>, batch_norm_kernels_bf16)
DLCORE_SELECT_KERNELS(LayerNormKernels<float>, layer_norm_kernels_f32)
DLCORE_SELECT_KERNELS(LayerNormKernels<double>, layer_norm_kernels_f64)
DLCORE_SELECT_KERNELS(LayerNormKernels<Bfloat>, layer_norm_kernels_bf16)

namespace {

// A piece is about this many elements, and long enough that joining the pieces costs little.
constexpr std::int64_t kPiece = 8192;
constexpr std::int64_t kLeastRows = 64;
// Rows narrower than this are laid side by side until they fill whole vectors of any instruction set, and enough of
// them for sums that do not wait for each other.
constexpr std::int64_t kNarrow = 64, kVector = 16;

std::int64_t rows_side_by_side(std::int64_t channels) {
  if (channels == 0 || channels >= kNarrow) return 1;
  std::int64_t rows = kVector / std::gcd(channels, kVector);
  while (rows * channels < kNarrow) rows *= 2;
  return rows;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

BatchNormView::BatchNormView(std::int64_t outer, std::int64_t channels, std::int64_t inner)
    : outer(outer), channels(channels), inner(inner) {
  groups = inner == 1 ? rows_side_by_side(channels) : 1;
  wide = groups * channels;
  if (inner == 1) {
    piece = std::max(kLeastRows, kPiece / std::max<std::int64_t>(1, wide));
    pieces = divide_up(outer / groups, piece) + (leftover() > 0);
  } else {
    piece = kPiece;
    pieces = outer * divide_up(inner, piece);
  }
}

// A shift and two sums per piece and channel, two totals in double, and six coefficients.
std::size_t BatchNormView::scratch_bytes(std::size_t element) const {
  const std::size_t n = static_cast<std::size_t>(wide);
  return n * (3 * static_cast<std::size_t>(pieces) + 6) * element + 2 * n * sizeof(double);
}

LayerNormView::LayerNormView(std::int64_t rows, std::int64_t size) : rows(rows), size(size) {
  piece = std::max(kLeastRows, kPiece / std::max<std::int64_t>(1, size));
  pieces = divide_up(rows, piece);
}

std::size_t LayerNormView::grad_scratch_bytes(std::size_t element) const {
  return static_cast<std::size_t>(2 * pieces * size) * element;
}

}  // namespace dlcore
