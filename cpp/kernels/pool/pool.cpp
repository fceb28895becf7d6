#include "kernels/pool/pool.h"

#include <algorithm>

#include "base/isa.h"
#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(PoolKernels, pool_kernels)

namespace {

constexpr std::int64_t kChunkBytes = 64 << 10;  // of the larger operand, x or dx
constexpr double kBytesPerNs = 8;               // of x or dx, on one thread

template <class T>
const PoolRows<T>& pool_rows();
template <>
const PoolRows<float>& pool_rows() {
  return pool_kernels().f32;
}
template <>
const PoolRows<double>& pool_rows() {
  return pool_kernels().f64;
}

template <class T, class Argmax>
const MaxPoolRows<T, Argmax>& max_rows() {
  if constexpr (sizeof(Argmax) == 1)
    return pool_rows<T>().max_u8;
  else
    return pool_rows<T>().max_i32;
}

/// body(row) for each row, several rows to a chunk.
template <class T, class Body>
void for_rows(const PoolShape& s, std::int64_t rows, const Body& body) {
  if (rows == 0) return;
  const std::int64_t bytes = s.n * s.h * s.w * s.c * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t step = std::clamp<std::int64_t>(rows * kChunkBytes / std::max<std::int64_t>(bytes, 1), 1, rows);
  parallel_for((rows + step - 1) / step, static_cast<double>(bytes) / kBytesPerNs, [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * step; row < std::min(rows, (chunk + 1) * step); ++row) body(row);
  });
}

}  // namespace

template <class T, class Argmax>
void max_pool_forward(const PoolShape& s, const T* x, T* y, Argmax* argmax) {
  const auto forward = max_rows<T, Argmax>().forward;
  for_rows<T>(s, s.n * s.oh, [&](std::int64_t row) { forward(s, x, y, argmax, row); });
}

template <class T, class Argmax>
void max_pool_backward(const PoolShape& s, const T* dy, const Argmax* argmax, T* dx) {
  const bool disjoint = s.stride_h >= s.pool_h && s.stride_w >= s.pool_w;
  const auto& rows = max_rows<T, Argmax>();
  const auto backward = disjoint ? rows.backward_disjoint : rows.backward;
  for_rows<T>(s, s.n * (disjoint ? s.oh : s.h), [&](std::int64_t row) { backward(s, dy, argmax, dx, row); });
}

template <class T, class Argmax>
void max_pool_take(const PoolShape& s, const T* x, const Argmax* argmax, T* y) {
  const auto take = max_rows<T, Argmax>().take;
  for_rows<T>(s, s.n * s.oh, [&](std::int64_t row) { take(s, x, argmax, y, row); });
}

template <class T>
void average_pool_forward(const PoolShape& s, const T* x, T* y) {
  const auto forward = pool_rows<T>().average.forward;
  for_rows<T>(s, s.n * s.oh, [&](std::int64_t row) { forward(s, x, y, row); });
}

template <class T>
void average_pool_backward(const PoolShape& s, const T* dy, T* dx) {
  const auto backward = pool_rows<T>().average.backward;
  for_rows<T>(s, s.n * s.h, [&](std::int64_t row) { backward(s, dy, dx, row); });
}

#define DLCORE_MAX_POOL(T, Argmax)                                                           \
  template void max_pool_forward<T, Argmax>(const PoolShape&, const T*, T*, Argmax*);        \
  template void max_pool_backward<T, Argmax>(const PoolShape&, const T*, const Argmax*, T*); \
  template void max_pool_take<T, Argmax>(const PoolShape&, const T*, const Argmax*, T*);
DLCORE_MAX_POOL(float, std::uint8_t)
DLCORE_MAX_POOL(float, std::int32_t)
DLCORE_MAX_POOL(double, std::uint8_t)
DLCORE_MAX_POOL(double, std::int32_t)
#undef DLCORE_MAX_POOL
template void average_pool_forward<float>(const PoolShape&, const float*, float*);
template void average_pool_forward<double>(const PoolShape&, const double*, double*);
template void average_pool_backward<float>(const PoolShape&, const float*, float*);
template void average_pool_backward<double>(const PoolShape&, const double*, double*);

}  // namespace dlcore
