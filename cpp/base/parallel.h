// Threads. Work is cut by shape alone, so results have the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "dlcore/threads.h"

namespace dlcore {

/// Calls body(context, chunk, worker) for every chunk in [0, chunks), in any order, on as many threads as the work is
/// worth, at most `most`; worker numbers the threads at work. body must not throw. Called by several threads at once,
/// one gets the helpers and the others work alone. cost: estimated time of all chunks together on one thread, in
/// nanoseconds. Denormals count as zero inside.
void run_chunks(std::int64_t chunks, double cost, int most,
                void (*body)(const void* context, std::int64_t chunk, int worker), const void* context);

/// The same with a callable: parallel_for(rows, cost, [&](std::int64_t row) { ... }).
/// A callable's type carries its function's namespace, so per-ISA sources share no instantiation.
template <class Body>
inline void parallel_for(std::int64_t chunks, double cost, const Body& body) {
  run_chunks(
      chunks, cost, num_threads(),
      [](const void* context, std::int64_t chunk, int) { (*static_cast<const Body*>(context))(chunk); }, &body);
}

/// Threads that take part in so many chunks at most, but at least one.
int workers_for(std::int64_t chunks);

/// The same where each thread has room of its own to work in: body(chunk, worker), 0 <= worker < workers. workers: what
/// workers_for has said of as many chunks or more.
template <class Body>
inline void parallel_for_workers(std::int64_t chunks, double cost, int workers, const Body& body) {
  run_chunks(
      chunks, cost, workers,
      [](const void* context, std::int64_t chunk, int worker) { (*static_cast<const Body*>(context))(chunk, worker); },
      &body);
}

/// Calls body(context, step, chunk) for every chunk in [0, chunks) of every step in [0, steps). The chunks of a step
/// begin when all those of the step before are done, which takes less than a job of its own for each step. As above.
void run_steps(std::int64_t steps, std::int64_t chunks, double cost,
               void (*body)(const void* context, std::int64_t step, std::int64_t chunk), const void* context);

/// The same with a callable: body(step, chunk).
template <class Body>
inline void parallel_steps(std::int64_t steps, std::int64_t chunks, double cost, const Body& body) {
  run_steps(
      steps, chunks, cost,
      [](const void* context, std::int64_t step, std::int64_t chunk) {
        (*static_cast<const Body*>(context))(step, chunk);
      },
      &body);
}

/// Denormals flushed to zero on this thread while it lives; the mode before is restored.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();

 private:
  std::uint64_t saved_;
};

}  // namespace dlcore
