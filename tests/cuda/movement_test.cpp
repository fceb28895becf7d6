#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;
using Integers = std::vector<std::int64_t>;

TEST(Movement, Transpose) {
  const std::vector<std::pair<Shape, Integers>> cases{{{33, 65}, {1, 0}},
                                                      {{2, 3, 40, 8}, {0, 2, 1, 3}},
                                                      {{3, 32, 32}, {0, 2, 1}},
                                                      {{5, 4, 3, 2}, {3, 2, 1, 0}},
                                                      {{1, 70, 9}, {2, 1, 0}},
                                                      {{64, 10}, {1, 0}},
                                                      {{7}, {0}},
                                                      {{0, 4}, {1, 0}}};
  for (const auto& [shape, permutation] : cases)
    for (DType dtype : kAll) expect_same("transpose", {numbers(dtype, shape, 1)}, {{"permutation", permutation}});
}

TEST(Movement, Copies) {
  for (DType dtype : kAll) {
    const Tensor x = numbers(dtype, {4, 6, 8}, 2);
    expect_same("broadcast_to", {numbers(dtype, {6, 1}, 3)}, {{"shape", Integers{4, 6, 8}}});
    expect_same("broadcast_like", {numbers(dtype, {8}, 3), x});
    for (std::int64_t axis : {0, 1, 2}) {
      Shape other{4, 6, 8};
      other[static_cast<int>(axis)] = 3;
      expect_same("concat", {x, numbers(dtype, other, 4), x}, {{"axis", axis}});
      expect_same("split", {x}, {{"axis", axis}, {"sizes", Integers{1, x.shape()[static_cast<int>(axis)] - 1}}});
    }
    expect_same("split_like", {x, numbers(dtype, {4, 2, 8}, 5), numbers(dtype, {4, 4, 8}, 5)},
                {{"axis", std::int64_t{1}}});
    const Attrs slice{
        {"starts", Integers{1, -1, 0}}, {"stops", Integers{3, INT64_MAX, 8}}, {"strides", Integers{1, -2, 3}}};
    expect_same("slice", {x}, slice);
    expect_same("slice_grad", {numbers(dtype, {2, 3, 3}, 6), x}, slice);
    expect_same("tile", {x}, {{"repeats", Integers{2, 1, 3}}});
    expect_same("flip", {x}, {{"axes", Integers{0, 2}}});
    expect_same("copy", {x});
    expect_same("bitcast", {x}, {{"dtype", std::string("uint8")}});
    expect_same("full_like", {x}, {{"value", 1.0}});
    expect_same(
        "iota_like", {x},
        {{"axis", std::int64_t{1}}, {"dtype", std::string(name_of(dtype == DType::Bool ? DType::I32 : dtype))}});
    expect_same("custom_gradient", {x, numbers(dtype, {5}, 7)}, {{"outputs", std::int64_t{1}}});
  }
}

TEST(Movement, Pad) {
  for (DType dtype : {DType::F32, DType::F16, DType::U8, DType::I64})
    for (const char* mode : {"constant", "reflect", "symmetric"}) {
      expect_same(
          "pad", {numbers(dtype, {5, 6, 3}, 8)},
          {{"low", Integers{1, 3, 0}}, {"high", Integers{2, 0, 1}}, {"mode", std::string(mode)}, {"value", 2.0}});
      expect_same(
          "pad", {numbers(dtype, {2, 9, 64}, 8)},
          {{"low", Integers{0, 3, 0}}, {"high", Integers{0, 2, 0}}, {"mode", std::string(mode)}, {"value", 2.0}});
    }
  // Zeros, in words of all widths: rows and borders.
  struct Case {
    Shape x;
    Integers low, high;
  };
  const std::vector<Case> cases{{{4, 5, 3}, {0, 0, 0}, {0, 0, 5}},
                                {{4, 5, 3}, {0, 0, 0}, {0, 0, 1}},
                                {{7}, {0}, {9}},
                                {{7}, {2}, {1}},
                                {{2, 5, 6, 64}, {0, 1, 0, 0}, {0, 0, 2, 0}},
                                {{2, 5, 6, 8}, {0, 1, 2, 0}, {0, 3, 1, 0}},
                                {{3, 4, 6}, {1, 0, 2}, {0, 0, 4}},
                                {{3, 4, 6}, {0, 0, 0}, {0, 0, 0}},
                                {{0, 4}, {1, 0}, {2, 4}},
                                {{3, 24}, {0, 8}, {1, 0}}};
  for (DType dtype : {DType::F64, DType::F32, DType::BF16, DType::U8})
    for (const Case& c : cases) expect_same("pad", {numbers(dtype, c.x, 9)}, {{"low", c.low}, {"high", c.high}});
}

}  // namespace
}  // namespace dlcore
