#include "kernels/conv/pooled_forward.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/conv/padding.h"
#include "kernels/conv/windows.h"
#include "kernels/conv/winograd.h"
#include "kernels/scratch.h"

namespace dlcore {

namespace {

constexpr double kFlopsPerNs = 50;  // of one thread, roughly
constexpr double kChunkFlops = 5e5;

/// The shape for Winograd's algorithm, if it is worth it.
template <class T>
std::optional<WinogradShape> winograd_pooled(const ConvShape& conv) {
  if (!std::is_same_v<T, float> || !is_unit_3x3(conv)) return std::nullopt;
  WinogradShape shape = winograd_shape(conv);
  if (!winograd_saves_work(shape)) return std::nullopt;
  shape.pooled = true;
  return shape;
}

std::int64_t products_of(const ConvShape& s) { return s.kh * s.kw * s.cin; }

void run_window_row(const WindowRow<float>& row) { window_kernels().forward_f32(row); }
void run_window_row(const WindowRow<double>& row) { window_kernels().forward_f64(row); }

}  // namespace

template <class T>
bool pooling_fits_in(const ConvShape& conv, const PoolShape& pool) {
  if (conv.groups > 1 || !has_whole_windows(conv, pool)) return false;
  const ConvShape inner = without_padding(conv);
  const bool small_rows = inner.kh * inner.dilation_h * inner.w * inner.cin < INT32_MAX;
  return winograd_pooled<T>(conv) || (products_of(conv) <= kFewProducts && small_rows);
}

template <class T>
struct PooledForward<T>::Plan {
  ConvShape shape, inner;  // inner: of the padded images
  PoolShape pool;
  std::optional<Winograd> winograd;
  std::vector<std::int32_t> offsets;

  Plan(const ConvShape& s, const PoolShape& p)
      : shape(s), inner(without_padding(s)), pool(p), offsets(product_offsets(inner)) {
    if (const auto winograd_shape = winograd_pooled<T>(s)) winograd.emplace(*winograd_shape);
  }

  bool padded() const { return inner.h != shape.h || inner.w != shape.w; }
  std::int64_t padded_elements() const { return padded() ? inner.n * inner.h * inner.w * inner.cin : 0; }
  void run_row(std::int64_t row, WindowRow<T> args) const;
};

/// row: n * OH + oh of the pooled image.
template <class T>
void PooledForward<T>::Plan::run_row(std::int64_t row, WindowRow<T> args) const {
  const std::int64_t out = row * pool.ow * pool.c;
  args.x += (row / pool.oh * inner.h + row % pool.oh * 2 * inner.stride_h) * inner.w * inner.cin;
  args.y += out;
  if (args.argmax) args.argmax += out;
  run_window_row(args);
}

template <class T>
PooledForward<T>::PooledForward(const ConvShape& conv, const PoolShape& pool)
    : plan_(std::make_unique<Plan>(conv, pool)) {}
template <class T>
PooledForward<T>::~PooledForward() = default;

template <class T>
std::size_t PooledForward<T>::scratch_bytes() const {
  return plan_->winograd ? plan_->winograd->scratch_bytes() : bytes_of<T>(plan_->padded_elements());
}

template <class T>
std::string PooledForward<T>::label() const {
  std::string label = "conv2d_max_pool2d";
  label += plan_->winograd ? "_winograd" : "_windows";
  label += std::is_same_v<T, double> ? "_f64_" : "_f32_";
  return label.append(name_of(isa()));
}

template <class T>
void PooledForward<T>::run(const T* x, const T* w, const T* bias, Activation activation, T* y, std::uint8_t* argmax,
                           void* scratch) const {
  const Plan& plan = *plan_;
  if constexpr (std::is_same_v<T, float>)
    if (plan.winograd) return plan.winograd->run_pooled(x, w, bias, activation, y, argmax, scratch);
  const ConvShape& inner = plan.inner;
  if (plan.padded()) {
    pad_images(plan.shape, inner, x, static_cast<T*>(scratch));
    x = static_cast<const T*>(scratch);
  }
  const WindowRow<T> args{x,    window_offsets(inner, plan.offsets), w, inner.cout, plan.pool.ow,
                          bias, activation == Activation::Relu,      y, argmax};
  const std::int64_t rows = plan.pool.n * plan.pool.oh;
  const double flops = inner.flops();
  const auto step = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(kChunkFlops * static_cast<double>(rows) / std::max(flops, 1.0)), 1,
      std::max<std::int64_t>(rows, 1));
  parallel_for((rows + step - 1) / step, flops / kFlopsPerNs, [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * step; row < std::min(rows, (chunk + 1) * step); ++row) plan.run_row(row, args);
  });
}

template bool pooling_fits_in<float>(const ConvShape&, const PoolShape&);
template bool pooling_fits_in<double>(const ConvShape&, const PoolShape&);
template class PooledForward<float>;
template class PooledForward<double>;

}  // namespace dlcore
