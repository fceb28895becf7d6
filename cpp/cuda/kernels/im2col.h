// Convolution windows as rows of a matrix (im2col), and sums of such rows back in images (col2im): with them a
// convolution of one group and its gradients are matrix products. Row m of columns[n*oh*ow, ld] has the window of
// output pixel m, [kh, kw, cin] as filters have it; what lies between kh*kw*cin and ld is neither read nor written.
#pragma once

#include <cuda_runtime_api.h>

#include "dlcore/dtype.h"
#include "kernels/conv/conv.h"

namespace dlcore::cuda {

/// Pixels outside of the image are 0. ld is a multiple of 16 bytes or kh*kw*cin; less than 2^31 elements.
void im2col(cudaStream_t stream, DType dtype, const ConvShape& shape, std::int64_t ld, const void* x, void* columns);
/// dx [n,h,w,cin]: the sums over all windows, in the order of the taps. The columns of 16-bit floats are float32.
void col2im(cudaStream_t stream, DType dtype, const ConvShape& shape, std::int64_t ld, const void* columns, void* dx);

}  // namespace dlcore::cuda
