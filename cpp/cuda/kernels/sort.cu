#include "cuda/kernels/sort.h"

#include <algorithm>
#include <utility>

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

// ---- items

/// For elements of at most 32 bits: key and index in one number.
struct NarrowItem {
  std::uint64_t number;
  static __device__ NarrowItem of(std::uint64_t key, std::uint32_t index) { return {key << 32 | index}; }
  static __device__ NarrowItem last() { return {~std::uint64_t{0}}; }
  __device__ std::uint32_t index() const { return static_cast<std::uint32_t>(number); }
  __device__ bool before(const NarrowItem& other) const { return number < other.number; }
};
struct WideItem {
  std::uint64_t key;
  std::uint32_t position;
  static __device__ WideItem of(std::uint64_t key, std::uint32_t index) { return {key, index}; }
  static __device__ WideItem last() { return {~std::uint64_t{0}, ~std::uint32_t{0}}; }
  __device__ std::uint32_t index() const { return position; }
  __device__ bool before(const WideItem& other) const {
    return key != other.key ? key < other.key : position < other.position;
  }
};
template <class T>
using ItemOf = std::conditional_t<sizeof(math_t<T>) == 8, WideItem, NarrowItem>;

/// An unsigned number that orders as x does: NaN is the greatest, zeros are equal.
template <class M>
__device__ std::uint64_t key_of(M x) {
  if constexpr (std::is_floating_point_v<M>) {
    using Bits = std::conditional_t<sizeof(M) == 8, std::uint64_t, std::uint32_t>;
    constexpr Bits sign = Bits{1} << (8 * sizeof(M) - 1);
    if (x != x) return static_cast<Bits>(~Bits{0});
    if (x == 0) return sign;
    Bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & sign ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | sign);
  } else if constexpr (sizeof(M) == 8) {
    return static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63);
  } else {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(x)) ^ 0x80000000u;
  }
}
template <class M>
__device__ std::uint64_t descending_key(std::uint64_t key) {
  return sizeof(M) == 8 ? ~key : static_cast<std::uint32_t>(~key);
}

/// Where element 0 of a line lies in [outer, size, inner].
__device__ inline std::int64_t line_start(const Lines& lines, std::int64_t line, std::int64_t size) {
  return line / lines.inner * size * lines.inner + line % lines.inner;
}

// ---- sort

constexpr int kTile = 1024;  // items sorted in shared memory
constexpr int kMerged = 8;   // items that a thread merges

/// The items of a line's elements, unsorted. items [lines, size].
template <class T>
__global__ void make_items(Lines lines, bool descending, const T* x, ItemOf<T>* items) {
  using M = math_t<T>;
  const std::int64_t i = thread_index();
  if (i >= lines.outer * lines.inner * lines.size) return;
  const std::int64_t line = i / lines.size, at = i % lines.size;
  const std::uint64_t key = key_of<M>(to_math(x[line_start(lines, line, lines.size) + at * lines.inner]));
  items[i] = ItemOf<T>::of(descending ? descending_key<M>(key) : key, static_cast<std::uint32_t>(at));
}

/// Sorts tile blockIdx.y of line blockIdx.x in place. tile: a power of two, twice blockDim.x.
template <class Item>
__global__ void sort_tile(std::int64_t size, int tile, Item* items) {
  Item* shared = dynamic_shared<Item>();
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * tile;
  Item* from = items + blockIdx.x * size + first;
  const int count = size - first < tile ? static_cast<int>(size - first) : tile;
  for (int i = static_cast<int>(threadIdx.x); i < tile; i += static_cast<int>(blockDim.x))
    shared[i] = i < count ? from[i] : Item::last();
  __syncthreads();
  for (int run = 2; run <= tile; run *= 2)
    for (int step = run / 2; step > 0; step /= 2) {
      const int t = static_cast<int>(threadIdx.x), low = t / step * 2 * step + t % step, high = low + step;
      const bool up = (low & run) == 0;
      const Item a = shared[low], b = shared[high];
      if (b.before(a) == up) {
        shared[low] = b;
        shared[high] = a;
      }
      __syncthreads();
    }
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) from[i] = shared[i];
}

/// How many of the first `rank` items of two merged runs come from a.
template <class Item>
__device__ std::int64_t split_of(const Item* a, std::int64_t na, const Item* b, std::int64_t nb, std::int64_t rank) {
  std::int64_t low = rank > nb ? rank - nb : 0, high = rank < na ? rank : na;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (a[middle].before(b[rank - 1 - middle]))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// Runs of `run` items of every line are merged in pairs.
template <class Item>
__global__ void merge_runs(std::int64_t count, std::int64_t size, std::int64_t run, const Item* in, Item* out) {
  const std::int64_t per_line = (size + kMerged - 1) / kMerged, thread = thread_index();
  if (thread >= count * per_line) return;
  const std::int64_t line = thread / per_line, first = thread % per_line * kMerged;
  in += line * size;
  out += line * size;
  const std::int64_t start = first / (2 * run) * (2 * run);  // kMerged divides run
  const std::int64_t na = size - start < run ? size - start : run;
  const std::int64_t nb = size - start - na < run ? size - start - na : run;
  const Item *a = in + start, *b = a + na;
  std::int64_t i = split_of(a, na, b, nb, first - start), j = first - start - i;
  for (std::int64_t at = first; at < first + kMerged && at < start + na + nb; ++at)
    out[at] = j >= nb || (i < na && a[i].before(b[j])) ? a[i++] : b[j++];
}

template <class T>
__global__ void take_sorted(Lines lines, std::int64_t k, const ItemOf<T>* items, const T* x, T* values,
                            std::int32_t* indices) {
  const std::int64_t i = thread_index();
  if (i >= lines.outer * lines.inner * k) return;
  const std::int64_t line = i / k, at = i % k, index = items[line * lines.size + at].index();
  const std::int64_t to = line_start(lines, line, k) + at * lines.inner;
  if (values) values[to] = x[line_start(lines, line, lines.size) + index * lines.inner];
  if (indices) indices[to] = static_cast<std::int32_t>(index);
}

/// Sorts every line of items [count, size]; the result is in the returned one of the two buffers.
template <class Item>
Item* sort_all(cudaStream_t stream, std::int64_t count, std::int64_t size, Item* items, Item* other) {
  if (count == 0 || size == 0) return items;
  int tile = 64;
  while (tile < kTile && tile < size) tile *= 2;
  launch(sort_tile<Item>, dim3(static_cast<unsigned>(count), blocks_for(size, tile)), tile / 2, tile * sizeof(Item),
         stream, size, tile, items);
  for (std::int64_t run = tile; run < size; run *= 2) {
    launch(merge_runs<Item>, blocks_for(count * ceil_div(size, kMerged), kThreads), kThreads, 0, stream, count, size,
           run, items, other);
    std::swap(items, other);
  }
  return items;
}

// ---- running sums and products

template <class T>
using Carry = std::conditional_t<std::is_integral_v<T>, T, double>;

template <class C>
struct Plus {
  static __device__ C start() { return 0; }
  __device__ C operator()(C a, C b) const { return static_cast<C>(a + b); }
};
template <class C>
struct Times {
  static __device__ C start() { return 1; }
  __device__ C operator()(C a, C b) const { return static_cast<C>(a * b); }
};
// Signed integers wrap around.
template <>
__device__ inline std::int32_t Plus<std::int32_t>::operator()(std::int32_t a, std::int32_t b) const {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
template <>
__device__ inline std::int64_t Plus<std::int64_t>::operator()(std::int64_t a, std::int64_t b) const {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <>
__device__ inline std::int32_t Times<std::int32_t>::operator()(std::int32_t a, std::int32_t b) const {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}
template <>
__device__ inline std::int64_t Times<std::int64_t>::operator()(std::int64_t a, std::int64_t b) const {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

template <class T>
__device__ T narrowed(Carry<T> x) {
  return from_math<T>(static_cast<math_t<T>>(x));
}

/// A thread per line: step(carry, position) from the end that the running value starts at.
template <class C, class Step>
__device__ void scan_line(const Lines& lines, std::int64_t line, bool reverse, C carry, const Step& step) {
  const std::int64_t start = line_start(lines, line, lines.size);
  for (std::int64_t j = 0; j < lines.size; ++j) step(carry, start + (reverse ? lines.size - 1 - j : j) * lines.inner);
}

template <class T, template <class> class Op>
__global__ void scan_columns(Lines lines, bool exclusive, bool reverse, const T* x, T* y) {
  using C = Carry<T>;
  const std::int64_t line = thread_index();
  if (line >= lines.outer * lines.inner) return;
  const Op<C> op;
  scan_line(lines, line, reverse, Op<C>::start(), [&](C& carry, std::int64_t at) {
    const C before = carry;
    carry = op(carry, static_cast<C>(to_math(x[at])));
    y[at] = narrowed<T>(exclusive ? before : carry);
  });
}

/// A block per line with inner = 1, kThreads elements at a time.
template <class T, template <class> class Op>
__global__ void scan_rows(Lines lines, bool exclusive, bool reverse, const T* x, T* y) {
  using C = Carry<T>;
  __shared__ C of_warp[kThreads / kWarp];
  const Op<C> op;
  const int t = static_cast<int>(threadIdx.x), lane = t % kWarp, warp = t / kWarp;
  const std::int64_t start = blockIdx.x * lines.size;
  C carry = Op<C>::start();
  for (std::int64_t first = 0; first < lines.size; first += kThreads) {
    const std::int64_t j = first + t, at = start + (reverse ? lines.size - 1 - j : j);
    const bool exists = j < lines.size;
    C v = exists ? static_cast<C>(to_math(x[at])) : Op<C>::start();
    for (int lanes = 1; lanes < kWarp; lanes *= 2) {
      const C left = __shfl_up_sync(0xffffffffu, v, lanes);
      if (lane >= lanes) v = op(left, v);
    }
    C before = __shfl_up_sync(0xffffffffu, v, 1);
    if (lane == 0) before = Op<C>::start();
    if (lane == kWarp - 1) of_warp[warp] = v;
    __syncthreads();
    C base = carry;
    for (int w = 0; w < warp; ++w) base = op(base, of_warp[w]);
    if (exists) y[at] = narrowed<T>(op(base, exclusive ? before : v));
    for (int w = 0; w < kThreads / kWarp; ++w) carry = op(carry, of_warp[w]);
    __syncthreads();
  }
}

template <class T>
__global__ void cumprod_grad_columns(Lines lines, bool exclusive, bool reverse, const T* dy, const T* x, T* dx) {
  using C = Carry<T>;
  const std::int64_t line = thread_index();
  if (line >= lines.outer * lines.inner) return;
  scan_line(lines, line, reverse, C(1), [&](C& product, std::int64_t at) {
    dx[at] = narrowed<T>(product);
    product *= to_math(x[at]);
  });
  scan_line(lines, line, !reverse, C(0), [&](C& carried, std::int64_t at) {
    const C d = to_math(dy[at]), s = exclusive ? carried : carried + d;
    carried = to_math(x[at]) * s + (exclusive ? d : C(0));
    dx[at] = narrowed<T>(to_math(dx[at]) * s);
  });
}

template <template <class> class Op>
void scan(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse, const void* x, void* y) {
  if (lines.size == 0) return;
  with_number(dtype, [&]<class T>(T) {
    if (lines.inner == 1)
      launch(scan_rows<T, Op>, static_cast<unsigned>(lines.outer), kThreads, 0, stream, lines, exclusive, reverse,
             static_cast<const T*>(x), static_cast<T*>(y));
    else
      launch(scan_columns<T, Op>, blocks_for(lines.outer * lines.inner, kThreads), kThreads, 0, stream, lines,
             exclusive, reverse, static_cast<const T*>(x), static_cast<T*>(y));
  });
}

template <class T>
__global__ void search_kernel(const T* sorted, std::int64_t size, const T* value, std::int64_t count, bool right,
                              std::int32_t* index) {
  using M = math_t<T>;
  const std::int64_t i = thread_index();
  if (i >= count) return;
  const std::uint64_t key = key_of<M>(to_math(value[i]));
  std::int64_t low = 0, high = size;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    const std::uint64_t at = key_of<M>(to_math(sorted[middle]));
    if (right ? at <= key : at < key)
      low = middle + 1;
    else
      high = middle;
  }
  index[i] = static_cast<std::int32_t>(low);
}

}  // namespace

std::size_t sort_scratch_bytes(DType dtype, const Lines& lines) {
  const std::size_t item = size_of(dtype) == 8 ? sizeof(WideItem) : sizeof(NarrowItem);
  return 2 * item * static_cast<std::size_t>(lines.outer * lines.size * lines.inner);
}

void sort_lines(cudaStream_t stream, DType dtype, const Lines& lines, std::int64_t k, bool descending, const void* x,
                void* values, std::int32_t* indices, void* scratch) {
  const std::int64_t count = lines.outer * lines.inner, n = count * lines.size;
  with_number(dtype, [&]<class T>(T) {
    auto* items = static_cast<ItemOf<T>*>(scratch);
    launch(make_items<T>, blocks_for(n, kThreads), kThreads, 0, stream, lines, descending, static_cast<const T*>(x),
           items);
    const ItemOf<T>* sorted = sort_all(stream, count, lines.size, items, items + n);
    launch(take_sorted<T>, blocks_for(count * k, kThreads), kThreads, 0, stream, lines, k, sorted,
           static_cast<const T*>(x), static_cast<T*>(values), indices);
  });
}

std::uint64_t* sort_items(cudaStream_t stream, std::int64_t n, std::uint64_t* items, std::uint64_t* other) {
  static_assert(sizeof(NarrowItem) == sizeof(std::uint64_t));
  return reinterpret_cast<std::uint64_t*>(
      sort_all(stream, 1, n, reinterpret_cast<NarrowItem*>(items), reinterpret_cast<NarrowItem*>(other)));
}

void cumsum_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse, const void* x,
                  void* y) {
  scan<Plus>(stream, dtype, lines, exclusive, reverse, x, y);
}
void cumprod_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse, const void* x,
                   void* y) {
  scan<Times>(stream, dtype, lines, exclusive, reverse, x, y);
}
void cumprod_grad_lines(cudaStream_t stream, DType dtype, const Lines& lines, bool exclusive, bool reverse,
                        const void* dy, const void* x, void* dx) {
  with_float(dtype, [&]<class T>(T) {
    launch(cumprod_grad_columns<T>, blocks_for(lines.outer * lines.inner, kThreads), kThreads, 0, stream, lines,
           exclusive, reverse, static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<T*>(dx));
  });
}

void search_sorted(cudaStream_t stream, DType dtype, const void* sorted, std::int64_t size, const void* value,
                   std::int64_t count, bool right, std::int32_t* index) {
  with_number(dtype, [&]<class T>(T) {
    launch(search_kernel<T>, blocks_for(count, kThreads), kThreads, 0, stream, static_cast<const T*>(sorted), size,
           static_cast<const T*>(value), count, right, index);
  });
}

}  // namespace dlcore::cuda
