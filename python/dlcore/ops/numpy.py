"""NumPy's functions on tensors, with Keras's names and promotion rules."""

import builtins
import math
import string

import numpy as np

from dlcore import _core, backend
from dlcore.ops._common import (
    as_float,
    axes_of,
    binary,
    float_binary,
    float_unary,
    logical_binary,
    resolve_axis,
    sizes_of,
    tensor,
    unary,
)
from dlcore.ops.core import TO_THE_END
from dlcore.ops.operation import operation

newaxis = None

# ---- element by element


@operation
def absolute(x):
    """|x|."""
    return unary("abs", x)


abs = absolute


@operation
def negative(x):
    """-x."""
    return unary("neg", x)


@operation
def sign(x):
    """-1, 0 or 1."""
    return unary("sign", x)


@operation
def square(x):
    """x * x."""
    return unary("square", x)


@operation
def sqrt(x):
    """Square root."""
    return float_unary("sqrt", x)


@operation
def reciprocal(x):
    """1 / x."""
    return float_unary("reciprocal", x)


@operation
def exp(x):
    """e to the power of x."""
    return float_unary("exp", x)


@operation
def exp2(x):
    """2 to the power of x."""
    return float_unary("exp", multiply(as_float(x), math.log(2)))


@operation
def expm1(x):
    """exp(x) - 1, exact for small x."""
    return float_unary("expm1", x)


@operation
def log(x):
    """Natural logarithm."""
    return float_unary("log", x)


@operation
def log1p(x):
    """log(1 + x), exact for small x."""
    return float_unary("log1p", x)


@operation
def log2(x):
    """Logarithm to the base 2."""
    return float_unary("log2", x)


@operation
def log10(x):
    """Logarithm to the base 10."""
    return float_unary("log10", x)


@operation
def sin(x):
    """Sine."""
    return float_unary("sin", x)


@operation
def cos(x):
    """Cosine."""
    return float_unary("cos", x)


@operation
def tan(x):
    """Tangent."""
    return float_unary("tan", x)


@operation
def arcsin(x):
    """Inverse sine."""
    return float_unary("asin", x)


@operation
def arccos(x):
    """Inverse cosine."""
    return float_unary("acos", x)


@operation
def arctan(x):
    """Inverse tangent."""
    return float_unary("atan", x)


@operation
def sinh(x):
    """Hyperbolic sine."""
    return float_unary("sinh", x)


@operation
def cosh(x):
    """Hyperbolic cosine."""
    return float_unary("cosh", x)


@operation
def tanh(x):
    """Hyperbolic tangent."""
    return float_unary("tanh", x)


@operation
def arcsinh(x):
    """Inverse hyperbolic sine."""
    return float_unary("asinh", x)


@operation
def arccosh(x):
    """Inverse hyperbolic cosine."""
    return float_unary("acosh", x)


@operation
def arctanh(x):
    """Inverse hyperbolic tangent."""
    return float_unary("atanh", x)


@operation
def floor(x):
    """The greatest integer not above x."""
    return float_unary("floor", x)


@operation
def ceil(x):
    """The least integer not below x."""
    return float_unary("ceil", x)


@operation
def trunc(x):
    """x without its fraction."""
    return float_unary("trunc", x)


@operation
def round(x, decimals=0):
    """The nearest number of so many decimals; halves go to even."""
    if decimals == 0:
        return unary("round", x)
    scale = 10.0**decimals
    return divide(unary("round", multiply(x, scale)), scale)


rint = round


@operation
def isnan(x):
    """Whether x is not a number."""
    return float_unary("isnan", x)


@operation
def isinf(x):
    """Whether x is infinite."""
    return float_unary("isinf", x)


@operation
def isfinite(x):
    """Whether x is neither infinite nor NaN."""
    return float_unary("isfinite", x)


@operation
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with NaN and the infinities replaced; the infinities by the largest numbers of the dtype."""
    x = tensor(x)
    largest = 3.3895314e38 if x.dtype == "bfloat16" else float(np.finfo(x.dtype).max)
    x = where(isnan(x), nan, x)
    x = where(equal(x, math.inf), largest if posinf is None else posinf, x)
    return where(equal(x, -math.inf), -largest if neginf is None else neginf, x)


@operation
def real(x):
    """x itself: there are no complex tensors."""
    return tensor(x)


@operation
def conj(x):
    """x itself: there are no complex tensors."""
    return tensor(x)


# ---- two operands


@operation
def add(x1, x2):
    """x1 + x2."""
    return binary("add", x1, x2)


@operation
def subtract(x1, x2):
    """x1 - x2."""
    return binary("sub", x1, x2)


@operation
def multiply(x1, x2):
    """x1 * x2."""
    return binary("mul", x1, x2)


@operation
def divide(x1, x2):
    """x1 / x2 in floats."""
    return float_binary("div", x1, x2)


true_divide = divide


@operation
def divide_no_nan(x1, x2):
    """x1 / x2, and 0 where x2 is 0."""
    x1, x2 = backend.promote(x1, x2)
    x1, x2 = as_float(x1), as_float(x2)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@operation
def floor_divide(x1, x2):
    """The greatest integer not above x1 / x2."""
    return binary("floor_divide", x1, x2)


@operation
def mod(x1, x2):
    """The remainder of x1 / x2, with the sign of x2."""
    return binary("mod", x1, x2)


remainder = mod


@operation
def power(x1, x2):
    """x1 to the power of x2."""
    if isinstance(x2, (int, float)) and x2 == 2:
        return unary("square", x1)
    return binary("pow", x1, x2)


@operation
def maximum(x1, x2):
    """The greater of the two, NaN when one is."""
    return binary("maximum", x1, x2)


@operation
def minimum(x1, x2):
    """The smaller of the two, NaN when one is."""
    return binary("minimum", x1, x2)


@operation
def arctan2(x1, x2):
    """The angle of the point (x2, x1)."""
    return float_binary("atan2", x1, x2)


@operation
def hypot(x1, x2):
    """sqrt(x1^2 + x2^2)."""
    return sqrt(add(square(x1), square(x2)))


@operation
def logaddexp(x1, x2):
    """log(exp(x1) + exp(x2)) without overflow."""
    x1, x2 = backend.promote(x1, x2)
    x1, x2 = as_float(x1), as_float(x2)
    return add(maximum(x1, x2), log1p(exp(negative(absolute(subtract(x1, x2))))))


@operation
def equal(x1, x2):
    """x1 == x2, element by element."""
    return binary("equal", x1, x2)


@operation
def not_equal(x1, x2):
    """x1 != x2, element by element."""
    return binary("not_equal", x1, x2)


@operation
def less(x1, x2):
    """x1 < x2."""
    return binary("less", x1, x2)


@operation
def less_equal(x1, x2):
    """x1 <= x2."""
    return binary("less_equal", x1, x2)


@operation
def greater(x1, x2):
    """x1 > x2."""
    return binary("greater", x1, x2)


@operation
def greater_equal(x1, x2):
    """x1 >= x2."""
    return binary("greater_equal", x1, x2)


@operation
def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|x1 - x2| <= atol + rtol * |x2|."""
    x1, x2 = backend.promote(x1, x2)
    x1, x2 = as_float(x1), as_float(x2)
    finite = logical_and(isfinite(x1), isfinite(x2))
    near = less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
    close = logical_or(equal(x1, x2), logical_and(finite, near))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


@operation
def logical_and(x1, x2):
    """Both are true."""
    return logical_binary("logical_and", x1, x2)


@operation
def logical_or(x1, x2):
    """One of them is true."""
    return logical_binary("logical_or", x1, x2)


@operation
def logical_xor(x1, x2):
    """Exactly one of them is true."""
    return logical_binary("logical_xor", x1, x2)


@operation
def logical_not(x):
    """It is not true."""
    return _core.apply("logical_not", [backend.convert_to_tensor(x, "bool")])


@operation
def where(condition, x1=None, x2=None):
    """x1 where the condition holds, else x2. With the condition alone: the indices where it holds."""
    if x1 is None and x2 is None:
        return nonzero(condition)
    condition = backend.convert_to_tensor(condition, "bool")
    return _core.apply("where", [condition, *backend.promote(x1, x2)])


@operation
def select(condlist, choicelist, default=0):
    """The choice of the first condition that holds, else the default."""
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        result = where(condition, choice, result)
    return result


@operation
def clip(x, x_min, x_max):
    """x, but not below x_min nor above x_max."""
    x = tensor(x)
    if x.dtype == "bool":
        x = backend.convert_to_tensor(x, "int32")
    return _core.apply(
        "clip", [x, backend.convert_to_tensor(x_min, x.dtype), backend.convert_to_tensor(x_max, x.dtype)]
    )


# ---- reductions


def _reduce(name, x, axis, keepdims):
    return _core.apply(name, [x], axes=axes_of(axis), keepdims=bool(keepdims))


def _countable(x):
    """x, or int32 for bool and the 8-bit integers, whose sums overflow."""
    return backend.convert_to_tensor(x, "int32") if x.dtype in ("bool", "uint8", "int8") else x


@operation
def sum(x, axis=None, keepdims=False):
    """Sum over the axes (all for None)."""
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
    was_bool = x.dtype == "bool"
    result = _reduce(f"reduce_{name}", backend.convert_to_tensor(x, "uint8") if was_bool else x, axis, keepdims)
    if initial is not None:
        result = binary("maximum" if name == "max" else "minimum", result, initial)
    return backend.convert_to_tensor(result, "bool") if was_bool else result


@operation
def max(x, axis=None, keepdims=False, initial=None):
    """The greatest element over the axes."""
    return _extremum("max", x, axis, keepdims, initial)


@operation
def min(x, axis=None, keepdims=False, initial=None):
    """The smallest element over the axes."""
    return _extremum("min", x, axis, keepdims, initial)


amax, amin = max, min


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


def _arg(name, x, axis, keepdims):
    x = tensor(x)
    if axis is None:
        flat = _core.apply(name, [reshape(x, [-1])], axis=0)
        return reshape(flat, [1] * x.ndim) if keepdims else flat
    return _core.apply(name, [x], axis=int(axis), keepdims=bool(keepdims))


@operation
def argmax(x, axis=None, keepdims=False):
    """The int32 index of the greatest element, the first of equals."""
    return _arg("argmax", x, axis, keepdims)


@operation
def argmin(x, axis=None, keepdims=False):
    """The int32 index of the smallest element, the first of equals."""
    return _arg("argmin", x, axis, keepdims)


@operation
def average(x, axis=None, weights=None):
    """Mean over the axes, weighted."""
    if weights is None:
        return mean(x, axis)
    x, weights = backend.promote(as_float(x), weights)
    if weights.ndim == 1 and x.ndim > 1:
        weights = reshape(weights, [-1 if a == resolve_axis(axis, x.ndim) else 1 for a in range(x.ndim)])
    weights = broadcast_to(weights, x.shape)
    return divide(sum(multiply(x, weights), axis), sum(weights, axis))


@operation
def median(x, axis=None, keepdims=False):
    """The middle of the sorted elements."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


@operation
def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which the part q of the elements lies."""
    x = as_float(x)
    rank = x.ndim
    axes = list(range(rank)) if axis is None else [resolve_axis(a, rank) for a in axes_of(axis)]
    kept = [a for a in range(rank) if a not in axes]
    rows = reshape(transpose(x, kept + axes), [*(x.shape[a] for a in kept), -1])
    ordered, count = sort(rows), rows.shape[-1]
    parts = [
        _at_quantile(ordered, count, float(p), method) for p in np.atleast_1d(np.asarray(backend.convert_to_numpy(q)))
    ]
    if keepdims:
        parts = [reshape(p, [1 if a in axes else x.shape[a] for a in range(rank)]) for p in parts]
    return parts[0] if np.ndim(backend.convert_to_numpy(q)) == 0 else stack(parts)


def _at_quantile(ordered, count, q, method):
    place = q * (count - 1)
    low, high = math.floor(place), math.ceil(place)
    if method in ("lower", "higher", "nearest"):
        index = {"lower": low, "higher": high, "nearest": int(np.round(place))}[method]
        return take(ordered, index, axis=-1)
    if method not in ("linear", "midpoint"):
        raise ValueError(f"Unknown method: {method!r}. Expected linear, lower, higher, midpoint or nearest.")
    weight = 0.5 * (high > low) if method == "midpoint" else place - low
    a, b = take(ordered, low, axis=-1), take(ordered, high, axis=-1)
    return add(a, multiply(subtract(b, a), weight))


# ---- shapes


@operation
def reshape(x, newshape):
    """The same elements in another shape. One size may be -1; more when they are unknown sizes that x begins with."""
    x, sizes, keep = tensor(x), sizes_of(newshape), 0
    if sizes.count(-1) > 1:
        while keep < x.ndim and keep < len(sizes) and sizes[keep] == (-1 if x.shape[keep] is None else x.shape[keep]):
            keep += 1
    return _core.apply("reshape", [x], shape=sizes[keep:], keep=keep)


@operation
def ravel(x):
    """All elements in one axis."""
    return unary("reshape", x, shape=[-1])


@operation
def transpose(x, axes=None):
    """The axes in another order, reversed by default."""
    x = tensor(x)
    return _core.apply(
        "transpose", [x], permutation=list(range(x.ndim))[::-1] if axes is None else [int(a) for a in axes]
    )


@operation
def swapaxes(x, axis1, axis2):
    """Two axes exchanged."""
    x = tensor(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


@operation
def moveaxis(x, source, destination):
    """Axes moved to other places, the rest in their order."""
    x = tensor(x)
    sources = [resolve_axis(a, x.ndim) for a in axes_of(source)]
    order = [a for a in range(x.ndim) if a not in sources]
    for place, a in sorted(zip((resolve_axis(d, x.ndim) for d in axes_of(destination)), sources)):
        order.insert(place, a)
    return transpose(x, order)


@operation
def expand_dims(x, axis):
    """A new axis of size 1 (or several)."""
    x = tensor(x)
    rank = x.ndim + len(axes_of(axis))
    shape = list(x.shape)
    for a in sorted(resolve_axis(a, rank) for a in axes_of(axis)):
        shape.insert(a, 1)
    return reshape(x, shape)


@operation
def squeeze(x, axis=None):
    """Without the axes of size 1 (or without the given ones)."""
    x = tensor(x)
    axes = (
        [a for a, n in enumerate(x.shape) if n == 1]
        if axis is None
        else [resolve_axis(a, x.ndim) for a in axes_of(axis)]
    )
    for a in axes:
        if x.shape[a] not in (1, None):
            raise ValueError(f"squeeze: axis {a} of shape {x.shape} has size {x.shape[a]}, not 1.")
    return reshape(x, [n for a, n in enumerate(x.shape) if a not in axes])


@operation
def broadcast_to(x, shape):
    """Repeated along axes of size 1 and new leading axes."""
    return unary("broadcast_to", x, shape=sizes_of(shape))


@operation
def concatenate(xs, axis=0):
    """The tensors one after another along an axis."""
    tensors = backend.promote(*xs)
    return tensors[0] if len(tensors) == 1 else _core.apply("concat", tensors, axis=int(axis))


@operation
def stack(x, axis=0):
    """The tensors along a new axis."""
    tensors = backend.promote(*x)
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


@operation
def hstack(xs):
    """Concatenated along axis 1 (axis 0 for one-dimensional ones)."""
    tensors = backend.promote(*xs)
    return concatenate(tensors, 0 if tensors[0].ndim <= 1 else 1)


@operation
def vstack(xs):
    """Concatenated along axis 0, one-dimensional ones as rows."""
    return concatenate([reshape(t, [1, -1]) if t.ndim <= 1 else t for t in backend.promote(*xs)], 0)


@operation
def append(x1, x2, axis=None):
    """x2 after x1 along the axis, both flat for None."""
    return concatenate([ravel(x1), ravel(x2)]) if axis is None else concatenate([x1, x2], axis)


@operation
def split(x, indices_or_sections, axis=0):
    """A list: so many equal parts, or the parts between the given indices."""
    x = tensor(x)
    axis = resolve_axis(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if size is None or size % indices_or_sections:
            raise ValueError(f"split: axis {axis} of shape {x.shape} has no {indices_or_sections} equal parts.")
        sizes = [size // indices_or_sections] * indices_or_sections
    else:
        edges = [0, *(int(i) for i in indices_or_sections), size]
        sizes = [b - a for a, b in zip(edges, edges[1:])]
    parts = _core.apply("split", [x], sizes=sizes, axis=axis)
    return list(parts) if isinstance(parts, tuple) else [parts]


array_split = split


@operation
def flip(x, axis=None):
    """Reversed along the axes."""
    x = tensor(x)
    return _core.apply("flip", [x], axes=list(range(x.ndim)) if axis is None else axes_of(axis))


@operation
def roll(x, shift, axis=None):
    """Shifted along an axis; what falls off comes back at the other end."""
    if axis is None:
        x = tensor(x)
        return reshape(roll(ravel(x), shift, 0), x.shape)
    x = tensor(x)
    shifts = axes_of(shift)
    for a, s in zip(axes_of(axis), shifts * len(axes_of(axis)) if len(shifts) == 1 else shifts):
        cut = x.shape[a] - s % x.shape[a] if x.shape[a] else 0
        if cut not in (0, x.shape[a]):
            first, last = split(x, [cut], a)
            x = concatenate([last, first], a)
    return x


@operation
def tile(x, repeats):
    """Repeated as a whole along the axes."""
    x = tensor(x)
    counts = sizes_of(repeats)
    if len(counts) < x.ndim:
        counts = [1] * (x.ndim - len(counts)) + counts
    elif len(counts) > x.ndim:
        x = reshape(x, [1] * (len(counts) - x.ndim) + list(x.shape))
    return _core.apply("tile", [x], repeats=counts)


@operation
def repeat(x, repeats, axis=None):
    """Each element (slice) repeated."""
    x = tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = resolve_axis(axis, x.ndim)
    if not isinstance(repeats, int):
        counts = np.broadcast_to(backend.convert_to_numpy(repeats), [x.shape[axis]])
        return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)
    spread = tile(expand_dims(x, axis + 1), [repeats if a == axis + 1 else 1 for a in range(x.ndim + 1)])
    shape = list(x.shape)
    shape[axis] = -1 if shape[axis] is None else shape[axis] * repeats
    return reshape(spread, shape)


@operation
def pad(x, pad_width, mode="constant", constant_values=None):
    """Elements put before and after, along each axis: `((before, after), ...)`."""
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width, dtype="int64"), (x.ndim, 2)).tolist()
    low, high = [w[0] for w in widths], [w[1] for w in widths]
    value = 0.0 if constant_values is None else float(backend.convert_to_numpy(constant_values))
    return _core.apply("pad", [x], low=low, high=high, mode=mode, value=value)


@operation
def meshgrid(*x, indexing="xy"):
    """Coordinate grids of coordinate vectors."""
    vectors = [ravel(v) for v in x]
    order = [1, 0, *range(2, len(vectors))] if indexing == "xy" and len(vectors) > 1 else list(range(len(vectors)))
    shape = [vectors[i].shape[0] for i in order]
    return [
        broadcast_to(reshape(v, [-1 if order[a] == i else 1 for a in range(len(vectors))]), shape)
        for i, v in enumerate(vectors)
    ]


def size(x):
    """How many elements."""
    return tensor(x).size


def ndim(x):
    """How many axes."""
    return x.ndim if hasattr(x, "ndim") else tensor(x).ndim


@operation
def view(x, dtype=None):
    """x with another dtype of the same bytes is not supported; without dtype, x itself."""
    if dtype is not None and backend.standardize_dtype(dtype) != tensor(x).dtype:
        raise NotImplementedError("view: bytes can't be read as another dtype; use ops.cast for the values.")
    return tensor(x)


# ---- creation


def array(x, dtype=None):
    """A tensor of x."""
    return backend.convert_to_tensor(x, dtype)


@operation
def copy(x):
    """A tensor with elements of its own."""
    return unary("copy", x)


def zeros(shape, dtype=None):
    """All 0."""
    return full(shape, 0, dtype or backend.floatx())


def ones(shape, dtype=None):
    """All 1."""
    return full(shape, 1, dtype or backend.floatx())


def empty(shape, dtype=None):
    """All 0."""
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None):
    """All of one value."""
    value = backend.convert_to_tensor(fill_value, dtype)
    return _core.apply("broadcast_to", [value], shape=sizes_of(shape))


@operation
def zeros_like(x, dtype=None):
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype)


@operation
def ones_like(x, dtype=None):
    """1 in x's shape and dtype."""
    return full_like(x, 1, dtype)


@operation
def empty_like(x, dtype=None):
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype)


@operation
def full_like(x, fill_value, dtype=None):
    """A value in x's shape and dtype."""
    x = tensor(x)
    dtype = backend.standardize_dtype(dtype) if dtype else x.dtype
    if isinstance(fill_value, (bool, int, float)):
        return _core.apply("full_like", [x], value=float(fill_value), dtype=dtype)
    return _core.apply("broadcast_like", [backend.convert_to_tensor(fill_value, dtype), x])


def arange(start, stop=None, step=None, dtype=None):
    """start, start + step, ... below stop."""
    start, stop, step = (v if v is None else backend.convert_to_numpy(v).item() for v in (start, stop, step))
    if dtype is None:
        numbers = [v for v in (start, stop, step) if v is not None]
        dtype = "int32" if builtins.all(isinstance(v, int) for v in numbers) else backend.floatx()
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return backend.convert_to_tensor(values, dtype)


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """num evenly spaced numbers."""
    ends = [backend.convert_to_numpy(v) for v in (start, stop)]
    values, step = np.linspace(*ends, num, endpoint=endpoint, retstep=True, axis=axis)
    result = backend.convert_to_tensor(values, dtype or backend.floatx())
    return (result, backend.convert_to_tensor(step, result.dtype)) if retstep else result


def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """num numbers evenly spaced in their logarithms."""
    values = np.logspace(start, stop, num, endpoint=endpoint, base=base, axis=axis)
    return backend.convert_to_tensor(values, dtype or backend.floatx())


def eye(N, M=None, k=0, dtype=None):
    """1 on the k-th diagonal, else 0."""
    return backend.convert_to_tensor(np.eye(N, M, k=k, dtype="float32"), dtype or backend.floatx())


def identity(n, dtype=None):
    """1 on the diagonal, else 0."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """1 on and below the k-th diagonal, else 0."""
    return backend.convert_to_tensor(np.tri(N, M, k=k, dtype="float32"), dtype or backend.floatx())


def _below_diagonal(x, k):
    """Where the column's index less the row's is at most k, in the last two axes."""
    rows = _core.apply("iota_like", [x], axis=x.ndim - 2, dtype="int32")
    columns = _core.apply("iota_like", [x], axis=x.ndim - 1, dtype="int32")
    return less_equal(subtract(columns, rows), k)


@operation
def tril(x, k=0):
    """x on and below the k-th diagonal, else 0."""
    x = tensor(x)
    return where(_below_diagonal(x, k), x, zeros_like(x))


@operation
def triu(x, k=0):
    """x on and above the k-th diagonal, else 0."""
    x = tensor(x)
    return where(_below_diagonal(x, k - 1), zeros_like(x), x)


@operation
def diag(x, k=0):
    """The matrix with x on its k-th diagonal, or the k-th diagonal of the matrix x."""
    x = tensor(x)
    if x.ndim != 1:
        return diagonal(x, k)
    n = x.shape[0] + builtins.abs(k)
    rows = builtins.max(-k, 0) + np.arange(x.shape[0])
    flat = _core.apply("scatter_add", [zeros([n * n], x.dtype), tensor(rows * n + rows + k), x], axis=0)
    return reshape(flat, [n, n])


@operation
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The elements whose two indices differ by the offset, as the last axis."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    first = np.arange(builtins.max(-offset, 0), builtins.min(rows, columns - offset))
    flat = reshape(x, [*x.shape[:-2], rows * columns])
    return take(flat, first * columns + first + offset, axis=-1)


@operation
def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of the diagonal."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


# ---- indexing and order


@operation
def take(x, indices, axis=None):
    """The slices at the indices along the axis (of the flat tensor for None)."""
    x = tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    return _core.apply("gather", [x, _indices(indices)], axis=resolve_axis(axis, x.ndim), mode="raise")


def _indices(indices):
    indices = tensor(indices)
    return indices if indices.dtype in ("int32", "int64") else backend.convert_to_tensor(indices, "int32")


@operation
def take_along_axis(x, indices, axis=None):
    """The elements at the indices, which have x's shape but along the axis."""
    x, indices = tensor(x), _indices(indices)
    if axis is None:
        return _core.apply("gather_along", [ravel(x), ravel(indices)], axis=0)
    axis = resolve_axis(axis, x.ndim)
    shape = [i if a == axis else n for a, (i, n) in enumerate(zip(indices.shape, x.shape))]
    if list(indices.shape) != shape:
        indices = broadcast_to(indices, shape)
    return _core.apply("gather_along", [x, indices], axis=axis)


def nonzero(x):
    """A tuple of index tensors, one per axis; the tensor must be concrete, for the count depends on the values."""
    return tuple(backend.convert_to_tensor(i, "int32") for i in np.nonzero(backend.convert_to_numpy(x)))


@operation
def sort(x, axis=-1):
    """Ascending along the axis."""
    return unary("sort", x, axis=int(axis)) if axis is not None else sort(ravel(x), 0)


@operation
def argsort(x, axis=-1):
    """The int32 indices that sort."""
    return unary("argsort", x, axis=int(axis)) if axis is not None else argsort(ravel(x), 0)


@operation
def searchsorted(sorted_sequence, values, side="left"):
    """Where the values would be put into the ascending sequence."""
    a, b = backend.promote(sorted_sequence, values)
    return _core.apply("searchsorted", [a, b], right=side == "right")


@operation
def digitize(x, bins):
    """The number of the bin: bins[i - 1] <= x < bins[i]."""
    return searchsorted(bins, x, side="right")


@operation
def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each integer occurs (or the sum of its weights)."""
    x = _indices(x)
    if x.is_symbolic and not minlength:
        raise ValueError("bincount: inside a traced function the number of bins must be given by minlength.")
    bins = minlength if x.is_symbolic else builtins.max(int(max(x)) + 1 if x.size else 0, minlength)
    values = ones_like(x, "int32") if weights is None else tensor(weights)
    if x.ndim == 1:
        return _core.apply("scatter_add", [zeros([bins], values.dtype), x, values], axis=0)
    return sum(multiply(_core.apply("one_hot", [x], depth=bins, dtype=values.dtype), expand_dims(values, -1)), -2)


def _cumulate(name, x, axis, dtype):
    x = tensor(x) if dtype is None else backend.convert_to_tensor(x, dtype)
    if axis is None:
        x, axis = ravel(x), 0
    return _core.apply(name, [_countable(x) if dtype is None else x], axis=int(axis))


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
    """Differences of neighbours, n times."""
    a = tensor(a)
    axis = resolve_axis(axis, a.ndim)
    for _ in range(n):
        a = subtract(_along(a, axis, 1, TO_THE_END), _along(a, axis, 0, -1))
    return a


def _along(x, axis, start, stop):
    starts = [start if a == axis else 0 for a in range(x.ndim)]
    stops = [stop if a == axis else TO_THE_END for a in range(x.ndim)]
    return _core.apply("slice", [x], starts=starts, stops=stops, strides=[1] * x.ndim)


@operation
def get_item(x, key):
    """x[key]."""
    from dlcore.ops.indexing import get_item as index

    return index(tensor(x), key)


# ---- products


@operation
def matmul(x1, x2):
    """The matrix product over the last two axes; leading axes are broadcast."""
    a, b = backend.promote(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: both operands need at least one axis. Received shapes {a.shape} and {b.shape}.")
    left = reshape(a, [1, *a.shape]) if a.ndim == 1 else a
    right = reshape(b, [*b.shape, 1]) if b.ndim == 1 else b
    product = _core.apply("matmul", [left, right])
    if b.ndim == 1:
        product = squeeze(product, -1)
    return squeeze(product, -1 if b.ndim == 1 else -2) if a.ndim == 1 else product


@operation
def dot(x1, x2):
    """Over the last axis of x1 and the last but one of x2."""
    a, b = backend.promote(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=[[-1], [-2]])


@operation
def vdot(x1, x2):
    """The sum of all products of elements."""
    return sum(multiply(ravel(x1), ravel(x2)))


@operation
def inner(x1, x2):
    """Over the last axes of both."""
    a, b = backend.promote(x1, x2)
    return multiply(a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, axes=[[-1], [-1]])


@operation
def outer(x1, x2):
    """All products of two elements, as a matrix."""
    return multiply(reshape(x1, [-1, 1]), reshape(x2, [1, -1]))


@operation
def tensordot(x1, x2, axes=2):
    """The sum of products over pairs of axes."""
    a, b = backend.promote(x1, x2)
    if isinstance(axes, int):
        over_a, over_b = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        over_a, over_b = (([ax] if isinstance(ax, int) else list(ax)) for ax in axes)
    over_a, over_b = [i % a.ndim for i in over_a], [i % b.ndim for i in over_b]
    keep_a, keep_b = [i for i in range(a.ndim) if i not in over_a], [i for i in range(b.ndim) if i not in over_b]
    k = math.prod(b.shape[i] for i in over_b)
    left, right = reshape(transpose(a, keep_a + over_a), [-1, k]), reshape(transpose(b, over_b + keep_b), [k, -1])
    return reshape(_core.apply("matmul", [left, right]), [*(a.shape[i] for i in keep_a), *(b.shape[i] for i in keep_b)])


@operation
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The vector product of vectors of three elements."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = backend.promote(x1, x2)
    (a1, a2, a3), (b1, b2, b3) = ([take(v, i, ax) for i in range(3)] for v, ax in ((a, axisa), (b, axisb)))
    parts = [(a2, b3, a3, b2), (a3, b1, a1, b3), (a1, b2, a2, b1)]
    return stack([subtract(multiply(p, q), multiply(r, s)) for p, q, r, s in parts], axisc)


@operation
def einsum(subscripts, *operands, **kwargs):
    """Einstein's summation: `einsum("bij,bjk->bik", a, b)`. Operands are contracted from the left."""
    operands = backend.promote(*operands)
    terms, result = _parse_einsum(subscripts.replace(" ", ""), operands)
    term, x = _lettered(terms[0], operands[0])
    for i in range(1, len(operands)):
        other, y = _lettered(terms[i], operands[i])
        later = set(result).union(*terms[i + 1 :])
        term, x = _contract(term, x, other, y, later)
    lost = [a for a, letter in enumerate(term) if letter not in result]
    if lost:
        x, term = sum(x, lost), [letter for letter in term if letter in result]
    order = [term.index(letter) for letter in result]
    return x if order == list(range(len(order))) else transpose(x, order)


def _parse_einsum(subscripts, operands):
    """Lists of letters per operand and of the result; an ellipsis becomes letters of its own."""
    left, _, right = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands; {len(operands)} were given.")
    unused = [letter for letter in string.ascii_letters if letter not in subscripts]
    broadcast = builtins.max([x.ndim - len(t) + 3 for x, t in zip(operands, terms) if "..." in t], default=0)
    dots = unused[:broadcast]
    expanded = []
    for x, t in zip(operands, terms):
        own = x.ndim - len(t) + 3
        expanded.append(
            list(t.replace("...", "".join(dots[len(dots) - own :]) if own > 0 else "")) if "..." in t else list(t)
        )
    if "->" in subscripts:
        return expanded, list(right.replace("...", "".join(dots)))
    letters = [letter for t in expanded for letter in t]
    return expanded, dots + sorted({c for c in letters if letters.count(c) == 1 and c not in dots})


def _lettered(term, x):
    """Checks the axes and takes repeated letters of one operand as its diagonal."""
    if x.ndim != len(term):
        raise ValueError(f"einsum: the subscripts name {len(term)} axes of the operand of shape {x.shape}.")
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            x = diagonal(x, 0, first, second)
            term = [c for i, c in enumerate(term) if i not in (first, second)] + [letter]
    return term, x


def _contract(term_a, a, term_b, b, later):
    """One matrix product: batch letters are in both and still needed, summed ones in both and not."""
    for term, x, other in ((term_a, a, term_b), (term_b, b, term_a)):
        alone = [i for i, letter in enumerate(term) if letter not in other and letter not in later]
        if alone and x is a:
            a, term_a = sum(a, alone), [c for i, c in enumerate(term) if i not in alone]
        elif alone:
            b, term_b = sum(b, alone), [c for i, c in enumerate(term) if i not in alone]
    batch = [c for c in term_a if c in term_b and c in later]
    summed = [c for c in term_a if c in term_b and c not in later]
    rows, columns = [c for c in term_a if c not in term_b], [c for c in term_b if c not in term_a]
    sizes = {**dict(zip(term_b, b.shape)), **dict(zip(term_a, a.shape))}
    a = transpose(a, [term_a.index(c) for c in batch + rows + summed])
    b = transpose(b, [term_b.index(c) for c in batch + summed + columns])
    k = math.prod(sizes[c] for c in summed)
    a = reshape(a, [*(sizes[c] for c in batch), -1 if rows else 1, k])
    b = reshape(b, [*(sizes[c] for c in batch), k, -1 if columns else 1])
    letters = batch + rows + columns
    return letters, reshape(_core.apply("matmul", [a, b]), [sizes[c] for c in letters])


@operation
def vectorize(pyfunc, *, excluded=None, signature=None):
    """A function that maps pyfunc over the first axes of its arguments."""
    from dlcore.ops.core import map

    return lambda *args: map(lambda rows: pyfunc(*rows), args)


@operation
def correlate(x1, x2, mode="valid"):
    """Cross-correlation of two vectors."""
    a, b = backend.promote(x1, x2)
    a, b = as_float(a), as_float(b)
    width = {"valid": 0, "same": b.shape[0] - 1, "full": 2 * (b.shape[0] - 1)}[mode]
    low = width // 2
    image = reshape(pad(a, [[low, width - low]]), [1, 1, -1, 1])
    return reshape(_core.apply("conv2d", [image, reshape(b, [1, -1, 1, 1])]), [-1])


def result_type(*dtypes_or_tensors):
    """The dtype in which the values meet."""
    return backend.result_type(*(getattr(d, "dtype", d) for d in dtypes_or_tensors))


__all__ = [
    name
    for name, value in list(globals().items())
    if (not name.startswith("_") and getattr(value, "__module__", None) == __name__) or name == "newaxis"
]
