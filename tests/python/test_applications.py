"""The architectures of the golden file against Keras's: layers, configurations, weights and outputs; and arguments."""

import functools
import json
import pathlib

import numpy as np
import pytest
from application_cases import ARCHITECTURES, NUMERIC, VARIANTS, fill, images, lines, summary

import dlcore as keras
from dlcore import applications, layers, ops
from dlcore.applications import imagenet_utils
from dlcore.utils import files

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "golden/keras_applications.json").read_text())
KNOWN = [name for name in ARCHITECTURES if name in GOLDEN]
SMALL = {"alpha": 0.25, "input_shape": (32, 32, 3), "classes": 3}


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session()


@pytest.fixture
def without_weights(monkeypatch):
    """Nothing is downloaded, and no weights are loaded."""
    monkeypatch.setattr(files, "get_file", lambda *args, **kwargs: "imagenet.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, path: None)


@pytest.fixture
def shared_zeros(monkeypatch):
    """All weights of one shape are one tensor of zeros, so that the largest models take neither time nor memory."""

    @functools.cache
    def zeros(shape):
        return ops.zeros(shape)

    initializer = keras.initializers.VarianceScaling
    monkeypatch.setattr(initializer, "__call__", lambda self, shape, dtype=None: zeros(shape))


def compare(model, expected):
    got = summary(model)
    if got["layers"] != expected["layers"]:
        digits = [(expected["layers"][i : i + 4], got["layers"][i : i + 4]) for i in range(0, len(got["layers"]), 4)]
        first = next((i for i, (a, b) in enumerate(digits) if a != b), None)
        assert first is None, f"layer {first} of {len(digits)} is not as Keras's: {lines(model)[first]}"
    assert got == expected


@pytest.mark.filterwarnings("ignore:.*published weights")
@pytest.mark.parametrize("name", KNOWN)
def test_architecture_is_that_of_keras(name, shared_zeros, without_weights):
    compare(getattr(applications, name)(), GOLDEN[name]["top"])


@pytest.mark.filterwarnings("ignore:.*published weights")
@pytest.mark.parametrize("name", [name for name in KNOWN if name in NUMERIC])
def test_features_are_those_of_keras(name, shared_zeros, without_weights):
    compare(getattr(applications, name)(include_top=False), GOLDEN[name]["features"])


@pytest.mark.parametrize("case", [case for case in VARIANTS if case in GOLDEN])
def test_arguments_change_the_architecture_as_in_keras(case, shared_zeros):
    name, arguments = VARIANTS[case]
    compare(getattr(applications, name)(weights=None, **arguments), GOLDEN[case])


@pytest.mark.parametrize("name", [name for name in KNOWN if name in NUMERIC])
def test_outputs_are_those_of_keras(name):
    arguments = {"weights": None, "classes": 7, "classifier_activation": None, **NUMERIC[name]}
    model = getattr(applications, name)(**arguments)
    fill(model)
    expected = np.array(GOLDEN[name]["outputs"])
    got = model.predict(images(arguments["input_shape"]), verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


# ---- weights


@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
def test_weights_are_loaded_from_a_file(ending, tmp_path):
    model = applications.MobileNet(weights=None, **SMALL)
    fill(model)
    path = tmp_path / f"mobilenet{ending}"
    model.save_weights(path) if ending == ".weights.h5" else model.save(path)
    loaded = applications.MobileNet(weights=path, **SMALL)
    for got, expected in zip(loaded.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.filterwarnings("ignore:.*published weights")
@pytest.mark.parametrize("name", KNOWN)
def test_published_weights_are_those_of_keras(name, monkeypatch):
    asked = []

    def get_file(name, origin, file_hash=None, **kwargs):
        asked.append([origin, file_hash])
        raise InterruptedError

    monkeypatch.setattr(files, "get_file", get_file)
    for include_top in (True, False):
        with pytest.raises(InterruptedError):
            getattr(applications, name)(include_top=include_top)
    assert asked == GOLDEN[name]["published"]


def test_published_weights_are_checked_and_loaded(tmp_path, monkeypatch):
    """The file comes from the cache when its hash is right, else it is downloaded anew."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(files, "download", lambda url, *args: pytest.fail(f"downloads {url}"))
    model = applications.DenseNet121(weights=None, include_top=False)
    fill(model)
    folder = tmp_path / ".dlcore" / "models"
    folder.mkdir(parents=True)
    path = folder / "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    model.save(path)
    with pytest.raises(pytest.fail.Exception, match="downloads https://storage.googleapis.com/tensorflow/.*_notop.h5"):
        applications.DenseNet121(include_top=False)
    published = GOLDEN["DenseNet121"]["published"][1][1]
    monkeypatch.setattr(files, "file_hash_of", lambda *args: published)
    loaded = applications.DenseNet121(include_top=False)
    np.testing.assert_array_equal(loaded.weights[-1].numpy(), model.weights[-1].numpy())


def test_layers_of_single_architectures_are_saved(tmp_path):
    for name, shape in (("ConvNeXtTiny", (32, 32, 3)), ("InceptionResNetV2", (75, 75, 3))):
        model = getattr(applications, name)(weights=None, input_shape=shape, classes=2)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert lines(loaded) == lines(model)
        np.testing.assert_array_equal(loaded.predict(images(shape), verbose=0), model.predict(images(shape), verbose=0))


# ---- arguments


def test_input_tensor():
    """The model begins at the inputs that the tensor is computed from."""
    x = keras.Input((32, 32, 1), name="gray")
    rgb = layers.Concatenate(name="rgb")([x, x, x])
    model = applications.MobileNetV2(weights=None, input_tensor=rgb, include_top=False, pooling="max", alpha=0.35)
    assert [layer.name for layer in model.layers][:3] == ["gray", "rgb", "Conv1"]
    assert model.input_shape == (None, 32, 32, 1) and model.output_shape == (None, 1280)
    with pytest.raises(ValueError, match="input_tensor must be a KerasTensor.*Got ndarray"):
        applications.VGG16(weights=None, input_tensor=np.ones((1, 224, 224, 3)))
    with pytest.raises(ValueError, match=r"input_shape must be that of input_tensor. Got input_shape=\(64, 64, 3\)"):
        applications.MobileNetV2(weights=None, input_tensor=rgb, input_shape=(64, 64, 3))


def test_channels_first():
    first, last = (32, (3, 48, 32)), (32, (48, 32, 3))
    outputs = []
    for data_format, (_, shape) in (("channels_last", last), ("channels_first", first)):
        keras.backend.clear_session()
        keras.backend.set_image_data_format(data_format)
        try:
            model = applications.MobileNetV3Small(weights=None, input_shape=shape, classes=3, alpha=0.5)
            fill(model)
            x = images(last[1])
            outputs.append(model.predict(x if shape == last[1] else x.transpose(0, 3, 1, 2), verbose=0))
            if data_format == "channels_first":
                with pytest.raises(ValueError, match="NASNetMobile is for images with the channels last"):
                    applications.NASNetMobile(weights=None)
        finally:
            keras.backend.set_image_data_format("channels_last")
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("VGG16", {"weights": None, "pooling": "mean"}, "VGG16: pooling must be None, .* Got pooling='mean'"),
        ("VGG16", {"weights": "nowhere.h5"}, "VGG16: weights must be None .*There is no 'nowhere.h5'"),
        ("ResNet50", {"classes": 10}, "are for 1000 classes. Got classes=10"),
        ("ResNet50", {"classifier_activation": "relu"}, "must be \"softmax\" or None. Got 'relu'"),
        ("Xception", {"input_shape": (224, 224, 3)}, r"are for input_shape=\(299, 299, 3\). Got \(224, 224, 3\)"),
        ("Xception", {"input_shape": (70, 90, 3), "weights": None}, r"at least 71 x 71. Got input_shape=\(70, 90, 3\)"),
        ("Xception", {"input_shape": (90, 3), "weights": None}, r"must have 3 sizes, .*Got \(90, 3\)"),
        ("DenseNet121", {"input_shape": (64, None, 3), "weights": None}, "the size of the images must be known"),
        ("DenseNet121", {"input_shape": (64, 64, 1), "include_top": False}, "for images of 3 channels"),
        ("MobileNet", {"alpha": 0.3}, r"alpha one of \[0.25, 0.5, 0.75, 1.0\]. Got depth_multiplier=1, alpha=0.3"),
        ("MobileNet", {"depth_multiplier": 2}, "are for depth_multiplier=1"),
        ("MobileNetV2", {"alpha": 0.3}, "are for alpha one of .*Got alpha=0.3"),
        (
            "MobileNetV3Large",
            {"alpha": 0.75, "minimalistic": True},
            "with minimalistic=True only for 1. Got alpha=0.75",
        ),
        ("MobileNet", {"input_shape": (96,)}, r"must have 3 sizes, .*Got \(96,\)"),
        ("MobileNetV3Small", {"input_shape": (16, 32, 3)}, "at least 32 x 32"),
        (
            "NASNetLarge",
            {"include_top": False, "input_shape": (None, None, 3)},
            "the sizes of the images must be known",
        ),
    ],
)
def test_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(applications, name)(**arguments)


def test_warnings(without_weights):
    with pytest.warns(UserWarning, match=r"usually have 1 or 3 channels. Got input_shape=\(32, 32, 4\) with 4"):
        applications.MobileNet(weights=None, include_top=False, alpha=0.25, input_shape=(32, 32, 4))
    with pytest.warns(UserWarning, match="published weights for images of 128, 160, 192, 224, not for .*64, 64"):
        applications.MobileNet(include_top=False, alpha=0.25, input_shape=(64, 64, 3))


# ---- pixels and classes


@pytest.mark.parametrize("make", [np.asarray, ops.convert_to_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_preprocess_input(make, data_format, dtype):
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(dtype)
    pixels = x.astype("float64")
    expected = {
        "tf": pixels / 127.5 - 1,
        "torch": (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "caffe": pixels[..., ::-1] - [103.939, 116.779, 123.68],
    }
    given = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
    before = given.copy()
    for mode, values in expected.items():
        for batch, value in ((given, values), (given[0], values[0])):  # also single images
            got = np.asarray(imagenet_utils.preprocess_input(make(batch), data_format, mode))
            assert got.dtype == "float32"
            got = got if data_format == "channels_last" else np.moveaxis(got, -3, -1)
            np.testing.assert_allclose(got, value, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(given, before)


def test_preprocess_input_in_a_model():
    x = keras.Input((4, 4, 3), dtype="uint8")
    model = keras.Model(x, applications.vgg16.preprocess_input(x))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    expected = applications.vgg16.preprocess_input(pixels)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), expected, rtol=1e-6)
    with pytest.raises(ValueError, match='mode must be "caffe", "tf" or "torch". Got mode=\'pytorch\''):
        imagenet_utils.preprocess_input(pixels, mode="pytorch")


@pytest.mark.parametrize("mode", ["torch", "caffe"])
def test_preprocess_input_of_images_without_colours(mode):
    for shape, data_format in (
        ((4, 5, 1), "channels_last"),
        ((4, 5), "channels_first"),
        ((2, 4, 5, 3), "channels_first"),
    ):
        with pytest.raises(ValueError, match=r"expected images of 3 channels on axis -[13] .* Got shape \("):
            imagenet_utils.preprocess_input(np.ones(shape, "float32"), data_format, mode)


def test_preprocess_input_of_each_family():
    modes = {
        "caffe": ("resnet", "resnet50", "vgg16", "vgg19"),
        "tf": ("inception_resnet_v2", "inception_v3", "mobilenet", "mobilenet_v2", "nasnet", "resnet_v2", "xception"),
        "torch": ("densenet",),
    }
    x = np.full((1, 2, 2, 3), 100.0, "float32")
    for mode, families in modes.items():
        for family in families:
            got = getattr(applications, family).preprocess_input(x)
            np.testing.assert_array_equal(got, imagenet_utils.preprocess_input(x, mode=mode))
    for family in ("convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"):
        assert getattr(applications, family).preprocess_input(x) is x


def test_decode_predictions(tmp_path, monkeypatch):
    names = {str(i): [f"n{i:08}", f"class_{i}"] for i in range(1000)}
    (tmp_path / "index.json").write_text(json.dumps(names))
    monkeypatch.setattr(files, "get_file", lambda *args, **kwargs: str(tmp_path / "index.json"))
    imagenet_utils._class_index.cache_clear()
    predictions = np.zeros((2, 1000), "float32")
    predictions[0, [7, 3]], predictions[1, [999, 0]] = (0.75, 0.25), (0.5, 0.375)
    for given in (predictions, ops.convert_to_tensor(predictions)):
        assert applications.vgg19.decode_predictions(given, top=2) == [
            [("n00000007", "class_7", 0.75), ("n00000003", "class_3", 0.25)],
            [("n00000999", "class_999", 0.5), ("n00000000", "class_0", 0.375)],
        ]
    imagenet_utils._class_index.cache_clear()
    assert len(applications.resnet.decode_predictions.__doc__) > 100
    with pytest.raises(ValueError, match=r"shape \(images, 1000\).*Got shape \(2, 10\)"):
        imagenet_utils.decode_predictions(predictions[:, :10])
