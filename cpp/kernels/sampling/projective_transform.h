// Images seen through affine and perspective maps: the pixel (x, y) of the result is the image's value at
//
//   ((a0 x + a1 y + a2) / d, (b0 x + b1 y + b2) / d),   d = c0 x + c1 y + 1
//
// of the coefficients a0, a1, a2, b0, b1, b2, c0, c1, in this order; c0 and c1 may be left out as zeros. Places lie in
// pixels, the centre of the first one at 0.
#pragma once

#include <cstdint>

namespace dlcore {

/// What lies beyond the edges.
enum class FillMode : std::uint8_t {
  Constant,  // the fill value
  Nearest,   // the pixel at the edge
  Wrap,      // the image again
  Mirror,    // ... 2 1 | 0 1 2 | 1 0 ...
  Reflect    // ... 1 0 | 0 1 2 | 2 1 ...
};

/// images and result [n,h,w,c], h and w below 10^9; matrices [n or 1, 6 or 8], as their coefficients.
struct ProjectiveTransform {
  std::int64_t n, h, w, c;
  std::int64_t matrices;  // n or 1
  int coefficients;       // of a matrix: 6 or 8
  bool bilinear;          // else the nearest pixel, of two the one farther from 0
  FillMode fill_mode;
  double fill_value;
};

/// Every element of the result is written, once; rows are shared out among threads. A place that is not finite is
/// beyond the edges.
template <class T>
void projective_transform(const ProjectiveTransform& transform, const T* images, const T* matrices, T* result);

/// What one instruction set provides: the row `row` = image * h + y of the result.
struct ProjectiveTransformKernels {
  void (*f32)(const ProjectiveTransform& transform, const float* images, const float* matrices, float* result,
              std::int64_t row);
  void (*f64)(const ProjectiveTransform& transform, const double* images, const double* matrices, double* result,
              std::int64_t row);
};

const ProjectiveTransformKernels& projective_transform_kernels();

}  // namespace dlcore
