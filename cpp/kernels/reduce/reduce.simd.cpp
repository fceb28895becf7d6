#include "kernels/reduce/reduce.h"

#include <type_traits>

#include "kernels/float16.simd.h"
#include "kernels/pointwise/math.simd.h"

namespace dlcore::DLCORE_ISA {

extern const ReduceKernels reduce_kernels_table;

namespace {

/// A vector of any element type.
template <class T, int bytes = DLCORE_SIMD_BYTES>
struct Wide {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T>
using wide = typename Wide<T>::type;

/// Integers add and multiply modulo 2^bits: as unsigned.
template <class T, bool integer = std::is_integral_v<T>>
struct Wrapping {
  using type = std::make_unsigned_t<T>;
};
template <class T>
struct Wrapping<T, false> {
  using type = T;
};

// An operation: neutral element, what becomes of an element before it is combined (map), how two are combined. The
// functions take vectors and scalars.
template <class T>
struct Sum {
  static constexpr T neutral = 0;
  template <class V>
  static DLCORE_INLINE V map(V x, V) {
    return x;
  }
  template <class V>
  static DLCORE_INLINE V combine(V a, V b) {
    return a + b;
  }
};
template <class T>
struct Prod : Sum<T> {
  static constexpr T neutral = 1;
  template <class V>
  static DLCORE_INLINE V combine(V a, V b) {
    return a * b;
  }
};
template <class T>
constexpr T lowest() {
  if constexpr (std::is_floating_point_v<T>)
    return -__builtin_inf();
  else
    return std::is_signed_v<T> ? static_cast<T>(std::uint64_t{1} << (8 * sizeof(T) - 1)) : 0;
}
template <class T>
constexpr T highest() {
  if constexpr (std::is_floating_point_v<T>)
    return __builtin_inf();
  else
    return static_cast<T>(~lowest<T>());
}
template <class T>
struct Max : Sum<T> {
  static constexpr T neutral = lowest<T>();
  template <class V>
  static DLCORE_INLINE V combine(V a, V b) {
    if constexpr (std::is_same_v<V, f32v>)
      return a == a ? vmax(a, b) : a;
    else
      return ((a > b) | (a != a)) ? a : b;
  }
};
template <class T>
struct Min : Sum<T> {
  static constexpr T neutral = highest<T>();
  template <class V>
  static DLCORE_INLINE V combine(V a, V b) {
    if constexpr (std::is_same_v<V, f32v>)
      return a == a ? vmin(a, b) : a;
    else
      return ((a < b) | (a != a)) ? a : b;
  }
};
template <class T>
struct SumExp : Sum<T> {
  template <class V>
  static DLCORE_INLINE V map(V x, V center) {
    if constexpr (std::is_same_v<V, T>)
      return vexp(broadcast(x - center))[0];
    else
      return vexp(x - center);
  }
};
template <class T>
struct SumSquare : Sum<T> {
  template <class V>
  static DLCORE_INLINE V map(V x, V center) {
    return (x - center) * (x - center);
  }
};

// Numbers T are stored as S, T or Bfloat.
template <class T, class S>
DLCORE_INLINE wide<T> load_wide(const S* p) {
  if constexpr (std::is_same_v<S, Bfloat>) {
    return load_lanes(p, kF32);
  } else {
    wide<T> v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
}
template <class T, class S>
DLCORE_INLINE T number(S x) {
  if constexpr (std::is_same_v<S, Bfloat>)
    return bitcast<T>(static_cast<std::uint32_t>(x.bits) << 16);
  else
    return x;
}

template <class T>
DLCORE_INLINE wide<T> fill_wide(T x) {
  return x - wide<T>{};
}

/// Halves, quarters, ...; the last 16 bytes lane by lane.
template <class T, class Op, int bytes = DLCORE_SIMD_BYTES>
DLCORE_INLINE T fold(typename Wide<T, bytes>::type v) {
  if constexpr (bytes > 16) {
    typename Wide<T, bytes / 2>::type halves[2];
    __builtin_memcpy(halves, &v, sizeof(v));
    return fold<T, Op, bytes / 2>(Op::combine(halves[0], halves[1]));
  } else {
    constexpr int lanes = bytes / sizeof(T);
    T lane[lanes];
    __builtin_memcpy(lane, &v, sizeof(v));
    for (int width = lanes / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) lane[i] = Op::combine(lane[i], lane[i + width]);
    return lane[0];
  }
}

/// The first n lanes of x mapped, the others neutral.
template <class T, class Op, class S>
DLCORE_INLINE wide<T> map_partial(const S* x, int n, wide<T> center) {
  wide<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>> lane{};
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  return lane < n ? Op::map(load_lanes(x, n), center) : fill_wide<T>(Op::neutral);
}

constexpr int kAccumulators = 8;
constexpr int kBlockSteps = 32;  // additions to one accumulator before it is added to the total

/// One row, n >= lanes unless T is a float, as one vector yet to be folded: eight accumulators over a block, folded
/// into a total, then the vectors that are left, then the tail of a row of floats.
template <class T, class Op, class S>
DLCORE_INLINE wide<T> reduce_lanes(const S* x, std::int64_t n, T center) {
  using V = wide<T>;
  constexpr std::int64_t lanes = DLCORE_SIMD_BYTES / sizeof(T), step = kAccumulators * lanes;
  const V centers = fill_wide<T>(center);
  if constexpr (std::is_floating_point_v<T>)
    if (n <= lanes) return map_partial<T, Op>(x, static_cast<int>(n), centers);
  V total = fill_wide<T>(Op::neutral);
  std::int64_t i = 0;
  while (i + step <= n) {
    V sums[kAccumulators];
    for (V& sum : sums) sum = fill_wide<T>(Op::neutral);
    for (int s = 0; s < kBlockSteps && i + step <= n; ++s, i += step)
      for (int a = 0; a < kAccumulators; ++a)
        sums[a] = Op::combine(sums[a], Op::map(load_wide<T>(x + i + a * lanes), centers));
    for (int width = kAccumulators / 2; width > 0; width /= 2)
      for (int a = 0; a < width; ++a) sums[a] = Op::combine(sums[a], sums[a + width]);
    total = Op::combine(total, sums[0]);
  }
  for (; i + lanes <= n; i += lanes) total = Op::combine(total, Op::map(load_wide<T>(x + i), centers));
  if constexpr (std::is_floating_point_v<T>)
    if (i < n) total = Op::combine(total, map_partial<T, Op>(x + i, static_cast<int>(n - i), centers));
  return total;
}

template <class T, class Op, class S>
DLCORE_INLINE T reduce_row(const S* x, std::int64_t n, T center) {
  constexpr std::int64_t lanes = DLCORE_SIMD_BYTES / sizeof(T);
  if constexpr (std::is_floating_point_v<T>) return fold<T, Op>(reduce_lanes<T, Op>(x, n, center));
  T result = Op::neutral;
  std::int64_t i = 0;
  if (n >= lanes) {
    result = fold<T, Op>(reduce_lanes<T, Op>(x, n, center));
    i = n / lanes * lanes;
  }
  for (; i < n; ++i) result = Op::combine(result, Op::map(number<T>(x[i]), center));
  return result;
}

/// Asks for the memory some short rows ahead: the processor's own prefetching loses track of them.
DLCORE_INLINE void prefetch_ahead(const void* p, std::int64_t bytes) {
  constexpr std::int64_t kAhead = 4096, kLine = 64;
  if (bytes > 2 * kAhead) return;
  for (std::int64_t at = kAhead; at < kAhead + bytes; at += kLine) __builtin_prefetch(static_cast<const char*>(p) + at);
}

/// Rows of floats by the square: transposed, their vectors fold into one, in the order of fold().
template <class T, class Op, class S = T>
void reduce_rows(void* y, const void* x, std::int64_t rows, std::int64_t n, std::int64_t row_stride,
                 const void* center) {
  T* out = static_cast<T*>(y);
  const S* in = static_cast<const S*>(x);
  const T* centers = static_cast<const T*>(center);
  std::int64_t r = 0;
  if constexpr (std::is_floating_point_v<T>) {
    constexpr int lanes = kLanes<T>;
    for (; r + lanes <= rows; r += lanes) {
      vec<T> square[lanes];
      prefetch_ahead(in + r * row_stride, lanes * n * static_cast<std::int64_t>(sizeof(S)));
      const auto row = [=](int i) { return in + (r + i) * row_stride; };
      const auto center_of = [=](int i) { return centers ? centers[r + i] : T{}; };
      if (n <= lanes) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          square[i] = map_partial<T, Op>(row(i), static_cast<int>(n), fill_wide<T>(center_of(i)));
      } else {
        for (int i = 0; i < lanes; ++i) square[i] = reduce_lanes<T, Op>(row(i), n, center_of(i));
      }
      transpose<T>(square);
      for (int width = lanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) square[i] = Op::combine(square[i], square[i + width]);
      store(out + r, square[0]);
    }
  }
  for (; r < rows; ++r) out[r] = reduce_row<T, Op>(in + r * row_stride, n, centers ? centers[r] : T{});
}

/// out[c] = combine(out[c], x[0..4, c]), four rows as a tree.
template <class T, class Op, class S>
DLCORE_INLINE void combine_four_rows(T* out, const S* x, std::int64_t columns, std::int64_t stride, const T* center) {
  using V = wide<T>;
  constexpr std::int64_t lanes = DLCORE_SIMD_BYTES / sizeof(T);
  const S *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
  std::int64_t c = 0;
  for (; c + lanes <= columns; c += lanes) {
    const V m = center ? load_wide<T>(center + c) : V{};
    const V a = Op::combine(Op::map(load_wide<T>(x + c), m), Op::map(load_wide<T>(x1 + c), m));
    const V b = Op::combine(Op::map(load_wide<T>(x2 + c), m), Op::map(load_wide<T>(x3 + c), m));
    const V sum = Op::combine(load_wide<T>(out + c), Op::combine(a, b));
    __builtin_memcpy(out + c, &sum, sizeof(sum));
  }
  for (; c < columns; ++c) {
    const T m = center ? center[c] : T{};
    const T a = Op::combine(Op::map(number<T>(x[c]), m), Op::map(number<T>(x1[c]), m));
    const T b = Op::combine(Op::map(number<T>(x2[c]), m), Op::map(number<T>(x3[c]), m));
    out[c] = Op::combine(out[c], Op::template combine<T>(a, b));
  }
}

template <class T, class Op, class S = T>
void reduce_columns(void* y, const void* x, std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                    const void* center) {
  T* out = static_cast<T*>(y);
  const S* in = static_cast<const S*>(x);
  const T* centers = static_cast<const T*>(center);
  constexpr std::int64_t lanes = DLCORE_SIMD_BYTES / sizeof(T), narrow = 4 * lanes;
  std::int64_t r = 0;
  if (columns < narrow && columns % lanes != 0 && row_stride == columns && rows >= 4 * lanes && !center) {
    // So many rows side by side that they fill vectors; their results are as many rows.
    T wide_rows[lanes * narrow];
    reduce_columns<T, Op, S>(wide_rows, x, rows / lanes, lanes * columns, lanes * columns, nullptr);
    reduce_columns<T, Op>(y, wide_rows, lanes, columns, columns, nullptr);
    r = rows / lanes * lanes;
  } else {
    for (std::int64_t c = 0; c < columns; ++c) out[c] = Op::neutral;
  }
  for (; r + 4 <= rows; r += 4) {
    if (row_stride == columns) prefetch_ahead(in + r * columns, 4 * columns * static_cast<std::int64_t>(sizeof(S)));
    combine_four_rows<T, Op>(out, in + r * row_stride, columns, row_stride, centers);
  }
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      out[c] = Op::combine(out[c], Op::map(number<T>(in[r * row_stride + c]), centers ? centers[c] : T{}));
}

// ---- argmax, argmin

/// Whether x takes the place of `best`; the first NaN stays.
template <class T, bool smallest>
DLCORE_INLINE bool beats(T x, T best) {
  const bool better = smallest ? x < best : x > best;
  return better | ((x != x) & (best == best));
}

template <class T, bool smallest>
void arg_rows(std::int32_t* y, const void* x, std::int64_t rows, std::int64_t n) {
  using Op = std::conditional_t<smallest, Min<T>, Max<T>>;
  const T* in = static_cast<const T*>(x);
  for (std::int64_t r = 0; r < rows; ++r, in += n) {
    const T best = reduce_row<T, Op>(in, n, T{});
    std::int64_t i = 0;
    if (best == best)
      while (in[i] != best) ++i;
    else
      while (in[i] == in[i]) ++i;
    y[r] = static_cast<std::int32_t>(i);
  }
}

template <class T, bool smallest>
void arg_columns(std::int32_t* y, void* best, const void* x, std::int64_t n, std::int64_t columns,
                 std::int64_t row_stride) {
  T* top = static_cast<T*>(best);
  const T* in = static_cast<const T*>(x);
  for (std::int64_t c = 0; c < columns; ++c) {
    top[c] = in[c];
    y[c] = 0;
  }
  for (std::int64_t i = 1; i < n; ++i) {
    in += row_stride;
    for (std::int64_t c = 0; c < columns; ++c) {
      const bool better = beats<T, smallest>(in[c], top[c]);
      top[c] = better ? in[c] : top[c];
      y[c] = better ? static_cast<std::int32_t>(i) : y[c];
    }
  }
}

// ---- finishing touches of mean, var and logsumexp

template <class T>
void divide(void* y, std::int64_t n, double count) {
  T* out = static_cast<T*>(y);
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(out[i] / count);
}
template <class T>
void make_finite(void* center, std::int64_t n) {
  T* out = static_cast<T*>(center);
  for (std::int64_t i = 0; i < n; ++i) out[i] = out[i] - out[i] == 0 ? out[i] : T{0};
}
template <class T>
void add_log(void* y, const void* center, std::int64_t n) {
  T* out = static_cast<T*>(y);
  const T* m = static_cast<const T*>(center);
  for (std::int64_t i = 0; i < n; i += kLanes<T>) {
    const int lanes = static_cast<int>(min_of<std::int64_t>(kLanes<T>, n - i));
    store_partial(out + i, load_partial(m + i, lanes) + vlog(load_partial(out + i, lanes)), lanes);
  }
}

// ---- the table

struct Table : ReduceKernels {
  template <class T, class Op, class S = T>
  constexpr void add(ReduceOp op, DType dtype) {
    rows[static_cast<int>(op)][static_cast<int>(dtype)] = reduce_rows<T, Op, S>;
    columns[static_cast<int>(op)][static_cast<int>(dtype)] = reduce_columns<T, Op, S>;
  }
  template <class T>
  constexpr void add_extrema(DType dtype) {
    add<T, Max<T>>(ReduceOp::Max, dtype);
    add<T, Min<T>>(ReduceOp::Min, dtype);
    const int d = static_cast<int>(dtype);
    arg_rows[0][d] = DLCORE_ISA::arg_rows<T, false>;
    arg_rows[1][d] = DLCORE_ISA::arg_rows<T, true>;
    arg_columns[0][d] = DLCORE_ISA::arg_columns<T, false>;
    arg_columns[1][d] = DLCORE_ISA::arg_columns<T, true>;
  }
  template <class T>
  constexpr void add_numbers(DType dtype) {
    using W = typename Wrapping<T>::type;
    add<W, Sum<W>>(ReduceOp::Sum, dtype);
    add<W, Prod<W>>(ReduceOp::Prod, dtype);
    add_extrema<T>(dtype);
  }
  template <class T>
  constexpr void add_floats(DType dtype) {
    add_numbers<T>(dtype);
    add<T, SumExp<T>>(ReduceOp::SumExp, dtype);
    add<T, SumSquare<T>>(ReduceOp::SumSquare, dtype);
    const int d = static_cast<int>(dtype);
    divide[d] = DLCORE_ISA::divide<T>;
    make_finite[d] = DLCORE_ISA::make_finite<T>;
    add_log[d] = DLCORE_ISA::add_log<T>;
  }
};

constexpr Table make_table() {
  Table table{};
  table.add_floats<float>(DType::F32);
  table.add_floats<double>(DType::F64);
  table.add_numbers<std::int32_t>(DType::I32);
  table.add_numbers<std::int64_t>(DType::I64);
  table.add_numbers<std::uint8_t>(DType::U8);
  table.add_numbers<std::int8_t>(DType::I8);
  table.add_extrema<std::uint8_t>(DType::Bool);
  table.add<float, Sum<float>, Bfloat>(ReduceOp::Sum, DType::BF16);
  return table;
}

}  // namespace

constexpr ReduceKernels reduce_kernels_table = make_table();

}  // namespace dlcore::DLCORE_ISA
