#include "base/parallel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "dlcore/error.h"

namespace dlcore {
namespace {

constexpr double kMuchWork = 1e9;  // an estimate that makes every thread worth it

class Threads : public testing::Test {
 protected:
  void SetUp() override { set_num_threads(4); }
  void TearDown() override { set_num_threads(before_); }
  int before_ = num_threads();
};

TEST_F(Threads, EveryChunkRunsOnce) {
  for (std::int64_t chunks : {0, 1, 2, 3, 7, 64, 1000}) {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(chunks));
      parallel_for(chunks, kMuchWork, [&](std::int64_t chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
      for (const auto& count : runs) ASSERT_EQ(count, 1);
    }
  }
}

TEST_F(Threads, JobsOfAnySizeFollowEachOther) {
  // More and fewer threads and chunks than in the job before, so that helpers come too late, or not at all.
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    set_num_threads(1 + static_cast<int>(random() % 6));
    const std::int64_t chunks = random() % 9;
    std::array<std::atomic<int>, 9> runs{};
    parallel_for(chunks, kMuchWork, [&](std::int64_t chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
    for (std::int64_t i = 0; i < 9; ++i) ASSERT_EQ(runs[static_cast<std::size_t>(i)], i < chunks ? 1 : 0);
  }
}

TEST_F(Threads, WorkersHaveRoomsOfTheirOwn) {
  for (int workers : {1, 2, 3, 8}) {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::atomic<int>> inside(static_cast<std::size_t>(workers));
      std::atomic<int> shared = 0, beyond = 0;
      std::vector<std::atomic<int>> runs(200);
      parallel_for_workers(200, kMuchWork, workers, [&](std::int64_t chunk, int worker) {
        ++runs[static_cast<std::size_t>(chunk)];
        if (worker < 0 || worker >= workers) {
          ++beyond;
          return;
        }
        if (++inside[static_cast<std::size_t>(worker)] > 1) ++shared;
        --inside[static_cast<std::size_t>(worker)];
      });
      for (const auto& count : runs) ASSERT_EQ(count, 1);
      ASSERT_EQ(beyond, 0);
      ASSERT_EQ(shared, 0);
    }
  }
}

TEST_F(Threads, RoomsAreForThoseThatCanComeAlone) {
  EXPECT_EQ(workers_for(0), 1);
  EXPECT_EQ(workers_for(3), 3);
  EXPECT_EQ(workers_for(5), 4);
  EXPECT_EQ(workers_for(std::int64_t{1} << 40), 4);
}

TEST_F(Threads, ChunksAreTakenFromThreadsThatDoNotCome) {
  // More threads than processors, and one chunk that lasts: the others' ranges are worked off by whoever is there.
  std::vector<std::atomic<int>> runs(64);
  parallel_for(64, kMuchWork, [&](std::int64_t chunk) {
    if (chunk == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++runs[static_cast<std::size_t>(chunk)];
  });
  for (const auto& count : runs) ASSERT_EQ(count, 1);
}

TEST_F(Threads, StepsFollowEachOther) {
  // Each chunk adds up what all chunks made in the step before; one of them lasts now and then.
  constexpr std::int64_t kSteps = 200;
  for (std::int64_t chunks : {1, 2, 3, 7, 20}) {
    std::vector<std::vector<std::uint64_t>> made(kSteps + 1, std::vector<std::uint64_t>(chunks, 1));
    std::atomic<int> runs{0};
    parallel_steps(kSteps, chunks, kMuchWork, [&](std::int64_t step, std::int64_t chunk) {
      if ((step + chunk) % 97 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
      std::uint64_t sum = static_cast<std::uint64_t>(chunk);
      for (std::uint64_t x : made[step]) sum = sum * 3 + x;
      made[step + 1][chunk] = sum;
      ++runs;
    });
    EXPECT_EQ(runs, kSteps * chunks);
    std::vector<std::uint64_t> expected(chunks, 1);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      std::vector<std::uint64_t> next(chunks);
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
        next[chunk] = static_cast<std::uint64_t>(chunk);
        for (std::uint64_t x : expected) next[chunk] = next[chunk] * 3 + x;
      }
      expected = next;
      ASSERT_EQ(made[step + 1], expected) << "step " << step << " of " << chunks << " chunks";
    }
  }
  parallel_steps(0, 5, kMuchWork, [](std::int64_t, std::int64_t) { FAIL(); });
  parallel_steps(5, 0, kMuchWork, [](std::int64_t, std::int64_t) { FAIL(); });
}

TEST_F(Threads, StepsRunInsideOfChunks) {
  std::atomic<int> runs{0};
  parallel_for(4, kMuchWork, [&](std::int64_t) {
    std::int64_t next = 0;  // in order on this one thread
    parallel_steps(10, 3, kMuchWork, [&](std::int64_t step, std::int64_t chunk) {
      if (step * 3 + chunk == next++) ++runs;
    });
  });
  EXPECT_EQ(runs, 4 * 30);
}

TEST_F(Threads, AllWritesAreSeenAfterwards) {
  std::vector<double> data(100000);
  for (int round = 0; round < 200; ++round) {
    parallel_for(100, kMuchWork, [&](std::int64_t chunk) {
      for (std::int64_t i = chunk * 1000; i < (chunk + 1) * 1000; ++i) data[static_cast<std::size_t>(i)] = round;
    });
    for (double x : data) ASSERT_EQ(x, round);
  }
}

TEST_F(Threads, NestedAndConcurrentCallsWork) {
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round)
        parallel_for(5, kMuchWork, [&](std::int64_t) { parallel_for(3, kMuchWork, [&](std::int64_t) { ++runs; }); });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 4 * 100 * 5 * 3);
}

TEST_F(Threads, AForkedChildStartsItsOwn) {
  parallel_for(8, kMuchWork, [](std::int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> runs{0};
    parallel_for(8, kMuchWork, [&](std::int64_t) { ++runs; });
    _exit(runs == 8 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Threads, AForkedChildThatGetsNoneWorksAlone) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    if (getuid() == 0 && setuid(65534) != 0) _exit(0);  // the limit is not for root
    int runs = 0;
    for (int round = 0; round < 2; ++round) parallel_for(8, kMuchWork, [&](std::int64_t) { ++runs; });
    _exit(runs == 16 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Threads, DenormalsAreFlushedInsideAndTheModeIsRestored) {
#if defined(__x86_64__)
  volatile float tiny = 1e-39f;
  std::atomic<int> flushed{0};
  parallel_for(8, kMuchWork, [&](std::int64_t) { flushed += tiny * 1.0f == 0.0f; });
  EXPECT_EQ(flushed, 8);
  EXPECT_NE(tiny * 1.0f, 0.0f);
#endif
}

TEST_F(Threads, AreAtLeastOneAndNoMoreThanCanBe) {
  EXPECT_THROW(set_num_threads(0), Error);
  EXPECT_THROW(set_num_threads(-1), Error);
  set_num_threads(1'000'000);
  EXPECT_EQ(num_threads(), 1024);
}

TEST(ChooseIsa, TheCapOnlyLowers) {
  EXPECT_EQ(choose_isa(Isa::Avx512, ""), Isa::Avx512);
  EXPECT_EQ(choose_isa(Isa::Avx512, "avx2"), Isa::Avx2);
  EXPECT_EQ(choose_isa(Isa::Avx2, "avx512"), Isa::Avx2);
  EXPECT_EQ(choose_isa(Isa::Avx2, "baseline"), Isa::Baseline);
  EXPECT_THROW(choose_isa(Isa::Avx2, "sse9"), Error);
}

}  // namespace
}  // namespace dlcore
