#include "kernels/conv/windows.h"

#include <algorithm>
#include <limits>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/conv/padding.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(WindowKernels, window_kernels)

namespace {

constexpr std::int64_t kFewProducts = 64;  // of an output
constexpr std::int64_t kMostParts = 32;
constexpr double kFlopsPerNs = 50;    // of one thread, roughly
constexpr double kProductsPerNs = 8;  // of the gradient, likewise
constexpr double kChunkFlops = 5e5;   // worth a visit to the chunk counter

/// So many numbers, up to whole cache lines.
std::int64_t whole_lines(std::int64_t elements) {
  return static_cast<std::int64_t>(bytes_of<float>(elements) / sizeof(float));
}

std::int64_t products_of(const ConvShape& s) { return s.kh * s.kw * s.cin; }

void forward_row(const WindowRow<float>& row) { window_kernels().forward_f32(row); }
void forward_row(const WindowRow<double>& row) { window_kernels().forward_f64(row); }

}  // namespace

bool has_whole_windows(const ConvShape& conv, const PoolShape& pool) {
  return pool.pool_h == 2 && pool.pool_w == 2 && pool.stride_h == 2 && pool.stride_w == 2 && pool.pad_top == 0 &&
         pool.pad_left == 0 && pool.oh == conv.oh / 2 && pool.ow == conv.ow / 2;
}

bool windows_save_work(const ConvShape& conv, const PoolShape& pool) {
  const ConvShape inner = without_padding(conv);
  const bool offsets_fit = inner.kh * inner.dilation_h * inner.w * inner.cin < std::numeric_limits<std::int32_t>::max();
  return conv.groups == 1 && products_of(conv) <= kFewProducts && offsets_fit && has_whole_windows(conv, pool);
}

// ---------------------------------------------------------------------------------------------------- rows of windows

WindowRows::WindowRows(const ConvShape& conv, const PoolShape& pool)
    : shape_(conv), inner_(without_padding(conv)), pool_(pool) {
  for (std::int64_t i = 0; i < inner_.kh; ++i)
    for (std::int64_t j = 0; j < inner_.kw; ++j)
      for (std::int64_t c = 0; c < inner_.cin; ++c)
        offsets_.push_back(
            static_cast<std::int32_t>((i * inner_.dilation_h * inner_.w + j * inner_.dilation_w) * inner_.cin + c));
}

std::int64_t WindowRows::source(std::int64_t row) const {
  return (row / pool_.oh * inner_.h + row % pool_.oh * 2 * inner_.stride_h) * inner_.w * inner_.cin;
}

WindowOffsets WindowRows::offsets() const {
  return {offsets_.data(), products(), inner_.stride_w * inner_.cin, inner_.stride_h * inner_.w * inner_.cin};
}

std::int64_t WindowRows::padded_elements() const {
  return inner_.h == shape_.h && inner_.w == shape_.w ? 0 : inner_.n * inner_.h * inner_.w * inner_.cin;
}

template <class T>
const T* WindowRows::padded(const T* x, Scratch& free) const {
  if (padded_elements() == 0) return x;
  T* const copy = free.take<T>(padded_elements());
  pad_images(shape_, inner_, x, copy);
  return copy;
}

// ------------------------------------------------------------------------------------------------------------- forward

template <class T>
void WindowForward<T>::run(const T* x, const T* w, const T* bias, Activation activation, T* y, std::uint8_t* argmax,
                           void* scratch) const {
  Scratch free(scratch);
  x = rows_.padded(x, free);
  const ConvShape& conv = rows_.conv();
  const std::int64_t rows = rows_.count();
  const double flops = conv.flops();
  const double wanted = kChunkFlops * static_cast<double>(rows) / std::max(flops, 1.0);
  const auto step = static_cast<std::int64_t>(std::clamp(wanted, 1.0, std::max(static_cast<double>(rows), 1.0)));
  parallel_for((rows + step - 1) / step, flops / kFlopsPerNs, [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * step; row < std::min(rows, (chunk + 1) * step); ++row) {
      const std::int64_t out = rows_.result(row);
      forward_row(WindowRow<T>{x + rows_.source(row), rows_.offsets(), w, conv.cout, rows_.pool().ow, bias,
                               activation == Activation::Relu, y + out, argmax ? argmax + out : nullptr});
    }
  });
}

template class WindowForward<float>;
template class WindowForward<double>;

// ---------------------------------------------------------------------------------------------------- backward weights

WindowBackwardWeights::WindowBackwardWeights(const ConvShape& conv, const PoolShape& pool)
    : rows_(conv, pool), parts_(std::clamp<std::int64_t>(conv.n, 1, kMostParts)) {}

std::size_t WindowBackwardWeights::scratch_bytes() const {
  const auto parts = static_cast<std::size_t>(parts_);
  return bytes_of<float>(rows_.padded_elements()) +
         parts * (bytes_of<float>(weights()) + bytes_of<float>(choice_elements()));
}

void WindowBackwardWeights::run(const float* x, const float* dp, const std::uint8_t* argmax, float* dw,
                                void* scratch) const {
  Scratch free(scratch);
  x = rows_.padded(x, free);
  const PoolShape& pool = rows_.pool();
  const std::int64_t sum_step = whole_lines(weights()), choice_step = whole_lines(choice_elements());
  float* const sums = free.take<float>(parts_ * sum_step);
  float* const choices = free.take<float>(parts_ * choice_step);
  const double cost = static_cast<double>(rows_.count() * pool.ow * weights()) / kProductsPerNs;
  parallel_for(parts_, cost, [&](std::int64_t part) {
    float* const sum = sums + part * sum_step;
    std::fill_n(sum, weights(), 0.0f);
    const std::int64_t last = pool.n * (part + 1) / parts_ * pool.oh;
    for (std::int64_t row = pool.n * part / parts_ * pool.oh; row < last; ++row) {
      const std::int64_t out = rows_.result(row);
      window_kernels().add_gradients({x + rows_.source(row), rows_.offsets(), pool.c, pool.ow, dp + out, argmax + out,
                                      choices + part * choice_step, sum});
    }
  });
  std::copy_n(sums, weights(), dw);
  for (std::int64_t part = 1; part < parts_; ++part)
    for (std::int64_t i = 0; i < weights(); ++i) dw[i] += sums[part * sum_step + i];
}

}  // namespace dlcore
