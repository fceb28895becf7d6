#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/half.h"
#include "base/parallel.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/softmax/softmax.h"
#include "program/primitive.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;

constexpr double kInf = std::numeric_limits<double>::infinity();
const std::vector<std::int64_t> kSizes{1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 100, 1000};

template <class T>
Tensor random(const Shape& shape, int seed, double low = -5, double high = 5) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  Tensor x = Tensor::empty(dtype_of<T>(), shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) x.data<T>()[i] = static_cast<T>(uniform(generator));
  return x;
}

template <class T>
Tensor random_labels(const Shape& shape, std::int64_t classes, int seed) {
  std::mt19937_64 generator(seed);
  Tensor x = Tensor::empty(dtype_of<T>(), shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) x.data<T>()[i] = static_cast<T>(generator() % classes);
  return x;
}

Tensor run(const char* op, std::vector<Tensor> inputs, const Attrs& attrs = {}) {
  return apply_all(op, inputs, attrs)[0];
}

/// Row `r` of a tensor seen along `axis`, in double.
template <class T>
std::vector<double> row_of(const Tensor& x, int axis, std::int64_t r) {
  const std::int64_t size = x.shape()[axis], inner = x.shape().product(axis + 1, x.shape().rank());
  std::vector<double> row(size);
  for (std::int64_t c = 0; c < size; ++c) row[c] = x.data<T>()[(r / inner * size + c) * inner + r % inner];
  return row;
}

struct Reference {
  std::vector<double> softmax, log_softmax;
  explicit Reference(const std::vector<double>& x) : softmax(x.size()), log_softmax(x.size()) {
    double m = -kInf, sum = 0;
    for (double v : x) m = std::max(m, v);
    for (double v : x) sum += std::exp(v - m);
    for (std::size_t c = 0; c < x.size(); ++c) {
      log_softmax[c] = x[c] - m - std::log(sum);
      softmax[c] = std::exp(x[c] - m) / sum;
    }
  }
};

// One rounding per operation; the exponential and the logarithm are within 2 ulp, the sum of n terms within n ulp.
template <class T>
double bound(std::int64_t n, double magnitude) {
  return std::numeric_limits<T>::epsilon() * (8 + 2 * std::log2(n + 1.0)) * magnitude;
}

// ---- softmax

template <class T>
void check_softmax(const Shape& shape, int axis) {
  const Tensor x = random<T>(shape, axis + 1, -30, 30), dy = random<T>(shape, 2);
  const Attrs attrs{{"axis", axis - shape.rank()}};
  const Tensor y = run("softmax", {x}, attrs), log_y = run("log_softmax", {x}, attrs);
  const Tensor dx = run("softmax_grad", {dy, y}, attrs), log_dx = run("log_softmax_grad", {dy, log_y}, attrs);
  const std::int64_t n = shape[axis], rows = shape.elements() / std::max<std::int64_t>(n, 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Reference expected(row_of<T>(x, axis, r));
    const auto y_row = row_of<T>(y, axis, r), log_row = row_of<T>(log_y, axis, r), dy_row = row_of<T>(dy, axis, r);
    const auto dx_row = row_of<T>(dx, axis, r), log_dx_row = row_of<T>(log_dx, axis, r);
    double dot = 0, total = 0, magnitude = 0;
    for (std::int64_t c = 0; c < n; ++c) {
      dot += y_row[c] * dy_row[c];
      total += dy_row[c];
      magnitude += std::abs(dy_row[c]);
    }
    for (std::int64_t c = 0; c < n; ++c) {
      // x - m loses up to half an ulp of 60
      ASSERT_NEAR(y_row[c], expected.softmax[c], bound<T>(n, 60 * expected.softmax[c]))
          << TensorSpec{x.dtype(), shape} << axis;
      ASSERT_NEAR(log_row[c], expected.log_softmax[c], bound<T>(n, 60));
      ASSERT_NEAR(dx_row[c], y_row[c] * (dy_row[c] - dot), bound<T>(n, 10 * y_row[c]) * 2);
      ASSERT_NEAR(log_dx_row[c], dy_row[c] - std::exp(log_row[c]) * total, bound<T>(n, magnitude));
    }
  }
}

TEST(Softmax, MatchesTheReferenceAlongEveryAxis) {
  for (std::int64_t n : kSizes) {
    check_softmax<float>({5, n}, 1);
    check_softmax<double>({5, n}, 1);
    for (std::int64_t inner : {2, 17}) {
      check_softmax<float>({2, n, inner}, 1);
      check_softmax<double>({2, n, inner}, 1);
    }
  }
  check_softmax<float>({7, 33}, 0);
  check_softmax<float>({10}, 0);
  check_softmax<float>({2, 3, 4, 5}, 2);
  check_softmax<float>({300, 64}, 1);
}

TEST(Softmax, EmptyTensors) {
  EXPECT_EQ(run("softmax", {Tensor::empty(DType::F32, {0, 3})}).shape(), (Shape{0, 3}));
  EXPECT_EQ(run("softmax", {Tensor::empty(DType::F32, {3, 0})}).shape(), (Shape{3, 0}));
  EXPECT_EQ(run("log_softmax", {Tensor::empty(DType::F32, {3, 0, 2})}, {{"axis", 1}}).shape(), (Shape{3, 0, 2}));
  for (DType dtype : {DType::F32, DType::F16})
    EXPECT_EQ(run("softmax", {Tensor::empty(dtype, {17, 0})}, {{"axis", 0}}).shape(), (Shape{17, 0}));
}

TEST(Softmax, LargeAndInfiniteLogits) {
  for (std::int64_t n : kSizes) {
    if (n < 3) continue;
    Tensor x = Tensor::zeros(DType::F32, {1, n});
    for (std::int64_t c = 0; c < n; ++c) x.data<float>()[c] = -std::numeric_limits<float>::infinity();
    x.data<float>()[0] = 3e38f;
    x.data<float>()[n - 1] = 3e38f;
    const Tensor y = run("softmax", {x}), log_y = run("log_softmax", {x});
    for (std::int64_t c = 0; c < n; ++c) {
      const bool end = c == 0 || c == n - 1;
      EXPECT_EQ(y.data<float>()[c], end ? 0.5f : 0.0f);
      EXPECT_EQ(log_y.data<float>()[c], end ? std::log(0.5f) : -std::numeric_limits<float>::infinity());
    }
  }
}

TEST(Softmax, NotANumberFillsItsRowOnly) {
  for (std::int64_t n : kSizes)
    for (std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      Tensor x = random<float>({3, n}, 1);
      x.data<float>()[n + at] = std::nanf("");
      const Tensor y = run("softmax", {x});
      for (std::int64_t i = 0; i < 3 * n; ++i) EXPECT_EQ(std::isnan(y.data<float>()[i]), i / n == 1) << n << ' ' << i;
    }
}

TEST(Softmax, SixteenBitFloatsAreRoundedOnce) {
  const Tensor wide = random<float>({4, 10}, 3);
  const Tensor x = ops::cast(wide, DType::BF16);
  const Tensor y = run("softmax", {x});
  ASSERT_EQ(y.spec(), (TensorSpec{DType::BF16, {4, 10}}));
  const Tensor expected = ops::cast(run("softmax", {ops::cast(x, DType::F32)}), DType::BF16);
  EXPECT_EQ(std::memcmp(y.bytes(), expected.bytes(), y.spec().bytes()), 0);
}

TEST(Softmax, SameBitsForAnyNumberOfThreadsAndInPlace) {
  const Tensor x = random<float>({701, 37}, 1);
  const int threads = num_threads();
  std::vector<Tensor> results;
  for (int n : {1, 2, 3}) {
    set_num_threads(n);
    results.push_back(run("softmax", {x}));
  }
  set_num_threads(threads);
  const Tensor in_place = x.clone();
  softmax_kernels_f32().softmax({701, 37, 1}, in_place.data<float>(), in_place.data<float>());
  results.push_back(in_place);
  for (const Tensor& y : results) EXPECT_EQ(std::memcmp(y.bytes(), results[0].bytes(), y.spec().bytes()), 0);
}

TEST(Softmax, WritesNothingAroundItsOutput) {
  for (std::int64_t n : kSizes)
    for (std::int64_t inner : {0, 1, 3}) {
      const Tensor x = random<float>({2, n, inner}, 1);
      const std::int64_t total = 2 * n * inner;
      std::vector<float> y(total + 32, 77.0f);
      softmax_kernels_f32().softmax({2, n, inner}, x.data<float>(), y.data() + 16);
      softmax_kernels_f32().log_softmax({2, n, inner}, x.data<float>(), y.data() + 16);
      for (int i = 0; i < 16; ++i) ASSERT_TRUE(y[i] == 77.0f && y[total + 16 + i] == 77.0f);
    }
}

TEST(Softmax, ErrorsNameTypeAndAxis) {
  const std::string dtype = error_text([] { run("softmax", {Tensor::zeros(DType::I32, {3})}); });
  EXPECT_NE(dtype.find("int32(3,)"), std::string::npos) << dtype;
  const std::string axis = error_text([] { run("softmax", {Tensor::zeros(DType::F32, {3})}, {{"axis", 1}}); });
  EXPECT_NE(axis.find("axis 1"), std::string::npos) << axis;
}

// ---- cross-entropy

template <class T>
void check_xent(std::int64_t rows, std::int64_t n) {
  const Tensor logits = random<T>({rows, n}, 1), target = random<T>({rows, n}, 2, 0, 1), dloss = random<T>({rows}, 3);
  const Tensor loss = run("softmax_xent", {logits, target}), dx = run("softmax_xent_grad", {dloss, logits, target});
  ASSERT_EQ(loss.shape(), Shape{rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    const Reference p(row_of<T>(logits, 1, r));
    const auto t = row_of<T>(target, 1, r);
    double expected = 0, weight = 0;
    for (std::int64_t c = 0; c < n; ++c) {
      expected -= t[c] * p.log_softmax[c];
      weight += t[c];
    }
    const double d = dloss.data<T>()[r];
    ASSERT_NEAR(loss.data<T>()[r], expected, bound<T>(n, 12 * (1 + weight)));
    for (std::int64_t c = 0; c < n; ++c)
      ASSERT_NEAR(dx.data<T>()[r * n + c], d * (p.softmax[c] * weight - t[c]),
                  bound<T>(n, 12 * (1 + weight * p.softmax[c]) * std::abs(d)));
  }
}

TEST(SoftmaxXent, MatchesTheReference) {
  for (std::int64_t n : kSizes) {
    check_xent<float>(5, n);
    check_xent<double>(5, n);
  }
}

TEST(SoftmaxXent, ImpossibleClassesWithoutTargetCostNothing) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor logits = Tensor::from<float>(std::vector<float>{0, -inf, 0}, {1, 3});
  const Tensor sure = Tensor::from<float>(std::vector<float>{1, 0, 0}, {1, 3});
  const Tensor impossible = Tensor::from<float>(std::vector<float>{0, 1, 0}, {1, 3});
  EXPECT_FLOAT_EQ(run("softmax_xent", {logits, sure}).data<float>()[0], std::log(2.0f));
  EXPECT_EQ(run("softmax_xent", {logits, impossible}).data<float>()[0], inf);
}

template <class T, class L>
void check_sparse(std::int64_t rows, std::int64_t n) {
  const Tensor logits = random<T>({rows, n}, 1), probs = random<T>({rows, n}, 2, 0.01, 1), dloss = random<T>({rows}, 3);
  const Tensor labels = random_labels<L>({rows}, n, 4);
  const Attrs attrs{{"ignore_class", 2}};
  const Tensor loss = run("sparse_softmax_xent", {logits, labels}, attrs);
  const Tensor dx = run("sparse_softmax_xent_grad", {dloss, logits, labels}, attrs);
  const Tensor prob_loss = run("sparse_xent", {probs, labels}, attrs);
  const Tensor dprobs = run("sparse_xent_grad", {dloss, probs, labels}, attrs);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Reference p(row_of<T>(logits, 1, r));
    const auto q = row_of<T>(probs, 1, r);
    double total = 0;
    for (double v : q) total += v;
    const std::int64_t label = labels.data<L>()[r];
    const double counts = label == 2 ? 0 : 1, d = dloss.data<T>()[r] * counts;
    ASSERT_NEAR(loss.data<T>()[r], -p.log_softmax[label] * counts, bound<T>(n, 15));
    const double share = std::min(q[label] / total, 1 - 1e-7);
    ASSERT_NEAR(prob_loss.data<T>()[r], -std::log(share) * counts, bound<T>(n, 3 - std::log(share)));
    for (std::int64_t c = 0; c < n; ++c) {
      const double hit = c == label;
      ASSERT_NEAR(dx.data<T>()[r * n + c], d * (p.softmax[c] - hit), bound<T>(n, 12 * std::abs(d)));
      const double inside = q[label] / total <= 1 - 1e-7;
      ASSERT_NEAR(dprobs.data<T>()[r * n + c], inside * d * (1 / total - hit / q[label]),
                  bound<T>(n, std::abs(d) / q[label] + 1));
    }
  }
}

TEST(SparseXent, MatchesTheReference) {
  for (std::int64_t n : kSizes) {
    check_sparse<float, std::int32_t>(9, n);
    check_sparse<double, std::int64_t>(9, n);
  }
}

TEST(SparseXent, ProbabilitiesAreClipped) {
  const Tensor probs = Tensor::from<float>(std::vector<float>{0, 1, 1, 0}, {2, 2});
  const Tensor labels = Tensor::from<std::int32_t>(std::vector<std::int32_t>{0, 0}, {2});
  const Tensor loss = run("sparse_xent", {probs, labels}, {{"epsilon", 1e-3}});
  EXPECT_FLOAT_EQ(loss.data<float>()[0], -std::log(1e-3f));
  EXPECT_FLOAT_EQ(loss.data<float>()[1], -std::log(1 - 1e-3f));
}

TEST(SparseXent, ALabelThatIsNoClassIsAnIndexError) {
  const Tensor logits = Tensor::zeros(DType::F32, {3, 10});
  for (std::int32_t bad : {10, -1}) {
    const Tensor labels = Tensor::from<std::int32_t>(std::vector<std::int32_t>{0, 9, bad}, {3});
    for (const char* op : {"sparse_softmax_xent", "sparse_xent"}) {
      try {
        run(op, {logits, labels});
        FAIL() << "no error";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Index);
        const std::string message = error.what();
        for (const std::string& part :
             {str("label ", bad), std::string("row 2"), std::string("10 classes"), std::string("0 to 9")})
          EXPECT_NE(message.find(part), std::string::npos) << message;
      }
    }
    EXPECT_EQ(run("sparse_softmax_xent", {logits, labels}, {{"ignore_class", bad}}).data<float>()[2], 0.0f);
  }
}

TEST(SparseXent, ErrorsNameTheShapes) {
  const std::string shapes = error_text([] {
    run("sparse_softmax_xent", {Tensor::zeros(DType::F32, {3, 10}), Tensor::zeros(DType::I32, {4})});
  });
  for (const char* part : {"int32(4,)", "float32(3, 10)", "(3,)"})
    EXPECT_NE(shapes.find(part), std::string::npos) << shapes;
  const std::string dtype = error_text([] {
    run("sparse_softmax_xent", {Tensor::zeros(DType::F32, {3, 10}), Tensor::zeros(DType::F32, {3})});
  });
  EXPECT_NE(dtype.find("int32 or int64"), std::string::npos) << dtype;
  const std::string target = error_text([] {
    run("softmax_xent", {Tensor::zeros(DType::F32, {3, 10}), Tensor::zeros(DType::F32, {3})});
  });
  for (const char* part : {"float32(3, 10)", "float32(3,)", "sparse"})
    EXPECT_NE(target.find(part), std::string::npos) << target;
  const TensorSpec unknown{DType::F32, {-1, 10}}, labels{DType::I64, {-1}};
  EXPECT_EQ(primitive("sparse_softmax_xent").infer(std::vector{unknown, labels}, {})[0].shape, (Shape{-1}));
}

TEST(SigmoidXent, MatchesTheReference) {
  for (std::int64_t n : {1, 15, 16, 17, 5000}) {
    const Tensor x = random<float>({n}, 1, -40, 40), t = random<float>({n}, 2, 0, 1), d = random<float>({n}, 3);
    const Tensor loss = run("sigmoid_xent", {x, t}), dx = run("sigmoid_xent_grad", {d, x, t});
    for (std::int64_t i = 0; i < n; ++i) {
      const double xi = x.data<float>()[i], ti = t.data<float>()[i], di = d.data<float>()[i];
      ASSERT_NEAR(loss.data<float>()[i], std::max(xi, 0.0) - xi * ti + std::log1p(std::exp(-std::abs(xi))),
                  5e-7 * (1 + std::abs(xi)));
      ASSERT_NEAR(dx.data<float>()[i], di * (1 / (1 + std::exp(-xi)) - ti), 5e-7 * (1 + std::abs(di)));
    }
  }
}

// ---- gradients

TEST(SoftmaxGradients, MatchDifferences) {
  const Tensor x = random<double>({3, 4, 2}, 1), dy = random<double>({3, 4, 2}, 2), rows = random<double>({3}, 3);
  for (int axis : {1, -1}) {
    const Attrs attrs{{"axis", axis}};
    check_gradient("softmax", {x}, attrs);
    check_gradient("log_softmax", {x}, attrs);
    check_gradient("softmax_grad", {dy, run("softmax", {x}, attrs)}, attrs);
    check_gradient("log_softmax_grad", {dy, run("log_softmax", {x}, attrs)}, attrs);
  }
  const Tensor logits = random<double>({3, 5}, 4, -2, 2), target = random<double>({3, 5}, 5, 0.1, 1);
  const Tensor labels = Tensor::from<std::int32_t>(std::vector<std::int32_t>{4, 0, 2}, {3});
  check_gradient("softmax_xent", {logits, target});
  check_gradient("softmax_xent_grad", {rows, logits, target});
  check_gradient("sparse_softmax_xent", {logits, labels}, {{"ignore_class", 2}});
  check_gradient("sparse_softmax_xent_grad", {rows, logits, labels}, {{"ignore_class", 2}});
  check_gradient("sparse_xent", {target, labels});
  check_gradient("sparse_xent_grad", {rows, target, labels}, {{"ignore_class", 2}});
  check_gradient("sigmoid_xent", {logits, target});
  check_gradient("sigmoid_xent_grad", {random<double>({3, 5}, 6), logits, target});
}

}  // namespace
}  // namespace dlcore
