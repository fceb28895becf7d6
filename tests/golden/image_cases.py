"""Layers of images with inputs: `L` is keras.layers or dlcore.layers.

make_keras_images.py stores what Keras's layers draw and make of it; tests/python/test_image_layers.py hands the same
numbers to dlcore's.
"""

import numpy as np

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (4, 7, 9, 3)).astype("float32")
UNIT = (IMAGES / 256).astype("float32")
FIRST, UNIT_FIRST = np.moveaxis(IMAGES, -1, 1), np.moveaxis(UNIT, -1, 1)
MASKS = RANDOM.randint(0, 5, (4, 7, 9, 1)).astype("float32")
LABELS = RANDOM.rand(4, 5).astype("float32")

# Layers that change labels, and those that change masks.
MIXING = ("cut_mix", "mix_up")
MOVING = (
    "resizing",
    "center_crop",
    "random_crop",
    "random_flip",
    "random_rotation",
    "random_zoom",
    "random_translation",
    "random_shear",
    "random_perspective",
    "rand_augment",
)
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
    "random_shear": (lambda L: L.RandomShear(0.5, 0.3, seed=1), IMAGES),
    "random_shear_first": (
        lambda L: L.RandomShear((0.1, 0.6), fill_mode="constant", seed=2, data_format="channels_first"),
        FIRST,
    ),
    "random_perspective": (lambda L: L.RandomPerspective((0.5, 0.9), 0.6, seed=1), IMAGES),
    "random_perspective_first": (
        lambda L: L.RandomPerspective((1.0, 1.0), 0.4, "nearest", fill_value=3.0, seed=2, data_format="channels_first"),
        FIRST,
    ),
    "random_hue": (lambda L: L.RandomHue(0.8, seed=1), IMAGES),
    "random_hue_first": (
        lambda L: L.RandomHue((0.2, 0.5), value_range=(0, 1), seed=2, data_format="channels_first"),
        UNIT_FIRST,
    ),
    "random_saturation": (lambda L: L.RandomSaturation((0.1, 0.8), seed=1), IMAGES),
    "random_saturation_first": (
        lambda L: L.RandomSaturation((0.1, 0.8), value_range=(0, 1), seed=2, data_format="channels_first"),
        UNIT_FIRST,
    ),
    "random_color_degeneration": (lambda L: L.RandomColorDegeneration((0.2, 0.9), seed=1), IMAGES),
    "random_color_degeneration_first": (
        lambda L: L.RandomColorDegeneration(0.5, seed=2, data_format="channels_first"),
        FIRST,
    ),
    "random_grayscale": (lambda L: L.RandomGrayscale(seed=1), IMAGES),
    "random_invert": (lambda L: L.RandomInvert((0.4, 0.7), seed=1), IMAGES),
    "random_posterization": (lambda L: L.RandomPosterization((2, 6), seed=1), IMAGES),
    "random_posterization_range": (lambda L: L.RandomPosterization((3, 3), value_range=(0, 1), seed=2), UNIT),
    "random_sharpness": (lambda L: L.RandomSharpness(1.0, seed=1), IMAGES),
    "random_sharpness_first": (lambda L: L.RandomSharpness((0.1, 0.4), seed=2, data_format="channels_first"), FIRST),
    "random_gaussian_blur": (lambda L: L.RandomGaussianBlur((0.4, 0.8), 3, (0.5, 1.0), seed=1), IMAGES),
    "random_gaussian_blur_first": (
        lambda L: L.RandomGaussianBlur((1.0, 1.0), (5, 5), seed=2, data_format="channels_first"),
        FIRST,
    ),
    "random_erasing": (lambda L: L.RandomErasing((0.5, 0.9), seed=1), IMAGES),
    "random_erasing_colour": (lambda L: L.RandomErasing((1.0, 1.0), (0.3, 0.8), fill_value=[1, 2, 3], seed=2), IMAGES),
    "solarization": (lambda L: L.Solarization(0.3, 0.5, seed=1), IMAGES),
    "solarization_range": (lambda L: L.Solarization((0.1, 0.2), (0.3, 0.9), value_range=(0, 1), seed=2), UNIT),
    "auto_contrast": (lambda L: L.AutoContrast(), IMAGES // 2 + 20),
    "auto_contrast_range": (lambda L: L.AutoContrast(value_range=(0, 1)), UNIT / 2),
    "auto_contrast_flat": (lambda L: L.AutoContrast(), np.full((2, 3, 4, 3), 7.0, "float32")),
    "equalization": (lambda L: L.Equalization(), IMAGES // 2),
    "equalization_bins": (lambda L: L.Equalization(value_range=(0, 1), bins=16), UNIT / 2),
    "equalization_flat": (lambda L: L.Equalization(), np.full((2, 3, 4, 3), 7.0, "float32")),
    "equalization_first": (lambda L: L.Equalization(data_format="channels_first"), FIRST // 2),
    "clahe": (lambda L: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3)), IMAGES),
    "clahe_unlimited": (
        lambda L: L.ContrastLimitedAdaptiveHistogramEqualization((0, 1), clip_limit=0.0, tile_grid_size=(3, 2)),
        UNIT,
    ),
    "clahe_first": (
        lambda L: L.ContrastLimitedAdaptiveHistogramEqualization(
            clip_limit=20.0, tile_grid_size=(1, 4), data_format="channels_first"
        ),
        FIRST,
    ),
    "cut_mix": (lambda L: L.CutMix(seed=1), IMAGES),
    "cut_mix_first": (lambda L: L.CutMix((0.5, 1.0), seed=2, data_format="channels_first"), FIRST),
    "mix_up": (lambda L: L.MixUp(0.7, seed=1), IMAGES),
    "rand_augment": (lambda L: L.RandAugment(seed=1, num_ops=3), IMAGES),
    "rand_augment_weak": (lambda L: L.RandAugment(value_range=(0, 1), factor=0.2, seed=3), UNIT),
    "aug_mix": (lambda L: L.AugMix(seed=1), IMAGES),
    "aug_mix_few": (lambda L: L.AugMix((0, 1), 2, 2, 0.5, all_ops=False, seed=2), UNIT),
}

# Boxes of IMAGES in xyxy: within, at the edge, across it, empty.
BOXED = {
    "boxes": np.array([[[1, 2, 5, 6], [0, 0, 9, 7], [6, 4, 12, 9], [3, 3, 3, 3]]] * 4, "float32")
    + np.arange(4, dtype="float32")[:, None, None] / 4,
    "labels": np.tile(np.arange(4), (4, 1)),
}
BOXES = {
    "resizing": lambda L: L.Resizing(5, 12, bounding_box_format="xyxy"),
    "resizing_pad": lambda L: L.Resizing(4, 4, pad_to_aspect_ratio=True, bounding_box_format="xyxy"),
    "resizing_crop": lambda L: L.Resizing(4, 4, crop_to_aspect_ratio=True, bounding_box_format="xyxy"),
    "center_crop": lambda L: L.CenterCrop(4, 5, bounding_box_format="xyxy"),
    "center_crop_larger": lambda L: L.CenterCrop(8, 5, bounding_box_format="xyxy"),
    "random_rotation": lambda L: L.RandomRotation(0.4, seed=1, bounding_box_format="xyxy"),
    "random_zoom": lambda L: L.RandomZoom(0.5, seed=1, bounding_box_format="xyxy"),
    "random_translation": lambda L: L.RandomTranslation(0.5, 0.3, seed=1, bounding_box_format="rel_xyxy"),
    "random_perspective": lambda L: L.RandomPerspective((0.5, 0.9), 0.4, seed=1, bounding_box_format="xyxy"),
    "max_number": lambda L: L.MaxNumBoundingBoxes(6, bounding_box_format="xyxy"),
    "max_number_fewer": lambda L: L.MaxNumBoundingBoxes(2, bounding_box_format="xyxy"),
}
