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

constexpr int kChunk = 4;  // pixels that are multiplied together; they have two sums, so that one does not wait

template <class T, int kTaps, bool kAdjacent, bool kPartial>
DLCORE_INLINE void add_chunk(const DepthwiseGradientArgs<T>& args, const T* x, const T* dy,
                             Channels<T, kPartial> channels, vec<T> (&sum)[2][kTaps]) {
  if constexpr (kAdjacent) {
    vec<T> read[kChunk + kTaps - 1];
#pragma GCC unroll 8
    for (int i = 0; i < kChunk + kTaps - 1; ++i, x += args.x_pixel) read[i] = channels.read(x);
#pragma GCC unroll 4
    for (int p = 0; p < kChunk; ++p, dy += args.channels) {
      const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
      for (int t = 0; t < kTaps; ++t) sum[p & 1][t] = fma(read[p + t], factor, sum[p & 1][t]);
    }
  } else {
#pragma GCC unroll 4
    for (int p = 0; p < kChunk; ++p, x += args.x_pixel, dy += args.channels) {
      const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
      for (int t = 0; t < kTaps; ++t) sum[p & 1][t] = fma(channels.read(x + t * args.tap_reach), factor, sum[p & 1][t]);
    }
  }
}

template <class T, int kTaps, bool kAdjacent, bool kPartial>
DLCORE_INLINE void gradient_column(const DepthwiseGradientArgs<T>& args, std::int64_t c,
                                   Channels<T, kPartial> channels) {
  const T *x = args.x + c, *dy = args.dy + c;
  vec<T> sum[2][kTaps]{};
  std::int64_t left = args.pixels;
  for (; left >= kChunk; left -= kChunk, x += kChunk * args.x_pixel, dy += kChunk * args.channels)
    add_chunk<T, kTaps, kAdjacent, kPartial>(args, x, dy, channels, sum);
  for (; left > 0; --left, x += args.x_pixel, dy += args.channels) {
    const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
    for (int t = 0; t < kTaps; ++t) sum[0][t] = fma(channels.read(x + t * args.tap_reach), factor, sum[0][t]);
  }
#pragma GCC unroll 3
  for (int t = 0; t < kTaps; ++t) {
    T* const total = args.sums + t * args.channels + c;
    channels.write(total, channels.read(total) + (sum[0][t] + sum[1][t]));
  }
}

template <class T, int kTaps, bool kAdjacent>
void gradient(const DepthwiseGradientArgs<T>& args) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= args.channels; c += kLanes<T>)
    gradient_column<T, kTaps, kAdjacent, false>(args, c, {kLanes<T>});
  if (c < args.channels) gradient_column<T, kTaps, kAdjacent, true>(args, c, {static_cast<int>(args.channels - c)});
}

template <class T>
constexpr DepthwiseGradientSet<T> gradients() {
  return {gradient<T, 1, false>, gradient<T, 3, false>, gradient<T, 3, true>};
}

}  // namespace

extern const DepthwiseKernels depthwise_kernels_table;
constexpr DepthwiseKernels depthwise_kernels_table{depthwise<float>(), depthwise<double>(), gradients<float>(),
                                                   gradients<double>()};

}  // namespace dlcore::DLCORE_ISA
