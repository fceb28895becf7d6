"""Putting elements elsewhere: turning, rolling, repeating, padding."""

import numpy as np

from dlcore import _core, backend
from dlcore.ops._common import axes_of, own_names, resolve_axis, sizes_of, tensor
from dlcore.ops.arithmetic import floor, multiply
from dlcore.ops.arithmetic import round as round_to_even
from dlcore.ops.indexing import take
from dlcore.ops.operation import UnknownSizeError, operation
from dlcore.ops.reductions import amax, amin, mean
from dlcore.ops.shapes import concatenate, expand_dims, ravel, reshape, split, swapaxes


@operation
def flip(x, axis=None):
    """Reversed along the axes."""
    x = tensor(x)
    return _core.apply("flip", [x], axes=list(range(x.ndim)) if axis is None else axes_of(axis))


@operation
def fliplr(x):
    """Reversed along axis 1."""
    return flip(x, 1)


@operation
def flipud(x):
    """Reversed along axis 0."""
    return flip(x, 0)


@operation
def rot90(array, k=1, axes=(0, 1)):
    """Turned k times by 90 degrees, from the first of the two axes towards the second."""
    x = tensor(array)
    first, second = (resolve_axis(a, x.ndim) for a in axes)
    if first == second:
        raise ValueError(f"rot90: the two axes must differ. Received: axes={axes}")
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return flip(x, (first, second))
    if k % 4 == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second)


@operation
def roll(x, shift, axis=None):
    """Shifted along an axis; what falls off comes back at the other end.

    Args:
        x: the tensor.
        shift: int, or one for each of several axes: positive towards the end.
        axis: int, several, or None (default): of the flat tensor.
    """
    if axis is None:
        x = tensor(x)
        return reshape(roll(ravel(x), shift, 0), x.shape)
    x = tensor(x)
    shifts = axes_of(shift)
    axes = [resolve_axis(a, x.ndim) for a in axes_of(axis)]
    for a, s in zip(axes, shifts * len(axes) if len(shifts) == 1 else shifts):
        cut = x.shape[a] - s % x.shape[a] if x.shape[a] else 0
        if cut not in (0, x.shape[a]):
            first, last = split(x, [cut], a)
            x = concatenate([last, first], a)
    return x


@operation
def tile(x, repeats):
    """Repeated as a whole along the axes.

    Args:
        x: tensor.
        repeats: int or tuple of ints: how often along each of the last axes.
    """
    x = tensor(x)
    counts = sizes_of(repeats)
    if len(counts) < x.ndim:
        counts = [1] * (x.ndim - len(counts)) + counts
    elif len(counts) > x.ndim:
        x = reshape(x, [1] * (len(counts) - x.ndim) + list(x.shape))
    return _core.apply("tile", [x], repeats=counts)


@operation
def repeat(x, repeats, axis=None):
    """Each element (slice) repeated.

    Args:
        x: the tensor.
        repeats: int, or one int for each slice along the axis.
        axis: int or None (default): of the flat tensor.
    """
    x = tensor(x)
    if axis is None or (x.ndim == 0 and axis in (0, -1)):
        x, axis = ravel(x), 0
    axis = resolve_axis(axis, x.ndim)
    counts = np.ravel(backend.convert_to_numpy(repeats))
    if len(counts) != 1:
        if x.shape[axis] not in (None, len(counts)):
            raise ValueError(
                f"repeat: repeats holds {len(counts)} numbers, but axis {axis} of x has the size {x.shape[axis]}. "
                "Give one for each slice, or one for all."
            )
        return take(x, np.repeat(np.arange(len(counts)), counts), axis)
    repeats = counts.item()
    spread = tile(expand_dims(x, axis + 1), [repeats if a == axis + 1 else 1 for a in range(x.ndim + 1)])
    shape = list(x.shape)
    shape[axis] = -1 if shape[axis] is None else shape[axis] * repeats
    return reshape(spread, shape)


@operation
def pad(x, pad_width, mode="constant", constant_values=None):
    """Elements put before and after, along each axis.

    Args:
        x: the tensor.
        pad_width: ((before, after), ...) for each axis; one pair, or one int, for all.
        mode: `"constant"` (default) or `"empty"`; `"reflect"` and `"symmetric"`: mirrored at the ends, without and with
            the element there; `"edge"`: the elements at the ends; `"wrap"` or `"circular"`: those at the other end;
            `"maximum"`, `"minimum"`, `"mean"` or `"median"` of the axis; `"linear_ramp"`: from those at the ends to 0.
        constant_values: number, default 0: of the mode `"constant"`.
    """
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width, dtype="int64"), (x.ndim, 2)).tolist()
    if constant_values is not None and mode != "constant":
        raise ValueError(f'pad: constant_values are of the mode "constant". Received: mode={mode!r}')
    if mode not in _MODES:
        raise ValueError(f"pad: unknown mode {mode!r}. {backend.nearest_hint(str(mode), _MODES, others=True)}")
    kept = {"empty": "constant", "circular": "wrap"}.get(mode, mode)
    for axis, (width, size) in enumerate(zip(widths, x.shape)):
        if kept in _COMPUTED:
            x = _pad_with(_COMPUTED[kept], x, axis, width)
        elif kept in _REPEATED or (kept in _MIRRORED and size and max(width) > size - _MIRRORED[kept]):
            x = _pad_with_elements(x, axis, width, kept)
        else:
            continue
        widths[axis] = [0, 0]
    if kept in _COMPUTED or kept in _REPEATED:
        return x
    low, high = [w[0] for w in widths], [w[1] for w in widths]
    value = 0.0 if constant_values is None else float(backend.convert_to_numpy(constant_values))
    return _core.apply("pad", [x], low=low, high=high, mode=kept, value=value)


def _pad_with(computed, x, axis, width):
    """x between computed(x, axis, n): what comes before it, and, of what is reversed, after it."""
    if not any(width):
        return x
    before, after = computed(x, axis, width[0]), flip(computed(flip(x, axis), axis, width[1]), axis)
    return concatenate([backend.convert_to_tensor(before, x.dtype), x, backend.convert_to_tensor(after, x.dtype)], axis)


def _statistic(function):
    def repeated(x, axis, n):
        value = function(x, axis=axis, keepdims=True)
        return repeat(value if backend.is_float_dtype(x.dtype) else round_to_even(value), n, axis)

    return repeated


def _median(x, axis, keepdims):
    from dlcore.ops.statistics import median  # which flips

    return median(x, axis=axis, keepdims=keepdims)


def _ramp(x, axis, n):
    """From 0 to the first element, which is not part of it."""
    shares = np.reshape(np.arange(n) / max(n, 1), [n if a == axis else 1 for a in range(x.ndim)])
    ramp = multiply(take(x, [0], axis), backend.convert_to_tensor(shares, "float32"))
    return ramp if backend.is_float_dtype(x.dtype) else floor(ramp)


# How many elements at an end are not repeated.
_MIRRORED = {"reflect": 1, "symmetric": 0}
_REPEATED = ("edge", "wrap")
_COMPUTED = {
    "maximum": _statistic(amax),
    "minimum": _statistic(amin),
    "mean": _statistic(mean),
    "median": _statistic(_median),
    "linear_ramp": _ramp,
}
_MODES = ("constant", "empty", *_MIRRORED, *_REPEATED, "circular", *_COMPUTED)


def _pad_with_elements(x, axis, width, mode):
    if not any(width):
        return x
    if x.shape[axis] is None:
        raise UnknownSizeError(f'pad: the size of axis {axis} of {x} must be known for the mode "{mode}".')
    return take(x, np.pad(np.arange(x.shape[axis]), width, mode), axis)


__all__ = own_names(globals())
