// Recurrent layers over whole sequences: forward, and forward with backward. GFLOP/s count the products only.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/rnn/rnn.h"

namespace dlcore {
namespace {

/// A layer with small weights, so that nothing saturates, and all that its kernels need.
struct Layer {
  explicit Layer(RnnShape s) : shape(s) {
    const std::int64_t cols = rnn_gates(shape.cell) * shape.units, state = shape.batch * shape.units;
    shape.bias_rows = shape.cell == RnnCell::GruResetAfter ? 2 : 1;
    fill(x, shape.batch * shape.steps * shape.channels, 1.0f);
    fill(w_x, shape.channels * cols, 0.1f);
    fill(w_h, shape.units * cols, 0.1f);
    fill(b, shape.bias_rows * cols, 0.1f);
    fill(h0, state, 0.1f);
    fill(dy, shape.steps * state, 0.1f);
    for (auto* out : {&h_T, &c_T, &dh0, &dc0}) out->resize(state);
    y.resize(shape.steps * state);
    workspace.resize(shape.steps * shape.batch * rnn_workspace_size(shape));
    dx.resize(x.size()), dw_x.resize(w_x.size()), dw_h.resize(w_h.size()), db.resize(b.size());
    gradient.emplace(shape);
    layer.emplace(shape);
    scratch.resize(layer->scratch_bytes() / 4 + gradient->scratch_bytes() / 4 + 16);
  }

  void forward() {
    layer->run({.x = x.data(),
                .w_x = w_x.data(),
                .w_h = w_h.data(),
                .b = b.data(),
                .h0 = h0.data(),
                .c0 = h0.data(),
                .mask = nullptr,
                .y = y.data(),
                .h_T = h_T.data(),
                .c_T = c_T.data(),
                .workspace = workspace.data()},
               aligned_scratch());
  }
  void backward() {
    gradient->run({.x = x.data(),
                   .w_x = w_x.data(),
                   .w_h = w_h.data(),
                   .mask = nullptr,
                   .workspace = workspace.data(),
                   .dy = dy.data(),
                   .dh_T = nullptr,
                   .dc_T = nullptr,
                   .dx = dx.data(),
                   .dw_x = dw_x.data(),
                   .dw_h = dw_h.data(),
                   .db = db.data(),
                   .dh0 = dh0.data(),
                   .dc0 = dc0.data()},
                  aligned_scratch());
  }

  RnnShape shape;
  std::optional<RnnLayer<float>> layer;
  std::optional<RnnGradient<float>> gradient;
  std::vector<float> x, w_x, w_h, b, h0, dy, y, h_T, c_T, workspace, dx, dw_x, dw_h, db, dh0, dc0, scratch;

 private:
  static void fill(std::vector<float>& v, std::int64_t count, float scale) {
    v.resize(count);
    std::uint32_t state = 12345;
    for (float& x : v) {
      state = state * 1664525u + 1013904223u;
      x = scale * (static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
    }
  }
  void* aligned_scratch() {
    return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64);
  }
};

RnnShape shape_of(const benchmark::State& state) {
  return {.cell = static_cast<RnnCell>(state.range(0)),
          .batch = state.range(1),
          .steps = state.range(2),
          .channels = state.range(3),
          .units = state.range(4)};
}

void report(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void rnn_forward(benchmark::State& state) {
  Layer layer(shape_of(state));
  for (auto _ : state) layer.forward();
  report(state, rnn_forward_flops(layer.shape));
}

void rnn_step(benchmark::State& state) {
  Layer layer(shape_of(state));
  for (auto _ : state) {
    layer.forward();
    layer.backward();
  }
  report(state, rnn_forward_flops(layer.shape) + rnn_backward_flops(layer.shape));
}

void shapes(benchmark::internal::Benchmark* bench) {
  const auto cell = [](RnnCell c) { return static_cast<std::int64_t>(c); };
  bench->ArgNames({"cell", "B", "T", "C", "U"});
  bench->Args({cell(RnnCell::Lstm), 32, 10, 1, 50});
  bench->Args({cell(RnnCell::Lstm), 32, 100, 128, 64});
  bench->Args({cell(RnnCell::Lstm), 64, 128, 128, 64});
  bench->Args({cell(RnnCell::Lstm), 32, 50, 64, 128});
  bench->Args({cell(RnnCell::Lstm), 32, 100, 256, 256});
  bench->Args({cell(RnnCell::Lstm), 64, 128, 128, 256});
  bench->Args({cell(RnnCell::Lstm), 128, 32, 512, 512});
  bench->Args({cell(RnnCell::GruResetAfter), 32, 50, 64, 128});
  bench->Args({cell(RnnCell::GruResetBefore), 32, 50, 64, 128});
  bench->Args({cell(RnnCell::Simple), 32, 100, 128, 64});
  bench->Unit(benchmark::kMicrosecond)->UseRealTime();
}
BENCHMARK(rnn_forward)->Apply(shapes);
BENCHMARK(rnn_step)->Apply(shapes);

}  // namespace
}  // namespace dlcore
