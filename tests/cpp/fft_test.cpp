#include "kernels/fft/fft.h"

#include "gradient_check.h"
#include "kernels/fft/fft_ref.h"
#include "testing.h"

namespace dlcore {
namespace {

using Complex = std::complex<double>;
using testing::GuardedBuffer;
using testing::random_reals;

constexpr std::int64_t kSizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 20, 23, 32, 45, 61, 64, 122, 128, 240, 255};

/// The transforms of complex lines, both parts of each number rounded once more per stage: an error of the order of the
/// precision times the stages times the norm (Higham 2002, theorem 24.2).
template <class T>
double bound(std::int64_t n) {
  return 8 * std::numeric_limits<T>::epsilon() * (1 + std::log2(static_cast<double>(n))) * static_cast<double>(n);
}

template <class T>
void run(const FftShape& shape, const T* x_re, const T* x_im, T* y_re, T* y_im) {
  const FftPlan<T> plan = plan_fft<T>(shape);
  GuardedBuffer<std::byte> scratch(static_cast<std::int64_t>(plan.scratch_bytes));
  fft<T>(plan, x_re, x_im, nullptr, y_re, y_im, scratch.data());
  EXPECT_TRUE(scratch.untouched());
}

template <class T>
void check_complex(std::int64_t outer, std::int64_t n, std::int64_t inners) {
  const std::int64_t count = outer * n * inners;
  const std::vector<T> re = random_reals<T>(count, 1), im = random_reals<T>(count, 2);
  GuardedBuffer<T> y_re(count), y_im(count);
  run<T>({FftKind::Complex, outer, n, inners}, re.data(), im.data(), y_re.data(), y_im.data());
  for (std::int64_t line = 0; line < outer * inners; ++line) {
    const std::int64_t first = line / inners * n * inners + line % inners;
    std::vector<Complex> x(n);
    for (std::int64_t j = 0; j < n; ++j) x[j] = {re[first + j * inners], im[first + j * inners]};
    const std::vector<Complex> y = fft_ref(x);
    for (std::int64_t k = 0; k < n; ++k)
      ASSERT_LE(std::abs(y[k] - Complex(y_re[first + k * inners], y_im[first + k * inners])), bound<T>(n))
          << outer << ", " << n << ", " << inners;
  }
  EXPECT_TRUE(y_re.untouched() && y_im.untouched());
}

TEST(Fft, IsItsFormula) {
  for (const std::int64_t n : kSizes)
    for (const auto& [outer, inners] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {17, 1}, {2, 3}, {2, 17}, {1, 33}}) {
      check_complex<float>(outer, n, inners);
      check_complex<double>(outer, n, inners);
    }
}

template <class T>
void check_real(std::int64_t lines, std::int64_t n) {
  const std::int64_t half = n / 2 + 1;
  const std::vector<T> x = random_reals<T>(lines * n, 1);
  GuardedBuffer<T> re(lines * half), im(lines * half), back(lines * n);
  run<T>({FftKind::Real, lines, n}, x.data(), nullptr, re.data(), im.data());
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::vector<Complex> y = fft_ref({x.begin() + line * n, x.begin() + (line + 1) * n});
    for (std::int64_t k = 0; k < half; ++k)
      ASSERT_LE(std::abs(y[k] - Complex(re[line * half + k], im[line * half + k])), bound<T>(n)) << lines << ", " << n;
    im[line * half] = 9;  // not read, as this is a real number
    if (n % 2 == 0) im[line * half + half - 1] = 9;
  }
  run<T>({FftKind::RealInverse, lines, n}, re.data(), im.data(), back.data(), nullptr);
  for (std::int64_t i = 0; i < lines * n; ++i) ASSERT_NEAR(back[i], x[i], 2 * bound<T>(n)) << lines << ", " << n;
  EXPECT_TRUE(re.untouched() && im.untouched() && back.untouched());
}

TEST(Fft, OfRealNumbersIsTheFirstHalfAndBack) {
  for (const std::int64_t n : kSizes)
    for (const std::int64_t lines : {1, 3, 16, 33}) {
      check_real<float>(lines, n);
      check_real<double>(lines, n);
    }
}

TEST(Fft, OfFramesIsThatOfWindowedParts) {
  const std::int64_t signals = 3, length = 50, step = 7;
  for (const std::int64_t n : {1, 9, 16, 50}) {
    const std::int64_t frames = (length - n) / step + 1, half = n / 2 + 1;
    const std::vector<double> x = random_reals<double>(signals * length, 1), window = random_reals<double>(n, 2);
    const std::vector<Tensor> y =
        apply_all("stft", std::vector{Tensor::from<double>(x, {signals, length}), Tensor::from<double>(window, {n})},
                  {{"step", step}});
    ASSERT_EQ(y[1].shape(), Shape({signals, frames, half}));
    for (std::int64_t i = 0; i < signals * frames; ++i) {
      std::vector<Complex> part(n);
      for (std::int64_t j = 0; j < n; ++j) part[j] = window[j] * x[i / frames * length + i % frames * step + j];
      const std::vector<Complex> expected = fft_ref(part);
      for (std::int64_t k = 0; k < half; ++k)
        ASSERT_LE(std::abs(expected[k] - Complex(y[0].data<double>()[i * half + k], y[1].data<double>()[i * half + k])),
                  bound<double>(n));
    }
  }
}

TEST(Fft, IsExactOnIntegersOfSizesWithExactTurns) {
  for (const std::int64_t n : {1, 2, 4}) {
    const std::vector<float> re = testing::small_integers<float>(9 * n, 1),
                             im = testing::small_integers<float>(9 * n, 2);
    GuardedBuffer<float> y_re(9 * n), y_im(9 * n);
    run<float>({FftKind::Complex, 9, n}, re.data(), im.data(), y_re.data(), y_im.data());
    for (std::int64_t i = 0; i < 9 * n; ++i) {
      Complex sum = 0;
      const Complex turns[] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
      for (std::int64_t j = 0; j < n; ++j)
        sum += Complex(re[i / n * n + j], im[i / n * n + j]) * turns[i % n * j % n * (4 / n)];
      ASSERT_EQ(Complex(y_re[i], y_im[i]), sum) << n;
    }
  }
}

TEST(Fft, HasTheSameBitsForAnyNumberOfThreads) {
  const std::int64_t lines = 200, n = 240;
  const std::vector<float> x = random_reals<float>(lines * n, 1);
  std::vector<std::vector<float>> found;
  for (const int threads : {1, 2, 5}) {
    const testing::WithThreads with(threads);
    GuardedBuffer<float> re(lines * (n / 2 + 1)), im(lines * (n / 2 + 1));
    run<float>({FftKind::Real, lines, n}, x.data(), nullptr, re.data(), im.data());
    found.push_back(re.copy());
    EXPECT_TRUE(testing::same_bits(found[0], found.back()));
  }
}

TEST(Fft, Gradients) {
  const auto reals = [](const Shape& shape, unsigned seed) {
    return Tensor::from<double>(random_reals<double>(shape.elements(), seed), shape);
  };
  for (const std::int64_t axis : {-1, 0})
    testing::check_gradient("fft", {reals({6, 5}, 1), reals({6, 5}, 2)}, {{"axis", axis}});
  for (const std::int64_t n : {1, 2, 5, 6}) {
    testing::check_gradient("rfft", {reals({3, n}, 1)});
    testing::check_gradient("irfft", {reals({3, n / 2 + 1}, 1), reals({3, n / 2 + 1}, 2)}, {{"length", n}});
  }
}

TEST(Fft, RefusesWhatItCannotDo) {
  const Tensor x = Tensor::from<double>(std::vector<double>(67), {67}),
               y = Tensor::from<double>(std::vector<double>(2), {2});
  using testing::error_text;
  EXPECT_NE(error_text([&] { apply_all("rfft", std::vector{x}); }).find("prime factors above 64; got 67"),
            std::string::npos);
  EXPECT_NE(error_text([&] { apply_all("stft", std::vector{y, x}, {}); }).find("got 67"), std::string::npos);
  EXPECT_NE(error_text([&] {
              apply_all("stft", std::vector{y, y}, {{"step", std::int64_t{0}}});
            }).find("step = 0"),
            std::string::npos);
  EXPECT_NE(error_text([&] { apply_all("fft", std::vector{x, y}); }).find("like the real part"), std::string::npos);
  EXPECT_NE(error_text([&] {
              apply_all("irfft", std::vector{y, y}, {{"length", std::int64_t{4}}});
            }).find("begins with 3"),
            std::string::npos);
}

}  // namespace
}  // namespace dlcore
