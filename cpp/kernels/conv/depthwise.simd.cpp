#include "kernels/conv/depthwise.h"

#include "kernels/gemm/epilogue.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

/// A vector of channels, or the last few of them.
template <class T, bool kPartial>
struct Channels {
  int lanes;
  DLCORE_INLINE vec<T> read(const T* p) const { return kPartial ? load_partial(p, lanes) : load(p); }
  DLCORE_INLINE void write(T* p, vec<T> v) const {
    if (kPartial)
      store_partial(p, v, lanes);
    else
      store(p, v);
  }
};

/// Any taps: a filter value at a time, for all pixels.
struct AnyTaps {
  template <class T, int kPixels, bool kPartial>
  static DLCORE_INLINE void add(const DepthwiseArgs<T>& args, const T* x, const T* w, Channels<T, kPartial> channels,
                                vec<T> (&sum)[kPixels]) {
    for (std::int64_t tap = args.tap_cols; tap > 0; --tap, x += args.tap_col_reach, w += args.w_tap_col) {
      const vec<T> factor = channels.read(w);
      const T* pixel = x;
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p, pixel += args.source_pixel) sum[p] = fma(channels.read(pixel), factor, sum[p]);
    }
  }
};

/// Three taps, each a pixel further than the one before: what is read serves three pixels.
struct ThreeAdjacentTaps {
  template <class T, int kPixels, bool kPartial>
  static DLCORE_INLINE void add(const DepthwiseArgs<T>& args, const T* x, const T* w, Channels<T, kPartial> channels,
                                vec<T> (&sum)[kPixels]) {
    const vec<T> first = channels.read(w), second = channels.read(w + args.w_tap_col),
                 third = channels.read(w + 2 * args.w_tap_col);
#pragma GCC unroll 10
    for (int i = 0; i < kPixels + 2; ++i, x += args.source_pixel) {
      const vec<T> read = channels.read(x);
      if (i < kPixels) sum[i] = fma(read, first, sum[i]);
      if (i >= 1 && i <= kPixels) sum[i - 1] = fma(read, second, sum[i - 1]);
      if (i >= 2) sum[i - 2] = fma(read, third, sum[i - 2]);
    }
  }
};

template <class Taps, class T, int kPixels, bool kPartial>
DLCORE_INLINE void column(const DepthwiseArgs<T>& args, std::int64_t c, Channels<T, kPartial> channels) {
  vec<T> sum[kPixels]{};
  const T *x = args.source + c, *w = args.w + c;
  for (std::int64_t row = args.tap_rows; row > 0; --row, x += args.tap_row_reach, w += args.w_tap_row)
    Taps::template add<T, kPixels, kPartial>(args, x, w, channels, sum);
  const vec<T> bias = args.bias ? channels.read(args.bias + c) : vec<T>{};
  const vec<T> floor = broadcast<T>(args.activation == Activation::Relu ? T{} : -__builtin_inff());
  T* y = args.target + c;
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p, y += args.target_pixel)
    channels.write(y, vmax(floor, sum[p] + bias));  // NaN stays NaN
}

template <class Taps, class T, int kPixels>
void pixels(const DepthwiseArgs<T>& args) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= args.channels; c += kLanes<T>) column<Taps, T, kPixels, false>(args, c, {kLanes<T>});
  if (c < args.channels) column<Taps, T, kPixels, true>(args, c, {static_cast<int>(args.channels - c)});
  if (args.activation > Activation::Relu)
    apply_epilogue<T>(args.target, args.target_pixel, kPixels, args.channels, nullptr, args.activation);
}

template <class T>
constexpr DepthwiseSet<T> depthwise() {
  return {{pixels<AnyTaps, T, 8>, pixels<AnyTaps, T, 4>, pixels<AnyTaps, T, 2>, pixels<AnyTaps, T, 1>},
          {pixels<ThreeAdjacentTaps, T, 8>, pixels<ThreeAdjacentTaps, T, 4>, pixels<ThreeAdjacentTaps, T, 2>,
           pixels<ThreeAdjacentTaps, T, 1>}};
}

// ---- the gradient to the filters

// Pixels that are multiplied together, and rows of taps: their sums, and what is read of x, stay in registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kChunk = 4, kTapRows = 3;
#else
constexpr int kChunk = 2, kTapRows = 2;
#endif

template <class T, int kRows, int kTaps>
struct TapSums {
  static constexpr int kCount = kRows * kTaps < 8 ? 2 : 1;  // of each: an addition need not wait for the one before
  vec<T> sum[kCount][kRows][kTaps]{};
};

template <class T, int kRows, int kTaps, bool kAdjacent, bool kPartial>
DLCORE_INLINE void add_chunk(const DepthwiseGradientArgs<T>& args, const T* x, const T* dy,
                             Channels<T, kPartial> channels, TapSums<T, kRows, kTaps>& sums) {
  constexpr int kRead = kAdjacent ? kChunk + kTaps - 1 : 1;
  vec<T> read[kRows][kRead];
  if constexpr (kAdjacent) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int i = 0; i < kRead; ++i) read[r][i] = channels.read(x + r * args.tap_row_reach + i * args.x_pixel);
  }
#pragma GCC unroll 4
  for (int p = 0; p < kChunk; ++p, x += args.x_pixel, dy += args.channels) {
    const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
      for (int t = 0; t < kTaps; ++t) {
        vec<T>& sum = sums.sum[p % TapSums<T, kRows, kTaps>::kCount][r][t];
        const vec<T> value = kAdjacent ? read[r][kAdjacent ? p + t : 0]
                                       : channels.read(x + r * args.tap_row_reach + t * args.tap_col_reach);
        sum = fma(value, factor, sum);
      }
  }
}

/// A pixel at the border: not every tap counts.
template <class T, int kRows, int kTaps, bool kPartial>
DLCORE_INLINE void add_pixel(const DepthwiseGradientArgs<T>& args, std::int64_t p, const T* x, const T* dy,
                             Channels<T, kPartial> channels, TapSums<T, kRows, kTaps>& sums) {
  const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
  for (int t = 0; t < kTaps; ++t) {
    if (p < args.outputs[t].first || p >= args.outputs[t].last) continue;
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r)
      sums.sum[0][r][t] =
          fma(channels.read(x + r * args.tap_row_reach + t * args.tap_col_reach), factor, sums.sum[0][r][t]);
  }
}

template <class T, int kRows, int kTaps, bool kAdjacent, bool kPartial>
DLCORE_INLINE void gradient_column(const DepthwiseGradientArgs<T>& args, TapRange all, TapRange whole, std::int64_t c,
                                   Channels<T, kPartial> channels) {
  TapSums<T, kRows, kTaps> sums;
  std::int64_t p = all.first;
  const T *x = args.x + c + p * args.x_pixel, *dy = args.dy + c + p * args.channels;
  for (; p < whole.first; ++p, x += args.x_pixel, dy += args.channels)
    add_pixel<T, kRows, kTaps, kPartial>(args, p, x, dy, channels, sums);
  for (; p + kChunk <= whole.last; p += kChunk, x += kChunk * args.x_pixel, dy += kChunk * args.channels)
    add_chunk<T, kRows, kTaps, kAdjacent, kPartial>(args, x, dy, channels, sums);
  for (; p < all.last; ++p, x += args.x_pixel, dy += args.channels)
    add_pixel<T, kRows, kTaps, kPartial>(args, p, x, dy, channels, sums);
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int t = 0; t < kTaps; ++t) {
      T* const total = args.sums + r * args.sums_row + t * args.channels + c;
      vec<T> sum = sums.sum[0][r][t];
      if constexpr (TapSums<T, kRows, kTaps>::kCount > 1) sum += sums.sum[1][r][t];
      channels.write(total, channels.read(total) + sum);
    }
}

template <class T, int kRows, int kTaps, bool kAdjacent>
void gradient(const DepthwiseGradientArgs<T>& args) {
  TapRange all = args.outputs[0], whole = all;
  for (int t = 1; t < kTaps; ++t) {
    all = {min_of(all.first, args.outputs[t].first), max_of(all.last, args.outputs[t].last)};
    whole = {max_of(whole.first, args.outputs[t].first), min_of(whole.last, args.outputs[t].last)};
  }
  whole.first = min_of(whole.first, all.last);
  std::int64_t c = 0;
  for (; c + kLanes<T> <= args.channels; c += kLanes<T>)
    gradient_column<T, kRows, kTaps, kAdjacent, false>(args, all, whole, c, {kLanes<T>});
  if (c < args.channels)
    gradient_column<T, kRows, kTaps, kAdjacent, true>(args, all, whole, c, {static_cast<int>(args.channels - c)});
}

/// More rows of taps than the registers hold go in two.
template <class T, int kRows, int kTaps, bool kAdjacent>
void gradient_rows(const DepthwiseGradientArgs<T>& args) {
  if constexpr (kRows <= kTapRows) {
    gradient<T, kRows, kTaps, kAdjacent>(args);
  } else {
    gradient<T, kTapRows, kTaps, kAdjacent>(args);
    DepthwiseGradientArgs<T> rest = args;
    rest.x += kTapRows * args.tap_row_reach;
    rest.sums += kTapRows * args.sums_row;
    gradient<T, kRows - kTapRows, kTaps, kAdjacent>(rest);
  }
}

template <class T>
constexpr DepthwiseGradientSet<T> gradients() {
  return {{nullptr, gradient_rows<T, 1, 1, false>, gradient_rows<T, 2, 1, false>, gradient_rows<T, 3, 1, false>},
          {nullptr, gradient_rows<T, 1, 3, false>, gradient_rows<T, 2, 3, false>, gradient_rows<T, 3, 3, false>},
          {nullptr, gradient_rows<T, 1, 3, true>, gradient_rows<T, 2, 3, true>, gradient_rows<T, 3, 3, true>}};
}

}  // namespace

extern const DepthwiseKernels depthwise_kernels_table;
constexpr DepthwiseKernels depthwise_kernels_table{depthwise<float>(), depthwise<double>(), gradients<float>(),
                                                   gradients<double>()};

}  // namespace dlcore::DLCORE_ISA
