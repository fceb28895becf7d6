// What a call of a program costs beside its kernels.
#include "dlcore/program.h"

#include "planned.h"
#include "program/graph.h"

namespace dlcore::bench {
namespace {

/// Softmax after softmax of one row.
void chain(benchmark::State& state, int nodes) {
  const Tensor x = random_tensor({1, 16});
  const auto graph = std::make_shared<Graph>();
  Tensor y = graph->input(x.spec(), "x");
  for (int i = 0; i < nodes; ++i) y = apply("softmax", {y}, {{"axis", std::int64_t{-1}}});
  graph->set_outputs({&y, 1}, {});
  const auto program = Program::compile(*graph);
  const Planned kernel("softmax", {x}, {{"axis", std::int64_t{-1}}});
  constexpr int kTimes = 1000;  // a call is not much longer than it takes to look at the clock
  double best = 1e30, best_kernel = 1e30;
  for (auto _ : state) {
    const double time = seconds([&] {
      for (int i = 0; i < kTimes; ++i) benchmark::DoNotOptimize(program->run({&x, 1}));
    });
    const double kernel_time = seconds([&] {
      for (int i = 0; i < kTimes; ++i) kernel.run();
    });
    best = std::min(best, time / kTimes);
    best_kernel = std::min(best_kernel, kernel_time / kTimes);
    state.SetIterationTime(time);
  }
  state.counters["best_us"] = best * 1e6;
  state.counters["kernels_us"] = nodes * best_kernel * 1e6;
  state.counters["overhead_us"] = (best - nodes * best_kernel) * 1e6;
}

const bool registered = [] {
  for (const int nodes : {1, 10, 100})
    benchmark::RegisterBenchmark(str("call/softmax_", nodes).c_str(), [=](benchmark::State& state) {
      chain(state, nodes);
    })->UseManualTime();
  return true;
}();

}  // namespace
}  // namespace dlcore::bench
