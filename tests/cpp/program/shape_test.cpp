#include "dlcore/shape.h"

#include <gtest/gtest.h>

#include <array>
#include <locale>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "base/half.h"
#include "dlcore/tensor.h"
#include "program/graph.h"
#include "program/nearest.h"

namespace dlcore {
namespace {

TEST(Shape, PrintsAsAPythonTuple) {
  EXPECT_EQ(str(Shape{}), "()");
  EXPECT_EQ(str(Shape{3}), "(3,)");
  EXPECT_EQ(str(Shape{-1, 28, 28}), "(None, 28, 28)");
}

TEST(Shape, PrintsTheSameInEveryLocale) {
  struct Grouped : std::numpunct<char> {
    std::string do_grouping() const override { return "\3"; }
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouped));
  const std::string text = str(Shape{1024, 8}, 1234567, 0.5);
  std::locale::global(before);
  EXPECT_EQ(text, "(1024, 8)12345670.5");
}

TEST(Shape, CountsElements) {
  EXPECT_EQ((Shape{}).elements(), 1);
  EXPECT_EQ((Shape{3, 0}).elements(), 0);
  EXPECT_EQ((Shape{-1, 4}).elements(), Shape::kUnknown);
  EXPECT_THROW((Shape{1ll << 40, 1ll << 40}).elements(), Error);
  EXPECT_THROW((Shape{-2}), Error);
}

TEST(Tensor, AnImpossibleSizeIsOutOfMemory) {
  try {
    Tensor::empty(DType::F64, {1ll << 61});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::OutOfMemory);
  }
  EXPECT_THROW((TensorSpec{DType::F32, {(1ll << 62) - 10}}.bytes()), Error) << "rounded up, it would be 0";
}

template <class T>
concept HasDType = requires {
  dtype_of<T>();
};

TEST(Tensor, IsMadeFromAnyContiguousNumbers) {
  const std::vector<float> numbers{1, 2, 3, 4};
  const std::array<std::int64_t, 2> ids{5, -6};
  const Tensor a = Tensor::from(numbers, {2, 2}), b = Tensor::from(ids, {2}), c = Tensor::from({1., 2.}, {2}),
               d = Tensor::from<float>({1, 2, 3}, {3}), e = Tensor::from<float>(numbers, {4}),
               f = Tensor::from(std::span(numbers).first(3), {3});
  EXPECT_EQ(str(a.spec(), b.spec(), c.spec(), d.spec(), e.spec(), f.spec()),
            "float32(2, 2)int64(2,)float64(2,)float32(3,)float32(4,)float32(3,)");
  EXPECT_EQ(a.data<float>()[3], 4);
  EXPECT_EQ(b.data<std::int64_t>()[1], -6);
  EXPECT_EQ(d.data<float>()[2], 3);
  EXPECT_THROW(Tensor::from({1.f}, {2}), Error);
  static_assert(HasDType<float> && HasDType<bool> && !HasDType<char> && !HasDType<std::uint16_t>);
}

TEST(Tensor, Prints) {
  EXPECT_EQ(str(Tensor()), "Tensor()");
  EXPECT_EQ(str(Tensor::scalar(DType::BF16, 1.5)), "bfloat16() 1.5");
  EXPECT_EQ(str(Tensor::from<bool>({true, false}, {2})), "bool(2,) [1, 0]");
  EXPECT_EQ(str(Tensor::from<std::int8_t>({65, -3}, {2})), "int8(2,) [65, -3]");
  EXPECT_EQ(str(Tensor::from<std::int64_t>({9007199254740993}, {1})), "int64(1,) [9007199254740993]");
  EXPECT_EQ(str(Tensor::from<float>({1, 2.5, 3, -4, 5, 6}, {2, 3})), "float32(2, 3)\n[[1, 2.5, 3],\n [-4, 5, 6]]");
  EXPECT_EQ(str(Tensor::from<float>({1, 2}, {1, 2, 1})), "float32(1, 2, 1)\n[[[1],\n  [2]]]");
  EXPECT_EQ(str(Tensor::zeros(DType::U8, {0, 3})), "uint8(0, 3)\n[]");
  std::vector<std::int32_t> many(1001);
  std::iota(many.begin(), many.end(), 0);
  EXPECT_EQ(str(Tensor::from(many, {1001})), "int32(1001,) [0, 1, 2, ..., 998, 999, 1000]");
  EXPECT_EQ(str(Tensor::zeros(DType::F32, {7, 200})).substr(0, 63),
            "float32(7, 200)\n[[0, 0, 0, ..., 0, 0, 0],\n [0, 0, 0, ..., 0, 0,");
  const auto graph = std::make_shared<Graph>();
  EXPECT_EQ(str(graph->input({DType::F32, {Shape::kUnknown, 3}}, "x")), "float32(None, 3)");
}

TEST(Tensor, AliasHasTheSameBytes) {
  const Tensor x = Tensor::from({1.f, 2.f, 3.f, 4.f}, {4});
  const Tensor y = Tensor::alias(x, {DType::F32, {2, 2}});
  EXPECT_EQ(y.bytes(), x.bytes());
  EXPECT_THROW(Tensor::alias(x, {DType::F32, {5}}), Error);
  EXPECT_THROW(Tensor::alias(x, {DType::F64, {4}}), Error);
  EXPECT_THROW(Tensor::alias(x, {DType::F32, {Shape::kUnknown}}), Error);
}

TEST(Variable, TensorsReadFromItKeepTheirValue) {
  Variable variable(Tensor::scalar(DType::F32, 1), "v");
  const Tensor before = variable.value();
  *reinterpret_cast<float*>(variable.writable()) = 2;
  EXPECT_EQ(before.item(), 1);
  EXPECT_EQ(variable.value().item(), 2);
  const std::byte* bytes = variable.value().bytes();
  EXPECT_EQ(variable.writable(), bytes) << "nobody shares them: written in place";
  EXPECT_THROW(variable.assign(Tensor::scalar(DType::F64, 1)), Error);
}

TEST(Half, RoundTripsEveryNumber) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const bool nan16 = (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff);
    if (!nan16) {
      EXPECT_EQ(float_to_half(half_to_float(half)), half);
    }
    const bool nan_bf = (bits & 0x7f80) == 0x7f80 && (bits & 0x7f);
    if (!nan_bf) {
      EXPECT_EQ(float_to_bfloat(bfloat_to_float(half)), half);
    }
  }
  EXPECT_EQ(float_to_half(65520.f), 0x7c00);
  EXPECT_EQ(float_to_half(65519.f), 0x7bff);
  EXPECT_EQ(float_to_half(0x1p-25f), 0x0000) << "a tie goes to even";
  EXPECT_EQ(float_to_half(0x1.8p-24f), 0x0002);
}

TEST(Nearest, NamesWhatIsClose) {
  EXPECT_EQ(nearest_hint("rellu", {"relu", "elu", "softmax"}), "; did you mean 'relu' or 'elu'?");
  EXPECT_EQ(nearest_hint("qqqqqq", {"relu"}), "");
}

}  // namespace
}  // namespace dlcore
