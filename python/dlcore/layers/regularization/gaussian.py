"""Gaussian noise on inputs, in training only, and penalties on them."""

import math

from dlcore import _core, random, regularizers
from dlcore.backend.arguments import fraction
from dlcore.layers.layer import Layer


def _normal_like(x, mean, stddev, generator):
    seed = random.draw_seed(generator)
    return _core.apply("random_normal", [seed, x], mean=float(mean), stddev=float(stddev), dtype=x.dtype)


class _GaussianLayer(Layer):
    _has_no_weights = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.supports_masking = True
        self.seed_generator = random.SeedGenerator(seed)

    def compute_output_shape(self, input_shape):
        return input_shape


class GaussianNoise(_GaussianLayer):
    """In training adds normal noise of mean 0: y = x + n.

    Args:
        stddev: float in [0, 1]: the noise's standard deviation.
        seed: int or None.

    Input shape: any. Output shape: the same.
    """

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.stddev = fraction("GaussianNoise", "stddev", stddev)

    def call(self, inputs, training=False):
        if not training or self.stddev == 0:
            return inputs
        return inputs + _normal_like(inputs, 0.0, self.stddev, self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class GaussianDropout(_GaussianLayer):
    """In training multiplies by normal noise of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Args:
        rate: float in [0, 1).
        seed: int or None.

    Input shape: any. Output shape: the same.

    Reference: Srivastava et al. 2014, section 10.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        if fraction("GaussianDropout", "rate", rate) == 1:
            raise ValueError(f"GaussianDropout: rate must lie in [0, 1). Got rate={rate}.")
        self.rate = rate

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        return inputs * _normal_like(inputs, 1.0, math.sqrt(self.rate / (1.0 - self.rate)), self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class ActivityRegularization(Layer):
    """y = x, with the penalty l1 * sum |x| + l2 * sum x^2 (per sample) added to the loss.

    Args:
        l1: float >= 0, default 0.0.
        l2: float >= 0, default 0.0.

    Input shape: any. Output shape: the same.
    """

    _has_no_weights = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        kwargs.pop("activity_regularizer", None)
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.supports_masking = True
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
