"""Pooling: each output is the maximum or the mean of a window of inputs."""

from dlcore import backend, ops
from dlcore.backend.arguments import int_tuple, one_of
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class _Pooling(Layer):
    rank = None
    _has_no_weights = True

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.pool_size = int_tuple(kind, "pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else int_tuple(kind, "strides", strides, self.rank)
        self.padding = one_of(kind, "padding", padding, ("valid", "same"))
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def pool(self, function, inputs):
        return function(
            inputs,
            pool_size=self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


class _MaxPooling(_Pooling):
    def call(self, inputs):
        return self.pool(ops.max_pool, inputs)


class _AveragePooling(_Pooling):
    def call(self, inputs):
        return self.pool(ops.average_pool, inputs)


class MaxPooling1D(_MaxPooling):
    """The maximum of each window of time steps. Arguments as `MaxPooling2D`, with one spatial axis.

    Input shape: (batch, steps, channels).
    Output shape: (batch, new_steps, channels).
    """

    rank = 1

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling2D(_MaxPooling):
    """The maximum of each window of an image.

    Args:
        pool_size: int or 2 ints, default 2.
        strides: int or 2 ints, default None: the pool size.
        padding: `"valid"` (default): windows lie inside; `"same"`: ceil(input / stride) windows.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new_height, new_width, channels).

    Example:

    >>> MaxPooling2D()(ops.ones((4, 28, 28, 3))).shape
    (4, 14, 14, 3)
    """

    rank = 2

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling1D(_AveragePooling):
    """The mean of each window of time steps; padding does not count. Arguments as `MaxPooling1D`."""

    rank = 1

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling2D(_AveragePooling):
    """The mean of each window of an image; padding does not count. Arguments as `MaxPooling2D`."""

    rank = 2

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling3D(_MaxPooling):
    """The maximum of each window of a volume. Arguments as `MaxPooling2D`, with three spatial axes.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, channels).
    """

    rank = 3

    def __init__(self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling3D(_AveragePooling):
    """The mean of each window of a volume; padding does not count. Arguments as `MaxPooling3D`."""

    rank = 3

    def __init__(self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)
