"""Convolution and pooling over one, two or three spatial axes, in either data format."""

import numpy as np

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops import volumes
from dlcore.ops._common import as_float, own_names, tensor
from dlcore.ops.operation import operation


def _pair(value, rank, name):
    """An int or a sequence of `rank` ints as a list."""
    values = [value] * rank if isinstance(value, int) else [int(v) for v in value]
    if len(values) == 1:
        values = values * rank
    if len(values) != rank:
        raise ValueError(f"{name} should be an int or {rank} ints. Received: {name}={value}")
    return values


class _Images:
    """Brings inputs of either data format to NHWC (NDHWC for three spatial axes), and the result back."""

    def __init__(self, x, data_format, function):
        self.rank = x.ndim - 2
        if self.rank not in (1, 2, 3):
            raise ValueError(f"{function}: expected inputs with 1, 2 or 3 spatial axes. Received shape {x.shape}")
        self.first = backend.standardize_data_format(data_format) == "channels_first"

    def enter(self, x):
        if self.first:
            x = knp.moveaxis(x, 1, -1)
        return knp.expand_dims(x, 1) if self.rank == 1 else x

    def leave(self, y):
        if self.rank == 1:
            y = knp.squeeze(y, 1)
        return knp.moveaxis(y, -1, 1) if self.first else y

    def sizes(self, value, name):
        values = _pair(value, self.rank, name)
        return [1, *values] if self.rank == 1 else values

    def kernel(self, kernel):
        return knp.expand_dims(kernel, 0) if self.rank == 1 else kernel


def _padding(padding):
    name = str(padding).lower()
    if name not in ("valid", "same"):
        raise ValueError(f'Unknown padding: {padding!r}. Expected "valid" or "same".')
    return name


def _pool(name, inputs, pool_size, strides, padding, data_format):
    x = as_float(inputs)
    images = _Images(x, data_format, name)
    window = images.sizes(pool_size, "pool_size")
    steps = window if strides is None else images.sizes(strides, "strides")
    return images, images.enter(x), {"window": window, "strides": steps, "padding": _padding(padding)}


@operation
def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The greatest element of each window, in the dtype of the inputs.

    Args:
        inputs: (batch, spatial axes (1 to 3) ..., channels), or the channels first.
        pool_size: int or one int per spatial axis.
        strides: int or one int per spatial axis, default `pool_size`.
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"` or None (default): that of `image_data_format()`.
    """
    x = tensor(inputs)
    dtype, wide = x.dtype, x.dtype in ("int32", "int64")
    x = backend.convert_to_tensor(x, "float64") if wide else x  # holds them exactly up to 2^53
    images, x, attrs = _pool("max_pool", x, pool_size, strides, padding, data_format)
    y = volumes.pool3d("max_pool2d", x, **attrs) if images.rank == 3 else _core.apply("max_pool2d", [x], **attrs)[0]
    return backend.convert_to_tensor(images.leave(y), dtype)


@operation
def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window; padding is not counted. Arguments as `max_pool`."""
    images, x, attrs = _pool("average_pool", inputs, pool_size, strides, padding, data_format)
    if images.rank == 3:
        return images.leave(volumes.pool3d("avg_pool2d", x, **attrs))
    return images.leave(_core.apply("avg_pool2d", [x], **attrs))


def _adaptive_pool(name, inputs, output_size, data_format, pool_axis):
    """Pools each spatial axis of size n: window i of `out` reaches from floor(i n / out) to ceil((i + 1) n / out)."""
    x = as_float(inputs)
    rank = x.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"{name}: expected inputs with 1, 2 or 3 spatial axes. Received shape {x.shape}")
    first = 2 if backend.standardize_data_format(data_format) == "channels_first" else 1
    for axis, out in enumerate(_pair(output_size, rank, "output_size"), first):
        size = x.shape[axis]
        if size is None:
            raise ValueError(f"{name}: the size of axis {axis} must be known. Received shape {x.shape}")
        starts = np.arange(out) * size // out
        x = pool_axis(x, axis, starts, -(-(np.arange(out) + 1) * size // out))
    return x


def _mean_of_windows(x, axis, starts, stops):
    places = np.arange(x.shape[axis])[:, None]
    weights = ((places >= starts) & (places < stops)) / (stops - starts)
    product = _core.apply("matmul", [knp.moveaxis(x, axis, -1), backend.convert_to_tensor(weights, x.dtype)])
    return knp.moveaxis(product, -1, axis)


def _max_of_windows(x, axis, starts, stops):
    places = np.minimum(starts[:, None] + np.arange((stops - starts).max()), stops[:, None] - 1)
    return knp.max(knp.take(x, places, axis), axis=axis + 1)


@operation
def adaptive_average_pool(inputs, output_size, data_format=None):
    """Means over as many windows per spatial axis as output_size (int, or one per axis) says.

    Window i of `out` along an axis of size n reaches from floor(i n / out) to ceil((i + 1) n / out).
    """
    return _adaptive_pool("adaptive_average_pool", inputs, output_size, data_format, _mean_of_windows)


@operation
def adaptive_max_pool(inputs, output_size, data_format=None):
    """Maxima over the windows of `adaptive_average_pool`; arguments as there."""
    return _adaptive_pool("adaptive_max_pool", inputs, output_size, data_format, _max_of_windows)


@operation
def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over one to three axes; as many groups as the kernel's input channels go into the inputs' channels.

    Args:
        inputs: (N, [D, H,] W, Cin).
        kernel: ([KD, KH,] KW, Cin / groups, Cout).
    """
    x, kernel = backend.promote(inputs, kernel)
    images = _Images(x, data_format, "conv")
    x, kernel = images.enter(x), images.kernel(kernel)
    channels, per_group = x.shape[-1], kernel.shape[-2]
    if channels is not None and (per_group == 0 or channels % per_group):
        raise ValueError(
            f"conv: the input has {channels} channels, no multiple of the kernel's {per_group} input channels. "
            f"Received: inputs.shape={inputs.shape}, kernel.shape={kernel.shape}"
        )
    attrs = {
        "strides": images.sizes(strides, "strides"),
        "dilation": images.sizes(dilation_rate, "dilation_rate"),
        "padding": _padding(padding),
        "groups": channels // per_group,
    }
    if images.rank == 3:
        return images.leave(volumes.conv3d(x, kernel, **attrs))
    return images.leave(_core.apply("conv2d", [x, kernel], **attrs))


@operation
def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Each channel convolved on its own with `multiplier` filters.

    Args:
        inputs: (N, [H,] W, C).
        kernel: ([KH,] KW, C, multiplier).
    """
    kernel = tensor(kernel)
    *window, channels, multiplier = kernel.shape
    return conv(
        inputs, knp.reshape(kernel, [*window, 1, channels * multiplier]), strides, padding, data_format, dilation_rate
    )


@operation
def separable_conv(
    inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
):
    """A depthwise convolution, then a 1 x 1 one.

    Args:
        inputs: (batch, spatial axes (1 or 2) ..., channels), or the channels first.
        depthwise_kernel: (sizes ..., channels, multiplier).
        pointwise_kernel: (1 ..., channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: as `conv`, for the first of the two.
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@operation
def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """The transpose of a convolution: upsampling by the strides.

    Args:
        inputs: (N, [D, H,] W, Cin).
        kernel: ([KD, KH,] KW, Cout, Cin).
    """
    x, kernel = backend.promote(inputs, kernel)
    images = _Images(x, data_format, "conv_transpose")
    if images.rank == 3:
        added = None if output_padding is None else _pair(output_padding, 3, "output_padding")
        sizes = images.sizes(strides, "strides"), images.sizes(dilation_rate, "dilation_rate")
        return images.leave(volumes.conv3d_transpose(images.enter(x), kernel, *sizes, _padding(padding), added))
    attrs = {}
    if output_padding is not None:
        added = _pair(output_padding, images.rank, "output_padding")
        attrs["output_padding"] = [0, *added] if images.rank == 1 else added
    return images.leave(
        _core.apply(
            "conv2d_transpose",
            [images.enter(x), images.kernel(kernel)],
            strides=images.sizes(strides, "strides"),
            dilation=images.sizes(dilation_rate, "dilation_rate"),
            padding=_padding(padding),
            **attrs,
        )
    )


__all__ = own_names(globals())
