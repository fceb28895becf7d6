"""Sequences and images cut into overlapping windows, and put together again."""

import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend.arguments import int_from
from dlcore.ops._common import own_names, tensor, window_slices
from dlcore.ops.arrangement import pad
from dlcore.ops.creation import zeros
from dlcore.ops.indexing import get_item, take
from dlcore.ops.operation import operation
from dlcore.ops.shapes import moveaxis, reshape, stack, transpose


@operation
def extract_sequences(x, sequence_length, sequence_stride):
    """All windows of sequence_length along the last axis, sequence_stride apart: a new axis before the last.

    Raises:
        ValueError: the windows are longer than the axis.
    """
    x = tensor(x)
    if x.ndim == 0:
        raise ValueError("extract_sequences: expected a tensor of at least one axis. Received a scalar.")
    sequence_length = int_from("extract_sequences", "sequence_length", sequence_length, 1)
    sequence_stride = int_from("extract_sequences", "sequence_stride", sequence_stride, 1)
    count = (x.shape[-1] - sequence_length) // sequence_stride + 1
    if count < 1:
        raise ValueError(
            f"extract_sequences: sequence_length must not exceed the last axis. Received: x.shape={x.shape}, "
            f"sequence_length={sequence_length}"
        )
    # Windows are made of parts, each moved as a whole.
    part = math.gcd(sequence_length, sequence_stride)
    places = np.arange(count)[:, None] * (sequence_stride // part) + np.arange(sequence_length // part)
    lead = [-1 if size is None else size for size in x.shape[:-1]]
    used = (count - 1) * sequence_stride + sequence_length
    parts = reshape(x[..., :used], [*lead, used // part, part])
    return reshape(take(parts, places, axis=-2), [*lead, count, sequence_length])


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
    x = pad(x, [(0, 0), (0, 0), *((b, b) for b in border)])
    n, c = x.shape[:2]
    columns = [get_item(x, (..., *place)) for place in window_slices(x.shape[2:], window, step, spread)]
    return reshape(stack(columns, 2), [-1 if n is None else n, c * window[0] * window[1], _area(columns[0])])


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
    targets = np.stack([places[place].ravel() for place in window_slices(padded, window, step, spread)])
    rows = reshape(moveaxis(reshape(x, [n, channels, taps * x.shape[2]]), -1, 0), [-1, n * channels])
    flat = _scatter_add(rows, targets.ravel(), padded[0] * padded[1])
    images = reshape(moveaxis(flat, 0, -1), [n, channels, *padded])
    return get_item(images, (..., *(slice(b, b + s) for b, s in zip(border, size))))


def _scatter_add(rows, targets, count):
    nothing = zeros([count, *rows.shape[1:]], rows.dtype)
    return _core.apply("scatter_add", [nothing, backend.convert_to_tensor(targets, "int32"), rows], axis=0)


@operation
def depth_to_space(x, block_size, data_format="channels_last"):
    """Channels laid out as blocks of pixels: (N, H, W, b b C) to (N, H b, W b, C) for the block size b.

    With channels first it is (N, C b b, H, W) to (N, C, H b, W b): the channels of a block lie together then.

    Args:
        x: (batch, height, width, channels).
        block_size: int: height and width of a block.
        data_format: as `conv`.
    """
    x, b = tensor(x), int_from("depth_to_space", "block_size", block_size, 2)
    if backend.standardize_data_format(data_format) == "channels_first":
        n, c, h, w = x.shape
        y = transpose(reshape(x, [n, c // b**2, b, b, h, w]), [0, 1, 4, 2, 5, 3])
        return reshape(y, [n, c // b**2, h * b, w * b])
    n, h, w, c = x.shape
    y = transpose(reshape(x, [n, h, w, b, b, c // b**2]), [0, 1, 3, 2, 4, 5])
    return reshape(y, [n, h * b, w * b, c // b**2])


@operation
def space_to_depth(x, block_size, data_format="channels_last"):
    """Blocks of pixels laid out as channels: what `depth_to_space` turns back.

    Args:
        x: (batch, height, width, channels).
        block_size: int: height and width of a block.
        data_format: as `conv`.
    """
    x, b = tensor(x), int_from("space_to_depth", "block_size", block_size, 2)
    if backend.standardize_data_format(data_format) == "channels_first":
        n, c, h, w = x.shape
        y = transpose(reshape(x, [n, c, h // b, b, w // b, b]), [0, 1, 3, 5, 2, 4])
        return reshape(y, [n, c * b**2, h // b, w // b])
    n, h, w, c = x.shape
    y = transpose(reshape(x, [n, h // b, b, w // b, b, c]), [0, 1, 3, 2, 4, 5])
    return reshape(y, [n, h // b, w // b, c * b**2])


__all__ = own_names(globals())
