// A convolution by cuDNN, whose filters are [Cout, KH, KW, Cin]: they are transposed (they are small). Images get
// channels of zeros up to whole 16 bytes, which kernels for tensor cores need, and borders of zeros where cuDNN
// declines the padding.
#pragma once

#include <cstddef>
#include <memory>

#include "cuda/kernels/movement.h"
#include "cuda/library.h"
#include "cuda/ops/im2col_convolution.h"

namespace dlcore::cuda {

/// So many channels that they are whole packs of 16 bytes.
std::int64_t whole_packs(std::int64_t channels, DType dtype);

class CudnnConvolution {
 public:
  CudnnConvolution(ConvDirection direction, const ConvShape& shape, DType dtype, const Epilogue& epilogue,
                   const Context& context);
  /// Whether cuDNN takes it; nothing else works if not.
  bool is_usable() const { return run_ != nullptr; }
  std::size_t scratch_bytes() const { return scratch_.bytes(); }
  /// (x, w, y), (dy, w, dx) or (x, dy, dw), filters HWIO.
  void run(const void* first, const void* second, const void* bias, void* result, void* scratch) const;

 private:
  const void* inner_images(const void* x, void* images) const;
  const void* inner_filters(const void* w, void* filters) const;

  ConvDirection direction_;
  ConvShape shape_, inner_;  // as it is asked for, as cuDNN computes it
  DType dtype_;
  Epilogue epilogue_;
  const Context& context_;
  RunConvolution run_;
  bool as_they_are_;  // the images
  StridedCopy to_filters_, from_filters_;
  std::size_t filter_bytes_;
  ScratchPlan scratch_;
  std::size_t filters_, images_;  // cuDNN's, in scratch
};

}  // namespace dlcore::cuda
