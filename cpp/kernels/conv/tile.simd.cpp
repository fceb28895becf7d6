#include "kernels/conv/tile.h"

#include "kernels/gemm/epilogue.simd.h"
#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

// Row pointers kept in registers; beyond them the compiler would park pointers in vector registers, whose way back
// occupies a multiplier's port. The others are read from the table at each step, on a load port that is idle.
constexpr int kRowsInRegisters = 8;

template <class T, int kVectors, bool kPartial>
DLCORE_INLINE void load_row(const T* p, int last, vec<T> (&row)[kVectors]) {
#pragma GCC unroll 4
  for (int v = 0; v < kVectors - 1; ++v) row[v] = load(p + v * kLanes<T>);
  const T* const end = p + (kVectors - 1) * kLanes<T>;
  row[kVectors - 1] = kPartial ? load_partial(end, last) : load(end);
}

template <class T, int kVectors, bool kPartial>
DLCORE_INLINE void store_row(T* p, int last, const vec<T> (&row)[kVectors]) {
#pragma GCC unroll 4
  for (int v = 0; v < kVectors - 1; ++v) store(p + v * kLanes<T>, row[v]);
  T* const end = p + (kVectors - 1) * kLanes<T>;
  if (kPartial)
    store_partial(end, row[kVectors - 1], last);
  else
    store(end, row[kVectors - 1]);
}

template <class T, int kRows, int kVectors, bool kPartial>
DLCORE_INLINE void multiply(const TileArgs<T>& args, int last, vec<T> (&sum)[kRows][kVectors]) {
  // Volatile: read one by one, not as a vector that would wait until the caller's single stores have left their queue.
  const T* const volatile* const table = args.a_rows;
  const T* a[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) a[r] = table[r];
  const std::int64_t a_step = args.a_step, b_step = args.b_step;
  std::int64_t left = args.k;
  for (const TileRun* run = args.runs; left > 0; ++run) {
    std::int64_t steps = min_of(run->length, left), offset = run->a;
    left -= steps;
    for (const T* b = args.b + run->b; steps > 0; --steps, offset += a_step, b += b_step) {
      vec<T> row[kVectors];
      load_row<T, kVectors, kPartial>(b, last, row);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const vec<T> x = broadcast<T>((r < kRowsInRegisters ? a[r] : table[r])[offset]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(x, row[v], sum[r][v]);
      }
    }
  }
}

template <class T, int kRows, int kVectors, bool kPartial>
void tile(const TileArgs<T>& args) {
  const int last = static_cast<int>(args.cols) - (kVectors - 1) * kLanes<T>;
  vec<T> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    if (args.accumulate) {
      load_row<T, kVectors, kPartial>(args.c_rows[r], last, sum[r]);
    } else {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = vec<T>{};
    }
  }
  multiply<T, kRows, kVectors, kPartial>(args, last, sum);

  vec<T> bias[kVectors]{};
  if (args.bias) load_row<T, kVectors, kPartial>(args.bias, last, bias);
  const vec<T> floor = broadcast<T>(args.activation == Activation::Relu ? T{} : -__builtin_inff());
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = vmax(floor, sum[r][v] + bias[v]);  // NaN stays NaN
    store_row<T, kVectors, kPartial>(args.c_rows[r], last, sum[r]);
  }
}

// The longer activations, on a tile that has just been stored.
template <class T>
__attribute__((noinline)) void activate_rows(const TileArgs<T>& args, int rows) {
  for (int r = 0; r < rows; ++r) apply_epilogue<T>(args.c_rows[r], 0, 1, args.cols, nullptr, args.activation);
}

template <class T, int kRows, int kVectors>
void tile_of(const TileArgs<T>& args) {
  if (args.cols == kVectors * kLanes<T>)
    tile<T, kRows, kVectors, false>(args);
  else
    tile<T, kRows, kVectors, true>(args);
  if (args.activation > Activation::Relu) activate_rows(args, kRows);
}

// Rows of a tile, by the number of vectors: as many accumulators as the registers hold beside a row of B and one vector
// of A.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows[kMaxTileVectors + 1] = {0, 14, 12, 8, 6};
#else
constexpr int kTileRows[kMaxTileVectors + 1] = {0, 8, 6, 0, 0};
#endif

template <class T, int kVectors, int kRows>
constexpr void add_tiles(TileSet<T>& set) {
  if constexpr (kRows > 0) {
    set.tile[kVectors][kRows] = tile_of<T, kRows, kVectors>;
    add_tiles<T, kVectors, kRows - 1>(set);
  }
}

template <class T, int kVectors>
constexpr void add_vectors(TileSet<T>& set) {
  if constexpr (kVectors > 0) {
    constexpr int kRows = kTileRows[kVectors];
    set.max_rows[kVectors] = kRows;
    if (kRows > 0 && set.max_vectors == 0) set.max_vectors = kVectors;
    add_tiles<T, kVectors, kRows>(set);
    add_vectors<T, kVectors - 1>(set);
  }
}

template <class T>
constexpr TileSet<T> tiles() {
  TileSet<T> set{};
  set.lanes = kLanes<T>;
  add_vectors<T, kMaxTileVectors>(set);
  return set;
}

}  // namespace

extern const TileKernels tile_kernels_table;
constexpr TileKernels tile_kernels_table{tiles<float>(), tiles<double>()};

}  // namespace dlcore::DLCORE_ISA
