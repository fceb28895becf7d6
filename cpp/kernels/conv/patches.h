// The second half of a convolution's gradient to an input of few channels: the products of every output pixel with all
// taps ("patches") have been computed as one dense matrix product, and each input pixel sums those that fall on it.
//
//   dx[n, p, c] = sum over output pixels q and taps t with position(q, t) = p of patches[n, q, t, c]
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/taps.h"

namespace dlcore {

template <class T>
class PatchSum {
 public:
  PatchSum(std::int64_t images, std::int64_t channels, const ConvAxis& rows, const ConvAxis& cols);
  /// dx is overwritten, in an order of summation that depends on the shape alone.
  void run(const T* patches, T* dx) const;

 private:
  /// Element offsets into the patches of what falls on each position of an axis.
  using Offsets = std::vector<std::vector<std::int64_t>>;
  static Offsets offsets(const ConvAxis& axis, std::int64_t per_output, std::int64_t per_tap);
  void sum_row(const T* image, const std::vector<std::int64_t>& row, T* dx) const;

  std::int64_t images_, channels_, image_elements_;
  Offsets rows_, cols_;
};

}  // namespace dlcore
