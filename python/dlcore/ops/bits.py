"""Integers as bits and as whole numbers: bitwise logic, shifts, greatest common divisors.

Bits are found by arithmetic: bit k of x is floor(x / 2^k) mod 2, for negative numbers too (two's complement), and sums
and products wrap around. What a + b adds up from is then `a xor b` and twice `a and b`.
"""

import numpy as np

from dlcore import _core, backend
from dlcore.ops import reductions
from dlcore.ops._common import own_names, tensor
from dlcore.ops.arithmetic import absolute, add, clip, floor_divide, maximum, minimum, mod, multiply, subtract
from dlcore.ops.creation import ones_like
from dlcore.ops.indexing import take
from dlcore.ops.logic import equal, less, logical_and, where
from dlcore.ops.operation import operation
from dlcore.ops.shapes import expand_dims

_WIDTH = {"bool": 1, "uint8": 8, "int8": 8, "int32": 32, "int64": 64}
_POWERS = 2 ** np.arange(63)


def _integers(name, x, y):
    x, y = backend.promote(x, y)
    if x.dtype not in _WIDTH:
        raise TypeError(f"{name}: expected integers or bools. Received dtype {x.dtype}; use ops.cast.")
    return x, y


def _and(x, y):
    if x.dtype == "bool":
        return _core.apply("logical_and", [x, y])
    a, b = (backend.convert_to_tensor(v, "int64") for v in (x, y))
    powers = backend.convert_to_tensor(_POWERS[: min(_WIDTH[x.dtype], 63)])
    both = multiply(_bits(a, powers), _bits(b, powers))
    total = reductions.sum(multiply(both, powers), axis=-1)
    if x.dtype == "int64":
        sign = logical_and(less(a, 0), less(b, 0))
        total = add(total, where(sign, backend.convert_to_tensor(np.int64(-(2**63))), 0))
    return backend.convert_to_tensor(_wrap(total, x.dtype), x.dtype)


def _bits(x, powers):
    return mod(floor_divide(expand_dims(x, -1), powers), 2)


def _wrap(x, dtype):
    """int64 numbers brought into the range of a signed dtype, as an overflow does."""
    if dtype not in ("int8", "int32"):
        return x
    half = 2 ** (_WIDTH[dtype] - 1)
    return subtract(mod(add(x, half), 2 * half), half)


@operation
def bitwise_and(x, y):
    """The bits that both have."""
    return _and(*_integers("bitwise_and", x, y))


@operation
def bitwise_or(x, y):
    """The bits that one of them has."""
    x, y = _integers("bitwise_or", x, y)
    if x.dtype == "bool":
        return _core.apply("logical_or", [x, y])
    return subtract(add(x, y), _and(x, y))


@operation
def bitwise_xor(x, y):
    """The bits that exactly one of them has."""
    x, y = _integers("bitwise_xor", x, y)
    if x.dtype == "bool":
        return _core.apply("logical_xor", [x, y])
    both = _and(x, y)
    return subtract(subtract(add(x, y), both), both)


@operation
def bitwise_invert(x):
    """The bits that x does not have."""
    x, _ = _integers("bitwise_invert", x, x)
    if x.dtype == "bool":
        return _core.apply("logical_not", [x])
    return subtract(255, x) if x.dtype == "uint8" else subtract(-1, x)


bitwise_not = bitwise_invert


def _power_of_2(y):
    """2^y; a negative y moves all bits out, as a large one does."""
    return take(backend.convert_to_tensor(_POWERS), clip(where(less(y, 0), 62, y), 0, 62))


@operation
def bitwise_left_shift(x, y):
    """x * 2^y; bits that leave at the top are lost."""
    x, y = _integers("bitwise_left_shift", x, y)
    powers = _power_of_2(y)
    shifted = multiply(backend.convert_to_tensor(x, "int64"), powers)
    shifted = mod(shifted, 256) if x.dtype == "uint8" else _wrap(shifted, x.dtype)
    return backend.convert_to_tensor(shifted, x.dtype)


@operation
def bitwise_right_shift(x, y):
    """floor(x / 2^y)."""
    x, y = _integers("bitwise_right_shift", x, y)
    powers = _power_of_2(y)
    return backend.convert_to_tensor(floor_divide(backend.convert_to_tensor(x, "int64"), powers), x.dtype)


left_shift, right_shift = bitwise_left_shift, bitwise_right_shift

# Euclid's algorithm needs most steps for neighbours in Fibonacci's sequence: the last that fits tells how many.
_EUCLID_STEPS = {"uint8": 12, "int8": 10, "int32": 45, "int64": 91}


@operation
def gcd(x1, x2):
    """The greatest common divisor, not negative."""
    a, b = _integers("gcd", x1, x2)
    if a.dtype not in _EUCLID_STEPS:
        raise TypeError(f"gcd: expected integers. Received dtype {a.dtype}.")
    a, b = absolute(a), absolute(b)
    a, b = maximum(a, b), minimum(a, b)
    for _ in range(_EUCLID_STEPS[a.dtype]):
        done = equal(b, 0)
        a, b = where(done, a, b), where(done, b, mod(a, where(done, ones_like(b), b)))
    return a


@operation
def lcm(x1, x2):
    """The least common multiple, not negative."""
    a, b = _integers("lcm", x1, x2)
    divisor = gcd(a, b)
    parts = floor_divide(absolute(a), maximum(divisor, ones_like(divisor)))
    return multiply(parts, absolute(tensor(b)))


__all__ = own_names(globals())
