#include "kernels/conv/winograd.h"

#include "kernels/float16.simd.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/panels.simd.h"
#include "kernels/pool/argmax.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kTile = 4, kPatch = 6, kProducts = kPatch * kPatch, kWidth = kNr<float>;
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;  // the points, a b = 1

// ---- the transforms of one dimension

/// v[1 ... 4] = even + p odd at the points p = a, -a, b, -b.
DLCORE_INLINE void at_points(f32v even_a, f32v odd_a, f32v even_b, f32v odd_b, f32v (&v)[kPatch]) {
  v[1] = fma(broadcast(kA), odd_a, even_a);
  v[2] = fma(broadcast(-kA), odd_a, even_a);
  v[3] = fma(broadcast(kB), odd_b, even_b);
  v[4] = fma(broadcast(-kB), odd_b, even_b);
}

/// BT: row of point p are the coefficients of x (x^2 - a^2) (x^2 - b^2) / (x - p).
struct PatchTransform {
  static constexpr int kIn = kPatch, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&d)[kIn], f32v (&v)[kOut]) {
    v[0] = fma(broadcast(-2.5f), d[2], d[0] + d[4]);
    at_points(fma(broadcast(-2.0f), d[2], d[4]), fma(broadcast(-2.0f), d[1], d[3]), fma(broadcast(-0.5f), d[2], d[4]),
              fma(broadcast(-0.5f), d[1], d[3]), v);
    v[5] = fma(broadcast(-2.5f), d[3], d[1] + d[5]);
  }
};

/// One over the product of a point's distances to the other finite ones: of a and -a, of b and -b; of 0 it is 1.
constexpr float kOverA = -2.0f / 3, kOverB = 1.0f / 6;

/// G: a filter's value at the points, over the product of p's distances to the others.
struct FilterTransform {
  static constexpr int kIn = 3, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&g)[kIn], f32v (&u)[kOut]) {
    const f32v over_a = broadcast(kOverA), over_b = broadcast(kOverB);
    u[0] = g[0];
    at_points(over_a * fma(broadcast(0.5f), g[2], g[0]), over_a * g[1], over_b * fma(broadcast(2.0f), g[2], g[0]),
              over_b * g[1], u);
    u[5] = g[2];
  }
};

/// G of F(3, 4): a tile's value at the points, likewise.
struct TileTransform {
  static constexpr int kIn = kTile, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&d)[kIn], f32v (&u)[kOut]) {
    const f32v over_a = broadcast(kOverA), over_b = broadcast(kOverB);
    u[0] = d[0];
    at_points(over_a * fma(broadcast(0.5f), d[2], d[0]), over_a * fma(broadcast(0.5f), d[3], d[1]),
              over_b * fma(broadcast(2.0f), d[2], d[0]), over_b * fma(broadcast(2.0f), d[3], d[1]), u);
    u[5] = d[3];
  }
};

/// AT: powers of the points; kCount of them: 4, or 3 for F(3, 4).
template <int kCount>
struct ResultTransform {
  static constexpr int kIn = kPatch, kOut = kCount;
  static DLCORE_INLINE void apply(const f32v (&m)[kIn], f32v (&y)[kOut]) {
    const f32v sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const f32v sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = fma(broadcast(kA), difference_a, broadcast(kB) * difference_b);
    if constexpr (kCount == 3) {
      y[2] = fma(broadcast(0.5f), sum_a, fma(broadcast(2.0f), sum_b, m[5]));
    } else {
      y[2] = fma(broadcast(0.5f), sum_a, broadcast(2.0f) * sum_b);
      y[3] = fma(broadcast(kA / 2), difference_a, fma(broadcast(2 * kB), difference_b, m[5]));
    }
  }
};

/// A square transformed along both axes: load(i, j), i, j < kIn, becomes store(i, j, v), i, j < kOut.
template <class Transform, class Load, class Store>
DLCORE_INLINE void transform_square(const Load& load_at, const Store& store_at) {
  constexpr int kIn = Transform::kIn, kOut = Transform::kOut;
  f32v columns[kOut][kIn];
#pragma GCC unroll 6
  for (int j = 0; j < kIn; ++j) {
    f32v in[kIn], out[kOut];
#pragma GCC unroll 6
    for (int i = 0; i < kIn; ++i) in[i] = load_at(i, j);
    Transform::apply(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < kOut; ++i) columns[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < kOut; ++i) {
    f32v out[kOut];
    Transform::apply(columns[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < kOut; ++j) store_at(i, j, out[j]);
  }
}

// ---- filters

/// transformed[product, channel, j]
void transform_filters(std::int64_t cin, std::int64_t cout, const float* w, std::int64_t panel, std::int64_t first,
                       std::int64_t last, float* transformed) {
  const std::int64_t row = cin * kWidth, column = panel * kWidth;
  for (std::int64_t channel = first; channel < last; ++channel) {
    const float* const filters = w + channel * cout + column;
    float* const to = transformed + channel * kWidth;
#pragma GCC unroll 2
    for (int c = 0; c < kWidth; c += kF32) {
      const int lanes = static_cast<int>(max_of<std::int64_t>(0, min_of<std::int64_t>(kF32, cout - column - c)));
      transform_square<FilterTransform>(
          [&](int i, int j)
              __attribute__((always_inline)) { return load_partial(filters + (3 * i + j) * cin * cout + c, lanes); },
          [&](int i, int j, f32v u) __attribute__((always_inline)) { store(to + (kPatch * i + j) * row + c, u); });
    }
  }
}

// ---- pixels that are Bfloat

DLCORE_INLINE f32v get(const Bfloat* p, WholeVector) { return load_lanes(p, kF32); }
DLCORE_INLINE f32v get(const Bfloat* p, PartVector part) { return load_lanes(p, part.lanes); }
DLCORE_INLINE void put(Bfloat* p, f32v v, WholeVector) { store_lanes(p, v, kF32); }
DLCORE_INLINE void put(Bfloat* p, f32v v, PartVector part) { store_lanes(p, v, part.lanes); }

// ---- tiles; T: float or Bfloat

/// Where a tile lies: the image, and its first row and column in the output.
struct TilePlace {
  std::int64_t n, row, col;
};
DLCORE_INLINE TilePlace place_of(const WinogradShape& s, std::int64_t tile) {
  const std::int64_t tiles_h = s.tiles_h(), tiles_w = s.tiles_w();
  return {tile / (tiles_h * tiles_w), tile / tiles_w % tiles_h * kTile, tile % tiles_w * kTile};
}

/// The pixels of a square of kSize, from (row, col) of image n on; those outside of the image are no_pixel.
template <int kSize, class T>
DLCORE_INLINE void find_pixels(const T* images, std::int64_t h, std::int64_t w, std::int64_t channels, TilePlace at,
                               const T* no_pixel, const T* (&pixels)[kSize * kSize]) {
  for (int i = 0; i < kSize; ++i) {
    const std::int64_t row = at.row + i;
    const T* const pixel_row = images + (at.n * h + row) * w * channels;
    for (int j = 0; j < kSize; ++j) {
      const std::int64_t col = at.col + j;
      const bool inside = row >= 0 && row < h && col >= 0 && col < w;
      pixels[kSize * i + j] = inside ? pixel_row + col * channels : no_pixel;
    }
  }
}

/// to[product * step + c] of the square of images' pixels at `at`, transformed.
template <class Transform, class T>
DLCORE_INLINE void transform_pixels(const T* images, std::int64_t h, std::int64_t w, std::int64_t channels,
                                    TilePlace at, const T* no_pixel, float* to, std::int64_t step) {
  constexpr int kSize = Transform::kIn;
  const T* pixels[kSize * kSize];
  find_pixels<kSize>(images, h, w, channels, at, no_pixel, pixels);
  for_vectors<float>(
      channels, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
        transform_square<Transform>(
            [&](int i, int j) __attribute__((always_inline)) {
              const T* const pixel = pixels[kSize * i + j] + c;
              if (j >= kSize - kTile) __builtin_prefetch(pixel + kTile * channels);  // of the tile to the right
              return get(pixel, span);
            },
            [&](int i, int j, f32v v)
                __attribute__((always_inline)) { put(to + (kPatch * i + j) * step + c, v, span); });
      });
}

template <class T>
DLCORE_INLINE void transform_patch(const WinogradShape& s, const T* x, const T* no_pixel, TilePlace at, float* to,
                                   std::int64_t step) {
  const TilePlace corner{at.n, at.row - s.pad_top, at.col - s.pad_left};
  transform_pixels<PatchTransform>(x, s.h, s.w, s.cin, corner, no_pixel, to, step);
}

template <class T, class Span>
DLCORE_INLINE void store_tile(const WinogradShape& s, TilePlace at, f32v (&y)[kTile][kTile], T* to, Span span) {
  const std::int64_t rows = min_of<std::int64_t>(kTile, s.oh - at.row);
  const std::int64_t cols = min_of<std::int64_t>(kTile, s.ow - at.col);
  to += ((at.n * s.oh + at.row) * s.ow + at.col) * s.cout;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) put(to + (i * s.ow + j) * s.cout, y[i][j], span);
}

DLCORE_INLINE void put_argmax(std::uint8_t* p, i32v at, WholeVector) {
  store_index<float, std::uint8_t, true>(p, at, kF32);
}
DLCORE_INLINE void put_argmax(std::uint8_t* p, i32v at, PartVector part) {
  store_index<float, std::uint8_t, false>(p, at, part.lanes);
}

/// The tile's windows of 2x2.
template <class Span>
DLCORE_INLINE void store_pooled_tile(const WinogradShape& s, TilePlace at, f32v (&y)[kTile][kTile], float* to,
                                     std::uint8_t* argmax, Span span) {
  const std::int64_t oh = s.oh / 2, ow = s.ow / 2, row = at.row / 2, col = at.col / 2;
  const std::int64_t rows = min_of<std::int64_t>(kTile / 2, oh - row), cols = min_of<std::int64_t>(kTile / 2, ow - col);
  const std::int64_t offset = ((at.n * oh + row) * ow + col) * s.cout;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      f32v best = y[2 * i][2 * j];
      i32v position{};
      take_greater<float>(y[2 * i][2 * j + 1], 1, best, position);
      take_greater<float>(y[2 * i + 1][2 * j], 2, best, position);
      take_greater<float>(y[2 * i + 1][2 * j + 1], 3, best, position);
      const std::int64_t here = offset + (i * ow + j) * s.cout;
      put(to + here, best, span);
      if (argmax) put_argmax(argmax + here, position, span);
    }
  }
}

/// The results of a block for the channels of one panel, from `column` on.
template <bool kPooled, class T>
void store_results(const WinogradShape& s, const WinogradBlock& block, std::int64_t column) {
  T* const results = static_cast<T*>(block.y) + column;
  const std::int64_t step = block.count * kWidth;
  const f32v floor = broadcast(block.activation == Activation::Relu ? 0.0f : -__builtin_inff());
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of(s, block.first + tile);
    for_vectors<float>(
        min_of<std::int64_t>(kWidth, s.cout - column), [&](std::int64_t c, auto span) __attribute__((always_inline)) {
          const f32v bias = block.bias ? get(block.bias + column + c, span) : f32v{};
          const float* const products = block.products + tile * kWidth + c;
          f32v y[kTile][kTile];
          transform_square<ResultTransform<kTile>>(
              [&](int i, int j) __attribute__((always_inline)) { return load(products + (kPatch * i + j) * step); },
              [&](int i, int j, f32v v) __attribute__((always_inline)) {
                y[i][j] = vmax(floor, v + bias);  // NaN stays NaN
              });
          if constexpr (kPooled)
            store_pooled_tile(s, at, y, results + c, block.argmax ? block.argmax + column + c : nullptr, span);
          else
            store_tile(s, at, y, results + c, span);
        });
  }
}

void activate(const WinogradShape& s, const WinogradBlock& block) {
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of(s, block.first + tile);
    const std::int64_t rows = min_of<std::int64_t>(kTile, s.oh - at.row);
    const std::int64_t cols = min_of<std::int64_t>(kTile, s.ow - at.col);
    for (std::int64_t i = 0; i < rows; ++i)
      apply_epilogue<float>(static_cast<float*>(block.y) + ((at.n * s.oh + at.row + i) * s.ow + at.col) * s.cout, 0, 1,
                            cols * s.cout, nullptr, block.activation);
  }
}

template <class T>
void transform_patches_of(const WinogradShape& s, const WinogradBlock& block) {
  const auto *const x = static_cast<const T*>(block.x), *const no_pixel = static_cast<const T*>(block.no_pixel);
  for (std::int64_t tile = 0; tile < block.count; ++tile)
    transform_patch(s, x, no_pixel, place_of(s, block.first + tile), block.patches + tile * s.cin, block.count * s.cin);
}
void transform_patches(const WinogradShape& s, const WinogradBlock& block) {
  s.bfloat ? transform_patches_of<Bfloat>(s, block) : transform_patches_of<float>(s, block);
}

void run_panel(const WinogradShape& s, const WinogradBlock& block, std::int64_t panel, const float* filters) {
  for (int product = 0; product < kProducts; ++product)
    multiply_panel<float>(block.count, kWidth, s.cin, block.patches + product * block.count * s.cin, s.cin,
                          filters + product * s.cin * kWidth, kWidth, block.products + product * block.count * kWidth,
                          kWidth, false);
  if (s.pooled)
    store_results<true, float>(s, block, panel * kWidth);
  else if (s.bfloat)
    store_results<false, Bfloat>(s, block, panel * kWidth);
  else
    store_results<false, float>(s, block, panel * kWidth);
}

// ---- the gradient to the weights

template <class T>
void transform_pair_of(const WinogradShape& s, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at) {
  const auto *const x = static_cast<const T*>(pairs.x), *const dy = static_cast<const T*>(pairs.dy);
  const auto* const no_pixel = static_cast<const T*>(pairs.no_pixel);
  const TilePlace place = place_of(s, tile);
  transform_patch(s, x, no_pixel, place, pairs.patches + at * s.cin, pairs.room * s.cin);
  transform_pixels<TileTransform>(dy, s.oh, s.ow, s.cout, place, no_pixel, pairs.tiles + at * s.cout,
                                  pairs.room * s.cout);
}
void transform_pair(const WinogradShape& s, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at) {
  s.bfloat ? transform_pair_of<Bfloat>(s, pairs, tile, at) : transform_pair_of<float>(s, pairs, tile, at);
}

void add_pairs(const WinogradShape& s, const WinogradPairs& pairs, int product, std::int64_t count, float* sums,
               bool accumulate) {
  const float* const patches = pairs.patches + product * pairs.room * s.cin;
  const float* const tiles = pairs.tiles + product * pairs.room * s.cout;
  sums += product * s.cin * s.cout;
  for (std::int64_t j = 0; j < s.cout; j += kWidth) {
    const int cols = static_cast<int>(min_of<std::int64_t>(kWidth, s.cout - j));
    for (std::int64_t i = 0; i < s.cin; i += kMr<float>)
      gemm_ukernel<float>(static_cast<int>(min_of<std::int64_t>(kMr<float>, s.cin - i)), cols, count, patches + i,
                          std::int64_t{1}, s.cin, tiles + j, s.cout, sums + i * s.cout + j, s.cout, accumulate);
  }
}

void store_weights(const WinogradShape& s, const float* sums, std::int64_t cin, float* dw) {
  const std::int64_t step = s.cin * s.cout, row = cin * s.cout;
  for_vectors<float>(
      s.cout, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
        transform_square<ResultTransform<3>>(
            [&](int i, int j)
                __attribute__((always_inline)) { return get(sums + (kPatch * i + j) * step + row + c, span); },
            [&](int i, int j, f32v w)
                __attribute__((always_inline)) { put(dw + (3 * i + j) * step + row + c, w, span); });
      });
}

}  // namespace

extern const WinogradKernels winograd_kernels_table;
const WinogradKernels winograd_kernels_table = {kMr<float>,        kWidth,    transform_filters,
                                                transform_patches, run_panel, activate,
                                                transform_pair,    add_pairs, store_weights};

}  // namespace dlcore::DLCORE_ISA
