#include "compare.h"

namespace dlcore {
namespace {

using namespace testing;

Tensor seed(std::int64_t key, std::int64_t counter) {
  const std::int64_t both[] = {key, counter};
  return Tensor::from<std::int64_t>(both, {2});
}

const std::vector<std::int64_t> kSizes{1, 15, 16, 31, 63, 64, 65, 127, 129, 1000, 5003};

std::string dtype_name(DType dtype) { return std::string(name_of(dtype)); }

TEST(Random, Numbers) {
  for (std::int64_t n : kSizes)
    for (const Tensor& s : {seed(1, 0), seed(-77, (std::int64_t{1} << 40) + 3)})
      for (DType dtype : kFloats) {
        const std::vector<std::int64_t> shape{n};
        expect_same("random_uniform", {s},
                    {{"shape", shape}, {"dtype", dtype_name(dtype)}, {"low", -0.3}, {"high", 1.7}});
        // Float normal numbers: the CPU's bits, where it has fused multiply-adds; double ones by the C library.
        const Tolerance close = dtype == DType::F64 ? ulps(4, dtype, 4) : kExact;
        expect_same("random_normal", {s},
                    {{"shape", shape}, {"dtype", dtype_name(dtype)}, {"mean", 0.2}, {"stddev", 0.7}}, close);
        expect_same("random_truncated_normal", {s}, {{"shape", shape}, {"dtype", dtype_name(dtype)}, {"stddev", 0.05}},
                    close);
      }
}

TEST(Random, Integers) {
  for (std::int64_t n : kSizes) {
    for (DType dtype : {DType::I32, DType::I64, DType::U8, DType::I8})
      expect_same("random_int", {seed(5, 6)},
                  {{"shape", std::vector<std::int64_t>{n}},
                   {"dtype", dtype_name(dtype)},
                   {"low", std::int64_t{3}},
                   {"high", std::int64_t{90}}});
    expect_same("random_permutation", {seed(7, 8)}, {{"n", n}});
  }
}

TEST(Random, Dropout) {
  for (std::int64_t n : kSizes)
    for (DType dtype : kFloats)
      for (double rate : {0.0, 0.1, 0.5, 0.99})
        expect_same("dropout", {numbers(dtype, {n}, 1), seed(9, 10)}, {{"rate", rate}});
  for (DType dtype : kFloats)
    for (const auto& axes : {std::vector<std::int64_t>{1}, {0, 2}, {2}})
      expect_same("dropout", {numbers(dtype, {6, 5, 70}, 2), seed(11, 12)}, {{"rate", 0.4}, {"noise_axes", axes}});
}

}  // namespace
}  // namespace dlcore
