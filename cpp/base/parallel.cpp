#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "dlcore/error.h"

namespace dlcore {

namespace {

// Sharing work with a thread costs about 1 us; it should have several times that to do (ns).
constexpr double kWorthAThread = 5000;
// How long a worker looks for the next job before it sleeps: turns of about 40 ns.
constexpr int kSpinTurns = 4000;

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0
             ? std::max(1, CPU_COUNT(&set))
             : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
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

namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Waits until ready(). Another thread that it waits for may need this very processor.
template <class Ready>
void wait_until(const Ready& ready) {
  for (int turn = 0; !ready(); ++turn) {
    if (turn < 200)
      pause();
    else
      std::this_thread::yield();
  }
}

/// Threads that help with one job at a time. The caller works too, and waits at the end only for helpers that have
/// begun a chunk: a helper that the system did not schedule in time costs nothing. (An OpenMP region would wait for
/// it.) Each thread begins with a range of chunks of its own, the same whenever the job comes again, so that it finds
/// what it has read in its cache; then it takes what others have left.
class Pool {
 public:
  using Body = void (*)(const void* context, std::int64_t chunk, int worker);

  static Pool& instance() {
    static Pool* pool = new Pool;  // its threads live as long as the process
    return *pool;
  }

  /// False when another thread's job is under way.
  bool run(int threads, std::int64_t chunks, Body body, const void* context) {
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    start_workers(threads - 1);
    body_ = body;
    context_ = context;
    for (int thread = 0; thread < threads; ++thread) {
      ranges_[thread].next.store(chunks * thread / threads, std::memory_order_relaxed);
      ranges_[thread].end = chunks * (thread + 1) / threads;
    }
    threads_.store(threads, std::memory_order_relaxed);
    state_.store(((state_.load(std::memory_order_relaxed) >> kEpochShift) + 1) << kEpochShift | kOpen,
                 std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) state_.notify_all();
    work(0);
    close();
    busy_.store(false, std::memory_order_release);
    return true;
  }

  static bool inside() { return inside_; }

 private:
  // state_: number of the job, whether helpers may join it, how many are in it.
  static constexpr int kEpochShift = 17;
  static constexpr std::uint64_t kOpen = 1u << 16;
  static constexpr std::uint64_t kHelpers = kOpen - 1;

  Pool() {
    ::pthread_atfork(nullptr, nullptr, [] { instance().forget_workers(); });
  }

  // A forked child has none of the parent's threads.
  void forget_workers() {
    workers_ = 0;
    sleeping_ = 0;
    busy_ = false;
    state_ = 0;
  }

  void start_workers(int wanted) {
    if (static_cast<int>(ranges_.size()) <= wanted) ranges_ = std::vector<Range>(static_cast<std::size_t>(wanted) + 1);
    while (workers_ < wanted) {
      const int worker = ++workers_;
      std::thread([this, worker] { help(worker); }).detach();
    }
  }

  void work(int worker) {
    inside_ = true;
    FlushDenormals flush;
    const int threads = threads_.load(std::memory_order_relaxed);
    for (int i = 0; i < threads; ++i) {
      Range& range = ranges_[(worker + i) % threads];
      for (std::int64_t chunk; (chunk = range.next.fetch_add(1, std::memory_order_relaxed)) < range.end;)
        body_(context_, chunk, worker);
    }
    inside_ = false;
  }

  // No helper joins any more; those inside finish their chunk.
  void close() {
    state_.fetch_and(~kOpen, std::memory_order_acq_rel);
    wait_until([&] { return (state_.load(std::memory_order_acquire) & kHelpers) == 0; });
  }

  /// Whether the job, still open, has room for this helper. It has joined then.
  bool join(std::uint64_t state, int worker) {
    while (state & kOpen) {
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
      if (worker < threads_.load(std::memory_order_relaxed)) return true;
      state_.fetch_sub(1, std::memory_order_release);
      return false;
    }
    return false;
  }

  std::uint64_t wait_for_job(std::uint64_t seen_epoch) {
    for (int turn = 0; turn < kSpinTurns; ++turn) {
      const std::uint64_t state = state_.load(std::memory_order_acquire);
      if (state >> kEpochShift != seen_epoch) return state;
      pause();
    }
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
    std::uint64_t state = state_.load(std::memory_order_seq_cst);
    while (state >> kEpochShift == seen_epoch) {
      state_.wait(state, std::memory_order_seq_cst);
      state = state_.load(std::memory_order_seq_cst);
    }
    sleeping_.fetch_sub(1, std::memory_order_relaxed);
    return state;
  }

  void help(int worker) {
    for (std::uint64_t epoch = 0;;) {
      const std::uint64_t state = wait_for_job(epoch);
      epoch = state >> kEpochShift;
      if (!join(state, worker)) continue;
      work(worker);
      state_.fetch_sub(1, std::memory_order_release);
    }
  }

  struct alignas(64) Range {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  Body body_ = nullptr;
  const void* context_ = nullptr;
  std::vector<Range> ranges_;  // one per thread
  std::atomic<int> threads_{0};
  int workers_ = 0;
  alignas(64) std::atomic<std::uint64_t> state_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> busy_{false};
  static thread_local bool inside_;
};

thread_local bool Pool::inside_ = false;

}  // namespace

namespace {

int threads_for(std::int64_t chunks, double cost, int most) {
  const int threads = static_cast<int>(std::min<std::int64_t>(std::min(num_threads(), most), chunks));
  return cost < kWorthAThread * threads ? static_cast<int>(cost / kWorthAThread) : threads;
}

/// Work whose steps depend on each other, which any number of threads take part in, from whenever they come. Each
/// begins every step with the chunks of a range of its own, whose data is in its cache, and then takes what others have
/// not begun.
class Steps {
 public:
  Steps(std::int64_t steps, std::int64_t chunks) : steps_(steps), begun_(static_cast<std::size_t>(chunks)) {}

  template <class Body>
  void take_part(std::int64_t first, const Body& body) {
    const auto chunks = static_cast<std::int64_t>(begun_.size());
    for (std::int64_t step; (step = done_.load(std::memory_order_acquire) / chunks) < steps_;) {
      for (std::int64_t i = 0; i < chunks; ++i) {
        const std::int64_t chunk = (first + i) % chunks;
        std::int64_t before = step;
        if (!begun_[chunk].steps.compare_exchange_strong(before, step + 1, std::memory_order_relaxed)) continue;
        body(step, chunk);
        done_.fetch_add(1, std::memory_order_acq_rel);
      }
      wait_until([&] { return done_.load(std::memory_order_acquire) >= (step + 1) * chunks; });
    }
  }

 private:
  struct alignas(64) Begun {
    std::atomic<std::int64_t> steps{0};  // so many of one chunk
  };
  const std::int64_t steps_;
  std::vector<Begun> begun_;
  alignas(64) std::atomic<std::int64_t> done_{0};  // chunks, of all steps
};

}  // namespace

void run_chunks(std::int64_t chunks, double cost, int most,
                void (*body)(const void* context, std::int64_t chunk, int worker), const void* context) {
  const int threads = threads_for(chunks, cost, most);
  if (threads > 1 && !Pool::inside() && Pool::instance().run(threads, chunks, body, context)) return;
  FlushDenormals flush;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk, 0);
}

void run_steps(std::int64_t steps, std::int64_t chunks, double cost,
               void (*body)(const void* context, std::int64_t step, std::int64_t chunk), const void* context) {
  const int threads = threads_for(chunks, cost, num_threads());
  if (threads > 1 && !Pool::inside()) {
    Steps all(steps, chunks);
    return parallel_for(threads, cost, [&](std::int64_t part) {
      all.take_part(chunks * part / threads,
                    [&](std::int64_t step, std::int64_t chunk) { body(context, step, chunk); });
    });
  }
  FlushDenormals flush;
  for (std::int64_t step = 0; step < steps; ++step)
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, step, chunk);
}

}  // namespace dlcore
