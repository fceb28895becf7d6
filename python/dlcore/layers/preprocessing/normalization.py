import math

import numpy as np

from dlcore import backend, ops
from dlcore.backend.arguments import axes, is_int
from dlcore.layers.layer import Layer


class Normalization(Layer):
    """Shifts and scales inputs to mean 0 and variance 1: y = (x - mean) / max(sqrt(variance), epsilon).

    Args:
        axis: int, tuple of ints or None, default -1: each index along these axes has a mean and variance of its own;
            None: one for all.
        mean, variance: the values themselves, or None (default): found by `adapt(data)`.
        invert: bool, default False: undo the normalization instead.

    Input shape: any. Output shape: the same.

    Example:

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> layer(np.array([[3.0, 10.0]])).numpy()
    array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        axis = () if axis is None else axes("Normalization", "axis", axis)
        self.axis = (axis,) if is_int(axis) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Normalization: give both mean and variance, or none. Got mean={mean}, variance={variance}."
            )
        if mean is not None and np.shape(mean) != np.shape(variance):
            raise ValueError(
                f"Normalization: mean and variance must have one shape. Got {np.shape(mean)} and {np.shape(variance)}."
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True

    def build(self, input_shape):
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(
                f"Normalization: axis {self.axis} is out of range for inputs of shape {tuple(input_shape)}."
            )
        kept = sorted(axis % rank for axis in self.axis)
        if any(input_shape[axis] is None for axis in kept):
            raise ValueError(
                f"Normalization: the sizes of the axes {self.axis} must be known. Got {tuple(input_shape)}."
            )
        self._reduced = tuple(axis for axis in range(rank) if axis not in kept)
        self._spread = tuple(input_shape[axis] if axis in kept else 1 for axis in range(rank))
        if self.input_mean is None:
            shape = tuple(input_shape[axis] for axis in kept)
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")

    def adapt(self, data):
        """Sets mean and variance to those of the data: an array, or an iterable of batches."""
        if self.input_mean is not None:
            raise ValueError(
                f'Normalization "{self.name}" was given its mean and variance; adapt() cannot change them.'
            )
        batches = [data] if hasattr(data, "shape") else data
        mean = variance = None
        total = 0
        for batch in batches:
            batch = batch[0] if isinstance(batch, tuple) else batch
            batch = ops.convert_to_tensor(batch, dtype=self.compute_dtype)
            if not self.built:
                self.build((None, *batch.shape[1:]))
            count = math.prod(batch.shape[axis] for axis in self._reduced)
            total += count
            batch_mean, batch_variance = ops.mean(batch, axis=self._reduced), ops.var(batch, axis=self._reduced)
            if mean is None:
                mean, variance = batch_mean, batch_variance
                continue
            share = count / total
            new_mean = mean * (1.0 - share) + batch_mean * share
            variance = (variance + ops.square(mean - new_mean)) * (1.0 - share)
            variance = variance + (batch_variance + ops.square(batch_mean - new_mean)) * share
            mean = new_mean
        if mean is None:
            raise ValueError("Normalization: adapt() got no data. Pass an array or an iterable of batches.")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    @property
    def mean(self):
        """The mean, in a shape that broadcasts to the inputs."""
        return self._spread_out(self.adapt_mean if self.input_mean is None else self.input_mean)

    @property
    def variance(self):
        """The variance, in a shape that broadcasts to the inputs."""
        return self._spread_out(self.adapt_variance if self.input_mean is None else self.input_variance)

    def _spread_out(self, value):
        if not isinstance(value, backend.Variable):
            value = ops.convert_to_tensor(np.broadcast_to(np.asarray(value), self._given_shape(np.shape(value))))
        return ops.cast(ops.reshape(value, self._spread), self.compute_dtype)

    def _given_shape(self, shape):
        kept = tuple(size for axis, size in enumerate(self._spread) if axis not in self._reduced)
        try:
            return np.broadcast_shapes(shape, kept)
        except ValueError:
            raise ValueError(
                f"{self._label()}: mean and variance have the shape {shape}, but the inputs the sizes {kept} along the "
                f"axes {self.axis}. Give one number for each, or one for all."
            ) from None

    def _check_sizes(self, shape):
        """A ValueError where inputs have another number of features than the data before."""
        for axis in range(-min(len(shape), len(self._spread)), 0):
            if shape[axis] != self._spread[axis] and not {1, None} & {shape[axis], self._spread[axis]}:
                raise ValueError(
                    f"{self._label()}: the inputs have {shape[axis]} features along axis {axis}; expected "
                    f"{self._spread[axis]}, as in the data it was built for or adapted to. Received shape {shape}."
                )

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        self._check_sizes(x.shape)
        scale = ops.maximum(ops.sqrt(self.variance), backend.epsilon())
        return self.mean + x * scale if self.invert else (x - self.mean) / scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": None if self.input_mean is None else np.asarray(self.input_mean).tolist(),
            "variance": None if self.input_variance is None else np.asarray(self.input_variance).tolist(),
        }
