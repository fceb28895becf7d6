// Places are computed for a block of pixels at a time, so that the compiler makes vectors of them; then each pixel
// reads its one or four neighbours, all channels side by side.
#include "kernels/sampling/projective_transform.h"

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

extern const ProjectiveTransformKernels projective_transform_kernels_table;

namespace {

constexpr int kBlock = 64;  // pixels

DLCORE_INLINE float rounded_down(float x) { return __builtin_floorf(x); }
DLCORE_INLINE double rounded_down(double x) { return __builtin_floor(x); }

/// Within what an index can hold. NaN becomes the low end.
template <class T>
DLCORE_INLINE T bounded(T place) {
  constexpr T kFar = T(1e9);
  return place > -kFar ? (place < kFar ? place : kFar) : -kFar;
}

/// Where the pixels of a block come from: of the nearest pixel its place; else of the one above and to the left, and
/// the shares of those below and to the right.
template <class T>
struct Places {
  std::int32_t x[kBlock], y[kBlock];
  T share_x[kBlock], share_y[kBlock];
};

template <class T>
DLCORE_INLINE T nearest(T place) {
  const T size = rounded_down((place < 0 ? -place : place) + T(0.5));
  return place < 0 ? -size : size;
}

template <bool kBilinear, class T>
void find_places(const T* m, bool perspective, T y, std::int64_t first, int count, Places<T>& places) {
  for (int i = 0; i < count; ++i) {
    const T x = static_cast<T>(static_cast<std::int32_t>(first) + i);
    T from_x = m[0] * x + m[1] * y + m[2], from_y = m[3] * x + m[4] * y + m[5];
    if (perspective) {
      const T depth = m[6] * x + m[7] * y + 1;
      from_x /= depth;
      from_y /= depth;
    }
    from_x = bounded(from_x);
    from_y = bounded(from_y);
    const T at_x = kBilinear ? rounded_down(from_x) : nearest(from_x);
    const T at_y = kBilinear ? rounded_down(from_y) : nearest(from_y);
    places.x[i] = static_cast<std::int32_t>(at_x);
    places.y[i] = static_cast<std::int32_t>(at_y);
    places.share_x[i] = from_x - at_x;
    places.share_y[i] = from_y - at_y;
  }
}

DLCORE_INLINE std::int64_t modulo(std::int64_t a, std::int64_t n) {
  const std::int64_t rest = a % n;
  return rest < 0 ? rest + n : rest;
}

/// The pixel that stands at a place along an axis, or -1 for the fill value.
std::int64_t pixel_at(std::int64_t place, std::int64_t size, FillMode mode) {
  if (place >= 0 && place < size) return place;
  switch (mode) {
    case FillMode::Constant:
      return -1;
    case FillMode::Nearest:
      return place < 0 ? 0 : size - 1;
    case FillMode::Wrap:
      return modulo(place, size);
    case FillMode::Mirror: {
      const std::int64_t turn = size > 1 ? 2 * (size - 1) : 1, at = modulo(place, turn);
      return at < size ? at : turn - at;
    }
    case FillMode::Reflect:
      break;
  }
  const std::int64_t at = modulo(place, 2 * size);
  return at < size ? at : 2 * size - 1 - at;
}

/// The pixel (x, y) of an image; `fill` where there is none.
template <class T>
const T* pixel(const ProjectiveTransform& t, const T* image, const T* fill, std::int64_t x, std::int64_t y) {
  const std::int64_t column = pixel_at(x, t.w, t.fill_mode), row = pixel_at(y, t.h, t.fill_mode);
  return column < 0 || row < 0 ? fill : image + (row * t.w + column) * t.c;
}

/// kChannels: their number, or 0 for any.
template <bool kBilinear, int kChannels, class T>
void write_pixels(const ProjectiveTransform& t, const T* image, const Places<T>& places, int count, T* to) {
  const T fill = static_cast<T>(t.fill_value);
  const std::int64_t channels = kChannels > 0 ? kChannels : t.c, below = t.w * t.c;
  for (int i = 0; i < count; ++i, to += channels) {
    const std::int64_t x = places.x[i], y = places.y[i];
    constexpr int kReach = kBilinear ? 1 : 0;
    const bool inside = x >= 0 && y >= 0 && x + kReach < t.w && y + kReach < t.h;
    if constexpr (!kBilinear) {
      const T* const from = inside ? image + y * below + x * channels : pixel(t, image, &fill, x, y);
      const std::int64_t step = from == &fill ? 0 : 1;
      for (std::int64_t c = 0; c < channels; ++c) to[c] = from[c * step];
    } else {
      const T right = places.share_x[i], down = places.share_y[i], left = 1 - right, up = 1 - down;
      const T w00 = up * left, w01 = up * right, w10 = down * left, w11 = down * right;
      if (inside) {
        const T* const from = image + y * below + x * channels;
        for (std::int64_t c = 0; c < channels; ++c)
          to[c] = w00 * from[c] + w01 * from[c + channels] + w10 * from[c + below] + w11 * from[c + below + channels];
        continue;
      }
      const T* const p00 = pixel(t, image, &fill, x, y);
      const T* const p01 = pixel(t, image, &fill, x + 1, y);
      const T* const p10 = pixel(t, image, &fill, x, y + 1);
      const T* const p11 = pixel(t, image, &fill, x + 1, y + 1);
      const auto value = [&](const T* p, std::int64_t c) { return p[p == &fill ? 0 : c]; };
      for (std::int64_t c = 0; c < channels; ++c)
        to[c] = w00 * value(p00, c) + w01 * value(p01, c) + w10 * value(p10, c) + w11 * value(p11, c);
    }
  }
}

template <bool kBilinear, int kChannels, class T>
void transform_row(const ProjectiveTransform& t, const T* images, const T* matrices, T* result, std::int64_t row) {
  const std::int64_t image = row / t.h, y = row % t.h;
  const T* const matrix = matrices + (t.matrices > 1 ? image * t.coefficients : 0);
  const T* const from = images + image * t.h * t.w * t.c;
  T* const to = result + row * t.w * t.c;
  Places<T> places;
  for (std::int64_t x = 0; x < t.w; x += kBlock) {
    const int count = static_cast<int>(min_of<std::int64_t>(kBlock, t.w - x));
    find_places<kBilinear>(matrix, t.coefficients > 6, static_cast<T>(y), x, count, places);
    write_pixels<kBilinear, kChannels>(t, from, places, count, to + x * t.c);
  }
}

template <bool kBilinear, class T>
void transform_row_of(const ProjectiveTransform& t, const T* images, const T* matrices, T* result, std::int64_t row) {
  switch (t.c) {
    case 1:
      return transform_row<kBilinear, 1>(t, images, matrices, result, row);
    case 3:
      return transform_row<kBilinear, 3>(t, images, matrices, result, row);
    case 4:
      return transform_row<kBilinear, 4>(t, images, matrices, result, row);
    default:
      return transform_row<kBilinear, 0>(t, images, matrices, result, row);
  }
}

template <class T>
void transform_any_row(const ProjectiveTransform& t, const T* images, const T* matrices, T* result, std::int64_t row) {
  if (t.bilinear)
    transform_row_of<true>(t, images, matrices, result, row);
  else
    transform_row_of<false>(t, images, matrices, result, row);
}

}  // namespace

const ProjectiveTransformKernels projective_transform_kernels_table{transform_any_row<float>,
                                                                    transform_any_row<double>};

}  // namespace dlcore::DLCORE_ISA
