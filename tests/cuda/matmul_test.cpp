// The library's products are loops here: what is tested is how they are called, and the epilogues around them.
#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

Tolerance bound(DType dtype, double k) {
  return dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 4) : ulps(4, dtype, 2 * (k + 4) * (k + 1));
}

Shape with(const Shape& batch, std::int64_t rows, std::int64_t cols, bool transposed) {
  Shape shape = batch;
  shape.push_back(transposed ? cols : rows);
  shape.push_back(transposed ? rows : cols);
  return shape;
}

TEST(Matmul, Transpositions) {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I64})
        for (std::int64_t k : {0, 1, 9}) {
          const Attrs attrs{{"transpose_a", ta}, {"transpose_b", tb}};
          expect_same("matmul", {numbers(dtype, with({}, 5, k, ta), 1), numbers(dtype, with({}, k, 7, tb), 2)}, attrs,
                      bound(dtype, k));
          expect_same(
              "matmul",
              {numbers(dtype, with({}, 5, k, ta), 1), numbers(dtype, with({}, k, 7, tb), 2), numbers(dtype, {7}, 3)},
              attrs, bound(dtype, k));
        }
}

TEST(Matmul, Batches) {
  const std::vector<std::pair<Shape, Shape>> batches{{{3}, {3}},       {{2, 3}, {2, 3}},    {{2, 3}, {3}},
                                                     {{2, 1}, {2, 3}}, {{1, 3}, {2, 1}},    {{4}, {}},
                                                     {{}, {4}},        {{2, 3, 2}, {3, 1}}, {{0}, {0}}};
  for (const auto& [a, b] : batches)
    for (bool ta : {false, true})
      for (DType dtype : {DType::F32, DType::F16, DType::I32})
        expect_same(
            "matmul",
            {numbers(dtype, with(a, 4, 6, ta), 4), numbers(dtype, with(b, 6, 5, false), 5), numbers(dtype, {5}, 6)},
            {{"transpose_a", ta}}, bound(dtype, 6));
}

TEST(Matmul, Epilogues) {
  for (const char* activation : {"", "relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "softplus"})
    for (DType dtype : kFloats)
      for (std::int64_t n : {8, 7})
        for (std::int64_t k : {0, 5})
          for (bool bias : {false, true}) {
            std::vector<Tensor> in{numbers(dtype, {9, k}, 7), numbers(dtype, {k, n}, 8)};
            if (bias) in.push_back(numbers(dtype, {n}, 9));
            expect_same("matmul", in, {{"activation", std::string(activation)}}, bound(dtype, k));
          }
}

}  // namespace
}  // namespace dlcore
