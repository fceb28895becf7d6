#include "emulation.h"

#include <ucontext.h>

#include <memory>
#include <vector>

dlcore::emulation::Index threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace dlcore::emulation {

namespace {

constexpr std::size_t kStackBytes = 128 << 10;

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
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

std::vector<Fiber> fibers;
std::vector<Barrier> warps;
std::vector<std::uint64_t> slots;
std::vector<unsigned char> shared_bytes_;
Barrier block_barrier;
ucontext_t scheduler;
unsigned current;
void (*thread_body)(void*);
void* thread_argument;

void run_thread() {
  thread_body(thread_argument);
  fibers[current].done = true;
  Barrier& warp = warps[current / 32];
  for (Barrier* barrier : {&block_barrier, &warp}) {
    --barrier->running;
    barrier->open_if_complete();
  }
  swapcontext(&fibers[current].context, &scheduler);
}

void wait_at(Barrier& barrier) {
  const unsigned generation = barrier.generation;
  ++barrier.arrived;
  barrier.open_if_complete();
  while (barrier.generation == generation) {
    const unsigned self = current;
    swapcontext(&fibers[self].context, &scheduler);
  }
}

void start_fiber(unsigned i, dim3 block) {
  Fiber& fiber = fibers[i];
  if (!fiber.stack) fiber.stack.reset(new char[kStackBytes]);
  fiber.thread = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  fiber.done = false;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, run_thread, 0);
}

void run_block(dim3 block, std::size_t shared) {
  const unsigned threads = block.x * block.y * block.z;
  if (fibers.size() < threads) fibers.resize(threads);
  shared_bytes_.assign(shared, 0xff);
  block_barrier = {threads, 0, 0};
  warps.assign((threads + 31) / 32, {});
  for (unsigned i = 0; i < threads; ++i) ++warps[i / 32].running;
  slots.assign(warps.size() * 32, 0);
  for (unsigned i = 0; i < threads; ++i) start_fiber(i, block);
  for (unsigned left = threads; left > 0;) {
    for (unsigned i = 0; i < threads; ++i) {
      if (fibers[i].done) continue;
      current = i;
      threadIdx = fibers[i].thread;
      swapcontext(&scheduler, &fibers[i].context);
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

void* shared() { return shared_bytes_.data(); }
void wait_for_block() { wait_at(block_barrier); }
void wait_for_warp() { wait_at(warps[current / 32]); }
std::uint64_t* lane_slots() { return &slots[current / 32 * 32]; }
unsigned lane() { return current % 32; }

}  // namespace dlcore::emulation
