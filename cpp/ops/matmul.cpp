// matmul: products of matrices and of batches of matrices.
#include <algorithm>

#include "base/parallel.h"
#include "dlcore/ops.h"
#include "ops/activation.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/float_types.h"
#include "ops/matmul.h"

namespace dlcore {

namespace {

// ---------------------------------------------------------------------------------------------------------------
// shapes

// The last two axes of an operand after its transposition.
struct MatrixSize {
  std::int64_t rows, cols;
};
MatrixSize matrix_size(const Shape& shape, bool transpose) {
  return transpose ? MatrixSize{shape.back(0), shape.back(1)} : MatrixSize{shape.back(1), shape.back(0)};
}

Shape batch_of(const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - 2)); }

std::string operands(std::span<const TensorSpec> in, bool transpose_a, bool transpose_b) {
  return str("Got a ", in[0].shape, transpose_a ? " transposed" : "", " and b ", in[1].shape,
             transpose_b ? " transposed" : "", ".");
}

/// Axes of size 1 or missing on the left stretch to the other operand's.
std::int64_t broadcast_size(std::int64_t a, std::int64_t b) {
  if (a == 1 || a == Shape::kUnknown) return b == 1 ? a : b;
  return a;
}

Shape broadcast_batch(std::span<const TensorSpec> in, bool transpose_a, bool transpose_b) {
  const Shape a = batch_of(in[0].shape), b = batch_of(in[1].shape);
  Shape result;
  for (int axis = std::max(a.rank(), b.rank()) - 1; axis >= 0; --axis) {
    const std::int64_t size_a = axis < a.rank() ? a.back(axis) : 1;
    const std::int64_t size_b = axis < b.rank() ? b.back(axis) : 1;
    if (size_a != 1 && size_b != 1 && !sizes_agree(size_a, size_b))
      throw value_error("the batch axes ", a, " and ", b, " do not broadcast: sizes ", size_a, " and ", size_b,
                        " differ. ", operands(in, transpose_a, transpose_b));
    result.push_back(broadcast_size(size_a, size_b));
  }
  return result;
}

void check_dtypes(std::span<const TensorSpec> in) {
  for (const TensorSpec& spec : in)
    if (spec.dtype != in[0].dtype)
      throw type_error("the operands should have one dtype; got ", in[0], " and ", spec, ". Cast one of them.");
  const DType dtype = in[0].dtype;
  if (!is_float(dtype) && dtype != DType::I32 && dtype != DType::I64)
    throw type_error("the operands should be floating-point, int32 or int64; got ", in[0], ". Cast them first.");
}

/// The other inputs of a matmul with kHasPanels.
std::span<const TensorSpec> without_panels(std::span<const TensorSpec> in, const Attrs& attrs) {
  return attrs.boolean(kHasPanels, false) && !in.empty() ? in.first(in.size() - 1) : in;
}

Specs infer_matmul(std::span<const TensorSpec> inputs, const Attrs& attrs) {
  const std::span<const TensorSpec> in = without_panels(inputs, attrs);
  expect_inputs(in, 2, 3);
  check_dtypes(in);
  const bool ta = attrs.boolean("transpose_a", false), tb = attrs.boolean("transpose_b", false);
  if (in[0].shape.rank() < 2 || in[1].shape.rank() < 2)
    throw value_error("both operands need at least 2 axes. ", operands(in, ta, tb), " Reshape a vector to a matrix.");
  const MatrixSize a = matrix_size(in[0].shape, ta), b = matrix_size(in[1].shape, tb);
  if (!sizes_agree(a.cols, b.rows))
    throw value_error("a has ", a.cols, " columns but b has ", b.rows, " rows; they should agree. ",
                      operands(in, ta, tb));
  if (in.size() == 3 && !shapes_agree(in[2].shape, {b.cols}))
    throw value_error("bias should have the shape ", Shape{b.cols}, ", one number per column of b; got ", in[2].shape,
                      ". ", operands(in, ta, tb));
  if (activation_of(attrs) != Activation::None && !is_float(in[0].dtype))
    throw type_error("an activation needs floating-point operands; got ", in[0], ".");
  Shape shape = broadcast_batch(in, ta, tb);
  shape.push_back(a.rows);
  shape.push_back(b.cols);
  return {{in[0].dtype, shape}};
}

// --------------------------------------------------------------------------------------------------------------- plans

/// Offset of every matrix of an operand whose batch axes are broadcast to `batch`.
std::vector<std::int64_t> batch_offsets(const Shape& operand, const Shape& batch) {
  const Shape own = batch_of(operand);
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(batch.elements()));
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), stride = operand.back(0) * operand.back(1), offset = 0;
    for (int axis = 0; axis < batch.rank(); ++axis) {
      const std::int64_t at = rest % batch.back(axis);
      rest /= batch.back(axis);
      if (axis >= own.rank()) continue;
      offset += own.back(axis) == 1 ? 0 : at * stride;
      stride *= own.back(axis);
    }
    offsets[i] = offset;
  }
  return offsets;
}

/// Rows of a batch times one matrix are rows of one product.
bool folds(std::span<const TensorSpec> in, bool transpose_a) {
  return !transpose_a && batch_of(in[1].shape).elements() == 1;
}

}  // namespace

MatmulBatch matmul_batch(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs) {
  const bool ta = attrs.boolean("transpose_a", false), tb = attrs.boolean("transpose_b", false);
  const MatrixSize a = matrix_size(in[0].shape, ta);
  const std::int64_t n = out.shape.back(0);
  const Shape batch = batch_of(out.shape);
  if (folds(in, ta)) return {dense_gemm(batch.elements() * a.rows, n, a.cols, ta, tb), {0}, {0}};
  return {dense_gemm(a.rows, n, a.cols, ta, tb), batch_offsets(in[0].shape, batch), batch_offsets(in[1].shape, batch)};
}

namespace {

/// The product [1, cols] = [1, rows] b, for what depends on b alone.
GemmShape product_with(const TensorSpec& b, bool transpose_b) {
  const MatrixSize size = matrix_size(b.shape, transpose_b);
  return dense_gemm(1, size.cols, size.rows, false, transpose_b);
}

/// Whether products of this type run without a conversion.
bool is_multiplied(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F64 || (dtype == DType::BF16 && gemm_bfloat_kernels());
}

/// body(T()) for such a type.
template <class Body>
auto for_product_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::BF16:
      return body(Bfloat());
    case DType::F64:
      return body(double());
    default:
      return body(float());
  }
}

}  // namespace

namespace {

/// The product with a b of its own, packed.
GemmShape packed_product(const TensorSpec& b, const TensorSpec& out, const Attrs& attrs) {
  GemmShape shape = product_with(b, attrs.boolean("transpose_b", false));
  shape.m = shape.n == 0 ? 0 : out.shape.elements() / shape.n;
  shape.packed_b = true;
  return shape;
}

}  // namespace

bool keeps_panels(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs) {
  if (!is_multiplied(in[1].dtype) || !folds(in, attrs.boolean("transpose_a", false))) return false;
  const GemmShape shape = packed_product(in[1], out, attrs);
  return for_product_type(in[1].dtype, [&](auto type) { return gemm_gains_from_packed_b<decltype(type)>(shape); });
}

bool keeps_tiles(std::span<const TensorSpec> in, const TensorSpec& out, const Attrs& attrs) {
  const GemmShape shape = packed_product(in[1], out, attrs);
  return for_product_type(in[1].dtype, [&](auto type) { return gemm_packs_tiles<decltype(type)>(shape); });
}

namespace {

using Batch = MatmulBatch;

std::size_t align(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Products one after another, each on all threads, or in tasks of whole products. Cut by the shape alone.
struct BatchPlan {
  GemmPlan product;
  std::int64_t products_per_task;
  std::int64_t tasks;
  std::size_t scratch_bytes;
};

template <class T>
BatchPlan plan_batch(const Batch& batch) {
  constexpr double kAlone = 200000;  // ns: a product that is worth all threads for itself
  constexpr std::int64_t kTasks = 64;
  const GemmPlan product = plan_gemm<T>(batch.shape);
  const auto count = static_cast<std::int64_t>(batch.a.size());
  if (count <= 1 || product.cost > kAlone) return {product, count, count ? 1 : 0, product.scratch_bytes};
  const std::int64_t per_task = (count + kTasks - 1) / kTasks, tasks = (count + per_task - 1) / per_task;
  return {product, per_task, tasks, align(product.scratch_bytes) * static_cast<std::size_t>(tasks)};
}

template <class T>
void run_batch(const Batch& batch, const BatchPlan& plan, const T* a, const T* b, T* c, const GemmEpilogue<T>& epilogue,
               std::byte* scratch) {
  const auto count = static_cast<std::int64_t>(batch.a.size());
  const std::int64_t c_step = batch.shape.m * batch.shape.n;
  auto run_task = [&](std::int64_t task) {
    std::byte* own = scratch + static_cast<std::size_t>(task) * align(plan.product.scratch_bytes);
    const std::int64_t end = std::min(count, (task + 1) * plan.products_per_task);
    for (std::int64_t i = task * plan.products_per_task; i < end; ++i)
      gemm(plan.product, a + batch.a[i], b + batch.b[i], c + i * c_step, epilogue, own);
  };
  if (plan.tasks == 1) return run_task(0);  // leaves the threads to the products
  parallel_for(plan.tasks, plan.product.cost * static_cast<double>(count), run_task);
}

template <class T>
Kernel plan_float(Batch batch, const Attrs& attrs, bool has_bias) {
  const bool has_panels = attrs.boolean(kHasPanels, false);
  const int b = !has_panels ? 1 : has_bias ? 3 : 2;
  batch.shape.packed_b = has_panels;
  batch.shape.packed_tiles = has_panels && attrs.boolean(kHasTiles, false);
  const BatchPlan plan = plan_batch<T>(batch);
  const Activation activation = activation_of(attrs);
  return {.run =
              [=, batch = std::move(batch)](const Buffers& buffers) {
                const GemmEpilogue<T> epilogue{has_bias ? buffers.input<T>(2) : nullptr, activation};
                run_batch(batch, plan, buffers.input<T>(0), buffers.input<T>(b), buffers.output<T>(0), epilogue,
                          static_cast<std::byte*>(buffers.scratch));
              },
          .scratch_bytes = plan.scratch_bytes,
          .label = gemm_label<T>(plan.product)};
}

// Integers wrap around, as NumPy's do; T is unsigned. Plain loops: rows of C gather multiples of rows of B.
template <class T>
void matmul_integer(const GemmShape& s, const T* a, const T* b, T* c, const T* bias) {
  parallel_for(s.m, static_cast<double>(s.m * s.n * s.k), [&](std::int64_t i) {
    T* row = c + i * s.n;
    for (std::int64_t j = 0; j < s.n; ++j) row[j] = bias ? bias[j] : 0;
    for (std::int64_t p = 0; p < s.k; ++p) {
      const T a_ip = s.transpose_a ? a[p * s.lda + i] : a[i * s.lda + p];
      const T* b_p = s.transpose_b ? b + p : b + p * s.ldb;
      const std::int64_t step = s.transpose_b ? s.ldb : 1;
      for (std::int64_t j = 0; j < s.n; ++j) row[j] += a_ip * b_p[j * step];
    }
  });
}

template <class T>
Kernel plan_integer(Batch batch, bool has_bias) {
  return {.run =
              [=, batch = std::move(batch)](const Buffers& buffers) {
                for (std::size_t i = 0; i < batch.a.size(); ++i)
                  matmul_integer(batch.shape, buffers.input<T>(0) + batch.a[i], buffers.input<T>(1) + batch.b[i],
                                 buffers.output<T>(0) + static_cast<std::int64_t>(i) * batch.shape.m * batch.shape.n,
                                 has_bias ? buffers.input<T>(2) : nullptr);
              },
          .label = sizeof(T) == 4 ? "matmul_i32" : "matmul_i64"};
}

Kernel plan_for_dtype(DType dtype, Batch batch, const Attrs& attrs, bool has_bias) {
  if (dtype == DType::I32) return plan_integer<std::uint32_t>(std::move(batch), has_bias);
  if (dtype == DType::I64) return plan_integer<std::uint64_t>(std::move(batch), has_bias);
  return for_product_type(dtype,
                          [&](auto type) { return plan_float<decltype(type)>(std::move(batch), attrs, has_bias); });
}

Kernel plan_matmul(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
  Batch batch = matmul_batch(in, out[0], attrs);
  const double k = static_cast<double>(batch.shape.k);
  Kernel kernel = plan_for_dtype(out[0].dtype, std::move(batch), attrs, without_panels(in, attrs).size() == 3);
  kernel.flops = 2 * k * static_cast<double>(out[0].shape.elements());
  return kernel;
}

// 16-bit floats are computed in float32, where the processor has no products of bfloat16.
Kernel plan_any_matmul(std::span<const TensorSpec> in, std::span<const TensorSpec> out, const Attrs& attrs) {
  static const Plan plan_converted = on_float32(plan_matmul);
  const bool direct = is_multiplied(out[0].dtype) || !is_float(out[0].dtype);
  return direct ? plan_matmul(in, out, attrs) : plan_converted(in, out, attrs);
}

/// What of a product the packing of b depends on.
GemmShape packing_of(const TensorSpec& b, const Attrs& attrs) {
  GemmShape shape = product_with(b, attrs.boolean("transpose_b", false));
  shape.packed_tiles = attrs.boolean(kHasTiles, false);
  return shape;
}

Specs infer_panels(std::span<const TensorSpec> in, const Attrs& attrs) {
  expect_inputs(in, 1);
  if (!is_multiplied(in[0].dtype) || in[0].shape.rank() < 2 || batch_of(in[0].shape).elements() != 1)
    throw value_error("b is ", in[0], "; expected one matrix of a floating-point type that is multiplied as it is.");
  const GemmShape shape = packing_of(in[0], attrs);
  const std::size_t bytes =
      for_product_type(in[0].dtype, [&](auto type) { return gemm_packed_b_bytes<decltype(type)>(shape); });
  return {{in[0].dtype, {static_cast<std::int64_t>(bytes / size_of(in[0].dtype))}}};
}

Kernel plan_panels(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const GemmShape shape = packing_of(in[0], attrs);
  return for_product_type(in[0].dtype, [&](auto type) {
    using T = decltype(type);
    return Kernel{.run = [=](const Buffers& b) { gemm_pack_b(shape, b.input<T>(0), b.output<T>(0)); },
                  .label = "gemm_pack_b"};
  });
}

// ------------------------------------------------------------------------------------------------------------ gradient

/// [..., N] as the rows of one matrix.
Tensor as_rows(const Tensor& x) { return x.shape().rank() == 2 ? x : ops::reshape(x, {-1, x.shape().back(0)}); }

/// op(B) = b or its transpose; b is one matrix and a is not transposed, so that the batch adds up inside one product.
Tensor folded_db(const Tensor& a, const Tensor& dy, bool transpose_b) {
  const Tensor rows = as_rows(a), drows = as_rows(dy);
  return transpose_b ? ops::matmul(drows, rows, true, false) : ops::matmul(rows, drows, true, false);
}

// With A = op(a), B = op(b): dA = dy B^T, dB = A^T dy; a transposed operand gets the transposed product.
Tensor gradient_of_a(const Tensor& a, const Tensor& b, const Tensor& dy, bool ta, bool tb) {
  return ops::sum_like(ta ? ops::matmul(b, dy, tb, true) : ops::matmul(dy, b, false, !tb), a);
}
Tensor gradient_of_b(const Tensor& a, const Tensor& b, const Tensor& dy, bool ta, bool tb) {
  // Where the columns are known and not none, the count of the rows follows from them.
  const bool has_rows = a.shape().back(0) > 0 && dy.shape().back(0) > 0;
  if (b.shape().rank() == 2 && !ta && has_rows) return folded_db(a, dy, tb);
  return ops::sum_like(tb ? ops::matmul(dy, a, true, ta) : ops::matmul(a, dy, !ta, false), b);
}

std::vector<Tensor> matmul_vjp(const VjpContext& ctx) {
  const Tensor &a = ctx.in[0], &b = ctx.in[1];
  const bool ta = ctx.attrs.boolean("transpose_a", false), tb = ctx.attrs.boolean("transpose_b", false);
  const Tensor dy = activation_gradient(ctx.attrs, ctx.out[0], ctx.dout[0],
                                        [&] { return apply_all("matmul", ctx.in, without_activation(ctx.attrs))[0]; });
  std::vector<Tensor> gradients(ctx.in.size());
  if (ctx.wanted[0]) gradients[0] = gradient_of_a(a, b, dy, ta, tb);
  if (ctx.wanted[1]) gradients[1] = gradient_of_b(a, b, dy, ta, tb);
  if (ctx.in.size() == 3 && ctx.wanted[2]) gradients[2] = ops::sum_like(dy, ctx.in[2]);
  return gradients;
}

}  // namespace

void register_matmul() {
  register_primitive({.name = "matmul", .infer = infer_matmul, .plan = plan_any_matmul, .vjp = matmul_vjp});
  register_primitive({.name = "matmul_panels", .infer = infer_panels, .plan = plan_panels, .processor_only = true});
}

}  // namespace dlcore
