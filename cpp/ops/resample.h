// What the planners of resample share.
#pragma once

#include "kernels/resample/resample.h"
#include "program/primitive.h"

namespace dlcore {

ResampleShape resample_shape(std::span<const TensorSpec> in, const Attrs& attrs);
/// Of the axis behind it, where there are weights for that too.
ResampleShape next_resample_shape(const ResampleShape& first, std::span<const TensorSpec> in, const Attrs& attrs);

}  // namespace dlcore
