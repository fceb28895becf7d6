"""Linear algebra on the last two axes, of matrices small enough that a step per column is quick.

Factorizations go column by column, each step over all matrices at once, so they trace and differentiate like other ops.
"""

from dlcore import _core, backend
from dlcore.ops import math
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float
from dlcore.ops.operation import operation

norm = math.norm


def _matrix(name, x, square=True):
    x = as_float(x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]) or None in x.shape[-2:]:
        raise ValueError(
            f"{name}: expected {'square ' * square}matrices (..., n, {'n' if square else 'm'}) of known size. "
            f"Received shape {x.shape}."
        )
    return x


def _transposed(x):
    return knp.swapaxes(x, -1, -2)


def _product(a, b):
    return _core.apply("matmul", [a, b])


def _columns(columns):
    """Vectors (..., n) as the columns of a matrix."""
    return knp.stack(columns, axis=-1)


@operation
def cholesky(x, upper=False):
    """The lower (upper) triangular L with L L^T = x (L^T L = x) of a positive definite x; NaN where x is not.

    Column j of L is (x_j - L[:, :j] L[j, :j]^T) / root of its diagonal element.
    """
    x = _matrix("cholesky", x)
    x = knp.multiply(0.5, knp.add(x, _transposed(x)))  # so that the gradient is symmetric too
    columns = []
    for j in range(x.shape[-1]):
        column = x[..., :, j]
        if columns:
            known = _columns(columns)  # [..., n, j]
            column = column - knp.squeeze(_product(known, known[..., j, :, None]), -1)
        columns.append(knp.divide(column, knp.sqrt(column[..., j : j + 1])))
    lower = knp.tril(_columns(columns))
    return _transposed(lower) if upper else lower


@operation
def cholesky_inverse(x, upper=False):
    """The inverse of the matrix whose Cholesky factor is x."""
    x = _matrix("cholesky_inverse", x)
    inverse = solve_triangular(x, knp.broadcast_to(knp.eye(x.shape[-1], dtype=x.dtype), x.shape), lower=not upper)
    return _product(inverse, _transposed(inverse)) if upper else _product(_transposed(inverse), inverse)


def _as_matrix(a, b):
    """b as a matrix of right-hand sides, and whether it was a vector."""
    a, b = backend.promote(as_float(a), as_float(b))
    vector = b.ndim == a.ndim - 1
    return a, (knp.expand_dims(b, -1) if vector else b), vector


@operation
def solve_triangular(a, b, lower=False):
    """The x with a x = b for a triangular a, (..., n, n); b is (..., n, m) or (..., n)."""
    a, b, vector = _as_matrix(_matrix("solve_triangular", a), b)
    x = _solve_lower(a, b) if lower else knp.flip(_solve_lower(knp.flip(a, (-2, -1)), knp.flip(b, -2)), -2)
    return knp.squeeze(x, -1) if vector else x


def _solve_lower(a, b):
    """By halves: the first half of x, and the second with what the first makes of b taken away."""
    n = a.shape[-1]
    if n == 1:
        return knp.divide(b, a)
    half = n // 2
    first = _solve_lower(a[..., :half, :half], b[..., :half, :])
    rest = b[..., half:, :] - _product(a[..., half:, :half], first)
    return knp.concatenate([first, _solve_lower(a[..., half:, half:], rest)], axis=-2)


@operation
def lu_factor(x):
    """P x = L U, pivoted by the greatest element of each column: (L below, U on and above the diagonal; pivots).

    pivots[i] is the row that row i was exchanged with at step i.
    """
    return _lu(_matrix("lu_factor", x))[:2]


def _lu(x):
    """(LU, pivots, sign of the permutation)."""
    n = x.shape[-1]
    rows = _core.apply("iota_like", [x[..., 0]], axis=x.ndim - 2, dtype="int32")  # [..., n]
    pivots, sign = [], knp.ones_like(x[..., 0, 0])
    for j in range(n):
        candidates = knp.where(knp.greater_equal(rows, j), knp.absolute(x[..., j]), -1.0)
        pivot = knp.argmax(candidates, axis=-1)
        pivots.append(pivot)
        sign = knp.where(knp.equal(pivot, j), sign, knp.negative(sign))
        chosen = knp.expand_dims(pivot, -1)
        order = knp.where(knp.equal(rows, j), chosen, knp.where(knp.equal(rows, chosen), j, rows))
        x = knp.take_along_axis(x, knp.expand_dims(order, -1), axis=-2)
        below = knp.greater(rows, j)
        head = x[..., j, j, None]
        factors = knp.where(below, knp.divide(x[..., j], knp.where(knp.equal(head, 0.0), 1.0, head)), 0.0)
        right = knp.where(knp.greater(rows, j), x[..., j, :], 0.0)
        column = knp.expand_dims(knp.equal(rows, j), -2)
        x = x - knp.expand_dims(factors, -1) * knp.expand_dims(right, -2)
        x = knp.where(knp.logical_and(column, knp.expand_dims(below, -1)), knp.expand_dims(factors, -1), x)
    return x, knp.stack(pivots, axis=-1), sign


@operation
def solve(a, b):
    """The x with a x = b; b is (..., n, m) or (..., n)."""
    a, b, vector = _as_matrix(_matrix("solve", a), b)
    lu, pivots, _ = _lu(a)
    for j in range(a.shape[-1]):
        b = _exchanged(b, j, pivots[..., j])
    n = a.shape[-1]
    lower = knp.add(knp.tril(lu, -1), knp.eye(n, dtype=lu.dtype))
    x = solve_triangular(knp.triu(lu), solve_triangular(lower, b, lower=True))
    return knp.squeeze(x, -1) if vector else x


def _exchanged(b, row, other):
    """b with row `row` and row `other`, which differs by matrix, exchanged."""
    rows = _core.apply("iota_like", [b[..., 0]], axis=b.ndim - 2, dtype="int32")
    other = knp.expand_dims(other, -1)
    order = knp.where(knp.equal(rows, row), other, knp.where(knp.equal(rows, other), row, rows))
    return knp.take_along_axis(b, knp.expand_dims(order, -1), axis=-2)


@operation
def inv(x):
    """The inverse of square matrices."""
    x = _matrix("inv", x)
    return solve(x, knp.broadcast_to(knp.eye(x.shape[-1], dtype=x.dtype), x.shape))


@operation
def det(x):
    """The determinant of square matrices."""
    lu, _, sign = _lu(_matrix("det", x))
    return knp.multiply(sign, knp.prod(knp.diagonal(lu, 0, -2, -1), axis=-1))


@operation
def slogdet(x):
    """The sign of the determinant and the logarithm of its size."""
    lu, _, sign = _lu(_matrix("slogdet", x))
    diagonal = knp.diagonal(lu, 0, -2, -1)
    return knp.multiply(sign, knp.prod(knp.sign(diagonal), axis=-1)), knp.sum(knp.log(knp.absolute(diagonal)), axis=-1)


@operation
def logdet(x):
    """The logarithm of the determinant of positive definite matrices."""
    lower = cholesky(x)
    return knp.multiply(2.0, knp.sum(knp.log(knp.diagonal(lower, 0, -2, -1)), axis=-1))


@operation
def qr(x, mode="reduced"):
    """x = Q R with orthonormal columns of Q and an upper triangular R (Householder 1958).

    Args:
        x: (..., m, n).
        mode: `"reduced"`: Q (..., m, min(m, n)); `"complete"`: Q (..., m, m).
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: unknown mode {mode!r}. Expected "reduced" or "complete".')
    r = _matrix("qr", x, square=False)
    m, n = r.shape[-2:]
    q = knp.broadcast_to(knp.eye(m, dtype=r.dtype), [*(-1 if s is None else s for s in r.shape[:-2]), m, m])
    rows = _core.apply("iota_like", [r[..., 0]], axis=r.ndim - 2, dtype="int32")
    for j in range(min(m - 1, n)):
        column = knp.where(knp.greater_equal(rows, j), r[..., j], 0.0)
        head = column[..., j, None]
        length = knp.sqrt(knp.sum(knp.square(column), axis=-1, keepdims=True))
        normal = column + knp.where(knp.equal(rows, j), knp.where(knp.less(head, 0.0), -length, length), 0.0)
        squared = knp.sum(knp.square(normal), axis=-1, keepdims=True)
        normal = knp.expand_dims(knp.divide(normal, knp.sqrt(knp.where(knp.equal(squared, 0.0), 1.0, squared))), -1)
        r = r - 2.0 * _product(normal, _product(_transposed(normal), r))
        q = q - 2.0 * _product(_product(q, normal), _transposed(normal))
    kept = m if mode == "complete" else min(m, n)
    return q[..., :kept], knp.triu(r[..., :kept, :])


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
        u = knp.zeros_like(y)
        outer.watch(u)
        gradients = inner.gradient(y, primals, output_gradients=u)
        pairs = [(g, t) for g, t in zip(gradients, tangents) if g is not None]
        total = sum((knp.sum(knp.multiply(g, t)) for g, t in pairs), knp.zeros(()))
    change = outer.gradient(total, u)
    change = knp.zeros_like(y) if change is None else change
    return (y, change, aux) if has_aux else (y, change)


__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "inv",
    "jvp",
    "logdet",
    "lu_factor",
    "norm",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
]
