"""Ops functions in the configurations of models: as Keras writes and reads them, and as earlier versions wrote them.

Expected classes, arguments and configurations: Keras 3.15.
"""

import json

import numpy as np
import pytest

import dlcore as keras
from dlcore import ops

random = np.random.default_rng(0)
A = random.uniform(0.1, 0.9, (3, 4, 4)).astype("float32")
B = random.uniform(0.1, 0.9, (3, 4, 4)).astype("float32")
V = np.array([0.2, 0.5], "float32")
I = random.integers(0, 4, (3, 4)).astype("int32")  # noqa: E741
IMAGES = random.uniform(size=(2, 8, 8, 3)).astype("float32")
CORNERS = np.array([[[0, 0], [0, 8], [8, 0], [8, 8]]] * 2, "float32")
ONES = np.ones(4, "float32")


def model_of(function, *data):
    inputs = [keras.Input(batch_shape=x.shape, dtype=str(x.dtype), name=f"x{i}") for i, x in enumerate(data)]
    return keras.Model(inputs, function(*inputs))


def outputs_of(model, data):
    return [np.asarray(y) for y in keras.tree.flatten(model(list(data)))]


def through_json(model):
    return json.loads(json.dumps(model.get_config()))


def entry_of(config):
    """The configuration of the last operation, and what is in its node: names of inputs for tensors."""
    entry = config["layers"][-1]
    (node,) = entry["inbound_nodes"]

    def short(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return value["config"]["keras_history"][0]
        if isinstance(value, dict) and "class_name" in value:
            return value["class_name"]
        return [short(item) for item in value] if isinstance(value, list) else value

    return entry, short(node["args"]), {name: short(value) for name, value in node["kwargs"].items()}


# function, data, Keras's class, what it is made with, the arguments of the call
CASES = [
    (lambda x: ops.einsum("bij->bji", x), [A], "numpy.Einsum", {"subscripts": "bij->bji"}, ["x0"]),
    (
        lambda x, y: ops.einsum("bij,bjk->bik", x, y),
        [A, B],
        "numpy.Einsum",
        {"subscripts": "bij,bjk->bik"},
        ["x0", "x1"],
    ),
    (lambda x: ops.solve(A, x), [B], "linalg.Solve", {}, ["__numpy__", "x0"]),
    (lambda x: ops.solve(x, A), [B], "linalg.Solve", {}, ["x0", "__numpy__"]),
    (lambda x: ops.searchsorted(V, x), [ONES], "numpy.SearchSorted", {}, ["__numpy__", "x0"]),
    (lambda x, y: ops.meshgrid(x, y), [ONES, V], "numpy.Meshgrid", {}, ["x0", "x1"]),
    (
        lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0)), constant_values=3),
        [A],
        "numpy.Pad",
        {"pad_width": [[0, 0], [1, 2], [0, 0]]},
        ["x0", 3],
    ),
    (lambda x: ops.slice(x, (0, 1, 1), (3, 2, 2)), [A], "core.Slice", {"shape": [3, 2, 2]}, ["x0", [0, 1, 1]]),
    (
        lambda x: ops.slice_update(x, (0, 1, 1), B[:, :2, :2]),
        [A],
        "core.SliceUpdate",
        {},
        ["x0", [0, 1, 1], "__numpy__"],
    ),
    (
        lambda x: ops.scatter_update(x, [[0, 1, 1]], [5.0], reduction="add"),
        [A],
        "core.ScatterUpdate",
        {"reduction": "add"},
        ["x0", [[0, 1, 1]], [5.0]],
    ),
    (lambda x: ops.select([x], [x], 7), [A > 0.5], "numpy.Select", {}, [["x0"], ["x0"], 7]),
    (lambda x: ops.digitize(x, V), [A], "numpy.Digitize", {}, ["x0", "__numpy__"]),
    (
        lambda x: ops.segment_sum(x, np.array([0, 0, 1]), num_segments=2),
        [A],
        "math.SegmentSum",
        {"num_segments": 2},
        ["x0", "__numpy__"],
    ),
    (lambda x: ops.average(x, axis=1, weights=ONES), [A], "numpy.Average", {"axis": 1}, ["x0", "__numpy__"]),
    (
        lambda x: ops.separable_conv(x, IMAGES[:1, :2, :3, None, 0], IMAGES[:1, :1, :3, :2], strides=2),
        [IMAGES],
        "nn.SeparableConv",
        {"strides": 2},
        ["x0", "__numpy__", "__numpy__"],
    ),
    (lambda x: ops.bitwise_left_shift(x, 2), [I], "numpy.BitwiseLeftShift", {}, ["x0", 2]),
    (
        lambda x: ops.image.map_coordinates(x, A[:2, 0], order=1),
        [A[0]],
        "image.MapCoordinates",
        {"order": 1},
        ["x0", "__numpy__"],
    ),
    (
        lambda x: ops.image.perspective_transform(x, CORNERS, CORNERS + 1),
        [IMAGES],
        "image.PerspectiveTransform",
        {},
        ["x0", "__numpy__", "__numpy__"],
    ),
    (lambda x: ops.layer_normalization(x), [A], "nn.LayerNorm", {}, ["x0", None, None]),
    (
        lambda x: ops.layer_normalization(x, beta=ONES, epsilon=0.1),
        [A],
        "nn.LayerNorm",
        {"epsilon": 0.1},
        ["x0", None, "__numpy__"],
    ),
    (lambda x: ops.rms_normalization(x, axis=1), [A], "nn.RMSNorm", {"axis": 1}, ["x0", None]),
    (
        lambda x: ops.batch_normalization(x, ONES, ONES, axis=-1, scale=ONES),
        [A],
        "nn.BatchNorm",
        {"axis": -1},
        ["x0", "__numpy__", "__numpy__", None, "__numpy__"],
    ),
    (lambda x, y: ops.allclose(x, y, rtol=0.9), [A, B], "numpy.AllClose", {"rtol": 0.9}, ["x0", "x1"]),
    (lambda x, y: ops.isclose(x, y, rtol=0.9), [A, B], "numpy.Isclose", {}, ["x0", "x1", 0.9, 1e-8]),
    (
        lambda x: ops.ctc_decode(x, np.array([4, 4, 4]), strategy="greedy"),
        [A],
        "nn.CTCDecode",
        {"strategy": "greedy"},
        ["x0", "__numpy__"],
    ),
    (
        lambda x: ops.ctc_loss(I[:, :2] % 2 + 1, x, ONES[:3].astype("int32") * 2, ONES[:3].astype("int32") * 4),
        [A],
        "nn.CTCLoss",
        {},
        ["__numpy__", "x0", "__numpy__", "__numpy__"],
    ),
    (lambda x, y: ops.psnr(x, y, 1.0), [A, B], "nn.PSNR", {"max_val": 1.0}, ["x0", "x1"]),
    (lambda x, y: ops.fft((x, y)), [A, B], "math.FFT", {}, [["x0", "x1"]]),
    (lambda x: ops.rfft(x, fft_length=8), [A], "math.RFFT", {"fft_length": 8}, ["x0"]),
    (
        lambda x: ops.stft(x, 4, 2, 4),
        [A[0]],
        "math.STFT",
        {"sequence_length": 4, "sequence_stride": 2, "fft_length": 4},
        ["x0"],
    ),
    (ops.image.rgb_to_grayscale, [IMAGES], "image.RGBToGrayscale", {}, ["x0"]),
    (ops.image.rgb_to_hsv, [IMAGES], "image.RGBToHSV", {}, ["x0"]),
    (ops.image.hsv_to_rgb, [IMAGES], "image.HSVToRGB", {}, ["x0"]),
    (lambda x: ops.svd(x, compute_uv=False), [A], "linalg.SVD", {"compute_uv": False}, ["x0"]),
    (lambda x: ops.logdet(x), [A], "math.Logdet", {}, ["x0"]),
    (lambda x: ops.isin(x, V, invert=True), [A], "numpy.IsIn", {"invert": True}, ["x0", "__numpy__"]),
    (lambda x, y: ops.cdist(x, y), [A, B], "math.CDist", {}, ["x0", "x1"]),
    (
        lambda x: ops.image.extract_patches_3d(x, (2, 2, 2)),
        [np.ones((1, 4, 4, 4, 2), "float32")],
        "image.ExtractPatches",
        {"size": [2, 2, 2]},
        ["x0"],
    ),
    (lambda x: ops.full_like(x, 2, dtype="int32"), [A], "numpy.FullLike", {"dtype": "int32"}, ["x0", 2]),
    (lambda x: ops.trapezoid(x, x=ONES), [A], "numpy.Trapezoid", {"x": "__numpy__"}, ["x0"]),
    (lambda x: ops.squareplus(x, b=2), [A], "nn.Squareplus", {"b": 2}, ["x0"]),
]


@pytest.mark.parametrize(("function", "data", "class_name", "made_with", "args"), CASES)
def test_operations_are_written_as_keras_does_and_come_back(tmp_path, function, data, class_name, made_with, args):
    model = model_of(function, *data)
    config = through_json(model)
    entry, call, named = entry_of(config)
    assert entry["module"] + "." + entry["class_name"] == "keras.src.ops." + class_name
    assert entry["registered_name"] == entry["class_name"]
    found = {name: value["class_name"] if isinstance(value, dict) else value for name, value in entry["config"].items()}
    assert found == {"name": entry["name"], **made_with}
    assert (call, named) == (args, {})
    expected = outputs_of(model, data)
    model.save(tmp_path / "model.keras")
    for again in (
        keras.Model.from_config(model.get_config()),
        keras.Model.from_config(config),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        for found, y in zip(outputs_of(again, data), expected, strict=True):
            np.testing.assert_array_equal(found, y)


def test_tensors_in_place_of_numbers_and_arguments_by_name():
    """Keras has no operations for the first; arguments of any name are of the call in the second."""
    model = model_of(lambda x, y: ops.clip(x, x_max=y, x_min=0.3), A, B)
    entry, call, named = entry_of(through_json(model))
    assert entry["config"] == {"name": entry["name"], "x_min": 0.3} and (call, named) == (["x0"], {"x_max": "x1"})
    again = keras.Model.from_config(through_json(model))
    np.testing.assert_array_equal(outputs_of(again, [A, B]), outputs_of(model, [A, B]))
    model = model_of(lambda x: ops.rearrange(x, "b (h w) c -> b h w c", h=2), A)
    entry, call, named = entry_of(through_json(model))
    assert entry["config"] == {"name": entry["name"]}
    assert (call, named) == (["x0", "b (h w) c -> b h w c"], {"h": 2})
    assert keras.Model.from_config(through_json(model)).output_shape == (3, 2, 2, 4)


# -------------------------------------------------------------------------------------------- literal configurations


def tensor(i=0):
    config = {"shape": [3, 4, 4], "dtype": "float32", "keras_history": [f"x{i}", 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def array(x):
    return {"class_name": "__numpy__", "config": {"value": x.tolist(), "dtype": x.dtype.name}}


def model_from(class_name, made_with, args, kwargs=None):
    """The model of one operation on inputs of shape (3, 4, 4)."""
    module, name = class_name.split(".")
    layers = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": [3, 4, 4], "dtype": "float32", "sparse": False, "name": f"x{i}"},
            "registered_name": None,
            "name": f"x{i}",
            "inbound_nodes": [],
        }
        for i in (0, 1)
    ]
    operation = {
        "module": f"keras.src.ops.{module}",
        "class_name": name,
        "config": {"name": "op", **made_with},
        "registered_name": name,
        "name": "op",
        "inbound_nodes": [{"args": args, "kwargs": kwargs or {}}],
    }
    config = {"name": "m", "trainable": True, "layers": [*layers, operation]}
    config.update(input_layers=[["x0", 0, 0], ["x1", 0, 0]], output_layers=["op", 0, 0])
    return keras.Model.from_config(config)


OF_KERAS = [
    ("numpy.Einsum", {"subscripts": "bij,bjk->bik"}, [tensor(), tensor(1)], {}, lambda x, y: x @ y),
    ("numpy.AllClose", {"rtol": 1e-5, "atol": 1e-8, "equal_nan": False}, [tensor(), tensor()], {}, lambda x, y: True),
    (
        "numpy.SearchSorted",
        {"side": "left"},
        [array(V), tensor()],
        {},
        lambda x, y: np.searchsorted(V, x.ravel()).reshape(x.shape),
    ),
    (
        "nn.LayerNorm",
        {"axis": -1, "epsilon": None, "rms_scaling": False},
        [tensor(), None, array(ONES)],
        {},
        lambda x, y: ops.layer_normalization(x, beta=ONES),
    ),
    (
        "nn.RMSNorm",
        {"axis": 1, "epsilon": None},
        [tensor(), array(ONES)],
        {},
        lambda x, y: ops.rms_normalization(x, ONES, axis=1),
    ),
    (
        "nn.BatchNorm",
        {"axis": -1, "epsilon": 0.1},
        [tensor(), array(ONES), array(ONES), None, array(2 * ONES)],
        {},
        lambda x, y: ops.batch_normalization(x, ONES, ONES, -1, None, 2 * ONES, 0.1),
    ),
    (
        "numpy.Pad",
        {"pad_width": [[0, 0], [1, 1], [0, 0]], "mode": "constant"},
        [tensor()],
        {"constant_values": 3},
        lambda x, y: np.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=3),
    ),
    (
        "numpy.Average",
        {"axis": 1},
        [tensor()],
        {"weights": array(ONES)},
        lambda x, y: x.mean(1),
    ),
    ("linalg.SVD", {"full_matrices": True, "compute_uv": False}, [tensor()], {}, lambda x, y: ops.svd(x, False, False)),
]

# Constants were among what an operation is made with, classes had the functions' names.
OF_EARLIER_VERSIONS = [
    (
        "numpy.Pad",
        {"pad_width": [[0, 0], [1, 1], [0, 0]], "constant_values": 3},
        [tensor()],
        lambda x, y: np.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=3),
    ),
    ("linalg.Solve", {"b": array(B)}, [tensor()], lambda x, y: np.linalg.solve(x, B)),
    ("linalg.Solve", {"a": array(B)}, [tensor()], lambda x, y: np.linalg.solve(B, x)),
    ("numpy.Einsum", {"subscripts": "bij,bjk->bik"}, [[tensor(), tensor(1)]], lambda x, y: x @ y),
    ("nn.LayerNormalization", {"beta": array(ONES)}, [tensor()], lambda x, y: ops.layer_normalization(x, beta=ONES)),
    ("linalg.Logdet", {}, [tensor()], lambda x, y: ops.logdet(x)),
    ("numpy.Searchsorted", {"sorted_sequence": array(V)}, [tensor()], lambda x, y: ops.searchsorted(V, x)),
    ("numpy.Clip", {"x_min": 0.3}, [tensor(), tensor(1)], lambda x, y: ops.clip(x, 0.3, y)),
    ("math.Rfft", {}, [tensor()], lambda x, y: ops.rfft(x)[0]),
]


@pytest.mark.parametrize(("class_name", "made_with", "args", "kwargs", "expected"), OF_KERAS)
def test_operations_as_keras_writes_them(class_name, made_with, args, kwargs, expected):
    assert_computes(model_from(class_name, made_with, args, kwargs), expected(A, B))


@pytest.mark.parametrize(("class_name", "made_with", "args", "expected"), OF_EARLIER_VERSIONS)
def test_operations_as_earlier_versions_wrote_them(class_name, made_with, args, expected):
    assert_computes(model_from(class_name, made_with, args), expected(A, B))


def assert_computes(model, expected):
    for found, y in zip(outputs_of(model, [A, B]), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(found, np.asarray(y), rtol=2e-4, atol=1e-5)


def test_unknown_operations():
    with pytest.raises(ValueError, match="the operation 'Frobnicate', which dlcore.ops does not have"):
        model_from("numpy.Frobnicate", {}, [tensor()])
    with pytest.raises(TypeError, match="unexpected keyword argument 'exponent'"):
        model_from("numpy.Square", {"exponent": 2}, [tensor()])
    with pytest.raises(TypeError, match="positional argument"):
        model_from("numpy.Square", {}, [tensor(), tensor(1)])
