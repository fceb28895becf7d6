// Softmax and cross-entropies: the formulas and conventions of kernels/softmax/softmax.h. A line is read from memory
// once, unless it is too long for the registers (lines.h). 16-bit floats compute in float.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/fault_site.h"
#include "dlcore/dtype.h"
#include "kernels/softmax/softmax.h"

namespace dlcore::cuda {

void softmax(cudaStream_t stream, DType dtype, const SoftmaxView& view, const void* x, void* y);
void log_softmax(cudaStream_t stream, DType dtype, const SoftmaxView& view, const void* x, void* y);
void softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& view, const void* dy, const void* y, void* dx);
void log_softmax_grad(cudaStream_t stream, DType dtype, const SoftmaxView& view, const void* dy, const void* y,
                      void* dx);

void softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                  const void* target, void* loss);
void softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                       const void* logits, const void* target, void* dlogits);

// With class numbers. A label that counts and is no class is reported; its row gives 0.
struct LabelRows {
  Labels labels;
  FaultSite fault;
};
void sparse_softmax_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* logits,
                         const LabelRows& labels, void* loss);
void sparse_softmax_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, const void* dloss,
                              const void* logits, const LabelRows& labels, void* dlogits);
void sparse_xent(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                 const void* probs, const LabelRows& labels, void* loss);
void sparse_xent_grad(cudaStream_t stream, DType dtype, std::int64_t rows, std::int64_t size, double epsilon,
                      const void* dloss, const void* probs, const LabelRows& labels, void* dprobs);

void sigmoid_xent(cudaStream_t stream, DType dtype, std::int64_t n, const void* logits, const void* target, void* loss);
void sigmoid_xent_grad(cudaStream_t stream, DType dtype, std::int64_t n, const void* dloss, const void* logits,
                       const void* target, void* dlogits);

}  // namespace dlcore::cuda
