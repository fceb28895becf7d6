#include "kernels/conv/windows.h"

#include "kernels/pool/argmax.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kPixels = 4;  // of a window, row by row
constexpr int kVectors = 2;

/// The four outputs of a window for up to kVectors vectors of channels. lanes: of the last vector.
template <class T, int kCount>
DLCORE_INLINE void sum_products(const WindowRow<T>& row, const T* x, const T* w, int lanes,
                                vec<T> (&sum)[kPixels][kVectors]) {
  const std::int64_t right = row.at.right, below = row.at.below;
  const T* const pixels[kPixels] = {x, x + right, x + below, x + below + right};
  for (std::int64_t k = 0; k < row.at.products; ++k, w += row.channels) {
    const std::int64_t offset = row.at.offsets[k];
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
  const vec<T> floor = broadcast<T>(row.relu ? T{} : -__builtin_inff());
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
void forward(const WindowRow<T>& row) {
  constexpr std::int64_t kWidth = kVectors * kLanes<T>;
  const T* x = row.x;
  for (std::int64_t i = 0; i < row.windows; ++i, x += 2 * row.at.right) {
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

// ---- the gradient to the weights

/// Each lane's choice of four numbers.
DLCORE_INLINE f32v choose(const float* four, i32v which) {
#if defined(__AVX512F__)
  return _mm512_maskz_permutevar_ps(0xffff, _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(four)),
                                    bitcast<__m512i>(which));
#elif defined(__AVX2__)
  return _mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(four)), bitcast<__m256i>(which));
#else
  f32v chosen;
  for (int i = 0; i < kF32; ++i) chosen[i] = four[which[i]];
  return chosen;
#endif
}

typedef float f32x4 __attribute__((vector_size(16)));

DLCORE_INLINE f32x4 load4(const float* p) {
  f32x4 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

/// to[k, pixel] of four products that lie side by side.
DLCORE_INLINE void collect_four(const float* const (&pixels)[kPixels], float* to) {
  const f32x4 a = load4(pixels[0]), b = load4(pixels[1]), c = load4(pixels[2]), d = load4(pixels[3]);
  const f32x4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const f32x4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const f32x4 rows[] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5), __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                        __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                        __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
  __builtin_memcpy(to, rows, sizeof(rows));
}

/// choices[window, k, pixel]: product k of the window's pixels.
void collect_choices(const WindowGradients& g) {
  const float* x = g.x;
  float* to = g.choices;
  for (std::int64_t i = 0; i < g.windows; ++i, x += 2 * g.at.right) {
    for (std::int64_t k = 0; k < g.at.products;) {
      const float* const first = x + g.at.offsets[k];
      const float* const pixels[kPixels] = {first, first + g.at.right, first + g.at.below,
                                            first + g.at.below + g.at.right};
      if (k + 4 <= g.at.products && g.at.offsets[k + 3] == g.at.offsets[k] + 3) {
        collect_four(pixels, to);
        k += 4, to += 4 * kPixels;
      } else {
        for (int p = 0; p < kPixels; ++p) to[p] = *pixels[p];
        k += 1, to += kPixels;
      }
    }
  }
}

DLCORE_INLINE i32v get_argmax(const std::uint8_t* p, WholeVector) {
  return load_index<float, std::uint8_t, true>(p, kF32);
}
DLCORE_INLINE i32v get_argmax(const std::uint8_t* p, PartVector part) {
  return load_index<float, std::uint8_t, false>(p, part.lanes);
}

/// kCount products from `first` on, one vector of channels.
template <int kCount, class Span>
DLCORE_INLINE void add_products(const WindowGradients& g, std::int64_t first, std::int64_t c, Span span) {
  f32v sum[kCount];
#pragma GCC unroll 10
  for (int k = 0; k < kCount; ++k) sum[k] = get(g.sums + (first + k) * g.channels + c, span);
  const float* choices = g.choices + kPixels * first;
  for (std::int64_t i = 0; i < g.windows; ++i, choices += kPixels * g.at.products) {
    const f32v dp = get(g.dp + i * g.channels + c, span);
    const i32v which = get_argmax(g.argmax + i * g.channels + c, span);
#pragma GCC unroll 10
    for (int k = 0; k < kCount; ++k) sum[k] = fma(choose(choices + kPixels * k, which), dp, sum[k]);
  }
#pragma GCC unroll 10
  for (int k = 0; k < kCount; ++k) put(g.sums + (first + k) * g.channels + c, sum[k], span);
}

void add_gradients(const WindowGradients& g) {
  collect_choices(g);
  const std::int64_t products = g.at.products;
  for_vectors<float>(
      g.channels, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
        std::int64_t k = 0;
        for (; k + 9 <= products; k += 9) add_products<9>(g, k, c, span);
        for (; k + 3 <= products; k += 3) add_products<3>(g, k, c, span);
        for (; k < products; ++k) add_products<1>(g, k, c, span);
      });
}

}  // namespace

extern const WindowKernels window_kernels_table;
const WindowKernels window_kernels_table = {forward<float>, forward<double>, add_gradients};

}  // namespace dlcore::DLCORE_ISA
