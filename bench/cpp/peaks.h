// What this machine can do at most, measured: the yardstick of the kernel benchmarks.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>

namespace dlcore::bench {

/// Fused multiply-adds in registers on every thread, with the instruction set in use, once: float32 operations per
/// second, over less than a millisecond.
double measure_flops();

/// Products of the matrix unit on every thread, bfloat16 operations per second: of tiles that stay in it, or, as in a
/// product of matrices, with one tile loaded from the first cache for each. For processors that have the unit.
double measure_tile_flops(bool loads);

/// Bytes per second of a[i] = b[i] + s * c[i] on arrays too large for the caches (three streams counted).
double peak_bandwidth(int threads);

/// Times `body`, which does `flops` operations, and, turn about, multiply-adds in registers: whatever slows the machine
/// down meets both. Counters: the best turn's microseconds per call and GFLOP/s; of_peak, the median over the turns of
/// body's rate / the registers' rate next to it; and the number of turns. Google Benchmark's iterations are the turns:
/// some calls that take a millisecond.
void against_peak(benchmark::State& state, double flops, const std::function<void()>& body);

}  // namespace dlcore::bench
