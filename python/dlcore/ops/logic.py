"""Truth, element by element: comparisons, what is finite, logic, and what they select."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.ops._common import as_float, binary, float_unary, logical_binary, own_names
from dlcore.ops.creation import ones_like
from dlcore.ops.operation import operation

# ---- comparisons


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


# ---- kinds of numbers


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
def isposinf(x):
    """Whether x is +infinity."""
    return equal(as_float(x), math.inf)


@operation
def isneginf(x):
    """Whether x is -infinity."""
    return equal(as_float(x), -math.inf)


@operation
def isreal(x):
    """True: there are no complex tensors."""
    return ones_like(x, dtype="bool")


# ---- logic


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


# ---- selection


def _places_like(x, x1=None, x2=None):
    return tuple(backend.KerasTensor((None,), "int32") for _ in x.shape)


@operation(outputs_like=_places_like)
def nonzero(x):
    """A tuple of index tensors, one per axis; the tensor must be concrete, for the count depends on the values."""
    return tuple(backend.convert_to_tensor(i, "int32") for i in np.nonzero(backend.convert_to_numpy(x)))


@operation(outputs_like=_places_like)
def where(condition, x1=None, x2=None):
    """x1 where the condition holds, else x2. With the condition alone: the indices where it holds."""
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("where: give both x1 and x2, or neither.")
    condition = backend.convert_to_tensor(condition, "bool")
    return _core.apply("where", [condition, *backend.promote(x1, x2)])


@operation
def select(condlist, choicelist, default=0):
    """The choice of the first condition that holds, else the default.

    Args:
        condlist: list of bool tensors.
        choicelist: list of as many tensors.
        default: number or tensor, default 0.
    """
    *choices, result = backend.promote(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices)):
        result = where(condition, choice, result)
    return result


__all__ = own_names(globals())
