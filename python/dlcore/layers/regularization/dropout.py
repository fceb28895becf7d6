"""Dropout and its spatial forms. All are the identity outside training."""

from dlcore import backend, random
from dlcore.layers.arguments import fraction
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

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = fraction(type(self).__name__, "rate", rate)
        self.seed = seed
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
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


class SpatialDropout1D(Dropout):
    """Drops whole features of sequences, the same at all time steps.

    Args:
        rate: float in [0, 1].
        seed: int or None.

    Input shape: (batch, steps, features). Output shape: the same.

    Reference: Tompson et al. 2014.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def _noise_shape(self):
        return (None, 1, None)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]
        return config


class SpatialDropout2D(Dropout):
    """Drops whole channels of images.

    Args:
        rate: float in [0, 1].
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, channels). Output shape: the same.

    Reference: Tompson et al. 2014.
    """

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = backend.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def _noise_shape(self):
        return (None, 1, 1, None) if self.data_format == "channels_last" else (None, None, 1, 1)

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]
        return {**config, "data_format": self.data_format}
