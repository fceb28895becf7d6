"""NumPy's rarer functions: of one and two elements, of windows, statistics and sets."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, resolve_axis, tensor
from dlcore.ops.operation import operation

# ---- element by element


@operation
def fabs(x):
    """|x| in floats."""
    return knp.absolute(as_float(x))


@operation
def cbrt(x):
    """Cube root: a power, and one step of Newton's method for its last bits."""
    x = as_float(x)
    size = knp.absolute(x)
    root = knp.power(size, 1.0 / 3.0)
    zero = knp.equal(root, 0.0)
    safe = knp.where(zero, 1.0, root)
    refined = knp.subtract(root, knp.multiply(knp.subtract(root, knp.divide(size, knp.square(safe))), 1.0 / 3.0))
    return knp.multiply(knp.sign(x), knp.where(knp.logical_or(zero, knp.isinf(size)), root, refined))


@operation
def deg2rad(x):
    """Degrees to radians."""
    return knp.multiply(as_float(x), math.pi / 180.0)


@operation
def rad2deg(x):
    """Radians to degrees."""
    return knp.multiply(as_float(x), 180.0 / math.pi)


@operation
def sinc(x):
    """sin(pi x) / (pi x), 1 at 0."""
    x = knp.multiply(as_float(x), math.pi)
    zero = knp.equal(x, 0.0)
    safe = knp.where(zero, 1.0, x)
    return knp.where(zero, 1.0, knp.divide(knp.sin(safe), safe))


@operation
def signbit(x):
    """Whether the sign is minus, that of -0.0 too."""
    x = tensor(x)
    if not backend.is_float_dtype(x.dtype):
        return knp.less(x, 0)
    return knp.logical_or(knp.less(x, 0), knp.less(knp.reciprocal(x), 0))


@operation
def isposinf(x):
    """Whether x is +infinity."""
    return knp.equal(as_float(x), math.inf)


@operation
def isneginf(x):
    """Whether x is -infinity."""
    return knp.equal(as_float(x), -math.inf)


@operation
def isreal(x):
    """True: there are no complex tensors."""
    return knp.ones_like(x, dtype="bool")


@operation
def imag(x):
    """0: there are no complex tensors."""
    return knp.zeros_like(x)


@operation
def angle(x):
    """The angle of x on the plane of complex numbers: 0, or pi below 0."""
    x = as_float(x)
    return knp.where(knp.isnan(x), x, knp.where(signbit(x), math.pi, 0.0))


conjugate = knp.conj


@operation
def i0(x):
    """The modified Bessel function of order 0 (Abramowitz & Stegun 1964, 9.8.1 and 9.8.2)."""
    size = knp.absolute(as_float(x))
    near = (0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1.0)
    far = (0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281, -0.00157565, 0.00225319, 0.01328592)
    far += (0.39894228,)
    small = _polynomial(near, knp.square(knp.divide(knp.minimum(size, 3.75), 3.75)))
    large = knp.maximum(size, 3.75)
    tail = knp.divide(knp.multiply(_polynomial(far, knp.divide(3.75, large)), knp.exp(large)), knp.sqrt(large))
    return knp.where(knp.less(size, 3.75), small, tail)


def _polynomial(coefficients, x):
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = knp.add(knp.multiply(result, x), coefficient)
    return result


@operation
def heaviside(x1, x2):
    """0 below 0, 1 above, x2 at 0."""
    x1, x2 = (as_float(x) for x in backend.promote(x1, x2))
    return knp.where(knp.isnan(x1), x1, knp.where(knp.equal(x1, 0), x2, knp.maximum(knp.sign(x1), 0)))


@operation
def fmax(x1, x2):
    """The greater of the two; when one is NaN, the other."""
    return _skip_nan(knp.maximum, *backend.promote(x1, x2))


@operation
def fmin(x1, x2):
    """The smaller of the two; when one is NaN, the other."""
    return _skip_nan(knp.minimum, *backend.promote(x1, x2))


def _skip_nan(choose, a, b):
    if not backend.is_float_dtype(a.dtype):
        return choose(a, b)
    return knp.where(knp.isnan(a), b, knp.where(knp.isnan(b), a, choose(a, b)))


@operation
def fmod(x1, x2):
    """The remainder of x1 / x2, with the sign of x1."""
    a, b = backend.promote(x1, x2)
    return knp.multiply(knp.sign(a), knp.mod(knp.absolute(a), knp.absolute(b)))


@operation
def ldexp(x1, x2):
    """x1 * 2^x2."""
    return knp.multiply(as_float(x1), knp.exp2(x2))


# dtype: (bits of precision, the smallest positive number, the greatest number).
_FLOATS = {
    "float16": (11, 2.0**-24, 65504.0),
    "bfloat16": (8, 2.0**-133, (2.0 - 2.0**-7) * 2.0**127),
    "float32": (24, 2.0**-149, (2.0 - 2.0**-23) * 2.0**127),
    "float64": (53, 2.0**-1074, (2.0 - 2.0**-52) * 2.0**1023),
}


@operation
def nextafter(x1, x2):
    """The next float after x1 towards x2.

    x + |x| u (1 + 2 u), u half of the precision, lies nearest to the number above x (Rump et al. 2009). Numbers too
    small for the full precision count as 0, as in all computations here.
    """
    x1, x2 = (as_float(x) for x in backend.promote(x1, x2))
    dtype = x1.dtype
    bits, least, greatest = _FLOATS[dtype]
    unit = 2.0**-bits
    upwards = knp.greater(x2, x1)
    x = x1 if dtype == "float64" else backend.convert_to_tensor(x1, "float32")
    # Small numbers are moved where the step is not too small.
    small = knp.less(knp.absolute(x), 2.0 ** (2 * bits - (1022 if dtype == "float64" else 126)))
    scale = knp.where(small, 2.0 ** (2 * bits), 1.0)
    x = knp.multiply(x, scale)
    step = knp.maximum(knp.multiply(knp.absolute(x), unit * (1.0 + 2.0 * unit)), 0.75 * least)
    moved = knp.divide(knp.where(upwards, knp.add(x, step), knp.subtract(x, step)), scale)
    moved = backend.convert_to_tensor(moved, dtype)
    ends = [backend.convert_to_tensor(np.array(value), dtype) for value in (least, -least, greatest, -greatest)]
    moved = knp.where(knp.equal(x1, 0.0), knp.where(upwards, *ends[:2]), moved)
    moved = knp.where(knp.isinf(x1), knp.where(upwards, ends[3], ends[2]), moved)
    moved = knp.where(knp.logical_or(knp.isnan(x1), knp.isnan(x2)), math.nan, moved)
    return knp.where(knp.equal(x1, x2), x2, moved)


@operation
def logaddexp2(x1, x2):
    """log2(2^x1 + 2^x2) without overflow."""
    x1, x2 = (knp.multiply(as_float(x), math.log(2.0)) for x in backend.promote(x1, x2))
    return knp.multiply(knp.logaddexp(x1, x2), 1.0 / math.log(2.0))


@operation
def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close: `isclose`."""
    return knp.all(knp.isclose(x1, x2, rtol, atol, equal_nan))


# ---- windows of n numbers


def _cosine_window(name, x, coefficients):
    n = int(backend.convert_to_numpy(x))
    if n < 0:
        raise ValueError(f"{name}: the number of points must not be negative. Received: {n}")
    turn = 2.0 * math.pi * np.arange(n) / max(n - 1, 1)
    values = sum(c * (-1) ** k * np.cos(k * turn) for k, c in enumerate(coefficients))
    return backend.convert_to_tensor(np.ones(n) if n == 1 else values, backend.floatx())


def hanning(x):
    """The Hann window of x points: 1/2 - 1/2 cos."""
    return _cosine_window("hanning", x, (0.5, 0.5))


def hamming(x):
    """The Hamming window of x points: 0.54 - 0.46 cos."""
    return _cosine_window("hamming", x, (0.54, 0.46))


def blackman(x):
    """The Blackman window of x points."""
    return _cosine_window("blackman", x, (0.42, 0.5, 0.08))


def bartlett(x):
    """The triangular window of x points, 0 at its ends."""
    return backend.convert_to_tensor(np.bartlett(int(backend.convert_to_numpy(x))), backend.floatx())


def kaiser(x, beta):
    """The Kaiser window of x points; beta says how narrow it is."""
    values = np.kaiser(int(backend.convert_to_numpy(x)), float(backend.convert_to_numpy(beta)))
    return backend.convert_to_tensor(values, backend.floatx())


# ---- creation


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """num numbers from start to stop, each the same factor greater than the last."""
    ends = [backend.convert_to_numpy(v) for v in (start, stop)]
    return backend.convert_to_tensor(np.geomspace(*ends, num, endpoint=endpoint, axis=axis), dtype or backend.floatx())


@operation
def vander(x, N=None, increasing=False):
    """The powers of x as columns, the highest first."""
    x = tensor(x)
    count = x.shape[0] if N is None else int(N)
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return knp.power(knp.expand_dims(x, -1), backend.convert_to_tensor(powers.copy(), x.dtype))


# ---- statistics


@operation
def ptp(x, axis=None, keepdims=False):
    """The greatest element less the smallest."""
    return knp.subtract(knp.max(x, axis, keepdims), knp.min(x, axis, keepdims))


@operation
def percentile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which q percent of the elements lie."""
    return knp.quantile(x, np.asarray(backend.convert_to_numpy(q), "float64") / 100.0, axis, method, keepdims)


@operation
def corrcoef(x):
    """Correlations of the rows of x with each other."""
    x = as_float(x)
    x = knp.expand_dims(x, 0) if x.ndim == 1 else x
    centred = knp.subtract(x, knp.mean(x, axis=-1, keepdims=True))
    covariance = knp.matmul(centred, knp.transpose(centred))
    spread = knp.sqrt(knp.diagonal(covariance))
    scaled = knp.divide(knp.divide(covariance, knp.expand_dims(spread, 0)), knp.expand_dims(spread, 1))
    return knp.squeeze(knp.clip(scaled, -1.0, 1.0))


@operation
def histogram(x, bins=10, range=None):
    """How many elements lie in each of equally wide bins, and the bins' edges.

    Args:
        x: the elements.
        bins: int.
        range: (lowest, highest) edge, default the extremes of x; what lies outside does not count.
    """
    x = as_float(knp.ravel(x))
    if range is None:
        low, high = knp.min(x), knp.max(x)
    else:
        low, high = (backend.convert_to_tensor(edge, x.dtype) for edge in range)
    flat = knp.equal(low, high)
    low, high = knp.where(flat, knp.subtract(low, 0.5), low), knp.where(flat, knp.add(high, 0.5), high)
    steps = backend.convert_to_tensor(np.arange(bins + 1) / bins, x.dtype)
    edges = knp.add(low, knp.multiply(knp.subtract(high, low), steps))
    place = knp.subtract(knp.searchsorted(edges, x, side="right"), 1)
    place = knp.where(knp.equal(x, high), bins - 1, place)  # the last bin holds its upper edge
    place = knp.where(knp.logical_or(knp.less(place, 0), knp.greater_equal(place, bins)), bins, place)
    return backend.convert_to_tensor(knp.bincount(place, minlength=bins + 1)[:bins], edges.dtype), edges


@operation
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral along the axis, by trapezoids of width dx or between the places x."""
    y = as_float(y)
    axis = resolve_axis(axis, y.ndim)
    width = dx
    if x is not None:
        x = backend.convert_to_tensor(x, y.dtype)
        width = knp.diff(x, axis=axis if x.ndim > 1 else -1)
        width = width if x.ndim > 1 else knp.reshape(width, [-1 if a == axis else 1 for a in range(y.ndim)])
    first, last = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(None, -1),)
    return knp.sum(knp.multiply(width, knp.multiply(knp.add(y[first], y[last]), 0.5)), axis=axis)


# ---- sets and order


@operation
def argpartition(x, kth, axis=-1):
    """Indices such that the kth is where it would be in order, smaller ones before and greater ones behind it."""
    return knp.argsort(x, axis)


@operation
def isin(x1, x2, assume_unique=False, invert=False):
    """Whether each element of x1 is among those of x2."""
    x1, x2 = backend.promote(x1, x2)
    if x1.dtype == "bool":
        x1, x2 = (backend.convert_to_tensor(x, "int32") for x in (x1, x2))
    ordered = knp.sort(knp.ravel(x2), 0)
    if ordered.shape[0] == 0:
        return knp.full_like(x1, invert, dtype="bool")
    place = knp.minimum(knp.searchsorted(ordered, x1), ordered.shape[0] - 1)
    found = knp.equal(knp.take(ordered, place), x1)
    return knp.logical_not(found) if invert else found


def unique(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    """The different elements in order; the tensor must be concrete, for their number depends on the values.

    Args:
        x: the tensor.
        sorted: kept for Keras's signature; they are always in order.
        return_index, return_inverse, return_counts: also return where each occurs first; which of them each element is;
            how often each occurs.
        axis: compare slices along this axis; None: elements.
        size: int: cut or fill up to so many.
        fill_value: what to fill up with, default the smallest.
    """
    if isinstance(x, _core.Tensor) and x.is_symbolic:
        raise TypeError("unique: how many different elements there are is not known while the function is traced.")
    values, index, inverse, counts = np.unique(backend.convert_to_numpy(x), True, True, True, axis=axis)
    if size is not None:
        places = np.arange(size)
        places = np.where(places < len(counts), places, 0)
        filled = np.arange(size) >= len(counts)
        values = np.take(values, places, axis=0 if axis is None else axis)
        if fill_value is not None:
            values = np.moveaxis(values, axis or 0, 0).copy()
            values[filled] = fill_value
            values = np.moveaxis(values, 0, axis or 0)
        index, counts = index[places], np.where(filled, 0, counts[places])
    wanted = [values, *(v for v, w in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if w)]
    tensors = [backend.convert_to_tensor(wanted[0])] + [backend.convert_to_tensor(v, "int32") for v in wanted[1:]]
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


__all__ = [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and (getattr(value, "__module__", None) == __name__ or name == "conjugate")
]
