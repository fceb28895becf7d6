"""Layers of images: what they make of Keras's random numbers, what they draw themselves, use in models, messages."""

import json
import pathlib

import numpy as np
import pytest
from image_cases import BOXED, BOXES, CASES, IMAGES, LABELS, MASKS

import dlcore as keras
from dlcore import _core, layers, ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Keras blends neighbouring labels of masks that it enlarges.
OTHER_MASKS = {"center_crop_larger"}
RANDOM = [name for name in CASES if name.startswith("random")]
SIZED = {name for name in (*CASES, *BOXES) if name.startswith(("resizing", "center_crop", "max"))}
# One number to choose from.
FIXED = {"random_posterization_range"}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_images.npz") as file:
        return dict(file)


def drawn(golden, name, images, place="drawn"):
    """Keras's random numbers as the structure that they were."""
    start = f"{name}/{place}/"
    root = {}
    for key, value in golden.items():
        if key.startswith(start):
            *outer, last = key[len(start) :].split("/")
            place = root
            for part in outer:
                place = place.setdefault(part, {})
            place[last] = str(value) if value.dtype.kind == "U" else ops.convert_to_tensor(value)
    # What the layers note beside the numbers.
    return {**as_lists(root), "input_shape": images.shape} if root or name in SIZED else None


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
    layer, numbers = make(layers), drawn(golden, name, images)
    y = layer.transform_images(ops.convert_to_tensor(images), numbers, training=True)
    assert y.dtype == str(golden[f"{name}/y"].dtype)
    close(y, golden[f"{name}/y"])
    if f"{name}/labels" in golden:
        labels = layer.transform_labels(ops.convert_to_tensor(LABELS), numbers, training=True)
        close(labels, golden[f"{name}/labels"])
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


@pytest.mark.parametrize("name", [name for name in RANDOM if name not in FIXED])
def test_what_is_drawn(name):
    """Other numbers at each call, of the shapes that Keras draws, in the range of Keras's."""
    make, images = CASES[name]
    layer = make(layers)
    x = ops.convert_to_tensor(np.concatenate([images] * 50))
    first, second = (layer.get_random_transformation(x, training=True) for _ in range(2))
    assert any((a.numpy() != b.numpy()).any() for a, b in zip(leaves(first), leaves(second)))
    assert layer.get_random_transformation(x, training=False) is None or name.startswith("random_crop")


def leaves(tree):
    if isinstance(tree, (list, tuple, dict)):
        items = tree.values() if isinstance(tree, dict) else tree
        return [leaf for item in items for leaf in leaves(item)]
    return [] if isinstance(tree, int) else [tree]


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
        (layers.RandomHue(0.6), "factor", -0.3, 0.3),
        (layers.RandomColorDegeneration((0.2, 0.7)), "factor", 0.2, 0.7),
        (layers.RandomShear(0.3, 0.3), "shear_factor", -0.3, 0.3),
        (layers.RandomShear((0.1, 0.2), 0.0), "shear_factor", -0.2, 0.2),
        (layers.RandomPosterization((3, 6)), "shift_factor", 3, 5),
        (layers.RandomSharpness((0.25, 0.75)), "factor", 0.25, 0.75),
        (layers.Solarization((0.0, 0.2), 0.4), "additions", 0, 51),
        (layers.Solarization(0.2, (0.5, 0.6)), "thresholds", 0.5, 153),
    ],
)
def test_ranges(layer, name, low, high):
    smallest, greatest = extremes(layer, name=name)
    assert low <= smallest <= low + 0.01 * (high - low) and high - 0.01 * (high - low) <= greatest <= high


def test_colours_that_keras_draws_within_the_call():
    """Jitter is its four steps, one after the other."""
    factors = {"brightness": 0.3, "contrast": 0.4, "saturation": (0.2, 0.7), "hue": 0.2}
    jitter = layers.RandomColorJitter(seed=1, **{f"{name}_factor": factor for name, factor in factors.items()})
    x = ops.convert_to_tensor(IMAGES)
    numbers = jitter.get_random_transformation(x, training=True)
    expected = x
    for name, factor in factors.items():
        step = getattr(layers, f"Random{name.capitalize()}")(factor)
        expected = step.transform_images(expected, numbers[name], training=True)
    np.testing.assert_array_equal(jitter.transform_images(x, numbers, training=True).numpy(), expected.numpy())
    first = layers.RandomColorJitter(hue_factor=0.3, brightness_factor=0.1, seed=2, data_format="channels_first")
    last = layers.RandomColorJitter(hue_factor=0.3, brightness_factor=0.1, seed=2)
    close(np.moveaxis(first(np.moveaxis(IMAGES, -1, 1)).numpy(), 1, -1), last(IMAGES).numpy())


def test_elastic_transforms_bend():
    """Smooth moves that grow with the scale; masks move as the images."""
    slope = np.broadcast_to(np.arange(40.0, dtype="float32")[:, None, None], (30, 40, 40, 1))
    moved = {}
    for scale in (0.3, 1.0):
        layer = layers.RandomElasticTransform((1.0, 1.0), (scale, scale), seed=3)
        moved[scale] = layer(slope).numpy() - slope
    changed = [np.abs(moved[scale][:, 5:-5, 5:-5]).mean() for scale in (0.3, 1.0)]
    assert 0.05 < changed[0] < changed[1] < 20
    assert np.abs(np.diff(moved[1.0][:, 5:-5, 5:-5], axis=2)).mean() < changed[1] / 2
    layer = layers.RandomElasticTransform(factor=(1.0, 1.0), interpolation="nearest", seed=4)
    both = layer({"images": IMAGES, "segmentation_masks": IMAGES[..., :1]})
    np.testing.assert_array_equal(both["images"].numpy()[..., :1], both["segmentation_masks"].numpy())
    np.testing.assert_array_equal(layers.RandomElasticTransform(scale=0.0)(IMAGES).numpy(), IMAGES)


def test_boxes_of_erasing_and_mixing():
    """A rectangle of the right size changes, and the weights of labels are the parts of the pixels."""
    ones = np.ones((200, 20, 30, 3), "float32")
    erased = layers.RandomErasing((1.0, 1.0), (0.25, 0.25), fill_value=7.0, seed=1)(ones).numpy()[..., 0] == 7
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    assert set(rows) <= {9, 10, 11} and set(columns) <= {14, 15, 16} and (erased.sum((1, 2)) == rows * columns).all()
    assert 0.3 < (layers.RandomErasing((0.5, 0.5), seed=2)(ones).numpy() != 1).any((1, 2, 3)).mean() < 0.7
    numbered = np.broadcast_to(np.arange(200.0, dtype="float32")[:, None, None, None], (200, 20, 30, 1))
    data = {"images": numbered, "segmentation_masks": numbered, "labels": np.eye(200, dtype="float32")}
    mixed = layers.CutMix((1.0, 1.0), seed=3)(data)
    images = mixed["images"].numpy()[..., 0]
    np.testing.assert_array_equal(mixed["segmentation_masks"].numpy()[..., 0], images)
    own = (images == numbered[..., 0]).mean((1, 2))
    weights = mixed["labels"].numpy()
    assert np.abs(np.diag(weights) - own).max() < 0.1 and np.allclose(weights.sum(1), 1)
    single = layers.CutMix()({"images": IMAGES[0], "labels": LABELS[0]})
    np.testing.assert_array_equal(single["images"].numpy(), IMAGES[0])


def test_mixing_up():
    data = {"images": IMAGES, "segmentation_masks": IMAGES[..., :1], "labels": np.eye(4, dtype="float32")}
    mixed = layers.MixUp(alpha=1.0, seed=2)(data)
    expected = np.tensordot(mixed["labels"].numpy(), IMAGES, axes=1)
    close(mixed["images"].numpy(), expected)
    close(mixed["segmentation_masks"].numpy(), expected[..., :1])
    weights = np.concatenate(
        [
            layers.MixUp(alpha=0.2, seed=i)
            .get_random_transformation(ops.convert_to_tensor(IMAGES))["mix_weight"]
            .numpy()
            for i in range(200)
        ]
    )
    assert weights.mean() == pytest.approx(0.5, abs=0.06) and weights.var() == pytest.approx(0.25 / 1.4, abs=0.02)


def test_policies_in_programs_choose_as_outside():
    """Traced, the change is chosen while the program runs."""
    inputs = keras.Input((7, 9, 3))
    layer = layers.RandAugment(factor=0.4, seed=5)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(layer(inputs))))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = [float(model.train_on_batch(IMAGES, np.zeros((4, 3)))) for _ in range(8)]
    assert len(set(losses)) >= 4
    x = ops.convert_to_tensor(IMAGES)
    numbers = layer.get_random_transformation(x)
    with _core.Graph() as graph:
        chosen = graph.input((2,), "int32", "chosen")
        traced = layer.transform_images(x, {**numbers, "layer_idxes": chosen})
        program = graph.compile([traced])
    for pair in ([0, 10], [3, 8], [6, 7]):
        pair = ops.convert_to_tensor(np.array(pair, "int32"))
        expected = layer.transform_images(x, {**numbers, "layer_idxes": pair}).numpy()
        close(program.run([pair])[0], expected)


def test_pipelines():
    pipeline = layers.Pipeline([layers.RandomFlip(seed=1), layers.Rescaling(1 / 255), layers.Resizing(3, 4)])
    expected = layers.Resizing(3, 4)(layers.Rescaling(1 / 255)(layers.RandomFlip(seed=1)(IMAGES)))
    np.testing.assert_array_equal(pipeline(IMAGES).numpy(), expected.numpy())
    still = layers.Resizing(3, 4)(IMAGES / 255)
    close(pipeline(IMAGES, training=False).numpy(), still.numpy())
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(pipeline))))
    assert copy.get_config() == pipeline.get_config() and len(copy.layers) == 3
    with pytest.raises(ValueError, match="layers must be a list of layers"):
        layers.Pipeline.from_config({"name": "empty"})
    inputs = keras.Input((7, 9, 3))
    close(keras.Model(inputs, pipeline(inputs)).predict(IMAGES, verbose=0), still.numpy())


def test_a_pipeline_gives_the_mask_to_its_first_layer():
    x, mask = np.ones((1, 3)), np.array([[True, False, True]])
    softmax = layers.Softmax()
    with pytest.warns(UserWarning, match="it ends here"):
        y = layers.Pipeline([softmax, layers.ReLU()])(x, mask=mask)
    np.testing.assert_array_equal(y, [[0.5, 0, 0.5]])
    assert not layers.Pipeline([softmax]).supports_masking


def test_scales_of_channels_that_come_first():
    keras.config.set_image_data_format("channels_first")
    try:
        y = layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 0.0, 1.0])(np.ones((2, 3, 4, 5)))
    finally:
        keras.config.set_image_data_format("channels_last")
    assert y.shape == (2, 3, 4, 5)
    np.testing.assert_array_equal(y[0, :, 0, 0], [1, 2, 4])


def test_parts_of_one_image():
    """What belongs to one image changes as in a batch of one."""
    layer = layers.RandomTranslation(0.3, 0.3, seed=1, bounding_box_format="xyxy")
    image, mask = IMAGES[0], IMAGES[0, ..., :1]
    boxes = {"boxes": np.array([[1.0, 1.0, 4.0, 5.0]], "float32"), "labels": np.array([2])}
    drawn = layer.get_random_transformation(image)
    batch = {key: value[None] for key, value in boxes.items()}
    for one, many in (
        (layer.transform_single_image(image, drawn), layer.transform_images(IMAGES[:1], drawn)),
        (layer.transform_single_segmentation_mask(mask, drawn), layer.transform_segmentation_masks(mask[None], drawn)),
        (layer.transform_single_label(LABELS[0], drawn), layer.transform_labels(LABELS[:1], drawn)),
        *zip(
            layer.transform_single_bounding_box(boxes, drawn).values(),
            layer.transform_bounding_boxes(batch, drawn).values(),
        ),
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(many)[0])


@pytest.mark.parametrize("name", BOXES)
def test_boxes(name, golden):
    layer = BOXES[name](layers)
    numbers = drawn(golden, name, IMAGES, "boxes/drawn")
    boxes = layer.transform_bounding_boxes({k: ops.convert_to_tensor(v) for k, v in BOXED.items()}, numbers)
    close(boxes["boxes"], golden[f"{name}/boxes/boxes"], 1e-3)
    np.testing.assert_array_equal(boxes["labels"].numpy(), golden[f"{name}/boxes/labels"])


@pytest.mark.parametrize(
    "layer",
    [
        layers.RandomRotation((0.24, 0.26), fill_mode="constant", bounding_box_format="xywh"),
        layers.RandomZoom((-0.2, 0.3), (0.0, 0.4), fill_mode="constant", bounding_box_format="xywh"),
        layers.RandomTranslation(0.2, 0.2, fill_mode="constant", bounding_box_format="xywh"),
        layers.RandomShear((0.2, 0.2), 0.0, fill_mode="constant", bounding_box_format="xywh"),
        layers.RandomPerspective((1.0, 1.0), 0.3, bounding_box_format="xywh"),
        layers.RandomFlip(bounding_box_format="xywh"),
        layers.RandomCrop(50, 60, bounding_box_format="xywh"),
        layers.Resizing(50, 90, bounding_box_format="xywh"),
        layers.CenterCrop(60, 90, bounding_box_format="xywh"),
        layers.RandAugment(factor=0.2, bounding_box_format="xywh", seed=1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_boxes_stay_around_their_object(layer):
    """A bright rectangle lies within its box, which it touches at all sides."""
    images = np.zeros((6, 80, 100, 1), "float32")
    images[:, 30:45, 40:60] = 200
    boxes = {"boxes": np.full((6, 1, 4), [40.0, 30.0, 20.0, 15.0], "float32"), "labels": np.zeros((6, 1), "int32")}
    if isinstance(layer, layers.RandAugment):
        images = np.repeat(images, 3, axis=-1)
    result = layer({"images": images, "bounding_boxes": boxes})
    for image, (left, top, width, height) in zip(
        result["images"].numpy(), result["bounding_boxes"]["boxes"].numpy()[:, 0]
    ):
        bright = image[..., 0] > (image.max() + image.min()) / 2
        rows, columns = np.nonzero(bright.any(1))[0], np.nonzero(bright.any(0))[0]
        found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose([left, top, left + width, top + height], found, atol=2.5)


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


def test_an_augmentation_of_no_changes():
    images = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3)).astype("float32")
    layer = layers.RandAugment(num_ops=0)
    np.testing.assert_array_equal(layer(images, training=True), images)
    model = keras.Sequential([layer])
    np.testing.assert_array_equal(model.predict(images, verbose=0), images)


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
        (lambda: layers.RandomPosterization(9), r"in \[1, 8\]. Got factor=9"),
        (lambda: layers.RandomShear(1.5), r"x_factor must be a number in \[0, 1\]. Got x_factor=1.5"),
        (lambda: layers.RandomPerspective(scale=2.0), r"scale must be a number in \[0, 1\]. Got scale=2.0"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size must be an odd int or a pair of them. Got 4"),
        (lambda: layers.RandomErasing(fill_value=[1, 2]), r"a number, three numbers or None. Got \[1, 2\]"),
        (lambda: layers.RandomGrayscale(1.5), r"factor must be a number in \[0, 1\]. Got factor=1.5"),
        (lambda: layers.RandAugment(num_ops=-1), "num_ops must be an int >= 0. Got num_ops=-1"),
        (lambda: layers.Equalization(bins=0), "bins must be an int > 0. Got bins=0"),
        (lambda: layers.RandomFlip()(np.ones((3, 3))), r"expected images \(height, width, channels\), or a batch"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("training", [False, True])
def test_grey_images_keep_their_dtype(training):
    images = np.arange(24, dtype="uint8").reshape(1, 2, 4, 3)
    grey = layers.RandomGrayscale(1.0)(images, training=training)
    assert grey.dtype == "uint8"
    np.testing.assert_array_equal(grey, ops.image.rgb_to_grayscale(images).numpy() * np.ones(3) if training else images)
