#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/parallel.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/pool/pool_ref.h"
#include "testing.h"

namespace dlcore {
namespace {

std::string text_of(const PoolShape& s) {
  return str("x ", s.n, 'x', s.h, 'x', s.w, 'x', s.c, ", y ", s.oh, 'x', s.ow, ", window ", s.pool_h, 'x', s.pool_w,
             ", strides ", s.stride_h, ',', s.stride_w, ", pads ", s.pad_top, ',', s.pad_left);
}

/// Numbers between guards that must stay as they are.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::int64_t size) : numbers_(static_cast<std::size_t>(size) + 2 * kGuard, T(77)) {}
  T* begin() { return numbers_.data() + kGuard; }
  T* end() { return numbers_.data() + numbers_.size() - kGuard; }
  std::vector<T> checked() {
    for (int i = 0; i < kGuard; ++i) EXPECT_TRUE(numbers_[i] == T(77) && numbers_[numbers_.size() - 1 - i] == T(77));
    return {begin(), end()};
  }

 private:
  static constexpr int kGuard = 64;
  std::vector<T> numbers_;
};

template <class T>
std::vector<T> small_integers(std::int64_t size) {
  std::mt19937 random(5);
  std::vector<T> numbers(static_cast<std::size_t>(size));
  for (T& number : numbers) number = static_cast<T>(static_cast<int>(random() % 9) - 4);  // many ties
  return numbers;
}

std::int64_t inputs(const PoolShape& s) { return s.n * s.h * s.w * s.c; }
std::int64_t outputs(const PoolShape& s) { return s.n * s.oh * s.ow * s.c; }

template <class T, class Argmax>
void check_max(const PoolShape& s, const std::vector<T>& x) {
  SCOPED_TRACE(text_of(s));
  Guarded<T> y(outputs(s)), dx(inputs(s)), taken(outputs(s));
  Guarded<Argmax> argmax(outputs(s));
  max_pool_forward(s, x.data(), y.begin(), argmax.begin());
  std::vector<T> wanted_y(static_cast<std::size_t>(outputs(s)));
  std::vector<std::int64_t> wanted_argmax(wanted_y.size(), -1);
  max_pool_ref(s, x.data(), wanted_y.data(), wanted_argmax.data());
  const std::vector<T> actual_y = y.checked();
  const std::vector<Argmax> actual_argmax = argmax.checked();
  for (std::size_t i = 0; i < wanted_y.size(); ++i) {
    ASSERT_TRUE(actual_y[i] == wanted_y[i] || (std::isnan(actual_y[i]) && std::isnan(wanted_y[i]))) << "y[" << i << "]";
    ASSERT_EQ(static_cast<std::int64_t>(actual_argmax[i]), wanted_argmax[i]) << "argmax[" << i << "]";
  }

  const std::vector<T> dy = small_integers<T>(outputs(s));
  max_pool_backward(s, dy.data(), argmax.begin(), dx.begin());
  std::vector<double> wanted_dx(static_cast<std::size_t>(inputs(s)), 0.0);
  max_pool_backward_ref(s, dy.data(), wanted_argmax.data(), wanted_dx.data());
  const std::vector<T> actual_dx = dx.checked();
  for (std::size_t i = 0; i < wanted_dx.size(); ++i)
    ASSERT_EQ(static_cast<double>(actual_dx[i]), wanted_dx[i]) << "dx[" << i << "]";

  max_pool_take(s, x.data(), argmax.begin(), taken.begin());
  const std::vector<T> actual_taken = taken.checked();
  EXPECT_EQ(std::memcmp(actual_taken.data(), actual_y.data(), actual_y.size() * sizeof(T)), 0);
}

template <class T>
void check_average(const PoolShape& s) {
  SCOPED_TRACE(text_of(s));
  const std::vector<T> x = small_integers<T>(inputs(s)), dy = small_integers<T>(outputs(s));
  Guarded<T> y(outputs(s)), dx(inputs(s));
  average_pool_forward(s, x.data(), y.begin());
  average_pool_backward(s, dy.data(), dx.begin());
  std::vector<double> counts(static_cast<std::size_t>(s.n * s.oh * s.ow)),
      wanted_y(static_cast<std::size_t>(outputs(s))), wanted_dx(x.size());
  count_pooled_ref(s, counts.data());
  average_pool_ref(s, counts.data(), x.data(), wanted_y.data());
  average_pool_backward_ref(s, counts.data(), dy.data(), wanted_dx.data());
  const std::vector<T> actual_y = y.checked(), actual_dx = dx.checked();
  // One rounding of a mean of at most 4; a rounding of each share and of each sum for the gradient.
  const double eps = std::numeric_limits<T>::epsilon(), windows = static_cast<double>(s.pool_h * s.pool_w);
  for (std::size_t i = 0; i < wanted_y.size(); ++i) ASSERT_NEAR(actual_y[i], wanted_y[i], 4 * eps) << "y[" << i << "]";
  for (std::size_t i = 0; i < wanted_dx.size(); ++i)
    ASSERT_NEAR(actual_dx[i], wanted_dx[i], 4 * eps * windows * windows) << "dx[" << i << "]";
}

struct Geometry {
  std::int64_t pool, stride, low, high;
};

std::vector<PoolShape> shapes(std::int64_t channels) {
  std::vector<PoolShape> result;
  for (Geometry g : {Geometry{2, 2, 0, 0},
                     {2, 2, 0, 1},
                     {2, 1, 0, 1},
                     {3, 2, 1, 1},
                     {3, 3, 0, 0},
                     {3, 1, 1, 1},
                     {2, 3, 0, 0},
                     {4, 2, 2, 3},
                     {1, 1, 0, 0},
                     {1, 2, 0, 0},
                     {3, 2, -1, 0}}) {
    PoolShape s{2, 9, 7, channels, 0, 0, g.pool, g.pool, g.stride, g.stride, g.low, g.low};
    s.oh = (s.h + g.low + g.high - g.pool) / g.stride + 1;
    s.ow = (s.w + g.low + g.high - g.pool) / g.stride + 1;
    result.push_back(s);
  }
  result.push_back({2, 6, 9, channels, 3, 3, 2, 3, 2, 3, 0, 0});
  result.push_back({1, 1, 11, channels, 1, 5, 1, 2, 1, 2, 0, 0});
  return result;
}

TEST(Pool, MaxIsExactAndTheFirstOfEqualsWins) {
  for (std::int64_t channels : {1, 3, 8, 16, 17, 32, 33})
    for (const PoolShape& s : shapes(channels)) {
      check_max<float, std::uint8_t>(s, small_integers<float>(inputs(s)));
      check_max<float, std::int32_t>(s, small_integers<float>(inputs(s)));
      check_max<double, std::uint8_t>(s, small_integers<double>(inputs(s)));
      check_max<double, std::int32_t>(s, small_integers<double>(inputs(s)));
    }
}

TEST(Pool, LargeWindowsHavePositionsBeyondAByte) {
  const PoolShape s{1, 20, 20, 5, 2, 2, 17, 17, 3, 3, 0, 0};
  check_max<float, std::int32_t>(s, small_integers<float>(inputs(s)));
}

TEST(Pool, MaxOfNanAndInfinity) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t channels : {1, 16, 20}) {
    const PoolShape s{1, 4, 4, channels, 2, 2, 2, 2, 2, 2, 0, 0};
    const float pixels[4][4] = {{-inf, -inf, nan, 1}, {-inf, -inf, 2, nan}, {1, nan, -inf, 3}, {5, nan, inf, 3}};
    std::vector<float> x;
    for (const auto& row : pixels)
      for (float pixel : row) x.insert(x.end(), static_cast<std::size_t>(channels), pixel);
    check_max<float, std::uint8_t>(s, x);
  }
}

TEST(Pool, AverageDoesNotCountPadding) {
  for (std::int64_t channels : {1, 3, 16, 19, 33})
    for (const PoolShape& s : shapes(channels)) {
      check_average<float>(s);
      check_average<double>(s);
    }
}

TEST(Pool, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = num_threads();
  const PoolShape s{8, 33, 31, 32, 16, 15, 3, 3, 2, 2, 0, 0};
  const std::vector<float> x = small_integers<float>(inputs(s)), dy = small_integers<float>(outputs(s));
  std::vector<float> first;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    std::vector<float> y(dy.size()), dx(x.size());
    std::vector<std::uint8_t> argmax(dy.size());
    max_pool_forward(s, x.data(), y.data(), argmax.data());
    max_pool_backward(s, dy.data(), argmax.data(), dx.data());
    if (first.empty()) first = dx;
    EXPECT_EQ(std::memcmp(first.data(), dx.data(), dx.size() * sizeof(float)), 0) << threads << " threads";
  }
  set_num_threads(before);
}

// --------------------------------------------------------------------------------------------------------- primitives

using Integers = std::vector<std::int64_t>;
using testing::check_gradient;
using testing::error_text;

/// Different numbers far apart, so that a small step does not change which is the greatest.
Tensor distinct(const Shape& shape) {
  std::vector<double> numbers(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 0.01 * static_cast<double>(i);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(3));
  return Tensor::from<double>(numbers, shape);
}

TEST(PoolGradient, AgreesWithDifferences) {
  const Attrs cases[] = {{{"window", Integers{2, 2}}},
                         {{"window", Integers{3, 2}}, {"strides", Integers{1, 2}}, {"padding", std::string("same")}},
                         {{"window", Integers{3, 3}},
                          {"strides", Integers{2, 2}},
                          {"padding", std::string("explicit")},
                          {"pads", Integers{1, 2, 0, 1}}}};
  for (const Attrs& attrs : cases) {
    const Tensor x = distinct({2, 5, 6, 3});
    const std::vector<Tensor> pooled = apply_all("max_pool2d", {{x}}, attrs);
    const Tensor dy = distinct(pooled[0].shape());
    check_gradient("max_pool2d", {x}, attrs, 1);
    check_gradient("max_pool2d_grad", {dy, pooled[1], Tensor::zeros(DType::F64, x.shape())}, attrs);
    check_gradient("max_pool2d_take", {x, pooled[1]}, attrs);
    check_gradient("avg_pool2d", {x}, attrs);
    check_gradient("avg_pool2d_grad", {dy, Tensor::zeros(DType::F64, x.shape())}, attrs);
  }
}

TEST(PoolTake, PositionsOutsideOfTheImageAreZeros) {
  const Attrs attrs{{"window", Integers{2, 9}}, {"padding", std::string("same")}};  // positions of 1 byte; then of 4
  const Tensor x = distinct({1, 2, 2, 3});
  const Tensor wild = Tensor::from<std::uint8_t>(std::vector<std::uint8_t>{255, 254, 200}, {1, 1, 1, 3});
  const Tensor zeros = apply("max_pool2d_take", {x, wild}, attrs);
  for (int c = 0; c < 3; ++c) EXPECT_EQ(zeros.data<double>()[c], 0) << c;

  const Attrs wide{{"window", Integers{20, 20}}, {"padding", std::string("same")}};
  const Tensor wilder = Tensor::from<std::int32_t>(std::vector<std::int32_t>{1 << 30, -(1 << 30), -1}, {1, 1, 1, 3});
  const Tensor none = apply("max_pool2d_take", {x, wilder}, wide);
  for (int c = 0; c < 3; ++c) EXPECT_EQ(none.data<double>()[c], 0) << c;
}

TEST(PoolPrimitive, ShapesAndArgmaxTypes) {
  const auto infer = [](const Shape& x, const Attrs& attrs) {
    const std::vector<TensorSpec> in{{DType::F32, x}};
    return primitive("max_pool2d").infer(in, attrs);
  };
  EXPECT_EQ(infer({-1, 13, 13, 8}, {{"window", Integers{2, 2}}}),
            (Specs{{DType::F32, {-1, 6, 6, 8}}, {DType::U8, {-1, 6, 6, 8}}}));
  EXPECT_EQ(infer({1, 13, -1, 8}, {{"window", Integers{2, 2}}, {"padding", std::string("same")}})[0].shape,
            (Shape{1, 7, -1, 8}));
  EXPECT_EQ(infer({1, 32, 32, 8}, {{"window", Integers{16, 16}}})[1].dtype, DType::I32);
}

TEST(PoolPrimitive, HalfPrecisionKeepsTheGreatest) {
  const Tensor x = ops::cast(distinct({1, 4, 4, 5}), DType::BF16);
  const Tensor y = apply_all("max_pool2d", {{x}}, {{"window", Integers{2, 2}}})[0];
  const Tensor wanted = apply_all("max_pool2d", {{ops::cast(x, DType::F32)}}, {{"window", Integers{2, 2}}})[0];
  EXPECT_EQ(std::memcmp(y.bytes(), ops::cast(wanted, DType::BF16).bytes(), y.spec().bytes()), 0);
}

TEST(PoolPrimitive, ErrorsSayWhatToDo) {
  const Tensor x = Tensor::zeros(DType::F32, {1, 4, 4, 1});
  const std::string fit = error_text([&] { apply_all("max_pool2d", {{x}}, {{"window", Integers{5, 5}}}); });
  EXPECT_NE(fit.find("along the height it reaches over 5 pixels but the padded image has 4"), std::string::npos) << fit;
  const std::string pads = error_text([&] {
    apply_all("avg_pool2d", {{x}},
              {{"window", Integers{2, 2}}, {"padding", std::string("explicit")}, {"pads", Integers{2, 0, 0, 0}}});
  });
  EXPECT_NE(pads.find("pads should be smaller than the window"), std::string::npos) << pads;
}

}  // namespace
}  // namespace dlcore
