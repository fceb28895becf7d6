#include "kernels/conv/pooled_forward.h"

#include "kernels/pool/argmax.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kPixels = 4;  // of a window, row by row
constexpr int kVectors = 2;

/// The four outputs of a window for up to kVectors vectors of channels. lanes: of the last vector.
template <class T, int kCount>
DLCORE_INLINE void sum_products(const WindowRow<T>& row, const T* x, const T* w, int lanes,
                                vec<T> (&sum)[kPixels][kVectors]) {
  const T* const pixels[kPixels] = {x, x + row.right, x + row.below, x + row.below + row.right};
  for (std::int64_t k = 0; k < row.products; ++k, w += row.channels) {
    const std::int64_t offset = row.offsets[k];
    vec<T> weights[kCount];
#pragma GCC unroll 2
    for (int v = 0; v < kCount; ++v)
      weights[v] =
          v + 1 < kCount || lanes == kLanes<T> ? load(w + v * kLanes<T>) : load_partial(w + v * kLanes<T>, lanes);
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; ++p) {
      const vec<T> number = broadcast(pixels[p][offset]);
#pragma GCC unroll 2
      for (int v = 0; v < kCount; ++v) sum[p][v] = fma(number, weights[v], sum[p][v]);
    }
  }
}

template <class T, int kCount, bool kWhole>
DLCORE_INLINE void window(const WindowRow<T>& row, const T* x, std::int64_t channel, int lanes, T* y,
                          std::uint8_t* argmax) {
  if (kWhole) lanes = kLanes<T>;
  vec<T> sum[kPixels][kVectors] = {};
  sum_products<T, kCount>(row, x, row.w + channel, lanes, sum);
  const vec<T> floor = broadcast<T>(row.activation == Activation::Relu ? T{} : -__builtin_inff());
#pragma GCC unroll 2
  for (int v = 0; v < kCount; ++v) {
    const bool whole = kWhole || v + 1 < kCount;
    const std::int64_t at = channel + v * kLanes<T>;
    const vec<T> bias = !row.bias ? vec<T>{} : whole ? load(row.bias + at) : load_partial(row.bias + at, lanes);
    vec<T> best{};
    index_vec<T> position{};
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; ++p) {
      const vec<T> number = vmax(floor, sum[p][v] + bias);  // NaN stays NaN
      if (p == 0)
        best = number;
      else
        take_greater<T>(number, p, best, position);
    }
    if (whole) {
      store(y + at, best);
      if (argmax) store_index<T, std::uint8_t, true>(argmax + at, position, kLanes<T>);
    } else {
      store_partial(y + at, best, lanes);
      if (argmax) store_index<T, std::uint8_t, false>(argmax + at, position, lanes);
    }
  }
}

template <class T>
void run_row(const WindowRow<T>& row) {
  constexpr std::int64_t kWidth = kVectors * kLanes<T>;
  const T* x = row.x;
  for (std::int64_t i = 0; i < row.windows; ++i, x += row.window) {
    T* const y = row.y + i * row.channels;
    std::uint8_t* const argmax = row.argmax ? row.argmax + i * row.channels : nullptr;
    std::int64_t channel = 0;
    for (; channel + kWidth <= row.channels; channel += kWidth)
      window<T, 2, true>(row, x, channel, kLanes<T>, y, argmax);
    const int left = static_cast<int>(row.channels - channel);
    if (left > kLanes<T>)
      window<T, 2, false>(row, x, channel, left - kLanes<T>, y, argmax);
    else if (left > 0)
      window<T, 1, false>(row, x, channel, left, y, argmax);
  }
}

}  // namespace

extern const WindowRowKernels window_row_kernels_table;
const WindowRowKernels window_row_kernels_table = {run_row<float>, run_row<double>};

}  // namespace dlcore::DLCORE_ISA
