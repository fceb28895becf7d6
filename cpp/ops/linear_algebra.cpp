// Decompositions of matrices: eigh, svd, eig. Their gradients are written in Python (python/dlcore/ops/linalg.py).
#include <algorithm>
#include <complex>

#include "base/parallel.h"
#include "kernels/linalg/linalg.h"
#include "ops/checks.h"
#include "ops/families.h"
#include "program/primitive.h"

namespace dlcore {

namespace {

/// Matrices [..., rows, columns].
struct Matrices {
  std::int64_t count, rows, columns;
};

Matrices matrices_of(const Shape& shape) {
  Matrices x{1, shape[shape.rank() - 2], shape[shape.rank() - 1]};
  for (int axis = 0; axis < shape.rank() - 2; ++axis) x.count *= shape[axis];
  return x;
}

void check_matrices(std::span<const TensorSpec> in, bool square) {
  expect_inputs(in, 1);
  const Shape& shape = in[0].shape;
  if (in[0].dtype != DType::F32 && in[0].dtype != DType::F64)
    throw type_error("x should be float32 or float64; got ", in[0], ". Cast it first.");
  const int rank = shape.rank();
  const bool known = rank >= 2 && shape[rank - 2] != Shape::kUnknown && shape[rank - 1] != Shape::kUnknown;
  if (!known || (square && shape[rank - 2] != shape[rank - 1]))
    throw value_error("x should hold ", square ? "square " : "", "matrices of known size; got ", in[0], ".");
}

/// The batch axes of x with other axes behind them.
Shape with_last(const Shape& x, std::initializer_list<std::int64_t> last) {
  Shape shape;
  for (int axis = 0; axis < x.rank() - 2; ++axis) shape.push_back(x[axis]);
  for (const std::int64_t size : last) shape.push_back(size);
  return shape;
}

// Matrices are shared out to so many chunks, each with its own scratch.
constexpr std::int64_t kChunks = 16;

/// Calls body(matrix, scratch of that chunk) for every matrix.
template <class Body>
Kernel kernel_of(const char* label, std::int64_t count, std::int64_t doubles, double flops, const Body& body) {
  const std::int64_t chunks = std::min(count, kChunks);
  auto run = [=](const Buffers& buffers) {
    parallel_for(chunks, count * flops, [&](std::int64_t chunk) {
      double* scratch = static_cast<double*>(buffers.scratch) + chunk * doubles;
      for (std::int64_t i = chunk; i < count; i += chunks) body(buffers, i, scratch);
    });
  };
  return {.run = run,
          .scratch_bytes = static_cast<std::size_t>(chunks * doubles) * sizeof(double),
          .label = label,
          .flops = count * flops};
}

/// Calls body(T{}) with the element type.
template <class Body>
void with_float(DType dtype, const Body& body) {
  dtype == DType::F32 ? body(float{}) : body(double{});
}

/// to[j, i] = from[i, j]
template <class From, class To>
void transpose_into(std::int64_t rows, std::int64_t columns, const From* from, To* to) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = static_cast<To>(from[i * columns + j]);
}

template <class From, class To>
void copy_into(std::int64_t count, const From* from, To* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

// -----------------------------------------------------------------------------------------------------------------
// eigh

Specs infer_eigh(std::span<const TensorSpec> in, const Attrs&) {
  check_matrices(in, true);
  const TensorSpec& x = in[0];
  return {{x.dtype, with_last(x.shape, {x.shape.back()})}, x};
}

Kernel plan_eigh(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t n = x.rows;
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *a = scratch, *v = a + n * n, *w = v + n * n;
      copy_into(n * n, buffers.input<T>(0) + i * n * n, a);
      eigh(n, a, w, v, w + n);
      copy_into(n, w, buffers.output<T>(0) + i * n);
      transpose_into(n, n, v, buffers.output<T>(1) + i * n * n);
    });
  };
  return kernel_of("eigh", x.count, 2 * n * n + 3 * n, 9.0 * n * n * n, one);
}

// ------------------------------------------------------------------------------------------------------------------
// svd

Specs infer_svd(std::span<const TensorSpec> in, const Attrs& attrs) {
  check_matrices(in, false);
  const TensorSpec& x = in[0];
  const std::int64_t rows = x.shape[x.shape.rank() - 2], columns = x.shape.back(), k = std::min(rows, columns);
  const bool full = attrs.boolean("full_matrices", true);
  return {{x.dtype, with_last(x.shape, {rows, full ? rows : k})},
          {x.dtype, with_last(x.shape, {k})},
          {x.dtype, with_last(x.shape, {full ? columns : k, columns})}};
}

Kernel plan_svd(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Matrices x = matrices_of(in[0].shape);
  const bool full = attrs.boolean("full_matrices", true);
  const bool wide = x.rows <= x.columns;
  const std::int64_t few = std::min(x.rows, x.columns), many = std::max(x.rows, x.columns);
  const std::int64_t kept = full ? many : few;  // vectors of the longer side
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *longer = scratch, *shorter = longer + kept * many, *s = shorter + few * few;
      const T* a = buffers.input<T>(0) + i * few * many;
      wide ? copy_into(few * many, a, longer) : transpose_into(x.rows, x.columns, a, longer);
      svd(few, many, longer, s, shorter, s + few);
      complete_rows(few, kept, many, longer);
      T *u = buffers.output<T>(0), *v = buffers.output<T>(2);
      copy_into(few, s, buffers.output<T>(1) + i * few);
      if (wide) {
        transpose_into(few, few, shorter, u + i * few * few);
        copy_into(kept * many, longer, v + i * kept * many);
      } else {
        transpose_into(kept, many, longer, u + i * kept * many);
        copy_into(few * few, shorter, v + i * few * few);
      }
    });
  };
  return kernel_of("svd", x.count, kept * many + few * few + 2 * few, 40.0 * few * few * many, one);
}

// ------------------------------------------------------------------------------------------------------------------
// eig

Specs infer_eig(std::span<const TensorSpec> in, const Attrs&) {
  check_matrices(in, true);
  const TensorSpec& x = in[0];
  const TensorSpec w{x.dtype, with_last(x.shape, {x.shape.back()})};
  return {w, w, x, x};
}

Kernel plan_eig(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  using Complex = std::complex<double>;
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t n = x.rows;
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      Complex *a = reinterpret_cast<Complex*>(scratch), *v = a + n * n, *w = v + n * n;
      copy_into(n * n, buffers.input<T>(0) + i * n * n, a);
      eig(n, a, w, v, w + n);
      double size = 0;
      for (std::int64_t j = 0; j < n; ++j) size = std::max(size, std::abs(w[j]));
      for (std::int64_t j = 0; j < n; ++j) {
        // What rounding leaves of a real eigenvalue's imaginary part.
        const bool real = std::abs(w[j].imag()) <= 1e-14 * n * size;
        buffers.output<T>(0)[i * n + j] = static_cast<T>(w[j].real());
        buffers.output<T>(1)[i * n + j] = static_cast<T>(real ? 0.0 : w[j].imag());
      }
      for (std::int64_t j = 0; j < n * n; ++j) {
        buffers.output<T>(2)[i * n * n + j] = static_cast<T>(v[j].real());
        buffers.output<T>(3)[i * n * n + j] = static_cast<T>(v[j].imag());
      }
    });
  };
  return kernel_of("eig", x.count, 4 * n * n + 6 * n, 100.0 * n * n * n, one);
}

}  // namespace

void register_linear_algebra() {
  register_primitive({.name = "eigh", .infer = infer_eigh, .plan = plan_eigh});
  register_primitive({.name = "svd", .infer = infer_svd, .plan = plan_svd});
  register_primitive({.name = "eig", .infer = infer_eig, .plan = plan_eig});
}

}  // namespace dlcore
