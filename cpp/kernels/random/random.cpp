#include "kernels/random/random.h"

#include <algorithm>
#include <utility>

#include "base/isa.h"
#include "base/parallel.h"
#include "base/philox.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(RandomKernels, random_kernels)

namespace {

std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

/// Number i of 64 bits.
std::uint64_t number64(const RandomStream& s, std::uint64_t i) {
  const std::uint64_t block = i / 32 * 16 + i % 16;
  const Philox4 words = philox4x32(low_word(block), high_word(block), low_word(s.counter), high_word(s.counter),
                                   low_word(s.seed), high_word(s.seed));
  const int first = i % 32 < 16 ? 0 : 2;
  return std::uint64_t{words.v[first]} << 32 | words.v[first + 1];
}

template <class T>
void apply_mask(const SharedMask& mask, const std::uint8_t* keep, T scale, const T* x, T* y) {
  const int last = mask.rank - 1;
  const std::int64_t columns = mask.size[last], step = mask.stride[last];
  std::int64_t rows = 1;
  for (int axis = 0; axis < last; ++axis) rows *= mask.size[axis];
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, columns));
  parallel_for((rows + grain - 1) / grain, static_cast<double>(rows * columns), [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * grain; row < std::min(rows, (chunk + 1) * grain); ++row) {
      std::int64_t first = 0;
      for (std::int64_t axis = last - 1, rest = row; axis >= 0; rest /= mask.size[axis--])
        first += rest % mask.size[axis] * mask.stride[axis];
      const std::uint8_t* kept = keep + first;
      for (std::int64_t c = 0; c < columns; ++c)
        y[row * columns + c] = kept[c * step] ? x[row * columns + c] * scale : T{0};
    }
  });
}

}  // namespace

void apply_shared_mask(const SharedMask& shape, const std::uint8_t* keep, double scale, const float* x, float* y) {
  apply_mask(shape, keep, static_cast<float>(scale), x, y);
}
void apply_shared_mask(const SharedMask& shape, const std::uint8_t* keep, double scale, const double* x, double* y) {
  apply_mask(shape, keep, scale, x, y);
}

void random_permutation(const RandomStream& stream, std::int64_t n, std::int64_t* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = i;
  for (std::int64_t i = n - 1; i > 0; --i) {
    const unsigned __int128 product = static_cast<unsigned __int128>(number64(stream, static_cast<std::uint64_t>(i))) *
                                      static_cast<std::uint64_t>(i + 1);
    std::swap(y[i], y[static_cast<std::int64_t>(product >> 64)]);
  }
}

}  // namespace dlcore
