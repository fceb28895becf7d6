"""Dropout and its spatial and self-normalizing forms. All are the identity outside training."""

from dlcore import backend, ops, random
from dlcore.backend.arguments import fraction, sizes
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class Dropout(Layer):
    """In training sets a random part of the inputs to zero and scales the rest by 1 / (1 - rate).

    Args:
        rate: float in [0, 1]: the part that is dropped.
        noise_shape: tuple or None (default): where it holds 1 the decision is shared along that axis; None entries take
            the input's size. `(None, 1, None)` drops the same features at all time steps.
        seed: int or None.

    Input shape: any. Output shape: the same.

    Reference: Srivastava et al. 2014.
    """

    _has_no_weights = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.rate = fraction(kind, "rate", rate)
        self.seed = seed
        self.noise_shape = None if noise_shape is None else sizes(kind, "noise_shape", noise_shape, smallest=1)
        self.supports_masking = True
        if rate > 0:
            self.seed_generator = random.SeedGenerator(seed)

    def _noise_shape(self):
        return self.noise_shape

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, noise_shape=self._noise_shape(), seed=self.seed_generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class _SpatialDropout(Dropout):
    """Base: drops whole channels, the same at all places."""

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise_shape(self):
        places = (1,) * self.rank
        return (None, None, *places) if self.data_format == "channels_first" else (None, *places, None)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"], config["trainable"]  # which Keras's constructors do not take
        return config


class SpatialDropout1D(_SpatialDropout):
    """Drops whole features of sequences, the same at all time steps.

    Args:
        rate: float in [0, 1].
        seed: int or None.

    Input shape: (batch, steps, features). Output shape: the same.

    Reference: Tompson et al. 2014.
    """

    rank = 1
    data_format = "channels_last"


class _SpatialDropoutOfImages(_SpatialDropout):
    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = backend.standardize_data_format(data_format)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout2D(_SpatialDropoutOfImages):
    """Drops whole channels of images.

    Args:
        rate: float in [0, 1].
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, channels). Output shape: the same.

    Reference: Tompson et al. 2014.
    """

    rank = 2


class SpatialDropout3D(_SpatialDropoutOfImages):
    """Drops whole channels of volumes. Arguments as `SpatialDropout2D`.

    Input shape: (batch, depth, height, width, channels). Output shape: the same.
    """

    rank = 3


class AlphaDropout(Dropout):
    """Dropout that keeps mean 0 and variance 1 of inputs that have them: for networks of `selu`.

    In training a random part of the inputs is set to -1.7581, what `selu` tends to for small inputs, and all are scaled
    and shifted so that mean and variance stay.

    Args:
        rate: float in [0, 1): the part that is dropped.
        noise_shape: tuple or None (default): as `Dropout`.
        seed: int or None.

    Input shape: any. Output shape: the same.

    Reference: Klambauer et al. 2017.
    """

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        # Dropout of ones: 0 where dropped, 1 / (1 - rate) elsewhere.
        ones = ops.ones_like(inputs)
        noise = random.dropout(ones, self.rate, noise_shape=self._noise_shape(), seed=self.seed_generator)
        kept = ops.multiply(noise, 1.0 - self.rate)
        scale = ((1.0 - self.rate) * (1.0 + self.rate * _SELU_LIMIT**2)) ** -0.5
        return scale * (inputs * kept + _SELU_LIMIT * (1.0 - kept)) - scale * _SELU_LIMIT * self.rate


# selu(-infinity) = -alpha * scale
_SELU_LIMIT = -1.6732632423543772 * 1.0507009873554805
