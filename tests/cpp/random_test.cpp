#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/random/random.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::WithThreads;
using Integers = std::vector<std::int64_t>;

constexpr std::int64_t kMany = 1 << 20;

Tensor seed(std::int64_t seed, std::int64_t counter) {
  return Tensor::from<std::int64_t>(Integers{seed, counter}, {2});
}

Tensor draw(const char* op, std::int64_t n, Attrs attrs = {}, Tensor key = seed(42, 7)) {
  attrs.set("shape", Integers{n});
  return apply(op, {key}, attrs);
}

// The layout that random.h defines, with the scalar generator.
struct Stream {
  std::uint64_t seed, counter;
  std::uint32_t word(std::uint64_t block, int j) const {
    auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    return philox4x32(low(block), low(block >> 32), low(counter), low(counter >> 32), low(seed), low(seed >> 32)).v[j];
  }
  std::uint32_t number32(std::uint64_t i) const { return word(i / 64 * 16 + i % 16, i % 64 / 16); }
  std::uint32_t number16(std::uint64_t i) const {
    return word(i / 128 * 16 + i % 16, i % 64 / 16) >> (i % 128 / 64 * 16) & 0xffff;
  }
  std::uint64_t number64(std::uint64_t i) const {
    const std::uint64_t block = i / 32 * 16 + i % 16;
    const int pair = i % 32 / 16;
    return std::uint64_t{word(block, 2 * pair)} << 32 | word(block, 2 * pair + 1);
  }
};
const Stream kStream{42, 7};

// Known answers of Random123 (Salmon et al. 2011), tests/kat_vectors.
TEST(Philox, KnownAnswers) {
  const auto expect = [](Philox4 got, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    EXPECT_EQ(got.v[0], a);
    EXPECT_EQ(got.v[1], b);
    EXPECT_EQ(got.v[2], c);
    EXPECT_EQ(got.v[3], d);
  };
  const std::uint32_t ones = 0xffffffffu;
  expect(philox4x32(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  expect(philox4x32(ones, ones, ones, ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  expect(philox4x32(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb,
         0x5001e420, 0x24126ea1);
}

// ---- the same bits as the definition

TEST(RandomUniform, HasTheBitsOfItsDefinition) {
  for (std::int64_t n : {1, 15, 16, 63, 64, 65, 128, 1000, 5000}) {
    const Tensor y = draw("random_uniform", n, {{"low", -1.0}, {"high", 2.0}});
    const Tensor wide = draw("random_uniform", n, {{"low", -1.0}, {"high", 2.0}, {"dtype", "float64"}});
    for (std::int64_t i = 0; i < n; ++i) {
      const float u = static_cast<float>(kStream.number32(i) >> 8) * 0x1p-24f;
      ASSERT_EQ(y.data<float>()[i], std::min(u * 3.0f + -1.0f, std::nextafterf(2.0f, -1.0f)));
      const double v = static_cast<double>(kStream.number64(i) >> 11) * 0x1p-53;
      ASSERT_EQ(wide.data<double>()[i], std::min(v * 3.0 + -1.0, std::nextafter(2.0, -1.0)));
    }
  }
}

TEST(RandomInt, HasTheBitsOfItsDefinition) {
  for (const auto& [low, high] :
       {std::pair<std::int64_t, std::int64_t>{0, 10},
        {-5, 5},
        {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}}) {
    const Tensor y = draw("random_int", 100, {{"low", low}, {"high", high}, {"dtype", "int64"}});
    for (std::int64_t i = 0; i < 100; ++i) {
      const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
      const auto product = static_cast<unsigned __int128>(kStream.number64(i)) * span;
      ASSERT_EQ(y.data<std::int64_t>()[i],
                static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + static_cast<std::uint64_t>(product >> 64)));
    }
  }
  const Tensor wide = draw("random_int", 100, {{"low", -5}, {"high", 5}, {"dtype", "int64"}});
  const Tensor narrow = draw("random_int", 100, {{"low", -5}, {"high", 5}, {"dtype", "int8"}});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(narrow.data<std::int8_t>()[i], wide.data<std::int64_t>()[i]);
}

TEST(RandomNormal, IsCloseToItsDefinition) {
  constexpr double kTurn = 6.283185307179586477;
  const std::int64_t n = 1 << 16;
  const Tensor y = draw("random_normal", n), wide = draw("random_normal", n, {{"dtype", "float64"}});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t group = i / 64 * 64, j = i % 64 / 16, lane = i % 16;
    const std::uint32_t first = kStream.number32(group + j / 2 * 32 + lane),
                        second = kStream.number32(group + j / 2 * 32 + 16 + lane);
    const double u = (static_cast<double>(static_cast<float>(first >> 1)) + 0.5) / 2147483648.0,
                 t = second / 4294967296.0 * kTurn;
    // sqrt(-2 log u) near u = 1 doubles the rounding of log; the angle is exact
    const double r = std::sqrt(std::max(0.0, -2 * std::log(u)));
    ASSERT_NEAR(y.data<float>()[i], r * (j % 2 ? std::sin(t) : std::cos(t)), 4e-4 * (r < 0.01) + 1e-6 * (1 + r)) << i;
    const std::int64_t pair = i / 32 * 32 + i % 16;
    const double v = (static_cast<double>(kStream.number64(pair) >> 11) + 0.5) * 0x1p-53,
                 a = static_cast<double>(kStream.number64(pair + 16)) * 0x1p-64 * kTurn;
    ASSERT_NEAR(wide.data<double>()[i], std::sqrt(-2 * std::log(v)) * (i % 32 < 16 ? std::cos(a) : std::sin(a)), 1e-12);
  }
}

TEST(RandomTruncatedNormal, IsTheInverseOfItsDistribution) {
  const double edge = std::erf(std::sqrt(2.0));
  const Tensor y = draw("random_truncated_normal", kMany),
               wide = draw("random_truncated_normal", 4096, {{"dtype", "float64"}});
  for (std::int64_t i = 0; i < kMany; ++i) {
    const double u = ((kStream.number32(i) >> 8) + 0.5) / 16777216.0;
    ASSERT_NEAR(std::erf(y.data<float>()[i] / std::sqrt(2.0)), (2 * u - 1) * edge, 1e-6);
    ASSERT_LE(std::abs(y.data<float>()[i]), 2.0f);
  }
  for (std::int64_t i = 0; i < 4096; ++i) {
    const double u = (static_cast<double>(kStream.number64(i) >> 11) + 0.5) * 0x1p-53;
    ASSERT_NEAR(std::erf(wide.data<double>()[i] / std::sqrt(2.0)), (2 * u - 1) * edge, 1e-14);
  }
}

TEST(RandomPermutation, IsAPermutationOfItsDefinition) {
  for (std::int64_t n : {0, 1, 2, 10, 1000}) {
    Integers expected(n);
    for (std::int64_t i = 0; i < n; ++i) expected[i] = i;
    for (std::int64_t i = n - 1; i > 0; --i)
      std::swap(
          expected[i],
          expected[static_cast<std::int64_t>(static_cast<unsigned __int128>(kStream.number64(i)) * (i + 1) >> 64)]);
    const Tensor y = apply("random_permutation", {seed(42, 7)}, {{"n", n}});
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), y.data<std::int64_t>()));
    std::sort(expected.begin(), expected.end());
    for (std::int64_t i = 0; i < n; ++i) EXPECT_EQ(expected[i], i);
  }
}

// ---- distributions

/// Largest distance between the distribution of the numbers and `cdf` (Kolmogorov & Smirnov).
double distance(std::vector<float> numbers, double (*cdf)(double)) {
  std::sort(numbers.begin(), numbers.end());
  double largest = 0;
  const double n = static_cast<double>(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double expected = cdf(numbers[i]);
    largest = std::max({largest, std::abs(expected - i / n), std::abs(expected - (i + 1) / n)});
  }
  return largest;
}

struct Moments {
  double mean = 0, var = 0, skew = 0, kurtosis = 0;
  explicit Moments(const std::vector<float>& x) {
    const double n = static_cast<double>(x.size());
    for (float v : x) mean += v / n;
    for (float v : x)
      var += std::pow(v - mean, 2) / n, skew += std::pow(v - mean, 3) / n, kurtosis += std::pow(v - mean, 4) / n;
  }
};

std::vector<float> numbers(const Tensor& x) { return {x.data<float>(), x.data<float>() + x.shape().elements()}; }

// A distance above 2.2 / sqrt(n) has probability 1e-4; moments are held to 5 standard errors.
const double kDistance = 2.2 / std::sqrt(static_cast<double>(kMany)),
             kError = 5 / std::sqrt(static_cast<double>(kMany));

TEST(RandomDistributions, Uniform) {
  const std::vector<float> x = numbers(draw("random_uniform", kMany));
  EXPECT_LT(distance(x, [](double v) { return v; }), kDistance);
  const Moments m(x);
  EXPECT_NEAR(m.mean, 0.5, kError * std::sqrt(1 / 12.));
  EXPECT_NEAR(m.var, 1 / 12., kError * 0.0746);
  double correlation = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) correlation += (x[i] - 0.5) * (x[i + 1] - 0.5) * 12 / kMany;
  EXPECT_NEAR(correlation, 0, kError);
}

TEST(RandomDistributions, Normal) {
  const std::vector<float> x = numbers(draw("random_normal", kMany));
  EXPECT_LT(distance(x, [](double v) { return 0.5 * std::erfc(-v / std::sqrt(2.0)); }), kDistance);
  const Moments m(x);
  EXPECT_NEAR(m.mean, 0, kError);
  EXPECT_NEAR(m.var, 1, kError * std::sqrt(2.0));
  EXPECT_NEAR(m.skew, 0, kError * std::sqrt(15.0));
  EXPECT_NEAR(m.kurtosis, 3, kError * std::sqrt(96.0));
  EXPECT_GT(*std::max_element(x.begin(), x.end()), 4.2f);
  const Moments scaled(numbers(draw("random_normal", kMany, {{"mean", 3.0}, {"stddev", 0.5}})));
  EXPECT_NEAR(scaled.mean, 3, kError);
  EXPECT_NEAR(scaled.var, 0.25, kError);
}

TEST(RandomDistributions, TruncatedNormal) {
  const std::vector<float> x = numbers(draw("random_truncated_normal", kMany));
  EXPECT_LT(distance(x, [](double v) { return 0.5 + 0.5 * std::erf(v / std::sqrt(2.0)) / std::erf(std::sqrt(2.0)); }),
            kDistance);
  EXPECT_NEAR(Moments(x).var, 0.7737, kError);
}

TEST(RandomDistributions, StreamsAreIndependent) {
  const std::vector<float> x = numbers(draw("random_uniform", kMany, {}, seed(1, 0)));
  for (const Tensor& other :
       {seed(1, 1), seed(2, 0), seed(1, std::int64_t{1} << 32), seed(std::int64_t{1} << 32 | 1, 0)}) {
    const std::vector<float> y = numbers(draw("random_uniform", kMany, {}, other));
    double correlation = 0;
    for (std::size_t i = 0; i < x.size(); ++i) correlation += (x[i] - 0.5) * (y[i] - 0.5) * 12 / kMany;
    EXPECT_NEAR(correlation, 0, kError);
  }
}

// ---- dropout

template <class T>
Tensor ones(const Shape& shape) {
  return ops::ones_like(Tensor::empty(dtype_of<T>(), shape));
}

TEST(Dropout, KeepsByTheBitsOfItsDefinition) {
  for (std::int64_t n : {1, 16, 127, 128, 129, 1000, 20000}) {
    for (double rate : {0.0, 0.1, 0.5, 0.9}) {
      const Attrs attrs{{"rate", rate}};
      const Tensor y = apply("dropout", {ones<float>({n}), seed(42, 7)}, attrs);
      const Tensor wide = apply("dropout", {ones<double>({n}), seed(42, 7)}, attrs);
      for (std::int64_t i = 0; i < n; ++i) {
        const bool kept = kStream.number16(i) >= static_cast<std::uint32_t>(std::lround(rate * 65536));
        ASSERT_EQ(y.data<float>()[i], kept ? static_cast<float>(1 / (1 - rate)) : 0.0f) << i;
        ASSERT_EQ(wide.data<double>()[i], kept ? 1 / (1 - rate) : 0.0);
      }
    }
  }
}

TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  const Tensor y = apply("dropout", {ones<float>({kMany}), seed(5, 6)}, {{"rate", 0.3}});
  const std::int64_t zeros = std::count(y.data<float>(), y.data<float>() + kMany, 0.0f);
  EXPECT_NEAR(static_cast<double>(zeros) / kMany, 0.3, kError * std::sqrt(0.21));
}

TEST(Dropout, DroppedNaNIsZero) {
  Tensor x = Tensor::empty(DType::F32, {256});
  for (int i = 0; i < 256; ++i) x.data<float>()[i] = std::nanf("");
  const Tensor y = apply("dropout", {x, seed(1, 2)}, {{"rate", 0.5}});
  const std::int64_t zeros = std::count(y.data<float>(), y.data<float>() + 256, 0.0f);
  EXPECT_GT(zeros, 80);
  EXPECT_LT(zeros, 176);
}

TEST(Dropout, SharesItsMaskAlongNoiseAxes) {
  const Shape shape{4, 5, 6};
  for (int set = 0; set < 8; ++set) {
    Integers axes;
    for (int axis = 0; axis < 3; ++axis)
      if (set >> axis & 1) axes.push_back(axis - 3);
    const Tensor y = apply("dropout", {ones<float>(shape), seed(42, 7)}, {{"rate", 0.5}, {"noise_axes", axes}});
    const std::int64_t b = set & 1 ? 1 : 4, t = set & 2 ? 1 : 5, c = set & 4 ? 1 : 6;
    for (int i = 0; i < 120; ++i) {
      const std::int64_t at = (i / 30 % b * t + i / 6 % 5 % t) * c + i % 6 % c;
      ASSERT_EQ(y.data<float>()[i], kStream.number16(at) >= 32768 ? 2.0f : 0.0f) << set << ' ' << i;
    }
  }
}

TEST(Dropout, GradientHasTheSameMask) {
  Tensor x = Tensor::empty(DType::F64, {40});
  for (int i = 0; i < 40; ++i) x.data<double>()[i] = 0.1 * i - 2;
  check_gradient("dropout", {x, seed(3, 4)}, {{"rate", 0.4}});
  const Tensor matrix = Tensor::alias(x, {DType::F64, {5, 8}});
  check_gradient("dropout", {matrix, seed(3, 4)}, {{"rate", 0.4}, {"noise_axes", Integers{0}}});
}

// ---- threads, checks

TEST(Random, SameBitsForAnyNumberOfThreads) {
  for (const char* op : {"random_uniform", "random_normal", "random_truncated_normal"})
    for (const char* dtype : {"float32", "float64"}) {
      std::vector<Tensor> results;
      for (int threads : {1, 2, 3}) {
        const WithThreads with(threads);
        results.push_back(draw(op, 100003, {{"dtype", dtype}}));
      }
      for (const Tensor& y : results) EXPECT_EQ(std::memcmp(y.bytes(), results[0].bytes(), y.spec().bytes()), 0);
    }
}

TEST(Random, WritesNothingAroundItsOutput) {
  for (std::int64_t n : {0, 1, 15, 63, 64, 65, 129}) {
    testing::GuardedBuffer<float> y(n), x(n);
    random_kernels().uniform_f32({1, 2}, n, 0, 1, y.data());
    random_kernels().normal_f32({1, 2}, n, 0, 1, y.data());
    random_kernels().dropout_f32({1, 2}, n, 32768, 2, x.data(), y.data());
    EXPECT_TRUE(y.untouched()) << n;
  }
}

TEST(Random, TakesTheShapeOfLike) {
  const Tensor like = Tensor::empty(DType::I32, {3, 5});
  const Tensor y = apply("random_uniform", {seed(42, 7), like}, {{"dtype", "bfloat16"}});
  EXPECT_EQ(y.spec(), (TensorSpec{DType::BF16, {3, 5}}));
  const TensorSpec unknown{DType::F32, {-1, 5}};
  EXPECT_EQ(primitive("random_normal").infer(std::vector{seed(1, 2).spec(), unknown}, {})[0].shape, (Shape{-1, 5}));
}

TEST(Random, ErrorsNameTheAttribute) {
  const auto expect = [](const std::string& message, std::initializer_list<const char*> parts) {
    for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(error_text([] { draw("random_uniform", 3, {{"low", 2.0}}); }), {"low is 2", "high is 1"});
  expect(error_text([] { draw("random_normal", 3, {{"stddev", -1.0}}); }), {"stddev is -1"});
  expect(error_text([] { draw("random_int", 3, {{"low", 3}, {"high", 3}}); }), {"low is 3", "high is 3"});
  expect(error_text([] { draw("random_int", 3, {{"high", 3}, {"dtype", "float32"}}); }), {"float32", "random_uniform"});
  expect(error_text([] { draw("random_uniform", 3, {}, Tensor::zeros(DType::I32, {2})); }), {"int32(2,)", "int64(2,)"});
  expect(error_text([] {
           apply("dropout", {ones<float>({3}), seed(1, 2)}, {{"rate", 1.0}});
         }),
         {"rate is 1", "rate < 1"});
}

}  // namespace
}  // namespace dlcore
