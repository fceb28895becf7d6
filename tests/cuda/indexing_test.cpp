#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

const char* const kModes[] = {"raise", "strict", "clip", "wrap", "fill"};

/// Indices in [-rows, rows), or in [0, rows), or beyond, as the mode allows it.
Tensor indices(DType dtype, const Shape& shape, unsigned seed, std::int64_t rows, const std::string& mode) {
  const double reach = static_cast<double>(mode == "raise" || mode == "strict" ? rows : 3 * rows);
  return numbers(dtype, shape, seed, mode == "strict" ? 0 : -reach, reach);
}

TEST(Indexing, GatherAndScatter) {
  for (const char* mode : kModes)
    for (DType index : {DType::I32, DType::I64})
      for (DType dtype : kAll)
        for (std::int64_t axis : {0, 1}) {
          const Shape table{7, 9, 5};
          const Tensor at = indices(index, {3, 11}, 1, table[static_cast<int>(axis)], mode);
          const Attrs attrs{{"axis", axis}, {"mode", std::string(mode)}};
          const Tensor x = numbers(dtype, table, 2);
          expect_same("gather", {x, at}, attrs);
          if (dtype == DType::Bool) continue;
          Shape updates{3, 11, 9, 5};
          if (axis == 1) updates = {7, 3, 11, 5};
          expect_same("scatter_add", {x, at, numbers(dtype, updates, 3)}, attrs);
          for (const char* join : {"scatter_max", "scatter_min", "scatter_mul"})
            expect_same(join, {x, at, numbers(dtype, updates, 3)}, attrs);
        }
}

TEST(Indexing, Embedding) {
  for (std::int64_t width : {1, 4, 32, 63, 300})
    for (DType dtype : {DType::F32, DType::F16, DType::BF16}) {
      const Tensor ids = numbers(DType::I32, {1500}, 4, 0, 11);  // long runs of equal rows
      expect_same("gather", {numbers(dtype, {11, width}, 5), ids});
      for (const char* join : {"scatter_add", "scatter_set"})
        expect_same(join, {numbers(dtype, {11, width}, 5), ids, numbers(dtype, {1500, width}, 6)});
    }
  expect_same("scatter_add",
              {numbers(DType::F32, {5, 4}, 5), numbers(DType::I32, {0}, 5), numbers(DType::F32, {0, 4}, 5)});
}

TEST(Indexing, AlongAnAxis) {
  for (const char* mode : kModes)
    for (DType dtype : {DType::F32, DType::F16, DType::I8, DType::I64, DType::F64})
      for (std::int64_t axis : {0, 1, 2}) {
        const Shape shape{6, 7, 8};
        Shape at_shape = shape;
        at_shape[static_cast<int>(axis)] = 10;
        const Tensor at = indices(DType::I64, at_shape, 7, shape[static_cast<int>(axis)], mode);
        const Attrs attrs{{"axis", axis}, {"mode", std::string(mode)}};
        expect_same("gather_along", {numbers(dtype, shape, 8), at}, attrs);
        expect_same("scatter_along", {numbers(dtype, shape, 8), at, numbers(dtype, at_shape, 9)}, attrs);
        const Tensor last = indices(DType::I32, {6, 7}, 10, 8, mode);
        expect_same("gather_last", {numbers(dtype, shape, 8), last}, {{"mode", std::string(mode)}});
        expect_same("scatter_last", {numbers(dtype, shape, 8), last, numbers(dtype, {6, 7}, 9)},
                    {{"mode", std::string(mode)}});
      }
}

TEST(Indexing, OneHot) {
  for (DType index : {DType::I32, DType::I64})
    for (DType dtype : kAll)
      expect_same("one_hot", {numbers(index, {4, 5}, 11, -2, 9)},
                  {{"depth", std::int64_t{7}}, {"dtype", std::string(name_of(dtype))}});
}

TEST(Indexing, WrongIndicesAreReported) {
  const std::vector<std::int64_t> wrong{0, -6, 4};
  const Tensor x = numbers(DType::F32, {5, 3}, 12), at = Tensor::from<std::int64_t>(wrong, {3});
  std::string fault;
  run_on_device("gather", {x, at}, {}, &fault);
  EXPECT_EQ(fault, error_on_cpu("gather", {x, at}));
  {
    const CallerScope scope(std::make_shared<std::string>("Table"));
    run_on_device("gather", {x, at}, {}, &fault);
  }
  EXPECT_EQ(fault, "Table: " + error_on_cpu("gather", {x, at}));
  const Tensor updates = numbers(DType::F32, {3, 3}, 13);
  run_on_device("scatter_add", {x, at, updates}, {}, &fault);
  EXPECT_EQ(fault, error_on_cpu("scatter_add", {x, at, updates}));
  run_on_device("gather", {x, at}, {{"mode", std::string("fill")}}, &fault);
  EXPECT_EQ(fault, "");
  const Attrs strict{{"mode", std::string("strict")}};
  const std::vector<std::int32_t> last{0, -1};
  const Tensor negative = Tensor::from<std::int32_t>(last, {2});
  run_on_device("gather", {x, negative}, strict, &fault);
  EXPECT_EQ(fault, error_on_cpu("gather", {x, negative}, strict));
}

}  // namespace
}  // namespace dlcore
