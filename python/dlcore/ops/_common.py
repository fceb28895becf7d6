"""What the ops modules share: applying primitives to anything that can be made a tensor."""

import math
import operator

import numpy as np

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.backend.tensors import Tensor

# The stop of a slice that runs to the end of its axis, in the direction of its stride.
TO_THE_END = 2**63 - 1


def tensor(x):
    return x if type(x) is Tensor else backend.convert_to_tensor(x)


def unary(name, x, **attrs):
    """A primitive that keeps the dtype."""
    return _core.apply(name, [tensor(x)], **attrs)


def float_unary(name, x, **attrs):
    """A primitive on floats: integers become the default float first."""
    return _core.apply(name, [as_float(x)], **attrs)


def as_float(x):
    x = tensor(x)
    return x if x.dtype in dtypes.FLOATS else backend.convert_to_tensor(x, dtypes.float_dtype(x.dtype))


def range_of(dtype):
    """The least and the greatest finite number of a dtype."""
    if dtype == "bool":
        return 0, 1
    if dtype in dtypes.INTEGERS:
        return dtypes.RANGES[dtype]
    greatest = (2.0 - 2.0**-7) * 2.0**127 if dtype == "bfloat16" else float(np.finfo(dtype).max)
    return -greatest, greatest


def as_indices(x):
    x = tensor(x)
    if x.dtype in ("int32", "int64"):
        return x
    if not backend.is_float_dtype(x.dtype):
        return backend.convert_to_tensor(x, "int32")
    # NaN is to be out of every range, an error: a cast would make it 0.
    is_number, lowest = _core.apply("equal", [x, x]), backend.convert_to_tensor(-math.inf, x.dtype)
    return backend.convert_to_tensor(_core.apply("where", [is_number, x, lowest]), "int64")


def numbers(x):
    """The tensor, or int32 for bools."""
    return backend.convert_to_tensor(x, "int32") if x.dtype == "bool" else x


# What sums, products and bitwise logic are where both operands are bools, as in NumPy.
_OF_BOOLS = {"add": "logical_or", "mul": "logical_and"} | {f"bitwise_{x}": f"logical_{x}" for x in ("and", "or", "xor")}


def binary(name, a, b):
    """A primitive of two operands that are promoted to one dtype."""
    if not (type(a) is Tensor and type(b) is Tensor and a.dtype == b.dtype):
        a, b = backend.promote(a, b)
    return _core.apply(_OF_BOOLS.get(name, name) if a.dtype == "bool" else name, [a, b])


def as_floats(*values):
    """Tensors of the float dtype in which the values meet. Python's integers are floats at once: a `uint8` that they
    meet may not hold them."""
    return [as_float(x) for x in backend.promote(*[float(v) if isinstance(v, int) else v for v in values])]


def float_binary(name, a, b):
    """A primitive of two floats."""
    return _core.apply(name, as_floats(a, b))


def logical_binary(name, a, b):
    return _core.apply(name, [backend.convert_to_tensor(a, "bool"), backend.convert_to_tensor(b, "bool")])


def polynomial(coefficients, x):
    """The polynomial of x with the coefficients, that of the highest power first."""
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = binary("add", binary("mul", result, x), coefficient)
    return result


def axes_of(axis):
    """The attribute `axes` of a reduction: [] stands for all axes."""
    if axis is None:
        return []
    return [one_axis(a) for a in axis] if isinstance(axis, (list, tuple)) else [one_axis(axis)]


def sizes_of(shape):
    """The attribute `shape`, of an int or a sequence of them: unknown sizes are -1."""
    is_size = hasattr(shape, "__index__") and getattr(shape, "ndim", 0) == 0
    sizes = [shape] if is_size else shape
    try:
        return [_size_of(size) for size in sizes]
    except TypeError:
        raise TypeError(f"A shape is an int or a tuple of ints (n // 2, not n / 2). Received: {shape!r}") from None


def _size_of(size):
    if isinstance(size, (float, np.floating)):
        raise TypeError
    return -1 if size is None else int(size)


def count_of(sizes):
    """The product of sizes for a shape to reshape to: -1 where one is unknown."""
    sizes = list(sizes)
    return -1 if None in sizes else math.prod(sizes)


def one_axis(axis):
    """An axis as an int, or a TypeError."""
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"One axis is expected, an int. Received: axis={axis!r}") from None


def resolve_axis(axis, rank):
    """A non-negative axis, or an error."""
    axis = one_axis(axis)
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of bounds for a tensor of {rank} axes.")
    return axis % rank


def same_padding(size, window, stride, dilation):
    """How much "same" puts before and after an axis."""
    total = max((-(-size // stride) - 1) * stride + dilation * (window - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def window_slices(sizes, windows, strides, dilations):
    """For each place in a window the slices, one per axis, of what stands there in all the windows."""
    axes = [((n - d * (k - 1) - 1) // s + 1, s, d) for n, k, s, d in zip(sizes, windows, strides, dilations)]
    for place in np.ndindex(*windows):
        yield tuple(slice(i * d, i * d + (count - 1) * s + 1, s) for i, (count, s, d) in zip(place, axes))


def own_names(module):
    """The public functions that a module defines, from its globals(): its __all__."""
    own = module["__name__"]
    return [n for n, value in module.items() if not n.startswith("_") and getattr(value, "__module__", None) == own]
