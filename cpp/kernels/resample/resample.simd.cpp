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

template <class X, class T, int kQuads>
void narrow_rows(const ResampleShape& s, const ResampleTaps<T>& given, const X* x, T* y, std::int64_t first,
                 std::int64_t last) {
  constexpr std::int64_t kWidth = 4 * kQuads;
  const ResampleTaps<T> taps = given;
  const std::int64_t inner = s.inner;
  const std::int64_t y_end = (last - first) * inner - kWidth, x_end = s.outer * s.size * inner - kWidth;
  for_rows(s, taps, first, last, x, [&](std::int64_t row, std::int64_t begin, std::int64_t end, const X* plane) {
    quad<T> sums[kQuads]{};
    const auto add = [&](std::int64_t t, const X* from) __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int q = 0; q < kQuads; ++q) sums[q] += taps.weight[t] * load_quad<T>(from + 4 * q);
    };
    T* const to = y + row * inner;
    if (begin < end && row * inner <= y_end && plane - x + taps.offset[end - 1] <= x_end) {
      for (std::int64_t t = begin; t < end; ++t) add(t, plane + taps.offset[t]);
      __builtin_memcpy(to, sums, sizeof(sums));
    } else {  // nothing behind the row
      X element[kWidth]{};
      for (std::int64_t t = begin; t < end; ++t) {
        __builtin_memcpy(element, plane + taps.offset[t], static_cast<std::size_t>(inner) * sizeof(X));
        add(t, element);
      }
      __builtin_memcpy(to, sums, static_cast<std::size_t>(inner) * sizeof(T));
    }
  });
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
    {find_taps<float>},
    {find_taps<double>},
    {narrow<float, float>, wide<float, float>},
    {narrow<double, double>, wide<double, double>},
    {narrow<std::uint8_t, float>, wide<std::uint8_t, float>},
    {narrow<std::uint8_t, double>, wide<std::uint8_t, double>},
};

}  // namespace dlcore::DLCORE_ISA
