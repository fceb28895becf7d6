"""Layers of images with inputs: `L` is keras.layers or dlcore.layers.

make_keras_images.py stores what Keras's layers draw and make of it; tests/python/test_image_layers.py hands the same
numbers to dlcore's.
"""

import numpy as np

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (4, 7, 9, 3)).astype("float32")
UNIT = (IMAGES / 256).astype("float32")
FIRST = np.moveaxis(IMAGES, -1, 1)
MASKS = RANDOM.randint(0, 5, (4, 7, 9, 1)).astype("float32")
LABELS = RANDOM.rand(4, 5).astype("float32")

# name: (constructor, images)
CASES = {
    "resizing": (lambda L: L.Resizing(5, 12), IMAGES),
    "resizing_nearest": (lambda L: L.Resizing(4, 4, interpolation="nearest"), IMAGES),
    "resizing_antialias": (lambda L: L.Resizing(3, 4, antialias=True, interpolation="bicubic"), IMAGES),
    "resizing_crop": (lambda L: L.Resizing(4, 4, crop_to_aspect_ratio=True), IMAGES),
    "resizing_pad": (lambda L: L.Resizing(4, 4, pad_to_aspect_ratio=True, fill_value=7.0), IMAGES),
    "resizing_integers": (lambda L: L.Resizing(5, 12), IMAGES.astype("uint8")),
    "resizing_first": (lambda L: L.Resizing(5, 12, data_format="channels_first"), FIRST),
    "center_crop": (lambda L: L.CenterCrop(4, 4), IMAGES),
    "center_crop_larger": (lambda L: L.CenterCrop(8, 5), IMAGES),
    "center_crop_first": (lambda L: L.CenterCrop(3, 6, data_format="channels_first"), FIRST),
    "random_flip": (lambda L: L.RandomFlip(seed=1), IMAGES),
    "random_flip_horizontal": (lambda L: L.RandomFlip("horizontal", seed=2), IMAGES),
    "random_flip_vertical": (lambda L: L.RandomFlip("vertical", seed=3, data_format="channels_first"), FIRST),
    "random_crop": (lambda L: L.RandomCrop(3, 5, seed=4), IMAGES),
    "random_crop_first": (lambda L: L.RandomCrop(5, 3, seed=5, data_format="channels_first"), FIRST),
    "random_rotation": (lambda L: L.RandomRotation(0.4, seed=1), IMAGES),
    "random_rotation_constant": (
        lambda L: L.RandomRotation((0.1, 0.3), fill_mode="constant", fill_value=9.0, interpolation="nearest", seed=2),
        IMAGES,
    ),
    "random_rotation_first": (
        lambda L: L.RandomRotation(0.3, fill_mode="nearest", seed=3, data_format="channels_first"),
        FIRST,
    ),
    "random_zoom": (lambda L: L.RandomZoom(0.5, seed=1), IMAGES),
    "random_zoom_both": (lambda L: L.RandomZoom((-0.5, 0.1), (0.2, 0.8), fill_mode="nearest", seed=2), IMAGES),
    "random_zoom_first": (lambda L: L.RandomZoom(0.5, 0.3, seed=3, data_format="channels_first"), FIRST),
    "random_translation": (lambda L: L.RandomTranslation(0.5, 0.3, seed=1), IMAGES),
    "random_translation_constant": (
        lambda L: L.RandomTranslation((0.1, 0.6), (-0.5, -0.2), fill_mode="constant", fill_value=4.0, seed=2),
        IMAGES,
    ),
    "random_translation_first": (
        lambda L: L.RandomTranslation(0.5, 0.3, interpolation="nearest", seed=3, data_format="channels_first"),
        FIRST,
    ),
    "random_brightness": (lambda L: L.RandomBrightness(0.5, seed=1), IMAGES),
    "random_brightness_range": (lambda L: L.RandomBrightness((-0.5, 0.1), value_range=(0, 1), seed=2), UNIT),
    "random_contrast": (lambda L: L.RandomContrast(0.7, seed=1), IMAGES),
    "random_contrast_range": (lambda L: L.RandomContrast((0.3, 0.9), value_range=(0, 1), seed=2), UNIT),
    "random_contrast_first": (lambda L: L.RandomContrast((0.3, 0.9), seed=3, data_format="channels_first"), FIRST),
}
