#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "dlcore/error.h"
#include "kernels/gemm/amx.h"
#include "kernels/gemm/gemm_ref.h"
#include "kernels/gemm/sparse.h"
#include "testing.h"

namespace dlcore {
namespace {

using testing::GuardedBuffer;
using testing::product_bound;
using testing::random_reals;
using testing::same_bits;
using testing::small_integers;
using testing::WithThreads;

std::string text(const GemmShape& s) {
  return str("m=", s.m, " n=", s.n, " k=", s.k, " lda=", s.lda, " ldb=", s.ldb, " ldc=", s.ldc,
             s.transpose_a ? " A^T" : "", s.transpose_b ? " B^T" : "", s.accumulate ? " accumulate" : "",
             s.packed_b ? " packed_b" : "");
}

// What sums and random numbers are made in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, Bfloat>, float, T>;

template <class T>
std::vector<T> narrowed(const std::vector<Wide<T>>& x) {
  std::vector<T> result(x.size());
  std::transform(x.begin(), x.end(), result.begin(), [](Wide<T> value) { return narrow<T>(value); });
  return result;
}
template <class T>
std::vector<T> integers(std::int64_t count, unsigned seed) {
  return narrowed<T>(small_integers<Wide<T>>(count, seed));
}
template <class T>
std::vector<T> reals(std::int64_t count, unsigned seed) {
  return narrowed<T>(random_reals<Wide<T>>(count, seed));
}

// Rounding of a sum to T, relative to it.
template <class T>
constexpr double kRounding = std::is_same_v<T, Bfloat> ? 0x1p-8 : 0;

// What no product may read.
template <class T>
void spoil_gaps(std::vector<T>& x, std::int64_t ld, std::int64_t cols) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (static_cast<std::int64_t>(i) % ld >= cols) x[i] = narrow<T>(std::numeric_limits<Wide<T>>::quiet_NaN());
}

// All operands of one product. C starts as NaN, or as numbers with accumulate; the columns behind row ends stay so.
template <class T>
struct Case {
  GemmShape shape;
  std::vector<T> a, b, c, bias;

  Case(const GemmShape& s, std::vector<T> (*numbers)(std::int64_t, unsigned))
      : shape(s),
        a(numbers((s.transpose_a ? s.k : s.m) * s.lda, 1)),
        b(numbers((s.transpose_b ? s.n : s.k) * s.ldb, 2)),
        c(numbers(s.m * s.ldc, 3)),
        bias(numbers(s.n, 4)) {
    spoil_gaps(a, s.lda, s.transpose_a ? s.m : s.k);
    spoil_gaps(b, s.ldb, s.transpose_b ? s.k : s.n);
  }

  virtual ~Case() = default;
  virtual GemmPlan plan() const { return plan_gemm<T>(shape); }

  // Runs in guarded buffers of exactly the promised sizes, so that reads or writes beside them are seen (reads by
  // AddressSanitizer).
  std::vector<T> run(const GemmEpilogue<T>& epilogue) const {
    const GemmPlan plan = this->plan();
    GuardedBuffer<T> out(shape.m * shape.ldc);
    for (std::size_t i = 0; i < c.size(); ++i)
      if (shape.accumulate || static_cast<std::int64_t>(i) % shape.ldc >= shape.n) out.data()[i] = c[i];
    GuardedBuffer<std::byte> scratch(static_cast<std::int64_t>(plan.scratch_bytes));
    std::vector<T> packed;
    if (shape.packed_b) {
      packed.resize(gemm_packed_b_bytes<T>(shape) / sizeof(T));
      gemm_pack_b(shape, b.data(), packed.data());
    }
    gemm(plan, a.data(), shape.packed_b ? packed.data() : b.data(), out.data(), epilogue, scratch.data());
    EXPECT_TRUE(out.untouched()) << text(shape);
    EXPECT_TRUE(scratch.untouched()) << text(shape);
    return out.copy();
  }

  // |error| <= bound and what rounding to T adds, and nothing behind the rows' ends changed.
  void check(const GemmEpilogue<T>& epilogue, double bound) const {
    const std::vector<T> got = run(epilogue);
    const std::vector<double> expected = gemm_ref(shape, a.data(), b.data(), c.data(), epilogue);
    for (std::int64_t i = 0; i < shape.m; ++i)
      for (std::int64_t j = 0; j < shape.ldc; ++j) {
        const double x = widen(got[i * shape.ldc + j]);
        const double exact = j < shape.n ? expected[i * shape.n + j] : widen(c[i * shape.ldc + j]);
        const double y = bound > 0 ? exact : widen(narrow<T>(exact));
        const double allowed = j < shape.n && bound > 0 ? bound + kRounding<T> * (std::abs(y) + bound) : 0;
        ASSERT_TRUE(std::abs(x - y) <= allowed)
            << text(shape) << " at (" << i << ", " << j << "): " << x << ", not " << y;
      }
  }
};

GemmShape with_transposes(std::int64_t m, std::int64_t n, std::int64_t k, int which, std::int64_t gap = 0) {
  GemmShape s = dense_gemm(m, n, k, which & 1, which & 2);
  s.lda += gap;
  s.ldb += gap;
  s.ldc += gap;
  return s;
}

std::vector<std::int64_t> around(std::int64_t tile) { return {1, tile - 1, tile, tile + 1, 2 * tile + 3}; }

template <class T>
class Gemm : public ::testing::Test {
 protected:
  static constexpr bool kAccumulates = !std::is_same_v<T, Bfloat>;
  void SetUp() override {
    if (std::is_same_v<T, Bfloat> && !gemm_bfloat_kernels())
      GTEST_SKIP() << "needs a processor with AVX512_BF16, and DLCORE_MAX_ISA to allow it";
  }
};
using Types = ::testing::Types<float, double, Bfloat>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, ExactAroundTheTile) {
  using T = TypeParam;
  const GemmPlan big = plan_gemm<T>(dense_gemm(840, 840, 8));
  for (std::int64_t m : around(big.mr))
    for (std::int64_t n : around(big.nr))
      for (std::int64_t k : {0, 1, 2, 7, 33})
        for (int which = 0; which < 4; ++which) {
          GemmShape s = with_transposes(m, n, k, which, k % 3);
          Case<T>(s, integers<T>).check({}, 0);
          s.accumulate = TestFixture::kAccumulates;
          const Case<T> with_bias(s, integers<T>);
          with_bias.check({with_bias.bias.data(), Activation::Relu}, 0);
        }
}

// Sizes that cross every cache block, and products whose sum is cut.
TYPED_TEST(Gemm, ExactAcrossCacheBlocks) {
  using T = TypeParam;
  const std::int64_t sizes[][3] = {{150, 70, 1100}, {300, 200, 700}, {33, 2100, 40}, {2100, 33, 40},
                                   {10, 12, 5000},  {128, 10, 3000}, {1, 10, 4099},  {32, 100, 2500},
                                   {40, 70, 4001},  {40, 1024, 100}, {20, 4000, 150}};
  for (const auto& [m, n, k] : sizes)
    for (int which = 0; which < 4; ++which)
      for (bool accumulate : {false, true}) {
        GemmShape s = with_transposes(m, n, k, which, accumulate ? 3 : 0);
        s.accumulate = accumulate && TestFixture::kAccumulates;
        const Case<T> it(s, integers<T>);
        it.check({accumulate ? nullptr : it.bias.data(), Activation::None}, 0);
      }
}

// Rows of C that are shorter than a vector, and dense; rows of A and of B^T from shorter than a vector on.
TYPED_TEST(Gemm, ExactOnNarrowRows) {
  using T = TypeParam;
  for (std::int64_t m : {1, 2, 15, 29, 700})
    for (std::int64_t n : {1, 2, 3, 7, 8, 10, 15, 16, 17})
      for (std::int64_t k : {1, 2, 8, 15, 16, 17, 63, 64, 65})
        for (int which = 0; which < 4; ++which) {
          const Case<T> it(with_transposes(m, n, k, which), integers<T>);
          it.check({it.bias.data(), Activation::Relu}, 0);
        }
}

struct NamedShape {
  const char* name;
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};
constexpr NamedShape kNamedShapes[] = {
#include "../shapes/gemm.txt"
};

TYPED_TEST(Gemm, ExactOnTheNamedShapes) {
  using T = TypeParam;
  for (const NamedShape& s : kNamedShapes) {
    if (s.m * s.n * s.k > 10'000'000) continue;  // too long for the reference
    SCOPED_TRACE(s.name);
    Case<T>(dense_gemm(s.m, s.n, s.k, s.transpose_a, s.transpose_b), integers<T>).check({}, 0);
  }
}

TYPED_TEST(Gemm, PackedB) {
  using T = TypeParam;
  for (std::int64_t m : {1, 5, 32, 100})
    for (std::int64_t n : {1, 10, 64, 200})
      for (std::int64_t k : {0, 1, 50, 600})
        for (int which = 0; which < 4; ++which) {
          GemmShape s = with_transposes(m, n, k, which, 1);
          s.packed_b = true;
          Case<T>(s, integers<T>).check({}, 0);
        }
}

TYPED_TEST(Gemm, PackedBOfALongRow) {
  using T = TypeParam;
  for (int which = 0; which < 4; ++which) {
    GemmShape s = with_transposes(1, 40, 9001, which);
    s.packed_b = true;
    Case<T>(s, integers<T>).check({}, 0);
  }
}

TYPED_TEST(Gemm, RowsAndColumnsAsDotProducts) {
  using T = TypeParam;
  const double epsilon = std::numeric_limits<Wide<T>>::epsilon();
  for (std::int64_t length : {1, 3, 16, 37, 130, 3000})
    for (std::int64_t k : {0, 1, 15, 64, 67, 260, 9001})
      for (const auto& [row, transpose_a] : {std::pair{true, false}, {false, false}, {false, true}})
        for (const int gap : {0, 3}) {
          if (length * k > 1'000'000) continue;
          GemmShape s = dense_gemm(row ? 1 : length, row ? length : 1, k, transpose_a, row);
          s.lda += gap, s.ldb += row ? gap : 0, s.ldc += gap;
          Case<T>(s, integers<T>).check({}, 0);
          const Case<T> it(s, reals<T>);
          it.check({it.bias.data(), Activation::Tanh}, product_bound<Wide<T>>(k + 1) + 8 * epsilon);
        }
}

TYPED_TEST(Gemm, RoundingStaysInItsBound) {
  using T = TypeParam;
  for (std::int64_t k : {3, 100, 2500, 5001})
    for (int which = 0; which < 4; ++which) {
      const Case<T> it(with_transposes(37, 45, k, which), reals<T>);
      it.check({}, product_bound<Wide<T>>(k));
    }
}

TYPED_TEST(Gemm, Activations) {
  using T = TypeParam;
  const double epsilon = std::numeric_limits<Wide<T>>::epsilon();
  const std::int64_t k = 5;
  for (Activation activation : {Activation::Relu, Activation::Sigmoid, Activation::Tanh, Activation::Gelu,
                                Activation::GeluTanh, Activation::Silu, Activation::Softplus}) {
    const Case<T> it(dense_gemm(20, 37, k), reals<T>);
    // No activation here is steeper than 1.13; the functions themselves keep 8 ulp of the result or of 1.
    it.check({it.bias.data(), activation}, 1.13 * product_bound<Wide<T>>(k + 1) + 8 * epsilon);
  }
}

using Sizes = std::vector<std::array<std::int64_t, 3>>;  // m, n, k

// Of Cases, or what is derived of them.
template <template <class> class C, class T>
void expect_same_bits_for_any_number_of_threads(const Sizes& sizes) {
  for (const auto& [m, n, k] : sizes)
    for (int which = 0; which < 4; ++which) {
      const C<T> it(with_transposes(m, n, k, which), reals<T>);
      const GemmEpilogue<T> epilogue{it.bias.data(), Activation::Relu};
      std::vector<T> first;
      for (int threads : {1, 2, 3, 8}) {
        const WithThreads with(threads);
        const std::vector<T> got = it.run(epilogue);
        if (threads == 1) first = got;
        EXPECT_TRUE(same_bits(first, got)) << text(it.shape) << ", " << threads << " threads";
      }
    }
}

TYPED_TEST(Gemm, SameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_number_of_threads<Case, TypeParam>(
      {{300, 300, 300}, {128, 10, 6000}, {20, 700, 2100}, {1000, 40, 128}, {90, 99, 4801}});
}

// `nan` in row 3 of A and an infinity in column 20 of B reach their row (or column) of C, and no other.
template <template <class> class C, class T>
void expect_not_finite_in_its_row_or_column(std::int64_t m, std::int64_t n, T nan) {
  using W = Wide<T>;
  for (std::int64_t k : {5, 64, 1025})
    for (int which = 0; which < 4; ++which) {
      C<T> it(with_transposes(m, n, k, which), [](std::int64_t count, unsigned) {
        return std::vector<T>(static_cast<std::size_t>(count), narrow<T>(W{1}));
      });
      const GemmShape& s = it.shape;
      it.a[s.transpose_a ? (k - 1) * s.lda + 3 : 3 * s.lda + k - 1] = nan;
      it.b[s.transpose_b ? 20 * s.ldb + k - 2 : (k - 2) * s.ldb + 20] = narrow<T>(std::numeric_limits<W>::infinity());
      const std::vector<T> got = it.run({});
      for (std::int64_t i = 0; i < s.m; ++i)
        for (std::int64_t j = 0; j < s.n; ++j) {
          const double x = widen(got[i * s.ldc + j]);
          if (i == 3)
            ASSERT_TRUE(std::isnan(x)) << text(s) << " at " << j;
          else
            ASSERT_EQ(x, j == 20 ? INFINITY : widen(narrow<T>(static_cast<W>(k)))) << text(s);
        }
    }
}

template <class T>
T quiet_nan() {
  return narrow<T>(std::numeric_limits<Wide<T>>::quiet_NaN());
}

TYPED_TEST(Gemm, NotANumberAndInfinityPropagate) {
  expect_not_finite_in_its_row_or_column<Case>(17, 35, quiet_nan<TypeParam>());
}

// Products on the matrix unit, which the plan leaves to AVX-512 where they are as small.
template <class T>
struct AmxCase : Case<T> {
  std::size_t l2 = cache_sizes().l2;

  using Case<T>::Case;
  GemmPlan plan() const override {
    GemmPlan plan = plan_gemm<T>(this->shape);
    plan.amx = plan_amx_gemm(this->shape, sizeof(T), {48 << 10, l2, 32 << 20});
    plan.scratch_bytes = plan.amx.scratch_bytes;
    plan.skip_a.most_nonzeros = plan.skip_b.most_nonzeros = -1;
    return plan;
  }
};

class NeedsAmx : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!amx_kernels()) GTEST_SKIP() << "needs a processor with AMX, and DLCORE_MAX_ISA to allow it";
  }
};
using AmxGemmOfFloats = NeedsAmx;
using AmxGemmPlan = NeedsAmx;
template <class T>
class AmxGemm : public NeedsAmx {
 protected:
  static constexpr bool kAccumulates = !std::is_same_v<T, Bfloat>;
};
using AmxTypes = ::testing::Types<float, Bfloat>;
TYPED_TEST_SUITE(AmxGemm, AmxTypes);

TYPED_TEST(AmxGemm, ExactAroundTheTiles) {
  using T = TypeParam;
  for (std::int64_t m : {1, 15, 16, 17, 32, 33, 50})
    for (std::int64_t n : {1, 15, 16, 17, 31, 32, 49})
      for (std::int64_t k : {0, 1, 15, 16, 17, 32, 33, 70})
        for (int which = 0; which < 4; ++which) {
          GemmShape s = with_transposes(m, n, k, which, k % 3);
          AmxCase<T>(s, integers<T>).check({}, 0);
          s.accumulate = TestFixture::kAccumulates;
          const AmxCase<T> with_bias(s, integers<T>);
          with_bias.check({with_bias.bias.data(), Activation::Relu}, 0);
        }
}

// Several passes over k, blocks of rows and columns, partial sums.
TYPED_TEST(AmxGemm, ExactAcrossCacheBlocks) {
  using T = TypeParam;
  const std::int64_t sizes[][3] = {{150, 70, 1100}, {300, 260, 700}, {33, 2100, 300}, {2100, 33, 300},
                                   {10, 12, 12000}, {64, 40, 4099},  {700, 90, 1300}};
  for (const auto& [m, n, k] : sizes)
    for (int which = 0; which < 4; ++which)
      for (bool accumulate : {false, true}) {
        GemmShape s = with_transposes(m, n, k, which, accumulate ? 3 : 0);
        s.accumulate = accumulate && TestFixture::kAccumulates;
        AmxCase<T> it(s, integers<T>);
        it.l2 = accumulate ? 64 << 10 : 2 << 20;
        it.check({accumulate ? nullptr : it.bias.data(), Activation::None}, 0);
      }
}

TYPED_TEST(AmxGemm, PackedB) {
  using T = TypeParam;
  for (std::int64_t m : {1, 40, 300})
    for (std::int64_t n : {10, 64, 200})
      for (std::int64_t k : {0, 50, 1100})
        for (int which = 0; which < 4; ++which) {
          GemmShape s = with_transposes(m, n, k, which, 1);
          s.packed_b = s.packed_tiles = true;
          AmxCase<T>(s, integers<T>).check({}, 0);
        }
}

// Integers whose sums float32 can hold are exact, also where they are the sum of two or three parts.
TEST_F(AmxGemmOfFloats, LargeIntegersAreExact) {
  const auto large = [](std::int64_t count, unsigned seed) {
    std::vector<float> x = small_integers<float>(count, seed);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= seed == 1 ? (i % 2 ? 65537.0f : 257.0f) : 1;
    return x;
  };
  for (int which = 0; which < 4; ++which) AmxCase<float>(with_transposes(40, 50, 3, which), large).check({}, 0);
}

TYPED_TEST(AmxGemm, RoundingStaysInItsBound) {
  using T = TypeParam;
  for (std::int64_t k : {3, 100, 2500, 5001})
    for (int which = 0; which < 4; ++which) {
      const AmxCase<T> it(with_transposes(37, 45, k, which), reals<T>);
      const double epsilon = std::numeric_limits<Wide<T>>::epsilon();
      it.check({it.bias.data(), Activation::Tanh}, product_bound<Wide<T>>(k + 1) + 8 * epsilon);
    }
}

// Root of the mean squared error beside that of fused multiply-adds in float32, one after another.
TEST_F(AmxGemmOfFloats, ErrsNoMoreThanFloat) {
  for (std::int64_t k : {64, 256, 2048}) {
    const AmxCase<float> it(dense_gemm(64, 64, k), reals<float>);
    const std::vector<float> got = it.run({});
    double error = 0, of_float = 0;
    for (std::int64_t i = 0; i < 64; ++i)
      for (std::int64_t j = 0; j < 64; ++j) {
        float in_float = 0;
        double exact = 0;
        for (std::int64_t p = 0; p < k; ++p) {
          in_float = std::fma(it.a[i * k + p], it.b[p * 64 + j], in_float);
          exact += static_cast<double>(it.a[i * k + p]) * it.b[p * 64 + j];
        }
        error += std::pow(got[i * 64 + j] - exact, 2);
        of_float += std::pow(in_float - exact, 2);
      }
    EXPECT_LT(std::sqrt(error), std::sqrt(of_float)) << k;
  }
}

TYPED_TEST(AmxGemm, SameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_number_of_threads<AmxCase, TypeParam>(
      {{300, 300, 300}, {128, 10, 6000}, {1000, 40, 128}, {90, 99, 4801}});
}

TYPED_TEST(AmxGemm, NotANumberAndInfinityPropagate) {
  expect_not_finite_in_its_row_or_column<AmxCase>(47, 35, quiet_nan<TypeParam>());
}
// The upper half of this NaN, its first part, is an infinity.
TEST_F(AmxGemmOfFloats, NotANumberInItsLowBitsPropagates) {
  expect_not_finite_in_its_row_or_column<AmxCase>(47, 35, std::bit_cast<float>(0x7f800001));
}

TEST_F(AmxGemmPlan, TakesTheUnitWhereItPays) {
  EXPECT_TRUE(plan_gemm<float>(dense_gemm(1024, 1024, 1024)).amx.runs);
  EXPECT_TRUE(plan_gemm<Bfloat>(dense_gemm(128, 512, 784)).amx.runs);
  EXPECT_FALSE(plan_gemm<float>(dense_gemm(32, 512, 512)).amx.runs);
  EXPECT_FALSE(plan_gemm<Bfloat>(dense_gemm(1, 512, 784)).amx.runs);
  GemmShape weights = dense_gemm(1, 512, 784);
  weights.packed_b = true;
  EXPECT_FALSE(gemm_packs_tiles<float>(weights));
  weights.m = 128;
  EXPECT_TRUE(gemm_packs_tiles<float>(weights));
  EXPECT_FALSE(plan_gemm<double>(dense_gemm(1024, 1024, 1024)).amx.runs);
}

// Who packs what: nothing twice, or little beside what it is multiplied by.
TEST_F(AmxGemmPlan, CutsWhatIsPackedLeast) {
  auto plan = [](std::int64_t m, std::int64_t n, std::int64_t k) {
    return plan_amx_gemm(dense_gemm(m, n, k), sizeof(float), {48 << 10, 2 << 20, 32 << 20});
  };
  const ::dlcore::AmxGemmPlan many_rows = plan(4096, 256, 256), few_rows = plan(128, 512, 784),
                              small = plan(128, 128, 8192), large = plan(1024, 1024, 1024);
  EXPECT_EQ(many_rows.pack_b, Pack::PerTask);
  EXPECT_EQ(many_rows.block_n, 256);  // all of B is packed by each worker once
  EXPECT_EQ(few_rows.block_m, 128);
  EXPECT_LT(few_rows.block_n, 512);
  EXPECT_EQ(few_rows.splits, 1);
  EXPECT_GT(small.splits, 1);
  EXPECT_EQ(large.pack_b, Pack::Once);
}

// The passes over k and the partial sums, and so the order in which numbers are added.
TEST_F(AmxGemmPlan, IsTheSameForAnyNumberOfThreads) {
  auto cuts = [](int threads, const GemmShape& s, std::size_t element_bytes) {
    const WithThreads with(threads);
    const ::dlcore::AmxGemmPlan plan = plan_amx_gemm(s, element_bytes, {48 << 10, 2 << 20, 32 << 20});
    return std::vector<std::int64_t>{plan.block_m, plan.block_n, plan.splits, plan.k_packed, plan.n_packed};
  };
  for (std::int64_t m : {32, 128, 300, 600, 1000, 4096})
    for (std::int64_t n : {10, 87, 256, 1000})
      for (std::int64_t k : {64, 300, 1000, 5000})
        for (std::size_t element_bytes : {sizeof(Bfloat), sizeof(float)}) {
          const GemmShape s = dense_gemm(m, n, k);
          EXPECT_EQ(cuts(1, s, element_bytes), cuts(64, s, element_bytes)) << text(s);
        }
}

// Products with enough zeros in A or in B that they are left out.
template <class T>
struct SparseCase : Case<T> {
  bool zeros_in_b;

  SparseCase(const GemmShape& s, bool zeros_in_b, double share, std::vector<T> (*numbers)(std::int64_t, unsigned))
      : Case<T>(s, numbers), zeros_in_b(zeros_in_b) {
    std::vector<T>& x = zeros_in_b ? this->b : this->a;
    const std::vector<double> chance = random_reals<double>(static_cast<std::int64_t>(x.size()), 5);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (chance[i] >= 2 * share - 1 && !std::isnan(x[i])) x[i] = i % 2 ? T{0} : -T{0};
  }

  void check(const GemmEpilogue<T>& epilogue, double bound) const {
    const GemmPlan plan = plan_gemm<T>(this->shape);
    ASSERT_LT(relative_share(zeros_in_b ? plan.skip_b : plan.skip_a, this->a.data(), this->b.data()), 1)
        << text(this->shape);
    Case<T>::check(epilogue, bound);
  }
};

template <class T>
class SparseGemm : public ::testing::Test {};
using SparseTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SparseGemm, SparseTypes);

// Around tiles of 64 and 128 columns, words of 64 bits, tasks and cuts of k.
const std::int64_t kSparseSizes[][3] = {{64, 65, 620},  {200, 130, 100}, {129, 100, 200}, {16, 64, 7000},
                                        {300, 33, 260}, {40, 1000, 66},  {513, 127, 65}};

TYPED_TEST(SparseGemm, ExactInAllLayouts) {
  using T = TypeParam;
  for (const auto& [m, n, k] : kSparseSizes)
    for (int which = 0; which < 4; ++which)
      for (bool zeros_in_b : {false, true}) {
        if (zeros_in_b && (m == 16 || n == 33)) continue;  // too narrow to pay
        for (double share : {0.0, 0.1}) {
          const SparseCase<T> it(with_transposes(m, n, k, which, 3), zeros_in_b, share, integers<T>);
          it.check({it.bias.data(), Activation::Relu}, 0);
        }
        const SparseCase<T> it(with_transposes(m, n, k, which), zeros_in_b, 0.1, reals<T>);
        it.check({}, product_bound<T>(k));
      }
}

TYPED_TEST(SparseGemm, ExactWithSumsBeforeAndPackedB) {
  using T = TypeParam;
  for (const auto& [m, n, k] : kSparseSizes)
    for (int which = 0; which < 4; ++which) {
      GemmShape s = with_transposes(m, n, k, which);
      s.accumulate = true;
      SparseCase<T>(s, false, 0.1, integers<T>).check({}, 0);
      s.accumulate = false;
      s.packed_b = true;
      SparseCase<T>(s, false, 0.1, integers<T>).check({}, 0);
    }
}

// Tiles and cuts of other processors.
TYPED_TEST(SparseGemm, ExactForAnyCaches) {
  using T = TypeParam;
  for (std::size_t l1d : {16 << 10, 32 << 10, 48 << 10})
    for (bool swapped : {false, true}) {
      const SparseCase<T> it(dense_gemm(150, 140, 2100), swapped, 0.3, integers<T>);
      SparseGemmPlan plan = plan_sparse_gemm(it.shape, swapped, sizeof(T), isa(), {l1d, 256 << 10, 1 << 20}, 1e6);
      ASSERT_GT(plan.most_nonzeros, 0);
      plan.far = l1d == 32 << 10;
      GuardedBuffer<T> c(it.shape.m * it.shape.n);
      GuardedBuffer<std::byte> scratch(static_cast<std::int64_t>(plan.scratch_bytes));
      sparse_gemm(plan, it.a.data(), it.b.data(), c.data(), {it.bias.data()}, scratch.data());
      EXPECT_TRUE(c.untouched() && scratch.untouched()) << l1d;
      const std::vector<double> expected = gemm_ref<T>(it.shape, it.a.data(), it.b.data(), nullptr, {it.bias.data()});
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), c.data())) << l1d << ", swapped " << swapped;
    }
}

// A zero times infinity is NaN, also where it is left out.
TYPED_TEST(SparseGemm, NotANumberAndInfinityPropagate) {
  using T = TypeParam;
  for (const auto& [m, n, k] : kSparseSizes)
    for (bool zeros_in_b : {false, true}) {
      if (zeros_in_b && (m == 16 || n == 33)) continue;
      SparseCase<T> it(dense_gemm(m, n, k), zeros_in_b, 0.1, integers<T>);
      it.a[(m - 1) * k + k / 2] = std::numeric_limits<T>::infinity();
      it.a[3] = std::numeric_limits<T>::quiet_NaN();
      it.b[(k - 1) * n + n - 1] = -std::numeric_limits<T>::infinity();
      it.b[2 * n + 7] = std::numeric_limits<T>::quiet_NaN();
      const std::vector<T> got = it.run({});
      const std::vector<double> expected = gemm_ref(it.shape, it.a.data(), it.b.data(), it.c.data(), {});
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_TRUE(got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i])))
            << text(it.shape) << " at " << i << ": " << got[i] << ", not " << expected[i];
    }
}

TYPED_TEST(SparseGemm, SameBitsForAnyNumberOfThreads) {
  using T = TypeParam;
  for (const auto& [m, n, k] : kSparseSizes)
    for (int which = 0; which < 4; ++which) {
      const SparseCase<T> it(with_transposes(m, n, k, which), n > m, 0.2, reals<T>);
      std::vector<T> first;
      for (int threads : {1, 2, 3, 8}) {
        const WithThreads with(threads);
        const std::vector<T> got = it.run({it.bias.data(), Activation::Tanh});
        if (threads == 1) first = got;
        EXPECT_TRUE(same_bits(first, got)) << text(it.shape) << ", " << threads << " threads";
      }
    }
}

// As in the states of a recurrent layer, whose first ones are zero.
TYPED_TEST(SparseGemm, TheSampleHasNoPeriod) {
  using T = TypeParam;
  for (std::int64_t period : {2, 10, 32, 50, 100}) {
    std::vector<T> x(1600 * 64, T{1});
    for (std::int64_t row = 0; row < 1600; row += period) std::fill_n(x.begin() + row * 64, 64, T{0});
    EXPECT_NEAR(sparse_entries<T>().share_of_nonzeros(x.data(), 1600, 64, 64), 1 - 1.0 / period, 0.1) << period;
  }
}

TEST(GemmBfloat, DenormalsCountAsZero) {
  if (!gemm_bfloat_kernels()) GTEST_SKIP() << "needs a processor with AVX512_BF16, and DLCORE_MAX_ISA to allow it";
  for (std::int64_t m : {1, 20}) {
    Case<Bfloat> it(dense_gemm(m, 40, 6), integers<Bfloat>);
    std::fill(it.a.begin(), it.a.end(), narrow<Bfloat>(0x1p-130f));
    std::fill(it.b.begin(), it.b.end(), narrow<Bfloat>(0x1p100f));
    for (Bfloat x : it.run({})) ASSERT_EQ(x.bits, 0);
  }
}

TEST(GemmPlan, IsAPureFunctionOfTheMachine) {
  const CacheSizes caches{32 << 10, 1 << 20, 8 << 20};
  const GemmPlan plan = plan_gemm(dense_gemm(1024, 1024, 1024), sizeof(float), Isa::Avx512, caches);
  EXPECT_LE(plan.mr, 14);
  EXPECT_EQ(plan.nr, 32);
  EXPECT_LE(plan.kc * plan.nr * 4, (1 << 20) / 8);
  EXPECT_LE(plan.mc * plan.kc * 4, (1 << 20) / 2);
  EXPECT_EQ(plan.block_m % plan.mr, 0);
  EXPECT_EQ(plan.mc % plan.mr, 0);
  EXPECT_EQ(plan.block_n % plan.nr, 0);
  EXPECT_TRUE(plan.pack_a == Pack::Once && plan.pack_b == Pack::Once);
}

// C^T goes through a room of each thread, not as a whole through memory.
TEST(GemmPlan, TransposesPartsOfC) {
  for (const Isa isa : {Isa::Avx512, Isa::Avx2, Isa::Baseline}) {
    const GemmPlan plan = plan_gemm(dense_gemm(32, 20000, 128, false, true), 4, isa, {32 << 10, 1 << 20, 32 << 20});
    EXPECT_TRUE(plan.swapped && plan.m_transposed > 0 && plan.m_transposed < plan.block_m);
    EXPECT_LT(plan.transposed_offset + plan.workers * plan.m_transposed * plan.block_n * 4, 32 * 20000 * 4 / 2);
  }
}

TEST(GemmPlan, PacksRowsOfAOnlyWhenTheyCrowdTheCache) {
  const CacheSizes caches{32 << 10, 1 << 20, 8 << 20};
  EXPECT_EQ(plan_gemm(dense_gemm(1024, 1024, 1024), sizeof(float), Isa::Avx2, caches).pack_a, Pack::Once);
  EXPECT_EQ(plan_gemm(dense_gemm(1024, 1024, 1040), sizeof(float), Isa::Avx2, caches).pack_a, Pack::No);
}

TEST(GemmPlan, RowsOfATileDoNotCrowdASetOfTheCache) {
  const CacheSizes caches{32 << 10, 1 << 20, 8 << 20};
  EXPECT_EQ(plan_gemm(dense_gemm(280, 128, 1000), sizeof(float), Isa::Avx512, caches).mr, 14);
  EXPECT_EQ(plan_gemm(dense_gemm(280, 128, 512), sizeof(float), Isa::Avx512, caches).mr, 14);
  EXPECT_EQ(plan_gemm(dense_gemm(280, 128, 1024), sizeof(float), Isa::Avx512, caches).mr, 8);
  EXPECT_EQ(plan_gemm(dense_gemm(280, 128, 1024, true), sizeof(float), Isa::Avx512, caches).mr, 14);
  EXPECT_EQ(plan_gemm(dense_gemm(280, 128, 1024), sizeof(float), Isa::Avx2, caches).mr, 6);
}

TEST(GemmPlan, TasksPackRowsOfBThatCrowdASetOfTheCache) {
  auto pack_b = [](std::int64_t m, std::int64_t n, std::int64_t k, Isa isa) {
    return plan_gemm(dense_gemm(m, n, k), sizeof(float), isa, {32 << 10, 1 << 20, 32 << 20}).pack_b;
  };
  EXPECT_EQ(pack_b(32, 1024, 1024, Isa::Avx2), Pack::PerTask);
  EXPECT_EQ(pack_b(32, 2048, 2048, Isa::Avx2), Pack::No);  // not in the last cache
  EXPECT_EQ(pack_b(48, 2048, 2048, Isa::Avx2), Pack::PerTask);
  EXPECT_EQ(pack_b(96, 1024, 1024, Isa::Avx2), Pack::Once);
  EXPECT_EQ(pack_b(24, 1024, 1024, Isa::Avx2), Pack::No);
  EXPECT_EQ(pack_b(32, 1000, 1024, Isa::Avx2), Pack::No);
  EXPECT_EQ(pack_b(32, 1024, 1024, Isa::Avx512), Pack::No);
}

TEST(GemmPlan, PairsOfSixteenBitsAreReadOnlyWhereTheyAreNeighbours) {
  const CacheSizes caches{32 << 10, 1 << 20, 8 << 20};
  auto plan = [&](std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a) {
    return plan_gemm(dense_gemm(m, n, k, transpose_a), sizeof(Bfloat), Isa::Avx512, caches);
  };
  EXPECT_EQ(plan(100, 10, 64, false).pack_a, Pack::No);
  EXPECT_EQ(plan(100, 10, 64, false).pack_b, Pack::No);
  EXPECT_EQ(plan(100, 10, 64, true).pack_a, Pack::PerTask);
  EXPECT_EQ(plan(100, 10, 63, false).k, 32);
  EXPECT_EQ(plan(100, 10, 63, false).pack_a, Pack::Once);
  EXPECT_EQ(plan(100, 10, 63, false).pack_b, Pack::PerTask);
  EXPECT_EQ(plan(1024, 1024, 1024, true).pack_a, Pack::Once);
  EXPECT_EQ(plan(1024, 1024, 1024, false).pack_b, Pack::Once);
}

TEST(GemmPlan, CutsALongSumOfFewTiles) {
  const CacheSizes caches{32 << 10, 1 << 20, 8 << 20};
  EXPECT_LT(plan_gemm(dense_gemm(32, 10, 21632), sizeof(float), Isa::Avx2, caches).k_split, 21632);
  EXPECT_EQ(plan_gemm(dense_gemm(3000, 3000, 1500), sizeof(float), Isa::Avx2, caches).k_split, 1500);
}

TEST(GemmPlan, LongProductsHaveWorkForEightThreads) {
  constexpr double kLong = 240'000;  // ns
  for (Isa isa : {Isa::Avx2, Isa::Avx512})
    for (const NamedShape& named : kNamedShapes) {
      const GemmShape shape = dense_gemm(named.m, named.n, named.k, named.transpose_a, named.transpose_b);
      const GemmPlan plan = plan_gemm(shape, sizeof(float), isa, {32 << 10, 1 << 20, 32 << 20});
      if (plan.cost < kLong || shape.m == 1) continue;
      const auto share = [](std::int64_t part, std::int64_t all) {
        return static_cast<double>(std::min(part, all)) / static_cast<double>(all);
      };
      const double largest_task =
          share(plan.block_m, plan.shape.m) * share(plan.block_n, plan.shape.n) * share(plan.k_split, plan.k);
      EXPECT_LE(largest_task, 1.0 / 7) << named.name;
    }
}

TEST(GemmPlan, ReadsSmallOperandsWhereTheyAre) {
  const GemmPlan plan = plan_gemm(dense_gemm(8, 32, 64), sizeof(float), Isa::Avx512, {32 << 10, 1 << 20, 8 << 20});
  EXPECT_EQ(plan.pack_a, Pack::No);
  EXPECT_EQ(plan.pack_b, Pack::No);
  EXPECT_EQ(plan.scratch_bytes, 0u);
}

}  // namespace
}  // namespace dlcore
