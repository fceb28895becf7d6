"""Order and sets."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.errors import NotTraceable
from dlcore.ops._common import one_axis, own_names, tensor, unary
from dlcore.ops.arithmetic import minimum
from dlcore.ops.creation import arange, full_like
from dlcore.ops.indexing import take
from dlcore.ops.logic import equal, logical_not
from dlcore.ops.operation import operation
from dlcore.ops.shapes import moveaxis, ravel, reshape, transpose


@operation
def sort(x, axis=-1):
    """In ascending order.

    Args:
        x: tensor, or what can be made one.
        axis: int, default -1, or None: all elements in a row.
    """
    return unary("sort", x, axis=one_axis(axis)) if axis is not None else sort(ravel(x), 0)


@operation
def argsort(x, axis=-1):
    """The int32 indices that sort; of a scalar [0]."""
    x = tensor(x)
    return unary("argsort", x, axis=one_axis(axis)) if axis is not None and x.ndim else argsort(ravel(x), 0)


@operation
def argpartition(x, kth, axis=-1):
    """Indices such that the kth is where it would be in order, smaller ones before and greater ones behind it."""
    if not isinstance(kth, (int, np.integer)):
        raise ValueError(f"argpartition: kth must be an int. Received: kth={kth!r}")
    return argsort(x, axis)


@operation
def searchsorted(sorted_sequence, values, side="left"):
    """The int32 places of values in an ascending vector: before what is equal or, with side "right", behind it.

    Args:
        sorted_sequence: vector in ascending order.
        values: tensor.
        side: `"left"` (default) or `"right"`.
    """
    a, b = backend.promote(sorted_sequence, values)
    return _core.apply("searchsorted", [a, b], right=side == "right")


@operation
def digitize(x, bins):
    """The number of the bin: bins[i - 1] <= x < bins[i]."""
    return searchsorted(bins, x, side="right")


@operation
def isin(x1, x2, assume_unique=False, invert=False):
    """Whether each element of x1 is among those of x2 (or, with invert, is not); bool.

    Args:
        x1, x2: tensors.
        assume_unique: kept for Keras's signature.
        invert: bool, default False: whether it is not.
    """
    x1, x2 = backend.promote(x1, x2)
    if x1.dtype == "bool":
        x1, x2 = (backend.convert_to_tensor(x, "int32") for x in (x1, x2))
    ordered = sort(ravel(x2), 0)
    if ordered.shape[0] == 0:
        return full_like(x1, invert, dtype="bool")
    place = minimum(searchsorted(ordered, x1), ordered.shape[0] - 1)
    found = equal(take(ordered, place), x1)
    return logical_not(found) if invert else found


def _unique_like(
    x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None, size=None, fill_value=None
):
    shape = (size,) if axis is None else [size if i == axis % x.ndim else n for i, n in enumerate(x.shape)]
    inverse = x.shape if axis is None else (x.shape[axis],)
    others = ((size,), return_index), (inverse, return_inverse), ((size,), return_counts)
    found = [backend.KerasTensor(shape, x.dtype)]
    found += [backend.KerasTensor(other, "int32") for other, is_wanted in others if is_wanted]
    return found[0] if len(found) == 1 else tuple(found)


@operation(outputs_like=_unique_like)
def unique(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    """The different elements in order; the tensor must be concrete, for their number depends on the values.

    Args:
        x: the tensor.
        sorted: kept for Keras's signature; they are always in order.
        return_index, return_inverse, return_counts: also return where each occurs first; which of them each element is;
            how often each occurs.
        axis: compare slices along this axis; None: elements.
        size: int: cut or fill up to so many.
        fill_value: what to fill up with, default the smallest.
    """
    if isinstance(x, _core.Tensor) and x.is_symbolic:
        raise NotTraceable("unique: how many different elements there are is not known while the function is traced.")
    x = tensor(x)
    slices = ravel(x) if axis is None else moveaxis(x, axis, 0)
    order = _order(slices) if return_index or return_inverse or slices.ndim > 1 else None
    ordered = backend.convert_to_numpy(sort(slices) if order is None else take(slices, order, axis=0))
    first = np.flatnonzero(_differ_from_those_before(ordered))
    counts = np.diff(np.append(first, len(ordered)))
    # Which of them stand in the result; what it is filled up with counts 0.
    places = np.arange(len(first) if size is None else size)
    filled = places >= len(first)
    places[filled] = 0
    values = ordered[first[places]]
    if fill_value is not None:
        values[filled] = fill_value
    found = [backend.convert_to_tensor(values if axis is None else np.moveaxis(values, 0, axis))]
    if return_index:
        found.append(take(order, first[places]))
    if return_inverse:
        inverse = np.empty(len(ordered), "int32")
        inverse[backend.convert_to_numpy(order)] = np.repeat(np.arange(len(first), dtype="int32"), counts)
        found.append(backend.convert_to_tensor(inverse.reshape(x.shape) if axis is None else inverse))
    if return_counts:
        found.append(backend.convert_to_tensor(np.where(filled, 0, counts[places]), "int32"))
    return found[0] if len(found) == 1 else tuple(found)


def _order(slices):
    """The indices that sort slices by their first elements, then their second ones, and so on; equal ones stay so."""
    if slices.ndim == 1:
        return argsort(slices)
    count, width = slices.shape[0], math.prod(slices.shape[1:])
    columns, order = transpose(reshape(slices, [count, width])), arange(count)
    for i in reversed(range(width)):
        order = take(order, argsort(take(columns[i], order)))
    return order


def _differ_from_those_before(slices):
    differ = np.ones(len(slices), bool)
    np.any(slices[1:] != slices[:-1], axis=tuple(range(1, slices.ndim)), out=differ[1:])
    return differ


__all__ = own_names(globals())
