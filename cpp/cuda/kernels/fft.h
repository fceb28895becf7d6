// Fourier transforms of lines as kernels/fft/fft.h has them: a block per line, a stage of a radix after the other.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "dlcore/dtype.h"
#include "kernels/fft/fft.h"

namespace dlcore::cuda {

std::size_t fft_scratch_bytes(DType dtype, const FftShape& shape);
/// x_im, y_im: null where that side is real. window: null, or that of frames.
void fft(cudaStream_t stream, DType dtype, const FftShape& shape, const void* x_re, const void* x_im,
         const void* window, void* y_re, void* y_im, void* scratch);

}  // namespace dlcore::cuda
