"""Layers that choose among many changes of images at random."""

import random as python_random

from dlcore import backend, ops, random
from dlcore.backend.arguments import int_from, positive_int
from dlcore.layers.preprocessing.images.colours import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from dlcore.layers.preprocessing.images.filters import RandomSharpness
from dlcore.layers.preprocessing.images.geometry import RandomRotation, RandomShear, RandomTranslation
from dlcore.layers.preprocessing.images.histograms import Equalization
from dlcore.layers.preprocessing.images.image_layer import ImageLayer, colour_range, number_range


class _Policy(ImageLayer):
    """Base: the changes to choose from, `{name: layer}`, all of one strength.

    Args:
        value_range: (low, high): the range of the colours.
        factor: float f or (lower, upper), in [0, 1]: the strength; f stands for (0, f).
        interpolation: of the changes that move pixels.
        seed: int or None.
    """

    def __init__(self, value_range, factor, interpolation, seed, data_format, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.value_range = colour_range(kind, value_range)
        self.factor = number_range(kind, "factor", factor, 0, 1)
        self.interpolation = interpolation
        self._set_seed(seed)
        both = {"data_format": data_format, "dtype": self.dtype_policy, "bounding_box_format": self.bounding_box_format}
        colours = {"value_range": value_range, **both}
        moving = {"interpolation": interpolation, "seed": seed, **both}
        strength = self.factor
        self._changes = {
            "random_shear": RandomShear(strength, strength, **moving),
            "random_translation": RandomTranslation(strength, strength, **moving),
            "random_rotation": RandomRotation(strength, **moving),
            "random_brightness": RandomBrightness(strength, seed=seed, **colours),
            "random_color_degeneration": RandomColorDegeneration(strength, seed=seed, **colours),
            "random_contrast": RandomContrast(strength, seed=seed, **colours),
            "random_sharpness": RandomSharpness(strength, seed=seed, **colours),
            "random_posterization": RandomPosterization(max(1, int(8 * strength[1])), seed=seed, **colours),
            "solarization": Solarization(strength, strength, seed=seed, **colours),
            "auto_contrast": AutoContrast(**colours),
            "equalization": Equalization(**colours),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "factor": self.factor,
            "interpolation": self.interpolation,
            "seed": self.seed,
        }


class RandAugment(_Policy):
    """In training applies some changes, chosen at random from eleven, one after the other to a whole batch.

    They are shears, shifts, turns, brightness, contrast, degenerated colours, sharpness, posterization, solarization,
    stretched and equalized colours.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.
        num_ops: int, default 2: how many changes; with 0 images stay what they are.
        factor: float f or (lower, upper), in [0, 1], default 0.5: the strength; f stands for (0, f).
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Reference: Cubuk et al. 2020.

    Example:

    >>> RandAugment()(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_ops=2,
        factor=0.5,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_ops = int_from("RandAugment", "num_ops", num_ops, 0)

    def _drawn(self, images, training, seed):
        if not training:
            return None
        seed = self.generator if seed is None else seed
        chosen = random.randint((self.num_ops,), 0, len(self._changes), seed=seed)
        drawn = {name: layer.get_random_transformation(images, seed=seed) for name, layer in self._changes.items()}
        return {"layer_idxes": chosen, "transforms": drawn}

    def transform_images(self, images, transformation=None, training=True):
        return self._changed("transform_images", ops.cast(images, self.compute_dtype), transformation, training)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._changed("transform_segmentation_masks", segmentation_masks, transformation, training)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        return self._changed("transform_bounding_boxes", bounding_boxes, transformation, training)

    def _changed(self, method, x, transformation, training):
        if not training or transformation is None:
            return x
        drawn = transformation["transforms"]
        for step in range(self.num_ops):
            chosen, before = transformation["layer_idxes"][step], x
            for place, (name, layer) in enumerate(self._changes.items()):
                if chosen.is_symbolic:
                    x = _choose(ops.equal(chosen, place), getattr(layer, method)(before, drawn.get(name)), x)
                elif int(chosen) == place:
                    x = getattr(layer, method)(before, drawn.get(name))
        return x

    def get_config(self):
        return {**super().get_config(), "num_ops": self.num_ops}


def _choose(condition, a, b):
    if isinstance(a, dict):
        return {name: ops.where(condition, a[name], b[name]) for name in b}
    return ops.where(condition, a, b)


class AugMix(_Policy):
    """In training blends each image with a mixture of chains of changes.

    y = m x + (1 - m) sum_i w_i chain_i(x), with m from a beta and w from a Dirichlet distribution; the changes of each
    chain are chosen per call (in a traced program once), from those of `RandAugment`.

    Args:
        value_range: (low, high), default (0, 255): the range of the colours.
        num_chains: int, default 3.
        chain_depth: int, default 3: the most changes of a chain.
        factor: float f or (lower, upper), in [0, 1], default 0.3: the strength; f stands for (0, f).
        alpha: float, default 1.0: of both distributions.
        all_ops: bool, default True; False: without brightness, contrast, degenerated colours and sharpness.
        interpolation: `"bilinear"` (default) or `"nearest"`.
        seed: int or None.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Input shape: (batch, height, width, 3) or (height, width, 3). Output shape: the same.

    Reference: Hendrycks et al. 2020.

    Example:

    >>> AugMix()(np.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_chains=3,
        chain_depth=3,
        factor=0.3,
        alpha=1.0,
        all_ops=True,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_chains = positive_int("AugMix", "num_chains", num_chains)
        self.chain_depth = positive_int("AugMix", "chain_depth", chain_depth)
        self.alpha = alpha
        self.all_ops = all_ops
        self._chooser = python_random.Random(self.generator.get_config()["seed"])
        if not all_ops:
            for name in ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness"):
                del self._changes[name]

    def _drawn(self, images, training, seed):
        if not training:
            return None
        seed = self.generator if seed is None else seed
        shares = random.log_gamma_numbers(ops.full((self.num_chains,), float(self.alpha)), seed)
        chains = [
            [
                {"layer_name": name, "transformation": self._changes[name].get_random_transformation(images, seed=seed)}
                for name in self._chooser.choices([*self._changes, None], k=self.chain_depth)
                if name is not None
            ]
            for _ in range(self.num_chains)
        ]
        return {
            "chain_mixing_weights": ops.softmax(shares),
            "weight_sample": random.beta((), self.alpha, self.alpha, seed=seed),
            "chain_transforms": chains,
        }

    def transform_images(self, images, transformation=None, training=True):
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        return ops.clip(self._mixed("transform_images", images, transformation), *self.value_range)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        if not training or transformation is None:
            return segmentation_masks
        x = segmentation_masks
        x = x if backend.is_float_dtype(x.dtype) else ops.cast(x, self.compute_dtype)
        return self._mixed("transform_segmentation_masks", x, transformation)

    def _mixed(self, method, x, transformation):
        mixture = ops.zeros_like(x)
        for place, chain in enumerate(transformation["chain_transforms"]):
            changed = x
            for link in chain:
                layer = self._changes[link["layer_name"]]
                changed = getattr(layer, method)(changed, link.get("transformation"))
            mixture = mixture + changed * ops.cast(transformation["chain_mixing_weights"][place], x.dtype)
        kept = ops.cast(transformation["weight_sample"], x.dtype)
        return kept * x + (1.0 - kept) * mixture

    def get_config(self):
        return {
            **super().get_config(),
            "num_chains": self.num_chains,
            "chain_depth": self.chain_depth,
            "alpha": self.alpha,
            "all_ops": self.all_ops,
        }
