#include "base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "dlcore/error.h"

namespace dlcore {

namespace {

// A parallel region costs about this much (ns) to open and close; a thread should have a few times that to do.
constexpr double kWorthAThread = 8000;

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : omp_get_num_procs();
}

// CPUs that the cgroup's quota allows, rounded up; `limit` when there is no quota. Control groups v2, then v1.
int cgroup_cpus(int limit) {
  double quota = -1, period = 0;
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file) {
    std::string text;
    file >> text >> period;
    if (text != "max") quota = std::atof(text.c_str());
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return limit;
  return std::clamp(static_cast<int>(std::ceil(quota / period)), 1, limit);
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> threads = [] {
    if (const char* text = std::getenv("OMP_NUM_THREADS"); text && std::atoi(text) > 0) return std::atoi(text);
    return cgroup_cpus(affinity_cpus());
  }();
  return threads;
}

}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int threads) {
  if (threads < 1) throw value_error("set_num_threads: got ", threads, " threads; expected at least 1.");
  thread_setting() = threads;
}

FlushDenormals::FlushDenormals() {
#if defined(__x86_64__)
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | 0x8040);  // flush to zero, denormals are zero
#else
  saved_ = 0;
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(saved_);
#endif
}

void run_chunks(std::int64_t chunks, double cost, void (*body)(const void* context, std::int64_t chunk),
                const void* context) {
  int threads = static_cast<int>(std::min<std::int64_t>(num_threads(), chunks));
  if (cost < kWorthAThread * threads) threads = static_cast<int>(cost / kWorthAThread);
  if (threads <= 1 || omp_in_parallel()) {
    FlushDenormals flush;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  std::atomic<std::int64_t> next{0};
#pragma omp parallel num_threads(threads)
  {
    FlushDenormals flush;
    for (std::int64_t chunk; (chunk = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) body(context, chunk);
  }
}

}  // namespace dlcore
