"""Checks of constructor arguments that many layers share. Messages name the layer, the argument and what it must be."""

import numpy as np

from dlcore import backend


def is_int(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def positive_int(layer_type, name, value):
    """The value as an int > 0, else a ValueError."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    if not is_int(value) or value <= 0:
        raise ValueError(f"{layer_type}: {name} must be an int > 0. Got {name}={value!r}.")
    return int(value)


def int_tuple(layer_type, name, value, rank, smallest=1):
    """An int or a sequence of `rank` ints, all >= `smallest`, as a tuple."""
    values = (value,) * rank if is_int(value) else value
    valid = isinstance(values, (tuple, list)) and len(values) == rank and all(is_int(v) for v in values)
    if not valid or any(v < smallest for v in values):
        raise ValueError(
            f"{layer_type}: {name} must be an int or {rank} ints, each >= {smallest}. Got {name}={value!r}."
        )
    return tuple(int(v) for v in values)


def one_of(layer_type, name, value, choices):
    """The value in lower case if it is one of the strings, else a ValueError with the nearest."""
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in choices:
        hint = backend.nearest_hint(str(value), list(choices))
        raise ValueError(f"{layer_type}: unknown {name}: {value!r}. {hint}")
    return lowered


def fraction(layer_type, name, value):
    """The value if it is a number in [0, 1], else a ValueError."""
    if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        raise ValueError(f"{layer_type}: {name} must be a number in [0, 1]. Got {name}={value!r}.")
    return value


def axis_of(layer, axis, input_shape):
    """The axis counted from 0, else a ValueError where inputs of the shape have no such axis."""
    rank = len(input_shape)
    if not -rank <= axis < rank:
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": axis {axis} is out of range for inputs of shape '
            f"{tuple(input_shape)}; expected {-rank} <= axis < {rank}."
        )
    return axis % rank
