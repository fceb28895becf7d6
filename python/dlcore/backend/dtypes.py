"""Names of dtypes and their promotion. Python numbers are weak: they follow the tensors they meet."""

import functools

import numpy as np

from dlcore.backend import config

DTYPES = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("uint8", "int8", "int32", "int64")
# The least and the greatest number of each.
RANGES = {name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in INTEGERS}
# Storage for NumPy dtypes that have no tensor of their own.
WIDENED = {"int16": "int32", "uint16": "int32", "uint32": "int64", "uint64": "int64", "float128": "float64"}
_ALIASES = {float: "float32", int: "int32", bool: "bool", "half": "float16", "float": "float32", "int": "int32"}


def standardize_dtype(dtype):
    """The name of a dtype given as a name, a NumPy dtype, a Python type or None (the default float)."""
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in DTYPES:
        return dtype
    if isinstance(dtype, (type, str)) and dtype in _ALIASES:
        return config.floatx() if dtype in (float, "float") else _ALIASES[dtype]
    try:
        name = getattr(dtype, "name", None) or np.dtype(dtype).name
    except TypeError:
        name = str(dtype).removeprefix("torch.")
    name = WIDENED.get(name, name)
    if name not in DTYPES:
        raise ValueError(f"Unknown dtype: {dtype!r}. Expected one of {', '.join(DTYPES)}.")
    return name


def is_float_dtype(dtype):
    """Whether a dtype (name, NumPy's or Python's) is one of floats."""
    return standardize_dtype(dtype) in FLOATS


def is_int_dtype(dtype):
    """Whether a dtype (name, NumPy's or Python's) is one of integers, bool not included."""
    return standardize_dtype(dtype) in INTEGERS


def float_dtype(dtype):
    """The dtype itself when it is a float, else the default float: what exp or mean of it gives."""
    return dtype if dtype in FLOATS else config.floatx()


def _promote_two(a, b):
    if a == b:
        return a
    if {a, b} == {"float16", "bfloat16"}:
        return "float32"
    if {a, b} == {"uint8", "int8"}:
        return "int32"
    return max(a, b, key=DTYPES.index)


@functools.lru_cache(maxsize=1024)
def _result_type(kinds, floatx):
    strong = [kind for kind in kinds if isinstance(kind, str)]
    weak = [kind for kind in kinds if not isinstance(kind, str)]
    if strong:
        result = functools.reduce(_promote_two, strong)
    else:
        result = floatx if float in weak else "int32" if int in weak else "bool"
    if float in weak and result not in FLOATS:
        return floatx
    if int in weak and result == "bool":
        return "int32"
    return result


def result_type(*dtypes):
    """The dtype in which values of these dtypes meet. `int`, `float` and `bool` stand for Python numbers.

    Of none at all it is `"float32"`.
    """
    if not dtypes:
        return "float32"
    kinds = tuple(kind if kind in (int, float, bool) else standardize_dtype(kind) for kind in dtypes)
    return _result_type(kinds, config.floatx())
