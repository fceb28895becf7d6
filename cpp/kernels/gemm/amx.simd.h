// The loops of a product on the matrix unit (amx.h), whatever its operands are read from.
#pragma once

#include <immintrin.h>

#include "base/parallel.h"
#include "kernels/gemm/amx.h"
#include "kernels/gemm/bfloat16.simd.h"

namespace dlcore::DLCORE_ISA {

namespace {

constexpr int kBlock = 2;  // tiles of C along each side of a register block
constexpr std::int64_t kBlockRows = kBlock * kTileRows;
constexpr std::int64_t kRowBytes = kTileBytes / kTileRows;
constexpr std::int64_t kSweep = 256;  // columns of C that are written row block by row block, their panels of B in L2

template <class T>
inline constexpr int kParts = parts_of_element(sizeof(T));

// ------------------------------------------------------------------------------------------------------------ packing

constexpr int kUpper = static_cast<int>(0xffff0000);
DLCORE_INLINE f32v upper_half(f32v x) { return bitcast<f32v>(bitcast<i32v>(x) & kUpper); }

DLCORE_INLINE f32v load_floats(const float* x, int lanes) { return load_partial(x, lanes); }
DLCORE_INLINE f32v load_floats(const Bfloat* x, int lanes) { return load_as_float(x, lanes); }
/// `low` elements of x and behind them `high` of y.
DLCORE_INLINE void store_both(float* to, f32v x, f32v y, int low, int high) {
  store_partial(to, x, low);
  if (high) store_partial(to + kF32, y, high);
}
DLCORE_INLINE void store_both(Bfloat* to, f32v x, f32v y, int low, int high) { store_rounded(to, x, y, low + high); }

/// Rows of op(A), or columns of op(B). Their steps of k are one after another and they are ld apart, or the other way
/// round.
template <class T>
struct Source {
  using Element = T;
  const T* data;
  std::int64_t ld;
  bool along_k;

  Source at(std::int64_t row, std::int64_t step) const {
    return {data + (along_k ? row * ld + step : row + step * ld), ld, along_k};
  }
};

/// What is stored one after another at sixteen places: row or step i, zero beyond `rows` and `steps`.
template <class T>
struct Lines {
  const T* data;
  std::int64_t ld;
  int count, lanes;

  Lines(const Source<T>& x, int rows, int steps)
      : data(x.data), ld(x.ld), count(x.along_k ? rows : steps), lanes(x.along_k ? steps : rows) {}
  DLCORE_INLINE f32v operator[](int i) const { return i < count ? load_floats(data + i * ld, lanes) : f32v{}; }
};

/// 16 rows and steps: v[i] is row i (by_row), or step i of all rows.
template <class T>
DLCORE_INLINE void load_square(f32v (&v)[kTileRows], const Source<T>& x, int rows, int steps, bool by_row) {
  const Lines<T> lines(x, rows, steps);
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i) v[i] = lines[i];
  if (x.along_k != by_row) transpose<float>(v);
}

/// The upper halves of both.
DLCORE_INLINE f32v upper_halves(f32v first, f32v second) {
  constexpr __mmask32 kSecond = 0xaaaaaaaa;
  return bitcast<f32v>(
      _mm512_mask_blend_epi16(kSecond, bitcast<__m512i>(bitcast<u32v>(first) >> 16), bitcast<__m512i>(second)));
}

/// A row of the tiles of each part: an upper half, that of what is left, and the rest. Returns a NaN where an element
/// is not finite.
DLCORE_INLINE f32v store_parts(f32v first, f32v second, std::byte* row) {
  for (int part = 0; part < 2; ++part, row += kTileBytes) {
    store(reinterpret_cast<float*>(row), upper_halves(first, second));
    first -= upper_half(first), second -= upper_half(second);
  }
  store(reinterpret_cast<float*>(row), upper_halves(first, second));
  return first + second;
}

/// The same, with all of what is not finite in its first part.
DLCORE_INLINE void store_odd_parts(f32v first, f32v second, std::byte* row) {
  auto finite = [](f32v x) { return x - x == 0 ? x : f32v{}; };
  auto quiet = [](f32v x) { return x == x ? x : f32v{} + __builtin_nanf(""); };  // its upper half is not an infinity
  store_parts(finite(first), finite(second), row);
  store(reinterpret_cast<float*>(row), upper_halves(quiet(first), quiet(second)));
}

/// One tile of each part, of sixteen steps of k and other sixteen. A row of the tile holds the pairs of both: of a row
/// of op(A) those of all steps, of op(B) those of one step in all columns. What is not finite sets `finite` to false.
template <class T, class Rows>
DLCORE_INLINE void store_tiles(const Rows& first, const Rows& second, std::byte* tiles, bool& finite) {
  if constexpr (kParts<T> == 1) {
    for (int i = 0; i < kTileRows; ++i)
      store(reinterpret_cast<float*>(tiles + i * kRowBytes), upper_halves(first[i], second[i]));
  } else {
    f32v rest{};
    for (int i = 0; i < kTileRows; ++i) rest += store_parts(first[i], second[i], tiles + i * kRowBytes);
    if (__builtin_expect(_mm512_cmp_ps_mask(rest, rest, _CMP_UNORD_Q) == 0, 1)) return;
    finite = false;
    for (int i = 0; i < kTileRows; ++i) store_odd_parts(first[i], second[i], tiles + i * kRowBytes);
  }
}

/// The tiles of 32 steps; by_row: of op(A).
template <class T>
DLCORE_INLINE void pack_tiles(const Source<T>& x, int rows, int steps, bool by_row, std::byte* tiles, bool& finite) {
  constexpr int kHalf = static_cast<int>(kTileSteps) / 2;
  const int low = min_of(steps, kHalf), high = max_of(steps - kHalf, 0);
  const Source<T> behind = x.at(0, kHalf);
  if (x.along_k == by_row) {
    store_tiles<T>(Lines<T>(x, rows, low), Lines<T>(behind, rows, high), tiles, finite);
  } else {
    f32v first[kTileRows], second[kTileRows];
    load_square(first, x, rows, low, by_row);
    load_square(second, behind, rows, high, by_row);
    store_tiles<T>(first, second, tiles, finite);
  }
}

/// Of each lane two elements.
DLCORE_INLINE u32v pairs_of(u16half first, u16half second) {
  return __builtin_convertvector(first, u32v) | __builtin_convertvector(second, u32v) << 16;
}

/// A row of a tile.
DLCORE_INLINE void store_pairs(std::byte* row, u16half first, u16half second) {
  const u32v pairs = pairs_of(first, second);
  __builtin_memcpy(row, &pairs, sizeof(pairs));
}

/// bfloat16 is packed in its own pairs: steps 2p and 2p + 1, which lie side by side in what is stored along k.
DLCORE_INLINE void pack_tiles(const Source<Bfloat>& x, int rows, int steps, bool by_row, std::byte* tiles, bool&) {
  f32v pairs[kTileRows];  // all of a row or column, or one of all rows or columns
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i) {
    if (x.along_k) {
      pairs[i] = i < rows ? bitcast<f32v>(_mm512_maskz_loadu_epi16(first_of(steps), x.data + i * x.ld)) : f32v{};
    } else {
      const Bfloat* const at = x.data + 2 * i * x.ld;
      const u16half first = 2 * i < steps ? load_half(at, rows) : u16half{};
      const u16half second = 2 * i + 1 < steps ? load_half(at + x.ld, rows) : u16half{};
      pairs[i] = bitcast<f32v>(pairs_of(first, second));
    }
  }
  if (x.along_k != by_row) transpose<float>(pairs);
  for (int i = 0; i < kTileRows; ++i) store(reinterpret_cast<float*>(tiles + i * kRowBytes), pairs[i]);
}

/// Panels of an operand, `bytes` apart, and whether each is finite.
struct Panels {
  std::byte* data;
  std::int64_t bytes;
  bool* finite;

  Panels from(std::int64_t panel) const { return {data + panel * bytes, bytes, finite + panel}; }
};

/// `count` rows of op(A), or columns of op(B), in panels of 16, k of `steps`. What is stored one after another is read
/// so.
template <class From>
void pack_panels(const From& x, std::int64_t count, std::int64_t steps, bool by_row, const Panels& panels) {
  const std::int64_t height = parts(count, kTileRows), tiles = parts(steps, kTileSteps);
  for (std::int64_t i = 0; i < height; ++i) panels.finite[i] = true;
  for (std::int64_t task = 0; task < height * tiles; ++task) {
    const std::int64_t i = x.along_k ? task / tiles : task % height, p = x.along_k ? task % tiles : task / height;
    const std::int64_t row = i * kTileRows, step = p * kTileSteps;
    pack_tiles(x.at(row, step), static_cast<int>(min_of(kTileRows, count - row)),
               static_cast<int>(min_of(kTileSteps, steps - step)), by_row,
               panels.data + i * panels.bytes + p * kParts<typename From::Element> * kTileBytes, panels.finite[i]);
  }
}

// ---------------------------------------------------------------------------------------------------- register blocks

/// The unit's tiles belong to this thread while it lives.
class Tiles {
 public:
  Tiles() { _tile_loadconfig(&kTileConfig); }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
};

// Tiles 0 ... 3 are C, 4 and 5 rows of A, 6 and 7 columns of B. Each tile is loaded as soon as its last product has
// begun: where another thread of the core is busy, few instructions that write tiles are under way at a time.

/// Tiles of one operand, the second a panel further: packed, so many parts of an element one after another.
template <int kCount>
struct PanelTiles {
  const std::byte* first;
  std::int64_t panel;

  std::int64_t stride() const { return kRowBytes; }  // of a tile's rows
  PanelTiles part(std::int64_t index) const { return {first + index * kTileBytes, panel}; }
  void advance() { first += kCount * kTileBytes; }
};

/// What of the next tiles takes the place of those that have been multiplied.
enum class Load { None, A, B, Both };

/// The products of the tiles that are loaded. a and b: the next ones, where they are loaded.
template <Load kLoad, int kRows, int kCols, class A, class B>
DLCORE_INLINE void multiply_then_load(const A& a, const B& b) {
  constexpr bool kLoadA = kLoad == Load::A || kLoad == Load::Both, kLoadB = kLoad == Load::B || kLoad == Load::Both;
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kRows > 1) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kLoadB) _tile_loadd(6, b.first, b.stride());
  if constexpr (kCols > 1) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kLoadA) _tile_loadd(4, a.first, a.stride());
  if constexpr (kRows > 1 && kCols > 1) _tile_dpbf16ps(3, 5, 7);
  if constexpr (kLoadB && kCols > 1) _tile_loadd(7, b.first + b.panel, b.stride());
  if constexpr (kLoadA && kRows > 1) _tile_loadd(5, a.first + a.panel, a.stride());
}

/// A register block of sums: rows of 32.
using Sums = float[kBlockRows * kBlockRows];

/// What a thread does while the unit multiplies, which needs few of its instructions: here nothing.
struct Idle {
  void before(std::int64_t) {}  // the tiles of a step are loaded
  void between() {}
};

/// Sums of kRows x kCols tiles of A and B, `count` along k.
template <int kCount, int kRows, int kCols, class A, class B, class Meanwhile>
void multiply_tiles(std::int64_t count, A a, B b, float* sums, Meanwhile& meanwhile) {
  constexpr int kHigh = 0, kMiddle = 1, kLow = 2;
  auto before = [&](std::int64_t step) __attribute__((always_inline)) {
    meanwhile.before(step);
    __asm__ volatile("" ::: "memory");  // compilers don't know that loads of tiles read what has been packed
  };
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  if (count > 0) {
    before(0);
    _tile_loadd(4, a.first, a.stride());
    if constexpr (kRows > 1) _tile_loadd(5, a.first + a.panel, a.stride());
    _tile_loadd(6, b.first, b.stride());
    if constexpr (kCols > 1) _tile_loadd(7, b.first + b.panel, b.stride());
  }
  for (std::int64_t p = 1; p <= count; ++p) {
    if constexpr (kCount == 3) {
      multiply_then_load<Load::B, kRows, kCols>(a, b.part(kLow));     // high high
      multiply_then_load<Load::B, kRows, kCols>(a, b.part(kMiddle));  // high low
      meanwhile.between();
      multiply_then_load<Load::A, kRows, kCols>(a.part(kMiddle), b);  // high middle
      multiply_then_load<Load::B, kRows, kCols>(a, b.part(kHigh));    // middle middle
      multiply_then_load<Load::A, kRows, kCols>(a.part(kLow), b);     // middle high
    }
    if (p < count) {
      before(p);
      a.advance(), b.advance();
      multiply_then_load<Load::Both, kRows, kCols>(a, b);  // low high, or of Bfloat all
    } else {
      multiply_then_load<Load::None, kRows, kCols>(a, b);
    }
  }
  constexpr std::int64_t kBytes = kBlockRows * sizeof(float);
  float* const below = sums + kTileRows * kBlockRows;
  _tile_stored(0, sums, kBytes);
  if constexpr (kCols > 1) _tile_stored(1, sums + kTileRows, kBytes);
  if constexpr (kRows > 1) _tile_stored(2, below, kBytes);
  if constexpr (kRows > 1 && kCols > 1) _tile_stored(3, below + kTileRows, kBytes);
}

/// The elements of a lane of three tiles, which belong to two steps of k.
DLCORE_INLINE void join(const std::byte* tiles, f32v& first, f32v& second) {
  first = second = f32v{};
  for (int part = 2; part >= 0; --part) {
    const i32v pair = load(reinterpret_cast<const std::int32_t*>(tiles + part * kTileBytes));
    first += bitcast<f32v>(pair << 16);
    second += upper_half(bitcast<f32v>(pair));
  }
}

/// The same with AVX-512 in float32, for what is not finite.
inline void multiply_as_float(int rows, int cols, std::int64_t count, const std::byte* a, std::int64_t a_panel,
                              const std::byte* b, std::int64_t b_panel, float* sums) {
  constexpr std::int64_t kStep = 3 * kTileBytes;
  for (int i = 0; i < rows * kTileRows; ++i)
    for (int j = 0; j < cols; ++j) {
      const std::byte* a_row = a + i / kTileRows * a_panel + i % kTileRows * kRowBytes;
      const std::byte* b_tiles = b + j * b_panel;
      f32v sum{};
      for (std::int64_t p = 0; p < count; ++p, a_row += kStep, b_tiles += kStep) {
        f32v a_first, a_second;
        join(a_row, a_first, a_second);
        for (int q = 0; q < kTileRows; ++q) {
          f32v b_first, b_second;
          join(b_tiles + q * kRowBytes, b_first, b_second);
          sum = fma(broadcast(a_first[q]), b_first, sum);
          sum = fma(broadcast(a_second[q]), b_second, sum);
        }
      }
      store(sums + i * kBlockRows + j * kTileRows, sum);
    }
}

inline bool all_finite(const Panels& panels, int count) { return panels.finite[0] && panels.finite[count - 1]; }

/// The same of a register block of rows x cols tiles.
template <int kCount, class A, class B, class Meanwhile>
void multiply_block(int rows, int cols, std::int64_t count, const A& a, const B& b, float* sums, Meanwhile meanwhile) {
  const auto kernel =
      rows > 1
          ? (cols > 1 ? multiply_tiles<kCount, 2, 2, A, B, Meanwhile> : multiply_tiles<kCount, 2, 1, A, B, Meanwhile>)
          : (cols > 1 ? multiply_tiles<kCount, 1, 2, A, B, Meanwhile> : multiply_tiles<kCount, 1, 1, A, B, Meanwhile>);
  kernel(count, a, b, sums, meanwhile);
}

/// rows x cols tiles of panels that begin at a and b, and are packed by then or meanwhile.
template <class T, class Meanwhile>
void multiply_panels(int rows, int cols, std::int64_t count, const Panels& a, const Panels& b, float* sums,
                     Meanwhile meanwhile) {
  using Tiles = PanelTiles<kParts<T>>;
  multiply_block<kParts<T>>(rows, cols, count, Tiles{a.data, a.bytes}, Tiles{b.data, b.bytes}, sums, meanwhile);
  if constexpr (kParts<T> != 1)
    if (!all_finite(a, rows) || !all_finite(b, cols))
      multiply_as_float(rows, cols, count, a.data, a.bytes, b.data, b.bytes, sums);
}

// -------------------------------------------------------------------------------------------------------------- loops

/// Half open.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};
inline Range range_of(std::int64_t begin, std::int64_t size, std::int64_t end) {
  return {min_of(begin, end), min_of(begin + size, end)};
}

/// A and B: Source<T>, or another type that pack_rows packs.
template <class T, class A = Source<T>, class B = Source<T>>
struct Product {
  const AmxGemmPlan& plan;
  A a;  // rows of op(A)
  B b;  // columns of op(B), where these are not packed
  T* c;
  GemmEpilogue<T> epilogue;
  std::byte* scratch;
  Panels packed_b{};
  float* sums = nullptr;  // those of passes before and of each partial sum, ld_sums apart; C itself where it can be
  std::int64_t ld_sums = 0;
  bool accumulate = false;  // onto what the sums are
};

/// What is packed at a time: columns of B, and of k a piece for each partial sum, one after another.
struct Pass {
  Range cols;
  std::int64_t index;
  bool last;
};

template <class T, class A, class B>
Range steps_of(const Product<T, A, B>& x, const Pass& pass, std::int64_t split) {
  const AmxGemmPlan& plan = x.plan;
  return range_of((pass.index * plan.splits + split) * plan.k_packed, plan.k_packed, plan.shape.k);
}

/// The panels in a room of `rows`, whose flags are behind them.
template <class T>
Panels panels_in(const AmxGemmPlan& plan, std::byte* room, std::int64_t rows) {
  const std::int64_t bytes = plan.k_packed / kTileSteps * kParts<T> * kTileBytes;
  return {room, bytes, reinterpret_cast<bool*>(room + parts(rows, kTileRows) * bytes)};
}
template <class T, class A, class B>
Panels shared_b(const Product<T, A, B>& x, std::int64_t split) {
  return panels_in<T>(x.plan, x.scratch + static_cast<std::size_t>(split) * x.plan.b_bytes, x.plan.n_packed);
}

/// Which rows or columns a worker has packed for itself, and which steps of k.
struct Packed {
  std::int64_t row, step;
  bool operator==(const Packed&) const = default;
};
/// A worker's own panels. Other cores' would have to be fetched from their caches, which takes longer than packing.
template <class T>
struct Room {
  Packed *packed_a, *packed_b;
  Panels a, b;

  Room(const AmxGemmPlan& plan, std::byte* scratch, int worker) {
    std::byte* const room = scratch + plan.rooms_offset + static_cast<std::size_t>(worker) * plan.room_bytes;
    packed_a = reinterpret_cast<Packed*>(room), packed_b = packed_a + 1;
    a = panels_in<T>(plan, room + kAmxRoomHeader, plan.block_m);
    b = panels_in<T>(plan, room + plan.b_in_room, plan.block_n);
  }
};

template <class From>
void pack_rows(const From& x, Range rows, Range steps, bool by_row, const Panels& panels) {
  pack_panels(x.at(rows.begin, steps.begin), rows.size(), steps.size(), by_row, panels);
}

/// Packs B for all blocks of a pass.
template <class T, class A, class B>
void pack_shared(const Product<T, A, B>& x, const Pass& pass) {
  constexpr std::int64_t kCols = 8 * kTileRows;  // whole cache lines, and more of them, of an operand stored by steps
  const AmxGemmPlan& plan = x.plan;
  const std::int64_t tasks = parts(pass.cols.size(), kCols);
  const double cost = 0.3 * static_cast<double>(pass.cols.size() * min_of(plan.k_packed, plan.shape.k) * plan.splits);
  parallel_for(plan.splits * tasks, cost, [&](std::int64_t task) {
    const std::int64_t split = task / tasks, first = task % tasks * kCols;
    pack_rows(x.b, range_of(pass.cols.begin + first, kCols, pass.cols.end), steps_of(x, pass, split), false,
              shared_b(x, split).from(first / kTileRows));
  });
}

/// Packs a task's rows of op(A) or columns of op(B), unless they are there: all of them, before they are needed.
template <class From>
class Packer {
 public:
  Packer(const From& x, Range rows, Range steps, bool by_row, const Panels& panels, bool there) {
    if (!there) pack_rows(x, rows, steps, by_row, panels);
  }
  void need(std::int64_t, std::int64_t) {}
  bool ahead(std::int64_t) { return false; }
};

/// Tile by tile, in the order in which they are needed: of one register block after another the steps of its panels.
template <>
class Packer<Source<float>> {
 public:
  Packer(const Source<float>& x, Range rows, Range steps, bool by_row, const Panels& panels, bool there)
      : x_(x.at(rows.begin, steps.begin)), rows_(rows.size()), steps_(steps.size()), by_row_(by_row), panels_(panels) {
    if (there)
      block_ = rows_;
    else
      for (std::int64_t i = 0; i < parts(rows_, kTileRows); ++i) panels.finite[i] = true;
  }

  /// The tiles of a step, of the block that begins at `row`.
  DLCORE_INLINE void need(std::int64_t row, std::int64_t step) {
    while (block_ < row || (block_ == row && step_ <= step * kTileSteps)) next();
  }
  /// One more tile of the first `rows`. False: there are no more.
  DLCORE_INLINE bool ahead(std::int64_t rows) {
    if (block_ >= min_of(rows, rows_)) return false;
    next();
    return true;
  }

 private:
  __attribute__((noinline)) void next() {
    const std::int64_t row = block_ + row_, panel = row / kTileRows, tile = step_ / kTileSteps;
    pack_tiles(x_.at(row, step_), static_cast<int>(min_of(kTileRows, rows_ - row)),
               static_cast<int>(min_of(kTileSteps, steps_ - step_)), by_row_,
               panels_.data + panel * panels_.bytes + tile * kParts<float> * kTileBytes, panels_.finite[panel]);
    if ((row_ += kTileRows) < min_of(kBlockRows, rows_ - block_)) return;
    row_ = 0;
    if ((step_ += kTileSteps) < steps_) return;
    step_ = 0, block_ += kBlockRows;
  }

  Source<float> x_;
  std::int64_t rows_, steps_;
  bool by_row_;
  Panels panels_;
  std::int64_t block_ = 0, row_ = 0, step_ = 0;  // the next tile's register block, its row there and its step
};

/// x[0, lanes) of a row of sums, plus those of the passes before.
DLCORE_INLINE f32v add_kept(const float* sums, const float* kept, int lanes) {
  return kept ? load(sums) + load_partial(kept, lanes) : load(sums);
}

/// The epilogue of rows x cols sums, added to `kept` where that is not null, whose rows are ld apart.
template <class T>
void finish(const float* sums, const float* kept, std::int64_t ld, std::int64_t rows, std::int64_t cols, const T* bias,
            Activation activation, T* c, std::int64_t ldc) {
  for (std::int64_t j = 0; j < cols; j += 2 * kF32) {
    const int low = static_cast<int>(min_of<std::int64_t>(kF32, cols - j));
    const int high = static_cast<int>(min_of<std::int64_t>(kF32, max_of<std::int64_t>(0, cols - j - kF32)));
    const f32v bias_low = bias ? load_floats(bias + j, low) : f32v{};
    const f32v bias_high = bias && high ? load_floats(bias + j + kF32, high) : f32v{};
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* const from = sums + i * kBlockRows + j;
      const float* const before = kept ? kept + i * ld + j : nullptr;
      T* const to = c + i * ldc + j;
      const f32v x = activate<float>(add_kept(from, before, low) + bias_low, activation);
      const f32v y =
          high ? activate<float>(add_kept(from + kF32, before ? before + kF32 : nullptr, high) + bias_high, activation)
               : f32v{};
      store_both(to, x, y, low, high);
    }
  }
}

/// Whether a worker's panels are these rows already. They are from now on.
inline bool keeps(Packed& there, Range rows, Range steps) {
  const Packed wanted{rows.begin, steps.begin};
  const bool kept = there == wanted;
  there = wanted;
  return kept;
}

/// A register block of C, of whose sums the first `done` rows have been written.
struct Block {
  Range rows{}, cols{};
  std::int64_t done = 0;
  alignas(64) Sums sums;

  Block() {}  // leaves the sums as they are

  void begin(Range block_rows, Range block_cols) { rows = block_rows, cols = block_cols, done = 0; }
};

/// One task's part of C. While the products of a register block of float are under way the sums of the one before are
/// written, and tiles are packed; those of Bfloat take too little time for it.
template <class T, class A, class B>
class Task {
 public:
  Task(const Product<T, A, B>& x, const Pass& pass, std::int64_t split, Range rows, Range cols, const Room<T>& room)
      : x_(x),
        pass_(pass),
        split_(split),
        rows_(rows),
        cols_(cols),
        steps_(steps_of(x, pass, split)),
        count_(parts(steps_.size(), kTileSteps)),
        height_(parts(kBlockRows, max_of<std::int64_t>(count_, 1))),
        a_(room.a),
        b_(columns_for(room)),
        pack_a_(x.a, rows, steps_, true, a_, keeps(*room.packed_a, rows, steps_)),
        pack_b_(x.b, cols, steps_, false, b_, x.plan.pack_b != Pack::PerTask || keeps(*room.packed_b, cols, steps_)) {}
  Task(const Task&) = delete;

  void run() {
    const Tiles tiles;
    for (std::int64_t j0 = cols_.begin; j0 < cols_.end; j0 += kSweep) {
      sweep_ = range_of(j0, kSweep, cols_.end);
      for (std::int64_t i = rows_.begin; i < rows_.end; i += kBlockRows)
        for (std::int64_t j = j0; j < sweep_.end; j += kBlockRows)
          multiply(range_of(i, kBlockRows, rows_.end), range_of(j, kBlockRows, sweep_.end));
    }
    if (kInterleaved) keep(*last_, kBlockRows);
  }

 private:
  static constexpr bool kInterleaved = kParts<T> > 1;

  Panels columns_for(const Room<T>& room) const {
    const AmxGemmPlan& plan = x_.plan;
    if (plan.pack_b == Pack::PerTask) return room.b;
    if (plan.pack_b == Pack::Once) return shared_b(x_, split_).from((cols_.begin - pass_.cols.begin) / kTileRows);
    Panels panels = x_.packed_b.from(cols_.begin / kTileRows);
    panels.data += steps_.begin / kTileSteps * kParts<T> * kTileBytes;
    return panels;
  }

  /// Of a block that is being multiplied.
  struct Meanwhile {
    Task& task;
    std::int64_t row, col;  // in the task

    void before(std::int64_t step) {
      task.pack_a_.need(row, step);
      task.pack_b_.need(col, step);
      task.keep(*task.last_, task.height_);
      task.fetch(*task.block_, step * task.height_, task.height_);
      task.pack_ahead();
    }
    void between() { task.pack_ahead(); }
  };

  void multiply(Range rows, Range cols) {
    const std::int64_t row = rows.begin - rows_.begin, col = cols.begin - cols_.begin;
    auto products = [&](auto meanwhile) {
      multiply_panels<T>(static_cast<int>(parts(rows.size(), kTileRows)),
                         static_cast<int>(parts(cols.size(), kTileRows)), count_, a_.from(row / kTileRows),
                         b_.from(col / kTileRows), block_->sums, meanwhile);
    };
    block_->begin(rows, cols);
    if constexpr (kInterleaved) {
      products(Meanwhile{*this, row, col});
      keep(*last_, kBlockRows);
      Block* const done = block_;
      block_ = last_, last_ = done;
    } else {
      fetch(*block_, 0, kBlockRows);
      products(Idle{});
      keep(*block_, kBlockRows);
    }
  }

  /// The columns of this sweep first.
  DLCORE_INLINE void pack_ahead() {
    pack_b_.ahead(sweep_.end - cols_.begin) || pack_a_.ahead(rows_.size()) || pack_b_.ahead(cols_.size());
  }

  /// Fetches the part of C that some of a block's rows will be written to: they may be far apart and far away.
  DLCORE_INLINE void fetch(const Block& block, std::int64_t first, std::int64_t count) {
    constexpr std::int64_t kLine = 64 / sizeof(T);
    const Range rows = range_of(block.rows.begin + first, count, block.rows.end);
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      for (std::int64_t j = block.cols.begin; j < block.cols.end; j += kLine)
        __builtin_prefetch(x_.c + i * x_.plan.shape.ldc + j, 1);
  }

  /// Writes the next `count` rows of a block's sums.
  void keep(Block& block, std::int64_t count) {
    const AmxGemmPlan& plan = x_.plan;
    const Range rows = range_of(block.rows.begin + block.done, count, block.rows.end), cols = block.cols;
    if (rows.size() == 0) return;
    const float* const sums = block.sums + block.done * kBlockRows;
    block.done += rows.size();
    float* const kept = x_.sums ? x_.sums + (split_ * plan.shape.m + rows.begin) * x_.ld_sums + cols.begin : nullptr;
    const float* const before = x_.accumulate || pass_.index > 0 ? kept : nullptr;
    if (plan.splits == 1 && pass_.last) {
      const T* bias = x_.epilogue.bias ? x_.epilogue.bias + cols.begin : nullptr;
      finish(sums, before, x_.ld_sums, rows.size(), cols.size(), bias, x_.epilogue.activation,
             x_.c + rows.begin * plan.shape.ldc + cols.begin, plan.shape.ldc);
    } else {
      finish<float>(sums, before, x_.ld_sums, rows.size(), cols.size(), nullptr, Activation::None, kept, x_.ld_sums);
    }
  }

  const Product<T, A, B>& x_;
  const Pass& pass_;
  const std::int64_t split_;
  const Range rows_, cols_, steps_;
  const std::int64_t count_, height_;  // steps of 32, and rows of sums that are written at each
  const Panels a_, b_;
  Packer<A> pack_a_;
  Packer<B> pack_b_;
  Range sweep_{};
  Block blocks_[2];
  Block *block_ = blocks_, *last_ = blocks_ + 1;
};

template <class T, class A, class B>
void compute(const Product<T, A, B>& x, const Pass& pass) {
  const AmxGemmPlan& plan = x.plan;
  const GemmShape& s = plan.shape;
  const std::int64_t across = parts(pass.cols.size(), plan.block_n);
  const std::int64_t blocks = parts(s.m, plan.block_m) * across;
  const double steps = static_cast<double>(min_of(plan.k_packed * plan.splits, s.k) + 1);
  const double share =
      static_cast<double>(pass.cols.size()) / static_cast<double>(s.n) * steps / static_cast<double>(s.k + 1);
  parallel_for_workers(plan.splits * blocks, plan.cost * share, plan.workers, [&](std::int64_t task, int worker) {
    const std::int64_t block = task % blocks;
    const Range rows = range_of(block / across * plan.block_m, plan.block_m, s.m);
    const Range cols = range_of(pass.cols.begin + block % across * plan.block_n, plan.block_n, pass.cols.end);
    Task(x, pass, task / blocks, rows, cols, Room<T>(plan, x.scratch, worker)).run();
  });
}

/// C [m, n], rows ldc apart, out of dense partial sums one after another.
template <class T>
void add_splits(float* sums, std::int64_t splits, const GemmShape& s, const GemmEpilogue<T>& epilogue, T* c) {
  parallel_for(s.m, 0.1 * static_cast<double>(s.m * s.n * splits), [&](std::int64_t i) {
    float* const first = sums + i * s.n;
    T* const row = c + i * s.ldc;
    if constexpr (kParts<T> == 1) {
      add_partials(first, splits, s.m * s.n, s.n, false, first);
      Operand<BfloatPair>::finish(first, 0, 1, s.n, epilogue.bias, epilogue.activation, row, 0);
    } else {
      add_partials(first, splits, s.m * s.n, s.n, s.accumulate, row);
      apply_epilogue(row, 0, 1, s.n, epilogue.bias, epilogue.activation);
    }
  });
}

/// C = op(A) op(B) and the epilogue, as the plan says; x.sums, x.ld_sums and x.accumulate are set here.
template <class T, class A, class B>
void run_product(Product<T, A, B> x) {
  const AmxGemmPlan& plan = x.plan;
  const GemmShape& s = plan.shape;
  x.ld_sums = s.n;
  if (plan.sums_bytes > 0) x.sums = reinterpret_cast<float*>(x.scratch + plan.sums_offset);
  if constexpr (kParts<T> != 1)
    if (plan.splits == 1) x.sums = x.c, x.ld_sums = s.ldc, x.accumulate = s.accumulate;
  for (int worker = 0; worker < plan.workers; ++worker) {
    const Room<T> room(plan, x.scratch, worker);
    *room.packed_a = *room.packed_b = {-1, -1};
  }
  const std::int64_t passes = parts(s.k, plan.splits * plan.k_packed);
  for (std::int64_t j = 0; j < s.n; j += plan.n_packed)
    for (std::int64_t index = 0; index < passes; ++index) {
      const Pass pass{range_of(j, plan.n_packed, s.n), index, index + 1 == passes};
      if (plan.pack_b == Pack::Once) pack_shared(x, pass);
      compute(x, pass);
    }
  if (plan.splits > 1) add_splits<T>(x.sums, plan.splits, s, x.epilogue, x.c);
}

}  // namespace

}  // namespace dlcore::DLCORE_ISA
