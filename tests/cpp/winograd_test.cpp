// Winograd's algorithm against the plain convolution in double. All numbers lie in [-1, 1]; all of a patch take part in
// each of its tile's outputs, so the bound is that of a sum of k = kh kw Cin products, 2 eps (k + 36) with the sums of
// the transforms, borders or not. Along a row the coefficients are larger, powers of 2 up to 64: were all errors of one
// sign, they would grow 28 times (|AT| (|G| |BT|) over the taps; 69 times for squares). The bound is 8 times the other.
#include "kernels/conv/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "dlcore/error.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_ref.h"
#include "kernels/conv/turned.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace testing;

WinogradShape unit_3x3(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t cin, std::int64_t oh,
                       std::int64_t ow, std::int64_t cout, std::int64_t pad) {
  return WinogradShape({n, h, w, cin, oh, ow, cout, 3, 3, 1, 1, 1, 1, pad, pad});
}

std::string text_of(const WinogradShape& s) {
  return str("x ", s.n, 'x', s.h, 'x', s.w, 'x', s.cin, ", y ", s.oh, 'x', s.ow, 'x', s.cout, ", pads ", s.pad_top, ',',
             s.pad_left, ", filters ", s.kh, 'x', s.kw, ", strides ", s.stride_h, 'x', s.stride_w, ", dilation ",
             s.dilation_h, 'x', s.dilation_w);
}

std::vector<float> run(const WinogradShape& s, const std::vector<float>& x, const std::vector<float>& w,
                       const float* bias, Activation activation) {
  const Winograd conv(s);
  GuardedBuffer<float> y(s.n * s.oh * s.ow * s.cout);
  GuardedBuffer<char> scratch(static_cast<std::int64_t>(conv.scratch_bytes()));
  conv.run(x.data(), w.data(), bias, activation, y.data(), nullptr, scratch.data());
  EXPECT_TRUE(y.untouched() && scratch.untouched()) << "wrote beside its output or beyond its scratch";
  return y.copy();
}

std::vector<float> weights_gradient(const WinogradShape& s, const std::vector<float>& x, const std::vector<float>& dy) {
  const WinogradBackwardWeights conv(s);
  GuardedBuffer<float> dw(s.weights());
  GuardedBuffer<char> scratch(static_cast<std::int64_t>(conv.scratch_bytes()));
  conv.run(x.data(), dy.data(), dw.data(), scratch.data());
  EXPECT_TRUE(dw.untouched() && scratch.untouched()) << "wrote beside its output or beyond its scratch";
  return dw.copy();
}

double bound_of(const WinogradShape& s, std::int64_t terms) {
  const double bound = 2.0 * std::numeric_limits<float>::epsilon() * static_cast<double>(terms + 36);
  return s.is_square ? bound : 8 * bound;
}

void expect_bounded(const std::vector<float>& y, const std::vector<double>& wanted, const WinogradShape& s) {
  const double bound = bound_of(s, s.kh * s.kw * s.cin);
  for (std::size_t i = 0; i < y.size(); ++i)
    ASSERT_LE(std::abs(y[i] - wanted[i]), bound) << i << ": " << y[i] << ", not " << wanted[i];
}

std::vector<WinogradShape> shapes() {
  std::vector<WinogradShape> result;
  for (std::int64_t size : {1, 2, 3, 4, 5, 8, 11, 13})
    for (std::int64_t cin : {1, 7, 8, 17, 32}) {
      const std::int64_t cout = cin == 8 ? 40 : 5 + cin;
      result.push_back(unit_3x3(2, size + 2, size + 3, cin, size, size + 1, cout, 0));
      result.push_back(unit_3x3(3, size, size + 1, cin, size, size + 1, cout, 1));
      result.push_back(unit_3x3(1, size, size, cin, size + 2, size + 2, cout, 2));
    }
  result.push_back(unit_3x3(2, 12, 9, 300, 12, 9, 70, 1));
  result.push_back(unit_3x3(75, 4, 3, 9, 4, 3, 97, 1));     // few tiles, but more than one block of them
  result.push_back(unit_3x3(3, 26, 27, 8, 26, 27, 12, 1));  // shares with sums of their own
  return result;
}

/// Filters of segments: all numbers of taps and what is left of a segment, strides, dilations, cut images.
std::vector<WinogradShape> segmented() {
  std::vector<WinogradShape> result;
  const auto add = [&](std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t cin, std::int64_t cout,
                       std::int64_t kh, std::int64_t kw, std::int64_t stride, std::int64_t dilation, std::int64_t pad) {
    const std::int64_t stride_h = std::min(stride, kh), dilation_h = kh > 1 ? dilation : 1;
    const auto outputs = [=](std::int64_t size, std::int64_t taps, std::int64_t step, std::int64_t apart) {
      return (size + 2 * pad - (taps - 1) * apart - 1) / step + 1;
    };
    const std::int64_t oh = outputs(h, kh, stride_h, dilation_h), ow = outputs(w, kw, stride, dilation);
    const ConvShape s{n, h, w, cin, oh, ow, cout, kh, kw, stride_h, stride, dilation_h, dilation, pad, pad};
    if (oh > 0 && ow > 0) result.emplace_back(s);
  };
  for (std::int64_t kw : {2, 3, 4, 5, 6, 7, 8, 11})
    for (std::int64_t width : {11, 16, 45}) add(2, 1, width, 9, 37, 1, kw, 1, 1, 0);
  for (std::int64_t dilation : {2, 3, 50}) add(3, 2, 31, 16, 16, 1, 3, 1, dilation, dilation);
  for (std::int64_t stride : {2, 3}) {
    for (std::int64_t taps : {4, 5, 6, 7, 8})
      for (std::int64_t width : {10, 13, 24}) add(2, width + 1, width, 8, 40, taps, taps, stride, 1, 1);
    add(1, 7, 20, 17, 5, 5, 5, stride, 1, 2);
    add(1, 3, 23, 12, 24, 1, 9, stride, 1, 0);
  }
  add(2, 9, 12, 8, 16, 3, 3, 1, 2, 2);
  for (std::int64_t kh : {2, 3, 4, 5})
    for (std::int64_t kw : {2, 3, 4, 5}) add(2, 8, 9, 8, 16, kh, kw, 1, 1, kh / 2);
  add(1, 9, 30, 8, 8, 7, 7, 2, 1, 3);
  add(1, 6, 10, 128, 33, 2, 8, 1, 1, 0);  // rows of patches of 2 KB
  add(9, 1, 300, 32, 64, 1, 5, 1, 1, 2);  // more than one block of tiles
  return result;
}

std::vector<WinogradShape> all_shapes() {
  std::vector<WinogradShape> result = shapes();
  const std::vector<WinogradShape> others = segmented();
  result.insert(result.end(), others.begin(), others.end());
  return result;
}

TEST(Winograd, AgreesWithThePlainConvolution) {
  for (const WinogradShape& s : all_shapes()) {
    SCOPED_TRACE(text_of(s));
    const std::vector<float> x = random_reals<float>(s.n * s.h * s.w * s.cin, 1),
                             w = random_reals<float>(s.weights(), 2);
    const std::vector<float> bias = random_reals<float>(s.cout, 3);
    std::vector<double> wanted(static_cast<std::size_t>(s.n * s.oh * s.ow * s.cout));
    conv_forward_ref(s, x.data(), w.data(), wanted.data());
    expect_bounded(run(s, x, w, nullptr, Activation::None), wanted, s);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      wanted[i] = std::max(0.0, wanted[i] + bias[i % static_cast<std::size_t>(s.cout)]);
    expect_bounded(run(s, x, w, bias.data(), Activation::Relu), wanted, s);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = 0;
    conv_forward_ref(s, x.data(), w.data(), wanted.data());
    for (double& number : wanted) number = std::tanh(number);
    expect_bounded(run(s, x, w, nullptr, Activation::Tanh), wanted, s);
  }
}

std::vector<TurnedPart> parts_that_fit(const ConvShape& s) {
  std::vector<TurnedPart> parts = turned_parts(s, sizeof(float));
  std::erase_if(parts, [](const TurnedPart& part) { return !part.has_taps() || !fits_winograd(part.conv); });
  return parts;
}

TEST(Winograd, GivesTheGradientToTheInputOfAnyStrides) {
  for (const ConvShape& s :
       {ConvShape{2, 11, 12, 9, 6, 6, 20, 3, 3, 2, 2, 1, 1, 1, 1},  // one part of four
        ConvShape{2, 13, 12, 16, 5, 4, 17, 3, 2, 3, 3, 1, 1, 1, 0}, ConvShape{1, 9, 9, 8, 5, 3, 8, 1, 2, 2, 3},
        ConvShape{2, 9, 8, 9, 7, 6, 20, 3, 3}, ConvShape{2, 8, 7, 16, 8, 7, 33, 3, 3, 1, 1, 1, 1, 1, 1},
        ConvShape{2, 1, 30, 16, 1, 26, 33, 1, 5}, ConvShape{2, 8, 20, 9, 8, 20, 16, 3, 7, 1, 1, 1, 1, 1, 3},
        ConvShape{2, 8, 20, 9, 8, 20, 16, 3, 3, 1, 1, 2, 2, 2, 2},
        ConvShape{2, 12, 17, 9, 6, 8, 33, 4, 4, 2, 2, 1, 1, 1, 1},
        ConvShape{2, 13, 20, 16, 7, 10, 17, 5, 5, 2, 2, 1, 1, 2, 2}, ConvShape{1, 1, 40, 8, 1, 12, 16, 1, 7, 1, 3},
        ConvShape{2, 16, 16, 8, 6, 6, 16, 6, 6, 2, 2}, ConvShape{1, 9, 30, 8, 4, 30, 8, 3, 3, 2, 1, 1, 1, 0, 1}}) {
    const std::vector<float> dy = random_reals<float>(s.n * s.oh * s.ow * s.cout, 1),
                             w = random_reals<float>(s.kh * s.kw * s.cin * s.cout, 2);
    std::vector<double> wanted(static_cast<std::size_t>(s.n * s.h * s.w * s.cin));
    conv_backward_input_ref(s, dy.data(), w.data(), wanted.data());
    const WinogradBackwardInput conv(s, parts_that_fit(s));
    GuardedBuffer<float> dx(static_cast<std::int64_t>(wanted.size()));
    GuardedBuffer<char> scratch(static_cast<std::int64_t>(conv.scratch_bytes()));
    conv.run(dy.data(), w.data(), dx.data(), scratch.data());
    EXPECT_TRUE(dx.untouched() && scratch.untouched()) << "wrote beside its output or beyond its scratch";
    expect_bounded(dx.copy(), wanted, WinogradShape(turned(s)));
  }
  EXPECT_EQ(winograd_parts_of_input({16, 64, 64, 128, 32, 32, 128, 4, 4, 2, 2, 1, 1, 1, 1}).size(), 4);
  // Of 2x2 taps; others have one in a row or a column.
  EXPECT_EQ(winograd_parts_of_input({16, 64, 64, 128, 32, 32, 128, 3, 3, 2, 2, 1, 1, 0, 0}).size(), 2);
}

TEST(Winograd, GivesTheGradientToTheWeights) {
  for (const WinogradShape& s : all_shapes()) {
    SCOPED_TRACE(text_of(s));
    const std::vector<float> x = random_reals<float>(s.n * s.h * s.w * s.cin, 1),
                             dy = random_reals<float>(s.n * s.oh * s.ow * s.cout, 2);
    std::vector<double> wanted(static_cast<std::size_t>(s.weights()));
    conv_backward_weights_ref(s, x.data(), dy.data(), wanted.data());
    const std::vector<float> dw = weights_gradient(s, x, dy);
    // All pixels of all tiles take part in each weight.
    const double bound = bound_of(s, s.tile_rows() * s.tile_cols() * s.tiles());
    for (std::size_t i = 0; i < dw.size(); ++i)
      ASSERT_LE(std::abs(dw[i] - wanted[i]), bound) << i << ": " << dw[i] << ", not " << wanted[i];
  }
}

TEST(Winograd, TakesFiltersThatWereTransformedBefore) {
  for (const WinogradShape& s : {unit_3x3(1, 13, 13, 32, 11, 11, 64, 0), unit_3x3(16, 13, 13, 32, 11, 11, 64, 0),
                                 unit_3x3(2, 7, 9, 9, 7, 9, 70, 1), segmented().front(), segmented().back()}) {
    const auto x = random_reals<float>(s.n * s.h * s.w * s.cin, 1), w = random_reals<float>(s.weights(), 2);
    GuardedBuffer<float> filters(winograd_filter_elements(s));
    transform_winograd_filters(s, w.data(), filters.data());
    EXPECT_TRUE(filters.untouched());
    for (const Activation activation : {Activation::Relu, Activation::Tanh}) {
      const std::vector<float> y = run(s, x, w, nullptr, activation);
      WinogradShape with_filters = s;
      with_filters.has_filters = true;
      EXPECT_TRUE(same_bits(run(with_filters, x, filters.copy(), nullptr, activation), y)) << text_of(s);
    }
  }
}

TEST(Winograd, BitsDoNotDependOnTheNumberOfThreads) {
  for (const WinogradShape& s :
       {unit_3x3(16, 13, 13, 32, 11, 11, 64, 0), unit_3x3(80, 4, 4, 32, 4, 4, 128, 1), segmented().back()}) {
    SCOPED_TRACE(text_of(s));
    const auto x = random_reals<float>(s.n * s.h * s.w * s.cin, 1), w = random_reals<float>(s.weights(), 2);
    const auto y = run(s, x, w, nullptr, Activation::Tanh), dw = weights_gradient(s, x, y);
    for (int threads : {1, 2, 3}) {
      const WithThreads with(threads);
      EXPECT_TRUE(same_bits(run(s, x, w, nullptr, Activation::Tanh), y)) << threads << " threads";
      EXPECT_TRUE(same_bits(weights_gradient(s, x, y), dw)) << threads << " threads";
    }
  }
}

TEST(Winograd, NanReachesTheTilesThatReadItOnly) {
  const WinogradShape s = unit_3x3(2, 8, 8, 8, 8, 8, 8, 1);
  std::vector<float> x = random_reals<float>(s.n * s.h * s.w * s.cin, 1);
  const std::vector<float> w = random_reals<float>(s.weights(), 2);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y = run(s, x, w, nullptr, Activation::Relu);
  EXPECT_TRUE(std::isnan(y[0]));
  for (std::size_t i = y.size() / 2; i < y.size(); ++i) ASSERT_FALSE(std::isnan(y[i]));
}

TEST(Winograd, NeedsNoRoomForThreadsWithoutWork) {
  const WinogradShape s = unit_3x3(1, 8, 8, 8, 8, 8, 8, 1);
  const int before = num_threads();
  set_num_threads(1);
  const std::size_t alone = Winograd(s).scratch_bytes();
  set_num_threads(500);
  EXPECT_EQ(Winograd(s).scratch_bytes(), alone);
  set_num_threads(before);
}

TEST(Winograd, IsChosenWhereItSavesWork) {
  EXPECT_TRUE(winograd_saves_work(unit_3x3(32, 13, 13, 32, 11, 11, 64, 0)));
  EXPECT_TRUE(winograd_saves_work(unit_3x3(2, 56, 56, 64, 56, 56, 64, 1)));
  EXPECT_FALSE(winograd_saves_work(unit_3x3(32, 28, 28, 1, 26, 26, 32, 0)));  // few channels
  EXPECT_FALSE(
      winograd_saves_work(unit_3x3(1, 13, 13, 256, 11, 11, 256, 0)));      // the filters are transformed for few tiles
  EXPECT_FALSE(winograd_saves_work(unit_3x3(32, 3, 3, 64, 5, 5, 64, 2)));  // mostly padding
  WinogradShape one = unit_3x3(1, 13, 13, 32, 11, 11, 64, 0);
  EXPECT_FALSE(winograd_saves_work(one));
  one.has_filters = true;
  EXPECT_TRUE(winograd_saves_work(one));
}

TEST(Winograd, IsChosenAlongRowsWhereItSavesWork) {
  const auto along_row = [](std::int64_t channels, std::int64_t kw, std::int64_t dilation) {
    return WinogradShape({16, 1, 500, channels, 1, 500, channels, 1, kw, 1, 1, 1, dilation});
  };
  for (std::int64_t kw : {3, 5, 8}) {
    EXPECT_TRUE(winograd_saves_work(along_row(64, kw, 2))) << kw;
    EXPECT_TRUE(winograd_weights_saves_work(along_row(64, kw, 1))) << kw;
    EXPECT_FALSE(winograd_saves_work(along_row(4, kw, 1))) << kw;
  }
  EXPECT_FALSE(winograd_saves_work(along_row(32, 2, 1)));    // saves less than the transforms cost
  EXPECT_FALSE(winograd_saves_work(along_row(64, 3, 300)));  // tiles of two outputs
}

TEST(Winograd, IsCutInSquaresWhereTheyTakeFewerProducts) {
  const auto cut = [](std::int64_t kh, std::int64_t kw, std::int64_t stride, std::int64_t dilation = 1) {
    return WinogradShape({8, 32, 32, 64, 32, 32, 64, kh, kw, stride, stride, dilation, dilation});
  };
  const WinogradShape strided = cut(4, 4, 2), wide = cut(5, 5, 2);
  EXPECT_TRUE(strided.is_square && strided.products() == 25 && strided.segments() == 4);
  EXPECT_TRUE(wide.is_square && wide.products() == 36 && wide.segments() == 4);
  EXPECT_TRUE(cut(2, 2, 1).is_square && cut(3, 2, 1).is_square && cut(3, 3, 2).is_square);
  EXPECT_FALSE(cut(1, 5, 1).is_square || cut(5, 5, 1).is_square || cut(3, 3, 1, 2).is_square);
  EXPECT_TRUE(winograd_saves_work(strided) && winograd_weights_saves_work(strided));
}

}  // namespace
}  // namespace dlcore
