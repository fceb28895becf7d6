// The machine's peaks, and the matrix product on the named shapes: FLOP/s and their share of the measured peak, which
// is float32's for bfloat16 too.
//
//   OMP_NUM_THREADS=2 build/bench/bench/cpp/dlcore_bench --benchmark_filter=gemm/square_1024
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "dlcore/tensor.h"
#include "kernels/gemm/amx.h"
#include "kernels/gemm/gemm.h"
#include "peaks.h"

namespace dlcore {
namespace {

struct NamedShape {
  const char* name;
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};
constexpr NamedShape kNamedShapes[] = {
#include "../../tests/shapes/gemm.txt"
};

void run_peak_flops(benchmark::State& state, double (*measure)()) {
  std::vector<double> rates;
  for (auto _ : state) rates.push_back(measure());
  std::sort(rates.begin(), rates.end());
  state.counters["median"] = rates[rates.size() / 2];
  state.counters["best"] = rates.back();
}

void run_peak_bandwidth(benchmark::State& state) {
  double peak = 0;
  for (auto _ : state) peak = std::max(peak, bench::peak_bandwidth(num_threads()));
  state.counters["B/s"] = peak;
}

template <class T>
constexpr DType kDType = sizeof(T) == 2 ? DType::BF16 : DType::F32;

template <class T>
Tensor ones(std::int64_t rows, std::int64_t cols) {
  const Tensor tensor = Tensor::empty(kDType<T>, {rows, cols});
  std::fill_n(tensor.data<T>(), rows * cols, narrow<T>(1.0f));
  return tensor;
}

// Every element of the product of ones is k.
template <class T>
bool is_right(const Tensor& c, std::int64_t k) {
  const T* data = c.data<T>();
  const float expected = widen(narrow<T>(static_cast<float>(k)));
  return std::all_of(data, data + c.shape().elements(), [expected](T x) { return widen(x) == expected; });
}

template <class T>
void run_gemm(benchmark::State& state, const NamedShape& s) {
  const GemmPlan plan = plan_gemm<T>(dense_gemm(s.m, s.n, s.k, s.transpose_a, s.transpose_b));
  const Tensor a = ones<T>(s.m, s.k), b = ones<T>(s.k, s.n), c = ones<T>(s.m, s.n);
  Storage scratch(plan.scratch_bytes);
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  bench::against_peak(state, flops, [&] { gemm<T>(plan, a.data<T>(), b.data<T>(), c.data<T>(), {}, scratch.data()); });
  if (!is_right<T>(c, s.k)) state.SkipWithError("wrong result");
  state.SetLabel(gemm_label<T>(plan));
}

const bool kRegistered = [] {
  const auto peak = [](const char* name, double (*measure)()) {
    benchmark::RegisterBenchmark(name, run_peak_flops, measure)->Iterations(1000)->UseRealTime();
  };
  peak("peak/flops", bench::measure_flops);
  if (amx_kernels()) {
    peak("peak/tiles", [] { return bench::measure_tile_flops(false); });
    peak("peak/tiles_loaded", [] { return bench::measure_tile_flops(true); });
  }
  benchmark::RegisterBenchmark("peak/bandwidth", run_peak_bandwidth)->Iterations(1)->UseRealTime();
  for (const NamedShape& s : kNamedShapes)
    benchmark::RegisterBenchmark(str("gemm/", s.name).c_str(), run_gemm<float>, s)->UseManualTime();
  if (gemm_bfloat_kernels())
    for (const NamedShape& s : kNamedShapes)
      benchmark::RegisterBenchmark(str("gemm_bf16/", s.name).c_str(), run_gemm<Bfloat>, s)->UseManualTime();
  return true;
}();

}  // namespace
}  // namespace dlcore
