// Softmax, cross-entropy, normalisation and dropout in GB/s of bytes read and written. Warm: the buffers are used again
// in every iteration. "copy" in movement_bench.cpp is the yardstick.
#include <benchmark/benchmark.h>

#include <vector>

#include "program/primitive.h"

namespace dlcore {
namespace {

void run(benchmark::State& state, const char* name, const std::vector<TensorSpec>& in, const Attrs& attrs) {
  const Primitive& op = primitive(name);
  const Specs out = op.infer(in, attrs);
  const Kernel kernel = op.plan(in, out, attrs);
  std::vector<Tensor> tensors;
  std::vector<const void*> in_bytes;
  std::vector<void*> out_bytes;
  std::size_t bytes = 0;
  for (const TensorSpec& spec : in) {
    tensors.push_back(Tensor::zeros(spec.dtype, spec.shape));
    for (std::int64_t i = 0; spec.dtype == DType::F32 && i < spec.shape.elements(); ++i)
      tensors.back().data<float>()[i] = static_cast<float>(i % 97) * 0.02f;
    in_bytes.push_back(tensors.back().bytes());
    bytes += spec.bytes();
  }
  for (const TensorSpec& spec : out) {
    tensors.push_back(Tensor::zeros(spec.dtype, spec.shape));
    out_bytes.push_back(tensors.back().bytes());
    bytes += spec.bytes();
  }
  Storage scratch(kernel.scratch_bytes);
  for (auto _ : state) {
    kernel.run({in_bytes.data(), out_bytes.data(), scratch.data()});
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(bytes) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void add(const std::string& title, const char* name, std::vector<TensorSpec> in, Attrs attrs = {}) {
  benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) {
    run(state, name, in, attrs);
  })->UseRealTime();
}

TensorSpec f32(const Shape& shape) { return {DType::F32, shape}; }

const bool registered = [] {
  const TensorSpec labels{DType::I32, {128}}, seed{DType::I64, {2}};
  for (const Shape& shape : {Shape{128, 10}, Shape{4096, 2}, Shape{1024, 100}, Shape{128, 1000}, Shape{64, 50000}}) {
    add(str("softmax/", shape), "softmax", {f32(shape)});
    add(str("log_softmax/", shape), "log_softmax", {f32(shape)});
    add(str("softmax_grad/", shape), "softmax_grad", {f32(shape), f32(shape)});
  }
  add("softmax/(32, 64, 64) axis 1", "softmax", {f32({32, 64, 64})}, {{"axis", 1}});
  add("sparse_softmax_xent/(128, 10)", "sparse_softmax_xent", {f32({128, 10}), labels});
  add("sparse_softmax_xent_grad/(128, 10)", "sparse_softmax_xent_grad", {f32({128}), f32({128, 10}), labels});
  add("sparse_xent/(128, 10)", "sparse_xent", {f32({128, 10}), labels});
  add("softmax_xent/(128, 10)", "softmax_xent", {f32({128, 10}), f32({128, 10})});
  for (const Shape& shape : {Shape{128, 64}, Shape{3200, 128}, Shape{128, 24, 24, 32}}) {
    const Shape c{shape.back()};
    Shape rows = shape;
    rows = {shape.product(0, shape.rank() - 1)};
    const Shape flat{rows[0], c[0]};
    add(str("batch_norm/", shape), "batch_norm", {f32(flat), f32(c), f32(c)});
    add(str("batch_norm_grad/", shape), "batch_norm_grad", {f32(flat), f32(c), f32(c), f32(c), f32(flat)});
    add(str("layer_norm/", shape), "layer_norm", {f32(flat), f32(c), f32(c)});
    add(str("layer_norm_grad/", shape), "layer_norm_grad", {f32(flat), f32(c), f32(rows), f32(rows), f32(flat)});
  }
  for (const Shape& shape : {Shape{128, 128}, Shape{128, 9216}, Shape{4096, 4096}}) {
    add(str("dropout/", shape), "dropout", {f32(shape), seed}, {{"rate", 0.25}});
    add(str("random_uniform/", shape), "random_uniform", {seed, f32(shape)});
    add(str("random_normal/", shape), "random_normal", {seed, f32(shape)});
  }
  return true;
}();

}  // namespace
}  // namespace dlcore
