"""Arithmetic, element by element: signs, sums, products, remainders, rounding, bounds."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.ops._common import (
    as_float,
    as_floats,
    binary,
    float_binary,
    float_unary,
    numbers,
    own_names,
    range_of,
    tensor,
    unary,
)
from dlcore.ops.creation import zeros_like
from dlcore.ops.logic import (
    equal,
    greater,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_or,
    where,
)
from dlcore.ops.operation import operation

# ---- signs


@operation
def absolute(x):
    """|x|."""
    x = tensor(x)
    return x if x.dtype == "bool" else unary("abs", x)


abs = absolute


@operation
def fabs(x):
    """|x| as a float."""
    return absolute(as_float(x))


@operation
def negative(x):
    """-x."""
    return unary("neg", x)


@operation
def sign(x):
    """-1, 0 or 1."""
    return unary("sign", x)


@operation
def signbit(x):
    """Whether the sign is minus, that of -0.0 too."""
    x = tensor(x)
    if not backend.is_float_dtype(x.dtype):
        return less(x, 0)
    return logical_or(less(x, 0), less(reciprocal(x), 0))


@operation
def real(x):
    """x itself: there are no complex tensors."""
    return tensor(x)


@operation
def imag(x):
    """0: there are no complex tensors."""
    return zeros_like(x)


@operation
def conj(x):
    """x itself: there are no complex tensors."""
    return tensor(x)


conjugate = conj


# ---- sums, products and remainders


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
    """x1 / x2."""
    return float_binary("div", x1, x2)


true_divide = divide


@operation
def divide_no_nan(x1, x2):
    """x1 / x2, and 0 where x2 is 0."""
    x1, x2 = as_floats(x1, x2)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


@operation
def reciprocal(x):
    """1 / x."""
    return float_unary("reciprocal", x)


@operation
def floor_divide(x1, x2):
    """The greatest integer not above x1 / x2."""
    return binary("floor_divide", *(numbers(x) for x in backend.promote(x1, x2)))


@operation
def mod(x1, x2):
    """The remainder of x1 / x2, with the sign of x2."""
    return binary("mod", *(numbers(x) for x in backend.promote(x1, x2)))


remainder = mod


@operation
def fmod(x1, x2):
    """The remainder of x1 / x2, with the sign of x1."""
    a, b = (numbers(x) for x in backend.promote(x1, x2))
    remainder = multiply(sign(a), mod(absolute(a), absolute(b)))
    # At 0, where |x| has no slope, x is the remainder.
    return where(logical_and(equal(a, 0), greater(absolute(b), 0)), a, remainder)


@operation
def square(x):
    """x * x."""
    return unary("square", numbers(tensor(x)))


@operation
def power(x1, x2):
    """x1 to the power of x2."""
    if isinstance(x2, (int, float)) and x2 in (2, 3):
        x1 = numbers(tensor(x1))
        if isinstance(x2, int) or backend.is_float_dtype(x1.dtype):
            squared = unary("square", x1)
            return squared if x2 == 2 else binary("mul", squared, x1)
    return binary("pow", *(numbers(x) for x in backend.promote(x1, x2)))


# ---- rounding and neighbours


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
    x = tensor(x)
    return float_unary("trunc", x) if backend.is_float_dtype(x.dtype) else x


@operation
def round(x, decimals=0):
    """The nearest number of so many decimals (negative: of tens, hundreds, ...); halves go to even. Keeps the dtype."""
    x = tensor(x)
    if decimals == 0 or (decimals > 0 and not backend.is_float_dtype(x.dtype)):
        return unary("round", x)
    scale = 10.0**decimals
    return backend.convert_to_tensor(divide(unary("round", multiply(x, scale)), scale), x.dtype)


rint = round


# dtype: (bits of precision, the smallest positive number).
_FLOATS = {
    "float16": (11, 2.0**-24),
    "bfloat16": (8, 2.0**-133),
    "float32": (24, 2.0**-149),
    "float64": (53, 2.0**-1074),
}


@operation
def nextafter(x1, x2):
    """The next float after x1 towards x2.

    x + |x| u (1 + 2 u), u half of the precision, lies nearest to the number above x (Rump et al. 2009). Numbers too
    small for the full precision count as 0, as in all computations here.
    """
    x1, x2 = as_floats(x1, x2)
    dtype = x1.dtype
    bits, least = _FLOATS[dtype]
    unit = 2.0**-bits
    upwards = greater(x2, x1)
    x = x1 if dtype == "float64" else backend.convert_to_tensor(x1, "float32")
    # Small numbers are moved where the step is not too small.
    small = less(absolute(x), 2.0 ** (2 * bits - (1022 if dtype == "float64" else 126)))
    scale = where(small, 2.0 ** (2 * bits), 1.0)
    x = multiply(x, scale)
    step = maximum(multiply(absolute(x), unit * (1.0 + 2.0 * unit)), 0.75 * least)
    moved = divide(where(upwards, add(x, step), subtract(x, step)), scale)
    moved = backend.convert_to_tensor(moved, dtype)
    ends = [backend.convert_to_tensor(np.array(value), dtype) for value in (least, -least, *range_of(dtype))]
    moved = where(equal(x1, 0.0), where(upwards, *ends[:2]), moved)
    moved = where(isinf(x1), where(upwards, ends[2], ends[3]), moved)
    moved = where(logical_or(isnan(x1), isnan(x2)), math.nan, moved)
    return where(equal(x1, x2), x2, moved)


# ---- bounds


@operation
def maximum(x1, x2):
    """The greater of the two, NaN when one is."""
    return binary("maximum", x1, x2)


@operation
def minimum(x1, x2):
    """The smaller of the two, NaN when one is."""
    return binary("minimum", x1, x2)


@operation
def fmax(x1, x2):
    """The greater of the two; when one is NaN, the other."""
    return _skip_nan(maximum, *backend.promote(x1, x2))


@operation
def fmin(x1, x2):
    """The smaller of the two; when one is NaN, the other."""
    return _skip_nan(minimum, *backend.promote(x1, x2))


def _skip_nan(choose, a, b):
    if not backend.is_float_dtype(a.dtype):
        return choose(a, b)
    return where(isnan(a), b, where(isnan(b), a, choose(a, b)))


@operation
def clip(x, x_min, x_max):
    """x, but not below x_min nor above x_max, in the dtype in which the three meet; None: no bound."""
    if any(bound is None or (isinstance(bound, float) and math.isnan(bound)) for bound in (x_min, x_max)):
        x = numbers(tensor(x)) if x_min is None else maximum(x, x_min)
        return x if x_max is None else minimum(x, x_max)
    return _core.apply("clip", backend.promote(numbers(tensor(x)), x_min, x_max))


@operation
def heaviside(x1, x2):
    """0 below 0, 1 above, x2 at 0."""
    x1, x2 = as_floats(x1, x2)
    return where(isnan(x1), x1, where(equal(x1, 0), x2, maximum(sign(x1), 0)))


@operation
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with NaN and the infinities replaced; the infinities by the largest numbers of the dtype.

    Args:
        x: tensor of floats; others are returned as they are.
        nan: what NaN becomes, default 0.0.
        posinf, neginf: what the infinities become; None: the largest and the lowest number of the dtype.
    """
    x = tensor(x)
    if not backend.is_float_dtype(x.dtype):
        return x
    least, greatest = range_of(x.dtype)
    x = where(isnan(x), nan, x)
    x = where(equal(x, math.inf), greatest if posinf is None else posinf, x)
    return where(equal(x, -math.inf), least if neginf is None else neginf, x)


# ---- closeness


@operation
def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|x1 - x2| <= atol + rtol * |x2|."""
    x1, x2 = as_floats(x1, x2)
    finite = logical_and(isfinite(x1), isfinite(x2))
    near = less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
    close = logical_or(equal(x1, x2), logical_and(finite, near))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


__all__ = own_names(globals())
