#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gradient_check.h"
#include "kernels/float16.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::random_reals;
using testing::small_integers;

template <class T>
Tensor integers(const Shape& shape, unsigned seed) {
  return Tensor::from<T>(small_integers<T>(shape.elements(), seed), shape);
}
Tensor reals(const Shape& shape, unsigned seed) {
  return Tensor::from<double>(random_reals<double>(shape.elements(), seed), shape);
}

// Element [row, col] of matrix `index` of x, where the batch axes of x are broadcast to `batch`.
template <class T>
T element(const Tensor& x, bool transpose, const Shape& batch, std::int64_t index, std::int64_t row, std::int64_t col) {
  const Shape& shape = x.shape();
  if (transpose) std::swap(row, col);
  std::int64_t offset = row * shape.back(0) + col, stride = shape.back(0) * shape.back(1);
  for (int axis = 0; axis < batch.rank() && axis + 2 < shape.rank(); ++axis) {
    const std::int64_t size = shape.back(axis + 2), at = index % batch.back(axis);
    offset += (size == 1 ? 0 : at) * stride;
    stride *= size;
    index /= batch.back(axis);
  }
  return x.data<T>()[offset];
}

template <class T>
void check_matmul(const Shape& shape_a, const Shape& shape_b, bool ta, bool tb, const Shape& expected_shape) {
  const Tensor a = integers<T>(shape_a, 1), b = integers<T>(shape_b, 2);
  const Tensor c = apply("matmul", {a, b}, {{"transpose_a", ta}, {"transpose_b", tb}});
  ASSERT_EQ(c.spec(), (TensorSpec{a.dtype(), expected_shape}));
  const Shape batch(std::span(expected_shape.begin(), expected_shape.end() - 2));
  const std::int64_t m = expected_shape.back(1), n = expected_shape.back(0), k = shape_a.back(ta ? 1 : 0);
  for (std::int64_t i = 0; i < c.shape().elements(); ++i) {
    T sum = 0;
    for (std::int64_t p = 0; p < k; ++p)
      sum += element<T>(a, ta, batch, i / (m * n), i / n % m, p) * element<T>(b, tb, batch, i / (m * n), p, i % n);
    ASSERT_EQ(c.data<T>()[i], sum) << shape_a << " x " << shape_b << " at " << i;
  }
}

template <class T>
class Matmul : public ::testing::Test {};
using Types = ::testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(Matmul, Types);

TYPED_TEST(Matmul, ShapesAndTransposes) {
  using T = TypeParam;
  check_matmul<T>({3, 4}, {4, 5}, false, false, {3, 5});
  check_matmul<T>({4, 3}, {4, 5}, true, false, {3, 5});
  check_matmul<T>({3, 4}, {5, 4}, false, true, {3, 5});
  check_matmul<T>({4, 3}, {5, 4}, true, true, {3, 5});
  check_matmul<T>({2, 3, 4}, {4, 5}, false, false, {2, 3, 5});
  check_matmul<T>({2, 4, 3}, {4, 5}, true, false, {2, 3, 5});
  check_matmul<T>({2, 3, 4}, {1, 5, 4}, false, true, {2, 3, 5});
  check_matmul<T>({3, 4}, {6, 4, 5}, false, false, {6, 3, 5});
  check_matmul<T>({2, 1, 3, 4}, {6, 4, 5}, false, false, {2, 6, 3, 5});
  check_matmul<T>({2, 6, 3, 4}, {2, 1, 4, 5}, false, false, {2, 6, 3, 5});
  check_matmul<T>({150, 7, 9}, {150, 9, 3}, false, false, {150, 7, 3});
  check_matmul<T>({3, 0}, {0, 5}, false, false, {3, 5});
  check_matmul<T>({0, 4}, {4, 5}, false, false, {0, 5});
  check_matmul<T>({0, 3, 4}, {0, 4, 5}, false, false, {0, 3, 5});
}

template <class H>
Tensor narrowed(DType dtype, const Tensor& x) {
  Tensor y = Tensor::empty(dtype, x.shape());
  for (std::int64_t i = 0; i < x.shape().elements(); ++i) y.data<H>()[i] = narrow<H>(x.data<float>()[i]);
  return y;
}

template <class H>
void check_sixteen_bits(DType dtype, const Shape& shape_a, const Shape& shape_b, const Attrs& attrs) {
  const std::int64_t n = shape_b.back(attrs.boolean("transpose_b", false) ? 1 : 0);
  const Tensor a = integers<float>(shape_a, 1), b = integers<float>(shape_b, 2), bias = integers<float>({n}, 3);
  const Tensor expected = apply("matmul", {a, b, bias}, attrs);
  const Tensor c = apply("matmul", {narrowed<H>(dtype, a), narrowed<H>(dtype, b), narrowed<H>(dtype, bias)}, attrs);
  ASSERT_EQ(c.dtype(), dtype);
  for (std::int64_t i = 0; i < c.shape().elements(); ++i)
    ASSERT_EQ(c.data<H>()[i].bits, narrow<H>(expected.data<float>()[i]).bits) << shape_a << " x " << shape_b;
}

TEST(Matmul16, SumsInFloatAndRoundsOnce) {
  auto check = [](const Shape& a, const Shape& b, const Attrs& attrs) {
    check_sixteen_bits<Half>(DType::F16, a, b, attrs);
    check_sixteen_bits<Bfloat>(DType::BF16, a, b, attrs);
  };
  check({2, 9, 40}, {40, 6}, {});
  check({2, 9, 41}, {2, 41, 33}, {{"activation", std::string("relu")}});
  check({7, 3}, {7, 5}, {{"transpose_a", true}});
  check({1, 333}, {500, 333}, {{"transpose_b", true}});
  check({150, 9, 5}, {150, 7, 9}, {{"transpose_a", true}, {"transpose_b", true}});
  check({300, 0}, {0, 20}, {});
}

TEST(MatmulEpilogue, BiasAndRelu) {
  const Tensor a = integers<float>({2, 3, 4}, 1), b = integers<float>({4, 5}, 2), bias = integers<float>({5}, 3);
  const Tensor plain = apply("matmul", {a, b});
  const Tensor fused = apply("matmul", {a, b, bias}, {{"activation", std::string("relu")}});
  for (std::int64_t i = 0; i < plain.shape().elements(); ++i)
    EXPECT_EQ(fused.data<float>()[i], std::max(0.0f, plain.data<float>()[i] + bias.data<float>()[i % 5]));
}

TEST(MatmulGradient, AllTransposes) {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      const Attrs attrs{{"transpose_a", ta}, {"transpose_b", tb}};
      const Shape a = ta ? Shape{4, 3} : Shape{3, 4}, b = tb ? Shape{2, 4} : Shape{4, 2};
      check_gradient("matmul", {reals(a, 1), reals(b, 2)}, attrs);
    }
}

TEST(MatmulGradient, Batches) {
  check_gradient("matmul", {reals({2, 3, 4}, 1), reals({4, 2}, 2)});
  check_gradient("matmul", {reals({2, 3, 4}, 1), reals({2, 4}, 2)}, {{"transpose_b", true}});
  check_gradient("matmul", {reals({2, 4, 3}, 1), reals({4, 2}, 2)}, {{"transpose_a", true}});
  check_gradient("matmul", {reals({2, 1, 3, 4}, 1), reals({3, 4, 2}, 2)});
  check_gradient("matmul", {reals({3, 4}, 1), reals({2, 2, 4}, 2)}, {{"transpose_b", true}});
}

TEST(MatmulGradient, BiasAndActivation) {
  for (const char* activation : {"", "relu", "tanh", "sigmoid", "gelu", "gelu_tanh", "silu", "softplus"})
    check_gradient("matmul", {reals({2, 3, 4}, 1), reals({4, 2}, 2), reals({2}, 3)},
                   {{"activation", std::string(activation)}});
}

TEST(MatmulErrors, SayWhatDisagrees) {
  const Tensor a = integers<float>({3, 4}, 1);
  EXPECT_EQ(error_text([&] {
              apply("matmul", {a, integers<float>({5, 2}, 2)});
            }),
            "matmul: a has 4 columns but b has 5 rows; they should agree. Got a (3, 4) and b (5, 2).");
  EXPECT_EQ(error_text([&] {
              apply("matmul", {a, integers<float>({4}, 2)});
            }),
            "matmul: both operands need at least 2 axes. Got a (3, 4) and b (4,). Reshape a vector to a matrix.");
  EXPECT_EQ(error_text([&] {
              apply("matmul", {a, integers<double>({4, 2}, 2)});
            }),
            "matmul: the operands should have one dtype; got float32(3, 4) and float64(4, 2). Cast one of them.");
  EXPECT_EQ(
      error_text([&] {
        apply("matmul", {integers<float>({2, 3, 4}, 1), integers<float>({3, 4, 5}, 2)});
      }),
      "matmul: the batch axes (2,) and (3,) do not broadcast: sizes 2 and 3 differ. Got a (2, 3, 4) and b (3, 4, 5).");
  EXPECT_EQ(
      error_text([&] {
        apply("matmul", {a, integers<float>({4, 2}, 2), integers<float>({3}, 3)});
      }),
      "matmul: bias should have the shape (2,), one number per column of b; got (3,). Got a (3, 4) and b (4, 2).");
  EXPECT_EQ(error_text([&] {
              apply("matmul", {a, integers<float>({4, 2}, 2)}, {{"activation", std::string("rule")}});
            }),
            "matmul: activation 'rule' is not known; expected '' or one of 'relu', 'sigmoid', 'tanh', 'gelu', "
            "'gelu_tanh', 'silu', 'softplus'.");
}

TEST(MatmulShapes, UnknownSizesStayUnknown) {
  const std::vector<TensorSpec> in{{DType::F32, {Shape::kUnknown, 7, 4}}, {DType::F32, {1, 4, Shape::kUnknown}}};
  EXPECT_EQ(primitive("matmul").infer(in, {})[0].shape, (Shape{Shape::kUnknown, 7, Shape::kUnknown}));
}

}  // namespace
}  // namespace dlcore
