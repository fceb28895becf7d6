"""Functional, Sequential and subclassed models: graphs, shapes, summary, configuration."""

from collections import OrderedDict

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session()


def mlp():
    x = keras.Input((4,), name="x")
    h = layers.Dense(3, activation="relu", name="hidden")(x)
    return keras.Model(x, layers.Dense(2, name="head")(h), name="mlp")


def test_values_and_shapes():
    model = mlp()
    data = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    (w1, b1, w2, b2) = model.get_weights()
    np.testing.assert_allclose(model(data).numpy(), np.maximum(data @ w1 + b1, 0) @ w2 + b2, rtol=1e-5, atol=1e-6)
    assert model.input_shape == (None, 4) and model.output_shape == (None, 2)
    assert [layer.name for layer in model.layers] == ["x", "hidden", "head"]
    assert [v.path for v in model.weights] == ["hidden/kernel", "hidden/bias", "head/kernel", "head/bias"]


def test_shared_layer_and_operators():
    shared = layers.Dense(3)
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model([a, b], {"difference": shared(a) - shared(b), "twice": 2 * shared(a)})
    assert len(model.weights) == 2
    x, y = np.ones((2, 4), "float32"), np.zeros((2, 4), "float32")
    out = model([x, y])
    np.testing.assert_allclose(out["difference"], out["twice"] / 2, rtol=1e-6)
    by_name = model({"b": y, "a": x})
    np.testing.assert_array_equal(by_name["twice"].numpy(), out["twice"].numpy())
    with pytest.raises(ValueError, match='missing data for input "b"'):
        model({"a": x})


def test_nested_models_and_submodels():
    inner = mlp()
    x = keras.Input((4,))
    outer = keras.Model(x, inner(x) + 1)
    data = np.ones((2, 4), "float32")
    np.testing.assert_allclose(outer(data).numpy(), inner(data).numpy() + 1, rtol=1e-6)
    hidden = keras.Model(inner.input, inner.get_layer("hidden").output)
    assert hidden(data).shape == (2, 3)
    tail = keras.Model(inner.get_layer("hidden").output, inner.output)
    np.testing.assert_allclose(tail(hidden(data)).numpy(), inner(data).numpy(), rtol=1e-6)


def test_last_axis_is_added_and_dropped():
    x = keras.Input((3, 1))
    model = keras.Model(x, layers.Flatten()(x))
    assert model(np.ones((2, 3), "float32")).shape == (2, 3)
    flat = keras.Input((3,))
    model = keras.Model(flat, layers.Dense(2)(flat))
    assert model(np.ones((2, 3, 1), "float32")).shape == (2, 2)


def test_wrong_shapes_name_the_layer():
    model = mlp()
    with pytest.raises(ValueError, match=r'"mlp".*expected shape=\(None, 4\), found shape=\(2, 5\)'):
        model(np.ones((2, 5)))
    with pytest.raises(ValueError, match='"head"'):
        model.get_layer("head")(np.ones((2, 5)))


def test_outputs_of_a_direct_call_carry_masks():
    x = layers.Input((3,))
    model = keras.Model(x, layers.Dense(2)(layers.Embedding(5, 4, mask_zero=True)(x)))
    for called in (model, model, keras.Sequential([model])):
        np.testing.assert_array_equal(called(np.array([[1, 0, 2]]))._keras_mask, [[True, False, True]])


def test_lists_of_keras_tensors_can_be_searched():
    x, y = layers.Input((2,)), layers.Input((3, 4))
    assert y in [x, y] and [x, y].index(y) == 1 and x not in [y] and x == x
    assert keras.Model(x, x == 1)(np.ones((1, 2))).numpy().all()  # with anything else it is elementwise


def test_inputs_in_a_dict_go_by_its_keys(tmp_path):
    """Not by the names of the Inputs."""
    inputs = {"right": layers.Input((2,)), "left": layers.Input((2,))}
    model = keras.Model(inputs, layers.Subtract()([inputs["left"], inputs["right"]]))
    x = {"left": np.ones((3, 2)), "right": np.zeros((3, 2))}
    model.compile("sgd", "mse")
    assert model.evaluate(x, np.ones((3, 2)), verbose=0) == 0
    model.save(tmp_path / "model.keras")
    for copy in (model, keras.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_array_equal(copy(x), 1)
        np.testing.assert_array_equal(copy.predict(x, verbose=0), 1)
    with pytest.raises(ValueError, match='missing data for input "right"'):
        model({"left": np.ones((3, 2))})


def test_disconnected_graph():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(ValueError, match="input 'b', which is none of the model's inputs"):
        keras.Model(a, a + b)
    with pytest.raises(ValueError, match="must be KerasTensors"):
        keras.Model(a, np.ones(3))


def test_lists_of_one_input_and_output_are_kept():
    x = np.ones((2, 3), "float32")
    a = keras.Input((3,), name="a")
    y = layers.Dense(2, name="y")(a)
    model = keras.Model([[a]], [y])
    config = model.get_config()
    assert (config["input_layers"], config["output_layers"]) == ([[["a", 0, 0]]], [["y", 0, 0]])
    for made in (model, keras.Model.from_config(config), keras.models.clone_model(model)):
        assert made.input[0][0].shape == (None, 3) and made.output[0].shape == (None, 2)
        assert made.output_shape == (None, 2) and made(x).shape == (2, 2) == made.predict([[x]], verbose=0).shape
    assert [z.shape for z in model(a)] == [(None, 2)]
    assert keras.Model(a, model(a)[0]).output is not None


def test_unknown_layer():
    with pytest.raises(ValueError, match="hidden"):
        mlp().get_layer("hiden")
    with pytest.raises(ValueError, match="3 layers; there is no layer at index 7"):
        mlp().get_layer(index=7)


@pytest.mark.parametrize("make", [mlp, lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])])
def test_config_round_trip(make):
    model = make()
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    data = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again(data).numpy(), model(data).numpy())
    assert again.name == model.name and [v.shape for v in again.weights] == [v.shape for v in model.weights]


def test_config_with_operations():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    y = ops.reshape(ops.concatenate([a * 2, b], axis=1), (-1, 2, 4))[:, 0]
    model = keras.Model([a, b], ops.sum(y, axis=1, keepdims=True))
    again = keras.Model.from_config(model.get_config())
    data = [np.arange(8, dtype="float32").reshape(2, 4), np.ones((2, 4), "float32")]
    np.testing.assert_array_equal(again(data).numpy(), model(data).numpy())
    kinds = [entry["class_name"] for entry in model.get_config()["layers"]]
    assert kinds == ["InputLayer", "Multiply", "InputLayer", "Concatenate", "Reshape", "GetItem", "Sum"]


def test_ordered_dicts_keep_their_order():
    """Dicts are walked by their sorted keys, an OrderedDict is walked as it is; a model takes its inputs by key."""
    tree, given = keras.tree, OrderedDict(b=1, a={"d": 2, "c": 3})
    assert tree.flatten(given) == [1, 3, 2] and tree.flatten(dict(given)) == [3, 2, 1]
    assert [path for path, _ in tree.flatten_with_path(given)] == [("b",), ("a", "c"), ("a", "d")]
    assert tree.pack_sequence_as(given, [10, 30, 20]) == OrderedDict(b=10, a={"d": 20, "c": 30})
    visited = []
    for made in (
        tree.map_structure(lambda x: visited.append(x) or 10 * x, given),
        tree.map_structure_up_to(given, lambda x: visited.append(x) or 10 * x, given),
        tree.lists_to_tuples(OrderedDict(b=10, a={"d": 20, "c": 30})),
        tree.map_shape_structure(lambda x: x[0], OrderedDict(b=(10,), a={"d": (20,), "c": (30,)})),
    ):
        assert type(made) is OrderedDict and made == OrderedDict(b=10, a={"d": 20, "c": 30})
    assert visited == [1, 3, 2, 1, 3, 2]

    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model(OrderedDict(b=b, a=a), a - 10 * b)
    assert [x.name for x in model.inputs] == ["b", "a"]
    data = {"b": np.ones((1, 2), "float32"), "a": np.zeros((1, 2), "float32")}
    for x in (data, OrderedDict(data), OrderedDict(sorted(data.items()))):
        assert model.predict(x, verbose=0).tolist() == model(x).numpy().tolist() == [[-10.0, -10.0]]
    assert keras.Model.from_config(model.get_config()).predict(data, verbose=0).tolist() == [[-10.0, -10.0]]


class Masked(layers.Layer):
    """Zeros where its input is masked."""

    def call(self, x, mask=None):
        return x if mask is None else x * ops.cast(mask, x.dtype)[..., None]


def test_masks_of_an_ordered_dict():
    a, b = keras.Input((3, 2), name="a"), keras.Input((3, 2), name="b")
    inner = keras.Model(OrderedDict(b=b, a=a), [Masked()(a), Masked()(b)])
    words, a = keras.Input((3,), dtype="int32"), keras.Input((3, 2))
    embedded = layers.Embedding(4, 2, mask_zero=True, embeddings_initializer="ones")(words)
    model = keras.Model([words, a], inner({"b": embedded, "a": a}))
    of_a, of_b = model.predict([np.array([[1, 0, 0]]), np.ones((1, 3, 2), "float32")], verbose=0)
    assert of_a.tolist() == [[[1, 1], [1, 1], [1, 1]]] and of_b.tolist() == [[[1, 1], [0, 0], [0, 0]]]


class Clipped(keras.Operation):
    """An operation of a user's own."""

    def __init__(self, limit, name=None):
        super().__init__(name=name)
        self.limit = limit

    def call(self, x):
        return ops.clip(x, -self.limit, self.limit)


def test_operations_of_a_users_own():
    clipped = Clipped(0.5, name="clipped")
    data = np.array([[-2.0, 0.25, 3.0]], "float32")
    np.testing.assert_array_equal(clipped(data).numpy(), [[-0.5, 0.25, 0.5]])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, clipped(inputs))
    assert model.output_shape == (None, 3) and clipped.output.shape == (None, 3)
    again = keras.Model.from_config(model.get_config(), custom_objects={"Clipped": Clipped})
    assert again.operations[-1].limit == 0.5
    np.testing.assert_array_equal(again.predict(data, verbose=0), clipped(data).numpy())
    with pytest.raises(NotImplementedError, match='Operation "operation" has no call'):
        keras.Operation(name="operation")(data)


def test_operations_are_written_with_the_module_in_which_keras_keeps_them():
    x = keras.Input((4, 4, 1))
    y = ops.rearrange(ops.image.resize(ops.cbrt(ops.relu(x)), (2, 2)), "b h w c -> b (h w c)")
    y = ops.norm(ops.erf(ops.cast(ops.gcd(ops.cast(y, "int32"), 12), "float32")), axis=-1, keepdims=True)
    model = keras.Model(x, ops.normalize(ops.nansum(y, axis=-1, keepdims=True)))
    config = model.get_config()
    modules = {entry["class_name"]: entry["module"].removeprefix("keras.src.ops.") for entry in config["layers"][1:]}
    assert modules == {
        "Relu": "nn", "Cbrt": "numpy", "Resize": "image", "Rearrange": "einops", "Cast": "core", "Gcd": "numpy",
        "Erf": "math", "Norm": "linalg", "Nansum": "numpy", "Normalize": "nn",
    }  # fmt: skip
    data = np.arange(32, dtype="float32").reshape(2, 4, 4, 1)
    np.testing.assert_array_equal(keras.Model.from_config(config)(data).numpy(), model(data).numpy())


def test_json_and_clone():
    model = mlp()
    again = keras.models.model_from_json(model.to_json())
    assert [layer.name for layer in again.layers] == ["x", "hidden", "head"]
    clone = keras.models.clone_model(model)
    assert clone.get_layer("head") is not model.get_layer("head")


def test_a_model_from_a_tensor_within_another(tmp_path):
    """It has the layers behind the tensor only, shared with the other model, and can be saved."""
    inputs = keras.Input((3,))
    middle = layers.Dense(4, name="before")(inputs)
    outputs = layers.Dense(1, name="last")(ops.relu(layers.Dense(2, name="behind")(middle)))
    whole = keras.Model(inputs, outputs)
    model = keras.Model(middle, outputs)
    assert [layer.name for layer in model.layers[1:]] == ["behind", "last"]
    assert isinstance(model.layers[0], layers.InputLayer) and model.input_shape == (None, 4)
    assert model.count_params() == 13 and model.get_layer("last") is whole.get_layer("last")
    x = np.ones((2, 3), "float32")
    y = model.predict(keras.Model(inputs, middle).predict(x, verbose=0), verbose=0)
    np.testing.assert_allclose(y, whole.predict(x, verbose=0), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    data = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
    assert whole.get_layer("behind").output.shape == (None, 2) and whole.output_shape == (None, 1)


def test_clone_with_layers_of_a_users_own():
    """Their classes need not be registered, also not in an inner model."""
    inner = keras.Sequential([keras.Input((3,)), Scaled(2)], name="inner")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, inner(Scaled(3)(inputs)))
    model.trainable = False
    clone = keras.models.clone_model(model)
    assert clone.get_layer("inner").layers[-1].factor == 2 and not clone.trainable
    np.testing.assert_array_equal(clone.predict(np.ones((1, 3)), verbose=0), [[6.0, 6.0, 6.0]])


class Scaled(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_sequential_builds_when_it_knows_the_shape():
    model = keras.Sequential()
    model.add(layers.Dense(3, input_shape=(4,)))
    assert model.built and model.output_shape == (None, 3)
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert model.pop().units == 2 and model.output_shape == (None, 3)
    late = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    assert not late.built
    with pytest.raises(AttributeError, match="has no inputs and outputs yet"):
        late.inputs  # noqa: B018
    assert late(np.ones((5, 4), "float32")).shape == (5, 2)
    assert late.input_shape == (None, 4)
    assert [v.path for v in late.weights][0] == "sequential_1/dense_2/kernel"


def test_sequential_goes_on_from_its_graph():
    x = np.ones((5, 4), "float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones((5, 3)), verbose=0)
    model.add(layers.Dense(2))
    assert len(model.layers[0]._inbound_nodes) == 1  # it is not called again
    (kernel, bias), (kernel_2, bias_2) = (layer.get_weights() for layer in model.layers)
    np.testing.assert_allclose(model.predict(x, verbose=0), (x @ kernel + bias) @ kernel_2 + bias_2, rtol=1e-5)


@pytest.mark.parametrize(
    "nested",
    [
        lambda: layers.Dense(4),
        lambda: keras.Sequential([layers.Dense(4)]),
        lambda: keras.Sequential([keras.Input((3,)), layers.Dense(4)]),
    ],
    ids=["layer", "model without a shape", "model"],
)
def test_sequential_is_built_by_its_first_step_of_training(nested):
    model = keras.Sequential([nested(), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    y = x @ rng.normal(size=(3, 1)).astype("float32")
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert model.input_shape == (None, 3)
    assert losses[-1] < 0.01 * losses[0]


@pytest.mark.parametrize("begins_with_input", [False, True])
def test_sequential_takes_other_sizes_that_its_layers_take(begins_with_input):
    first = [keras.Input((9, 5))] if begins_with_input else []
    mlp = keras.Sequential([*first, layers.Dense(4, activation="relu"), layers.Dense(5)])
    x = np.random.RandomState(0).rand(2, 9, 5).astype("float32")
    whole = mlp(x).numpy()
    np.testing.assert_allclose(mlp(x[:, :7]), whole[:, :7], rtol=1e-5)
    np.testing.assert_allclose(mlp.predict(x[:, :6], verbose=0), whole[:, :6], rtol=1e-5)
    assert mlp(keras.Input((None, 5))).shape == (None, None, 5)
    mlp.compile("sgd", "mse")
    assert np.isfinite(mlp.fit(x[:, :3], x[:, :3], verbose=0).history["loss"]).all()
    for bad in (x[:, :, :4], x[None]):
        with pytest.raises(ValueError, match="expected shape=\\(None, 9, 5\\), found shape="):
            mlp(bad)


def test_the_message_is_of_the_fault_not_of_an_unknown_size():
    class Faulty(layers.Layer):
        def call(self, x):
            rows = ops.cast(ops.shape(x)[0], "float32")
            return ops.matmul(x / rows, ops.ones((4, 2)))

    with pytest.raises(ValueError, match="matmul"):
        Faulty()(keras.Input((3,)))

    class FaultyAtOnce(layers.Layer):
        def call(self, x):
            return ops.matmul(x, ops.ones((4, 2)))

    with pytest.raises(ValueError, match="matmul.*None"):
        FaultyAtOnce()(keras.Input((3,)))


@pytest.mark.parametrize("first", [[], [keras.Input((3,))]])
def test_sequential_without_a_graph(first, tmp_path):
    class Short(layers.Layer):
        def call(self, x):
            return x[:, :2]

        def compute_output_spec(self, x):
            raise NotImplementedError

    model = keras.Sequential([*first, Short(), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    model.fit(x, np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Short": Short})
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


def test_sequential_messages():
    with pytest.raises(ValueError, match="has no layers to build"):
        keras.Sequential().build((None, 3))
    with pytest.raises(ValueError, match="unique names"):
        keras.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")])
    with pytest.raises(ValueError, match="Only layers can be added"):
        keras.Sequential([3])


class Classifier(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(units, activation="relu")
        self.blocks = [layers.Dense(units) for _ in range(2)]
        self.head = layers.Dense(2)

    def call(self, inputs, training=False):
        x = self.hidden(inputs)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_subclassed_model():
    model = Classifier()
    model.build((None, 4))
    assert model.built and len(model.weights) == 8 and len(model.layers) == 4
    assert model(np.ones((2, 4))).shape == (2, 2)
    assert model.weights[0].path == "classifier/dense/kernel"
    x = keras.Input((4,))
    assert keras.Model(x, model(x)).output_shape == (None, 2)


def test_subclass_of_functional():
    class Named(keras.Model):
        def __init__(self):
            x = keras.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(2)(x))
            self.note = "kept"

    model = Named()
    assert isinstance(model, keras.Functional) and model.note == "kept"
    assert model(np.ones((3, 4), "float32")).shape == (3, 2)


def test_a_subclass_of_functional_that_hands_arguments_on_has_its_own_beside_the_graph(tmp_path):
    @keras.saving.register_keras_serializable("functional")
    class Named(keras.Model):
        def __init__(self, *args, labels=(), **kwargs):
            super().__init__(*args, **kwargs)
            self.labels = list(labels)

        def get_config(self):
            return {**super().get_config(), "labels": self.labels}

    inputs = keras.Input((3,))
    model = Named(inputs, layers.Dense(2)(inputs), labels=["a", "b"])
    again = Named.from_config(model.get_config())
    assert isinstance(again, keras.Functional) and again.labels == ["a", "b"]
    model.save(tmp_path / "named.keras")
    again = keras.saving.load_model(tmp_path / "named.keras")
    data = np.ones((1, 3))
    assert again.labels == ["a", "b"]
    np.testing.assert_array_equal(again(data), model(data))


def test_summary():
    lines = []
    model = mlp()
    model.summary(print_fn=lambda text: lines.extend(text.split("\n")), line_length=80)
    assert lines[0] == 'Model: "mlp"'
    assert any("hidden (Dense)" in line and "(None, 3)" in line and "15" in line for line in lines)
    assert " Total params: 23 (92.00 B)" in lines
    model.trainable = False
    model.summary(print_fn=lambda text: lines.extend(text.split("\n")))
    assert " Non-trainable params: 23 (92.00 B)" in lines
    assert len({len(line) for line in lines if line.startswith(("│", "├"))}) <= 2


# As Keras 3.15 prints them on a terminal of 80 columns.
CONNECTED = """\
Model: "two"
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to      ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━┩
│ a (InputLayer)      │ (None, 5, 8)      │          0 │ -                 │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ mha                 │ (None, 5, 8)      │        288 │ a[0][0], a[0][0]  │
│ (MultiHeadAttentio… │                   │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ cat (Concatenate)   │ (None, 5, 16)     │          0 │ a[0][0],          │
│                     │                   │            │ mha[0][0]         │
└─────────────────────┴───────────────────┴────────────┴───────────────────┘
 Total params: 288 (1.12 KB)
 Trainable params: 288 (1.12 KB)
 Non-trainable params: 0 (0.00 B)"""
NESTED = """\
Model: "nest"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┓
┃ Layer (type)                ┃ Output Shape          ┃    Param # ┃ Trai… ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━┩
│ in (InputLayer)             │ (None, 4)             │          0 │   -   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│ inner (Sequential)          │ (None, 2)             │         23 │   N   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│    └ i1 (Dense)             │ (None, 3)             │         15 │   N   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│    └ i2 (Dense)             │ (None, 2)             │          8 │   N   │
├─────────────────────────────┼───────────────────────┼────────────┼───────┤
│ out (Dense)                 │ (None, 1)             │          3 │   Y   │
└─────────────────────────────┴───────────────────────┴────────────┴───────┘
 Total params: 26 (104.00 B)
 Trainable params: 3 (12.00 B)
 Non-trainable params: 23 (92.00 B)"""


def test_summary_is_the_table_of_keras(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = []
    a = keras.Input((5, 8), name="a")
    attended = layers.MultiHeadAttention(2, 4, name="mha")(a, a)
    keras.Model(a, layers.Concatenate(name="cat")([a, attended]), name="two").summary(print_fn=printed.append)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="i1"), layers.Dense(2, name="i2")], name="inner")
    inputs = keras.Input((4,), name="in")
    model = keras.Model(inputs, layers.Dense(1, name="out")(inner(inputs)), name="nest")
    inner.trainable = False
    model.summary(print_fn=printed.append, expand_nested=True, show_trainable=True)
    assert printed == [CONNECTED, NESTED]


def test_summary_of_what_is_not_built():
    lines = []
    keras.Sequential([layers.Dense(3, name="d"), layers.Dropout(0.5, name="o")]).summary(print_fn=lines.append)
    assert "│ d (Dense)                       │ ?                      │   0 (unbuilt) │" in lines[0]
    assert "│ o (Dropout)                     │ ?                      │             0 │" in lines[0]


def test_summary_of_models_in_a_model_without_call():
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            x = keras.Input((4,))
            self.encoder = keras.Model(x, [layers.Dense(2)(x), layers.Dense(3)(x)], name="encoder")
            self.decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)], name="decoder")

    lines = []
    Pair().summary(print_fn=lines.append, line_length=100)
    text = "\n".join(lines)
    assert "((None, 2), (None, 3))" in text and "(None, 4)" in text and "?" not in text


def test_summary_of_a_chain_with_several_outputs():
    lines = []
    inputs = keras.Input((5, 4))
    keras.Model(inputs, layers.LSTM(3, return_state=True, name="l")(inputs)).summary(print_fn=lines.append)
    assert "Connected to" not in lines[0] and "[(None, 3), (None, 3)," in lines[0]


def test_program_and_layers_agree():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(2)])
    data = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    with keras.GradientTape():
        eager = model(data).numpy()
    np.testing.assert_allclose(model(data).numpy(), eager, rtol=1e-6)
    model.layers[0].trainable = False
    np.testing.assert_allclose(model(data).numpy(), eager, rtol=1e-6)
    model.layers[0].kernel.assign(np.zeros((4, 3)))
    assert not np.allclose(model(data).numpy(), eager)


def test_a_range_up_to_an_unknown_size():
    class Positions(layers.Layer):
        def call(self, x):
            return x + ops.cast(ops.arange(0, ops.shape(x)[1], 1), x.dtype)

    inputs = keras.Input((None,))
    outputs = Positions()(inputs)
    assert outputs.shape == (None, None)
    assert keras.Model(inputs, outputs)(np.zeros((2, 3))).numpy().tolist() == [[0, 1, 2]] * 2
    assert keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + ops.arange(4.0))]).output_shape == (None, 4)


@pytest.mark.parametrize(
    "function, inputs, shape",
    [
        (
            lambda x: ops.image.pad_images(x, 1, 2, target_height=8, target_width=300),
            [(None, None, 3)],
            (None, 8, 300, 3),
        ),
        (lambda x: ops.repeat(x, [1, 2], axis=1), [(None, 3)], (None, 3, 3)),
        (lambda x, y: ops.tensordot(x[0], y[0], 1), [(4, None), (2, 3)], (4, 3)),
        (lambda x, q: ops.quantile(x, q[0], axis=-1), [(4, None), (2,)], (2, None, 4)),
        (lambda x, q: ops.nanpercentile(x, q[0], axis=1, keepdims=True), [(4, 5), (2,)], (2, None, 1, 5)),
    ],
)
def test_shapes_that_follow_beside_unknown_sizes(function, inputs, shape):
    inputs = [keras.Input(size) for size in inputs]
    model = keras.Model(inputs, function(*inputs))
    assert model.outputs[0].shape == shape
    rng = np.random.default_rng(3)
    values = [rng.random([size or 2 for size in x.shape], "float32") for x in inputs]
    expected = function(*(ops.convert_to_tensor(value) for value in values))
    np.testing.assert_allclose(model(values), expected, rtol=1e-6)


def test_a_beam_search_in_a_model():
    logits, lengths = keras.Input((None, 4)), keras.Input((), dtype="int32")
    model = keras.Model([logits, lengths], ops.ctc_decode(logits, lengths, "beam_search", top_paths=2))
    assert [(y.shape, y.dtype) for y in model.outputs] == [((2, None, None), "int32"), ((None, 2), "float32")]
    values = np.random.default_rng(3).random((2, 5, 4), "float32"), np.array([5, 3], "int32")
    expected = ops.ctc_decode(*values, "beam_search", top_paths=2)
    for y, value in zip(model(values), expected):
        np.testing.assert_allclose(y, value, rtol=1e-6)


def test_a_sequential_built_while_sizes_are_unknown_serves_every_size():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([layers.Dense(3), layers.Dense(2)])

        def call(self, x):
            return self.inner(x) * ops.cast(ops.arange(0, ops.shape(x)[1])[:, None], x.dtype)

    inputs = keras.Input((None, 4))
    outputs = Block()(inputs)
    assert outputs.shape == (None, None, 2)
    model = keras.Model(inputs, outputs)
    assert [model.predict(np.ones((2, n, 4)), verbose=0).shape for n in (3, 5)] == [(2, 3, 2), (2, 5, 2)]


def test_sequences_of_a_single_step():
    inner = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(5, 2)])
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, inner(inputs))
    assert model.predict(np.array([[1]]), verbose=0).shape == (1, 1, 2)


def test_masks_ride_on_keras_tensors():
    seen = []

    class Reader(layers.Layer):
        def call(self, x, mask=None):
            seen.append(mask)
            return x

        def compute_mask(self, inputs, mask=None):
            return mask

    inputs = keras.Input((None,), dtype="int32")
    x = Reader()(layers.Embedding(10, 4, mask_zero=True)(inputs))
    assert seen[0].shape == (None, None) and seen[0].dtype == "bool"
    assert x._keras_mask.shape == (None, None)
    model = keras.Model(inputs, [layers.GRU(3)(x), x._keras_mask])
    short, mask = model(np.array([[1, 2, 0]]))
    assert mask.numpy().tolist() == [[True, True, False]]
    np.testing.assert_allclose(short, model(np.array([[1, 2]]))[0], rtol=1e-6)
    assert not hasattr(layers.Dense(2)(keras.Input((3,))), "_keras_mask")


def nested_model():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="inner_dense")], name="inner")
    shared = layers.Dense(3, activation="relu", name="shared")
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    x = ops.maximum(shared(a) * 2.0, shared(b))
    return keras.Model({"a": a, "b": b}, [layers.Dense(2, name="head")(inner(x)), x], name="nested")


def test_clone_with_functions():
    model, seen = nested_model(), []

    def with_tanh(layer):
        seen.append(layer.name)
        return type(layer).from_config(
            {**layer.get_config(), **({"activation": "tanh"} if layer.name == "head" else {})}
        )

    clone = keras.models.clone_model(model, clone_function=with_tanh)
    assert seen == ["shared", "inner", "head"] and clone.name == "nested"
    assert clone.get_layer("head").activation is keras.activations.tanh
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    clone.set_weights(model.get_weights())
    data = {name: np.random.RandomState(0).rand(4, 3).astype("float32") for name in ("a", "b")}
    (y, x), (expected_y, expected_x) = clone(data), model(data)
    np.testing.assert_allclose(x, expected_x, rtol=1e-6)
    np.testing.assert_allclose(y, np.tanh(expected_y), rtol=1e-5)
    clone.get_config()


def test_clone_goes_into_inner_models():
    seen = []

    def noting(layer):
        seen.append(layer.name)
        return type(layer).from_config(layer.get_config())

    keras.models.clone_model(nested_model(), clone_function=noting, recursive=True)
    assert seen == ["shared", "inner_dense", "head"]


def test_clone_with_other_calls_keeps_the_layers():
    def with_dropout(layer, *args, **kwargs):
        y = layer(*args, **kwargs)
        return layers.Dropout(0.5)(y) if isinstance(layer, layers.Dense) else y

    model = nested_model()
    clone = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=with_dropout)
    assert [w is v for w, v in zip(clone.weights, model.weights)] == [True] * len(model.weights)
    assert sum(isinstance(layer, layers.Dropout) for layer in clone.layers) == 3


def test_clone_on_other_inputs():
    model = keras.Sequential([keras.Input((None, 4)), layers.Dense(2)])
    assert keras.models.clone_model(model, input_tensors=keras.Input((7, 4))).output_shape == (None, 7, 2)
    x = keras.Input((3,))
    clone = keras.models.clone_model(nested_model(), input_tensors=[x, layers.Dense(3)(x)])
    assert [t.shape for t in clone.outputs] == [(None, 2), (None, 3)]


def test_clone_keeps_inputs_optional():
    inputs = [keras.Input((2,), name="a"), keras.Input((2,), name="b", optional=True)]
    model = keras.Model(inputs, layers.Dense(1)(inputs[0]))
    clone = keras.models.clone_model(model, clone_function=lambda layer: layer)
    assert [spec.optional for spec in clone.input_spec] == [False, True]


class Subclassed(keras.Model):
    pass


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: keras.models.clone_model(nested_model(), [keras.Input((3,))]), r"should be 2 KerasTensor\(s\)"),
        (lambda: keras.models.clone_model(keras.Sequential(), call_function=print), "calls its layers itself"),
        (lambda: keras.models.clone_model(Subclassed(), recursive=True), "Received a Subclassed: give its class"),
    ],
)
def test_clone_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pictures_name_operations_and_their_shapes():
    pytest.importorskip("pydot")
    text = keras.utils.model_to_dot(nested_model(), show_shapes=True, show_layer_names=True).to_string()
    assert "<b>multiply</b> (Multiply)" in text and "?" not in text
    assert "Input shape: <b>[(None, 3), (None, 3)]</b>" in text


def test_a_call_in_inference_stays_so_in_training():
    base = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5)])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, base(inputs, training=False))
    data = np.ones((4, 3), "float32") + 2
    np.testing.assert_allclose(model(data, training=True), data / np.sqrt(1.001), rtol=1e-6)
    model.compile("sgd", "mse")
    model.fit(data, data, verbose=0)
    assert base.layers[0].moving_mean.numpy().tolist() == [0, 0, 0]


def test_inputs_by_keys_that_are_not_their_names():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"x": a, "y": b}, layers.Concatenate()([a, b]))
    data = {"y": np.ones((1, 3)), "x": np.zeros((1, 2))}
    for outputs in (model(data), model.predict(data, verbose=0)):
        np.testing.assert_array_equal(outputs, [[0, 0, 1, 1, 1]])
    assert model({"x": keras.Input((2,)), "y": keras.Input((3,))}).shape == (None, 5)
    with pytest.raises(ValueError, match='missing data for input "x"'):
        model({"a": np.zeros((1, 2)), "b": np.ones((1, 3))})


def test_inputs_in_nested_dicts():
    a, b, c = (keras.Input((size,)) for size in (1, 2, 3))
    model = keras.Model({"p": a, "q": {"r": b, "s": c}}, {"sum": layers.Concatenate()([a, b, c]), "q": [c, (b,)]})
    data = {"p": np.zeros((1, 1)), "q": {"r": np.ones((1, 2)), "s": np.full((1, 3), 2.0)}}
    again = keras.Model.from_config(model.get_config())
    for outputs in (model(data), model.predict(data, verbose=0), again(data)):
        np.testing.assert_array_equal(outputs["sum"], [[0, 1, 1, 2, 2, 2]])
        assert isinstance(outputs["q"], list) and isinstance(outputs["q"][1], tuple)


def test_inputs_in_other_structures():
    first, second = keras.Input((2,)), keras.Input((2,))
    x, y = np.ones((1, 2)), np.zeros((1, 2))
    model = keras.Model({"b": first, "a": second}, layers.Subtract()([first, second]))
    with pytest.raises(ValueError, match=r"keys \['b', 'a'\]. Received a list, which does not say which"):
        model([x, y])
    with pytest.warns(UserWarning, match=r"keys \['b', 'a'\]. Received: keys \['a', 'b', 'c'\]"):
        model({"a": y, "b": x, "c": x})
    model = keras.Model({"a": first, "b": second}, layers.Subtract()([first, second]))
    with pytest.warns(UserWarning, match="Received: list"):
        np.testing.assert_array_equal(model.predict([x, y], verbose=0), [[1, 1]])


def test_own_input_spec():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, layers.Dense(2)(inputs))
    model.input_spec = keras.InputSpec(shape=(None, 4, 3))
    assert model(np.zeros((2, 4, 3))).shape == (2, 4, 2)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 4, 3\)"):
        model(np.zeros((2, 5, 3)))


def test_sequential_begins_with_a_model():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    assert keras.Sequential([inner, layers.Dense(2)]).output_shape == (None, 2)
    with pytest.raises(ValueError, match="has no layers to build"):
        keras.Sequential()(np.ones((1, 2)))


def test_sequential_is_built_for_one_shape():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.build((7, 4))
    with pytest.raises(ValueError, match=r"is built for inputs of shape \(None, 4\). Received: \(None, 5\)"):
        model.build((None, 5))


def test_clones_are_compiled():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    assert not keras.models.clone_model(model).compiled
    model.compile("adam", "mae")
    clone = keras.models.clone_model(model)
    assert clone.compiled and clone.loss == "mae" and clone.optimizer is not model.optimizer


def test_only_models_can_be_cloned():
    with pytest.raises(ValueError, match="clone_model: expected a model. Got 3"):
        keras.models.clone_model(3)


def test_a_function_begins_at_any_keras_tensor():
    left, right = keras.KerasTensor((None, 3)), keras.KerasTensor((None, 3))
    function = keras.Function({"left": left, "right": right}, [left - right, ops.sum(left)])
    difference, total = function({"left": np.full((2, 3), 5.0), "right": np.full((2, 3), 3.0)})
    assert difference.numpy().tolist() == [[2.0] * 3] * 2 and float(total) == 30.0


def test_sizes_that_a_broadcast_does_not_know_stay_unknown():
    class WithToken(layers.Layer):
        def build(self, input_shape):
            self.token = self.add_weight(shape=(1, 1, input_shape[-1]))

        def call(self, x):
            token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
            return ops.concatenate([token, x], axis=1)

    x = keras.Input((4, 3))
    model = keras.Model(x, WithToken()(x))
    assert model.output_shape == (None, 5, 3)
    assert model.predict(np.ones((6, 4, 3)), verbose=0).shape == (6, 5, 3)
    line = keras.Input(())
    assert [grid.shape for grid in ops.meshgrid(line, line)] == [(None, None)] * 2
    order = ops.convert_to_tensor([[2, 1, 0]])
    assert ops.take_along_axis(keras.KerasTensor((None, 3)), order, axis=1).shape == (None, 3)
