#include "kernels/conv/windows.h"

#include <algorithm>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/conv/padding.h"
#include "kernels/scratch.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(WindowKernels, window_kernels)

namespace {

constexpr std::int64_t kMostParts = 32;
constexpr double kProductsPerNs = 8;  // of one thread, roughly

}  // namespace

bool has_whole_windows(const ConvShape& conv, const PoolShape& pool) {
  return pool.pool_h == 2 && pool.pool_w == 2 && pool.stride_h == 2 && pool.stride_w == 2 && pool.pad_top == 0 &&
         pool.pad_left == 0 && pool.oh == conv.oh / 2 && pool.ow == conv.ow / 2;
}

std::vector<std::int32_t> product_offsets(const ConvShape& s) {
  std::vector<std::int32_t> offsets;
  for (std::int64_t i = 0; i < s.kh; ++i)
    for (std::int64_t j = 0; j < s.kw; ++j)
      for (std::int64_t c = 0; c < s.cin; ++c)
        offsets.push_back(static_cast<std::int32_t>((i * s.dilation_h * s.w + j * s.dilation_w) * s.cin + c));
  return offsets;
}

WindowOffsets window_offsets(const ConvShape& s, const std::vector<std::int32_t>& offsets) {
  return {offsets.data(), static_cast<std::int64_t>(offsets.size()), s.stride_w * s.cin, s.stride_h * s.w * s.cin};
}

bool WindowBackwardWeights::fits(const ConvShape& conv, const PoolShape& pool) {
  return conv.groups == 1 && conv.kh * conv.kw * conv.cin <= kFewProducts && has_whole_windows(conv, pool);
}

WindowBackwardWeights::WindowBackwardWeights(const ConvShape& conv, const PoolShape& pool)
    : shape_(conv),
      inner_(without_padding(conv)),
      pool_(pool),
      offsets_(product_offsets(inner_)),
      parts_(std::clamp<std::int64_t>(conv.n, 1, kMostParts)) {}

std::int64_t WindowBackwardWeights::padded_elements() const {
  return inner_.h == shape_.h && inner_.w == shape_.w ? 0 : inner_.n * inner_.h * inner_.w * inner_.cin;
}
std::int64_t WindowBackwardWeights::four_elements() const {
  return 4 * pool_.ow * static_cast<std::int64_t>(offsets_.size());
}

std::size_t WindowBackwardWeights::scratch_bytes() const {
  return bytes_of<float>(padded_elements()) + bytes_of<float>(parts_ * weights()) +
         static_cast<std::size_t>(parts_) * bytes_of<float>(four_elements());
}

void WindowBackwardWeights::run_images(std::int64_t first, std::int64_t last, const float* x, const float* dp,
                                       const std::uint8_t* argmax, float* four, float* sums) const {
  std::fill_n(sums, weights(), 0.0f);
  for (std::int64_t row = first * pool_.oh; row < last * pool_.oh; ++row) {
    const std::int64_t x_row = row / pool_.oh * inner_.h + row % pool_.oh * 2 * inner_.stride_h;
    const std::int64_t out = row * pool_.ow * pool_.c;
    window_kernels().add_gradients({x + x_row * inner_.w * inner_.cin, window_offsets(inner_, offsets_), pool_.c,
                                    pool_.ow, dp + out, argmax + out, four, sums});
  }
}

void WindowBackwardWeights::run(const float* x, const float* dp, const std::uint8_t* argmax, float* dw,
                                void* scratch) const {
  Scratch free(scratch);
  if (padded_elements() > 0) {
    float* const padded = free.take<float>(padded_elements());
    pad_images(shape_, inner_, x, padded);
    x = padded;
  }
  float* const sums = free.take<float>(parts_ * weights());
  std::byte* const fours = reinterpret_cast<std::byte*>(free.take<float>(0));
  const double cost = static_cast<double>(pool_.n * pool_.oh * pool_.ow * weights()) / kProductsPerNs;
  parallel_for(parts_, cost, [&](std::int64_t part) {
    auto* const four =
        reinterpret_cast<float*>(fours + static_cast<std::size_t>(part) * bytes_of<float>(four_elements()));
    run_images(pool_.n * part / parts_, pool_.n * (part + 1) / parts_, x, dp, argmax, four, sums + part * weights());
  });
  std::copy_n(sums, weights(), dw);
  for (std::int64_t part = 1; part < parts_; ++part)
    for (std::int64_t i = 0; i < weights(); ++i) dw[i] += sums[part * weights() + i];
}

}  // namespace dlcore
