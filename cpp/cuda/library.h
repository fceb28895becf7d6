// Matrix products and convolutions, as the vendor's libraries compute them: the thin layer between planners and
// cuBLASLt and cuDNN. All matrices and images are row-major.
#pragma once

#include <functional>

#include "cuda/context.h"
#include "kernels/activation.h"
#include "kernels/conv/conv.h"

namespace dlcore::cuda {

/// C[m,n] (+)= op(A)[m,k] op(B)[k,n] for `batch` products; A stored [m,k] or [k,m] with rows lda apart, and so on.
/// float32, float64, float16 or bfloat16; 16-bit types add up in float32 and are rounded once. A later run gives the
/// same bits.
struct GemmCall {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  std::int64_t lda, ldb, ldc;
  std::int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
  std::int64_t alignment = 64;  // bytes that the place of every operand is a multiple of
  bool accumulate = false;
  bool tf32 = false;  // float32 factors may be rounded to 10 bits of mantissa, whatever the context's precision is
  DType dtype = DType::F32;
  DType result = DType::F32;                 // of C: dtype, or float32
  bool bias = false;                         // [n], added to every row
  Activation activation = Activation::None;  // only those that gemm_fuses
};
/// The greatest power of two that divides both; for alignments.
std::int64_t common_alignment(std::int64_t a, std::int64_t b);
/// The call with rows stored one after another.
GemmCall dense_call(DType dtype, std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a = false,
                    bool transpose_b = false);
/// Whether the library applies a bias and this activation to C.
bool gemm_fuses(DType dtype, bool bias, Activation activation);

/// run(a, b, bias, c), decided once; m, n, k and batch are at least 1.
using RunGemm = std::function<void(const void* a, const void* b, const void* bias, void* c)>;
RunGemm plan_gemm(const GemmCall& call, const Context& context);

/// The three computations of a convolution; filters are [Cout, KH, KW, Cin/groups].
enum class ConvDirection { Forward, BackwardInput, BackwardWeights };
/// run(first, second, result): (x, w, y), (dy, w, dx) or (x, dy, dw).
using RunConvolution = std::function<void(const void* first, const void* second, void* result)>;
/// Nothing when the library has no deterministic algorithm for it, or no padding of at least 0 gives the output.
RunConvolution plan_convolution(ConvDirection direction, const ConvShape& shape, DType dtype, const Context& context);

}  // namespace dlcore::cuda
