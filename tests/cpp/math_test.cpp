// Elementary functions on float32 against the C library in double, over floats of every size, in units in the last
// place.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "dlcore/tensor.h"
#include "program/primitive.h"

namespace dlcore {
namespace {

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

/// Every 4295th float, denormals left out (they count as zero); then the numbers around which functions turn, and those
/// where the errors of sigmoid, gelu, silu, tanh and erf are or once were greatest of all floats.
const std::vector<float>& arguments() {
  static const std::vector<float> all = [] {
    std::vector<float> numbers;
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4295) {
      const float x = float_of(static_cast<std::uint32_t>(bits));
      if (std::fpclassify(x) != FP_SUBNORMAL) numbers.push_back(x);
    }
    for (float edge : {0.f, 0.5f, 0.625f, 0.92f, 1.f, 2.f, 4.f, 10.f, 13.5f, 16.6f, 80.f, 87.33f, 88.72f, 103.9f,
                       1048576.f, std::numeric_limits<float>::min(), std::numeric_limits<float>::max(), INFINITY})
      for (float x : {edge, std::nextafter(edge, 0.f), std::nextafter(edge, INFINITY)})
        if (std::fpclassify(x) != FP_SUBNORMAL) numbers.insert(numbers.end(), {x, -x});
    for (float worst : {-0.0003449918f, -0.000488340738f, -0.0158237163f, -0.340873837f, -0.627115905f, 0.63510406f,
                        0.945288718f, -3.45184159f, -16.6425343f, -16.635704f, -16.6962605f})
      numbers.push_back(worst);
    for (int i = -100000; i <= 100000; ++i) numbers.push_back(static_cast<float>(i) * 2e-4f);
    numbers.push_back(NAN);
    return numbers;
  }();
  return all;
}

/// The unit in the last place of a float32 of this size.
double unit(double x) { return std::ldexp(1.0, std::ilogb(std::max(std::abs(x), 0x1p-126)) - 23); }

/// |got - expected| in units in the last place of a float32 of expected's size; what is not finite must agree.
double ulps(float got, double expected) {
  const float rounded = static_cast<float>(expected);
  if (std::isnan(expected)) return std::isnan(got) ? 0 : INFINITY;
  if (got == rounded) return std::isinf(got) ? 0 : std::abs(got - expected) / unit(expected);
  if (std::isinf(got) || std::isinf(rounded))
    return std::abs(rounded) >= 0x1.fffffcp127 && std::abs(got) >= 0x1.fffffcp127 && got * rounded > 0 ? 1 : INFINITY;
  const double error = std::abs(got - expected);
  if (error <= 0x1p-125) return 0;  // something on the way was flushed to zero
  return error / unit(expected);
}

struct MathCase {
  const char* op;
  double bound;
  double (*reference)(double);
  Attrs attrs = {};
  /// Units to add for an argument.
  double (*allowance)(double) = [](double) { return 0.0; };
};

double gelu_tanh_exponent(double x) { return 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }

const MathCase kCases[] = {
    {"exp", 1.5, [](double x) { return std::exp(x); }},
    {"expm1", 2, [](double x) { return std::expm1(x); }},
    {"log", 1.5, [](double x) { return std::log(x); }},
    {"log1p", 2, [](double x) { return std::log1p(x); }},
    {"log2", 2, [](double x) { return std::log2(x); }},
    {"log10", 2.5, [](double x) { return std::log10(x); }},
    {"sin", 1, [](double x) { return std::sin(x); }},
    {"cos", 1, [](double x) { return std::cos(x); }},
    {"tanh", 2, [](double x) { return std::tanh(x); }},
    {"erf", 2.5, [](double x) { return std::erf(x); }},
    {"sigmoid", 2, [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }},
    {"softplus", 2, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
    {"silu", 2, [](double x) { return x < -700 ? -0.0 : x / (1 + std::exp(-x)); }},
    {"gelu", 4, [](double x) { return x < -40 ? -0.0 : x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }},
    {"gelu",
     4,
     [](double x) { return x < -40 ? -0.0 : x / (1 + std::exp(-gelu_tanh_exponent(x))); },
     {{"approximate", true}},
     [](double x) { return x < 0 && x > -40 ? 4 * std::abs(gelu_tanh_exponent(x)) : 0; }},
    {"sqrt", 0.5001, [](double x) { return std::sqrt(x); }},
    {"rsqrt", 1.5, [](double x) { return 1 / std::sqrt(x); }},
    {"reciprocal", 0.5001, [](double x) { return 1 / x; }},
};

TEST(Math, WithinUnitsInTheLastPlace) {
  const std::vector<float>& x = arguments();
  const Tensor argument = Tensor::from<float>(x, {static_cast<std::int64_t>(x.size())});
  for (const MathCase& c : kCases) {
    const Tensor result = apply(c.op, {argument}, c.attrs);
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(result.data<float>()[i], c.reference(x[i])) - c.allowance(x[i]);
      if (error > worst) {
        worst = error;
        at = i;
      }
    }
    EXPECT_LE(worst, c.bound) << c.op << '(' << x[at] << ") = " << result.data<float>()[at] << ", expected "
                              << c.reference(x[at]);
    RecordProperty(str(c.op, "_ulps_", c.bound), str(worst));
  }
}

TEST(Math, PowOverPairs) {
  std::vector<float> bases = {0.f,      1.f, 2.f, 3.f, 10.f, 0.5f, 0.999f, 1.001f, 1e-30f, 1e30f, 0x1.fffffep127f,
                              INFINITY, NAN},
                     exponents = {0.f,   1.f,  2.f,   3.f,       4.f,        5.f,   0.5f,     0.25f, 1.5f,
                                  7.25f, 31.f, 100.f, 8388609.f, 16777216.f, 1e10f, INFINITY, NAN};
  for (std::vector<float>* numbers : {&bases, &exponents}) {
    for (int i = 1; i < 200; ++i) numbers->push_back(static_cast<float>(i) * 0.0737f);
    for (std::size_t i = 0, n = numbers->size(); i < n; ++i) numbers->push_back(-(*numbers)[i]);
  }
  std::vector<float> x, y;
  for (float base : bases)
    for (float exponent : exponents) {
      x.push_back(base);
      y.push_back(exponent);
    }
  const std::int64_t n = static_cast<std::int64_t>(x.size());
  const Tensor result = apply("pow", {Tensor::from<float>(x, {n}), Tensor::from<float>(y, {n})});
  for (std::int64_t i = 0; i < n; ++i) {
    const double expected = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
    ASSERT_LE(ulps(result.data<float>()[i], expected), 0.51)
        << x[i] << " ^ " << y[i] << " = " << result.data<float>()[i];
    ASSERT_EQ(std::signbit(result.data<float>()[i]) && !std::isnan(expected),
              std::signbit(expected) && !std::isnan(expected))
        << x[i] << " ^ " << y[i];
  }
}

TEST(Math, SlopesOfGelu) {
  const auto slope = [](double x) {
    return 0.5 * std::erfc(-x * std::sqrt(0.5)) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  };
  const auto tanh_slope = [](double x) {
    const double s = 1 / (1 + std::exp(-gelu_tanh_exponent(x)));
    return s + x * s * (1 - s) * 2 * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  };
  const std::vector<float>& x = arguments();
  const Tensor argument = Tensor::from<float>(x, {static_cast<std::int64_t>(x.size())});
  const Tensor one = Tensor::scalar(DType::F32, 1);
  for (const bool approximate : {false, true}) {
    const Tensor result = apply("gelu_grad", {one, argument}, {{"approximate", approximate}});
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float got = result.data<float>()[i];
      if (std::isnan(x[i]))
        ASSERT_TRUE(std::isnan(got)) << x[i];
      else if (std::abs(x[i]) > 6.2f)
        ASSERT_EQ(got, x[i] > 0 ? 1.f : 0.f) << x[i];
      else
        ASSERT_NEAR(got, approximate ? tanh_slope(x[i]) : slope(x[i]), 1.2e-7) << x[i];
    }
  }
}

TEST(Math, ZeroKeepsItsSign) {
  const Tensor zero = Tensor::scalar(DType::F32, -0.0);
  for (const char* op : {"tanh", "erf", "gelu", "silu", "sqrt", "neg"})
    EXPECT_EQ(std::signbit(*apply(op, {zero}).data<float>()), std::string(op) != "neg") << op;
}

}  // namespace
}  // namespace dlcore
