"""Axes: made, moved, joined and split, with the elements in their order."""

import math

from dlcore import _core, backend
from dlcore.ops._common import axes_of, one_axis, own_names, resolve_axis, sizes_of, tensor, unary
from dlcore.ops.operation import UnknownSizeError, operation


def size(x):
    """How many elements: an int, or an int32 tensor where the shape is not known."""
    shape = x.shape if isinstance(x, backend.KerasTensor) else tensor(x).shape
    return _count(x) if None in shape else math.prod(shape)


@operation
def _count(x):
    ones = _core.apply("full_like", [tensor(x)], value=1.0, dtype="int32")
    return _core.apply("reduce_sum", [ones], axes=[], keepdims=False)


def ndim(x):
    """How many axes."""
    return x.ndim if hasattr(x, "ndim") else tensor(x).ndim


@operation
def reshape(x, newshape):
    """The same elements in another shape. One size may be -1; more when they are unknown sizes that x begins with.

    Args:
        x: tensor.
        newshape: tuple of ints.

    Raises:
        ValueError: the numbers of elements differ, or sizes are unknown that x does not begin with.
    """
    x, sizes, keep = tensor(x), sizes_of(newshape), 0
    if sizes.count(-1) > 1:
        own = sizes_of(x.shape)
        while own[keep : keep + 1] == sizes[keep : keep + 1] and (
            None in newshape[keep:] or sizes[keep:].count(-1) > 1
        ):
            keep += 1
        if None in newshape[keep:]:
            raise UnknownSizeError(
                f"reshape: {x} can't become {tuple(newshape)} while sizes are unknown that it does not begin with."
            )
    return _core.apply("reshape", [x], shape=sizes[keep:], keep=keep)


@operation
def ravel(x):
    """All elements in one axis."""
    return unary("reshape", x, shape=[-1])


@operation
def transpose(x, axes=None):
    """The axes in another order, reversed by default."""
    x = tensor(x)
    return _core.apply(
        "transpose", [x], permutation=list(range(x.ndim))[::-1] if axes is None else [int(a) for a in axes]
    )


@operation
def swapaxes(x, axis1, axis2):
    """Two axes exchanged."""
    x = tensor(x)
    order = list(range(x.ndim))
    first, second = (resolve_axis(axis, x.ndim) for axis in (axis1, axis2))
    order[first], order[second] = order[second], order[first]
    return transpose(x, order)


@operation
def moveaxis(x, source, destination):
    """Axes moved to other places, the rest in their order."""
    x = tensor(x)
    sources, places = ([resolve_axis(a, x.ndim) for a in axes_of(axes)] for axes in (source, destination))
    if len(sources) != len(places):
        raise ValueError(f"moveaxis: expected as many sources as destinations. Received: {source} and {destination}")
    order = [a for a in range(x.ndim) if a not in sources]
    for place, a in sorted(zip(places, sources)):
        order.insert(place, a)
    return transpose(x, order)


@operation
def expand_dims(x, axis):
    """A new axis of size 1 (or several)."""
    x = tensor(x)
    rank = x.ndim + len(axes_of(axis))
    shape = list(x.shape)
    for a in sorted(resolve_axis(a, rank) for a in axes_of(axis)):
        shape.insert(a, 1)
    return reshape(x, shape)


@operation
def squeeze(x, axis=None):
    """Without the axes of size 1 (or without the given ones).

    Raises:
        ValueError: one of the given axes has another size than 1.
    """
    x = tensor(x)
    axes = (
        [a for a, n in enumerate(x.shape) if n == 1]
        if axis is None
        else [resolve_axis(a, x.ndim) for a in axes_of(axis)]
    )
    for a in axes:
        if x.shape[a] not in (1, None):
            raise ValueError(f"squeeze: axis {a} of shape {x.shape} has size {x.shape[a]}, not 1.")
    return reshape(x, [n for a, n in enumerate(x.shape) if a not in axes])


@operation
def broadcast_to(x, shape):
    """Repeated along axes of size 1 and new leading axes."""
    x = tensor(x)
    if isinstance(shape, (list, tuple)):
        own = [1] * (len(shape) - x.ndim) + list(x.shape)
        if any(size is None and n == 1 for size, n in zip(shape, own)):
            raise UnknownSizeError(f"broadcast_to: {x} can't become {tuple(shape)} while these sizes are unknown.")
    return unary("broadcast_to", x, shape=sizes_of(shape))


@operation
def meshgrid(*x, indexing="xy"):
    """Coordinate grids of coordinate vectors: a list with a tensor for each.

    Args:
        x: tensors of one axis.
        indexing: `"xy"` (default): the first vector runs along axis 1, the second along axis 0; `"ij"`: as they come.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij". Received: indexing={indexing!r}')
    vectors = [ravel(v) for v in x]
    order = [1, 0, *range(2, len(vectors))] if indexing == "xy" and len(vectors) > 1 else list(range(len(vectors)))
    shape = [vectors[i].shape[0] for i in order]
    return [
        broadcast_to(reshape(v, [-1 if order[a] == i else 1 for a in range(len(vectors))]), shape)
        for i, v in enumerate(vectors)
    ]


@operation
def view(x, dtype=None):
    """The bytes of x as numbers of another dtype, as many as they make along the last axis; without dtype, x itself."""
    x = tensor(x)
    dtype = x.dtype if dtype is None else backend.standardize_dtype(dtype)
    return x if dtype == x.dtype else _core.apply("bitcast", [x], dtype=dtype)


# ---- joined


@operation
def concatenate(xs, axis=0):
    """The tensors one after another along an axis; None: the elements of all, in one axis."""
    tensors = backend.promote(*xs)
    if axis is None:
        tensors, axis = [ravel(t) for t in tensors], 0
    return tensors[0] if len(tensors) == 1 else _core.apply("concat", tensors, axis=one_axis(axis))


def _agree(shape, other):
    """Whether two shapes may be the same, as far as their sizes are known."""
    return len(shape) == len(other) and all(a == b or None in (a, b) for a, b in zip(shape, other))


@operation
def stack(x, axis=0):
    """The tensors of the list x, all of one shape, along a new axis."""
    tensors = backend.promote(*x)
    if not tensors or any(not _agree(t.shape, tensors[0].shape) for t in tensors):
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors) or "none"
        raise ValueError(f"stack: expected tensors of one shape. Received shapes: {shapes}")
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


@operation
def hstack(xs):
    """Concatenated along axis 1 (axis 0 for one-dimensional ones)."""
    tensors = [reshape(t, [1]) if t.ndim == 0 else t for t in backend.promote(*xs)]
    return concatenate(tensors, 0 if tensors[0].ndim == 1 else 1)


@operation
def vstack(xs):
    """Concatenated along axis 0, one-dimensional ones as rows."""
    return concatenate([reshape(t, [1, -1]) if t.ndim <= 1 else t for t in backend.promote(*xs)], 0)


@operation
def dstack(xs):
    """Concatenated along axis 2; what has fewer axes gets them first."""
    return concatenate([_at_least_3d(x) for x in backend.promote(*xs)], 2)


def _at_least_3d(x):
    if x.ndim >= 3:
        return x
    return reshape(x, [1, -1, 1] if x.ndim <= 1 else [*x.shape, 1])


@operation
def append(x1, x2, axis=None):
    """x2 after x1 along the axis, both flat for None."""
    return concatenate([ravel(x1), ravel(x2)]) if axis is None else concatenate([x1, x2], axis)


# ---- split


@operation
def split(x, indices_or_sections, axis=0):
    """A list: so many equal parts, or the parts between the given indices.

    Raises:
        ValueError: the axis has no so many equal parts, see `array_split`.
    """
    x = tensor(x)
    axis = resolve_axis(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if size is None or size % indices_or_sections:
            raise ValueError(f"split: axis {axis} of shape {x.shape} has no {indices_or_sections} equal parts.")
        return _parts(x, [size // indices_or_sections] * indices_or_sections, axis)
    edges = [0, *(int(i) for i in indices_or_sections), size]
    return _parts(x, [b - a for a, b in zip(edges, edges[1:])], axis)


def _parts(x, sizes, axis):
    parts = _core.apply("split", [x], sizes=sizes, axis=axis)
    return list(parts) if isinstance(parts, tuple) else [parts]


@operation
def array_split(x, indices_or_sections, axis=0):
    """As split, but where the axis has no so many equal parts, the first are longer by one."""
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    x = tensor(x)
    axis = resolve_axis(axis, x.ndim)
    size = x.shape[axis]
    if size is None:
        raise ValueError(f"array_split: the size of axis {axis} of {x.shape} is not known.")
    length, longer = divmod(size, indices_or_sections)
    return _parts(x, [length + (part < longer) for part in range(indices_or_sections)], axis)


@operation
def hsplit(x, indices_or_sections):
    """split along axis 1 (axis 0 of vectors)."""
    x = tensor(x)
    return split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


@operation
def vsplit(x, indices_or_sections):
    """split along axis 0."""
    return split(x, indices_or_sections, 0)


@operation
def dsplit(x, indices_or_sections):
    """split along axis 2."""
    return split(x, indices_or_sections, 2)


__all__ = own_names(globals())
