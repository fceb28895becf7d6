"""Checks of constructor arguments that many classes share. Messages name class and argument, and what it must be."""

import functools
import inspect
import math

import numpy as np

from dlcore.backend.names import nearest_hint


def is_int(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value == value  # no NaN


class ChecksArguments:
    """Base: the arguments of the package's constructors are checked by their defaults, see `check_arguments`."""

    # Arguments with a check of their own.
    _checked_otherwise = ()

    def __new__(cls, *args, **kwargs):
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments. Got {[*args, *kwargs]}.")
        check_arguments(cls, args, kwargs)
        return super().__new__(cls)

    def __reduce__(self):
        """Copies and pickles are made without arguments, so without the check."""
        return object.__new__, (type(self),), self.__dict__


def check_arguments(cls, args, kwargs):
    """A ValueError for an argument of a constructor of the package that can't be what its default is.

    Where the default is a number, numbers (but NaN), arrays, sequences, schedules and functions may be given; where it
    is a bool, bools, 0 and 1; `_KINDS` has some by name. None may be given in any case. A TypeError where an argument
    that has no default is missing.
    """
    if not cls.__module__.startswith("dlcore."):
        return
    positional, kinds, needed = _arguments_of(cls)
    missing = [name for name in needed if name not in kwargs and name not in positional[: len(args)]]
    if missing:
        unknown = [name for name in kwargs if name not in kinds]
        hint = f" Got {unknown[0]!r}, which is no argument. {nearest_hint(unknown[0], kinds)}" if unknown else ""
        raise TypeError(f"{cls.__name__}: the argument {missing[0]!r} is missing.{hint}")
    for name, value in (*zip(positional, args), *kwargs.items()):
        expected = kinds.get(name)
        if expected is not None and value is not None and not _CHECKS[expected](value):
            raise ValueError(f"{cls.__name__}: {name} must be {expected}. Got {name}={value!r}.")


def _may_be_number(value):
    """Whether it is a number, but NaN, or may become one: an array, a schedule, a function, ..."""
    return value == value if isinstance(value, (float, np.floating)) else _may_be_number_or_nan(value)


def _may_be_number_or_nan(value):
    if isinstance(value, (list, tuple)):
        return not any(isinstance(item, (str, dict)) for item in value)
    if isinstance(value, dict):
        return _is_config(value)  # of a schedule
    kinds = ("__float__", "__array__", "__iter__", "__call__", "get_config")
    return not isinstance(value, (str, bytes, set)) and any(hasattr(value, kind) for kind in kinds)


def _may_be_seed(value):
    return (is_int(value) and value >= 0) or hasattr(value, "next") or _is_config(value)


def _may_be_window(value):
    return isinstance(value, str) or (hasattr(value, "__len__") and _may_be_number(value))


def _is_config(value):
    return isinstance(value, dict) and "class_name" in value


def _are_axes(value):
    return is_int(value) or (isinstance(value, (list, tuple)) and all(is_int(axis) for axis in value))


# Arguments whose default, often None, does not say what they are.
_KINDS = {
    **dict.fromkeys(("name", "monitor", "encoding", "separator", "root", "path", "field"), "a string"),
    **dict.fromkeys(("class_id", "ignore_class", "top_k", "ndim", "min_ndim", "max_ndim"), "an int"),
    **dict.fromkeys(("baseline", "initial_value_threshold", "warmup_target", "max_freq"), "a number"),
    **dict.fromkeys(("axis", "input_axes", "output_axes", "shared_axes"), "an int or a list of ints"),
    "seed": "an int >= 0, a SeedGenerator or None",
    "window": "the name of a window, an array of numbers or None",
    **dict.fromkeys(("schedule", "on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end"), "a function"),
    **dict.fromkeys(("on_train_batch_begin", "on_train_batch_end"), "a function"),
}
_CHECKS = {
    "a number": _may_be_number,
    "a number or NaN": _may_be_number_or_nan,
    "an int": is_int,
    "an int or a list of ints": _are_axes,
    "a function": callable,
    "True or False": lambda value: isinstance(value, (bool, np.bool_)) or (is_int(value) and value in (0, 1)),
    "a string": lambda value: isinstance(value, str),
    "an int >= 0, a SeedGenerator or None": _may_be_seed,
    "the name of a window, an array of numbers or None": _may_be_window,
}


@functools.lru_cache(maxsize=4096)
def _arguments_of(cls):
    """Of a constructor: the names of its arguments in order, what they must be by their defaults, also in its bases,
    and which of them have no default.
    """
    positional, kinds, needed = None, {}, []
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        if positional is None:
            positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            has_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            needed = (
                [] if has_any else [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            )
        for p in parameters:
            kinds.setdefault(p.name, _kind_of(p))
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    for name in getattr(cls, "_checked_otherwise", ()):
        kinds[name] = None
    return positional, kinds, needed


def _kind_of(parameter):
    if parameter.name in _KINDS:
        return _KINDS[parameter.name]
    if isinstance(parameter.default, bool):
        return "True or False"
    if not is_number(parameter.default):
        return None
    return "a number or NaN" if parameter.name in ("fill_value", "mask_value", "value") else "a number"


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
    if not _are_axes(value):
        raise ValueError(f"{kind}: {name} must be an int or a list of ints. Got {name}={value!r}.")
    return value


def sequence(kind, name, value, of):
    """The value as a list if it is a sequence, else a ValueError; `of` says of what."""
    if not isinstance(value, (list, tuple, range, np.ndarray)):
        raise ValueError(f"{kind}: {name} must be a list of {of}. Got {name}={value!r}.")
    return list(value)


def sizes(kind, name, value, smallest=-math.inf):
    """The value as a tuple if it is a sequence of ints >= smallest and Nones, else a ValueError."""
    found = sequence(kind, name, value, "sizes")
    if not all(size is None or (is_int(size) and size >= smallest) for size in found):
        bound = "" if smallest == -math.inf else f" >= {smallest}"
        raise ValueError(f"{kind}: {name} must hold ints{bound}, or None for any size. Got {name}={value!r}.")
    return tuple(found)


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
