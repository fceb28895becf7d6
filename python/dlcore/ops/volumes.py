"""Convolution and pooling over three spatial axes, made of those over two.

x is (N, D, H, W, C). The taps of a window along the depth become channels of images, so a volume is convolved by one
convolution of N * D images; pooling goes over the images first, then over the depth.
"""

from dlcore import _core
from dlcore.ops import numpy as knp
from dlcore.ops._common import same_padding, window_slices


def _rows(x):
    """(N, D, H, W, C) as images (N * D, H, W, C)."""
    return knp.reshape(x, [-1, *x.shape[2:]])


def _from_rows(y, depth):
    return knp.reshape(y, [-1, depth, *y.shape[1:]])


def _check(function, x):
    if None in x.shape[1:]:
        raise ValueError(f"{function}: all sizes of volumes but the batch must be known. Received shape {x.shape}.")


def _taps(x, window, stride, dilation):
    """The slices of depth that each tap of the window sees: a list of (N, D', H, W, C)."""
    count = (x.shape[1] - dilation * (window - 1) - 1) // stride + 1
    if count < 1:
        raise ValueError(f"A window of {window} taps does not fit into a depth of {x.shape[1]}. Use a smaller one.")
    return [x[:, depths] for (depths,) in window_slices([x.shape[1]], [window], [stride], [dilation])]


def conv3d(x, kernel, strides, dilation, padding, groups):
    """x (N, D, H, W, Cin) with kernel (KD, KH, KW, Cin / groups, Cout)."""
    _check("conv", x)
    depth, high, wide, per_group, filters = kernel.shape
    if padding == "same":
        low, up = same_padding(x.shape[1], depth, strides[0], dilation[0])
        x = knp.pad(x, [(0, 0), (low, up), (0, 0), (0, 0), (0, 0)])
    taps = _taps(x, depth, strides[0], dilation[0])
    count, sizes = taps[0].shape[1], taps[0].shape[2:4]
    # Channels in the order (group, tap, channel of the group).
    parts = [knp.reshape(tap, [-1, count, *sizes, groups, 1, per_group]) for tap in taps]
    images = knp.reshape(knp.concatenate(parts, axis=5), [-1, *sizes, groups * depth * per_group])
    flat = knp.reshape(knp.transpose(kernel, [1, 2, 0, 3, 4]), [high, wide, depth * per_group, filters])
    y = _core.apply(
        "conv2d", [images, flat], strides=strides[1:], dilation=dilation[1:], padding=padding, groups=groups
    )
    return _from_rows(y, count)


def conv3d_transpose(x, kernel, strides, dilation, padding, output_padding):
    """x (N, D, H, W, Cin) with kernel (KD, KH, KW, Cout, Cin)."""
    _check("conv_transpose", x)
    depth, high, wide, filters, channels = kernel.shape
    flat = knp.reshape(knp.transpose(kernel, [1, 2, 0, 3, 4]), [high, wide, depth * filters, channels])
    attrs = {} if output_padding is None else {"output_padding": output_padding[1:]}
    y = _core.apply(
        "conv2d_transpose", [_rows(x), flat], strides=strides[1:], dilation=dilation[1:], padding=padding, **attrs
    )
    added = None if output_padding is None else output_padding[0]
    return _spread(y, x.shape[1], depth, strides[0], dilation[0], padding, added)


def _spread(y, count, depth, stride, dilation, padding, added):
    """The taps' images (N * count, H, W, depth * C), each slice of depth `stride` behind the last, added up."""
    y = knp.reshape(y, [-1, count, *y.shape[1:3], depth, y.shape[3] // depth])
    spaced = knp.pad(knp.expand_dims(y, 2), [(0, 0), (0, 0), (0, stride - 1)] + [(0, 0)] * 4)
    spaced = knp.reshape(spaced, [-1, count * stride, *y.shape[2:]])[:, : (count - 1) * stride + 1]
    extent = dilation * (depth - 1) + 1
    total = None
    for tap in range(depth):
        place = tap * dilation
        part = knp.pad(spaced[..., tap, :], [(0, 0), (place, extent - 1 - place), (0, 0), (0, 0), (0, 0)])
        total = part if total is None else knp.add(total, part)
    # What the convolution's padding adds is cut off again; see convolution.cpp.
    if padding == "valid":
        low, cut = 0, min(0, extent - stride) if added is None else -added
    else:
        cut = extent - stride if added is None else extent - extent % 2 - added
        low = max(0, cut) // 2
    up = cut - low
    total = knp.pad(total, [(0, 0), (0, -up), (0, 0), (0, 0), (0, 0)]) if up < 0 else total
    return total[:, low : total.shape[1] - max(up, 0)]


def pool3d(name, x, window, strides, padding):
    """max_pool2d or avg_pool2d over H and W, then the same over D: both are separable."""
    _check(name, x)
    images = _pool(name, _rows(x), window[1:], strides[1:], padding)
    y = _from_rows(images, x.shape[1])
    flat = knp.reshape(y, [-1, y.shape[1], y.shape[2] * y.shape[3], y.shape[4]])
    flat = _pool(name, flat, [window[0], 1], [strides[0], 1], padding)
    return knp.reshape(flat, [-1, flat.shape[1], *y.shape[2:]])


def _pool(name, x, window, strides, padding):
    result = _core.apply(name, [x], window=list(window), strides=list(strides), padding=padding)
    return result[0] if isinstance(result, tuple) else result
