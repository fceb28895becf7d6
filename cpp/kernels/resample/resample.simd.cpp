#include "kernels/resample/resample.h"

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

template <class T>
void find_taps(const ResampleShape& s, const T* w, const ResampleTaps<T>& taps, std::int32_t* bands) {
  std::int32_t *const first = bands, *const last = bands + s.out;  // of the weights of an output that are not zero
  for (std::int64_t j = 0; j < s.out; ++j) {
    first[j] = static_cast<std::int32_t>(s.size);
    last[j] = -1;
  }
  for (std::int64_t i = 0; i < s.size; ++i) {
    const auto at = static_cast<std::int32_t>(i), none = static_cast<std::int32_t>(s.size);
    for (std::int64_t j = 0; j < s.out; ++j) {
      const bool counts = w[i * s.out + j] != 0;
      first[j] = min_of(first[j], counts ? at : none);
      last[j] = counts ? at : last[j];
    }
  }
  std::int64_t count = 0;
  for (std::int64_t j = 0; j < s.out; ++j) {
    taps.start[j] = count;
    for (std::int64_t i = first[j]; i <= last[j]; ++i) {
      const T weight = w[i * s.out + j];
      if (weight == 0) continue;
      taps.offset[count] = i * s.inner;
      taps.weight[count++] = weight;
    }
  }
  taps.start[s.out] = count;
}

/// body(row - first, taps' first, taps' end, the inputs of this row) for the rows [first, last) of the result.
template <class X, class T, class Body>
DLCORE_INLINE void for_rows(const ResampleShape& s, const ResampleTaps<T>& taps, std::int64_t first, std::int64_t last,
                            const X* x, const Body& body) {
  std::int64_t j = first % s.out;
  const X* plane = x + first / s.out * s.size * s.inner;
  for (std::int64_t row = 0; row < last - first; ++row) {
    body(row, taps.start[j], taps.start[j + 1], plane);
    if (++j < s.out) continue;
    j = 0;
    plane += s.size * s.inner;
  }
}

// ---- rows of at least a vector

/// A vector of elements as numbers of type T.
template <class T, class X>
DLCORE_INLINE vec<T> load_as(const X* p) {
  if constexpr (sizeof(X) == sizeof(T)) {
    return load(p);
  } else {
    typedef X bytes __attribute__((vector_size(kLanes<T>)));
    bytes v;
    __builtin_memcpy(&v, p, sizeof(v));
    typedef std::int32_t integers __attribute__((vector_size(4 * kLanes<T>)));  // bytes to floats takes two steps
    return __builtin_convertvector(__builtin_convertvector(v, integers), vec<T>);
  }
}

template <class X, class T, int kVectors>
DLCORE_INLINE void sum_vectors(const ResampleTaps<T>& taps, std::int64_t begin, std::int64_t end, const X* x, T* y) {
  vec<T> sums[kVectors]{};
  for (std::int64_t t = begin; t < end; ++t) {
    const X* const from = x + taps.offset[t];
    const vec<T> weight = broadcast<T>(taps.weight[t]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[v] = fma(weight, load_as<T>(from + v * kLanes<T>), sums[v]);
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) store(y + v * kLanes<T>, sums[v]);
}

template <class X, class T>
void wide(const ResampleShape& s, const ResampleTaps<T>& given, const X* x, T* y, std::int64_t first, std::int64_t last,
          std::int64_t col, std::int64_t cols) {
  static_assert(kLanes<T> <= kNarrowResample);
  constexpr int kVectors = 4;
  const ResampleTaps<T> taps = given;
  for_rows(s, taps, first, last, x, [&](std::int64_t row, std::int64_t begin, std::int64_t end, const X* plane) {
    const X* const from = plane + col;
    T* const to = y + row * s.inner + col;
    std::int64_t c = 0;
    for (; c + kVectors * kLanes<T> <= cols; c += kVectors * kLanes<T>)
      sum_vectors<X, T, kVectors>(taps, begin, end, from + c, to + c);
    for (; c + kLanes<T> <= cols; c += kLanes<T>) sum_vectors<X, T, 1>(taps, begin, end, from + c, to + c);
    if (c < cols) {  // once more some of what is done
      c = cols - kLanes<T>;
      sum_vectors<X, T, 1>(taps, begin, end, from + c, to + c);
    }
  });
}

// ---- narrower rows, four elements at a time: what is written beyond a row is its successor's, which comes next

template <class T>
struct QuadOf {
  typedef T type __attribute__((vector_size(4 * sizeof(T))));
};
template <class T>
using quad = typename QuadOf<T>::type;

template <class T, class X>
DLCORE_INLINE quad<T> load_quad(const X* p) {
  quad<X> v;
  __builtin_memcpy(&v, p, sizeof(v));
  if constexpr (sizeof(X) == sizeof(T))
    return v;
  else
    return __builtin_convertvector(__builtin_convertvector(v, quad<std::int32_t>), quad<T>);
}

template <class T, class X, int kQuads>
DLCORE_INLINE void add_tap(quad<T> (&sums)[kQuads], T weight, const X* x) {
#pragma GCC unroll 4
  for (int q = 0; q < kQuads; ++q) sums[q] += weight * load_quad<T>(x + 4 * q);
}

/// Outputs [first, last) of a row to y.
template <class X, class T, int kQuads>
void narrow_outputs(const ResampleTaps<T>& taps, std::int64_t inner, const X* x, T* y, std::int64_t first,
                    std::int64_t last) {
  const std::int64_t *const start = taps.start, *const offset = taps.offset;
  const T* const weight = taps.weight;
  std::int64_t t = start[first];
  for (std::int64_t j = first; j < last; ++j, y += inner) {
    const std::int64_t end = start[j + 1];
    quad<T> sums[kQuads]{};
    if (end - t == 2) {  // linear interpolation: without a loop
      add_tap(sums, weight[t], x + offset[t]);
      add_tap(sums, weight[t + 1], x + offset[t + 1]);
      t = end;
    }
    for (; t < end; ++t) add_tap(sums, weight[t], x + offset[t]);
    __builtin_memcpy(y, sums, sizeof(sums));
  }
}

/// The same, with nothing touched beside them.
template <class X, class T, int kQuads>
__attribute__((noinline)) void guarded_outputs(const ResampleTaps<T>& taps, std::int64_t inner, const X* x, T* y,
                                               std::int64_t first, std::int64_t last) {
  for (std::int64_t j = first; j < last; ++j, y += inner) {
    quad<T> sums[kQuads]{};
    X elements[4 * kQuads]{};
    for (std::int64_t t = taps.start[j]; t < taps.start[j + 1]; ++t) {
      __builtin_memcpy(elements, x + taps.offset[t], static_cast<std::size_t>(inner) * sizeof(X));
      add_tap(sums, taps.weight[t], elements);
    }
    __builtin_memcpy(y, sums, static_cast<std::size_t>(inner) * sizeof(T));
  }
}

template <class X, class T, int kQuads>
void narrow_rows(const ResampleShape& s, const ResampleTaps<T>& taps, const X* x, T* y, std::int64_t first,
                 std::int64_t last) {
  constexpr std::int64_t kWidth = 4 * kQuads;
  const std::int64_t reach = (kWidth - 1) / s.inner;  // outputs that one writes into behind itself
  for (std::int64_t row = first; row < last;) {
    const std::int64_t a = row / s.out, j = row % s.out, count = min_of(s.out - j, last - row);
    std::int64_t free = max_of<std::int64_t>(0, min_of(count, last - row - reach));
    const std::int64_t last_offset = (s.outer - a) * s.size * s.inner - kWidth;  // of what can be read whole
    for (std::int64_t k = 0; last_offset < (s.size - 1) * s.inner && k < free; ++k) {
      const std::int64_t end = taps.start[j + k + 1];
      if (end > taps.start[j + k] && taps.offset[end - 1] > last_offset) free = k;
    }
    const X* const from = x + a * s.size * s.inner;
    T* const to = y + (row - first) * s.inner;
    narrow_outputs<X, T, kQuads>(taps, s.inner, from, to, j, j + free);
    guarded_outputs<X, T, kQuads>(taps, s.inner, from, to + free * s.inner, j + free, j + count);
    row += count;
  }
}

template <class X, class T>
void narrow(const ResampleShape& s, const ResampleTaps<T>& taps, const X* x, T* y, std::int64_t first,
            std::int64_t last) {
  static_assert(kNarrowResample <= 16);
  constexpr decltype(&narrow<X, T>) of[]{narrow_rows<X, T, 1>, narrow_rows<X, T, 2>, narrow_rows<X, T, 3>,
                                         narrow_rows<X, T, 4>};
  of[(s.inner - 1) / 4](s, taps, x, y, first, last);
}

}  // namespace

extern const ResampleKernels resample_kernels_table;
constexpr ResampleKernels resample_kernels_table{
    {find_taps<float>, narrow<float, float>, wide<float, float>},
    {find_taps<double>, narrow<double, double>, wide<double, double>},
    {find_taps<float>, narrow<std::uint8_t, float>, wide<std::uint8_t, float>},
    {find_taps<double>, narrow<std::uint8_t, double>, wide<std::uint8_t, double>},
};

}  // namespace dlcore::DLCORE_ISA
