#include "peaks.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/gemm/amx.h"

namespace dlcore::bench {

namespace {

constexpr int kChains = 12;  // independent sums: more than latency times units
constexpr std::int64_t kSteps = 100000;
constexpr double kTurn = 1e-3;  // seconds of the body in one turn at least

typedef float Lanes4 __attribute__((vector_size(16)));
typedef float Lanes8 __attribute__((vector_size(32)));
typedef float Lanes16 __attribute__((vector_size(64)));

// kChains chains of multiply-adds; the sum is for the caller to read, so that nothing is left out. Inlined into a
// function of the instruction set that has such vectors.
template <class Vector>
__attribute__((always_inline)) inline float run_chains(float scale) {
  Vector x[kChains];
  for (int i = 0; i < kChains; ++i) x[i] = Vector{} + static_cast<float>(i);
  const Vector a = Vector{} + scale, b = Vector{} + 0.25f;
  for (std::int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = x[i] * a + b;
  }
  for (int i = 1; i < kChains; ++i) x[0] += x[i];
  return x[0][0];
}

#if defined(__x86_64__)
__attribute__((target("avx512f,fma,prefer-vector-width=512"))) float run_avx512(float scale) {
  return run_chains<Lanes16>(scale);
}
__attribute__((target("avx2,fma"))) float run_avx2(float scale) { return run_chains<Lanes8>(scale); }
#endif
float run_baseline(float scale) { return run_chains<Lanes4>(scale); }

#if defined(__x86_64__)
constexpr std::int64_t kTileTurns = 20000;
constexpr double kTileFlops = 4 * 2.0 * kTileRows * kTileRows * kTileSteps;  // of a turn

struct alignas(64) OperandTiles {
  std::uint16_t bits[4][512];
};

// Numbers of either sign between 1 and 2: of zeros, which take less power, products are a fifth faster.
OperandTiles operand_tiles() {
  OperandTiles tiles;
  std::minstd_rand random(1);
  for (auto& tile : tiles.bits)
    for (std::uint16_t& bits : tile) {
      const auto drawn = static_cast<unsigned>(random() >> 8);
      bits = static_cast<std::uint16_t>(0x3f80 | (drawn & 0x7f) | (drawn & 0x80) << 8);
    }
  return tiles;
}

// 2 x 2 tiles of sums, as a product has them.
template <bool kLoads>
__attribute__((target("amx-tile,amx-bf16"))) void run_tiles() {
  static const OperandTiles operands = operand_tiles();
  const auto& tiles = operands.bits;
  _tile_loadconfig(&kTileConfig);
  for (std::int64_t turn = 0; turn < kTileTurns; ++turn) {
    if (kLoads || turn == 0) {
      _tile_loadd(4, tiles[0], 64);
      _tile_loadd(5, tiles[1], 64);
      _tile_loadd(6, tiles[2], 64);
      _tile_loadd(7, tiles[3], 64);
    }
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}
#endif

struct Runner {
  float (*run)(float scale);
  int lanes;
};

Runner runner() {
#if defined(__x86_64__)
  if (isa() == Isa::Avx512) return {run_avx512, 16};
  if (isa() == Isa::Avx2) return {run_avx2, 8};
#endif
  return {run_baseline, 4};
}

template <class Body>
double seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One call of body(thread) per thread, at the same time.
template <class Body>
void on_threads(int threads, const Body& body) {
  const int before = num_threads();
  set_num_threads(threads);
  parallel_for(threads, 1e9, body);
  set_num_threads(before);
}

}  // namespace

double measure_flops() {
  const Runner chains = runner();
  const int threads = num_threads();
  volatile float sink = 0;
  const double time = seconds([&] { on_threads(threads, [&](std::int64_t) { sink = chains.run(0.5f); }); });
  return 2.0 * chains.lanes * kChains * kSteps * threads / time;
}

double measure_tile_flops(bool loads) {
#if defined(__x86_64__)
  const int threads = num_threads();
  const double time =
      seconds([&] { on_threads(threads, [&](std::int64_t) { loads ? run_tiles<true>() : run_tiles<false>(); }); });
  return kTileFlops * kTileTurns * threads / time;
#else
  (void)loads;
  return 0;
#endif
}

double peak_bandwidth(int threads) {
  const std::int64_t size =
      std::max<std::int64_t>(std::int64_t{1} << 24, 4 * static_cast<std::int64_t>(cache_sizes().l2));
  std::vector<float> a(size), b(size, 1), c(size, 2);
  const std::int64_t part = size / threads;
  double best = 1e30;
  for (int turn = 0; turn < 8; ++turn)
    best = std::min(best, seconds([&] {
                      on_threads(threads, [&](std::int64_t thread) {
                        for (std::int64_t i = thread * part; i < (thread + 1) * part; ++i) a[i] = b[i] + 0.5f * c[i];
                      });
                    }));
  return 3.0 * sizeof(float) * static_cast<double>(part * threads) / best;
}

void against_peak(benchmark::State& state, double flops, const std::function<void()>& body) {
  body();  // touches what it uses
  const int times = std::max(1, static_cast<int>(kTurn / seconds(body)));
  double best = 0;
  std::vector<double> shares;
  for (auto _ : state) {
    const double before = measure_flops();
    const double time = seconds([&] {
                          for (int i = 0; i < times; ++i) body();
                        }) /
                        times;
    const double after = measure_flops();
    best = std::max(best, flops / time);
    shares.push_back(flops / time / (0.5 * (before + after)));
    state.SetIterationTime(time * times);
  }
  std::nth_element(shares.begin(), shares.begin() + shares.size() / 2, shares.end());
  state.counters["best_us"] = flops / best * 1e6;
  state.counters["best_GFLOP/s"] = best * 1e-9;
  state.counters["of_peak"] = shares[shares.size() / 2];
  state.counters["turns"] = static_cast<double>(shares.size());
}

}  // namespace dlcore::bench
