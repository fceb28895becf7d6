"""Putting elements elsewhere: splitting, stacking, turning, patterns of axes, windows along an axis."""

import math
import re

import numpy as np

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops._common import resolve_axis, tensor
from dlcore.ops.operation import operation


@operation
def dstack(xs):
    """Concatenated along axis 2; what has fewer axes gets them first."""
    return knp.concatenate([_at_least_3d(x) for x in backend.promote(*xs)], 2)


def _at_least_3d(x):
    if x.ndim >= 3:
        return x
    return knp.reshape(x, [1, -1, 1] if x.ndim <= 1 else [*x.shape, 1])


@operation
def hsplit(x, indices_or_sections):
    """split along axis 1 (axis 0 of vectors)."""
    x = tensor(x)
    return knp.split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


@operation
def vsplit(x, indices_or_sections):
    """split along axis 0."""
    return knp.split(x, indices_or_sections, 0)


@operation
def dsplit(x, indices_or_sections):
    """split along axis 2."""
    return knp.split(x, indices_or_sections, 2)


@operation
def fliplr(x):
    """Reversed along axis 1."""
    return knp.flip(x, 1)


@operation
def flipud(x):
    """Reversed along axis 0."""
    return knp.flip(x, 0)


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
        return knp.flip(x, (first, second))
    if k % 4 == 1:
        return knp.swapaxes(knp.flip(x, second), first, second)
    return knp.flip(knp.swapaxes(x, first, second), second)


@operation
def diagflat(x, k=0):
    """The matrix with the elements of x on its k-th diagonal."""
    return knp.diag(knp.ravel(x), k)


@operation
def kron(x1, x2):
    """Kronecker's product: each element of x1 times the whole of x2."""
    a, b = backend.promote(x1, x2)
    rank = max(a.ndim, b.ndim)
    shape_a, shape_b = ([1] * (rank - len(x.shape)) + list(x.shape) for x in (a, b))
    spread_a = knp.reshape(a, [s for n in shape_a for s in (n, 1)])
    spread_b = knp.reshape(b, [s for n in shape_b for s in (1, n)])
    return knp.reshape(knp.multiply(spread_a, spread_b), [m * n for m, n in zip(shape_a, shape_b)])


@operation
def unravel_index(indices, shape):
    """The tuple of indices along each axis for indices into the flat tensor."""
    rest, places = tensor(indices), []
    for size in reversed(shape):
        places.append(knp.mod(rest, size))
        rest = knp.floor_divide(rest, size)
    return tuple(reversed(places))


@operation
def extract_sequences(x, sequence_length, sequence_stride):
    """All windows of sequence_length along the last axis, sequence_stride apart: a new axis before the last."""
    x = tensor(x)
    count = (x.shape[-1] - sequence_length) // sequence_stride + 1
    if count < 1:
        raise ValueError(
            f"extract_sequences: sequence_length must not exceed the last axis. Received: x.shape={x.shape}, "
            f"sequence_length={sequence_length}"
        )
    places = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
    return knp.take(x, places, axis=-1)


@operation
def rearrange(tensor, pattern, **axes_lengths):
    """Axes reordered, split and joined by a pattern such as "b (h w) c -> b h w c" (einops, Rogozhnikov 2022).

    Args:
        tensor: the tensor.
        pattern: names of the axes before and after; names in parentheses make up one axis, "..." stands for any.
        axes_lengths: sizes of names that the shape does not tell, such as h=4.
    """
    x = backend.convert_to_tensor(tensor)
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ValueError(f'rearrange: a pattern needs "->" between both sides. Received: {pattern!r}')
    groups = _groups(left, x.ndim)
    out_groups = _groups(right, x.ndim, _dots_in(groups))
    if len(groups) != x.ndim:
        raise ValueError(f"rearrange: {pattern!r} names {len(groups)} axes; the tensor has shape {x.shape}.")
    sizes = dict(axes_lengths)
    for group, size in zip(groups, x.shape):
        unknown = [name for name in group if name not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"rearrange: the sizes of {unknown} in {pattern!r} are not known; give all but one.")
        rest = math.prod(sizes[name] for name in group if name in sizes)
        if unknown:
            sizes[unknown[0]] = size if rest == 1 else size // rest
        if size is not None and math.prod(sizes[name] or 1 for name in group) != size:
            raise ValueError(f"rearrange: an axis of size {size} is not {' x '.join(group)} with {axes_lengths}.")
    names, out_names = [n for g in groups for n in g], [n for g in out_groups for n in g]
    if sorted(names) != sorted(out_names):
        raise ValueError(f"rearrange: both sides of {pattern!r} must have the same names.")
    x = knp.reshape(x, [sizes[name] for name in names])
    x = knp.transpose(x, [names.index(name) for name in out_names])
    return knp.reshape(x, [_joined(sizes[name] for name in group) for group in out_groups])


def _groups(side, rank, dots=None):
    """The names of each axis of one side of a pattern."""
    parts = re.findall(r"\([^)]*\)|\.\.\.|\w+", side)
    groups = [part.strip("()").split() if part != "..." else None for part in parts]
    dots = rank - len(groups) + 1 if dots is None else dots
    made = []
    for group in groups:
        made += [[f"...{i}"] for i in range(dots)] if group is None else [group]
    return made


def _dots_in(groups):
    return sum(len(group) == 1 and group[0].startswith("...") for group in groups)


def _joined(sizes):
    sizes = list(sizes)
    return -1 if None in sizes else math.prod(sizes)


def _pairs(value):
    return [value, value] if isinstance(value, int) else [int(v) for v in value]


@operation
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """Patches of images (N, C, H, W) as columns (N, C * kh * kw, patches).

    Args:
        x: (N, C, H, W).
        kernel_size, dilation, padding, stride: int or 2 ints, for height and width.
    """
    x = tensor(x)
    window, spread, border, step = (_pairs(v) for v in (kernel_size, dilation, padding, stride))
    x = knp.pad(x, [(0, 0), (0, 0), *((b, b) for b in border)])
    n, c = x.shape[:2]
    columns = [knp.get_item(x, place) for place in _windows(x.shape[2:], window, spread, step)]
    return knp.reshape(knp.stack(columns, 2), [-1 if n is None else n, c * window[0] * window[1], _area(columns[0])])


def _windows(sizes, window, spread, step):
    """The strided slices that hold pixel (i, j) of every patch."""
    for i in range(window[0]):
        for j in range(window[1]):
            starts = (i * spread[0], j * spread[1])
            counts = [(s - d * (w - 1) - 1) // t + 1 for s, d, w, t in zip(sizes, spread, window, step)]
            yield (..., *(slice(a, a + (n - 1) * t + 1, t) for a, n, t in zip(starts, counts, step)))


def _area(x):
    return x.shape[2] * x.shape[3]


@operation
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The sums of columns (N, C * kh * kw, patches) put back at their patches in images (N, C, H, W).

    Args:
        x: as `unfold` returns it.
        output_size: int or 2 ints: H and W.
        kernel_size, dilation, padding, stride: as in `unfold`.
    """
    x = tensor(x)
    size, window, spread, border, step = (_pairs(v) for v in (output_size, kernel_size, dilation, padding, stride))
    padded = [s + 2 * b for s, b in zip(size, border)]
    places = np.arange(padded[0] * padded[1]).reshape(padded)
    taps = window[0] * window[1]
    n, channels = x.shape[0], x.shape[1] // taps
    targets = np.stack([places[place[1:]].ravel() for place in _windows(padded, window, spread, step)])
    rows = knp.reshape(knp.moveaxis(knp.reshape(x, [n, channels, taps * x.shape[2]]), -1, 0), [-1, n * channels])
    flat = _scatter_add(rows, targets.ravel(), padded[0] * padded[1])
    images = knp.reshape(knp.moveaxis(flat, 0, -1), [n, channels, *padded])
    return knp.get_item(images, (..., *(slice(b, b + s) for b, s in zip(border, size))))


def _scatter_add(rows, targets, count):
    zeros = knp.zeros([count, *rows.shape[1:]], rows.dtype)
    return _core.apply("scatter_add", [zeros, backend.convert_to_tensor(targets, "int32"), rows], axis=0)


__all__ = [
    "diagflat",
    "dsplit",
    "dstack",
    "extract_sequences",
    "fliplr",
    "flipud",
    "fold",
    "hsplit",
    "kron",
    "rearrange",
    "rot90",
    "unfold",
    "unravel_index",
    "vsplit",
]
