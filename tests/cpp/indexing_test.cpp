#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "base/half.h"
#include "base/parallel.h"
#include "gradient_check.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using testing::error_text;

template <class T>
Tensor tensor(const Shape& shape, std::vector<T> numbers) {
  return Tensor::from<T>(numbers, shape);
}

template <class T>
std::vector<T> numbers(const Tensor& x) {
  return std::vector<T>(x.data<T>(), x.data<T>() + x.shape().elements());
}

Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Tensor x = Tensor::empty(DType::F64, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i) x.data<double>()[i] = uniform(random);
  return x;
}

Tensor random_ids(const Shape& shape, std::int32_t rows, unsigned seed) {
  std::mt19937 random(seed);
  Tensor ids = Tensor::empty(DType::I32, shape);
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    ids.data<std::int32_t>()[i] = static_cast<std::int32_t>(random() % static_cast<unsigned>(rows));
  return ids;
}

// -------------------------------------------------------------------------------------------------------------- gather

TEST(Gather, LooksUpRows) {
  const Tensor table = tensor<float>({3, 2}, {0, 1, 10, 11, 20, 21});
  const Tensor y = apply("gather", {table, tensor<std::int64_t>({2, 2}, {2, 0, -1, 1})});
  EXPECT_EQ(y.spec(), (TensorSpec{DType::F32, {2, 2, 2}}));
  EXPECT_EQ(numbers<float>(y), (std::vector<float>{20, 21, 0, 1, 20, 21, 10, 11}));
}

TEST(Gather, AlongAnyAxisAndOfEveryElementSize) {
  const Tensor x = tensor<std::int8_t>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const Tensor ids = tensor<std::int32_t>({2}, {2, 0});
  EXPECT_EQ(numbers<std::int8_t>(apply("gather", {x, ids}, {{"axis", std::int64_t{1}}})),
            (std::vector<std::int8_t>{4, 5, 0, 1, 10, 11, 6, 7}));
  const Tensor last = tensor<std::int32_t>({}, {1});
  const Tensor y = apply("gather", {x, last}, {{"axis", std::int64_t{-1}}});
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(numbers<std::int8_t>(y), (std::vector<std::int8_t>{1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(numbers<double>(apply("gather", {tensor<double>({3}, {5, 6, 7}), ids})), (std::vector<double>{7, 5}));
}

TEST(Gather, ModesForIndicesOutOfRange) {
  const Tensor x = tensor<float>({3}, {1, 2, 3});
  const Tensor ids = tensor<std::int32_t>({4}, {-1, 3, -5, 1});
  auto mode = [&](const char* name) {
    return numbers<float>(apply("gather", {x, ids}, {{"mode", std::string(name)}}));
  };
  EXPECT_EQ(mode("clip"), (std::vector<float>{1, 3, 1, 2}));
  EXPECT_EQ(mode("wrap"), (std::vector<float>{3, 1, 2, 2}));
  EXPECT_EQ(mode("fill"), (std::vector<float>{3, 0, 0, 2}));
}

TEST(Gather, RaisesNamingIndexAndRange) {
  const Tensor table = Tensor::zeros(DType::F32, {100, 8});
  for (std::int64_t bad : {100, -101}) {
    try {
      apply("gather", {table, tensor<std::int64_t>({3}, {1, bad, 2})});
      FAIL() << "no error for " << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Index);
      const std::string text = error.what();
      EXPECT_NE(text.find("index " + std::to_string(bad) + " (element 1"), std::string::npos) << text;
      EXPECT_NE(text.find("0 <= index < 100 (negative: from the end)"), std::string::npos) << text;
    }
  }
}

TEST(Gather, StrictlyRefusesNegativeIndices) {
  const Tensor x = tensor<float>({3}, {1, 2, 3});
  const Attrs strict{{"mode", std::string("strict")}};
  EXPECT_EQ(numbers<float>(apply("gather", {x, tensor<std::int32_t>({3}, {2, 0, 1})}, strict)),
            (std::vector<float>{3, 1, 2}));
  for (std::int32_t bad : {-1, 3}) {
    const Tensor ids = tensor<std::int32_t>({2}, {0, bad});
    const std::string text = error_text([&] { apply("gather", {x, ids}, strict); });
    EXPECT_NE(text.find("expected 0 <= index < 3. Check"), std::string::npos) << text;
    EXPECT_EQ(error_text([&] { apply("scatter_add", {x, ids, tensor<float>({2}, {1, 1})}, strict); }), text);
  }
}

TEST(Gather, ErrorsOfTheShapeRule) {
  const Tensor x = Tensor::zeros(DType::F32, {3, 2}), ids = tensor<std::int32_t>({1}, {0});
  EXPECT_NE(error_text([&] { apply("gather", {x, x}); }).find("int32 or int64; got float32(3, 2)"), std::string::npos);
  EXPECT_NE(error_text([&] {
              apply("gather", {x, ids}, {{"axis", std::int64_t{2}}});
            }).find("-2 <= axis < 2"),
            std::string::npos);
  EXPECT_NE(error_text([&] {
              apply("gather", {x, ids}, {{"mode", std::string("skip")}});
            }).find("'raise', 'strict', 'clip'"),
            std::string::npos);
  EXPECT_NE(error_text([&] {
              apply("gather", {Tensor::zeros(DType::F32, {0, 2}), ids});
            }).find("is empty"),
            std::string::npos);
}

TEST(Gather, ShapeRuleKeepsUnknownSizes) {
  const Specs in{{DType::F32, {10000, 128}}, {DType::I32, {-1, 100}}};
  EXPECT_EQ(primitive("gather").infer(in, {})[0].shape, (Shape{-1, 100, 128}));
  const Specs last{{DType::F32, {-1, 10}}, {DType::I32, {-1}}};
  EXPECT_EQ(primitive("gather_last").infer(last, {})[0].shape, (Shape{-1}));
}

TEST(Gather, Gradient) {
  for (std::int64_t axis : {0, 1, -1})
    for (const char* mode : {"raise", "strict", "fill"})
      check_gradient("gather", {random_tensor({4, 3, 4}, 1), random_ids({2, 3}, 3, 2)},
                     {{"axis", axis}, {"mode", std::string(mode)}});
}

// ------------------------------------------------------------------------------------------------------ unique_indices

std::vector<Tensor> unique_of(const Tensor& table, const Tensor& ids) {
  return apply_all("unique_indices", std::vector{table, ids});
}

TEST(UniqueIndices, NumbersThemAsTheyComeFirst) {
  const Tensor table = Tensor::zeros(DType::F32, {9, 2});
  const std::vector<Tensor> out = unique_of(table, tensor<std::int64_t>({2, 4}, {7, 3, 7, 7, 0, 3, 8, 7}));
  EXPECT_EQ(numbers<std::int64_t>(out[0]), (std::vector<std::int64_t>{7, 3, 0, 8, 9, 9, 9, 9}));
  EXPECT_EQ(numbers<std::int32_t>(out[1]), (std::vector<std::int32_t>{0, 1, 0, 0, 2, 1, 3, 0}));
  EXPECT_EQ(out[1].shape(), (Shape{2, 4}));
  EXPECT_EQ(unique_of(table, Tensor::empty(DType::I32, {0, 4}))[0].shape(), (Shape{0, 4}));
}

TEST(UniqueIndices, FindEveryIndexAgain) {
  for (const std::int32_t rows : {1, 2, 100, 3000, 1 << 30}) {
    const std::int32_t step = std::max(1, rows / 3000);  // powers of two among them, which hash alike in their low bits
    Tensor ids = random_ids({50, 61}, std::min(rows, 3000), 4);
    for (std::int64_t i = 0; i < 3050; ++i) ids.data<std::int32_t>()[i] *= step;
    const std::vector<Tensor> out = unique_of(Tensor::zeros(DType::U8, {rows, 0}), ids);
    const auto unique = numbers<std::int32_t>(out[0]), inverse = numbers<std::int32_t>(out[1]);
    std::int32_t found = 0;
    for (std::int64_t i = 0; i < 3050; ++i) {
      ASSERT_EQ(unique[inverse[i]], ids.data<std::int32_t>()[i]) << rows;
      ASSERT_LE(inverse[i], found) << rows;
      found = std::max(found, inverse[i] + 1);
    }
    EXPECT_EQ(std::set<std::int32_t>(unique.begin(), unique.begin() + found).size(), found) << rows;
    for (std::int64_t i = found; i < 3050; ++i) ASSERT_EQ(unique[i], rows);
  }
}

TEST(UniqueIndices, LeaveThoseAloneThatHardlyRepeat) {
  std::vector<std::int32_t> ids(100);
  std::iota(ids.begin(), ids.end(), 5);
  ids[99] = 5;
  const std::vector<Tensor> out = unique_of(Tensor::zeros(DType::F32, {200, 1}), tensor<std::int32_t>({100}, ids));
  EXPECT_EQ(numbers<std::int32_t>(out[0]), ids);
  std::iota(ids.begin(), ids.end(), 0);
  EXPECT_EQ(numbers<std::int32_t>(out[1]), ids);
}

TEST(UniqueIndices, RefuseWhatIsNoRow) {
  const Tensor table = Tensor::zeros(DType::F32, {9, 2});
  const std::string text = error_text([&] { unique_of(table, tensor<std::int32_t>({3}, {1, 9, -1})); });
  EXPECT_EQ(text, error_text([&] {
              apply("gather", {table, tensor<std::int32_t>({3}, {1, 9, -1})}, {{"mode", std::string("strict")}});
            }));
}

// --------------------------------------------------------------------------------------------------------- scatter_add

TEST(ScatterAdd, AddsDuplicatesIntoZeros) {
  const Tensor like = Tensor::empty(DType::F32, {4, 2});
  const Tensor d =
      apply("scatter_add", {like, tensor<std::int32_t>({3}, {2, 0, -2}), tensor<float>({3, 2}, {1, 2, 3, 4, 10, 20})});
  EXPECT_EQ(numbers<float>(d), (std::vector<float>{3, 4, 0, 0, 11, 22, 0, 0}));
}

TEST(ScatterAdd, SixteenBitAndIntegerSums) {
  const Tensor ids = tensor<std::int32_t>({3}, {1, 1, 0});
  Tensor u = Tensor::empty(DType::BF16, {3});
  for (int i = 0; i < 3; ++i) u.data<std::uint16_t>()[i] = float_to_bfloat(static_cast<float>(i) + 1);
  const Tensor d = apply("scatter_add", {Tensor::empty(DType::BF16, {2}), ids, u});
  EXPECT_EQ(bfloat_to_float(d.data<std::uint16_t>()[0]), 3);
  EXPECT_EQ(bfloat_to_float(d.data<std::uint16_t>()[1]), 3);
  EXPECT_EQ(numbers<std::int64_t>(
                apply("scatter_add", {Tensor::empty(DType::I64, {2}), ids, tensor<std::int64_t>({3}, {5, 6, 7})})),
            (std::vector<std::int64_t>{7, 11}));
}

TEST(ScatterAdd, ManyRowsAgainstPlainSumsAndTheSameBitsForAnyThreads) {
  const std::int64_t rows = 3001, width = 67, count = 5000;
  const Tensor ids = random_ids({count}, rows, 3), wide = random_tensor({count, width}, 4);
  Tensor u = Tensor::empty(DType::F32, {count, width});
  for (std::int64_t i = 0; i < count * width; ++i) u.data<float>()[i] = static_cast<float>(wide.data<double>()[i]);
  std::vector<float> expected(rows * width, 0.0f);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t c = 0; c < width; ++c)
      expected[ids.data<std::int32_t>()[i] * width + c] += u.data<float>()[i * width + c];
  const int threads = num_threads();
  for (int n : {1, 2, 3}) {
    set_num_threads(n);
    EXPECT_EQ(numbers<float>(apply("scatter_add", {Tensor::empty(DType::F32, {rows, width}), ids, u})), expected) << n;
  }
  set_num_threads(threads);
}

TEST(ScatterAdd, Gradient) {
  check_gradient("scatter_add", {random_tensor({3, 4}, 1), random_ids({2, 2}, 4, 2), random_tensor({3, 2, 2}, 3)},
                 {{"axis", std::int64_t{1}}});
}

TEST(ScatterAdd, NamesTheExpectedShape) {
  const std::string text = error_text([] {
    apply("scatter_add",
          {Tensor::zeros(DType::F32, {4, 2}), tensor<std::int32_t>({3}, {0, 1, 2}), Tensor::zeros(DType::F32, {3, 3})});
  });
  EXPECT_NE(text.find("(3, 2)"), std::string::npos) << text;
  EXPECT_NE(text.find("float32(3, 3)"), std::string::npos) << text;
}

// ------------------------------------------------------------------------------- scatter_max, _min, _mul, _set

TEST(ScatterCombine, JoinsRowsWithTheirUpdates) {
  const Tensor x = tensor<std::int32_t>({3, 2}, {1, 7, 4, 4, -3, 2}), ids = tensor<std::int32_t>({4}, {2, 0, 2, -1});
  const Tensor u = tensor<std::int32_t>({4, 2}, {5, 1, 0, 9, -2, 3, 1, -1});
  EXPECT_EQ(numbers<std::int32_t>(apply("scatter_max", {x, ids, u})), (std::vector<std::int32_t>{1, 9, 4, 4, 5, 3}));
  EXPECT_EQ(numbers<std::int32_t>(apply("scatter_min", {x, ids, u})), (std::vector<std::int32_t>{0, 7, 4, 4, -3, -1}));
  EXPECT_EQ(numbers<std::int32_t>(apply("scatter_mul", {x, ids, u})), (std::vector<std::int32_t>{0, 63, 4, 4, 30, -6}));
  EXPECT_EQ(numbers<std::int32_t>(apply("scatter_set", {x, ids, u})), (std::vector<std::int32_t>{0, 9, 4, 4, 1, -1}));
}

TEST(ScatterCombine, NanIsAnExtremum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = tensor<float>({2}, {nan, 1}), ids = tensor<std::int32_t>({3}, {0, 1, 1});
  for (const char* name : {"scatter_max", "scatter_min"}) {
    const std::vector<float> y = numbers<float>(apply(name, {x, ids, tensor<float>({3}, {5, nan, 2})}));
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << name;
  }
}

TEST(ScatterCombine, ManyRowsAgainstPlainLoopsAndTheSameBitsForAnyThreads) {
  const std::int64_t rows = 3001, width = 67, count = 5000;
  const Tensor ids = random_ids({count}, rows, 3), u = random_tensor({count, width}, 4);
  const Tensor x = random_tensor({rows, width}, 5);
  const auto check = [&](const char* name, double (*join)(double, double)) {
    std::vector<double> expected = numbers<double>(x);
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t c = 0; c < width; ++c) {
        double& to = expected[ids.data<std::int32_t>()[i] * width + c];
        to = join(to, u.data<double>()[i * width + c]);
      }
    const int threads = num_threads();
    for (int n : {1, 2, 3}) {
      set_num_threads(n);
      EXPECT_EQ(numbers<double>(apply(name, {x, ids, u})), expected) << name << " with " << n << " threads";
    }
    set_num_threads(threads);
  };
  check("scatter_max", [](double a, double b) { return std::max(a, b); });
  check("scatter_min", [](double a, double b) { return std::min(a, b); });
  check("scatter_mul", [](double a, double b) { return a * b; });
  check("scatter_set", [](double, double b) { return b; });
}

TEST(ScatterCombine, Gradient) {
  for (const char* name : {"scatter_max", "scatter_min", "scatter_mul"})
    check_gradient(name, {random_tensor({3, 4}, 1), random_ids({2, 2}, 4, 2), random_tensor({3, 2, 2}, 3)},
                   {{"axis", std::int64_t{1}}});
  check_gradient("scatter_set", {random_tensor({3, 4, 2}, 1), random_ids({5}, 4, 2), random_tensor({3, 5, 2}, 3)},
                 {{"axis", std::int64_t{1}}});
}

TEST(ScatterCombine, DtypesShouldAgree) {
  EXPECT_NE(error_text([] {
              apply("scatter_max",
                    {Tensor::zeros(DType::F32, {2}), tensor<std::int32_t>({1}, {0}), Tensor::zeros(DType::F64, {1})});
            }).find("updates should have the dtype of x; got float64(1,)"),
            std::string::npos);
  EXPECT_NE(error_text([] {
              const Tensor x = Tensor::zeros(DType::F32, {2});
              apply("scatter_set", {x, tensor<std::int32_t>({1, 1}, {0}), Tensor::zeros(DType::F32, {1, 1})});
            }).find("indices should have one axis; got int32(1, 1)"),
            std::string::npos);
}

// ------------------------------------------------------------------------------------------------- one_hot, along,
// last

TEST(OneHot, RowsOfEveryDtype) {
  const Tensor ids = tensor<std::int32_t>({3}, {1, -1, 2});
  EXPECT_EQ(numbers<float>(apply("one_hot", {ids}, {{"depth", std::int64_t{2}}})),
            (std::vector<float>{0, 1, 0, 0, 0, 0}));
  const Tensor y = apply("one_hot", {ids}, {{"depth", std::int64_t{3}}, {"dtype", std::string("bool")}});
  EXPECT_EQ(y.spec(), (TensorSpec{DType::Bool, {3, 3}}));
  EXPECT_EQ(numbers<bool>(y), (std::vector<bool>{false, true, false, false, false, false, false, false, true}));
}

TEST(GatherLast, OneElementPerRow) {
  const Tensor x = tensor<float>({2, 3}, {0, 1, 2, 10, 11, 12});
  EXPECT_EQ(numbers<float>(apply("gather_last", {x, tensor<std::int64_t>({2}, {2, 0})})), (std::vector<float>{2, 10}));
  EXPECT_EQ(numbers<float>(apply("scatter_last", {x, tensor<std::int64_t>({2}, {2, 0}), tensor<float>({2}, {5, 6})})),
            (std::vector<float>{0, 0, 5, 6, 0, 0}));
  EXPECT_NE(error_text([&] {
              apply("gather_last", {x, tensor<std::int64_t>({2}, {3, 0})});
            }).find("index 3"),
            std::string::npos);
  check_gradient("gather_last", {random_tensor({3, 2, 4}, 1), random_ids({3, 2}, 4, 2)});
  check_gradient("scatter_last", {random_tensor({3, 4}, 1), random_ids({3}, 4, 2), random_tensor({3}, 3)});
}

TEST(GatherAlong, AnyAxis) {
  const Tensor x = tensor<float>({3, 2}, {0, 1, 10, 11, 20, 21});
  const Tensor ids = tensor<std::int32_t>({2, 2}, {2, 0, 1, 1});
  EXPECT_EQ(numbers<float>(apply("gather_along", {x, ids}, {{"axis", std::int64_t{0}}})),
            (std::vector<float>{20, 1, 10, 11}));
  check_gradient("gather_along", {random_tensor({2, 3, 2}, 1), random_ids({2, 4, 2}, 3, 2)},
                 {{"axis", std::int64_t{1}}});
  check_gradient("scatter_along", {random_tensor({2, 3}, 1), random_ids({2, 4}, 3, 2), random_tensor({2, 4}, 3)});
}

// ------------------------------------------------------------------------------------------------------------- sorting

TEST(Sort, EveryDirectionWithNaNAsTheGreatest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = tensor<float>({2, 3}, {3, nan, 1, 2, 2, -1});
  EXPECT_EQ(numbers<std::int32_t>(apply("argsort", {x})), (std::vector<std::int32_t>{2, 0, 1, 2, 0, 1}));
  EXPECT_EQ(numbers<std::int32_t>(apply("argsort", {x}, {{"descending", true}})),
            (std::vector<std::int32_t>{1, 0, 2, 0, 1, 2}));
  EXPECT_EQ(numbers<std::int32_t>(apply("argsort", {x}, {{"axis", std::int64_t{0}}})),
            (std::vector<std::int32_t>{1, 1, 1, 0, 0, 0}));
  const std::vector<float> sorted = numbers<float>(apply("sort", {x}));
  EXPECT_EQ(sorted[0], 1);
  EXPECT_TRUE(std::isnan(sorted[2]));
  EXPECT_EQ(numbers<std::int32_t>(apply("sort", {tensor<std::int32_t>({4}, {3, 1, 2, 1})}, {{"descending", true}})),
            (std::vector<std::int32_t>{3, 2, 1, 1}));
}

TEST(Sort, LongLinesAgainstTheStandardLibrary) {
  const Tensor x = random_tensor({17, 301, 3}, 5);
  const Tensor y = apply("sort", {x}, {{"axis", std::int64_t{1}}});
  for (std::int64_t o = 0; o < 17; ++o)
    for (std::int64_t c = 0; c < 3; ++c) {
      std::vector<double> line, got;
      for (std::int64_t j = 0; j < 301; ++j) {
        line.push_back(x.data<double>()[(o * 301 + j) * 3 + c]);
        got.push_back(y.data<double>()[(o * 301 + j) * 3 + c]);
      }
      std::sort(line.begin(), line.end());
      EXPECT_EQ(got, line);
    }
}

/// Elements in stable order, as `argsort` of every length around what sorts them and of lines side by side.
template <class T>
void expect_order(std::vector<T> kinds) {
  const auto before = [](T a, T b) { return b != b ? a == a : a < b; };
  std::mt19937 random(7);
  for (std::int64_t size : {1, 2, 11, 12, 13, 47, 48, 49, 95, 96, 97, 255, 1000, 70000})
    for (std::int64_t inner : {1, 3}) {
      Tensor x = Tensor::empty(dtype_of<T>(), {size, inner});
      for (std::int64_t i = 0; i < size * inner; ++i) x.data<T>()[i] = kinds[random() % kinds.size()];
      for (bool descending : {false, true}) {
        const Attrs attrs{{"axis", std::int64_t{0}}, {"descending", descending}};
        const Tensor y = apply("sort", {x}, attrs), order = apply("argsort", {x}, attrs);
        for (std::int64_t c = 0; c < inner; ++c) {
          std::vector<std::int32_t> line(static_cast<std::size_t>(size));
          std::iota(line.begin(), line.end(), 0);
          std::stable_sort(line.begin(), line.end(), [&](std::int32_t i, std::int32_t j) {
            const T a = x.data<T>()[i * inner + c], b = x.data<T>()[j * inner + c];
            return descending ? before(b, a) : before(a, b);
          });
          for (std::int64_t j = 0; j < size; ++j) {
            ASSERT_EQ(order.data<std::int32_t>()[j * inner + c], line[j]) << x.spec() << descending;
            ASSERT_EQ(std::memcmp(&y.data<T>()[j * inner + c], &x.data<T>()[line[j] * inner + c], sizeof(T)), 0);
          }
        }
      }
    }
}

template <class T>
std::vector<T> integers_of_all_kinds() {
  std::vector<T> kinds{0, 1, static_cast<T>(-1), std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  std::mt19937_64 random(3);
  for (int i = 0; i < 300; ++i) kinds.push_back(static_cast<T>(static_cast<T>(random()) >> random() % (8 * sizeof(T))));
  return kinds;
}
template <class T>
std::vector<T> floats_of_all_kinds() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> kinds{0,
                       T{-0.0},
                       1,
                       -1,
                       Limits::infinity(),
                       -Limits::infinity(),
                       Limits::quiet_NaN(),
                       -Limits::quiet_NaN(),
                       Limits::max(),
                       Limits::lowest(),
                       Limits::min(),
                       -Limits::min()};
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) kinds.push_back(std::normal_distribution<T>()(random));
  return kinds;
}

TEST(Sort, IsStableForEveryTypeAndLength) {
  expect_order<std::uint8_t>(integers_of_all_kinds<std::uint8_t>());
  expect_order<std::int8_t>(integers_of_all_kinds<std::int8_t>());
  expect_order<std::int32_t>(integers_of_all_kinds<std::int32_t>());
  expect_order<std::int64_t>(integers_of_all_kinds<std::int64_t>());
  expect_order<std::int64_t>({5, 6, 7});  // all digits but one are the same
  expect_order<float>(floats_of_all_kinds<float>());
  expect_order<double>(floats_of_all_kinds<double>());
}

TEST(Sort, OrderOfSixteenBitFloatsAndBools) {
  const Tensor x = random_tensor({500}, 8);
  for (const char* dtype : {"float16", "bfloat16", "bool"}) {
    const Tensor narrow = apply("cast", {std::string(dtype) == "bool" ? apply("relu", {x}) : x}, {{"dtype", dtype}});
    EXPECT_EQ(numbers<std::int32_t>(apply("argsort", {narrow})),
              numbers<std::int32_t>(apply("argsort", {apply("cast", {narrow}, {{"dtype", "float64"}})})))
        << dtype;
  }
}

TEST(Sort, TheFirstOfTheOrder) {
  for (std::int64_t size : {4, 31, 32, 160, 1000})
    for (std::int64_t k : {1, 8, 9, 62, 63, 1000}) {
      if (k > size) continue;
      const Tensor x = random_ids({size}, 40, 9);
      const auto top = apply_all("top_k", std::vector<Tensor>{x}, {{"k", k}});
      std::vector<std::int32_t> order = numbers<std::int32_t>(apply("argsort", {x}, {{"descending", true}}));
      order.resize(static_cast<std::size_t>(k));
      EXPECT_EQ(numbers<std::int32_t>(top[1]), order) << "the first " << k << " of " << size;
    }
}

TEST(Sort, Gradient) {
  check_gradient("sort", {random_tensor({3, 5}, 1)}, {{"descending", true}});
  check_gradient("sort", {random_tensor({3, 5, 2}, 1)}, {{"axis", std::int64_t{1}}});
  check_gradient("top_k", {random_tensor({3, 5}, 1)}, {{"k", std::int64_t{2}}});
}

TEST(TopK, ValuesAndIndicesLowerIndexFirst) {
  const Tensor x = tensor<float>({2, 4}, {1, 4, 4, 2, -1, -2, -3, -4});
  const auto out = apply_all("top_k", std::vector<Tensor>{x}, {{"k", std::int64_t{3}}});
  EXPECT_EQ(numbers<float>(out[0]), (std::vector<float>{4, 4, 2, -1, -2, -3}));
  EXPECT_EQ(numbers<std::int32_t>(out[1]), (std::vector<std::int32_t>{1, 2, 3, 0, 1, 2}));
  EXPECT_NE(error_text([&] { apply("top_k", {x}, {{"k", std::int64_t{5}}}); }).find("got k = 5"), std::string::npos);
}

TEST(Cumsum, ExclusiveReverseAndAxes) {
  const Tensor x = tensor<std::int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  auto sum = [&](std::int64_t axis, bool exclusive, bool reverse) {
    return numbers<std::int32_t>(
        apply("cumsum", {x}, {{"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}}));
  };
  EXPECT_EQ(sum(1, false, false), (std::vector<std::int32_t>{1, 3, 6, 4, 9, 15}));
  EXPECT_EQ(sum(1, true, false), (std::vector<std::int32_t>{0, 1, 3, 0, 4, 9}));
  EXPECT_EQ(sum(1, false, true), (std::vector<std::int32_t>{6, 5, 3, 15, 11, 6}));
  EXPECT_EQ(sum(0, true, true), (std::vector<std::int32_t>{4, 5, 6, 0, 0, 0}));
  EXPECT_EQ(numbers<float>(apply("cumprod", {tensor<float>({4}, {2, 3, 0, 4})})), (std::vector<float>{2, 6, 0, 0}));
}

TEST(Cumsum, GradientsWithZerosToo) {
  Tensor x = random_tensor({2, 4, 3}, 1);
  x.data<double>()[4] = 0;
  x.data<double>()[7] = 0;
  for (bool exclusive : {false, true})
    for (bool reverse : {false, true}) {
      const Attrs attrs{{"axis", std::int64_t{1}}, {"exclusive", exclusive}, {"reverse", reverse}};
      check_gradient("cumsum", {x}, attrs);
      check_gradient("cumprod", {x}, attrs);
    }
}

TEST(SearchSorted, EveryLengthWithNaNBehindTheNumbers) {
  std::mt19937 random(1);
  for (std::int64_t size : {0, 1, 2, 3, 7, 8, 64, 1000})
    for (std::int64_t nans : {0, 1, 3}) {
      std::vector<float> sorted, values{-1, 0, 1e9f, std::numeric_limits<float>::quiet_NaN()};
      for (std::int64_t i = 0; i < size; ++i) sorted.push_back(static_cast<float>(random() % (2 * size)));
      std::sort(sorted.begin(), sorted.end());
      sorted.resize(static_cast<std::size_t>(size + nans), std::numeric_limits<float>::quiet_NaN());
      for (int i = 0; i < 5000; ++i) values.push_back(static_cast<float>(random() % (2 * size + 1)));
      const auto length = static_cast<std::int64_t>(values.size());
      for (bool right : {false, true}) {
        const auto before = [=](float a, float b) { return b != b ? a == a || right : right ? a <= b : a < b; };
        const Tensor index =
            apply("searchsorted", {tensor<float>({size + nans}, sorted), tensor<float>({length}, values)},
                  {{"right", right}});
        for (std::int64_t i = 0; i < length; ++i)
          ASSERT_EQ(index.data<std::int32_t>()[i],
                    std::count_if(sorted.begin(), sorted.end(), [&](float x) { return before(x, values[i]); }))
              << values[i] << " among " << size << " numbers";
      }
    }
}

TEST(SearchSorted, LeftAndRight) {
  const Tensor sorted = tensor<float>({4}, {1, 2, 2, 5}), values = tensor<float>({2, 2}, {0, 2, 5, 6});
  EXPECT_EQ(numbers<std::int32_t>(apply("searchsorted", {sorted, values})), (std::vector<std::int32_t>{0, 1, 3, 4}));
  EXPECT_EQ(numbers<std::int32_t>(apply("searchsorted", {sorted, values}, {{"right", true}})),
            (std::vector<std::int32_t>{0, 3, 4, 4}));
}

}  // namespace
}  // namespace dlcore
