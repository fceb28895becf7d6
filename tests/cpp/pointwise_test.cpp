// Elementwise primitives: values against plain references, broadcasting, conversions, gradients, fused chains.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "base/half.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/pointwise/program.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::WithThreads;

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
Tensor vector_of(const std::vector<T>& numbers) {
  return Tensor::from<T>(numbers, {static_cast<std::int64_t>(numbers.size())});
}
Tensor bools(const std::vector<int>& numbers) {
  Tensor t = Tensor::empty(DType::Bool, {static_cast<std::int64_t>(numbers.size())});
  for (std::size_t i = 0; i < numbers.size(); ++i) t.data<bool>()[i] = numbers[i] != 0;
  return t;
}
template <class T>
std::vector<T> numbers_of(const Tensor& t) {
  return std::vector<T>(t.data<T>(), t.data<T>() + t.shape().elements());
}
/// Element i of any dtype, as double.
double at(const Tensor& t, std::int64_t i) {
  if (t.dtype() == DType::F32) return t.data<float>()[i];
  const Tensor one = Tensor::empty(t.dtype(), {});
  std::memcpy(one.bytes(), t.bytes() + i * static_cast<std::int64_t>(size_of(t.dtype())), size_of(t.dtype()));
  return one.item();
}
Tensor random_tensor(DType dtype, const Shape& shape, double low, double high, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  Tensor t = Tensor::empty(DType::F64, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) t.data<double>()[i] = uniform(random);
  return dtype == DType::F64 ? t : ops::cast(t, dtype);
}

/// NaN where NaN is expected, else within `ulps` units of the dtype's precision, relative to the expected number.
void expect_close(double got, double expected, double ulps, DType dtype, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(got)) << what << ": got " << got;
  } else if (std::isinf(expected)) {
    EXPECT_EQ(got, expected) << what;
  } else {
    const double epsilon = dtype == DType::F32 ? 0x1p-23 : dtype == DType::F16 ? 0x1p-10 : 0x1p-52;
    const double denormal = dtype == DType::F32 ? 0x1p-126 : dtype == DType::F16 ? 0x1p-24 : 0x1p-1022;
    EXPECT_NEAR(got, expected, ulps * epsilon * std::abs(expected) + denormal) << what;
  }
}

// ---- values

struct UnaryCase {
  const char* op;
  double low, high;
  std::function<double(double)> reference;
};

const std::vector<UnaryCase>& unary_cases() {
  static const std::vector<UnaryCase> cases = {
      {"neg", -9, 9, [](double x) { return -x; }},
      {"abs", -9, 9, [](double x) { return std::abs(x); }},
      {"sign", -9, 9, [](double x) { return std::isnan(x) ? x : static_cast<double>((x > 0) - (x < 0)); }},
      {"sqrt", 0, 9, [](double x) { return std::sqrt(x); }},
      {"rsqrt", 0.1, 9, [](double x) { return 1 / std::sqrt(x); }},
      {"square", -9, 9, [](double x) { return x * x; }},
      {"reciprocal", 0.1, 9, [](double x) { return 1 / x; }},
      {"exp", -9, 9, [](double x) { return std::exp(x); }},
      {"expm1", -3, 3, [](double x) { return std::expm1(x); }},
      {"log", 0.01, 9, [](double x) { return std::log(x); }},
      {"log1p", -0.9, 9, [](double x) { return std::log1p(x); }},
      {"log2", 0.01, 9, [](double x) { return std::log2(x); }},
      {"log10", 0.01, 9, [](double x) { return std::log10(x); }},
      {"sin", -9, 9, [](double x) { return std::sin(x); }},
      {"cos", -9, 9, [](double x) { return std::cos(x); }},
      {"tan", -1.4, 1.4, [](double x) { return std::tan(x); }},
      {"asin", -0.9, 0.9, [](double x) { return std::asin(x); }},
      {"acos", -0.9, 0.9, [](double x) { return std::acos(x); }},
      {"atan", -9, 9, [](double x) { return std::atan(x); }},
      {"sinh", -4, 4, [](double x) { return std::sinh(x); }},
      {"cosh", -4, 4, [](double x) { return std::cosh(x); }},
      {"tanh", -4, 4, [](double x) { return std::tanh(x); }},
      {"asinh", -9, 9, [](double x) { return std::asinh(x); }},
      {"acosh", 1.1, 9, [](double x) { return std::acosh(x); }},
      {"atanh", -0.9, 0.9, [](double x) { return std::atanh(x); }},
      {"erf", -3, 3, [](double x) { return std::erf(x); }},
      {"floor", -9, 9, [](double x) { return std::floor(x); }},
      {"ceil", -9, 9, [](double x) { return std::ceil(x); }},
      {"round", -9, 9, [](double x) { return std::nearbyint(x); }},
      {"trunc", -9, 9, [](double x) { return std::trunc(x); }},
      {"relu", -9, 9, [](double x) { return x < 0 ? 0 : x; }},
      {"sigmoid", -9, 9, [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }},
      {"softplus", -9, 9, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
      {"silu", -9, 9, [](double x) { return x / (1 + std::exp(-x)); }},
      {"gelu", -9, 9, [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }},
      {"elu", -9, 9, [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"leaky_relu", -9, 9, [](double x) { return x > 0 ? x : 0.2 * x; }},
  };
  return cases;
}

TEST(Pointwise, UnaryValues) {
  for (const UnaryCase& c : unary_cases()) {
    for (DType dtype : {DType::F32, DType::F64, DType::F16}) {
      for (std::int64_t n : {0, 1, 7, 16, 33, 1000}) {
        const Tensor x = random_tensor(dtype, {n}, c.low, c.high, 1);
        const Tensor y = apply(c.op, {x});
        ASSERT_EQ(y.spec(), x.spec());
        for (std::int64_t i = 0; i < n; ++i)
          expect_close(at(y, i), c.reference(at(x, i)), dtype == DType::F16 ? 1 : 4, dtype,
                       str(c.op, "(", at(x, i), ") ", dtype));
      }
    }
  }
}

TEST(Pointwise, UnaryNaNStaysNaN) {
  for (const UnaryCase& c : unary_cases())
    for (DType dtype : {DType::F32, DType::F64}) {
      const Tensor y = apply(c.op, {ops::cast(vector_of<double>({kNan, 0.5, kNan}), dtype)});
      EXPECT_TRUE(std::isnan(at(y, 0)) && std::isnan(at(y, 2)) &&
                  !std::isnan(at(y, 1)) == (std::string(c.op) != "acosh"))
          << c.op << ' ' << dtype;
    }
}

TEST(Pointwise, RoundIsHalfToEven) {
  const Tensor y = apply("round", {vector_of<float>({-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f})});
  EXPECT_EQ(numbers_of<float>(y), (std::vector<float>{-2, -2, -0.f, 0, 2, 2}));
}

TEST(Pointwise, Classification) {
  const Tensor x = vector_of<float>({1, INFINITY, -INFINITY, NAN, 0});
  EXPECT_EQ(numbers_of<bool>(apply("isnan", {x})), (std::vector<bool>{0, 0, 0, 1, 0}));
  EXPECT_EQ(numbers_of<bool>(apply("isinf", {x})), (std::vector<bool>{0, 1, 1, 0, 0}));
  EXPECT_EQ(numbers_of<bool>(apply("isfinite", {x})), (std::vector<bool>{1, 0, 0, 0, 1}));
  EXPECT_EQ(numbers_of<bool>(apply("logical_not", {x})), (std::vector<bool>{0, 0, 0, 0, 1}));
}

struct BinaryCase {
  const char* op;
  std::function<double(double, double)> reference;
};

double floor_mod(double a, double b) { return a - std::floor(a / b) * b; }

const std::vector<BinaryCase>& binary_cases() {
  static const std::vector<BinaryCase> cases = {
      {"add", [](double a, double b) { return a + b; }},
      {"sub", [](double a, double b) { return a - b; }},
      {"mul", [](double a, double b) { return a * b; }},
      {"minimum", [](double a, double b) { return std::min(a, b); }},
      {"maximum", [](double a, double b) { return std::max(a, b); }},
      {"equal", [](double a, double b) { return a == b; }},
      {"not_equal", [](double a, double b) { return a != b; }},
      {"less", [](double a, double b) { return a < b; }},
      {"less_equal", [](double a, double b) { return a <= b; }},
      {"greater", [](double a, double b) { return a > b; }},
      {"greater_equal", [](double a, double b) { return a >= b; }},
  };
  return cases;
}

TEST(Pointwise, BinaryIsExactOnSmallIntegersOfEveryType) {
  for (const BinaryCase& c : binary_cases())
    for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64, DType::I8}) {
      const Tensor a = ops::cast(vector_of(testing::small_integers<float>(1000, 1)), dtype);
      const Tensor b = ops::cast(vector_of(testing::small_integers<float>(1000, 2)), dtype);
      const Tensor y = apply(c.op, {a, b});
      for (std::int64_t i = 0; i < 1000; ++i)
        ASSERT_EQ(at(y, i), c.reference(at(a, i), at(b, i)))
            << c.op << ' ' << dtype << ' ' << at(a, i) << ' ' << at(b, i);
    }
}

TEST(Pointwise, DivisionsAndPowers) {
  for (DType dtype : {DType::F32, DType::F64, DType::I32, DType::I64, DType::I8}) {
    const Tensor a = ops::cast(vector_of(testing::small_integers<float>(1000, 1)), dtype);
    Tensor b = ops::cast(vector_of(testing::small_integers<float>(1000, 2)), dtype);
    b = ops::where(apply("equal", {b, Tensor::scalar(dtype, 0)}), Tensor::scalar(dtype, 3), b);
    const Tensor quotient = apply("floor_divide", {a, b}), rest = apply("mod", {a, b});
    const Tensor power = apply("pow", {a, apply("abs", {b})});
    for (std::int64_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(at(quotient, i), std::floor(at(a, i) / at(b, i))) << dtype << ' ' << at(a, i) << ' ' << at(b, i);
      ASSERT_EQ(at(rest, i), floor_mod(at(a, i), at(b, i))) << dtype << ' ' << at(a, i) << ' ' << at(b, i);
      const double exact = std::pow(at(a, i), std::abs(at(b, i)));
      ASSERT_EQ(at(power, i), dtype == DType::I8 ? static_cast<std::int8_t>(static_cast<int>(exact)) : exact);
    }
  }
}

TEST(Pointwise, FloatsAreDividedByInfinities) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor a = vector_of<float>({5, -5, 5, -5, 0}), b = vector_of<float>({inf, inf, -inf, -inf, inf});
  EXPECT_EQ(numbers_of<float>(apply("floor_divide", {a, b})), (std::vector<float>{0, -1, -1, 0, 0}));
  EXPECT_TRUE(std::isnan(at(apply("floor_divide", {vector_of<float>({inf}), vector_of<float>({inf})}), 0)));
}

TEST(Pointwise, IntegersHaveNoUndefinedCorners) {
  const std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  const Tensor a = vector_of<std::int32_t>({lowest, lowest, 7, -7}), b = vector_of<std::int32_t>({-1, 1, 0, 0});
  EXPECT_EQ(numbers_of<std::int32_t>(apply("floor_divide", {a, b})), (std::vector<std::int32_t>{lowest, lowest, 0, 0}));
  EXPECT_EQ(numbers_of<std::int32_t>(apply("mod", {a, b})), (std::vector<std::int32_t>{0, 0, 0, 0}));
  EXPECT_EQ(at(apply("neg", {a}), 0), lowest);
  EXPECT_EQ(at(apply("abs", {a}), 0), lowest);
  EXPECT_EQ(at(apply("sub", {a, vector_of<std::int32_t>({1, 0, 0, 0})}), 0), std::numeric_limits<std::int32_t>::max());
}

/// Bits of every kind, the extremes among them.
template <class T>
Tensor random_bits(std::int64_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> numbers{0, 1, static_cast<T>(-1), std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  while (numbers.size() < static_cast<std::size_t>(n))
    numbers.push_back(static_cast<T>(static_cast<T>(random()) >> random() % (8 * sizeof(T))));
  numbers.resize(static_cast<std::size_t>(n));
  std::shuffle(numbers.begin(), numbers.end(), random);
  return vector_of(numbers);
}

/// 2^63 for the lowest integer.
template <class T>
std::uint64_t magnitude(T x) {
  return x < 0 ? 0 - static_cast<std::uint64_t>(x) : static_cast<std::uint64_t>(x);
}

template <class T>
void expect_bits() {
  constexpr int kBits = 8 * sizeof(T);
  const auto compare = [](const char* op, const Tensor& a, const Tensor& b, auto reference) {
    const std::vector<T> y = numbers_of<T>(apply(op, {a, b}));
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(y[i], static_cast<T>(reference(a.data<T>()[i], b.data<T>()[i])))
          << op << ' ' << a.spec() << ' ' << +a.data<T>()[i] << ' ' << +b.data<T>()[i];
  };
  for (std::int64_t n : {0, 1, 15, 63, 64, 67, 1001, 40001}) {
    const Tensor a = random_bits<T>(n, 1), b = random_bits<T>(n, 2);
    compare("bitwise_and", a, b, [](T x, T y) { return x & y; });
    compare("bitwise_or", a, b, [](T x, T y) { return x | y; });
    compare("bitwise_xor", a, b, [](T x, T y) { return x ^ y; });
    compare("gcd", a, b, [](T x, T y) { return std::gcd(magnitude(x), magnitude(y)); });
    Tensor count = vector_of(std::vector<T>(static_cast<std::size_t>(n)));
    for (std::int64_t i = 0; i < n; ++i) count.data<T>()[i] = static_cast<T>(i % (kBits + 4) - 2);
    // One place after another; more than all bits move out.
    const auto places = [](T y) { return y < 0 || y > kBits ? kBits : static_cast<int>(y); };
    compare("shift_left", a, count, [=](T x, T y) {
      for (int k = 0; k < places(y); ++k) x = static_cast<T>(std::uint64_t(x) * 2);
      return x;
    });
    compare("shift_right", a, count, [=](T x, T y) {
      for (int k = 0; k < places(y); ++k) x = static_cast<T>((x - (x & 1)) / 2);
      return x;
    });
  }
}

TEST(Pointwise, BitsOfEveryIntegerType) {
  expect_bits<std::uint8_t>();
  expect_bits<std::int8_t>();
  expect_bits<std::int32_t>();
  expect_bits<std::int64_t>();
}

TEST(Pointwise, NaNGoesThroughExtremaAndClip) {
  const Tensor a = vector_of<float>({NAN, 1, NAN}), b = vector_of<float>({1, NAN, NAN});
  for (const char* op : {"minimum", "maximum"})
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(at(apply(op, {a, b}), i))) << op << i;
  const Tensor clipped = apply(
      "clip", {vector_of<float>({NAN, -5, 5, 0.5f}), Tensor::scalar(DType::F32, -1), Tensor::scalar(DType::F32, 1)});
  EXPECT_TRUE(std::isnan(at(clipped, 0)));
  EXPECT_EQ(at(clipped, 1), -1);
  EXPECT_EQ(at(clipped, 2), 1);
  EXPECT_EQ(at(clipped, 3), 0.5);
}

TEST(Pointwise, LogicalAndWhere) {
  const Tensor a = bools({0, 0, 1, 1}), b = bools({0, 1, 0, 1});
  EXPECT_EQ(numbers_of<bool>(apply("logical_and", {a, b})), (std::vector<bool>{0, 0, 0, 1}));
  EXPECT_EQ(numbers_of<bool>(apply("logical_or", {a, b})), (std::vector<bool>{0, 1, 1, 1}));
  EXPECT_EQ(numbers_of<bool>(apply("logical_xor", {a, b})), (std::vector<bool>{0, 1, 1, 0}));
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::I32, DType::I64, DType::U8, DType::Bool}) {
    const Tensor y = ops::where(a, Tensor::scalar(dtype, 1), Tensor::scalar(dtype, 0));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(at(y, i), at(a, i)) << dtype;
  }
}

// ---- conversions

TEST(Pointwise, CastBetweenAllTypes) {
  const DType all[] = {DType::Bool, DType::U8,   DType::I8,  DType::I32, DType::I64,
                       DType::F16,  DType::BF16, DType::F32, DType::F64};
  for (DType from : all)
    for (DType to : all) {
      const Tensor x =
          ops::cast(vector_of<double>({0, 1, 2, 3, 100, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}), from);
      const Tensor y = apply("cast", {x}, {{"dtype", std::string(name_of(to))}});
      ASSERT_EQ(y.dtype(), to);
      for (std::int64_t i = 0; i < 17; ++i)
        EXPECT_EQ(at(y, i), to == DType::Bool ? at(x, i) != 0 : at(x, i)) << from << " to " << to << ' ' << at(x, i);
    }
}

TEST(Pointwise, CastToIntegersTruncatesAndSaturates) {
  for (DType from : {DType::F32, DType::F64}) {
    const Tensor x = ops::cast(vector_of<double>({1.9, -1.9, 1e30, -1e30, kNan, kInfinity, -kInfinity}), from);
    const Tensor y = ops::cast(x, DType::I32);
    EXPECT_EQ(numbers_of<std::int32_t>(y),
              (std::vector<std::int32_t>{1, -1, INT32_MAX, INT32_MIN, 0, INT32_MAX, INT32_MIN}));
    EXPECT_EQ(numbers_of<std::int64_t>(ops::cast(x, DType::I64)),
              (std::vector<std::int64_t>{1, -1, INT64_MAX, INT64_MIN, 0, INT64_MAX, INT64_MIN}));
    EXPECT_EQ(numbers_of<std::uint8_t>(ops::cast(x, DType::U8)), (std::vector<std::uint8_t>{1, 0, 255, 0, 0, 255, 0}));
    EXPECT_EQ(numbers_of<std::int8_t>(ops::cast(x, DType::I8)),
              (std::vector<std::int8_t>{1, -1, 127, -128, 0, 127, -128}));
  }
}

TEST(Pointwise, SixteenBitFloatsRoundToNearestEven) {
  std::vector<float> numbers;
  std::mt19937 random(5);
  for (int i = 0; i < 100000; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(random());
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    if (std::isnan(x) || std::fpclassify(x) != FP_SUBNORMAL) numbers.push_back(x);
  }
  const Tensor x = vector_of(numbers);
  const Tensor half = ops::cast(x, DType::F16), bfloat = ops::cast(x, DType::BF16);
  const Tensor back = ops::cast(half, DType::F32), bfloat_back = ops::cast(bfloat, DType::F32);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isnan(numbers[i])) {
      ASSERT_TRUE(std::isnan(at(half, i)) && std::isnan(at(bfloat, i)) && std::isnan(at(back, i)));
      continue;
    }
    ASSERT_EQ(half.data<std::uint16_t>()[i], float_to_half(numbers[i])) << numbers[i];
    ASSERT_EQ(bfloat.data<std::uint16_t>()[i], float_to_bfloat(numbers[i])) << numbers[i];
    ASSERT_EQ(back.data<float>()[i], half_to_float(half.data<std::uint16_t>()[i]));
    ASSERT_EQ(bfloat_back.data<float>()[i], bfloat_to_float(bfloat.data<std::uint16_t>()[i]));
  }
}

// ---- broadcasting

/// Element of `t` that stands at `index` of a result of `shape`.
double broadcast_at(const Tensor& t, const Shape& shape, std::int64_t index) {
  std::int64_t offset = 0, stride = 1;
  for (int axis = shape.rank() - 1, own = t.shape().rank() - 1; own >= 0; --axis, --own) {
    const std::int64_t coordinate = index % shape[axis];
    index /= shape[axis];
    if (t.shape()[own] != 1) offset += coordinate * stride;
    stride *= t.shape()[own];
  }
  return at(t, offset);
}

TEST(Pointwise, BroadcastingGrid) {
  const std::vector<std::pair<Shape, Shape>> grid = {
      {{}, {}},
      {{5}, {}},
      {{}, {5}},
      {{3, 5}, {5}},
      {{3, 1}, {5}},
      {{3, 5}, {3, 1}},
      {{1, 5}, {3, 1}},
      {{2, 3, 5}, {3, 1}},
      {{2, 1, 5}, {1, 3, 1}},
      {{2, 3, 5}, {2, 1, 5}},
      {{700, 33}, {33}},
      {{700, 33}, {700, 1}},
      {{5, 4099}, {4099}},
      {{3, 70, 40}, {3, 1, 40}},
      {{4, 1, 3, 1, 50}, {2, 1, 60, 1}},
      {{0, 3}, {3}},
      {{1}, {0}},
      {{1, 1}, {1}},
      {{60000}, {1}},
      {{9, 2000}, {2000}},
  };
  for (const auto& [sa, sb] : grid)
    for (DType dtype : {DType::F32, DType::I64, DType::F16, DType::U8}) {
      const Tensor a = random_tensor(dtype, sa, 1, 9, 1), b = random_tensor(dtype, sb, 1, 9, 2);
      const Tensor y = ops::cast(apply("maximum", {a, b}), DType::F32);
      const Tensor wide_a = ops::cast(a, DType::F32), wide_b = ops::cast(b, DType::F32);
      const Shape shape = y.shape();
      for (std::int64_t i = 0; i < shape.elements(); ++i)
        ASSERT_EQ(at(y, i), std::max(broadcast_at(wide_a, shape, i), broadcast_at(wide_b, shape, i)))
            << sa << sb << dtype << ' ' << i;
    }
}

TEST(Pointwise, UnknownSizesBroadcast) {
  constexpr std::int64_t None = Shape::kUnknown;
  const auto shape = [](const Shape& a, const Shape& b) {
    const TensorSpec in[] = {{DType::F32, a}, {DType::F32, b}};
    return primitive("add").infer(in, {})[0].shape;
  };
  EXPECT_EQ(shape({None, 3}, {3}), (Shape{None, 3}));
  EXPECT_EQ(shape({None, 3}, {1, 1}), (Shape{None, 3}));
  EXPECT_EQ(shape({None}, {4}), (Shape{4}));
  EXPECT_EQ(shape({1}, {None}), (Shape{None}));
  EXPECT_EQ(shape({None}, {None}), (Shape{None}));
}

TEST(Pointwise, ErrorsSayWhatDoesNotFit) {
  const Tensor a = Tensor::zeros(DType::F32, {2, 3});
  EXPECT_EQ(
      error_text([&] {
        apply("add", {a, Tensor::zeros(DType::F32, {4})});
      }),
      "add: shapes (2, 3) and (4,) can't be broadcast together: axis -1 has 3 and 4 elements. Sizes must be equal, "
      "or one of them 1.");
  EXPECT_NE(error_text([&] {
              apply("add", {a, Tensor::zeros(DType::I32, {3})});
            }).find("float32(2, 3) and int32(3,)"),
            std::string::npos);
  EXPECT_NE(error_text([&] { apply("exp", {Tensor::zeros(DType::I32, {3})}); }).find("floating-point dtype; got int32"),
            std::string::npos);
  for (DType dtype : {DType::F32, DType::Bool})
    EXPECT_NE(error_text([&] {
                const Tensor x = Tensor::zeros(dtype, {3});
                apply("bitwise_and", {x, x});
              }).find("integer dtype; got"),
              std::string::npos);
  EXPECT_NE(error_text([&] { ops::where(a, a, a); }).find("expected bool; got float32"), std::string::npos);
  EXPECT_NE(error_text([&] { apply("add", {a}); }).find("expected 2 inputs; got 1"), std::string::npos);
}

// ---- threads

TEST(Pointwise, SameBitsForAnyNumberOfThreads) {
  const Tensor x = random_tensor(DType::F32, {300, 1001}, -9, 9, 1), bias = random_tensor(DType::F32, {1001}, -9, 9, 2);
  const auto run = [&](int threads) {
    WithThreads with(threads);
    return numbers_of<float>(apply("gelu", {apply("add", {apply("tan", {x}), bias})}));
  };
  const std::vector<float> one = run(1);
  EXPECT_TRUE(testing::same_bits(one, run(2)));
  EXPECT_TRUE(testing::same_bits(one, run(3)));
}

// ---- gradients

TEST(Pointwise, AttributesOfOtherOpsChangeNothing) {
  const Tensor x = Tensor::scalar(DType::F64, 0.5);
  EXPECT_EQ(*apply("exp", {x}, {{"approximate", true}}).data<double>(), std::exp(0.5));
}

TEST(Pointwise, UnaryGradients) {
  for (const UnaryCase& c : unary_cases()) check_gradient(c.op, {random_tensor(DType::F64, {11}, c.low, c.high, 3)});
  check_gradient("gelu", {random_tensor(DType::F64, {11}, -4, 4, 3)}, {{"approximate", true}});
  check_gradient("elu", {random_tensor(DType::F64, {11}, -4, 4, 3)}, {{"alpha", 0.3}});
  check_gradient("leaky_relu", {random_tensor(DType::F64, {11}, -4, 4, 3)}, {{"negative_slope", 0.1}});
}

TEST(Pointwise, BroadcastGradients) {
  const std::vector<std::pair<Shape, Shape>> grid = {
      {{3}, {3}}, {{2, 3}, {3}}, {{2, 1}, {3}}, {{}, {2, 2}}, {{2, 1, 2}, {3, 1}}};
  for (const auto& [sa, sb] : grid) {
    const Tensor a = random_tensor(DType::F64, sa, 0.5, 2, 1), b = random_tensor(DType::F64, sb, 2.2, 4, 2);
    for (const char* op : {"add", "sub", "mul", "div", "pow", "minimum", "maximum", "mod", "atan2"})
      check_gradient(op, {a, b});
    for (const char* op : {"sigmoid_grad", "tanh_grad", "relu_grad", "gelu_grad"}) check_gradient(op, {a, b});
    check_gradient("gelu_grad", {a, b}, {{"approximate", true}});
    check_gradient("where", {apply("greater", {a, Tensor::scalar(DType::F64, 1)}), a, b});
    check_gradient("clip", {a, Tensor::scalar(DType::F64, 0.8), Tensor::scalar(DType::F64, 1.5)});
  }
}

TEST(Pointwise, CastGradient) {
  check_gradient("cast", {random_tensor(DType::F64, {5}, -2, 2, 1)}, {{"dtype", "float64"}});
  const Tensor x = vector_of<double>({1, 2}), dy = vector_of<float>({0.5f, -3});
  Tape tape;
  tape.watch(x);
  tape.start();
  const Tensor y = apply("cast", {x}, {{"dtype", "float32"}});
  tape.stop();
  const Tensor targets[] = {y}, dtargets[] = {dy}, sources[] = {x};
  const Tensor dx = gradient(tape.records(), targets, dtargets, sources)[0];
  EXPECT_EQ(numbers_of<double>(dx), (std::vector<double>{0.5, -3}));
}

TEST(Pointwise, EqualOperandsShareTheGradientOfTheirMaximum) {
  const Tensor a = vector_of<double>({1, 2}), b = vector_of<double>({1, 3});
  Tape tape;
  tape.watch(a);
  tape.start();
  const Tensor y = apply("maximum", {a, b});
  tape.stop();
  const Tensor targets[] = {y}, dtargets[] = {Tensor()}, sources[] = {a};
  EXPECT_EQ(numbers_of<double>(gradient(tape.records(), targets, dtargets, sources)[0]), (std::vector<double>{0.5, 0}));
}

// ---- fused chains

Attrs fused_attrs(const PointwiseProgram& program) {
  return {{"code", encode_code(program)}, {"immediates", encode_immediates(program)}};
}

TEST(Fused, ChainOfMixedTypesAndShapesMatchesItsParts) {
  const Tensor x = random_tensor(DType::F32, {70, 130}, -3, 3, 1), bias = random_tensor(DType::F32, {130}, -1, 1, 2);
  const Tensor row = random_tensor(DType::F32, {70, 1}, -1, 1, 3), scale = Tensor::scalar(DType::F32, 0.7);
  // s = x + bias; t = tanh(s) * scale; m = t > row; y = where(m, t, elu(s, 0.5)); outputs: y, m
  using enum Opcode;
  const DType f = DType::F32;
  const PointwiseProgram program{4,
                                 {{Add, f, {0, 1, 0}},
                                  {Tanh, f, {4, 0, 0}},
                                  {Mul, f, {5, 2, 0}},
                                  {Greater, f, {6, 3, 0}},
                                  {Elu, f, {4, 0, 0}, 0.5},
                                  {Where, f, {7, 6, 8}}},
                                 {9, 7}};
  const Tensor inputs[] = {x, bias, scale, row};
  const std::vector<Tensor> got = apply_all("fused", inputs, fused_attrs(program));
  const Tensor s = apply("add", {x, bias});
  const Tensor t = apply("mul", {apply("tanh", {s}), scale});
  const Tensor m = apply("greater", {t, row});
  const Tensor y = ops::where(m, t, apply("elu", {s}, {{"alpha", 0.5}}));
  EXPECT_TRUE(testing::same_bits(numbers_of<float>(got[0]), numbers_of<float>(y)));
  EXPECT_EQ(numbers_of<bool>(got[1]), numbers_of<bool>(m));
}

TEST(Fused, SixteenBitFloatsAreRoundedOnlyWhereTheyLeave) {
  const Tensor x = random_tensor(DType::BF16, {1000}, -3, 3, 1), y = random_tensor(DType::F16, {1000}, -3, 3, 2);
  using enum Opcode;
  // exp(x) - 1 in bfloat16; (float32) y * (float32) exp(x)
  const PointwiseProgram program{2,
                                 {{Exp, DType::BF16, {0, 0, 0}},
                                  {Cast, DType::F16, {1, 0, 0}, 0, DType::F32},
                                  {Cast, DType::BF16, {2, 0, 0}, 0, DType::F32},
                                  {Mul, DType::F32, {3, 4, 0}},
                                  {Square, DType::BF16, {2, 0, 0}},
                                  {Cast, DType::F32, {5, 0, 0}, 0, DType::F16}},
                                 {5, 6, 7}};
  const Tensor inputs[] = {x, y};
  const std::vector<Tensor> got = apply_all("fused", inputs, fused_attrs(program));
  const Tensor e = apply("exp", {ops::cast(x, DType::F32)});
  const Tensor product = apply("mul", {ops::cast(y, DType::F32), e});
  EXPECT_TRUE(testing::same_bits(numbers_of<float>(got[0]), numbers_of<float>(product)));
  const Tensor square = ops::cast(apply("square", {e}), DType::BF16), rounded = ops::cast(product, DType::F16);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(at(got[1], i), at(square, i));
    ASSERT_EQ(at(got[2], i), at(rounded, i));
  }
}

TEST(Fused, BitsAmongOtherOperations) {
  using enum Opcode;
  const DType i = DType::I32;
  // h = x ^ (x >> s); y = 0.5 * float((h & mask) << row)
  const PointwiseProgram program{5,
                                 {{ShiftRight, i, {0, 1}},
                                  {BitwiseXor, i, {0, 5}},
                                  {BitwiseAnd, i, {6, 2}},
                                  {ShiftLeft, i, {7, 3}},
                                  {Cast, i, {8}, 0, DType::F32},
                                  {Mul, DType::F32, {9, 4}}},
                                 {6, 10}};
  const Tensor x = random_bits<std::int32_t>(70 * 131, 3), row = vector_of<std::int32_t>(std::vector<int>(131, 3));
  const Tensor inputs[] = {Tensor::alias(x, {i, {70, 131}}), Tensor::scalar(i, 16), Tensor::scalar(i, 255), row,
                           Tensor::scalar(DType::F32, 0.5)};
  const std::vector<Tensor> got = apply_all("fused", inputs, fused_attrs(program));
  for (std::int64_t k = 0; k < 70 * 131; ++k) {
    const std::int32_t number = x.data<std::int32_t>()[k], h = number ^ (number >> 16);
    ASSERT_EQ(got[0].data<std::int32_t>()[k], h);
    ASSERT_EQ(got[1].data<float>()[k], 0.5f * static_cast<float>((h & 255) << 3));
  }
}

TEST(Fused, InPlacePairsAreThoseReadNoLaterThanTheOutputIsWritten) {
  using enum Opcode;
  const DType f = DType::F32;
  const PointwiseProgram program{2, {{Exp, f, {0, 0, 0}}, {Add, f, {2, 1, 0}}, {Mul, f, {3, 1, 0}}}, {3, 4}};
  const TiledProgram::Input inputs[] = {{f, {100}}, {f, {100}}};
  const TiledProgram tiled(program, inputs, {100});
  const std::vector<std::pair<int, int>> expected = {{0, 0}, {1, 0}, {1, 1}};
  EXPECT_EQ(tiled.in_place(), expected);
  std::vector<float> a(100, 0.5f), b(100, 2.0f), y(100);
  const void* in[] = {a.data(), b.data()};
  void* out[] = {y.data(), b.data()};
  tiled.run(in, out);
  EXPECT_FLOAT_EQ(y[99], std::exp(0.5f) + 2);
  EXPECT_FLOAT_EQ(b[99], (std::exp(0.5f) + 2) * 2);
}

TEST(Fused, LongestProgramFits) {
  PointwiseProgram program{kMaxInputs, {}, {}};
  std::vector<Tensor> inputs;
  for (int i = 0; i < kMaxInputs; ++i) inputs.push_back(Tensor::scalar(DType::F64, i));
  inputs[0] = random_tensor(DType::F64, {5000}, 0, 1, 1);
  for (int i = 0; i < kMaxInstructions; ++i) {
    program.code.push_back({Opcode::Add, DType::F64, {i == 0 ? 0 : kMaxInputs + i - 1, i % kMaxInputs, 0}});
    program.outputs.push_back(kMaxInputs + i);
  }
  const std::vector<Tensor> got = apply_all("fused", inputs, fused_attrs(program));
  double expected = at(inputs[0], 4999);
  for (int i = 0; i < kMaxInstructions; ++i) expected += at(inputs[i % kMaxInputs], i % kMaxInputs == 0 ? 4999 : 0);
  EXPECT_DOUBLE_EQ(at(got.back(), 4999), expected);
}

TEST(Fused, CodeIsCheckedWhenRead) {
  const PointwiseProgram program{1, {{Opcode::Exp, DType::F32, {0, 0, 0}}}, {1}};
  const PointwiseProgram back = decode_program(encode_code(program), encode_immediates(program));
  EXPECT_EQ(encode_code(back), encode_code(program));
  for (std::size_t position = 0; position < encode_code(program).size(); ++position) {
    std::vector<std::int64_t> broken = encode_code(program);
    broken[position] = 12345;
    EXPECT_THROW(decode_program(broken, encode_immediates(program)), Error) << position;
  }
  const Tensor x = Tensor::zeros(DType::I32, {2});
  EXPECT_NE(
      error_text([&] { apply("fused", {x}, fused_attrs(program)); }).find("expects float32 as operand 0; got int32"),
      std::string::npos);
}

}  // namespace
}  // namespace dlcore
