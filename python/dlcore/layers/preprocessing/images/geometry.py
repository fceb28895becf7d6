"""Layers that move the pixels of images: flips, turns, shifts, zooms and bends."""

import math

from dlcore import ops
from dlcore.layers.arguments import one_of
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, number_range

_FILL_MODES = ("reflect", "wrap", "constant", "nearest")
_INTERPOLATIONS = ("nearest", "bilinear")


class _Moving(ImageLayer):
    """Base: in training `_moved` says what becomes of images and, with the nearest pixels, of masks."""

    def transform_images(self, images, transformation, training=True):
        images = ops.cast(images, self.compute_dtype)
        return self._moved(images, transformation, self.interpolation) if training and transformation else images

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        if not training or not transformation:
            return segmentation_masks
        return self._moved(segmentation_masks, transformation, "nearest")


class RandomFlip(_Moving):
    """In training turns each image left to right, upside down, or both at once, with a probability of 1/2.

    Args:
        mode: `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"` (default).
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomFlip("horizontal", seed=1)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    interpolation = None

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.mode = one_of("RandomFlip", "mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))
        self._set_seed(seed)

    def get_random_transformation(self, images, training=True, seed=None):
        return {"flips": ops.less_equal(self._uniform(images[:, :1, :1, :1], 0, 1, seed), 0.5)} if training else None

    def _moved(self, images, transformation, interpolation):
        axes = {"horizontal": self.width_axis, "vertical": self.height_axis}
        flipped = ops.flip(images, axis=[axis for name, axis in axes.items() if name in self.mode])
        return ops.where(transformation["flips"], flipped, images)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed, "mode": self.mode}


class _Affine(_Moving):
    """Base: `_matrix` gives the eight numbers of `ops.image.affine_transform` for each image."""

    def __init__(self, fill_mode, interpolation, seed, fill_value, **kwargs):
        super().__init__(**kwargs)
        self.fill_mode = one_of(type(self).__name__, "fill_mode", fill_mode, _FILL_MODES)
        self.interpolation = one_of(type(self).__name__, "interpolation", interpolation, _INTERPOLATIONS)
        self.fill_value = fill_value
        self._set_seed(seed)

    def _moved(self, images, transformation, interpolation):
        rows = self._matrix(images, transformation)
        zero = ops.zeros_like(next(row for row in rows if not isinstance(row, float)))
        matrix = ops.stack([ops.add(zero, row) for row in (*rows, 0.0, 0.0)], axis=-1)
        return ops.image.affine_transform(
            images,
            matrix,
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "interpolation": self.interpolation,
            "seed": self.seed,
        }


class RandomRotation(_Affine):
    """In training turns each image by a random angle.

    Args:
        factor: float f or (lower, upper): the angle, in turns of 360 degrees, lies between -f and f. Positive angles
            are counter-clockwise.
        fill_mode: what lies beyond the edges: `"reflect"` (default), `"constant"`, `"wrap"` or `"nearest"`.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: int or None.
        fill_value: float, default 0.0: of the mode `"constant"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomRotation(0.1)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.factor = number_range("RandomRotation", "factor", factor, -1, 1)

    def get_random_transformation(self, images, training=True, seed=None):
        if not training:
            return None
        lower, upper = self.factor
        return {"angle": self._uniform(images[:, 0, 0, 0], 360 * lower, 360 * upper, seed)}

    def _matrix(self, images, transformation):
        height, width = self._size(images)
        angle = transformation["angle"] * (math.pi / 180)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomZoom(_Affine):
    """In training makes each image larger or smaller, about its middle.

    Args:
        height_factor: float f or (lower, upper), in (-1, 1]: what is shown is 1 + x times as high, x between -f and f;
            so positive numbers zoom out.
        width_factor: the same for the width; None (default): as the height, which keeps the aspect ratio.
        fill_mode, interpolation, seed, fill_value, data_format: as `RandomRotation`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomZoom(0.2)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = (_plain(f) for f in (height_factor, width_factor))
        self._height_range = _strict_range(self, "height_factor", height_factor, open_low=True)
        self._width_range = None
        if width_factor is not None:
            self._width_range = _strict_range(self, "width_factor", width_factor, open_low=True)

    def get_random_transformation(self, images, training=True, seed=None):
        if not training:
            return None
        like = images[:, :1, 0, 0]
        height = self._uniform(like, 1 + self._height_range[0], 1 + self._height_range[1], seed)
        width = height
        if self._width_range is not None:
            width = self._uniform(like, 1 + self._width_range[0], 1 + self._width_range[1], seed)
        return {"height_zoom": height, "width_zoom": width}

    def _matrix(self, images, transformation):
        height, width = self._size(images)
        zoom_x, zoom_y = (transformation[name][:, 0] for name in ("width_zoom", "height_zoom"))
        return zoom_x, 0.0, (width - 1) / 2 * (1.0 - zoom_x), 0.0, zoom_y, (height - 1) / 2 * (1.0 - zoom_y)

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomTranslation(_Affine):
    """In training shifts each image.

    Args:
        height_factor, width_factor: float f or (lower, upper), in [-1, 1]: the shift, in parts of the height and width,
            lies between -f and f; down and to the right are positive.
        fill_mode, interpolation, seed, fill_value, data_format: as `RandomRotation`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomTranslation(0.1, 0.2)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = (_plain(f) for f in (height_factor, width_factor))
        self._height_range = _strict_range(self, "height_factor", height_factor)
        self._width_range = _strict_range(self, "width_factor", width_factor)

    def get_random_transformation(self, images, training=True, seed=None):
        if not training:
            return None
        height, width = self._size(images)
        like = images[:, :1, 0, 0]
        down = self._uniform(like, *self._height_range, seed) * height
        right = self._uniform(like, *self._width_range, seed) * width
        return {"translations": ops.concatenate([right, down], axis=1)}

    def _matrix(self, images, transformation):
        right, down = (transformation["translations"][:, i] for i in (0, 1))
        return 1.0, 0.0, -right, 0.0, 1.0, -down

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


def _plain(factor):
    return tuple(factor) if isinstance(factor, list) else factor


def _strict_range(layer, name, value, low=-1, open_low=False):
    return number_range(type(layer).__name__, name, value, low, 1, strict=True, open_low=open_low)
