// Movement in GB/s of bytes read and written, beside a plain copy of as many bytes ("copy"). Warm: the buffers are
// used again in every iteration, so what fits a cache is read from it.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/movement/movement.h"
#include "program/primitive.h"

namespace dlcore {
namespace {

using Integers = std::vector<std::int64_t>;

/// Runs one planned primitive on zeros.
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

void add(const std::string& title, const char* name, std::vector<TensorSpec> in, Attrs attrs) {
  benchmark::RegisterBenchmark(("movement/" + title).c_str(), [=](benchmark::State& state) {
    run(state, name, in, attrs);
  })->UseRealTime();
}

TensorSpec f32(const Shape& shape) { return {DType::F32, shape}; }

const bool registered = [] {
  add("copy/1MB", "copy", {f32({262144})}, {});
  add("copy/64MB", "copy", {f32({16777216})}, {});
  add("transpose/512x512", "transpose", {f32({512, 512})}, {});
  add("transpose/4096x4096", "transpose", {f32({4096, 4096})}, {});
  add("transpose/784x128", "transpose", {f32({784, 128})}, {});
  add("transpose/bool/1024x1024", "transpose", {{DType::Bool, {1024, 1024}}}, {});
  add("transpose/BTC_TBC/32x100x128", "transpose", {f32({32, 100, 128})}, {{"permutation", Integers{1, 0, 2}}});
  add("transpose/BTC_BCT/32x100x64", "transpose", {f32({32, 100, 64})}, {{"permutation", Integers{0, 2, 1}}});
  add("transpose/BTC_TBC/32x10x1", "transpose", {f32({32, 10, 1})}, {{"permutation", Integers{1, 0, 2}}});
  add("transpose/NHWC_NCHW/32x56x56x64", "transpose", {f32({32, 56, 56, 64})}, {{"permutation", Integers{0, 3, 1, 2}}});
  add("transpose/NHWC_NCHW/32x224x224x3", "transpose", {f32({32, 224, 224, 3})},
      {{"permutation", Integers{0, 3, 1, 2}}});
  add("transpose/NCHW_NHWC/32x3x224x224", "transpose", {f32({32, 3, 224, 224})},
      {{"permutation", Integers{0, 2, 3, 1}}});
  add("concat/last/1024x(64+64)", "concat", {f32({1024, 64}), f32({1024, 64})}, {{"axis", 1}});
  add("slice/step/32x1x128", "slice", {f32({32, 100, 128})},
      {{"starts", Integers{0, 50, 0}}, {"stops", Integers{32, 51, 128}}});
  add("broadcast/bias/4096x128", "broadcast_to", {f32({128})}, {{"shape", Integers{4096, 128}}});
  add("broadcast/column/4096x128", "broadcast_to", {f32({4096, 1})}, {{"shape", Integers{4096, 128}}});
  add("pad/32x56x56x64", "pad", {f32({32, 56, 56, 64})},
      {{"low", Integers{0, 1, 1, 0}}, {"high", Integers{0, 1, 1, 0}}});
  add("flip/32x100x128", "flip", {f32({32, 100, 128})}, {{"axes", Integers{1}}});
  add("fill/4MB", "full_like", {f32({1048576})}, {});
  return true;
}();

}  // namespace
}  // namespace dlcore
