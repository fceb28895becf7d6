"""Layers that add or cut borders of sequences, images and volumes."""

from dlcore import backend, ops
from dlcore.backend.arguments import int_tuple, is_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


def _borders(layer_type, name, value, rank):
    """An int, one per axis, or a pair (before, after) per axis, as pairs."""
    if is_int(value):
        value = (value,) * rank
    if not isinstance(value, (tuple, list)) or len(value) != rank:
        raise ValueError(f"{layer_type}: {name} must be an int or {rank} ints or pairs of ints. Got {name}={value!r}.")
    return tuple(int_tuple(layer_type, name, entry, 2, smallest=0) for entry in value)


class _Borders(Layer):
    """Base: `rank` spatial axes, each with a number of elements before and after.

    A subclass says in `_argument` what its constructor calls these numbers.
    """

    rank = None
    _argument = None

    def __init__(self, borders, data_format=None, **kwargs):
        super().__init__(**kwargs)
        setattr(self, self._argument, _borders(type(self).__name__, self._argument, borders, self.rank))
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _around(self, spatial, other):
        """One entry per axis of the input: `spatial` for the spatial axes, `other` for batch and channels."""
        return (other, *spatial, other) if self.data_format == "channels_last" else (other, other, *spatial)

    def get_config(self):
        return {
            **super().get_config(),
            self._argument: getattr(self, self._argument),
            "data_format": self.data_format,
        }


class _ZeroPadding(_Borders):
    _argument = "padding"

    def call(self, inputs):
        return ops.pad(inputs, self._around(self.padding, (0, 0)))


class ZeroPadding2D(_ZeroPadding):
    """Adds rows and columns of zeros around images.

    Args:
        padding: int: on all sides; (height, width): on both sides of each; ((top, bottom), (left, right)). Default 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, height + top + bottom, width + left + right, channels).
    """

    rank = 2

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Adds layers of zeros around volumes.

    Args:
        padding: int: on all sides; 3 ints: on both sides of depth, height and width; 3 pairs (before, after).
            Default 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, channels), new = old + before + after.

    Example:

    >>> ZeroPadding3D((1, 0, (0, 2)))(ops.ones((1, 4, 4, 4, 1))).shape
    (1, 6, 4, 6, 1)
    """

    rank = 3

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


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


class _Cropping(_Borders):
    _argument = "cropping"

    def call(self, inputs):
        first = 1 if self.data_format == "channels_last" else 2
        kept = [_kept(self, inputs.shape, first + i, borders) for i, borders in enumerate(self.cropping)]
        return inputs[self._around(kept, slice(None))]


class Cropping2D(_Cropping):
    """Cuts rows and columns off images.

    Args:
        cropping: int: on all sides; (height, width): on both sides of each; ((top, bottom), (left, right)). Default 0.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, height - top - bottom, width - left - right, channels).
    """

    rank = 2

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Cuts layers off volumes.

    Args:
        cropping: int: on all sides; 3 ints: on both sides of depth, height and width; 3 pairs (before, after).
            Default 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, channels), new = old - before - after.

    Example:

    >>> Cropping3D((1, 0, (0, 2)))(ops.ones((1, 4, 4, 4, 1))).shape
    (1, 2, 4, 2, 1)
    """

    rank = 3

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


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
