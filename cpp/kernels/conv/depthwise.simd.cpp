#include "kernels/conv/depthwise.h"

#include "kernels/gemm/epilogue.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

/// A vector of channels, or the last few of them, each with an input of its own.
template <class T, bool kPartial>
struct Channels {
  int lanes;

  static constexpr std::int64_t inputs(std::int64_t) { return 1; }
  DLCORE_INLINE vec<T> read_input(const T* p) const { return read(p); }
  DLCORE_INLINE void next_input() {}
  DLCORE_INLINE vec<T> read(const T* p) const { return kPartial ? load_partial(p, lanes) : load(p); }
  DLCORE_INLINE void write(T* p, vec<T> v) const {
    if (kPartial)
      store_partial(p, v, lanes);
    else
      store(p, v);
  }
};

#if defined(DLCORE_PERMUTE)
/// A vector of channels in groups, each with all inputs of its group, one after the other.
struct GroupedChannels : Channels<float, false> {
  i32v input;

  DLCORE_INLINE explicit GroupedChannels(std::int64_t inputs) : Channels<float, false>{kF32} {
    for (int lane = 0; lane < kF32; ++lane) input[lane] = lane & -static_cast<int>(inputs);
  }
  static constexpr std::int64_t inputs(std::int64_t count) { return count; }
  DLCORE_INLINE f32v read_input(const float* p) const { return permute(load(p), input); }
  DLCORE_INLINE void next_input() { input += 1; }
};
#endif

/// Any taps: a filter value at a time, for all pixels.
struct AnyTaps {
  template <class T, int kPixels, class Channels>
  static DLCORE_INLINE void add(const DepthwiseArgs<T>& args, const T* x, const T* w, const Channels& channels,
                                vec<T> (&sum)[kPixels]) {
    for (std::int64_t tap = args.tap_cols; tap > 0; --tap, x += args.tap_col_reach, w += args.w_tap_col) {
      const vec<T> factor = channels.read(w);
      const T* pixel = x;
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p, pixel += args.source_pixel)
        sum[p] = fma(channels.read_input(pixel), factor, sum[p]);
    }
  }
};

/// Three taps, each a pixel further than the one before: what is read serves three pixels.
struct ThreeAdjacentTaps {
  template <class T, int kPixels, class Channels>
  static DLCORE_INLINE void add(const DepthwiseArgs<T>& args, const T* x, const T* w, const Channels& channels,
                                vec<T> (&sum)[kPixels]) {
    const vec<T> first = channels.read(w), second = channels.read(w + args.w_tap_col),
                 third = channels.read(w + 2 * args.w_tap_col);
#pragma GCC unroll 10
    for (int i = 0; i < kPixels + 2; ++i, x += args.source_pixel) {
      const vec<T> read = channels.read_input(x);
      if (i < kPixels) sum[i] = fma(read, first, sum[i]);
      if (i >= 1 && i <= kPixels) sum[i - 1] = fma(read, second, sum[i - 1]);
      if (i >= 2) sum[i - 2] = fma(read, third, sum[i - 2]);
    }
  }
};

template <class Taps, class T, int kPixels, class Channels>
DLCORE_INLINE void column(const DepthwiseArgs<T>& args, std::int64_t c, Channels channels) {
  vec<T> sum[kPixels]{};
  for (std::int64_t input = 0; input < Channels::inputs(args.inputs); ++input, channels.next_input()) {
    const T *x = args.source + c, *w = args.w + input * args.channels + c;
    for (std::int64_t row = args.tap_rows; row > 0; --row, x += args.tap_row_reach, w += args.w_tap_row)
      Taps::template add<T, kPixels>(args, x, w, channels, sum);
  }
  const vec<T> bias = args.bias ? channels.read(args.bias + c) : vec<T>{};
  const vec<T> floor = broadcast<T>(args.activation == Activation::Relu ? T{} : -__builtin_inff());
  T* y = args.target + c;
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p, y += args.target_pixel)
    channels.write(y, vmax(floor, sum[p] + bias));  // NaN stays NaN
}

/// Calls column(c, channels) for each vector of channels, the first of which is c.
template <class T, bool kGroups, class Column>
DLCORE_INLINE void for_each_vector(std::int64_t channels, [[maybe_unused]] std::int64_t inputs, const Column& column) {
  std::int64_t c = 0;
#if defined(DLCORE_PERMUTE)
  if constexpr (kGroups) {
    for (const GroupedChannels groups(inputs); c < channels; c += kF32) column(c, groups);
    return;
  }
#endif
  for (; c + kLanes<T> <= channels; c += kLanes<T>) column(c, Channels<T, false>{kLanes<T>});
  if (c < channels) column(c, Channels<T, true>{static_cast<int>(channels - c)});
}

template <class Taps, class T, int kPixels, bool kGroups>
void pixels(const DepthwiseArgs<T>& args) {
  for_each_vector<T, kGroups>(
      args.channels, args.inputs, [&](std::int64_t c, auto channels) __attribute__((always_inline)) {
        column<Taps, T, kPixels>(args, c, channels);
      });
  if (args.activation > Activation::Relu)
    apply_epilogue<T>(args.target, args.target_pixel, kPixels, args.channels, nullptr, args.activation);
}

template <class T, bool kGroups>
constexpr DepthwiseSet<T> depthwise() {
  return {{pixels<AnyTaps, T, 8, kGroups>, pixels<AnyTaps, T, 4, kGroups>, pixels<AnyTaps, T, 2, kGroups>,
           pixels<AnyTaps, T, 1, kGroups>},
          {pixels<ThreeAdjacentTaps, T, 8, kGroups>, pixels<ThreeAdjacentTaps, T, 4, kGroups>,
           pixels<ThreeAdjacentTaps, T, 2, kGroups>, pixels<ThreeAdjacentTaps, T, 1, kGroups>}};
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

template <class T, int kRows, int kTaps, bool kAdjacent, class Channels>
DLCORE_INLINE void add_chunk(const DepthwiseGradientArgs<T>& args, const T* x, const T* dy, const Channels& channels,
                             TapSums<T, kRows, kTaps>& sums) {
  constexpr int kRead = kAdjacent ? kChunk + kTaps - 1 : 1;
  vec<T> read[kRows][kRead];
  if constexpr (kAdjacent) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int i = 0; i < kRead; ++i) read[r][i] = channels.read_input(x + r * args.tap_row_reach + i * args.x_pixel);
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
                                       : channels.read_input(x + r * args.tap_row_reach + t * args.tap_col_reach);
        sum = fma(value, factor, sum);
      }
  }
}

/// A pixel at the border: not every tap counts.
template <class T, int kRows, int kTaps, class Channels>
DLCORE_INLINE void add_pixel(const DepthwiseGradientArgs<T>& args, std::int64_t p, const T* x, const T* dy,
                             const Channels& channels, TapSums<T, kRows, kTaps>& sums) {
  const vec<T> factor = channels.read(dy);
#pragma GCC unroll 3
  for (int t = 0; t < kTaps; ++t) {
    if (p < args.outputs[t].first || p >= args.outputs[t].last) continue;
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r)
      sums.sum[0][r][t] =
          fma(channels.read_input(x + r * args.tap_row_reach + t * args.tap_col_reach), factor, sums.sum[0][r][t]);
  }
}

template <class T, int kRows, int kTaps, bool kAdjacent, class Channels>
DLCORE_INLINE void gradient_column(const DepthwiseGradientArgs<T>& args, TapRange all, TapRange whole, std::int64_t c,
                                   const Channels& channels, T* totals) {
  TapSums<T, kRows, kTaps> sums;
  std::int64_t p = all.first;
  const T *x = args.x + c + p * args.x_pixel, *dy = args.dy + c + p * args.channels;
  for (; p < whole.first; ++p, x += args.x_pixel, dy += args.channels)
    add_pixel<T, kRows, kTaps>(args, p, x, dy, channels, sums);
  for (; p + kChunk <= whole.last; p += kChunk, x += kChunk * args.x_pixel, dy += kChunk * args.channels)
    add_chunk<T, kRows, kTaps, kAdjacent>(args, x, dy, channels, sums);
  for (; p < all.last; ++p, x += args.x_pixel, dy += args.channels)
    add_pixel<T, kRows, kTaps>(args, p, x, dy, channels, sums);
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 3
    for (int t = 0; t < kTaps; ++t) {
      T* const total = totals + r * args.sums_row + t * args.sums_col;
      vec<T> sum = sums.sum[0][r][t];
      if constexpr (TapSums<T, kRows, kTaps>::kCount > 1) sum += sums.sum[1][r][t];
      channels.write(total, channels.read(total) + sum);
    }
}

template <class T, int kRows, int kTaps, bool kAdjacent, bool kGroups>
void gradient(const DepthwiseGradientArgs<T>& args) {
  TapRange all = args.outputs[0], whole = all;
  for (int t = 1; t < kTaps; ++t) {
    all = {min_of(all.first, args.outputs[t].first), max_of(all.last, args.outputs[t].last)};
    whole = {max_of(whole.first, args.outputs[t].first), min_of(whole.last, args.outputs[t].last)};
  }
  whole.first = min_of(whole.first, all.last);
  for_each_vector<T, kGroups>(
      args.channels, args.inputs, [&](std::int64_t c, auto channels) __attribute__((always_inline)) {
        T* totals = args.sums + c;
        for (std::int64_t input = 0; input < channels.inputs(args.inputs);
             ++input, totals += args.channels, channels.next_input())
          gradient_column<T, kRows, kTaps, kAdjacent>(args, all, whole, c, channels, totals);
      });
}

/// More rows of taps than the registers hold go in two.
template <class T, int kRows, int kTaps, bool kAdjacent, bool kGroups>
void gradient_rows(const DepthwiseGradientArgs<T>& args) {
  if constexpr (kRows <= kTapRows) {
    gradient<T, kRows, kTaps, kAdjacent, kGroups>(args);
  } else {
    gradient<T, kTapRows, kTaps, kAdjacent, kGroups>(args);
    DepthwiseGradientArgs<T> rest = args;
    rest.x += kTapRows * args.tap_row_reach;
    rest.sums += kTapRows * args.sums_row;
    gradient<T, kRows - kTapRows, kTaps, kAdjacent, kGroups>(rest);
  }
}

template <class T, bool kGroups>
constexpr DepthwiseGradientSet<T> gradients() {
  return {{nullptr, gradient_rows<T, 1, 1, false, kGroups>, gradient_rows<T, 2, 1, false, kGroups>,
           gradient_rows<T, 3, 1, false, kGroups>},
          {nullptr, gradient_rows<T, 1, 3, false, kGroups>, gradient_rows<T, 2, 3, false, kGroups>,
           gradient_rows<T, 3, 3, false, kGroups>},
          {nullptr, gradient_rows<T, 1, 3, true, kGroups>, gradient_rows<T, 2, 3, true, kGroups>,
           gradient_rows<T, 3, 3, true, kGroups>}};
}

}  // namespace

extern const DepthwiseKernels depthwise_kernels_table;
constexpr DepthwiseKernels depthwise_kernels_table {
  depthwise<float, false>(), depthwise<double, false>(), gradients<float, false>(), gradients<double, false>(),
#if defined(DLCORE_PERMUTE)
      depthwise<float, true>(), gradients<float, true>(), kF32
#else
      {}, {}, 0
#endif
};

}  // namespace dlcore::DLCORE_ISA
