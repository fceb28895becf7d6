// Convolutions by cuDNN: NHWC images and filters [Cout, KH, KW, Cin/groups]. The first algorithm of its heuristics that
// is deterministic and fits the workspace.
#include <cudnn.h>

#include <memory>

#include "cuda/check.h"
#include "cuda/library.h"

namespace dlcore::cuda {

namespace {

template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, cudnnStatus_t (*)(Handle)>;

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::F16 ? CUDNN_DATA_HALF : dtype == DType::BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

cudnnMathType_t math_type(DType dtype, Context::Precision precision) {
  if (dtype != DType::F32) return CUDNN_TENSOR_OP_MATH;
  return precision == Context::Precision::tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

Owned<cudnnTensorDescriptor_t> images(DType dtype, std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
  cudnnTensorDescriptor_t made;
  DLCORE_CUDA_CHECK(cudnnCreateTensorDescriptor(&made));
  Owned<cudnnTensorDescriptor_t> owned(made, cudnnDestroyTensorDescriptor);
  DLCORE_CUDA_CHECK(cudnnSetTensor4dDescriptor(made, CUDNN_TENSOR_NHWC, data_type(dtype), static_cast<int>(n),
                                               static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)));
  return owned;
}

Owned<cudnnFilterDescriptor_t> filters(DType dtype, const ConvShape& s) {
  cudnnFilterDescriptor_t made;
  DLCORE_CUDA_CHECK(cudnnCreateFilterDescriptor(&made));
  Owned<cudnnFilterDescriptor_t> owned(made, cudnnDestroyFilterDescriptor);
  DLCORE_CUDA_CHECK(cudnnSetFilter4dDescriptor(made, data_type(dtype), CUDNN_TENSOR_NHWC, static_cast<int>(s.cout),
                                               static_cast<int>(s.cin_per_group()), static_cast<int>(s.kh),
                                               static_cast<int>(s.kw)));
  return owned;
}

Owned<cudnnConvolutionDescriptor_t> convolution(DType dtype, const ConvShape& s, Context::Precision precision) {
  cudnnConvolutionDescriptor_t made;
  DLCORE_CUDA_CHECK(cudnnCreateConvolutionDescriptor(&made));
  Owned<cudnnConvolutionDescriptor_t> owned(made, cudnnDestroyConvolutionDescriptor);
  DLCORE_CUDA_CHECK(cudnnSetConvolution2dDescriptor(made, static_cast<int>(s.pad_top), static_cast<int>(s.pad_left),
                                                    static_cast<int>(s.stride_h), static_cast<int>(s.stride_w),
                                                    static_cast<int>(s.dilation_h), static_cast<int>(s.dilation_w),
                                                    CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
  DLCORE_CUDA_CHECK(cudnnSetConvolutionGroupCount(made, static_cast<int>(s.groups)));
  DLCORE_CUDA_CHECK(cudnnSetConvolutionMathType(made, math_type(dtype, precision)));
  return owned;
}

constexpr int kCandidates = 10;

/// The first that will do; null: none.
template <class Performance>
const Performance* usable(const Performance* found, int count, const Context& context) {
  for (int i = 0; i < count; ++i)
    if (found[i].status == CUDNN_STATUS_SUCCESS && found[i].determinism == CUDNN_DETERMINISTIC &&
        found[i].memory <= context.workspace_bytes)
      return &found[i];
  return nullptr;
}

/// What all runs of a convolution share.
struct Plan {
  Owned<cudnnTensorDescriptor_t> x, y;
  Owned<cudnnFilterDescriptor_t> w;
  Owned<cudnnConvolutionDescriptor_t> conv;
  const Context& context;

  Plan(const ConvShape& s, DType dtype, const Context& context)
      : x(images(dtype, s.n, s.h, s.w, s.cin)),
        y(images(dtype, s.n, s.oh, s.ow, s.cout)),
        w(filters(dtype, s)),
        conv(convolution(dtype, s, context.precision)),
        context(context) {}
};

constexpr float kOne = 1, kZero = 0;

RunConvolution plan_forward(std::shared_ptr<const Plan> p) {
  cudnnConvolutionFwdAlgoPerf_t found[kCandidates];
  int count = 0;
  DLCORE_CUDA_CHECK(cudnnGetConvolutionForwardAlgorithm_v7(p->context.cudnn, p->x.get(), p->w.get(), p->conv.get(),
                                                           p->y.get(), kCandidates, &count, found));
  const auto* chosen = usable(found, count, p->context);
  if (!chosen) return nullptr;
  DLCORE_CUDA_CHECK(cudnnSetConvolutionMathType(p->conv.get(), chosen->mathType));
  return [p, algorithm = chosen->algo](const void* x, const void* w, void* y) {
    DLCORE_CUDA_CHECK(cudnnConvolutionForward(p->context.cudnn, &kOne, p->x.get(), x, p->w.get(), w, p->conv.get(),
                                              algorithm, p->context.workspace, p->context.workspace_bytes, &kZero,
                                              p->y.get(), y));
  };
}

RunConvolution plan_backward_input(std::shared_ptr<const Plan> p) {
  cudnnConvolutionBwdDataAlgoPerf_t found[kCandidates];
  int count = 0;
  DLCORE_CUDA_CHECK(cudnnGetConvolutionBackwardDataAlgorithm_v7(p->context.cudnn, p->w.get(), p->y.get(), p->conv.get(),
                                                                p->x.get(), kCandidates, &count, found));
  const auto* chosen = usable(found, count, p->context);
  if (!chosen) return nullptr;
  DLCORE_CUDA_CHECK(cudnnSetConvolutionMathType(p->conv.get(), chosen->mathType));
  return [p, algorithm = chosen->algo](const void* dy, const void* w, void* dx) {
    DLCORE_CUDA_CHECK(cudnnConvolutionBackwardData(p->context.cudnn, &kOne, p->w.get(), w, p->y.get(), dy,
                                                   p->conv.get(), algorithm, p->context.workspace,
                                                   p->context.workspace_bytes, &kZero, p->x.get(), dx));
  };
}

RunConvolution plan_backward_weights(std::shared_ptr<const Plan> p) {
  cudnnConvolutionBwdFilterAlgoPerf_t found[kCandidates];
  int count = 0;
  DLCORE_CUDA_CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(
      p->context.cudnn, p->x.get(), p->y.get(), p->conv.get(), p->w.get(), kCandidates, &count, found));
  const auto* chosen = usable(found, count, p->context);
  if (!chosen) return nullptr;
  DLCORE_CUDA_CHECK(cudnnSetConvolutionMathType(p->conv.get(), chosen->mathType));
  return [p, algorithm = chosen->algo](const void* x, const void* dy, void* dw) {
    DLCORE_CUDA_CHECK(cudnnConvolutionBackwardFilter(p->context.cudnn, &kOne, p->x.get(), x, p->y.get(), dy,
                                                     p->conv.get(), algorithm, p->context.workspace,
                                                     p->context.workspace_bytes, &kZero, p->w.get(), dw));
  };
}

}  // namespace

RunConvolution plan_convolution(ConvDirection direction, const ConvShape& shape, DType dtype, const Context& context) {
  const auto plan = std::make_shared<const Plan>(shape, dtype, context);
  switch (direction) {
    case ConvDirection::Forward:
      return plan_forward(plan);
    case ConvDirection::BackwardInput:
      return plan_backward_input(plan);
    default:
      return plan_backward_weights(plan);
  }
}

}  // namespace dlcore::cuda
