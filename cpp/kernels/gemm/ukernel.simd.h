/// Register kernels of the matrix product, for gemm and for the families that pack operands of their own (conv, rnn).
///
///   C[rows,cols] (+)= A[rows,kc] * B[kc,cols]      rows <= kMr<T>, cols <= kNr<T>; few rows may take wider tiles
///
/// gemm_ukernel: the tile in registers. A is read as a[i * a_row + p * a_col], where one of the two is 1: a packed
/// panel has a_row = 1 and a_col = its height, rows where they are stored have a_row = lda and a_col = 1. B is read as
/// whole vectors at b[p * b_row + j]: a packed panel has b_row = kNr<T>; columns from `cols` up to the next whole
/// vector are read too and must be there (their values do not matter). The pairs of a B that is not packed are made on
/// the way. C is overwritten, or added to when `accumulate`; nothing beside the tile is written. What comes from beyond
/// L2 is fetched while the sums of others are computed: the tile of C, and what `ahead` names. pack_panel: brings a
/// part of a matrix into that form.
///
/// T is what a tile reads of an operand at once: one element, or a pair of 16-bit ones (bfloat16.simd.h). k counts
/// these units, except where a packing is told how many elements there are.
#pragma once

#include <utility>

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

/// How many parts of this size there are in n.
DLCORE_INLINE std::int64_t parts(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// What the tiles and packings need to know about T.
template <class T>
struct Operand {
  using Stored = T;  // an element in memory
  using Sum = T;     // what the products add up in

  static DLCORE_INLINE vec<T> spread(const T* x) { return broadcast(*x); }
  static DLCORE_INLINE vec<T> multiply_add(vec<T> a, vec<T> b, vec<T> sum) { return fma(a, b, sum); }
  /// Units whose elements lie one after another, at most a vector of them; zero behind the last.
  static DLCORE_INLINE vec<T> load_units(const T* x, int elements) {
    return elements == kLanes<T> ? load(x) : load_partial(x, elements);
  }
  /// `lanes` units side by side, whose elements (1 ... kSteps<T>) are ld apart.
  static DLCORE_INLINE vec<T> load_step(const T* x, std::int64_t, int lanes, int) {
    return lanes == kLanes<T> ? load(x) : load_partial(x, lanes);
  }
  /// Vectors of units whose elements are ld apart, last_lanes in the last one. They may come in an order of columns of
  /// their own, the same each time, from which `in_order` brings sums back.
  template <int kVectors>
  static DLCORE_INLINE void load_stored(vec<T> (&units)[kVectors], const T* x, std::int64_t, int last_lanes) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const bool whole = j + 1 < kVectors || last_lanes == kLanes<T>;
      units[j] = whole ? load(x + j * kLanes<T>) : load_partial(x + j * kLanes<T>, last_lanes);
    }
  }
  template <int kVectors>
  static DLCORE_INLINE void in_order(vec<T> (&)[kVectors]) {}
};
template <class T>
using Stored = typename Operand<T>::Stored;
template <class T>
using Sum = typename Operand<T>::Sum;
/// Elements of a unit.
template <class T>
inline constexpr int kSteps = static_cast<int>(sizeof(T) / sizeof(Stored<T>));

/// Register tile: kMr rows of kNr = 2 vectors. Accumulators, two vectors of B and one element of A fill the registers.
#if defined(__AVX512F__)
inline constexpr int kGemmRows = 14;
#elif defined(__aarch64__)
inline constexpr int kGemmRows = 12;
#else
inline constexpr int kGemmRows = 6;
#endif
template <class T>
inline constexpr int kMr = kGemmRows;
template <class T>
inline constexpr int kNr = 2 * kLanes<T>;

/// Vectors of the widest tile: with few rows, more columns are needed to keep the arithmetic units busy.
constexpr int widest_tile(int rows) { return rows <= 4 ? 4 : 2; }

/// Whether a part of a vector of B can be read at the cost of a whole one.
#if defined(__AVX512F__)
inline constexpr bool kMaskedLoads = true;
#else
inline constexpr bool kMaskedLoads = false;
#endif

/// Whether a step of the largest tile computes for so long that one more line can be fetched beside it.
inline constexpr bool kFetchesRows = kGemmRows == 14;

/// What the tiles after this one read, null where nothing is known. Looked at by tiles of packed panels, a also by
/// others whose a_col is 1; b only where a_row = 1.
template <class T>
struct Ahead {
  const T* a = nullptr;  // the next rows, at steps of a_col; where that is 1, rows that come from beyond L2
  const T* b = nullptr;  // a part of the next panel: kFetched elements for each step of k
  bool one_row = false;  // a: where a_col is 1, a line for each step of k, one after another
};
inline constexpr int kCacheLine = 64;
template <class T>
inline constexpr int kFetched = kNr<T> < int{kCacheLine / sizeof(T)} ? kNr<T> : int{kCacheLine / sizeof(T)};

template <class T>
using GemmUkernel = void (*)(std::int64_t kc, const T* a, std::int64_t a_row, std::int64_t a_col, const T* b,
                             std::int64_t b_row, Sum<T>* c, std::int64_t ldc, int last_lanes, bool accumulate,
                             Ahead<T> ahead);

/// Steps of k by which rows of B are fetched ahead: rows read where they are stored jump too far for the hardware's own
/// prefetcher, and few tiles use a panel of beyond L2 before the next one.
inline constexpr int kPrefetchedSteps = 32;
/// To where __builtin_prefetch brings what is read soon, and what is read later.
inline constexpr int kIntoL1 = 3, kIntoL2 = 2;

/// One register tile of kRows x kVectors; last_lanes: columns of the last vector (1 ... lanes). kUnitRows: a_row is 1.
/// kPanel: B is a packed panel, its rows kNr<T> apart; otherwise it is where it is stored, each unit of b_row units
/// being kSteps<T> rows of b_row elements.
template <class T, int kRows, int kVectors, bool kUnitRows, bool kPanel>
void gemm_tile(std::int64_t kc, const T* a, std::int64_t a_row, std::int64_t a_col, const T* b, std::int64_t b_row,
               Sum<T>* c, std::int64_t ldc, int last_lanes, bool accumulate, Ahead<T> ahead) {
  constexpr int kWidth = kLanes<T>, kLine = kCacheLine / sizeof(T);
  if constexpr (kUnitRows)
    a_row = 1;
  else
    a_col = 1;
  if constexpr (kPanel) b_row = kNr<T>;
  // One pointer per three rows: x86 addresses reach 0, 1 and 2 times a stride from each, so that no row needs its own.
  constexpr int kGroups = kUnitRows ? 1 : (kRows + 2) / 3;
  const T* a_group[kGroups];
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; ++g) a_group[g] = a + 3 * g * a_row;
  if constexpr (kPanel) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors * kWidth; j += kLine) __builtin_prefetch(c + i * ldc + j, 0, kIntoL2);
  }
  const bool fetches_rows = kFetchesRows && ahead.a;
  if (!ahead.a) ahead.a = a;
  if (!ahead.b) ahead.b = b;
  [[maybe_unused]] const std::int64_t row_lines = max_of<std::int64_t>(1, kc / kLine);
  [[maybe_unused]] const std::int64_t to_next_row = ahead.one_row ? 0 : a_row - row_lines * kLine;
  [[maybe_unused]] std::int64_t lines_left = row_lines;
  vec<Sum<T>> sum[kRows][kVectors] = {};
#pragma GCC unroll 4
  for (std::int64_t p = 0; p < kc; ++p) {
    vec<T> b_row_p[kVectors];
    if constexpr (kPanel || kSteps<T> == 1) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j)
        b_row_p[j] =
            kMaskedLoads && j + 1 == kVectors ? load_partial(b + j * kWidth, last_lanes) : load(b + j * kWidth);
    } else {
      Operand<T>::load_stored(b_row_p, reinterpret_cast<const Stored<T>*>(b), b_row, last_lanes);
    }
    if constexpr (!kPanel) {
      // By the ends of their lines: a row that begins within a line shares it with the tile before.
      constexpr int kCols = kVectors * kWidth, kStoredLine = kCacheLine / static_cast<int>(sizeof(Stored<T>));
      const auto* later = reinterpret_cast<const Stored<T>*>(b + kPrefetchedSteps * b_row);
#pragma GCC unroll 2
      for (int step = 0; step < kSteps<T>; ++step, later += b_row)
#pragma GCC unroll 8
        for (int j = 0; j < kCols; j += kStoredLine)
          __builtin_prefetch(later + min_of(j + kStoredLine, kCols) - 1, 0, kIntoL2);
    } else if constexpr (!kUnitRows) {
#pragma GCC unroll 8
      for (int j = 0; j < kVectors * kWidth; j += kLine) __builtin_prefetch(b + kPrefetchedSteps * b_row + j);
    }
    if constexpr (!kUnitRows) {
      if (fetches_rows) {  // as many lines as there are steps are 16 rows or more
        __builtin_prefetch(ahead.a, 0, kIntoL2);
        ahead.a += kLine;
        if (--lines_left == 0) {
          ahead.a += to_next_row;
          lines_left = row_lines;
        }
      }
    } else if constexpr (kPanel) {
      __builtin_prefetch(ahead.a, 0, kIntoL1);
      __builtin_prefetch(ahead.b, 0, kIntoL2);
      ahead.a += a_col;
      ahead.b += kFetched<T>;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const vec<T> a_ip = Operand<T>::spread(kUnitRows ? a_group[0] + i : a_group[i / 3] + i % 3 * a_row);
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sum[i][j] = Operand<T>::multiply_add(a_ip, b_row_p[j], sum[i][j]);
    }
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g) a_group[g] += a_col;
    b += b_row;
  }
  const bool whole = last_lanes == kWidth;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    if constexpr (!kPanel) Operand<T>::in_order(sum[i]);
    Sum<T>* row = c + i * ldc;
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      Sum<T>* at = row + j * kWidth;
      if (j + 1 < kVectors || whole)
        store(at, accumulate ? load(at) + sum[i][j] : sum[i][j]);
      else
        store_partial(at, accumulate ? load_partial(at, last_lanes) + sum[i][j] : sum[i][j], last_lanes);
    }
  }
}

/// Tiles of 1 ... kMr rows by their number of rows.
template <class T, int kVectors, bool kUnitRows, bool kPanel, int... kRows>
GemmUkernel<T> gemm_tile_of(int rows, std::integer_sequence<int, kRows...>) {
  static constexpr GemmUkernel<T> kTiles[] = {gemm_tile<T, kRows + 1, kVectors, kUnitRows, kPanel>...};
  return kTiles[rows - 1];
}
template <class T, bool kUnitRows>
GemmUkernel<T> gemm_tile_of(int rows, int vectors, bool panel) {
  using Rows = std::make_integer_sequence<int, kMr<T>>;
  if (vectors > 2) return gemm_tile_of<T, 4, kUnitRows, false>(rows, std::make_integer_sequence<int, 4>{});
  if (vectors == 2)
    return panel ? gemm_tile_of<T, 2, kUnitRows, true>(rows, Rows{})
                 : gemm_tile_of<T, 2, kUnitRows, false>(rows, Rows{});
  constexpr bool kPairs = kSteps<T> != 1;  // a single vector of them comes packed
  return gemm_tile_of<T, 1, kUnitRows, kPairs>(rows, Rows{});
}

// The tiles are compiled once, in ukernel.simd.cpp.
extern template GemmUkernel<float> gemm_tile_of<float, true>(int rows, int vectors, bool panel);
extern template GemmUkernel<float> gemm_tile_of<float, false>(int rows, int vectors, bool panel);
extern template GemmUkernel<double> gemm_tile_of<double, true>(int rows, int vectors, bool panel);
extern template GemmUkernel<double> gemm_tile_of<double, false>(int rows, int vectors, bool panel);

/// How many of `cols` columns the next tile takes: all of them, or whole vectors of the widest tile that they fill.
template <class T>
DLCORE_INLINE int tile_columns(int rows, std::int64_t cols) {
  int vectors = widest_tile(rows);
  while (vectors > 2 && vectors * kLanes < T >> cols) vectors /= 2;
  return static_cast<int>(min_of<std::int64_t>(vectors * kLanes<T>, cols));
}

/// rows <= kMr<T>, cols <= tile_columns(rows, cols). panel: B is a packed panel.
template <class T>
DLCORE_INLINE void gemm_ukernel(int rows, int cols, std::int64_t kc, const T* a, std::int64_t a_row, std::int64_t a_col,
                                const T* b, std::int64_t b_row, bool panel, Sum<T>* c, std::int64_t ldc,
                                bool accumulate, const Ahead<T>& ahead) {
  const int vectors = (cols + kLanes<T> - 1) / kLanes<T>;
  const int last_lanes = cols - (vectors - 1) * kLanes<T>;
  const GemmUkernel<T> tile =
      a_row == 1 ? gemm_tile_of<T, true>(rows, vectors, panel) : gemm_tile_of<T, false>(rows, vectors, panel);
  tile(kc, a, a_row, a_col, b, b_row, c, ldc, last_lanes, accumulate, ahead);
}
/// Where a panel and rows of the same distance are the same.
template <class T>
DLCORE_INLINE void gemm_ukernel(int rows, int cols, std::int64_t kc, const T* a, std::int64_t a_row, std::int64_t a_col,
                                const T* b, std::int64_t b_row, T* c, std::int64_t ldc, bool accumulate,
                                const Ahead<T>& ahead = {}) {
  static_assert(kSteps<T> == 1);
  gemm_ukernel<T>(rows, cols, kc, a, a_row, a_col, b, b_row, b_row == kNr<T>, c, ldc, accumulate, ahead);
}

/// Steps from p on (at most `most`) at which a whole vector stored at column i of a panel [kc][height] ends inside of
/// the panel. What it holds beyond its row must be stored over later: steps upwards, columns from the last on.
template <class T>
DLCORE_INLINE int whole_steps(int height, int i, std::int64_t p, std::int64_t kc, int most) {
  const std::int64_t room = kc * height - i - kLanes<T>;
  return room < p * height ? 0 : static_cast<int>(min_of<std::int64_t>(room / height - p + 1, most));
}

/// to[p * height + i] = unit p of row i, rows ld apart, i < rows, p < units, each at most lanes; zero for i from rows
/// up to `room`. The first `whole` steps store whole vectors.
template <class T>
DLCORE_INLINE void pack_square(T* to, int height, const Stored<T>* x, std::int64_t ld, int rows, int elements, int room,
                               int whole) {
  constexpr int kWidth = kLanes<T>;
  const int units = (elements + kSteps<T> - 1) / kSteps<T>;
  vec<T> square[kWidth];
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; ++i) square[i] = i >= rows ? vec<T>{} : Operand<T>::load_units(x + i * ld, elements);
  transpose<T>(square);
#pragma GCC unroll 16
  for (int p = 0; p < kWidth; ++p) {
    if (p < whole)
      store(to + p * height, square[p]);
    else if (p < units)
      store_partial(to + p * height, square[p], room);
  }
}

/// panel[p * height + i] = unit p of row i, rows ld apart, i < valid: the rows of x become the columns of the panel.
template <class T>
void pack_panel_transposed(T* panel, int height, const Stored<T>* x, std::int64_t ld, int valid, std::int64_t k) {
  constexpr int kWidth = kLanes<T>, kElements = kWidth * kSteps<T>;
  const std::int64_t kc = (k + kSteps<T> - 1) / kSteps<T>;
  for (std::int64_t p = 0; p < kc; p += kWidth) {
    const int elements = static_cast<int>(min_of<std::int64_t>(kElements, k - p * kSteps<T>));
    const int steps = static_cast<int>(min_of<std::int64_t>(kWidth, kc - p));
    for (int i = (valid - 1) / kWidth * kWidth; i >= 0; i -= kWidth) {
      T* const to = panel + p * height + i;
      const Stored<T>* const from = x + i * ld + p * kSteps<T>;
      const int rows = min_of(kWidth, valid - i), whole = whole_steps<T>(height, i, p, kc, steps);
      if (rows == kWidth && whole == kWidth && elements == kElements)
        pack_square(to, height, from, ld, kWidth, kElements, kWidth, kWidth);
      else
        pack_square(to, height, from, ld, rows, elements, min_of(kWidth, height - i), whole);
    }
  }
}

/// panel[p * height + i] = unit p of column i, whose elements are ld apart, i < valid.
template <class T>
void pack_panel_copied(T* panel, int height, const Stored<T>* x, std::int64_t ld, int valid, std::int64_t k) {
  constexpr int kWidth = kLanes<T>;
  const std::int64_t kc = (k + kSteps<T> - 1) / kSteps<T>;
  const int last = (valid - 1) / kWidth * kWidth, lanes = valid - last;
  const int whole = whole_steps<T>(height, last, 0, kc, static_cast<int>(min_of<std::int64_t>(kc, 1 << 30)));
  for (std::int64_t p = 0; p < kc; ++p, panel += height, x += kSteps<T> * ld) {
    const int steps = static_cast<int>(min_of<std::int64_t>(kSteps<T>, k - p * kSteps<T>));
    const vec<T> end = Operand<T>::load_step(x + last, ld, lanes, steps);
    for (int i = 0; i < last; i += kWidth) store(panel + i, Operand<T>::load_step(x + i, ld, kWidth, steps));
    if (p < whole)
      store(panel + last, end);
    else
      store_partial(panel + last, end, min_of(kWidth, height - last));
  }
}

/// A panel of `valid` <= height rows of op(X) with k elements each. contiguous_k: x is stored with k contiguous, rows
/// of the panel `ld` apart; otherwise the panel's rows are contiguous and k is `ld` apart. What lies between `valid`
/// and the next whole vector becomes zero, as far as the height reaches.
template <class T>
DLCORE_INLINE void pack_panel(T* panel, int height, const Stored<T>* x, std::int64_t ld, bool contiguous_k, int valid,
                              std::int64_t k) {
  if (contiguous_k)
    pack_panel_transposed(panel, height, x, ld, valid, k);
  else
    pack_panel_copied(panel, height, x, ld, valid, k);
}

}  // namespace dlcore::DLCORE_ISA
