// How many threads the core computes with.
#pragma once

namespace dlcore {

/// Threads that kernels may use: min(affinity, cgroup quota), or OMP_NUM_THREADS, or what set_num_threads said; at most
/// 1024.
int num_threads();
/// Throws a Value error for fewer than one.
void set_num_threads(int threads);

}  // namespace dlcore
