// Convolutions on the matrix unit, against the definition in double.
#include "kernels/conv/amx.h"

#include <cmath>
#include <optional>

#include "conv_shapes.h"
#include "dlcore/ops.h"
#include "kernels/conv/conv_ref.h"
#include "program/primitive.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::GuardedBuffer;
using testing::out_size;
using testing::random_reals;
using testing::same_bits;
using testing::small_integers;
using testing::text_of;
using testing::WithThreads;

std::vector<Bfloat> rounded(const std::vector<float>& numbers) {
  std::vector<Bfloat> result;
  for (float number : numbers) result.push_back(narrow<Bfloat>(number));
  return result;
}
std::vector<float> widened(const std::vector<Bfloat>& numbers) {
  std::vector<float> result;
  for (Bfloat number : numbers) result.push_back(widen(number));
  return result;
}

struct Results {
  std::vector<Bfloat> y, dx, dw;  // dx only of convolutions whose gradient to the input the unit takes
  bool operator==(const Results& other) const {
    return same_bits(y, other.y) && same_bits(dx, other.dx) && same_bits(dw, other.dw);
  }
};

/// A convolution and what goes into it, in bfloat16.
struct Case {
  ConvShape shape;
  std::vector<Bfloat> x, w, dy, bias;

  using Draw = std::vector<float> (*)(std::int64_t count, unsigned seed);
  Case(const ConvShape& s, Draw draw)
      : shape(s),
        x(rounded(draw(s.n * s.h * s.w * s.cin, 1))),
        w(rounded(draw(s.kh * s.kw * s.cin * s.cout, 2))),
        dy(rounded(draw(s.n * s.oh * s.ow * s.cout, 3))),
        bias(rounded(draw(s.cout, 4))) {}

  Results run(Activation activation) const {
    EXPECT_TRUE(amx_conv_fits(shape));
    const AmxConvForward forward(shape);
    const AmxConvBackwardWeights weights(shape);
    Results results;
    results.y = output(forward, activation);
    results.dw = weight_gradient(weights);
    if (!amx_conv_input_fits(shape)) return results;
    const AmxConvBackwardInput input(shape);
    results.dx =
        guarded(input, x.size(), [&](Bfloat* dx, void* scratch) { input.run(dy.data(), w.data(), dx, scratch); });
    return results;
  }

  /// By shifted images, whether they pay or not; no dx.
  Results run_shifted(Activation activation) const {
    EXPECT_TRUE(shifted_fits(shape));
    const ShiftedForward forward(shape);
    const ShiftedBackwardWeights weights(shape);
    Results results;
    results.y = output(forward, activation);
    const std::vector<Bfloat> transposed = weight_gradient(weights);
    const std::size_t rows = static_cast<std::size_t>(shape.cout), columns = transposed.size() / rows;
    for (std::size_t i = 0; i < transposed.size(); ++i) results.dw.push_back(transposed[i % rows * columns + i / rows]);
    return results;
  }

  /// Of the definition, rounded once.
  Results wanted(Activation activation) const {
    const std::vector<float> x32 = widened(x), w32 = widened(w), dy32 = widened(dy);
    std::vector<double> y(dy.size()), dx(x.size()), dw(w.size());
    conv_forward_ref(shape, x32.data(), w32.data(), y.data());
    conv_backward_input_ref(shape, dy32.data(), w32.data(), dx.data());
    conv_backward_weights_ref(shape, x32.data(), dy32.data(), dw.data());
    Results results;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double sum = y[i] + widen(bias[i % bias.size()]);
      results.y.push_back(narrow<Bfloat>(activation == Activation::Relu ? std::max(sum, 0.0) : sum));
    }
    for (double sum : dx) results.dx.push_back(narrow<Bfloat>(sum));
    for (double sum : dw) results.dw.push_back(narrow<Bfloat>(sum));
    return results;
  }

 private:
  template <class Forward>
  std::vector<Bfloat> output(const Forward& forward, Activation activation) const {
    return guarded(forward, dy.size(), [&](Bfloat* y, void* scratch) {
      forward.run(x.data(), w.data(), bias.data(), activation, y, scratch);
    });
  }
  template <class Weights>
  std::vector<Bfloat> weight_gradient(const Weights& weights) const {
    return guarded(weights, w.size(),
                   [&](Bfloat* dw, void* scratch) { weights.run(x.data(), dy.data(), dw, scratch); });
  }
  template <class Conv, class Run>
  static std::vector<Bfloat> guarded(const Conv& conv, std::size_t count, const Run& run) {
    GuardedBuffer<Bfloat> out(static_cast<std::int64_t>(count));
    GuardedBuffer<std::byte> scratch(static_cast<std::int64_t>(conv.scratch_bytes()) + 64);
    auto* const at = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64);
    run(out.data(), at);
    EXPECT_TRUE(out.untouched() && scratch.untouched());
    return out.copy();
  }
};

void expect_exact(const ConvShape& s) {
  SCOPED_TRACE(text_of(s));
  const Case it(s, small_integers<float>);
  for (Activation activation : {Activation::None, Activation::Relu}) {
    const Results actual = it.run(activation), wanted = it.wanted(activation);
    ASSERT_TRUE(same_bits(actual.y, wanted.y));
    ASSERT_TRUE(same_bits(actual.dw, wanted.dw));
    ASSERT_TRUE(actual.dx.empty() || same_bits(actual.dx, wanted.dx));
  }
}

void expect_shifted_exact(const ConvShape& s) {
  SCOPED_TRACE(text_of(s));
  const Case it(s, small_integers<float>);
  const Results actual = it.run_shifted(Activation::Relu), wanted = it.wanted(Activation::Relu);
  ASSERT_TRUE(same_bits(actual.y, wanted.y));
  ASSERT_TRUE(same_bits(actual.dw, wanted.dw));
}

class AmxConv : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!amx_kernels()) GTEST_SKIP() << "needs a processor with AMX, and DLCORE_MAX_ISA to allow it";
  }
};

TEST_F(AmxConv, GeometriesAreExact) {
  for (std::int64_t kernel : {1, 2, 3, 5})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t dilation : {1, 2})
        for (std::int64_t before : {-1, 0, 2, 6})
          for (std::int64_t after : {0, 3}) {
            const std::int64_t height = 11, width = 10, kw = std::max<std::int64_t>(1, kernel - 1);
            if ((kernel - 1) * dilation + 2 > height + before + after) continue;
            const std::int64_t oh = out_size(height, kernel, stride, dilation, {before, after});
            const std::int64_t ow = out_size(width, kw, 1, 1, {after, before});
            expect_exact({4, height, width, 16, oh, ow, 32, kernel, kw, stride, 1, dilation, 1, before, after});
          }
}

TEST_F(AmxConv, ChannelsAreExact) {
  for (std::int64_t cin : {16, 32, 48, 64, 80})
    for (std::int64_t cout : {16, 17, 31, 32, 33, 48, 70, 128}) expect_exact({2, 5, 6, cin, 3, 4, cout, 3, 3});
}

TEST_F(AmxConv, PixelsAreExact) {
  for (std::int64_t pixels : {16, 17, 31, 32, 33, 48, 63, 64, 65, 130, 257})
    expect_exact({1, 1, pixels, 32, 1, pixels, 48, 1, 1});
}

// Passes and partial sums over k, and more weights than L2 holds.
TEST_F(AmxConv, LargeOnesAreExact) {
  expect_exact({2, 6, 6, 288, 6, 6, 272, 3, 3, 1, 1, 1, 1, 1, 1});
  expect_exact({16, 24, 24, 16, 24, 24, 16, 3, 3, 1, 1, 1, 1, 1, 1});
  expect_exact({40, 20, 20, 32, 10, 10, 64, 1, 1, 2, 2});
  expect_exact({8, 32, 32, 64, 16, 16, 128, 3, 3, 2, 2, 1, 1, 0, 1});
}

// Bands of one and of several rows, the last one not whole.
TEST_F(AmxConv, ShiftedGeometriesAreExact) {
  for (std::int64_t kernel : {1, 2, 3, 5})
    for (std::int64_t dilation : {1, 2})
      for (std::int64_t before : {-1, 0, 2, 6})
        for (std::int64_t after : {0, 3}) {
          const std::int64_t height = 11, width = 10, kw = std::max<std::int64_t>(1, kernel - 1);
          if ((kernel - 1) * dilation + 1 > height + before + after) continue;
          const std::int64_t oh = out_size(height, kernel, 1, dilation, {before, after});
          const std::int64_t ow = out_size(width, kw, 1, 1, {after, before});
          expect_shifted_exact({4, height, width, 32, oh, ow, 20, kernel, kw, 1, 1, dilation, 1, before, after});
        }
}

TEST_F(AmxConv, ShiftedChannelsAreExact) {
  for (std::int64_t cin : {32, 64, 96})
    for (std::int64_t cout : {16, 17, 31, 32, 33, 48, 70, 128}) expect_shifted_exact({2, 5, 6, cin, 3, 4, cout, 3, 3});
}

TEST_F(AmxConv, ShiftedWidthsAreExact) {
  for (std::int64_t width : {1, 14, 15, 16, 17, 30, 31, 32, 33, 47, 65})
    expect_shifted_exact({3, 9, width, 32, 7, width, 33, 3, 3, 1, 1, 1, 1, 0, 1});
}

// Several bands of an image and images at a time, one that has no pair, partial sums, sweeps over columns.
TEST_F(AmxConv, LargeShiftedOnesAreExact) {
  expect_shifted_exact({1, 9, 9, 32, 9, 9, 32, 3, 3, 1, 1, 1, 1, 1, 1});
  expect_shifted_exact({2, 40, 41, 32, 40, 41, 32, 3, 3, 1, 1, 1, 1, 1, 1});
  expect_shifted_exact({37, 8, 8, 64, 8, 8, 48, 3, 3, 1, 1, 1, 1, 1, 1});
  expect_shifted_exact({2, 8, 8, 288, 8, 8, 272, 3, 3, 1, 1, 1, 1, 1, 1});
}

// Where a row is short, most of what is computed would be dropped.
TEST_F(AmxConv, ShiftsImagesWhereItPays) {
  const auto same = [](std::int64_t side, std::int64_t cin, std::int64_t cout, std::int64_t kernel) {
    return ConvShape{64, side, side, cin, side, side, cout, kernel, kernel, 1, 1, 1, 1, kernel / 2, kernel / 2};
  };
  EXPECT_TRUE(shifted_pays(same(32, 64, 64, 3)) && shifted_weights_pay(same(32, 64, 64, 3)));
  EXPECT_FALSE(shifted_pays(same(4, 512, 512, 3)) || shifted_weights_pay(same(4, 512, 512, 3)));
  EXPECT_FALSE(shifted_pays(same(28, 64, 256, 1)) || shifted_weights_pay(same(28, 64, 256, 1)));
  EXPECT_FALSE(shifted_pays(same(32, 16, 64, 3)) || shifted_weights_pay(same(32, 16, 64, 3)));
  EXPECT_FALSE(shifted_weights_pay(same(14, 512, 512, 3)));  // sums of 9 MB
}

TEST_F(AmxConv, BitsDoNotDependOnTheNumberOfThreads) {
  for (const ConvShape& s : {ConvShape{16, 13, 13, 16, 11, 11, 64, 3, 3}, ConvShape{16, 13, 13, 32, 11, 11, 64, 3, 3},
                             ConvShape{6, 8, 8, 256, 8, 8, 256, 3, 3, 1, 1, 1, 1, 1, 1}}) {
    SCOPED_TRACE(text_of(s));
    const Case it(s, random_reals<float>);
    std::optional<Results> one;
    for (int threads : {1, 2, 3}) {
      const WithThreads with(threads);
      const Results results = it.run(Activation::Tanh);
      if (!one) one = results;
      EXPECT_TRUE(results == *one) << threads << " threads";
    }
  }
}

// What a pixel is multiplied with beyond its patch is nothing, not zero.
TEST_F(AmxConv, NotANumberStaysInItsPatches) {
  for (std::int64_t cin : {16, 32}) {
    const ConvShape s{1, 9, 9, cin, 9, 9, 16, 3, 3, 1, 1, 1, 1, 1, 1};
    Case it(s, random_reals<float>);
    it.x[(4 * 9 + 4) * cin + 5] = narrow<Bfloat>(NAN);
    const Results results = cin == 16 ? it.run(Activation::Relu) : it.run_shifted(Activation::Relu);
    for (std::int64_t i = 0; i < 81; ++i) {
      const bool touches = std::abs(i / 9 - 4) <= 1 && std::abs(i % 9 - 4) <= 1;
      for (std::int64_t c = 0; c < 16; ++c) ASSERT_EQ(std::isnan(widen(results.y[i * 16 + c])), touches) << i;
    }
  }
}

// Each residue of the strides is a product: there are few, whatever the strides are.
TEST_F(AmxConv, TakesNoGradientOfLargeStrides) {
  const std::int64_t far = std::int64_t{1} << 20;
  EXPECT_TRUE(amx_conv_input_fits({64, 8, 8, 32, 2, 2, 32, 4, 4, 4, 4}));
  EXPECT_FALSE(amx_conv_input_fits({64, 10, 10, 32, 2, 2, 32, 5, 5, 5, 5}));
  EXPECT_FALSE(amx_conv_input_fits({64, 8, 8, 32, 1, 1, 32, 4, 4, far, far}));
  EXPECT_FALSE(amx_conv_input_fits({64, 9, 9, 32, 3, 3, 32, 3, 3, 2, 2, 2, 2}));  // and dilated
}

TEST_F(AmxConv, IsWhatThePrimitivesRun) {
  const TensorSpec x{DType::BF16, {2, 8, 8, 32}}, w{DType::BF16, {3, 3, 32, 48}}, y{DType::BF16, {2, 6, 6, 48}};
  const auto label = [](const char* name, Specs in, const TensorSpec& out) {
    return primitive(name).plan(in, Specs{out}, {}).label;
  };
  EXPECT_EQ(label("conv2d", {x, w}, y), "conv2d_bf16_amx");
  EXPECT_EQ(label("conv2d_backward_input", {y, w, x}, x), "conv2d_backward_input_bf16_amx");
  EXPECT_EQ(label("conv2d_backward_weights", {x, y, w}, w), "conv2d_backward_weights_bf16_amx");
  const Attrs strided{{"strides", std::vector<std::int64_t>{2, 2}}, {"padding", std::string("same")}};
  const TensorSpec half{DType::BF16, {2, 4, 4, 48}};
  EXPECT_EQ(primitive("conv2d_backward_input").plan(Specs{half, w, x}, Specs{x}, strided).label,
            "conv2d_backward_input_bf16_amx");
  const TensorSpec images{DType::BF16, {2, 8, 8, 3}}, filters{DType::BF16, {3, 3, 3, 48}};
  EXPECT_EQ(label("conv2d", {images, filters}, y).find("amx"), std::string::npos);
}

// Sums are rounded twice, to float32 and to bfloat16, each sum of 288 products of numbers in [-1, 1).
TEST_F(AmxConv, PrimitivesAgreeWithFloat32) {
  const auto random = [](const Shape& shape, unsigned seed) {
    return ops::cast(Tensor::from<float>(random_reals<float>(shape.elements(), seed), shape), DType::BF16);
  };
  const auto expect_close = [](const Tensor& actual, const Tensor& exact, double products) {
    const Tensor wide = ops::cast(actual, DType::F32);
    for (std::int64_t i = 0; i < exact.shape().elements(); ++i) {
      const double wanted = exact.data<float>()[i];
      ASSERT_NEAR(wide.data<float>()[i], wanted, 0x1p-8 * std::abs(wanted) + products * products * 0x1p-24);
    }
  };
  const auto single = [](const Tensor& x) { return ops::cast(x, DType::F32); };
  const Attrs attrs{{"padding", std::string("same")}};
  const Tensor x = random({2, 9, 7, 32}, 1), w = random({3, 3, 32, 48}, 2), dy = random({2, 9, 7, 48}, 3);
  expect_close(apply("conv2d", {x, w}, attrs), apply("conv2d", {single(x), single(w)}, attrs), 288);
  expect_close(apply("conv2d_backward_input", {dy, w, x}, attrs),
               apply("conv2d_backward_input", {single(dy), single(w), single(x)}, attrs), 432);
  expect_close(apply("conv2d_backward_weights", {x, dy, w}, attrs),
               apply("conv2d_backward_weights", {single(x), single(dy), single(w)}, attrs), 126);
  const Tensor up = random({3, 3, 48, 32}, 4);  // [height, width, output channels, input channels]
  expect_close(apply("conv2d_transpose", {x, up}, attrs), apply("conv2d_transpose", {single(x), single(up)}, attrs),
               288);
}

}  // namespace
}  // namespace dlcore
