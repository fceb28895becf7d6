"""Mathematical functions beyond NumPy's."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, axes_of, float_unary, tensor
from dlcore.ops.operation import operation


@operation
def erf(x):
    """The error function."""
    return float_unary("erf", x)


@operation
def erfinv(x):
    """The inverse of the error function: a rational start (Giles 2010) and two steps of Newton's method."""
    x = as_float(x)
    w = knp.negative(knp.log(knp.multiply(knp.subtract(1.0, x), knp.add(1.0, x))))
    central, tail = knp.subtract(w, 2.5), knp.subtract(knp.sqrt(knp.maximum(w, 5.0)), 3.0)
    near = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 2.1858087e-4, -1.25372503e-3)
    near += (-4.17768164e-3, 0.246640727, 1.50140941)
    far = (-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3)
    far += (9.43887047e-3, 1.00167406, 2.83297682)
    y = knp.multiply(x, knp.where(knp.less(w, 5.0), _polynomial(near, central), _polynomial(far, tail)))
    for _ in range(2):
        slope = knp.multiply(2.0 / math.sqrt(math.pi), knp.exp(knp.negative(knp.square(y))))
        step = knp.divide(knp.subtract(erf(y), x), slope)
        y = knp.where(knp.isfinite(step), knp.subtract(y, step), y)
    return y


def _polynomial(coefficients, x):
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = knp.add(knp.multiply(result, x), coefficient)
    return result


@operation
def erfc(x):
    """1 - erf(x), without cancellation: exp(-x^2) times a Chebyshev fit (Press et al. 1992, 6.2)."""
    x = as_float(x)
    size = knp.absolute(x)
    t = knp.divide(1.0, knp.add(1.0, knp.multiply(0.5, size)))
    fit = (0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196)
    fit += (1.00002368, -1.26551223)
    tail = knp.multiply(t, knp.exp(knp.subtract(_polynomial(fit, t), knp.square(size))))
    # Near 0 the error function itself is exact, and nothing cancels.
    return knp.where(knp.less(x, 0.5), knp.subtract(1.0, erf(x)), tail)


@operation
def rsqrt(x):
    """1 / sqrt(x)."""
    return float_unary("rsqrt", x)


@operation
def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))) without overflow."""
    return _core.apply("reduce_logsumexp", [as_float(x)], axes=axes_of(axis), keepdims=bool(keepdims))


@operation
def top_k(x, k, sorted=True):
    """The k greatest elements of the last axis, descending, and their indices."""
    return _core.apply("top_k", [tensor(x)], k=int(k))


@operation
def in_top_k(targets, predictions, k):
    """Whether predictions[i, targets[i]] is among the k greatest of its row (ties count as in)."""
    predictions, targets = tensor(predictions), backend.convert_to_tensor(targets, "int32")
    chosen = _core.apply("gather_last", [predictions, targets])
    above = knp.sum(knp.greater(predictions, knp.expand_dims(chosen, -1)), axis=-1)
    return knp.logical_and(knp.less(above, k), knp.isfinite(chosen))


def _segment_count(segment_ids, num_segments):
    if num_segments is not None:
        return int(num_segments)
    return int(knp.max(segment_ids)) + 1


@operation
def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """Sums of the rows with equal ids."""
    data, ids = tensor(data), backend.convert_to_tensor(segment_ids, "int32")
    zeros = knp.zeros([_segment_count(ids, num_segments), *data.shape[1:]], data.dtype)
    return _core.apply("scatter_add", [zeros, ids, data], axis=0, mode="fill")


def _segments(reduce, neutral, data, segment_ids, num_segments):
    """The reduction of the rows of each segment; `neutral` for segments without rows."""
    data, ids = tensor(data), backend.convert_to_tensor(segment_ids, "int32")
    segments = backend.convert_to_tensor(np.arange(_segment_count(ids, num_segments)), "int32")
    belongs = knp.equal(knp.expand_dims(segments, 1), knp.expand_dims(ids, 0))  # [segments, rows]
    belongs = knp.reshape(belongs, [*belongs.shape, *([1] * (data.ndim - 1))])
    return reduce(knp.where(belongs, knp.expand_dims(data, 0), backend.convert_to_tensor(neutral, data.dtype)), axis=1)


def _extreme(data, sign):
    dtype = tensor(data).dtype
    if dtype in dtypes.FLOATS:
        return sign * math.inf
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


@operation
def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """The greatest of the rows with equal ids; the least number of the dtype where there are none."""
    return _segments(knp.max, _extreme(data, -1), data, segment_ids, num_segments)


@operation
def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """The smallest of the rows with equal ids; the greatest number of the dtype where there are none."""
    return _segments(knp.min, _extreme(data, 1), data, segment_ids, num_segments)


@operation
def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """Products of the rows with equal ids; 1 where there are none."""
    return _segments(knp.prod, 1, data, segment_ids, num_segments)


@operation
def cdist(x, y):
    """Euclidean distances of all rows of x (..., n, d) to all rows of y (..., m, d), as (..., n, m)."""
    x, y = (as_float(v) for v in backend.promote(x, y))
    squares = knp.sum(knp.square(knp.subtract(knp.expand_dims(x, -2), knp.expand_dims(y, -3))), axis=-1)
    # The root's slope at 0 is infinite; that of the distance of a point to itself shall be 0.
    same = knp.equal(squares, 0.0)
    return knp.where(same, 0.0, knp.sqrt(knp.where(same, 1.0, squares)))


@operation
def view_as_complex(x):
    """A real tensor (..., 2) as a complex one: the pair (real part, imaginary part)."""
    x = tensor(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: the last axis must have the size 2. Received shape {x.shape}")
    return x[..., 0], x[..., 1]


@operation
def view_as_real(x):
    """A complex tensor, the pair (real part, imaginary part), as a real one (..., 2)."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"view_as_real: expected a pair (real, imaginary part). Received: {type(x).__name__}")
    return knp.stack(backend.promote(*x), axis=-1)


@operation
def normalize(x, axis=-1, order=2, epsilon=None):
    """x divided by its norm along the axis."""
    x = as_float(x)
    epsilon = backend.epsilon() if epsilon is None else epsilon
    if order == 2:
        squares = knp.sum(knp.square(x), axis=axis, keepdims=True)
        return knp.multiply(x, rsqrt(knp.maximum(squares, epsilon**2)))
    return knp.divide(x, knp.maximum(norm(x, order, axis, keepdims=True), epsilon))


@operation
def norm(x, ord=None, axis=None, keepdims=False):
    """The vector norm (Frobenius' for a matrix) of the given order."""
    x = as_float(x)
    if ord in (None, 2, "fro") and (ord != 2 or axis is None or len(axes_of(axis)) == 1):
        return knp.sqrt(knp.sum(knp.square(x), axis=axis, keepdims=keepdims))
    if axis is not None and len(axes_of(axis)) != 1:
        raise NotImplementedError(f"norm: ord={ord!r} of a matrix is not supported; only 'fro' is.")
    size = knp.absolute(x)
    if ord == math.inf:
        return knp.max(size, axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return knp.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return backend.convert_to_tensor(knp.sum(knp.not_equal(x, 0), axis=axis, keepdims=keepdims), x.dtype)
    if ord == 1:
        return knp.sum(size, axis=axis, keepdims=keepdims)
    return knp.power(knp.sum(knp.power(size, ord), axis=axis, keepdims=keepdims), 1.0 / ord)


__all__ = [
    "cdist",
    "erf",
    "erfc",
    "erfinv",
    "in_top_k",
    "logsumexp",
    "norm",
    "normalize",
    "rsqrt",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "top_k",
    "view_as_complex",
    "view_as_real",
]
