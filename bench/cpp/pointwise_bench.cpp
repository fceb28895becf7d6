// Elementwise primitives, fused chains and reductions: GB/s, and the share of a copy of as many bytes.
//
//   OMP_NUM_THREADS=2 build/bench/bench/cpp/dlcore_bench --benchmark_filter='pointwise/|reduce/'
#include <string>

#include "kernels/pointwise/program.h"
#include "planned.h"

namespace dlcore::bench {
namespace {

constexpr std::int64_t kSizes[] = {10'000, 100'000, 1'000'000, 10'000'000};

void register_case(const std::string& name, const std::function<Planned(std::int64_t)>& make,
                   std::span<const std::int64_t> sizes) {
  for (std::int64_t size : sizes)
    benchmark::RegisterBenchmark(str(name, '/', size).c_str(), [make, size](benchmark::State& state) {
      against_copy(state, make(size));
    })->UseManualTime();
}

/// y = tanh(x * scale + bias), gradient = dy * (1 - y^2) * scale: five instructions, two outputs.
Planned fused_chain(std::int64_t size) {
  using enum Opcode;
  const DType f = DType::F32;
  const PointwiseProgram program{
      4,
      {{Mul, f, {0, 1, 0}}, {Add, f, {4, 2, 0}}, {Tanh, f, {5, 0, 0}}, {TanhGrad, f, {3, 6, 0}}, {Mul, f, {7, 1, 0}}},
      {6, 8}};
  const Shape shape = {size / 100, 100};
  return Planned("fused", {random_tensor(shape), Tensor::scalar(f, 0.7), random_tensor({100}), random_tensor(shape)},
                 {{"code", encode_code(program)}, {"immediates", encode_immediates(program)}});
}

const bool kRegistered = [] {
  for (const char* op : {"neg", "relu", "exp", "log", "tanh", "sigmoid", "gelu", "erf", "sqrt", "sin"})
    register_case(
        str("pointwise/", op), [op](std::int64_t n) { return Planned(op, {random_tensor({n}, 0.1, 2)}); }, kSizes);
  for (const char* op : {"add", "mul", "div", "maximum", "pow", "greater"})
    register_case(
        str("pointwise/", op),
        [op](std::int64_t n) {
          return Planned(op, {random_tensor({n}, 0.1, 2), random_tensor({n}, 0.1, 2)});
        },
        kSizes);
  register_case(
      "pointwise/add_scalar",
      [](std::int64_t n) {
        return Planned("add", {random_tensor({n}), Tensor::scalar(DType::F32, 1)});
      },
      kSizes);
  register_case(
      "pointwise/pow_2",
      [](std::int64_t n) {
        return Planned("pow", {random_tensor({n}), Tensor::scalar(DType::F32, 2)});
      },
      kSizes);
  register_case(
      "pointwise/add_bias_10",
      [](std::int64_t n) {
        return Planned("add", {random_tensor({n / 10, 10}), random_tensor({10})});
      },
      kSizes);
  register_case(
      "pointwise/add_column_100",
      [](std::int64_t n) {
        return Planned("add", {random_tensor({n / 100, 100}), random_tensor({n / 100, 1})});
      },
      kSizes);
  register_case("pointwise/fused_tanh_and_gradient", fused_chain, kSizes);
  const auto reduced = [](const char* op, std::int64_t columns, std::int64_t axis) {
    return [=](std::int64_t n) {
      return Planned(op, {random_tensor({n / columns, columns})}, {{"axes", std::vector<std::int64_t>{axis}}});
    };
  };
  register_case(
      "reduce/sum_all", [](std::int64_t n) { return Planned("reduce_sum", {random_tensor({n})}); }, kSizes);
  for (std::int64_t columns : {10, 64, 1000}) {
    register_case(str("reduce/sum_columns_", columns), reduced("reduce_sum", columns, 0), kSizes);
    register_case(str("reduce/sum_rows_", columns), reduced("reduce_sum", columns, 1), kSizes);
  }
  register_case("reduce/max_rows_100", reduced("reduce_max", 100, 1), kSizes);
  register_case("reduce/logsumexp_rows_100", reduced("reduce_logsumexp", 100, 1), kSizes);
  return true;
}();

}  // namespace
}  // namespace dlcore::bench
