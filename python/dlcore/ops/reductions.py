"""Reductions over axes, those that leave out NaN, and running ones."""

import math

from dlcore import _core, backend
from dlcore.ops._common import TO_THE_END, as_float, axes_of, binary, numbers, one_axis, own_names, resolve_axis, tensor
from dlcore.ops.arithmetic import add, divide, isclose, multiply, square, subtract
from dlcore.ops.elementary import sqrt
from dlcore.ops.logic import isnan, logical_not, not_equal, where
from dlcore.ops.operation import operation
from dlcore.ops.shapes import expand_dims, ravel, reshape


def _reduce(name, x, axis, keepdims):
    if isinstance(axis, (list, tuple)) and not axis:  # over no axis; to the primitive, no axes are all
        x, axis, keepdims = expand_dims(x, -1), -1, False
    return _core.apply(name, [x], axes=axes_of(axis), keepdims=bool(keepdims))


def _countable(x):
    """x, or int32 for bool and the 8-bit integers, whose sums overflow."""
    return backend.convert_to_tensor(x, "int32") if x.dtype in ("bool", "uint8", "int8") else x


@operation
def sum(x, axis=None, keepdims=False):
    """Sum over the axes (int, list of ints, or None: all)."""
    return _reduce("reduce_sum", _countable(tensor(x)), axis, keepdims)


@operation
def mean(x, axis=None, keepdims=False):
    """Mean over the axes."""
    return _reduce("reduce_mean", as_float(x), axis, keepdims)


@operation
def prod(x, axis=None, keepdims=False, dtype=None):
    """Product over the axes."""
    x = _countable(tensor(x))
    return _reduce("reduce_prod", x if dtype is None else backend.convert_to_tensor(x, dtype), axis, keepdims)


def _extremum(name, x, axis, keepdims, initial):
    x = tensor(x)
    dtype = x.dtype
    if dtype == "bool":
        x = backend.convert_to_tensor(x, "uint8")
    if initial is not None:
        initial = backend.convert_to_tensor(backend.convert_to_tensor(initial, dtype), x.dtype)
    if initial is not None and 0 in x.shape:
        result = add(backend.convert_to_tensor(_reduce("reduce_sum", x, axis, keepdims), x.dtype), initial)
    else:
        result = _reduce(f"reduce_{name}", x, axis, keepdims)
        if initial is not None:
            result = binary("maximum" if name == "max" else "minimum", result, initial)
    return backend.convert_to_tensor(result, dtype)


@operation
def max(x, axis=None, keepdims=False, initial=None):
    """The greatest element over the axes, and not below `initial`, which also stands for that of none."""
    return _extremum("max", x, axis, keepdims, initial)


@operation
def min(x, axis=None, keepdims=False, initial=None):
    """The smallest element over the axes, and not above `initial`, which also stands for that of none."""
    return _extremum("min", x, axis, keepdims, initial)


amax, amin = max, min


@operation
def ptp(x, axis=None, keepdims=False):
    """The greatest element less the smallest."""
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@operation
def var(x, axis=None, keepdims=False):
    """Variance (of the whole population) over the axes."""
    return _reduce("reduce_var", as_float(x), axis, keepdims)


@operation
def std(x, axis=None, keepdims=False):
    """Standard deviation over the axes."""
    return sqrt(var(x, axis, keepdims))


@operation
def any(x, axis=None, keepdims=False):
    """Whether one is true."""
    return _reduce("reduce_any", backend.convert_to_tensor(x, "bool"), axis, keepdims)


@operation
def all(x, axis=None, keepdims=False):
    """Whether all are true."""
    return _reduce("reduce_all", backend.convert_to_tensor(x, "bool"), axis, keepdims)


@operation
def count_nonzero(x, axis=None):
    """How many are not zero."""
    return sum(not_equal(x, 0), axis)


@operation
def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close, as `isclose` says."""
    return all(isclose(x1, x2, rtol, atol, equal_nan))


def _arg(name, x, axis, keepdims):
    x = tensor(x)
    if axis is None:
        flat = _core.apply(name, [reshape(x, [-1])], axis=0)
        return reshape(flat, [1] * x.ndim) if keepdims else flat
    return _core.apply(name, [x], axis=one_axis(axis), keepdims=bool(keepdims))


@operation
def argmax(x, axis=None, keepdims=False):
    """The int32 index of the greatest element, the first of equals."""
    return _arg("argmax", x, axis, keepdims)


@operation
def argmin(x, axis=None, keepdims=False):
    """The int32 index of the smallest element, the first of equals."""
    return _arg("argmin", x, axis, keepdims)


# ---- running


def _cumulate(name, x, axis, dtype):
    x = tensor(x) if dtype is None else backend.convert_to_tensor(x, dtype)
    if axis is None:
        x, axis = ravel(x), 0
    return _core.apply(name, [numbers(x) if dtype is None else x], axis=one_axis(axis))


@operation
def cumsum(x, axis=None, dtype=None):
    """Running sums."""
    return _cumulate("cumsum", x, axis, dtype)


@operation
def cumprod(x, axis=None, dtype=None):
    """Running products."""
    return _cumulate("cumprod", x, axis, dtype)


@operation
def diff(a, n=1, axis=-1):
    """Differences of neighbours, n times; of bools, whether they differ."""
    a = tensor(a)
    axis = resolve_axis(axis, a.ndim)
    difference = not_equal if a.dtype == "bool" else subtract
    for _ in range(n):
        a = difference(_along(a, axis, 1, TO_THE_END), _along(a, axis, 0, -1))
    return a


def _along(x, axis, start, stop):
    starts = [start if a == axis else 0 for a in range(x.ndim)]
    stops = [stop if a == axis else TO_THE_END for a in range(x.ndim)]
    return _core.apply("slice", [x], starts=starts, stops=stops, strides=[1] * x.ndim)


@operation
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral along the axis, by trapezoids of width dx or between the places x.

    Args:
        y: numbers; integers become floats.
        x: places, a vector or of y's shape; None (default): dx apart.
        dx: float, default 1.0.
        axis: int, default -1.
    """
    y, x = as_float(y), tensor(dx if x is None else x)
    y, x = backend.promote(y, x) if x.ndim else (y, x)
    axis = resolve_axis(axis, y.ndim)
    width = dx
    if x.ndim:
        width = diff(x, axis=axis if x.ndim > 1 else -1)
        width = width if x.ndim > 1 else reshape(width, [-1 if a == axis else 1 for a in range(y.ndim)])
    first, last = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(None, -1),)
    return sum(multiply(width, multiply(add(y[first], y[last]), 0.5)), axis=axis)


# ---- without NaN


def _without_nan(x, value):
    """x with NaN replaced by the value; integers have none."""
    x = tensor(x)
    return where(isnan(x), value, x) if backend.is_float_dtype(x.dtype) else x


def _all_nan(x, axis, keepdims):
    return all(isnan(x), axis, keepdims)


@operation
def nansum(x, axis=None, keepdims=False):
    """Sum of what is not NaN."""
    return sum(_without_nan(x, 0.0), axis, keepdims)


@operation
def nanprod(x, axis=None, keepdims=False):
    """Product of what is not NaN."""
    return prod(_without_nan(x, 1.0), axis, keepdims)


def _nan_extremum(reduce, worst, x, axis, keepdims):
    x = tensor(x)
    if not backend.is_float_dtype(x.dtype):
        return reduce(x, axis, keepdims)
    return where(_all_nan(x, axis, keepdims), math.nan, reduce(_without_nan(x, worst), axis, keepdims))


@operation
def nanmax(x, axis=None, keepdims=False):
    """The greatest of what is not NaN."""
    return _nan_extremum(max, -math.inf, x, axis, keepdims)


@operation
def nanmin(x, axis=None, keepdims=False):
    """The smallest of what is not NaN."""
    return _nan_extremum(min, math.inf, x, axis, keepdims)


@operation
def nanargmax(x, axis=None, keepdims=False):
    """The index of the greatest of what is not NaN; -1 where all is."""
    x = tensor(x)
    found = argmax(_without_nan(x, -math.inf), axis, keepdims)
    return where(_all_nan(x, axis, keepdims), -1, found) if backend.is_float_dtype(x.dtype) else found


@operation
def nanargmin(x, axis=None, keepdims=False):
    """The index of the smallest of what is not NaN; -1 where all is."""
    x = tensor(x)
    found = argmin(_without_nan(x, math.inf), axis, keepdims)
    return where(_all_nan(x, axis, keepdims), -1, found) if backend.is_float_dtype(x.dtype) else found


@operation
def nancumsum(x, axis=None, dtype=None):
    """Running sums of what is not NaN."""
    return cumsum(_without_nan(x, 0.0), axis, dtype)


@operation
def nancumprod(x, axis=None, dtype=None):
    """Running products of what is not NaN."""
    return cumprod(_without_nan(x, 1.0), axis, dtype)


def _count(x, axis, keepdims):
    return backend.convert_to_tensor(sum(logical_not(isnan(x)), axis, keepdims), x.dtype)


@operation
def nanmean(x, axis=None, keepdims=False):
    """Mean of what is not NaN."""
    x = as_float(x)
    return divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


@operation
def nanvar(x, axis=None, keepdims=False):
    """Variance of what is not NaN."""
    x = as_float(x)
    distance = where(isnan(x), 0.0, subtract(x, nanmean(x, axis, keepdims=True)))
    return divide(sum(square(distance), axis, keepdims), _count(x, axis, keepdims))


@operation
def nanstd(x, axis=None, keepdims=False):
    """Standard deviation of what is not NaN."""
    return sqrt(nanvar(x, axis, keepdims))


__all__ = own_names(globals())
