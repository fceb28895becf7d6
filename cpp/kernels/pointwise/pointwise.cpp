#include "kernels/pointwise/pointwise.h"

#include <algorithm>
#include <cstddef>

#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(PointwiseKernels, pointwise_kernels)

void convert(DType from_dtype, const void* from, DType to_dtype, void* to, std::int64_t n) {
  constexpr std::int64_t kPiece = 1 << 14;
  const TileFn convert_piece = converter(from_dtype, to_dtype);
  const std::int64_t from_bytes = static_cast<std::int64_t>(size_of(from_dtype));
  const std::int64_t to_bytes = static_cast<std::int64_t>(size_of(to_dtype));
  parallel_for((n + kPiece - 1) / kPiece, 0.4 * static_cast<double>(n), [&](std::int64_t piece) {
    const std::int64_t first = piece * kPiece;
    convert_piece(static_cast<std::byte*>(to) + first * to_bytes,
                  static_cast<const std::byte*>(from) + first * from_bytes, nullptr, nullptr,
                  std::min(kPiece, n - first), 0);
  });
}

}  // namespace dlcore
