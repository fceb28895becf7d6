// Optimizer updates: sequences against a plain reference in double, many tensors together, threads, messages.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "dlcore/ops.h"
#include "dlcore/program.h"
#include "gradient_check.h"
#include "kernels/gemm/gemm.h"
#include "program/graph.h"
#include "program/passes.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::error_text;
using testing::WithThreads;

/// Weight, gradient and states of one element, in double.
struct Element {
  double p, g, s[3];
};
struct Setting {
  const char* op;
  Attrs attrs;
  int states;
  bool has_step;
  /// One step as the papers and Keras define it; t counts from 1.
  void (*step)(Element& e, double lr, int t);
};

constexpr double kEpsilon = 1e-7;

void momentum_step(Element& e, double lr, int) {
  e.s[0] = 0.9 * e.s[0] - lr * e.g;
  e.p += e.s[0];
}
void nesterov_step(Element& e, double lr, int) {
  e.s[0] = 0.9 * e.s[0] - lr * e.g;
  e.p += 0.9 * e.s[0] - lr * e.g;
}
void rmsprop_step(Element& e, double lr, int) {
  e.s[0] = 0.8 * e.s[0] + 0.2 * e.g * e.g;
  e.p -= lr * e.g / std::sqrt(e.s[0] + kEpsilon);
}
void rmsprop_momentum_step(Element& e, double lr, int) {
  e.s[0] = 0.8 * e.s[0] + 0.2 * e.g * e.g;
  e.s[1] = 0.7 * e.s[1] + lr * e.g / std::sqrt(e.s[0] + kEpsilon);
  e.p -= e.s[1];
}
void centered_rmsprop_step(Element& e, double lr, int) {
  e.s[0] = 0.8 * e.s[0] + 0.2 * e.g * e.g;
  e.s[1] = 0.8 * e.s[1] + 0.2 * e.g;
  e.p -= lr * e.g / std::sqrt(e.s[0] - e.s[1] * e.s[1] + 1e-3);
}
void centered_momentum_step(Element& e, double lr, int) {
  e.s[0] = 0.8 * e.s[0] + 0.2 * e.g * e.g;
  e.s[1] = 0.8 * e.s[1] + 0.2 * e.g;
  e.s[2] = 0.7 * e.s[2] + lr * e.g / std::sqrt(e.s[0] - e.s[1] * e.s[1] + 1e-3);
  e.p -= e.s[2];
}
template <bool amsgrad, bool decay>
void adam_step(Element& e, double lr, int t) {
  if (decay) e.p -= e.p * 0.01 * lr;
  e.s[0] = 0.9 * e.s[0] + 0.1 * e.g;
  e.s[1] = 0.99 * e.s[1] + 0.01 * e.g * e.g;
  if (amsgrad) e.s[2] = std::max(e.s[2], e.s[1]);
  const double alpha = lr * std::sqrt(1 - std::pow(0.99, t)) / (1 - std::pow(0.9, t));
  e.p -= alpha * e.s[0] / (std::sqrt(e.s[amsgrad ? 2 : 1]) + kEpsilon);
}

const std::vector<Setting>& settings() {
  const Attrs centered = {{"rho", 0.8}, {"epsilon", 1e-3}, {"centered", true}};
  static const std::vector<Setting> all = {
      {"sgd_update", {}, 0, false, [](Element& e, double lr, int) { e.p -= lr * e.g; }},
      {"sgd_update", {{"momentum", 0.9}}, 1, false, momentum_step},
      {"sgd_update", {{"momentum", 0.9}, {"nesterov", true}}, 1, false, nesterov_step},
      {"rmsprop_update", {{"rho", 0.8}}, 1, false, rmsprop_step},
      {"rmsprop_update", {{"rho", 0.8}, {"momentum", 0.7}}, 2, false, rmsprop_momentum_step},
      {"rmsprop_update", centered, 2, false, centered_rmsprop_step},
      {"rmsprop_update",
       {{"rho", 0.8}, {"epsilon", 1e-3}, {"centered", true}, {"momentum", 0.7}},
       3,
       false,
       centered_momentum_step},
      {"adam_update", {{"beta_2", 0.99}}, 2, true, adam_step<false, false>},
      {"adam_update", {{"beta_2", 0.99}, {"amsgrad", true}}, 3, true, adam_step<true, false>},
      {"adam_update", {{"beta_2", 0.99}, {"weight_decay", 0.01}}, 2, true, adam_step<false, true>},
      {"adagrad_update",
       {},
       1,
       false,
       [](Element& e, double lr, int) {
         e.s[0] += e.g * e.g;
         e.p -= lr * e.g / std::sqrt(e.s[0] + kEpsilon);
       }},
  };
  return all;
}

Tensor tensor_of(std::int64_t n, DType dtype, const std::function<double(std::int64_t)>& number) {
  Tensor t = Tensor::empty(DType::F64, {n});
  for (std::int64_t i = 0; i < n; ++i) t.data<double>()[i] = number(i);
  return ops::cast(t, dtype);
}
double at(const Tensor& t, std::int64_t i) {
  const Tensor one = Tensor::empty(t.dtype(), {});
  std::memcpy(one.bytes(), t.bytes() + i * static_cast<std::int64_t>(size_of(t.dtype())), size_of(t.dtype()));
  return one.item();
}

double gradient_at(std::int64_t i, int t) { return std::sin(0.3 * static_cast<double>(i) + t) + 0.1; }

/// `steps` updates of tensors of these sizes; the results of the last.
std::vector<Tensor> run_steps(const Setting& setting, DType dtype, const std::vector<std::int64_t>& sizes, int steps) {
  const std::size_t n = sizes.size();
  std::vector<Tensor> values;  // weights, then states
  for (int kind = 0; kind <= setting.states; ++kind)
    for (std::int64_t size : sizes)
      values.push_back(
          tensor_of(size, dtype, [&](std::int64_t i) { return kind == 0 ? std::cos(static_cast<double>(i)) : 0; }));
  Attrs attrs = setting.attrs;
  attrs.set("n", static_cast<std::int64_t>(n));
  for (int t = 1; t <= steps; ++t) {
    std::vector<Tensor> inputs(values.begin(), values.begin() + n);
    for (std::int64_t size : sizes)
      inputs.push_back(tensor_of(size, dtype, [&](std::int64_t i) { return gradient_at(i, t); }));
    inputs.insert(inputs.end(), values.begin() + n, values.end());
    inputs.push_back(Tensor::scalar(DType::F32, 0.125));
    if (setting.has_step) inputs.push_back(Tensor::scalar(DType::I64, t - 1));
    values = apply_all(setting.op, inputs, attrs);
  }
  return values;
}

TEST(Optim, FiveStepsAgreeWithTheDefinition) {
  for (const Setting& setting : settings())
    for (DType dtype : {DType::F32, DType::F64, DType::BF16}) {
      const std::vector<std::int64_t> sizes = {1, 16, 37, 0, 5000};
      const int steps = dtype == DType::BF16 ? 1 : 5;
      const std::vector<Tensor> got = run_steps(setting, dtype, sizes, steps);
      for (std::size_t k = 0; k < sizes.size(); ++k)
        for (std::int64_t i : {std::int64_t{0}, sizes[k] / 2, sizes[k] - 1}) {
          if (i < 0 || i >= sizes[k]) continue;
          Element e{
              at(tensor_of(i + 1, dtype, [](std::int64_t j) { return std::cos(static_cast<double>(j)); }), i), 0, {}};
          for (int t = 1; t <= steps; ++t) {
            e.g = at(tensor_of(1, dtype, [&](std::int64_t) { return gradient_at(i, t); }), 0);
            setting.step(e, 0.125, t);
          }
          const double tolerance = dtype == DType::F64 ? 1e-13 : dtype == DType::F32 ? 2e-5 : 8e-3;
          EXPECT_NEAR(at(got[k], i), e.p, tolerance) << setting.op << dtype << ' ' << sizes[k] << ' ' << i;
          for (int s = 0; s < setting.states; ++s)
            EXPECT_NEAR(at(got[(s + 1) * sizes.size() + k], i), e.s[s], tolerance) << setting.op << dtype << s;
        }
    }
}

TEST(Optim, ManySmallTensorsUpdateAsOneByOne) {
  const Setting& adam = settings()[7];
  const std::vector<Tensor> together = run_steps(adam, DType::F32, std::vector<std::int64_t>(500, 33), 2);
  const std::vector<Tensor> alone = run_steps(adam, DType::F32, {33}, 2);
  for (int k = 0; k < 500; ++k)
    for (int kind = 0; kind < 3; ++kind)
      ASSERT_EQ(std::memcmp(together[kind * 500 + k].bytes(), alone[kind].bytes(), 33 * sizeof(float)), 0) << k;
}

TEST(Optim, InPlaceAndThreadsDoNotChangeTheBits) {
  for (const Setting& setting : settings()) {
    const std::vector<std::int64_t> sizes = {100000, 7, 33333};
    const auto run = [&](int threads) {
      WithThreads with(threads);
      return run_steps(setting, DType::F32, sizes, 2);
    };
    const std::vector<Tensor> one = run(1), two = run(2), three = run(3);
    for (std::size_t i = 0; i < one.size(); ++i)
      for (const std::vector<Tensor>& other : {two, three})
        ASSERT_EQ(std::memcmp(one[i].bytes(), other[i].bytes(), one[i].spec().bytes()), 0) << setting.op;
  }
}

TEST(Optim, WritesOverItsInputsWhereTheKernelSaysSo) {
  const Setting& adam = settings()[7];
  const Tensor p = tensor_of(1000, DType::F32, [](std::int64_t i) { return std::cos(static_cast<double>(i)); });
  const Tensor g = tensor_of(1000, DType::F32, [](std::int64_t i) { return gradient_at(i, 1); });
  const Tensor m = Tensor::zeros(DType::F32, {1000}), v = Tensor::zeros(DType::F32, {1000});
  const Tensor lr = Tensor::scalar(DType::F32, 0.125), step = Tensor::scalar(DType::I64, 0);
  Attrs attrs = adam.attrs;
  const TensorSpec in[] = {p.spec(), g.spec(), m.spec(), v.spec(), lr.spec(), step.spec()};
  const Specs out = primitive("adam_update").infer(in, attrs);
  const Kernel kernel = primitive("adam_update").plan(in, out, attrs);
  const std::vector<std::pair<int, int>> expected = {{0, 0}, {1, 2}, {2, 3}};
  EXPECT_EQ(kernel.in_place, expected);
  const std::vector<Tensor> apart = run_steps(adam, DType::F32, {1000}, 1);
  const void* inputs[] = {p.bytes(), g.bytes(), m.bytes(), v.bytes(), lr.bytes(), step.bytes()};
  void* outputs[] = {p.bytes(), m.bytes(), v.bytes()};
  kernel.run({inputs, outputs, nullptr});
  EXPECT_EQ(std::memcmp(p.bytes(), apart[0].bytes(), 4000), 0);
  EXPECT_EQ(std::memcmp(m.bytes(), apart[1].bytes(), 4000), 0);
  EXPECT_EQ(std::memcmp(v.bytes(), apart[2].bytes(), 4000), 0);
}

/// Integers, so that sums of their products are exact.
Tensor whole_numbers(DType dtype, const Shape& shape, unsigned seed, double most) {
  std::vector<double> numbers = testing::random_reals<double>(shape.elements(), seed);
  for (double& x : numbers) x = std::round(x * most);
  return ops::cast(Tensor::from<double>(numbers, shape), dtype);
}

/// The update of a weight and another one out of `in`: what the gradients come from, both weights, the states, the
/// scalars. Eager, or recorded.
std::vector<Tensor> update_both(const Setting& setting, const std::vector<Tensor>& in, const Tensor& gradient,
                                const Tensor& other_gradient) {
  std::vector<Tensor> inputs{in[2], in[3], gradient, other_gradient};
  inputs.insert(inputs.end(), in.begin() + 4, in.end());
  Attrs attrs = setting.attrs;
  attrs.set("n", std::int64_t{2});
  return apply_all(setting.op, inputs, attrs);
}

/// A dense layer and its bias; the gradients come from x and dy, whose dtype may be another than the weights'.
std::vector<Tensor> dense_update(const Setting& setting, const std::vector<Tensor>& in) {
  const DType dtype = in[2].dtype();
  const auto widened = [&](const Tensor& x) { return x.dtype() == dtype ? x : ops::cast(x, dtype); };
  return update_both(setting, in, widened(apply("matmul", {in[0], in[1]}, {{"transpose_a", true}})),
                     widened(apply("reduce_sum", {in[1]}, {{"axes", std::vector<std::int64_t>{0}}})));
}

/// An embedding and another weight; the gradients come from the indices and dy. The last result is what it looks up.
std::vector<Tensor> embedding_update(const Setting& setting, const std::vector<Tensor>& in) {
  const Tensor looked_up = apply("gather", {in[2], in[0]});
  std::vector<Tensor> results = update_both(setting, in, apply("scatter_add", {in[2], in[0], in[1]}),
                                            apply("reduce_sum", {in[1]}, {{"axes", std::vector<std::int64_t>{0, 1}}}));
  results.push_back(looked_up);
  return results;
}

/// Records the update, looks whether the pass has taken `op` out of it, and compares with what runs eagerly.
void expect_made_within(const char* op, const Setting& setting, const std::vector<Tensor>& in,
                        std::vector<Tensor> (*update)(const Setting&, const std::vector<Tensor>&)) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  std::vector<Tensor> symbols;
  for (const Tensor& t : in) symbols.push_back(graph->input(t.spec(), "x"));
  graph->set_outputs(update(setting, symbols), {});
  graph->end_recording();
  for (const Node& node : optimise(*graph).nodes) EXPECT_NE(node.op->name, op) << setting.op;
  const std::vector<Tensor> wanted = update(setting, in);
  for (int threads : {1, 3}) {
    WithThreads with(threads);
    const std::vector<Tensor> got = Program::compile(*graph)->run(in);
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(std::memcmp(got[i].bytes(), wanted[i].bytes(), got[i].spec().bytes()), 0) << setting.op << ' ' << i;
  }
}

/// Both weights, the states and the scalars behind what the gradients come from.
void add_weights(std::vector<Tensor>& in, const Setting& setting, DType dtype, std::int64_t rows, std::int64_t cols) {
  const auto state = [&](Shape shape, unsigned seed) { return apply("abs", {whole_numbers(dtype, shape, seed, 5)}); };
  in.insert(in.end(), {whole_numbers(dtype, {rows, cols}, 3, 9), whole_numbers(dtype, {cols}, 4, 9)});
  for (int s = 0; s < setting.states; ++s) in.insert(in.end(), {state({rows, cols}, 5 + s), state({cols}, 8 + s)});
  in.push_back(Tensor::scalar(DType::F32, 0.125));
  if (setting.has_step) in.push_back(Tensor::scalar(DType::I64, 3));
}

TEST(Optim, ProductsAsGradientsChangeNoBits) {
  const std::int64_t k = 24, cols = 1030;  // large enough for the pass
  for (const DType dtype : {DType::F32, DType::F64})
    for (const Setting& setting : settings()) {
      const std::int64_t rows = dtype == DType::F32 ? 1030 : 515;
      std::vector<Tensor> in{whole_numbers(dtype, {k, rows}, 1, 4), whole_numbers(dtype, {k, cols}, 2, 4)};
      add_weights(in, setting, dtype, rows, cols);
      expect_made_within("matmul", setting, in, dense_update);
    }
}

// Sums of more than 256 are rounded.
TEST(Optim, ProductsOfBfloatAsGradientsChangeNoBits) {
  if (!gemm_bfloat_kernels()) GTEST_SKIP() << "needs a processor with AVX512_BF16, and DLCORE_MAX_ISA to allow it";
  for (const std::int64_t k : {24, 131})
    for (const Setting& setting : settings()) {
      const std::int64_t rows = 1030, cols = 1031;
      std::vector<Tensor> in{whole_numbers(DType::BF16, {k, rows}, 1, 9), whole_numbers(DType::BF16, {k, cols}, 2, 9)};
      add_weights(in, setting, DType::F32, rows, cols);
      expect_made_within("matmul", setting, in, dense_update);
    }
}

TEST(Optim, LookupsAsGradientsChangeNoBits) {
  const std::int64_t cols = 70;
  for (const DType dtype : {DType::F32, DType::F64})
    for (const DType indices : {DType::I32, DType::I64})
      for (const Setting& setting : settings()) {
        const std::int64_t rows = dtype == DType::F32 ? 15001 : 7507;
        std::vector<Tensor> in{ops::cast(whole_numbers(DType::F64, {7, 30}, 1, static_cast<double>(rows - 1)), indices),
                               whole_numbers(dtype, {7, 30, cols}, 2, 99)};
        for (int i = 0; i < 20; ++i)  // some rows several times
          std::memcpy(in[0].bytes() + (50 + i) * size_of(indices), in[0].bytes() + i % 3 * size_of(indices),
                      size_of(indices));
        add_weights(in, setting, dtype, rows, cols);
        expect_made_within("scatter_add", setting, in, embedding_update);
      }
}

std::vector<Tensor> filled_update(const Setting& setting, const std::vector<Tensor>& in) {
  return update_both(setting, in, apply("scatter_add", {in[2], in[0], in[1]}, {{"mode", std::string("fill")}}),
                     apply("reduce_sum", {in[1]}, {{"axes", std::vector<std::int64_t>{0, 1}}}));
}

TEST(Optim, LookupsLeaveOutWhatIsOutOfRange) {
  const std::int64_t rows = 15001, cols = 70;
  std::vector<std::int64_t> ids(30);
  for (std::int64_t i = 0; i < 30; ++i) ids[i] = i % 5 == 0 ? rows + i : i % 7 == 0 ? -rows - i : rows - 1 - i % 9;
  std::vector<Tensor> in{Tensor::from<std::int64_t>(ids, {3, 10}), whole_numbers(DType::F32, {3, 10, cols}, 2, 99)};
  add_weights(in, settings()[0], DType::F32, rows, cols);
  expect_made_within("scatter_add", settings()[0], in, filled_update);
}

// Without the lookup nobody has checked the indices: the scatter_add stays, and raises.
TEST(Optim, IndicesThatNobodyHasCheckedAreChecked) {
  const auto update = [](const std::vector<Tensor>& in) {
    return apply_all("sgd_update", std::vector<Tensor>{in[2], apply("scatter_add", {in[2], in[0], in[1]}), in[3]});
  };
  const std::vector<Tensor> in{Tensor::from<std::int32_t>(std::vector<std::int32_t>{2, 20000}, {2}),
                               Tensor::zeros(DType::F32, {2, 70}), Tensor::zeros(DType::F32, {15001, 70}),
                               Tensor::scalar(DType::F32, 0.125)};
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  std::vector<Tensor> symbols;
  for (const Tensor& t : in) symbols.push_back(graph->input(t.spec(), "x"));
  graph->set_outputs(update(symbols), {});
  graph->end_recording();
  EXPECT_THROW(Program::compile(*graph)->run(in), Error);
}

TEST(Optim, ErrorsSayWhatIsWrong) {
  const Tensor p = Tensor::zeros(DType::F32, {2, 3}), q = Tensor::zeros(DType::F32, {3});
  const Tensor lr = Tensor::scalar(DType::F32, 0.1);
  EXPECT_EQ(error_text([&] {
              apply("sgd_update", {p, lr});
            }),
            "sgd_update: got 2 inputs for n=1; expected n weights, n gradients, n of each of 0 states and 1 scalar.");
  EXPECT_EQ(error_text([&] {
              apply("sgd_update", {p, q, lr});
            }),
            "sgd_update: the gradient of weight 0 is float32(3,); expected float32(2, 3) like the weight.");
  EXPECT_NE(error_text([&] {
              apply("sgd_update", {p, p, q});
            }).find("the learning rate is float32(3,); expected float32()"),
            std::string::npos);
}

}  // namespace
}  // namespace dlcore
