#include "cuda/kernels/embedding.h"

#include "cuda/kernels/dispatch.h"
#include "cuda/kernels/movement.h"
#include "cuda/kernels/sort.h"

namespace dlcore::cuda {

namespace {

/// The row of an index, element `at` of the indices, or -1 for none.
__device__ std::int64_t row_of(std::int64_t index, std::int64_t at, const Lookup& lookup, const FaultSite& fault) {
  const std::int64_t rows = lookup.rows;
  if (lookup.mode == IndexMode::Clip) return index < 0 ? 0 : index < rows ? index : rows - 1;
  if (lookup.mode == IndexMode::Wrap) return (index % rows + rows) % rows;
  const bool strict = lookup.mode == IndexMode::Strict;
  const std::int64_t row = index < 0 && !strict ? index + rows : index;
  if (row >= 0 && row < rows) return row;
  if (strict || lookup.mode == IndexMode::Raise) report(fault, index, at);
  return -1;
}

/// Count: wide enough to count the words of y; divisions of 32 bits are several times as fast as those of 64.
template <class Word, class Index, class Count>
__global__ void gather_kernel(Lookup lookup, Count n, const Word* x, const Index* index, Word* y, FaultSite fault) {
  const Count at = static_cast<Count>(thread_index());
  if (at >= n) return;
  const Count inner = static_cast<Count>(lookup.inner), count = static_cast<Count>(lookup.count);
  const Count line = at / inner, c = at - line * inner, o = line / count, i = line - o * count;
  const std::int64_t row = row_of(index[i], static_cast<std::int64_t>(i), lookup, fault);
  y[at] = row >= 0 ? x[(static_cast<std::int64_t>(o) * lookup.rows + row) * lookup.inner + c] : Word{};
}

template <class Word, class Index>
__global__ void gather_along_kernel(Lookup lookup, std::int64_t n, const Word* x, const Index* index, Word* y,
                                    FaultSite fault) {
  const std::int64_t at = thread_index();
  if (at >= n) return;
  const std::int64_t c = at % lookup.inner, o = at / lookup.inner / lookup.count;
  const std::int64_t row = row_of(index[at], at, lookup, fault);
  y[at] = row >= 0 ? x[(o * lookup.rows + row) * lookup.inner + c] : Word{};
}

// ---- adding back: items (row << 32 | position) sorted, then a group of threads for each row that occurs

constexpr std::uint64_t kNoRow = 0xffffffffu;

template <class Index>
__global__ void index_items(Lookup lookup, const Index* index, std::uint64_t* items, FaultSite fault) {
  const std::int64_t i = thread_index();
  if (i >= lookup.count) return;
  const std::int64_t row = row_of(index[i], static_cast<std::int64_t>(i), lookup, fault);
  items[i] = (row >= 0 ? static_cast<std::uint64_t>(row) : kNoRow) << 32 | static_cast<std::uint64_t>(i);
}

template <class T>
__device__ T sum_of(T a, T b) {
  if constexpr (std::is_same_v<T, math_t<T>> && std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  else
    return from_math<T>(to_math(a) + to_math(b));
}

// How updates are joined; NaN is the greatest and the smallest.
struct JoinAdd {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return sum_of(a, b);
  }
};
struct JoinMax {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return to_math(a) > to_math(b) || to_math(a) != to_math(a) ? a : b;
  }
};
struct JoinMin {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return to_math(a) < to_math(b) || to_math(a) != to_math(a) ? a : b;
  }
};
struct JoinMul {
  template <class T>
  __device__ T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, math_t<T>> && std::is_integral_v<T>)
      return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    else
      return from_math<T>(to_math(a) * to_math(b));
  }
};

struct JoinSet {
  template <class T>
  __device__ T operator()(T, T b) const {
    return b;
  }
};

/// Position i of the sorted items starts a row: its threads join all updates of the row with what d has. threadIdx.y:
/// which position of the block's, threadIdx.x: which elements of the row; blockIdx.y: which outer slice.
template <class T, class Join>
__global__ void join_rows(Lookup lookup, const std::uint64_t* items, const T* u, T* d, Join join) {
  constexpr int kAhead = 4;  // updates that are on their way at a time
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (first >= lookup.count) return;
  const std::uint64_t row = items[first] >> 32;
  if (row == kNoRow || (first > 0 && items[first - 1] >> 32 == row)) return;
  u += blockIdx.y * lookup.count * lookup.inner;
  d += blockIdx.y * lookup.rows * lookup.inner;
  for (std::int64_t c = threadIdx.x; c < lookup.inner; c += blockDim.x) {
    T& to = d[static_cast<std::int64_t>(row) * lookup.inner + c];
    T joined = to;
    bool more = true;
    for (std::int64_t i = first; more; i += kAhead) {
      T next[kAhead];
      int found = 0;
      for (; found < kAhead && i + found < lookup.count && items[i + found] >> 32 == row; ++found)
        next[found] = u[static_cast<std::int64_t>(items[i + found] & 0xffffffffu) * lookup.inner + c];
      for (int k = 0; k < found; ++k) joined = join(joined, next[k]);
      more = found == kAhead;
    }
    to = joined;
  }
}

/// A line per thread: [count] indices into [rows]; in their order. For scatter_along.
template <class T, class Index>
__global__ void add_along(Lookup lookup, const Index* index, const T* u, T* d, FaultSite fault) {
  const std::int64_t line = thread_index();
  if (line >= lookup.outer * lookup.inner) return;
  const std::int64_t c = line % lookup.inner, o = line / lookup.inner;
  for (std::int64_t i = 0; i < lookup.count; ++i) {
    const std::int64_t from = (o * lookup.count + i) * lookup.inner + c, row = row_of(index[from], from, lookup, fault);
    if (row < 0) continue;
    T& to = d[(o * lookup.rows + row) * lookup.inner + c];
    to = sum_of(to, u[from]);
  }
}

template <class Word, class Index>
__global__ void one_hot_kernel(std::int64_t n, std::int64_t depth, const Index* index, Word one, Word* y) {
  const std::int64_t at = thread_index();
  if (at < n) y[at] = index[at / depth] == at % depth ? one : Word{};
}

/// The widest word that whole rows consist of, and rows in such words.
struct Words {
  std::size_t bytes;
  Lookup lookup;
};
Words in_words(Lookup lookup, std::size_t element_bytes, const void* x, const void* y) {
  const std::size_t row_bytes = static_cast<std::size_t>(lookup.inner) * element_bytes;
  std::size_t word = 16;
  while (word > element_bytes && (row_bytes % word || !is_aligned(x, word) || !is_aligned(y, word))) word /= 2;
  lookup.inner = static_cast<std::int64_t>(row_bytes / word);
  return {word, lookup};
}

template <class Join>
void join_updates(cudaStream_t stream, const Lookup& lookup, DType index_dtype, DType dtype, const void* index,
                  const void* u, void* d, void* scratch, const FaultSite& fault, Join join) {
  auto* items = static_cast<std::uint64_t*>(scratch);
  with_index(index_dtype, [&]<class Index>(Index) {
    launch(index_items<Index>, blocks_for(lookup.count, kThreads), kThreads, 0, stream, lookup,
           static_cast<const Index*>(index), items, fault);
  });
  const std::uint64_t* sorted = sort_items(stream, lookup.count, items, items + lookup.count);
  // Threads of a row: enough for its elements, at most a block.
  unsigned across = 1;
  while (across < kThreads && across < lookup.inner) across *= 2;
  const unsigned down = kThreads / across;
  with_number(dtype, [&]<class T>(T) {
    launch(join_rows<T, Join>, dim3(blocks_for(lookup.count, down), static_cast<unsigned>(lookup.outer)),
           dim3(across, down), 0, stream, lookup, sorted, static_cast<const T*>(u), static_cast<T*>(d), join);
  });
}

}  // namespace

void gather(cudaStream_t stream, const Lookup& elements, DType index_dtype, std::size_t element_bytes, const void* x,
            const void* index, void* y, const FaultSite& fault) {
  const auto [bytes, lookup] = in_words(elements, element_bytes, x, y);
  const std::int64_t n = lookup.outer * lookup.count * lookup.inner;
  with_word(bytes, [&, &lookup = lookup]<class Word>(Word) {
    with_index(index_dtype, [&]<class Index>(Index) {
      const auto* from = static_cast<const Word*>(x);
      const auto* at = static_cast<const Index*>(index);
      const auto run = [&](auto kernel) {
        launch(kernel, blocks_for(n, kThreads), kThreads, 0, stream, lookup, n, from, at, static_cast<Word*>(y), fault);
      };
      if (n <= INT32_MAX - kThreads)
        run(gather_kernel<Word, Index, std::uint32_t>);
      else
        run(gather_kernel<Word, Index, std::uint64_t>);
    });
  });
}

void gather_along(cudaStream_t stream, const Lookup& lookup, DType index_dtype, std::size_t element_bytes,
                  const void* x, const void* index, void* y, const FaultSite& fault) {
  const std::int64_t n = lookup.outer * lookup.count * lookup.inner;
  with_word(element_bytes, [&]<class Word>(Word) {
    with_index(index_dtype, [&]<class Index>(Index) {
      launch(gather_along_kernel<Word, Index>, blocks_for(n, kThreads), kThreads, 0, stream, lookup, n,
             static_cast<const Word*>(x), static_cast<const Index*>(index), static_cast<Word*>(y), fault);
    });
  });
}

std::size_t scatter_scratch_bytes(const Lookup& lookup) {
  return 2 * sizeof(std::uint64_t) * static_cast<std::size_t>(lookup.count);
}

void scatter_add(cudaStream_t stream, const Lookup& lookup, DType index_dtype, DType dtype, const void* index,
                 const void* u, void* d, void* scratch, const FaultSite& fault) {
  zero_bytes(stream, d, static_cast<std::size_t>(lookup.outer * lookup.rows * lookup.inner) * size_of(dtype));
  join_updates(stream, lookup, index_dtype, dtype, index, u, d, scratch, fault, JoinAdd{});
}

void scatter_combine(cudaStream_t stream, const Lookup& lookup, Combine combine, DType index_dtype, DType dtype,
                     const void* index, const void* x, const void* u, void* y, void* scratch, const FaultSite& fault) {
  copy_bytes(stream, x, y, static_cast<std::size_t>(lookup.outer * lookup.rows * lookup.inner) * size_of(dtype));
  switch (combine) {
    case Combine::Max:
      return join_updates(stream, lookup, index_dtype, dtype, index, u, y, scratch, fault, JoinMax{});
    case Combine::Min:
      return join_updates(stream, lookup, index_dtype, dtype, index, u, y, scratch, fault, JoinMin{});
    case Combine::Mul:
      return join_updates(stream, lookup, index_dtype, dtype, index, u, y, scratch, fault, JoinMul{});
    case Combine::Set:
      return join_updates(stream, lookup, index_dtype, dtype, index, u, y, scratch, fault, JoinSet{});
  }
}

void scatter_along(cudaStream_t stream, const Lookup& lookup, DType index_dtype, DType dtype, const void* index,
                   const void* u, void* d, const FaultSite& fault) {
  zero_bytes(stream, d, static_cast<std::size_t>(lookup.outer * lookup.rows * lookup.inner) * size_of(dtype));
  with_index(index_dtype, [&]<class Index>(Index) {
    with_number(dtype, [&]<class T>(T) {
      launch(add_along<T, Index>, blocks_for(lookup.outer * lookup.inner, kThreads), kThreads, 0, stream, lookup,
             static_cast<const Index*>(index), static_cast<const T*>(u), static_cast<T*>(d), fault);
    });
  });
}

void one_hot(cudaStream_t stream, std::int64_t count, std::int64_t depth, DType index_dtype, const void* index,
             std::uint64_t one, std::size_t element_bytes, void* y) {
  const std::int64_t n = count * depth;
  with_word(element_bytes, [&]<class Word>(Word) {
    if constexpr (sizeof(Word) <= 8)
      with_index(index_dtype, [&]<class Index>(Index) {
        launch(one_hot_kernel<Word, Index>, blocks_for(n, kThreads), kThreads, 0, stream, n, depth,
               static_cast<const Index*>(index), static_cast<Word>(one), static_cast<Word*>(y));
      });
  });
}

}  // namespace dlcore::cuda
