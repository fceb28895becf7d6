#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;
using Integers = std::vector<std::int64_t>;

TEST(Pooling, MaxAndAverage) {
  struct Case {
    Shape x;
    Integers window, strides;
    const char* padding;
  };
  const std::vector<Case> cases{{{2, 6, 7, 5}, {2, 2}, {2, 2}, "valid"},
                                {{2, 6, 7, 33}, {3, 3}, {2, 2}, "same"},
                                {{1, 9, 9, 2}, {3, 2}, {1, 3}, "same"},
                                {{1, 20, 20, 1}, {17, 17}, {3, 3}, "same"},
                                {{3, 4, 4, 8}, {4, 4}, {4, 4}, "valid"}};
  for (const Case& c : cases)
    for (DType dtype : kFloats) {
      const Attrs attrs{{"window", c.window}, {"strides", c.strides}, {"padding", std::string(c.padding)}};
      Tensor x = as(numbers(DType::I32, c.x, 1, -9, 9), dtype);  // with equal ones
      expect_same("max_pool2d", {x}, attrs);
      const std::vector<Tensor> pooled = apply_all("max_pool2d", std::vector{x}, attrs);
      const Tensor dy = numbers(dtype, pooled[0].shape(), 2);
      const Tolerance sums = dtype == DType::F16 || dtype == DType::BF16 ? ulps(1, dtype, 1) : ulps(20, dtype, 20);
      expect_same("max_pool2d_grad", {dy, pooled[1], x}, attrs, sums);
      expect_same("max_pool2d_take", {x, pooled[1]}, attrs);
      expect_same("avg_pool2d", {numbers(dtype, c.x, 3)}, attrs, sums);
      expect_same("avg_pool2d_grad", {dy, x}, attrs, sums);
    }
  const Tensor wild = Tensor::from<std::uint8_t>(std::vector<std::uint8_t>{255, 3, 200}, {1, 1, 1, 3});
  expect_same("max_pool2d_take", {numbers(DType::F32, {1, 2, 2, 3}, 5), wild}, {{"window", Integers{2, 2}}});
  Tensor x = numbers(DType::F32, {1, 4, 4, 1}, 4);
  x.data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  expect_same("max_pool2d", {x}, {{"window", Integers{2, 2}}});
}

/// Of parameters and statistics.
DType wide(DType dtype) { return dtype == DType::F64 ? DType::F64 : DType::F32; }

Tolerance bound(DType dtype) {
  return dtype == DType::F16 || dtype == DType::BF16 ? ulps(2, dtype, 3) : ulps(100, dtype, 200);
}

TEST(Norm, Batch) {
  const std::vector<std::pair<Shape, std::int64_t>> cases{
      {{5, 3}, -1},    {{600, 40}, -1},  {{4, 6, 7, 33}, -1}, {{4, 3, 6, 7}, 1}, {{1, 1}, -1},
      {{2000, 2}, -1}, {{3, 2, 400}, 1}, {{5000, 8}, -1},     {{90, 132}, -1},   {{3, 260}, -1}};
  for (const auto& [shape, axis] : cases)
    for (DType dtype : kFloats) {
      const Attrs attrs{{"axis", axis}, {"epsilon", 1e-2}};
      const std::int64_t channels = shape[axis < 0 ? shape.rank() - 1 : static_cast<int>(axis)];
      const Tensor x = numbers(dtype, shape, 5, 4, 6), gamma = numbers(wide(dtype), {channels}, 6),
                   beta = numbers(wide(dtype), {channels}, 7);
      expect_same("batch_norm", {x, gamma, beta}, attrs, bound(dtype));
      const std::vector<Tensor> y = apply_all("batch_norm", std::vector{x, gamma, beta}, attrs);
      expect_same("batch_norm_grad", {x, gamma, y[1], y[3], numbers(dtype, shape, 8)}, {{"axis", axis}},
                  dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 12) : ulps(200, dtype, 6000));
      const Attrs relu{{"axis", axis}, {"epsilon", 1e-2}, {"activation", std::string("relu")}};
      expect_same("batch_norm", {x, gamma, beta}, relu, bound(dtype));
      expect_same("batch_norm_grad", {x, gamma, y[1], y[3], numbers(dtype, shape, 8), beta}, relu,
                  dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 12) : ulps(200, dtype, 6000));
    }
}

TEST(Norm, BatchWithLargeMean) {
  for (const auto& [shape, axis] : {std::pair{Shape{3000, 8}, -1}, {Shape{3000, 3}, -1}, {Shape{30, 3, 100}, 1}})
    for (DType dtype : {DType::F32, DType::F64}) {
      const std::int64_t channels = shape[axis < 0 ? 1 : axis];
      const Tensor x = numbers(dtype, shape, 5, 998, 1002);
      const Tensor one = numbers(dtype, {channels}, 6, 1, 1.5), zero = numbers(dtype, {channels}, 7, 0, 0.1);
      // A unit in the last place of the mean is 512 of y.
      expect_same("batch_norm", {x, one, zero}, {{"axis", std::int64_t{axis}}}, ulps(200, dtype, 2000));
    }
}

TEST(Norm, UnalignedTensors) {
  for (DType dtype : kFloats) {
    const Tensor x = numbers(dtype, {600, 8}, 5), dy = numbers(dtype, {600, 8}, 6),
                 by_channel = numbers(wide(dtype), {8}, 7, 0.5, 2), by_row = numbers(wide(dtype), {600}, 8, 0.5, 2);
    expect_same_unaligned("batch_norm", {x, by_channel, by_channel});
    expect_same_unaligned("batch_norm_grad", {x, by_channel, by_channel, by_channel, dy});
    expect_same_unaligned("layer_norm", {x, by_channel, by_channel});
    expect_same_unaligned("layer_norm_grad", {x, by_channel, by_row, by_row, dy});
  }
}

TEST(Norm, Layer) {
  const std::vector<std::pair<Shape, std::int64_t>> cases{
      {{5, 3}, -1},   {{3, 4, 40}, -1}, {{4, 6, 7}, 1},  {{2, 1500}, -1}, {{400, 64}, -1}, {{1, 1}, -1},
      {{9, 512}, -1}, {{2, 513}, -1},   {{1, 4097}, -1}, {{1, 8192}, -1}, {{1, 8196}, -1}};
  for (const auto& [shape, axis] : cases)
    for (DType dtype : kFloats) {
      const Attrs attrs{{"axis", axis}, {"epsilon", 1e-2}};
      Shape parameters;
      for (int k = axis < 0 ? shape.rank() - 1 : static_cast<int>(axis); k < shape.rank(); ++k)
        parameters.push_back(shape[k]);
      const Tensor x = numbers(dtype, shape, 9, 4, 6), gamma = numbers(wide(dtype), parameters, 10),
                   beta = numbers(wide(dtype), parameters, 11);
      expect_same("layer_norm", {x, gamma, beta}, attrs, bound(dtype));
      const std::vector<Tensor> y = apply_all("layer_norm", std::vector{x, gamma, beta}, attrs);
      expect_same("layer_norm_grad", {x, gamma, y[1], y[2], numbers(dtype, shape, 12)}, {{"axis", axis}},
                  dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 12) : ulps(200, dtype, 2000));
    }
}

}  // namespace
}  // namespace dlcore
