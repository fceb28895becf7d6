"""Layers that add or cut borders of sequences and images."""

from dlcore import backend, ops
from dlcore.layers.arguments import int_tuple, is_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


def _borders(layer_type, name, value, rank):
    """An int, one per axis, or a pair (before, after) per axis, as pairs."""
    if is_int(value):
        value = (value,) * rank
    if not isinstance(value, (tuple, list)) or len(value) != rank:
        raise ValueError(f"{layer_type}: {name} must be an int or {rank} ints or pairs of ints. Got {name}={value!r}.")
    return tuple(int_tuple(layer_type, name, entry, 2, smallest=0) for entry in value)


class _Borders2D(Layer):
    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def _around(self, spatial, other):
        """One entry per axis of the input: `spatial` for height and width, `other` for batch and channels."""
        return (other, *spatial, other) if self.data_format == "channels_last" else (other, other, *spatial)


class ZeroPadding2D(_Borders2D):
    """Adds rows and columns of zeros around images.

    Args:
        padding: int: on all sides; (height, width): on both sides of each; ((top, bottom), (left, right)). Default 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, height + top + bottom, width + left + right, channels).
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.padding = _borders("ZeroPadding2D", "padding", padding, 2)

    def call(self, inputs):
        return ops.pad(inputs, self._around(self.padding, (0, 0)))

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(Layer):
    """Adds steps of zeros before and after sequences.

    Args:
        padding: int or (before, after), default 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, steps, features).
    Output shape: (batch, steps + before + after, features).
    """

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.padding = int_tuple("ZeroPadding1D", "padding", padding, 2, smallest=0)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs):
        none = (0, 0)
        last = self.data_format == "channels_last"
        return ops.pad(inputs, (none, self.padding, none) if last else (none, none, self.padding))

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class Cropping2D(_Borders2D):
    """Cuts rows and columns off images.

    Args:
        cropping: int: on all sides; (height, width): on both sides of each; ((top, bottom), (left, right)). Default 0.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, height - top - bottom, width - left - right, channels).
    """

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(data_format, **kwargs)
        self.cropping = _borders("Cropping2D", "cropping", cropping, 2)

    def call(self, inputs):
        first = 1 if self.data_format == "channels_last" else 2
        kept = [_kept(self, inputs.shape, first + i, self.cropping[i]) for i in range(2)]
        return inputs[self._around(kept, slice(None))]

    def get_config(self):
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping1D(Layer):
    """Cuts steps off the beginning and end of sequences.

    Args:
        cropping: int or (before, after), default 1.

    Input shape: (batch, steps, features).
    Output shape: (batch, steps - before - after, features).
    """

    def __init__(self, cropping=1, **kwargs):
        super().__init__(**kwargs)
        self.cropping = int_tuple("Cropping1D", "cropping", cropping, 2, smallest=0)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs):
        return inputs[:, _kept(self, inputs.shape, 1, self.cropping), :]

    def get_config(self):
        return {**super().get_config(), "cropping": self.cropping}


def _kept(layer, shape, axis, cropping):
    before, after = cropping
    if shape[axis] is not None and before + after >= shape[axis]:
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": cropping {cropping} leaves nothing of axis {axis} with size '
            f"{shape[axis]}. Got input shape {tuple(shape)}."
        )
    return slice(before, -after or None)
