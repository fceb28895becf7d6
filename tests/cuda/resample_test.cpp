#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

/// Weights [size, out] with zeros, beside and between others.
Tensor weights(DType dtype, std::int64_t size, std::int64_t out) {
  Tensor w = numbers(DType::F64, {size, out}, 2, -1, 1);
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j < out; ++j) {
      const std::int64_t distance = i - j * size / out;
      if (distance < 0 || distance > 4 || distance == 1 || j == 2) w.data<double>()[i * out + j] = 0;
    }
  return as(w, dtype);
}

TEST(Resample, AlongEachAxis) {
  const Shape shape{3, 7, 9, 5};
  for (DType dtype : kFloats)
    for (std::int64_t axis : {0, 1, 2, 3})
      for (std::int64_t out : {3, 14}) {
        const Tensor w = weights(dtype, shape[static_cast<int>(axis)], out);
        const Attrs attrs{{"axis", axis}};
        expect_same("resample", {numbers(dtype, shape, 1), w}, attrs, ulps(4, dtype, 40));
        expect_same("resample", {numbers(DType::U8, shape, 1, 0, 255), w}, attrs, ulps(4, dtype, 4000));
      }
}

TEST(Resample, AlongTwoAxes) {
  for (DType dtype : kFloats)
    for (std::int64_t axis : {0, 1, 2}) {
      const Shape shape{3, 7, 9, 5};
      const Tensor down = weights(dtype, shape[static_cast<int>(axis)], 6);
      const Tensor across = weights(dtype, shape[static_cast<int>(axis) + 1], 11);
      const Attrs attrs{{"axis", axis}};
      expect_same("resample", {numbers(dtype, shape, 1), down, across}, attrs, ulps(8, dtype, 200));
      expect_same("resample", {numbers(DType::U8, shape, 1, 0, 255), down, across}, attrs, ulps(8, dtype, 20000));
    }
}

}  // namespace
}  // namespace dlcore
