// Images copied into larger ones whose border is zero: a convolution reads those without looking where an image ends.
#pragma once

#include "kernels/conv/conv.h"

namespace dlcore {

/// The same convolution on images that hold their own padding, as far as its windows reach.
ConvShape without_padding(const ConvShape& shape);

/// x, images of `from`, as images of `to` = without_padding(from).
template <class T>
void pad_images(const ConvShape& from, const ConvShape& to, const T* x, T* padded);

/// The other way for one image: dx is what lies inside of the padding, and zero beyond what the windows reach.
template <class T>
void crop_image(const ConvShape& from, const ConvShape& to, const T* padded, T* dx);

}  // namespace dlcore
