"""Layers that erase parts of images, or mix images with others of their batch."""

from dlcore import _core, ops, random
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, colour_range, number_range, per_image


class _Boxes(ImageLayer):
    """Base: rectangles at random places."""

    def _random_box(self, images, shares, seed):
        """Masks bool (batch, height, width, 1), or with the channels first; and the part of the image outside (batch,).

        Args:
            shares: the box's part of the height and of the width, each (batch,).
        """
        inside = None
        for axis, size, share in zip((self.height_axis, self.width_axis), self._size(images.shape), shares):
            length = share * size
            start = self._uniform(length, 0, 1, seed) * (size - length)
            place = _core.apply("iota_like", [images], axis=axis % 4, dtype="float32")
            place = ops.max(place, axis=self.channel_axis, keepdims=True)
            within = ops.logical_and(
                ops.greater_equal(place, per_image(start)), ops.less(place, per_image(start + length))
            )
            inside = within if inside is None else ops.logical_and(inside, within)
        return inside, 1.0 - shares[0] * shares[1]


class RandomErasing(_Boxes):
    """In training fills a rectangle of some images with noise or a colour.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the probability is drawn from this range; f stands
            for (0, f).
        scale: float f or (lower, upper), in [0, 1], default (0.02, 0.33): of two numbers from this range the square
            roots are the rectangle's parts of height and width.
        fill_value: float, list of 3 floats (one per channel), or None (default): normal noise.
        value_range: (low, high), default (0, 255): the range of the colours.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Reference: Zhong et al. 2020.

    Example:

    >>> RandomErasing()(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        kind = "RandomErasing"
        self.factor = number_range(kind, "factor", factor, 0, 1)
        self.scale = number_range(kind, "scale", scale, 0, 1)
        several = isinstance(fill_value, (list, tuple))
        if not (fill_value is None or isinstance(fill_value, (int, float)) or (several and len(fill_value) == 3)):
            raise ValueError(f"{kind}: fill_value must be a number, three numbers or None. Got {fill_value!r}.")
        self.fill_value = tuple(fill_value) if several else fill_value
        self.value_range = colour_range(kind, value_range)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, 0, 0, 0]
        shares = [ops.sqrt(self._uniform(like, *self.scale, seed)) for _ in range(2)]
        masks, _ = self._random_box(images, shares, seed)
        return {
            "batch_masks": masks,
            "apply_erasing": self._chance(images, self.factor, seed),
            "fill_value": ops.clip(self._fill(images, seed), *self.value_range),
        }

    def _fill(self, images, seed):
        if self.fill_value is None:
            drawn = random.draw_seed(self.generator if seed is None else seed)
            noise = _core.apply("random_normal", [drawn, images], mean=0.0, stddev=1.0, dtype=self.compute_dtype)
            return noise * self.value_range[1]
        value = ops.convert_to_tensor(self.fill_value, self.compute_dtype)
        return ops.reshape(value, [-1] if self.data_format == "channels_last" else [-1, 1, 1])

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        erased = ops.where(transformation["batch_masks"], transformation["fill_value"], images)
        return ops.where(per_image(transformation["apply_erasing"]), erased, images)

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "scale": self.scale,
            "fill_value": self.fill_value,
            "value_range": self.value_range,
            "seed": self.seed,
        }


def _permutation(layer, images, seed):
    """The images' numbers in random order, int32 (batch,)."""
    return ops.argsort(layer._uniform(images[:, 0, 0, 0], 0, 1, seed), axis=0)


def _blend(x, weight, order):
    """weight * x + (1 - weight) * the others, for weights (batch,)."""
    weight = ops.reshape(ops.cast(weight, x.dtype), [-1] + [1] * (x.ndim - 1))
    return weight * x + (1.0 - weight) * ops.take(x, order, axis=0)


class CutMix(_Boxes):
    """In training puts a rectangle of another image of the batch into each image, and mixes the labels alike.

    Args:
        factor: float f or (lower, upper), in [0, 1], default 1.0: the alpha of the beta distribution of the part that
            is kept is drawn from this range; f stands for (0, f).
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    The call takes a dict with `"images"` and, for labels as probabilities, `"labels"` (batch, classes).

    Input shape: (batch, height, width, channels) or (height, width, channels), which stays. Output shape: the same.

    Reference: Yun et al. 2019.

    Example:

    >>> CutMix()({"images": np.ones((2, 8, 8, 3)), "labels": np.eye(2)})["labels"].shape
    (2, 2)
    """

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.factor = number_range("CutMix", "factor", factor, 0, 1)
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        like = images[:, 0, 0, 0]
        alpha = ops.zeros_like(like) + self._uniform(ops.convert_to_tensor(0.0), *self.factor, seed) + 1e-6
        kept = random.beta_numbers(alpha, alpha, self.generator if seed is None else seed)
        share = ops.sqrt(1.0 - kept)
        masks, outside = self._random_box(images, (share, share), seed)
        return {
            "permutation_order": _permutation(self, images, seed),
            "batch_masks": masks,
            "mix_weight": outside,
        }

    def transform_images(self, images, transformation=None, training=True):
        return self._mixed(ops.cast(images, self.compute_dtype), transformation, training)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._mixed(segmentation_masks, transformation, training)

    def _mixed(self, images, transformation, training):
        if not training or transformation is None:
            return images
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    def transform_labels(self, labels, transformation=None, training=True):
        if not training or transformation is None:
            return labels
        weight = ops.reshape(transformation["mix_weight"], [-1])
        return _blend(labels, weight, transformation["permutation_order"])

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        raise ValueError(f"{self._label()} cannot say what becomes of bounding boxes. Leave them out, or use MixUp.")

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "seed": self.seed}


class MixUp(ImageLayer):
    """In training blends each image with another of the batch, and the labels alike.

    Args:
        alpha: float, default 0.2: of the beta distribution of the weights.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: int or None.

    The call takes a dict with `"images"` and, for labels as probabilities, `"labels"` (batch, classes).

    Input shape: (batch, height, width, channels) or (height, width, channels). Output shape: the same.

    Reference: Zhang et al. 2018.

    Example:

    >>> MixUp()({"images": np.ones((2, 8, 8, 3)), "labels": np.eye(2)})["labels"].shape
    (2, 2)
    """

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.alpha = alpha
        self._set_seed(seed)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        alpha = ops.zeros_like(images[:, 0, 0, 0]) + self.alpha
        weight = random.beta_numbers(alpha, alpha, self.generator if seed is None else seed)
        return {"mix_weight": weight, "permutation_order": _permutation(self, images, seed)}

    def transform_images(self, images, transformation=None, training=True):
        return self._mixed(ops.cast(images, self.compute_dtype), transformation, training)

    def transform_labels(self, labels, transformation=None, training=True):
        return self._mixed(labels, transformation, training)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._mixed(segmentation_masks, transformation, training)

    def _mixed(self, x, transformation, training):
        if not training or transformation is None:
            return x
        return _blend(x, transformation["mix_weight"], transformation["permutation_order"])

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes of both images."""
        if not training or transformation is None:
            return bounding_boxes
        order = transformation["permutation_order"]
        return {
            name: ops.concatenate([value, ops.take(value, order, axis=0)], axis=1)
            for name, value in bounding_boxes.items()
        }

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "seed": self.seed}
