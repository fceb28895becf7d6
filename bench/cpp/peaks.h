// What this machine can do at most, measured: the yardstick of the kernel benchmarks.
#pragma once

namespace dlcore::bench {

/// float32 operations per second of fused multiply-adds in registers, on `threads` threads, with the instruction set in
/// use.
double peak_flops(int threads);

/// Bytes per second of a[i] = b[i] + s * c[i] on arrays too large for the caches (three streams counted).
double peak_bandwidth(int threads);

}  // namespace dlcore::bench
