// The CUDA source of a chain of elementwise operations.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dlcore/tensor.h"
#include "kernels/pointwise/program.h"

namespace dlcore::cuda {

/// A kernel over n elements in groups of `width`: thread t computes elements [t*width, t*width + width) as far as they
/// exist. Its parameters are the pointers of the inputs, those of the outputs, and n (long long).
struct PointwiseSource {
  std::string name;  // of the kernel; a function of the text
  std::string text;
  int width;  // elements of one thread
};

/// Inputs are broadcast to `shape` as NumPy does. The text has the sizes of all (merged) axes but the outermost, so
/// that one kernel serves all batch sizes where no input is broadcast along the outermost axis alone.
PointwiseSource pointwise_source(const PointwiseProgram& program, std::span<const TensorSpec> inputs,
                                 const Shape& shape);

}  // namespace dlcore::cuda
