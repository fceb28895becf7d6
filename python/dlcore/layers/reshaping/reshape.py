"""Layers that rearrange elements without changing them."""

import math

from dlcore import backend, ops
from dlcore.backend.arguments import axes, is_int, positive_int, sequence
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class Flatten(Layer):
    """Flattens all axes but the batch.

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`: the order of the input's axes; the output has
            channels last in both cases.

    Input shape: (batch, ...).
    Output shape: (batch, product of the other sizes).
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        return ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape):
        inner = input_shape[1:]
        return (input_shape[0], None if None in inner else math.prod(inner))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Gives each sample another shape.

    Args:
        target_shape: tuple of ints without the batch; one may be -1 and is inferred.

    Input shape: (batch, ...).
    Output shape: (batch, *target_shape).
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        target_shape = (target_shape,) if is_int(target_shape) else tuple(axes("Reshape", "target_shape", target_shape))
        if not all(is_int(size) and size >= -1 for size in target_shape) or target_shape.count(-1) > 1:
            raise ValueError(
                f"Reshape: target_shape must hold ints >= 0, of which one may be -1. Got target_shape={target_shape}."
            )
        self.target_shape = target_shape

    def _sizes(self, input_shape):
        """The target with its -1 inferred; None where the input's sizes are unknown."""
        inner = input_shape[1:]
        if None in inner:
            return tuple(None if size == -1 else size for size in self.target_shape)
        elements = math.prod(inner)
        known = math.prod(size for size in self.target_shape if size != -1)
        fits = elements == known if -1 not in self.target_shape else known > 0 and elements % known == 0
        if not fits:
            raise ValueError(
                f'Reshape "{self.name}": samples of shape {tuple(inner)} with {elements} elements cannot take '
                f"the shape {self.target_shape}. The number of elements must stay the same."
            )
        return tuple(elements // known if size == -1 else size for size in self.target_shape)

    def call(self, inputs):
        sizes = self._sizes(inputs.shape)
        return ops.reshape(inputs, (inputs.shape[0], *[-1 if size is None else size for size in sizes]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self._sizes(input_shape))

    def get_config(self):
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Reorders the axes of each sample.

    Args:
        dims: tuple of ints, a permutation of 1, 2, ...: axis i of the output is axis dims[i - 1] of the input.

    Example:

    >>> Permute((2, 1))(ops.ones((8, 10, 64))).shape
    (8, 64, 10)
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(sequence("Permute", "dims", dims, "axes"))
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute: dims must be a permutation of 1, ..., {len(self.dims)} (the batch, axis 0, stays). "
                f"Got dims={self.dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def get_config(self):
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Repeats each sample `n` (int > 0) times along a new axis.

    Input shape: (batch, features).
    Output shape: (batch, n, features).
    """

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        if not is_int(n):
            raise TypeError(f"RepeatVector: n must be an int. Got n={n!r} of type {type(n).__name__}.")
        self.n = positive_int("RepeatVector", "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return ops.tile(ops.expand_dims(inputs, 1), (1, self.n, 1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self):
        return {**super().get_config(), "n": self.n}
