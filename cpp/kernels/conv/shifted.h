// Convolutions of bfloat16 with unit strides on the matrix unit, without a matrix of patches. In an image that is
// padded by what filters reach beyond its edges, its pixels numbered row by row, each tap reads the outputs' own
// pixels, shifted:
//
//   y[q]    = sum over taps of x[q + shift(tap)] * w[tap]        shift = kh * dilation_h * width + kw * dilation_w
//   dw[tap] = sum over q of x[q + shift(tap)]^T * dy[q]
//
// So a band of rows is padded once, where the second cache keeps it, and tiles are loaded where the pixels lie, for
// each tap. For dw, whose sums are over pixels, tiles are made of pairs of them, and those are one pixel of two images:
// shifted, they stay pairs. What is computed of the pixels behind the last output of a row is dropped, or multiplied by
// zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/conv/conv.h"
#include "kernels/float16.h"
#include "kernels/gemm/gemm.h"

namespace dlcore {

/// Whether a convolution that amx_conv_fits (amx.h) can be computed so: unit strides, input channels a multiple of 32.
bool shifted_fits(const ConvShape& shape);
/// Whether it takes less time than by patches.
bool shifted_pays(const ConvShape& shape);
bool shifted_weights_pay(const ConvShape& shape);

/// How the images are cut. Pixels are those of the padded image.
struct ShiftedPlan {
  ConvShape shape;
  std::int64_t width;     // pixels of a row
  std::int64_t reach;     // rows below an output's own that its filter reads
  std::int64_t rows;      // of y in a band, of an image
  std::int64_t bands;     // of an image
  std::int64_t columns;   // of y that are computed of a whole band, before the next
  std::int64_t splits;    // partial sums of weights' gradients, each of some bands
  std::int64_t together;  // bands, of two images each, whose gradients are added up in the unit
  int workers;
  std::size_t rooms_offset, room_bytes;
  std::size_t scratch_bytes;
  double cost;  // as of parallel_for

  // Not shared between instruction sets.
  /// From the first output of some rows to the last.
  [[gnu::always_inline]] std::int64_t pixels(std::int64_t of_rows) const { return (of_rows - 1) * width + shape.ow; }
  /// That the filters read for them.
  [[gnu::always_inline]] std::int64_t read_pixels(std::int64_t of_rows) const { return (of_rows + reach) * width; }
  /// Of sixteen pixels of a band.
  [[gnu::always_inline]] std::int64_t steps() const { return (pixels(rows) + 15) / 16; }
  [[gnu::always_inline]] std::int64_t shift(std::int64_t tap) const {
    return tap / shape.kw * shape.dilation_h * width + tap % shape.kw * shape.dilation_w;
  }
};

/// As AmxConvForward and AmxConvBackwardWeights of amx.h. Where x is not finite, so may be the gradient to a tap that
/// does not meet it.
class ShiftedForward {
 public:
  explicit ShiftedForward(const ConvShape& shape);
  std::size_t scratch_bytes() const { return plan_.scratch_bytes; }
  void run(const Bfloat* x, const Bfloat* w, const Bfloat* bias, Activation activation, Bfloat* y, void* scratch) const;

 private:
  ShiftedPlan plan_;
};

class ShiftedBackwardWeights {
 public:
  explicit ShiftedBackwardWeights(const ConvShape& shape);
  std::size_t scratch_bytes() const { return plan_.scratch_bytes; }
  /// dw^T [output channels, taps * input channels].
  void run(const Bfloat* x, const Bfloat* dy, Bfloat* dw, void* scratch) const;

 private:
  ShiftedPlan plan_;
};

// ---- what one instruction set provides

struct ShiftedKernels {
  void (*forward)(const ShiftedPlan&, const Bfloat* x, const Bfloat* w, const GemmEpilogue<Bfloat>&, Bfloat* y,
                  std::byte* scratch);
  void (*transposed_weight_gradients)(const ShiftedPlan&, const Bfloat* x, const Bfloat* dy, Bfloat* dw,
                                      std::byte* scratch);
};

}  // namespace dlcore
