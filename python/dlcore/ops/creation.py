"""Tensors made from sizes and numbers: filled, evenly spaced, windows."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend.dtypes import INTEGERS
from dlcore.backend.variables import Variable
from dlcore.ops._common import as_floats, binary, own_names, resolve_axis, sizes_of, tensor, unary
from dlcore.ops.operation import UnknownSizeError, inference, operation
from dlcore.ops.shapes import expand_dims

# ---- filled


def array(x, dtype=None):
    """A tensor of x.

    Args:
        x: number, list, array or tensor.
        dtype: default that of x.
    """
    return _copy(x, dtype) if isinstance(x, backend.KerasTensor) else backend.convert_to_tensor(x, dtype)


@operation
def _copy(x, dtype):
    return backend.convert_to_tensor(x, dtype)


@operation
def copy(x):
    """A tensor with elements of its own."""
    return unary("copy", x)


@operation
def full(shape, fill_value, dtype=None):
    """All of one value.

    Args:
        shape: tuple of ints.
        fill_value: number or tensor that is broadcast.
        dtype: default `floatx()`.
    """
    value = backend.convert_to_tensor(fill_value, dtype or backend.floatx())
    return _core.apply("broadcast_to", [value], shape=sizes_of(shape))


def zeros(shape, dtype=None):
    """All 0.

    Args:
        shape: tuple of ints.
        dtype: default `floatx()`.
    """
    return full(shape, 0, dtype)


def ones(shape, dtype=None):
    """All 1.

    Args:
        shape: tuple of ints.
        dtype: default `floatx()`.
    """
    return full(shape, 1, dtype)


def empty(shape, dtype=None):
    """All 0.

    Args:
        shape: tuple of ints.
        dtype: default `floatx()`.
    """
    return zeros(shape, dtype)


@operation
def full_like(x, fill_value, dtype=None):
    """A value in x's shape and dtype."""
    x = tensor(x)
    dtype = backend.standardize_dtype(dtype) if dtype else x.dtype
    if isinstance(fill_value, (bool, int, float)):
        return _core.apply("full_like", [x], value=float(fill_value), dtype=dtype)
    return _core.apply("broadcast_like", [backend.convert_to_tensor(fill_value, dtype), x])


@operation
def zeros_like(x, dtype=None):
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype)


@operation
def ones_like(x, dtype=None):
    """1 in x's shape and dtype."""
    return full_like(x, 1, dtype)


@operation
def empty_like(x, dtype=None):
    """0 in x's shape and dtype."""
    return full_like(x, 0, dtype)


# ---- evenly spaced numbers


def arange(start, stop=None, step=None, dtype=None):
    """start, start + step, ... below stop; with start alone, 0, 1, ... below it. int32 for ints, else `floatx()`.

    Args:
        start, stop, step: numbers; with one of them it is stop, and start is 0.
        dtype: default that in which the numbers meet.

    Raises:
        ValueError: `step` is 0, or in a traced function the end is a number that is not known.
    """
    given = [v for v in (start, stop, step) if v is not None]
    start, stop, step = (v if v is None else backend.convert_to_numpy(v).item() for v in (start, stop, step))
    if step == 0:
        raise ValueError(f"arange: step must not be 0. Received: start={start}, stop={stop}, step={step}")
    if stop is None and inference.sizes_are_unknown and (start is None or start <= 1):
        # A lone number is the end of the range; 0 or 1 is rather the start of one up to a size that is not known.
        # infer_outputs then tries with numbers.
        raise UnknownSizeError(
            "arange: the end of the range is a size that is not known while the model is being built."
        )
    if dtype is None:
        kinds = [v.dtype if backend.is_tensor(v) else type(backend.convert_to_numpy(v).item()) for v in given]
        dtype = backend.result_type(*kinds)
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return backend.convert_to_tensor(values, dtype)


@operation
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """num evenly spaced numbers from start to stop.

    Args:
        start, stop: numbers, arrays or tensors whose shapes broadcast.
        num: int, default 50.
        endpoint: bool, default True: stop is the last of them.
        retstep: bool, default False: also return the distance.
        dtype: default: the float dtype in which start and stop meet.
        axis: int, default 0: their axis, where start and stop are arrays.
    """
    ends, dtype, are_tensors = _ends(start, stop, dtype)
    if are_tensors:
        (start, stop), weights = _spread(*ends, num, endpoint, axis)
        values = binary("add", binary("mul", start, tensor(1.0 - weights)), binary("mul", stop, tensor(weights)))
        step = binary("div", binary("sub", *reversed(ends)), num - bool(endpoint))
    else:
        values, step = np.linspace(*ends, num, endpoint=endpoint, retstep=True, axis=axis)
    if backend.standardize_dtype(dtype) in INTEGERS:
        values = _core.apply("floor", [values]) if are_tensors else np.floor(values)
    result = backend.convert_to_tensor(values, dtype)
    return (result, backend.convert_to_tensor(step, result.dtype)) if retstep else result


def _ends(start, stop, dtype):
    """Both as float64 arrays, or as tensors where one is; the dtype, default the float dtype in which they meet; which.

    Gradients flow through tensors, and they may be traced.
    """
    are_tensors = any(backend.is_tensor(v) or isinstance(v, Variable) for v in (start, stop))
    ends = [v if isinstance(v, (int, float)) else tensor(v) for v in (start, stop)]
    dtype = dtype or backend.result_type(*(getattr(v, "dtype", type(v)) for v in ends), float)
    if are_tensors:
        return as_floats(*ends), dtype, True
    return [np.asarray(backend.convert_to_numpy(v), "float64") for v in ends], dtype, False


def _spread(start, stop, num, endpoint, axis):
    """Both in one shape, with a new axis for the numbers, and how much of `stop` each of these is, along that axis."""
    both = binary("add", start, stop)
    axis = resolve_axis(axis, both.ndim + 1)
    ends = [expand_dims(_core.apply("broadcast_like", [v, both]), axis) for v in (start, stop)]
    weights = np.arange(num) / max(num - bool(endpoint), 1)
    shape = [-1 if a == axis else 1 for a in range(both.ndim + 1)]
    return ends, weights.reshape(shape).astype("float64" if both.dtype == "float64" else "float32")


@operation
def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """num numbers evenly spaced in their logarithms, from base^start to base^stop.

    `start`, `stop`, `num`, `endpoint`, `dtype` and `axis` are as of `linspace`.
    """
    ends, dtype, are_tensors = _ends(start, stop, dtype)
    if are_tensors:
        return backend.convert_to_tensor(binary("pow", float(base), linspace(*ends, num, endpoint, axis=axis)), dtype)
    return backend.convert_to_tensor(np.logspace(*ends, num, endpoint=endpoint, base=base, axis=axis), dtype)


@operation
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """num numbers from start to stop, each the same factor greater than the last.

    Args:
        start, stop: numbers or tensors.
        num: int, default 50.
        endpoint: bool, default True: stop is the last number.
        dtype: default: the float dtype in which start and stop meet.
        axis: int, default 0: the axis of the numbers.
    """
    ends, dtype, are_tensors = _ends(start, stop, dtype)
    if are_tensors:
        (start, stop), weights = _spread(*ends, num, endpoint, axis)
        values = binary("mul", start, binary("pow", binary("div", stop, start), tensor(weights)))
        return backend.convert_to_tensor(values, dtype)
    return backend.convert_to_tensor(np.geomspace(*ends, num, endpoint=endpoint, axis=axis), dtype)


# ---- matrices of 0 and 1


def eye(N, M=None, k=0, dtype=None):
    """The matrix (N, M), default (N, N), with 1 on the k-th diagonal, else 0; dtype default `floatx()`."""
    return backend.convert_to_tensor(np.eye(N, M, k=k, dtype="float32"), dtype or backend.floatx())


def identity(n, dtype=None):
    """1 on the diagonal, else 0.

    Args:
        n: int: the number of rows and columns.
        dtype: default `floatx()`.
    """
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """The matrix (N, M), default (N, N), with 1 on and below the k-th diagonal, else 0; dtype default `floatx()`."""
    return backend.convert_to_tensor(np.tri(N, M, k=k, dtype="float32"), dtype or backend.floatx())


# ---- windows of n numbers


def _cosine_window(name, x, coefficients):
    n = int(backend.convert_to_numpy(x))
    if n < 0:
        raise ValueError(f"{name}: the number of points must not be negative. Received: {n}")
    turn = 2.0 * math.pi * np.arange(n) / max(n - 1, 1)
    values = sum(c * (-1) ** k * np.cos(k * turn) for k, c in enumerate(coefficients))
    return backend.convert_to_tensor(np.ones(n) if n == 1 else values, backend.floatx())


def hanning(x):
    """The Hann window of x points: 1/2 - 1/2 cos."""
    return _cosine_window("hanning", x, (0.5, 0.5))


def hamming(x):
    """The Hamming window of x points: 0.54 - 0.46 cos."""
    return _cosine_window("hamming", x, (0.54, 0.46))


def blackman(x):
    """The Blackman window of x points."""
    return _cosine_window("blackman", x, (0.42, 0.5, 0.08))


def bartlett(x):
    """The triangular window of x points, 0 at its ends."""
    return backend.convert_to_tensor(np.bartlett(int(backend.convert_to_numpy(x))), backend.floatx())


def kaiser(x, beta):
    """The Kaiser window of x points; beta says how narrow it is."""
    values = np.kaiser(int(backend.convert_to_numpy(x)), float(backend.convert_to_numpy(beta)))
    return backend.convert_to_tensor(values, backend.floatx())


__all__ = own_names(globals())
