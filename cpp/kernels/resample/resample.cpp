#include "kernels/resample/resample.h"

#include <algorithm>
#include <type_traits>

#include "base/isa.h"
#include "base/parallel.h"
#include "kernels/scratch.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(ResampleKernels, resample_kernels)

namespace {

constexpr std::int64_t kColumns = 2048;  // of a chunk: the inputs of a row's taps fit the caches
constexpr std::int64_t kChunk = 16384;   // elements of y
constexpr double kNsPerTap = 0.08;       // of one element
constexpr double kNsPerElement = 0.3;    // of y

template <class X, class T>
const ResampleRows<X, T>& rows_of() {
  const ResampleKernels& kernels = resample_kernels();
  if constexpr (std::is_same_v<X, float>)
    return kernels.f32;
  else if constexpr (std::is_same_v<X, double>)
    return kernels.f64;
  else if constexpr (std::is_same_v<T, float>)
    return kernels.u8_f32;
  else
    return kernels.u8_f64;
}

template <class T>
std::size_t taps_bytes(const ResampleShape& s) {
  return bytes_of<std::int64_t>(s.out + 1) + bytes_of<std::int64_t>(s.size * s.out) + bytes_of<T>(s.size * s.out) +
         bytes_of<std::int32_t>(2 * s.out);
}

template <class T>
ResampleTaps<T> find_taps(const ResampleShape& s, const T* w, Scratch& free) {
  ResampleTaps<T> taps{};
  taps.start = free.take<std::int64_t>(s.out + 1);
  taps.offset = free.take<std::int64_t>(s.size * s.out);
  taps.weight = free.take<T>(s.size * s.out);
  rows_of<T, T>().find_taps(s, w, taps, free.take<std::int32_t>(2 * s.out));
  return taps;
}

template <class T>
double cost_of(const ResampleShape& s, const ResampleTaps<T>& taps) {
  return static_cast<double>(s.outer * s.inner) *
         (kNsPerTap * static_cast<double>(taps.start[s.out]) + kNsPerElement * static_cast<double>(s.out));
}

/// Rows [first, last) of the result, to y.
template <class X, class T>
void whole_rows(const ResampleShape& s, const ResampleTaps<T>& taps, const X* x, T* y, std::int64_t first,
                std::int64_t last) {
  if (s.inner < kNarrowResample)
    rows_of<X, T>().narrow(s, taps, x, y, first, last);
  else
    rows_of<X, T>().wide(s, taps, x, y, first, last, 0, s.inner);
}

}  // namespace

template <class T>
std::size_t resample_scratch_bytes(const ResampleShape& s) {
  return taps_bytes<T>(s);
}

template <class X, class T>
void resample(const ResampleShape& s, const X* x, const T* w, T* y, void* scratch) {
  const std::int64_t rows = s.outer * s.out;
  if (rows * s.inner == 0) return;
  Scratch free(scratch);
  const ResampleTaps<T> taps = find_taps(s, w, free);
  const std::int64_t parts = s.inner < kNarrowResample ? 1 : (s.inner + kColumns - 1) / kColumns;
  const std::int64_t step = std::clamp<std::int64_t>(kChunk * parts / s.inner, 1, rows);
  parallel_for((rows + step - 1) / step * parts, cost_of(s, taps), [&](std::int64_t chunk) {
    const std::int64_t first = chunk / parts * step, last = std::min(rows, first + step);
    T* const to = y + first * s.inner;
    if (parts == 1) return whole_rows(s, taps, x, to, first, last);
    const std::int64_t part = chunk % parts, col = s.inner * part / parts;
    rows_of<X, T>().wide(s, taps, x, to, first, last, col, s.inner * (part + 1) / parts - col);
  });
}

template <class T>
ResamplePair<T>::ResamplePair(const ResampleShape& down, const ResampleShape& across)
    : down_(down),
      across_(across),
      rows_(std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>({1, down.inner, across.out * across.inner}))),
      workers_(workers_for((down.outer * down.out + rows_ - 1) / rows_)) {}

template <class T>
std::size_t ResamplePair<T>::scratch_bytes() const {
  return taps_bytes<T>(down_) + taps_bytes<T>(across_) +
         static_cast<std::size_t>(workers_) * bytes_of<T>(rows_ * down_.inner);
}

template <class T>
template <class X>
void ResamplePair<T>::run(const X* x, const T* w_down, const T* w_across, T* y, void* scratch) const {
  const std::int64_t rows = down_.outer * down_.out, row = across_.out * across_.inner;
  if (rows * row == 0) return;
  Scratch free(scratch);
  const ResampleTaps<T> down = find_taps(down_, w_down, free), across = find_taps(across_, w_across, free);
  T* const rooms = free.take<T>(0);
  const std::int64_t room = static_cast<std::int64_t>(bytes_of<T>(rows_ * down_.inner) / sizeof(T));
  parallel_for_workers((rows + rows_ - 1) / rows_, cost_of(down_, down) + cost_of(across_, across), workers_,
                       [&](std::int64_t chunk, int worker) {
                         const std::int64_t first = chunk * rows_, last = std::min(rows, first + rows_);
                         T* const between = rooms + worker * room;
                         whole_rows(down_, down, x, between, first, last);
                         ResampleShape part = across_;
                         part.outer = last - first;
                         whole_rows<T, T>(part, across, between, y + first * row, 0, part.outer * part.out);
                       });
}

template std::size_t resample_scratch_bytes<float>(const ResampleShape&);
template std::size_t resample_scratch_bytes<double>(const ResampleShape&);
template class ResamplePair<float>;
template class ResamplePair<double>;
#define DLCORE_RESAMPLE(X, T)                                                        \
  template void resample<X, T>(const ResampleShape&, const X*, const T*, T*, void*); \
  template void ResamplePair<T>::run<X>(const X*, const T*, const T*, T*, void*) const;
DLCORE_RESAMPLE(float, float)
DLCORE_RESAMPLE(double, double)
DLCORE_RESAMPLE(std::uint8_t, float)
DLCORE_RESAMPLE(std::uint8_t, double)
#undef DLCORE_RESAMPLE

}  // namespace dlcore
