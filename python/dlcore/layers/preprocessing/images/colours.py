"""Layers that change the colours of images, each pixel by itself."""

from dlcore import ops
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, number_range, value_range


class _Colours(ImageLayer):
    """Base: in training `_recoloured` says what becomes of images.

    A subclass gives the smallest and the greatest factor in `_bounds`.
    """

    _bounds = (-1, 1)

    def __init__(self, factor, value_range_=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.factor = number_range(type(self).__name__, "factor", factor, *self._bounds)
        self.value_range = value_range(type(self).__name__, value_range_)
        self._set_seed(seed)

    def transform_images(self, images, transformation, training=True):
        images = ops.cast(images, self.compute_dtype)
        return self._recoloured(images, transformation) if training and transformation else images

    def _clipped(self, images):
        return ops.clip(images, *self.value_range)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range, "seed": self.seed}


class RandomBrightness(_Colours):
    """In training makes each image brighter or darker: y = x + factor * (high - low), kept in [low, high].

    Args:
        factor: float f or (lower, upper), in [-1, 1]: the factor lies between -f and f; -1 is black, 1 is white.
        value_range: (low, high), default (0, 255): the range of the colours.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomBrightness((0.1, 0.1))(np.full((1, 2, 2, 3), 50.0)).numpy()[0, 0, 0]
    array([75.5, 75.5, 75.5], dtype=float32)
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(factor, value_range, seed, **kwargs)

    def get_random_transformation(self, images, training=True, seed=None):
        if not training:
            return None
        low, high = self.value_range
        return {"rgb_delta": self._uniform(images[:, :1, :1, :1], *self.factor, seed) * (high - low)}

    def _recoloured(self, images, transformation):
        return self._clipped(images + ops.cast(transformation["rgb_delta"], images.dtype))


class RandomContrast(_Colours):
    """In training changes the contrast of each channel of each image: y = (x - mean) * factor + mean.

    Args:
        factor: float f or (lower, upper), in [0, 1]: the factor lies between 1 - lower and 1 + upper; f stands for
            (0, f).
        value_range: (low, high), default (0, 255): the range of the colours, in which y is kept.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomContrast(0.5)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _bounds = (0, 1)

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(factor, value_range, seed, **kwargs)

    def get_random_transformation(self, images, training=True, seed=None):
        if not training:
            return None
        lower, upper = self.factor
        return {"contrast_factor": self._uniform(images[:, :1, :1, :1], 1 - lower, 1 + upper, seed)}

    def _recoloured(self, images, transformation):
        mean = ops.mean(images, axis=(self.height_axis, self.width_axis), keepdims=True)
        return self._clipped((images - mean) * transformation["contrast_factor"] + mean)
