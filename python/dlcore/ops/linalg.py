"""Linear algebra on the last two axes.

Factorizations and triangular systems are primitives, with gradients given here: formulas of the same functions, so that
gradients have gradients too. A complex tensor is a pair (real part, imaginary part).
"""

import math
from math import inf

from dlcore import _core, backend
from dlcore.backend.arguments import int_from
from dlcore.ops import reductions
from dlcore.ops._common import as_float, axes_of, resolve_axis
from dlcore.ops.arithmetic import absolute, add, divide, maximum, multiply, negative, power, sign, square, subtract
from dlcore.ops.creation import arange, eye, ones, zeros, zeros_like
from dlcore.ops.elementary import log, sqrt
from dlcore.ops.gradients import with_gradient
from dlcore.ops.indexing import take_along_axis
from dlcore.ops.logic import equal, greater, less, not_equal, where
from dlcore.ops.math import rsqrt
from dlcore.ops.matrices import diagonal, tril, triu
from dlcore.ops.operation import operation
from dlcore.ops.reductions import prod
from dlcore.ops.shapes import concatenate, expand_dims, moveaxis, reshape, squeeze, swapaxes
from dlcore.ops.sorting import argsort


def _matrix(name, x, square=True):
    x = as_float(x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]) or None in x.shape[-2:]:
        raise ValueError(
            f"{name}: expected {'square ' * square}matrices (..., n, {'n' if square else 'm'}) of known size. "
            f"Received shape {x.shape}."
        )
    return x


def _transposed(x):
    return swapaxes(x, -1, -2)


def _product(a, b):
    return _core.apply("matmul", [a, b])


def _identity_like(x):
    return add(zeros_like(x), eye(x.shape[-1], dtype=x.dtype))


def _wide(x):
    """16-bit floats as float32, which the primitives know."""
    return x if x.dtype in ("float32", "float64") else backend.convert_to_tensor(x, "float32")


@operation
def cholesky(x, upper=False):
    """The lower (upper) triangular L with L L^T = x (L^T L = x) of positive definite matrices.

    While a function is traced, the result is NaN where x is not positive definite.

    Args:
        x: (..., N, N), symmetric; floats, or integers, which become float32.
        upper: bool, default False: L^T instead, with zeros below the diagonal.

    Returns:
        Of the shape of x.

    Raises:
        ValueError: x does not hold square matrices of known size, or one that is not positive definite.

    Reference of the gradient: Murray 2016, "Differentiation of the Cholesky decomposition".
    """
    x = _matrix("cholesky", x)
    lower = _cholesky_factor(x)
    if not lower.is_symbolic and bool(reductions.any(not_equal(lower, lower))):
        raise ValueError(
            f"cholesky: expected positive definite matrices. Received one of shape {x.shape[-2:]} that is not. Add a "
            "small multiple of the identity, such as 1e-6 * eye(n)."
        )
    return _transposed(lower) if upper else lower


def _cholesky_factor(x):
    """NaN where x is not positive definite."""
    wide = _wide(x)
    wide = multiply(0.5, add(wide, _transposed(wide)))  # so that the gradient is symmetric too
    (lower,) = with_gradient([_core.apply("cholesky", [wide])], [wide], _cholesky_gradient)
    return backend.convert_to_tensor(lower, x.dtype)


def _cholesky_gradient(inputs, outputs, gradients):
    """L^-T P L^-1 with P the lower triangle of L^T dL, its diagonal halved (Murray 2016), made symmetric."""
    (lower,), (d_lower,) = outputs, gradients
    product = _product(_transposed(lower), d_lower)
    inner = multiply(0.5, add(tril(product), tril(product, -1)))
    inner = _triangular_solve(lower, inner, lower=True, transpose=True)
    inner = _transposed(_triangular_solve(lower, _transposed(inner), lower=True, transpose=True))
    return [multiply(0.5, add(inner, _transposed(inner)))]


@operation
def cholesky_inverse(x, upper=False):
    """The inverse of the matrix whose Cholesky factor is x.

    Args:
        x: (..., N, N).
        upper: bool, default False: x is the upper factor.
    """
    x = _matrix("cholesky_inverse", x)
    inverse = solve_triangular(x, _identity_like(x), lower=not upper)
    return _product(inverse, _transposed(inverse)) if upper else _product(_transposed(inverse), inverse)


def _as_matrix(name, a, b):
    """a; b as a matrix of right-hand sides; and whether it was a vector."""
    a, b = backend.promote(as_float(a), as_float(b))
    vector = b.ndim == a.ndim - 1
    rows = b.shape[-1 if vector else -2] if b.ndim > 1 or vector else 1
    if rows not in (None, a.shape[-2]):
        raise ValueError(f"{name}: a and b must have as many rows. Received shapes {a.shape} and {b.shape}.")
    return a, (expand_dims(b, -1) if vector else b), vector


def _systems(function, a, b):
    """function(a, b) of float32 or float64 with the same axes before the last two; one a takes all b as columns."""
    dtype, a, b = a.dtype, _wide(a), _wide(b)
    if a.ndim == 2 < b.ndim and None not in b.shape:
        columns = moveaxis(b, -2, 0)
        x = function(a, reshape(columns, (b.shape[-2], math.prod(columns.shape[1:]))))
        x = moveaxis(reshape(x, columns.shape), 0, -2)
    else:
        if a.shape[:-2] != b.shape[:-2]:
            zero_a, zero_b = (reductions.sum(zeros_like(x), (-2, -1), keepdims=True) for x in (a, b))
            a, b = add(a, zero_b), add(b, zero_a)
        x = function(a, b)
    return backend.convert_to_tensor(x, dtype)


@operation
def solve_triangular(a, b, lower=False):
    """The x with a x = b for a triangular a, (..., n, n); b is (..., n, m) or (..., n).

    Args:
        a: (..., N, N).
        b: (..., N, K) or (..., N).
        lower: bool, default False: a is a lower triangle.
    """
    a, b, vector = _as_matrix("solve_triangular", _matrix("solve_triangular", a), b)
    x = _systems(lambda a, b: _triangular_solve(a, b, bool(lower)), a, b)
    return squeeze(x, -1) if vector else x


def _triangular_solve(a, b, lower, transpose=False, unit_diagonal=False):
    """The x with a x = b, or a^T x = b, that reads a triangle of a: its diagonal too unless that is all ones."""

    def gradient(inputs, outputs, gradients):
        (a, _), (x,), (dx,) = inputs, outputs, gradients
        db = _triangular_solve(a, dx, lower, not transpose, unit_diagonal)
        da = negative(_product(*((x, _transposed(db)) if transpose else (db, _transposed(x)))))
        da = tril(da, -unit_diagonal) if lower else triu(da, int(unit_diagonal))
        return [da, db]

    x = _core.apply("triangular_solve", [a, b], lower=lower, transpose=transpose, unit_diagonal=unit_diagonal)
    return with_gradient([x], [a, b], gradient)[0]


@operation
def lu_factor(x):
    """P x = L U, with ones on the diagonal of L, pivoted by the greatest element of each column.

    Args:
        x: (..., M, N).

    Returns:
        (..., M, N) with L below the diagonal and U on and above it; and int32 pivots (..., min(M, N)): pivots[i] is the
        row that row i was exchanged with at step i.

    Raises:
        ValueError: x does not hold matrices of known size.
    """
    x = _matrix("lu_factor", x, square=False)
    lu, pivots, _ = with_gradient(_core.apply("lu", [_wide(x)]), [x], _lu_gradient)
    return backend.convert_to_tensor(lu, x.dtype), pivots


def _lu_gradient(inputs, outputs, gradients):
    """P^T L^-T (tril(L^T dL) + triu(dU U^T)) U^-T, the diagonal in the second part alone.

    Of matrices that are not square, L and U are filled up with the identity.
    """
    (x,), (lu, _, order), (d_lu, _, _) = inputs, outputs, gradients
    m, n = lu.shape[-2:]
    one, filling = eye(m, dtype=lu.dtype), eye(n, m, dtype=lu.dtype)
    lower = add(_product(tril(lu, -1), filling), one)
    upper = add(_product(filling, triu(lu)), eye(n, dtype=lu.dtype) - _product(filling, _transposed(filling)))
    inner = add(tril(_product(_transposed(lower), tril(d_lu, -1)), -1), triu(_product(triu(d_lu), _transposed(upper))))
    inner = _triangular_solve(lower, inner, lower=True, transpose=True, unit_diagonal=True)
    inner = _transposed(_triangular_solve(upper, _transposed(inner), lower=False))
    return [backend.convert_to_tensor(_rows(inner, argsort(order, axis=-1)), x.dtype)]


def _rows(x, order):
    return take_along_axis(x, expand_dims(order, -1), axis=-2)


@operation
def solve(a, b):
    """The x with a x = b.

    Args:
        a: (..., N, N). Of a singular matrix the result is infinite or NaN.
        b: (..., N, K), or (..., N) with one axis fewer than a.

    Returns:
        As b.

    Raises:
        ValueError: a does not hold square matrices of known size, or b has not as many rows.
    """
    a, b, vector = _as_matrix("solve", _matrix("solve", a), b)
    x = _systems(_solve, a, b)
    return squeeze(x, -1) if vector else x


def _lu_solve(lu, order, b):
    y = _core.apply("triangular_solve", [lu, _rows(b, order)], lower=True, unit_diagonal=True)
    return _core.apply("triangular_solve", [lu, y])


def _solve(a, b):
    lu, _, order = _core.apply("lu", [a])
    x = _lu_solve(lu, order, b)
    return with_gradient([x], [a, b], _solve_gradient)[0]


def _solve_gradient(inputs, outputs, gradients):
    (a, _), (x,), (dx,) = inputs, outputs, gradients
    db = _solve(_transposed(a), dx)
    return [negative(_product(db, _transposed(x))), db]


@operation
def inv(x):
    """The inverse of square matrices.

    Args:
        x: (..., N, N). Of a singular matrix the result is infinite or NaN.

    Raises:
        ValueError: x does not hold square matrices of known size.
    """
    x = _matrix("inv", x)
    return solve(x, _identity_like(x))


@operation
def det(x):
    """The determinant of square matrices.

    Args:
        x: (..., N, N).

    Returns:
        Of shape (...). The gradient is right for singular matrices too.

    Raises:
        ValueError: x does not hold square matrices of known size.
    """
    x = _matrix("det", x)
    return backend.convert_to_tensor(_det(_wide(x)), x.dtype)


def _det(x):
    lu, pivots, _ = _core.apply("lu", [x])
    result = multiply(_parity(pivots, x.dtype), prod(diagonal(lu, 0, -2, -1), axis=-1))
    return with_gradient([result], [x], _det_gradient)[0]


def _parity(pivots, dtype):
    """The sign of the permutation that exchanges each row with its pivot."""
    still = equal(pivots, arange(pivots.shape[-1], dtype="int32"))
    return prod(where(still, ones((), dtype), negative(ones((), dtype))), axis=-1)


# Stands for a pivot of 0, in double.
_TINY = 1e-30


def _det_gradient(inputs, outputs, gradients):
    (x,), (d,) = inputs, gradients
    cofactors = backend.convert_to_tensor(_cofactors(backend.convert_to_tensor(x, "float64")), x.dtype)
    return [multiply(expand_dims(d, (-2, -1)), cofactors)]


def _cofactors(x):
    """det(x) x^-T; of a singular x that of a matrix next to it."""
    lu, pivots, order = _core.apply("lu", [x])
    diagonals = diagonal(lu, 0, -2, -1)
    missing = where(equal(diagonals, 0.0), _TINY, zeros_like(diagonals))
    determinant = multiply(_parity(pivots, x.dtype), prod(add(diagonals, missing), axis=-1))
    determinant = expand_dims(determinant, (-2, -1))
    inverse = _transposed(_lu_solve(add(lu, _diagonal_matrix(missing)), order, _identity_like(x)))
    result = where(equal(determinant, 0.0), 0.0, multiply(determinant, inverse))
    return with_gradient([result], [x], _cofactors_gradient)[0]


def _cofactors_gradient(inputs, outputs, gradients):
    """(<C, dC> C - C dC^T C) / det(x)."""
    (x,), (d,) = inputs, gradients
    x = add(x, _core.apply("stop_gradient", [_way_from_singular(x)]))
    c = _cofactors(x)
    along = multiply(reductions.sum(multiply(c, d), (-2, -1), keepdims=True), c)
    across = _product(_product(c, _transposed(d)), c)
    return [divide(along - across, expand_dims(_det(x), (-2, -1)))]


def _way_from_singular(x):
    """What makes singular values of x that are nearly 0 so great that half of the digits are right."""
    u, s, vh = _core.apply("svd", [x])
    least = maximum(1e-8 * reductions.max(s, axis=-1, keepdims=True, initial=0), _TINY)
    return _product(_scaled_columns(u, where(less(s, least), least, 0.0)), vh)


@operation
def slogdet(x):
    """The sign of the determinant and the logarithm of its size, which does not overflow.

    Args:
        x: (..., N, N).

    Returns:
        Two tensors (...): -1, 0 or 1; and the logarithm, -inf of a singular matrix.

    Raises:
        ValueError: x does not hold square matrices of known size.
    """
    x = _matrix("slogdet", x)
    wide = _wide(x)
    lu, pivots, _ = _core.apply("lu", [wide])
    diagonal_of_u = diagonal(lu, 0, -2, -1)
    signs = multiply(_parity(pivots, wide.dtype), prod(sign(diagonal_of_u), axis=-1))
    size = reductions.sum(log(absolute(diagonal_of_u)), axis=-1)
    signs, size = with_gradient([signs, size], [wide], _slogdet_gradient)
    return backend.convert_to_tensor(signs, x.dtype), backend.convert_to_tensor(size, x.dtype)


def _slogdet_gradient(inputs, outputs, gradients):
    (x,), (_, d) = inputs, gradients
    if d is None:
        return [None]
    return [multiply(expand_dims(d, (-2, -1)), _transposed(_solve(x, _identity_like(x))))]


@operation
def logdet(x):
    """The logarithm of the determinant of positive definite matrices.

    Args:
        x: (..., N, N).

    Returns:
        Of shape (...), NaN where x is not positive definite.

    Raises:
        ValueError: x does not hold square matrices of known size.
    """
    lower = _cholesky_factor(_matrix("logdet", x))
    return multiply(2.0, reductions.sum(log(diagonal(lower, 0, -2, -1)), axis=-1))


@operation
def qr(x, mode="reduced"):
    """x = Q R with orthonormal columns of Q and an upper triangular R (Householder 1958).

    Args:
        x: (..., m, n).
        mode: `"reduced"`: Q (..., m, min(m, n)); `"complete"`: Q (..., m, m).
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: unknown mode {mode!r}. Expected "reduced" or "complete".')
    x = _matrix("qr", x, square=False)
    wide = _wide(x)
    q, r = with_gradient(_core.apply("qr", [wide], complete=mode == "complete"), [wide], _qr_gradient)
    return backend.convert_to_tensor(q, x.dtype), backend.convert_to_tensor(r, x.dtype)


def _qr_gradient(inputs, outputs, gradients):
    """(dQ + Q C) R^-T, C: the lower triangle of R dR^T - dQ^T Q, mirrored (Walter & Lehmann 2010).

    Of a wide x, Q and the first columns of R are those of its first columns, and the others of R are Q^T times its
    others. The columns of Q beyond those of x are any that make it complete: what comes to them is passed on as far as
    it does not depend on their choice.
    """
    (x,), (q, r), (dq, dr) = inputs, outputs, gradients
    m, n = x.shape[-2:]
    k = min(m, n)
    dq = zeros_like(q) if dq is None else dq
    dr = zeros_like(r) if dr is None else dr
    q, rest, dq, d_rest = q[..., :k], q[..., k:], dq[..., :k], dq[..., k:]
    dq = dq - _product(rest, _product(_transposed(d_rest), q))
    dq = dq + _product(x[..., k:], _transposed(dr[..., :k, k:]))
    r, others, dr = r[..., :k, :k], _product(q, dr[..., :k, k:]), dr[..., :k, :k]
    inner = _product(r, _transposed(dr)) - _product(_transposed(dq), q)
    dx = dq + _product(q, add(tril(inner), _transposed(tril(inner, -1))))
    dx = _transposed(_triangular_solve(r, _transposed(dx), lower=False))
    return [concatenate([dx, others], axis=-1)]


def _inverse_gaps(values):
    """1 / (values[j] - values[i]) for all pairs [..., i, j]; 0 where they are equal."""
    gaps = subtract(expand_dims(values, -2), expand_dims(values, -1))
    same = equal(gaps, 0.0)
    return where(same, 0.0, divide(1.0, where(same, 1.0, gaps)))


def _scaled_columns(x, scale):
    return multiply(x, expand_dims(scale, -2))


@operation
def eigh(x):
    """Eigenvalues (..., n), ascending, and eigenvectors, the columns of (..., n, n), of symmetric matrices.

    The gradient of the eigenvectors needs eigenvalues that differ.
    """
    x = _matrix("eigh", x)
    x = multiply(0.5, add(x, _transposed(x)))  # so that the gradient is symmetric too
    values, vectors = with_gradient(_core.apply("eigh", [_wide(x)]), [x], _eigh_gradient)
    return backend.convert_to_tensor(values, x.dtype), backend.convert_to_tensor(vectors, x.dtype)


def _eigh_gradient(inputs, outputs, gradients):
    """V (diag(dw) + F o (V^T dV)) V^T with F[i, j] = 1 / (w[j] - w[i])."""
    (x,), (values, vectors), (d_values, d_vectors) = inputs, outputs, gradients
    inner = None
    if d_values is not None:
        inner = _diagonal_matrix(d_values)
    if d_vectors is not None:
        turned = multiply(_inverse_gaps(values), _product(_transposed(vectors), d_vectors))
        inner = turned if inner is None else add(inner, turned)
    return [backend.convert_to_tensor(_product(_product(vectors, inner), _transposed(vectors)), x.dtype)]


def _diagonal_matrix(values):
    return multiply(expand_dims(values, -1), eye(values.shape[-1], dtype=values.dtype))


@operation
def svd(x, full_matrices=True, compute_uv=True):
    """Singular values: x = u diag(s) vh with s descending, orthonormal columns of u and rows of vh.

    Args:
        x: (..., m, n); k is the smaller of m and n.
        full_matrices: bool, default True: u (..., m, m) and vh (..., n, n) instead of (..., m, k) and (..., k, n).
        compute_uv: bool, default True; False: only s is returned.

    Returns:
        u, s (..., k), vh; or s.

    The gradients of u and vh need singular values that differ, and square matrices or full_matrices=False.
    """
    x = _matrix("svd", x, square=False)
    if not compute_uv:
        return _singular_values(x)
    results = with_gradient(_core.apply("svd", [_wide(x)], full_matrices=full_matrices), [x], _svd_gradient)
    return tuple(backend.convert_to_tensor(y, x.dtype) for y in results)


def _singular_values(x):
    def gradient(inputs, outputs, gradients):
        u, _, vh = svd(_wide(inputs[0]), full_matrices=False)
        dx = _product(_scaled_columns(u, gradients[0]), vh)
        return [backend.convert_to_tensor(dx, x.dtype)]

    s = with_gradient([_core.apply("svd", [_wide(x)], vectors=False)], [x], gradient)[0]
    return backend.convert_to_tensor(s, x.dtype)


def _svd_gradient(inputs, outputs, gradients):
    """By Townsend 2016, with F[i, j] = 1 / (s[j]^2 - s[i]^2)."""
    (x,), (u, s, vh), (du, ds, dvh) = inputs, outputs, gradients
    k = s.shape[-1]
    extra = u.shape[-1] > k or vh.shape[-2] > k
    if extra and not (du is None and dvh is None):
        raise ValueError(
            f"svd: for matrices {tuple(x.shape)} that are not square, u and vh have gradients only with "
            "full_matrices=False."
        )
    if extra:
        u, s, vh = svd(_wide(x), full_matrices=False)
    v = _transposed(vh)
    total = None if ds is None else _scaled_columns(u, ds)
    gaps, small = _inverse_gaps(square(s)), equal(s, 0.0)
    inverse = where(small, 0.0, divide(1.0, where(small, 1.0, s)))
    if du is not None:
        turned = _product(_transposed(u), du)
        part = _scaled_columns(_product(u, multiply(gaps, turned - _transposed(turned))), s)
        outside = _scaled_columns(du - _product(u, turned), inverse)
        total = part + outside if total is None else total + part + outside
    result = None if total is None else _product(total, _transposed(v))
    if dvh is not None:
        dv = _transposed(dvh)
        turned = _product(_transposed(v), dv)
        inner = multiply(expand_dims(s, -1), multiply(gaps, turned - _transposed(turned)))
        part = _product(u, _product(inner, _transposed(v)))
        outside = _product(_scaled_columns(u, inverse), _transposed(dv - _product(v, turned)))
        result = part + outside if result is None else result + part + outside
    return [backend.convert_to_tensor(result, x.dtype)]


@operation
def eig(x):
    """Eigenvalues and eigenvectors of square matrices, which may be complex: two pairs (real part, imaginary part).

    Args:
        x: (..., n, n).

    Returns:
        The pair of the eigenvalues, each (..., n), and that of the eigenvectors, the columns of (..., n, n), of norm 1;
        without gradients.
    """
    x = _matrix("eig", x)
    parts = [backend.convert_to_tensor(part, x.dtype) for part in _core.apply("eig", [_wide(x)])]
    return tuple(parts[:2]), tuple(parts[2:])


def _smallest_step(dtype):
    """The distance from 1 to the next number of a dtype."""
    return {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}.get(dtype, 2.0**-52)


@operation
def pinv(x, rcond=None):
    """The pseudo-inverse (..., n, m) of matrices (..., m, n) (Moore 1920; Penrose 1955).

    Args:
        x: matrices.
        rcond: float: singular values up to this part of the greatest count as 0; default 10 max(m, n) times the
            dtype's precision.
    """
    x = _matrix("pinv", x, square=False)
    size = max(x.shape[-2:])
    rcond = 10.0 * size * _smallest_step(x.dtype) if rcond is None else rcond
    u, s, vh = _core.apply("svd", [_wide(x)], full_matrices=False)
    counts = greater(s, multiply(rcond, s[..., :1]))
    inverse = where(counts, divide(1.0, where(counts, s, 1.0)), 0.0)
    found = _product(_scaled_columns(_transposed(vh), inverse), _transposed(u))
    return with_gradient([backend.convert_to_tensor(found, x.dtype)], [x], _pinv_gradient)[0]


def _pinv_gradient(inputs, outputs, gradients):
    """Golub & Pereyra 1973: -P^T dP P^T and what is due to the spaces that P leaves out."""
    (x,), (p,), (dp,) = inputs, outputs, gradients
    pt, dpt = _transposed(p), _transposed(dp)
    left = dpt - _product(x, _product(p, dpt))  # (1 - x p) dP^T
    right = dpt - _product(_product(dpt, p), x)  # dP^T (1 - p x)
    total = _product(_product(left, p), pt) + _product(_product(pt, p), right)
    return [total - _product(_product(pt, dp), pt)]


@operation
def lstsq(a, b, rcond=None):
    """The x that makes |a x - b| least, of several the shortest.

    Args:
        a: (..., m, n).
        b: (..., m) or (..., m, k).
        rcond: float: singular values of a up to this part of the greatest count as 0; default max(m, n) times the
            dtype's precision.
    """
    a, b, vector = _as_matrix("lstsq", _matrix("lstsq", a, square=False), b)
    rcond = max(a.shape[-2:]) * _smallest_step(a.dtype) if rcond is None else rcond

    def gradient(inputs, outputs, gradients):
        (a, b), (dx,) = inputs, gradients
        inverse = pinv(a, rcond)
        (da,) = _pinv_gradient([a], [inverse], [_product(dx, _transposed(b))])
        return [da, _product(_transposed(inverse), dx)]

    def found(a, b):
        return with_gradient([_core.apply("lstsq", [a, b], rcond=float(rcond))], [a, b], gradient)[0]

    x = _systems(found, a, b)
    return squeeze(x, -1) if vector else x


@operation
def matrix_rank(x, tol=None):
    """How many singular values of matrices (..., m, n) are greater than a limit: int32 (...).

    Args:
        x: matrices.
        tol: float or tensor: the limit; default: the greatest one times max(m, n) times the dtype's precision.
    """
    x = _matrix("matrix_rank", x, square=False)
    s = _core.apply("svd", [_wide(x)], vectors=False)
    if tol is None:
        tol = multiply(s[..., :1], max(x.shape[-2:]) * _smallest_step(x.dtype))
    else:
        tol = expand_dims(backend.convert_to_tensor(tol, s.dtype), -1)
    return backend.convert_to_tensor(reductions.sum(greater(s, tol), axis=-1), "int32")


@operation
def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors or matrices.

    Args:
        x: numbers; integers become floats.
        ord: None (default): the root of the sum of squares, over any axes. Of vectors: a number p: the p-th root of the
            sum of |x|^p; inf, -inf: the greatest and smallest |x|; 0: how many are not 0. Of matrices: `"fro"`: as
            None; `"nuc"`: the sum of the singular values; 2, -2: the greatest and smallest of these; 1, -1, inf, -inf:
            the greatest and smallest sum of |x| of a column (1) or a row (inf).
        axis: int: vectors; 2 ints: matrices; None (default): all axes, so a tensor of rank 2 is one matrix.
        keepdims: bool, default False.

    Raises:
        ValueError: there is no such norm over so many axes.
    """
    x = as_float(x)
    axes = [resolve_axis(a, x.ndim) for a in (range(x.ndim) if axis is None else axes_of(axis))]
    if ord is None or (ord == "fro" and len(axes) == 2):
        return _vector_norm(x, 2, axes, keepdims)
    if len(axes) == 1 and not isinstance(ord, str):
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2 or ord not in ("nuc", 1, -1, 2, -2, inf, -inf):
        raise ValueError(
            f"norm: there is no norm ord={ord!r} over {len(axes)} axes. Expected a number over 1 axis; 'fro', 'nuc', "
            f"1, -1, 2, -2, inf or -inf over 2; None over any. Received shape {x.shape}, axis={axis}."
        )
    result = _matrix_norm(x, ord, *axes)
    return result if keepdims else squeeze(result, axes)


def _vector_norm(x, order, axes, keepdims):
    if order == 2:
        return sqrt(reductions.sum(square(x), axis=axes, keepdims=keepdims))
    size = absolute(x)
    if order == inf:
        return reductions.max(size, axis=axes, keepdims=keepdims, initial=0)
    if order == -inf:
        return reductions.min(size, axis=axes, keepdims=keepdims)
    if order == 0:
        return backend.convert_to_tensor(reductions.sum(not_equal(x, 0), axis=axes, keepdims=keepdims), x.dtype)
    if order == 1:
        return reductions.sum(size, axis=axes, keepdims=keepdims)
    return power(reductions.sum(power(size, order), axis=axes, keepdims=keepdims), 1.0 / order)


def _matrix_norm(x, order, row, column):
    """With sizes 1 at the two axes."""
    if order in (1, -1, inf, -inf):
        summed, compared = (row, column) if abs(order) == 1 else (column, row)
        sums = reductions.sum(absolute(x), axis=summed, keepdims=True)
        if order > 0:
            return reductions.max(sums, axis=compared, keepdims=True, initial=0)
        return reductions.min(sums, axis=compared, keepdims=True)
    values = svd(moveaxis(x, (row, column), (-2, -1)), compute_uv=False)
    value = reductions.sum(values, axis=-1) if order == "nuc" else values[..., 0 if order == 2 else -1]
    return expand_dims(value, (row, column))


@operation
def normalize(x, axis=-1, order=2, epsilon=None):
    """x divided by its norm along the axis.

    Args:
        x: numbers; integers become floats.
        axis: int, default -1.
        order: of the norm, default 2.
        epsilon: float, default `backend.epsilon()`: the least norm that counts.
    """
    x = as_float(x)
    x = expand_dims(x, 0) if x.ndim == 0 else x
    int_from("normalize", "order", order, 1)
    epsilon = backend.epsilon() if epsilon is None else epsilon
    if order == 2:
        squares = reductions.sum(square(x), axis=axis, keepdims=True)
        return multiply(x, rsqrt(maximum(squares, epsilon**2)))
    return divide(x, maximum(norm(x, order, axis, keepdims=True), epsilon))


def jvp(fun, primals, tangents, has_aux=False):
    """fun(*primals), and how it changes when the arguments change by the tangents.

    The derivative in the direction v is d/du of (u J) v, the gradient of a gradient: u J is linear in u.

    Args:
        fun: function of tensors that returns a tensor (with has_aux: a pair of it and anything).
        primals, tangents: lists of tensors of equal shapes.
        has_aux: bool.
    """
    from dlcore.training import GradientTape

    primals, tangents = ([as_float(x) for x in xs] for xs in (primals, tangents))
    with GradientTape(persistent=True) as outer:
        with GradientTape() as inner:
            for x in primals:
                inner.watch(x)
            result = fun(*primals)
            y, aux = result if has_aux else (result, None)
        u = zeros_like(y)
        outer.watch(u)
        gradients = inner.gradient(y, primals, output_gradients=u)
        pairs = [(g, t) for g, t in zip(gradients, tangents) if g is not None]
        total = sum((reductions.sum(multiply(g, t)) for g, t in pairs), zeros(()))
    change = outer.gradient(total, u)
    change = zeros_like(y) if change is None else change
    return (y, change, aux) if has_aux else (y, change)


__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "logdet",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
]
