"""Pooling into a given number of windows, whatever the size of the input."""

from dlcore import backend, ops
from dlcore.backend.arguments import int_tuple
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class _AdaptivePooling(Layer):
    """Window i of `out` along an axis of size n reaches from floor(i n / out) to ceil((i + 1) n / out).

    Args:
        output_size: int or one int per spatial axis: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """

    rank = None

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.output_size = int_tuple(type(self).__name__, "output_size", output_size, self.rank)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def get_config(self):
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class _AdaptiveAveragePooling(_AdaptivePooling):
    def call(self, inputs):
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class _AdaptiveMaxPooling(_AdaptivePooling):
    def call(self, inputs):
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` windows of time steps.

    Args:
        output_size: int or 1 int: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, steps, channels).
    Output shape: (batch, output_size, channels).

    Example:

    >>> AdaptiveAveragePooling1D(3)(ops.ones((4, 7, 2))).shape
    (4, 3, 2)
    """

    rank = 1


class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` windows of an image.

    Args:
        output_size: int or 2 ints: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, *output_size, channels).

    Example:

    >>> AdaptiveAveragePooling2D(3)(ops.ones((4, 7, 7, 2))).shape
    (4, 3, 3, 2)
    """

    rank = 2


class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` windows of a volume.

    Args:
        output_size: int or 3 ints: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, *output_size, channels).

    Example:

    >>> AdaptiveAveragePooling3D(3)(ops.ones((4, 7, 7, 7, 2))).shape
    (4, 3, 3, 3, 2)
    """

    rank = 3


class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The maximum of each of `output_size` windows of time steps.

    Args:
        output_size: int or 1 int: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, steps, channels).
    Output shape: (batch, output_size, channels).

    Example:

    >>> AdaptiveMaxPooling1D(3)(ops.ones((4, 7, 2))).shape
    (4, 3, 2)
    """

    rank = 1


class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The maximum of each of `output_size` windows of an image.

    Args:
        output_size: int or 2 ints: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, *output_size, channels).

    Example:

    >>> AdaptiveMaxPooling2D(3)(ops.ones((4, 7, 7, 2))).shape
    (4, 3, 3, 2)
    """

    rank = 2


class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The maximum of each of `output_size` windows of a volume.

    Args:
        output_size: int or 3 ints: how many windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, *output_size, channels).

    Example:

    >>> AdaptiveMaxPooling3D(3)(ops.ones((4, 7, 7, 7, 2))).shape
    (4, 3, 3, 3, 2)
    """

    rank = 3
