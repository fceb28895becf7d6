// Optimizer updates in place: GB/s, and the share of a copy of as many bytes.
//
//   OMP_NUM_THREADS=2 build/bench/bench/cpp/dlcore_bench --benchmark_filter='optim/'
#include <string>

#include "planned.h"

namespace dlcore::bench {
namespace {

/// `tensors` weights of `size` elements each.
Planned update(const char* op, Attrs attrs, int states, bool has_step, int tensors, std::int64_t size) {
  std::vector<Tensor> inputs;
  for (int i = 0; i < tensors * (2 + states); ++i) inputs.push_back(random_tensor({size}, 0, 1));
  inputs.push_back(Tensor::scalar(DType::F32, 1e-3));
  if (has_step) inputs.push_back(Tensor::scalar(DType::I64, 10));
  attrs.set("n", std::int64_t{tensors});
  Planned planned(op, std::move(inputs), attrs);
  planned.run_in_place();
  return planned;
}

const bool kRegistered = [] {
  struct Case {
    const char *name, *op;
    Attrs attrs;
    int states;
    bool has_step;
  };
  const Case cases[] = {{"sgd", "sgd_update", {}, 0, false},
                        {"momentum", "sgd_update", {{"momentum", 0.9}}, 1, false},
                        {"rmsprop", "rmsprop_update", {}, 1, false},
                        {"adam", "adam_update", {}, 2, true}};
  for (const Case& c : cases)
    for (auto [tensors, size] : {std::pair{1, 100'000}, {1, 1'000'000}, {1, 10'000'000}, {500, 100}, {20, 50'000}})
      benchmark::RegisterBenchmark(str("optim/", c.name, '/', tensors, 'x', size).c_str(),
                                   [=](benchmark::State& state) {
                                     against_copy(state, update(c.op, c.attrs, c.states, c.has_step, tensors, size));
                                   })
          ->UseManualTime();
  return true;
}();

}  // namespace
}  // namespace dlcore::bench
