"""The base of the layers that change images, at random or not."""

from dlcore import _core, backend, ops, random
from dlcore.backend.tensorflow_graph import cast_in_graph, is_in_graph
from dlcore.layers.layer import Layer


class ImageLayer(Layer):
    """Changes images, and what belongs to them in the same way.

    The call takes images (batch, height, width, channels) or (height, width, channels), or a dict with such `"images"`
    and any of `"labels"`, `"segmentation_masks"` (as the images, usually with one channel) and `"bounding_boxes"` (a
    dict of `"boxes"` and `"labels"`); it returns the like. A call counts as one in training unless `training` is False
    or the call around it is not.

    What is random is drawn by `get_random_transformation`, and given to `transform_images` and the methods for the
    rest, always with a batch axis; those named `transform_single_...` take what belongs to one image.

    Args:
        bounding_box_format: the format of the boxes, see `utils.bounding_boxes`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None, of layers that are random.
    """

    def __init__(self, bounding_box_format=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.bounding_box_format = bounding_box_format
        self.data_format = backend.standardize_data_format(data_format)
        last = self.data_format == "channels_last"
        self.height_axis, self.width_axis, self.channel_axis = (-3, -2, -1) if last else (-2, -1, -3)
        self.built = True

    def _set_seed(self, seed):
        self.seed = seed
        self.generator = random.SeedGenerator(seed)

    def __call__(self, data, *args, **kwargs):
        images = data.get("images") if isinstance(data, dict) else data
        if is_in_graph((images,), {}):  # of tf.data, where images become floats as in Keras
            images = cast_in_graph(images, self.compute_dtype)
            data = {**data, "images": images} if isinstance(data, dict) else images
        return super().__call__(data, *args, **kwargs)

    def call(self, data, training=True):
        if not isinstance(data, dict):
            images, single = self._batched(data)
            transformation = self.get_random_transformation(images, training=training)
            return _unbatched(self.transform_images(images, transformation, training=training), single)
        images, single = self._batched(data["images"])
        transformation = self.get_random_transformation(images, training=training)
        results = {**data, "images": _unbatched(self.transform_images(images, transformation, training), single)}
        for name in ("labels", "segmentation_masks", "bounding_boxes"):
            if name not in data:
                continue
            if name == "bounding_boxes" and not self.bounding_box_format:
                raise ValueError(
                    f'{self._label()} was given bounding boxes, but not their format. Pass bounding_box_format="xyxy" '
                    "or another to the layer."
                )
            transform = getattr(self, f"transform_{name}")
            if single:
                results[name] = self._single(transform, data[name], transformation, training)
            else:
                value = _mapped(ops.convert_to_tensor, data[name])
                results[name] = transform(value, transformation, training=training)
        return results

    def _batched(self, images):
        images = ops.convert_to_tensor(images)
        if images.ndim not in (3, 4):
            raise ValueError(
                f"{self._label()}: expected images (height, width, channels), or a batch of them. Got shape "
                f"{tuple(images.shape)}."
            )
        return (images, False) if images.ndim == 4 else (ops.expand_dims(images, 0), True)

    def get_random_transformation(self, data, training=True, seed=None):
        """What is drawn for a call: a dict of tensors with a row per image, or None when the layer does nothing.

        Args:
            data: images, one image, or a dict of them, as the call takes.
            training: bool, default True.
            seed: int or `SeedGenerator`, default that of the layer.
        """
        images, _ = self._batched(data["images"] if isinstance(data, dict) else data)
        return self._drawn(images, training, seed)

    # ---- what subclasses override

    def _drawn(self, images, training, seed):
        """What `get_random_transformation` returns, for images with a batch axis."""
        return None

    def transform_images(self, images, transformation=None, training=True):
        """The changed images, from images (batch, height, width, channels) and what was drawn for them."""
        raise NotImplementedError(
            f"{type(self).__name__} must implement transform_images(images, transformation, training)."
        )

    def transform_labels(self, labels, transformation=None, training=True):
        """Labels of changed images; by default they stay."""
        return labels

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """Masks of changed images; by default they stay."""
        return segmentation_masks

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """Boxes of changed images; by default they stay."""
        return bounding_boxes

    # ---- one image

    def transform_single_image(self, image, transformation=None, training=True):
        """As `transform_images`, for one image (height, width, channels)."""
        return self._single(self.transform_images, image, transformation, training)

    def transform_single_label(self, label, transformation=None, training=True):
        """As `transform_labels`, for the label of one image."""
        return self._single(self.transform_labels, label, transformation, training)

    def transform_single_segmentation_mask(self, segmentation_mask, transformation=None, training=True):
        """As `transform_segmentation_masks`, for the mask of one image."""
        return self._single(self.transform_segmentation_masks, segmentation_mask, transformation, training)

    def transform_single_bounding_box(self, bounding_box, transformation=None, training=True):
        """As `transform_bounding_boxes`, for the boxes of one image: a dict of `"boxes"` (boxes, 4) and `"labels"`."""
        return self._single(self.transform_bounding_boxes, bounding_box, transformation, training)

    def _single(self, transform, value, transformation, training):
        batch = _mapped(lambda x: ops.expand_dims(ops.convert_to_tensor(x), 0), value)
        return _unbatched(transform(batch, transformation, training=training), True)

    def _moved_boxes(self, bounding_boxes, before, after, move):
        """Boxes whose corners are moved, in the format of the layer; labels of boxes that leave the image become -1.

        Args:
            bounding_boxes: dict of `"boxes"` (batch, boxes, 4) and `"labels"` (batch, boxes).
            before, after: (height, width) of the images.
            move: function from left, top, right, bottom, each (batch, boxes, 1), to the like.
        """
        from dlcore.utils.bounding_boxes import clip_to_image_size, convert_format

        boxes = convert_format(bounding_boxes["boxes"], self.bounding_box_format, "xyxy", *before)
        moved = {**bounding_boxes, "boxes": ops.concatenate(move(*ops.split(boxes, 4, axis=-1)), axis=-1)}
        return convert_format(clip_to_image_size(moved, *after), "xyxy", self.bounding_box_format, *after)

    # ---- random numbers per image

    def _uniform(self, like, low, high, seed):
        """Numbers of the shape of `like`, evenly from [low, high)."""
        seed = random.draw_seed(self.generator if seed is None else seed)
        return _core.apply("random_uniform", [seed, like], low=float(low), high=float(high), dtype=self.compute_dtype)

    def _chance(self, images, probability, seed):
        """Whether an image is changed, bool (batch,): with a probability drawn from the range."""
        like = images[:, 0, 0, 0]
        return ops.less(self._uniform(like, 0, 1, seed), self._uniform(like, *probability, seed))

    # ---- sizes and colours

    def _size(self, shape):
        height, width = shape[self.height_axis], shape[self.width_axis]
        if height is None or width is None:
            raise ValueError(f"{self._label()}: height and width of the images must be known. Got shape {shape}.")
        return height, width

    def _rescaled(self, images, source, target):
        """Colours of the range `source` in the range `target`."""
        if tuple(source) == tuple(target):
            return images
        scale = (target[1] - target[0]) / (source[1] - source[0])
        return (images - source[0]) * scale + target[0]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config


def per_image(values):
    """One number per image, (batch,), in a shape that broadcasts to images."""
    return ops.reshape(values, [-1, 1, 1, 1])


def around(corners):
    """Left, top, right, bottom of the upright boxes around points [(x, y), ...]."""
    xs, ys = (ops.stack(values, axis=-1) for values in zip(*corners))
    return ops.min(xs, axis=-1), ops.min(ys, axis=-1), ops.max(xs, axis=-1), ops.max(ys, axis=-1)


def _mapped(function, value):
    return {key: function(item) for key, item in value.items()} if isinstance(value, dict) else function(value)


def _unbatched(value, single):
    return _mapped(lambda x: ops.squeeze(x, 0), value) if single else value


# ---- arguments


def number_range(layer_type, name, value, low, high, from_zero=False, strict=False, open_low=False):
    """A pair of numbers in order; a number x stands for (-x, x), cut off at `low`.

    Args:
        low, high: what the number must lie between; a pair only has to overlap with it, unless `strict`.
        from_zero: bool: a number x stands for (0, x).
        open_low: bool: `low` itself is refused.
    """
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    numbers = len(pair) == 2 and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in pair)
    within = numbers and all(low <= x <= high and not (open_low and x == low) for x in pair)
    overlaps = numbers and isinstance(value, (list, tuple)) and pair[0] <= high and pair[1] >= low
    if not (within or (overlaps and not strict)):
        raise ValueError(
            f"{layer_type}: {name} must be a number or a pair of numbers in {'(' if open_low else '['}{low}, {high}]. "
            f"Got {name}={value!r}."
        )
    if isinstance(value, (list, tuple)):
        return tuple(sorted(pair))
    size = abs(value)
    return (0 if from_zero else max(-size, low)), size


def colour_range(layer_type, value):
    """The range of the colours as a list of two numbers in order."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{layer_type}: value_range must be a pair of numbers. Got value_range={value!r}.")
    return sorted(value)
