// Float dtypes of primitives whose kernels compute in float32 and float64.
#pragma once

#include <functional>
#include <span>

#include "dlcore/error.h"
#include "program/primitive.h"

namespace dlcore {

inline void expect_float(const TensorSpec& x) {
  if (!is_float(x.dtype)) throw type_error("the input is ", x, "; expected a float dtype, cast it first.");
}

/// What 16-bit floats are computed in: float32; others are in their own.
inline DType computed_dtype(DType dtype) { return dtype == DType::F16 || dtype == DType::BF16 ? DType::F32 : dtype; }

/// make(0.0f), or make(0.0) for float64.
template <class Make>
auto for_float_type(DType dtype, const Make& make) {
  return dtype == DType::F64 ? make(0.0) : make(0.0f);
}

using Plan = std::function<Kernel(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs)>;

/// A plan for float32 made one for 16-bit floats too: they are converted in scratch on the way in and out.
/// shape_only_inputs: as the primitive has them; they are not read.
Plan on_float32(Plan plan, unsigned shape_only_inputs = 0);

/// Says of checked inputs, outputs and attributes whether a kernel for bfloat16 as it is stored is there.
using TakesBfloat = std::function<bool(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs&)>;

inline bool always(std::span<const TensorSpec>, std::span<const TensorSpec>, const Attrs&) { return true; }

/// `bfloat` plans what `takes` says of bfloat16; all else goes as with on_float32(plan, shape_only_inputs).
Plan as_bfloat_or_on_float32(TakesBfloat takes, Plan bfloat, Plan plan, unsigned shape_only_inputs = 0);

}  // namespace dlcore
