// Images seen through affine and perspective maps, against sums over all pixels in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "dlcore/ops.h"
#include "kernels/sampling/projective_transform.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace testing;

/// Walks from the nearest edge one pixel at a time; -1: the fill value.
std::int64_t walk(std::int64_t place, std::int64_t size, FillMode mode) {
  while (place < 0 || place >= size) {
    switch (mode) {
      case FillMode::Constant:
        return -1;
      case FillMode::Nearest:
        place += place < 0 ? 1 : -1;
        break;
      case FillMode::Wrap:
        place += place < 0 ? size : -size;
        break;
      case FillMode::Mirror:
        place = size == 1 ? 0 : place < 0 ? -place : 2 * (size - 1) - place;
        break;
      case FillMode::Reflect:
        place = place < 0 ? -1 - place : 2 * size - 1 - place;
        break;
    }
  }
  return place;
}

template <class T>
std::vector<T> reference(const ProjectiveTransform& t, const std::vector<T>& images, const std::vector<T>& numbers) {
  std::vector<T> result;
  for (std::int64_t n = 0; n < t.n; ++n)
    for (std::int64_t y = 0; y < t.h; ++y)
      for (std::int64_t x = 0; x < t.w; ++x)
        for (std::int64_t c = 0; c < t.c; ++c) {
          double m[8]{};
          for (int i = 0; i < t.coefficients; ++i) m[i] = numbers[(t.matrices > 1 ? n * t.coefficients : 0) + i];
          const double fx = static_cast<double>(x), fy = static_cast<double>(y), depth = m[6] * fx + m[7] * fy + 1;
          const double from_x = (m[0] * fx + m[1] * fy + m[2]) / depth, from_y = (m[3] * fx + m[4] * fy + m[5]) / depth;
          const auto value = [&](double column, double row) {
            const std::int64_t j = walk(static_cast<std::int64_t>(column), t.w, t.fill_mode);
            const std::int64_t i = walk(static_cast<std::int64_t>(row), t.h, t.fill_mode);
            return i < 0 || j < 0 ? t.fill_value : static_cast<double>(images[((n * t.h + i) * t.w + j) * t.c + c]);
          };
          if (!t.bilinear) {
            result.push_back(static_cast<T>(value(std::round(from_x), std::round(from_y))));
            continue;
          }
          double sum = 0;
          for (double i : {std::floor(from_y), std::floor(from_y) + 1})
            for (double j : {std::floor(from_x), std::floor(from_x) + 1})
              sum += (1 - std::abs(from_y - i)) * (1 - std::abs(from_x - j)) * value(j, i);
          result.push_back(static_cast<T>(sum));
        }
  return result;
}

template <class T>
void check(ProjectiveTransform t, std::vector<T> matrix) {
  t.coefficients = static_cast<int>(matrix.size());
  const std::vector<T> images = small_integers<T>(t.n * t.h * t.w * t.c, 1);
  std::vector<T> numbers;
  for (std::int64_t n = 0; n < t.matrices; ++n) {
    numbers.insert(numbers.end(), matrix.begin(), matrix.end());
    matrix[2] += T(1.5);
  }
  GuardedBuffer<T> result(t.n * t.h * t.w * t.c);
  projective_transform(t, images.data(), numbers.data(), result.data());
  EXPECT_TRUE(result.untouched());
  EXPECT_EQ(result.copy(), reference(t, images, numbers))
      << t.h << 'x' << t.w << 'x' << t.c << ", mode " << static_cast<int>(t.fill_mode) << ", bilinear " << t.bilinear;
}

constexpr FillMode kModes[] = {FillMode::Constant, FillMode::Nearest, FillMode::Wrap, FillMode::Mirror,
                               FillMode::Reflect};

TEST(ProjectiveTransform, EveryModeSizeAndNumberOfChannels) {
  for (FillMode mode : kModes)
    for (bool bilinear : {true, false})
      for (std::int64_t channels : {1, 2, 3, 4, 17})
        for (std::int64_t width : {1, 7, 64, 131}) {
          const ProjectiveTransform t{2, 5, width, channels, 2, 6, bilinear, mode, 1.25};
          check<float>(t, {1.25f, -0.5f, 1.75f, 0.25f, 1.5f, -3.25f});  // quarters: sums are exact
          check<double>(t, {-0.75, 0.5, 40.25, 0.5, -2, 1.5});
        }
}

TEST(ProjectiveTransform, Perspective) {
  for (FillMode mode : kModes)
    for (bool bilinear : {true, false}) {  // depths of 1 and 4, and of 1 and 2
      check<float>({1, 1, 2, 3, 1, 8, bilinear, mode, 0}, {9, 0, 0.5f, 0.5f, 1, 0, 3, 0.5f});
      check<float>({2, 2, 1, 3, 2, 8, bilinear, mode, 0}, {9, 1, 0.5f, 0.5f, 7, 0, 3, 1});
    }
}

TEST(ProjectiveTransform, TheSameForAnyNumberOfThreads) {
  const ProjectiveTransform t{4, 40, 50, 3, 4, 6, true, FillMode::Reflect, 0};
  const std::vector<float> images = random_reals<float>(t.n * t.h * t.w * t.c, 2), numbers = random_reals<float>(24, 3);
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 3}) {
    const int before = num_threads();
    set_num_threads(threads);
    results.emplace_back(images.size());
    projective_transform(t, images.data(), numbers.data(), results.back().data());
    set_num_threads(before);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(ProjectiveTransform, PlacesOutOfReachAreBeyondTheEdges) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> images(9, 7);
  for (FillMode mode : kModes)
    for (bool bilinear : {true, false})
      for (float far : {inf, -inf, nan, 3e38f, -3e38f}) {
        const ProjectiveTransform t{1, 3, 3, 1, 1, 6, bilinear, mode, 2};
        std::vector<float> result(9);
        projective_transform(t, images.data(), std::vector<float>{1, 0, far, 0, 1, 0}.data(), result.data());
        EXPECT_EQ(result, std::vector<float>(9, mode == FillMode::Constant ? 2 : 7));
      }
}

TEST(ProjectiveTransform, SaysWhatDoesNotFit) {
  const Tensor images = Tensor::zeros(DType::F32, {2, 3, 3, 1});
  const auto error = [&](const Tensor& x, const Tensor& numbers, const Attrs& attrs) -> std::string {
    try {
      apply("projective_transform", {x, numbers}, attrs);
    } catch (const Error& found) {
      return found.what();
    }
    return "";
  };
  const Tensor good = Tensor::zeros(DType::F32, {2, 8});
  EXPECT_EQ(error(images, good, {}), "");
  EXPECT_NE(error(images, Tensor::zeros(DType::F32, {3, 8}), {}).find("[2 or 1, 6 or 8]"), std::string::npos);
  EXPECT_NE(error(images, Tensor::zeros(DType::F32, {2, 7}), {}).find("[2 or 1, 6 or 8]"), std::string::npos);
  EXPECT_NE(error(images, Tensor::zeros(DType::F64, {2, 8}), {}).find("float32 [2"), std::string::npos);
  EXPECT_NE(error(Tensor::zeros(DType::F32, {3, 3, 1}), good, {}).find("4 axes"), std::string::npos);
  const TensorSpec wide{DType::F32, {1, 1, 1'000'000'000, 1}};
  EXPECT_THROW(primitive("projective_transform").infer(std::vector{wide, good.spec()}, {}), Error);
  EXPECT_NE(error(images, good, {{"fill_mode", std::string("edge")}}).find("'edge'"), std::string::npos);
  EXPECT_NE(error(images, good, {{"interpolation", std::string("cubic")}}).find("'cubic'"), std::string::npos);
}

}  // namespace
}  // namespace dlcore
