#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "dlcore/error.h"

namespace dlcore {

namespace {

constexpr int kMostThreads = 1024;
// Sharing work with a thread costs about 0.2 us; it should have many times that to do (ns).
constexpr double kWorthAThread = 3000;
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
    const char* text = std::getenv("OMP_NUM_THREADS");
    const long wanted = text ? std::strtol(text, nullptr, 10) : 0;
    return static_cast<int>(std::min<long>(wanted > 0 ? wanted : cgroup_cpus(affinity_cpus()), kMostThreads));
  }();
  return threads;
}

}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int threads) {
  if (threads < 1) throw value_error("set_num_threads: got ", threads, " threads; expected at least 1.");
  thread_setting() = std::min(threads, kMostThreads);
}

namespace {

// The processor's floating-point mode, and the bits of it that flush denormals.
#if defined(__x86_64__)
constexpr std::uint64_t kFlush = 0x8040;  // flush to zero, denormals are zero
std::uint64_t floating_point_mode() { return _mm_getcsr(); }
void set_floating_point_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kFlush = std::uint64_t{1} << 24;  // FPCR.FZ
std::uint64_t floating_point_mode() {
  std::uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_floating_point_mode(std::uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
constexpr std::uint64_t kFlush = 0;
std::uint64_t floating_point_mode() { return 0; }
void set_floating_point_mode(std::uint64_t) {}
#endif

}  // namespace

// Setting the mode takes far longer than reading it, and one of these often lives inside another.
FlushDenormals::FlushDenormals() : saved_(floating_point_mode()) {
  if ((saved_ & kFlush) != kFlush) set_floating_point_mode(saved_ | kFlush);
}
FlushDenormals::~FlushDenormals() {
  if ((saved_ & kFlush) != kFlush) set_floating_point_mode(saved_);
}

namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // waits for some ten cycles; `yield` is a no-op on most of these processors
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

/// Threads that help with one job at a time. The caller works too, and waits at the end only for helpers that are at
/// work: a helper that the system did not schedule in time costs nothing. (An OpenMP region would wait for it.) Each
/// thread begins with a range of chunks of its own, the same whenever the job comes again, so that it finds what it has
/// read in its cache; then it takes what others have left.
///
/// What passes between two threads is a cache line with the job, and one with what a helper has begun and whether it is
/// at work. A chunk is begun by writing the job's number beside the count, which fails when the job is over: so a
/// helper that comes too late does nothing.
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
    const Job job{body, context, chunks, threads};
    const std::uint32_t number = publish(job);
    work(0, job, number);
    for (int worker = 1; worker < threads; ++worker)
      wait_until([&] { return !ranges_[worker].at_work.load(std::memory_order_acquire); });
    busy_.store(false, std::memory_order_release);
    return true;
  }

  static bool inside() { return inside_; }

 private:
  struct Job {
    Body body;
    const void* context;
    std::int64_t chunks;
    int threads;
  };

  /// The chunks of one thread, and whether it is at work on any.
  struct alignas(64) Range {
    std::atomic<std::uint64_t> begun{0};  // the number of a job, and how many chunks of it
    std::atomic<bool> at_work{false};
  };
  static constexpr std::uint64_t begun(std::uint32_t number, std::uint32_t count) {
    return std::uint64_t{number} << 32 | count;
  }

  Pool() : ranges_(kMostThreads) {
    ::pthread_atfork(nullptr, nullptr, [] { instance().forget_workers(); });
  }

  // A forked child has none of the parent's threads.
  void forget_workers() {
    workers_ = 0;
    sleeping_ = 0;
    busy_ = false;
    number_ = number_ & ~1u;
    ranges_in_use_ = 0;
    for (Range& range : ranges_) range.at_work = false;
  }

  // Where the system gives no more threads, those that there are do all the work.
  void start_workers(int wanted) {
    try {
      for (; workers_ < wanted; ++workers_) std::thread([this, worker = workers_ + 1] { help(worker); }).detach();
    } catch (const std::exception&) {
    }
  }

  /// Numbers are even, and odd while a job is being written down. Of the ranges in use nothing is written here: what
  /// they have begun is all of the job before.
  std::uint32_t publish(const Job& job) {
    const std::uint32_t before = number_.load(std::memory_order_relaxed), number = before + 2;
    number_.store(before + 1, std::memory_order_relaxed);
    body_.store(job.body, std::memory_order_release);
    context_.store(job.context, std::memory_order_release);
    chunks_.store(job.chunks, std::memory_order_release);
    threads_.store(job.threads, std::memory_order_release);
    for (int thread = ranges_in_use_; thread < job.threads; ++thread)
      ranges_[thread].begun.store(begun(before, UINT32_MAX), std::memory_order_release);
    ranges_in_use_ = job.threads;
    number_.store(number, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) number_.notify_all();
    return number;
  }

  /// The job of this number; nothing when the next one is being written down.
  std::optional<Job> read(std::uint32_t number) const {
    const Job job{body_.load(std::memory_order_acquire), context_.load(std::memory_order_acquire),
                  chunks_.load(std::memory_order_acquire), threads_.load(std::memory_order_acquire)};
    return number_.load(std::memory_order_relaxed) == number ? std::optional(job) : std::nullopt;
  }

  /// The next chunk of a range of `size`; -1 when all have been begun, or the job is over.
  static std::int64_t begin_chunk(Range& range, std::uint32_t number, std::int64_t size) {
    std::uint64_t before = range.begun.load(std::memory_order_acquire);
    for (;;) {
      const auto last = static_cast<std::uint32_t>(before >> 32);
      const std::int64_t count = last == number ? static_cast<std::uint32_t>(before) : last == number - 2 ? 0 : size;
      if (count >= size) return -1;
      if (range.begun.compare_exchange_weak(before, begun(number, static_cast<std::uint32_t>(count + 1)),
                                            std::memory_order_acq_rel, std::memory_order_acquire))
        return count;
    }
  }

  void work(int worker, const Job& job, std::uint32_t number) {
    inside_ = true;
    FlushDenormals flush;
    // With a chunk for each, only the caller looks after those who did not come.
    const int ranges = worker > 0 && job.chunks == job.threads ? 1 : job.threads;
    for (int i = 0; i < ranges; ++i) {
      const int owner = (worker + i) % job.threads;
      const std::int64_t first = job.chunks * owner / job.threads;
      const std::int64_t size = job.chunks * (owner + 1) / job.threads - first;
      for (std::int64_t chunk; (chunk = begin_chunk(ranges_[owner], number, size)) >= 0;)
        job.body(job.context, first + chunk, worker);
    }
    inside_ = false;
  }

  /// The number of a job after `seen`.
  std::uint32_t wait_for_job(std::uint32_t seen) {
    const auto is_new = [&](std::uint32_t number) { return number != seen && number % 2 == 0; };
    for (int turn = 0; turn < kSpinTurns; ++turn) {
      const std::uint32_t number = number_.load(std::memory_order_acquire);
      if (is_new(number)) return number;
      pause();
    }
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
    std::uint32_t number = number_.load(std::memory_order_seq_cst);
    while (!is_new(number)) {
      number_.wait(number, std::memory_order_seq_cst);
      number = number_.load(std::memory_order_seq_cst);
    }
    sleeping_.fetch_sub(1, std::memory_order_relaxed);
    return number;
  }

  void help(int worker) {
    for (std::uint32_t seen = 0;;) {
      const std::uint32_t number = wait_for_job(seen);
      const std::optional<Job> job = read(number);
      if (!job) continue;
      seen = number;
      if (worker >= job->threads) continue;
      ranges_[worker].at_work.store(true, std::memory_order_relaxed);
      work(worker, *job, number);
      ranges_[worker].at_work.store(false, std::memory_order_release);
    }
  }

  alignas(64) std::atomic<std::uint32_t> number_{0};
  std::atomic<int> threads_{0};
  std::atomic<Body> body_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<std::int64_t> chunks_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::atomic<bool> busy_{false};
  int workers_ = 0;
  int ranges_in_use_ = 0;      // those of the job before
  std::vector<Range> ranges_;  // one per thread
  static thread_local bool inside_;
};

thread_local bool Pool::inside_ = false;

}  // namespace

namespace {

int threads_for(std::int64_t chunks, double cost, int most) {
  most = std::min(num_threads(), most);
  const int threads = static_cast<int>(std::min<std::int64_t>(most, chunks));
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

int workers_for(std::int64_t chunks) { return static_cast<int>(std::clamp<std::int64_t>(chunks, 1, num_threads())); }

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
