// A device kernel against the CPU kernel of the same primitive.
#pragma once

#include <gtest/gtest.h>

#include "device.h"
#include "dlcore/ops.h"
#include "dlcore/tensor.h"

namespace dlcore::testing {

/// |got - expected| <= absolute + relative * |expected|; both 0: the same bits (NaN is NaN). Only float results take
/// it.
struct Tolerance {
  double relative = 0, absolute = 0;
};
inline constexpr Tolerance kExact{};
/// Units in the last place of the dtype.
Tolerance ulps(double count, DType dtype, double absolute_ulps = 0);

/// Plans and runs the primitive on both, on the inputs' bytes, and compares all outputs. Also: nothing beside an output
/// is written, a second run gives the same bits, and so does a run in place where the kernel allows it. Outputs named
/// in `skipped` (a bit each) are not compared with the CPU.
void expect_same(const char* primitive, const std::vector<Tensor>& in, const Attrs& attrs = {},
                 Tolerance tolerance = {}, unsigned skipped = 0);

/// A kernel gives the same bits where no tensor is aligned to more than its elements.
void expect_same_unaligned(const char* primitive, const std::vector<Tensor>& in, const Attrs& attrs = {});

/// What the kernel writes when its outputs are guarded: what it writes otherwise, but nothing behind a failure, until
/// that has been thrown.
void expect_guarded(const char* primitive, const std::vector<Tensor>& in, const Attrs& attrs = {});

/// Cases of expect_same, planned before the first of them runs: kernels made at run time are compiled together.
class Cases {
 public:
  void add(std::string primitive, std::vector<Tensor> in, Attrs attrs = {}, Tolerance tolerance = {});
  ~Cases();

 private:
  struct Case {
    std::string primitive;
    std::vector<Tensor> in;
    Attrs attrs;
    Tolerance tolerance;
  };
  std::vector<Case> cases_;
};

/// The device's outputs alone. fault: what a kernel has reported, or empty.
std::vector<Tensor> run_on_device(const char* primitive, const std::vector<Tensor>& in, const Attrs& attrs = {},
                                  std::string* fault = nullptr);

/// Makes a kernel of the device fail.
void fail_on_device();
/// The text of the error that kernels of the device have met since it was last asked for, or empty.
std::string error_on_device();

/// The text of the error that the CPU raises.
std::string error_on_cpu(const char* primitive, const std::vector<Tensor>& in, const Attrs& attrs = {});

/// Numbers in [low, high), converted to dtype; whole numbers for integers.
Tensor numbers(DType dtype, const Shape& shape, unsigned seed, double low = -3, double high = 3);
/// x as another dtype.
Tensor as(const Tensor& x, DType dtype);
std::vector<double> values(const Tensor& x);

inline constexpr DType kFloats[] = {DType::F32, DType::F64, DType::F16, DType::BF16};
inline constexpr DType kAll[] = {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32,
                                 DType::I64, DType::U8,  DType::I8,  DType::Bool};

}  // namespace dlcore::testing
