#include "cuda/kernels/pool.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/divisor.h"

namespace dlcore::cuda {

namespace {

/// Positions [first, last) of an axis.
struct Span {
  std::int64_t first, last;
};
/// Pixels of the window of output position `out` that exist, relative to where it starts.
__device__ inline Span window_part(std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t window,
                                   std::int64_t size) {
  const std::int64_t start = out * stride - pad;
  return {start < 0 ? -start : 0, start + window > size ? size - start : window};
}
/// Output positions whose window holds pixel `at`.
__device__ inline Span windows_over(std::int64_t at, std::int64_t stride, std::int64_t pad, std::int64_t window,
                                    std::int64_t outputs) {
  const std::int64_t from = at + pad - window + 1;  // the first start that reaches it
  const std::int64_t last = (at + pad) / stride + 1;
  return {from <= 0 ? 0 : (from + stride - 1) / stride, last < outputs ? last : outputs};
}

/// The first of the greatest that it has taken, or the first NaN.
template <class T>
struct Greatest {
  T element{};
  math_t<T> value = 0;
  std::int64_t position = -1;
  __device__ void take(T candidate, std::int64_t at) {
    const math_t<T> v = to_math(candidate);
    if (position >= 0 && (value != value || !(v > value || v != v))) return;
    element = candidate;
    value = v;
    position = at;
  }
};

template <class T, class Argmax>
__global__ void max_pool_kernel(PoolShape s, std::int64_t count, const T* x, T* y, Argmax* argmax) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, s.oh, s.ow, s.c);
  const Span rows = window_part(e.h, s.stride_h, s.pad_top, s.pool_h, s.h);
  const Span cols = window_part(e.w, s.stride_w, s.pad_left, s.pool_w, s.w);
  const T* image = x + e.n * s.h * s.w * s.c + e.c;
  Greatest<T> best;
  for (std::int64_t r = rows.first; r < rows.last; ++r)
    for (std::int64_t q = cols.first; q < cols.last; ++q) {
      const std::int64_t h = e.h * s.stride_h - s.pad_top + r, w = e.w * s.stride_w - s.pad_left + q;
      best.take(image[(h * s.w + w) * s.c], r * s.pool_w + q);
    }
  y[i] = best.element;
  argmax[i] = static_cast<Argmax>(best.position);
}

template <class T, class Argmax>
__global__ void max_pool_grad_kernel(PoolShape s, std::int64_t count, const T* dy, const Argmax* argmax, T* dx) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, s.h, s.w, s.c);
  const Span rows = windows_over(e.h, s.stride_h, s.pad_top, s.pool_h, s.oh);
  const Span cols = windows_over(e.w, s.stride_w, s.pad_left, s.pool_w, s.ow);
  math_t<T> sum = 0;
  for (std::int64_t oh = rows.first; oh < rows.last; ++oh)
    for (std::int64_t ow = cols.first; ow < cols.last; ++ow) {
      const std::int64_t at = ((e.n * s.oh + oh) * s.ow + ow) * s.c + e.c;
      const std::int64_t r = e.h + s.pad_top - oh * s.stride_h, q = e.w + s.pad_left - ow * s.stride_w;
      if (static_cast<std::int64_t>(argmax[at]) == r * s.pool_w + q) sum += to_math(dy[at]);
    }
  dx[i] = from_math<T>(sum);
}

template <class T, class Argmax>
__global__ void max_pool_take_kernel(PoolShape s, std::int64_t count, const T* x, const Argmax* argmax, T* y) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, s.oh, s.ow, s.c);
  const auto position = static_cast<std::int64_t>(argmax[i]);
  const std::int64_t h = e.h * s.stride_h - s.pad_top + position / s.pool_w;
  const std::int64_t w = e.w * s.stride_w - s.pad_left + position % s.pool_w;
  const bool inside = h >= 0 && h < s.h && w >= 0 && w < s.w;
  y[i] = inside ? x[((e.n * s.h + h) * s.w + w) * s.c + e.c] : from_math<T>(0);
}

// ---- windows side by side: each pixel lies in one, or beyond the last

/// Windows, and what is left of the image beyond the last of them, as cells of a grid with a channel each.
struct Cells {
  Divisor c, columns, rows;
  unsigned count;
  Cells(const PoolShape& s, std::int64_t rows, std::int64_t columns)
      : c(s.c), columns(columns), rows(rows), count(static_cast<unsigned>(s.n * rows * columns * s.c)) {}
};
struct Cell {
  std::int64_t n, row, column, c;
  __device__ Cell(const Cells& cells, unsigned i) {
    c = cells.c.split(i);
    column = cells.columns.split(i);
    row = cells.rows.split(i);
    n = i;
  }
  __device__ std::int64_t first_pixel(const PoolShape& s) const {
    return ((n * s.h + row * s.pool_h) * s.w + column * s.pool_w) * s.c + c;
  }
};

bool is_side_by_side(const PoolShape& s) {
  return s.n * s.oh * s.ow * s.c > 0 && s.stride_h == s.pool_h && s.stride_w == s.pool_w && s.pad_top == 0 &&
         s.pad_left == 0 && s.oh * s.pool_h <= s.h && s.ow * s.pool_w <= s.w &&
         s.n * s.h * s.w * s.c < (std::int64_t{1} << 31);
}

template <class T, class Argmax>
__global__ void max_pool_cells_kernel(PoolShape s, Cells cells, const T* x, T* y, Argmax* argmax) {
  const auto i = static_cast<unsigned>(thread_index());
  if (i >= cells.count) return;
  const T* window = x + Cell(cells, i).first_pixel(s);
  Greatest<T> best;
  for (std::int64_t r = 0; r < s.pool_h; ++r)
    for (std::int64_t q = 0; q < s.pool_w; ++q) best.take(window[(r * s.w + q) * s.c], r * s.pool_w + q);
  y[i] = best.element;
  argmax[i] = static_cast<Argmax>(best.position);
}

/// The cells cover the whole image.
template <class T, class Argmax>
__global__ void max_pool_grad_cells_kernel(PoolShape s, Cells cells, const T* dy, const Argmax* argmax, T* dx) {
  const auto i = static_cast<unsigned>(thread_index());
  if (i >= cells.count) return;
  const Cell cell(cells, i);
  T d{};
  std::int64_t position = -1;
  if (cell.row < s.oh && cell.column < s.ow) {
    const std::int64_t out = ((cell.n * s.oh + cell.row) * s.ow + cell.column) * s.c + cell.c;
    d = dy[out];
    position = static_cast<std::int64_t>(argmax[out]);
  }
  T* to = dx + cell.first_pixel(s);
  const std::int64_t rows = s.h - cell.row * s.pool_h, columns = s.w - cell.column * s.pool_w;
  for (std::int64_t r = 0; r < s.pool_h && r < rows; ++r)
    for (std::int64_t q = 0; q < s.pool_w && q < columns; ++q)
      to[(r * s.w + q) * s.c] = r * s.pool_w + q == position ? d : T{};
}

template <class T>
__global__ void average_pool_kernel(PoolShape s, std::int64_t count, const T* x, T* y) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, s.oh, s.ow, s.c);
  const Span rows = window_part(e.h, s.stride_h, s.pad_top, s.pool_h, s.h);
  const Span cols = window_part(e.w, s.stride_w, s.pad_left, s.pool_w, s.w);
  const T* image = x + e.n * s.h * s.w * s.c + e.c;
  math_t<T> sum = 0;
  for (std::int64_t r = rows.first; r < rows.last; ++r)
    for (std::int64_t q = cols.first; q < cols.last; ++q)
      sum += to_math(image[((e.h * s.stride_h - s.pad_top + r) * s.w + e.w * s.stride_w - s.pad_left + q) * s.c]);
  y[i] = from_math<T>(sum / static_cast<math_t<T>>((rows.last - rows.first) * (cols.last - cols.first)));
}

template <class T>
__global__ void average_pool_grad_kernel(PoolShape s, std::int64_t count, const T* dy, T* dx) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const Element e(i, s.h, s.w, s.c);
  const Span rows = windows_over(e.h, s.stride_h, s.pad_top, s.pool_h, s.oh);
  const Span cols = windows_over(e.w, s.stride_w, s.pad_left, s.pool_w, s.ow);
  math_t<T> sum = 0;
  for (std::int64_t oh = rows.first; oh < rows.last; ++oh) {
    const Span r = window_part(oh, s.stride_h, s.pad_top, s.pool_h, s.h);
    for (std::int64_t ow = cols.first; ow < cols.last; ++ow) {
      const Span q = window_part(ow, s.stride_w, s.pad_left, s.pool_w, s.w);
      sum += to_math(dy[((e.n * s.oh + oh) * s.ow + ow) * s.c + e.c]) /
             static_cast<math_t<T>>((r.last - r.first) * (q.last - q.first));
    }
  }
  dx[i] = from_math<T>(sum);
}

std::int64_t in_elements(const PoolShape& s) { return s.n * s.h * s.w * s.c; }
std::int64_t out_elements(const PoolShape& s) { return s.n * s.oh * s.ow * s.c; }

/// body(T{}, Argmax{})
template <class Body>
void with_types(DType dtype, DType argmax, const Body& body) {
  with_float(dtype, [&]<class T>(T type) {
    if (argmax == DType::U8)
      body(type, std::uint8_t{});
    else
      body(type, std::int32_t{});
  });
}

}  // namespace

void max_pool(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* x, void* y,
              void* argmax) {
  const std::int64_t n = out_elements(shape);
  with_types(dtype, argmax_dtype, [&]<class T, class A>(T, A) {
    if (is_side_by_side(shape))
      return launch(max_pool_cells_kernel<T, A>, blocks_for(n, kThreads), kThreads, 0, stream, shape,
                    Cells(shape, shape.oh, shape.ow), static_cast<const T*>(x), static_cast<T*>(y),
                    static_cast<A*>(argmax));
    launch(max_pool_kernel<T, A>, blocks_for(n, kThreads), kThreads, 0, stream, shape, n, static_cast<const T*>(x),
           static_cast<T*>(y), static_cast<A*>(argmax));
  });
}
void max_pool_grad(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* dy,
                   const void* argmax, void* dx) {
  const std::int64_t n = in_elements(shape);
  with_types(dtype, argmax_dtype, [&]<class T, class A>(T, A) {
    if (is_side_by_side(shape)) {
      const Cells cells(shape, ceil_div(shape.h, shape.pool_h), ceil_div(shape.w, shape.pool_w));
      return launch(max_pool_grad_cells_kernel<T, A>, blocks_for(cells.count, kThreads), kThreads, 0, stream, shape,
                    cells, static_cast<const T*>(dy), static_cast<const A*>(argmax), static_cast<T*>(dx));
    }
    launch(max_pool_grad_kernel<T, A>, blocks_for(n, kThreads), kThreads, 0, stream, shape, n,
           static_cast<const T*>(dy), static_cast<const A*>(argmax), static_cast<T*>(dx));
  });
}
void max_pool_take(cudaStream_t stream, DType dtype, DType argmax_dtype, const PoolShape& shape, const void* x,
                   const void* argmax, void* y) {
  const std::int64_t n = out_elements(shape);
  with_types(dtype, argmax_dtype, [&]<class T, class A>(T, A) {
    launch(max_pool_take_kernel<T, A>, blocks_for(n, kThreads), kThreads, 0, stream, shape, n, static_cast<const T*>(x),
           static_cast<const A*>(argmax), static_cast<T*>(y));
  });
}
void average_pool(cudaStream_t stream, DType dtype, const PoolShape& shape, const void* x, void* y) {
  const std::int64_t n = out_elements(shape);
  with_float(dtype, [&]<class T>(T) {
    launch(average_pool_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, shape, n, static_cast<const T*>(x),
           static_cast<T*>(y));
  });
}
void average_pool_grad(cudaStream_t stream, DType dtype, const PoolShape& shape, const void* dy, void* dx) {
  const std::int64_t n = in_elements(shape);
  with_float(dtype, [&]<class T>(T) {
    launch(average_pool_grad_kernel<T>, blocks_for(n, kThreads), kThreads, 0, stream, shape, n,
           static_cast<const T*>(dy), static_cast<T*>(dx));
  });
}

}  // namespace dlcore::cuda
