"""Computing in 16 bits with variables in float32."""

import json
import pathlib

import numpy as np
import pytest
import tools_cases as cases

import dlcore as keras
from dlcore import layers, ops
from dlcore.dtype_policies import DTypePolicy, DTypePolicyMap, Int4DTypePolicy, QuantizedDTypePolicy

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "golden/keras_tools.json").read_text())
RNG = np.random.default_rng(0)
HALVES = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


@pytest.fixture(autouse=True)
def fresh_session():
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session()


def test_policies_equal_keras():
    assert json.loads(json.dumps(cases.policy_facts(keras))) == GOLDEN["policies"]


def test_global_policy():
    assert keras.config.dtype_policy() == DTypePolicy("float32") and layers.Dense(1).compute_dtype == "float32"
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    layer = layers.Dense(1)
    assert (layer.compute_dtype, layer.variable_dtype, layer.dtype_policy.name) == (
        "bfloat16",
        "float32",
        "mixed_bfloat16",
    )
    assert layers.Dense(1, dtype="float32").compute_dtype == "float32"
    keras.config.set_dtype_policy(DTypePolicy("float64"))
    assert layers.Dense(1).dtype == "float64"
    with pytest.raises(ValueError, match="Unknown dtype policy: 'mixed_float8'.*mixed_bfloat16"):
        keras.config.set_dtype_policy("mixed_float8")
    with pytest.raises(ValueError, match="name of a dtype policy"):
        keras.config.set_dtype_policy(16)


def test_policy_errors():
    for make, message in (
        (lambda: QuantizedDTypePolicy("int7"), "Unknown quantization mode 'int7'"),
        (lambda: QuantizedDTypePolicy("int8", "mixed_float16"), "wider range"),
        (lambda: Int4DTypePolicy("int4/0"), "block size > 0"),
        (lambda: DTypePolicyMap(DTypePolicyMap()), "can't be a DTypePolicyMap"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_policy_map():
    policies = DTypePolicyMap()
    policies["model/.*hidden"] = "mixed_bfloat16"
    policies["model/out"] = DTypePolicy("float64")
    assert policies["model/first_hidden"].name == "mixed_bfloat16" and policies["else"].name == "float32"
    assert len(policies) == 2 and "model/out" in policies and list(policies) == ["model/.*hidden", "model/out"]
    with pytest.raises(ValueError, match="has the policy"):
        policies["model/out"] = "float32"
    policies["model/.*en"] = "float32"
    with pytest.raises(ValueError, match="several policies"):
        policies["model/hidden"]
    del policies["model/.*en"]
    back = keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policies))
    assert back == policies and back["model/hidden"].name == "mixed_bfloat16"
    hidden = layers.Dense(2, dtype=policies, name="hidden")
    model = keras.Sequential([keras.Input((2,)), hidden, layers.Dense(1, dtype=policies, name="out")], name="model")
    assert hidden.compute_dtype == "bfloat16" and model.layers[1].compute_dtype == "float64"
    hidden.dtype_policy = "mixed_float16"
    assert hidden.compute_dtype == "float16" and policies["model/hidden"].name == "mixed_float16"


@pytest.mark.parametrize("policy", HALVES)
@pytest.mark.parametrize(
    "make, shape",
    [
        (lambda p: layers.Dense(3, dtype=p), (2, 4)),
        (lambda p: layers.Conv2D(3, 2, dtype=p), (2, 4, 4, 2)),
        (lambda p: layers.BatchNormalization(dtype=p), (3, 4)),
        (lambda p: layers.LayerNormalization(dtype=p), (3, 4)),
        (lambda p: layers.GroupNormalization(2, dtype=p), (3, 4)),
        (lambda p: layers.LSTM(3, dtype=p), (2, 4, 3)),
        (lambda p: layers.GRU(3, return_sequences=True, dtype=p), (2, 4, 3)),
        (lambda p: layers.Bidirectional(layers.SimpleRNN(3, dtype=p), dtype=p), (2, 4, 3)),
        (lambda p: layers.EinsumDense("abc,cd->abd", (None, 2), bias_axes="d", dtype=p), (2, 3, 4)),
    ],
)
def test_layers_compute_in_half_precision(policy, make, shape):
    layer = make(policy)
    x = RNG.normal(size=shape).astype("float32")
    with keras.GradientTape() as tape:
        y = layer(x, training=True) if isinstance(layer, layers.BatchNormalization) else layer(x)
        loss = ops.sum(ops.square(ops.cast(y, "float32")))
    assert y.dtype == HALVES[policy] and {v.dtype for v in layer.weights} == {"float32"}
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert {g.dtype for g in gradients} == {"float32"}
    exact = make("float32")
    exact.build(shape)
    exact.set_weights(layer.get_weights())
    with keras.GradientTape() as tape:
        expected = exact(x, training=True) if isinstance(layer, layers.BatchNormalization) else exact(x)
        loss = ops.sum(ops.square(expected))
    step = 2**-8 if policy == "mixed_bfloat16" else 2**-11
    np.testing.assert_allclose(
        y.numpy().astype("float32"), expected.numpy(), rtol=0, atol=8 * step * np.abs(expected.numpy()).max()
    )
    for got, wanted in zip(gradients, tape.gradient(loss, exact.trainable_variables)):
        np.testing.assert_allclose(
            got.numpy(), wanted.numpy(), rtol=0, atol=30 * step * (1 + np.abs(wanted.numpy()).max())
        )


def test_nested_layers_read_their_own_dtype():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.inner = layers.Dense(2, dtype="float32")

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="ones")
            self.exact = self.add_weight(shape=(), initializer="ones", autocast=False)

        def call(self, x):
            self.read = self.scale.value.dtype, self.exact.value.dtype, self.inner(x).dtype, self.scale.value.dtype
            return x * self.scale

    outer = Outer()
    assert outer(np.ones((2, 2), "float32")).dtype == "bfloat16"
    assert outer.read == ("bfloat16", "float32", "float32", "bfloat16") and outer.scale.value.dtype == "float32"


def digits(policy, loss_scale=True):
    """Losses of a small convolutional model on pictures of one of three bars."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    keras.mixed_precision.set_global_policy(policy)
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 256)
    x = rng.normal(size=(256, 9, 9, 1)).astype("float32")
    for i, label in enumerate(y):
        x[i, 3 * label : 3 * label + 3] += 0.7
    model = keras.Sequential(
        [
            keras.Input((9, 9, 1)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(12, activation="relu"),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], auto_scale_loss=loss_scale
    )
    history = model.fit(x, y, epochs=6, batch_size=32, verbose=0).history
    return model, history, x, y


def test_training_is_as_good_as_in_float32():
    exact, expected, x, y = digits("float32")
    for policy in HALVES:
        model, history, _, _ = digits(policy)
        np.testing.assert_allclose(history["loss"], expected["loss"], rtol=0.05, atol=0.01)
        assert history["accuracy"][-1] > 0.9 and {v.dtype for v in model.weights} == {"float32"}
        # The moving averages take in one per cent of each batch, which half precision would round away.
        for got, wanted in zip(model.layers[1].get_weights()[2:], exact.layers[1].get_weights()[2:]):
            np.testing.assert_allclose(got, wanted, rtol=0.02, atol=0.01)
        assert model.predict(x, verbose=0).dtype == np.float32
        assert model.evaluate(x, y, verbose=0)[1] > 0.9
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
    assert int(model.optimizer.iterations.numpy()) == 48
    assert not isinstance(digits("mixed_float16", loss_scale=False)[0].optimizer, keras.optimizers.LossScaleOptimizer)


def test_loss_scale_keeps_gradients_that_float16_would_lose():
    def gradient(scale):
        layer = layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="mixed_float16")
        with keras.GradientTape() as tape:
            loss = ops.sum(ops.cast(layer(np.full((1, 1), 1.0, "float32")), "float32")) * 1e-9 * scale
        return tape.gradient(loss, layer.kernel).numpy().item() / scale

    assert gradient(1.0) == 0 and gradient(2.0**15) == pytest.approx(1e-9, rel=0.01)


def test_eager_and_traced_steps_agree():
    model, _, x, y = digits("mixed_bfloat16")
    traced = model.predict(x[:8], verbose=0)
    np.testing.assert_allclose(model(x[:8]).numpy(), traced, rtol=1e-6)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x[:8], y[:8]))
    np.testing.assert_allclose(model.predict(x[:2], verbose=0).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("policy", HALVES)
def test_saved_models_keep_their_policies(policy, tmp_path):
    model, _, x, y = digits(policy)
    model.save(tmp_path / "model.keras")
    keras.utils.clear_session()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.compute_dtype for layer in loaded.layers] == [layer.compute_dtype for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert type(loaded.optimizer) is type(model.optimizer)
    assert np.isfinite(loaded.fit(x, y, verbose=0).history["loss"][0])


def test_half_precision_throughout():
    keras.config.set_dtype_policy("bfloat16")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x = RNG.normal(size=(128, 4)).astype("float32")
    history = model.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
    assert {v.dtype for v in model.weights} == {"bfloat16"} and history[-1] < history[0] / 3
    assert model.predict(x, verbose=0).dtype.name == "bfloat16"


def test_attention_and_embedding():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(10, 8)(tokens)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    outputs = layers.Dense(1, dtype="float32")(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x)))
    model = keras.Model(tokens, outputs)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    data = RNG.integers(0, 10, (256, 6))
    history = model.fit(data, (data == 3).sum(axis=1), epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.4 * history[0] and {v.dtype for v in model.weights} == {"float32"}


def test_variables_tell_the_dtype_in_which_they_are_read():
    class Scaled(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.counter = self.add_weight(name="counter", initializer="zeros", autocast=False)

        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", initializer="ones")
            assert self.scale.dtype == "float32"

        def call(self, x):
            assert (self.scale.dtype, self.counter.dtype) == ("bfloat16", "float32")
            self.counter.assign_add(1.0 + 2**-12)
            return ops.cast(x, self.scale.dtype) * self.scale

    outer = keras.Sequential([Scaled(dtype="mixed_bfloat16")])
    assert outer(np.ones((2, 2))).dtype == "bfloat16"
    assert outer.layers[0].scale.dtype == "float32" and float(outer.layers[0].counter) == 1 + 2**-12


@pytest.mark.parametrize("dtype, passed", [("mixed_bfloat16", str), ("int8_from_float32", QuantizedDTypePolicy)])
def test_constructors_are_given_policies_not_their_configurations(dtype, passed):
    class Noting(layers.Dense):
        def __init__(self, units, dtype=None, **kwargs):
            assert isinstance(dtype, passed)
            super().__init__(units, dtype=dtype, **kwargs)

    layer = layers.Dense(3, dtype=dtype)
    assert Noting.from_config(layer.get_config()).dtype_policy == layer.dtype_policy


def test_integers_that_half_precision_does_not_have():
    layer = layers.Embedding(3000, 1, dtype="mixed_bfloat16", weights=(np.arange(3000.0) % 256)[:, None])
    y = layer(np.array([2049.0], "float32"))
    assert y.dtype == "bfloat16" and float(y[0, 0]) == 1


@pytest.mark.parametrize("make", [layers.LayerNormalization, lambda **k: layers.GroupNormalization(2, **k)])
def test_normalization_of_more_than_half_precision_has(make):
    y = make(dtype="mixed_float16")(np.array([[7e4, 9e4, 7e4, 9e4]], "float32"))
    assert y.dtype == "float16"
    np.testing.assert_allclose(y.numpy(), [[-1, 1, -1, 1]], atol=1e-3)


@pytest.mark.parametrize("policy", HALVES)
def test_ids_keep_their_digits(policy):
    """Halves hold whole numbers to 256 and 2,048: a model's inputs are cast to them by the layers that compute so."""
    ids = np.array([[255, 257, 2047, 2049, 69_999]])
    embedding = keras.layers.Embedding(70_000, 3, dtype=policy)
    model = keras.Sequential([embedding])
    rows = np.array(embedding(ids)).astype("float32")
    np.testing.assert_array_equal(np.array(model(ids)).astype("float32"), rows)
    np.testing.assert_array_equal(model.predict(ids, verbose=0).astype("float32"), rows)
    dense = keras.Sequential([keras.layers.Dense(2, dtype=policy)])
    assert dense(np.ones((1, 3), "float32")).dtype == HALVES[policy]
    assert dense.inputs[0].dtype == "float32"
