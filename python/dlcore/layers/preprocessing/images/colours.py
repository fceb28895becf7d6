"""Layers that change the colours of images, at random or not, each pixel by itself."""

from dlcore import backend, ops
from dlcore.backend.arguments import fraction
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, colour_range, number_range, per_image


class _Colours(ImageLayer):
    """Base: in training `_recoloured` says what becomes of images.

    A subclass gives the smallest and the greatest factor in `_bounds`.
    """

    _bounds = (-1, 1)

    def __init__(self, factor, value_range, seed, **kwargs):
        super().__init__(**kwargs)
        self.factor = number_range(type(self).__name__, "factor", factor, *self._bounds)
        self.value_range = colour_range(type(self).__name__, value_range)
        self._set_seed(seed)

    def transform_images(self, images, transformation=None, training=True):
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

    def _drawn(self, images, training, seed):
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

    def _drawn(self, images, training, seed):
        if not training:
            return None
        lower, upper = self.factor
        return {"contrast_factor": self._uniform(images[:, :1, :1, :1], 1 - lower, 1 + upper, seed)}

    def _recoloured(self, images, transformation):
        mean = ops.mean(images, axis=(self.height_axis, self.width_axis), keepdims=True)
        return self._clipped((images - mean) * transformation["contrast_factor"] + mean)


class RandomHue(_Colours):
    """In training turns the hue of each image, by at most half of the colour circle either way.

    Args:
        factor: float f or (lower, upper), in [0, 1]: 0 changes nothing, 1 is half of the circle; f stands for (0, f).
        value_range: (low, high), default (0, 255): the range of the colours.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Example:

    >>> RandomHue(0.5)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    _bounds = (0, 1)

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, 0, 0, 0]
        sign = ops.where(ops.greater(self._uniform(like, 0, 1, seed), 0.5), -1.0, 1.0)
        return {"factor": sign * self._uniform(like, *self.factor, seed) * 0.5}

    def _recoloured(self, images, transformation):
        x = ops.image.rgb_to_hsv(self._rescaled(images, self.value_range, (0, 1)), data_format=self.data_format)
        hue, saturation, value = ops.split(x, 3, axis=self.channel_axis)
        hue = hue + per_image(ops.cast(transformation["factor"], x.dtype))
        hue = ops.where(ops.greater(hue, 1.0), hue - 1.0, ops.where(ops.less(hue, 0.0), hue + 1.0, hue))
        x = ops.concatenate([hue, saturation, value], axis=self.channel_axis)
        x = ops.clip(ops.image.hsv_to_rgb(x, data_format=self.data_format), 0, 1)
        return self._rescaled(x, (0, 1), self.value_range)


class RandomSaturation(_Colours):
    """In training makes the colours of each image paler or stronger.

    Args:
        factor: float f or (lower, upper), in [-1, 1]: of a number x from this range the saturation is multiplied by
            x / (1 - x): 0 is grey, 1/2 changes nothing, 1 is full saturation. f stands for (-f, f).
        value_range: (low, high), default (0, 255): the range in which the saturation is kept.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Example:

    >>> RandomSaturation((0.3, 0.6))(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        factor = self._uniform(images[:, 0, 0, 0], *self.factor, seed)
        return {"factor": factor / (1.0 - factor + backend.epsilon())}

    def _recoloured(self, images, transformation):
        x = ops.image.rgb_to_hsv(images, data_format=self.data_format)
        hue, saturation, value = ops.split(x, 3, axis=self.channel_axis)
        saturation = self._clipped(saturation * per_image(ops.cast(transformation["factor"], x.dtype)))
        x = ops.concatenate([hue, saturation, value], axis=self.channel_axis)
        return ops.image.hsv_to_rgb(x, data_format=self.data_format)


class RandomColorDegeneration(_Colours):
    """In training blends each image with its grey version: y = x + factor * (grey - x).

    Args:
        factor: float f or (lower, upper), in [-1, 1]: 0 changes nothing, 1 is grey; f stands for (-f, f).
        value_range: (low, high), default (0, 255): the range of the colours, in which y is kept.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Example:

    >>> RandomColorDegeneration((0.5, 1.0))(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def _drawn(self, images, training, seed):
        return {"factor": self._uniform(images[:, :1, :1, :1], *self.factor, seed)} if training else None

    def _recoloured(self, images, transformation):
        grey = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return self._clipped(images + ops.cast(transformation["factor"], images.dtype) * (grey - images))


class RandomGrayscale(ImageLayer):
    """In training makes some images grey.

    Args:
        factor: float in [0, 1], default 0.5: the probability.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Example:

    >>> RandomGrayscale(1.0)(np.array([[[1000.0, 0.0, 0.0]]])).numpy().round()
    array([[[299., 299., 299.]]], dtype=float32)
    """

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = fraction("RandomGrayscale", "factor", factor)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        return {"should_apply": ops.less(self._uniform(images[:, :1, :1, :1], 0, 1, seed), self.factor)}

    def transform_images(self, images, transformation=None, training=True):
        if not training or transformation is None:
            return images
        grey = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return ops.where(transformation["should_apply"], grey, images)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "seed": self.seed}


class RandomInvert(_Colours):
    """In training inverts the colours of some images: y = high - x.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the probability is drawn from this range; f stands
            for (0, f).
        value_range: (low, high), default (0, 255): the range of the colours.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomInvert((1.0, 1.0))(np.full((1, 1, 1, 3), 5.0)).numpy().ravel()
    array([250., 250., 250.], dtype=float32)
    """

    _bounds = (0, 1)

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def _drawn(self, images, training, seed):
        return {"apply_inversion": self._chance(images, self.factor, seed)} if training else None

    def _recoloured(self, images, transformation):
        return ops.where(per_image(transformation["apply_inversion"]), self.value_range[1] - images, images)


class RandomPosterization(_Colours):
    """In training keeps only the highest bits of each colour.

    Args:
        factor: int f or (lower, upper), in [1, 8]: how many bits, from lower to upper - 1; f stands for (1, f). Equal
            numbers are kept themselves.
        value_range: (low, high), default (0, 255): the range of the colours.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomPosterization((2, 2))(np.full((1, 1, 1, 3), 200.0)).numpy().ravel()
    array([192., 192., 192.], dtype=float32)
    """

    _bounds = (1, 8)

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(factor, value_range, seed, data_format=data_format, **kwargs)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        lower, upper = self.factor
        # Whole numbers from [lower, upper).
        bits = lower + ops.floor(self._uniform(images[:, 0, 0, 0], 0, 1, seed) * max(upper - lower, 1))
        return {"shift_factor": 8 - bits}

    def _recoloured(self, images, transformation):
        step = per_image(ops.exp2(ops.cast(transformation["shift_factor"], images.dtype)))
        x = ops.floor(ops.clip(self._rescaled(images, self.value_range, (0, 255)), 0, 255))
        return self._rescaled(ops.floor(x / step) * step, (0, 255), self.value_range)


class RandomColorJitter(ImageLayer):
    """In training changes brightness, contrast, saturation and hue, in this order.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as `factor` of `RandomBrightness`,
            `RandomContrast`, `RandomSaturation` and `RandomHue`; None (default): not changed.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Example:

    >>> RandomColorJitter(brightness_factor=0.2, hue_factor=0.1)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = colour_range("RandomColorJitter", value_range)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        self._set_seed(seed)
        self._steps = {}
        for name, make in _JITTER.items():
            factor = getattr(self, f"{name}_factor")
            if factor is not None:
                self._steps[name] = make(
                    factor, value_range, data_format=data_format, seed=seed, dtype=self.dtype_policy
                )

    def _drawn(self, images, training, seed):
        if not training:
            return None
        seed = self.generator if seed is None else seed
        return {name: step.get_random_transformation(images, seed=seed) for name, step in self._steps.items()}

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        for name, drawn in (transformation or {}).items():
            images = self._steps[name].transform_images(images, drawn, training)
        return images

    def get_config(self):
        names = ("value_range", *(f"{name}_factor" for name in _JITTER), "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


_JITTER = {
    "brightness": RandomBrightness,
    "contrast": RandomContrast,
    "saturation": RandomSaturation,
    "hue": RandomHue,
}


class Solarization(ImageLayer):
    """In training adds a random number to the colours, and inverts those that are then above a random threshold.

    Args:
        addition_factor, threshold_factor: float f or (lower, upper), in [0, 1], default 0.0: the number and the
            threshold lie between lower and upper * 255; f stands for (0, f).
        value_range: (low, high), default (0, 255): the range of the colours.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> Solarization(threshold_factor=(0.5, 0.5))(np.array([[[0.0, 100.0, 200.0]]])).shape
    (1, 1, 3)
    """

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.addition_factor, self.threshold_factor = (
            number_range("Solarization", name, factor, 0, 1, from_zero=True, strict=True)
            for name, factor in (("addition_factor", addition_factor), ("threshold_factor", threshold_factor))
        )
        self.value_range = colour_range("Solarization", value_range)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, :1, :1, :1]
        factors = {"additions": self.addition_factor, "thresholds": self.threshold_factor}
        return {name: self._uniform(like, low, 255 * high, seed) for name, (low, high) in factors.items()}

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        x = self._rescaled(images, self.value_range, (0, 255)) + ops.cast(transformation["additions"], images.dtype)
        x = ops.clip(x, 0, 255)
        x = ops.where(ops.less(x, ops.cast(transformation["thresholds"], x.dtype)), x, 255 - x)
        return self._rescaled(x, (0, 255), self.value_range)

    def get_config(self):
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "addition_factor": self.addition_factor,
            "threshold_factor": self.threshold_factor,
            "seed": self.seed,
        }


class AutoContrast(ImageLayer):
    """Spreads the colours of each channel of each image over the whole range, in training or not.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.

    Channels of one colour stay as they are.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> AutoContrast()(np.array([[[10.0], [20.0], [12.0]]])).numpy().ravel()
    array([  0., 255.,  51.], dtype=float32)
    """

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = colour_range("AutoContrast", value_range)

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        x = self._rescaled(images, self.value_range, (0, 255))
        places = (self.height_axis, self.width_axis)
        low, high = ops.min(x, axis=places, keepdims=True), ops.max(x, axis=places, keepdims=True)
        flat = ops.equal(low, high)
        scale = 255.0 / ops.where(flat, 1.0, high - low)
        x = ops.clip((x - low) * scale, 0, 255)
        return ops.where(flat, images, self._rescaled(x, (0, 255), self.value_range))

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range}
