#include "kernels/sampling/projective_transform.h"

#include "base/isa.h"
#include "base/parallel.h"

namespace dlcore {

DLCORE_SELECT_KERNELS(ProjectiveTransformKernels, projective_transform_kernels)

namespace {

constexpr double kPixelNs = 4, kElementNs = 0.5;

template <class T, class Row>
void for_rows(const ProjectiveTransform& t, const T* images, const T* matrices, T* result, Row row_kernel) {
  const std::int64_t rows = t.n * t.h;
  const double pixels = static_cast<double>(rows) * static_cast<double>(t.w);
  const double cost = pixels * (kPixelNs + kElementNs * static_cast<double>(t.c));
  parallel_for(rows, cost, [&](std::int64_t row) { row_kernel(t, images, matrices, result, row); });
}

}  // namespace

template <>
void projective_transform(const ProjectiveTransform& t, const float* images, const float* matrices, float* result) {
  for_rows(t, images, matrices, result, projective_transform_kernels().f32);
}
template <>
void projective_transform(const ProjectiveTransform& t, const double* images, const double* matrices, double* result) {
  for_rows(t, images, matrices, result, projective_transform_kernels().f64);
}

}  // namespace dlcore
