#include "dlcore/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <thread>

#include "base/parallel.h"
#include "dlcore/ops.h"
#include "kernels/gemm/gemm.h"
#include "program/graph.h"
#include "program/passes.h"

namespace dlcore {
namespace {

using namespace ops;

Tensor random_tensor(const Shape& shape, unsigned seed, DType dtype = DType::F32) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor result = Tensor::empty(DType::F32, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) result.data<float>()[i] = uniform(random);
  return cast(result, dtype);
}

std::vector<double> numbers(const Tensor& tensor) {
  const Tensor wide = cast(tensor, DType::F64);
  return {wide.data<double>(), wide.data<double>() + wide.shape().elements()};
}

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.spec(), b.spec());
  const auto x = numbers(a), y = numbers(b);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << "element " << i;
}

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

std::shared_ptr<Graph> trace(const Function& function, const std::vector<Tensor>& inputs) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  std::vector<Tensor> symbolic;
  for (std::size_t i = 0; i < inputs.size(); ++i) symbolic.push_back(graph->input(inputs[i].spec(), str("x", i)));
  graph->set_outputs(function(symbolic), {});
  graph->end_recording();
  return graph;
}

// A program computes what eager execution computes.
void expect_same_as_eager(const Function& function, const std::vector<Tensor>& inputs, double tolerance = 1e-5) {
  const auto expected = function(inputs);
  const auto got = Program::compile(*trace(function, inputs))->run(inputs);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) expect_near(got[i], expected[i], tolerance);
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op->name);
  return names;
}

TEST(Program, RunsAChain) {
  expect_same_as_eager([](const auto& x) { return std::vector{unary("exp", x[0] * 2.0) + x[1]}; },
                       {random_tensor({5, 7}, 1), random_tensor({7}, 2)});
}

TEST(Program, OutputsMayBeInputsConstantsAndAliases) {
  expect_same_as_eager(
      [](const auto& x) {
        const Tensor y = x[0] + 1.0;
        return std::vector{x[0], reshape(x[0], {6}), y, reshape(y, {3, 2}), y, Tensor::scalar(DType::F32, 3)};
      },
      {random_tensor({2, 3}, 1)});
}

TEST(Program, RandomPointwiseGraphsAgreeWithEager) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::vector<Tensor> inputs{random_tensor({4, 6}, seed), random_tensor({6}, seed + 100),
                               random_tensor({4, 1}, seed + 200), random_tensor({}, seed + 300)};
    expect_same_as_eager(
        [seed](const std::vector<Tensor>& x) {
          std::mt19937 random(seed);
          std::vector<Tensor> pool = x;
          auto pick = [&] { return pool[random() % pool.size()]; };
          for (int i = 0; i < 25; ++i) switch (random() % 7) {
              case 0:
                pool.push_back(pick() + pick());
                break;
              case 1:
                pool.push_back(pick() * pick());
                break;
              case 2:
                pool.push_back(unary("tanh", pick()));
                break;
              case 3:
                pool.push_back(where(binary("less", pick(), pick()), pick(), pick()));
                break;
              case 4:
                pool.push_back(sum(pick(), {}, false));
                break;
              case 5:
                pool.push_back(broadcast_like(pick(), x[0]) * 1.0);
                break;
              default:
                pool.push_back(pick() - 0.5);
            }
          return std::vector<Tensor>(pool.end() - 6, pool.end());
        },
        inputs, 2e-3);
  }
}

TEST(Program, GradientsOfATwoLayerNetAgreeWithEager) {
  const Function net = [](const std::vector<Tensor>& x) {
    const Tensor hidden = unary("relu", matmul(x[0], x[1]) + x[2]);
    const Tensor out = unary("sigmoid", matmul(hidden, x[3]) + x[4]);
    return std::vector{mean(unary("square", out - x[5]), {})};
  };
  const std::vector<Tensor> inputs{random_tensor({8, 5}, 1),  random_tensor({5, 16}, 2), random_tensor({16}, 3),
                                   random_tensor({16, 3}, 4), random_tensor({3}, 5),     random_tensor({8, 3}, 6)};
  const Function with_gradients = [&](const std::vector<Tensor>& x) {
    if (x[0].is_symbolic()) {
      const Tensor loss = net(x)[0];
      auto gradients = x[0].graph()->gradient({&loss, 1}, {}, {x.begin() + 1, x.begin() + 5});
      gradients.push_back(loss);
      return gradients;
    }
    Tape tape;
    for (int i = 1; i < 5; ++i) tape.watch(x[i]);
    tape.start();
    const Tensor loss = net(x)[0];
    tape.stop();
    auto gradients = gradient(tape.records(), {&loss, 1}, {}, {x.begin() + 1, x.begin() + 5});
    gradients.push_back(loss);
    return gradients;
  };
  expect_same_as_eager(with_gradients, inputs);
}

TEST(Passes, BiasAndActivationGoIntoTheMatmul) {
  const auto graph = trace([](const auto& x) { return std::vector{unary("relu", matmul(x[0], x[1]) + x[2])}; },
                           {random_tensor({4, 5}, 1), random_tensor({5, 6}, 2), random_tensor({6}, 3)});
  EXPECT_EQ(ops_of(optimise(*graph)), std::vector<std::string>{"matmul"});
}

// As of a convolution over steps, whose images have one row, and of a projection to several heads.
TEST(Passes, BiasAndActivationReachAProductThroughAReshape) {
  const auto with_bias = [](const Shape& view, bool activated) {
    return [=](const std::vector<Tensor>& x) {
      const std::vector<std::int64_t> shape(view.begin(), view.end());
      const Tensor y = apply("reshape", {matmul(x[0], x[1])}, {{"shape", shape}}) + x[2];
      return std::vector{activated ? unary("relu", y) : y};
    };
  };
  const auto inputs = [](const Shape& bias) {
    return std::vector{random_tensor({4, 5}, 1), random_tensor({5, 6}, 2), random_tensor(bias, 3)};
  };
  const auto expect = [&](const Shape& view, const Shape& bias, bool activated, std::vector<std::string> ops) {
    EXPECT_EQ(ops_of(optimise(*trace(with_bias(view, activated), inputs(bias)))), ops) << view << " + " << bias;
    expect_same_as_eager(with_bias(view, activated), inputs(bias));
  };
  expect({2, 1, 2, 6}, {6}, true, {"matmul", "reshape"});
  expect({2, 2, 6}, {1, 1, 6}, false, {"reshape", "matmul", "reshape"});
  expect({4, 2, 3}, {2, 3}, true, {"reshape", "matmul", "reshape"});
  // Not a number for each column of the product.
  expect({4, 2, 3}, {3}, false, {"matmul", "reshape", "add"});
  expect({6, 4}, {4}, false, {"matmul", "reshape", "add"});
  expect({4, 3, 2}, {2, 1, 3, 2}, false, {"matmul", "reshape", "add"});
}

TEST(Passes, ReluAndItsGradientGoIntoTheNorm) {
  const auto loss = [](const std::vector<Tensor>& x) {
    const auto norm = apply_all("batch_norm", std::vector{x[0], x[1], x[2]}, {});
    return std::vector{sum(unary("relu", norm[0]) * x[3], {}, false), norm[1]};
  };
  const std::vector<Tensor> inputs{random_tensor({40, 6}, 1), random_tensor({6}, 2), random_tensor({6}, 3),
                                   random_tensor({40, 6}, 4)};
  const Function with_gradients = [&](const std::vector<Tensor>& x) {
    const std::vector<Tensor> sources(x.begin(), x.begin() + 3);
    std::vector<Tensor> results;
    if (x[0].is_symbolic()) {
      results = loss(x);
      results.push_back(x[0].graph()->gradient({results.data(), 1}, {}, sources)[0]);
      return results;
    }
    Tape tape;
    for (int i = 0; i < 3; ++i) tape.watch(x[i]);
    tape.start();
    results = loss(x);
    tape.stop();
    results.push_back(gradient(tape.records(), {results.data(), 1}, {}, sources)[0]);
    return results;
  };
  const std::vector<std::string> ops = ops_of(optimise(*trace(with_gradients, inputs)));
  for (const char* name : {"relu", "relu_grad"}) EXPECT_EQ(std::count(ops.begin(), ops.end(), name), 0) << name;
  expect_same_as_eager(with_gradients, inputs);
}

// Sums of slice_grads, as gradients of a loop over time are.
TEST(Passes, GradientsOfSlicesThatLieSideBySideAreCopiedTogether) {
  using Range = std::pair<std::int64_t, std::int64_t>;
  static constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  const std::vector<Tensor> whole{random_tensor({2, 6, 3}, 1)};
  const auto sum_of = [](const std::vector<Range>& ranges, int axis, std::int64_t stride = 1) {
    return [=](const std::vector<Tensor>& x) {
      Tensor sum;
      for (const auto& [first, last] : ranges) {
        std::vector<std::int64_t> starts(3, 0), stops(3, kEnd), strides(3, 1);
        starts[axis] = first, stops[axis] = last, strides[axis] = stride;
        const Attrs slice{{"starts", starts}, {"stops", stops}, {"strides", strides}};
        const Tensor placed = apply("slice_grad", {unary("exp", apply("slice", {x[0]}, slice)), x[0]}, slice);
        sum = sum ? sum + placed : placed;
      }
      return std::vector{sum};
    };
  };
  const auto count_after = [&](const Function& function, std::string_view op) {
    expect_same_as_eager(function, whole, 0);
    const std::vector<std::string> ops = ops_of(optimise(*trace(function, whole)));
    return std::count(ops.begin(), ops.end(), op);
  };
  const auto expect = [&](const std::vector<Range>& ranges, int axis, int slice_grads, int concats) {
    EXPECT_EQ(count_after(sum_of(ranges, axis), "slice_grad"), slice_grads);
    EXPECT_EQ(count_after(sum_of(ranges, axis), "concat"), concats);
  };
  expect({{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}}, 1, 0, 1);
  expect({{5, kEnd}, {2, -1}, {0, 2}}, 1, 0, 1);
  expect({{4, 6}, {1, 2}, {2, 4}}, 1, 1, 1);          // the first is left out
  expect({{0, 1}, {1, 2}, {4, 5}, {5, 6}}, 1, 2, 2);  // a gap
  expect({{0, 2}, {0, 2}}, 1, 1, 0);                  // the same place
  expect({{0, 4}, {2, 6}}, 1, 2, 0);                  // neither
  expect({{0, 1}, {1, 3}}, 2, 0, 1);
  EXPECT_EQ(count_after(sum_of({{0, 3}, {3, 6}}, 1, 2), "slice_grad"), 2);  // not side by side
  // Along both axes, beside other terms.
  const Function both = [&](const std::vector<Tensor>& x) {
    return std::vector{sum_of({{0, 3}, {3, 6}}, 1)(x)[0] + unary("tanh", x[0]) + sum_of({{0, 1}, {1, 2}}, 0)(x)[0]};
  };
  EXPECT_EQ(count_after(both, "slice_grad"), 0);
  // What is read elsewhere, too, stays.
  const Function shared = [&](const std::vector<Tensor>& x) {
    const Tensor first = sum_of({{0, 3}}, 1)(x)[0];
    return std::vector{first + sum_of({{3, 6}}, 1)(x)[0], first};
  };
  EXPECT_EQ(count_after(shared, "slice_grad"), 2);
}

TEST(Passes, AChainIsOneNode) {
  const auto graph = trace(
      [](const auto& x) {
        return std::vector{unary("exp", x[0] * 2.0) + unary("tanh", x[0]), unary("exp", x[0] * 2.0)};
      },
      {random_tensor({4, 5}, 1)});
  EXPECT_EQ(ops_of(optimise(*graph)), std::vector<std::string>{"fused"});
}

TEST(Passes, AReductionInBetweenCutsTheChain) {
  const auto graph = trace(
      [](const auto& x) {
        const Tensor e = unary("exp", x[0] - 1.0);
        return std::vector{e / sum(e, {-1}, true)};
      },
      {random_tensor({4, 5}, 1)});
  EXPECT_EQ(ops_of(optimise(*graph)), (std::vector<std::string>{"fused", "reduce_sum", "div"}));
}

TEST(Passes, WhatIsNotNeededIsNotComputed) {
  const auto graph = trace(
      [](const auto& x) {
        unary("exp", x[0]);
        return std::vector{reshape(cast(x[0], DType::F32), {5, 4}) * 1.0 + 0.0};
      },
      {random_tensor({4, 5}, 1)});
  EXPECT_EQ(ops_of(optimise(*graph)), std::vector<std::string>{"reshape"});
}

TEST(Passes, AReductionOfOneElementIsThatElement) {
  for (const char* op : {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"}) {
    auto graph = std::make_shared<Graph>();
    const Tensor x = graph->input({DType::F32, {3, 1, 2}}, "x");
    const Attrs axis{{"axes", std::vector<std::int64_t>{1}}};
    const std::vector<Tensor> outputs{unary("exp", apply(op, {unary("sqrt", x)}, axis)),
                                      apply("reduce_var", {x}, axis)};
    graph->set_outputs(outputs, {});
    EXPECT_EQ(ops_of(optimise(*graph)), (std::vector<std::string>{"sqrt", "reshape", "exp", "reduce_var"})) << op;
  }
}

TEST(Passes, CommonPowersHaveFunctionsOfTheirOwn) {
  const std::pair<double, const char*> powers[] = {
      {2, "square"}, {0.5, "sqrt"}, {-0.5, "rsqrt"}, {-1, "reciprocal"}, {3, "pow"}};
  for (const auto& [exponent, op] : powers)
    for (const DType dtype : {DType::F32, DType::F64, DType::I32}) {
      const auto power = [exponent = exponent](const auto& x) {
        return std::vector{binary("pow", x[0], scalar_like(x[0], exponent))};
      };
      const Tensor x = cast(unary("exp", random_tensor({4, 5}, 1)), dtype);
      const bool own = is_float(dtype) || exponent == 2;
      EXPECT_EQ(ops_of(optimise(*trace(power, {x}))), std::vector<std::string>{own ? op : "pow"}) << exponent;
      expect_same_as_eager(power, {x});
    }
}

TEST(Passes, AnOuterProductJoinsTheChain) {
  const std::vector<Tensor> inputs{random_tensor({4, 1}, 1), random_tensor({5, 1}, 2), random_tensor({4, 5}, 3)};
  const auto chain = [](const auto& x) {
    return std::vector{binary("relu_grad", matmul(x[0], x[1], false, true), x[2])};
  };
  const Graph optimised = optimise(*trace(chain, inputs));
  EXPECT_EQ(ops_of(optimised), (std::vector<std::string>{"reshape", "fused"}));
  expect_same_as_eager(chain, inputs);
}

TEST(Passes, NewNodesMayMoveTheValuesOfAGraph) {
  // So many that the memory from which they move goes back to the system.
  const auto sums = [](const auto& x) {
    Tensor total = x[1];
    for (int i = 0; i < 3000; ++i) total = apply("sum_like", {x[0], total});
    return std::vector{total};
  };
  expect_same_as_eager(sums, {random_tensor({4, 1, 3}, 1), random_tensor({1, 3}, 2)});
}

TEST(Passes, ConstantsAreComputedOnce) {
  const auto graph = trace([](const auto& x) { return std::vector{x[0] * sum(ones_like(x[0]), {}, false)}; },
                           {random_tensor({4, 5}, 1)});
  const Graph optimised = optimise(*graph);
  ASSERT_EQ(ops_of(optimised), std::vector<std::string>{"mul"});
  EXPECT_EQ(optimised.values[optimised.nodes[0].in[1]].constant.item(), 20);
}

TEST(Passes, ASumOfManyTensorsDoesNotKeepThemAll) {
  constexpr int kTerms = 60;
  const auto sum = [](const auto& x) {
    Tensor result = x[0];
    for (int i = 1; i < kTerms; ++i)
      result = result + apply("cumsum", {x[0] * static_cast<double>(i)}, {{"axis", std::int64_t{0}}});
    return std::vector{result};
  };
  const Tensor x = random_tensor({4096}, 1);
  expect_same_as_eager(sum, {x}, 1e-2);
  EXPECT_LT(Program::compile(*trace(sum, {x}))->arena_bytes(), 12 * x.spec().bytes());
}

/// The gradient of sum(f(...f(x))) where f, of many wide values, is computed again for it, or is not.
Function gradient_of_blocks(bool again) {
  return [again](const std::vector<Tensor>& x) {
    Tensor y = x[0];
    for (int block = 0; block < 8; ++block) {
      std::optional<RematRegion> region;
      if (again) region.emplace();
      for (int i = 0; i < 4; ++i) y = apply("matmul", {unary("tanh", apply("matmul", {y, x[1]})), x[2]});
    }
    return Graph::current()->gradient(std::array{y}, {}, x);
  };
}

TEST(RematRegion, KeepsLessAndGivesTheSameBits) {
  const std::vector<Tensor> x{random_tensor({16, 8}, 1), random_tensor({8, 256}, 2), random_tensor({256, 8}, 3)};
  const auto kept = Program::compile(*trace(gradient_of_blocks(false), x));
  const auto again = Program::compile(*trace(gradient_of_blocks(true), x));
  EXPECT_LT(again->arena_bytes(), 0.4 * static_cast<double>(kept->arena_bytes()));
  const std::vector<Tensor> expected = kept->run(x), got = again->run(x);
  for (std::size_t i = 0; i < x.size(); ++i) expect_near(got[i], expected[i], 0);
}

/// Rows of x0 by the indices x1, through a pointwise chain and twice, and the gradient; all of the caller "Table".
std::vector<Tensor> called_lookups(const std::vector<Tensor>& x) {
  Tensor y;
  {
    const CallerScope table(std::make_shared<std::string>("Table"));
    y = apply("gather", {x[0], x[1] * 2.0 - x[1]}) + apply("gather", {x[0], x[1] * 2.0 - x[1]});
  }
  const Tensor z = unary("tanh", y);
  return {z, Graph::current()->gradient(std::array{z}, {}, std::array{x[0]})[0]};
}

std::string error_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Caller, IsNamedByErrorsThatOnlyDataCanShow) {
  const Tensor x = random_tensor({5, 3}, 1);
  const Tensor good = Tensor::from<std::int64_t>(std::vector<std::int64_t>{4, 0}, {2});
  const Tensor bad = Tensor::from<std::int64_t>(std::vector<std::int64_t>{4, 7}, {2});
  const auto program = Program::compile(*trace(called_lookups, {x, good}));
  program->run(std::array{x, good});
  const std::string expected = "Table: " + error_of([&] { apply("gather", {x, bad}); });
  EXPECT_EQ(error_of([&] { program->run(std::array{x, bad}); }), expected);
  program->set_profiling(true);
  EXPECT_EQ(error_of([&] { program->run(std::array{x, bad}); }), expected);
}

TEST(Caller, StaysWithNodesThroughPassesAndToTheirGradients) {
  const Tensor x = random_tensor({5, 3}, 1);
  const Tensor at = Tensor::from<std::int64_t>(std::vector<std::int64_t>{4, 0}, {2});
  const Graph graph = optimise(*trace(called_lookups, {x, at}), cpu());
  for (const Node& node : graph.nodes) {
    const bool is_of_no_table = node.op->name == "tanh" || node.op->name == "tanh_grad";
    EXPECT_EQ(node.caller ? *node.caller : "", is_of_no_table ? "" : "Table") << graph.describe(node);
  }
}

TEST(Variables, AreUpdatedInPlaceAndReadAfterwards) {
  const auto variable = std::make_shared<Variable>(random_tensor({64, 64}, 1), "w");
  const Tensor before = variable->value().clone();
  auto graph = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {64, 64}}, "x");
  graph->assign(variable, graph->read(variable) + x);
  graph->assign(variable, graph->read(variable) * 2.0);
  const std::vector<Tensor> outputs{graph->read(variable), graph->initial(variable)};
  graph->set_outputs(outputs, {});
  const auto program = Program::compile(*graph);
  const Tensor one = ones_like(before);
  const auto results = program->run({&one, 1});
  expect_near(variable->value(), (before + 1.0) * 2.0, 1e-6);
  expect_near(results[0], variable->value(), 0);
  expect_near(results[1], before, 0);
}

TEST(Variables, TwoMaySwapTheirValues) {
  const auto a = std::make_shared<Variable>(Tensor::scalar(DType::F32, 1), "a");
  const auto b = std::make_shared<Variable>(Tensor::scalar(DType::F32, 2), "b");
  auto graph = std::make_shared<Graph>();
  const Tensor old_a = graph->read(a), old_b = graph->read(b);
  graph->assign(a, old_b);
  graph->assign(b, old_a);
  graph->set_outputs({}, {});
  Program::compile(*graph)->run({});
  EXPECT_EQ(a->value().item(), 2);
  EXPECT_EQ(b->value().item(), 1);
}

TEST(Variables, ATensorReadBeforeARunKeepsItsNumbers) {
  const auto counter = std::make_shared<Variable>(Tensor::scalar(DType::F32, 0), "counter");
  auto graph = std::make_shared<Graph>();
  graph->assign(counter, graph->read(counter) + 1.0);
  graph->set_outputs({}, {});
  const auto program = Program::compile(*graph);
  program->run({});
  const Tensor kept = counter->value();
  program->run({});
  EXPECT_EQ(kept.item(), 1);
  EXPECT_EQ(counter->value().item(), 2);
}

/// A run of many steps that add `read` to `sum`, on another thread, which has begun.
std::thread long_run(const VariablePtr& sum, const VariablePtr& read) {
  auto graph = std::make_shared<Graph>();
  graph->assign(sum, graph->read(sum) + graph->read(read));
  graph->set_outputs({}, {});
  const std::uint64_t version = sum->version();
  std::thread thread([program = Program::compile(*graph)] { program->run_batches({}, {.steps = 200000}); });
  while (sum->version() == version) std::this_thread::yield();
  return thread;
}

TEST(Variables, ThatARunUsesStayWhenOthersAreAssigned) {
  const auto sum = std::make_shared<Variable>(Tensor::zeros(DType::F32, {64}), "sum");
  const auto read = std::make_shared<Variable>(random_tensor({64}, 1), "read");
  std::thread run = long_run(sum, read);
  const std::weak_ptr<Storage> used = read->value().storage();
  {
    const Tensor held = read->value();
    read->assign(random_tensor({64}, 2));
  }
  EXPECT_FALSE(used.expired());
  run.join();
  EXPECT_TRUE(used.expired());
  EXPECT_EQ(numbers(read->value()), numbers(random_tensor({64}, 2)));
}

TEST(Variables, ATensorReadDuringARunKeepsItsNumbers) {
  const auto sum = std::make_shared<Variable>(Tensor::zeros(DType::F32, {64}), "sum");
  std::thread run = long_run(sum, std::make_shared<Variable>(random_tensor({64}, 1), "read"));
  const Tensor kept = sum->value();
  const std::vector<double> then = numbers(kept);
  run.join();
  EXPECT_EQ(numbers(kept), then);
  EXPECT_NE(numbers(sum->value()), then);
}

// y = x + exp(v), whose exp is computed once.
std::shared_ptr<Graph> added_to_exp(const VariablePtr& v) {
  auto graph = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {2, 64}}, "x");
  const std::vector<Tensor> outputs{matmul(x, unary("exp", graph->read(v)))};
  graph->set_outputs(outputs, {});
  return graph;
}

TEST(Settled, IsComputedAgainAfterEveryKindOfWriteToItsVariable) {
  const auto v = std::make_shared<Variable>(random_tensor({64, 3}, 1), "v");
  const auto graph = added_to_exp(v);
  EXPECT_EQ(optimise(*graph).settled, 1);
  const auto program = Program::compile(*graph);
  const Tensor x = random_tensor({2, 64}, 2);
  const auto expect_current = [&](const char* after) {
    SCOPED_TRACE(after);
    for (int run = 0; run < 2; ++run) expect_near(program->run({&x, 1})[0], matmul(x, unary("exp", v->value())), 1e-4);
  };
  expect_current("nothing");
  v->assign(random_tensor({64, 3}, 3));
  expect_current("assign");
  reinterpret_cast<float*>(v->writable())[5] = -2;
  expect_current("writable");
  {
    const Tensor held = v->value();  // so that a write moves the variable to bytes of its own
    reinterpret_cast<float*>(v->writable())[7] = -3;
  }
  expect_current("writable of a shared value");
  auto update = std::make_shared<Graph>();
  update->assign(v, update->read(v) * 0.5);
  update->set_outputs({}, {});
  const auto updating = Program::compile(*update);
  for (int run = 0; run < 2; ++run) {
    updating->run({});
    expect_current("a program's update");
  }
  updating->run_batches({}, {.steps = 3});
  expect_current("steps of a program");
}

TEST(Settled, IsComputedAgainAfterARunThatWroteItsVariableMeanwhile) {
  const auto v = std::make_shared<Variable>(random_tensor({64, 3}, 1), "v");
  const auto program = Program::compile(*added_to_exp(v));
  const Tensor x = random_tensor({2, 64}, 2);
  auto update = std::make_shared<Graph>();
  update->assign(v, update->read(v) * 0.99999);
  update->set_outputs({}, {});
  const auto updating = Program::compile(*update);
  const std::uint64_t version = v->version();
  std::thread other([&] { updating->run_batches({}, {.steps = 200000}); });
  while (v->version() == version) std::this_thread::yield();
  program->run({&x, 1});
  other.join();
  expect_near(program->run({&x, 1})[0], matmul(x, unary("exp", v->value())), 1e-4);
}

TEST(Settled, IsNothingThatOtherProcessesTakePartIn) {
  const auto v = std::make_shared<Variable>(random_tensor({64, 3}, 1), "v");
  const auto graph = std::make_shared<Graph>();
  graph->set_outputs(std::array{unary("exp", apply("all_reduce", {unary("neg", graph->read(v))}))}, {});
  EXPECT_EQ(optimise(*graph).settled, 1);  // neg
}

TEST(Settled, IsNothingThatFollowsFromAVariableWhichTheProgramWrites) {
  const auto v = std::make_shared<Variable>(random_tensor({64, 3}, 1), "v");
  const auto graph = added_to_exp(v);
  graph->assign(v, graph->read(v) + 1.0);
  EXPECT_EQ(optimise(*graph).settled, 0);
}

TEST(Settled, ReachesOutputsAndOtherVariablesInEveryRun) {
  const auto v = std::make_shared<Variable>(random_tensor({4}, 1), "v");
  const auto copy = std::make_shared<Variable>(random_tensor({4}, 2), "copy");
  auto graph = std::make_shared<Graph>();
  const Tensor y = unary("exp", graph->read(v));
  graph->assign(copy, unary("sqrt", y));
  const std::vector<Tensor> outputs{y, reshape(y, {2, 2}), graph->read(v)};
  graph->set_outputs(outputs, {});
  const auto program = Program::compile(*graph);
  for (int run = 0; run < 3; ++run) {
    const std::vector<Tensor> results = program->run({});
    expect_near(results[0], unary("exp", v->value()), 1e-6);
    expect_near(reshape(results[1], {4}), results[0], 0);
    expect_near(results[2], v->value(), 0);
    expect_near(copy->value(), unary("sqrt", results[0]), 1e-6);
    copy->assign(random_tensor({4}, 3));
    if (run == 1) v->assign(random_tensor({4}, 4));
  }
}

// The arena and the addresses of a program are those of one run.
TEST(Program, RunsOfSeveralThreadsComeOneAfterAnother) {
  const Tensor w = random_tensor({64, 64}, 1);
  const Function function = [&](const auto& x) {
    return std::vector{unary("tanh", matmul(unary("tanh", matmul(x[0], w)), w))};
  };
  const auto program = Program::compile(*trace(function, {random_tensor({8, 64}, 2)}));
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] {
      const std::vector<Tensor> x{random_tensor({8, 64}, 10 + seed)};
      const Tensor expected = function(x)[0];
      for (int i = 0; i < 200; ++i) expect_near(program->run(x)[0], expected, 1e-5);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Variable, ANewValueIsPutWhereTheOldOneWas) {
  Variable variable(random_tensor({5}, 1), "v");
  const std::byte* const place = variable.value().bytes();
  variable.assign(random_tensor({5}, 2));
  EXPECT_EQ(variable.value().bytes(), place);
  const Tensor kept = variable.value();
  variable.assign(random_tensor({5}, 3));
  EXPECT_EQ(numbers(kept), numbers(random_tensor({5}, 2)));
  EXPECT_EQ(numbers(variable.value()), numbers(random_tensor({5}, 3)));
}

TEST(Settled, FiltersOfAConvolutionAreTransformedOnce) {
  const auto w = std::make_shared<Variable>(random_tensor({3, 3, 32, 64}, 1), "w");
  const Tensor x = random_tensor({1, 13, 13, 32}, 2), bias = random_tensor({64}, 3);
  const Attrs pool{{"window", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}};
  const auto compute = [&](const Tensor& images, const Tensor& filters) {
    const Tensor y = unary("relu", apply("conv2d", {images, filters}) + bias);
    return std::vector{y, apply_all("max_pool2d", std::array{y}, pool)[0]};
  };
  for (const bool pooled : {false, true}) {
    auto graph = std::make_shared<Graph>();
    const std::vector<Tensor> symbols = compute(graph->input(x.spec(), "x"), graph->read(w));
    graph->set_outputs({&symbols[pooled ? 1 : 0], 1}, {});
    const std::vector<std::string> ops{"conv2d_winograd_filters", pooled ? "conv2d_max_pool2d" : "conv2d"};
    EXPECT_EQ(ops_of(optimise(*graph)), ops);
    const auto program = Program::compile(*graph);
    for (unsigned seed = 4; seed < 6; ++seed) {
      expect_near(program->run({&x, 1})[0], compute(x, w->value())[pooled ? 1 : 0], 2e-4);
      w->assign(random_tensor({3, 3, 32, 64}, seed));
    }
    expect_near(program->run({&x, 1})[0], compute(x, w->value())[pooled ? 1 : 0], 2e-4);
  }
}

TEST(Settled, FiltersAreTransformedForEachGeometry) {
  const auto w = std::make_shared<Variable>(random_tensor({3, 3, 32, 64}, 1), "w");
  const Tensor x = random_tensor({1, 24, 24, 32}, 2);
  using Pair = std::vector<std::int64_t>;
  const auto compute = [](const Tensor& images, const Tensor& filters) {
    std::vector<Tensor> results;
    for (const auto& [strides, dilation] :
         {std::pair<Pair, Pair>{{1, 1}, {1, 1}}, {{1, 1}, {2, 2}}, {{2, 1}, {1, 1}}, {{1, 1}, {2, 2}}})
      results.push_back(
          sum(unary("square", apply("conv2d", {images, filters}, {{"strides", strides}, {"dilation", dilation}})), {3},
              false));
    return results;
  };
  auto graph = std::make_shared<Graph>();
  graph->set_outputs(compute(graph->input(x.spec(), "x"), graph->read(w)), {});
  const std::vector<std::string> ops = ops_of(optimise(*graph));
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "conv2d_winograd_filters"), 3);
  const auto results = Program::compile(*graph)->run({&x, 1}), wanted = compute(x, w->value());
  for (std::size_t i = 0; i < wanted.size(); ++i) expect_near(results[i], wanted[i], 2e-2);
}

TEST(Settled, MatricesOfProductsArePackedOnce) {
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16, DType::F16})
    for (const std::int64_t rows : {1, 5}) {
      const std::int64_t size = rows == 1 ? 170 : 70;
      const auto w = std::make_shared<Variable>(cast(random_tensor({size, size}, 1), dtype), "w");
      const Tensor x = cast(random_tensor({rows, size}, 2), dtype), bias = cast(random_tensor({size}, 3), dtype);
      // Twice the same matrix, and once transposed.
      const auto compute = [&](const Tensor& row, const Tensor& matrix) {
        const Tensor once = unary("relu", matmul(row, matrix) + bias);
        return matmul(matmul(once, matrix), matrix, false, true);
      };
      auto graph = std::make_shared<Graph>();
      const std::vector<Tensor> outputs{compute(graph->input(x.spec(), "x"), graph->read(w))};
      graph->set_outputs(outputs, {});
      const bool packs = dtype == DType::F32 || dtype == DType::F64 || (dtype == DType::BF16 && gemm_bfloat_kernels());
      const std::vector<std::string> ops = ops_of(optimise(*graph));
      EXPECT_EQ(std::count(ops.begin(), ops.end(), "matmul_panels"),
                packs && (rows > 1 || dtype != DType::BF16) ? 2 : 0)
          << x.spec();
      const auto program = Program::compile(*graph);
      const double bound = dtype == DType::F64 ? 1e-11 : dtype == DType::F32 ? 1e-3 : 4;
      for (unsigned seed = 4; seed < 6; ++seed) {
        expect_near(program->run({&x, 1})[0], compute(x, w->value()), bound);
        w->assign(cast(random_tensor({size, size}, seed), dtype));
      }
      expect_near(program->run({&x, 1})[0], compute(x, w->value()), bound);
    }
}

TEST(Settled, NoMatrixIsPackedThatWouldFillLessThanHalfAPanel) {
  const auto w = std::make_shared<Variable>(random_tensor({70, 1}, 1), "w");
  auto graph = std::make_shared<Graph>();
  const std::vector<Tensor> outputs{matmul(graph->input({DType::F32, {4, 70}}, "x"), graph->read(w))};
  graph->set_outputs(outputs, {});
  EXPECT_EQ(ops_of(optimise(*graph)), std::vector<std::string>{"matmul"});
}

TEST(Graph, RecordsNothingWhileThereIsAnUnrecorded) {
  const auto graph = std::make_shared<Graph>(), inner = std::make_shared<Graph>();
  graph->begin_recording();
  {
    const Unrecorded scope;
    EXPECT_EQ(Graph::current(), nullptr);
    inner->begin_recording();
    EXPECT_EQ(Graph::current(), inner);
    inner->end_recording();
  }
  EXPECT_EQ(Graph::current(), graph);
  graph->end_recording();
}

TEST(Graph, RefusesValuesOfAnotherGraph) {
  auto graph = std::make_shared<Graph>(), other = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {2}}, "x"), y = other->input({DType::F32, {2}}, "y");
  EXPECT_THROW(x + y, Error);
  EXPECT_THROW(graph->set_outputs(std::vector{y}, {}), Error);
  EXPECT_THROW(graph->assign(std::make_shared<Variable>(Tensor::zeros(DType::F32, {2}), "v"), y), Error);
}

TEST(RunBatches, GathersRowsAndConverts) {
  // y = sum over the columns of rows of a float64 array, in a shuffled order, three steps of two rows.
  const std::vector<double> data{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const std::vector<std::int64_t> order{5, 0, 3, 1, 4, 2};
  std::vector<float> out(6, -1);
  auto graph = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {2, 2}}, "x");
  const std::vector<Tensor> outputs{sum(x, {-1})};
  graph->set_outputs(outputs, {});
  const auto program = Program::compile(*graph);
  const Rows source{reinterpret_cast<std::byte*>(const_cast<double*>(data.data())), DType::F64, 6, 2};
  const Rows result{reinterpret_cast<std::byte*>(out.data()), DType::F32, 6, 1};
  EXPECT_EQ(program->run_batches({&source, 1}, {order, 0, 3, 0}, {&result, 1}), 3);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(out[i], 4 * order[i] + 1);
  const std::vector<std::int64_t> wrong{6, 0};
  EXPECT_THROW(program->run_batches({&source, 1}, {wrong, 0, 1, 0}), Error);
  EXPECT_THROW(program->run_batches({&source, 1}, {std::nullopt, 5, 1, 0}), Error);
  EXPECT_THROW(program->run_batches({&source, 1}, {std::nullopt, INT64_MAX - 1, 1, 0}), Error);
  EXPECT_EQ(program->run_batches({&source, 1}, {std::nullopt, 0, -1, 0}), 0);
}

TEST(RunBatches, RefusesStepsBeyondTheOrder) {
  const std::vector<float> data(6);
  const std::vector<std::int64_t> order{5, 0, 3, 1};
  auto graph = std::make_shared<Graph>();
  const std::vector<Tensor> outputs{graph->input({DType::F32, {2}}, "x") * 2.0};
  graph->set_outputs(outputs, {});
  const auto program = Program::compile(*graph);
  const Rows source{reinterpret_cast<std::byte*>(const_cast<float*>(data.data())), DType::F32, 6, 1};
  EXPECT_EQ(program->run_batches({&source, 1}, {order, 2, 1, 0}), 1);
  const std::span<const std::int64_t> none;
  for (const Batches& wrong : {Batches{order, 0, 3, 0}, Batches{order, 3, 1, 0}, Batches{order, -1, 1, 0},
                               Batches{order, 5, 0, 0}, Batches{order, 0, INT64_MAX, 0}, Batches{none, 0, 1, 0}}) {
    try {
      program->run_batches({&source, 1}, wrong);
      FAIL() << "from row " << wrong.first;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Index);
      EXPECT_NE(std::string(error.what()).find("go beyond an order of"), std::string::npos) << error.what();
    }
  }
}

TEST(Graph, RefusesGradientsThroughNodesThatAreNotThere) {
  auto graph = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {2}}, "x"), y = x * 2.0;
  EXPECT_TRUE(graph->gradient({&y, 1}, {}, {&x, 1}, 0, 1)[0]);
  const std::ptrdiff_t count = std::ssize(graph->nodes);  // with those of the gradient
  const std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> wrong{{-1, 1}, {0, count + 1}, {1, 0}, {count + 1, -1}};
  for (const auto& [first, last] : wrong)
    EXPECT_THROW(graph->gradient({&y, 1}, {}, {&x, 1}, first, last), Error) << first << ", " << last;
}

// A plan may take memory by the size of what it is for: nothing is planned for what there is no room for.
TEST(Program, WhatIsTooLargeIsRefusedBeforeItIsPlanned) {
  bool planned = false;
  const Primitive grow{.name = "grow",
                       .infer = [](std::span<const TensorSpec>, const Attrs&) -> Specs {
                         return {{DType::F32, {std::int64_t{1} << 50}}};
                       },
                       .plan = [&](std::span<const TensorSpec>, std::span<const TensorSpec>, const Attrs&) -> Kernel {
                         planned = true;
                         return {};
                       }};
  const auto expect_refused = [&](const std::function<void()>& compute) {
    try {
      compute();
      ADD_FAILURE() << "nothing is refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::OutOfMemory) << error.what();
    }
    EXPECT_FALSE(planned);
  };
  expect_refused([&] { apply_all(grow, std::array{Tensor::zeros(DType::F32, {1})}); });
  auto graph = std::make_shared<Graph>();
  graph->set_outputs(apply_all(grow, std::array{graph->input({DType::F32, {1}}, "x")}), {});
  expect_refused([&] { Program::compile(*graph); });
}

TEST(Specialise, InfersAllShapesAnew) {
  auto graph = std::make_shared<Graph>();
  const Tensor x = graph->input({DType::F32, {-1, 4}}, "x");
  const std::vector<Tensor> outputs{reshape(x * 2.0, {-1, 2, 2})};
  graph->set_outputs(outputs, {});
  EXPECT_EQ(outputs[0].shape(), (Shape{-1, 2, 2}));
  for (std::int64_t batch : {1, 5}) {
    const Tensor input = random_tensor({batch, 4}, 1);
    const std::vector<TensorSpec> specs{input.spec()};
    const auto result = Program::compile(specialise(*graph, specs))->run({&input, 1});
    expect_near(result[0], reshape(input * 2.0, {batch, 2, 2}), 0);
  }
  const std::vector<TensorSpec> wrong{{DType::F32, {5, 3}}};
  EXPECT_THROW(specialise(*graph, wrong), Error);
}

TEST(Gradient, OfAGradientIsTheSecondDerivative) {
  const Tensor x = random_tensor({5}, 3, DType::F64);
  Tape outer, inner;
  outer.watch(x);
  inner.watch(x);
  outer.start();
  inner.start();
  const Tensor y = x * x * x;
  inner.stop();
  const Tensor first = gradient(inner.records(), {&y, 1}, {}, {&x, 1})[0];
  outer.stop();
  const Tensor second = gradient(outer.records(), {&first, 1}, {}, {&x, 1})[0];
  expect_near(first, 3.0 * (x * x), 1e-12);
  expect_near(second, 6.0 * x, 1e-12);
}

}  // namespace
}  // namespace dlcore
