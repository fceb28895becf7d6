"""Reductions that leave out NaN."""

import math

import numpy as np

from dlcore import backend
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, axes_of, resolve_axis, tensor
from dlcore.ops.operation import operation


def _without_nan(x, value):
    """x with NaN replaced by the value; integers have none."""
    x = tensor(x)
    return knp.where(knp.isnan(x), value, x) if backend.is_float_dtype(x.dtype) else x


def _all_nan(x, axis, keepdims):
    return knp.all(knp.isnan(x), axis, keepdims)


@operation
def nansum(x, axis=None, keepdims=False):
    """Sum of what is not NaN."""
    return knp.sum(_without_nan(x, 0.0), axis, keepdims)


@operation
def nanprod(x, axis=None, keepdims=False):
    """Product of what is not NaN."""
    return knp.prod(_without_nan(x, 1.0), axis, keepdims)


def _nan_extremum(reduce, worst, x, axis, keepdims):
    x = tensor(x)
    if not backend.is_float_dtype(x.dtype):
        return reduce(x, axis, keepdims)
    return knp.where(_all_nan(x, axis, keepdims), math.nan, reduce(_without_nan(x, worst), axis, keepdims))


@operation
def nanmax(x, axis=None, keepdims=False):
    """The greatest of what is not NaN."""
    return _nan_extremum(knp.max, -math.inf, x, axis, keepdims)


@operation
def nanmin(x, axis=None, keepdims=False):
    """The smallest of what is not NaN."""
    return _nan_extremum(knp.min, math.inf, x, axis, keepdims)


@operation
def nanargmax(x, axis=None, keepdims=False):
    """The index of the greatest of what is not NaN; -1 where all is."""
    x = tensor(x)
    found = knp.argmax(_without_nan(x, -math.inf), axis, keepdims)
    return knp.where(_all_nan(x, axis, keepdims), -1, found) if backend.is_float_dtype(x.dtype) else found


@operation
def nanargmin(x, axis=None, keepdims=False):
    """The index of the smallest of what is not NaN; -1 where all is."""
    x = tensor(x)
    found = knp.argmin(_without_nan(x, math.inf), axis, keepdims)
    return knp.where(_all_nan(x, axis, keepdims), -1, found) if backend.is_float_dtype(x.dtype) else found


@operation
def nancumsum(x, axis=None, dtype=None):
    """Running sums of what is not NaN."""
    return knp.cumsum(_without_nan(x, 0.0), axis, dtype)


@operation
def nancumprod(x, axis=None, dtype=None):
    """Running products of what is not NaN."""
    return knp.cumprod(_without_nan(x, 1.0), axis, dtype)


def _count(x, axis, keepdims):
    return backend.convert_to_tensor(knp.sum(knp.logical_not(knp.isnan(x)), axis, keepdims), x.dtype)


@operation
def nanmean(x, axis=None, keepdims=False):
    """Mean of what is not NaN."""
    x = as_float(x)
    return knp.divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


@operation
def nanvar(x, axis=None, keepdims=False):
    """Variance of what is not NaN."""
    x = as_float(x)
    distance = knp.subtract(x, nanmean(x, axis, keepdims=True))
    return knp.divide(nansum(knp.square(distance), axis, keepdims), _count(x, axis, keepdims))


@operation
def nanstd(x, axis=None, keepdims=False):
    """Standard deviation of what is not NaN."""
    return knp.sqrt(nanvar(x, axis, keepdims))


@operation
def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which the part q of what is not NaN lies."""
    x = as_float(x)
    axes = list(range(x.ndim)) if axis is None else [resolve_axis(a, x.ndim) for a in axes_of(axis)]
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = knp.reshape(knp.transpose(x, kept + axes), [*(x.shape[a] for a in kept), -1])
    ordered = knp.sort(rows)  # NaN last
    last = knp.subtract(_count(rows, -1, True), 1.0)
    parts = [_at(ordered, last, float(p), method) for p in np.atleast_1d(backend.convert_to_numpy(q))]
    if keepdims:
        parts = [knp.reshape(p, [1 if a in axes else x.shape[a] for a in range(x.ndim)]) for p in parts]
    return parts[0] if np.ndim(backend.convert_to_numpy(q)) == 0 else knp.stack(parts)


def _at(ordered, last, q, method):
    """The q-quantile of rows whose last number that counts is at index `last`, which differs by row."""
    place = knp.maximum(knp.multiply(q, last), 0.0)
    low, high = knp.floor(place), knp.ceil(place)
    if method in ("lower", "higher", "nearest"):
        return _pick(ordered, {"lower": low, "higher": high, "nearest": knp.round(place)}[method])
    if method not in ("linear", "midpoint"):
        raise ValueError(f"Unknown method: {method!r}. Expected linear, lower, higher, midpoint or nearest.")
    weight = knp.subtract(place, low)
    if method == "midpoint":
        weight = knp.multiply(0.5, backend.convert_to_tensor(knp.greater(high, low), ordered.dtype))
    a, b = _pick(ordered, low), _pick(ordered, high)
    return knp.add(a, knp.multiply(knp.subtract(b, a), knp.squeeze(weight, -1)))


def _pick(ordered, index):
    return knp.squeeze(knp.take_along_axis(ordered, backend.convert_to_tensor(index, "int32"), axis=-1), -1)


@operation
def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """nanquantile with q in percent."""
    return nanquantile(x, np.asarray(backend.convert_to_numpy(q), "float64") / 100.0, axis, method, keepdims)


@operation
def nanmedian(x, axis=None, keepdims=False):
    """The middle of what is not NaN."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


__all__ = [name for name in dir() if name.startswith("nan")]
