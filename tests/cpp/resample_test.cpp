#include "kernels/resample/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/resample/resample_ref.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace testing;

std::string text_of(const ResampleShape& s) { return str(s.outer, 'x', s.size, 'x', s.inner, " to ", s.out); }

template <class X, class T>
std::vector<T> run(const ResampleShape& s, const std::vector<X>& x, const std::vector<T>& w) {
  GuardedBuffer<T> y(s.outer * s.out * s.inner);
  GuardedBuffer<unsigned char> scratch(static_cast<std::int64_t>(resample_scratch_bytes<T>(s)));
  resample(s, x.data(), w.data(), y.data(), scratch.data());
  EXPECT_TRUE(y.untouched() && scratch.untouched());
  return y.copy();
}

/// Weights of linear interpolation, [size, out]; each also of inputs that lie `spread` apart, with zeros between them.
template <class T>
std::vector<T> bands(const ResampleShape& s, std::int64_t taps, std::int64_t spread) {
  const std::vector<T> numbers = small_integers<T>(s.size * s.out, 3);
  std::vector<T> w(numbers.size());
  for (std::int64_t j = 0; j < s.out; ++j)
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t i = j * s.size / s.out + t * spread;
      if (i < s.size) w[i * s.out + j] = numbers[i * s.out + j];
    }
  return w;
}

/// Small integers; of bytes, those above 127 too.
template <class X>
std::vector<X> images(std::int64_t size) {
  std::vector<X> x;
  for (int number : small_integers<int>(size, 4))
    x.push_back(static_cast<X>(std::is_same_v<X, std::uint8_t> ? number + 200 : number));
  return x;
}

template <class X, class T>
void check(const ResampleShape& s, const std::vector<T>& w) {
  SCOPED_TRACE(text_of(s));
  const std::vector<X> x = images<X>(s.outer * s.size * s.inner);
  std::vector<double> wanted(static_cast<std::size_t>(s.outer * s.out * s.inner));
  resample_ref(s, x.data(), w.data(), wanted.data());
  const std::vector<T> y = run(s, x, w);
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(static_cast<double>(y[i]), wanted[i]) << "y[" << i << "]";
}

const std::int64_t kInner[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 31, 33, 64, 67, 130};

TEST(Resample, IsExactOnSmallIntegers) {
  for (std::int64_t inner : kInner)
    for (const auto& [size, out] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 5}, {7, 3}, {5, 11}, {16, 16}, {40, 9}})
      for (std::int64_t outer : {1, 3, 6})
        for (std::int64_t taps : {0, 1, 2, 5}) {
          const ResampleShape s{outer, size, inner, out};
          check<float>(s, bands<float>(s, taps, 1));
          check<double>(s, bands<double>(s, taps, 2));
          check<std::uint8_t>(s, bands<float>(s, taps, 2));
          check<std::uint8_t>(s, bands<double>(s, taps, 1));
        }
}

template <class X, class T>
void check_pair(std::int64_t outer, std::int64_t height, std::int64_t width, std::int64_t inner,
                std::int64_t out_height, std::int64_t out_width) {
  const ResampleShape down{outer, height, width * inner, out_height};
  const ResampleShape across{outer * out_height, width, inner, out_width};
  SCOPED_TRACE(str(text_of(down), ", ", text_of(across)));
  const std::vector<X> x = images<X>(outer * height * width * inner);
  const std::vector<T> w_down = bands<T>(down, 2, 1), w_across = bands<T>(across, 3, 2);
  std::vector<double> between(static_cast<std::size_t>(outer * out_height * width * inner));
  std::vector<double> wanted(static_cast<std::size_t>(outer * out_height * out_width * inner));
  resample_ref(down, x.data(), w_down.data(), between.data());
  resample_ref(across, between.data(), w_across.data(), wanted.data());
  const ResamplePair<T> pair(down, across);
  GuardedBuffer<T> y(static_cast<std::int64_t>(wanted.size()));
  GuardedBuffer<unsigned char> scratch(static_cast<std::int64_t>(pair.scratch_bytes()));
  pair.run(x.data(), w_down.data(), w_across.data(), y.data(), scratch.data());
  EXPECT_TRUE(y.untouched() && scratch.untouched());
  for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_EQ(static_cast<double>(y[i]), wanted[i]) << "y[" << i << "]";
}

TEST(Resample, AlongTwoAxesAtOnce) {
  for (std::int64_t inner : {1, 3, 4, 6, 16, 40})
    for (std::int64_t width : {1, 5, 30})
      for (std::int64_t out : {1, 7, 200}) {
        check_pair<float, float>(3, 9, width, inner, 5, out);
        check_pair<double, double>(2, 4, width, inner, 11, out);
        check_pair<std::uint8_t, float>(2, 9, width, inner, 8, out);
      }
}

TEST(Resample, TakesAnyWeights) {
  const ResampleShape cut{2, 9, 5000, 6};  // in the middle of rows
  check<float>(cut, bands<float>(cut, 3, 2));
  for (std::int64_t inner : {1, 3, 20}) {
    const ResampleShape s{4, 19, inner, 23};
    check<float>(s, small_integers<float>(s.size * s.out, 1));
    check<double>(s, small_integers<double>(s.size * s.out, 2));
  }
}

TEST(Resample, RealsWithinTheBound) {
  for (std::int64_t inner : {1, 3, 20}) {
    const ResampleShape s{4, 19, inner, 23};
    const std::vector<float> x = random_reals<float>(s.outer * s.size * inner, 1),
                             w = random_reals<float>(s.size * s.out, 2);
    std::vector<double> wanted(static_cast<std::size_t>(s.outer * s.out * inner));
    resample_ref(s, x.data(), w.data(), wanted.data());
    const std::vector<float> y = run(s, x, w);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], wanted[i], product_bound<float>(s.size)) << i;
  }
}

TEST(Resample, WhatHasNoWeightDoesNotMatter) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t inner : kInner) {
    SCOPED_TRACE(inner);
    const ResampleShape s{2, 5, inner, 4};
    // Outputs: input 1; inputs 0 and 2; none; input 4, infinite.
    std::vector<float> w(static_cast<std::size_t>(s.size * s.out)), x;
    w[1 * 4 + 0] = 2, w[0 * 4 + 1] = 3, w[2 * 4 + 1] = 1, w[4 * 4 + 3] = 1;
    for (int a = 0; a < 2; ++a)
      for (float number : {5.0f, nan, 7.0f, nan, inf}) x.insert(x.end(), static_cast<std::size_t>(inner), number);
    const std::vector<float> y = run(s, x, w);
    for (std::int64_t a = 0; a < 2; ++a)
      for (std::int64_t b = 0; b < inner; ++b) {
        const auto at = [&](std::int64_t j) { return y[(a * s.out + j) * inner + b]; };
        EXPECT_TRUE(std::isnan(at(0)));
        EXPECT_EQ(at(1), 22);
        EXPECT_EQ(at(2), 0);
        EXPECT_EQ(at(3), inf);
      }
  }
}

TEST(Resample, BitsDoNotDependOnTheNumberOfThreads) {
  for (std::int64_t inner : {3, 6000}) {
    const ResampleShape s{inner == 3 ? 400 : 3, 50, inner, 70};
    const std::vector<float> x = random_reals<float>(s.outer * s.size * inner, 1),
                             w = random_reals<float>(s.size * s.out, 2);
    const ResampleShape across{s.outer * s.out, inner / 3, 3, 40};
    const std::vector<float> w_across = random_reals<float>(across.size * across.out, 3);
    std::vector<float> first, first_pair;
    for (int threads : {1, 2, 3}) {
      const WithThreads with(threads);
      const std::vector<float> y = run(s, x, w);
      const ResamplePair<float> pair(s, across);
      std::vector<float> both(static_cast<std::size_t>(across.outer * across.out * 3));
      std::vector<std::byte> scratch(pair.scratch_bytes());
      pair.run(x.data(), w.data(), w_across.data(), both.data(), scratch.data());
      if (first.empty()) first = y, first_pair = both;
      EXPECT_TRUE(same_bits(y, first) && same_bits(both, first_pair)) << threads << " threads";
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- primitive

Tensor reals(const Shape& shape, unsigned seed) {
  return Tensor::from<double>(random_reals<double>(shape.elements(), seed), shape);
}

TEST(ResampleGradient, AgreesWithDifferences) {
  const Tensor x = reals({2, 4, 3, 2}, 1);
  for (std::int64_t axis : {0, 1, 2, -1})
    for (std::int64_t out : {1, 5}) {
      const std::int64_t size = x.shape()[axis < 0 ? 3 : static_cast<int>(axis)];
      check_gradient("resample", {x, reals({size, out}, 2)}, {{"axis", axis}});
    }
  for (int axis : {0, 1, 2})
    check_gradient("resample", {x, reals({x.shape()[axis], 5}, 2), reals({x.shape()[axis + 1], 2}, 3)},
                   {{"axis", std::int64_t{axis}}});
}

TEST(ResamplePrimitive, ShapesAndTypes) {
  const auto infer = [](const TensorSpec& x, const TensorSpec& w, std::int64_t axis) {
    const std::vector<TensorSpec> in{x, w};
    return infer_specs(primitive("resample"), in, {{"axis", axis}})[0];
  };
  EXPECT_EQ(infer({DType::F32, {-1, 8, 6, 3}}, {DType::F32, {8, 5}}, 1), (TensorSpec{DType::F32, {-1, 5, 6, 3}}));
  EXPECT_EQ(infer({DType::U8, {2, -1, 3}}, {DType::BF16, {7, -1}}, -2), (TensorSpec{DType::BF16, {2, -1, 3}}));
  const std::vector<TensorSpec> two{{DType::F32, {-1, 8, 6, 3}}, {DType::F32, {8, 5}}, {DType::F32, {6, 2}}};
  EXPECT_EQ(infer_specs(primitive("resample"), two, {{"axis", std::int64_t{1}}})[0].shape, (Shape{-1, 5, 2, 3}));
  const std::string last = error_text([&] { infer_specs(primitive("resample"), two, {{"axis", std::int64_t{3}}}); });
  EXPECT_NE(last.find("expected [3, outputs] for axis 3"), std::string::npos) << last;
  const std::string sizes = error_text([&] { infer({DType::F32, {2, 8, 3}}, {DType::F32, {7, 5}}, 1); });
  EXPECT_NE(sizes.find("expected [8, outputs] for axis 1"), std::string::npos) << sizes;
  const std::string types = error_text([&] { infer({DType::I32, {2, 8}}, {DType::F32, {8, 5}}, 1); });
  EXPECT_NE(types.find("expected x of the weights' dtype, or uint8"), std::string::npos) << types;
}

TEST(ResamplePrimitive, HalfPrecisionIsComputedInFloat) {
  const Tensor x = ops::cast(reals({3, 4, 5}, 1), DType::BF16), w = ops::cast(reals({4, 6}, 2), DType::BF16);
  const Attrs attrs{{"axis", std::int64_t{1}}};
  const Tensor y = apply("resample", {x, w}, attrs);
  const Tensor wanted = apply("resample", {ops::cast(x, DType::F32), ops::cast(w, DType::F32)}, attrs);
  EXPECT_EQ(std::memcmp(y.bytes(), ops::cast(wanted, DType::BF16).bytes(), y.spec().bytes()), 0);
}

}  // namespace
}  // namespace dlcore
