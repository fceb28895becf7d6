"""Integers as bits and as whole numbers: bitwise logic, shifts, greatest common divisors."""

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.ops._common import binary, numbers, own_names
from dlcore.ops.arithmetic import absolute, floor_divide, maximum, multiply, subtract
from dlcore.ops.operation import operation


def _integers(name, x, y):
    x, y = backend.promote(x, y)
    if x.dtype != "bool" and x.dtype not in dtypes.INTEGERS:
        raise TypeError(f"{name}: expected integers or bools. Received dtype {x.dtype}; use ops.cast.")
    return x, y


@operation
def bitwise_and(x, y):
    """The bits that both have."""
    return binary("bitwise_and", *_integers("bitwise_and", x, y))


@operation
def bitwise_or(x, y):
    """The bits that one of them has."""
    return binary("bitwise_or", *_integers("bitwise_or", x, y))


@operation
def bitwise_xor(x, y):
    """The bits that exactly one of them has."""
    return binary("bitwise_xor", *_integers("bitwise_xor", x, y))


@operation
def bitwise_invert(x):
    """The bits that x does not have."""
    x, _ = _integers("bitwise_invert", x, x)
    if x.dtype == "bool":
        return _core.apply("logical_not", [x])
    return subtract(255, x) if x.dtype == "uint8" else subtract(-1, x)


bitwise_not = bitwise_invert


@operation
def bitwise_left_shift(x, y):
    """x * 2^y; bits that leave at the top are lost. A negative y moves all bits out, as a large one does."""
    x, y = _integers("bitwise_left_shift", x, y)
    return binary("shift_left", numbers(x), numbers(y))


@operation
def bitwise_right_shift(x, y):
    """floor(x / 2^y). A negative y moves all bits out, as a large one does."""
    x, y = _integers("bitwise_right_shift", x, y)
    return binary("shift_right", numbers(x), numbers(y))


left_shift, right_shift = bitwise_left_shift, bitwise_right_shift


@operation
def gcd(x1, x2):
    """The greatest common divisor, not negative."""
    a, b = backend.promote(x1, x2)
    if a.dtype not in dtypes.INTEGERS:
        raise TypeError(f"gcd: expected integers. Received dtype {a.dtype}.")
    return binary("gcd", a, b)


@operation
def lcm(x1, x2):
    """The least common multiple, not negative."""
    a, b = backend.promote(x1, x2)
    parts = floor_divide(absolute(a), maximum(gcd(a, b), 1))
    return multiply(parts, absolute(b))


__all__ = own_names(globals())
