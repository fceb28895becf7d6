#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

/// Few different numbers, so that equal ones meet; floats with NaN and both zeros.
Tensor with_equals(DType dtype, const Shape& shape, unsigned seed) {
  Tensor x = as(numbers(DType::I32, shape, seed, dtype == DType::U8 ? 0 : -9, 9), dtype);
  if (!is_float(dtype) || shape.elements() < 9) return x;
  const auto put = [&](std::int64_t at, double number) {
    std::memcpy(x.bytes() + at * size_of(dtype), Tensor::scalar(dtype, number).bytes(), size_of(dtype));
  };
  put(3, std::numeric_limits<double>::quiet_NaN());
  put(5, -0.0);
  put(7, std::numeric_limits<double>::quiet_NaN());
  put(8, -std::numeric_limits<double>::infinity());
  return x;
}

const std::vector<std::pair<Shape, std::int64_t>> kCases{{{1}, 0},       {{5, 10}, 1},    {{5, 10}, 0},
                                                         {{3, 63}, 1},   {{2, 65}, 1},    {{2, 1024}, 1},
                                                         {{1, 1500}, 1}, {{3, 40, 3}, 1}, {{1, 5000}, 1}};

TEST(Sorting, SortAndTopK) {
  for (const auto& [shape, axis] : kCases)
    for (DType dtype : kAll)
      for (bool descending : {false, true}) {
        const Attrs attrs{{"axis", axis}, {"descending", descending}};
        const Tensor x = with_equals(dtype, shape, 1);
        expect_same("sort", {x}, attrs);
        expect_same("argsort", {x}, attrs);
        if (descending && shape.back() >= 3) expect_same("top_k", {x}, {{"k", std::int64_t{3}}});
      }
}

TEST(Sorting, RunningSums) {
  for (const auto& [shape, axis] : kCases)
    for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64, DType::U8, DType::I8})
      for (bool exclusive : {false, true})
        for (bool reverse : {false, true}) {
          const Attrs attrs{{"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}};
          // Both add in double: the order shows in float64 alone.
          const Tolerance tolerance = dtype == DType::F64 ? ulps(1, dtype, 40000)
                                      : is_float(dtype)   ? ulps(1, dtype, 1e-3)
                                                          : kExact;
          expect_same("cumsum", {numbers(dtype, shape, 2, dtype == DType::U8 ? 0 : -3)}, attrs, tolerance);
          const bool real = is_float(dtype);
          const Tensor factors = numbers(dtype, shape, 3, real ? 0.99 : dtype == DType::U8 ? 0 : -2, real ? 1.01 : 3);
          expect_same("cumprod", {factors}, attrs, real ? ulps(dtype == DType::F64 ? 10000 : 1, dtype) : kExact);
          if (real && shape.elements() < 1000)
            expect_same("cumprod_grad", {numbers(dtype, shape, 4), factors}, attrs, ulps(1, dtype, 1));
        }
}

TEST(Sorting, SearchSorted) {
  for (DType dtype : kAll)
    for (bool right : {false, true}) {
      const Tensor sorted = apply("sort", {with_equals(dtype, {50}, 5)});
      expect_same("searchsorted", {sorted, with_equals(dtype, {40}, 6)}, {{"right", right}});
    }
  expect_same("searchsorted", {numbers(DType::F32, {0}, 5), numbers(DType::F32, {4}, 6)});
}

}  // namespace
}  // namespace dlcore
