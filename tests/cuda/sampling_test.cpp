#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

/// `rows` times the same numbers.
Tensor matrices(DType dtype, std::int64_t rows, const std::vector<double>& numbers) {
  std::vector<double> all;
  for (std::int64_t row = 0; row < rows; ++row) all.insert(all.end(), numbers.begin(), numbers.end());
  return ops::cast(Tensor::from<double>(all, {rows, static_cast<std::int64_t>(numbers.size())}), dtype);
}

TEST(Sampling, ProjectiveTransform) {
  for (const char* mode : {"constant", "nearest", "wrap", "mirror", "reflect"})
    for (const char* interpolation : {"bilinear", "nearest"})
      for (std::int64_t parameters : {6, 8})
        for (std::int64_t channels : {1, 3, 5}) {
          const Attrs attrs{
              {"fill_mode", std::string(mode)}, {"interpolation", std::string(interpolation)}, {"fill_value", 2.5}};
          std::vector<double> matrix{1.25, -0.5, 1.75, 0.25, 1.5, -3.25, 0, 0};  // without rounding
          matrix.resize(static_cast<std::size_t>(parameters));
          for (std::int64_t rows : {1, 3})
            for (DType dtype : {DType::F32, DType::F64})
              expect_same("projective_transform",
                          {numbers(dtype, {3, 9, 70, channels}, 1), matrices(dtype, rows, matrix)}, attrs,
                          ulps(4, dtype, 8));
        }
}

TEST(Sampling, HalvesAndPerspective) {
  const std::vector<double> matrix{1, 0.125, 0.5, 0, 1, 0.25, 0.0078125, 0.015625};
  const Tensor images = numbers(DType::F32, {2, 8, 8, 2}, 2);
  expect_same("projective_transform", {images, matrices(DType::F32, 1, matrix)}, {}, {1e-5, 1e-5});
  for (DType dtype : {DType::F16, DType::BF16})
    expect_same("projective_transform", {numbers(dtype, {2, 8, 8, 2}, 2), matrices(DType::F32, 2, matrix)}, {},
                ulps(2, dtype, 2));
}

}  // namespace
}  // namespace dlcore
