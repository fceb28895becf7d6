#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/movement/movement.h"
#include "program/graph.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::check_gradient;
using Integers = std::vector<std::int64_t>;
constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
const std::vector<DType> kOneDTypePerSize{DType::I8, DType::BF16, DType::F32, DType::F64};

/// Elements that differ: element i has the bytes of i + 1 (as far as they go).
Tensor numbered(DType dtype, const Shape& shape) {
  Tensor x = Tensor::empty(dtype, shape);
  const std::size_t size = size_of(dtype);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const std::uint64_t bits = static_cast<std::uint64_t>(i + 1) * 0x9E3779B97F4A7C15u >> 3;
    std::memcpy(x.bytes() + i * size, &bits, size);
  }
  return x;
}

std::uint64_t bits_at(const Tensor& x, std::int64_t i) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, x.bytes() + i * size_of(x.dtype()), size_of(x.dtype()));
  return bits;
}

std::int64_t offset_of(const Integers& index, const Shape& shape) {
  std::int64_t offset = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) offset = offset * shape[axis] + index[axis];
  return offset;
}

Integers index_of(std::int64_t offset, const Shape& shape) {
  Integers index(shape.rank());
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = offset % shape[axis];
    offset /= shape[axis];
  }
  return index;
}

/// y[i] has the bits of x[source(i)] for every index; zero bits where source gives an empty index.
void expect_moved(const Tensor& y, const Tensor& x, const std::function<Integers(const Integers&)>& source) {
  ASSERT_EQ(y.dtype(), x.dtype());
  for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
    const Integers from = source(index_of(i, y.shape()));
    const std::uint64_t expected = from.empty() ? 0 : bits_at(x, offset_of(from, x.shape()));
    ASSERT_EQ(bits_at(y, i), expected) << "element " << i << " of " << y.spec() << " from " << x.spec();
  }
}

Tensor run(const char* op, std::vector<Tensor> inputs, const Attrs& attrs = {}) {
  return apply_all(op, inputs, attrs)[0];
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_message(const std::function<void()>& action, std::initializer_list<const char*> parts) {
  const std::string message = message_of(action);
  for (const char* part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
}

TensorSpec f32(const Shape& shape) { return {DType::F32, shape}; }

Specs infer(const char* op, std::vector<TensorSpec> in, const Attrs& attrs = {}) {
  return primitive(op).infer(in, attrs);
}

Tensor reals(const Shape& shape, unsigned seed) {
  const std::vector<double> numbers = testing::random_reals<double>(shape.elements(), seed);
  return Tensor::from<double>(numbers, shape);
}

// ---- reshape

TEST(Reshape, InfersOneSizeAndSharesBytes) {
  const Tensor x = numbered(DType::F32, {4, 6});
  const Tensor y = run("reshape", {x}, {{"shape", Integers{2, -1, 3}}});
  EXPECT_EQ(y.shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(y.bytes(), x.bytes());
}

TEST(Reshape, KeepsUnknownSizes) {
  EXPECT_EQ(infer("reshape", {f32({-1, 4, 4})}, {{"shape", Integers{-1, 16}}})[0].shape, (Shape{-1, 16}));
  EXPECT_EQ(infer("reshape", {f32({0, 5})}, {{"shape", Integers{-1, 5}}})[0].shape, (Shape{0, 5}));
  EXPECT_EQ(infer("reshape_like", {f32({-1, 16}), f32({-1, 4, 4})})[0].shape, (Shape{-1, 4, 4}));
}

TEST(Reshape, ErrorsNameBothCounts) {
  const Tensor x = numbered(DType::F32, {4, 6});
  expect_message(
      [&] {
        run("reshape", {x}, {{"shape", Integers{5, 5}}});
      },
      {"reshape: ", "float32(4, 6)", "24", "(5, 5)", "25"});
  expect_message([&] { run("reshape", {x}, {{"shape", Integers{-1, 5}}}); }, {"24", "(-1, 5)"});
  expect_message([&] { run("reshape", {x}, {{"shape", Integers{-1, -1}}}); }, {"at most one"});
  expect_message([&] { run("reshape_like", {x, numbered(DType::F32, {5})}); }, {"24", "5"});
}

// ---- transpose

void check_transpose(DType dtype, const Shape& shape, const Integers& permutation) {
  const Tensor x = numbered(dtype, shape);
  const Tensor y = run("transpose", {x}, {{"permutation", permutation}});
  for (int axis = 0; axis < shape.rank(); ++axis)
    ASSERT_EQ(y.shape()[axis], shape[static_cast<int>(permutation[axis])]);
  expect_moved(y, x, [&](const Integers& index) {
    Integers from(index.size());
    for (std::size_t axis = 0; axis < index.size(); ++axis) from[permutation[axis]] = index[axis];
    return from;
  });
}

TEST(Transpose, MatricesOfAllSizesAroundTheTile) {
  const Integers sizes{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130};
  for (DType dtype : kOneDTypePerSize)
    for (std::int64_t rows : sizes)
      for (std::int64_t columns : sizes) check_transpose(dtype, {rows, columns}, {1, 0});
}

TEST(Transpose, EveryPermutationOfFourAxes) {
  Integers permutation{0, 1, 2, 3};
  do {
    for (DType dtype : kOneDTypePerSize) {
      check_transpose(dtype, {3, 5, 2, 18}, permutation);
      check_transpose(dtype, {2, 17, 4, 1}, permutation);
    }
  } while (std::next_permutation(permutation.begin(), permutation.end()));
}

TEST(Transpose, LargeEnoughForSeveralChunks) {
  check_transpose(DType::F32, {300, 401}, {1, 0});
  check_transpose(DType::F32, {33, 100, 50}, {0, 2, 1});
  check_transpose(DType::F32, {33, 100, 50}, {1, 0, 2});
  check_transpose(DType::U8, {3, 50, 100, 3}, {0, 3, 1, 2});
}

TEST(Transpose, ReversesWithoutPermutationAndTakesEmptyTensors) {
  EXPECT_EQ(run("transpose", {numbered(DType::F32, {2, 3, 4})}).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(run("transpose", {numbered(DType::F32, {0, 3})}).shape(), (Shape{3, 0}));
  EXPECT_EQ(run("transpose", {numbered(DType::F32, {})}).shape(), Shape{});
  EXPECT_EQ(infer("transpose", {f32({-1, 3, 4})}, {{"permutation", Integers{2, 0, 1}}})[0].shape, (Shape{4, -1, 3}));
}

TEST(Transpose, ErrorsNameThePermutation) {
  const Tensor x = numbered(DType::F32, {2, 3});
  expect_message([&] { run("transpose", {x}, {{"permutation", Integers{0, 0}}}); }, {"(0, 0)", "twice"});
  expect_message([&] { run("transpose", {x}, {{"permutation", Integers{0, 2}}}); }, {"axis 2", "out of range"});
  expect_message([&] { run("transpose", {x}, {{"permutation", Integers{0}}}); }, {"(0,)", "float32(2, 3)", "2 axes"});
}

// ---- broadcast

TEST(Broadcast, EveryWayOfStretching) {
  for (DType dtype : kOneDTypePerSize) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{21}, Shape{5, 1}, Shape{1, 21}, Shape{5, 21}, Shape{3, 1, 21},
                               Shape{3, 1, 1}, Shape{3, 5, 1}}) {
      const Tensor x = numbered(dtype, shape);
      const Tensor y = run("broadcast_to", {x}, {{"shape", Integers{3, 5, 21}}});
      const Tensor like = run("broadcast_like", {x, numbered(DType::I32, {3, 5, 21})});
      EXPECT_EQ(std::memcmp(y.bytes(), like.bytes(), y.spec().bytes()), 0);
      expect_moved(y, x, [&](Integers index) {
        index.erase(index.begin(), index.end() - shape.rank());
        for (int axis = 0; axis < shape.rank(); ++axis) index[axis] = shape[axis] == 1 ? 0 : index[axis];
        return shape.rank() ? index : Integers{0};
      });
    }
  }
}

TEST(Broadcast, KeepsUnknownSizes) {
  EXPECT_EQ(infer("broadcast_to", {f32({-1, 1})}, {{"shape", Integers{-1, 4}}})[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(infer("broadcast_to", {f32({2, 1})}, {{"shape", Integers{-1, 4}}})[0].shape, (Shape{2, 4}));
  EXPECT_EQ(infer("broadcast_like", {f32({1, 4}), f32({-1, 4})})[0].shape, (Shape{-1, 4}));
}

TEST(Broadcast, ErrorsNameBothShapes) {
  const Tensor x = numbered(DType::F32, {2, 3});
  expect_message([&] { run("broadcast_to", {x}, {{"shape", Integers{3, 4}}}); }, {"float32(2, 3)", "(3, 4)"});
  expect_message([&] { run("broadcast_to", {x}, {{"shape", Integers{3}}}); }, {"float32(2, 3)", "(3,)"});
  expect_message([&] { run("broadcast_to", {x}, {{"shape", Integers{-1, 2, 3}}}); }, {"new axis 0"});
}

// ---- concat and split

TEST(Concat, EveryAxisAndSplitGivesThePartsBack) {
  for (DType dtype : kOneDTypePerSize) {
    for (int axis = 0; axis < 3; ++axis) {
      std::vector<Tensor> parts;
      Integers sizes;
      for (std::int64_t n : {2, 0, 1, 5}) {
        Shape shape{3, 4, 7};
        shape[axis] = n;
        parts.push_back(numbered(dtype, shape));
        sizes.push_back(n);
      }
      const Tensor whole = apply_all("concat", parts, {{"axis", axis}})[0];
      ASSERT_EQ(whole.shape()[axis], 8);
      expect_moved(run("slice", {whole}, {{"starts", Integers{0, 0, 0}}, {"stops", Integers{1, 1, 1}}}), parts[0],
                   [](const Integers& index) { return index; });
      const std::vector<Tensor> back = apply_all("split", std::vector{whole}, {{"axis", axis - 3}, {"sizes", sizes}});
      for (std::size_t i = 0; i < parts.size(); ++i) {
        ASSERT_EQ(back[i].spec(), parts[i].spec());
        EXPECT_EQ(std::memcmp(back[i].bytes(), parts[i].bytes(), parts[i].spec().bytes()), 0);
      }
    }
  }
}

TEST(Concat, LaysPartsSideBySide) {
  const Tensor a = numbered(DType::F32, {2, 2}), b = numbered(DType::F32, {2, 3});
  const Tensor y = run("concat", {a, b}, {{"axis", 1}});
  for (std::int64_t i = 0; i < 2; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      EXPECT_EQ(bits_at(y, i * 5 + j), j < 2 ? bits_at(a, i * 2 + j) : bits_at(b, i * 3 + j - 2));
}

TEST(Concat, KeepsUnknownSizes) {
  EXPECT_EQ(infer("concat", {f32({-1, 2}), f32({4, 3})}, {{"axis", 1}})[0].shape, (Shape{4, 5}));
  EXPECT_EQ(infer("concat", {f32({-1, 2}), f32({4, 2})}, {{"axis", 0}})[0].shape, (Shape{-1, 2}));
}

TEST(Concat, ErrorsNameTheInput) {
  const Tensor a = numbered(DType::F32, {2, 2}), b = numbered(DType::F32, {3, 2});
  expect_message(
      [&] {
        run("concat", {a, b}, {{"axis", 1}});
      },
      {"input 1", "float32(3, 2)", "float32(2, 2)", "axis 1"});
  expect_message([&] { run("concat", {a, numbered(DType::F64, {2, 2})}); }, {"float64(2, 2)"});
  expect_message(
      [&] {
        run("split", {a}, {{"axis", 0}, {"sizes", Integers{1, 2}}});
      },
      {"(1, 2)", "axis 0", "float32(2, 2)"});
}

// ---- slice

TEST(Slice, PythonsRulesOnOneAxis) {
  const Tensor x = numbered(DType::F32, {6});
  auto taken = [&](std::int64_t start, std::int64_t stop, std::int64_t stride) {
    const Tensor y =
        run("slice", {x}, {{"starts", Integers{start}}, {"stops", Integers{stop}}, {"strides", Integers{stride}}});
    Integers positions;
    for (std::int64_t i = 0; i < y.shape()[0]; ++i)
      for (std::int64_t k = 0; k < 6; ++k)
        if (bits_at(x, k) == bits_at(y, i)) positions.push_back(k);
    return positions;
  };
  EXPECT_EQ(taken(0, kEnd, 1), (Integers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(taken(1, 5, 2), (Integers{1, 3}));
  EXPECT_EQ(taken(1, 6, 2), (Integers{1, 3, 5}));
  EXPECT_EQ(taken(-2, kEnd, 1), (Integers{4, 5}));
  EXPECT_EQ(taken(-100, -4, 1), (Integers{0, 1}));
  EXPECT_EQ(taken(4, 2, 1), Integers{});
  EXPECT_EQ(taken(10, 20, 1), Integers{});
  EXPECT_EQ(taken(-1, kEnd, -1), (Integers{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(taken(100, 1, -2), (Integers{5, 3}));
  EXPECT_EQ(taken(2, -100, -1), (Integers{2, 1, 0}));
  EXPECT_EQ(taken(-1, -3, -1), (Integers{5, 4}));
}

TEST(Slice, SeveralAxes) {
  for (DType dtype : kOneDTypePerSize) {
    const Tensor x = numbered(dtype, {5, 6, 40});
    const Tensor y =
        run("slice", {x},
            {{"starts", Integers{1, -1, 3}}, {"stops", Integers{4, kEnd, 39}}, {"strides", Integers{2, -2, 1}}});
    EXPECT_EQ(y.shape(), (Shape{2, 3, 36}));
    expect_moved(y, x, [](const Integers& i) { return Integers{1 + 2 * i[0], 5 - 2 * i[1], 3 + i[2]}; });
    const Tensor z =
        run("slice", {x},
            {{"starts", Integers{0, 0, 1}}, {"stops", Integers{kEnd, kEnd, kEnd}}, {"strides", Integers{1, 1, 3}}});
    expect_moved(z, x, [](const Integers& i) { return Integers{i[0], i[1], 1 + 3 * i[2]}; });
  }
}

TEST(Slice, ShapesWithUnknownSizes) {
  const Attrs last_step{{"starts", Integers{0, -1, 0}}, {"stops", Integers{kEnd, kEnd, kEnd}}};
  EXPECT_EQ(infer("slice", {f32({-1, 7, 3})}, last_step)[0].shape, (Shape{-1, 1, 3}));
  EXPECT_EQ(infer("slice", {f32({-1, -1, 3})}, last_step)[0].shape, (Shape{-1, -1, 3}));
}

TEST(Slice, GradientLiesInZeros) {
  const Attrs attrs{{"starts", Integers{1, -1}}, {"stops", Integers{kEnd, kEnd}}, {"strides", Integers{2, -3}}};
  const Tensor x = numbered(DType::F32, {5, 8}), dy = numbered(DType::F32, {2, 3});
  const Tensor dx = run("slice_grad", {dy, x}, attrs);
  expect_moved(dx, dy, [](const Integers& i) {
    return i[0] % 2 == 1 && (7 - i[1]) % 3 == 0 ? Integers{i[0] / 2, (7 - i[1]) / 3} : Integers{};
  });
}

TEST(Slice, ErrorsNameTheAttribute) {
  const Tensor x = numbered(DType::F32, {2, 3});
  expect_message(
      [&] {
        run("slice", {x}, {{"starts", Integers{0}}, {"stops", Integers{1, 1}}});
      },
      {"'starts'", "(0,)", "2 axes"});
  expect_message(
      [&] {
        run("slice", {x}, {{"starts", Integers{0, 0}}, {"stops", Integers{1, 1}}, {"strides", Integers{1, 0}}});
      },
      {"(1, 0)", "stride"});
}

// ---- pad

std::int64_t mirrored(std::int64_t i, std::int64_t n, bool reflect) {
  if (i < 0) return reflect ? -i : -i - 1;
  if (i >= n) return reflect ? 2 * n - 2 - i : 2 * n - 1 - i;
  return i;
}

TEST(Pad, EveryModeOnSeveralAxes) {
  for (DType dtype : kOneDTypePerSize) {
    for (const Integers& low :
         {Integers{0, 0, 0}, Integers{2, 0, 0}, Integers{0, 1, 0}, Integers{0, 0, 3}, Integers{1, 2, 3}}) {
      const Integers high{low[0] ? 0 : 1, low[1] ? 2 : 0, low[2]};
      for (std::int64_t channels : {5, 70}) {
        const Tensor x = numbered(dtype, {4, 3, channels});
        for (const char* mode : {"constant", "reflect", "symmetric"}) {
          const Tensor y = run("pad", {x}, {{"low", low}, {"high", high}, {"mode", std::string(mode)}});
          expect_moved(y, x, [&](const Integers& index) {
            Integers from(3);
            for (int axis = 0; axis < 3; ++axis) {
              const std::int64_t i = index[axis] - low[axis], n = x.shape()[axis];
              if (mode == std::string("constant") && (i < 0 || i >= n)) return Integers{};
              from[axis] = mirrored(i, n, mode == std::string("reflect"));
            }
            return from;
          });
        }
      }
    }
  }
}

TEST(Pad, FillsWithTheValue) {
  const Tensor x = Tensor::from<float>(std::vector<float>{1, 2}, {2});
  const Tensor y = run("pad", {x}, {{"low", Integers{1}}, {"high", Integers{2}}, {"value", 7.5}});
  const std::vector<float> expected{7.5, 1, 2, 7.5, 7.5};
  EXPECT_EQ(std::memcmp(y.data<float>(), expected.data(), 20), 0);
  const Tensor none = run("pad", {Tensor::empty(DType::F32, {0, 2})},
                          {{"low", Integers{1, 0}}, {"high", Integers{0, 1}}, {"value", 3}});
  EXPECT_EQ(none.shape(), (Shape{1, 3}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(none.data<float>()[i], 3.0f);
}

TEST(Pad, AxesThatAreNotPaddedAreRowsOrParts) {
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3, 2, 2, 3}, Shape{2, 2, 65}}) {
    const Tensor x = numbered(DType::F32, shape);
    const Integers none(static_cast<std::size_t>(shape.rank()), 0);
    const Tensor same = run("pad", {x}, {{"low", none}, {"high", none}});
    EXPECT_EQ(std::memcmp(same.bytes(), x.bytes(), x.spec().bytes()), 0);
  }
  const Tensor x = numbered(DType::F32, {2, 3, 2, 4, 3});
  const Tensor y =
      run("pad", {x},
          {{"low", Integers{0, 1, 0, 2, 0}}, {"high", Integers{0, 0, 0, 1, 0}}, {"mode", std::string("reflect")}});
  expect_moved(y, x, [](const Integers& i) {
    return Integers{i[0], mirrored(i[1] - 1, 3, true), i[2], mirrored(i[3] - 2, 4, true), i[4]};
  });
}

TEST(Pad, ErrorsNameTheAxis) {
  const Tensor x = numbered(DType::F32, {2, 3});
  expect_message(
      [&] {
        run("pad", {x}, {{"low", Integers{0, -1}}, {"high", Integers{0, 0}}});
      },
      {"-1", "axis 1", "slice"});
  expect_message(
      [&] {
        run("pad", {x}, {{"low", Integers{2, 0}}, {"high", Integers{0, 0}}, {"mode", "reflect"}});
      },
      {"axis 0", "at most 1", "2"});
  expect_message(
      [&] {
        run("pad", {x}, {{"low", Integers{0, 0}}, {"high", Integers{0, 0}}, {"mode", "edge"}});
      },
      {"'edge'", "'reflect'"});
}

// ---- tile and flip

TEST(Tile, RepeatsEveryAxis) {
  for (DType dtype : kOneDTypePerSize)
    for (const Integers& repeats :
         {Integers{1, 1, 1}, Integers{2, 1, 3}, Integers{3, 2, 1}, Integers{1, 4, 1}, Integers{0, 1, 1}}) {
      const Tensor x = numbered(dtype, {2, 3, 5});
      const Tensor y = run("tile", {x}, {{"repeats", repeats}});
      ASSERT_EQ(y.shape(), (Shape{2 * repeats[0], 3 * repeats[1], 5 * repeats[2]}));
      expect_moved(y, x, [](const Integers& i) { return Integers{i[0] % 2, i[1] % 3, i[2] % 5}; });
    }
}

TEST(Flip, EverySetOfAxes) {
  for (DType dtype : kOneDTypePerSize)
    for (int set = 0; set < 8; ++set) {
      Integers axes;
      for (int axis = 0; axis < 3; ++axis)
        if (set >> axis & 1) axes.push_back(axis - 3);
      const Tensor x = numbered(dtype, {3, 4, 37});
      expect_moved(run("flip", {x}, {{"axes", axes}}), x, [&](const Integers& i) {
        return Integers{set & 1 ? 2 - i[0] : i[0], set & 2 ? 3 - i[1] : i[1], set & 4 ? 36 - i[2] : i[2]};
      });
    }
}

// ---- copy, constants

TEST(Copy, HasBytesOfItsOwn) {
  const Tensor x = numbered(DType::F32, {100, 1000});
  const Tensor y = run("copy", {x});
  EXPECT_NE(x.bytes(), y.bytes());
  EXPECT_EQ(std::memcmp(x.bytes(), y.bytes(), x.spec().bytes()), 0);
}

TEST(Bitcast, KeepsTheBytes) {
  const Tensor x = numbered(DType::F32, {3, 4});
  for (DType dtype : {DType::I32, DType::U8, DType::F64, DType::BF16}) {
    const Tensor y = apply("bitcast", {x}, {{"dtype", std::string(name_of(dtype))}});
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.shape(), (Shape{3, 16 / static_cast<std::int64_t>(size_of(dtype))}));
    EXPECT_EQ(std::memcmp(x.bytes(), y.bytes(), x.spec().bytes()), 0);
  }
  EXPECT_THROW(apply("bitcast", {numbered(DType::F32, {4, 3})}, {{"dtype", std::string("float64")}}), Error);
  EXPECT_THROW(apply("bitcast", {Tensor::scalar(DType::F32, 1)}, {{"dtype", std::string("int8")}}), Error);
  EXPECT_THROW(apply("bitcast", {x}, {{"dtype", std::string("bool")}}), Error);
}

TEST(Constants, FullLikeConvertsTheNumber) {
  const Tensor like = Tensor::empty(DType::F32, {3, 5});
  for (DType dtype :
       {DType::Bool, DType::U8, DType::I32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64}) {
    const Tensor y = run("full_like", {like}, {{"value", 1.0}, {"dtype", std::string(name_of(dtype))}});
    const Tensor one = Tensor::scalar(dtype, 1.0);
    ASSERT_EQ(y.spec(), (TensorSpec{dtype, {3, 5}}));
    for (std::int64_t i = 0; i < 15; ++i) EXPECT_EQ(bits_at(y, i), bits_at(one, 0));
  }
}

TEST(Constants, IotaCountsAlongTheAxis) {
  const Tensor like = Tensor::empty(DType::F32, {3, 5});
  const Tensor rows = run("iota_like", {like}, {{"axis", 0}, {"dtype", "int64"}});
  const Tensor columns = run("iota_like", {like}, {{"axis", -1}});
  for (std::int64_t i = 0; i < 15; ++i) {
    EXPECT_EQ(rows.data<std::int64_t>()[i], i / 5);
    EXPECT_EQ(columns.data<std::int32_t>()[i], i % 5);
  }
}

// ---- gradients

TEST(MovementGradients, AreThoseOfDifferences) {
  const Tensor x = reals({4, 5}, 1), cube = reals({2, 3, 4}, 2);
  check_gradient("reshape", {x}, {{"shape", Integers{2, 10}}});
  check_gradient("reshape_like", {x, reals({10, 2}, 3)});
  check_gradient("transpose", {cube}, {{"permutation", Integers{2, 0, 1}}});
  check_gradient("concat", {cube, reals({2, 1, 4}, 3), reals({2, 2, 4}, 4)}, {{"axis", 1}});
  check_gradient("split", {cube}, {{"axis", 2}, {"sizes", Integers{1, 0, 3}}});
  check_gradient("split_like", {cube, reals({2, 1, 4}, 3), reals({2, 2, 4}, 4)}, {{"axis", 1}});
  const Attrs slice{{"starts", Integers{-1, 1}}, {"stops", Integers{kEnd, 5}}, {"strides", Integers{-2, 2}}};
  check_gradient("slice", {x}, slice);
  check_gradient("slice_grad", {reals({2, 4}, 3), x}, {{"starts", Integers{1, 0}}, {"stops", Integers{3, 4}}});
  check_gradient("pad", {x}, {{"low", Integers{1, 2}}, {"high", Integers{0, 3}}});
  check_gradient("pad", {x}, {{"low", Integers{3, 2}}, {"high", Integers{1, 4}}, {"mode", "reflect"}});
  check_gradient("pad", {x}, {{"low", Integers{4, 0}}, {"high", Integers{2, 5}}, {"mode", "symmetric"}});
  check_gradient("tile", {cube}, {{"repeats", Integers{2, 1, 3}}});
  check_gradient("broadcast_to", {reals({2, 1}, 3)}, {{"shape", Integers{3, 2, 5}}});
  check_gradient("broadcast_like", {reals({4, 1}, 3), x});
  check_gradient("flip", {x}, {{"axes", Integers{1}}});
  check_gradient("copy", {x});
  check_gradient("optimization_barrier", {x});
}

TEST(MovementGradients, StopGradientStops) {
  const Tensor x = numbered(DType::F32, {3});
  Tape tape;
  tape.watch(x);
  tape.start();
  const Tensor y = run("stop_gradient", {x});
  tape.stop();
  EXPECT_EQ(y.bytes(), x.bytes());
  EXPECT_FALSE(gradient(tape.records(), std::vector{y}, std::vector{x}, std::vector{x})[0]);
}

// ---- kernels

TEST(MovementKernels, WriteNothingAroundTheirOutput) {
  for (std::int64_t rows : {1, 16, 17, 40})
    for (std::int64_t columns : {1, 3, 16, 33}) {
      constexpr std::size_t kGuard = 64;
      const Tensor x = numbered(DType::F32, {rows, columns});
      std::vector<std::uint8_t> out(rows * columns * 4 + 2 * kGuard, 0xAB);
      StridedCopy copy;
      copy.add_axis(columns, 4, rows * 4);
      copy.add_axis(rows, columns * 4, 4);
      movement_kernels().strided_copy(simplify(copy), x.bytes(), out.data() + kGuard);
      for (std::size_t i = 0; i < kGuard; ++i) ASSERT_TRUE(out[i] == 0xAB && out[out.size() - 1 - i] == 0xAB);
    }
}

TEST(MovementKernels, SimplifyMergesAxesAndNamesTheKind) {
  StridedCopy whole;
  whole.add_axis(3, 20, 20);
  whole.add_axis(5, 4, 4);
  const StridedCopy run_of_15 = simplify(whole);
  EXPECT_EQ(run_of_15.kind, CopyKind::Runs);
  EXPECT_EQ(run_of_15.size[0], 1);
  EXPECT_EQ(run_of_15.size[1], 15);

  StridedCopy pairs;  // [7, 9, 2] -> [9, 7, 2]: a transpose of 8-byte elements
  pairs.add_axis(9, 8, 56);
  pairs.add_axis(7, 72, 8);
  pairs.add_axis(2, 4, 4);
  EXPECT_EQ(simplify(pairs).kind, CopyKind::Transpose);
  EXPECT_EQ(simplify(pairs).element, 8);
}

TEST(MovementKernels, SameBytesForAnyNumberOfThreads) {
  const Tensor x = numbered(DType::F32, {257, 1030});
  const int threads = num_threads();
  std::vector<Tensor> results;
  for (int n : {1, 2, 3}) {
    set_num_threads(n);
    results.push_back(run("transpose", {x}));
  }
  set_num_threads(threads);
  for (const Tensor& y : results) EXPECT_EQ(std::memcmp(y.bytes(), results[0].bytes(), y.spec().bytes()), 0);
}

}  // namespace
}  // namespace dlcore
