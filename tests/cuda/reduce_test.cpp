#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;
using Integers = std::vector<std::int64_t>;

const std::vector<std::pair<Shape, Integers>> kCases{{{1}, {0}},
                                                     {{5, 31}, {1}},
                                                     {{5, 33}, {0}},
                                                     {{3, 1025}, {1}},
                                                     {{2, 6000}, {1}},
                                                     {{4, 5, 6}, {1}},
                                                     {{4, 5, 6}, {0, 2}},
                                                     {{4, 5, 6}, {}},
                                                     {{700, 40}, {0}},
                                                     {{2, 9, 9, 33}, {0, 1, 2}},
                                                     {{3, 4, 5, 6}, {0, 2}},
                                                     {{2, 3}, {0, 1}},
                                                     {{64, 1, 3}, {1}},
                                                     {{9000}, {0}},
                                                     {{9001}, {0}},
                                                     {{9, 127}, {1}},
                                                     {{9, 128}, {1}},
                                                     {{3, 516}, {1}},
                                                     {{2, 1024}, {1}},
                                                     {{2, 1028}, {1}},
                                                     {{70, 33}, {0}},
                                                     {{1, 4096}, {1}}};

TEST(Reduce, SumsAndExtrema) {
  for (const auto& [shape, axes] : kCases)
    for (bool keepdims : {false, true})
      for (DType dtype :
           {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64, DType::U8, DType::I8}) {
        const Attrs attrs{{"axes", axes}, {"keepdims", keepdims}};
        const Tensor x = numbers(dtype, shape, 1, dtype == DType::U8 ? 0 : -3);
        // At most 9000 summands of at most 3, in trees of depth about 40 on both sides.
        const Tolerance sums =
            is_float(dtype) ? ulps(1, dtype, dtype == DType::F16 || dtype == DType::BF16 ? 4 : 20000) : kExact;
        expect_same("reduce_sum", {x}, attrs, sums);
        expect_same("reduce_max", {x}, attrs);
        if (keepdims) continue;
        expect_same("reduce_min", {x}, attrs);
        if (is_float(dtype)) expect_same("reduce_mean", {x}, attrs, ulps(2, dtype, 4));
      }
}

TEST(Reduce, UnalignedRows) {
  for (std::int64_t size : {8, 516, 1028, 9000})
    for (DType dtype : kAll)
      if (dtype != DType::Bool)
        expect_same_unaligned("reduce_sum", {numbers(dtype, {2, size}, 10)}, {{"axes", Integers{1}}});
}

TEST(Reduce, ProductsAndCentred) {
  for (const auto& [shape, axes] : kCases)
    for (DType dtype : kFloats) {
      const bool half = dtype == DType::F16 || dtype == DType::BF16;
      expect_same("reduce_prod", {numbers(dtype, shape, 2, 0.99, 1.01)}, {{"axes", axes}},
                  ulps(half ? 2 : 9000, dtype));
      expect_same("reduce_var", {numbers(dtype, shape, 3)}, {{"axes", axes}}, ulps(half ? 2 : 100, dtype, 1));
      expect_same("reduce_logsumexp", {numbers(dtype, shape, 4)}, {{"axes", axes}}, ulps(half ? 2 : 20, dtype, 4));
    }
  expect_same("reduce_prod", {numbers(DType::I32, {4, 6}, 5, -3, 4)}, {{"axes", Integers{1}}});
  const Tensor integers = numbers(DType::F32, {50, 70}, 6, -4, 5);
  expect_same("reduce_sum", {as(as(integers, DType::I32), DType::F32)}, {{"axes", Integers{0}}});
}

TEST(Reduce, Booleans) {
  for (const auto& [shape, axes] : kCases)
    for (const char* name : {"reduce_any", "reduce_all"})
      for (double low : {-30.0, -3.0, -0.1})
        expect_same(name, {numbers(DType::Bool, shape, 7, low, 3)}, {{"axes", axes}});
}

TEST(Reduce, Positions) {
  for (const auto& shape : {Shape{5, 7}, Shape{3, 100, 4}, Shape{1, 1}, Shape{40, 33}})
    for (std::int64_t axis : {0, 1})
      for (DType dtype : kAll)
        for (const char* name : {"argmax", "argmin"}) {
          const Tensor x = as(numbers(DType::I32, shape, 8, 0, 5), dtype);  // with equal ones
          expect_same(name, {x}, {{"axis", axis}});
          if (is_float(dtype)) {
            const Tensor nan = apply("where", {apply("greater", {x, Tensor::scalar(dtype, 3)}),
                                               Tensor::scalar(dtype, std::numeric_limits<double>::quiet_NaN()), x});
            expect_same(name, {nan}, {{"axis", axis}});
          }
        }
}

TEST(Reduce, SumLike) {
  for (DType dtype : {DType::F32, DType::F64, DType::I32})
    for (const Shape& like : {Shape{6}, Shape{5, 1}, Shape{1, 6}, Shape{4, 1, 6}, Shape{}, Shape{4, 5, 6}})
      expect_same("sum_like", {numbers(dtype, {4, 5, 6}, 9), numbers(dtype, like, 9)}, {}, ulps(1, dtype, 200));
  expect_same("reduce_sum", {numbers(DType::F32, {0, 4}, 9)}, {{"axes", Integers{0}}});
}

}  // namespace
}  // namespace dlcore
