// matmul: the library's products, in as few strided batches as the broadcast batch axes allow.
#include "ops/matmul.h"

#include "cuda/kernels/gemm.h"
#include "cuda/kernels/movement.h"
#include "cuda/library.h"
#include "cuda/ops/families.h"
#include "cuda/ops/scratch.h"
#include "ops/activation.h"

namespace dlcore::cuda {

std::int64_t common_alignment(std::int64_t a, std::int64_t b) { return (a | b) & -(a | b); }

GemmCall dense_call(DType dtype, std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b) {
  GemmCall call{};
  call.m = m, call.n = n, call.k = k;
  call.transpose_a = transpose_a, call.transpose_b = transpose_b;
  call.lda = transpose_a ? m : k, call.ldb = transpose_b ? k : n, call.ldc = n;
  call.dtype = call.result = dtype;
  return call;
}

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// Products first, first + 1, ... of a batch whose operands lie at equal distances.
struct StridedRun {
  std::int64_t a, b, c;  // where the first ones lie, in bytes
  RunGemm run;
};

std::vector<StridedRun> strided_runs(const MatmulBatch& batch, GemmCall call, const Context& context) {
  const auto count = static_cast<std::int64_t>(batch.a.size()), bytes = static_cast<std::int64_t>(size_of(call.dtype));
  call.stride_c = call.m * call.n;
  std::vector<StridedRun> runs;
  for (std::int64_t first = 0; first < count; first += call.batch) {
    const bool single = first + 1 == count;
    call.stride_a = single ? 0 : batch.a[first + 1] - batch.a[first];
    call.stride_b = single ? 0 : batch.b[first + 1] - batch.b[first];
    call.batch = 1;
    for (std::int64_t i = first + 1; i < count; ++i, ++call.batch)
      if (batch.a[i] != batch.a[first] + (i - first) * call.stride_a ||
          batch.b[i] != batch.b[first] + (i - first) * call.stride_b)
        break;
    for (const std::int64_t place : {batch.a[first], batch.b[first], first * call.stride_c})
      call.alignment = common_alignment(call.alignment, place * bytes);
    runs.push_back(
        {batch.a[first] * bytes, batch.b[first] * bytes, first * call.stride_c * bytes, plan_gemm(call, context)});
  }
  return runs;
}

Kernel plan_float(const MatmulBatch& batch, const TensorSpec& out, bool has_bias, Activation activation,
                  const Context& context) {
  const GemmShape& s = batch.shape;
  GemmCall call = dense_call(out.dtype, s.m, s.n, s.k, s.transpose_a, s.transpose_b);
  const std::int64_t rows = s.m * static_cast<std::int64_t>(batch.a.size());
  const bool fused = s.k > 0 && gemm_fuses(out.dtype, has_bias, activation);
  if (fused) call.bias = has_bias, call.activation = activation;
  auto epilogue = [=, dtype = out.dtype, cols = s.n, &context](const Buffers& b) {
    if (!fused) bias_activation(context.stream, dtype, rows, cols, has_bias ? b.in[2] : nullptr, activation, b.out[0]);
  };
  if (out.shape.elements() == 0) return {.run = [](const Buffers&) {}};
  if (s.k == 0)
    return {.run = [=, bytes = out.bytes(), &context](const Buffers& b) {
      zero_bytes(context.stream, b.out[0], bytes);
      epilogue(b);
    }};
  return {.run = [=, runs = strided_runs(batch, call, context)](const Buffers& b) {
    for (const StridedRun& run : runs)
      run.run(moved(b.in[0], run.a), moved(b.in[1], run.b), has_bias ? b.in[2] : nullptr, moved(b.out[0], run.c));
    epilogue(b);
  }};
}

Kernel plan_integer(const MatmulBatch& batch, DType dtype, bool has_bias, const Context& context) {
  return {.run = [=, bytes = static_cast<std::int64_t>(size_of(dtype)), &context](const Buffers& b) {
    const GemmShape& s = batch.shape;
    for (std::size_t i = 0; i < batch.a.size(); ++i)
      integer_product(context.stream, dtype, s.m, s.n, s.k, s.transpose_a, s.transpose_b,
                      moved(b.in[0], batch.a[i] * bytes), moved(b.in[1], batch.b[i] * bytes),
                      has_bias ? b.in[2] : nullptr, moved(b.out[0], static_cast<std::int64_t>(i) * s.m * s.n * bytes));
  }};
}

Kernel plan_matmul(SpecSpan in, SpecSpan out, const Attrs& attrs, const Context& context) {
  const MatmulBatch batch = matmul_batch(in, out[0], attrs);
  const bool has_bias = in.size() == 3;
  Kernel kernel = is_float(out[0].dtype) ? plan_float(batch, out[0], has_bias, activation_of(attrs), context)
                                         : plan_integer(batch, out[0].dtype, has_bias, context);
  kernel.label = "matmul";
  kernel.flops = 2.0 * static_cast<double>(batch.shape.k) * static_cast<double>(out[0].shape.elements());
  return kernel;
}

}  // namespace

void register_matmul() { register_kernel("matmul", plan_matmul); }

}  // namespace dlcore::cuda
