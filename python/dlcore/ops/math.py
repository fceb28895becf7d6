"""Mathematical functions beyond NumPy's."""

import math
from collections import namedtuple

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.errors import NotTraceable
from dlcore.ops import reductions
from dlcore.ops._common import (
    as_float,
    as_floats,
    axes_of,
    float_unary,
    numbers,
    own_names,
    polynomial,
    range_of,
    tensor,
)
from dlcore.ops.arithmetic import absolute, add, divide, maximum, multiply, negative, square, subtract
from dlcore.ops.creation import zeros, zeros_like
from dlcore.ops.elementary import cos, exp, log, log10, sin, sqrt
from dlcore.ops.gradients import with_gradient
from dlcore.ops.logic import equal, greater, isfinite, less, logical_and, where
from dlcore.ops.operation import operation
from dlcore.ops.reductions import mean
from dlcore.ops.shapes import expand_dims, stack


@operation
def erf(x):
    """The error function."""
    return float_unary("erf", x)


@operation
def erfinv(x):
    """The inverse of the error function: a rational start (Giles 2010) and two steps of Newton's method."""
    x = as_float(x)

    def gradient(inputs, outputs, gradients):
        return [multiply(gradients[0], multiply(0.5 * math.sqrt(math.pi), exp(square(outputs[0]))))]

    return with_gradient([_erfinv(x)], [x], gradient)[0]


def _erfinv(x):
    w = negative(log(multiply(subtract(1.0, x), add(1.0, x))))
    central, tail = subtract(w, 2.5), subtract(sqrt(maximum(w, 5.0)), 3.0)
    near = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 2.1858087e-4, -1.25372503e-3)
    near += (-4.17768164e-3, 0.246640727, 1.50140941)
    far = (-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3)
    far += (9.43887047e-3, 1.00167406, 2.83297682)
    y = multiply(x, where(less(w, 5.0), polynomial(near, central), polynomial(far, tail)))
    for _ in range(2):
        slope = multiply(2.0 / math.sqrt(math.pi), exp(negative(square(y))))
        step = divide(subtract(erf(y), x), slope)
        y = where(isfinite(step), subtract(y, step), y)
    return where(equal(absolute(x), 1.0), multiply(x, math.inf), y)


@operation
def erfc(x):
    """1 - erf(x), without cancellation."""
    x = as_float(x)
    # gelu(y) is y / 2 times this function of -y / sqrt(2).
    y = multiply(-math.sqrt(2.0), x)
    tail = divide(multiply(2.0, float_unary("gelu", y, approximate=False)), y)
    result = where(less(x, 0.5), subtract(1.0, erf(x)), tail)

    def gradient(inputs, outputs, gradients):
        slope = multiply(-2.0 / math.sqrt(math.pi), exp(negative(square(inputs[0]))))
        return [multiply(gradients[0], slope)]

    return with_gradient([result], [x], gradient)[0]


@operation
def rsqrt(x):
    """1 / sqrt(x)."""
    return float_unary("rsqrt", x)


@operation
def logsumexp(x, axis=None, keepdims=False):
    """log(sum(exp(x))) without overflow."""
    x = as_float(x)
    if isinstance(axis, (list, tuple)) and not axis:  # over no axis; to the primitive, no axes are all
        return x
    return _core.apply("reduce_logsumexp", [x], axes=axes_of(axis), keepdims=bool(keepdims))


_TopK = namedtuple("TopK", ["values", "indices"])


@operation
def top_k(x, k, sorted=True):
    """The k greatest elements of the last axis, descending, and their int32 indices, both (..., k): a named tuple
    (values, indices).

    Args:
        x: (..., N).
        k: int.
        sorted: bool, default True: the greatest first; it is so in any case.
    """
    x, k = tensor(x), int(k)
    if k == 0:
        return _TopK(x[..., :0], backend.convert_to_tensor(x[..., :0], "int32"))
    return _TopK(*_core.apply("top_k", [x], k=k))


@operation
def in_top_k(targets, predictions, k):
    """Whether predictions[i, targets[i]] is among the k greatest of its row (ties count as in)."""
    predictions, targets = tensor(predictions), backend.convert_to_tensor(targets, "int32")
    chosen = _core.apply("gather_last", [predictions, targets])
    above = reductions.sum(greater(predictions, expand_dims(chosen, -1)), axis=-1)
    return logical_and(less(above, k), isfinite(chosen))


def _segment_count(segment_ids, num_segments):
    if num_segments is not None:
        return int(num_segments)
    if segment_ids.is_symbolic:
        raise NotTraceable("The number of segments is not known while the function is traced: pass num_segments.")
    return int(reductions.max(segment_ids)) + 1


def _segments_like(data, segment_ids, num_segments=None, sorted=False):
    return backend.KerasTensor((num_segments, *data.shape[1:]), data.dtype)


@operation(outputs_like=_segments_like)
def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """Sums of the rows with equal ids.

    Args:
        data: (n, ...).
        segment_ids: integers (n,) from 0; rows with a negative id or one of `num_segments` or more are left out.
        num_segments: int: how many rows the result has; None: the greatest id + 1, which traced functions can't know.
        sorted: kept for Keras's signature.
    """
    data, ids = tensor(data), backend.convert_to_tensor(segment_ids, "int32")
    count = _segment_count(ids, num_segments)
    ids = where(ids < 0, count, ids)
    nothing = zeros([count, *data.shape[1:]], data.dtype)
    return _core.apply("scatter_add", [nothing, ids, data], axis=0, mode="fill")


def _joined_segments(primitive, data, segment_ids, num_segments, neutral):
    """The rows of each segment joined by a primitive; `neutral` for segments without rows."""
    data, ids = tensor(data), backend.convert_to_tensor(segment_ids, "int32")
    count = _segment_count(ids, num_segments)
    table = backend.convert_to_tensor(neutral, numbers(data).dtype)
    table = _core.apply("broadcast_to", [table], shape=[count, *data.shape[1:]])
    joined = _core.apply(primitive, [table, where(ids < 0, count, ids), numbers(data)], axis=0, mode="fill")
    return backend.convert_to_tensor(joined, data.dtype)


def _end_of_range(data, sign):
    """The greatest (sign 1) or least (-1) number of a tensor's dtype."""
    dtype = tensor(data).dtype
    if dtype == "bool":
        return sign > 0
    return sign * math.inf if dtype in dtypes.FLOATS else range_of(dtype)[sign > 0]


@operation(outputs_like=_segments_like)
def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """The greatest of the rows with equal ids; the least number of the dtype where there are none.

    Arguments as `segment_sum`.
    """
    return _joined_segments("scatter_max", data, segment_ids, num_segments, _end_of_range(data, -1))


@operation(outputs_like=_segments_like)
def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """The smallest of the rows with equal ids; the greatest number of the dtype where there are none.

    Arguments as `segment_sum`.
    """
    return _joined_segments("scatter_min", data, segment_ids, num_segments, _end_of_range(data, 1))


@operation(outputs_like=_segments_like)
def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """Products of the rows with equal ids; 1 where there are none. Arguments as `segment_sum`."""
    return _joined_segments("scatter_mul", data, segment_ids, num_segments, 1)


@operation
def cdist(x, y):
    """Euclidean distances of all rows of x (..., n, d) to all rows of y (..., m, d), as (..., n, m)."""
    x, y = as_floats(x, y)
    squares = reductions.sum(square(subtract(expand_dims(x, -2), expand_dims(y, -3))), axis=-1)
    # The root's slope at 0 is infinite; that of the distance of a point to itself shall be 0.
    same = equal(squares, 0.0)
    return where(same, 0.0, sqrt(where(same, 1.0, squares)))


@operation
def view_as_complex(x):
    """A real tensor (..., 2) as a complex one: the pair (real part, imaginary part)."""
    x = tensor(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: the last axis must have the size 2. Received shape {x.shape}")
    return x[..., 0], x[..., 1]


@operation
def view_as_real(x):
    """A complex tensor, the pair (real part, imaginary part), as a real one (..., 2); that of a real tensor has 0s."""
    if not isinstance(x, (tuple, list)):
        x = tensor(x), zeros_like(x)
    if len(x) != 2:
        raise ValueError(f"view_as_real: expected a pair (real, imaginary part). Received {len(x)} elements.")
    return stack(backend.promote(*x), axis=-1)


@operation
def polar(abs_, angle):
    """The complex numbers with these absolute values and angles, as a pair (real part, imaginary part).

    Args:
        abs_: tensor of lengths.
        angle: tensor of angles, in radians.
    """
    abs_, angle = as_floats(abs_, angle)
    return multiply(abs_, cos(angle)), multiply(abs_, sin(angle))


@operation
def psnr(x1, x2, max_val):
    """Peak signal-to-noise ratio in decibel.

    Args:
        x1, x2: tensors of one shape.
        max_val: the greatest possible value.
    """
    error = mean(square(subtract(*as_floats(x1, x2))))
    return multiply(10.0, subtract(2 * math.log10(max_val), log10(error)))


__all__ = own_names(globals())
