"""Elements by their places: indices along an axis, and x[key]."""

import operator

import numpy as np

from dlcore import _core, backend
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.tensors import Tensor
from dlcore.errors import NotTraceable
from dlcore.ops._common import TO_THE_END, as_indices, own_names, resolve_axis, tensor
from dlcore.ops.arithmetic import floor_divide, mod
from dlcore.ops.operation import operation
from dlcore.ops.shapes import broadcast_to, ravel


@operation
def take(x, indices, axis=None):
    """The slices at the indices along an axis.

    Args:
        x: tensor, or what can be made one.
        indices: integers of any shape, which stands in the result in place of the axis; negative ones from the end.
        axis: int, or None (default): the elements of x in a row.
    """
    x = tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    return _core.apply("gather", [x, as_indices(indices)], axis=resolve_axis(axis, x.ndim), mode="raise")


def rows_of(table, indices):
    """The rows of a table, as `take` along axis 0 but that a negative index is an error."""
    return _core.apply("gather", [tensor(table), as_indices(indices)], axis=0, mode="strict")


@operation
def take_along_axis(x, indices, axis=None):
    """The elements at the indices, which have x's shape but along the axis; sizes of 1 are broadcast."""
    x, indices = tensor(x), as_indices(indices)
    if axis is None:
        return _core.apply("gather_along", [ravel(x), ravel(indices)], axis=0)
    axis = resolve_axis(axis, x.ndim)
    sizes = list(enumerate(zip(indices.shape, x.shape)))
    shape = [i if a == axis or n == 1 else n for a, (i, n) in sizes]
    if list(indices.shape) != shape:
        indices = broadcast_to(indices, shape)
    rows = [n if a == axis else shape[a] for a, (_, n) in sizes]
    if list(x.shape) != rows:
        x = broadcast_to(x, rows)
    return _core.apply("gather_along", [x, indices], axis=axis)


@operation
def unravel_index(indices, shape):
    """The tuple of indices along each axis for indices into the flat tensor."""
    rest, places = tensor(indices), []
    for size in reversed(shape):
        places.append(mod(rest, size))
        rest = floor_divide(rest, size)
    return tuple(reversed(places))


# ---- x[key] with Python's and NumPy's keys: integers, slices, None, Ellipsis, arrays of integers, masks


@operation
def get_item(x, key):
    """x[key]."""
    x = tensor(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [_standardize(k) for k in keys]
    keys = _without_masks(_fill_ellipsis(keys, x), x.shape)
    x, keys = _basic(x, keys)
    return x if not any(_is_array(k) for k in keys) else _advanced(x, keys)


def _standardize(key):
    """Numbers to int, lists and arrays to index tensors, masks to NumPy's."""
    if key is None or key is Ellipsis or isinstance(key, slice):
        return key
    if isinstance(key, (int, np.integer)) and not isinstance(key, (bool, np.bool_)):
        return int(key)
    if isinstance(key, str):
        raise _no_index(key)
    array = backend.convert_to_tensor(key)
    if array.dtype == "bool":
        if array.is_symbolic:
            raise NotTraceable(
                "x[mask]: how many elements a mask selects is not known in a traced function; use where()."
            )
        return array.numpy()
    if not backend.is_int_dtype(array.dtype) and 0 not in array.shape:  # an empty list has no dtype of its own
        raise _no_index(key)
    return as_indices(array)


def _no_index(key):
    return IndexError(
        "x[key] takes integers, slices, None, ..., and arrays of integers or bools. "
        f"Got {key!r} (of type {type(key).__name__}). A quotient is an integer with //."
    )


def _is_array(key):
    return type(key) is Tensor


def _fill_ellipsis(keys, x):
    """One key per axis of x, besides the Nones."""
    taken = sum(k.ndim if isinstance(k, np.ndarray) else k is not None and k is not Ellipsis for k in keys)
    if taken > x.ndim:
        raise IndexError(f"Too many indices: {taken} for a tensor of shape {x.shape}.")
    missing = [slice(None)] * (x.ndim - taken)
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(places) > 1:
        raise IndexError("An index can have only one Ellipsis (...).")
    at = places[0] if places else len(keys)
    return keys[:at] + missing + keys[at + 1 :]


def _without_masks(keys, shape):
    """Masks as the indices where they hold, a tensor for each of their axes."""
    plain, axis = [], 0
    for key in keys:
        if not isinstance(key, np.ndarray):
            plain.append(key)
            axis += key is not None
            continue
        sizes = tuple(shape[axis : axis + key.ndim])
        if key.ndim == 0 or any(size not in (None, masked) for size, masked in zip(sizes, key.shape)):
            raise IndexError(f"x[mask]: a mask of shape {key.shape} can't select from axes of the sizes {sizes}.")
        plain.extend(backend.convert_to_tensor(places, "int32") for places in np.nonzero(key))
        axis += key.ndim
    return plain


def _basic(x, keys):
    """Applies integers, slices and None. Returns the rest: arrays, and full slices for the other axes."""
    attrs = {"starts": [], "stops": [], "strides": []}
    shape, rest = [], []
    for key, size in zip((k for k in keys if k is not None), x.shape):
        start, stop, stride = _range(key, size)
        attrs["starts"].append(start)
        attrs["stops"].append(stop)
        attrs["strides"].append(stride)
    if any(isinstance(k, int) or (isinstance(k, slice) and k != slice(None)) for k in keys):
        x = _core.apply("slice", [x], **attrs)
    axis = 0
    for key in keys:
        if key is None:
            shape.append(1)
            rest.append(slice(None))
            continue
        if not isinstance(key, int):
            shape.append(x.shape[axis])
            rest.append(key if _is_array(key) else slice(None))
        axis += 1
    if any(k is None or isinstance(k, int) for k in keys):
        x = _core.apply("reshape", [x], shape=[-1 if size is None else size for size in shape])
    return x, rest


def _range(key, size):
    if isinstance(key, int):
        if size is not None and not -size <= key < size:
            raise IndexError(f"Index {key} is out of bounds for an axis of size {size}.")
        return key, TO_THE_END if key == -1 else key + 1, 1
    if not isinstance(key, slice):
        return 0, TO_THE_END, 1
    stride = 1 if key.step is None else _bound(key.step)
    if stride == 0:
        raise ValueError("The step of a slice can't be zero.")
    start = (0 if stride > 0 else -1) if key.start is None else _bound(key.start)
    return start, TO_THE_END if key.stop is None else _bound(key.stop), stride


def _bound(value):
    if isinstance(value, KerasTensor) or (type(value) is Tensor and value.is_symbolic):
        raise NotTraceable(
            f"x[start:stop]: the bounds say how large the result is, so they must be numbers. Got {value!r}, which is "
            "not known while the model is built or traced. Take a piece of a fixed size with ops.slice(x, "
            "start_indices, shape), whose start may be a tensor, or choose elements by a mask, such as with ops.where."
        )
    try:
        return operator.index(value)
    except TypeError:
        raise _no_index(value) from None


def _advanced(x, keys):
    """Arrays of indices: one is a gather along its axis, several are broadcast and taken together."""
    axes = [a for a, k in enumerate(keys) if _is_array(k)]
    if len(axes) == 1:
        return _core.apply("gather", [x, keys[axes[0]]], axis=axes[0])
    together = axes == list(range(axes[0], axes[-1] + 1))
    order = axes + [a for a in range(x.ndim) if a not in axes]
    sizes = [x.shape[a] for a in axes]
    x = _core.apply("transpose", [x], permutation=order)
    x = _core.apply("reshape", [x], shape=[-1, *(-1 if s is None else s for s in x.shape[len(axes) :])])
    rows = None
    for key, size in zip((keys[a] for a in axes), sizes):
        # Gathered from the places themselves: negative indices count from the end, those out of range are an error.
        key = _core.apply("gather", [backend.convert_to_tensor(np.arange(size), key.dtype), key], axis=0)
        key, count = backend.promote(key, backend.convert_to_tensor(size, key.dtype))
        rows = key if rows is None else _core.apply("add", [_core.apply("mul", [rows, count]), key])
    result = _core.apply("gather", [x, rows], axis=0)
    if not together or axes[0] == 0:
        return result
    # NumPy puts the indexed axes where the arrays stood.
    front = list(range(rows.ndim, rows.ndim + axes[0]))
    rest = [a for a in range(result.ndim) if a >= rows.ndim + axes[0]]
    return _core.apply("transpose", [result], permutation=front + list(range(rows.ndim)) + rest)


__all__ = own_names(globals())
