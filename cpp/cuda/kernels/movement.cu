#include "cuda/kernels/movement.h"

#include "cuda/kernels/dispatch.h"

namespace dlcore::cuda {

namespace {

constexpr int kTile = 32, kTileRows = 8;

/// A StridedCopy in elements, of at most so many axes, as a kernel parameter.
struct CopyAxes {
  static constexpr int kMaxRank = StridedCopy::kMaxRank;
  int rank;
  std::int64_t size[kMaxRank], in_stride[kMaxRank], out_stride[kMaxRank];
};

/// Calls visit(axis, place) with the place of element i along every axis, the last axis first. Index: an unsigned type
/// that is wide enough to count the elements.
template <class Index, class Visit>
__device__ void for_each_place(Index i, int rank, const std::int64_t* size, const Visit& visit) {
  for (int axis = rank - 1; axis >= 0; --axis) {
    const Index n = static_cast<Index>(size[axis]), rest = i / n;
    visit(axis, static_cast<std::int64_t>(i - rest * n));
    i = rest;
  }
}

/// Where element i of a copy is read and written.
struct FromTo {
  std::int64_t from = 0, to = 0;

  template <class Index>
  __device__ FromTo(Index i, int rank, const CopyAxes& axes) {
    for_each_place(i, rank, axes.size, [&](int axis, std::int64_t place) {
      from += place * axes.in_stride[axis];
      to += place * axes.out_stride[axis];
    });
  }
};

template <class Word, class Index>
__global__ void copy_elements(CopyAxes axes, Index n, const Word* in, Word* out) {
  const Index i = static_cast<Index>(thread_index());
  if (i >= n) return;
  const FromTo at(i, axes.rank, axes);
  out[at.to] = in[at.from];
}

/// The last two axes: input contiguous along the first of them, output along the second. A block per tile.
template <class Word>
__global__ void copy_transposed(CopyAxes axes, const Word* in, Word* out) {
  __shared__ Word tile[kTile][kTile + 1];
  const int a = axes.rank - 2, b = axes.rank - 1;
  const std::int64_t tiles_a = (axes.size[a] + kTile - 1) / kTile, tiles_b = (axes.size[b] + kTile - 1) / kTile;
  const std::int64_t block = blockIdx.x;
  const std::int64_t first_b = block % tiles_b * kTile, first_a = block / tiles_b % tiles_a * kTile;
  const FromTo at(static_cast<std::uint64_t>(block / tiles_b / tiles_a), a, axes);
  const int x = static_cast<int>(threadIdx.x);
  for (int y = static_cast<int>(threadIdx.y); y < kTile; y += kTileRows)
    if (first_a + x < axes.size[a] && first_b + y < axes.size[b])
      tile[y][x] = in[at.from + (first_a + x) * axes.in_stride[a] + (first_b + y) * axes.in_stride[b]];
  __syncthreads();
  for (int y = static_cast<int>(threadIdx.y); y < kTile; y += kTileRows)
    if (first_b + x < axes.size[b] && first_a + y < axes.size[a])
      out[at.to + (first_a + y) * axes.out_stride[a] + (first_b + x) * axes.out_stride[b]] = tile[x][y];
}

template <class Word>
__global__ void copy_words(const int* guard, std::int64_t n, const Word* in, Word* out) {
  const std::int64_t i = thread_index();
  if (i < n && !is_shut(guard)) out[i] = in[i];
}

template <class Word>
__global__ void fill_elements(std::int64_t n, Word value, Word* out) {
  const std::int64_t i = thread_index();
  if (i < n) out[i] = value;
}

template <class Word, class Index>
__global__ void pad_elements(PadShape s, Index n, Word value, const Word* in, Word* out) {
  const Index i = static_cast<Index>(thread_index());
  if (i >= n) return;
  std::int64_t from = 0, stride = 1;
  bool inside = true;
  const std::int64_t edge = s.mode == PadShape::Reflect ? 0 : 1;
  for_each_place(i, s.rank, s.out_size, [&](int axis, std::int64_t place) {
    const std::int64_t size = s.in_size[axis];
    std::int64_t at = place - s.low[axis];
    if (s.mode != PadShape::Constant) at = at < 0 ? -at - edge : at >= size ? 2 * size - 2 - at + edge : at;
    inside = inside && at >= 0 && at < size;
    from += at * stride;
    stride *= size;
  });
  out[i] = inside ? in[from] : value;
}

/// [rows, size] to [rows, words * V] with zeros behind each row; a thread writes 16 bytes.
template <class Element, int V>
__global__ void pad_rows(std::int64_t rows, std::int64_t size, std::int64_t words, const Element* in,
                         Pack<Element, V>* out) {
  const std::int64_t i = thread_index();
  if (i >= rows * words) return;
  const std::int64_t row = words == 1 ? i : i / words, first = (i - row * words) * V;
  Pack<Element, V> pack{};
#pragma unroll
  for (int k = 0; k < V; ++k)
    if (first + k < size) pack.v[k] = in[row * size + first + k];
  out[i] = pack;
}

template <class T>
__global__ void iota_elements(std::int64_t n, std::int64_t size, std::int64_t inner, T* out) {
  const std::int64_t i = thread_index();
  if (i < n) out[i] = from_math<T>(static_cast<math_t<T>>(i / inner % size));
}

template <class From, class To>
__global__ void convert_elements(std::int64_t n, const From* in, To* out) {
  const std::int64_t i = thread_index();
  if (i < n) out[i] = from_math<To>(static_cast<math_t<To>>(to_math(in[i])));
}

/// The widest word, at most 16 bytes, that divides both addresses and all numbers of bytes that it is told.
class WidestWord {
 public:
  WidestWord(const void* in, const void* out)
      : bits_(16 | reinterpret_cast<std::uintptr_t>(in) | reinterpret_cast<std::uintptr_t>(out)) {}
  void divides(std::int64_t bytes) { bits_ |= static_cast<std::uint64_t>(bytes); }
  int bytes() const { return static_cast<int>(bits_ & -bits_); }  // the lowest bit of all

 private:
  std::uint64_t bits_;
};

/// The same copy with elements that are as wide as all places and sizes allow, or as narrow as they ask for. (On the
/// CPU an element need not be aligned.)
StridedCopy in_words(StridedCopy copy, const void* in, const void* out) {
  const int last = copy.rank - 1;
  const bool runs = copy.kind == CopyKind::Runs;
  WidestWord widest(in, out);
  widest.divides(copy.in_offset | copy.out_offset);
  widest.divides(runs ? copy.size[last] * copy.element : copy.element);
  for (int axis = 0; axis < (runs ? last : copy.rank); ++axis)
    widest.divides(copy.in_stride[axis] | copy.out_stride[axis]);
  const int word = widest.bytes();
  if (word == copy.element) return copy;
  if (runs) {
    copy.size[last] = copy.size[last] * copy.element / word;
    copy.in_stride[last] = copy.out_stride[last] = word;
  } else {
    copy.add_axis(copy.element / word, word, word);
    copy.kind = CopyKind::Strided;
  }
  copy.element = word;
  return copy;
}

CopyAxes axes_of(const StridedCopy& copy) {
  CopyAxes axes{};
  axes.rank = copy.rank;
  for (int axis = 0; axis < copy.rank; ++axis) {
    axes.size[axis] = copy.size[axis];
    axes.in_stride[axis] = copy.in_stride[axis] / copy.element;
    axes.out_stride[axis] = copy.out_stride[axis] / copy.element;
  }
  return axes;
}

/// The same with as few axes as possible: those without padding are part of the axis in front of them.
PadShape merged(const PadShape& shape) {
  PadShape result;
  for (int axis = 0; axis < shape.rank; ++axis) {
    const std::int64_t in = shape.in_size[axis], out = shape.out_size[axis], low = shape.low[axis];
    const int last = result.rank - 1;
    if (last >= 0 && in == out && low == 0) {
      result.in_size[last] *= in, result.out_size[last] *= out, result.low[last] *= in;
      continue;
    }
    result.in_size[result.rank] = in, result.out_size[result.rank] = out, result.low[result.rank++] = low;
  }
  return result;
}

/// Counts the last axis in words as wide as all sizes and places allow instead of in elements. Returns their width.
int widen(PadShape& s, int element, const void* in, const void* out) {
  const int last = s.rank - 1;
  WidestWord widest(in, out);
  for (std::int64_t* size : {&s.in_size[last], &s.out_size[last], &s.low[last]}) widest.divides(*size *= element);
  const int word = widest.bytes();
  for (std::int64_t* size : {&s.in_size[last], &s.out_size[last], &s.low[last]}) *size /= word;
  return word;
}

/// Calls run(Index{}) with the narrowest type that counts n elements, a thread each.
template <class Run>
void with_count(std::int64_t n, const Run& run) {
  n <= INT32_MAX - kThreads ? run(std::uint32_t{}) : run(std::uint64_t{});
}

/// Whether the rows of a matrix get longer, to whole 16 bytes, and nothing else happens.
bool lengthens_rows(const PadShape& s, int element, const void* out) {
  const int last = s.rank - 1;
  const bool rows_stay = last == 0 || (last == 1 && s.low[0] == 0 && s.in_size[0] == s.out_size[0]);
  return rows_stay && element < 8 && s.low[last] == 0 && s.out_size[last] > s.in_size[last] &&
         s.out_size[last] * element % 16 == 0 && is_aligned(out, 16);
}

void lengthen_rows(cudaStream_t stream, const PadShape& s, int element, const void* in, void* out) {
  const std::int64_t rows = s.rank == 1 ? 1 : s.in_size[0], size = s.in_size[s.rank - 1];
  const std::int64_t words = s.out_size[s.rank - 1] * element / 16;
  with_word(element, [&]<class Word>(Word) {
    if constexpr (sizeof(Word) < 8)
      launch(pad_rows<Word, 16 / sizeof(Word)>, blocks_for(rows * words, kThreads), kThreads, 0, stream, rows, size,
             words, static_cast<const Word*>(in), static_cast<Pack<Word, 16 / sizeof(Word)>*>(out));
  });
}

}  // namespace

void strided_copy(cudaStream_t stream, const StridedCopy& given, const void* in, void* out) {
  const StridedCopy copy = in_words(given, in, out);
  std::int64_t n = 1;
  for (int axis = 0; axis < copy.rank; ++axis) n *= copy.size[axis];
  if (n == 0 || copy.kind == CopyKind::Nothing) return;
  const CopyAxes axes = axes_of(copy);
  const int a = copy.rank - 2, b = copy.rank - 1;
  const bool transposed = copy.kind == CopyKind::Transpose && axes.size[a] >= 8 && axes.size[b] >= 8;
  with_word(copy.element, [&]<class Word>(Word) {
    const Word* from = reinterpret_cast<const Word*>(static_cast<const std::byte*>(in) + copy.in_offset);
    Word* to = reinterpret_cast<Word*>(static_cast<std::byte*>(out) + copy.out_offset);
    if (transposed) {
      const std::int64_t tiles = ceil_div(axes.size[a], kTile) * ceil_div(axes.size[b], kTile);
      launch(copy_transposed<Word>, static_cast<unsigned>(n / (axes.size[a] * axes.size[b]) * tiles),
             dim3(kTile, kTileRows), 0, stream, axes, from, to);
    } else {
      with_count(n, [&]<class Index>(Index) {
        launch(copy_elements<Word, Index>, blocks_for(n, kThreads), kThreads, 0, stream, axes, n, from, to);
      });
    }
  });
}

void copy_bytes(cudaStream_t stream, const void* in, void* out, std::size_t bytes) {
  if (in == out || bytes == 0) return;
#if defined(__CUDACC__)
  DLCORE_CUDA_CHECK(cudaMemcpyAsync(out, in, bytes, cudaMemcpyDeviceToDevice, stream));
#else
  (void)stream;
  std::memcpy(out, in, bytes);
#endif
}

void copy_guarded(cudaStream_t stream, const int* guard, const void* in, void* out, std::size_t bytes) {
  if (in == out) return;
  WidestWord widest(in, out);
  widest.divides(static_cast<std::int64_t>(bytes));
  with_word(widest.bytes(), [&]<class Word>(Word) {
    const auto n = static_cast<std::int64_t>(bytes / sizeof(Word));
    launch(copy_words<Word>, blocks_for(n, kThreads), kThreads, 0, stream, guard, n, static_cast<const Word*>(in),
           static_cast<Word*>(out));
  });
}

void zero_bytes(cudaStream_t stream, void* out, std::size_t bytes) {
  if (bytes == 0) return;
#if defined(__CUDACC__)
  DLCORE_CUDA_CHECK(cudaMemsetAsync(out, 0, bytes, stream));
#else
  (void)stream;
  std::memset(out, 0, bytes);
#endif
}

void fill(cudaStream_t stream, int element, std::int64_t n, std::uint64_t value, void* out) {
  with_word(element, [&]<class Word>(Word) {
    if constexpr (sizeof(Word) <= 8)
      launch(fill_elements<Word>, blocks_for(n, kThreads), kThreads, 0, stream, n, static_cast<Word>(value),
             static_cast<Word*>(out));
  });
}

void pad(cudaStream_t stream, const PadShape& shape, int element, std::uint64_t value, const void* in, void* out) {
  std::int64_t n = 1;
  for (int axis = 0; axis < shape.rank; ++axis) n *= shape.out_size[axis];
  if (n == 0) return;
  PadShape s = shape.mode == PadShape::Constant ? merged(shape) : shape;
  const bool zeros = s.mode == PadShape::Constant && value == 0 && s.rank > 0;  // alike in all words
  if (zeros && lengthens_rows(s, element, out)) return lengthen_rows(stream, s, element, in, out);
  const int word = zeros ? widen(s, element, in, out) : element;
  n = n * element / word;
  with_word(word, [&]<class Word>(Word) {
    Word border{};
    if constexpr (sizeof(Word) <= 8) border = static_cast<Word>(value);
    with_count(n, [&]<class Index>(Index) {
      launch(pad_elements<Word, Index>, blocks_for(n, kThreads), kThreads, 0, stream, s, n, border,
             static_cast<const Word*>(in), static_cast<Word*>(out));
    });
  });
}

void iota(cudaStream_t stream, DType dtype, std::int64_t n, std::int64_t size, std::int64_t inner, void* out) {
  with_number(dtype, [&]<class T>(T) {
    launch(iota_elements<T>, blocks_for(n, kThreads), kThreads, 0, stream, n, size, inner, static_cast<T*>(out));
  });
}

void convert_floats(cudaStream_t stream, DType from, DType to, std::int64_t n, const void* in, void* out) {
  with_float(from, [&]<class From>(From) {
    with_float(to, [&]<class To>(To) {
      launch(convert_elements<From, To>, blocks_for(n, kThreads), kThreads, 0, stream, n, static_cast<const From*>(in),
             static_cast<To*>(out));
    });
  });
}

}  // namespace dlcore::cuda
