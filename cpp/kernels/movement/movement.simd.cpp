#include "kernels/movement/movement.h"

#include <utility>

#include "base/parallel.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

using std::int64_t;

// Bytes that one chunk of work moves, about: half of a first-level cache.
constexpr int64_t kChunkBytes = 1 << 15;
// A single run longer than this is cut.
constexpr int64_t kPieceBytes = 1 << 17;
constexpr double kNanosecondsPerByte = 0.1;
constexpr double kNanosecondsPerRow = 2;

// ---- walk over rows

/// Calls body(out, in, rows, n) for stretches of rows along the last axis but one; n elements of the last axis.
template <class Body>
void walk_stretches(const StridedCopy& copy, const char* in, char* out, int64_t first, int64_t last, const Body& body) {
  const int inner = copy.rank - 2;
  int64_t index[StridedCopy::kMaxRank];
  int64_t rest = first;
  for (int axis = inner; axis >= 0; --axis) {
    index[axis] = rest % copy.size[axis];
    rest /= copy.size[axis];
    in += index[axis] * copy.in_stride[axis];
    out += index[axis] * copy.out_stride[axis];
  }
  for (int64_t row = first; row < last;) {
    const int64_t rows = min_of(last - row, copy.size[inner] - index[inner]);
    body(out, in, rows, copy.size[copy.rank - 1]);
    row += rows;
    in += rows * copy.in_stride[inner];
    out += rows * copy.out_stride[inner];
    index[inner] += rows;
    for (int axis = inner; axis > 0 && index[axis] == copy.size[axis]; --axis) {
      in += copy.in_stride[axis - 1] - index[axis] * copy.in_stride[axis];
      out += copy.out_stride[axis - 1] - index[axis] * copy.out_stride[axis];
      index[axis] = 0;
      ++index[axis - 1];
    }
  }
}

int64_t rows_of(const StridedCopy& copy) {
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < copy.rank; ++axis) rows *= copy.size[axis];
  return rows;
}

/// All rows, cut into chunks; rows that are very long are cut themselves.
template <class Body>
void for_rows(const StridedCopy& copy, const char* in, char* out, const Body& body) {
  const int inner = copy.rank - 1;
  const int64_t rows = rows_of(copy), n = copy.size[inner], row_bytes = n * copy.element;
  const double cost =
      static_cast<double>(rows) * (static_cast<double>(row_bytes) * kNanosecondsPerByte + kNanosecondsPerRow);
  if (row_bytes <= 2 * kPieceBytes) {
    const int64_t grain = max_of<int64_t>(1, kChunkBytes / row_bytes);
    parallel_for((rows + grain - 1) / grain, cost, [&](int64_t chunk) {
      walk_stretches(copy, in, out, chunk * grain, min_of(rows, (chunk + 1) * grain), body);
    });
    return;
  }
  const int64_t piece = kPieceBytes / copy.element, pieces = (n + piece - 1) / piece;
  parallel_for(rows * pieces, cost, [&](int64_t chunk) {
    const int64_t row = chunk / pieces, first = chunk % pieces * piece;
    walk_stretches(copy, in, out, row, row + 1, [&](char* to, const char* from, int64_t, int64_t) {
      body(to + first * copy.out_stride[inner], from + first * copy.in_stride[inner], 1, min_of(piece, n - first));
    });
  });
}

// ---- runs

/// Short runs, W <= bytes <= 2 W: the first and the last W bytes, which may overlap.
template <int W>
void copy_short_runs(char* out, const char* in, int64_t rows, int64_t bytes, int64_t out_step, int64_t in_step) {
  const int64_t tail = bytes - W;
  for (int64_t row = 0; row < rows; ++row, in += in_step, out += out_step) {
    __builtin_memcpy(out, in, W);
    __builtin_memcpy(out + tail, in + tail, W);
  }
}

void copy_long_runs(char* out, const char* in, int64_t rows, int64_t bytes, int64_t out_step, int64_t in_step) {
  for (int64_t row = 0; row < rows; ++row, in += in_step, out += out_step)
    __builtin_memcpy(out, in, static_cast<std::size_t>(bytes));
}

auto run_copier(int64_t bytes) {
  if (bytes == 1) return copy_short_runs<1>;
  if (bytes <= 4) return copy_short_runs<2>;
  if (bytes <= 8) return copy_short_runs<4>;
  if (bytes <= 16) return copy_short_runs<8>;
  if (bytes <= 32) return copy_short_runs<16>;
  if (bytes <= 64) return copy_short_runs<32>;
  if (bytes <= 128) return copy_short_runs<64>;
  return copy_long_runs;
}

void copy_runs(const StridedCopy& copy, const char* in, char* out) {
  const int inner = copy.rank - 2;
  const int64_t in_step = copy.in_stride[inner], out_step = copy.out_stride[inner], element = copy.element;
  const auto copy_some = run_copier(copy.size[copy.rank - 1] * element);
  for_rows(copy, in, out, [&](char* to, const char* from, int64_t rows, int64_t n) {
    // A piece of a cut run is as long as n says; the others are what the copier was chosen for.
    copy_some(to, from, rows, n * element, out_step, in_step);
  });
}

// ---- elementwise

template <class T>
DLCORE_INLINE T load_element(const char* p) {
  T x;
  __builtin_memcpy(&x, p, sizeof(T));
  return x;
}
template <class T>
DLCORE_INLINE void store_element(char* p, T x) {
  __builtin_memcpy(p, &x, sizeof(T));
}

template <class T>
void fill_run(char* out, T value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_element(out + i * static_cast<int64_t>(sizeof(T)), value);
}

/// IN, OUT: the innermost strides in elements where they are known when compiling, 2 when not.
template <class T, int IN, int OUT>
void copy_elements(const StridedCopy& copy, const char* in, char* out) {
  constexpr int64_t kSize = sizeof(T);
  const int inner = copy.rank - 2;
  const int64_t in_step = IN == 2 ? copy.in_stride[inner + 1] : IN * kSize;
  const int64_t out_step = OUT == 2 ? copy.out_stride[inner + 1] : OUT * kSize;
  for_rows(copy, in, out, [&](char* to, const char* from, int64_t rows, int64_t n) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < n; ++i) store_element(to + i * out_step, load_element<T>(from + i * in_step));
      from += copy.in_stride[inner];
      to += copy.out_stride[inner];
    }
  });
}

template <class T>
void copy_fills(const StridedCopy& copy, const char* in, char* out) {
  const int inner = copy.rank - 2;
  for_rows(copy, in, out, [&](char* to, const char* from, int64_t rows, int64_t n) {
    for (int64_t row = 0; row < rows; ++row)
      fill_run(to + row * copy.out_stride[inner], load_element<T>(from + row * copy.in_stride[inner]), n);
  });
}

// ---- transpose

/// The square tile that is transposed in registers: whole vectors for 4 and 8 bytes, 16-byte vectors for 1 and 2.
template <class T>
struct Tile {
  static constexpr int kBytes = sizeof(T) >= 4 ? DLCORE_SIMD_BYTES : 16;
  static constexpr int kSide = kBytes / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(kBytes)));
};

/// Swaps the off-diagonal S x S blocks of rows a and b, which lie S apart.
template <int S, class V, int... J>
DLCORE_INLINE void swap_blocks(V& a, V& b, std::integer_sequence<int, J...>) {
  constexpr int L = sizeof...(J);
  const V low = __builtin_shufflevector(a, b, ((J & S) ? L + J - S : J)...);
  b = __builtin_shufflevector(a, b, ((J & S) ? L + J : J + S)...);
  a = low;
}

template <int L, int S, class V>
DLCORE_INLINE void transpose_registers(V (&row)[L]) {
  if constexpr (S > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i)
      if (!(i & S)) swap_blocks<S>(row[i], row[i + S], std::make_integer_sequence<int, L>());
    transpose_registers<L, S / 2>(row);
  }
}

/// out[i][j] = in[j][i] for i < rows, j < columns, both at most a tile's side. Steps in bytes between rows of each.
template <class T>
DLCORE_INLINE void transpose_tile(char* out, int64_t out_step, const char* in, int64_t in_step) {
  constexpr int L = Tile<T>::kSide;
  typename Tile<T>::V row[L];
#pragma GCC unroll 16
  for (int j = 0; j < L; ++j) __builtin_memcpy(&row[j], in + j * in_step, sizeof(row[j]));
  transpose_registers<L, L / 2>(row);
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) __builtin_memcpy(out + i * out_step, &row[i], sizeof(row[i]));
}

template <class T>
void transpose_edge(char* out, int64_t out_step, const char* in, int64_t in_step, int64_t rows, int64_t columns) {
  constexpr int64_t kSize = sizeof(T);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      store_element(out + i * out_step + j * kSize, load_element<T>(in + j * in_step + i * kSize));
}

/// The same for any number of rows and columns.
template <class T>
void transpose_block(char* out, int64_t out_step, const char* in, int64_t in_step, int64_t rows, int64_t columns) {
  constexpr int L = Tile<T>::kSide;
  constexpr int64_t kSize = sizeof(T);
  int64_t j = 0;
  for (; j + L <= columns; j += L) {
    int64_t i = 0;
    for (; i + L <= rows; i += L)
      transpose_tile<T>(out + i * out_step + j * kSize, out_step, in + j * in_step + i * kSize, in_step);
    transpose_edge<T>(out + i * out_step + j * kSize, out_step, in + j * in_step + i * kSize, in_step, rows - i, L);
  }
  transpose_edge<T>(out + j * kSize, out_step, in + j * in_step, in_step, rows, columns - j);
}

/// Blocks of kBlock x kBlock keep the lines of both sides in the first-level cache until they are used up.
template <class T>
void copy_transposed(const StridedCopy& copy, const char* in, char* out) {
  constexpr int64_t kBlock = 256 / sizeof(T) > 64 ? 64 : 256 / sizeof(T), kSize = sizeof(T);
  const int r = copy.rank - 2, c = copy.rank - 1;
  const int64_t rows = copy.size[r], columns = copy.size[c], bands = (rows + kBlock - 1) / kBlock;
  const int64_t in_step = copy.in_stride[c], out_step = copy.out_stride[r];
  const int64_t matrices = rows_of(copy) / rows, units = matrices * bands;
  const int64_t unit_bytes = min_of(rows, kBlock) * columns * kSize,
                grain = max_of<int64_t>(1, kChunkBytes / unit_bytes);
  const double cost = static_cast<double>(matrices * rows * columns * kSize) * 2 * kNanosecondsPerByte;
  StridedCopy outer = copy;  // the matrices, as rows of one element
  outer.rank = max_of(r + 1, 2);
  if (r == 0) outer.size[0] = 1;
  parallel_for((units + grain - 1) / grain, cost, [&](int64_t chunk) {
    for (int64_t unit = chunk * grain; unit < min_of(units, (chunk + 1) * grain); ++unit) {
      const int64_t i = unit % bands * kBlock, band = min_of(kBlock, rows - i);
      walk_stretches(outer, in, out, unit / bands, unit / bands + 1, [&](char* to, const char* from, int64_t, int64_t) {
        for (int64_t j = 0; j < columns; j += kBlock)
          transpose_block<T>(to + i * out_step + j * kSize, out_step, from + j * in_step + i * kSize, in_step, band,
                             min_of(kBlock, columns - j));
      });
    }
  });
}

// ---- entry points

template <class T>
void strided_copy_of(const StridedCopy& copy, const char* in, char* out) {
  switch (copy.kind) {
    case CopyKind::Fill:
      return copy_fills<T>(copy, in, out);
    case CopyKind::Reverse:
      return copy_elements<T, -1, 1>(copy, in, out);
    case CopyKind::Transpose:
      return copy_transposed<T>(copy, in, out);
    default:
      return copy_elements<T, 2, 2>(copy, in, out);
  }
}

void strided_copy(const StridedCopy& copy, const void* in_base, void* out_base) {
  if (copy.kind == CopyKind::Nothing) return;
  const char* in = static_cast<const char*>(in_base) + copy.in_offset;
  char* out = static_cast<char*>(out_base) + copy.out_offset;
  if (copy.kind == CopyKind::Runs) return copy_runs(copy, in, out);
  switch (copy.element) {
    case 1:
      return strided_copy_of<std::uint8_t>(copy, in, out);
    case 2:
      return strided_copy_of<std::uint16_t>(copy, in, out);
    case 4:
      return strided_copy_of<std::uint32_t>(copy, in, out);
    default:
      return strided_copy_of<std::uint64_t>(copy, in, out);
  }
}

template <class T>
void fill_of(int64_t n, const void* value, void* out) {
  constexpr int64_t kSize = sizeof(T), kPiece = kPieceBytes / kSize;
  const T x = load_element<T>(static_cast<const char*>(value));
  parallel_for((n + kPiece - 1) / kPiece, static_cast<double>(n * kSize) * 0.5 * kNanosecondsPerByte,
               [&](int64_t piece) {
                 fill_run(static_cast<char*>(out) + piece * kPieceBytes, x, min_of(kPiece, n - piece * kPiece));
               });
}

void fill(int element, int64_t n, const void* value, void* out) {
  switch (element) {
    case 1:
      return fill_of<std::uint8_t>(n, value, out);
    case 2:
      return fill_of<std::uint16_t>(n, value, out);
    case 4:
      return fill_of<std::uint32_t>(n, value, out);
    default:
      return fill_of<std::uint64_t>(n, value, out);
  }
}

/// Where position i of an axis comes from that is read beyond its ends; -1 for nowhere.
DLCORE_INLINE int64_t source_of(int64_t i, int64_t size, PadMode mode) {
  if (i >= 0 && i < size) return i;
  if (mode == PadMode::Constant) return -1;
  const int64_t end = mode == PadMode::Reflect ? 0 : 1;
  return i < 0 ? -i - end : 2 * size - 2 - i + end;
}

/// The last axis of an output row; `in` is where the outer axes point, null when they point nowhere.
template <class T>
void pad_row(const PadCopy& copy, T fill_value, const char* in, char* out) {
  const int last = copy.rank - 1;
  const int64_t size = copy.size[last], low = copy.low[last], high = copy.high[last];
  const int64_t inner = copy.inner, bytes = inner * static_cast<int64_t>(sizeof(T));
  if (!in) return fill_run(out, fill_value, (low + size + high) * inner);
  auto margin = [&](int64_t first, int64_t stop) {
    char* to = out + (first + low) * bytes;
    if (copy.mode == PadMode::Constant) return fill_run(to, fill_value, (stop - first) * inner);
    const char* from = in + source_of(first, size, copy.mode) * bytes;  // and backwards
    for (int64_t i = first; i < stop; ++i, to += bytes, from -= bytes) {
      if (inner == 1)
        store_element(to, load_element<T>(from));
      else
        __builtin_memcpy(to, from, static_cast<std::size_t>(bytes));
    }
  };
  margin(-low, 0);
  __builtin_memcpy(out + low * bytes, in, static_cast<std::size_t>(size * bytes));
  margin(size, size + high);
}

template <class T>
void pad_of(const PadCopy& copy, const void* fill_bytes, const char* in, char* out) {
  const T fill_value = load_element<T>(static_cast<const char*>(fill_bytes));
  const int last = copy.rank - 1;
  int64_t padded[PadCopy::kMaxRank], step[PadCopy::kMaxRank];  // outer axes: sizes of the output, bytes in the input
  int64_t rows = 1;
  for (int axis = last - 1, inside = last; axis >= 0; --axis, --inside) {
    padded[axis] = copy.low[axis] + copy.size[axis] + copy.high[axis];
    step[axis] = copy.size[inside] * (inside == last ? copy.inner * static_cast<int64_t>(sizeof(T)) : step[inside]);
    rows *= padded[axis];
  }
  const int64_t row_bytes =
      (copy.low[last] + copy.size[last] + copy.high[last]) * copy.inner * static_cast<int64_t>(sizeof(T));
  if (rows == 0 || row_bytes == 0) return;
  const int64_t grain = max_of<int64_t>(1, kChunkBytes / row_bytes);
  const double cost =
      static_cast<double>(rows) * (static_cast<double>(row_bytes) * kNanosecondsPerByte + 4 * kNanosecondsPerRow);
  parallel_for((rows + grain - 1) / grain, cost, [&](int64_t chunk) {
    for (int64_t row = chunk * grain; row < min_of(rows, (chunk + 1) * grain); ++row) {
      const char* from = in;
      for (int64_t axis = last - 1, rest = row; axis >= 0; rest /= padded[axis--]) {
        const int64_t source = source_of(rest % padded[axis] - copy.low[axis], copy.size[axis], copy.mode);
        from = source < 0 || !from ? nullptr : from + source * step[axis];
      }
      pad_row(copy, fill_value, from, out + row * row_bytes);
    }
  });
}

void pad(const PadCopy& copy, const void* fill_bytes, const void* in_base, void* out_base) {
  const char* in = static_cast<const char*>(in_base);
  char* out = static_cast<char*>(out_base);
  switch (copy.element) {
    case 1:
      return pad_of<std::uint8_t>(copy, fill_bytes, in, out);
    case 2:
      return pad_of<std::uint16_t>(copy, fill_bytes, in, out);
    case 4:
      return pad_of<std::uint32_t>(copy, fill_bytes, in, out);
    default:
      return pad_of<std::uint64_t>(copy, fill_bytes, in, out);
  }
}

}  // namespace

extern const MovementKernels movement_kernels_table;
const MovementKernels movement_kernels_table = {strided_copy, pad, fill};

}  // namespace dlcore::DLCORE_ISA
