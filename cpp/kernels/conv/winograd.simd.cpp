#include "kernels/conv/winograd.h"

#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/panels.simd.h"
#include "kernels/pool/argmax.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kTile = 4, kPatch = 6, kProducts = kPatch * kPatch, kWidth = kNr<float>;
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;  // the points, a b = 1

// ---- the transforms of one dimension; a patch is transformed along both

/// BT: row of point p are the coefficients of x (x^2 - a^2) (x^2 - b^2) / (x - p).
DLCORE_INLINE void transform_patch(const f32v (&d)[kPatch], f32v (&v)[kPatch]) {
  const f32v even_a = fma(broadcast(-2.0f), d[2], d[4]), odd_a = fma(broadcast(-2.0f), d[1], d[3]);
  const f32v even_b = fma(broadcast(-0.5f), d[2], d[4]), odd_b = fma(broadcast(-0.5f), d[1], d[3]);
  v[0] = fma(broadcast(-2.5f), d[2], d[0] + d[4]);
  v[1] = fma(broadcast(kA), odd_a, even_a);
  v[2] = fma(broadcast(-kA), odd_a, even_a);
  v[3] = fma(broadcast(kB), odd_b, even_b);
  v[4] = fma(broadcast(-kB), odd_b, even_b);
  v[5] = fma(broadcast(-2.5f), d[3], d[1] + d[5]);
}

/// G: a filter's value at the points, over the product of p's distances to the others.
DLCORE_INLINE void transform_filter(const f32v (&g)[3], f32v (&u)[kPatch]) {
  const f32v third = broadcast(-2.0f / 3), sixth = broadcast(1.0f / 6);
  const f32v even_a = third * fma(broadcast(0.5f), g[2], g[0]), odd_a = third * g[1];
  const f32v even_b = sixth * fma(broadcast(2.0f), g[2], g[0]), odd_b = sixth * g[1];
  u[0] = g[0];
  u[1] = fma(broadcast(kA), odd_a, even_a);
  u[2] = fma(broadcast(-kA), odd_a, even_a);
  u[3] = fma(broadcast(kB), odd_b, even_b);
  u[4] = fma(broadcast(-kB), odd_b, even_b);
  u[5] = g[2];
}

/// AT: powers of the points.
DLCORE_INLINE void transform_result(const f32v (&m)[kPatch], f32v (&y)[kTile]) {
  const f32v sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const f32v sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = fma(broadcast(kA), difference_a, broadcast(kB) * difference_b);
  y[2] = fma(broadcast(0.5f), sum_a, broadcast(2.0f) * sum_b);
  y[3] = fma(broadcast(kA / 2), difference_a, fma(broadcast(2 * kB), difference_b, m[5]));
}

/// G of F(3, 4): a tile's value at the points, likewise.
DLCORE_INLINE void transform_tile(const f32v (&d)[kTile], f32v (&u)[kPatch]) {
  const f32v third = broadcast(-2.0f / 3), sixth = broadcast(1.0f / 6);
  const f32v even_a = third * fma(broadcast(0.5f), d[2], d[0]), odd_a = third * fma(broadcast(0.5f), d[3], d[1]);
  const f32v even_b = sixth * fma(broadcast(2.0f), d[2], d[0]), odd_b = sixth * fma(broadcast(2.0f), d[3], d[1]);
  u[0] = d[0];
  u[1] = fma(broadcast(kA), odd_a, even_a);
  u[2] = fma(broadcast(-kA), odd_a, even_a);
  u[3] = fma(broadcast(kB), odd_b, even_b);
  u[4] = fma(broadcast(-kB), odd_b, even_b);
  u[5] = d[3];
}

/// AT of F(3, 4).
DLCORE_INLINE void transform_weight_sums(const f32v (&m)[kPatch], f32v (&dw)[3]) {
  const f32v sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const f32v sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  dw[0] = m[0] + sum_a + sum_b;
  dw[1] = fma(broadcast(kA), difference_a, broadcast(kB) * difference_b);
  dw[2] = fma(broadcast(0.5f), sum_a, fma(broadcast(2.0f), sum_b, m[5]));
}

// ---- weights

/// transformed[panel, product, cin, j]
void transform_weights(const WinogradShape& s, const float* w, std::int64_t panel, std::int64_t first,
                       std::int64_t last, float* transformed) {
  const std::int64_t row = s.cin * kWidth, column = panel * kWidth;
  for (std::int64_t cin = first; cin < last; ++cin) {
    const float* const filters = w + cin * s.cout + column;
    float* const to = transformed + panel * kProducts * row + cin * kWidth;
#pragma GCC unroll 2
    for (int j = 0; j < kWidth; j += kF32) {
      const int lanes = static_cast<int>(max_of<std::int64_t>(0, min_of<std::int64_t>(kF32, s.cout - column - j)));
      f32v columns[kPatch][3];
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        f32v g[3], u[kPatch];
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) g[i] = load_partial(filters + (3 * i + k) * s.cin * s.cout + j, lanes);
        transform_filter(g, u);
#pragma GCC unroll 6
        for (int i = 0; i < kPatch; ++i) columns[i][k] = u[i];
      }
#pragma GCC unroll 6
      for (int i = 0; i < kPatch; ++i) {
        f32v u[kPatch];
        transform_filter(columns[i], u);
#pragma GCC unroll 6
        for (int k = 0; k < kPatch; ++k) store(to + (kPatch * i + k) * row + j, u[k]);
      }
    }
  }
}

// ---- tiles

/// Where a tile lies: the image, and its first row and column in the output.
struct TilePlace {
  std::int64_t n, row, col;
};
DLCORE_INLINE TilePlace place_of(const WinogradShape& s, std::int64_t tile) {
  const std::int64_t tiles_h = s.tiles_h(), tiles_w = s.tiles_w();
  return {tile / (tiles_h * tiles_w), tile / tiles_w % tiles_h * kTile, tile % tiles_w * kTile};
}

/// The pixels of a square of kSize, from (row, col) of image n on; those outside of the image are no_pixel.
template <int kSize>
DLCORE_INLINE void find_pixels(const float* images, std::int64_t h, std::int64_t w, std::int64_t channels, TilePlace at,
                               const float* no_pixel, const float* (&pixels)[kSize * kSize]) {
  for (int i = 0; i < kSize; ++i) {
    const std::int64_t row = at.row + i;
    const float* const pixel_row = images + (at.n * h + row) * w * channels;
    for (int j = 0; j < kSize; ++j) {
      const std::int64_t col = at.col + j;
      const bool inside = row >= 0 && row < h && col >= 0 && col < w;
      pixels[kSize * i + j] = inside ? pixel_row + col * channels : no_pixel;
    }
  }
}

/// to[product * step + c], the transform of a square along both axes.
template <int kSize, class Transform>
DLCORE_INLINE void transform_square(const float* const (&pixels)[kSize * kSize], std::int64_t channels, float* to,
                                    std::int64_t step, const Transform& transform) {
  for_vectors<float>(
      channels, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
        f32v columns[kPatch][kSize];
#pragma GCC unroll 6
        for (int j = 0; j < kSize; ++j) {
          f32v d[kSize], v[kPatch];
#pragma GCC unroll 6
          for (int i = 0; i < kSize; ++i) d[i] = get(pixels[kSize * i + j] + c, span);
          transform(d, v);
#pragma GCC unroll 6
          for (int i = 0; i < kPatch; ++i) columns[i][j] = v[i];
        }
#pragma GCC unroll 6
        for (int i = 0; i < kPatch; ++i) {
          f32v v[kPatch];
          transform(columns[i], v);
#pragma GCC unroll 6
          for (int j = 0; j < kPatch; ++j) put(to + (kPatch * i + j) * step + c, v[j], span);
        }
      });
}

DLCORE_INLINE void transform_patch_of(const WinogradShape& s, const float* x, const float* no_pixel, TilePlace at,
                                      float* to, std::int64_t step) {
  const float* pixels[kProducts];
  find_pixels<kPatch>(x, s.h, s.w, s.cin, {at.n, at.row - s.pad_top, at.col - s.pad_left}, no_pixel, pixels);
  transform_square<kPatch>(
      pixels, s.cin, to, step,
      [](const f32v(&d)[kPatch], f32v(&v)[kPatch]) __attribute__((always_inline)) { transform_patch(d, v); });
}

/// The 4x4 outputs of one vector of channels out of its products, `step` apart.
DLCORE_INLINE void results_of(const float* products, std::int64_t step, f32v bias, f32v floor,
                              f32v (&y)[kTile][kTile]) {
  f32v columns[kTile][kPatch];
#pragma GCC unroll 6
  for (int j = 0; j < kPatch; ++j) {
    f32v m[kPatch], column[kTile];
#pragma GCC unroll 6
    for (int i = 0; i < kPatch; ++i) m[i] = load(products + (kPatch * i + j) * step);
    transform_result(m, column);
#pragma GCC unroll 4
    for (int i = 0; i < kTile; ++i) columns[i][j] = column[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
    transform_result(columns[i], y[i]);
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) y[i][j] = vmax(floor, y[i][j] + bias);  // NaN stays NaN
  }
}

template <class Span>
DLCORE_INLINE void store_tile(const WinogradShape& s, TilePlace at, f32v (&y)[kTile][kTile], float* to, Span span) {
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
template <bool kPooled>
void store_results(const WinogradShape& s, const WinogradBlock& block, std::int64_t column) {
  const std::int64_t step = block.count * kWidth;
  const f32v floor = broadcast(block.activation == Activation::Relu ? 0.0f : -__builtin_inff());
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of(s, block.first + tile);
    for_vectors<float>(
        min_of<std::int64_t>(kWidth, s.cout - column), [&](std::int64_t c, auto span) __attribute__((always_inline)) {
          const f32v bias = block.bias ? get(block.bias + column + c, span) : f32v{};
          f32v y[kTile][kTile];
          results_of(block.products + tile * kWidth + c, step, bias, floor, y);
          if constexpr (kPooled)
            store_pooled_tile(s, at, y, block.y + column + c, block.argmax ? block.argmax + column + c : nullptr, span);
          else
            store_tile(s, at, y, block.y + column + c, span);
        });
  }
}

/// The longer activations, on results that have just been stored.
void activate_results(const WinogradShape& s, const WinogradBlock& block) {
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of(s, block.first + tile);
    const std::int64_t rows = min_of<std::int64_t>(kTile, s.oh - at.row);
    const std::int64_t cols = min_of<std::int64_t>(kTile, s.ow - at.col);
    for (std::int64_t i = 0; i < rows; ++i)
      apply_epilogue<float>(block.y + ((at.n * s.oh + at.row + i) * s.ow + at.col) * s.cout, 0, 1, cols * s.cout,
                            nullptr, block.activation);
  }
}

void run_block(const WinogradShape& s, const WinogradBlock& block) {
  for (std::int64_t tile = 0; tile < block.count; ++tile)
    transform_patch_of(s, block.x, block.no_pixel, place_of(s, block.first + tile), block.patches + tile * s.cin,
                       block.count * s.cin);
  const float* panel = block.weights;
  for (std::int64_t column = 0; column < s.cout; column += kWidth) {
    for (int product = 0; product < kProducts; ++product, panel += s.cin * kWidth)
      multiply_panel<float>(block.count, kWidth, s.cin, block.patches + product * block.count * s.cin, s.cin, panel,
                            block.products + product * block.count * kWidth, kWidth, false);
    if (s.pooled)
      store_results<true>(s, block, column);
    else
      store_results<false>(s, block, column);
  }
  if (block.activation > Activation::Relu) activate_results(s, block);
}

// ---- the gradient to the weights

void transform_pair(const WinogradShape& s, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at) {
  const TilePlace place = place_of(s, tile);
  transform_patch_of(s, pairs.x, pairs.no_pixel, place, pairs.patches + at * s.cin, pairs.room * s.cin);
  const float* pixels[kTile * kTile];
  find_pixels<kTile>(pairs.dy, s.oh, s.ow, s.cout, place, pairs.no_pixel, pixels);
  transform_square<kTile>(
      pixels, s.cout, pairs.tiles + at * s.cout, pairs.room * s.cout,
      [](const f32v(&d)[kTile], f32v(&u)[kPatch]) __attribute__((always_inline)) { transform_tile(d, u); });
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
        f32v columns[3][kPatch];
#pragma GCC unroll 6
        for (int j = 0; j < kPatch; ++j) {
          f32v m[kPatch], column[3];
#pragma GCC unroll 6
          for (int i = 0; i < kPatch; ++i) m[i] = get(sums + (kPatch * i + j) * step + row + c, span);
          transform_weight_sums(m, column);
#pragma GCC unroll 3
          for (int i = 0; i < 3; ++i) columns[i][j] = column[i];
        }
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
          f32v w[3];
          transform_weight_sums(columns[i], w);
#pragma GCC unroll 3
          for (int j = 0; j < 3; ++j) put(dw + (3 * i + j) * step + row + c, w[j], span);
        }
      });
}

}  // namespace

extern const WinogradKernels winograd_kernels_table;
const WinogradKernels winograd_kernels_table = {kWidth,         transform_weights, run_block,
                                                transform_pair, add_pairs,         store_weights};

}  // namespace dlcore::DLCORE_ISA
