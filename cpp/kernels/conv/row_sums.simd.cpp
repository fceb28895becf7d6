#include "kernels/conv/row_sums.h"

#include "kernels/simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

// Twelve sums hide the latency of a multiplication and leave registers for a number and a row. With fewer in a tile,
// several sums take turns.
constexpr int kSums = 12;
constexpr int turns(int sums) { return sums > kSums / 2 ? 1 : sums > kSums / 4 ? 2 : 4; }

template <class T, int kRows, int kVectors>
struct Sums {
  vec<T> of[kRows][kVectors]{};

  DLCORE_INLINE void add(const RowSumArgs<T>& args, std::int64_t i) {
    const T* const row = args.rows + args.offsets[i];
    const vec<T> scale = broadcast<T>(args.scales[i]);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 12
      for (int v = 0; v < kVectors; ++v) of[r][v] = fma(scale, load(row + r * args.row_step + v * kLanes<T>), of[r][v]);
    }
  }
};

template <class T, int kRows, int kVectors>
void tile(const RowSumArgs<T>& given) {
  const RowSumArgs<T> args = given;
  constexpr int kTurns = turns(kRows * kVectors);
  Sums<T, kRows, kVectors> sums[kTurns];
  std::int64_t i = 0;
  for (; i + kTurns <= args.count; i += kTurns) {
#pragma GCC unroll 4
    for (int turn = 0; turn < kTurns; ++turn) sums[turn].add(args, i + turn);
  }
  for (; i < args.count; ++i) sums[0].add(args, i);

  const int last = static_cast<int>(args.cols) - (kVectors - 1) * kLanes<T>;
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    T* to = args.sums + r * args.sum_step;
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v, to += kLanes<T>) {
      vec<T> sum = sums[0].of[r][v];
#pragma GCC unroll 4
      for (int turn = 1; turn < kTurns; ++turn) sum += sums[turn].of[r][v];
      if (v < kVectors - 1 || last == kLanes<T>)
        store(to, load(to) + sum);
      else
        store_partial(to, load_partial(to, last) + sum, last);
    }
  }
}

template <class T, int kVectors, int kRows>
constexpr void add_rows(RowSumSet<T>& set) {
  if constexpr (kRows > 0) {
    set.tile[kVectors][kRows] = tile<T, kRows, kVectors>;
    add_rows<T, kVectors, kRows - 1>(set);
  }
}

template <class T, int kVectors>
constexpr void add_vectors(RowSumSet<T>& set) {
  if constexpr (kVectors > 0) {
    constexpr int kRows = kSums / kVectors < kMaxRowSumRows ? kSums / kVectors : kMaxRowSumRows;
    set.max_rows[kVectors] = kRows;
    add_rows<T, kVectors, kRows>(set);
    add_vectors<T, kVectors - 1>(set);
  }
}

template <class T>
constexpr RowSumSet<T> row_sums() {
  RowSumSet<T> set{};
  set.lanes = kLanes<T>;
  add_vectors<T, kMaxRowSumVectors>(set);
  return set;
}

}  // namespace

extern const RowSumKernels row_sum_kernels_table;
constexpr RowSumKernels row_sum_kernels_table{row_sums<float>(), row_sums<double>()};

}  // namespace dlcore::DLCORE_ISA
