"""Low-rank adapters: the layers that have them, training, files, and quantization afterwards."""

import pathlib

import numpy as np
import pytest
import quantization_cases as cases

import dlcore as keras
from dlcore import layers, ops

X = np.random.default_rng(0).random((16, 6), dtype="float32")
Y = X.sum(axis=1, keepdims=True)

# layer, shape it is built for, shapes of the two matrices
LAYERS = [
    (lambda **o: layers.Dense(5, **o), (None, 6), (6, 2), (2, 5)),
    (
        lambda **o: layers.EinsumDense("abc,cde->abde", (None, 3, 4), bias_axes="de", **o),
        (None, 2, 6),
        (6, 3, 2),
        (2, 4),
    ),
    (lambda **o: layers.Embedding(7, 5, **o), None, (7, 2), (2, 5)),
    (lambda **o: layers.ReversibleEmbedding(7, 5, **o), None, (7, 2), (2, 5)),
    (lambda **o: layers.Conv1D(5, 3, **o), (None, 8, 6), (3, 6, 2), (2, 5)),
    (lambda **o: layers.Conv2D(4, 3, groups=2, **o), (None, 8, 8, 6), (3, 3, 3, 2), (2, 4)),
    (lambda **o: layers.Conv3D(4, 2, **o), (None, 4, 4, 4, 3), (2, 2, 2, 3, 2), (2, 4)),
]


def built(make, shape, **options):
    layer = make(**options)
    layer.build(shape)
    return layer


def example(layer, shape):
    if layer.adapted_weight == "embeddings":
        return np.array([[1, 4]])
    return np.random.default_rng(1).random((2, *shape[1:]), dtype="float32")


def fill(layer):
    """Matrices that change something."""
    rng = np.random.default_rng(2)
    for part in "ab":
        variable = getattr(layer, f"lora_{layer.adapted_weight}_{part}")
        variable.assign(rng.normal(size=variable.shape))


@pytest.mark.parametrize("make, shape, shape_of_a, shape_of_b", LAYERS)
def test_layers(make, shape, shape_of_a, shape_of_b):
    layer = built(make, shape)
    x, name = example(layer, shape), layer.adapted_weight
    before, names = layer(x).numpy(), [v.name for v in layer.weights]
    layer.enable_lora(2, lora_alpha=6)
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-6)
    assert [v.name for v in layer.weights] == [*names, f"lora_{name}_a", f"lora_{name}_b"]
    assert [v.name for v in layer.non_trainable_weights] == [name]
    a, b = layer.weights[-2:]
    assert (a.shape, b.shape) == (shape_of_a, shape_of_b)
    fill(layer)
    weight = layer.weights[0].numpy() + 6 / 2 * a.numpy() @ b.numpy()
    np.testing.assert_allclose(getattr(layer, name), weight, rtol=1e-5, atol=1e-6)
    plain = built(make, shape)
    plain.set_weights([weight, *(v.numpy() for v in layer.weights[1:-2])])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-4, atol=1e-5)
    stored = {}
    layer.save_own_variables(stored)
    plain.load_own_variables({key: np.asarray(value) for key, value in stored.items()})
    again = type(layer).from_config(layer.get_config())
    again.build(shape)
    assert (again.lora_rank, again.lora_alpha, again.lora_enabled) == (2, 6, True)
    again.load_own_variables({key: np.asarray(value) for key, value in stored.items()})
    for other in (plain, again):
        np.testing.assert_allclose(layer(x), other(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", [None, "int8"])
@pytest.mark.parametrize("equation, size, shape", [("abc,dc->abd", 5, (3, 4)), ("ab...,bc->ac...", 5, (4, 3))])
def test_adapters_whose_product_has_other_axes_last(equation, size, shape, mode):
    size = (None, size) if equation.endswith("d") else (size, None)
    layer = layers.EinsumDense(equation, size)
    layer.build((None, *shape))
    if mode:
        layer.quantize(mode)
    x = np.random.default_rng(1).random((2, *shape), dtype="float32")
    before = layer(x).numpy()
    layer.enable_lora(2, lora_alpha=6)
    fill(layer)
    expected = before + np.einsum(equation, x, 3 * layer.lora_kernel_a.numpy() @ layer.lora_kernel_b.numpy())
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", [None, "int8"])
def test_adapters_both_ways(mode):
    layer = built(lambda: layers.ReversibleEmbedding(7, 5), None)
    if mode:
        layer.quantize(mode)
    x = np.random.default_rng(1).random((2, 5), dtype="float32")
    before = layer(x, reverse=True).numpy()
    layer.enable_lora(2, lora_alpha=6)
    fill(layer)
    added = 3 * layer.lora_embeddings_a.numpy() @ layer.lora_embeddings_b.numpy()
    np.testing.assert_allclose(layer(x, reverse=True), before + x @ added.T, rtol=1e-4, atol=1e-5)


def fine_tuned():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].enable_lora(2)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    frozen = model.layers[0].weights[0].numpy()
    losses = model.fit(X, Y, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_array_equal(model.layers[0].weights[0].numpy(), frozen)
    assert np.abs(model.layers[0].lora_kernel_b.numpy()).max() > 0
    return model


def test_fine_tuning_and_files(tmp_path):
    model = fine_tuned()
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].lora_rank == 2
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-5)
    # A model without adapters reads the weights, too: they are the sums.
    model.save_weights(tmp_path / "model.weights.h5")
    plain = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    plain.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(plain.predict(X, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_adapters_stay_beside_integers(mode):
    model = fine_tuned()
    expected = model.predict(X, verbose=0)
    layer = model.layers[0]
    adapters = [v.numpy() for v in (layer.lora_kernel_a, layer.lora_kernel_b)]
    layer.quantize(mode)
    assert layer.lora_enabled and layer.kernel.dtype == "int8"
    assert {v.name for v in layer.trainable_weights} == {"bias", "lora_kernel_a", "lora_kernel_b"}
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=0.05 if mode == "int8" else 0.3)
    for before, now in zip(adapters, (layer.lora_kernel_a, layer.lora_kernel_b)):
        np.testing.assert_array_equal(before, now)
    model.compile("sgd", "mse")
    model.fit(X, np.zeros_like(expected), verbose=0)
    assert not np.array_equal(adapters[1], layer.lora_kernel_b)


def test_float8_takes_adapters_in():
    model = fine_tuned()
    expected = model.predict(X, verbose=0)
    model.layers[0].quantize("float8")
    assert not model.layers[0].lora_enabled
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=0.3)


def integer_model(mode, rank=None):
    """With a rank: with adapters, which change something."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((4,), dtype="int32")
    x = layers.Embedding(9, 6)(tokens)
    x = layers.EinsumDense("abc,cde->abde", (None, 3, 4), bias_axes="de")(x)
    x = layers.Dense(5)(layers.Reshape((4, 12))(x))
    model = keras.Model(tokens, layers.Dense(1)(x))
    model.quantize(mode)
    if rank is not None:
        for layer in with_adapters(model, rank):
            fill(layer)
    return model


def with_adapters(model, rank):
    adapted = [layer for layer in model.layers if hasattr(layer, "enable_lora")]
    for layer in adapted:
        layer.enable_lora(rank)
    return adapted


TOKENS = np.random.default_rng(3).integers(0, 9, (16, 4))


@pytest.mark.parametrize("name", [name for name in cases.CASES if name.startswith("lora")])
def test_adapters_of_integers_are_those_of_keras(name):
    with np.load(pathlib.Path(__file__).parents[1] / "golden" / "keras_quantization.npz") as golden:
        expected = [golden[f"{name}/{i}"] for i in range(sum(key.startswith(f"{name}/") for key in golden))]
    results = cases.CASES[name](keras)
    assert len(results) == len(expected)
    for got, wanted in zip(results, expected):
        assert np.asarray(got).dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_integers_stay_and_adapters_learn(mode):
    model = integer_model(mode)
    expected, params = model.predict(TOKENS, verbose=0), model.count_params()
    adapted = with_adapters(model, 2)
    np.testing.assert_array_equal(model.predict(TOKENS, verbose=0), expected)
    frozen = [v.numpy() for v in model.non_trainable_weights]
    names = [v.name for v in model.trainable_weights]
    assert sum("lora" in name for name in names) == 8 and set(names) <= {
        "bias",
        *(f"lora_{weight}_{part}" for weight in ("kernel", "embeddings") for part in "ab"),
    }
    lines = []
    model.summary(print_fn=lines.append)
    text = "".join(lines)
    added = 2 * (9 + 6) + 2 * (6 * 3 + 4) + 2 * (12 + 5) + 2 * (5 + 1)
    assert f"Total params: {params + added} " in text and f"Trainable params: {12 + 5 + 1 + added} " in text
    assert all(layer.non_trainable_weights[0].dtype == "int8" for layer in adapted)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    targets = np.sin(TOKENS)[..., None]
    losses = model.fit(TOKENS, targets, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    for variable, before in zip(model.non_trainable_weights, frozen):
        np.testing.assert_array_equal(variable, before)
    assert all(np.abs(v.numpy()).max() > 0 for v in model.trainable_weights)


@pytest.mark.parametrize("mode, error", [("int8", 0.02), ("int4", 0.2)])
def test_files_of_adapted_integers(mode, error, tmp_path):
    model = integer_model(mode, rank=2)
    expected = model.predict(TOKENS, verbose=0)
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    dense = loaded.layers[-1]
    assert (dense.lora_rank, dense.lora_enabled, dense.quantization_mode) == (2, True, mode)
    got = loaded.predict(TOKENS, verbose=0)
    assert np.abs(got - expected).max() < error * np.abs(expected).max()
    model.save_weights(tmp_path / "model.weights.h5")  # hold the sums
    plain = integer_model(mode)
    plain.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(plain.predict(TOKENS, verbose=0), got)
    before = dense.lora_kernel_b.numpy()
    loaded.fit(TOKENS, np.sin(TOKENS)[..., None], verbose=0)
    assert (dense.lora_kernel_b.numpy() != before).any()
    again = integer_model(mode, rank=2)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again.predict(TOKENS, verbose=0), got)


def attention(mode=None):
    """A model with adapters inside its attention, which change something."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4, 6))
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    for part in ("query_dense", "output_dense"):
        inner = getattr(model.get_layer("attention"), part)
        if mode is not None:
            inner.quantize(mode)
        inner.enable_lora(2, lora_alpha=6)
        fill(inner)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


SEQUENCES = np.random.default_rng(4).normal(size=(8, 4, 6)).astype("float32")


@pytest.mark.parametrize("mode", [None, "int8"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_adapters_inside_other_layers_stay_in_files(name, mode, tmp_path):
    model, y = attention(mode), np.sin(SEQUENCES[..., :1])
    model.fit(SEQUENCES, y, verbose=0)
    expected, names = model.predict(SEQUENCES, verbose=0), [v.path for v in model.trainable_weights]
    model.save(tmp_path / name)
    loaded = keras.models.load_model(tmp_path / name)
    assert [v.path for v in loaded.trainable_weights] == names
    inner = loaded.get_layer("attention").output_dense
    assert (inner.lora_rank, inner.lora_alpha, inner.quantization_mode) == (2, 6, mode)
    tolerance = 0.02 if mode and name.endswith(".keras") else 1e-5
    assert np.abs(loaded.predict(SEQUENCES, verbose=0) - expected).max() < tolerance * np.abs(expected).max()
    assert loaded.optimizer.iterations == 1
    frozen = [v.numpy() for v in loaded.non_trainable_weights]
    loaded.fit(SEQUENCES, y, verbose=0)
    for variable, before in zip(loaded.non_trainable_weights, frozen):
        np.testing.assert_array_equal(variable, before)


@pytest.mark.parametrize("mode", [None, "int8"])
def test_clones_have_adapters_inside_other_layers(mode):
    model = attention(mode)
    clone = keras.models.clone_model(model)
    assert [v.shape for v in clone.trainable_weights] == [v.shape for v in model.trainable_weights]
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(SEQUENCES, verbose=0), model.predict(SEQUENCES, verbose=0))


@pytest.mark.parametrize("tie_weights", [True, False])
def test_adapted_integers_in_reverse(tie_weights):
    made = [layers.ReversibleEmbedding(7, 5, tie_weights=tie_weights) for _ in range(2)]
    vectors = np.random.default_rng(1).normal(size=(2, 3, 5)).astype("float32")
    for layer in made:
        layer.build()
    made[1].set_weights(made[0].get_weights())
    made[0].quantize("int8")
    for layer in made:
        layer.enable_lora(2)
        fill(layer)
    integers, floats = (layer(vectors, reverse=True).numpy() for layer in made)
    assert 0 < np.abs(integers - floats).max() < 0.01 * np.abs(floats).max()


def test_layers_made_of_integers_with_adapters():
    layer = built(LAYERS[0][0], (None, 6), lora_rank=2, dtype="int8_from_mixed_bfloat16")
    assert [v.name for v in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert layer.weights[3].dtype == "int8" and layer(X).dtype == "bfloat16"
    layer = built(LAYERS[4][0], (None, 8, 6), lora_rank=2, dtype="int8_from_float32")
    assert not layer.lora_enabled  # convolutions have no integers


def test_gradients_and_mixed_precision():
    layer = layers.Dense(3, dtype="mixed_bfloat16", lora_rank=2)
    layer(X)
    fill(layer)
    assert layer(X).dtype == "bfloat16" and layer.lora_kernel_a.dtype == "float32"
    with keras.GradientTape() as tape:
        loss = ops.sum(layer(X))
    assert all(g is not None for g in tape.gradient(loss, layer.trainable_weights))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: layers.Dense(3, name="d").enable_lora(2), 'Dense "d": no low-rank adapters .* must be built first'),
        (lambda: built(LAYERS[0][0], (None, 6), lora_rank=2).enable_lora(2), "has them already"),
        (lambda: built(LAYERS[0][0], (None, 6), kernel_constraint="non_neg").enable_lora(2), "has a kernel_constraint"),
        (
            lambda: built(LAYERS[0][0], (None, 6), dtype="float8_from_float32").enable_lora(2),
            "is quantized to float8",
        ),
        (lambda: layers.Conv2D(3, 3, lora_rank=0), "Conv2D: lora_rank must be an int > 0. Got lora_rank=0"),
        (lambda: layers.Dense(3, lora_rank=2, lora_alpha="x"), "Dense: lora_alpha must be a number. Got"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_missing_attribute_is_an_error():
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'kernel'"):
        layers.Dense(3).kernel  # noqa: B018
