// A convolution of one group as matrix products of its windows (im2col, Chellapilla et al. 2006), some images at a
// time.
#pragma once

#include <optional>
#include <vector>

#include "cuda/library.h"
#include "cuda/ops/scratch.h"

namespace dlcore::cuda {

/// What a forward convolution does with its sums.
struct Epilogue {
  bool bias = false;
  Activation activation = Activation::None;
};

/// Whether the matrix of windows is the images as they lie.
bool windows_are_pixels(const ConvShape& shape);

class Im2colConvolution {
 public:
  Im2colConvolution(ConvDirection direction, const ConvShape& shape, DType dtype, const Epilogue& epilogue,
                    const Context& context);
  std::size_t scratch_bytes() const { return scratch_.bytes(); }
  /// (x, w, y), (dy, w, dx) or (x, dy, dw), filters HWIO; the scratch begins with the columns.
  void run(const void* first, const void* second, const void* bias, void* result, void* columns) const;

 private:
  const void* windows(const ConvShape& s, const void* x, void* columns) const;
  GemmCall call_of(std::int64_t images, bool accumulate) const;

  ConvDirection direction_;
  ConvShape shape_;
  DType dtype_;
  Epilogue epilogue_;
  const Context& context_;
  std::int64_t taps_;     // elements of a window
  bool in_place_;         // windows_are_pixels
  std::int64_t element_;  // bytes
  DType sums_;            // of products: float32 where 16-bit floats are added up further
  ScratchPlan scratch_;
  std::optional<std::size_t> wide_weights_;  // the place in scratch of the weights' gradient as float32
  std::int64_t ld_;                          // from window to window, elements
  std::int64_t images_;                      // at a time
  bool fused_;
  std::vector<RunGemm> products_;
  std::vector<std::size_t> numbers_;  // which product is run for each group of images
};

}  // namespace dlcore::cuda
