"""Models in files: our own round trips, files made by Keras, and Keras reading ours.

Golden files: tests/golden/make_keras_models.py and make_keras2_models.py. The tests in which Keras reads our files run
where `keras` can be imported, or with the interpreter named by the environment variable KERAS_PYTHON.
"""

import copy
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_models import assert_same_weights, small_model, trained, weights_of

import dlcore as keras
from dlcore import layers, ops
from dlcore.saving import (
    deserialize_keras_object,
    load_model,
    register_keras_serializable,
    serialize_keras_object,
)

h5py = pytest.importorskip("h5py")

GOLDEN = Path(__file__).parents[1] / "golden"
# Sums of a few dozen float32 products, in another order.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


# -------------------------------------------------------------------------------------------------- files from Keras


def golden(name, kind):
    """The arrays of one golden model: its inputs or targets as a list."""
    file = "keras2_models.npz" if name.startswith("keras2") else "keras_models.npz"
    with np.load(GOLDEN / file) as arrays:
        return [arrays[key] for key in sorted(arrays) if key.rstrip("0123456789") == f"{name}_{kind}"]


def only(items):
    return items[0] if len(items) == 1 else items


def assert_predicts(model, x, expected):
    predictions = model.predict(only(x), verbose=0)
    predictions = predictions if isinstance(predictions, list) else [predictions]
    assert len(predictions) == len(expected)
    for p, e in zip(predictions, expected):
        np.testing.assert_allclose(p, e, **CLOSE)


GOLDEN_FILES = ["mlp.keras", "cnn.keras", "bilstm.keras", "two_inputs.keras", "cnn.h5", "bilstm.h5", "two_inputs.h5"]


@pytest.mark.parametrize("file", GOLDEN_FILES)
def test_golden_model_predicts_and_goes_on_training_as_in_keras(file):
    name = file.partition(".")[0]
    model = load_model(GOLDEN / file)
    x = golden(name, "x")
    assert_predicts(model, x, golden(name, "predictions"))
    model.train_on_batch(only(x), only(golden(name, "y")))
    assert_predicts(model, x, golden(name, "next_predictions"))


def test_golden_weights():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.0),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.load_weights(GOLDEN / "mlp.weights.h5")
    assert_predicts(model, golden("mlp", "x"), golden("mlp", "predictions"))
    model.load_weights(GOLDEN / "mlp.keras")


@pytest.mark.parametrize("name", ["keras2_sequential", "keras2_functional"])
def test_golden_model_of_keras_2(name):
    with pytest.warns(UserWarning, match="the optimizer starts afresh"):
        model = load_model(GOLDEN / f"{name}.h5")
    assert_predicts(model, golden(name, "x"), golden(name, "predictions"))
    assert model.optimizer is not None and load_model(GOLDEN / f"{name}.h5", compile=False).optimizer is None


def test_models_in_a_configuration_of_keras_2_are_counted_from_one():
    def entry(kind, name, *calls, **config):
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": list(calls)}

    def model(kind, name, *calls, inner, **config):
        return entry(
            kind, name, *calls, layers=[entry("InputLayer", "in", batch_input_shape=[None, 2]), inner], **config
        )

    scale = entry("Rescaling", "scale", [["in", 0, 0, {}]], scale=2.0)
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [["scale", 0, 0]]}
    config = {
        "name": "outer",
        "layers": [
            entry("InputLayer", "x", batch_input_shape=[None, 2]),
            model("Functional", "twice", [["x", 0, 0, {}]], [["twice", 1, 0, {}]], inner=scale, **ends),
            model("Sequential", "more", [["twice", 2, 0, {}]], [["more", 1, 0, {}]], inner=scale),
            entry("Add", "sum", [["twice", 1, 0, {}], ["more", 1, 0, {}]]),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["sum", 0, 0], ["twice", 1, 0], ["more", 2, 0]],
    }
    outer = keras.Model.from_config(config)
    assert [float(y[0, 0]) for y in outer.predict(np.ones((1, 2)), verbose=0)] == [10.0, 2.0, 16.0]


# ------------------------------------------------------------------------------------------------- our own round trips


def test_outputs_of_a_model_within_the_model_are_counted_as_by_keras():
    x, y, z = keras.Input((2,)), keras.Input((2,)), keras.Input((2,))
    inner = keras.Model(x, [x * 2.0, x + 1.0], name="inner")
    double, more = inner(y)
    outer = keras.Model(y, [double, *inner(more)], name="outer")
    assert outer.get_config()["output_layers"] == [["inner", 1, 0], ["inner", 2, 0], ["inner", 2, 1]]
    assert keras.Model(z, layers.ReLU()(outer(z)[0])).get_config()["layers"][2]["inbound_nodes"][0]["args"][0][
        "config"
    ]["keras_history"] == ["outer", 0, 0]
    again = keras.Model.from_config(outer.get_config())
    assert [float(v[0, 0]) for v in again.predict(np.ones((1, 2)), verbose=0)] == [2.0, 4.0, 3.0]
    config = outer.get_config()
    config["output_layers"][0][1] = 3
    with pytest.raises(ValueError, match="no call 2 of the layer 'inner'"):
        keras.Model.from_config(config)


def test_calls_of_a_shared_layer_keep_their_order():
    x = keras.Input((2,))
    double, add = layers.Rescaling(2.0), layers.Rescaling(1.0, offset=1.0)
    first, second = double(add(x)), double(x)  # the second can be repeated before the first
    model = keras.Model(x, layers.Subtract()([add(second), first]))
    again = keras.Model.from_config(model.get_config())
    assert float(again.predict(np.ones((1, 2)), verbose=0)[0, 0]) == -1.0


def test_an_optimizer_saved_before_its_first_step(tmp_path, recwarn):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.5), "mse")
    model.optimizer.learning_rate = 0.25
    model.save(tmp_path / "new.keras")
    loaded = load_model(tmp_path / "new.keras")
    assert float(loaded.optimizer.learning_rate) == 0.25 and int(loaded.optimizer.iterations) == 0
    loaded.fit(np.zeros((2, 4)), np.zeros((2, 3)), verbose=0)
    assert not [warning for warning in recwarn if "afresh" in str(warning.message)]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_round_trip_keeps_weights_optimizer_and_compile_arguments(tmp_path, ending):
    model = trained(small_model())
    path = tmp_path / f"model{ending}"
    model.save(path)
    copy = load_model(path)
    assert_same_weights(copy, weights_of(model))
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert float(np.array(copy.optimizer.learning_rate)) == pytest.approx(0.01)
    for a, b in zip(model.optimizer.variables, copy.optimizer.variables):
        np.testing.assert_array_equal(np.array(a), np.array(b))
    assert_same_weights(trained(copy), weights_of(trained(model)))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_uncompiled_model(tmp_path, ending):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.save(tmp_path / f"model{ending}")
    copy = keras.models.load_model(tmp_path / f"model{ending}")
    assert_same_weights(copy, weights_of(model))
    assert not copy.compiled
    trained(small_model()).save(tmp_path / f"model{ending}")
    assert not load_model(tmp_path / f"model{ending}", compile=False).compiled


def every_layer_model():
    image = keras.Input((8, 8, 2), name="image")
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = layers.Conv2D(3, 3, padding="same", kernel_regularizer=keras.regularizers.L2(0.01))(image)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3)(layers.PReLU(shared_axes=[1, 2])(x))
    x = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(4, 3)(x))
    embedded = layers.Embedding(9, 4, mask_zero=True)(tokens)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(embedded)
    y = layers.TimeDistributed(layers.Dense(3))(y)
    y = layers.GRU(2)(y)
    shared = layers.Dense(2, kernel_initializer="he_normal", kernel_constraint="max_norm")
    joined = layers.Concatenate()([shared(layers.Dense(2)(x)), shared(y)])
    return keras.Model([image, tokens], [layers.Dense(1, name="a")(joined), layers.Softmax(name="b")(joined)])


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
def test_round_trip_of_many_layers(tmp_path, ending):
    model = every_layer_model()
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(3, 8, 8, 2)).astype("float32"), rng.integers(0, 9, (3, 5))]
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 0.9, weight.shape))
    path = tmp_path / f"model{ending}"
    if ending == ".weights.h5":
        model.save_weights(path)
        copy = every_layer_model()
        copy.load_weights(path)
    else:
        model.save(path)
        copy = load_model(path)
    assert_same_weights(copy, weights_of(model))
    for a, b in zip(copy.predict(x, verbose=0), model.predict(x, verbose=0)):
        np.testing.assert_array_equal(a, b)


@register_keras_serializable("tests")
class Scaled(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self.inner = layers.Dense(3)
        self.table = [layers.Dense(3), {"deep": layers.Dense(3)}]

    def build(self, input_shape):
        for layer in (self.inner, self.table[0], self.table[1]["deep"]):
            layer.build(input_shape)
        self.offset = self.add_weight(shape=(3,), name="offset")
        self.built = True

    def call(self, x):
        return self.factor * self.inner(x) + self.table[0](x) + self.table[1]["deep"](x) + self.offset

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register_keras_serializable("tests")
def doubled(x):
    return x * 2.0


def test_custom_layers_and_functions(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Scaled(3.0), layers.Dense(2, activation=doubled)])
    model.save(tmp_path / "model.keras")
    copy = load_model(tmp_path / "model.keras")
    assert copy.layers[0].factor == 3.0
    assert_same_weights(copy, weights_of(model))
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
        names = []
        h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r").visit(names.append)
    assert config["config"]["layers"][1]["registered_name"] == "tests>Scaled"
    for place in ("inner", "table/dense", "table/container/dense"):
        assert f"layers/scaled/{place}/vars/0" in names


def test_places_in_the_file_are_those_of_keras(tmp_path):
    sequence = keras.Input((5, 4))
    x = layers.MultiHeadAttention(2, 3)(sequence, sequence)
    x = layers.Bidirectional(layers.LSTM(2))(layers.TimeDistributed(layers.Dense(4))(x))
    model = keras.Model(sequence, layers.Dense(2)(layers.Dense(3)(x)))
    model.save_weights(tmp_path / "model.weights.h5")
    arrays = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
    places = {name.removesuffix("/vars/0") for name in arrays if name.endswith("/0")}
    attention, both = "layers/multi_head_attention", "layers/bidirectional"
    assert places == {
        *(f"{attention}/{part}_dense" for part in ("query", "key", "value", "output")),
        *(f"{both}/{direction}_layer/cell" for direction in ("forward", "backward")),
        "layers/time_distributed/layer",
        "layers/dense",
        "layers/dense_1",
    }


class Unregistered(layers.Layer):
    def call(self, x):
        return x


def test_unknown_classes(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), Unregistered()]).save(path)
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match='Unknown class "Unregistered".*custom_objects'):
            load_model(path)
    assert isinstance(load_model(path, custom_objects={"Unregistered": Unregistered}).layers[0], Unregistered)
    with keras.saving.custom_object_scope({"Unregistered": Unregistered}):
        load_model(path)


class Custom(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = layers.Dense(3)
        self.z_head = layers.Dense(1)

    def call(self, x):
        return self.z_head(self.encoder(x))


@register_keras_serializable("tests")
class Registered(keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.parts = [layers.Dense(units), layers.LSTM(2, dropout=0.1)]

    def call(self, x):
        return self.parts[1](self.parts[0](x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_subclassed_model_as_a_whole(tmp_path):
    model = Registered(3)
    model.compile("rmsprop", "mse")
    trained(model, (6, 3))
    model.save(tmp_path / "model.keras")
    copy = load_model(tmp_path / "model.keras")
    assert_same_weights(copy, weights_of(model))
    for a, b in zip(model.optimizer.variables, copy.optimizer.variables):
        np.testing.assert_array_equal(np.array(a), np.array(b))
    with pytest.raises(ValueError, match="as .keras instead"):
        model.save(tmp_path / "model.h5")


def test_weights_of_a_subclassed_model(tmp_path):
    x = np.ones((2, 4), "float32")
    model, copy = Custom(), Custom()
    model(x)
    model.save_weights(tmp_path / "custom.weights.h5")
    with pytest.raises(ValueError, match="call the model on data first"):
        copy.load_weights(tmp_path / "custom.weights.h5")
    copy(x)
    copy.load_weights(tmp_path / "custom.weights.h5")
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_in_shards(tmp_path):
    model = small_model()
    path = tmp_path / "model.weights.json"
    model.save_weights(path, max_shard_size=100 / 2**30)
    places = json.loads(path.read_text())["weight_map"]
    shards = sorted(tmp_path.glob("model_*.weights.h5"))
    assert len(shards) > 1 and {name for names in places.values() for name in np.atleast_1d(names)} == {
        shard.name for shard in shards
    }
    expected = [v.numpy() for v in model.variables]
    for variable in model.variables:
        variable.assign(variable + 1)
    model.load_weights(path)
    for variable, value in zip(model.variables, expected):
        np.testing.assert_array_equal(variable.numpy(), value)
    with pytest.raises(ValueError, match="bytes, a shard at most 8. Pass a larger max_shard_size"):
        model.save_weights(path, max_shard_size=8 / 2**30)
    with pytest.raises(ValueError, match="must end in .weights.json"):
        model.save_weights(tmp_path / "model.weights.h5", max_shard_size=1)
    with pytest.raises(ValueError, match="max_shard_size must be a number > 0"):
        model.save_weights(path, max_shard_size=0)


def test_weights_in_other_number_types(tmp_path):
    path = tmp_path / "model.weights.h5"
    model = small_model()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        group = file["layers/dense/vars"]
        for name, values in {"0": np.arange(20.0, dtype=">f8").reshape(4, 5), "1": np.arange(5, dtype="<i2")}.items():
            del group[name]
            group[name] = values
    model.load_weights(path)
    assert model.layers[0].get_weights()[0].ravel().tolist() == list(range(20))
    assert model.layers[0].get_weights()[1].tolist() == list(range(5))


# ---------------------------------------------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(3, activation="relu", kernel_regularizer="l2", name="d"),
        lambda: layers.Conv2D(2, (3, 2), padding="same", strides=2),
        lambda: layers.Bidirectional(layers.GRU(3), merge_mode="sum"),
        lambda: keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        lambda: keras.metrics.AUC(num_thresholds=50),
        lambda: keras.optimizers.AdamW(1e-4, weight_decay=0.1, clipnorm=1.0),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
        lambda: keras.initializers.HeNormal(seed=3),
        lambda: keras.regularizers.L1L2(0.1, 0.2),
        lambda: keras.constraints.MaxNorm(2.0),
    ],
)
def test_configuration_round_trip(make):
    config = json.loads(json.dumps(serialize_keras_object(make())))
    assert config["module"].startswith("keras.") and config["registered_name"] is None
    copy = deserialize_keras_object(config)
    assert type(copy) is type(make()) and json.loads(json.dumps(serialize_keras_object(copy))) == config


def test_configurations_of_values():
    values = {"a": [1, 2.5, None, "x"], "b": np.float32(3), "c": slice(1, None), "d": ..., "e": b"bytes"}
    copy = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(values))))
    assert copy == {"a": [1, 2.5, None, "x"], "b": 3.0, "c": slice(1, None), "d": ..., "e": b"bytes"}
    array = deserialize_keras_object(serialize_keras_object(np.arange(3, dtype="int16")))
    assert array.dtype == np.int16 and array.tolist() == [0, 1, 2]
    assert deserialize_keras_object(serialize_keras_object(keras.activations.relu)) is keras.activations.relu
    with pytest.raises(TypeError, match="has no get_config"):
        serialize_keras_object(object())
    with pytest.raises(ValueError, match="lambda cannot be saved"):
        serialize_keras_object(lambda x: x)


class TakesAnything(layers.Layer):
    """Keeps what it is made with."""

    def __init__(self, given=None, **kwargs):
        super().__init__(**kwargs)
        self.given = given

    def call(self, x):
        return x

    def get_config(self):
        return {**super().get_config(), "given": self.given}


def test_tuples_are_kept_in_memory_and_are_lists_in_files(tmp_path):
    """As in Keras 3.15."""
    assert serialize_keras_object(((1, 2), [3, (4,)])) == ((1, 2), [3, (4,)])
    assert serialize_keras_object({"a": (np.int64(1), np.array(2.5))}) == {"a": (1, 2.5)}
    assert deserialize_keras_object((1, (2, 3))) == [1, [2, 3]]
    given = ((1, 2), [3], {"sizes": (4, (5,))})
    in_a_file = [[1, 2], [3], {"sizes": [4, [5]]}]
    names = {"TakesAnything": TakesAnything}
    inputs = keras.Input((3,))
    model = keras.Model(inputs, TakesAnything(given)(inputs))
    assert model.get_config()["layers"][1]["config"]["given"] == given
    assert keras.Model.from_config(model.get_config(), custom_objects=names).layers[1].given == given
    assert deserialize_keras_object(serialize_keras_object(TakesAnything(given)), names).given == given
    sequential = keras.Sequential([inputs, TakesAnything(given)])
    assert keras.Sequential.from_config(sequential.get_config(), custom_objects=names).layers[0].given == given
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras", names).layers[1].given == in_a_file
    assert keras.models.model_from_json(model.to_json(), names).layers[1].given == in_a_file


@pytest.mark.parametrize(
    "obj, module",
    [
        (keras.DTypePolicy("mixed_float16"), "keras"),
        (keras.dtype_policies.QuantizedDTypePolicy("int8", "float32"), "keras.dtype_policies"),
        (keras.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32"), "keras.dtype_policies"),
        (keras.dtype_policies.GPTQDTypePolicy("gptq/4/128", "float32"), "keras.dtype_policies"),
        (
            keras.dtype_policies.DTypePolicyMap("mixed_bfloat16", {"a": keras.DTypePolicy("float32")}),
            "keras.dtype_policies",
        ),
        (layers.Layer(), "keras"),
        (keras.InputSpec(ndim=2), "keras"),
        (keras.losses.Loss(), "keras"),
        (keras.metrics.Metric(), "keras"),
        (keras.initializers.Ones(), "keras.initializers"),
        (keras.random.SeedGenerator(3), "keras.random"),
    ],
)
def test_modules_are_those_that_keras_writes(obj, module):
    config = serialize_keras_object(obj)
    assert (config["module"], config["class_name"], config["registered_name"]) == (module, type(obj).__name__, None)
    assert type(deserialize_keras_object(json.loads(json.dumps(config)))) is type(obj)


def test_dtype_policies_in_configurations(tmp_path):
    policies = keras.dtype_policies.DTypePolicyMap("mixed_bfloat16", {"a": keras.DTypePolicy("float32")})
    for policy in (keras.DTypePolicy("mixed_float16"), policies):
        assert deserialize_keras_object(serialize_keras_object([policy])) == [policy]
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=policy)])
        model.save(tmp_path / "model.keras")
        assert load_model(tmp_path / "model.keras").layers[0].compute_dtype == policy.compute_dtype
    of_an_earlier_version = {
        "module": "dlcore.backend.dtype_policy",
        "class_name": "DTypePolicy",
        "config": {"name": "mixed_float16"},
        "registered_name": "DTypePolicy",
    }
    assert deserialize_keras_object(of_an_earlier_version) == keras.DTypePolicy("mixed_float16")


class TakesALayer(layers.Layer):
    """Passes its configuration to __init__ as it stands, as many a first get_config() does."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {**super().get_config(), "inner": serialize_keras_object(self.inner)}


def test_a_layer_left_as_its_configuration(tmp_path):
    keras.Sequential([keras.Input((4,)), TakesALayer(layers.Dense(3))]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError) as error:
        load_model(tmp_path / "model.keras", custom_objects={"TakesALayer": TakesALayer})
    text = str(error.value)
    assert "...: 'dict' object is not callable. A part of a configuration was used as it stands." in text
    assert text.endswith("in its from_config(cls, config), with saving.deserialize_keras_object(config[name]).")
    assert len(text) < 800


@pytest.mark.parametrize(
    "config, message",
    [
        ({"module": "keras.layers", "class_name": "Dence", "config": {}}, 'Unknown class "Dence".*"Dense"'),
        ({"module": "os", "class_name": "system", "config": {}}, 'Unknown class "system" of module os'),
        ({"module": "keras.layers", "class_name": "__lambda__", "config": {"value": "x"}}, "runs no code from files"),
        ({"module": "builtins", "class_name": "function", "config": "eval"}, 'Unknown function "eval"'),
        ({"module": "keras.layers", "class_name": "Dense", "config": {"unit": 3}}, "Dense cannot be made"),
        ({"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "object"}}, "no numbers"),
    ],
)
def test_configurations_that_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        deserialize_keras_object(config)


# --------------------------------------------------------------------------------------------- Keras reads our files

KERAS_SCRIPT = """
import os, sys
os.environ.setdefault("KERAS_BACKEND", sys.argv[1])
import keras, numpy as np
with np.load("data.npz") as arrays:
    x = [arrays[key] for key in sorted(arrays) if key.startswith("x")]
    y = arrays["y"]
x = x[0] if len(x) == 1 else x
model = keras.saving.load_model(sys.argv[2])
first = model.predict(x, verbose=0)
# From .h5 files Keras does not restore the optimizer on every backend.
if model.compiled and sys.argv[2].endswith(".keras"):
    model.train_on_batch(x, y)
np.savez("keras.npz", first=first, second=model.predict(x, verbose=0))
"""


def keras_python():
    """An interpreter that has Keras and one of its backends."""
    named = os.environ.get("KERAS_PYTHON")
    if named:
        return named
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed; KERAS_PYTHON can name an interpreter that has it")
    return sys.executable


def keras_backend(python):
    code = "import importlib.util as u; print(next((b for b in ('jax', 'torch', 'tensorflow') if u.find_spec(b)), ''))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def interop_model(kind):
    if kind == "mlp":
        return trained(small_model()), [(4,)]
    if kind == "attention":
        sequence = keras.Input((5, 4))
        x = layers.MultiHeadAttention(2, 3)(sequence, sequence)
        inner = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dropout(0.0)])
        x = layers.Dense(2)(layers.GlobalAveragePooling1D()(inner(x) + sequence))
        model = keras.Model(sequence, x)
        model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.01, 100)), "mae", metrics=["mse"])
        return trained(model, (5, 4)), [(5, 4)]
    if kind == "cnn":
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(3, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Dropout(0.0),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), keras.losses.MeanSquaredError(), metrics=["mae"])
        return trained(model, (8, 8, 1)), [(8, 8, 1)]
    a, b = keras.Input((6, 3), name="a"), keras.Input((4,), name="b")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(a)
    x = layers.Concatenate()([layers.GRU(2)(x), layers.Dense(3, activation="gelu")(b)])
    model = keras.Model([a, b], layers.Dense(2)(layers.LayerNormalization()(x)))
    model.compile(keras.optimizers.RMSprop(0.01), "mse")
    rng = np.random.default_rng(0)
    model.train_on_batch([rng.normal(size=(8, 6, 3)), rng.normal(size=(8, 4))], rng.normal(size=(8, 2)))
    return model, [(6, 3), (4,)]


def keras_results(folder, ending, model, x, y):
    """What Keras predicts with the model from our file, and then, where it was compiled, after a step of training."""
    python = keras_python()
    np.savez(folder / "data.npz", y=y, **{f"x{i}": array for i, array in enumerate(x)})
    model.save(folder / f"model{ending}")
    command = [python, "-c", KERAS_SCRIPT, keras_backend(python), f"model{ending}"]
    environment = dict(os.environ, CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu")  # its GPU's sums have fewer bits
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "keras.npz") as theirs:
        return theirs["first"], theirs["second"]


@pytest.mark.parametrize("kind", ["mlp", "cnn", "two inputs", "attention"])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_keras_reads_our_files_and_goes_on_training(tmp_path, kind, ending):
    model, shapes = interop_model(kind)
    rng = np.random.default_rng(5)
    x = [rng.normal(size=(5, *shape)).astype("float32") for shape in shapes]
    y = rng.normal(size=(5, 2)).astype("float32")
    first, second = keras_results(tmp_path, ending, model, x, y)
    np.testing.assert_allclose(model.predict(only(x), verbose=0), first, **CLOSE)
    if ending == ".keras":
        model.train_on_batch(only(x), y)
        np.testing.assert_allclose(model.predict(only(x), verbose=0), second, **CLOSE)


@pytest.mark.parametrize(
    "config",
    [
        keras.quantizers.Int8QuantizationConfig(),
        keras.quantizers.Int4QuantizationConfig(block_size=4),
        keras.quantizers.GPTQConfig(None, None, group_size=4),
        keras.quantizers.GPTQConfig(None, None, weight_bits=3, group_size=-1),
        keras.quantizers.AWQConfig(None, None, group_size=4),
    ],
    ids=lambda config: config.dtype_policy_string(),
)
def test_keras_reads_our_quantized_files(tmp_path, config):
    heads = layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de")
    hidden = layers.Dense(9, activation="tanh")
    model = keras.Sequential([keras.Input((5, 7)), heads, layers.Reshape((5, 6)), hidden, layers.Dense(2)])
    for layer in (heads, hidden):
        layer.quantize(config=config)
    x = np.random.default_rng(5).normal(size=(3, 5, 7)).astype("float32")
    first, _ = keras_results(tmp_path, ".keras", model, [x], x)
    np.testing.assert_allclose(model.predict(x, verbose=0), first, **CLOSE)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_keras_reads_our_adapted_integers(tmp_path, mode):
    heads, hidden = layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de"), layers.Dense(9)
    model = keras.Sequential([keras.Input((5, 7)), heads, layers.Reshape((5, 6)), hidden, layers.Dense(2)])
    rng = np.random.default_rng(5)
    for layer in (heads, hidden):
        layer.quantize(mode)
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(rng.normal(size=layer.lora_kernel_b.shape))
    x = rng.normal(size=(3, 5, 7)).astype("float32")
    first, _ = keras_results(tmp_path, ".keras", model, [x], x)
    rounded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(rounded.predict(x, verbose=0), first, **CLOSE)
    assert rounded.layers[0].lora_enabled


class PickledTwice(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "bool"])
def test_tensors_are_copied_and_pickled(dtype):
    tensor = ops.cast(ops.array([0, 1.5, -2]), dtype)
    for copied in (copy.copy(tensor), copy.deepcopy(tensor), pickle.loads(pickle.dumps(tensor))):
        assert copied.dtype == dtype
        np.testing.assert_array_equal(copied, tensor)


def test_pickle_and_deepcopy():
    x = np.random.RandomState(0).rand(6, 3).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu"), PickledTwice(), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, x[:, :1], verbose=0)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict(x, verbose=0), model.predict(x, verbose=0))
        assert int(copied.optimizer.iterations.numpy()) == 1
        copied.fit(x, x[:, :1], verbose=0)
        assert (copied.get_weights()[0] != model.get_weights()[0]).any()


@pytest.mark.parametrize("activation", [layers.ReLU(max_value=0.5, name="cut"), layers.LeakyReLU(0.25)])
def test_layer_as_activation(activation, tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation=activation)])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert type(again.layers[0].activation) is type(activation)
    assert again.layers[0].activation.get_config() == activation.get_config()
    x = np.random.RandomState(0).randn(5, 3).astype("float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.weights.json"])
def test_weights_of_some_layers_only(name, tmp_path):
    def make():
        return keras.Sequential([keras.Input((3,)), layers.Dense(3, name="a"), layers.Dense(3, name="b")])

    def is_like(model, layer):
        return np.array_equal(model.get_layer(layer).kernel, saved.get_layer(layer).kernel)

    saved, whole, part = make(), make(), make()
    shards = {"max_shard_size": 1} if name.endswith(".json") else {}
    saved.save_weights(tmp_path / name, **shards)
    whole.load_weights(tmp_path / name, objects_to_skip=[whole.get_layer("a")])
    assert is_like(whole, "b") and not is_like(whole, "a")
    saved.save_weights(tmp_path / name, objects_to_skip=[saved.get_layer("a")], **shards)
    part.load_weights(tmp_path / name, objects_to_skip=[part.get_layer("a")])
    assert is_like(part, "b") and not is_like(part, "a")
    with pytest.raises(ValueError, match='layer "a"'):
        part.load_weights(tmp_path / name)
    saved.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="objects_to_skip is for .weights.h5 and .weights.json files"):
        part.load_weights(tmp_path / "m.keras", objects_to_skip=[part.get_layer("a")])


def test_models_with_a_compile_of_their_own(tmp_path):
    @keras.saving.register_keras_serializable()
    class OwnCompile(keras.Sequential):
        def compile(self, rate):
            super().compile(keras.optimizers.SGD(rate), "mse")

    model = OwnCompile([keras.Input((3,)), layers.Dense(1)])
    model.compile(rate=0.5)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="is not compiled, since its class has a compile\\(\\) of its own"):
        again = keras.models.load_model(tmp_path / "m.keras")
    assert not again.compiled


def test_deprecated_and_unknown_arguments(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.warns(UserWarning, match="save_format is deprecated"):
        model.save(tmp_path / "m.keras", save_format="keras")
    assert keras.models.load_model(tmp_path / "m.keras").count_params() == 4
    with pytest.raises(ValueError, match=r"save got unexpected arguments \['form'\]"):
        model.save(tmp_path / "m.keras", form="keras")


def test_function_without_its_package():
    @keras.saving.register_keras_serializable(package="mine")
    def squared(x):
        return x * x

    config = {"module": "builtins", "class_name": "function", "config": "squared", "registered_name": "function"}
    assert keras.saving.deserialize_keras_object(config) is squared
    named = {**config, "config": "mine>squared"}  # Keras looks for what `config` names
    assert keras.losses.serialize(squared) == layers.Lambda(squared).get_config()["function"] == named


def test_registered_names():
    @keras.saving.register_keras_serializable("mine", "Plain")
    class Layer(layers.Layer):
        pass

    assert keras.saving.get_registered_name(Layer) == "mine>Plain"
    assert keras.saving.get_registered_name(layers.Dense) == "Dense"
    assert keras.saving.get_registered_object("mine>Plain") is Layer
    assert keras.saving.get_registered_object("Other") is None
    assert keras.saving.get_registered_object("Other", custom_objects={"Other": Layer}) is Layer
    known = keras.saving.get_custom_objects()
    known["Other"] = Layer
    assert keras.saving.get_registered_object("Other") is Layer
    del known["Other"]
    with keras.saving.custom_object_scope({"Scoped": Layer}):
        assert type(layers.deserialize({"class_name": "Scoped", "config": {}})) is Layer


def test_model_in_a_folder(tmp_path):
    path = tmp_path / "model"
    words = layers.TextVectorization()
    words.adapt(["b a", "b"])
    model = keras.Sequential([keras.Input((), dtype="string"), words, layers.Embedding(4, 2)])
    model.save(path, zipped=False)
    assert sorted(os.listdir(path)) == ["assets", "config.json", "metadata.json", "model.weights.h5"]
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(["a b"], verbose=0), model.predict(["a b"], verbose=0))
    again.layers[-1].set_weights([np.zeros((4, 2))])
    again.load_weights(path)
    np.testing.assert_array_equal(again.layers[-1].get_weights()[0], model.layers[-1].get_weights()[0])
    with pytest.raises(FileExistsError):
        model.save(path, zipped=False, overwrite=False)
    with pytest.raises(ValueError, match="is saved in a folder. Got the name of a file"):
        model.save(tmp_path / "m.keras", zipped=False)
    with pytest.raises(IsADirectoryError):
        keras.models.load_model(tmp_path)


def test_h5_makes_its_folder(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.save(tmp_path / "a" / "b" / "m.h5")
    assert keras.models.load_model(tmp_path / "a" / "b" / "m.h5").count_params() == 4


@pytest.mark.parametrize("mode", [None, "int8", "int4"])
def test_a_layer_that_was_built_without_a_shape_is_built_when_loaded(tmp_path, mode):
    layer = layers.Embedding(20, 8)
    layer.build()
    if mode is not None:
        layer.quantize(mode)
    model = keras.Sequential([layer])
    model.save(tmp_path / "model.keras")
    rows = np.arange(20)[None]
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(rows), model(rows))
