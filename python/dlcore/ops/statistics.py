"""Statistics: weighted means, quantiles, correlations, histograms."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.errors import NotTraceable
from dlcore.ops import arithmetic, reductions
from dlcore.ops._common import (
    as_float,
    as_floats,
    as_indices,
    axes_of,
    count_of,
    numbers,
    own_names,
    resolve_axis,
    tensor,
)
from dlcore.ops.arithmetic import add, ceil, clip, divide, floor, maximum, multiply, subtract
from dlcore.ops.creation import ones_like, zeros
from dlcore.ops.elementary import sqrt
from dlcore.ops.indexing import take, take_along_axis
from dlcore.ops.logic import equal, greater, greater_equal, isnan, less, logical_not, logical_or, where
from dlcore.ops.matrices import diagonal, matmul
from dlcore.ops.operation import OpsFunction, operation
from dlcore.ops.reductions import mean
from dlcore.ops.shapes import broadcast_to, expand_dims, ravel, reshape, squeeze, stack, transpose
from dlcore.ops.sorting import searchsorted, sort


@operation
def average(x, axis=None, weights=None):
    """Mean over the axes, weighted.

    Args:
        x: numbers.
        axis: int, list of ints or None (default): all.
        weights: of x's shape, or a vector along the one axis; None: all 1.
    """
    if weights is None:
        return mean(x, axis)
    x, weights = as_floats(x, weights)
    if weights.ndim == 1 and x.ndim > 1:
        weights = reshape(weights, [-1 if a == resolve_axis(axis, x.ndim) else 1 for a in range(x.ndim)])
    weights = broadcast_to(weights, x.shape)
    return divide(reductions.sum(multiply(x, weights), axis), reductions.sum(weights, axis))


# ---- quantiles


def _quantiles_like(x, q, axis=None, method="linear", keepdims=False):
    each = OpsFunction(quantile).compute_output_spec(x, 0.5, axis, method, keepdims)
    return backend.KerasTensor((*q.shape, *each.shape), each.dtype)


@operation(outputs_like=_quantiles_like)
def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which the part q of the elements lies.

    Args:
        x: numbers; integers become floats.
        q: float in [0, 1], or several, which are then the first axis of the result.
        axis: int, list of ints or None (default): all.
        method: between two elements: `"linear"` (default), `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: bool, default False.
    """
    return _quantiles(_at_places, x, q, axis, method, keepdims)


@operation(outputs_like=_quantiles_like)
def percentile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which q percent of the elements lie; otherwise as `quantile`."""
    return quantile(x, _percent(q), axis, method, keepdims)


@operation
def median(x, axis=None, keepdims=False):
    """The middle of the sorted elements."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


@operation(outputs_like=_quantiles_like)
def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which the part q of what is not NaN lies; arguments as `quantile`."""
    return _quantiles(_at_places_before_nan, x, q, axis, method, keepdims)


@operation(outputs_like=_quantiles_like)
def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """`nanquantile` with q in percent."""
    return nanquantile(x, _percent(q), axis, method, keepdims)


@operation
def nanmedian(x, axis=None, keepdims=False):
    """The middle of what is not NaN."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


def _percent(q):
    return np.asarray(backend.convert_to_numpy(q), "float64") / 100.0


def _quantiles(at, x, q, axis, method, keepdims):
    """The quantiles at(rows in ascending order, parts, method), a list, in the shape of a reduction over the axes."""
    if method not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"Unknown method: {method!r}. Expected linear, lower, higher, midpoint or nearest.")
    x, q = as_float(x), backend.convert_to_numpy(q)
    axes = list(range(x.ndim)) if axis is None else [resolve_axis(a, x.ndim) for a in axes_of(axis)]
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = reshape(transpose(x, kept + axes), [*(x.shape[a] for a in kept), count_of(x.shape[a] for a in axes)])
    parts = [float(part) for part in np.atleast_1d(q)]
    if rows.shape[-1] == 0:
        found = [add(reductions.sum(rows, -1), math.nan)] * max(len(parts), 1)
    else:
        found = at(sort(rows), parts or [0.0], method)
    if keepdims:
        found = [reshape(p, [1 if a in axes else x.shape[a] for a in range(x.ndim)]) for p in found]
    return found[0] if np.ndim(q) == 0 else stack(found)[: len(parts)]


def _at_places(ordered, parts, method):
    found = []
    for place in (part * (ordered.shape[-1] - 1) for part in parts):
        low, high = math.floor(place), math.ceil(place)
        if method in ("lower", "higher", "nearest"):
            index = {"lower": low, "higher": high, "nearest": int(np.round(place))}[method]
            found.append(take(ordered, index, axis=-1))
            continue
        weight = 0.5 * (high > low) if method == "midpoint" else place - low
        a, b = take(ordered, low, axis=-1), take(ordered, high, axis=-1)
        found.append(_between(a, b, weight))
    last = take(ordered, -1, axis=-1)  # NaN where there is one
    return [where(isnan(last), last, value) for value in found]


def _at_places_before_nan(ordered, parts, method):
    """As _at_places, where NaN stand last: how many numbers come before them differs by row."""
    count = reductions.sum(logical_not(isnan(ordered)), -1, keepdims=True)
    last = subtract(backend.convert_to_tensor(count, ordered.dtype), 1.0)
    found = []
    for place in (maximum(multiply(part, last), 0.0) for part in parts):
        low, high = floor(place), ceil(place)
        if method in ("lower", "higher", "nearest"):
            index = {"lower": low, "higher": high, "nearest": arithmetic.round(place)}[method]
            found.append(_pick(ordered, index))
            continue
        weight = subtract(place, low)
        if method == "midpoint":
            weight = multiply(0.5, backend.convert_to_tensor(greater(high, low), ordered.dtype))
        a, b = _pick(ordered, low), _pick(ordered, high)
        found.append(_between(a, b, squeeze(weight, -1)))
    return found


def _between(a, b, weight):
    return where(equal(a, b), a, add(a, multiply(subtract(b, a), weight)))  # of two infinities it is that


def _pick(ordered, index):
    return squeeze(take_along_axis(ordered, backend.convert_to_tensor(index, "int32"), axis=-1), -1)


# ---- correlations and counts


@operation
def corrcoef(x):
    """Correlations of the rows of x with each other."""
    x = as_float(x)
    x = reshape(x, [1, -1]) if x.ndim < 2 else x
    centred = subtract(x, mean(x, axis=-1, keepdims=True))
    covariance = matmul(centred, transpose(centred))
    spread = sqrt(diagonal(covariance))
    scaled = divide(divide(covariance, expand_dims(spread, 0)), expand_dims(spread, 1))
    return squeeze(clip(scaled, -1.0, 1.0))


def _bincount_like(x, weights=None, minlength=0, sparse=False):
    dtype = "int32" if weights is None else dtypes.result_type(backend.convert_to_tensor(weights).dtype, int)
    return backend.KerasTensor((*x.shape[:-1], None), dtype)


@operation(outputs_like=_bincount_like)
def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each integer occurs (or the sum of its weights).

    Args:
        x: integers >= 0, (n,), or (batch, n): then a row of counts for each.
        weights: of x's shape; None: counts, int32.
        minlength: int: the least number of bins; in traced functions their number.
        sparse: kept for Keras's signature; the result is dense.

    Raises:
        NotTraceable: in a traced function without `minlength`.
    """
    x = as_indices(x)
    if x.is_symbolic and not minlength:
        raise NotTraceable("bincount: inside a traced function the number of bins must be given by minlength.")
    bins = minlength if x.is_symbolic else max(int(reductions.max(x)) + 1 if x.size else 0, minlength)
    values = ones_like(x, "int32") if weights is None else numbers(tensor(weights))
    if x.ndim == 1:
        return _core.apply("scatter_add", [zeros([bins], values.dtype), x, values], axis=0)
    if bins == 0:
        return zeros([x.shape[0], 0], values.dtype)
    counted = multiply(_core.apply("one_hot", [x], depth=bins, dtype=values.dtype), expand_dims(values, -1))
    return reductions.sum(counted, -2)


@operation
def histogram(x, bins=10, range=None):
    """How many elements lie in each of equally wide bins, and the bins' edges.

    Args:
        x: vector, or one number.
        bins: int.
        range: (lowest, highest) edge, default the extremes of x; what lies outside does not count.

    Raises:
        ValueError: x has more axes than one.
    """
    x = as_float(x)
    if x.ndim > 1:
        raise ValueError(f"histogram: expected a tensor of one axis. Received shape {x.shape}; use ops.ravel(x).")
    x = ravel(x)
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ValueError(f"histogram: range must be a pair (lowest, highest). Received: range={range}")
    if range is None and x.shape[0] == 0:
        range = 0.0, 1.0
    if range is None:
        low, high = reductions.min(x), reductions.max(x)
    else:
        low, high = (backend.convert_to_tensor(edge, x.dtype) for edge in range)
    flat = equal(low, high)
    low, high = where(flat, subtract(low, 0.5), low), where(flat, add(high, 0.5), high)
    steps = backend.convert_to_tensor(np.arange(bins + 1) / bins, x.dtype)
    edges = add(low, multiply(subtract(high, low), steps))
    place = subtract(searchsorted(edges, x, side="right"), 1)
    place = where(equal(x, high), bins - 1, place)  # the last bin holds its upper edge
    place = where(logical_or(less(place, 0), greater_equal(place, bins)), bins, place)
    return backend.convert_to_tensor(bincount(place, minlength=bins + 1)[:bins], edges.dtype), edges


__all__ = own_names(globals())
