"""Layers that bring images to a given size."""

from dlcore import ops
from dlcore.backend.arguments import one_of, positive_int
from dlcore.layers.preprocessing.images.image_layer import ImageLayer

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class _ToSize(ImageLayer):
    """Base: images of a given height and width."""

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height = positive_int(type(self).__name__, "height", height)
        self.width = positive_int(type(self).__name__, "width", width)

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        shape[self.height_axis], shape[self.width_axis] = self.height, self.width
        return tuple(shape)

    def _drawn(self, images, training, seed):
        return {"input_shape": images.shape}

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        before = self._size(transformation["input_shape"])
        (across, down), (left, top) = self._box_map(*before, transformation)

        def move(x1, y1, x2, y2):
            return x1 * across - left, y1 * down - top, x2 * across - left, y2 * down - top

        return self._moved_boxes(bounding_boxes, before, (self.height, self.width), move)

    def _map_of_middle(self, height, width):
        """`_box_map` of the largest part with the right aspect ratio, resized."""
        kept_height = max(min(height, int(width * self.height / self.width)), 1)
        kept_width = max(min(width, int(height * self.width / self.height)), 1)
        across, down = self.width / kept_width, self.height / kept_height
        return (across, down), (int((width - kept_width) / 2) * across, int((height - kept_height) / 2) * down)

    def _cut(self, images, top, left):
        """The part of that size that begins at (top, left): ints, or int tensors."""
        for axis, start, size in ((self.height_axis, top, self.height), (self.width_axis, left, self.width)):
            places = ops.add(ops.arange(size, dtype="int32"), start)
            images = ops.take(images, places, axis=axis % images.ndim)
        return images

    def _resized(self, images, interpolation="bilinear"):
        """The largest part with the right aspect ratio, from the middle, resized."""
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            crop_to_aspect_ratio=True,
            data_format=self.data_format,
        )

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}


class Resizing(_ToSize):
    """Resizes images. Integers stay integers.

    Args:
        height, width: ints > 0.
        interpolation: `"bilinear"` (default), `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: bool, default False: first cut off what the new aspect ratio leaves no room for.
        pad_to_aspect_ratio: bool, default False: first fill up to the new aspect ratio with `fill_value`.
        fill_mode: `"constant"`.
        fill_value: float, default 0.0.
        antialias: bool, default False: smooth images that are made smaller.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, h, w, channels) or (h, w, channels).
    Output shape: (batch, height, width, channels) or (height, width, channels).

    Example:

    >>> Resizing(4, 5)(np.ones((2, 8, 8, 3), "uint8")).shape
    (2, 4, 5, 3)
    """

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(height, width, data_format, **kwargs)
        self.interpolation = one_of("Resizing", "interpolation", interpolation, _INTERPOLATIONS)
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = one_of("Resizing", "fill_mode", fill_mode, ("constant",))
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def transform_images(self, images, transformation=None, training=True):
        return self._resize(images, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._resize(segmentation_masks, "nearest")

    def _box_map(self, height, width, transformation):
        """(factors of x and y), (what is then subtracted)."""
        across, down = self.width / width, self.height / height
        if not self.pad_to_aspect_ratio and not self.crop_to_aspect_ratio:
            return (across, down), (0.0, 0.0)
        scale = min(across, down) if self.pad_to_aspect_ratio else max(across, down)
        wider, higher = width * scale - self.width, height * scale - self.height
        if self.pad_to_aspect_ratio:
            return (scale, scale), (-(-wider // 2), -(-higher // 2))
        return (scale, scale), (wider // 2, higher // 2)

    def _resize(self, images, interpolation):
        return ops.image.resize(
            images,
            (self.height, self.width),
            interpolation=interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


class CenterCrop(_ToSize):
    """Cuts out the middle of images; of smaller ones the largest part with that aspect ratio, resized.

    Args:
        height, width: ints > 0.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, h, w, channels) or (h, w, channels).
    Output shape: (batch, height, width, channels) or (height, width, channels).

    Example:

    >>> CenterCrop(2, 2)(np.arange(16.0).reshape(4, 4, 1)).numpy()[..., 0]
    array([[ 5.,  6.],
           [ 9., 10.]], dtype=float32)
    """

    def transform_images(self, images, transformation=None, training=True):
        return self._cropped(ops.cast(images, self.compute_dtype), "bilinear")

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._cropped(segmentation_masks, "nearest")

    def _box_map(self, height, width, transformation):
        if height < self.height or width < self.width:
            return self._map_of_middle(height, width)
        return (1.0, 1.0), ((width - self.width) // 2, (height - self.height) // 2)

    def _cropped(self, images, interpolation):
        height, width = self._size(images.shape)
        if height < self.height or width < self.width:
            return self._resized(images, interpolation)
        return self._cut(images, (height - self.height) // 2, (width - self.width) // 2)


class RandomCrop(_ToSize):
    """In training cuts out a random part of images, the same of all in a batch.

    Outside training, and of smaller images, the largest part with that aspect ratio is taken from the middle and
    resized.

    Args:
        height, width: ints > 0.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, h, w, channels) or (h, w, channels).
    Output shape: (batch, height, width, channels) or (height, width, channels).

    Example:

    >>> RandomCrop(4, 5)(np.ones((2, 8, 8, 3))).shape
    (2, 4, 5, 3)
    """

    def __init__(self, height, width, seed=None, data_format=None, **kwargs):
        super().__init__(height, width, data_format, **kwargs)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        height, width = self._size(images.shape)
        drawn = super()._drawn(images, training, seed)
        if training and height >= self.height and width >= self.width:
            for name, size in (("top", height - self.height), ("left", width - self.width)):
                drawn[name] = ops.cast(self._uniform(ops.convert_to_tensor(0.0), 0, size + 1, seed), "int32")
        return drawn

    def _box_map(self, height, width, transformation):
        if "top" not in transformation:
            return self._map_of_middle(height, width)
        return (1.0, 1.0), tuple(ops.cast(transformation[name], "float32") for name in ("left", "top"))

    def transform_images(self, images, transformation=None, training=True):
        return self._cropped(ops.cast(images, self.compute_dtype), transformation, "bilinear")

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._cropped(segmentation_masks, transformation, "nearest")

    def _cropped(self, images, transformation, interpolation):
        if "top" not in transformation:
            return self._resized(images, interpolation)
        return self._cut(images, transformation["top"], transformation["left"])

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
