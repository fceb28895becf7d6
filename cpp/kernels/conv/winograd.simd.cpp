#include "kernels/conv/winograd.h"

#include "kernels/float16.simd.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/panels.simd.h"
#include "kernels/pool/argmax.simd.h"
#include "kernels/walk.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kWidth = kNr<float>;

// ---- the transforms of one dimension, of patches of kPatch pixels

/// The points are 0, +-root of each square, and infinity; of an odd number one more, kSingle.
template <int kPatch>
struct Points;
template <>
struct Points<4> {
  static constexpr double kRoots[] = {0.70710678118654752}, kSquares[] = {0.5};
  static constexpr double kOthers[][1] = {{1}};  // coefficients of the product of x - q, q other squares
  static constexpr double kAll[] = {1, -2};      // likewise of all squares, times what makes the first 1
};
template <>
struct Points<6> {
  static constexpr double kRoots[] = {0.70710678118654752, 1.41421356237309505}, kSquares[] = {0.5, 2};
  static constexpr double kOthers[][2] = {{-2, 1}, {-0.5, 1}};
  static constexpr double kAll[] = {1, -2.5, 1};
};
template <>
struct Points<8> {
  static constexpr double kRoots[] = {1, 2, 0.5}, kSquares[] = {1, 4, 0.25};
  static constexpr double kOthers[][3] = {{1, -4.25, 1}, {0.25, -1.25, 1}, {4, -5, 1}};
  static constexpr double kAll[] = {1, -5.25, 5.25, -1};
};
inline constexpr double kSingle = 1.41421356237309505;
template <int kPatch>
inline constexpr int kPairs = (kPatch - 2) / 2;
template <int kPatch>
concept HasSingle = kPatch % 2 == 1;

DLCORE_INLINE f32v times(double a, f32v x) { return broadcast(static_cast<float>(a)) * x; }
DLCORE_INLINE f32v add_times(double a, f32v x, f32v sum) { return fma(broadcast(static_cast<float>(a)), x, sum); }

/// v at both points of a pair: even +- root odd.
template <int kPatch>
DLCORE_INLINE void at_points(int pair, f32v even, f32v odd, f32v (&v)[kPatch]) {
  const double root = Points<kPatch>::kRoots[pair];
  v[1 + 2 * pair] = add_times(root, odd, even);
  v[2 + 2 * pair] = add_times(-root, odd, even);
}

/// BT: row of point p are the coefficients of x (x^2 - q^2) ... / (x - p), those of infinity without the division.
template <int kPatch>
struct PatchTransform {
  static constexpr int kIn = kPatch, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&d)[kIn], f32v (&v)[kOut]) {
    using P = Points<kPatch>;
    constexpr int kHalf = kPairs<kPatch>;
    f32v at_zero = d[0], at_infinity = d[kPatch - 1];
#pragma GCC unroll 3
    for (int k = 0; k < kHalf; ++k) {
      at_zero = add_times(P::kAll[k + 1], d[2 * k + 2], at_zero);
      at_infinity = add_times(P::kAll[k] / P::kAll[kHalf], d[2 * k + 1], at_infinity);
    }
    v[0] = at_zero, v[kPatch - 1] = at_infinity;
#pragma GCC unroll 3
    for (int pair = 0; pair < kHalf; ++pair) {
      f32v even = d[kPatch - 2], odd = d[kPatch - 3];
#pragma GCC unroll 3
      for (int k = kHalf - 2; k >= 0; --k) {
        even = add_times(P::kOthers[pair][k], d[2 * k + 2], even);
        odd = add_times(P::kOthers[pair][k], d[2 * k + 1], odd);
      }
      at_points(pair, even, odd, v);
    }
  }
};

/// Each row times x - kSingle, and the one of kSingle, which is that of infinity without the others.
template <int kPatch>
requires HasSingle<kPatch>
struct PatchTransform<kPatch> {
  static constexpr int kIn = kPatch, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&d)[kIn], f32v (&v)[kOut]) {
    using Pairs = PatchTransform<kPatch - 1>;
    f32v first[kPatch - 1], shifted[kPatch - 1], of_first[kPatch - 1], of_shifted[kPatch - 1];
#pragma GCC unroll 5
    for (int i = 0; i < kPatch - 1; ++i) first[i] = d[i], shifted[i] = add_times(-kSingle, d[i], d[i + 1]);
    Pairs::apply(first, of_first);
    Pairs::apply(shifted, of_shifted);
#pragma GCC unroll 5
    for (int i = 0; i < kPatch - 2; ++i) v[i] = of_shifted[i];
    v[kPatch - 2] = of_first[kPatch - 2], v[kPatch - 1] = of_shifted[kPatch - 2];
  }
};

/// One over the product of a point's distances to the other finite ones; of 0 it is 1, as BT has it.
template <int kPatch>
constexpr double over_distances(int pair) {
  double distances = 2 * Points<kPatch>::kSquares[pair];
  for (int other = 0; other < kPairs<kPatch>; ++other)
    if (other != pair) distances *= Points<kPatch>::kSquares[pair] - Points<kPatch>::kSquares[other];
  return 1 / distances;
}

/// G: the values of a filter of kCount taps at the points, over the product of p's distances to the others.
template <int kPatch, int kCount>
struct FilterTransform {
  static constexpr int kIn = kCount, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&g)[kIn], f32v (&u)[kOut]) {
    u[0] = g[0];
    u[kPatch - 1] = g[kCount - 1];
#pragma GCC unroll 3
    for (int pair = 0; pair < kPairs<kPatch>; ++pair) {
      double power = over_distances<kPatch>(pair);
      f32v even = times(power, g[0]), odd = times(power, g[1]);
#pragma GCC unroll 4
      for (int k = 2; k < kCount; ++k) {
        if (k % 2 == 0) power *= Points<kPatch>::kSquares[pair];
        (k % 2 == 0 ? even : odd) = add_times(power, g[k], k % 2 == 0 ? even : odd);
      }
      at_points(pair, even, odd, u);
    }
  }
};

template <int kPatch, int kCount>
requires HasSingle<kPatch>
struct FilterTransform<kPatch, kCount> {
  static constexpr int kIn = kCount, kOut = kPatch;
  static DLCORE_INLINE void apply(const f32v (&g)[kIn], f32v (&u)[kOut]) {
    using P = Points<kPatch - 1>;
    f32v of_pairs[kPatch - 1];
    FilterTransform<kPatch - 1, kCount>::apply(g, of_pairs);
    u[0] = times(-1 / kSingle, of_pairs[0]);
    double power = 1 / kSingle;  // over the distances of kSingle
#pragma GCC unroll 3
    for (int pair = 0; pair < kPairs<kPatch - 1>; ++pair) {
      u[1 + 2 * pair] = times(1 / (P::kRoots[pair] - kSingle), of_pairs[1 + 2 * pair]);
      u[2 + 2 * pair] = times(1 / (-P::kRoots[pair] - kSingle), of_pairs[2 + 2 * pair]);
      power /= kSingle * kSingle - P::kSquares[pair];
    }
    u[kPatch - 2] = times(power, g[0]);
#pragma GCC unroll 4
    for (int k = 1; k < kCount; ++k) u[kPatch - 2] = add_times(power *= kSingle, g[k], u[kPatch - 2]);
    u[kPatch - 1] = of_pairs[kPatch - 2];
  }
};

/// AT: kCount powers of the points.
template <int kPatch, int kCount>
struct ResultTransform {
  static constexpr int kIn = kPatch, kOut = kCount;
  static DLCORE_INLINE void apply(const f32v (&m)[kIn], f32v (&y)[kOut]) {
    constexpr int kHalf = kPairs<kPatch>;
    f32v sums[kHalf], differences[kHalf];
    double powers[kHalf];
#pragma GCC unroll 3
    for (int pair = 0; pair < kHalf; ++pair) {
      sums[pair] = m[1 + 2 * pair] + m[2 + 2 * pair];
      differences[pair] = m[1 + 2 * pair] - m[2 + 2 * pair];
      powers[pair] = 1;
    }
#pragma GCC unroll 8
    for (int k = 0; k < kCount; ++k) {
      f32v sum = k == 0 ? m[0] + sums[0] : k == kCount - 1 ? m[kPatch - 1] : f32v{};
#pragma GCC unroll 3
      for (int pair = 0; pair < kHalf; ++pair) {
        if (k == 0 && pair == 0) continue;
        const double power = k % 2 == 0 ? powers[pair] : powers[pair] * Points<kPatch>::kRoots[pair];
        const f32v part = k % 2 == 0 ? sums[pair] : differences[pair];
        sum = k == 0 ? sum + part : pair == 0 && k < kCount - 1 ? times(power, part) : add_times(power, part, sum);
      }
      y[k] = sum;
#pragma GCC unroll 3
      for (int pair = 0; pair < kHalf; ++pair)
        if (k % 2 == 1) powers[pair] *= Points<kPatch>::kSquares[pair];
    }
  }
};

template <int kPatch, int kCount>
requires HasSingle<kPatch>
struct ResultTransform<kPatch, kCount> {
  static constexpr int kIn = kPatch, kOut = kCount;
  static DLCORE_INLINE void apply(const f32v (&m)[kIn], f32v (&y)[kOut]) {
    f32v pairs[kPatch - 1];
#pragma GCC unroll 5
    for (int i = 0; i < kPatch - 2; ++i) pairs[i] = m[i];
    pairs[kPatch - 2] = m[kPatch - 1];
    ResultTransform<kPatch - 1, kCount>::apply(pairs, y);
    double power = 1;
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k, power *= kSingle) y[k] = add_times(power, m[kPatch - 2], y[k]);
  }
};

// ---- what a tile, its patch and a segment of a filter are

/// F(4x4, kTaps x kTaps): the transforms along both axes.
template <int kCount>
struct Squares {
  static constexpr int kPatch = kCount + 3, kTaps = kCount, kTile = kPatch + 1 - kTaps;
  static constexpr int kTileRows = kTile;
  static constexpr int rows_of(int cols) { return cols; }

  /// load(i), i < kIn * kIn, becomes store(i, v), i < kOut * kOut.
  template <class Transform, class Load, class Store>
  static DLCORE_INLINE void transform(const Load& load_at, const Store& store_at) {
    constexpr int kIn = Transform::kIn, kOut = Transform::kOut;
    f32v columns[kOut][kIn];
#pragma GCC unroll 6
    for (int j = 0; j < kIn; ++j) {
      f32v in[kIn], out[kOut];
#pragma GCC unroll 6
      for (int i = 0; i < kIn; ++i) in[i] = load_at(i * kIn + j);
      Transform::apply(in, out);
#pragma GCC unroll 6
      for (int i = 0; i < kOut; ++i) columns[i][j] = out[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < kOut; ++i) {
      f32v out[kOut];
      Transform::apply(columns[i], out);
#pragma GCC unroll 6
      for (int j = 0; j < kOut; ++j) store_at(i * kOut + j, out[j]);
    }
  }
};

/// F(9 - kTaps, kTaps) along a row.
template <int kCount>
struct Lines {
  static constexpr int kPatch = 8, kTaps = kCount, kTile = kPatch + 1 - kTaps;
  static constexpr int kTileRows = 1;
  static constexpr int rows_of(int) { return 1; }

  template <class Transform, class Load, class Store>
  static DLCORE_INLINE void transform(const Load& load_at, const Store& store_at) {
    f32v in[Transform::kIn], out[Transform::kOut];
#pragma GCC unroll 8
    for (int j = 0; j < Transform::kIn; ++j) in[j] = load_at(j);
    Transform::apply(in, out);
#pragma GCC unroll 8
    for (int j = 0; j < Transform::kOut; ++j) store_at(j, out[j]);
  }
};

template <class Method>
using Patches = PatchTransform<Method::kPatch>;
template <class Method>
using Filters = FilterTransform<Method::kPatch, Method::kTaps>;
template <class Method>
using Results = ResultTransform<Method::kPatch, Method::kTile>;
// For the gradient to the weights tiles of dy take the place of filters.
template <class Method>
using Tiles = FilterTransform<Method::kPatch, Method::kTile>;
template <class Method>
using Weights = ResultTransform<Method::kPatch, Method::kTaps>;

template <class Body>
DLCORE_INLINE void for_method(const WinogradShape& s, const Body& body) {
  if (s.is_square) return s.taps == 2 ? body(Squares<2>{}) : body(Squares<3>{});
  switch (s.taps) {
    case 2:
      return body(Lines<2>{});
    case 3:
      return body(Lines<3>{});
    case 4:
      return body(Lines<4>{});
    default:
      return body(Lines<5>{});
  }
}

/// Where a segment's taps are in the filter: the first one, the next ones are a stride apart.
struct Segment {
  std::int64_t row, col;
};
DLCORE_INLINE Segment segment_of(const WinogradShape& s, std::int64_t number) {
  const auto first_tap = [&](std::int64_t at, std::int64_t chunks, std::int64_t stride) __attribute__((always_inline)) {
    return at / chunks + at % chunks * s.taps * stride;
  };
  return {first_tap(number / s.segments_w, s.chunks_h, s.stride_h),
          first_tap(number % s.segments_w, s.chunks_w, s.stride_w)};
}

/// The place of tap j of a segment in w, or -1 where the filter has ended.
template <class Method>
DLCORE_INLINE std::int64_t tap_at(const WinogradShape& s, const Segment& segment, int j) {
  const std::int64_t row = segment.row + j / Method::kTaps * s.stride_h,
                     col = segment.col + j % Method::kTaps * s.stride_w;
  return row < s.kh && col < s.kw ? row * s.kw + col : -1;
}

// ---- filters

/// transformed[product, term, j]
template <class Method>
void transform_filters_of(const WinogradShape& s, const float* w, std::int64_t panel, std::int64_t first,
                          std::int64_t last, float* transformed) {
  constexpr int kAllTaps = Method::rows_of(Method::kTaps) * Method::kTaps;
  const std::int64_t row = s.depth() * kWidth, column = panel * kWidth;
  for (std::int64_t term = first; term < last; ++term) {
    const Segment segment = segment_of(s, term / s.cin);
    const float* const filters = w + term % s.cin * s.cout + column;
    std::int64_t taps[kAllTaps];
#pragma GCC unroll 9
    for (int j = 0; j < kAllTaps; ++j) taps[j] = tap_at<Method>(s, segment, j);
    float* const to = transformed + term * kWidth;
#pragma GCC unroll 2
    for (int c = 0; c < kWidth; c += kF32) {
      const int lanes = static_cast<int>(max_of<std::int64_t>(0, min_of<std::int64_t>(kF32, s.cout - column - c)));
      Method::template transform<Filters<Method>>(
          [&](int j) __attribute__((always_inline)) {
            return taps[j] < 0 ? f32v{} : load_partial(filters + taps[j] * s.cin * s.cout + c, lanes);
          },
          [&](int i, f32v u) __attribute__((always_inline)) { store(to + i * row + c, u); });
    }
  }
}
void transform_filters(const WinogradShape& s, const float* w, std::int64_t panel, std::int64_t first,
                       std::int64_t last, float* transformed) {
  for_method(s, [&](auto method) { transform_filters_of<decltype(method)>(s, w, panel, first, last, transformed); });
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
template <class Method>
DLCORE_INLINE TilePlace place_of(const WinogradShape& s, std::int64_t tile) {
  const std::int64_t tiles_h = s.tiles_h(), tiles_w = s.tiles_w(), number = tile % tiles_w;
  const TilePlace at{tile / (tiles_h * tiles_w), tile / tiles_w % tiles_h * Method::kTileRows, number * Method::kTile};
  if (Method::kTileRows > 1 || s.dilation_w == 1) return at;
  const std::int64_t per_residue = s.tiles_of_residue();
  return {at.n, at.row, number / per_residue + number % per_residue * Method::kTile * s.dilation_w};
}

/// Images whose pixels a tile or its patch takes, so many rows and columns apart. Outside of an image they are
/// no_pixel.
template <class T>
struct Images {
  const T* data;
  std::int64_t h, w, channels, step_h, step_w;
  const T* no_pixel;
};

/// The pixels of kRows x kCols from (row, col) of image n on.
template <int kRows, int kCols, class T>
DLCORE_INLINE void find_pixels(const Images<T>& x, TilePlace at, const T* (&pixels)[kRows * kCols]) {
  for (int i = 0; i < kRows; ++i) {
    const std::int64_t row = at.row + i * x.step_h;
    const T* const pixel_row = x.data + (at.n * x.h + row) * x.w * x.channels;
    for (int j = 0; j < kCols; ++j) {
      const std::int64_t col = at.col + j * x.step_w;
      const bool inside = row >= 0 && row < x.h && col >= 0 && col < x.w;
      pixels[kCols * i + j] = inside ? pixel_row + col * x.channels : x.no_pixel;
    }
  }
}

/// to[product * step + c] of the images' pixels at `at`, transformed.
template <class Method, class Transform, class T>
DLCORE_INLINE void transform_pixels(const Images<T>& x, TilePlace at, float* to, std::int64_t step) {
  constexpr int kCols = Transform::kIn, kRows = Method::rows_of(kCols);
  const std::int64_t to_next = Method::kTile * x.step_w * x.channels;
  const T* pixels[kRows * kCols];
  find_pixels<kRows, kCols>(x, at, pixels);
  for_vectors<float>(
      x.channels, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
        Method::template transform<Transform>(
            [&](int i) __attribute__((always_inline)) {
              const T* const pixel = pixels[i] + c;
              if (i % kCols >= kCols - Method::kTile) __builtin_prefetch(pixel + to_next);  // of the tile to the right
              return get(pixel, span);
            },
            [&](int i, f32v v) __attribute__((always_inline)) { put(to + i * step + c, v, span); });
      });
}

/// The images from which patches come, and where that of a tile and a segment begins.
template <class T>
DLCORE_INLINE Images<T> images_of(const WinogradShape& s, const void* x, const void* no_pixel) {
  return {static_cast<const T*>(x),       s.h, s.w, s.cin, s.stride_h, s.stride_w * s.dilation_w,
          static_cast<const T*>(no_pixel)};
}
DLCORE_INLINE TilePlace corner_of(const WinogradShape& s, TilePlace tile, const Segment& segment) {
  return {tile.n, tile.row * s.stride_h - s.pad_top + segment.row * s.dilation_h,
          tile.col * s.stride_w - s.pad_left + segment.col * s.dilation_w};
}

/// Of all segments, one after another.
template <class Method, class T>
DLCORE_INLINE void transform_patch(const WinogradShape& s, const Images<T>& x, TilePlace tile, float* to,
                                   std::int64_t step) {
  for (std::int64_t number = 0; number < s.segments(); ++number)
    transform_pixels<Method, Patches<Method>>(x, corner_of(s, tile, segment_of(s, number)), to + number * s.cin, step);
}

/// Where output pixels lie, in elements.
struct PixelPlaces {
  std::int64_t pixel, row, image;
  explicit PixelPlaces(const WinogradShape& s)
      : pixel(s.y_pixel ? s.y_pixel : s.cout),
        row(s.y_row ? s.y_row : s.ow * pixel),
        image(s.y_image ? s.y_image : s.oh * row) {}
  DLCORE_INLINE std::int64_t operator()(TilePlace at) const { return at.n * image + at.row * row + at.col * pixel; }
};

template <class Method>
using TileOfResults = f32v[Method::kTileRows][Method::kTile];

template <class Method, class T, class Span>
DLCORE_INLINE void store_tile(const WinogradShape& s, const PixelPlaces& places, TilePlace at, TileOfResults<Method>& y,
                              T* to, Span span) {
  const std::int64_t rows = min_of<std::int64_t>(Method::kTileRows, s.oh - at.row);
  to += places(at);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0, col = at.col; j < Method::kTile && col < s.ow; ++j, col += s.dilation_w)
      put(to + i * places.row + j * s.dilation_w * places.pixel, y[i][j], span);
}

DLCORE_INLINE void put_argmax(std::uint8_t* p, i32v at, WholeVector) {
  store_index<float, std::uint8_t, true>(p, at, kF32);
}
DLCORE_INLINE void put_argmax(std::uint8_t* p, i32v at, PartVector part) {
  store_index<float, std::uint8_t, false>(p, at, part.lanes);
}

/// The tile's windows of 2x2.
template <class Span>
DLCORE_INLINE void store_pooled_tile(const WinogradShape& s, TilePlace at, TileOfResults<Squares<3>>& y, float* to,
                                     std::uint8_t* argmax, Span span) {
  const std::int64_t oh = s.oh / 2, ow = s.ow / 2, row = at.row / 2, col = at.col / 2;
  const std::int64_t rows = min_of<std::int64_t>(Squares<3>::kTile / 2, oh - row),
                     cols = min_of<std::int64_t>(Squares<3>::kTile / 2, ow - col);
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
template <class Method, bool kPooled, class T>
void store_results(const WinogradShape& s, const WinogradBlock& block, std::int64_t column) {
  T* const results = static_cast<T*>(block.y) + column;
  const std::int64_t step = block.count * kWidth;
  const PixelPlaces places(s);
  const f32v floor = broadcast(block.activation == Activation::Relu ? 0.0f : -__builtin_inff());
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of<Method>(s, block.first + tile);
    for_vectors<float>(
        min_of<std::int64_t>(kWidth, s.cout - column), [&](std::int64_t c, auto span) __attribute__((always_inline)) {
          const f32v bias = block.bias ? get(block.bias + column + c, span) : f32v{};
          const float* const products = block.products + tile * kWidth + c;
          TileOfResults<Method> y;
          Method::template transform<Results<Method>>(
              [&](int i) __attribute__((always_inline)) { return load(products + i * step); },
              [&](int i, f32v v) __attribute__((always_inline)) {
                y[i / Method::kTile][i % Method::kTile] = vmax(floor, v + bias);  // NaN stays NaN
              });
          if constexpr (kPooled)
            store_pooled_tile(s, at, y, results + c, block.argmax ? block.argmax + column + c : nullptr, span);
          else
            store_tile<Method>(s, places, at, y, results + c, span);
        });
  }
}

template <class Method>
void activate_tiles(const WinogradShape& s, const WinogradBlock& block) {
  const PixelPlaces places(s);
  for (std::int64_t tile = 0; tile < block.count; ++tile) {
    const TilePlace at = place_of<Method>(s, block.first + tile);
    const std::int64_t rows = min_of<std::int64_t>(Method::kTileRows, s.oh - at.row);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0, col = at.col; j < Method::kTile && col < s.ow; ++j, col += s.dilation_w)
        apply_epilogue<float>(static_cast<float*>(block.y) + places({at.n, at.row + i, col}), 0, 1, s.cout, nullptr,
                              block.activation);
  }
}
void activate(const WinogradShape& s, const WinogradBlock& block) {
  for_method(s, [&](auto method) { activate_tiles<decltype(method)>(s, block); });
}

template <class Method, class T>
void transform_patches_of(const WinogradShape& s, const WinogradBlock& block) {
  const Images<T> images = images_of<T>(s, block.x, block.no_pixel);
  const std::int64_t row = s.patch_row();
  for (std::int64_t tile = 0; tile < block.count; ++tile)
    transform_patch<Method>(s, images, place_of<Method>(s, block.first + tile), block.patches + tile * row,
                            block.count * row);
}
void transform_patches(const WinogradShape& s, const WinogradBlock& block) {
  for_method(s, [&](auto method) {
    using Method = decltype(method);
    s.bfloat ? transform_patches_of<Method, Bfloat>(s, block) : transform_patches_of<Method, float>(s, block);
  });
}

void run_panel(const WinogradShape& s, const WinogradBlock& block, std::int64_t panel, const float* filters) {
  const std::int64_t depth = s.depth(), row = s.patch_row(),
                     cols = min_of<std::int64_t>(kWidth, s.cout - panel * kWidth);
  const int width = static_cast<int>(parts(cols, kF32)) * kF32;
  for (std::int64_t product = 0; product < s.products(); ++product)
    multiply_panel<float>(block.count, width, depth, block.patches + product * block.count * row, row,
                          filters + product * depth * kWidth, kWidth, block.products + product * block.count * kWidth,
                          kWidth, false);
  if (s.pooled) return store_results<Squares<3>, true, float>(s, block, panel * kWidth);
  for_method(s, [&](auto method) {
    using Method = decltype(method);
    if (s.bfloat)
      store_results<Method, false, Bfloat>(s, block, panel * kWidth);
    else
      store_results<Method, false, float>(s, block, panel * kWidth);
  });
}

// ---- the gradient to the weights

template <class Method, class T>
void transform_pair_of(const WinogradShape& s, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at) {
  const TilePlace place = place_of<Method>(s, tile);
  const std::int64_t row = s.patch_row();
  transform_patch<Method>(s, images_of<T>(s, pairs.x, pairs.no_pixel), place, pairs.patches + at * row,
                          pairs.room * row);
  const Images<T> dy{static_cast<const T*>(pairs.dy),      s.oh, s.ow, s.cout, 1, s.dilation_w,
                     static_cast<const T*>(pairs.no_pixel)};
  transform_pixels<Method, Tiles<Method>>(dy, place, pairs.tiles + at * s.cout, pairs.room * s.cout);
}
void transform_pair(const WinogradShape& s, const WinogradPairs& pairs, std::int64_t tile, std::int64_t at) {
  for_method(s, [&](auto method) {
    using Method = decltype(method);
    s.bfloat ? transform_pair_of<Method, Bfloat>(s, pairs, tile, at)
             : transform_pair_of<Method, float>(s, pairs, tile, at);
  });
}

void add_pairs(const WinogradShape& s, const WinogradPairs& pairs, int product, std::int64_t count, std::int64_t first,
               std::int64_t last, float* sums, bool accumulate) {
  const std::int64_t depth = s.depth(), row = s.patch_row();
  const float* const patches = pairs.patches + product * pairs.room * row;
  const float* const tiles = pairs.tiles + product * pairs.room * s.cout;
  sums += product * depth * s.cout;
  for (std::int64_t j = 0; j < s.cout; j += kWidth) {
    const int cols = static_cast<int>(min_of<std::int64_t>(kWidth, s.cout - j));
    for (std::int64_t i = first; i < last; i += kMr<float>)
      gemm_ukernel<float>(static_cast<int>(min_of<std::int64_t>(kMr<float>, last - i)), cols, count, patches + i,
                          std::int64_t{1}, row, tiles + j, s.cout, sums + i * s.cout + j, s.cout, accumulate);
  }
}

void store_weights(const WinogradShape& s, const float* sums, std::int64_t term, float* dw) {
  const std::int64_t step = s.depth() * s.cout;
  sums += term * s.cout, dw += term % s.cin * s.cout;
  for_method(s, [&](auto method) {
    using Method = decltype(method);
    const Segment segment = segment_of(s, term / s.cin);
    for_vectors<float>(
        s.cout, [&](std::int64_t c, auto span) __attribute__((always_inline)) {
          Method::template transform<Weights<Method>>(
              [&](int i) __attribute__((always_inline)) { return get(sums + i * step + c, span); },
              [&](int j, f32v w) __attribute__((always_inline)) {
                const std::int64_t tap = tap_at<Method>(s, segment, j);
                if (tap >= 0) put(dw + tap * s.cin * s.cout + c, w, span);
              });
        });
  });
}

}  // namespace

extern const WinogradKernels winograd_kernels_table;
const WinogradKernels winograd_kernels_table = {kMr<float>,        kWidth,    transform_filters,
                                                transform_patches, run_panel, activate,
                                                transform_pair,    add_pairs, store_weights};

}  // namespace dlcore::DLCORE_ISA
