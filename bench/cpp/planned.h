// A primitive planned once and run on buffers of its own, and the speed of a plain copy to hold it against.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include "dlcore/tensor.h"
#include "kernels/movement/movement.h"
#include "program/primitive.h"

namespace dlcore::bench {

/// Reals of [low, high).
inline Tensor random_tensor(const Shape& shape, double low = -1, double high = 1) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(static_cast<float>(low), static_cast<float>(high));
  Tensor tensor = Tensor::empty(DType::F32, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) tensor.data<float>()[i] = uniform(random);
  return tensor;
}

class Planned {
 public:
  Planned(const char* op, std::vector<Tensor> inputs, const Attrs& attrs = {}) : inputs_(std::move(inputs)) {
    std::vector<TensorSpec> specs;
    for (const Tensor& input : inputs_) specs.push_back(input.spec());
    const Specs out = primitive(op).infer(specs, attrs);
    kernel_ = primitive(op).plan(specs, out, attrs);
    for (const TensorSpec& spec : out) outputs_.push_back(Tensor::zeros(spec.dtype, spec.shape));
    for (const Tensor& input : inputs_) in_.push_back(input.bytes());
    for (const Tensor& output : outputs_) out_.push_back(output.bytes());
    scratch_ = std::make_unique<Storage>(kernel_.scratch_bytes);
  }
  void run() const { kernel_.run({in_.data(), out_.data(), scratch_->data()}); }
  /// Writes outputs over inputs where the kernel allows it.
  void run_in_place() {
    for (const auto& [out, in] : kernel_.in_place) out_[out] = const_cast<void*>(in_[in]);
  }
  const Kernel& kernel() const { return kernel_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }
  /// Read once and written once.
  std::int64_t bytes() const {
    std::int64_t total = 0;
    for (const std::vector<Tensor>* tensors : {&inputs_, &outputs_})
      for (const Tensor& tensor : *tensors) total += static_cast<std::int64_t>(tensor.spec().bytes());
    return total;
  }

 private:
  std::vector<Tensor> inputs_, outputs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  Kernel kernel_;
  std::unique_ptr<Storage> scratch_;
};

template <class Body>
double seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Times `planned` and, turn about, a copy that reads and writes as many bytes: best times of both. Buffers are warm as
/// far as the caches hold them.
inline void against_copy(benchmark::State& state, const Planned& planned) {
  const std::int64_t half = planned.bytes() / 2;
  Storage from(static_cast<std::size_t>(half)), to(static_cast<std::size_t>(half));
  std::fill_n(from.data(), half, std::byte{1});
  double best = 1e30, best_copy = 1e30;
  planned.run();
  for (auto _ : state) {
    const double time = seconds([&] { planned.run(); });
    best_copy = std::min(best_copy, seconds([&] { copy_bytes(from.data(), to.data(), half); }));
    best = std::min(best, time);
    state.SetIterationTime(time);
  }
  state.counters["best_us"] = best * 1e6;
  state.counters["GB/s"] = static_cast<double>(planned.bytes()) / best * 1e-9;
  state.counters["of_copy"] = best_copy / best;
}

}  // namespace dlcore::bench
