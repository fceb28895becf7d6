#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "base/parallel.h"
#include "conv_shapes.h"
#include "dlcore/ops.h"
#include "gradient_check.h"
#include "kernels/conv/conv_ref.h"
#include "kernels/conv/taps.h"
#include "kernels/float16.h"
#include "kernels/gemm/amx.h"
#include "program/graph.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::out_size;
using testing::Padding;
using testing::text_of;

struct NamedShape {
  const char* name;
  std::int64_t n, h, w, cin, cout, kernel, stride, dilation, groups;
  bool same;
};
constexpr NamedShape kNamedShapes[] = {
#include "../shapes/conv.txt"
};

Padding same_padding(std::int64_t in, std::int64_t k, std::int64_t stride, std::int64_t dilation) {
  const std::int64_t total =
      std::max<std::int64_t>(0, ((in + stride - 1) / stride - 1) * stride + (k - 1) * dilation + 1 - in);
  return {total / 2, total - total / 2};
}

ConvShape shape_of(const NamedShape& s) {
  const Padding h = s.same ? same_padding(s.h, s.kernel, s.stride, s.dilation) : Padding{0, 0};
  const Padding w = s.same ? same_padding(s.w, s.kernel, s.stride, s.dilation) : Padding{0, 0};
  return {s.n,
          s.h,
          s.w,
          s.cin,
          out_size(s.h, s.kernel, s.stride, s.dilation, h),
          out_size(s.w, s.kernel, s.stride, s.dilation, w),
          s.cout,
          s.kernel,
          s.kernel,
          s.stride,
          s.stride,
          s.dilation,
          s.dilation,
          h.low,
          w.low,
          s.groups};
}

/// Numbers between guards that must stay as they are.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::int64_t size) : numbers_(static_cast<std::size_t>(size) + 2 * kGuard, kMark) {
    std::fill(begin(), end(), std::numeric_limits<T>::quiet_NaN());
  }
  T* begin() { return numbers_.data() + kGuard; }
  T* end() { return numbers_.data() + numbers_.size() - kGuard; }
  bool guards_intact() const {
    for (int i = 0; i < kGuard; ++i)
      if (numbers_[i] != kMark || numbers_[numbers_.size() - 1 - i] != kMark) return false;
    return true;
  }

 private:
  static constexpr int kGuard = 64;
  static constexpr T kMark = T(12345);
  std::vector<T> numbers_;
};

/// Scratch with exactly the promised bytes, then a guard.
class GuardedScratch {
 public:
  explicit GuardedScratch(std::size_t bytes)
      : bytes_(bytes),
        storage_(bytes + 192, std::byte{0x5a}),
        at_(reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(storage_.data()) + 63) / 64 * 64)) {}
  void* get() { return at_; }
  bool guard_intact() const {
    for (int i = 0; i < 64; ++i)
      if (at_[bytes_ + i] != std::byte{0x5a}) return false;
    return true;
  }

 private:
  std::size_t bytes_;
  std::vector<std::byte> storage_;
  std::byte* at_;
};

struct Sizes {
  std::int64_t x, y, w;
};
Sizes sizes_of(const ConvShape& s) {
  return {s.n * s.h * s.w * s.cin, s.n * s.oh * s.ow * s.cout, s.kh * s.kw * s.cin_per_group() * s.cout};
}

template <class T>
struct Data {
  std::vector<T> x, w, dy, bias;
};

template <class T>
Data<T> integers(const ConvShape& s) {
  std::mt19937 random(7);
  auto draw = [&](std::int64_t n) {
    std::vector<T> numbers(static_cast<std::size_t>(n));
    for (T& number : numbers) number = static_cast<T>(static_cast<int>(random() % 7) - 3);
    return numbers;
  };
  const Sizes n = sizes_of(s);
  return {draw(n.x), draw(n.w), draw(n.y), draw(s.cout)};
}

template <class T>
Data<T> reals(const ConvShape& s) {
  std::mt19937 random(11);
  std::uniform_real_distribution<T> uniform(-1, 1);
  auto draw = [&](std::int64_t n) {
    std::vector<T> numbers(static_cast<std::size_t>(n));
    for (T& number : numbers) number = uniform(random);
    return numbers;
  };
  const Sizes n = sizes_of(s);
  return {draw(n.x), draw(n.w), draw(n.y), draw(s.cout)};
}

template <class T>
struct Results {
  std::vector<T> y, dx, dw;
};

template <class T, class Conv, class Run>
std::vector<T> run_guarded(const Conv& conv, std::int64_t size, const Run& run) {
  Guarded<T> out(size);
  GuardedScratch scratch(conv.scratch_bytes());
  run(out.begin(), scratch.get());
  EXPECT_TRUE(out.guards_intact()) << "wrote beside its output";
  EXPECT_TRUE(scratch.guard_intact()) << "wrote beyond its scratch";
  return {out.begin(), out.end()};
}

template <class T>
Results<T> compute(const ConvShape& s, const Data<T>& data, Activation activation) {
  const Sizes n = sizes_of(s);
  const ConvForward<T> forward(s);
  const ConvBackwardInput<T> backward_input(s);
  const ConvBackwardWeights<T> backward_weights(s);
  return {run_guarded<T>(forward, n.y,
                         [&](T* y, void* scratch) {
                           forward.run(data.x.data(), data.w.data(), data.bias.data(), activation, y, scratch);
                         }),
          run_guarded<T>(backward_input, n.x,
                         [&](T* dx, void* scratch) { backward_input.run(data.dy.data(), data.w.data(), dx, scratch); }),
          run_guarded<T>(backward_weights, n.w, [&](T* dw, void* scratch) {
            backward_weights.run(data.x.data(), data.dy.data(), dw, scratch);
          })};
}

double activated(Activation activation, double y) {
  switch (activation) {
    case Activation::Relu:
      return std::max(y, 0.0);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-y));
    case Activation::Tanh:
      return std::tanh(y);
    default:
      return y;
  }
}

template <class T>
Results<double> expected(const ConvShape& s, const Data<T>& data, Activation activation) {
  const Sizes n = sizes_of(s);
  Results<double> results{std::vector<double>(n.y), std::vector<double>(n.x), std::vector<double>(n.w)};
  conv_forward_ref(s, data.x.data(), data.w.data(), results.y.data());
  for (std::size_t i = 0; i < results.y.size(); ++i)
    results.y[i] = activated(activation, results.y[i] + data.bias[i % static_cast<std::size_t>(s.cout)]);
  conv_backward_input_ref(s, data.dy.data(), data.w.data(), results.dx.data());
  conv_backward_weights_ref(s, data.x.data(), data.dy.data(), results.dw.data());
  return results;
}

template <class T>
void expect_near(const std::vector<T>& actual, const std::vector<double>& wanted, double bound, const char* what) {
  ASSERT_EQ(actual.size(), wanted.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_LE(std::abs(static_cast<double>(actual[i]) - wanted[i]), bound)
        << what << '[' << i << "] is " << actual[i] << ", not " << wanted[i];
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void check_exact(const ConvShape& s) {
  SCOPED_TRACE(text_of(s));
  const Data<T> data = integers<T>(s);
  for (Activation activation : {Activation::None, Activation::Relu}) {
    const Results<T> actual = compute<T>(s, data, activation);
    const Results<double> wanted = expected(s, data, activation);
    expect_near(actual.y, wanted.y, 0, "y");
    expect_near(actual.dx, wanted.dx, 0, "dx");
    expect_near(actual.dw, wanted.dw, 0, "dw");
  }
}

// A sum of k products of numbers in [-1, 1], in any order, is off by at most about k * eps * k.
template <class T>
void check_rounding(const ConvShape& s) {
  SCOPED_TRACE(text_of(s));
  const Data<T> data = reals<T>(s);
  const Activation activation = Activation::None;
  const Results<T> actual = compute<T>(s, data, activation);
  const Results<double> wanted = expected(s, data, activation);
  const double eps = std::numeric_limits<T>::epsilon();
  const auto bound = [&](std::int64_t k) { return eps * static_cast<double>((k + 1) * (k + 1)); };
  expect_near(actual.y, wanted.y, bound(s.kh * s.kw * s.cin_per_group()), "y");
  expect_near(actual.dx, wanted.dx, bound(s.kh * s.kw * s.cout_per_group()), "dx");
  expect_near(actual.dw, wanted.dw, bound(s.n * s.oh * s.ow), "dw");
}

/// Every combination that is a convolution: kernels, strides, dilations, pads.
std::vector<ConvShape> geometries() {
  std::vector<ConvShape> shapes;
  for (std::int64_t kernel : {1, 2, 3, 5})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t dilation : {1, 2})
        for (Padding pad : {Padding{0, 0}, {1, 1}, {0, 1}, {2, 3}, {4, 0}, {-1, 0}, {0, -2}}) {
          ConvShape s{2,
                      9,
                      8,
                      3,
                      0,
                      0,
                      5,
                      kernel,
                      std::max<std::int64_t>(1, kernel - 1),
                      stride,
                      stride % 3 + 1,
                      dilation,
                      1,
                      pad.low,
                      pad.high,
                      1};
          s.oh = out_size(s.h, s.kh, s.stride_h, s.dilation_h, pad);
          s.ow = out_size(s.w, s.kw, s.stride_w, s.dilation_w, {pad.high, pad.low});
          if ((kernel - 1) * dilation < s.h + pad.low + pad.high && s.oh > 0 && s.ow > 0) shapes.push_back(s);
        }
  return shapes;
}

TEST(Conv, GeometriesAreExact) {
  for (const ConvShape& s : geometries()) {
    check_exact<float>(s);
    check_exact<double>(s);
    ConvShape one_channel = s;
    one_channel.cin = 1, one_channel.cout = 24;
    check_exact<float>(one_channel);
  }
}

TEST(Conv, ChannelTailsAreExact) {
  for (std::int64_t cin : {1, 2, 7, 8, 9, 16, 33})
    for (std::int64_t cout : {1, 3, 8, 15, 16, 17, 31, 33, 47, 48, 64, 65, 130}) {
      check_exact<float>({2, 5, 6, cin, 3, 4, cout, 3, 3});
      check_exact<double>({1, 5, 4, cin, 5, 4, cout, 3, 3, 1, 1, 1, 1, 1, 1});
    }
}

TEST(Conv, PixelTailsAreExact) {
  for (std::int64_t pixels : {1, 2, 5, 6, 7, 11, 12, 13, 14, 15, 24, 25, 27, 191, 192, 193, 400})
    for (std::int64_t cout : {16, 32, 48, 64}) check_exact<float>({1, 1, pixels, 4, 1, pixels, cout, 1, 1});
  // Padding above or beside that the other side gives back: every filter reads the pixel before.
  check_exact<float>({2, 5, 4, 3, 5, 4, 6, 1, 1, 1, 1, 1, 1, 1, 0});
  check_exact<double>({2, 5, 4, 3, 5, 4, 6, 1, 1, 1, 1, 1, 1, 0, 1});
}

// Pixels of a row as channels, where a row is of whole blocks and where it is not.
TEST(Conv, BlocksOfPixelsAreExact) {
  for (std::int64_t cin : {1, 2, 3})
    for (std::int64_t cout : {1, 2, 3, 5, 6, 8, 12})
      for (std::int64_t kernel : {2, 3, 7})
        for (std::int64_t width : {32, 37}) {
          ConvShape s{2, 20, width, cin, 20, width, cout, kernel, kernel, 1, 1, 1, 1, kernel / 2, kernel / 2};
          check_exact<float>(s);
          s.oh = out_size(20, kernel, 2, 1, {1, 1}), s.ow = width - kernel + 1;
          s.stride_h = 2, s.pad_top = 1, s.pad_left = 0, s.n = 5;
          check_exact<float>(s);
          if (cin < 3) check_exact<double>(s);
        }
  for (std::int64_t width : {1024, 1500}) {
    const std::int64_t taps = 40;
    check_exact<float>({1, 1, width, 1, 1, width, 1, 1, taps, 1, 1, 1, 1, 0, taps / 2});
    check_exact<float>({1, 1, width, 1, 1, width - taps + 1, 3, 1, taps, 1, 1, 1, 1, 0, 0});
    // Rows of taps that lie apart; filters that begin inside of the image.
    check_exact<float>({2, 9, width, 1, 5, width - taps + 1, 2, 3, taps, 1, 1, 2, 1, 0, 0});
    check_exact<float>({1, 1, width, 1, 1, width - 3, 1, 1, 3, 1, 1, 1, 1, 0, -1});
    // And beyond the padding that a turned filter could have.
    check_exact<float>({1, 1, width, 1, 1, width + 12, 1, 1, 5, 1, 1, 1, 1, 0, 8});
  }
}

TEST(Conv, GroupsAreExact) {
  for (std::int64_t groups : {2, 3})
    for (std::int64_t cin : {1, 2, 9})
      for (std::int64_t cout : {1, 2, 17, 70}) {
        ConvShape s{2, 6, 7, cin * groups, 3, 4, cout * groups, 3, 3, 2, 2, 1, 1, 1, 1, groups};
        check_exact<float>(s);
        check_exact<double>(s);
      }
}

TEST(Conv, DepthwiseIsExact) {
  for (std::int64_t channels : {2, 7, 8, 16, 17, 32, 33, 40})
    for (std::int64_t multiplier : {1, 2, 3})
      for (std::int64_t stride : {1, 2}) {
        const std::int64_t oh = out_size(9, 3, stride, 1, {1, 1}), ow = out_size(11, 3, stride, 2, {2, 2});
        ConvShape s{2, 9, 11, channels, oh, ow, channels * multiplier, 3, 3, stride, stride, 1, 2, 1, 2, channels};
        check_exact<float>(s);
        check_exact<double>(s);
      }
}

// Groups of a part of a vector's channels, in whole vectors and not.
TEST(Conv, NarrowGroupsAreExact) {
  for (std::int64_t group : {2, 3, 4, 8, 16})
    for (std::int64_t channels : {48, 64, 80})
      for (std::int64_t taps : {1, 2, 3, 5})
        for (std::int64_t stride : {1, 2}) {
          if (channels % group != 0) continue;
          const std::int64_t oh = out_size(7, taps, stride, 1, {1, 2}), ow = out_size(11, taps, stride, 2, {2, 2});
          check_exact<float>(
              {2, 7, 11, channels, oh, ow, channels, taps, taps, stride, stride, 1, 2, 1, 2, channels / group});
        }
  check_exact<double>({2, 7, 9, 32, 7, 9, 32, 3, 3, 1, 1, 1, 1, 1, 1, 8});
}

TEST(Conv, DepthwiseTapsAndBordersAreExact) {
  for (std::int64_t taps : {1, 2, 3, 5})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t dilation : {1, 2})
        for (std::int64_t width : {1, 4, 9, 21})
          for (std::int64_t pad : {0, 1, 4}) {
            const std::int64_t height = 7, oh = out_size(height, taps, stride, dilation, {pad, pad}),
                               ow = out_size(width, taps, stride, dilation, {pad, 1});
            if (oh < 1 || ow < 1) continue;
            check_exact<float>(
                {2, height, width, 9, oh, ow, 9, taps, taps, stride, stride, dilation, dilation, pad, pad, 9});
          }
}

TEST(Conv, NamedShapesAreExact) {
  for (const NamedShape& named : kNamedShapes) {
    NamedShape small = named;
    small.n = std::min<std::int64_t>(named.n, 3);
    if (shape_of(small).flops() > 1e7)
      small.n = 1, small.h = std::min<std::int64_t>(16, small.h), small.w = std::min<std::int64_t>(15, small.w);
    if (shape_of(small).flops() > 1e7) small.cin = small.cout = 72;
    SCOPED_TRACE(named.name);
    check_exact<float>(shape_of(small));
  }
}

TEST(Conv, ManyImagesAreSummedExactly) { check_exact<float>({300, 4, 4, 2, 3, 3, 16, 2, 2}); }

TEST(Conv, EmptyBatchGivesZeroWeightGradient) {
  const ConvShape s{0, 4, 4, 2, 3, 3, 5, 2, 2};
  const Results<float> results = compute<float>(s, integers<float>(s), Activation::Relu);
  EXPECT_EQ(results.y.size(), 0u);
  EXPECT_EQ(results.dw, std::vector<float>(2 * 2 * 2 * 5, 0.0f));
}

TEST(Conv, RandomRealsStayWithinTheRoundingBound) {
  check_rounding<float>({3, 13, 13, 32, 11, 11, 64, 3, 3});
  check_rounding<float>({2, 12, 10, 64, 12, 10, 40, 3, 3, 1, 1, 1, 1, 1, 1});
  check_rounding<double>({3, 9, 9, 20, 4, 4, 24, 3, 3, 2, 2});
}

TEST(Conv, ActivationsFollowTheSum) {
  for (Activation activation : {Activation::Sigmoid, Activation::Tanh})
    for (std::int64_t cout : {5, 32, 40}) {
      const ConvShape s{2, 6, 6, 3, 4, 4, cout, 3, 3};
      Data<float> data = reals<float>(s);
      for (float& w : data.w) w *= 0.125f;  // off the flat ends
      const std::vector<float> y = compute<float>(s, data, activation).y;
      const double k = 27, eps = std::numeric_limits<float>::epsilon();
      expect_near(y, expected(s, data, activation).y, (k + 1) * (k + 1) * eps / 8 + 4 * eps, "y");
    }
}

TEST(Conv, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = num_threads();
  for (const ConvShape& s :
       {ConvShape{16, 13, 13, 32, 11, 11, 64, 3, 3}, ConvShape{16, 20, 20, 1, 20, 20, 32, 3, 3, 1, 1, 1, 1, 1, 1},
        ConvShape{16, 20, 30, 2, 20, 30, 3, 5, 5, 1, 1, 1, 1, 2, 2},
        ConvShape{4, 28, 28, 64, 28, 28, 64, 3, 3, 1, 1, 1, 1, 1, 1, 64},
        ConvShape{4, 28, 28, 64, 28, 28, 64, 3, 3, 1, 1, 1, 1, 1, 1, 16}}) {
    SCOPED_TRACE(text_of(s));
    const Data<float> data = reals<float>(s);
    set_num_threads(1);
    const Results<float> one = compute<float>(s, data, Activation::Relu);
    for (int threads : {2, 3}) {
      set_num_threads(threads);
      const Results<float> many = compute<float>(s, data, Activation::Relu);
      EXPECT_TRUE(same_bits(one.y, many.y) && same_bits(one.dx, many.dx) && same_bits(one.dw, many.dw))
          << threads << " threads";
    }
  }
  set_num_threads(before);
}

TEST(Conv, NanPassesThroughRelu) {
  const ConvShape s{1, 2, 2, 1, 2, 2, 1, 1, 1};
  const float x[] = {1, NAN, -1, 2}, w[] = {1};
  float y[4];
  const ConvForward<float> forward(s);
  GuardedScratch scratch(forward.scratch_bytes());
  forward.run(x, w, nullptr, Activation::Relu, y, scratch.get());
  EXPECT_EQ(y[0], 1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], 0);
}

TEST(ConvTaps, BordersAreClassesOfTheirOwn) {
  const std::vector<TapClass> classes = forward_taps({5, 5, 3, 1, 1, 1});
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[0].taps, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(classes[0].targets, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(classes[1].targets, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(classes[1].sources, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(classes[2].taps, (std::vector<std::int64_t>{0, 1}));
}

TEST(ConvTaps, EachResidueOfTheStrideIsAClassOfTheGradient) {
  const std::vector<TapClass> classes = backward_taps({5, 3, 2, 2, 1, 1});  // in = 2 * out + tap - 1
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[0].taps, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(classes[0].targets, (std::vector<std::int64_t>{0, 2, 4}));
  EXPECT_EQ(classes[0].sources, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(classes[1].taps, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(classes[1].sources, (std::vector<std::int64_t>{1, 2}));
}

TEST(ConvTaps, ValidOutputsAgreeWithTheDefinition) {
  for (std::int64_t stride : {1, 2, 3})
    for (std::int64_t dilation : {1, 2})
      for (std::int64_t pad : {-2, 0, 1, 5})
        for (std::int64_t tap = 0; tap < 3; ++tap) {
          const ConvAxis axis{7, 6, 3, stride, dilation, pad};
          const TapRange range = valid_outputs(axis, tap);
          for (std::int64_t out = 0; out < axis.out; ++out) {
            const std::int64_t in = out * stride + tap * dilation - pad;
            EXPECT_EQ(range.first <= out && out < range.last, 0 <= in && in < axis.in);
          }
        }
}

// --------------------------------------------------------------------------------------------------------- primitives

using Integers = std::vector<std::int64_t>;
using testing::check_gradient;
using testing::error_text;

Tensor doubles(const Shape& shape, unsigned seed) {
  return Tensor::from<double>(testing::random_reals<double>(shape.elements(), seed), shape);
}

Attrs attrs_of(Integers strides, Integers dilation, const char* padding, std::int64_t groups = 1, Integers pads = {}) {
  Attrs attrs{{"strides", strides}, {"dilation", dilation}, {"padding", std::string(padding)}, {"groups", groups}};
  if (!pads.empty()) attrs.set("pads", pads);
  return attrs;
}

struct GradientCase {
  Shape x, w;
  Attrs attrs;
};

std::vector<GradientCase> gradient_cases() {
  return {{{2, 5, 4, 3}, {3, 2, 3, 4}, attrs_of({1, 1}, {1, 1}, "valid")},
          {{1, 6, 5, 2}, {3, 3, 2, 3}, attrs_of({2, 1}, {1, 2}, "same")},
          {{1, 5, 5, 4}, {2, 2, 2, 6}, attrs_of({2, 2}, {1, 1}, "explicit", 2, {1, 0, 2, 1})},
          {{1, 6, 6, 3}, {3, 3, 1, 6}, attrs_of({1, 1}, {1, 1}, "same", 3)}};
}

TEST(ConvGradient, AgreesWithDifferences) {
  for (const GradientCase& c : gradient_cases()) {
    check_gradient("conv2d", {doubles(c.x, 1), doubles(c.w, 2)}, c.attrs);
    check_gradient("conv2d", {doubles(c.x, 1), doubles(c.w, 2), doubles({c.w[3]}, 3)}, c.attrs);
  }
}

TEST(ConvGradient, GradientsHaveGradients) {
  for (const GradientCase& c : gradient_cases()) {
    const Tensor x = doubles(c.x, 1), w = doubles(c.w, 2), y = apply("conv2d", {x, w}, c.attrs);
    const Tensor like_x = Tensor::zeros(DType::F64, c.x), like_w = Tensor::zeros(DType::F64, c.w);
    check_gradient("conv2d_backward_input", {doubles(y.shape(), 3), w, like_x}, c.attrs);
    check_gradient("conv2d_backward_weights", {x, doubles(y.shape(), 3), like_w}, c.attrs);
  }
}

TEST(ConvGradient, GoesThroughTheActivation) {
  for (const char* activation : {"relu", "sigmoid", "tanh", "gelu", "silu"}) {
    Attrs attrs = attrs_of({1, 1}, {1, 1}, "valid");
    attrs.set("activation", std::string(activation));
    check_gradient("conv2d", {doubles({1, 4, 4, 2}, 1), doubles({2, 2, 2, 3}, 2), doubles({3}, 3)}, attrs, 99, 1e-6);
  }
}

TEST(ConvTranspose, FollowsKeras) {
  struct Case {
    std::vector<double> w;
    std::int64_t stride, dilation;
    const char* padding;
    Integers added;
    std::vector<double> y;
  };
  // keras.ops.conv_transpose of [1, 2, 3].
  const Case cases[] = {
      {{1}, 3, 1, "valid", {}, {1, 0, 0, 2, 0, 0, 3, 0, 0}},
      {{1, 2}, 1, 1, "same", {}, {1, 4, 7}},
      {{1, 2}, 1, 2, "same", {}, {2, 5, 4}},
      {{1, 2}, 2, 1, "same", {0, 0}, {2, 2, 4, 3}},
      {{1, 2}, 2, 1, "same", {0, 1}, {1, 2, 2, 4, 3}},
      {{1, 2, 3}, 2, 1, "valid", {}, {1, 2, 5, 4, 9, 6, 9}},
      {{1, 2, 3}, 2, 1, "valid", {0, 1}, {1, 2, 5, 4, 9, 6, 9, 0}},
      {{1, 2, 3}, 2, 1, "same", {}, {1, 2, 5, 4, 9, 6}},
      {{1, 2, 3}, 2, 1, "same", {0, 0}, {2, 5, 4, 9, 6}},
      {{1, 2, 3}, 1, 2, "valid", {}, {1, 2, 5, 4, 9, 6, 9}},
      {{1, 2, 3, 4}, 3, 1, "same", {}, {1, 2, 3, 6, 4, 6, 11, 6, 9}},
      {{1, 2, 3, 4}, 3, 1, "same", {0, 1}, {2, 3, 6, 4, 6, 11, 6}},
  };
  const Tensor x = Tensor::from<double>(std::vector<double>{1, 2, 3}, {1, 1, 3, 1});
  for (const Case& c : cases) {
    Attrs attrs = attrs_of({1, c.stride}, {1, c.dilation}, c.padding);
    if (!c.added.empty()) attrs.set("output_padding", c.added);
    const Tensor w = Tensor::from<double>(c.w, {1, static_cast<std::int64_t>(c.w.size()), 1, 1});
    const Tensor y = apply("conv2d_transpose", {x, w}, attrs);
    EXPECT_EQ(std::vector<double>(y.data<double>(), y.data<double>() + y.shape().elements()), c.y)
        << c.w.size() << " taps, stride " << c.stride << ", " << c.padding;
    check_gradient("conv2d_transpose", {doubles({2, 2, 3, 1}, 4), doubles(w.shape(), 5)}, attrs);
  }
}

TEST(ConvPrimitive, HalfPrecisionIsRoundedFloat) {
  const Shape x_shape{2, 5, 5, 3}, w_shape{3, 3, 3, 4};
  const Tensor x = Tensor::from<float>(testing::random_reals<float>(x_shape.elements(), 1), x_shape);
  const Tensor w = Tensor::from<float>(testing::random_reals<float>(w_shape.elements(), 2), w_shape);
  for (DType dtype : {DType::F16, DType::BF16}) {
    const Tensor x16 = ops::cast(x, dtype), w16 = ops::cast(w, dtype), y16 = apply("conv2d", {x16, w16});
    const Tensor x32 = ops::cast(x16, DType::F32), w32 = ops::cast(w16, DType::F32), y32 = apply("conv2d", {x32, w32});
    const Tensor dx16 = apply("conv2d_backward_input", {y16, w16, x16});
    const Tensor dx32 = apply("conv2d_backward_input", {ops::cast(y16, DType::F32), w32, x32});
    EXPECT_EQ(std::memcmp(y16.bytes(), ops::cast(y32, dtype).bytes(), y16.spec().bytes()), 0);
    EXPECT_EQ(std::memcmp(dx16.bytes(), ops::cast(dx32, dtype).bytes(), dx16.spec().bytes()), 0);
  }
}

TEST(ConvPrimitive, WinogradOfBfloatIsRoundedFloat) {
  if (amx_kernels()) GTEST_SKIP() << "a matrix unit convolves bfloat16 otherwise";
  const auto reals = [](const Shape& shape, unsigned seed) {
    return ops::cast(Tensor::from<float>(testing::random_reals<float>(shape.elements(), seed), shape), DType::BF16);
  };
  const auto expect_rounded = [](const char* op, const std::vector<Tensor>& in, const Attrs& attrs) {
    std::vector<Tensor> wide;
    for (const Tensor& x : in) wide.push_back(ops::cast(x, DType::F32));
    const Tensor got = apply_all(op, in, attrs)[0];
    const Tensor expected = ops::cast(apply_all(op, wide, attrs)[0], DType::BF16);
    EXPECT_EQ(std::memcmp(got.bytes(), expected.bytes(), got.spec().bytes()), 0) << op << ' ' << got.spec();
  };
  const Attrs same{{"padding", std::string("same")}};
  for (const auto& [size, cin, cout, filter] :
       {std::tuple{16, 64, 64, 3}, {13, 45, 83, 3}, {12, 96, 96, 3}, {13, 16, 24, 3}, {16, 64, 64, 5}}) {
    const Shape image{2, size, size, cin};
    const Tensor x = reals(image, 1), w = reals({filter, filter, cin, cout}, 2), b = reals({cout}, 3);
    const Tensor dy = reals({2, size, size, cout}, 4);
    for (const char* activation : {"", "relu", "tanh"}) {
      Attrs attrs = same;
      attrs.set("activation", std::string(activation));
      expect_rounded("conv2d", {x, w, b}, attrs);
    }
    expect_rounded("conv2d_backward_input", {dy, w, x}, same);
    expect_rounded("conv2d_backward_weights", {x, dy, w}, same);
    expect_rounded("conv2d_transpose", {dy, w}, same);
  }
  for (const auto& [cin, cout] : {std::pair{64, 64}, {45, 83}}) {
    const TensorSpec x{DType::BF16, {2, 16, 16, cin}}, w{DType::BF16, {3, 3, cin, cout}};
    const TensorSpec dy{DType::BF16, {2, 16, 16, cout}};
    const std::string end = "_winograd_bf16_" + std::string(name_of(isa()));
    const auto label = [&](const char* op, const std::vector<TensorSpec>& in, const TensorSpec& out) {
      return primitive(op).plan(in, std::vector{out}, same).label;
    };
    EXPECT_EQ(label("conv2d", {x, w}, dy), "conv2d" + end);
    EXPECT_EQ(label("conv2d_backward_input", {dy, w, x}, x), "conv2d_backward_input" + end);
    EXPECT_EQ(label("conv2d_backward_weights", {x, dy, w}, w), "conv2d_backward_weights" + end);
  }
}

// Winograd's algorithm would round; of few gradients each product is summed for itself.
TEST(ConvPrimitive, GradientsOfNearlyAllZerosAreExact) {
  const ConvShape s{4, 1, 200, 32, 1, 200, 48, 1, 5, 1, 1, 1, 1, 0, 2, 1};
  const std::vector<float> x = testing::small_integers<float>(s.n * s.w * s.cin, 1),
                           w = testing::small_integers<float>(s.kw * s.cin * s.cout, 2);
  std::vector<float> dy = testing::small_integers<float>(s.n * s.ow * s.cout, 3);
  for (std::size_t i = 0; i < dy.size(); ++i)
    if (i % 100 != 7) dy[i] = 0;
  std::vector<double> dx(x.size()), dw(w.size());
  conv_backward_input_ref(s, dy.data(), w.data(), dx.data());
  conv_backward_weights_ref(s, x.data(), dy.data(), dw.data());
  const Attrs same{{"padding", std::string("same")}};
  const Tensor images = Tensor::from<float>(x, {s.n, 1, s.w, s.cin}),
               filters = Tensor::from<float>(w, {1, s.kw, s.cin, s.cout}),
               gradient = Tensor::from<float>(dy, {s.n, 1, s.ow, s.cout});
  const auto expect_equal = [](const Tensor& got, const std::vector<double>& wanted) {
    EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), got.data<float>()));
  };
  expect_equal(apply("conv2d_backward_input", {gradient, filters, images}, same), dx);
  expect_equal(apply("conv2d_backward_weights", {images, gradient, filters}, same), dw);
}

// Sums are small enough to be exact in bfloat16, whatever computes them.
TEST(ConvPrimitive, OneTapOfBfloatIsExact) {
  const auto integers = [](const Shape& shape, unsigned seed) {
    std::vector<float> numbers = testing::random_reals<float>(shape.elements(), seed);
    for (float& x : numbers) x = std::round(2 * x);
    return ops::cast(Tensor::from<float>(numbers, shape), DType::BF16);
  };
  const auto expect_equal = [](const char* op, const std::vector<Tensor>& in, const Attrs& attrs = {}) {
    std::vector<Tensor> wide;
    for (const Tensor& x : in) wide.push_back(ops::cast(x, DType::F64));
    const Tensor got = ops::cast(apply_all(op, in, attrs)[0], DType::F64), expected = apply_all(op, wide, attrs)[0];
    EXPECT_EQ(std::memcmp(got.bytes(), expected.bytes(), got.spec().bytes()), 0) << op << ' ' << got.spec();
  };
  for (const auto& [cin, cout] : {std::pair{3, 5}, {16, 32}, {24, 33}, {31, 1}}) {
    const Tensor x = integers({2, 5, 7, cin}, 1), w = integers({1, 1, cin, cout}, 2), b = integers({cout}, 3);
    const Tensor dy = integers({2, 5, 7, cout}, 4);
    expect_equal("conv2d", {x, w, b}, {{"activation", std::string("relu")}});
    expect_equal("conv2d", {x, w});
    expect_equal("conv2d_backward_input", {dy, w, x});
    expect_equal("conv2d_backward_weights", {x, dy, w});
    expect_equal("conv2d_transpose", {dy, w});
  }
}

TEST(ConvPrimitive, UnknownSizesStayUnknown) {
  const auto infer = [](const char* op, std::vector<TensorSpec> in, const Attrs& attrs) {
    return primitive(op).infer(in, attrs)[0].shape;
  };
  const TensorSpec w{DType::F32, {3, 3, 1, 8}};
  EXPECT_EQ(infer("conv2d", {{DType::F32, {-1, 28, 28, 1}}, w}, {}), (Shape{-1, 26, 26, 8}));
  EXPECT_EQ(infer("conv2d", {{DType::F32, {-1, -1, 28, 1}}, w}, attrs_of({2, 2}, {1, 1}, "same")),
            (Shape{-1, -1, 14, 8}));
  EXPECT_EQ(infer("conv2d_transpose", {{DType::F32, {-1, 7, -1, 8}}, w}, attrs_of({2, 2}, {1, 1}, "same")),
            (Shape{-1, 14, -1, 1}));
}

TEST(ConvPrimitive, ErrorsSayWhatToDo) {
  const Tensor x = Tensor::zeros(DType::F32, {2, 8, 8, 1}), w = Tensor::zeros(DType::F32, {3, 3, 3, 16});
  const std::string channels = error_text([&] { apply("conv2d", {x, w}); });
  EXPECT_NE(
      channels.find("the input has 1 channel but the kernel was built for 3. Got input (2, 8, 8, 1) [NHWC], kernel "
                    "(3, 3, 3, 16) [HWIO]"),
      std::string::npos)
      << channels;
  const Tensor large = Tensor::zeros(DType::F32, {9, 3, 1, 4});
  const std::string fit = error_text([&] { apply("conv2d", {x, large}); });
  EXPECT_NE(fit.find("along the height it reaches over 9 pixels but the padded image has 8"), std::string::npos) << fit;
  const Tensor small = Tensor::zeros(DType::F32, {3, 3, 1, 4});
  const std::string padding = error_text([&] { apply("conv2d", {x, small}, {{"padding", std::string("full")}}); });
  EXPECT_NE(padding.find("padding is 'full'; expected 'valid', 'same' or 'explicit'"), std::string::npos) << padding;
  const std::string groups = error_text([&] {
    apply("conv2d", {Tensor::zeros(DType::F32, {1, 8, 8, 3}), small}, {{"groups", std::int64_t{3}}});
  });
  EXPECT_NE(groups.find("gives 4 channels, which 3 groups do not divide"), std::string::npos) << groups;
  const std::string rank = error_text([&] { apply("conv2d", {Tensor::zeros(DType::F32, {8, 8, 1}), small}); });
  EXPECT_NE(rank.find("expected 4 axes [NHWC]"), std::string::npos) << rank;
  const std::string bias = error_text([&] { apply("conv2d", {x, small, Tensor::zeros(DType::F32, {5})}); });
  EXPECT_NE(bias.find("bias is float32(5,); expected float32(4,)"), std::string::npos) << bias;
}

}  // namespace
}  // namespace dlcore
