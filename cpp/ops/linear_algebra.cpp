// Decompositions of matrices and triangular systems. Their gradients are written in Python
// (python/dlcore/ops/linalg.py).
#include <algorithm>
#include <complex>
#include <functional>

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

void check_matrices(const TensorSpec& x, bool square, const char* name = "x") {
  const Shape& shape = x.shape;
  if (x.dtype != DType::F32 && x.dtype != DType::F64)
    throw type_error(name, " should be float32 or float64; got ", x, ". Cast it first.");
  const int rank = shape.rank();
  const bool known = rank >= 2 && shape[rank - 2] != Shape::kUnknown && shape[rank - 1] != Shape::kUnknown;
  if (!known || (square && shape[rank - 2] != shape[rank - 1]))
    throw value_error(name, " should hold ", square ? "square " : "", "matrices of known size; got ", x, ".");
}
void check_matrices(std::span<const TensorSpec> in, bool square) {
  expect_inputs(in, 1);
  check_matrices(in[0], square);
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
// One matrix's rows are shared out by so many.
constexpr std::int64_t kRows = 64;

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

/// to[j, i] = from[i, j], in parts that stay in the first cache
template <class From, class To>
void transpose_into(std::int64_t rows, std::int64_t columns, const From* from, To* to) {
  constexpr std::int64_t kPart = 16;
  for (std::int64_t first = 0; first < rows; first += kPart)
    for (std::int64_t j = 0; j < columns; ++j)
      for (std::int64_t i = first; i < std::min(first + kPart, rows); ++i)
        to[j * rows + i] = static_cast<To>(from[i * columns + j]);
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
      double *a = scratch, *v = a + n * n, *w = v + strip_doubles(n), *work = w + 2 * n;
      auto* order = reinterpret_cast<std::int64_t*>(w + n);
      copy_into(n * n, buffers.input<T>(0) + i * n * n, a);
      eigh(n, a, w, v, order, work);
      for (std::int64_t j = 0; j < n; ++j) buffers.output<T>(0)[i * n + j] = static_cast<T>(w[order[j]]);
      columns_from_strips(n, v, order, buffers.output<T>(1) + i * n * n);
    });
  };
  return kernel_of("eigh", x.count, n * n + strip_doubles(n) + 2 * n + eigh_scratch(n), 9.0 * n * n * n, one);
}

// ------------------------------------------------------------------------------------------------------------------
// svd

Specs infer_svd(std::span<const TensorSpec> in, const Attrs& attrs) {
  check_matrices(in, false);
  const TensorSpec& x = in[0];
  const std::int64_t rows = x.shape[x.shape.rank() - 2], columns = x.shape.back(), k = std::min(rows, columns);
  const TensorSpec s{x.dtype, with_last(x.shape, {k})};
  if (!attrs.boolean("vectors", true)) return {s};
  const bool full = attrs.boolean("full_matrices", true);
  return {{x.dtype, with_last(x.shape, {rows, full ? rows : k})},
          s,
          {x.dtype, with_last(x.shape, {full ? columns : k, columns})}};
}

/// Of matrices that are not square, the triangular factor r of the tall one = q r is decomposed.
Kernel plan_svd(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Matrices x = matrices_of(in[0].shape);
  const bool vectors = attrs.boolean("vectors", true), wide = x.rows < x.columns;
  const std::int64_t few = std::min(x.rows, x.columns), many = std::max(x.rows, x.columns), square = few * few;
  const std::int64_t kept = attrs.boolean("full_matrices", true) ? many : few;  // vectors of the longer side
  const std::int64_t factors = many == few ? 0 : many * (few + 2 * kept) + qr_scratch(many, few, kept);
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *a = scratch, *left = a + square, *right = left + strip_doubles(few), *s = right + strip_doubles(few);
      double* work = s + 2 * few;
      double *tall = work + svd_scratch(few), *q = tall + many * few, *turned = q + many * kept;
      auto* order = reinterpret_cast<std::int64_t*>(s + few);
      const T* from = buffers.input<T>(0) + i * few * many;
      if (many == few) {
        copy_into(square, from, a);
      } else {
        wide ? transpose_into(few, many, from, tall) : copy_into(few * many, from, tall);
        qr(many, few, kept, tall, q, turned + many * kept);
        for (std::int64_t j = 0; j < square; ++j) a[j] = j % few < j / few ? 0.0 : tall[j];
      }
      svd(few, a, s, vectors ? left : nullptr, right, order, work);
      T* values = buffers.output<T>(vectors ? 1 : 0) + i * few;
      for (std::int64_t j = 0; j < few; ++j) values[j] = static_cast<T>(s[order[j]]);
      if (!vectors) return;
      T* u = buffers.output<T>(0) + i * x.rows * (wide ? few : kept);
      T* vh = buffers.output<T>(2) + i * x.columns * (wide ? kept : few);
      if (many == few) {
        columns_from_strips(few, left, order, u);
        return rows_from_strips(few, right, order, vh);
      }
      // The first columns of q are turned by the vectors of r.
      columns_from_strips(few, left, order, a);
      std::transform(a, a + square, a, std::negate<>());
      for (std::int64_t j = 0; j < many; ++j) {
        std::fill(turned + j * kept, turned + j * kept + few, 0.0);
        std::copy(q + j * kept + few, q + (j + 1) * kept, turned + j * kept + few);
      }
      parallel_for((many + kRows - 1) / kRows, 0.1 * static_cast<double>(many * square), [&](std::int64_t block) {
        const std::int64_t first = block * kRows;
        linalg_kernels().subtract_product(std::min(kRows, many - first), few, few, q + first * kept, kept, 1, a, few,
                                          turned + first * kept, kept);
      });
      wide ? transpose_into(many, kept, turned, vh) : copy_into(many * kept, turned, u);
      wide ? columns_from_strips(few, right, order, u) : rows_from_strips(few, right, order, vh);
    });
  };
  return kernel_of("svd", x.count, square + 2 * strip_doubles(few) + 2 * few + svd_scratch(few) + factors,
                   (vectors ? 20.0 : 4.0) * few * few * few + 4.0 * few * few * (many - few), one);
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
      Complex *v = reinterpret_cast<Complex*>(scratch), *t = v + n * n, *w = t + n * n;
      double* a = reinterpret_cast<double*>(w + n);
      copy_into(n * n, buffers.input<T>(0) + i * n * n, a);
      eig(n, a, w, v, t, a + n * n);
      for (std::int64_t j = 0; j < n; ++j) {
        buffers.output<T>(0)[i * n + j] = static_cast<T>(w[j].real());
        buffers.output<T>(1)[i * n + j] = static_cast<T>(w[j].imag());
      }
      for (std::int64_t j = 0; j < n * n; ++j) {
        buffers.output<T>(2)[i * n * n + j] = static_cast<T>(v[j].real());
        buffers.output<T>(3)[i * n * n + j] = static_cast<T>(v[j].imag());
      }
    });
  };
  return kernel_of("eig", x.count, 5 * n * n + 2 * n + eig_scratch(n), 25.0 * n * n * n, one);
}

// ------------------------------------------------------------------------------------------------------------------
// cholesky

Specs infer_cholesky(std::span<const TensorSpec> in, const Attrs&) {
  check_matrices(in, true);
  return {in[0]};
}

Kernel plan_cholesky(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t n = x.rows;
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* a) {
    with_float(dtype, [&]<class T>(T) {
      transpose_into(n, n, buffers.input<T>(0) + i * n * n, a);
      cholesky(n, a, n);
      T* lower = buffers.output<T>(0) + i * n * n;
      for (std::int64_t row = 0; row < n; ++row)
        for (std::int64_t j = 0; j < n; ++j) lower[row * n + j] = static_cast<T>(j <= row ? a[j * n + row] : 0.0);
    });
  };
  return kernel_of("cholesky", x.count, n * n, n * n * n / 3.0, one);
}

// ------------------------------------------------------------------------------------------------------------------
// lu

Specs infer_lu(std::span<const TensorSpec> in, const Attrs&) {
  check_matrices(in, false);
  const TensorSpec& x = in[0];
  const std::int64_t rows = x.shape[x.shape.rank() - 2], k = std::min(rows, x.shape.back());
  return {x, {DType::I32, with_last(x.shape, {k})}, {DType::I32, with_last(x.shape, {rows})}};
}

Kernel plan_lu(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs&) {
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t m = x.rows, n = x.columns, k = std::min(m, n);
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* a) {
    with_float(dtype, [&]<class T>(T) {
      copy_into(m * n, buffers.input<T>(0) + i * m * n, a);
      lu(m, n, a, buffers.output<std::int32_t>(1) + i * k, buffers.output<std::int32_t>(2) + i * m);
      copy_into(m * n, a, buffers.output<T>(0) + i * m * n);
    });
  };
  return kernel_of("lu", x.count, m * n, 1.0 * m * n * k, one);
}

// ------------------------------------------------------------------------------------------------------------------
// triangular_solve

Specs infer_triangular_solve(std::span<const TensorSpec> in, const Attrs&) {
  expect_inputs(in, 2);
  const TensorSpec &a = in[0], &b = in[1];
  check_matrices(a, true, "a");
  check_matrices(b, false, "b");
  bool fits = a.dtype == b.dtype && a.shape.rank() == b.shape.rank();
  for (int axis = 0; fits && axis < a.shape.rank() - 1; ++axis)
    fits = a.shape[axis] == b.shape[axis] || a.shape[axis] == Shape::kUnknown || b.shape[axis] == Shape::kUnknown;
  if (!fits)
    throw value_error("a and b should have one dtype, the same axes before the last two and as many rows; got ", a,
                      " and ", b, ".");
  TensorSpec x = b;
  for (int axis = 0; axis < a.shape.rank() - 2; ++axis)
    if (x.shape[axis] == Shape::kUnknown) x.shape[axis] = a.shape[axis];
  return {x};
}

Kernel plan_triangular_solve(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Matrices b = matrices_of(in[1].shape);
  const std::int64_t n = b.rows, columns = b.columns;
  const bool transpose = attrs.boolean("transpose", false), unit = attrs.boolean("unit_diagonal", false);
  const bool lower = attrs.boolean("lower", false) != transpose;
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *a = scratch, *x = a + n * n;
      copy_into(n * n, buffers.input<T>(0) + i * n * n, a);
      copy_into(n * columns, buffers.input<T>(1) + i * n * columns, x);
      triangular_solve(n, columns, a, transpose ? 1 : n, transpose ? n : 1, lower, unit, x, columns);
      copy_into(n * columns, x, buffers.output<T>(0) + i * n * columns);
    });
  };
  return kernel_of("triangular_solve", b.count, n * (n + columns), 1.0 * n * n * columns, one);
}

// ------------------------------------------------------------------------------------------------------------------
// qr

Specs infer_qr(std::span<const TensorSpec> in, const Attrs& attrs) {
  check_matrices(in, false);
  const TensorSpec& x = in[0];
  const std::int64_t m = x.shape[x.shape.rank() - 2], n = x.shape.back();
  const std::int64_t kept = attrs.boolean("complete", false) ? m : std::min(m, n);
  return {{x.dtype, with_last(x.shape, {m, kept})}, {x.dtype, with_last(x.shape, {kept, n})}};
}

Kernel plan_qr(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t m = x.rows, n = x.columns;
  const std::int64_t kept = attrs.boolean("complete", false) ? m : std::min(m, n);
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *a = scratch, *q = a + m * n;
      copy_into(m * n, buffers.input<T>(0) + i * m * n, a);
      qr(m, n, kept, a, q, q + m * kept);
      copy_into(m * kept, q, buffers.output<T>(0) + i * m * kept);
      T* r = buffers.output<T>(1) + i * kept * n;
      for (std::int64_t row = 0; row < kept; ++row)
        for (std::int64_t j = 0; j < n; ++j) r[row * n + j] = static_cast<T>(j >= row ? a[row * n + j] : 0.0);
    });
  };
  return kernel_of("qr", x.count, m * (n + kept) + qr_scratch(m, n, kept), 4.0 * m * kept * std::min(m, n), one);
}

// ------------------------------------------------------------------------------------------------------------------
// lstsq

Specs infer_lstsq(std::span<const TensorSpec> in, const Attrs&) {
  expect_inputs(in, 2);
  const TensorSpec &a = in[0], &b = in[1];
  check_matrices(a, false, "a");
  check_matrices(b, false, "b");
  TensorSpec x = b;
  bool fits = a.dtype == b.dtype && a.shape.rank() == b.shape.rank();
  for (int axis = 0; fits && axis < a.shape.rank() - 1; ++axis) {
    if (x.shape[axis] == Shape::kUnknown) x.shape[axis] = a.shape[axis];
    fits = a.shape[axis] == x.shape[axis] || a.shape[axis] == Shape::kUnknown;
  }
  if (!fits)
    throw value_error("a and b should have one dtype, the same axes before the last two and as many rows; got ", a,
                      " and ", b, ".");
  x.shape[x.shape.rank() - 2] = a.shape.back();
  return {x};
}

Kernel plan_lstsq(std::span<const TensorSpec> in, std::span<const TensorSpec>, const Attrs& attrs) {
  const Matrices x = matrices_of(in[0].shape);
  const std::int64_t m = x.rows, n = x.columns, columns = in[1].shape.back();
  const double rcond = attrs.number("rcond", 0.0);
  auto one = [=, dtype = in[0].dtype](const Buffers& buffers, std::int64_t i, double* scratch) {
    with_float(dtype, [&]<class T>(T) {
      double *a = scratch, *b = a + m * n, *found = b + m * columns;
      copy_into(m * n, buffers.input<T>(0) + i * m * n, a);
      copy_into(m * columns, buffers.input<T>(1) + i * m * columns, b);
      lstsq(m, n, columns, rcond, a, b, found, found + n * columns);
      copy_into(n * columns, found, buffers.output<T>(0) + i * n * columns);
    });
  };
  return kernel_of("lstsq", x.count, m * n + (m + n) * columns + lstsq_scratch(m, n, columns),
                   2.0 * m * n * std::min(m, n), one);
}

}  // namespace

void register_linear_algebra() {
  register_primitive({.name = "cholesky", .infer = infer_cholesky, .plan = plan_cholesky});
  register_primitive({.name = "lu", .infer = infer_lu, .plan = plan_lu});
  register_primitive({.name = "triangular_solve", .infer = infer_triangular_solve, .plan = plan_triangular_solve});
  register_primitive({.name = "qr", .infer = infer_qr, .plan = plan_qr});
  register_primitive({.name = "lstsq", .infer = infer_lstsq, .plan = plan_lstsq});
  register_primitive({.name = "eigh", .infer = infer_eigh, .plan = plan_eigh});
  register_primitive({.name = "svd", .infer = infer_svd, .plan = plan_svd});
  register_primitive({.name = "eig", .infer = infer_eig, .plan = plan_eig});
}

}  // namespace dlcore
