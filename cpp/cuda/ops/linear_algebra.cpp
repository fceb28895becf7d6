// Decompositions of matrices and triangular systems.
#include "cuda/kernels/linalg.h"

#include "cuda/ops/families.h"

namespace dlcore::cuda {

namespace {

using SpecSpan = std::span<const TensorSpec>;

/// x [..., rows, cols] as [count, rows, cols].
struct Matrices {
  std::int64_t count, rows, cols;
  explicit Matrices(const Shape& x) : count(x.product(0, x.rank() - 2)), rows(x[x.rank() - 2]), cols(x[x.rank() - 1]) {}
};

Kernel plan_eigh(SpecSpan in, SpecSpan, const Attrs&, const Context& context) {
  const Matrices x(in[0].shape);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                eigh(context.stream, dtype, x.count, x.rows, b.in[0], b.out[0], b.out[1], b.scratch);
              },
          .scratch_bytes = eigh_scratch_bytes(x.count, x.rows),
          .label = "eigh"};
}

Kernel plan_svd(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const Matrices x(in[0].shape);
  const bool vectors = attrs.boolean("vectors", true), full = vectors && attrs.boolean("full_matrices", true);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                svd(context.stream, dtype, x.count, x.rows, x.cols, full, b.in[0], vectors ? b.out[0] : nullptr,
                    b.out[vectors ? 1 : 0], vectors ? b.out[2] : nullptr, b.scratch);
              },
          .scratch_bytes = svd_scratch_bytes(x.count, x.rows, x.cols, full),
          .label = "svd"};
}

Kernel plan_lstsq(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const Matrices a(in[0].shape);
  const std::int64_t columns = in[1].shape.back();
  const double rcond = attrs.number("rcond", 0.0);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                lstsq(context.stream, dtype, a.count, a.rows, a.cols, columns, rcond, b.in[0], b.in[1], b.out[0],
                      b.scratch);
              },
          .scratch_bytes = lstsq_scratch_bytes(a.count, a.rows, a.cols, columns),
          .label = "lstsq"};
}

Kernel plan_eig(SpecSpan in, SpecSpan, const Attrs&, const Context& context) {
  const Matrices x(in[0].shape);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                eig(context.stream, dtype, x.count, x.rows, b.in[0], b.out[0], b.out[1], b.out[2], b.out[3], b.scratch);
              },
          .scratch_bytes = eig_scratch_bytes(x.count, x.rows),
          .label = "eig"};
}

Kernel plan_cholesky(SpecSpan in, SpecSpan, const Attrs&, const Context& context) {
  const Matrices x(in[0].shape);
  return {
      .run = [=, dtype = in[0].dtype, &context](
                 const Buffers& b) { cholesky(context.stream, dtype, x.count, x.rows, b.in[0], b.out[0], b.scratch); },
      .scratch_bytes = cholesky_scratch_bytes(x.count, x.rows),
      .label = "cholesky"};
}

Kernel plan_lu(SpecSpan in, SpecSpan, const Attrs&, const Context& context) {
  const Matrices x(in[0].shape);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                lu(context.stream, dtype, x.count, x.rows, x.cols, b.in[0], b.out[0],
                   static_cast<std::int32_t*>(b.out[1]), static_cast<std::int32_t*>(b.out[2]), b.scratch);
              },
          .scratch_bytes = lu_scratch_bytes(x.count, x.rows, x.cols),
          .label = "lu"};
}

Kernel plan_triangular_solve(SpecSpan in, SpecSpan, const Attrs& attrs, const Context& context) {
  const Matrices x(in[1].shape);
  const TriangularSolve how{attrs.boolean("lower", false), attrs.boolean("transpose", false),
                            attrs.boolean("unit_diagonal", false)};
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                triangular_solve(context.stream, dtype, x.count, x.rows, x.cols, how, b.in[0], b.in[1], b.out[0],
                                 b.scratch);
              },
          .scratch_bytes = triangular_solve_scratch_bytes(x.count, x.rows, x.cols),
          .label = "triangular_solve"};
}

Kernel plan_qr(SpecSpan in, SpecSpan out, const Attrs&, const Context& context) {
  const Matrices x(in[0].shape);
  const std::int64_t kept = out[0].shape.back();
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                qr(context.stream, dtype, x.count, x.rows, x.cols, kept, b.in[0], b.out[0], b.out[1], b.scratch);
              },
          .scratch_bytes = qr_scratch_bytes(x.count, x.rows, x.cols, kept),
          .label = "qr"};
}

}  // namespace

void register_linear_algebra() {
  register_kernel("eigh", plan_eigh);
  register_kernel("svd", plan_svd);
  register_kernel("lstsq", plan_lstsq);
  register_kernel("eig", plan_eig);
  register_kernel("cholesky", plan_cholesky);
  register_kernel("lu", plan_lu);
  register_kernel("triangular_solve", plan_triangular_solve);
  register_kernel("qr", plan_qr);
}

}  // namespace dlcore::cuda
