#include "kernels/pointwise/pointwise.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(PointwiseKernels, pointwise_kernels)

}  // namespace dlcore
