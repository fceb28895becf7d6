// Convolution and pooling kernels on the named shapes: FLOP/s, counted on the unpadded shape.
//
//   OMP_NUM_THREADS=2 build/bench/cpp/dlcore_bench --benchmark_filter='conv/.*mnist_2'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "dlcore/tensor.h"
#include "program/primitive.h"

namespace dlcore {
namespace {

struct NamedShape {
  const char* name;
  std::int64_t n, h, w, cin, cout, kernel, stride, dilation, groups;
  bool same;
};
constexpr NamedShape kNamedShapes[] = {
#include "../../tests/shapes/conv.txt"
};

Tensor random_tensor(const Shape& shape) {
  std::mt19937 random(1);
  Tensor tensor = Tensor::empty(DType::F32, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    tensor.data<float>()[i] = static_cast<float>(random()) * 0x1p-31f - 1;
  return tensor;
}

/// One primitive planned for its inputs, with buffers of its own.
class Planned {
 public:
  Planned(const char* op, std::vector<Tensor> inputs, const Attrs& attrs) : inputs_(std::move(inputs)) {
    std::vector<TensorSpec> specs;
    for (const Tensor& input : inputs_) specs.push_back(input.spec());
    const Specs out = primitive(op).infer(specs, attrs);
    kernel_ = primitive(op).plan(specs, out, attrs);
    for (const TensorSpec& spec : out) outputs_.push_back(Tensor::empty(spec.dtype, spec.shape));
    for (const Tensor& input : inputs_) in_.push_back(input.bytes());
    for (const Tensor& output : outputs_) out_.push_back(output.bytes());
    scratch_ = std::make_unique<Storage>(kernel_.scratch_bytes);
  }
  void run() const { kernel_.run({in_.data(), out_.data(), scratch_->data()}); }
  const Kernel& kernel() const { return kernel_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }

 private:
  std::vector<Tensor> inputs_, outputs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  Kernel kernel_;
  std::unique_ptr<Storage> scratch_;
};

void run_conv(benchmark::State& state, const char* op, const NamedShape& s) {
  const Attrs attrs{{"strides", std::vector<std::int64_t>{s.stride, s.stride}},
                    {"dilation", std::vector<std::int64_t>{s.dilation, s.dilation}},
                    {"padding", std::string(s.same ? "same" : "valid")},
                    {"groups", s.groups}};
  const Tensor x = random_tensor({s.n, s.h, s.w, s.cin});
  const Tensor w = random_tensor({s.kernel, s.kernel, s.cin / s.groups, s.cout});
  const std::vector<TensorSpec> specs{x.spec(), w.spec()};
  const Tensor y = random_tensor(primitive("conv2d").infer(specs, attrs)[0].shape);
  const std::string name = op;
  std::vector<Tensor> inputs{x, w};
  if (name == "conv2d_backward_input") inputs = {y, w, x};
  if (name == "conv2d_backward_weights") inputs = {x, y, w};
  const Planned planned(op, inputs, attrs);
  for (auto _ : state) planned.run();
  state.counters["FLOP/s"] = benchmark::Counter(planned.kernel().flops, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(planned.kernel().label);
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
      benchmark::RegisterBenchmark((str("conv/", s.name, '/', op)).c_str(), run_conv, op, s)->UseRealTime();
    if (s.stride > 1 || s.h < 6) continue;
    benchmark::RegisterBenchmark(str("pool/", s.name, "/max_pool2d").c_str(), run_pool, false, s)->UseRealTime();
    benchmark::RegisterBenchmark(str("pool/", s.name, "/max_pool2d_grad").c_str(), run_pool, true, s)->UseRealTime();
  }
  return true;
}();

}  // namespace
}  // namespace dlcore
