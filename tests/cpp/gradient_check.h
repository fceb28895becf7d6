// Gradients of primitives against central differences, in double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "dlcore/tensor.h"
#include "program/primitive.h"

namespace dlcore::testing {

using Inputs = std::vector<Tensor>;

inline double weighted_sum(const std::vector<Tensor>& outputs, const std::vector<Tensor>& weights) {
  double sum = 0;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].dtype() != DType::F64 || !weights[o]) continue;
    for (std::int64_t i = 0; i < outputs[o].shape().elements(); ++i)
      sum += outputs[o].data<double>()[i] * weights[o].data<double>()[i];
  }
  return sum;
}

/// The primitives that check_gradient has been asked about.
inline std::set<std::string>& checked_gradients() {
  static std::set<std::string> names;
  return names;
}

/// Compares d sum(outputs * weights) / d input for every float64 input of `op` with central differences; no gradient
/// counts as zero. Outputs beyond the first `differentiable` carry no gradient (indices, workspaces). Weights are fixed
/// and uneven.
inline void check_gradient(const char* op, const Inputs& inputs, const Attrs& attrs = {},
                           std::size_t differentiable = 99, double tolerance = 1e-7) {
  checked_gradients().insert(op);
  std::vector<Tensor> sources;
  for (const Tensor& input : inputs)
    if (input.dtype() == DType::F64) sources.push_back(input);
  Tape tape;
  for (const Tensor& source : sources) tape.watch(source);
  tape.start();
  const std::vector<Tensor> outputs = apply_all(op, inputs, attrs);
  tape.stop();

  std::vector<Tensor> targets, target_weights, weights(outputs.size());
  for (std::size_t o = 0; o < outputs.size() && o < differentiable; ++o) {
    if (outputs[o].dtype() != DType::F64) continue;
    weights[o] = Tensor::empty(DType::F64, outputs[o].shape());
    for (std::int64_t i = 0; i < outputs[o].shape().elements(); ++i)
      weights[o].data<double>()[i] = std::sin(1.0 + 1.7 * static_cast<double>(i) + static_cast<double>(o));
    targets.push_back(outputs[o]);
    target_weights.push_back(weights[o]);
  }
  const std::vector<Tensor> gradients = gradient(tape.records(), targets, target_weights, sources);

  constexpr double kStep = 1e-5;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const Tensor got = gradients[s] ? gradients[s] : Tensor::zeros(DType::F64, sources[s].shape());
    ASSERT_EQ(got.spec(), sources[s].spec()) << op << ", source " << s;
    for (std::int64_t i = 0; i < sources[s].shape().elements(); ++i) {
      double& x = sources[s].data<double>()[i];
      const double saved = x;
      x = saved + kStep;
      const double above = weighted_sum(apply_all(op, inputs, attrs), weights);
      x = saved - kStep;
      const double below = weighted_sum(apply_all(op, inputs, attrs), weights);
      x = saved;
      const double expected = (above - below) / (2 * kStep);
      EXPECT_NEAR(got.data<double>()[i], expected, tolerance * (1 + std::abs(expected)))
          << op << ", source " << s << ", element " << i;
    }
  }
}

/// The message of the Error that `body` throws; "" when it throws none.
inline std::string error_text(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace dlcore::testing
