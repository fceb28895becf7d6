// Matrix products by cuBLASLt. It thinks in columns: what is stored in rows is the transpose of what it sees, so that
// C = op(A) op(B) is asked for as C^T = op(B)^T op(A)^T, and a bias of C's columns is one of its rows.
#include <cublasLt.h>

#include <memory>

#include "cuda/check.h"
#include "cuda/library.h"

namespace dlcore::cuda {

namespace {

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::F16:
      return CUDA_R_16F;
    case DType::BF16:
      return CUDA_R_16BF;
    case DType::F64:
      return CUDA_R_64F;
    default:
      return CUDA_R_32F;
  }
}

cublasComputeType_t compute_type(const GemmCall& call, Context::Precision precision) {
  if (call.dtype == DType::F64) return CUBLAS_COMPUTE_64F;
  if (call.dtype == DType::F32 && (call.tf32 || precision == Context::Precision::tf32))
    return CUBLAS_COMPUTE_32F_FAST_TF32;
  return CUBLAS_COMPUTE_32F;
}

cublasLtEpilogue_t epilogue_of(bool bias, Activation activation) {
  switch (activation) {
    case Activation::Relu:
      return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case Activation::GeluTanh:
      return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    default:
      return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

/// A matrix as the library sees it; owned.
class Layout {
 public:
  Layout(cudaDataType_t type, std::int64_t rows, std::int64_t cols, std::int64_t ld, std::int64_t batch,
         std::int64_t stride) {
    DLCORE_CUDA_CHECK(cublasLtMatrixLayoutCreate(&layout_, type, static_cast<std::uint64_t>(rows),
                                                 static_cast<std::uint64_t>(cols), ld));
    if (batch == 1) return;
    set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
    set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
  }
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  cublasLtMatrixLayout_t get() const { return layout_; }

 private:
  template <class T>
  void set(cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
    DLCORE_CUDA_CHECK(cublasLtMatrixLayoutSetAttribute(layout_, attribute, &value, sizeof value));
  }
  cublasLtMatrixLayout_t layout_ = nullptr;
};

class Plan {
 public:
  Plan(const GemmCall& call, const Context& context)
      : call_(call),
        context_(context),
        left_(data_type(call.dtype), call.transpose_b ? call.k : call.n, call.transpose_b ? call.n : call.k, call.ldb,
              call.batch, call.stride_b),
        right_(data_type(call.dtype), call.transpose_a ? call.m : call.k, call.transpose_a ? call.k : call.m, call.lda,
               call.batch, call.stride_a),
        result_(data_type(call.result), call.n, call.m, call.ldc, call.batch, call.stride_c) {
    const cudaDataType_t scale = call.dtype == DType::F64 ? CUDA_R_64F : CUDA_R_32F;
    DLCORE_CUDA_CHECK(cublasLtMatmulDescCreate(&operation_, compute_type(call, context.precision), scale));
    try {
      set(CUBLASLT_MATMUL_DESC_TRANSA, call.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
      set(CUBLASLT_MATMUL_DESC_TRANSB, call.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(call.bias, call.activation));
      choose();
    } catch (...) {
      cublasLtMatmulDescDestroy(operation_);
      throw;
    }
  }
  ~Plan() { cublasLtMatmulDescDestroy(operation_); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  void run(const void* a, const void* b, const void* bias, void* c) {
    if (call_.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const bool wide = call_.dtype == DType::F64;
    const double one_wide = 1, beta_wide = call_.accumulate ? 1 : 0;
    const float one = 1, beta = call_.accumulate ? 1.0f : 0.0f;
    DLCORE_CUDA_CHECK(
        cublasLtMatmul(context_.cublaslt, operation_, wide ? static_cast<const void*>(&one_wide) : &one, b, left_.get(),
                       a, right_.get(), wide ? static_cast<const void*>(&beta_wide) : &beta, c, result_.get(), c,
                       result_.get(), &algorithm_, context_.workspace, workspace_bytes_, context_.stream));
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    DLCORE_CUDA_CHECK(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value));
  }

  /// The library's first choice among those that the workspace and the operands' places allow. Partial sums are joined
  /// in the computed type, in the workspace.
  void choose() {
    cublasLtMatmulPreference_t preference;
    DLCORE_CUDA_CHECK(cublasLtMatmulPreferenceCreate(&preference));
    const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>, decltype(&cublasLtMatmulPreferenceDestroy)>
        owned(preference, cublasLtMatmulPreferenceDestroy);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      DLCORE_CUDA_CHECK(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
    };
    const auto alignment = static_cast<std::uint32_t>(call_.alignment);
    const std::uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, context_.workspace_bytes);
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reduction);
    for (auto operand : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                         CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      prefer(operand, alignment);
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    DLCORE_CUDA_CHECK(cublasLtMatmulAlgoGetHeuristic(context_.cublaslt, operation_, left_.get(), right_.get(),
                                                     result_.get(), result_.get(), preference, 1, &found, &count));
    if (count == 0)
      throw Error(ErrorKind::Runtime, str("cuBLASLt has no algorithm for a ", call_.dtype, " product of [", call_.m,
                                          ", ", call_.k, "] and [", call_.k, ", ", call_.n, "]."));
    algorithm_ = found.algo;
    workspace_bytes_ = found.workspaceSize;
  }

  GemmCall call_;
  const Context& context_;
  Layout left_, right_, result_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
  std::size_t workspace_bytes_ = 0;
};

}  // namespace

bool gemm_fuses(DType dtype, bool bias, Activation activation) {
  if (dtype == DType::F64) return !bias && activation == Activation::None;
  return activation == Activation::None || activation == Activation::Relu || activation == Activation::GeluTanh;
}

RunGemm plan_gemm(const GemmCall& call, const Context& context) {
  const auto plan = std::make_shared<Plan>(call, context);
  return [plan](const void* a, const void* b, const void* bias, void* c) { plan->run(a, b, bias, c); };
}

}  // namespace dlcore::cuda
