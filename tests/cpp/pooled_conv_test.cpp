#include "kernels/conv/pooled.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "dlcore/ops.h"
#include "dlcore/program.h"
#include "kernels/conv/conv_ref.h"
#include "kernels/conv/padding.h"
#include "kernels/conv/windows.h"
#include "kernels/conv/winograd.h"
#include "kernels/pool/pool.h"
#include "ops/pooled_convolution.h"
#include "program/graph.h"
#include "program/passes.h"
#include "testing.h"

namespace dlcore {
namespace {

using namespace testing;
using namespace ops;

struct Case {
  ConvShape conv;
  PoolShape pool;
};

std::string text_of(const Case& c) {
  const auto& [s, p] = c;
  return str("x ", s.n, 'x', s.h, 'x', s.w, 'x', s.cin, ", y ", s.oh, 'x', s.ow, 'x', s.cout, ", kernel ", s.kh, 'x',
             s.kw, ", strides ", s.stride_h, ',', s.stride_w, ", dilation ", s.dilation_h, ", pads ", s.pad_top, ',',
             s.pad_left, "; windows ", p.pool_h, 'x', p.pool_w, ", strides ", p.stride_h, ',', p.stride_w, ", pads ",
             p.pad_top, ',', p.pad_left, ", pooled ", p.oh, 'x', p.ow);
}

struct Extra {
  std::int64_t stride_h = 1, stride_w = 1, dilation_h = 1, pad = 0, window = 2, step = 2, pool_pad = 0;
};

Case make_case(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t cin, std::int64_t cout, std::int64_t kh,
               std::int64_t kw, const Extra& e = {}) {
  ConvShape s{n, h, w, cin, 0, 0, cout, kh, kw, e.stride_h, e.stride_w, e.dilation_h, 1, e.pad, e.pad, 1};
  s.oh = (h + 2 * e.pad - (kh - 1) * e.dilation_h - 1) / e.stride_h + 1;
  s.ow = (w + 2 * e.pad - kw) / e.stride_w + 1;
  PoolShape p{n, s.oh, s.ow, cout, 0, 0, e.window, e.window, e.step, e.step, e.pool_pad, e.pool_pad};
  p.oh = (s.oh + 2 * e.pool_pad - e.window) / e.step + 1;
  p.ow = (s.ow + 2 * e.pool_pad - e.window) / e.step + 1;
  return {s, p};
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (std::int64_t cin : {1, 2, 3, 5, 8, 31, 32, 100}) all.push_back(make_case(3, 9, 11, cin, 7, 3, 3));
  for (std::int64_t cout : {1, 6, 32, 33, 64, 65, 130}) all.push_back(make_case(2, 8, 7, 4, cout, 3, 3));
  for (std::int64_t kh : {1, 2, 3, 5, 7})
    for (std::int64_t kw : {1, 3, 4, 7}) all.push_back(make_case(2, 11, 12, 6, 5, kh, kw));
  all.push_back(make_case(2, 12, 13, 5, 6, 3, 3, {.stride_h = 2}));
  all.push_back(make_case(2, 12, 13, 5, 6, 3, 3, {.stride_w = 2}));
  all.push_back(make_case(2, 12, 13, 8, 6, 2, 2, {.stride_h = 3, .stride_w = 3}));
  all.push_back(make_case(2, 12, 13, 5, 6, 3, 3, {.dilation_h = 2}));
  all.push_back(make_case(2, 12, 13, 5, 6, 3, 3, {.pad = 1}));
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.pad = 2}));
  all.push_back(make_case(2, 12, 13, 8, 6, 5, 5, {.stride_h = 2, .stride_w = 2, .pad = 2}));
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.window = 3}));  // windows overlap
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.window = 3, .pool_pad = 1}));
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.window = 3, .step = 3}));
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.window = 1, .step = 2}));
  all.push_back(make_case(2, 12, 13, 8, 6, 3, 3, {.window = 4, .step = 4}));
  all.push_back(make_case(0, 12, 13, 8, 6, 3, 3));
  all.push_back(make_case(70, 5, 5, 3, 4, 3, 3));   // more images than tasks
  all.push_back(make_case(1, 50, 52, 2, 3, 3, 3));  // more windows than are listed at a time
  return all;
}

template <class T>
struct Data {
  std::vector<T> x, w, dp, dy;
  std::vector<std::uint8_t> argmax;
};

/// Argmax of random images; about a third of the gradients are zero.
template <class T>
Data<T> data_of(const Case& c, std::vector<T> (*draw)(std::int64_t, unsigned)) {
  const auto& [s, p] = c;
  const std::int64_t pooled = p.n * p.oh * p.ow * p.c, pixels = p.n * p.h * p.w * p.c;
  Data<T> data{draw(s.n * s.h * s.w * s.cin, 1), draw(s.kh * s.kw * s.cin * s.cout, 2), draw(pooled, 3),
               std::vector<T>(pixels), std::vector<std::uint8_t>(pooled)};
  for (std::size_t i = 0; i < data.dp.size(); i += 3) data.dp[i] = 0;
  const std::vector<T> y = random_reals<T>(pixels, 4);
  std::vector<T> greatest(pooled);
  max_pool_forward(p, y.data(), greatest.data(), data.argmax.data());
  max_pool_backward(p, data.dp.data(), data.argmax.data(), data.dy.data());
  return data;
}

template <class T>
struct Gradients {
  std::vector<T> dx, dw;
};

/// Without data.argmax, of windows of one pixel.
template <class T>
Gradients<T> compute(const Case& c, const Data<T>& data) {
  const std::uint8_t* const argmax = data.argmax.empty() ? nullptr : data.argmax.data();
  const PooledBackwardInput<T> input(c.conv, c.pool);
  const PooledBackwardWeights<T> weights(c.conv, c.pool);
  GuardedBuffer<T> dx(static_cast<std::int64_t>(data.x.size())), dw(static_cast<std::int64_t>(data.w.size()));
  GuardedBuffer<char> input_scratch(static_cast<std::int64_t>(input.scratch_bytes()));
  GuardedBuffer<char> weights_scratch(static_cast<std::int64_t>(weights.scratch_bytes()));
  input.run(data.dp.data(), argmax, data.w.data(), dx.data(), input_scratch.data());
  weights.run(data.x.data(), data.dp.data(), argmax, dw.data(), weights_scratch.data());
  EXPECT_TRUE(dx.untouched() && dw.untouched()) << "wrote beside an output";
  EXPECT_TRUE(input_scratch.untouched() && weights_scratch.untouched()) << "wrote beyond the scratch";
  return {dx.copy(), dw.copy()};
}

std::vector<float> weights_by_windows(const Case& c, const Data<float>& data) {
  const WindowBackwardWeights weights(c.conv, c.pool);
  GuardedBuffer<float> dw(static_cast<std::int64_t>(data.w.size()));
  GuardedBuffer<char> scratch(static_cast<std::int64_t>(weights.scratch_bytes()));
  weights.run(data.x.data(), data.dp.data(), data.argmax.data(), dw.data(), scratch.data());
  EXPECT_TRUE(dw.untouched()) << "wrote beside the output";
  EXPECT_TRUE(scratch.untouched()) << "wrote beyond the scratch";
  return dw.copy();
}

std::vector<Case> window_cases() {
  std::vector<Case> fit;
  for (const Case& c : cases())
    if (windows_save_work(c.conv, c.pool)) fit.push_back(c);
  return fit;
}

template <class T>
Gradients<double> expected(const Case& c, const Data<T>& data) {
  Gradients<double> wanted{std::vector<double>(data.x.size()), std::vector<double>(data.w.size())};
  conv_backward_input_ref(c.conv, data.dy.data(), data.w.data(), wanted.dx.data());
  conv_backward_weights_ref(c.conv, data.x.data(), data.dy.data(), wanted.dw.data());
  return wanted;
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<double>& wanted, double bound, const char* what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], bound) << what << '[' << i << ']';
}

template <class T>
class PooledConv : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PooledConv, Types);

TYPED_TEST(PooledConv, IsExactOnIntegers) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(text_of(c));
    const auto data = data_of<TypeParam>(c, small_integers<TypeParam>);
    const auto got = compute(c, data);
    const auto wanted = expected(c, data);
    expect_near(got.dx, wanted.dx, 0, "dx");
    expect_near(got.dw, wanted.dw, 0, "dw");
  }
}

TYPED_TEST(PooledConv, RoundsNoMoreThanItsSums) {
  for (const Case& c : {make_case(8, 13, 13, 32, 64, 3, 3), make_case(8, 28, 28, 1, 32, 3, 3)}) {
    SCOPED_TRACE(text_of(c));
    const auto data = data_of<TypeParam>(c, random_reals<TypeParam>);
    const auto got = compute(c, data);
    const auto wanted = expected(c, data);
    expect_near(got.dx, wanted.dx, product_bound<TypeParam>(c.conv.kh * c.conv.kw * c.conv.cout), "dx");
    expect_near(got.dw, wanted.dw, product_bound<TypeParam>(c.pool.n * c.pool.oh * c.pool.ow), "dw");
  }
}

TYPED_TEST(PooledConv, HasTheSameBitsForAnyNumberOfThreads) {
  for (const Case& c : {make_case(8, 13, 13, 32, 64, 3, 3), make_case(5, 12, 13, 3, 33, 3, 3, {.pad = 1})}) {
    SCOPED_TRACE(text_of(c));
    const auto data = data_of<TypeParam>(c, random_reals<TypeParam>);
    const auto got = compute(c, data);
    for (int threads : {1, 2, 3, 5}) {
      const WithThreads with(threads);
      const auto again = compute(c, data);
      EXPECT_TRUE(same_bits(again.dx, got.dx));
      EXPECT_TRUE(same_bits(again.dw, got.dw));
    }
  }
}

TYPED_TEST(PooledConv, TakesTheGradientItselfWhereThereIsNoPooling) {
  for (Case c :
       {make_case(3, 9, 11, 31, 40, 3, 3), make_case(2, 1, 300, 32, 50, 1, 5),
        make_case(2, 12, 13, 5, 6, 3, 3, {.stride_h = 2, .stride_w = 2, .pad = 1}), make_case(70, 5, 5, 3, 4, 3, 3)}) {
    SCOPED_TRACE(text_of(c));
    c.pool = no_pooling(c.conv);
    const std::int64_t pixels = c.conv.n * c.conv.oh * c.conv.ow * c.conv.cout;
    Data<TypeParam> data{small_integers<TypeParam>(c.conv.n * c.conv.h * c.conv.w * c.conv.cin, 1),
                         small_integers<TypeParam>(c.conv.kh * c.conv.kw * c.conv.cin * c.conv.cout, 2),
                         small_integers<TypeParam>(pixels, 3),
                         {},
                         {}};
    for (std::size_t i = 0; i < data.dp.size(); ++i)
      if (i % 37 != 5) data.dp[i] = 0;
    data.dy = data.dp;
    const auto got = compute(c, data);
    const auto wanted = expected(c, data);
    expect_near(got.dx, wanted.dx, 0, "dx");
    expect_near(got.dw, wanted.dw, 0, "dw");
  }
}

// What lies beside a gradient that is not finite stays as it is.
TEST(PooledConvolution, KeepsWhatIsNotFiniteToItsPatch) {
  const Case c = make_case(1, 6, 6, 3, 1, 3, 3);
  Data<float> data = data_of<float>(c, random_reals<float>);
  std::fill(data.dp.begin(), data.dp.end(), 0.f);
  std::fill(data.argmax.begin(), data.argmax.end(), std::uint8_t{0});
  data.dp[0] = std::numeric_limits<float>::infinity();
  const auto got = compute(c, data);
  for (std::int64_t row = 0; row < 6; ++row)
    for (std::int64_t col = 0; col < 6; ++col)
      for (std::int64_t i = 0; i < 3; ++i)
        EXPECT_EQ(std::isfinite(got.dx[(row * 6 + col) * 3 + i]), row >= 3 || col >= 3) << row << ' ' << col;
}

TEST(PooledConvolution, IsChosenWhereMostPixelsHaveNoGradient) {
  const auto chosen = [](const Case& c) { return pooling_saves_work(c.conv, c.pool); };
  EXPECT_TRUE(chosen(make_case(32, 13, 13, 32, 64, 3, 3)));
  EXPECT_FALSE(chosen(make_case(32, 13, 13, 32, 64, 3, 3, {.window = 3, .step = 1})));
  Case grouped = make_case(32, 13, 13, 32, 64, 3, 3);
  grouped.conv.groups = 2;
  EXPECT_FALSE(chosen(grouped));
}

TEST(PooledConvolution, SamplesTellGradientsThatAreNearlyAllZeros) {
  const ConvShape conv = make_case(4, 1, 200, 64, 64, 1, 3).conv;
  EXPECT_TRUE(zeros_save_work(conv));
  EXPECT_FALSE(zeros_save_work(make_case(4, 9, 9, 3, 64, 3, 3).conv));  // few products for each number of dy
  std::vector<float> dy(conv.n * conv.oh * conv.ow * conv.cout);
  const auto is_sparse_with = [&](std::size_t step) {
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = i % step == 0 ? 1.0f : 0.0f;
    return is_nearly_all_zeros(conv, dy.data());
  };
  EXPECT_TRUE(is_sparse_with(50));
  EXPECT_FALSE(is_sparse_with(4));
  EXPECT_FALSE(is_sparse_with(1));
}

// --------------------------------------------------------------------------------------------------------- forward

template <class T>
struct Pooled {
  std::vector<T> y;
  std::vector<std::uint8_t> argmax;
};

/// conv: WindowForward or Winograd.
template <class T, class Conv>
Pooled<T> compute_forward(const Conv& conv, const Case& c, const std::vector<T>& x, const std::vector<T>& w,
                          const T* bias, Activation activation) {
  const std::int64_t size = c.pool.n * c.pool.oh * c.pool.ow * c.pool.c;
  GuardedBuffer<T> y(size), alone(size);
  GuardedBuffer<std::uint8_t> argmax(size);
  GuardedBuffer<char> scratch(static_cast<std::int64_t>(conv.scratch_bytes()));
  conv.run(x.data(), w.data(), bias, activation, y.data(), argmax.data(), scratch.data());
  conv.run(x.data(), w.data(), bias, activation, alone.data(), nullptr, scratch.data());
  EXPECT_TRUE(y.untouched() && alone.untouched() && argmax.untouched()) << "wrote beside an output";
  EXPECT_TRUE(scratch.untouched()) << "wrote beyond the scratch";
  EXPECT_TRUE(same_bits(y.copy(), alone.copy())) << "depends on whether argmax is wanted";
  return {y.copy(), argmax.copy()};
}

template <class T>
Pooled<T> pool_of(const Case& c, const std::vector<T>& pixels) {
  const auto size = static_cast<std::size_t>(c.pool.n * c.pool.oh * c.pool.ow * c.pool.c);
  Pooled<T> pooled{std::vector<T>(size), std::vector<std::uint8_t>(size)};
  max_pool_forward(c.pool, pixels.data(), pooled.y.data(), pooled.argmax.data());
  return pooled;
}

template <class T>
void expect_same(const Pooled<T>& got, const Pooled<T>& wanted) {
  EXPECT_TRUE(same_bits(got.y, wanted.y));
  EXPECT_TRUE(same_bits(got.argmax, wanted.argmax));
}

TYPED_TEST(PooledConv, ByWindowsIsExactOnIntegers) {
  EXPECT_GT(window_cases().size(), 20u);
  for (const Case& c : window_cases()) {
    SCOPED_TRACE(text_of(c));
    const auto& s = c.conv;
    const WindowForward<TypeParam> conv(s, c.pool);
    const auto x = small_integers<TypeParam>(s.n * s.h * s.w * s.cin, 1);
    const auto w = small_integers<TypeParam>(s.kh * s.kw * s.cin * s.cout, 2);
    const auto bias = small_integers<TypeParam>(s.cout, 3);
    std::vector<double> sums(static_cast<std::size_t>(s.n * s.oh * s.ow * s.cout));
    conv_forward_ref(s, x.data(), w.data(), sums.data());
    std::vector<TypeParam> pixels(sums.begin(), sums.end());
    expect_same(compute_forward(conv, c, x, w, static_cast<const TypeParam*>(nullptr), Activation::None),
                pool_of(c, pixels));
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = std::max(TypeParam{0}, pixels[i] + bias[i % static_cast<std::size_t>(s.cout)]);
    expect_same(compute_forward(conv, c, x, w, bias.data(), Activation::Relu), pool_of(c, pixels));
  }
}

TYPED_TEST(PooledConv, ByWindowsTakesNanForGreatest) {
  const Case c = make_case(1, 4, 4, 1, 3, 1, 1);
  std::vector<TypeParam> x(16, 1);
  x[6] = std::numeric_limits<TypeParam>::quiet_NaN();
  const auto got = compute_forward<TypeParam>(WindowForward<TypeParam>(c.conv, c.pool), c, x,
                                              std::vector<TypeParam>(3, 1), nullptr, Activation::Relu);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(std::isnan(got.y[i]), i / 3 == 1);
    EXPECT_EQ(got.argmax[i], i / 3 == 1 ? 2 : 0);
  }
}

TEST(PooledConvolution, WeightsByWindowsAreExactOnIntegers) {
  for (const Case& c : window_cases()) {
    SCOPED_TRACE(text_of(c));
    const Data<float> data = data_of<float>(c, small_integers<float>);
    expect_near(weights_by_windows(c, data), expected(c, data).dw, 0, "dw");
  }
}

TEST(PooledConvolution, WeightsByWindowsRoundNoMoreThanTheirSums) {
  const Case c = make_case(8, 28, 28, 1, 32, 3, 3);
  const Data<float> data = data_of<float>(c, random_reals<float>);
  const auto got = weights_by_windows(c, data);
  expect_near(got, expected(c, data).dw, product_bound<float>(c.pool.n * c.pool.oh * c.pool.ow), "dw");
  for (int threads : {1, 2, 3, 5}) {
    const WithThreads with(threads);
    EXPECT_TRUE(same_bits(weights_by_windows(c, data), got)) << threads << " threads";
  }
}

TEST(PooledConvolution, ByWinogradGivesWhatThePoolingOfItsOutputGives) {
  for (const Case& c : {make_case(8, 13, 13, 32, 64, 3, 3), make_case(8, 15, 14, 24, 37, 3, 3),
                        make_case(9, 12, 11, 16, 40, 3, 3, {.pad = 1})}) {
    SCOPED_TRACE(text_of(c));
    const auto& s = c.conv;
    ASSERT_TRUE(has_whole_windows(s, c.pool));
    const auto x = random_reals<float>(s.n * s.h * s.w * s.cin, 1), w = random_reals<float>(9 * s.cin * s.cout, 2);
    const auto bias = random_reals<float>(s.cout, 3);
    WinogradShape shape(s);
    const Winograd unpooled(shape);
    std::vector<float> pixels(static_cast<std::size_t>(s.n * s.oh * s.ow * s.cout));
    GuardedBuffer<char> scratch(static_cast<std::int64_t>(unpooled.scratch_bytes()));
    unpooled.run(x.data(), w.data(), bias.data(), Activation::Relu, pixels.data(), nullptr, scratch.data());
    shape.pooled = true;
    expect_same(compute_forward(Winograd(shape), c, x, w, bias.data(), Activation::Relu), pool_of(c, pixels));
  }
}

TEST(PooledConvolution, IsOneNodeWhereThatIsFaster) {
  const auto fuses = [](const Case& c, DType dtype = DType::F32) {
    const Attrs conv{{"padding", std::string(c.conv.pad_top > 0 ? "same" : "valid")}};
    const Attrs pool{{"window", std::vector<std::int64_t>{c.pool.pool_h, c.pool.pool_w}},
                     {"strides", std::vector<std::int64_t>{c.pool.stride_h, c.pool.stride_w}}};
    const auto& s = c.conv;
    return pooled_convolution(conv, pool, {dtype, {s.n, s.h, s.w, s.cin}}, {dtype, {s.kh, s.kw, s.cin, s.cout}})
        .has_value();
  };
  EXPECT_TRUE(fuses(make_case(32, 28, 28, 1, 32, 3, 3)));
  EXPECT_TRUE(fuses(make_case(32, 13, 13, 32, 64, 3, 3)));
  EXPECT_TRUE(fuses(make_case(32, 13, 13, 32, 64, 3, 3), DType::F16));
  EXPECT_FALSE(fuses(make_case(32, 13, 13, 32, 64, 3, 3), DType::F64));    // no Winograd in double
  EXPECT_FALSE(fuses(make_case(32, 13, 13, 32, 64, 5, 5)));                // many products, no way in tiles
  EXPECT_FALSE(fuses(make_case(32, 28, 28, 1, 32, 3, 3, {.window = 3})));  // windows overlap
  EXPECT_FALSE(has_whole_windows(make_case(32, 28, 28, 1, 32, 3, 3, {.pool_pad = 1}).conv,
                                 make_case(32, 28, 28, 1, 32, 3, 3, {.pool_pad = 1}).pool));
}

// ----------------------------------------------------------------------------------------------------------- the pass

Tensor reals(const Shape& shape, unsigned seed, DType dtype) {
  Tensor tensor = Tensor::empty(DType::F32, shape);
  const std::vector<float> numbers = random_reals<float>(shape.elements(), seed);
  std::copy(numbers.begin(), numbers.end(), tensor.data<float>());
  return ops::cast(tensor, dtype);
}

Tensor loss_of_block(const std::vector<Tensor>& x, const Attrs& conv, const Attrs& pool) {
  const std::vector<Tensor> y{apply("relu", {apply("conv2d", {x[0], x[1]}, conv) + x[2]})};
  const Tensor pooled = apply_all("max_pool2d", y, pool)[0];
  return sum(pooled * pooled, {}, false);
}

/// Gradients of the sum of max_pool(relu(conv(x, w) + b))^2 with respect to all three.
std::vector<Tensor> gradients_of_block(const std::vector<Tensor>& x, const Attrs& conv, const Attrs& pool) {
  if (x[0].is_symbolic()) {
    const Tensor loss = loss_of_block(x, conv, pool);
    return x[0].graph()->gradient({&loss, 1}, {}, x);
  }
  Tape tape;
  for (const Tensor& t : x) tape.watch(t);
  tape.start();
  const Tensor loss = loss_of_block(x, conv, pool);
  tape.stop();
  return gradient(tape.records(), {&loss, 1}, {}, x);
}

class PooledPass : public ::testing::TestWithParam<DType> {};

TEST_P(PooledPass, SkipsZerosAndChangesNoGradient) {
  const Attrs same{{"padding", std::string("same")}}, valid{};
  const Attrs pools[]{{{"window", std::vector<std::int64_t>{2, 2}}},
                      {{"window", std::vector<std::int64_t>{3, 3}},
                       {"strides", std::vector<std::int64_t>{2, 2}},
                       {"padding", std::string("same")}}};
  const DType dtype = GetParam();
  const std::vector<Tensor> x{reals({2, 9, 10, 3}, 1, dtype), reals({3, 3, 3, 8}, 2, dtype), reals({8}, 3, dtype)};
  for (const Attrs& conv : {same, valid}) {
    for (const Attrs& pool : pools) {
      auto graph = std::make_shared<Graph>();
      graph->begin_recording();
      std::vector<Tensor> symbols;
      for (const Tensor& t : x) symbols.push_back(graph->input(t.spec(), "x"));
      graph->set_outputs(gradients_of_block(symbols, conv, pool), {});
      graph->end_recording();
      std::vector<std::string> names;
      for (const Node& node : optimise(*graph).nodes) names.push_back(node.op->name);
      const auto count = [&](const char* name) { return std::count(names.begin(), names.end(), name); };
      const bool disjoint = &pool == pools;
      EXPECT_EQ(count("conv2d_max_pool2d"), disjoint);
      EXPECT_EQ(count("max_pool2d_grad"), 0);
      EXPECT_EQ(count("conv2d_pooled_backward_input"), 1);
      EXPECT_EQ(count("conv2d_pooled_backward_weights"), 1);

      const std::vector<Tensor> got = Program::compile(*graph)->run(x), wanted = gradients_of_block(x, conv, pool);
      const double eps = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 1e-4 : 0.15;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Tensor a = ops::cast(got[i], DType::F64), b = ops::cast(wanted[i], DType::F64);
        ASSERT_EQ(a.spec(), b.spec());
        for (std::int64_t k = 0; k < a.shape().elements(); ++k)
          ASSERT_NEAR(a.data<double>()[k], b.data<double>()[k], eps * (1 + std::abs(b.data<double>()[k])));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Floats, PooledPass, ::testing::Values(DType::F32, DType::F64, DType::F16));

}  // namespace
}  // namespace dlcore
