#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

const std::vector<Shape> kRows{{1, 1},    {3, 2},    {5, 10},   {7, 31},   {4, 32},   {9, 33},   {9, 127},
                               {3, 128},  {2, 129},  {3, 512},  {2, 513},  {2, 516},  {2, 1000}, {2, 1025},
                               {1, 2500}, {1, 4096}, {1, 4097}, {1, 8191}, {1, 8192}, {1, 8193}, {1, 8196}};

Tolerance bound(DType dtype, double units = 40) {
  return dtype == DType::F16 || dtype == DType::BF16 ? ulps(2, dtype, 2) : ulps(units, dtype, units);
}

TEST(Softmax, RowsAndColumns) {
  for (const Shape& shape : kRows)
    for (DType dtype : kFloats)
      for (const char* name : {"softmax", "log_softmax"}) {
        expect_same(name, {numbers(dtype, shape, 1, -9, 9)}, {}, bound(dtype));
        const std::string grad = std::string(name) + "_grad";
        const Tensor y = apply(name, {numbers(dtype, shape, 2)});
        expect_same(grad.c_str(), {numbers(dtype, shape, 3), y}, {}, bound(dtype, 400));
      }
  for (DType dtype : kFloats)
    for (std::int64_t axis : {0, 1, 2}) {
      expect_same("softmax", {numbers(dtype, {3, 17, 5}, 4)}, {{"axis", axis}}, bound(dtype));
      expect_same("log_softmax_grad", {numbers(dtype, {3, 17, 5}, 4), numbers(dtype, {3, 17, 5}, 5)}, {{"axis", axis}},
                  bound(dtype, 400));
    }
}

TEST(Softmax, UnalignedRows) {
  for (std::int64_t size : {8, 128, 1032, 8200})
    for (DType dtype : kFloats) {
      const Tensor x = numbers(dtype, {2, size}, 1), dy = numbers(dtype, {2, size}, 2);
      expect_same_unaligned("softmax", {x});
      expect_same_unaligned("softmax_grad", {dy, x});
    }
}

TEST(Softmax, Infinities) {
  const double inf = std::numeric_limits<double>::infinity();
  Tensor x = numbers(DType::F32, {4, 40}, 6);
  x.data<float>()[3] = -static_cast<float>(inf);
  x.data<float>()[45] = static_cast<float>(inf);
  x.data<float>()[90] = std::numeric_limits<float>::quiet_NaN();
  for (int i = 120; i < 160; ++i) x.data<float>()[i] = -static_cast<float>(inf);
  expect_same("softmax", {x}, {}, bound(DType::F32));
  expect_same("log_softmax", {x}, {}, bound(DType::F32));
}

TEST(Softmax, CrossEntropies) {
  for (const Shape& shape : kRows)
    for (DType dtype : kFloats) {
      const Tensor logits = numbers(dtype, shape, 7), d = numbers(dtype, {shape[0]}, 8);
      const Tensor target = apply("softmax", {numbers(dtype, shape, 9)});
      expect_same("softmax_xent", {logits, target}, {}, bound(dtype, 100));
      expect_same("softmax_xent_grad", {d, logits, target}, {}, bound(dtype, 100));
      expect_same("sigmoid_xent", {logits, target}, {}, bound(dtype, 8));
      expect_same("sigmoid_xent_grad", {numbers(dtype, shape, 10), logits, target}, {}, bound(dtype, 8));
      for (DType label : {DType::I32, DType::I64}) {
        const Tensor labels = numbers(label, {shape[0]}, 11, 0, static_cast<double>(shape[1]));
        for (const Attrs& attrs : {Attrs{}, Attrs{{"ignore_class", std::int64_t{1}}}}) {
          expect_same("sparse_softmax_xent", {logits, labels}, attrs, bound(dtype, 100));
          expect_same("sparse_softmax_xent_grad", {d, logits, labels}, attrs, bound(dtype, 100));
          expect_same("sparse_xent", {target, labels}, attrs, bound(dtype, 100));
          expect_same("sparse_xent_grad", {d, target, labels}, attrs,
                      dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 4) : ulps(100, dtype, 100));
        }
      }
    }
}

TEST(Softmax, WrongLabelsAreReported) {
  const Tensor logits = numbers(DType::F32, {3, 4}, 12);
  const std::vector<std::int32_t> wrong{1, 4, 0};
  std::string fault;
  run_on_device("sparse_softmax_xent", {logits, Tensor::from<std::int32_t>(wrong, {3})}, {}, &fault);
  EXPECT_EQ(fault, error_on_cpu("sparse_softmax_xent", {logits, Tensor::from<std::int32_t>(wrong, {3})}));
  run_on_device("sparse_softmax_xent", {logits, Tensor::from<std::int32_t>(wrong, {3})},
                {{"ignore_class", std::int64_t{4}}}, &fault);
  EXPECT_EQ(fault, "");
}

}  // namespace
}  // namespace dlcore
