"""Layers that move the pixels of images: flips, turns, shifts, zooms and bends."""

import math

from dlcore import ops, random
from dlcore.backend.arguments import fraction, is_number, number, one_of
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, around, colour_range, number_range, per_image
from dlcore.ops.image import displace
from dlcore.ops.resampling import homography

_FILL_MODES = ("reflect", "wrap", "constant", "nearest")
_INTERPOLATIONS = ("nearest", "bilinear")


class _Moving(ImageLayer):
    """Base: in training `_moved` says what becomes of images and, with the nearest pixels, of masks."""

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        return self._moved(images, transformation, self.interpolation) if training and transformation else images

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        if not training or not transformation:
            return segmentation_masks
        return self._moved(segmentation_masks, transformation, "nearest")

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        if not training or not transformation:
            return bounding_boxes
        size = self._size(transformation["input_shape"])

        def move(x1, y1, x2, y2):
            corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
            return around(self._moved_corners(corners, transformation))

        return self._moved_boxes(bounding_boxes, size, size, move)


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

    def _drawn(self, images, training, seed):
        if not training:
            return None
        flips = ops.less_equal(self._uniform(images[:, :1, :1, :1], 0, 1, seed), 0.5)
        return {"flips": flips, "input_shape": images.shape}

    def _moved(self, images, transformation, interpolation):
        axes = {"horizontal": self.width_axis, "vertical": self.height_axis}
        flipped = ops.flip(images, axis=[axis for name, axis in axes.items() if name in self.mode])
        return ops.where(transformation["flips"], flipped, images)

    def _moved_corners(self, corners, transformation):
        height, width = self._size(transformation["input_shape"])
        flips = ops.squeeze(transformation["flips"], axis=-1)
        across, down = "horizontal" in self.mode, "vertical" in self.mode
        return [
            (ops.where(flips, width - x, x) if across else x, ops.where(flips, height - y, y) if down else y)
            for x, y in corners
        ]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed, "mode": self.mode}


class _Affine(_Moving):
    """Base: `_matrix` gives the first six numbers of `ops.image.affine_transform` for each image."""

    def __init__(self, fill_mode, interpolation, seed, fill_value, **kwargs):
        super().__init__(**kwargs)
        self.fill_mode = one_of(type(self).__name__, "fill_mode", fill_mode, _FILL_MODES)
        self.interpolation = one_of(type(self).__name__, "interpolation", interpolation, _INTERPOLATIONS)
        self.fill_value = fill_value
        self._set_seed(seed)

    def _moved(self, images, transformation, interpolation):
        rows = self._matrix(images.shape, transformation)
        zero = ops.zeros_like(next(row for row in rows if not isinstance(row, float)))
        matrix = ops.stack([ops.add(zero, row) for row in rows], axis=-1)
        return ops.image.affine_transform(
            images,
            matrix,
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def _moved_corners(self, corners, transformation):
        """By the inverse: the matrix says from where each pixel is taken."""
        rows = self._matrix(transformation["input_shape"], transformation)
        a, b, c, d, e, f = (row if isinstance(row, float) else ops.reshape(row, [-1, 1, 1]) for row in rows)
        size = a * e - b * d
        return [((e * (x - c) - b * (y - f)) / size, (a * (y - f) - d * (x - c)) / size) for x, y in corners]

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

    def _drawn(self, images, training, seed):
        if not training:
            return None
        lower, upper = self.factor
        angle = self._uniform(images[:, 0, 0, 0], 360 * lower, 360 * upper, seed)
        return {"angle": angle, "input_shape": images.shape}

    def _matrix(self, shape, transformation):
        height, width = self._size(shape)
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

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, :1, 0, 0]
        height = self._uniform(like, 1 + self._height_range[0], 1 + self._height_range[1], seed)
        width = height
        if self._width_range is not None:
            width = self._uniform(like, 1 + self._width_range[0], 1 + self._width_range[1], seed)
        return {"height_zoom": height, "width_zoom": width, "input_shape": images.shape}

    def _matrix(self, shape, transformation):
        height, width = self._size(shape)
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

    def _drawn(self, images, training, seed):
        if not training:
            return None
        height, width = self._size(images.shape)
        like = images[:, :1, 0, 0]
        down = self._uniform(like, *self._height_range, seed) * height
        right = self._uniform(like, *self._width_range, seed) * width
        return {"translations": ops.concatenate([right, down], axis=1), "input_shape": images.shape}

    def _matrix(self, shape, transformation):
        right, down = (transformation["translations"][:, i] for i in (0, 1))
        return 1.0, 0.0, -right, 0.0, 1.0, -down

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomShear(_Affine):
    """In training slants each image: x + s y and y + t x are shown at (x, y), with s and t of the same random sign.

    Args:
        x_factor, y_factor: float f in [0, 1], or (lower, upper) in [-1, 1], default 0.0: the ranges of s and t; f
            stands for (-f, f).
        interpolation, fill_mode, fill_value, data_format, seed: as `RandomRotation`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomShear(0.2, 0.1)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format=data_format, **kwargs)
        self.x_factor, self.y_factor = (
            _strict_range(self, name, number("RandomShear", name, factor, 0, 1) if is_number(factor) else factor)
            for name, factor in (("x_factor", x_factor), ("y_factor", y_factor))
        )

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, :1, 0, 0]
        sign = ops.where(ops.greater(self._uniform(like, 0, 1, seed), 0.5), -1.0, 1.0)
        down, right = (self._uniform(like, *factor, seed) for factor in (self.y_factor, self.x_factor))
        return {"shear_factor": ops.concatenate([right, down], axis=1) * sign, "input_shape": images.shape}

    def _matrix(self, shape, transformation):
        right, down = (transformation["shear_factor"][:, i] for i in (0, 1))
        return 1.0, right, 0.0, down, 1.0, 0.0

    def get_config(self):
        return {**super().get_config(), "x_factor": self.x_factor, "y_factor": self.y_factor}


class RandomPerspective(_Moving):
    """In training shows some images as if seen from elsewhere: their corners are moved.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the probability that an image changes is drawn from
            this range; f stands for (0, f).
        scale: float in [0, 1], default 1.0: each coordinate x of a corner becomes x + c x, c between -scale / 2 and
            scale / 2.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_value: float, default 0.0: what lies beyond the edges.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Example:

    >>> RandomPerspective(scale=0.3)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_value=0.0,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = number_range("RandomPerspective", "factor", factor, 0, 1)
        self.scale = fraction("RandomPerspective", "scale", scale)
        self.interpolation = one_of("RandomPerspective", "interpolation", interpolation, _INTERPOLATIONS)
        self.fill_value = fill_value
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        height, width = self._size(images.shape)
        applies = self._chance(images, self.factor, seed)
        row = ops.reshape(images[:, 0, 0, 0], [-1, 1, 1])
        like = ops.repeat(ops.repeat(row, 4, axis=1), 2, axis=2)
        moves = self._uniform(like, -self.scale / 2, self.scale / 2, seed)
        corners = [[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]]
        start = ops.add(ops.zeros_like(moves), ops.convert_to_tensor(corners, moves.dtype))
        return {
            "apply_perspective": applies,
            "start_points": start,
            "end_points": start + start * moves,
            "input_shape": images.shape,
        }

    def _moved(self, images, transformation, interpolation):
        seen = ops.image.perspective_transform(
            images,
            transformation["start_points"],
            transformation["end_points"],
            interpolation=interpolation,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
        return ops.where(per_image(transformation["apply_perspective"]), seen, images)

    def _moved_corners(self, corners, transformation):
        # The map that brings the end points to the start points says from where pixels are taken; this is its inverse.
        numbers = homography(transformation["end_points"], transformation["start_points"])
        a, b, c, d, e, f, g, h = (numbers[:, i, None, None] for i in range(8))
        applies = ops.reshape(transformation["apply_perspective"], [-1, 1, 1])

        def moved(x, y):
            depth = g * x + h * y + 1.0
            return (
                ops.where(applies, (a * x + b * y + c) / depth, x),
                ops.where(applies, (d * x + e * y + f) / depth, y),
            )

        return [moved(x, y) for x, y in corners]

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "scale": self.scale,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
            "seed": self.seed,
        }


class RandomElasticTransform(_Moving):
    """In training bends some images: their pixels are moved by smooth random distances.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the probability that an image changes is drawn from
            this range; f stands for (0, f).
        scale: float f or (lower, upper), in [0, 1], default 1.0: how far pixels move, and how smoothly; drawn per call.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        fill_mode: what lies beyond the edges: `"reflect"` (default), `"constant"`, `"wrap"`, `"nearest"` or `"mirror"`.
        fill_value: float, default 0.0: of the mode `"constant"`.
        value_range: (low, high), default (0, 255): the range of the colours.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Reference: Simard et al. 2003.

    Example:

    >>> RandomElasticTransform(scale=0.5)(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        kind = "RandomElasticTransform"
        self.factor = number_range(kind, "factor", factor, 0, 1)
        self.scale = number_range(kind, "scale", scale, 0, 1)
        self.interpolation = one_of(kind, "interpolation", interpolation, _INTERPOLATIONS)
        self.fill_mode = one_of(kind, "fill_mode", fill_mode, (*_FILL_MODES, "mirror"))
        self.fill_value = fill_value
        self.value_range = colour_range(kind, value_range)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training or self.scale[1] == 0 or self.factor[1] == 0:
            return None
        return {
            "apply_transform": self._chance(images, self.factor, seed),
            "distortion_factor": self._uniform(ops.convert_to_tensor(0.0), *self.scale, seed),
            # Both pictures and masks are to be moved by the same distances.
            "seeds": [random.draw_seed(self.generator if seed is None else seed) for _ in range(2)],
        }

    def transform_images(self, images, transformation=None, training=True):
        images = super().transform_images(images, transformation, training)
        return ops.clip(images, *self.value_range) if training and transformation else images

    def _moved(self, images, transformation, interpolation):
        height, width = self._size(images.shape)
        distortion = transformation["distortion_factor"]
        # A filter that is large enough for the greatest distortion.
        size = int(6 * 0.05 * min(height, width) * self.scale[1]) | 1
        bent = displace(
            images,
            0.1 * max(height, width) * distortion,
            ops.maximum(0.05 * min(height, width) * distortion, 1e-6),
            size,
            interpolation,
            self.fill_mode,
            self.fill_value,
            transformation["seeds"],
            self.data_format,
        )
        return ops.where(per_image(transformation["apply_transform"]), bent, images)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        raise ValueError(f"{self._label()} cannot say what becomes of bounding boxes. Leave them out.")

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "scale": self.scale,
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "value_range": self.value_range,
            "seed": self.seed,
        }


def _plain(factor):
    return tuple(factor) if isinstance(factor, list) else factor


def _strict_range(layer, name, value, open_low=False):
    return number_range(type(layer).__name__, name, value, -1, 1, strict=True, open_low=open_low)
