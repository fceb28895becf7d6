// Convolution and pooling kernels on the named shapes: FLOP/s and their share of the measured peak, counted on the
// unpadded shape. "pooled" are the gradients behind a max pooling of 2x2, which count what is not zero.
//
//   OMP_NUM_THREADS=2 build/bench/bench/cpp/dlcore_bench --benchmark_filter='conv/mnist_2/'
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "dlcore/tensor.h"
#include "peaks.h"
#include "planned.h"

namespace dlcore {
namespace {

using bench::Planned;
using bench::random_tensor;

struct NamedShape {
  const char* name;
  std::int64_t n, h, w, cin, cout, kernel, stride, dilation, groups;
  bool same;
};
constexpr NamedShape kNamedShapes[] = {
#include "../../tests/shapes/conv.txt"
};

Attrs conv_attrs(const NamedShape& s) {
  return {{"strides", std::vector<std::int64_t>{s.stride, s.stride}},
          {"dilation", std::vector<std::int64_t>{s.dilation, s.dilation}},
          {"padding", std::string(s.same ? "same" : "valid")},
          {"groups", s.groups}};
}

void run_against_peak(benchmark::State& state, const Planned& planned) {
  bench::against_peak(state, planned.kernel().flops, [&] { planned.run(); });
  state.SetLabel(planned.kernel().label);
}

void run_conv(benchmark::State& state, const char* op, const NamedShape& s) {
  const Attrs attrs = conv_attrs(s);
  const Tensor x = random_tensor({s.n, s.h, s.w, s.cin});
  const Tensor w = random_tensor({s.kernel, s.kernel, s.cin / s.groups, s.cout});
  const std::vector<TensorSpec> specs{x.spec(), w.spec()};
  const Tensor y = random_tensor(primitive("conv2d").infer(specs, attrs)[0].shape);
  const std::string name = op;
  std::vector<Tensor> inputs{x, w};
  if (name == "conv2d_backward_input") inputs = {y, w, x};
  if (name == "conv2d_backward_weights") inputs = {x, y, w};
  run_against_peak(state, Planned(op, inputs, attrs));
}

void run_pooled(benchmark::State& state, bool weights, const NamedShape& s) {
  Attrs attrs = conv_attrs(s);
  attrs.set("pool_window", std::vector<std::int64_t>{2, 2});
  const Tensor x = random_tensor({s.n, s.h, s.w, s.cin}), w = random_tensor({s.kernel, s.kernel, s.cin, s.cout});
  const Planned conv("conv2d", {x, w}, conv_attrs(s));
  conv.run();
  const Planned pool("max_pool2d", {conv.outputs()[0]}, {{"window", std::vector<std::int64_t>{2, 2}}});
  pool.run();
  const Tensor dp = random_tensor(pool.outputs()[0].shape()), argmax = pool.outputs()[1];
  if (weights)
    run_against_peak(state, Planned("conv2d_pooled_backward_weights", {x, dp, argmax, w}, attrs));
  else
    run_against_peak(state, Planned("conv2d_pooled_backward_input", {dp, argmax, w, x}, attrs));
}

/// A convolution with max pooling behind it, as one node.
void run_pooled_forward(benchmark::State& state, const NamedShape& s) {
  Attrs attrs = conv_attrs(s);
  attrs.set("pool_window", std::vector<std::int64_t>{2, 2});
  const Tensor x = random_tensor({s.n, s.h, s.w, s.cin}), w = random_tensor({s.kernel, s.kernel, s.cin, s.cout});
  run_against_peak(state, Planned("conv2d_max_pool2d", {x, w}, attrs));
}

void run_pool(benchmark::State& state, bool gradient, const NamedShape& s) {
  const Attrs attrs{{"window", std::vector<std::int64_t>{2, 2}}};
  const Tensor x = random_tensor({s.n, s.h, s.w, s.cout});
  const Planned forward("max_pool2d", {x}, attrs);
  forward.run();
  const std::vector<Tensor>& pooled = forward.outputs();
  const Planned backward("max_pool2d_grad", {pooled[0], pooled[1], x}, attrs);
  const Planned& planned = gradient ? backward : forward;
  for (auto _ : state) planned.run();
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(x.spec().bytes() + 5 * pooled[1].spec().bytes()));
}

const bool kRegistered = [] {
  for (const NamedShape& s : kNamedShapes) {
    for (const char* op : {"conv2d", "conv2d_backward_input", "conv2d_backward_weights"})
      benchmark::RegisterBenchmark(str("conv/", s.name, '/', op).c_str(), run_conv, op, s)->UseManualTime();
    if (s.stride > 1 || s.h < 6) continue;
    if (s.groups == 1 && s.dilation == 1) {
      benchmark::RegisterBenchmark(str("conv/", s.name, "/pooled").c_str(), run_pooled_forward, s)->UseManualTime();
      benchmark::RegisterBenchmark(str("conv/", s.name, "/pooled_input").c_str(), run_pooled, false, s)
          ->UseManualTime();
      benchmark::RegisterBenchmark(str("conv/", s.name, "/pooled_weights").c_str(), run_pooled, true, s)
          ->UseManualTime();
    }
    benchmark::RegisterBenchmark(str("pool/", s.name, "/max_pool2d").c_str(), run_pool, false, s)->UseRealTime();
    benchmark::RegisterBenchmark(str("pool/", s.name, "/max_pool2d_grad").c_str(), run_pool, true, s)->UseRealTime();
  }
  return true;
}();

}  // namespace
}  // namespace dlcore
