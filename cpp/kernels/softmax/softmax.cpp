#include "kernels/softmax/softmax.h"

#include "base/isa.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(SoftmaxKernels<float>, softmax_kernels_f32)
DLCORE_SELECT_KERNELS(SoftmaxKernels<double>, softmax_kernels_f64)

std::int64_t first_bad_label(const Labels& labels, std::int64_t rows, std::int64_t size) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t label = labels.at(row);
    const bool counts = !labels.has_ignored || label != labels.ignored;
    if (counts && (label < 0 || label >= size)) return row;
  }
  return -1;
}

}  // namespace dlcore
