#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "dlcore/ops.h"
#include "dlcore/program.h"
#include "gradient_check.h"
#include "kernels/rnn/rnn.h"
#include "kernels/rnn/rnn_ref.h"
#include "kernels/rnn/rounded_steps.h"
#include "kernels/rnn/rows.h"
#include "program/graph.h"
#include "program/passes.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::GuardedBuffer;
using testing::random_reals;
using testing::same_bits;
using testing::WithThreads;

constexpr RnnCell kCells[] = {RnnCell::Lstm, RnnCell::GruResetAfter, RnnCell::GruResetBefore, RnnCell::Simple};

std::string text_of(const RnnShape& s) {
  return str("cell ", static_cast<int>(s.cell), " B ", s.batch, " T ", s.steps, " C ", s.channels, " U ", s.units,
             " reverse ", s.reverse, " bias_rows ", s.bias_rows, " f ", static_cast<int>(s.activation), " g ",
             static_cast<int>(s.recurrent_activation));
}

/// Random numbers for a layer, and its results.
template <class T>
struct Layer {
  explicit Layer(const RnnShape& s, bool with_mask = false) : shape(s), has_mask(with_mask) {
    const std::int64_t cols = rnn_gates(s.cell) * s.units, state = s.batch * s.units;
    x = random_reals<T>(s.batch * s.steps * s.channels, 1);
    w_x = random_reals<T>(s.channels * cols, 2);
    w_h = random_reals<T>(s.units * cols, 3);
    for (T& w : w_h) w /= static_cast<T>(std::sqrt(static_cast<double>(s.units)));
    b = random_reals<T>(s.bias_rows * cols, 4);
    h0 = random_reals<T>(state, 5);
    c0 = random_reals<T>(state, 6);
    dy = random_reals<T>(state * s.steps, 7);
    mask = std::make_unique<bool[]>(s.batch * s.steps);
    const std::vector<double> chance = random_reals<double>(s.batch * s.steps, 8);
    for (std::int64_t i = 0; i < s.batch * s.steps; ++i) mask[i] = chance[i] > -0.3;
    if (s.most_input_rows > 0) repeat_rows();
  }

  /// About two of three steps read a row of x that has been read before.
  void repeat_rows() {
    const std::vector<double> chance = random_reals<double>(shape.batch * shape.steps, 9);
    for (const double c : chance)
      inverse.push_back(input_rows == 0 || (c > 0.3 && input_rows < shape.most_input_rows)
                            ? static_cast<std::int32_t>(input_rows++)
                            : static_cast<std::int32_t>(std::abs(c) * static_cast<double>(input_rows)));
  }

  bool lstm() const { return shape.cell == RnnCell::Lstm; }
  RnnForward<T> io(T* y, T* h_T, T* c_T, T* workspace) {
    return {x.data(),
            w_x.data(),
            w_h.data(),
            b.data(),
            h0.data(),
            lstm() ? c0.data() : nullptr,
            has_mask ? mask.get() : nullptr,
            y,
            h_T,
            lstm() ? c_T : nullptr,
            workspace,
            shape.most_input_rows > 0 ? inverse.data() : nullptr,
            input_rows};
  }

  RnnShape shape;
  bool has_mask;
  std::vector<T> x, w_x, w_h, b, h0, c0, dy;
  std::unique_ptr<bool[]> mask;
  std::vector<std::int32_t> inverse;
  std::int64_t input_rows = 0;
};

/// The fewest units that threads share.
std::int64_t shared_units(RnnShape shape) {
  for (shape.units = 1; !rnn_by_units(shape);) ++shape.units;
  return shape.units;
}

/// Scratch of a kernel, which notices writes beyond it.
class GuardedScratch {
 public:
  explicit GuardedScratch(std::size_t bytes) : bytes_(bytes), storage_(bytes + kGuard) {
    std::fill_n(guard(), kGuard, kByte);
  }
  void* data() { return storage_.data(); }
  bool untouched() {
    return std::all_of(guard(), guard() + kGuard, [](unsigned char byte) { return byte == kByte; });
  }

 private:
  static constexpr std::size_t kGuard = 256;
  static constexpr unsigned char kByte = 0xa5;
  unsigned char* guard() { return reinterpret_cast<unsigned char*>(storage_.data()) + bytes_; }
  std::size_t bytes_;
  Storage storage_;
};

template <class T>
void check_near(const std::vector<T>& got, const std::vector<T>& expected, double tolerance, const std::string& text) {
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << text << ", element " << i;
}

/// A rounding error of one sum, about eps * sqrt(terms), may be amplified from step to step; these weights hardly do.
template <class T>
double forward_tolerance(const RnnShape& s) {
  return 4 * std::numeric_limits<T>::epsilon() * static_cast<double>((s.channels + s.units + 8) + 8 * s.steps);
}

template <class T>
void check_forward(const RnnShape& shape, bool with_mask) {
  Layer<T> layer(shape, with_mask);
  const std::int64_t state = shape.batch * shape.units, all = state * shape.steps;
  GuardedBuffer<T> y(all), h_T(state), c_T(state), workspace(shape.steps * shape.batch * rnn_workspace_size(shape));
  std::vector<T> y_ref(all), h_ref(state), c_ref(state);
  const RnnLayer<T> forward(shape);
  GuardedScratch scratch(forward.scratch_bytes());
  forward.run(layer.io(y.data(), h_T.data(), c_T.data(), workspace.data()), scratch.data());
  rnn_forward_ref(shape, layer.io(y_ref.data(), h_ref.data(), c_ref.data(), nullptr));
  const double tolerance = forward_tolerance<T>(shape);
  check_near(y.copy(), y_ref, tolerance, text_of(shape) + " y");
  check_near(h_T.copy(), h_ref, tolerance, text_of(shape) + " h_T");
  if (layer.lstm()) check_near(c_T.copy(), c_ref, tolerance, text_of(shape) + " c_T");
  EXPECT_TRUE(y.untouched() && h_T.untouched() && c_T.untouched() && workspace.untouched()) << text_of(shape);

  std::vector<T> y_alone(all), h_alone(state), c_alone(state);
  forward.run(layer.io(y_alone.data(), h_alone.data(), c_alone.data(), nullptr), scratch.data());
  EXPECT_TRUE(y_alone == y.copy() && h_alone == h_T.copy()) << text_of(shape) << " without workspace";
  EXPECT_TRUE(scratch.untouched()) << text_of(shape);
}

TEST(Rnn, ForwardAgainstTheReference) {
  for (RnnCell cell : kCells)
    for (std::int64_t batch : {1, 3, 17})
      for (std::int64_t units : {1, 5, 16, 33}) {
        RnnShape shape{.cell = cell, .batch = batch, .steps = 1 + units % 7, .channels = 1 + batch % 5, .units = units};
        shape.reverse = units == 5;
        shape.bias_rows = cell == RnnCell::GruResetAfter && batch > 1 ? 2 : 1;
        check_forward<float>(shape, units > 1);
        check_forward<double>(shape, batch > 1);
      }
}

template <class T>
void check_shared_units() {
  for (RnnCell cell : kCells)
    for (std::int64_t batch : {1, 3, 8}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = 4, .channels = 5, .units = 1, .reverse = batch == 3};
      shape.bias_rows = cell == RnnCell::GruResetAfter && batch > 1 ? 2 : 1;
      const std::int64_t fewest = shared_units(shape), whole = (fewest + 31) / 32 * 32;
      for (std::int64_t units : {fewest, whole, whole + 1}) {
        shape.units = units;
        check_forward<T>(shape, units != whole);
      }
    }
}

TEST(Rnn, ForwardWithSharedUnits) {
  check_shared_units<float>();
  check_shared_units<double>();
}

TEST(Rnn, ForwardOfTheWorkloads) {
  check_forward<float>({.cell = RnnCell::Lstm, .batch = 32, .steps = 10, .channels = 1, .units = 50}, false);
  check_forward<float>({.cell = RnnCell::Lstm, .batch = 4, .steps = 100, .channels = 128, .units = 64}, true);
  check_forward<float>({.cell = RnnCell::GruResetAfter,
                        .batch = 3,
                        .steps = 50,
                        .channels = 64,
                        .units = 128,
                        .reverse = true,
                        .bias_rows = 2},
                       false);
}

TEST(Rnn, EveryActivation) {
  for (int i = 0; i <= static_cast<int>(RnnActivation::Exponential); ++i) {
    const auto activation = static_cast<RnnActivation>(i);
    RnnShape shape{.cell = RnnCell::Lstm, .batch = 2, .steps = 1, .channels = 3, .units = 5};
    shape.activation = activation;
    check_forward<float>(shape, false);
    shape.activation = RnnActivation::Tanh;
    shape.recurrent_activation = activation;
    check_forward<double>(shape, false);
  }
}

TEST(Rnn, NamesOfActivations) {
  EXPECT_EQ(rnn_activation("hard_sigmoid"), RnnActivation::HardSigmoid);
  EXPECT_EQ(rnn_activation("gelu"), std::nullopt);
}

// ------------------------------------------------------------------------------------------------------------ backward

template <class T>
struct Backward {
  std::vector<T> dx, dw_x, dw_h, db, dh0, dc0;
};

template <class T>
Backward<T> run_backward(const RnnShape& shape, Layer<T>& layer, std::vector<T>& y) {
  const std::int64_t state = shape.batch * shape.units;
  std::vector<T> h_T(state), c_T(state), workspace(shape.steps * shape.batch * rnn_workspace_size(shape));
  const RnnLayer<T> forward(shape);
  GuardedScratch scratch(forward.scratch_bytes());
  const RnnGradient<T> gradient(shape);
  GuardedScratch back_scratch(gradient.scratch_bytes());
  y.resize(state * shape.steps);
  forward.run(layer.io(y.data(), h_T.data(), c_T.data(), workspace.data()), scratch.data());
  Backward<T> d{std::vector<T>(layer.x.size()),
                std::vector<T>(layer.w_x.size()),
                std::vector<T>(layer.w_h.size()),
                std::vector<T>(layer.b.size()),
                std::vector<T>(state),
                std::vector<T>(state)};
  gradient.run({layer.x.data(), layer.w_x.data(), layer.w_h.data(), layer.has_mask ? layer.mask.get() : nullptr,
                workspace.data(), layer.dy.data(), nullptr, nullptr, d.dx.data(), d.dw_x.data(), d.dw_h.data(),
                d.db.data(), d.dh0.data(), layer.lstm() ? d.dc0.data() : nullptr,
                layer.shape.most_input_rows > 0 ? layer.inverse.data() : nullptr, layer.input_rows},
               back_scratch.data());
  EXPECT_TRUE(scratch.untouched() && back_scratch.untouched()) << text_of(shape);
  return d;
}

/// The layer with row `b` of the batch alone.
Layer<double> one_row(const Layer<double>& all, std::int64_t b) {
  RnnShape s = all.shape;
  s.batch = 1;
  Layer<double> row(s, all.has_mask);
  const auto take = [b](std::vector<double>& to, const std::vector<double>& from) {
    std::copy_n(from.begin() + b * static_cast<std::int64_t>(to.size()), to.size(), to.begin());
  };
  take(row.x, all.x), take(row.h0, all.h0), take(row.c0, all.c0), take(row.dy, all.dy);
  std::copy_n(all.mask.get() + b * s.steps, s.steps, row.mask.get());
  return row;
}

// Large batches go in chunks of rows; one row goes in a single piece, which central differences
// check.
TEST(Rnn, GradientsOfABatchAreTheSumsOfItsRows) {
  for (RnnCell cell : kCells)
    for (auto [batch, steps] : {std::pair{37, 20}, {600, 3}, {8, 50}}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = steps, .channels = 5, .units = 7};
      shape.bias_rows = cell == RnnCell::GruResetAfter ? 2 : 1;
      Layer<double> layer(shape, true);
      std::vector<double> y;
      const Backward<double> d = run_backward(shape, layer, y);
      Backward<double> sum;
      for (std::int64_t b = 0; b < batch; ++b) {
        Layer<double> row = one_row(layer, b);
        const Backward<double> part = run_backward(row.shape, row, y);
        const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
          to.resize(from.size());
          for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
        };
        const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
          to.insert(to.end(), from.begin(), from.end());
        };
        add(sum.dw_x, part.dw_x), add(sum.dw_h, part.dw_h), add(sum.db, part.db);
        append(sum.dx, part.dx), append(sum.dh0, part.dh0), append(sum.dc0, part.dc0);
      }
      const double tolerance = 1e-12 * static_cast<double>(batch * steps);
      check_near(d.dw_x, sum.dw_x, tolerance, text_of(shape) + " dw_x");
      check_near(d.dw_h, sum.dw_h, tolerance, text_of(shape) + " dw_h");
      check_near(d.db, sum.db, tolerance, text_of(shape) + " db");
      check_near(d.dx, sum.dx, tolerance, text_of(shape) + " dx");
      check_near(d.dh0, sum.dh0, tolerance, text_of(shape) + " dh0");
      check_near(d.dc0, sum.dc0, tolerance, text_of(shape) + " dc0");
    }
}

/// A layer whose numbers are bfloat16's.
Layer<float> bfloat_layer(const RnnShape& shape) {
  Layer<float> layer(shape, true);
  for (float& w : layer.w_x) w /= 16;
  for (auto* numbers : {&layer.x, &layer.w_x, &layer.w_h})
    for (float& number : *numbers) number = widen(narrow<Bfloat>(number));
  return layer;
}

// Rounding to 8 bits changes what is added up by up to 2^-9 of it, at each of the places where that is done; on average
// of a sum it is less, and steps carry it on.
TEST(Rnn, ProductsOfBfloatAreCloseToThoseOfFloat) {
  const bool has_bfloat = gemm_bfloat_kernels() != nullptr;
  for (RnnCell cell : kCells)
    for (auto [batch, units] : {std::pair{20, 40}, {40, 128}}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = 6, .channels = 130, .units = units, .reverse = batch == 40};
      shape.bias_rows = cell == RnnCell::GruResetAfter ? 2 : 1;
      Layer<float> layer = bfloat_layer(shape);
      std::vector<float> y, y_rounded;
      const Backward<float> exact = run_backward(shape, layer, y);
      layer.shape.bfloat_products = true;
      const Backward<float> rounded = run_backward(layer.shape, layer, y_rounded);
      EXPECT_EQ(RnnGradient<float>(layer.shape).rounds_products(), has_bfloat);
      EXPECT_EQ(RnnLayer<float>(layer.shape).rounds_products(), has_bfloat);
      if (has_bfloat) {
        EXPECT_EQ(rounded_step_rows(layer.shape) > 0, units == 128) << text_of(shape);
      }
      const auto expect_close = [&](const std::vector<float>& got, const std::vector<float>& wanted, const char* name) {
        double error = 0, size = 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
          error += std::pow(got[i] - wanted[i], 2);
          size += std::pow(wanted[i], 2);
        }
        EXPECT_LE(std::sqrt(error), has_bfloat ? 0x1p-6 * std::sqrt(size) : 0) << text_of(shape) << ' ' << name;
      };
      expect_close(y_rounded, y, "y");
      expect_close(rounded.dx, exact.dx, "dx");
      expect_close(rounded.dw_x, exact.dw_x, "dw_x");
      expect_close(rounded.dw_h, exact.dw_h, "dw_h");
      expect_close(rounded.db, exact.db, "db");
      expect_close(rounded.dh0, exact.dh0, "dh0");
      expect_close(rounded.dc0, exact.dc0, "dc0");
    }
  // Planned for fewer threads than there are when it runs.
  const RnnShape wide{.batch = 70, .steps = 4, .channels = 150, .units = 128, .bfloat_products = true};
  Layer<float> layer(wide);
  std::vector<float> y(wide.batch * wide.steps * wide.units), h_T(wide.batch * wide.units), c_T(h_T.size());
  const auto planned = [&](int threads) {
    const WithThreads with(threads);
    return RnnLayer<float>(wide);
  };
  const RnnLayer<float> one = planned(1);
  GuardedScratch scratch(one.scratch_bytes());
  const WithThreads with(3);
  one.run(layer.io(y.data(), h_T.data(), c_T.data(), nullptr), scratch.data());
  EXPECT_TRUE(scratch.untouched());
  const RnnShape few{.batch = 20, .steps = 6, .channels = 50, .units = 50, .bfloat_products = true};
  EXPECT_FALSE(RnnGradient<float>(few).rounds_products() || RnnLayer<float>(few).rounds_products());
}

// ---- rows of x that are read in several places

/// The layer whose x has each row in its places.
template <class T>
Layer<T> spread(const Layer<T>& merged) {
  RnnShape shape = merged.shape;
  shape.most_input_rows = 0;
  Layer<T> layer(shape, merged.has_mask);
  layer.w_x = merged.w_x, layer.w_h = merged.w_h, layer.b = merged.b, layer.h0 = merged.h0, layer.c0 = merged.c0;
  layer.dy = merged.dy;
  for (std::size_t i = 0; i < merged.inverse.size(); ++i)
    std::copy_n(merged.x.begin() + merged.inverse[i] * shape.channels, shape.channels,
                layer.x.begin() + static_cast<std::int64_t>(i) * shape.channels);
  return layer;
}

/// Gradients of the places of each row, added up; zero for the rows that are nowhere.
template <class T>
std::vector<T> merged_rows(const std::vector<T>& dx, const Layer<T>& merged) {
  std::vector<T> sums(dx.size());
  const std::int64_t channels = merged.shape.channels;
  for (std::size_t i = 0; i < merged.inverse.size(); ++i)
    for (std::int64_t c = 0; c < channels; ++c)
      sums[merged.inverse[i] * channels + c] += dx[static_cast<std::int64_t>(i) * channels + c];
  return sums;
}

template <class T>
void expect_same_as_spread(Layer<T>& merged, double tolerance) {
  Layer<T> all = spread(merged);
  std::vector<T> y, y_all;
  const Backward<T> d = run_backward(merged.shape, merged, y), d_all = run_backward(all.shape, all, y_all);
  const std::string text = text_of(merged.shape);
  check_near(y, y_all, tolerance, text + " y");
  check_near(d.dx, merged_rows(d_all.dx, merged), tolerance, text + " dx");
  check_near(d.dw_x, d_all.dw_x, tolerance, text + " dw_x");
  check_near(d.dw_h, d_all.dw_h, tolerance, text + " dw_h");
  check_near(d.db, d_all.db, tolerance, text + " db");
  check_near(d.dh0, d_all.dh0, tolerance, text + " dh0");
  check_near(d.dc0, d_all.dc0, tolerance, text + " dc0");
}

TEST(Rnn, RowsInSeveralPlacesAreMultipliedOnce) {
  for (RnnCell cell : kCells)
    for (auto [batch, steps] : {std::pair{37, 20}, {5, 3}, {1, 40}, {1, 1}})
      for (bool shares_units : {false, true}) {
        RnnShape shape{.cell = cell, .batch = batch, .steps = steps, .channels = 5, .units = 7, .reverse = steps == 20};
        shape.bias_rows = cell == RnnCell::GruResetAfter ? 2 : 1;
        shape.most_input_rows = std::max<std::int64_t>(1, batch * steps / 2);
        if (shares_units && batch > 8) continue;
        if (shares_units) shape.units = shared_units(shape);
        Layer<double> layer(shape, true);
        expect_same_as_spread(layer, 1e-12 * batch * steps);
      }
}

// Without rounding: whole numbers, and no activation.
TEST(Rnn, RowsInSeveralPlacesGiveTheSameNumbers) {
  RnnShape shape{.cell = RnnCell::Simple, .batch = 20, .steps = 4, .channels = 19, .units = 16};
  shape.activation = RnnActivation::Linear;
  shape.most_input_rows = 40;
  Layer<float> layer(shape);
  for (auto* numbers : {&layer.x, &layer.w_x, &layer.w_h, &layer.b, &layer.h0, &layer.dy})
    for (float& number : *numbers) number = std::round(number);
  for (float& w : layer.w_h) w = w == 0 ? 1 : w;
  expect_same_as_spread(layer, 0);
}

TEST(Rnn, RowsInSeveralPlacesMayBeRounded) {
  for (auto [batch, units] : {std::pair{20, 40}, {40, 128}}) {
    RnnShape shape{.batch = batch, .steps = 6, .channels = 130, .units = units, .bfloat_products = true};
    shape.most_input_rows = batch * 5;
    Layer<float> layer = bfloat_layer(shape);
    expect_same_as_spread(layer, 0x1p-5);
  }
}

TEST(Rnn, CountsTheRowsOfAnInverse) {
  const auto count = [](std::vector<std::int32_t> inverse) {
    return rnn_input_rows(inverse.data(), std::ssize(inverse));
  };
  EXPECT_EQ(count({}), 0);
  EXPECT_EQ(count({0, 1, 0, 2, 2, 3}), 4);
  EXPECT_EQ(count({1}), -1);
  EXPECT_EQ(count({0, 2}), -1);
  EXPECT_EQ(count({0, -1}), -1);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// The derivative of dot(y, dy) along `direction` of one of the layer's tensors, from the reference.
double slope_along(Layer<double>& layer, std::vector<double>& tensor, const std::vector<double>& direction) {
  const std::int64_t state = layer.shape.batch * layer.shape.units;
  const std::vector<double> at = tensor;
  const auto loss_at = [&](double distance) {
    for (std::size_t i = 0; i < at.size(); ++i) tensor[i] = at[i] + distance * direction[i];
    std::vector<double> y(layer.dy.size()), h_T(state), c_T(state);
    rnn_forward_ref(layer.shape, layer.io(y.data(), h_T.data(), c_T.data(), nullptr));
    return dot(y, layer.dy);
  };
  constexpr double kStep = 1e-5;
  const double slope = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
  tensor = at;
  return slope;
}

TEST(Rnn, GradientsWithSharedUnits) {
  for (RnnCell cell : kCells)
    for (std::int64_t batch : {1, 4}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = 3, .channels = 3, .units = 1, .reverse = batch == 4};
      shape.units = shared_units(shape);
      shape.bias_rows = cell == RnnCell::GruResetAfter && batch > 1 ? 2 : 1;
      for (bool mask : {false, true}) {
        Layer<double> layer(shape, mask);
        std::vector<double> y;
        const Backward<double> d = run_backward(shape, layer, y);
        const auto check = [&](std::vector<double>& tensor, const std::vector<double>& gradient, const char* name) {
          const std::vector<double> direction = random_reals<double>(static_cast<std::int64_t>(tensor.size()), 9);
          const double expected = slope_along(layer, tensor, direction);
          EXPECT_NEAR(dot(gradient, direction), expected, 1e-6 * (1 + std::abs(expected)))
              << text_of(shape) << " mask " << mask << ' ' << name;
        };
        check(layer.x, d.dx, "dx");
        check(layer.w_x, d.dw_x, "dw_x");
        check(layer.w_h, d.dw_h, "dw_h");
        check(layer.b, d.db, "db");
        check(layer.h0, d.dh0, "dh0");
        if (layer.lstm()) check(layer.c0, d.dc0, "dc0");
      }
    }
}

// Two threads get the same number of chunks of nearly the same number of rows.
TEST(Rnn, SharesRowsEvenly) {
  for (std::int64_t batch : {9, 16, 24, 31, 32, 33, 48, 64, 80, 100, 128, 256, 300, 512}) {
    const std::int64_t rows = rnn_chunk_rows({.batch = batch, .steps = 1, .channels = 1, .units = 64});
    const std::int64_t chunks = (batch + rows - 1) / rows, last = batch - (chunks - 1) * rows;
    EXPECT_EQ(chunks % 2, 0) << batch;
    EXPECT_GE(chunks, std::min<std::int64_t>(6, batch / 8)) << batch;
    EXPECT_GE(2 * last, rows) << batch;
    EXPECT_LE(rows, 32) << batch;
  }
}

// The units of float are shared in other blocks than those of double.
TEST(Rnn, FloatGradientsWithSharedUnits) {
  for (RnnCell cell : kCells)
    for (std::int64_t batch : {1, 8}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = 3, .channels = 3, .units = 1, .reverse = batch == 1};
      shape.units = shared_units(shape);
      shape.bias_rows = cell == RnnCell::GruResetAfter ? 2 : 1;
      Layer<float> layer(shape, true);
      Layer<double> exact(shape, true);
      const auto take = [](std::vector<double>& to, const std::vector<float>& from) {
        to.assign(from.begin(), from.end());
      };
      take(exact.x, layer.x), take(exact.w_x, layer.w_x), take(exact.w_h, layer.w_h), take(exact.b, layer.b);
      take(exact.h0, layer.h0), take(exact.c0, layer.c0), take(exact.dy, layer.dy);
      std::copy_n(layer.mask.get(), batch * shape.steps, exact.mask.get());
      std::vector<float> y;
      std::vector<double> y_exact;
      const Backward<float> d = run_backward(shape, layer, y);
      const Backward<double> e = run_backward(shape, exact, y_exact);
      const auto check = [&](const std::vector<float>& got, const std::vector<double>& expected, const char* name) {
        check_near(std::vector<double>(got.begin(), got.end()), expected, 2e-5, text_of(shape) + " " + name);
      };
      check(d.dx, e.dx, "dx"), check(d.dw_x, e.dw_x, "dw_x"), check(d.dw_h, e.dw_h, "dw_h"), check(d.db, e.db, "db");
      check(d.dh0, e.dh0, "dh0"), check(d.dc0, e.dc0, "dc0");
    }
}

TEST(Rnn, SameBitsForAnyThreads) {
  for (RnnCell cell : kCells)
    for (RnnShape shape : {RnnShape{.batch = 37, .steps = 20, .channels = 19, .units = 40, .reverse = true},
                           RnnShape{.batch = 61, .steps = 5, .channels = 19, .units = 200},
                           RnnShape{.batch = 1, .steps = 200, .channels = 64, .units = 47},
                           RnnShape{.batch = 1, .steps = 5, .channels = 64, .units = 777},
                           RnnShape{.batch = 7, .steps = 5, .channels = 64, .units = 777},
                           RnnShape{.batch = 37, .steps = 20, .channels = 150, .units = 200, .most_input_rows = 400},
                           RnnShape{.batch = 70, .steps = 5, .channels = 150, .units = 128, .bfloat_products = true}}) {
      shape.cell = cell;
      Layer<float> layer(shape, true);
      std::vector<float> y_first, y;
      Backward<float> first;
      for (int threads : {1, 2, 3}) {
        WithThreads with(threads);
        const Backward<float> d = run_backward(shape, layer, y);
        if (first.dx.empty()) first = d, y_first = y;
        EXPECT_TRUE(same_bits(y, y_first)) << text_of(shape);
        EXPECT_TRUE(same_bits(d.dx, first.dx) && same_bits(d.dw_x, first.dw_x) && same_bits(d.dw_h, first.dw_h) &&
                    same_bits(d.db, first.db) && same_bits(d.dh0, first.dh0) && same_bits(d.dc0, first.dc0))
            << text_of(shape);
      }
    }
}

Tensor doubles(const Shape& shape, unsigned seed) {
  const std::vector<double> numbers = random_reals<double>(shape.elements(), seed);
  return Tensor::from<double>(numbers, shape);
}

Tensor example_mask(std::int64_t batch, std::int64_t steps) {
  Tensor mask = Tensor::empty(DType::Bool, {batch, steps});
  for (std::int64_t i = 0; i < batch * steps; ++i) mask.data<bool>()[i] = i % 3 != 0 && i % 7 != 4;
  return mask;
}

/// Inputs of the primitive `name`: x, w_x, w_h, b, h0, [c0], [mask].
std::vector<Tensor> example_inputs(const std::string& name, int gates, int bias_rank, bool mask) {
  const std::int64_t B = 3, T = 4, C = 2, U = 3;
  std::vector<Tensor> in{doubles({B, T, C}, 1), doubles({C, gates * U}, 2), doubles({U, gates * U}, 3),
                         bias_rank == 2 ? doubles({2, gates * U}, 4) : doubles({gates * U}, 4), doubles({B, U}, 5)};
  if (name == "lstm") in.push_back(doubles({B, U}, 6));
  if (mask) in.push_back(example_mask(B, T));
  return in;
}

TEST(RnnGradient, CentralDifferences) {
  for (bool mask : {false, true})
    for (bool reverse : {false, true}) {
      const Attrs attrs{{"reverse", reverse}};
      check_gradient("lstm", example_inputs("lstm", 4, 1, mask), attrs, 3);
      check_gradient("simple_rnn", example_inputs("simple_rnn", 1, 1, mask), attrs, 2);
      for (int bias_rank : {1, 2}) check_gradient("gru", example_inputs("gru", 3, bias_rank, mask), attrs, 2);
      check_gradient("gru", example_inputs("gru", 3, 1, mask), {{"reverse", reverse}, {"reset_after", false}}, 2);
    }
}

TEST(RnnGradient, EveryActivation) {
  std::vector<Tensor> simple = example_inputs("simple_rnn", 1, 1, false), lstm = example_inputs("lstm", 4, 1, false);
  for (auto* in : {&simple, &lstm})  // small weights: exp(exp(...)) stays small
    for (std::int64_t i = 0; i < (*in)[2].shape().elements(); ++i) (*in)[2].data<double>()[i] *= 0.2;
  for (const char* name : {"linear", "relu", "relu6", "leaky_relu", "tanh", "hard_tanh", "sigmoid", "hard_sigmoid",
                           "softplus", "softsign", "elu", "selu", "exponential"}) {
    check_gradient("simple_rnn", simple, {{"activation", std::string(name)}}, 2, 1e-6);
    check_gradient("lstm", lstm, {{"recurrent_activation", std::string(name)}}, 3, 1e-6);
  }
}

TEST(RnnProgram, KeepsTheWorkspaceOnlyForAGradient) {
  const std::vector<Tensor> in = example_inputs("lstm", 4, 1, true);
  for (const std::size_t last : {std::size_t{1}, std::size_t{3}}) {  // h_T; the workspace too
    auto graph = std::make_shared<Graph>();
    graph->begin_recording();
    std::vector<Tensor> symbols;
    for (const Tensor& t : in) symbols.push_back(graph->input(t.spec(), "x"));
    const std::vector<Tensor> out = apply_all("lstm", symbols);
    graph->set_outputs(std::vector<Tensor>{out[1], out[last]}, {});
    graph->end_recording();
    const Graph optimised = optimise(*graph);
    EXPECT_EQ(optimised.values[optimised.nodes[0].out[3]].spec.bytes() > 0, last == 3);
    const std::vector<Tensor> got = Program::compile(*graph)->run(in), wanted = apply_all("lstm", in);
    const Tensor &h = got[0], &h_wanted = wanted[1];
    EXPECT_TRUE(std::equal(h.data<double>(), h.data<double>() + h.shape().elements(), h_wanted.data<double>()));
  }
}

// ---- the pass that merges lookups

/// The rows that an embedding looks up go through two layers, one of them backwards; perhaps they are cast before.
/// Returns both last states and the gradients of table and kernel.
struct TwoWays {
  DType dtype = DType::F64;
  bool keeps_rows = false, keeps_gradient = false;  // among the results

  template <class GradientOf>
  std::vector<Tensor> operator()(const std::vector<Tensor>& in, const GradientOf& gradient_of) const {
    std::vector<Tensor> layer{ops::cast(apply("gather", {in[0], in[1]}, {{"mode", std::string("strict")}}), dtype)};
    for (std::size_t i = 2; i < in.size(); ++i) layer.push_back(ops::cast(in[i], dtype));
    const std::vector<Tensor> states{apply_all("lstm", layer)[1], apply_all("lstm", layer, {{"reverse", true}})[1]};
    std::vector<Tensor> by{in[0], in[2]};
    if (keeps_gradient) by.push_back(layer[0]);
    std::vector<Tensor> results = gradient_of(states, by);
    results.insert(results.end(), states.begin(), states.end());
    if (keeps_rows) results.push_back(layer[0]);
    return results;
  }
};

std::vector<Tensor> two_way_inputs() {
  const std::int64_t B = 6, T = 10, C = 24, U = 5;
  Tensor ids = Tensor::empty(DType::I32, {B, T});
  for (std::int64_t i = 0; i < B * T; ++i) ids.data<std::int32_t>()[i] = static_cast<std::int32_t>(i * i % 19);
  return {
      doubles({50, C}, 1), ids, doubles({C, 4 * U}, 2), doubles({U, 4 * U}, 3), doubles({4 * U}, 4), doubles({B, U}, 5),
      doubles({B, U}, 6)};
}

std::shared_ptr<Graph> two_way_graph(const std::vector<Tensor>& in, const TwoWays& model) {
  auto graph = std::make_shared<Graph>();
  graph->begin_recording();
  std::vector<Tensor> symbols;
  for (const Tensor& t : in) symbols.push_back(graph->input(t.spec(), "x"));
  const auto gradient_of = [&](const std::vector<Tensor>& of, const std::vector<Tensor>& by) {
    return graph->gradient(of, of, by);
  };
  graph->set_outputs(model(symbols, gradient_of), {});
  graph->end_recording();
  return graph;
}

std::int64_t count_nodes(const Graph& graph, std::string_view name) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op->name == name; });
}

TEST(RnnProgram, MergesLookups) {
  const std::vector<Tensor> in = two_way_inputs();
  for (const DType dtype : {DType::F64, DType::F32}) {
    const TwoWays model{dtype};
    const auto graph = two_way_graph(in, model);
    const Graph optimised = optimise(*graph);
    EXPECT_EQ(count_nodes(optimised, "unique_indices"), 1);
    for (const Node& node : optimised.nodes) {
      const bool by_index = node.op->name == "gather" || node.op->name == "scatter_add";
      EXPECT_EQ(node.attrs.integer("most_input_rows", 0), node.op->name.starts_with("lstm") ? 50 : 0);
      EXPECT_EQ(node.attrs.text("mode", "") == "fill", by_index);
    }
    Tape tape;
    for (std::size_t i : {0, 2}) tape.watch(in[i]);
    tape.start();
    const std::vector<Tensor> wanted = model(in, [&](const auto& of, const auto& by) {
      tape.stop();
      return gradient(tape.records(), of, of, by);
    });
    for (int threads : {1, 3}) {
      const WithThreads with(threads);
      const std::vector<Tensor> got = Program::compile(*graph)->run(in);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Tensor a = ops::cast(got[i], DType::F64), b = ops::cast(wanted[i], DType::F64);
        for (std::int64_t j = 0; j < a.shape().elements(); ++j)
          ASSERT_NEAR(a.data<double>()[j], b.data<double>()[j], dtype == DType::F64 ? 1e-12 : 1e-4) << i << ' ' << j;
      }
    }
    std::vector<Tensor> bad = in;
    bad[1] = in[1].clone();
    bad[1].data<std::int32_t>()[7] = -1;
    const std::string text = error_text([&] { Program::compile(*graph)->run(bad); });
    EXPECT_NE(text.find("index -1 (element 7 of the indices) is out of range for axis 0 of size 50 of (50, 24)"),
              std::string::npos)
        << text;
  }
}

TEST(RnnProgram, KeepsLookupsThatOthersRead) {
  const std::vector<Tensor> in = two_way_inputs();
  EXPECT_EQ(count_nodes(optimise(*two_way_graph(in, {.keeps_rows = true})), "unique_indices"), 0);
  EXPECT_EQ(count_nodes(optimise(*two_way_graph(in, {.keeps_gradient = true})), "unique_indices"), 0);
  std::vector<Tensor> narrow = in;  // finding equal rows of 3 takes longer than their products
  narrow[0] = doubles({50, 3}, 1), narrow[2] = doubles({3, 20}, 2);
  EXPECT_EQ(count_nodes(optimise(*two_way_graph(narrow, {})), "unique_indices"), 0);
}

TEST(RnnErrors, AnInverseCountsRows) {
  std::vector<Tensor> in = example_inputs("lstm", 4, 1, false);
  const auto text = [&](std::vector<std::int32_t> inverse, const Shape& shape) {
    std::vector<Tensor> all = in;
    all.push_back(Tensor::from<std::int32_t>(inverse, shape));
    return error_text([&] { apply_all("lstm", all, {{"most_input_rows", std::int64_t{6}}}); });
  };
  EXPECT_NE(text({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12}, {3, 4}).find("neither came before nor is the next"),
            std::string::npos);
  EXPECT_NE(text({0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0}, {3, 4}).find("names 7 rows of x; expected 6 at most"),
            std::string::npos);
  EXPECT_EQ(text({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {3, 4}), "");
  std::vector<Tensor> all = in;  // more than there are places
  all.push_back(Tensor::from<std::int32_t>(std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0}, {3, 4}));
  const Tensor y = apply_all("lstm", all, {{"most_input_rows", std::int64_t{1000}}})[0];
  const Tensor same = apply_all("lstm", all, {{"most_input_rows", std::int64_t{7}}})[0];
  for (std::int64_t i = 0; i < y.shape().elements(); ++i) EXPECT_EQ(y.data<double>()[i], same.data<double>()[i]);
  EXPECT_NE(text({0, 0}, {1, 2}).find("inverse should have 3 rows"), std::string::npos);
}

TEST(RnnGradient, OfTheLastStateAlone) {
  const std::vector<Tensor> in = example_inputs("lstm", 4, 1, true);
  Tape tape;
  tape.watch(in[1]);
  tape.start();
  const std::vector<Tensor> out = apply_all("lstm", in);
  tape.stop();
  const Tensor dh = doubles({3, 3}, 9);
  const auto with_h = gradient(tape.records(), std::vector{out[1]}, std::vector{dh}, std::vector{in[1]});
  const Tensor zeros = Tensor::zeros(DType::F64, out[0].shape());
  const auto with_both =
      gradient(tape.records(), std::vector{out[1], out[0]}, std::vector{dh, zeros}, std::vector{in[1]});
  for (std::int64_t i = 0; i < in[1].shape().elements(); ++i)
    EXPECT_EQ(with_h[0].data<double>()[i], with_both[0].data<double>()[i]);
}

// ----------------------------------------------------------------------------------------------------------- semantics

TEST(Rnn, MaskedStepsRepeatTheOutputAndKeepTheState) {
  std::vector<Tensor> in = example_inputs("lstm", 4, 1, true);
  for (int i = 0; i < 12; ++i) in[6].data<bool>()[i] = i % 4 == 1;  // only step 1 counts
  const std::vector<Tensor> out = apply_all("lstm", in);
  const double* y = out[0].data<double>();
  for (int b = 0; b < 3; ++b)
    for (int u = 0; u < 3; ++u) {
      EXPECT_EQ(y[(b * 4 + 0) * 3 + u], 0) << "nothing has been put out yet";
      EXPECT_NE(y[(b * 4 + 1) * 3 + u], 0);
      EXPECT_EQ(y[(b * 4 + 3) * 3 + u], y[(b * 4 + 1) * 3 + u]);
      EXPECT_EQ(out[1].data<double>()[b * 3 + u], y[(b * 4 + 1) * 3 + u]);
    }
}

TEST(Rnn, EmptyBatchesAndNoSteps) {
  for (RnnCell cell : kCells)
    for (auto [batch, steps] : {std::pair{0, 3}, {3, 0}}) {
      RnnShape shape{.cell = cell, .batch = batch, .steps = steps, .channels = 2, .units = 3};
      Layer<float> layer(shape);
      std::vector<float> y;
      const Backward<float> d = run_backward(shape, layer, y);
      EXPECT_EQ(d.dw_x, std::vector<float>(layer.w_x.size(), 0.0f));
      EXPECT_EQ(d.dw_h, std::vector<float>(layer.w_h.size(), 0.0f));
      EXPECT_EQ(d.db, std::vector<float>(layer.b.size(), 0.0f));
    }
}

TEST(Rnn, ReverseIsForwardOnTheFlippedSequence) {
  std::vector<Tensor> in = example_inputs("gru", 3, 2, false);
  const std::vector<Tensor> reversed = apply_all("gru", in, {{"reverse", true}});
  Tensor flipped = in[0].clone();
  for (int b = 0; b < 3; ++b)
    for (int t = 0; t < 4; ++t)
      for (int c = 0; c < 2; ++c)
        flipped.data<double>()[(b * 4 + t) * 2 + c] = in[0].data<double>()[(b * 4 + 3 - t) * 2 + c];
  in[0] = flipped;
  const std::vector<Tensor> forward = apply_all("gru", in);
  for (std::int64_t i = 0; i < forward[0].shape().elements(); ++i)
    EXPECT_EQ(forward[0].data<double>()[i], reversed[0].data<double>()[i]);
}

TEST(RnnErrors, NameWhatIsWrong) {
  const auto text = [](std::vector<Tensor> in, const Attrs& attrs = {}) {
    return error_text([&] { apply_all("lstm", in, attrs); });
  };
  std::vector<Tensor> in = example_inputs("lstm", 4, 1, false);
  EXPECT_NE(text(in, {{"activation", std::string("gelu")}}).find("activation 'gelu'"), std::string::npos);
  std::vector<Tensor> wrong = in;
  wrong[1] = Tensor::zeros(DType::F64, {5, 12});
  EXPECT_NE(text(wrong).find("w_x should have 2 channels"), std::string::npos) << text(wrong);
  wrong = in;
  wrong[2] = Tensor::zeros(DType::F64, {3, 9});
  EXPECT_NE(text(wrong).find("4 * units columns"), std::string::npos) << text(wrong);
  wrong = in;
  wrong[3] = Tensor::zeros(DType::F64, {2, 12});
  EXPECT_NE(text(wrong).find("b should have the shape (12,)"), std::string::npos) << text(wrong);
  wrong = in;
  wrong[5] = Tensor::zeros(DType::F64, {2, 3});
  EXPECT_NE(text(wrong).find("c0 should have 3 rows"), std::string::npos) << text(wrong);
  wrong = in;
  wrong[0] = Tensor::zeros(DType::F64, {3, 4, 0});
  wrong[1] = Tensor::zeros(DType::F64, {0, 12});
  EXPECT_NE(text(wrong).find("at least one channel"), std::string::npos) << text(wrong);
  in.pop_back();
  EXPECT_NE(text(in).find("got 5"), std::string::npos);
}

TEST(RnnErrors, ShapeRuleKeepsUnknownSizes) {
  const Specs in{{DType::F32, {-1, -1, 8}}, {DType::F32, {8, 64}},  {DType::F32, {16, 64}},
                 {DType::F32, {64}},        {DType::F32, {-1, 16}}, {DType::F32, {-1, 16}}};
  const Specs out = primitive("lstm").infer(in, {});
  EXPECT_EQ(out[0].shape, (Shape{-1, -1, 16}));
  EXPECT_EQ(out[1].shape, (Shape{-1, 16}));
}

}  // namespace
}  // namespace dlcore
