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

}  // namespace

extern const DepthwiseKernels depthwise_kernels_table;
constexpr DepthwiseKernels depthwise_kernels_table{depthwise<float>(), depthwise<double>()};

}  // namespace dlcore::DLCORE_ISA
