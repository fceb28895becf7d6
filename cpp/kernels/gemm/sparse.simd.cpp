#include "kernels/gemm/sparse.h"
#include "kernels/gemm/epilogue.simd.h"
#include "kernels/gemm/transposed.simd.h"
#include "kernels/gemm/ukernel.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

// Vectors of the widest tile: their sums stay in registers.
constexpr int kMostVectors = 8;
// Rows of sums that stay in L1 beside a tile's panel of B.
constexpr std::int64_t kFinishedRows = 32;

DLCORE_INLINE std::uint64_t lowest_bits(std::int64_t count) {
  return count >= kMaskBits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// The fraction of x, times n.
DLCORE_INLINE std::int64_t part_of(std::int64_t n, double x) {
  return static_cast<std::int64_t>((x - static_cast<double>(static_cast<std::int64_t>(x))) * static_cast<double>(n));
}

template <class T>
double share_of_nonzeros(const T* x, std::int64_t rows, std::int64_t cols, std::int64_t ld) {
  // 32 parts of rows, at places without a period that one in the data could agree with: multiples of two irrational
  // numbers (Roberts 2018, the R2 sequence), modulo 1.
  constexpr std::int64_t kRows = 32, kCols = 64;
  constexpr double kRowStep = 0.7548776662466927, kColStep = 0.5698402909980532;
  const std::int64_t height = min_of(rows, kRows), width = min_of(cols, kCols) / kLanes<T> * kLanes<T>;
  if (height == 0 || width == 0) return 1;
  std::int64_t count = 0;
  for (std::int64_t s = 0; s < height; ++s) {
    const std::int64_t row = part_of(rows, static_cast<double>(s) * kRowStep);
    const T* from = x + row * ld + part_of(cols - width + 1, static_cast<double>(s) * kColStep);
    auto nonzero = vec<T>{} != vec<T>{};
    for (std::int64_t j = 0; j < width; j += kLanes<T>) nonzero -= load(from + j) != vec<T>{};
    for (int i = 0; i < kLanes<T>; ++i) count += nonzero[i];
  }
  return static_cast<double>(count) / static_cast<double>(height * width);
}

template <class T>
void find_nonzeros(const T* x, std::int64_t ld, bool transposed, Range i, Range k, const SparseRows<T>& rows) {
  if (transposed)
    store_transposed(x + k.begin * ld + i.begin, ld, i.end - i.begin, k.end - k.begin,
                     rows.data + i.begin * rows.ld + k.begin, rows.ld);
  for (std::int64_t at = i.begin; at < i.end; ++at) {
    const T* row = rows.data + at * rows.ld;
    for (std::int64_t first = k.begin; first < k.end; first += kMaskBits) {
      std::uint64_t bits = 0;
      const std::int64_t count = min_of(k.end - first, kMaskBits);
      for (std::int64_t p = 0; p < count; p += kLanes<T>) {
        const bool whole = count - p >= kLanes<T>;
        const vec<T> lanes = whole ? load(row + first + p) : load_partial(row + first + p, static_cast<int>(count - p));
        bits |= static_cast<std::uint64_t>(nonzero_lanes<T>(lanes)) << p;
      }
      rows.masks[at * rows.words + first / kMaskBits] = bits;
    }
  }
}

// k rows of B for the columns of a tile: panels of kNr columns, panel_step apart.
template <class T>
struct TileOfB {
  const T* data;
  std::int64_t panel_step, k;
  bool finite;
};

// The rows of A that a tile of sums belongs to, from the first k of the tile of B on.
template <class T>
struct TileOfA {
  const T* data;
  std::int64_t ld;
  const std::uint64_t* masks;
  std::int64_t words, rows;
};

// Where kFinishedRows rows of sums are stored as columns, ld apart; null: it need not be fetched.
template <class T>
struct Destination {
  const T* data;
  std::int64_t ld;
};

// Rows of C, kVectors wide, (+)= A B. Meanwhile their destination is fetched, a few lines with each row.
template <class T, int kVectors>
void add_tile(const TileOfA<T>& tile_a, const TileOfB<T>& tile_b, T* c, std::int64_t ldc, int last_lanes,
              bool accumulate, const Destination<T>& destination) {
  constexpr std::int64_t kLine = 64 / sizeof(T), kLines = kFinishedRows / kLine;
  constexpr std::int64_t kFetched = kVectors * kLanes<T> * kLines / kFinishedRows;
  const TileOfA<T> a = tile_a;
  const TileOfB<T> b = tile_b;
  const Destination<T> fetched = destination;
  for (std::int64_t i = 0; i < a.rows; ++i) {
    if (fetched.data) {
#pragma GCC unroll 8
      for (std::int64_t line = i * kFetched; line < (i + 1) * kFetched; ++line)
        __builtin_prefetch(fetched.data + line / kLines * fetched.ld + line % kLines * kLine, 1, kIntoL2);
    }
    const T* const a_i = a.data + i * a.ld;
    const std::uint64_t* const masks = a.masks + i * a.words;
    T* const c_i = c + i * ldc;
    vec<T> sum[kVectors] = {};
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      if (accumulate)
        sum[v] = v + 1 < kVectors ? load(c_i + v * kLanes<T>) : load_partial(c_i + v * kLanes<T>, last_lanes);
    for (std::int64_t first = 0; first < b.k; first += kMaskBits) {
      const T* const rows = b.data + first * kNr<T>;
      for (std::uint64_t bits = b.finite ? masks[first / kMaskBits] : lowest_bits(b.k - first); bits != 0;
           bits &= bits - 1) {
        const int p = __builtin_ctzll(bits);
        const vec<T> a_ip = broadcast(a_i[first + p]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          sum[v] = fma(a_ip, load(rows + v / 2 * b.panel_step + p * kNr<T> + v % 2 * kLanes<T>), sum[v]);
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v + 1 < kVectors; ++v) store(c_i + v * kLanes<T>, sum[v]);
    store_partial(c_i + (kVectors - 1) * kLanes<T>, sum[kVectors - 1], last_lanes);
  }
}

// Whether the tile of B, kVectors wide, is finite: other numbers times zero leave a NaN.
template <class T, int kVectors>
bool is_finite(const TileOfB<T>& b) {
  vec<T> sum[kVectors] = {};
  for (std::int64_t p = 0; p < b.k; ++p)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      sum[v] = fma(load(b.data + v / 2 * b.panel_step + p * kNr<T> + v % 2 * kLanes<T>), vec<T>{}, sum[v]);
  for (int v = 1; v < kVectors; ++v) sum[0] += sum[v];
  return nonzero_lanes<T>(sum[0]) == 0;
}

template <class T>
struct TileKernels {
  void (*add)(const TileOfA<T>& a, const TileOfB<T>& b, T* c, std::int64_t ldc, int last_lanes, bool accumulate,
              const Destination<T>& destination);
  bool (*is_finite)(const TileOfB<T>& b);
};
template <class T, int... kVectors>
const TileKernels<T>& tile_kernels(int vectors, std::integer_sequence<int, kVectors...>) {
  static constexpr TileKernels<T> kTable[] = {{add_tile<T, kVectors + 1>, is_finite<T, kVectors + 1>}...};
  return kTable[vectors - 1];
}

// Rows [p0, p0 + k) of B for columns [j, j + cols), at most a tile of them, in `panels` unless they are packed.
template <class T>
TileOfB<T> tile_of(const DenseOperand<T>& b, std::int64_t j, int cols, std::int64_t p0, std::int64_t k, T* panels) {
  TileOfB<T> tile{panels, k * kNr<T>, k, true};
  if (b.packed) {
    tile.data = b.data + j * b.k + p0 * kNr<T>;
    tile.panel_step = b.k * kNr<T>;
  } else {
    for (int at = 0; at < cols; at += kNr<T>) {
      const T* from = b.transposed ? b.data + (j + at) * b.ld + p0 : b.data + p0 * b.ld + j + at;
      pack_panel(panels + at * k, kNr<T>, from, b.ld, b.transposed, min_of(kNr<T>, cols - at), k);
    }
  }
  return tile;
}

// What is left to do for rows [i, i + rows) and columns [j, j + cols) of C: `sums` of them, rows ld apart.
template <class T>
void finish(const SparseBlock& block, std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t cols, T* sums,
            std::int64_t ld, T* c, const GemmEpilogue<T>& epilogue) {
  if (!block.swapped)
    return apply_epilogue(sums, ld, rows, cols, epilogue.bias ? epilogue.bias + j : nullptr, epilogue.activation);
  T* const to = c + (j - block.cols.begin) * block.ldc + (i - block.rows.begin);
  store_transposed(sums, ld, cols, rows, to, block.ldc);
  apply_epilogue(to, block.ldc, cols, rows, epilogue.bias ? epilogue.bias + i : nullptr, epilogue.activation);
}

template <class T>
void multiply(const SparseRows<T>& a, const DenseOperand<T>& b, const SparseBlock& block, T* c,
              const GemmEpilogue<T>& epilogue, void* room) {
  const Range rows = block.rows, columns = block.cols;
  T* const panels = static_cast<T*>(room);
  T* const sums = block.swapped ? panels + block.tile * block.k_block : c;
  const std::int64_t ld = block.swapped ? columns.end - columns.begin : block.ldc;
  // Sums that one pass over k completes are finished while they are in L1.
  const std::int64_t height = block.k.end - block.k.begin <= block.k_block ? kFinishedRows : rows.end - rows.begin;
  for (std::int64_t p = block.k.begin; p < block.k.end; p += block.k_block) {
    const std::int64_t k = min_of(block.k_block, block.k.end - p);
    for (std::int64_t j = columns.begin; j < columns.end; j += block.tile) {
      const int cols = static_cast<int>(min_of<std::int64_t>(block.tile, columns.end - j));
      const int vectors = static_cast<int>(parts(cols, kLanes<T>)), last_lanes = cols - (vectors - 1) * kLanes<T>;
      const TileKernels<T>& kernels = tile_kernels<T>(vectors, std::make_integer_sequence<int, kMostVectors>{});
      TileOfB<T> tile_b = tile_of(b, j, cols, p, k, panels);
      tile_b.finite = kernels.is_finite(tile_b);
      for (std::int64_t i = rows.begin; i < rows.end; i += height) {
        const TileOfA<T> tile_a{a.data + i * a.ld + p, a.ld, a.masks + i * a.words + p / kMaskBits, a.words,
                                min_of(height, rows.end - i)};
        T* const to = sums + (i - rows.begin) * ld + (j - columns.begin);
        const bool last = p + k == block.k.end;
        Destination<T> destination{nullptr, block.ldc};
        if (block.swapped && block.far && height == kFinishedRows)
          destination.data = c + (j - columns.begin) * block.ldc + (i - rows.begin);
        kernels.add(tile_a, tile_b, to, ld, last_lanes, block.accumulate || p > block.k.begin, destination);
        if (last) finish(block, i, tile_a.rows, j, cols, to, ld, c, epilogue);
      }
    }
  }
}

template <class T>
void finish_row(const T* partials, std::int64_t count, std::int64_t step, std::int64_t n, bool accumulate, T* c,
                const GemmEpilogue<T>& epilogue) {
  add_partials(partials, count, step, n, accumulate, c);
  apply_epilogue(c, n, 1, n, epilogue.bias, epilogue.activation);
}

template <class T>
constexpr SparseEntries<T> kEntries{share_of_nonzeros<T>, find_nonzeros<T>, multiply<T>, finish_row<T>};

}  // namespace

extern const SparseKernels sparse_kernels_table;
const SparseKernels sparse_kernels_table = {kEntries<float>, kEntries<double>};

}  // namespace dlcore::DLCORE_ISA
