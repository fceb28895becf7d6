// Convolutions of few output channels, whose vectors would be half empty, as such of more: neighbouring pixels of a row
// are the channels of one pixel.
//
//   y[.., q, (r, co)] = sum over t, ci of x[.., q * R + t, ci] * v[t, ci, (r, co)]      r < R
//   v[t, ci, (r, co)] = w[t - r, ci, co], or 0 outside of w
//
// y lies in memory as before. v has R - 1 columns of taps more than w, in which each pixel leaves R - 1 out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/movement/movement.h"

namespace dlcore {

/// How many pixels R a block should have for the least work; 1 where blocks don't pay, or can't be.
template <class T>
std::int64_t pixels_of_block(const ConvShape& shape);

/// The convolution in blocks, and how what it reads and writes lies. A row of y may end within a block: then y with
/// whole blocks is somewhere else.
struct Blocks {
  Blocks(const ConvShape& shape, std::int64_t pixels, std::int64_t element_bytes);

  std::int64_t pixels;
  ConvShape conv;
  StridedCopy weights;  // from w into v, whose other elements are zero
  StridedCopy outputs;  // from y with whole blocks to y
  bool are_whole;       // in y itself

  std::int64_t weight_elements() const { return conv.kh * conv.kw * conv.cin * conv.cout; }
  std::int64_t output_elements() const { return are_whole ? 0 : conv.n * conv.oh * conv.ow * conv.cout; }
};

template <class T>
class BlockedForward {
 public:
  explicit BlockedForward(const ConvShape& shape);
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* w, const T* bias, Activation activation, T* y, void* scratch) const;

 private:
  Blocks blocks_;
  ConvForward<T> forward_;
};

template <class T>
class BlockedBackwardWeights {
 public:
  explicit BlockedBackwardWeights(const ConvShape& shape);
  std::size_t scratch_bytes() const;
  void run(const T* x, const T* dy, T* dw, void* scratch) const;

 private:
  ConvShape shape_;
  Blocks blocks_;
  StridedCopy whole_;  // from y to y with whole blocks, which is zero elsewhere
  ConvBackwardWeights<T> backward_;
};

}  // namespace dlcore
