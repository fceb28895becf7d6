"""Elementary functions, element by element: roots, exponentials, logarithms, angles; Bessel's i0."""

import functools
import itertools
import math
import operator

from dlcore import backend
from dlcore.ops._common import as_float, as_floats, float_binary, float_unary, own_names, polynomial
from dlcore.ops.arithmetic import (
    absolute,
    add,
    clip,
    divide,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    signbit,
    square,
    subtract,
    trunc,
)
from dlcore.ops.gradients import with_gradient
from dlcore.ops.logic import equal, isinf, isnan, less, logical_and, logical_or, where
from dlcore.ops.operation import operation

# ---- roots


@operation
def sqrt(x):
    """Square root."""
    return float_unary("sqrt", x)


@operation
def cbrt(x):
    """Cube root: a power, and one step of Newton's method for its last bits."""
    x = as_float(x)
    size = absolute(x)
    root = power(size, 1.0 / 3.0)
    zero = equal(root, 0.0)
    safe = where(zero, 1.0, root)
    refined = subtract(root, multiply(subtract(root, divide(size, square(safe))), 1.0 / 3.0))
    result = multiply(sign(x), where(logical_or(zero, isinf(size)), root, refined))
    return with_gradient([result], [x], lambda _, y, g: [divide(g[0], multiply(3.0, square(y[0])))])[0]


@operation
def hypot(x1, x2):
    """sqrt(x1^2 + x2^2), without overflow."""
    x1, x2 = (absolute(x) for x in as_floats(x1, x2))
    large, small = maximum(x1, x2), minimum(x1, x2)
    infinite = logical_or(isinf(x1), isinf(x2))  # also beside a NaN
    ends = logical_or(equal(large, 0.0), infinite)
    ratio = divide(small, where(ends, 1.0, large))
    length = where(ends, large, multiply(large, sqrt(add(1.0, square(ratio)))))
    return where(infinite, math.inf, length)


# ---- exponentials and logarithms


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
def logaddexp(x1, x2):
    """log(exp(x1) + exp(x2)) without overflow."""
    x1, x2 = as_floats(x1, x2)
    # Two equal infinities have no distance.
    distance = where(logical_and(isinf(x1), equal(x1, x2)), 0.0, subtract(x1, x2))
    return add(maximum(x1, x2), log1p(exp(negative(absolute(distance)))))


@operation
def logaddexp2(x1, x2):
    """log2(2^x1 + 2^x2) without overflow."""
    x1, x2 = (multiply(x, math.log(2.0)) for x in as_floats(x1, x2))
    return multiply(logaddexp(x1, x2), 1.0 / math.log(2.0))


@operation
def ldexp(x1, x2):
    """x1 * 2^x2."""
    x1 = as_float(x1)
    wide = _wide(x1.dtype)
    most = 2200.0 if wide == "float64" else 300.0  # from the least number above 0 to the greatest, and beyond
    exponent = clip(backend.convert_to_tensor(x2, wide), -most, most)
    third = trunc(divide(exponent, 3.0))  # 2^exponent itself may be out of range
    result = multiply(x1, power(2.0, third))
    result = multiply(multiply(result, power(2.0, third)), power(2.0, subtract(exponent, multiply(2.0, third))))
    return backend.convert_to_tensor(result, x1.dtype)


def _wide(dtype):
    """float32 for the 16-bit floats, else the dtype itself."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


# ---- angles


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
def arctan2(x1, x2):
    """The angle of the point (x2, x1)."""
    return float_binary("atan2", x1, x2)


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
def deg2rad(x):
    """Degrees to radians."""
    return multiply(as_float(x), math.pi / 180.0)


@operation
def rad2deg(x):
    """Radians to degrees."""
    return multiply(as_float(x), 180.0 / math.pi)


@operation
def angle(x):
    """The angle of x on the plane of complex numbers: 0, or pi below 0."""
    x = as_float(x)
    turned = where(signbit(x), *(backend.convert_to_tensor(value, x.dtype) for value in (math.pi, 0.0)))
    return where(isnan(x), x, turned)


@operation
def sinc(x):
    """sin(pi x) / (pi x), 1 at 0."""
    x = multiply(as_float(x), math.pi)
    zero = equal(x, 0.0)
    safe = where(zero, 1.0, x)
    return where(zero, 1.0, divide(sin(safe), safe))


# ---- Bessel's function


@operation
def i0(x):
    """The modified Bessel function of order 0: its power series, and from 20 on the asymptotic one (Abramowitz & Stegun
    1964, 9.6.12 and 9.7.1)."""
    size = absolute(as_float(x))
    series, asymptotic = _i0_coefficients()
    near = polynomial(series, square(divide(minimum(size, 20.0), 20.0)))
    large = maximum(size, 20.0)
    root = sqrt(multiply(2 * math.pi, minimum(large, 1e4)))  # finite, where exp is not
    tail = multiply(divide(exp(large), root), polynomial(asymptotic, divide(1.0, large)))
    return where(less(size, 20.0), near, tail)


@functools.cache
def _i0_coefficients():
    """Of i0's series in (x / 20)^2 and of the asymptotic one in 1 / x, those of the highest powers first."""
    series = [100**k / math.factorial(k) ** 2 for k in range(50)]
    asymptotic = itertools.accumulate(((2 * k - 1) ** 2 / (8 * k) for k in range(1, 20)), operator.mul, initial=1.0)
    return series[::-1], [*asymptotic][::-1]


__all__ = own_names(globals())
