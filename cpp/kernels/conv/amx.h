// Convolutions of bfloat16 on the matrix unit (gemm/amx.h), which adds up in float32: products of matrices one of which
// is not stored, but packed from the images tile by tile.
//
//   patches [pixels of y, taps * input channels]: what of x each pixel of y is a sum over; zero beyond the image's
//   edges
//
//   y    = patches * w
//   dx   = the convolution of dy with the turned weights (turned.h); of strides, one for each residue of the pixels
//   dw^T = dy^T * patches
//
// Where strides are one and channels 32, and patches would take longer to pack than to multiply, they are not: tiles
// are those of the shifted images (shifted.h).
//
// Channels are packed sixteen at a time, so that their number is a multiple of it. Sums are rounded to bfloat16 once;
// denormals count as zero. conv.h has the shapes.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/conv/shifted.h"
#include "kernels/conv/turned.h"
#include "kernels/float16.h"
#include "kernels/gemm/amx.h"
#include "kernels/movement/movement.h"

namespace dlcore {

/// Whether the processor has the unit, and the shape fits it: one group, a multiple of 16 input channels, at least 16
/// output channels and pixels. What AmxConvForward and AmxConvBackwardWeights are for.
bool amx_conv_fits(const ConvShape& shape);
/// The same of AmxConvBackwardInput: each axis has a small stride, and that or its dilation is 1, and the
/// turned convolutions fit.
bool amx_conv_input_fits(const ConvShape& shape);

/// As ConvForward, ConvBackwardInput and ConvBackwardWeights of conv.h: run() allocates nothing and needs
/// scratch_bytes() of 64-byte aligned scratch; the bits do not depend on the number of threads.
class AmxConvForward {
 public:
  explicit AmxConvForward(const ConvShape& shape);
  std::size_t scratch_bytes() const { return shifted_ ? shifted_->scratch_bytes() : plan_.scratch_bytes; }
  void run(const Bfloat* x, const Bfloat* w, const Bfloat* bias, Activation activation, Bfloat* y, void* scratch) const;

 private:
  ConvShape shape_;
  AmxGemmPlan plan_;
  std::optional<ShiftedForward> shifted_;
};

class AmxConvBackwardInput {
 public:
  explicit AmxConvBackwardInput(const ConvShape& shape);
  std::size_t scratch_bytes() const;
  void run(const Bfloat* dy, const Bfloat* w, Bfloat* dx, void* scratch) const;

 private:
  struct Part {
    TurnedPart turned;
    std::optional<AmxConvForward> conv;  // where it has taps
  };
  /// One part is all of dx.
  bool in_place() const { return parts_.size() == 1; }

  std::vector<Part> parts_;
};

class AmxConvBackwardWeights {
 public:
  explicit AmxConvBackwardWeights(const ConvShape& shape);
  std::size_t scratch_bytes() const;
  void run(const Bfloat* x, const Bfloat* dy, Bfloat* dw, void* scratch) const;

 private:
  ConvShape shape_;
  AmxGemmPlan plan_;
  std::optional<ShiftedBackwardWeights> shifted_;
  StridedCopy transpose_;
};

// ---- what one instruction set provides

/// Images, their padding and what a filter reaches over are smaller.
inline constexpr std::int32_t kLargestConvSide = 1 << 30;

struct AmxConvKernels {
  /// y [pixels, output channels], of the product [pixels, taps * input channels] x [taps * input channels, output
  /// channels] that the plan is for.
  void (*forward)(const AmxGemmPlan&, const ConvShape&, const Bfloat* x, const Bfloat* w, const GemmEpilogue<Bfloat>&,
                  Bfloat* y, void* scratch);
  /// dw^T [output channels, taps * input channels], of the product [output channels, pixels] x [pixels, taps * input
  /// channels].
  void (*transposed_weight_gradients)(const AmxGemmPlan&, const ConvShape&, const Bfloat* x, const Bfloat* dy,
                                      Bfloat* dw, void* scratch);
};

}  // namespace dlcore
