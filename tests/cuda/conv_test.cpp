#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "compare.h"
#include "ops/convolution.h"
#include "ops/pooled_convolution.h"

namespace dlcore {
namespace {

using namespace testing;
using Integers = std::vector<std::int64_t>;

struct Case {
  Shape x, w;
  Attrs attrs;
};
Attrs conv_attrs(Integers strides, Integers dilation, const char* padding, std::int64_t groups = 1,
                 Integers pads = {}) {
  Attrs attrs{{"strides", strides}, {"dilation", dilation}, {"padding", std::string(padding)}, {"groups", groups}};
  if (!pads.empty()) attrs.set("pads", pads);
  return attrs;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {{2, 5, 6, 3}, {3, 3, 3, 4}, conv_attrs({1, 1}, {1, 1}, "valid")},
      {{2, 5, 6, 3}, {3, 3, 3, 4}, conv_attrs({1, 1}, {1, 1}, "same")},
      {{1, 8, 8, 2}, {3, 3, 2, 5}, conv_attrs({2, 2}, {1, 1}, "same")},   // pads (0, 1)
      {{1, 9, 7, 2}, {2, 3, 2, 3}, conv_attrs({3, 2}, {1, 1}, "valid")},  // pixels that no window reaches
      {{1, 9, 9, 4}, {3, 3, 2, 6}, conv_attrs({1, 1}, {2, 2}, "same", 2)},
      {{2, 7, 6, 33}, {3, 3, 1, 33}, conv_attrs({1, 1}, {1, 1}, "same", 33)},
      {{2, 7, 6, 4}, {3, 2, 1, 8}, conv_attrs({2, 1}, {1, 1}, "valid", 4)},
      {{1, 6, 5, 3}, {1, 1, 3, 40}, conv_attrs({1, 1}, {1, 1}, "valid")},
      {{1, 6, 5, 2}, {3, 3, 2, 3}, conv_attrs({1, 1}, {1, 1}, "explicit", 1, {1, 2, 0, 3})},
      {{1, 6, 6, 2}, {3, 3, 2, 3}, conv_attrs({1, 1}, {1, 1}, "explicit", 1, {-1, 0, 1, -1})},
      {{1, 12, 12, 2}, {3, 3, 2, 3}, conv_attrs({1, 1}, {3, 3}, "valid")},  // declined by the library
      {{20, 9, 9, 2}, {3, 3, 2, 3}, conv_attrs({1, 1}, {3, 3}, "same")},
      // Channels for tensor cores.
      {{2, 5, 6, 8}, {3, 3, 8, 16}, conv_attrs({1, 1}, {1, 1}, "same")},
      {{1, 8, 8, 8}, {3, 3, 8, 8}, conv_attrs({2, 2}, {1, 1}, "same")},
      {{1, 8, 8, 8}, {3, 3, 8, 8}, conv_attrs({1, 1}, {3, 3}, "same")},
      {{2, 5, 5, 8}, {1, 1, 8, 16}, conv_attrs({1, 1}, {1, 1}, "valid")},
      {{1, 5, 5, 8}, {1, 1, 8, 8}, conv_attrs({2, 2}, {1, 1}, "valid")},
      {{2, 8, 7, 8}, {5, 2, 8, 16}, conv_attrs({2, 2}, {1, 1}, "same")},
      {{2, 9, 10, 16}, {2, 3, 16, 8}, conv_attrs({2, 3}, {1, 1}, "same")},
      {{1, 8, 9, 8}, {3, 3, 8, 8}, conv_attrs({3, 3}, {1, 1}, "valid")},  // pixels that no window reaches
      {{1, 6, 6, 8}, {3, 3, 8, 8}, conv_attrs({1, 1}, {1, 1}, "explicit", 1, {-1, 0, 1, -1})},
      {{1, 8, 8, 8}, {5, 5, 8, 8}, conv_attrs({1, 1}, {1, 1}, "explicit", 1, {1, -1, 1, -1})},  // moved, as large
      // Channels that zeros complete.
      {{2, 14, 16, 3}, {7, 7, 3, 16}, conv_attrs({2, 2}, {1, 1}, "same")},
      {{2, 9, 9, 3}, {5, 5, 3, 8}, conv_attrs({2, 2}, {1, 1}, "same")},
      {{2, 7, 6, 11}, {3, 3, 11, 8}, conv_attrs({1, 1}, {1, 1}, "valid")},
      {{1, 5, 5, 4}, {1, 1, 4, 3}, conv_attrs({1, 1}, {1, 1}, "explicit", 1, {1, -1, 0, 0})}};
  return list;
}

/// Sums of k products of numbers below 3.
Tolerance bound(DType dtype, double k) {
  return dtype == DType::F16 || dtype == DType::BF16 ? ulps(4, dtype, 4) : ulps(4, dtype, 12 * (k + 1));
}

TEST(Convolution, ForwardAndGradients) {
  for (const Case& c : cases())
    for (DType dtype : kFloats) {
      const Shape y = conv2d_output({dtype, c.x}, {dtype, c.w}, c.attrs);
      const Tensor x = numbers(dtype, c.x, 1), w = numbers(dtype, c.w, 2), dy = numbers(dtype, y, 3);
      const double k = static_cast<double>(c.w[0] * c.w[1] * std::max(c.w[2], c.w[3]));
      expect_same("conv2d", {x, w}, c.attrs, bound(dtype, k));
      expect_same("conv2d_backward_input", {dy, w, x}, c.attrs, bound(dtype, k));
      expect_same("conv2d_backward_weights", {x, dy, w}, c.attrs, bound(dtype, static_cast<double>(y.elements())));
      for (const char* activation : {"relu", "silu", "softplus"}) {
        Attrs attrs = c.attrs;
        attrs.set("activation", std::string(activation));
        expect_same("conv2d", {x, w, numbers(dtype, {c.w[3]}, 4)}, attrs, bound(dtype, k));
      }
    }
}

// The library's choices are read back by the second plan of each.
TEST(Convolution, PlansFromDiskGiveTheSameBits) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / str("dlcore_plans_", getpid());
  std::filesystem::remove_all(folder);
  setenv("DLCORE_CUDA_CACHE", folder.c_str(), 1);
  const Tensor x = numbers(DType::BF16, {2, 10, 11, 16}, 1), w = numbers(DType::BF16, {3, 3, 16, 24}, 2);
  const Tensor dy = numbers(DType::BF16, {2, 10, 11, 24}, 3);
  const Attrs attrs = conv_attrs({1, 1}, {1, 1}, "same");
  const auto run = [&] {
    return std::vector{run_on_device("conv2d", {x, w}, attrs)[0],
                       run_on_device("conv2d_backward_input", {dy, w, x}, attrs)[0],
                       run_on_device("conv2d_backward_weights", {x, dy, w}, attrs)[0]};
  };
  const std::vector<Tensor> first = run(), second = run();
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(values(first[i]), values(second[i])) << i;
  unsetenv("DLCORE_CUDA_CACHE");
  std::filesystem::remove_all(folder);
}

TEST(Convolution, Transposed) {
  for (DType dtype : kFloats)
    for (const char* padding : {"valid", "same"})
      for (const Integers& strides : {Integers{1, 1}, Integers{2, 2}, Integers{3, 1}})
        expect_same("conv2d_transpose", {numbers(dtype, {2, 4, 5, 6}, 5), numbers(dtype, {3, 2, 4, 6}, 6)},
                    conv_attrs(strides, {1, 1}, padding), bound(dtype, 40));
}

TEST(Convolution, InFrontOfMaxPooling) {
  for (DType dtype : {DType::F32, DType::F64, DType::F16}) {
    const Tensor x = numbers(dtype, {3, 8, 8, 4}, 7), w = numbers(dtype, {3, 3, 4, 8}, 8);
    const Attrs conv = conv_attrs({1, 1}, {1, 1}, "same");
    const Attrs pool{{"window", Integers{2, 2}}, {"strides", Integers{2, 2}}, {"padding", std::string("valid")}};
    Attrs attrs = conv;
    for (const auto& [name, value] : pool.items()) attrs.set("pool_" + name, value);
    for (const bool keeps_argmax : {true, false}) {
      Attrs forward = attrs;
      forward.set("activation", std::string("relu"));
      forward.set("keeps_argmax", keeps_argmax);
      const unsigned argmax = dtype == DType::F16 ? 1u << 1 : 0;  // half-precision sums tie
      expect_same("conv2d_max_pool2d", {x, w, numbers(dtype, {8}, 10)}, forward, bound(dtype, 72), argmax);
    }
    const std::vector<Tensor> y{apply("conv2d", {x, w}, conv)};
    const std::vector<Tensor> pooled = apply_all("max_pool2d", y, pool);
    const Tensor dp = numbers(dtype, pooled[0].shape(), 9);
    expect_same("conv2d_pooled_backward_input", {dp, pooled[1], w, x}, attrs, bound(dtype, 72));
    expect_same("conv2d_pooled_backward_weights", {x, dp, pooled[1], w}, attrs, bound(dtype, 200));
  }
}

}  // namespace
}  // namespace dlcore
