#include "kernels/pool/pool.h"

#include "kernels/pool/argmax.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

/// [first, last)
struct Range {
  std::int64_t first, last;
};

/// Window positions that exist for an output pixel, along one axis.
DLCORE_INLINE Range taps_inside(std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t pool,
                                std::int64_t size) {
  const std::int64_t start = out * stride - pad;
  return {max_of<std::int64_t>(0, -start), min_of(pool, size - start)};
}

/// Output pixels whose window covers an input pixel, along one axis.
DLCORE_INLINE Range windows_over(std::int64_t in, std::int64_t stride, std::int64_t pad, std::int64_t pool,
                                 std::int64_t outs) {
  const std::int64_t at = in + pad;
  if (at < 0) return {0, 0};
  const std::int64_t first = at < pool ? 0 : (at - pool) / stride + 1;
  return {first, max_of(first, min_of(outs, at / stride + 1))};
}

// ---- numbers and positions of one vector of channels; kAll: every lane exists

template <class T, bool kAll>
DLCORE_INLINE vec<T> load_lanes(const T* p, int lanes) {
  return kAll ? load(p) : load_partial(p, lanes);
}
template <class T, bool kAll>
DLCORE_INLINE void store_lanes(T* p, vec<T> v, int lanes) {
  if (kAll)
    store(p, v);
  else
    store_partial(p, v, lanes);
}

/// body.template operator()<kAll>(channel, lanes) for each vector of channels.
template <class T, class Body>
DLCORE_INLINE void for_channels(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + kLanes<T> <= channels; c += kLanes<T>) body.template operator()<true>(c, kLanes<T>);
  if (c < channels) body.template operator()<false>(c, static_cast<int>(channels - c));
}

// ---- max

/// kH, kW: the window's size when it is known here and lies inside of the image; 0: see rows and cols.
template <class T, class Argmax, int kH, int kW>
DLCORE_INLINE void max_of_window(const PoolShape& s, const T* window, Range rows, Range cols, T* y, Argmax* argmax) {
  const std::int64_t pixel = s.c, row = s.w * s.c;
  for_channels<T>(
      s.c, [&]<bool kAll>(std::int64_t c, int lanes) __attribute__((always_inline)) {
        const Range h = kH ? Range{0, kH} : rows, w = kW ? Range{0, kW} : cols;
        vec<T> best = load_lanes<T, kAll>(window + h.first * row + w.first * pixel + c, lanes);
        index_vec<T> at = index_vec<T>{} + static_cast<int>(h.first * s.pool_w + w.first);
#pragma GCC unroll 3
        for (std::int64_t i = h.first; i < h.last; ++i) {
#pragma GCC unroll 3
          for (std::int64_t j = w.first; j < w.last; ++j) {
            take_greater<T>(load_lanes<T, kAll>(window + i * row + j * pixel + c, lanes),
                            static_cast<int>(i * (kW ? kW : s.pool_w) + j), best, at);
          }
        }
        store_lanes<T, kAll>(y + c, best, lanes);
        if (argmax) store_index<T, Argmax, kAll>(argmax + c, at, lanes);
      });
}

template <class T, class Argmax, int kH, int kW>
void max_forward_row(const PoolShape& s, const T* x, T* y, Argmax* argmax, std::int64_t row) {
  const std::int64_t n = row / s.oh, oh = row % s.oh;
  const Range rows = taps_inside(oh, s.stride_h, s.pad_top, s.pool_h, s.h);
  const bool whole_rows = rows.last - rows.first == kH;
  const T* const top = x + (n * s.h + oh * s.stride_h - s.pad_top) * s.w * s.c;
  for (std::int64_t ow = 0; ow < s.ow; ++ow) {
    const Range cols = taps_inside(ow, s.stride_w, s.pad_left, s.pool_w, s.w);
    const T* const window = top + (ow * s.stride_w - s.pad_left) * s.c;
    const std::int64_t out = (row * s.ow + ow) * s.c;
    if (kH > 0 && whole_rows && cols.last - cols.first == kW)
      max_of_window<T, Argmax, kH, kW>(s, window, rows, cols, y + out, argmax ? argmax + out : nullptr);
    else
      max_of_window<T, Argmax, 0, 0>(s, window, rows, cols, y + out, argmax ? argmax + out : nullptr);
  }
}

/// Small windows of float have loops of their own. (Their positions always fit into a byte.)
template <class T, class Argmax>
constexpr bool kCommon = sizeof(T) == 4 && sizeof(Argmax) == 1;

template <class T, class Argmax>
void max_forward(const PoolShape& s, const T* x, T* y, Argmax* argmax, std::int64_t row) {
  if constexpr (kCommon<T, Argmax>) {
    if (s.pool_h == 2 && s.pool_w == 2) return max_forward_row<T, Argmax, 2, 2>(s, x, y, argmax, row);
    if (s.pool_h == 3 && s.pool_w == 3) return max_forward_row<T, Argmax, 3, 3>(s, x, y, argmax, row);
  }
  max_forward_row<T, Argmax, 0, 0>(s, x, y, argmax, row);
}

template <class T, class Argmax>
void max_take(const PoolShape& s, const T* x, const Argmax* argmax, T* y, std::int64_t row) {
  const std::int64_t n = row / s.oh, oh = row % s.oh;
  for (std::int64_t ow = 0; ow < s.ow; ++ow) {
    const std::int64_t out = (row * s.ow + ow) * s.c;
    for (std::int64_t c = 0; c < s.c; ++c) {
      const std::int64_t h = oh * s.stride_h - s.pad_top + argmax[out + c] / s.pool_w;
      const std::int64_t w = ow * s.stride_w - s.pad_left + argmax[out + c] % s.pool_w;
      const bool inside = h >= 0 && h < s.h && w >= 0 && w < s.w;
      y[out + c] = inside ? x[((n * s.h + h) * s.w + w) * s.c + c] : T{};
    }
  }
}

// ---- gradient of max over windows that do not overlap: each window writes its own pixels

/// kH, kW: as in max_of_window.
template <class T, class Argmax, int kH, int kW>
DLCORE_INLINE void max_gradient_of_window(const PoolShape& s, Range rows, Range cols, const T* dy, const Argmax* argmax,
                                          T* window) {
  const std::int64_t pixel = s.c, row = s.w * s.c;
  for_channels<T>(
      s.c, [&]<bool kAll>(std::int64_t c, int lanes) __attribute__((always_inline)) {
        const Range h = kH ? Range{0, kH} : rows, w = kW ? Range{0, kW} : cols;
        const vec<T> d = load_lanes<T, kAll>(dy + c, lanes);
        const index_vec<T> at = load_index<T, Argmax, kAll>(argmax + c, lanes);
#pragma GCC unroll 3
        for (std::int64_t i = h.first; i < h.last; ++i) {
#pragma GCC unroll 3
          for (std::int64_t j = w.first; j < w.last; ++j) {
            const auto hit = at == index_vec<T>{} + static_cast<int>(i * (kW ? kW : s.pool_w) + j);
            store_lanes<T, kAll>(window + i * row + j * pixel + c, hit ? d : vec<T>{}, lanes);
          }
        }
      });
}

template <class T>
DLCORE_INLINE void zero(T* p, std::int64_t count) {
  if (count > 0) __builtin_memset(p, 0, static_cast<std::size_t>(count) * sizeof(T));
}

/// The input rows from the window row `row` = n * OH + oh down to the next; the first and the last reach to the edges.
template <class T, class Argmax, int kH, int kW>
void max_backward_windows(const PoolShape& s, const T* dy, const Argmax* argmax, T* dx, std::int64_t row) {
  const std::int64_t n = row / s.oh, oh = row % s.oh, line = s.w * s.c, start = oh * s.stride_h - s.pad_top;
  const std::int64_t from = oh == 0 ? 0 : max_of<std::int64_t>(0, start);
  const std::int64_t to = oh + 1 == s.oh ? s.h : start + s.stride_h;
  const Range rows = taps_inside(oh, s.stride_h, s.pad_top, s.pool_h, s.h);
  T* const image = dx + n * s.h * line;
  zero(image + from * line, (start + rows.first - from) * line);
  zero(image + (start + rows.last) * line, (to - start - rows.last) * line);

  std::int64_t done = 0;  // columns
  for (std::int64_t ow = 0; ow < s.ow; ++ow) {
    const Range cols = taps_inside(ow, s.stride_w, s.pad_left, s.pool_w, s.w);
    const std::int64_t left = ow * s.stride_w - s.pad_left, out = (row * s.ow + ow) * s.c;
    if (left + cols.first > done)
      for (std::int64_t i = rows.first; i < rows.last; ++i)
        zero(image + (start + i) * line + done * s.c, (left + cols.first - done) * s.c);
    T* const window = image + start * line + left * s.c;
    if (kH > 0 && rows.last - rows.first == kH && cols.last - cols.first == kW)
      max_gradient_of_window<T, Argmax, kH, kW>(s, rows, cols, dy + out, argmax + out, window);
    else
      max_gradient_of_window<T, Argmax, 0, 0>(s, rows, cols, dy + out, argmax + out, window);
    done = left + cols.last;
  }
  for (std::int64_t i = rows.first; i < rows.last; ++i)
    zero(image + (start + i) * line + done * s.c, (s.w - done) * s.c);
}

// ---- gradients in general: each input pixel gathers from the windows that cover it

/// An input pixel, and the output rows and columns of the windows over it.
struct Cover {
  std::int64_t image, h, w;
  Range rows, cols;
};

template <class T, class Argmax>
DLCORE_INLINE void max_gradient_of_pixel(const PoolShape& s, const Cover& cover, const T* dy, const Argmax* argmax,
                                         T* dx) {
  const std::int64_t first = ((cover.image * s.oh + cover.rows.first) * s.ow + cover.cols.first) * s.c;
  const int position = static_cast<int>((cover.h + s.pad_top - cover.rows.first * s.stride_h) * s.pool_w + cover.w +
                                        s.pad_left - cover.cols.first * s.stride_w);
  const int to_next_row = static_cast<int>(s.stride_h * s.pool_w), to_next = static_cast<int>(s.stride_w);
  const std::int64_t rows = cover.rows.last - cover.rows.first, cols = cover.cols.last - cover.cols.first;
  for_channels<T>(
      s.c, [&]<bool kAll>(std::int64_t c, int lanes) __attribute__((always_inline)) {
        vec<T> sum{};
        for (std::int64_t i = 0; i < rows; ++i) {
          std::int64_t out = first + i * s.ow * s.c + c;
          index_vec<T> wanted = index_vec<T>{} + static_cast<int>(position - i * to_next_row);
          for (std::int64_t j = 0; j < cols; ++j, out += s.c, wanted -= to_next) {
            const auto hit = load_index<T, Argmax, kAll>(argmax + out, lanes) == wanted;
            sum += hit ? load_lanes<T, kAll>(dy + out, lanes) : vec<T>{};
          }
        }
        store_lanes<T, kAll>(dx + c, sum, lanes);
      });
}

template <class T>
DLCORE_INLINE void average_gradient_of_pixel(const PoolShape& s, const Cover& cover, const T* dy, T* dx) {
  for_channels<T>(
      s.c, [&]<bool kAll>(std::int64_t c, int lanes) __attribute__((always_inline)) {
        vec<T> sum{};
        for (std::int64_t oh = cover.rows.first; oh < cover.rows.last; ++oh) {
          const Range rows = taps_inside(oh, s.stride_h, s.pad_top, s.pool_h, s.h);
          for (std::int64_t ow = cover.cols.first; ow < cover.cols.last; ++ow) {
            const Range cols = taps_inside(ow, s.stride_w, s.pad_left, s.pool_w, s.w);
            const T share = T{1} / static_cast<T>((rows.last - rows.first) * (cols.last - cols.first));
            const T* const from = dy + ((cover.image * s.oh + oh) * s.ow + ow) * s.c + c;
            sum += load_lanes<T, kAll>(from, lanes) * broadcast(share);
          }
        }
        store_lanes<T, kAll>(dx + c, sum, lanes);
      });
}

/// body(cover, the pixel's offset) for the pixels of an input row.
template <class Body>
DLCORE_INLINE void for_input_row(const PoolShape& s, std::int64_t row, const Body& body) {
  const Range rows = windows_over(row % s.h, s.stride_h, s.pad_top, s.pool_h, s.oh);
  for (std::int64_t w = 0; w < s.w; ++w) {
    const Range cols = windows_over(w, s.stride_w, s.pad_left, s.pool_w, s.ow);
    body(Cover{row / s.h, row % s.h, w, rows, cols}, (row * s.w + w) * s.c);
  }
}

template <class T, class Argmax>
void max_backward(const PoolShape& s, const T* dy, const Argmax* argmax, T* dx, std::int64_t row) {
  for_input_row(
      s, row, [&](const Cover& cover, std::int64_t at) __attribute__((always_inline)) {
        max_gradient_of_pixel<T, Argmax>(s, cover, dy, argmax, dx + at);
      });
}

template <class T, class Argmax>
void max_backward_disjoint(const PoolShape& s, const T* dy, const Argmax* argmax, T* dx, std::int64_t row) {
  if constexpr (kCommon<T, Argmax>) {
    if (s.pool_h == 2 && s.pool_w == 2) return max_backward_windows<T, Argmax, 2, 2>(s, dy, argmax, dx, row);
    if (s.pool_h == 3 && s.pool_w == 3) return max_backward_windows<T, Argmax, 3, 3>(s, dy, argmax, dx, row);
  }
  max_backward_windows<T, Argmax, 0, 0>(s, dy, argmax, dx, row);
}

template <class T>
void average_backward(const PoolShape& s, const T* dy, T* dx, std::int64_t row) {
  for_input_row(
      s, row, [&](const Cover& cover, std::int64_t at) __attribute__((always_inline)) {
        average_gradient_of_pixel<T>(s, cover, dy, dx + at);
      });
}

template <class T>
void average_forward(const PoolShape& s, const T* x, T* y, std::int64_t row) {
  const std::int64_t n = row / s.oh, oh = row % s.oh;
  const Range rows = taps_inside(oh, s.stride_h, s.pad_top, s.pool_h, s.h);
  for (std::int64_t ow = 0; ow < s.ow; ++ow) {
    const Range cols = taps_inside(ow, s.stride_w, s.pad_left, s.pool_w, s.w);
    const T* const window = x + ((n * s.h + oh * s.stride_h - s.pad_top) * s.w + ow * s.stride_w - s.pad_left) * s.c;
    const T count = static_cast<T>((rows.last - rows.first) * (cols.last - cols.first));
    for_channels<T>(
        s.c, [&]<bool kAll>(std::int64_t c, int lanes) __attribute__((always_inline)) {
          vec<T> sum{};
          for (std::int64_t i = rows.first; i < rows.last; ++i)
            for (std::int64_t j = cols.first; j < cols.last; ++j)
              sum += load_lanes<T, kAll>(window + (i * s.w + j) * s.c + c, lanes);
          store_lanes<T, kAll>(y + (row * s.ow + ow) * s.c + c, sum / broadcast(count), lanes);
        });
  }
}

template <class T>
constexpr PoolRows<T> pool_rows() {
  return {{max_forward<T, std::uint8_t>, max_backward<T, std::uint8_t>, max_backward_disjoint<T, std::uint8_t>,
           max_take<T, std::uint8_t>},
          {max_forward<T, std::int32_t>, max_backward<T, std::int32_t>, max_backward_disjoint<T, std::int32_t>,
           max_take<T, std::int32_t>},
          {average_forward<T>, average_backward<T>}};
}

}  // namespace

extern const PoolKernels pool_kernels_table;
constexpr PoolKernels pool_kernels_table{pool_rows<float>(), pool_rows<double>()};

}  // namespace dlcore::DLCORE_ISA
