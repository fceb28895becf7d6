#include <cmath>

#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

struct Cell {
  const char* name;
  std::int64_t gates;
  int states;
  Attrs attrs;
  bool two_biases;
};

std::vector<Cell> cells() {
  std::vector<Cell> list{{"lstm", 4, 2, {}, false},
                         {"simple_rnn", 1, 1, {}, false},
                         {"gru", 3, 1, {}, true},
                         {"gru", 3, 1, {}, false},
                         {"gru", 3, 1, {{"reset_after", false}}, false}};
  list.push_back({"lstm",
                  4,
                  2,
                  {{"activation", std::string("relu")}, {"recurrent_activation", std::string("hard_sigmoid")}},
                  false});
  list.push_back(
      {"gru", 3, 1, {{"activation", std::string("softsign")}, {"recurrent_activation", std::string("elu")}}, true});
  for (const char* name : {"linear", "relu6", "leaky_relu", "hard_tanh", "softplus", "selu", "exponential", "sigmoid"})
    list.push_back({"simple_rnn", 1, 1, {{"activation", std::string(name)}}, false});
  return list;
}

/// Errors grow with the steps; with small weights the cells contract.
Tolerance bound(DType dtype) { return ulps(400, dtype, 400); }

struct Size {
  std::int64_t batch, steps, channels, units;
};

void expect_forward_and_gradients(const Cell& cell, const Size& s, DType dtype, bool masked, bool reverse) {
  const std::int64_t cols = cell.gates * s.units;
  const double range = 0.2 * std::min(1.0, std::sqrt(33.0 / s.units));  // small enough to contract
  const auto weights = [&](const Shape& shape, unsigned seed) { return numbers(dtype, shape, seed, -range, range); };
  Attrs attrs = cell.attrs;
  attrs.set("reverse", reverse);
  std::vector<Tensor> in{weights({s.batch, s.steps, s.channels}, 1), weights({s.channels, cols}, 2),
                         weights({s.units, cols}, 3), cell.two_biases ? weights({2, cols}, 4) : weights({cols}, 4)};
  for (int i = 0; i < cell.states; ++i) in.push_back(weights({s.batch, s.units}, 5 + i));
  const Tensor mask = numbers(DType::Bool, {s.batch, s.steps}, 8);
  if (masked) in.push_back(mask);
  // What masked steps leave in the workspace but for h before the step is not read.
  expect_same(cell.name, in, attrs, bound(dtype), masked ? 1u << (1 + cell.states) : 0);
  Attrs without = attrs;
  without.set("keeps_workspace", false);
  expect_same(cell.name, in, without, bound(dtype));

  const std::vector<Tensor> out = apply_all(cell.name, in, attrs);
  for (bool all : {true, false}) {
    std::vector<Tensor> grad_in{in[0], in[1], in[2], out[1 + cell.states]};
    if (masked) grad_in.push_back(mask);
    if (all) grad_in.push_back(weights({s.batch, s.steps, s.units}, 9));
    for (int i = 0; i < cell.states; ++i)
      if (all || i == 0) grad_in.push_back(weights({s.batch, s.units}, 10 + i));
    Attrs grad = attrs;
    grad.set("has_mask", masked);
    grad.set("has_dy", all);
    grad.set("has_dh_T", true);
    if (cell.states == 2) grad.set("has_dc_T", all);
    grad.set("needs_dx", all);
    grad.set("bias_rows", std::int64_t{cell.two_biases ? 2 : 1});
    expect_same((std::string(cell.name) + "_grad").c_str(), grad_in, grad, bound(dtype));
  }
}

TEST(Recurrent, ForwardAndGradients) {
  for (const Cell& cell : cells())
    for (const Size& s : {Size{3, 4, 5, 6}, Size{1, 3, 2, 33}, Size{2, 1, 3, 4}})
      for (DType dtype : {DType::F32, DType::F64})
        for (bool masked : {false, true})
          for (bool reverse : {false, true}) expect_forward_and_gradients(cell, s, dtype, masked, reverse);
}

// Large enough that the library's choice has tensor cores.
TEST(Recurrent, NarrowProductsHaveFactorsOfTenBits) {
  const std::int64_t batch = 32, channels = 64, units = 160;
  for (const Cell& cell : {Cell{"lstm", 4, 2, {}, false}, Cell{"gru", 3, 1, {{"reset_after", false}}, false}}) {
    const std::int64_t cols = cell.gates * units;
    const auto weights = [](const Shape& shape, unsigned seed) { return numbers(DType::F32, shape, seed, -0.1, 0.1); };
    std::vector<Tensor> in{weights({batch, 2, channels}, 1), weights({channels, cols}, 2), weights({units, cols}, 3),
                           weights({cols}, 4)};
    for (int i = 0; i < cell.states; ++i) in.push_back(weights({batch, units}, 5 + i));
    Attrs attrs = cell.attrs;
    const std::vector<Tensor> exact = run_on_device(cell.name, in, attrs);
    std::vector<Tensor> grad_in{in[0], in[1], in[2], exact.back(), weights({batch, 2, units}, 9)};
    attrs.set("has_dh_T", false);
    if (cell.states == 2) attrs.set("has_dc_T", false);
    const std::string grad = str(cell.name, "_grad");
    const std::vector<Tensor> exact_grad = run_on_device(grad.c_str(), grad_in, attrs);
    attrs.set("narrow_products", true);
    const Tolerance bound{1e-3, 1e-3};
    expect_same(cell.name, in, attrs, bound);
    expect_same(grad.c_str(), grad_in, attrs, bound);
    EXPECT_NE(values(run_on_device(cell.name, in, attrs)[0]), values(exact[0]));
    for (int i = 0; i < 3; ++i)  // dx, dw_x, dw_h
      EXPECT_NE(values(run_on_device(grad.c_str(), grad_in, attrs)[i]), values(exact_grad[i])) << i;
  }
}

// Around the units whose weights registers hold (64) and those that fit at all (128), and around the rows of a block.
TEST(Recurrent, FusedSteps) {
  for (const Cell& cell : cells())
    for (const Size& s : {Size{7, 4, 3, 1}, Size{5, 3, 2, 64}, Size{3, 3, 2, 65}, Size{1, 2, 2, 100},
                          Size{5, 2, 2, 128}, Size{3, 3, 2, 129}}) {
      if (cell.attrs.has("activation") && s.units > 64) continue;
      SCOPED_TRACE(str(cell.name, " of ", s.units));
      expect_forward_and_gradients(cell, s, DType::F32, s.units % 2 == 1, s.units % 4 == 0);
    }
}

}  // namespace
}  // namespace dlcore
