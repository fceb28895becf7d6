#include "cuda/kernels/sampling.h"

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

__device__ inline std::int64_t modulo(std::int64_t a, std::int64_t n) {
  const std::int64_t rest = a % n;
  return rest < 0 ? rest + n : rest;
}

/// The pixel that stands at a place along an axis, or -1 for the fill value.
__device__ inline std::int64_t pixel_at(std::int64_t place, std::int64_t size, FillMode mode) {
  if (place >= 0 && place < size) return place;
  if (mode == FillMode::Constant) return -1;
  if (mode == FillMode::Nearest) return place < 0 ? 0 : size - 1;
  if (mode == FillMode::Wrap) return modulo(place, size);
  if (mode == FillMode::Mirror) {
    const std::int64_t turn = size > 1 ? 2 * (size - 1) : 1, at = modulo(place, turn);
    return at < size ? at : turn - at;
  }
  const std::int64_t at = modulo(place, 2 * size);
  return at < size ? at : 2 * size - 1 - at;
}

/// Within what an index can hold. NaN becomes the low end.
template <class M>
__device__ M bounded(M place) {
  constexpr M kFar = M(1e9);
  return place > -kFar ? (place < kFar ? place : kFar) : -kFar;
}
template <class M>
__device__ M nearest(M place) {
  const M size = floor((place < 0 ? -place : place) + M(0.5));
  return place < 0 ? -size : size;
}

template <class T>
__global__ void projective_transform_kernel(ProjectiveTransform t, std::int64_t count, const T* images,
                                            const math_t<T>* matrices, T* result) {
  using M = math_t<T>;
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, t.h, t.w, t.c);
  const M* const m = matrices + (t.matrices > 1 ? e.n * t.coefficients : 0);
  const T* const image = images + e.n * t.h * t.w * t.c + e.c;
  const M x = static_cast<M>(e.w), y = static_cast<M>(e.h);
  M from_x = m[0] * x + m[1] * y + m[2], from_y = m[3] * x + m[4] * y + m[5];
  if (t.coefficients > 6) {
    const M depth = m[6] * x + m[7] * y + M(1);
    from_x /= depth;
    from_y /= depth;
  }
  from_x = bounded(from_x);
  from_y = bounded(from_y);
  const auto value = [&](std::int64_t column, std::int64_t row) {
    column = pixel_at(column, t.w, t.fill_mode);
    row = pixel_at(row, t.h, t.fill_mode);
    return column < 0 || row < 0 ? static_cast<M>(t.fill_value) : to_math(image[(row * t.w + column) * t.c]);
  };
  if (!t.bilinear) {
    result[i] =
        from_math<T>(value(static_cast<std::int64_t>(nearest(from_x)), static_cast<std::int64_t>(nearest(from_y))));
    return;
  }
  const M at_x = floor(from_x), at_y = floor(from_y), right = from_x - at_x, down = from_y - at_y;
  const M left = M(1) - right, up = M(1) - down;
  const std::int64_t column = static_cast<std::int64_t>(at_x), row = static_cast<std::int64_t>(at_y);
  result[i] = from_math<T>(up * left * value(column, row) + up * right * value(column + 1, row) +
                           down * left * value(column, row + 1) + down * right * value(column + 1, row + 1));
}

}  // namespace

void projective_transform(cudaStream_t stream, DType dtype, const ProjectiveTransform& transform, const void* images,
                          const void* matrices, void* result) {
  const std::int64_t count = transform.n * transform.h * transform.w * transform.c;
  with_float(dtype, [&]<class T>(T) {
    launch(projective_transform_kernel<T>, blocks_for(count, kThreads), kThreads, 0, stream, transform, count,
           static_cast<const T*>(images), static_cast<const math_t<T>*>(matrices), static_cast<T*>(result));
  });
}

}  // namespace dlcore::cuda
