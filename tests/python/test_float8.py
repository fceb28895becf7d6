"""Training in 8-bit floats: the rounding, the scales, layers in it, and Keras's files of such models."""

import pathlib
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
import quantization_cases as cases

import dlcore as keras
from dlcore import _core, layers, ops, quantizers
from dlcore.dtype_policies import QuantizedFloat8DTypePolicy

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
TYPES = {"float8_e4m3fn": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2}
STATE = [f"{part}_{what}" for part in ("inputs", "kernel", "outputs_grad") for what in ("scale", "amax_history")]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_quantization.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", [name for name in cases.CASES if name.startswith("float8")])
def test_numbers_are_those_of_keras(name, golden):
    results = cases.CASES[name](keras)
    expected = [golden[f"{name}/{i}"] for i in range(sum(key.startswith(f"{name}/") for key in golden))]
    assert len(results) == len(expected)
    for got, wanted in zip(map(np.asarray, results), expected):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5 * max(1, np.nanmax(np.abs(wanted), initial=0)))


def rounded(x, dtype, compute="float32"):
    x = np.asarray(x, "float32")
    return ops.convert_to_numpy(quantizers.quantize_and_dequantize(x, 1.0, dtype, compute)).astype("float32")


def nearest(x, dtype):
    """By ml_dtypes, which does not saturate."""
    largest = float(ml_dtypes.finfo(TYPES[dtype]).max)
    return np.clip(np.asarray(x, "float32"), -largest, largest).astype(TYPES[dtype]).astype("float32")


def bits(x):
    return np.where(np.isnan(x), np.float32(np.nan), x).view("int32")


@pytest.mark.parametrize("dtype", TYPES)
@np.errstate(invalid="ignore")  # NumPy warns when it converts a NaN
def test_rounding_is_exact(dtype):
    values = np.arange(256, dtype="uint8").view(TYPES[dtype]).astype("float32")
    finite = np.unique(values[np.isfinite(values)])
    between = (finite[1:] + finite[:-1]) / 2
    near = [np.nextafter(between, np.float32(end)) for end in (-np.inf, np.inf)]
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 2**32, 200_000, dtype="uint32").view("float32")
    samples = np.concatenate(
        [samples, rng.normal(size=50_000).astype("float32") * 2.0 ** rng.integers(-12, 10, 50_000)]
    )
    assert np.isnan(values).any() and np.isnan(samples).any()
    for x in (values, between, *near, samples, np.float32([np.inf, -np.inf, np.nan, 0.0, -0.0])):
        np.testing.assert_array_equal(bits(rounded(x, dtype)), bits(nearest(x, dtype)))
    np.testing.assert_array_equal(rounded(finite, dtype), finite)


@pytest.mark.parametrize("compute", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("dtype", TYPES)
def test_division_and_product_are_of_the_compute_dtype(dtype, compute):
    as_numpy = ml_dtypes.bfloat16 if compute == "bfloat16" else np.dtype(compute)
    x, scale = np.random.default_rng(1).normal(size=500).astype(as_numpy) * 100, np.float32(0.3).astype(as_numpy)
    result = quantizers.quantize_and_dequantize(x, np.float32(0.3), dtype, compute)
    assert result.dtype == compute
    expected = (nearest(x / scale, dtype).astype(as_numpy) * scale).astype("float64")
    np.testing.assert_array_equal(ops.convert_to_numpy(result).astype("float64"), expected)


def test_rounding_passes_gradients_and_names_its_types():
    x = ops.array([0.3, -500.0, 7.7])
    with keras.GradientTape() as tape:
        tape.watch(x)
        loss = ops.sum(
            quantizers.quantize_and_dequantize(x, 1.0, "float8_e4m3fn", "float32") * ops.array([1.0, 2.0, 3.0])
        )
    np.testing.assert_array_equal(tape.gradient(loss, x), [1, 2, 3])
    with pytest.raises(ValueError, match="one of float8_e4m3fn, float8_e5m2. Got 'int8'"):
        quantizers.quantize_and_dequantize(x, 1.0, "int8", "float32")


def test_policies():
    policy = keras.dtype_policies.get("float8_from_mixed_bfloat16")
    assert type(policy) is QuantizedFloat8DTypePolicy and policy.amax_history_length == 1024
    assert (policy.compute_dtype, policy.variable_dtype) == ("bfloat16", "float32")
    short = QuantizedFloat8DTypePolicy("float8", "mixed_bfloat16", 16)
    assert short != policy and short.name == policy.name
    assert keras.dtype_policies.deserialize(keras.dtype_policies.serialize(short)) == short
    with pytest.raises(TypeError, match="amax_history_length must be an int > 0. Got '8'"):
        QuantizedFloat8DTypePolicy("float8", amax_history_length="8")
    with pytest.raises(ValueError, match="amax_history_length must be an int > 0. Got 0"):
        QuantizedFloat8DTypePolicy("float8", amax_history_length=0)


def test_layer_made_in_float8():
    layer = layers.Dense(3, dtype=QuantizedFloat8DTypePolicy("float8", "mixed_bfloat16", 16))
    assert layer(np.ones((2, 4), "float32")).dtype == "bfloat16"
    assert [v.name for v in layer.weights] == ["kernel", "bias", *STATE]
    assert layer.variable_serialization_spec["float8"] == ["kernel", "bias", *STATE]
    assert [v.shape for v in layer.weights[2:]] == [(), (16,)] * 3 and len(layer.trainable_weights) == 8
    assert {v.dtype for v in layer.weights} == {"float32"}
    layer.trainable = False
    assert layer.trainable_weights == []


def test_products_are_of_rounded_factors():
    layer = layers.Dense(3)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    layer(x)
    layer.quantize(config=quantizers.Float8QuantizationConfig())
    with keras.GradientTape(persistent=True) as tape:
        x = ops.convert_to_tensor(x)
        tape.watch(x)
        y = layer(x)
        loss = ops.sum(y * ops.reshape(ops.arange(15, dtype="float32") / 7, (5, 3)))
    kernel = nearest(layer.kernel, "float8_e4m3fn")
    np.testing.assert_allclose(y, nearest(x, "float8_e4m3fn") @ kernel, rtol=1e-6, atol=1e-6)
    dy = nearest(np.arange(15, dtype="float32").reshape(5, 3) / 7, "float8_e5m2")
    np.testing.assert_allclose(tape.gradient(loss, x), dy @ kernel.T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        tape.gradient(loss, layer.kernel), nearest(x, "float8_e4m3fn").T @ dy, rtol=1e-6, atol=1e-6
    )
    # Only training changes what the forward pass rounds with.
    assert tape.gradient(loss, layer.inputs_scale) is None
    np.testing.assert_allclose(tape.gradient(loss, layer.outputs_grad_amax_history)[0], 2.0, rtol=1e-6)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_layer_called_twice_in_a_step(run_eagerly):
    layer, inputs = layers.Dense(6, use_bias=False), keras.Input((6,))
    model = keras.Model(inputs, layer(layer(inputs) * 3.0) + layer(inputs * 0.1))
    model.quantize("float8")
    model.compile("sgd", "mse", run_eagerly=run_eagerly)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    first = nearest(x, "float8_e4m3fn") @ nearest(layer.kernel, "float8_e4m3fn") * 3
    largest, kernel = max(np.abs(first).max(), np.abs(x).max()), np.abs(layer.kernel.numpy()).max()
    model.train_on_batch(x, x)
    assert layer.inputs_scale.numpy() == layer.kernel_scale.numpy() == layer.outputs_grad_scale.numpy() == 1
    np.testing.assert_allclose(layer.inputs_amax_history[0], largest, rtol=1e-5)
    np.testing.assert_allclose(layer.kernel_amax_history[0], kernel, rtol=1e-6)
    model.train_on_batch(x, x)
    np.testing.assert_allclose(layer.inputs_scale, largest / 448, rtol=1e-5)
    np.testing.assert_allclose(layer.inputs_amax_history[-1], largest, rtol=1e-5)


def test_a_persistent_tape_gives_the_same_twice():
    layer, x = layers.Dense(3), ops.convert_to_tensor(np.ones((2, 4), "float32"))
    layer(x)
    layer.quantize("float8")
    with keras.GradientTape(persistent=True) as tape:
        loss = ops.sum(layer(x, training=True) + layer(x * 2.0, training=True))
    first, second = (tape.gradient(loss, layer.trainable_variables) for _ in range(2))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    assert first[STATE.index("inputs_amax_history") + 2][0] == 2


def transformer(policy=None):
    keras.utils.set_random_seed(4)
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 16)(tokens)
    y = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.LayerNormalization()(x + y)
    x = layers.LayerNormalization()(x + layers.Dense(16)(layers.Dense(32, activation="relu")(x)))
    return keras.Model(tokens, layers.Dense(20, dtype=policy)(x))


TOKENS = np.random.default_rng(3).integers(0, 20, (256, 6))


def fitted(model, optimizer="adam", **options):
    model.compile(keras.optimizers.get(optimizer), keras.losses.SparseCategoricalCrossentropy(True), **options)
    model.optimizer.learning_rate = 0.01
    return model.fit(TOKENS, np.cumsum(TOKENS, 1) % 20, epochs=5, verbose=0).history["loss"]


def test_transformer(tmp_path, capsys):
    expected, model = fitted(transformer()), transformer()
    with pytest.warns(UserWarning, match="Embedding .* can't be quantized to float8, only to int8, int4"):
        model.quantize("float8")
    losses = fitted(model)
    np.testing.assert_allclose(losses, expected, rtol=0.03)
    assert losses != expected and len(model._programs["train"]._programs) == 1
    query = model.get_layer("attention")._query_dense
    assert query.quantization_mode == "float8" and query.inputs_scale.numpy() != 1
    assert np.count_nonzero(query.outputs_grad_amax_history) == 5 * 8
    model.summary()
    assert "Trainable params" in capsys.readouterr().out
    predictions = model.predict(TOKENS, verbose=0)
    model.export(tmp_path / "model.dlcore")
    native = _core.NativeModel.load(str(tmp_path / "model.dlcore")).run(
        "predict", [_core.tensor(TOKENS.astype("int32"))]
    )
    np.testing.assert_allclose(native[0].numpy(), predictions, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(TOKENS, verbose=0), predictions)
    assert loaded.get_layer("attention")._query_dense.dtype_policy == query.dtype_policy
    targets = TOKENS[:, ::-1]
    assert loaded.train_on_batch(TOKENS, targets) == model.train_on_batch(TOKENS, targets)
    np.testing.assert_array_equal(loaded.predict(TOKENS, verbose=0), model.predict(TOKENS, verbose=0))
    other = transformer()
    with pytest.warns(UserWarning, match="Embedding"):
        other.quantize("float8")
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.predict(TOKENS, verbose=0), model.predict(TOKENS, verbose=0))


OPTIMIZERS = {
    name: getattr(keras.optimizers, name)
    for name in "SGD RMSprop Adam Adadelta Adagrad Adamax Adafactor Nadam Ftrl Lion Lamb Muon ScheduleFreeAdamW".split()
}
OPTIMIZERS["MultiOptimizer"] = lambda **options: keras.optimizers.MultiOptimizer(
    keras.optimizers.OptimizerMap(keras.optimizers.Adam(**options))
)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_overwrite(name):
    """They keep no state for scales and histories, and never decay, clip or average them."""
    model = cases.float8_layers(keras)
    optimizer = OPTIMIZERS[name](weight_decay=0.1, use_ema=True, ema_overwrite_frequency=1, clipvalue=1e-3)
    layer = model.layers[1]
    kernel, scale = layer.kernel.numpy(), np.max(layer.inputs_amax_history.numpy()) / 448
    model.compile(optimizer, "mse")
    model.train_on_batch(cases.SEQUENCES, cases.TARGETS)
    assert not np.array_equal(layer.kernel.numpy(), kernel)
    assert layer.inputs_scale.numpy() == pytest.approx(scale)
    assert layer.inputs_amax_history.numpy()[0] == np.abs(cases.SEQUENCES).max()
    assert all(v.shape != (1024,) for v in optimizer.variables)


def test_own_variables_overwritten_with_gradients():
    class Counted(layers.Layer):
        def build(self, input_shape):
            self.total = self.add_weight((), "zeros", overwrite_with_gradient=True)
            self.scale = self.add_weight((), "ones")

        def call(self, x):
            @ops.custom_gradient
            def counted(x, total):
                return x, lambda upstream: (upstream, total + 1)

            return counted(x * self.scale, ops.convert_to_tensor(self.total))

    model = keras.Sequential([keras.Input((2,)), Counted()])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(np.ones((12, 2)), np.zeros((12, 2)), batch_size=4, verbose=0)
    assert model.layers[0].total.numpy() == 3


def test_keras_model_predicts_and_goes_on_training(golden, tmp_path):
    model = keras.models.load_model(GOLDEN / "float8.keras")
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(model.predict(cases.SEQUENCES, verbose=0), golden["transformer/0"], **close)
    with zipfile.ZipFile(GOLDEN / "float8.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    other = cases.transformer(keras)
    with pytest.warns(UserWarning, match="the optimizer starts afresh"):
        other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(other.predict(cases.SEQUENCES, verbose=0), golden["transformer/0"], **close)
    model.train_on_batch(cases.SEQUENCES, cases.TARGETS)
    np.testing.assert_allclose(model.predict(cases.SEQUENCES, verbose=0), golden["transformer/1"], **close)


def stored(path):
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as content, h5py.File(content) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return found


def test_our_file_is_laid_out_as_that_of_keras(tmp_path):
    model = keras.models.load_model(GOLDEN / "float8.keras")
    model.save(tmp_path / "model.keras")
    ours, theirs = stored(tmp_path / "model.keras"), stored(GOLDEN / "float8.keras")
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)


def test_lora_is_merged_before():
    layer = layers.Dense(3, lora_rank=2)
    x = np.ones((2, 4), "float32")
    layer(x)
    layer.quantize("float8")
    assert not layer.lora_enabled and len(layer.trainable_weights) == 8
