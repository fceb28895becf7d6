"""Layers that blur or sharpen images."""

from dlcore import ops
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, colour_range, number_range, per_image


class RandomGaussianBlur(ImageLayer):
    """In training blurs some images with a normal distribution.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the probability is drawn from this range; f stands
            for (0, f).
        kernel_size: odd int or pair of odd ints, default 3: of the filter.
        sigma: float f or (lower, upper), in [0, 1], default 1.0: the standard deviations, drawn per call from this
            range; f stands for (0, f).
        value_range: (low, high), default (0, 255): the range of the colours.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomGaussianBlur(kernel_size=5)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor=1.0,
        kernel_size=3,
        sigma=1.0,
        value_range=(0, 255),
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        kind = "RandomGaussianBlur"
        self.factor = number_range(kind, "factor", factor, 0, 1)
        pair = tuple(kernel_size) if isinstance(kernel_size, (list, tuple)) else (kernel_size, kernel_size)
        if len(pair) != 2 or any(not isinstance(size, int) or size % 2 == 0 for size in pair):
            raise ValueError(f"{kind}: kernel_size must be an odd int or a pair of them. Got {kernel_size!r}.")
        self.kernel_size = pair
        self.sigma = number_range(kind, "sigma", sigma, 0, 1)
        self.value_range = colour_range(kind, value_range)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        applies = self._chance(images, self.factor, seed)
        sigma = self._uniform(ops.zeros((2,)), *self.sigma, seed) + 1e-6
        return {"should_apply_blur": applies, "blur_factor": sigma}

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        blurred = ops.image.gaussian_blur(
            images,
            kernel_size=self.kernel_size,
            sigma=transformation["blur_factor"],
            data_format=self.data_format,
        )
        images = ops.where(per_image(transformation["should_apply_blur"]), blurred, images)
        return ops.clip(images, *self.value_range)

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "kernel_size": self.kernel_size,
            "sigma": self.sigma,
            "value_range": self.value_range,
            "seed": self.seed,
        }


class RandomSharpness(ImageLayer):
    """In training blurs or sharpens each image: y = smooth + 2 * factor * (x - smooth).

    Args:
        factor: float f or (lower, upper), in [0, 1]: 0 is the smoothed image, 1/2 changes nothing, more sharpens; f
            stands for (0, f).
        value_range: (low, high), default (0, 255): the range of the colours, in which y is kept.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomSharpness((0.5, 1.0))(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = number_range("RandomSharpness", "factor", factor, 0, 1)
        self.value_range = colour_range("RandomSharpness", value_range)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        return {"factor": self._uniform(images[:, 0, 0, 0], *self.factor, seed)} if training else None

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        channels = images.shape[self.channel_axis]
        weights = ops.convert_to_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]], images.dtype) / 13.0
        kernel = ops.repeat(ops.reshape(weights, [3, 3, 1, 1]), channels, axis=2)
        smooth = ops.depthwise_conv(images, kernel, padding="same", data_format=self.data_format)
        strength = per_image(2.0 * ops.cast(transformation["factor"], images.dtype))
        return ops.clip(images + (1.0 - strength) * (smooth - images), *self.value_range)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range, "seed": self.seed}
