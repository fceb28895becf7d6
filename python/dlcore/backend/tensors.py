"""Tensors from and to Python and NumPy."""

import numpy as np

from dlcore import _core
from dlcore.backend import config, dtypes

Tensor = _core.Tensor
NUMBERS = (bool, int, float)


def is_tensor(x):
    """Whether x is a tensor, concrete or traced."""
    return isinstance(x, Tensor)


def convert_to_tensor(x, dtype=None):
    """A tensor of x: a tensor, variable, number, array or (nested) list of these.

    Python floats become the default float type, Python integers int32; arrays keep their dtype. NumPy arrays are
    copied; tensors of other libraries, through DLPack, share their memory where it is row-major and 64-byte aligned.
    """
    if dtype is not None:
        dtype = dtypes.standardize_dtype(dtype)
    if type(x) is Tensor:
        return x if dtype is None or x.dtype == dtype else _core.apply("cast", [x], dtype=dtype)
    if hasattr(x, "__dlcore_tensor__"):
        return convert_to_tensor(x.__dlcore_tensor__(), dtype)
    if isinstance(x, NUMBERS):
        if dtype in ("uint8", "int8"):
            _check_range(x, x, dtype)
        return scalar(x, dtype or dtypes.result_type(_weak_type(x)))
    if isinstance(x, (list, tuple)) and _holds_tensors(x):
        return _stack(x, dtype)
    return _from_array(x, dtype)


def scalar(number, dtype):
    """A tensor of rank 0."""
    if not -(2**31) <= number < 2**31:  # or NaN
        if dtype in dtypes.INTEGERS:
            _check_range(number, number, dtype)
        if isinstance(number, int) and abs(number) > 2**53:
            return _core.tensor(np.array(number, dtype=dtype))
    return _core.scalar(number, dtype)


def _check_range(least, greatest, dtype):
    """Raises an OverflowError for a Python number that an integer dtype does not hold."""
    low, high = dtypes.RANGES[dtype]
    for number in (least, greatest):
        if not low - 1 < number < high + 1:
            raise OverflowError(
                f"{number} does not fit into {dtype}, which holds {low} ... {high}. Choose a wider dtype."
            )


def _weak_type(number):
    return bool if isinstance(number, bool) else int if isinstance(number, int) else float


def _holds_tensors(items):
    return any(
        isinstance(item, Tensor)
        or hasattr(item, "__dlcore_tensor__")
        or (isinstance(item, (list, tuple)) and _holds_tensors(item))
        for item in items
    )


def _stack(items, dtype):
    tensors = promote(*[item if isinstance(item, NUMBERS) else convert_to_tensor(item) for item in items])
    rows = [_core.apply("reshape", [t], shape=[1, *(-1 if s is None else s for s in t.shape)]) for t in tensors]
    return convert_to_tensor(_core.apply("concat", rows, axis=0), dtype)


def _from_array(x, dtype):
    if hasattr(x, "__dlpack__") and not isinstance(x, (np.ndarray, np.generic)):
        return convert_to_tensor(_core.from_dlpack(_read(type(x).__dlpack__, x)), dtype)
    array = _as_array(x)
    if array.dtype.kind in "OSU":
        raise TypeError(
            f"Can't make a tensor of {type(x).__name__} {_short(x)}: its elements are no numbers "
            f"(NumPy dtype {array.dtype}). Nested lists must have rows of equal lengths; encode text as integers, "
            "such as with the layers StringLookup or TextVectorization, which take lists and arrays."
        )
    if dtype is None:
        dtype = _default_dtype(x, array)
    elif dtype in dtypes.INTEGERS and isinstance(x, (list, tuple)) and array.size and not _holds_arrays(x):
        _check_range(array.min(), array.max(), dtype)
    return _core.tensor(array.astype(dtypes.WIDENED.get(array.dtype.name, array.dtype), copy=False), dtype)


def _short(x):
    text = " ".join(repr(x).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _default_dtype(x, array):
    if isinstance(x, (list, tuple)) and not _holds_arrays(x):
        if array.dtype == np.float64:
            return config.floatx()
        if array.dtype == np.int64:
            return "int32" if array.size == 0 or np.abs(array).max() < 2**31 else "int64"
    return dtypes.standardize_dtype(array.dtype)


def _holds_arrays(items):
    return any(
        isinstance(item, (np.ndarray, np.generic)) or (isinstance(item, (list, tuple)) and _holds_arrays(item))
        for item in items[:1]
    )


def promote(*values):
    """Tensors of one dtype, that in which the values meet."""
    values = [v if type(v) is Tensor or isinstance(v, NUMBERS) else convert_to_tensor(v) for v in values]
    dtype = dtypes.result_type(*[v.dtype if type(v) is Tensor else _weak_type(v) for v in values])
    return [convert_to_tensor(v, dtype) if type(v) is Tensor else scalar(v, dtype) for v in values]


def convert_to_numpy(x):
    """A NumPy array of the elements of x: a tensor, variable, number, array, data frame or (nested) list."""
    if isinstance(x, np.ndarray):
        return x
    if type(x) is Tensor:
        return x.numpy()
    if hasattr(x, "__dlcore_tensor__"):
        return x.__dlcore_tensor__().numpy()
    if isinstance(x, (list, tuple)) and _holds_tensors(x):
        return np.stack([convert_to_numpy(item) for item in x])
    return x.to_numpy() if hasattr(x, "to_numpy") else _as_array(x)


def _read(read, x):
    """read(x); tensors of other frameworks give errors for it while these trace or differentiate a function.

    Raises:
        TypeError: x can't be read. A ValueError of read(), as of ragged lists, stays what it is.
    """
    try:
        return read(x)
    except Exception as error:
        if isinstance(error, ValueError) or type(x).__module__ == "builtins":
            raise
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise TypeError(
            f"Can't read {type(x).__name__} {_short(x)}: {reason}. What dlcore computes is no part of what another "
            "framework traces or differentiates: take gradients with dlcore.GradientTape; steps are compiled without "
            "jax.jit and tf.function."
        ) from error


def _as_array(x):
    if hasattr(x, "toarray"):  # SciPy's sparse matrices
        return x.toarray()
    try:
        return _read(np.asarray, x)
    except ValueError as error:
        if not isinstance(x, (list, tuple)):
            raise
        raise ValueError(
            f"Can't make an array of {type(x).__name__} {_short(x)}: {error} Rows must have one length: pad them, such "
            "as with utils.pad_sequences."
        ) from None
