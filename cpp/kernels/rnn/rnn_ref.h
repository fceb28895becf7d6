// Plain recurrent cells in double, one unit at a time: the oracle of the tests.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/rnn/rnn.h"

namespace dlcore {

inline double rnn_activation_ref(RnnActivation activation, double x) {
  const auto elu = [](double v) { return v > 0 ? v : std::expm1(v); };
  switch (activation) {
    case RnnActivation::Linear:
      return x;
    case RnnActivation::Relu:
      return std::fmax(x, 0);
    case RnnActivation::Relu6:
      return std::fmin(std::fmax(x, 0), 6);
    case RnnActivation::LeakyRelu:
      return x > 0 ? x : 0.2 * x;
    case RnnActivation::Tanh:
      return std::tanh(x);
    case RnnActivation::HardTanh:
      return std::fmin(std::fmax(x, -1), 1);
    case RnnActivation::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case RnnActivation::HardSigmoid:
      return std::fmin(std::fmax(x / 6 + 0.5, 0), 1);
    case RnnActivation::Softplus:
      return std::log1p(std::exp(x));
    case RnnActivation::Softsign:
      return x / (std::fabs(x) + 1);
    case RnnActivation::Elu:
      return elu(x);
    case RnnActivation::Selu:
      return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
    case RnnActivation::Exponential:
      return std::exp(x);
  }
  return x;
}

/// The forward pass of rnn.h without workspace; T is converted at the door.
template <class T>
void rnn_forward_ref(const RnnShape& s, const RnnForward<T>& io) {
  const std::int64_t U = s.units, cols = rnn_gates(s.cell) * U;
  const auto f = [&](double v) { return rnn_activation_ref(s.activation, v); };
  const auto g = [&](double v) { return rnn_activation_ref(s.recurrent_activation, v); };
  for (std::int64_t b = 0; b < s.batch; ++b) {
    std::vector<double> h(io.h0 + b * U, io.h0 + (b + 1) * U), c(U, 0.0), y(U, 0.0);
    if (io.c0) c.assign(io.c0 + b * U, io.c0 + (b + 1) * U);
    for (std::int64_t step = 0; step < s.steps; ++step) {
      const std::int64_t t = s.reverse ? s.steps - 1 - step : step;
      const T* x = io.x + (b * s.steps + t) * s.channels;
      const auto input = [&](std::int64_t column) {
        double sum = io.b[column];
        for (std::int64_t k = 0; k < s.channels; ++k) sum += double(x[k]) * io.w_x[k * cols + column];
        return sum;
      };
      const auto recurrent = [&](const std::vector<double>& state, std::int64_t column) {
        double sum = s.bias_rows == 2 ? io.b[cols + column] : 0;
        for (std::int64_t k = 0; k < U; ++k) sum += state[k] * io.w_h[k * cols + column];
        return sum;
      };
      const auto sum = [&](std::int64_t column) { return input(column) + recurrent(h, column); };
      std::vector<double> h_next(U), c_next = c, reset(U);
      for (std::int64_t u = 0; u < U; ++u) reset[u] = s.cell == RnnCell::GruResetBefore ? g(sum(U + u)) * h[u] : 0;
      for (std::int64_t u = 0; u < U; ++u) {
        if (s.cell == RnnCell::Lstm) {
          c_next[u] = g(sum(U + u)) * c[u] + g(sum(u)) * f(sum(2 * U + u));
          h_next[u] = g(sum(3 * U + u)) * f(c_next[u]);
        } else if (s.cell == RnnCell::Simple) {
          h_next[u] = f(sum(u));
        } else {
          const std::int64_t n = 2 * U + u;
          const double z = g(sum(u));
          const double from_h =
              s.cell == RnnCell::GruResetAfter ? g(sum(U + u)) * recurrent(h, n) : recurrent(reset, n);
          h_next[u] = z * h[u] + (1 - z) * f(input(n) + from_h);
        }
      }
      if (!io.mask || io.mask[b * s.steps + t]) h = h_next, c = c_next, y = h_next;
      for (std::int64_t u = 0; u < U; ++u) io.y[(b * s.steps + step) * U + u] = static_cast<T>(y[u]);
    }
    for (std::int64_t u = 0; u < U; ++u) io.h_T[b * U + u] = static_cast<T>(h[u]);
    for (std::int64_t u = 0; io.c_T && u < U; ++u) io.c_T[b * U + u] = static_cast<T>(c[u]);
  }
}

}  // namespace dlcore
