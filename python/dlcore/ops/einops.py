"""Axes reordered, split and joined by a pattern of names."""

import math
import re

from dlcore import backend
from dlcore.ops._common import own_names
from dlcore.ops.operation import operation
from dlcore.ops.shapes import reshape, transpose


@operation
def rearrange(tensor, pattern, **axes_lengths):
    """Axes reordered, split and joined by a pattern such as "b (h w) c -> b h w c" (einops, Rogozhnikov 2022).

    Args:
        tensor: the tensor.
        pattern: names of the axes before and after; names in parentheses make up one axis, "..." stands for any.
        axes_lengths: sizes of names that the shape does not tell, such as h=4.

    Raises:
        ValueError: the pattern does not fit the shape, or leaves sizes open.
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
    x = reshape(x, [sizes[name] for name in names])
    x = transpose(x, [names.index(name) for name in out_names])
    return reshape(x, [_joined(sizes[name] for name in group) for group in out_groups])


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


__all__ = own_names(globals())
