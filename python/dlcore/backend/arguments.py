"""Checks of constructor arguments that many classes share. Messages name class and argument, and what it must be."""

import functools
import importlib
import inspect
import math
import os
from collections.abc import Hashable

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
    """A ValueError for an argument of a constructor of the package that can't be what it must be.

    What that is says its default: a number (also an array or tensor of one, but not NaN) or a bool (also 0 and 1), and
    `_KINDS` for some names. None may be given where it is the default. Names of activations, initializers, regularizers
    and constraints must be known ones. A TypeError where an argument that has no default is
    missing, or one is given that the constructor does not have.
    """
    if not cls.__module__.startswith("dlcore.") or cls.__name__.startswith("_"):
        return
    positional, kinds, needed, takes_any = _arguments_of(cls)
    if not (args or kwargs or needed):
        return
    missing = [name for name in needed if name not in kwargs and name not in positional[: len(args)]]
    unknown = [name for name in kwargs if name not in kinds]
    if missing:
        hint = f" Got {unknown[0]!r}, which is no argument. {nearest_hint(unknown[0], kinds)}" if unknown else ""
        raise TypeError(f"{cls.__name__}: the argument {missing[0]!r} is missing.{hint}")
    if unknown and not takes_any:
        raise TypeError(f"{cls.__name__}: {unknown[0]!r} is no argument. {nearest_hint(unknown[0], kinds)}")
    for name, value in (*zip(positional, args), *kwargs.items()):
        expected, is_optional = kinds.get(name, (None, True))
        if value is None and is_optional:
            continue
        if expected is not None and not _CHECKS[expected](value):
            raise ValueError(f"{cls.__name__}: {name} must be {expected}. Got {name}={value!r}.")
        if expected is None or "int" in expected:
            _check_size(cls, name, value)
        if expected is None:
            _check_identifier(cls, name, value)


def _check_size(cls, name, value):
    if is_int(value) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{cls.__name__}: {name} must be an int of at most 64 bits. Got {name}={value!r}.")


def _check_identifier(cls, name, value):
    """Names the argument in the error for an unknown activation, initializer, regularizer or constraint."""
    module = _IDENTIFIERS.get(name.rsplit("_", 1)[-1])
    if module is None or callable(value) or hasattr(value, "__array__") or _is_config(value):
        return
    catalogue = importlib.import_module(f"dlcore.{module}")._catalogue
    try:
        catalogue.lookup(value) if isinstance(value, str) else catalogue.get(value)
    except ValueError as error:
        raise ValueError(f"{cls.__name__}: {name}: {error}") from None


def _is_scalar(value):
    """Whether it is a number, but NaN, or an array or a tensor of one."""
    if isinstance(value, (int, float, np.number)):
        return value == value
    return hasattr(value, "__float__") and getattr(value, "shape", ()) == ()


def _within(low, high=math.inf, of=_is_scalar):
    return lambda value: of(value) and low <= float(value) <= high


def _may_be_numbers(value):
    """Whether it is a number, but NaN, or an array or a list of them."""
    if isinstance(value, (list, tuple)):
        return all(_may_be_numbers(item) for item in value)
    return _is_scalar(value) or (hasattr(value, "__array__") and value.dtype != object)


def _may_be_seed(value):
    return (is_int(value) and value >= 0) or hasattr(value, "next") or _is_config(value)


def _may_be_window(value):
    return isinstance(value, str) or (hasattr(value, "__len__") and _may_be_numbers(value))


def _is_config(value):
    return isinstance(value, dict) and "class_name" in value


def _are_axes(value):
    return is_int(value) or (isinstance(value, (list, tuple)) and all(is_int(axis) for axis in value))


def _is_nan(value):
    return isinstance(value, (float, np.floating)) and value != value


# The module of an argument whose name ends so.
_IDENTIFIERS = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
# What the arguments are whose default does not say it.
_KINDS = {
    name: kind
    for kind, names in {
        "a string": "name monitor encoding separator root path field student_layer_name teacher_layer_name",
        "an int": "ignore_class",
        "a path": "filename filepath backup_dir log_dir",
        "a dict": "headers renorm_clipping",
        "True or False": "flash_attention has_input_vocabulary",
        "a list of strings": "exclude_layers stateful_metrics stateless_metrics",
        "an int >= 0": "class_id ndim min_ndim max_ndim patience cooldown start_from_epoch embeddings_freq "
        "histogram_freq ns_steps num_oov_indices target workers max_queue_size",
        "an int > 0": "k top_k num_labels dynamic_growth_steps power_iterations",
        "0, 1 or 2": "verbose",
        "a number": "baseline initial_value_threshold warmup_target max_freq initial_learning_rate decay_rate",
        "a number > 0": "delta initial_scale mag_exp min_power ref_power t_mul",
        "a number >= 0": "epsilon epsilon_1 epsilon_2 clip_threshold clip_limit min_lr m_mul warmup_steps rms_rate "
        "weight_decay adam_weight_decay gamma max_value min_value interval",
        "a number in [0, 1]": "momentum renorm_momentum beta_1 beta_2 adam_beta_1 adam_beta_2 rho label_smoothing",
        "a number or NaN": "fill_value mask_value",
        "a number or a list of numbers": "offset",
        "a number or a list of numbers, NaN too": "value",
        "an int or a list of ints": "axis input_axes output_axes shared_axes",
        "an int >= 0, a SeedGenerator or None": "seed",
        "the name of a window, an array of numbers or None": "window",
        "a function": "schedule fn on_epoch_begin on_epoch_end on_train_begin on_train_end on_train_batch_begin "
        "on_train_batch_end",
    }.items()
    for name in names.split()
}
# Numbers, pairs and lists of sizes, which constructors check.
_CHECKED_BY_CONSTRUCTORS = set(
    "factor x_factor y_factor addition_factor threshold_factor scale sigma kernel_size strides dilation_rate pool_size "
    "size padding cropping".split()
)
# Who may be None though that isn't their default.
_OPTIONAL = set("name axis window target l1 l2 rms_rate weight_decay block_size num_thresholds".split())
_OF_NUMBERS = {"a number or NaN", "a number or a list of numbers", "a number or a list of numbers, NaN too"}
_CHECKS = {
    "a number": _is_scalar,
    "a number > 0": lambda value: _is_scalar(value) and float(value) > 0,
    "a number >= 0": _within(0),
    "a number in [0, 1]": _within(0, 1),
    "a number or NaN": lambda value: _is_nan(value) or _is_scalar(value),
    "a number or a list of numbers": _may_be_numbers,
    "a number or a list of numbers, NaN too": lambda value: _is_nan(value) or _may_be_numbers(value),
    "an int": is_int,
    "an int >= 0": _within(0, of=is_int),
    "an int > 0": _within(1, of=is_int),
    "0, 1 or 2": lambda value: isinstance(value, (bool, int)) and value in (0, 1, 2),
    "an int or a list of ints": _are_axes,
    "a function": lambda value: callable(value) or _is_config(value),
    "True or False": lambda value: isinstance(value, (bool, np.bool_)) or (is_int(value) and value in (0, 1)),
    "a string": lambda value: isinstance(value, str),
    "a path": lambda value: isinstance(value, (str, os.PathLike)),
    "a dict": lambda value: isinstance(value, dict),
    "a list of strings": lambda value: isinstance(value, (list, tuple, set)) and all(isinstance(s, str) for s in value),
    "a name": lambda value: isinstance(value, Hashable) or _is_config(value),
    "an int >= 0, a SeedGenerator or None": _may_be_seed,
    "the name of a window, an array of numbers or None": _may_be_window,
}


@functools.lru_cache(maxsize=4096)
def _arguments_of(cls):
    """Of a constructor: the names of its arguments in order; what each must be and whether it may be None, also in its
    bases; which of them have no default; and whether it takes others too.
    """
    positional, kinds, needed, takes_any = None, {}, [], True
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        if positional is None:
            positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            has_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
            needed = (
                [] if has_any else [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
            )
        for p in parameters:
            kinds.setdefault(p.name, (_kind_of(p), p.default is None or p.name in _OPTIONAL))
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    for name in getattr(cls, "_checked_otherwise", ()):
        kinds[name] = (None, True)
    return positional, kinds, needed, takes_any


def _kind_of(parameter):
    """What an argument must be, None where its constructor says so itself."""
    default, kind = parameter.default, _KINDS.get(parameter.name)
    if isinstance(default, bool):
        return "True or False"
    if parameter.name in _CHECKED_BY_CONSTRUCTORS:
        return None
    if default is None or default is parameter.empty:
        # Where the default is not such a number, the name may mean something else.
        return None if kind in _OF_NUMBERS else kind
    if kind is not None and _CHECKS[kind](default):
        return kind
    if isinstance(default, str) and parameter.name.rsplit("_", 1)[-1] not in _IDENTIFIERS:
        return "a name"  # of some, which the constructor knows
    return "a number" if is_number(default) else None


def numbers(kind, name, value):
    """The value if it is a number, or an array or a list of numbers, else a ValueError."""
    if not _may_be_numbers(value):
        raise ValueError(f"{kind}: {name} must be a number or a list of numbers. Got {name}={value!r}.")
    return value


def number(kind, name, value, low=-math.inf, high=math.inf):
    """The value if it is a number in [low, high], else a ValueError."""
    if not is_number(value) or not low <= value <= high:
        bounds = f" in [{low}, {high}]" if high < math.inf else f" >= {low}" if low > -math.inf else ""
        raise ValueError(f"{kind}: {name} must be a number{bounds}. Got {name}={value!r}.")
    return value


def int_from(kind, name, value, low=-math.inf):
    """The value if it is an int >= low, else a ValueError."""
    if not is_int(value) or value < low:
        bound = "" if low == -math.inf else f" >= {low}"
        raise ValueError(f"{kind}: {name} must be an int{bound}. Got {name}={value!r}.")
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
    """The value in lower case if it is one of the strings, else a ValueError that lists them."""
    lowered = value.lower() if isinstance(value, str) else value
    if isinstance(value, np.ndarray) or lowered not in choices:
        hint = nearest_hint(str(value), list(choices), others=True)
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
