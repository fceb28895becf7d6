// Decompositions of matrices: eigh, svd, eig.
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
  const bool full = attrs.boolean("full_matrices", true);
  return {.run =
              [=, dtype = in[0].dtype, &context](const Buffers& b) {
                svd(context.stream, dtype, x.count, x.rows, x.cols, full, b.in[0], b.out[0], b.out[1], b.out[2],
                    b.scratch);
              },
          .scratch_bytes = svd_scratch_bytes(x.count, x.rows, x.cols, full),
          .label = "svd"};
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

}  // namespace

void register_linear_algebra() {
  register_kernel("eigh", plan_eigh);
  register_kernel("svd", plan_svd);
  register_kernel("eig", plan_eig);
}

}  // namespace dlcore::cuda
