"""Checks of constructor arguments that many classes share. Messages name class and argument, and what it must be."""

import functools
import inspect
import math

import numpy as np

from dlcore.backend.names import nearest_hint


class TakesNumbers:
    """Base: where an argument of one of the package's constructors is a number by default, a string is refused."""

    # Arguments that may be strings all the same.
    _may_be_strings = ()

    def __new__(cls, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments. Got {[*args, *kwargs]}.")
        refuse_strings_for_numbers(cls, args, kwargs)
        return super().__new__(cls)


def refuse_strings_for_numbers(cls, args, kwargs):
    """A ValueError for a string among the arguments of a constructor where the default is a number."""
    if not cls.__module__.startswith("dlcore."):
        return
    positional, numeric = _arguments_of(cls)
    for name, value in (*zip(positional, args), *kwargs.items()):
        if isinstance(value, str) and name in numeric:
            raise ValueError(f"{cls.__name__}: {name} must be a number. Got {name}={value!r}.")


@functools.lru_cache(maxsize=4096)
def _arguments_of(cls):
    """The names of a constructor's arguments in order, and of those that are numbers by default, also in its bases."""
    positional, numeric = None, set()
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        positional = [p.name for p in parameters] if positional is None else positional
        numeric |= {p.name for p in parameters if is_number(p.default)} - {*getattr(cls, "_may_be_strings", ())}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return positional, numeric


def is_int(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def number(kind, name, value, low=-math.inf, high=math.inf):
    """The value if it is a number in [low, high], else a ValueError."""
    if not is_number(value) or not low <= value <= high:
        bounds = f" in [{low}, {high}]" if high < math.inf else f" >= {low}" if low > -math.inf else ""
        raise ValueError(f"{kind}: {name} must be a number{bounds}. Got {name}={value!r}.")
    return value


def int_from(kind, name, value, low):
    """The value if it is an int >= low, else a ValueError."""
    if not is_int(value) or value < low:
        raise ValueError(f"{kind}: {name} must be an int >= {low}. Got {name}={value!r}.")
    return int(value)


def axes(kind, name, value):
    """The value if it is an int or a sequence of ints, else a ValueError."""
    if not is_int(value) and not (isinstance(value, (list, tuple)) and all(is_int(axis) for axis in value)):
        raise ValueError(f"{kind}: {name} must be an int or a list of ints. Got {name}={value!r}.")
    return value


def sequence(kind, name, value, of):
    """The value as a list if it is a sequence, else a ValueError; `of` says of what."""
    if not isinstance(value, (list, tuple, range, np.ndarray)):
        raise ValueError(f"{kind}: {name} must be a list of {of}. Got {name}={value!r}.")
    return list(value)


def positive_int(kind, name, value):
    """The value as an int > 0, else a ValueError."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    if not is_int(value) or value <= 0:
        raise ValueError(f"{kind}: {name} must be an int > 0. Got {name}={value!r}.")
    return int(value)


def int_tuple(kind, name, value, rank, smallest=1):
    """An int or a sequence of `rank` ints, all >= `smallest`, as a tuple."""
    values = (value,) * rank if is_int(value) else value
    valid = isinstance(values, (tuple, list)) and len(values) == rank and all(is_int(v) for v in values)
    if not valid or any(v < smallest for v in values):
        raise ValueError(f"{kind}: {name} must be an int or {rank} ints, each >= {smallest}. Got {name}={value!r}.")
    return tuple(int(v) for v in values)


def one_of(kind, name, value, choices):
    """The value in lower case if it is one of the strings, else a ValueError with the nearest."""
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in choices:
        hint = nearest_hint(str(value), list(choices))
        raise ValueError(f"{kind}: unknown {name}: {value!r}. {hint}")
    return lowered


def fraction(kind, name, value):
    """The value if it is a number in [0, 1], else a ValueError."""
    return number(kind, name, value, 0, 1)


def axis_of(layer, axis, input_shape):
    """The axis counted from 0, else a ValueError where inputs of the shape have no such axis."""
    rank = len(input_shape)
    if not -rank <= axis < rank:
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": axis {axis} is out of range for inputs of shape '
            f"{tuple(input_shape)}; expected {-rank} <= axis < {rank}."
        )
    return axis % rank
