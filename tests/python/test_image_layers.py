"""Layers of images: what they make of Keras's random numbers, what they draw themselves, use in models, messages."""

import json
import pathlib

import numpy as np
import pytest
from image_cases import CASES, IMAGES, LABELS, MASKS

import dlcore as keras
from dlcore import layers, ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Keras blends neighbouring labels of masks that it enlarges.
OTHER_MASKS = {"center_crop_larger"}
RANDOM = [name for name in CASES if name.startswith("random")]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_images.npz") as file:
        return dict(file)


def drawn(golden, name):
    """Keras's random numbers as the structure that they were."""
    start = f"{name}/drawn/"
    root = {}
    for key, value in golden.items():
        if key.startswith(start):
            *outer, last = key[len(start) :].split("/")
            place = root
            for part in outer:
                place = place.setdefault(part, {})
            place[last] = ops.convert_to_tensor(value)
    return as_lists(root) or None


def as_lists(tree):
    if not isinstance(tree, dict):
        return tree
    tree = {key: as_lists(value) for key, value in tree.items()}
    return list(tree.values()) if tree and all(key.isdigit() for key in tree) else tree


def close(y, expected, tolerance=1e-4):
    """Integers may be one off: 120.5 and 120.49999 are rounded apart."""
    allowed = tolerance * np.abs(expected).max(initial=1) if expected.dtype.kind == "f" else 1
    np.testing.assert_allclose(ops.convert_to_numpy(y).astype("f"), expected.astype("f"), rtol=tolerance, atol=allowed)


@pytest.mark.parametrize("name", CASES)
def test_values(name, golden):
    make, images = CASES[name]
    layer, numbers = make(layers), drawn(golden, name)
    y = layer.transform_images(ops.convert_to_tensor(images), numbers, training=True)
    assert y.dtype == str(golden[f"{name}/y"].dtype)
    close(y, golden[f"{name}/y"])
    close(layer.transform_labels(ops.convert_to_tensor(LABELS), numbers, training=True), golden[f"{name}/labels"])
    if f"{name}/masks" in golden and name not in OTHER_MASKS:
        masks = layer.transform_segmentation_masks(ops.convert_to_tensor(MASKS), numbers, training=True)
        close(masks, golden[f"{name}/masks"])


@pytest.mark.parametrize("name", CASES)
def test_single_images_batches_and_models(name):
    """Shapes agree; in a model the batch may be unknown, and outside training random layers do nothing."""
    make, images = CASES[name]
    layer = make(layers)
    batch = layer(images)
    assert layer(images[0]).shape == batch.shape[1:]
    assert tuple(layer.compute_output_shape(images.shape)) == batch.shape
    inputs = keras.Input(images.shape[1:], dtype=str(images.dtype))
    outputs = layer(inputs)
    assert outputs.shape == (None, *batch.shape[1:]) and outputs.dtype == batch.dtype
    model = keras.Model(inputs, outputs)
    still = model.predict(images, verbose=0)
    np.testing.assert_array_equal(still, ops.convert_to_numpy(layer(images, training=False)))
    if name in RANDOM and batch.shape == images.shape:
        np.testing.assert_array_equal(still, images)


@pytest.mark.parametrize("name", CASES)
def test_configuration(name):
    make, images = CASES[name]
    layer = make(layers)
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert copy.get_config() == layer.get_config()
    if getattr(layer, "seed", None) is not None:
        np.testing.assert_array_equal(copy(images).numpy(), layer(images).numpy())


@pytest.mark.parametrize("name", RANDOM)
def test_what_is_drawn(name):
    """Other numbers at each call, of the shapes that Keras draws, in the range of Keras's."""
    make, images = CASES[name]
    layer = make(layers)
    x = ops.convert_to_tensor(np.concatenate([images] * 50))
    first, second = (layer.get_random_transformation(x, training=True) for _ in range(2))
    assert any((a.numpy() != b.numpy()).any() for a, b in zip(leaves(first), leaves(second)))
    assert layer.get_random_transformation(x, training=False) is None


def leaves(tree):
    if isinstance(tree, (list, tuple, dict)):
        items = tree.values() if isinstance(tree, dict) else tree
        return [leaf for item in items for leaf in leaves(item)]
    return [tree]


def extremes(layer, images=IMAGES, name=None):
    """The smallest and the greatest number that is drawn for many images."""
    values = layer.get_random_transformation(ops.convert_to_tensor(np.concatenate([images] * 500)))[name].numpy()
    return values.min(), values.max()


@pytest.mark.parametrize(
    "layer, name, low, high",
    [
        (layers.RandomRotation(0.25), "angle", -90, 90),
        (layers.RandomRotation((0.1, 0.2)), "angle", 36, 72),
        (layers.RandomZoom(0.5), "height_zoom", 0.5, 1.5),
        (layers.RandomZoom(0.5, (-0.3, 0.2)), "width_zoom", 0.7, 1.2),
        (layers.RandomTranslation(0.0, (0.1, 0.3)), "translations", 0, 2.7),
        (layers.RandomBrightness(0.2), "rgb_delta", -51, 51),
        (layers.RandomContrast(0.5), "contrast_factor", 1, 1.5),
        (layers.RandomContrast((0.5, 0.25)), "contrast_factor", 0.75, 1.5),
    ],
)
def test_ranges(layer, name, low, high):
    smallest, greatest = extremes(layer, name=name)
    assert low <= smallest <= low + 0.01 * (high - low) and high - 0.01 * (high - low) <= greatest <= high


def test_dictionaries():
    """Images, masks and labels change alike; the given dict stays as it was."""
    layer = layers.RandomTranslation((0.3, 0.3), (0.0, 0.0), fill_mode="constant", interpolation="nearest", seed=1)
    data = {"images": IMAGES, "segmentation_masks": IMAGES[..., :1], "labels": LABELS}
    result = layer(data)
    assert data["images"] is IMAGES
    np.testing.assert_array_equal(result["segmentation_masks"].numpy(), result["images"].numpy()[..., :1])
    np.testing.assert_array_equal(result["labels"].numpy(), LABELS)
    one = layers.RandomFlip(seed=3)({"images": IMAGES[0], "segmentation_masks": IMAGES[0, ..., :1]})
    np.testing.assert_array_equal(one["segmentation_masks"].numpy(), one["images"].numpy()[..., :1])
    with pytest.raises(ValueError, match="was given bounding boxes, but not their format"):
        layer({"images": IMAGES, "bounding_boxes": {"boxes": np.zeros((4, 1, 4)), "labels": np.zeros((4, 1))}})


def test_crops_keep_their_pixels():
    layer = layers.RandomCrop(3, 4, seed=1)
    places = np.arange(63, dtype="float32").reshape(1, 7, 9, 1)
    corners = {int(layer(places).numpy()[0, 0, 0, 0]) for _ in range(300)}
    assert corners == {9 * y + x for y in range(5) for x in range(6)}
    still = layer(places, training=False)
    expected = layers.Resizing(3, 4, crop_to_aspect_ratio=True)(places)
    np.testing.assert_array_equal(still.numpy(), expected.numpy())
    np.testing.assert_array_equal(layers.RandomCrop(9, 3)(places), layers.CenterCrop(9, 3)(places))


def test_training_with_augmentation():
    """New numbers in every step of a traced training."""
    inputs = keras.Input((7, 9, 3))
    x = layers.RandomFlip(seed=1)(layers.RandomBrightness(0.5, seed=2)(inputs))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = model.fit(IMAGES, np.zeros((4, 1)), epochs=3, verbose=0).history["loss"]
    assert len(set(losses)) == 3


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.Resizing(0, 3), "Resizing: height must be an int > 0. Got height=0"),
        (lambda: layers.RandomFlip("sideways"), "RandomFlip: unknown mode: 'sideways'"),
        (
            lambda: layers.RandomRotation(2.0),
            r"factor must be a number or a pair of numbers in \[-1, 1\]. Got factor=2.0",
        ),
        (lambda: layers.RandomRotation("left"), "Got factor='left'"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "unknown fill_mode: 'mirror'"),
        (lambda: layers.RandomRotation(0.1, interpolation="cubic"), "unknown interpolation: 'cubic'"),
        (lambda: layers.RandomZoom(-1.0), r"height_factor must be a number or a pair of numbers in \(-1, 1\]. Got"),
        (lambda: layers.RandomTranslation(0.1, (0.1, 0.2, 0.3)), "width_factor must be a number or a pair of numbers"),
        (
            lambda: layers.RandomBrightness(0.1, value_range=3),
            "value_range must be a pair of numbers. Got value_range=3",
        ),
        (lambda: layers.RandomContrast(-0.1), r"in \[0, 1\]. Got factor=-0.1"),
        (lambda: layers.RandomFlip()(np.ones((3, 3))), r"expected images \(height, width, channels\), or a batch"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
