"""Mathematical functions beyond NumPy's."""

import math

from dlcore import _core, backend
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
    "erf",
    "erfinv",
    "in_top_k",
    "logsumexp",
    "norm",
    "normalize",
    "rsqrt",
    "segment_sum",
    "top_k",
]
