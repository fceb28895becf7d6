#include "emulation.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <vector>

dlcore::emulation::Index threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace dlcore::emulation {

namespace {

constexpr std::size_t kStackBytes = 128 << 10;

/// A stack that runs one thread of every block. jmp_buf switches without a system call, unlike swapcontext.
struct Fiber {
  std::unique_ptr<char[]> stack;
  jmp_buf resume;
  Index thread;
  bool done;
};

/// Threads that wait for each other.
struct Barrier {
  unsigned running = 0, arrived = 0, generation = 0;
  void open_if_complete() {
    if (running == 0 || arrived < running) return;
    arrived = 0;
    ++generation;
  }
};

/// Memory that ends where no page is, so that reading beyond it ends the test, as it may end a kernel.
class GuardedBytes {
 public:
  /// `bytes` of 0xff, 16-byte aligned.
  unsigned char* fresh(std::size_t bytes) {
    if (bytes > room_) {
      const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
      room_ = (bytes + page - 1) / page * page;
      void* pages = mmap(nullptr, room_ + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (pages == MAP_FAILED || mprotect(pages, room_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
      end_ = static_cast<unsigned char*>(pages) + room_;  // the pages before are left: a few in all
    }
    begin_ = end_ - (bytes + 15) / 16 * 16;
    if (bytes) std::memset(begin_, 0xff, bytes);
    return begin_;
  }
  unsigned char* begin() const { return begin_; }

 private:
  std::size_t room_ = 0;
  unsigned char *begin_ = nullptr, *end_ = nullptr;
};

std::vector<Fiber> fibers;
std::vector<Barrier> warps;
std::vector<std::uint64_t> slots;
GuardedBytes shared_bytes;
Barrier block_barrier;
jmp_buf scheduler;
unsigned current;
void (*thread_body)(void*);
void* thread_argument;

void leave(Fiber& fiber) {
  if (_setjmp(fiber.resume) == 0) _longjmp(scheduler, 1);
}

void run_threads() {
  for (;;) {
    thread_body(thread_argument);
    Fiber& fiber = fibers[current];
    fiber.done = true;
    Barrier& warp = warps[current / 32];
    for (Barrier* barrier : {&block_barrier, &warp}) {
      --barrier->running;
      barrier->open_if_complete();
    }
    leave(fiber);
  }
}

void wait_at(Barrier& barrier) {
  const unsigned generation = barrier.generation;
  ++barrier.arrived;
  barrier.open_if_complete();
  while (barrier.generation == generation) leave(fibers[current]);
}

/// Runs the fiber until it leaves.
void enter(Fiber& fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (fiber.stack) _longjmp(fiber.resume, 1);
  fiber.stack.reset(new char[kStackBytes]);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, run_threads, 0);
  setcontext(&context);
}

void run_block(dim3 block, std::size_t shared) {
  const unsigned threads = block.x * block.y * block.z;
  if (fibers.size() < threads) fibers.resize(threads);
  shared_bytes.fresh(shared);
  block_barrier = {threads, 0, 0};
  warps.assign((threads + 31) / 32, {});
  for (unsigned i = 0; i < threads; ++i) ++warps[i / 32].running;
  slots.assign(warps.size() * 32, 0);
  for (unsigned i = 0; i < threads; ++i) {
    fibers[i].thread = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
    fibers[i].done = false;
  }
  for (unsigned left = threads; left > 0;) {
    for (unsigned i = 0; i < threads; ++i) {
      if (fibers[i].done) continue;
      current = i;
      threadIdx = fibers[i].thread;
      enter(fibers[i]);
      if (fibers[i].done) --left;
    }
  }
}

}  // namespace

void run(dim3 grid, dim3 block, std::size_t shared, void (*body)(void*), void* argument) {
  thread_body = body;
  thread_argument = argument;
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        run_block(block, shared);
      }
}

void* shared() { return shared_bytes.begin(); }
void wait_for_block() { wait_at(block_barrier); }
void wait_for_warp() { wait_at(warps[current / 32]); }
std::uint64_t* lane_slots() { return &slots[current / 32 * 32]; }
unsigned lane() { return current % 32; }

}  // namespace dlcore::emulation
