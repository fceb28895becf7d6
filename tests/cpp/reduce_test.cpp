// Reductions: values against plain references in double, accuracy of long sums, threads, gradients, messages.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/reduce/reduce.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;
using testing::WithThreads;
using Numbers = std::vector<double>;

Tensor tensor_of(const Numbers& numbers, const Shape& shape, DType dtype) {
  return ops::cast(Tensor::from<double>(numbers, shape), dtype);
}
Numbers doubles(const Tensor& t) {
  const Tensor wide = ops::cast(t, DType::F64);
  return {wide.data<double>(), wide.data<double>() + wide.shape().elements()};
}
Tensor random_tensor(DType dtype, const Shape& shape, unsigned seed) {
  return tensor_of(testing::random_reals<double>(shape.elements(), seed), shape, dtype);
}
Tensor integer_tensor(DType dtype, const Shape& shape, unsigned seed) {
  return tensor_of(testing::small_integers<double>(shape.elements(), seed), shape, dtype);
}

/// The elements that each result element is made of, in order.
std::vector<Numbers> groups_of(const Tensor& x, const std::vector<std::int64_t>& axes) {
  const Shape& shape = x.shape();
  std::vector<bool> reduced(shape.rank(), axes.empty());
  for (std::int64_t axis : axes) reduced[axis < 0 ? axis + shape.rank() : axis] = true;
  std::int64_t results = 1;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (!reduced[axis]) results *= shape[axis];
  std::vector<Numbers> groups(results);
  const Numbers numbers = doubles(x);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    std::int64_t rest = i, result = 0, stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const std::int64_t coordinate = rest % shape[axis];
      rest /= shape[axis];
      if (reduced[axis]) continue;
      result += coordinate * stride;
      stride *= shape[axis];
    }
    groups[result].push_back(numbers[i]);
  }
  return groups;
}

double sum_of(const Numbers& x) {
  double sum = 0;
  for (double v : x) sum += v;
  return sum;
}
double mean_of(const Numbers& x) { return sum_of(x) / static_cast<double>(x.size()); }
double max_of(const Numbers& x) { return *std::max_element(x.begin(), x.end()); }
double min_of(const Numbers& x) { return *std::min_element(x.begin(), x.end()); }
double prod_of(const Numbers& x) {
  double product = 1;
  for (double v : x) product *= v;
  return product;
}
double logsumexp_of(const Numbers& x) {
  const double center = max_of(x);
  double sum = 0;
  for (double v : x) sum += std::exp(v - center);
  return center + std::log(sum);
}
double var_of(const Numbers& x) {
  const double center = mean_of(x);
  double sum = 0;
  for (double v : x) sum += (v - center) * (v - center);
  return sum / static_cast<double>(x.size());
}

struct Case {
  const char* op;
  std::function<double(const Numbers&)> reference;
};
const Case kCases[] = {{"reduce_sum", sum_of}, {"reduce_mean", mean_of}, {"reduce_max", max_of},
                       {"reduce_min", min_of}, {"reduce_prod", prod_of}, {"reduce_logsumexp", logsumexp_of},
                       {"reduce_var", var_of}};

struct Reduced {
  Shape shape;
  std::vector<std::int64_t> axes;
};
const std::vector<Reduced> kShapes = {
    {{}, {}},
    {{1}, {}},
    {{7}, {0}},
    {{129}, {-1}},
    {{5, 33}, {}},
    {{5, 33}, {1}},
    {{5, 33}, {0}},
    {{300, 10}, {0}},
    {{1000, 3}, {0}},
    {{3, 2100}, {0}},
    {{2, 5, 17}, {0, 2}},
    {{2, 5, 17}, {1}},
    {{2, 5, 17}, {0, 1}},
    {{2, 5, 17}, {1, 2}},
    {{3, 4, 5, 6}, {0, 2}},
    {{3, 4, 5, 6}, {1, 3}},
    {{3, 1, 5}, {1}},
    {{2, 3, 2, 3, 2}, {0, 2, 4}},
    {{2, 40000}, {1}},
};

TEST(Reduce, ValuesOverAnyAxes) {
  for (const Case& c : kCases)
    for (const auto& [shape, axes] : kShapes)
      for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16})
        for (bool keepdims : {false, true}) {
          const Tensor x = random_tensor(dtype, shape, 1);
          const Tensor y = apply(c.op, {x}, {{"axes", axes}, {"keepdims", keepdims}});
          ASSERT_EQ(y.dtype(), dtype);
          const std::vector<Numbers> groups = groups_of(x, axes);
          const Numbers got = doubles(y);
          ASSERT_EQ(got.size(), groups.size()) << c.op << shape;
          ASSERT_EQ(y.shape().rank(), keepdims       ? shape.rank()
                                      : axes.empty() ? 0
                                                     : shape.rank() - static_cast<int>(axes.size()));
          const double epsilon = dtype == DType::F64   ? 0x1p-52
                                 : dtype == DType::F32 ? 0x1p-23
                                 : dtype == DType::F16 ? 0x1p-11
                                                       : 0x1p-8;
          for (std::size_t i = 0; i < got.size(); ++i) {
            double magnitude = 1;  // |x| < 1: the summands together
            if (std::string_view(c.op) == "reduce_sum") magnitude += static_cast<double>(groups[i].size());
            const double bound =
                60 * epsilon *
                (dtype == DType::F16 || dtype == DType::BF16 ? std::abs(c.reference(groups[i])) + 1e-3 : magnitude);
            ASSERT_NEAR(got[i], c.reference(groups[i]), bound) << c.op << shape << dtype;
          }
        }
}

// bfloat16 is added up as it is stored, in the order of float32, and rounded once.
TEST(Reduce, BfloatsAreThoseOfFloat32) {
  for (const char* op : {"reduce_sum", "reduce_mean"})
    for (const auto& [shape, axes] : kShapes) {
      const Tensor x = random_tensor(DType::BF16, shape, 1);
      const Attrs attrs{{"axes", axes}};
      const Tensor wanted = ops::cast(apply(op, {ops::cast(x, DType::F32)}, attrs), DType::BF16);
      ASSERT_EQ(doubles(apply(op, {x}, attrs)), doubles(wanted)) << op << shape;
      EXPECT_EQ(primitive(op).plan(Specs{x.spec()}, Specs{wanted.spec()}, attrs).label, "reduce_bfloat16");
    }
}

TEST(Reduce, IntegersAreExact) {
  for (const auto& [shape, axes] : kShapes)
    for (DType dtype : {DType::F32, DType::F64, DType::I32, DType::I64, DType::I8}) {
      const Tensor x = integer_tensor(dtype, shape, 2);
      const std::vector<Numbers> groups = groups_of(x, axes);
      for (int k : {0, 2, 3}) {
        const Numbers got = doubles(apply(kCases[k].op, {x}, {{"axes", axes}}));
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double exact = kCases[k].reference(groups[i]);
          ASSERT_EQ(got[i], dtype == DType::I8 ? static_cast<std::int8_t>(static_cast<int>(exact)) : exact)
              << kCases[k].op << shape << dtype;
        }
      }
    }
}

TEST(Reduce, AnyAndAll) {
  const Tensor x = tensor_of({0, 0, 1, 0, 1, 1}, {3, 2}, DType::Bool);
  EXPECT_EQ(doubles(apply("reduce_any", {x}, {{"axes", ops::Axes{1}}})), (Numbers{0, 1, 1}));
  EXPECT_EQ(doubles(apply("reduce_all", {x}, {{"axes", ops::Axes{1}}})), (Numbers{0, 0, 1}));
  EXPECT_EQ(doubles(apply("reduce_any", {x}, {{"axes", ops::Axes{0}}})), (Numbers{1, 1}));
  EXPECT_EQ(apply("reduce_all", {x}).item(), 0);
}

TEST(Reduce, ArgOfFirstAmongEqualsAndOfNaN) {
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::I32, DType::I64, DType::U8}) {
    const Tensor x = tensor_of({3, 1, 3, 1, 5, 5}, {2, 3}, dtype);
    EXPECT_EQ(doubles(apply("argmax", {x}, {{"axis", std::int64_t{1}}})), (Numbers{0, 1})) << dtype;
    EXPECT_EQ(doubles(apply("argmin", {x}, {{"axis", std::int64_t{1}}})), (Numbers{1, 0})) << dtype;
    EXPECT_EQ(doubles(apply("argmax", {x}, {{"axis", std::int64_t{0}}})), (Numbers{0, 1, 1})) << dtype;
    EXPECT_EQ(apply("argmin", {x}, {{"axis", std::int64_t{0}}, {"keepdims", true}}).spec(),
              (TensorSpec{DType::I32, {1, 3}}));
  }
  const Tensor nan = tensor_of({1, NAN, 9, NAN, 2, 3}, {2, 3}, DType::F32);
  EXPECT_EQ(doubles(apply("argmax", {nan}, {{"axis", std::int64_t{1}}})), (Numbers{1, 0}));
  EXPECT_EQ(doubles(apply("argmax", {nan}, {{"axis", std::int64_t{0}}})), (Numbers{1, 0, 0}));
}

TEST(Reduce, ArgOverLongAndWideAxes) {
  for (const Shape& shape : {Shape{100000}, Shape{3, 1000}, Shape{1000, 3}, Shape{7, 5000}, Shape{4, 50, 60}})
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const Tensor x = integer_tensor(DType::F32, shape, 3);
      const Numbers got = doubles(apply("argmax", {x}, {{"axis", std::int64_t{axis}}}));
      const std::vector<Numbers> groups = groups_of(x, {axis});
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_EQ(got[i], std::max_element(groups[i].begin(), groups[i].end()) - groups[i].begin()) << shape << axis;
    }
}

TEST(Reduce, NaNAndInfinityGoThrough) {
  const double inf = INFINITY;
  for (DType dtype : {DType::F32, DType::F64}) {
    const auto reduced = [&](const char* op, const Numbers& x) {
      return apply(op, {tensor_of(x, {static_cast<std::int64_t>(x.size())}, dtype)}).item();
    };
    Numbers with_nan(100, 1.0);
    for (int position : {0, 50, 99}) {
      Numbers x = with_nan;
      x[position] = NAN;
      for (const Case& c : kCases) EXPECT_TRUE(std::isnan(reduced(c.op, x))) << c.op << position;
    }
    EXPECT_EQ(reduced("reduce_logsumexp", {-inf, -inf}), -inf);
    EXPECT_EQ(reduced("reduce_logsumexp", {1, inf}), inf);
    EXPECT_EQ(reduced("reduce_max", {-inf, -inf}), -inf);
    EXPECT_EQ(reduced("reduce_sum", {inf, 1}), inf);
    EXPECT_NEAR(reduced("reduce_logsumexp", {1000, 1000}), 1000 + std::log(2.0), 1e-4);
  }
}

TEST(Reduce, NothingSumsToTheNeutralElement) {
  const Tensor x = Tensor::zeros(DType::F32, {0, 3});
  EXPECT_EQ(doubles(ops::sum(x, {0})), (Numbers{0, 0, 0}));
  EXPECT_EQ(doubles(apply("reduce_prod", {x}, {{"axes", ops::Axes{0}}})), (Numbers{1, 1, 1}));
  EXPECT_EQ(doubles(ops::sum(x, {1})), Numbers{});
  EXPECT_TRUE(std::isnan(ops::mean(x, {}).item()));
}

TEST(Reduce, LongSumsStayAccurate) {
  constexpr std::int64_t n = 10'000'000;
  std::vector<float> numbers(n);
  std::mt19937 random(7);
  double exact = 0;
  for (float& x : numbers) {
    x = static_cast<float>(random()) * 0x1p-32f;
    exact += x;
  }
  const Tensor x = Tensor::from<float>(numbers, {n});
  // Depth of the tree: 32 in a block, 3 + 8 + 4 to fold it, as much again for the 306 pieces; all summands are
  // positive.
  EXPECT_NEAR(ops::sum(x, {}).item(), exact, 100 * 0x1p-24 * exact);
  const Tensor columns = ops::sum(ops::reshape(x, {n / 10, 10}), {0});
  double total = 0;
  for (double column : doubles(columns)) total += column;
  EXPECT_NEAR(total, exact, 3 * 40 * 0x1p-24 * exact);
}

TEST(Reduce, SameBitsForAnyNumberOfThreads) {
  for (const Case& c : kCases)
    for (const auto& [shape, axes] : std::vector<Reduced>{
             {{1000000}, {}}, {{5000, 37}, {0}}, {{5000, 37}, {1}}, {{40, 3000, 7}, {1}}, {{9, 5000, 7}, {0, 2}}}) {
      const Tensor x = random_tensor(DType::F32, shape, 1);
      const auto run = [&, axes = axes](int threads) {
        WithThreads with(threads);
        return doubles(apply(c.op, {x}, {{"axes", axes}}));
      };
      const Numbers one = run(1);
      EXPECT_TRUE(testing::same_bits(one, run(2))) << c.op << shape;
      EXPECT_TRUE(testing::same_bits(one, run(3))) << c.op << shape;
    }
}

TEST(Reduce, NothingIsWrittenBesideTheOutput) {
  for (const auto& [outer, reduce, inner] :
       std::vector<std::array<std::int64_t, 3>>{{3, 70, 1}, {3, 70, 5}, {2, 300, 19}}) {
    const std::vector<float> x = testing::random_reals<float>(outer * reduce * inner, 1);
    testing::GuardedBuffer<float> y(outer * inner);
    const Reduction reduction(ReduceOp::Sum, DType::F32, outer, reduce, inner);
    std::vector<float> scratch(reduction.scratch_bytes() / sizeof(float) + 1);
    reduction.run(x.data(), nullptr, y.data(), scratch.data());
    EXPECT_TRUE(y.untouched());
    EXPECT_FALSE(std::isnan(y[outer * inner - 1]));
  }
}

TEST(SumLike, UndoesBroadcasting) {
  const std::vector<std::pair<Shape, Shape>> grid = {{{4, 3}, {3}},    {{4, 3}, {4, 1}},    {{4, 3}, {}},
                                                     {{4, 3}, {4, 3}}, {{2, 4, 3}, {4, 1}}, {{2, 4, 3}, {2, 1, 3}}};
  for (const auto& [from, to] : grid)
    for (DType dtype : {DType::F32, DType::F64, DType::I32, DType::F16}) {
      const Tensor x = integer_tensor(dtype, from, 1), like = Tensor::zeros(dtype, to);
      const Tensor y = apply("sum_like", {x, like});
      ASSERT_EQ(y.spec(), like.spec());
      std::vector<std::int64_t> axes;
      for (int axis = 0; axis < from.rank(); ++axis) {
        const int own = axis - from.rank() + to.rank();
        if (own < 0 || to[own] != from[axis]) axes.push_back(axis);
      }
      const Numbers expected = axes.empty() ? doubles(x) : doubles(ops::sum(x, axes));
      EXPECT_EQ(doubles(y), expected) << from << to << dtype;
    }
}

// ---- gradients

TEST(Reduce, Gradients) {
  for (const Case& c : kCases)
    for (const auto& [shape, axes] : std::vector<Reduced>{{{5}, {}}, {{3, 4}, {0}}, {{3, 4}, {1}}, {{2, 3, 4}, {0, 2}}})
      for (bool keepdims : {false, true})
        check_gradient(c.op, {random_tensor(DType::F64, shape, 4)}, {{"axes", axes}, {"keepdims", keepdims}});
  check_gradient("sum_like", {random_tensor(DType::F64, {3, 4}, 1), Tensor::zeros(DType::F32, {4})});
}

Numbers gradient_of(const char* op, const Tensor& x) {
  Tape tape;
  tape.watch(x);
  tape.start();
  const Tensor y = apply(op, {x});
  tape.stop();
  const Tensor targets[] = {y}, dtargets[] = {Tensor()}, sources[] = {x};
  return doubles(gradient(tape.records(), targets, dtargets, sources)[0]);
}

TEST(Reduce, EqualExtremaShareTheGradient) {
  EXPECT_EQ(gradient_of("reduce_max", tensor_of({1, 3, 3, 2}, {4}, DType::F64)), (Numbers{0, 0.5, 0.5, 0}));
}

TEST(Reduce, GradientOfAProductWithZeros) {
  EXPECT_EQ(gradient_of("reduce_prod", tensor_of({2, 0, 3}, {3}, DType::F64)), (Numbers{0, 6, 0}));
  EXPECT_EQ(gradient_of("reduce_prod", tensor_of({2, 0, 0}, {3}, DType::F64)), (Numbers{0, 0, 0}));
  EXPECT_EQ(gradient_of("reduce_prod", tensor_of({2, 5, 3}, {3}, DType::F64)), (Numbers{15, 6, 10}));
}

// ---- shape rules

TEST(Reduce, UnknownSizes) {
  const TensorSpec in[] = {{DType::F32, {Shape::kUnknown, 3}}};
  EXPECT_EQ(primitive("reduce_sum").infer(in, {{"axes", ops::Axes{1}}})[0].shape, (Shape{Shape::kUnknown}));
  EXPECT_EQ(primitive("reduce_sum").infer(in, {{"axes", ops::Axes{0}}, {"keepdims", true}})[0].shape, (Shape{1, 3}));
  EXPECT_EQ(primitive("reduce_max").infer(in, {{"axes", ops::Axes{0}}})[0].shape, (Shape{3}));
}

TEST(Reduce, ErrorsSayWhatIsWrong) {
  const Tensor x = Tensor::zeros(DType::F32, {2, 3});
  EXPECT_EQ(error_text([&] { ops::sum(x, {2}); }),
            "reduce_sum: axis 2 is out of range for 2 axes; expected -2 <= axis < 2.");
  EXPECT_NE(error_text([&] { ops::sum(x, {0, -2}); }).find("axis -2 is named twice"), std::string::npos);
  EXPECT_NE(error_text([&] {
              apply("reduce_max", {Tensor::zeros(DType::F32, {0, 3})});
            }).find("axis 0 of shape (0, 3) is empty"),
            std::string::npos);
  EXPECT_NE(error_text([&] { ops::mean(Tensor::zeros(DType::I32, {2}), {}); }).find("expected a float dtype"),
            std::string::npos);
  EXPECT_NE(error_text([&] {
              apply("sum_like", {x, Tensor::zeros(DType::F32, {4})});
            }).find("(4,)"),
            std::string::npos);
}

}  // namespace
}  // namespace dlcore
