"""Layers that enlarge sequences, images and volumes by repeating or interpolating."""

from dlcore import backend, ops
from dlcore.backend.arguments import int_tuple, one_of, positive_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class UpSampling1D(Layer):
    """Repeats every time step.

    Args:
        size: int > 0, default 2: how often.

    Input shape: (batch, steps, features).
    Output shape: (batch, steps * size, features).
    """

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = positive_int("UpSampling1D", "size", size)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs):
        return ops.repeat(inputs, self.size, axis=1)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


class UpSampling2D(Layer):
    """Enlarges images by whole factors.

    Args:
        size: int or 2 ints, default 2: factors for height and width.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        interpolation: `"nearest"` (default): rows and columns are repeated; `"bilinear"`, `"bicubic"`, `"lanczos3"` or
            `"lanczos5"`: as of `ops.image.resize`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, height * size[0], width * size[1], channels).
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.size = int_tuple("UpSampling2D", "size", size, 2)
        self.data_format = backend.standardize_data_format(data_format)
        self.interpolation = one_of("UpSampling2D", "interpolation", interpolation, _INTERPOLATIONS)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs):
        first = 1 if self.data_format == "channels_last" else 2
        if self.interpolation != "nearest":
            sizes = inputs.shape[first : first + 2]
            if None in sizes:
                raise ValueError(
                    f'UpSampling2D "{self.name}": interpolation={self.interpolation!r} needs a known height and width. '
                    f"Got shape {tuple(inputs.shape)}."
                )
            size = [n * factor for n, factor in zip(sizes, self.size)]
            return ops.image.resize(inputs, size, self.interpolation, data_format=self.data_format)
        x = inputs
        for axis, factor in enumerate(self.size, first):
            x = x if factor == 1 else ops.repeat(x, factor, axis=axis)
        return x

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "data_format": self.data_format,
            "interpolation": self.interpolation,
        }


class UpSampling3D(Layer):
    """Enlarges volumes by repeating their elements.

    Args:
        size: int or 3 ints, default 2: factors for depth, height and width.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, depth * size[0], height * size[1], width * size[2], channels).

    Example:

    >>> UpSampling3D((2, 1, 3))(ops.ones((1, 4, 4, 4, 1))).shape
    (1, 8, 4, 12, 1)
    """

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.size = int_tuple("UpSampling3D", "size", size, 3)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs):
        first = 1 if self.data_format == "channels_last" else 2
        x = inputs
        for axis, factor in enumerate(self.size, first):
            x = x if factor == 1 else ops.repeat(x, factor, axis=axis)
        return x

    def get_config(self):
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}
