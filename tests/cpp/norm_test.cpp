#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/norm/norm.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::WithThreads;

template <class T>
Tensor random(const Shape& shape, int seed, double mean = 0.5, double spread = 2) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal(mean, spread);
  Tensor x = Tensor::empty(dtype_of<T>(), shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) x.data<T>()[i] = static_cast<T>(normal(generator));
  return x;
}

/// Which mean and which gamma element i of x belongs to.
struct Places {
  std::int64_t rows, parameters;
  std::vector<std::int64_t> row, parameter;
};

Places batch_places(const Shape& x, int axis) {
  const std::int64_t channels = x[axis], inner = x.product(axis + 1, x.rank());
  Places places{channels, channels, {}, {}};
  for (std::int64_t i = 0; i < x.elements(); ++i) places.row.push_back(i / inner % channels);
  places.parameter = places.row;
  return places;
}

Places layer_places(const Shape& x, int axis) {
  const std::int64_t size = x.product(axis, x.rank());
  Places places{x.product(0, axis), size, {}, {}};
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    places.row.push_back(i / size);
    places.parameter.push_back(i % size);
  }
  return places;
}

struct Reference {
  std::vector<double> y, mean, var, rstd, dx, dgamma, dbeta;
  double terms = 0;  // the largest of the terms that dx is the difference of
};

/// The formulas in double, element by element.
template <class T>
Reference reference(const Places& p, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& dy,
                    double epsilon) {
  const std::int64_t elements = x.shape().elements();
  const double n = static_cast<double>(elements) / static_cast<double>(p.rows);
  const T *xs = x.data<T>(), *dys = dy.data<T>(), *gammas = gamma.data<T>();
  Reference r;
  r.mean.assign(p.rows, 0), r.var.assign(p.rows, 0), r.rstd.assign(p.rows, 0);
  r.dgamma.assign(p.parameters, 0), r.dbeta.assign(p.parameters, 0);
  std::vector<double> sum_g(p.rows), sum_gz(p.rows);
  for (std::int64_t i = 0; i < elements; ++i) r.mean[p.row[i]] += xs[i] / n;
  for (std::int64_t i = 0; i < elements; ++i) r.var[p.row[i]] += std::pow(xs[i] - r.mean[p.row[i]], 2) / n;
  for (std::int64_t k = 0; k < p.rows; ++k) r.rstd[k] = 1 / std::sqrt(r.var[k] + epsilon);
  for (std::int64_t i = 0; i < elements; ++i) {
    const double z = xs[i] - r.mean[p.row[i]], hat = z * r.rstd[p.row[i]], g = double{dys[i]} * gammas[p.parameter[i]];
    r.y.push_back(hat * gammas[p.parameter[i]] + beta.data<T>()[p.parameter[i]]);
    r.dgamma[p.parameter[i]] += dys[i] * hat;
    r.dbeta[p.parameter[i]] += dys[i];
    sum_g[p.row[i]] += g / n;
    sum_gz[p.row[i]] += g * hat / n;
  }
  for (std::int64_t i = 0; i < elements; ++i) {
    const double hat = (xs[i] - r.mean[p.row[i]]) * r.rstd[p.row[i]], g = double{dys[i]} * gammas[p.parameter[i]];
    r.terms = std::max(r.terms, r.rstd[p.row[i]] * std::abs(g));
    r.dx.push_back(r.rstd[p.row[i]] * (g - sum_g[p.row[i]] - hat * sum_gz[p.row[i]]));
  }
  return r;
}

/// Within `ulps` roundings of numbers as large as the largest.
template <class T>
void expect_close(const char* what, const Tensor& got, const std::vector<double>& expected, double ulps,
                  double largest = 0) {
  ASSERT_EQ(got.shape().elements(), static_cast<std::int64_t>(expected.size())) << what;
  for (double v : expected) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got.data<T>()[i], expected[i], ulps * std::numeric_limits<T>::epsilon() * (1 + largest))
        << what << ' ' << i << " of " << got.spec();
}

template <class T>
void check_norm(bool batch, const Shape& shape, int axis) {
  const Places places = batch ? batch_places(shape, axis) : layer_places(shape, axis);
  Shape parameters{places.parameters};
  if (!batch) {
    parameters = {};
    for (int k = axis; k < shape.rank(); ++k) parameters.push_back(shape[k]);
  }
  const Tensor x = random<T>(shape, 1), dy = random<T>(shape, 2, 0, 1), gamma = random<T>(parameters, 3),
               beta = random<T>(parameters, 4);
  const Attrs attrs{{"axis", axis - shape.rank()}, {"epsilon", 1e-3}};
  const auto out = apply_all(batch ? "batch_norm" : "layer_norm", std::vector{x, gamma, beta}, attrs);
  const Tensor &mean = out[1], &rstd = out.back();
  const auto d = apply_all(batch ? "batch_norm_grad" : "layer_norm_grad", std::vector{x, gamma, mean, rstd, dy}, attrs);
  const Reference expected = reference<T>(places, x, gamma, beta, dy, 1e-3);
  const double n = static_cast<double>(shape.elements()) / static_cast<double>(std::max<std::int64_t>(places.rows, 1));
  const double of_sum = 16 + 2 * std::sqrt(n),
               of_rows = 16 + 2 * std::sqrt(shape.elements() /
                                            static_cast<double>(std::max<std::int64_t>(places.parameters, 1)));
  expect_close<T>("y", out[0], expected.y, 64);
  expect_close<T>("mean", mean, expected.mean, 16);
  if (batch) expect_close<T>("var", out[2], expected.var, 32);
  expect_close<T>("rstd", rstd, expected.rstd, 32);
  expect_close<T>("dx", d[0], expected.dx, 4 * of_sum, expected.terms);
  expect_close<T>("dgamma", d[1], expected.dgamma, 4 * of_rows);
  expect_close<T>("dbeta", d[2], expected.dbeta, 4 * of_rows);
}

TEST(BatchNorm, MatchesTheReferenceForEveryNumberOfChannels) {
  for (std::int64_t channels : {1, 2, 3, 5, 8, 10, 15, 16, 17, 31, 32, 33, 64, 100, 300})
    for (std::int64_t rows : {1, 2, 7, 16, 65, 200}) {
      check_norm<float>(true, {rows, channels}, 1);
      check_norm<double>(true, {rows, channels}, 1);
    }
}

TEST(BatchNorm, EveryAxisAndRank) {
  for (int axis = 0; axis < 4; ++axis) {
    check_norm<float>(true, {3, 5, 4, 7}, axis);
    check_norm<double>(true, {3, 5, 4, 7}, axis);
  }
  check_norm<float>(true, {20}, 0);
  check_norm<float>(true, {2, 3, 9001}, 1);  // runs of several pieces
  check_norm<float>(true, {40000, 3}, 1);    // several pieces and a leftover
  check_norm<float>(true, {20001, 10}, 1);
}

TEST(BatchNorm, KeepsItsPrecisionFarFromZero) {
  const Tensor x = random<float>({4096, 8}, 1, 10000, 1);
  const auto out = apply_all(
      "batch_norm",
      std::vector{x, ops::ones_like(Tensor::empty(DType::F32, {8})), ops::zeros_like(Tensor::empty(DType::F32, {8}))},
      {{"epsilon", 0.0}});
  for (int c = 0; c < 8; ++c) {
    double mean = 0, var = 0;
    for (int r = 0; r < 4096; ++r) mean += x.data<float>()[r * 8 + c] / 4096.0;
    for (int r = 0; r < 4096; ++r) var += std::pow(x.data<float>()[r * 8 + c] - mean, 2) / 4096.0;
    EXPECT_NEAR(out[1].data<float>()[c], mean, 1e-3);
    EXPECT_NEAR(out[2].data<float>()[c], var, 1e-5);
  }
}

TEST(BatchNorm, EmptyBatch) {
  const Tensor x = Tensor::empty(DType::F32, {0, 3}), p = Tensor::zeros(DType::F32, {3});
  EXPECT_EQ(apply_all("batch_norm", std::vector{x, p, p}, {})[0].shape(), (Shape{0, 3}));
  const auto d = apply_all("batch_norm_grad", std::vector{x, p, p, p, x}, {});
  for (int c = 0; c < 3; ++c) EXPECT_EQ(d[1].data<float>()[c], 0.0f);
}

TEST(LayerNorm, MatchesTheReferenceForEverySize) {
  for (std::int64_t size : {1, 2, 3, 7, 10, 15, 16, 17, 33, 64, 65, 100, 512, 1000})
    for (std::int64_t rows : {1, 3, 70}) {
      check_norm<float>(false, {rows, size}, 1);
      check_norm<double>(false, {rows, size}, 1);
    }
  check_norm<float>(false, {3, 20000}, 1);
}

TEST(LayerNorm, SeveralAxes) {
  for (int axis = 0; axis < 3; ++axis) check_norm<float>(false, {3, 5, 7}, axis);
  const Tensor empty = Tensor::empty(DType::F32, {0, 4}), p = Tensor::zeros(DType::F32, {4});
  EXPECT_EQ(apply_all("layer_norm", std::vector{empty, p, p}, {})[1].shape(), Shape{0});
}

TEST(Norm, SameBitsForAnyNumberOfThreads) {
  const Tensor x = random<float>({20000, 10}, 1), dy = random<float>({20000, 10}, 2), p = random<float>({10}, 3);
  for (const std::string name : {"batch_norm", "layer_norm"}) {
    std::vector<std::vector<Tensor>> results;
    for (int threads : {1, 2, 3}) {
      const WithThreads with(threads);
      results.push_back(apply_all(name, std::vector{x, p, p}, {}));
      const auto& out = results.back();
      for (const Tensor& d :
           apply_all(name + "_grad", std::vector{x, p, out[1], out[name == "batch_norm" ? 3 : 2], dy}, {}))
        results.back().push_back(d);
    }
    for (const auto& result : results)
      for (std::size_t i = 0; i < result.size(); ++i)
        EXPECT_EQ(std::memcmp(result[i].bytes(), results[0][i].bytes(), result[i].spec().bytes()), 0) << name << i;
  }
}

/// What is computed of 16-bit floats is that of float32, rounded.
void expect_rounded(const std::vector<Tensor>& half, const std::vector<Tensor>& wide) {
  for (std::size_t i = 0; i < half.size(); ++i) {
    const Tensor expected = ops::cast(wide[i], half[i].dtype());
    EXPECT_EQ(std::memcmp(half[i].bytes(), expected.bytes(), expected.spec().bytes()), 0) << i;
  }
}

TEST(Norm, SixteenBitFloats) {
  const Tensor x = ops::cast(random<float>({6, 10}, 1), DType::F16),
               dy = ops::cast(random<float>({6, 10}, 3), DType::F16);
  const Tensor parameter = random<float>({10}, 2);
  const auto expect_spec = [](const std::vector<Tensor>& half) {
    for (std::size_t i = 0; i < half.size(); ++i) EXPECT_EQ(half[i].dtype(), i == 0 ? DType::F16 : DType::F32);
  };
  for (const std::string name : {"batch_norm", "layer_norm"}) {
    const Tensor wide_x = ops::cast(x, DType::F32), wide_dy = ops::cast(dy, DType::F32);
    const auto half = apply_all(name, std::vector{x, parameter, parameter}, {});
    expect_spec(half);
    expect_rounded(half, apply_all(name, std::vector{wide_x, parameter, parameter}, {}));
    const Tensor &mean = half[1], &rstd = half.back();
    const auto gradients = apply_all(name + "_grad", std::vector{x, parameter, mean, rstd, dy}, {});
    expect_spec(gradients);
    expect_rounded(gradients, apply_all(name + "_grad", std::vector{wide_x, parameter, mean, rstd, wide_dy}, {}));
  }
  const Tensor half_parameter = ops::cast(parameter, DType::F16);
  EXPECT_NE(error_text([&] {
              apply_all("layer_norm", std::vector{x, half_parameter, half_parameter}, {});
            }).find("gamma is float16(10,); expected float32(10,)"),
            std::string::npos);
}

TEST(LayerNorm, BfloatIsRoundedFloat) {
  for (const Shape& shape : {Shape{200, 5}, Shape{70, 16}, Shape{3, 70, 64}, Shape{9, 130}, Shape{2, 20000}}) {
    const Tensor x = ops::cast(random<float>(shape, 1), DType::BF16),
                 dy = ops::cast(random<float>(shape, 2), DType::BF16);
    const Tensor wide_x = ops::cast(x, DType::F32), wide_dy = ops::cast(dy, DType::F32);
    const Shape size{shape[shape.rank() - 1]};
    const Tensor gamma = random<float>(size, 3), beta = random<float>(size, 4);
    const auto wide = apply_all("layer_norm", std::vector{wide_x, gamma, beta}, {});
    expect_rounded(apply_all("layer_norm", std::vector{x, gamma, beta}, {}), wide);
    expect_rounded(apply_all("layer_norm_grad", std::vector{x, gamma, wide[1], wide[2], dy}, {}),
                   apply_all("layer_norm_grad", std::vector{wide_x, gamma, wide[1], wide[2], wide_dy}, {}));
    EXPECT_EQ(primitive("layer_norm").plan(Specs{x.spec(), gamma.spec(), beta.spec()}, {}, {}).label, "layer_norm");
  }
}

TEST(BatchNorm, BfloatIsRoundedFloat) {
  const std::vector<std::pair<Shape, std::int64_t>> cases{{{200, 5}, -1},  {{1000, 17}, -1}, {{3, 70, 64}, -1},
                                                          {{90, 130}, -1}, {{4, 3, 500}, 1}, {{5, 1}, -1}};
  for (const auto& [shape, axis] : cases)
    for (const std::string activation : {"", "relu"}) {
      const Shape channels{shape[axis < 0 ? shape.rank() - 1 : 1]};
      const Tensor x = ops::cast(random<float>(shape, 1), DType::BF16),
                   dy = ops::cast(random<float>(shape, 2), DType::BF16);
      const Tensor wide_x = ops::cast(x, DType::F32), wide_dy = ops::cast(dy, DType::F32);
      const Tensor gamma = random<float>(channels, 3), beta = random<float>(channels, 4, 0, 1);
      const Attrs attrs{{"axis", axis}, {"activation", activation}};
      const auto wide = apply_all("batch_norm", std::vector{wide_x, gamma, beta}, attrs);
      expect_rounded(apply_all("batch_norm", std::vector{x, gamma, beta}, attrs), wide);
      std::vector in{x, gamma, wide[1], wide[3], dy}, wide_in{wide_x, gamma, wide[1], wide[3], wide_dy};
      if (!activation.empty()) in.push_back(beta), wide_in.push_back(beta);
      expect_rounded(apply_all("batch_norm_grad", in, attrs), apply_all("batch_norm_grad", wide_in, attrs));
    }
  // Of a NaN comes a NaN, in whole vectors and behind them.
  Tensor x = Tensor::zeros(DType::F32, {3, 21});
  x.data<float>()[2] = x.data<float>()[20] = std::numeric_limits<float>::quiet_NaN();
  const Tensor zeros = Tensor::zeros(DType::F32, {21});
  const Tensor y =
      ops::cast(apply_all("batch_norm", std::vector{ops::cast(x, DType::BF16), zeros, zeros}, {})[0], DType::F32);
  for (int i = 0; i < 63; ++i) EXPECT_EQ(std::isnan(y.data<float>()[i]), i % 21 == 2 || i % 21 == 20) << i;
}

TEST(BatchNorm, RectifiesAsReluDoes) {
  const std::vector<std::pair<Shape, std::int64_t>> cases{{{200, 5}, -1}, {{3, 70, 64}, -1}, {{4, 3, 500}, 1}};
  const Attrs relu{{"activation", std::string("relu")}};
  for (const auto& [shape, axis] : cases) {
    const Shape channels{shape[axis < 0 ? shape.rank() - 1 : 1]};
    const Tensor x = random<float>(shape, 1), dy = random<float>(shape, 2), gamma = random<float>(channels, 3),
                 beta = random<float>(channels, 4, 0, 1);
    const Attrs attrs{{"axis", axis}}, rectified{{"axis", axis}, {"activation", std::string("relu")}};
    const auto plain = apply_all("batch_norm", std::vector{x, gamma, beta}, attrs);
    const auto got = apply_all("batch_norm", std::vector{x, gamma, beta}, rectified);
    const Tensor y = apply("relu", {plain[0]});
    EXPECT_EQ(std::memcmp(got[0].bytes(), y.bytes(), y.spec().bytes()), 0);
    const Tensor masked = apply("relu_grad", {dy, y});
    const auto expected = apply_all("batch_norm_grad", std::vector{x, gamma, plain[1], plain[3], masked}, attrs);
    const auto d = apply_all("batch_norm_grad", std::vector{x, gamma, plain[1], plain[3], dy, beta}, rectified);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(std::memcmp(d[i].bytes(), expected[i].bytes(), expected[i].spec().bytes()), 0) << i;
  }
  const Tensor x = random<double>({4, 3, 5}, 1), p = random<double>({5}, 3), q = random<double>({5}, 4);
  check_gradient("batch_norm", {x, p, q}, relu);
  check_gradient("batch_norm_grad",
                 {x, p, random<double>({5}, 6), random<double>({5}, 5, 2, 0.2), random<double>({4, 3, 5}, 2), q}, relu,
                 99, 1e-6);
  const Tensor one = Tensor::zeros(DType::F64, {5});
  EXPECT_NE(error_text([&] {
              apply_all("batch_norm", std::vector{x, one, one}, {{"activation", std::string("tanh")}});
            }).find("activation is 'tanh'; expected '' or 'relu'"),
            std::string::npos);
}

TEST(Norm, GradientsMatchDifferences) {
  const Tensor x = random<double>({4, 3, 5}, 1), dy = random<double>({4, 3, 5}, 2);
  for (int axis : {1, 2}) {
    const Tensor p = random<double>({axis == 1 ? 3 : 5}, 3), q = random<double>({axis == 1 ? 3 : 5}, 4);
    const Attrs attrs{{"axis", axis}, {"epsilon", 0.1}};
    check_gradient("batch_norm", {x, p, q}, attrs);
    check_gradient("batch_norm_grad", {x, p, q, random<double>(p.shape(), 5, 2, 0.2), dy}, attrs, 99, 1e-6);
  }
  for (int axis : {1, -1}) {
    const Shape parameters = axis == 1 ? Shape{3, 5} : Shape{5}, rows = axis == 1 ? Shape{4} : Shape{4, 3};
    const Tensor p = random<double>(parameters, 3), q = random<double>(parameters, 4);
    const Attrs attrs{{"axis", axis}, {"epsilon", 0.1}};
    check_gradient("layer_norm", {x, p, q}, attrs);
    check_gradient("layer_norm_grad", {x, p, random<double>(rows, 6), random<double>(rows, 5, 2, 0.2), dy}, attrs, 99,
                   1e-6);
  }
}

TEST(Norm, ErrorsNameTheParameter) {
  const Tensor x = Tensor::zeros(DType::F32, {2, 4, 3}), four = Tensor::zeros(DType::F32, {4}),
               three = Tensor::zeros(DType::F32, {3});
  const std::string gamma = error_text([&] { apply_all("batch_norm", std::vector{x, four, four}, {}); });
  for (const char* part : {"gamma", "float32(4,)", "float32(3,)", "float32(2, 4, 3)", "axis -1"})
    EXPECT_NE(gamma.find(part), std::string::npos) << gamma;
  const std::string beta = error_text([&] { apply_all("layer_norm", std::vector{x, three, four}, {}); });
  EXPECT_NE(beta.find("beta"), std::string::npos) << beta;
  const std::string epsilon = error_text([&] {
    apply_all("layer_norm", std::vector{x, three, three}, {{"epsilon", -1.0}});
  });
  EXPECT_NE(epsilon.find("epsilon is -1"), std::string::npos) << epsilon;
  const TensorSpec unknown{DType::F32, {-1, 4}};
  EXPECT_EQ(primitive("layer_norm").infer(std::vector{unknown, four.spec(), four.spec()}, {})[1].shape, Shape{-1});
}

}  // namespace
}  // namespace dlcore
