// Threads. Work is cut by shape alone, so results have the same bits for any number of threads.
#pragma once

#include <cstdint>

namespace dlcore {

/// Threads that kernels may use: min(affinity, cgroup quota), or OMP_NUM_THREADS, or what set_num_threads said.
int num_threads();
void set_num_threads(int threads);

/// Calls body(context, chunk) for every chunk in [0, chunks), in any order, on as many threads as the work is worth.
/// body must not throw. Called by several threads at once, one gets the helpers and the others work alone.
/// cost: estimated time of all chunks together on one thread, in nanoseconds. Denormals count as zero inside.
void run_chunks(std::int64_t chunks, double cost, void (*body)(const void* context, std::int64_t chunk),
                const void* context);

/// The same with a callable: parallel_for(rows, cost, [&](std::int64_t row) { ... }).
/// A callable's type carries its function's namespace, so per-ISA sources share no instantiation.
template <class Body>
inline void parallel_for(std::int64_t chunks, double cost, const Body& body) {
  run_chunks(
      chunks, cost, [](const void* context, std::int64_t chunk) { (*static_cast<const Body*>(context))(chunk); },
      &body);
}

/// Denormals flushed to zero on this thread while it lives; the mode before is restored.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();

 private:
  unsigned saved_;
};

}  // namespace dlcore
