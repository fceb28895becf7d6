"""Weights as groups of integers that fit the inputs of layers: the numbers, the data, models and files."""

import pathlib

import numpy as np
import pytest
import quantization_cases as cases

import dlcore as keras
from dlcore import _core, layers, ops, quantizers
from dlcore.dtype_policies import AWQDTypePolicy, GPTQDTypePolicy
from dlcore.quantizers import awq, calibration, gptq

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
RNG = np.random.default_rng(0)
CONFIGS = {"gptq": quantizers.GPTQConfig, "awq": quantizers.AWQConfig}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_quantization.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", [name for name in cases.CASES if name.startswith(tuple(CONFIGS))])
def test_numbers_are_those_of_keras(name, golden):
    results = cases.CASES[name](keras)
    expected = [golden[f"{name}/{i}"] for i in range(sum(key.startswith(f"{name}/") for key in golden))]
    assert len(results) == len(expected)
    for got, wanted in zip(map(np.asarray, results), expected):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


# ---- the algorithms


def correlated_inputs(rows, size):
    return RNG.normal(size=(rows, size)) @ (np.eye(size) + 0.4 * RNG.normal(size=(size, size)))


def column_by_column(weights, hessian, bits):
    """Optimal Brain Quantization of all rows in one order, as the paper begins: H^-1 without what is fixed already."""
    left, values = weights.astype("float64"), np.zeros(weights.shape)
    scale, zero = gptq.group_parameters(weights, bits)
    for j in range(weights.shape[1]):
        inverse = np.linalg.inv(hessian[j:, j:])
        values[:, j] = gptq.nearest(left[:, j], scale, zero, bits)
        error = (left[:, j] - (values[:, j] - zero) * scale) / inverse[0, 0]
        left[:, j:] -= np.outer(error, inverse[0])
    return values


@pytest.mark.parametrize("size", [30, 150])  # of one block of columns, and of two
def test_each_column_makes_up_for_those_before(size):
    weights, inputs = RNG.normal(size=(6, size)).astype("float32"), correlated_inputs(400, size)
    seen = gptq.MeanSquares(size)
    for part in np.array_split(inputs.astype("float32"), 3):
        seen.see(ops.convert_to_tensor(part))
    np.testing.assert_allclose(seen.value, 2 / 400 * inputs.T @ inputs, rtol=1e-4, atol=1e-4)
    config = quantizers.GPTQConfig(None, None, group_size=-1, weight_bits=3)
    found = gptq.integers(weights, seen.value, config)
    hessian = seen.value + 0.01 * np.mean(np.diag(seen.value)) * np.eye(size)
    np.testing.assert_array_equal(found["quantized_kernel"], column_by_column(weights, hessian, 3))


def output_error(weights, found, inputs):
    group = found["g_idx"]
    back = (found["quantized_kernel"] - found["kernel_zero"][:, group]) * found["kernel_scale"][:, group]
    return np.linalg.norm(inputs @ (back - weights).T)


@pytest.mark.parametrize("options", [{}, {"activation_order": True}, {"symmetric": True}, {"per_channel": False}])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_outputs_change_less_than_with_the_nearest_integers(bits, options):
    weights, inputs = RNG.normal(size=(40, 64)).astype("float32"), correlated_inputs(500, 64)
    config = quantizers.GPTQConfig(None, None, weight_bits=bits, group_size=16, **options)
    fitted = gptq.integers(weights, inputs.T @ inputs / 250, config)
    nearest = gptq.integers(weights, np.zeros((64, 64)), config)
    factor = 0.8 if config.per_channel else 1
    assert output_error(weights, fitted, inputs) < factor * output_error(weights, nearest, inputs)
    assert fitted["quantized_kernel"].max() < 2**bits


def test_weights_of_one_sign_and_zeros():
    weights = np.stack([np.linspace(1, 2, 8), np.linspace(-2, -1, 8), np.linspace(-9.01, -9, 8), np.zeros(8)])
    config = quantizers.GPTQConfig(None, None, weight_bits=8)
    found = gptq.integers(weights.astype("float32"), np.zeros((8, 8)), config)
    back = (found["quantized_kernel"] - found["kernel_zero"]) * found["kernel_scale"]
    np.testing.assert_allclose(back, weights, atol=0.02)
    assert found["kernel_zero"].min() >= 0 and found["kernel_zero"].max() <= 255


def test_an_input_that_never_occurs():
    weights, inputs = RNG.normal(size=(5, 12)).astype("float32"), correlated_inputs(100, 12)
    inputs[:, 3] = 0
    found = gptq.integers(weights, inputs.T @ inputs / 50, quantizers.GPTQConfig(None, None))
    assert np.isfinite(found["kernel_scale"]).all()


def test_inputs_that_depend_on_each_other():
    weights, inputs = RNG.normal(size=(5, 12)).astype("float32"), np.ones((3, 12))
    gptq.integers(weights, inputs.T @ inputs, quantizers.GPTQConfig(None, None))
    with pytest.raises(ValueError, match="linearly dependent.*hessian_damping"):
        gptq.integers(weights, inputs.T @ inputs, quantizers.GPTQConfig(None, None, hessian_damping=0))


def test_weights_of_large_inputs_are_finer():
    weights, inputs = RNG.normal(size=(40, 64)).astype("float32"), RNG.normal(size=(500, 64)).astype("float32")
    inputs[:, ::8] *= 30
    config = quantizers.AWQConfig(None, None, group_size=16)
    seen = awq.LargestInputs(64)
    for part in np.array_split(inputs, 3):
        seen.see(ops.convert_to_tensor(part))
    np.testing.assert_array_equal(seen.value, np.abs(inputs).max(0))
    fitted, nearest = (awq.integers(weights, x, config) for x in (seen.value, np.zeros(64, "float32")))
    np.testing.assert_array_equal(nearest["awq_scales"], np.ones(64))
    assert fitted["awq_scales"][::8].min() > 2 * np.median(fitted["awq_scales"])
    back = [output_error(weights * x["awq_scales"], x, inputs / x["awq_scales"]) for x in (fitted, nearest)]
    assert back[0] < 0.7 * back[1]
    coarse = awq.integers(weights, seen.value, quantizers.AWQConfig(None, None, group_size=16, num_grid_points=1))
    assert back[0] <= output_error(weights * coarse["awq_scales"], coarse, inputs / coarse["awq_scales"])


# ---- layers


@pytest.mark.parametrize(
    "equation, output, shape",
    [
        ("abc,cd->abd", (None, 5), (2, 3, 4)),
        ("abc,cde->abde", (None, 2, 5), (2, 3, 4)),
        ("abcd,cde->abe", (None, 5), (2, 3, 2, 4)),
        ("abcd,dce->abe", (None, 5), (2, 3, 2, 4)),
        ("abcd,ecd->abe", (None, 5), (2, 3, 2, 4)),
        ("...b,cb->...c", (None, 5), (2, 3, 4)),
        ("ab...,bc->ac...", (5, 3), (2, 4, 3)),
    ],
)
def test_inputs_in_rows_times_the_matrix_are_the_outputs(equation, output, shape):
    layer = layers.EinsumDense(equation, output)
    x = RNG.normal(size=shape).astype("float32")
    expected = layer(x).numpy()
    layer.quantize(config=quantizers.GPTQConfig(None, None, weight_bits=8, group_size=4))
    np.testing.assert_allclose(layer(x), expected, atol=0.03)
    group = layer.g_idx.numpy().astype(int)
    matrix = layer.quantized_kernel.numpy() - layer.kernel_zero.numpy()[:, group].astype("float32")
    products = layer.inputs_in_rows(x).numpy() @ (matrix * layer.kernel_scale.numpy()[:, group]).T
    got = np.sort(layer(x).numpy(), axis=None)
    np.testing.assert_allclose(np.sort(products, axis=None), got, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["gptq/4/8_from_float32", "gptq/3/-1_from_mixed_bfloat16"])
def test_layer_made_quantized(mode):
    layer = layers.Dense(5, dtype=mode)
    layer.build((None, 20))
    groups = 1 if "-1" in mode else 3
    assert [(v.name, v.shape, v.dtype) for v in layer.weights[:5]] == [
        ("bias", (5,), "float32"),
        ("kernel", (3 if "/4/" in mode else 5, 20), "uint8"),
        ("kernel_scale", (5, groups), "float32"),
        ("kernel_zero", (5, groups), "uint8"),
        ("g_idx", (20,), "float32"),
    ]
    assert [v.name for v in layer.trainable_weights] == ["bias"]
    assert layer(np.ones((2, 20), "float32")).dtype == layer.compute_dtype


def test_variables_of_awq():
    layer = layers.EinsumDense("abc,cde->abde", (None, 3, 3), bias_axes="de", dtype="awq/4/8_from_float32")
    layer.build((None, 2, 20))
    names = ["bias", "kernel", "kernel_scale", "kernel_zero", "awq_scales", "g_idx"]
    assert [v.name for v in layer.weights] == names
    assert layer.variable_serialization_spec["awq"] == ["bias", "quantized_kernel", *names[2:]]
    assert [v.shape for v in layer.weights] == [(3, 3), (5, 20), (9, 3), (9, 3), (20,), (20,)]


def test_columns_of_an_einsum_dense():
    layer = layers.EinsumDense("ab,bcd->acd", (3, 5), gptq_unpacked_column_size=7)
    layer.build((None, 4))
    assert layer.get_config()["gptq_unpacked_column_size"] == 7
    layer.quantize(config=quantizers.GPTQConfig(None, None))
    assert layer.get_config()["gptq_unpacked_column_size"] == layer.gptq_unpacked_column_size == 15


def test_gradients_pass_through_to_the_inputs():
    layer, x = layers.Dense(5), ops.convert_to_tensor(RNG.normal(size=(2, 6)).astype("float32"))
    layer(x)
    layer.quantize(config=quantizers.GPTQConfig(None, None))
    with keras.GradientTape() as tape:
        tape.watch(x)
        loss = ops.sum(layer(x))
    kernel = layer(np.eye(6, dtype="float32")).numpy() - layer.bias.numpy()
    np.testing.assert_allclose(tape.gradient(loss, x), np.tile(kernel.sum(1), (2, 1)), rtol=1e-4, atol=1e-5)


# ---- models


def block(width):
    x = inputs = keras.Input((None, width))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8, name="attention")(x, x))
    y = layers.Dense(width, name="narrow")(layers.Dense(2 * width, activation="gelu", name="wide")(x))
    return keras.Model(inputs, layers.LayerNormalization()(x + y))


def language_model():
    keras.utils.set_random_seed(2)
    embedding, blocks = layers.Embedding(30, 16), [block(16), block(16)]
    x = inputs = keras.Input((None,), dtype="int32")
    for layer in (embedding, *blocks, layers.Dense(30, name="head")):
        x = layer(x)
    return keras.Model(inputs, x), {"pre_block_layers": [embedding], "sequential_blocks": blocks}


TOKENS = RNG.integers(0, 30, (12, 20)) // RNG.integers(1, 4, (12, 20))


def quantized(mode, data=TOKENS, filters=None, **options):
    model, structure = language_model()
    config = {"num_samples": 12, "sequence_length": 20, "group_size": 8, **options}
    model.quantize(
        mode,
        CONFIGS[mode](data, None, quantization_layer_structure=structure, **config),
        filters=filters,
    )
    return model


@pytest.mark.parametrize("mode", CONFIGS)
def test_a_model_of_blocks(mode, tmp_path):
    expected = language_model()[0].predict(TOKENS, verbose=0)
    model = quantized(mode)
    dense = [layer for layer in model._flatten_layers() if isinstance(layer, (layers.Dense, layers.EinsumDense))]
    assert {layer.name: layer.quantization_mode for layer in dense} == dict.fromkeys(
        ["query", "key", "value", "attention_output", "wide", "narrow"], mode
    ) | {"head": None}
    assert mode != "awq" or any(np.ptp(layer.awq_scales) > 0 for layer in dense if layer.quantization_mode)
    predictions = model.predict(TOKENS, verbose=0)
    error = np.abs(predictions - expected).mean()
    assert 0 < error < 0.06 * np.abs(expected).mean()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(TOKENS, verbose=0), predictions)
    assert [v.dtype for v in loaded.weights] == [v.dtype for v in model.weights]
    model.export(tmp_path / "model.dlcore")
    native = _core.NativeModel.load(str(tmp_path / "model.dlcore"))
    (outputs,) = native.run("predict", [_core.tensor(TOKENS.astype("int32"))])
    np.testing.assert_allclose(outputs.numpy(), predictions, rtol=1e-4, atol=1e-5)
    other = quantized(mode, data=TOKENS[:2])
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.predict(TOKENS, verbose=0), predictions)


def test_data_helps():
    expected = language_model()[0].predict(TOKENS, verbose=0)
    with_data = quantized("gptq").predict(TOKENS, verbose=0)
    model, structure = language_model()
    for inner in structure["sequential_blocks"]:
        for layer in inner._flatten_layers():
            if isinstance(layer, (layers.Dense, layers.EinsumDense)):
                layer.quantize(config=quantizers.GPTQConfig(None, None, group_size=8))
    without = model.predict(TOKENS, verbose=0)
    assert np.abs(with_data - expected).mean() < 0.9 * np.abs(without - expected).mean()


@pytest.mark.parametrize("mode", CONFIGS)
def test_filters_and_structure_of_the_model(mode):
    model = quantized(mode, filters="wide")
    assert {layer.name for layer in model._flatten_layers() if layer.quantization_mode} == {"wide"}

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding, self.hidden = layers.Embedding(30, 8), layers.Dense(8, name="hidden")

        def call(self, x):
            return self.hidden(self.embedding(x))

        def get_quantization_layer_structure(self, mode=None):
            self.asked = mode
            return {"pre_block_layers": [self.embedding], "sequential_blocks": [self.hidden]}

    model = Model()
    expected = model(TOKENS).numpy()
    model.quantize(config=CONFIGS[mode](TOKENS, None, num_samples=2, sequence_length=16))
    assert model.asked == mode and model.hidden.quantization_mode == mode
    np.testing.assert_allclose(model(TOKENS), expected, atol=0.02)


def test_blocks_that_return_several_outputs():
    class Pair(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(8)

        def call(self, x):
            return self.dense(x), x

    embedding, pair, last = layers.Embedding(30, 8), Pair(), layers.Dense(4)
    inputs = keras.Input((20,), dtype="int32")
    model = keras.Model(inputs, last(pair(embedding(inputs))[0]))
    structure = {"pre_block_layers": [embedding], "sequential_blocks": [pair, last]}
    model.quantize(config=quantizers.GPTQConfig(TOKENS, None, num_samples=2, quantization_layer_structure=structure))
    assert pair.dense.quantization_mode == last.quantization_mode == "gptq" and "call" not in vars(last)


# ---- data


def cut(dataset, tokenizer=None, count=3, length=4):
    config = quantizers.GPTQConfig(dataset, tokenizer, num_samples=count, sequence_length=length)
    return calibration.sequences(config).tolist()


def test_sequences_are_cut_from_arrays_and_strings():
    assert cut([np.arange(12)]) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert cut([np.arange(100)], count=4) == [[0, 1, 2, 3], [32, 33, 34, 35], [64, 65, 66, 67], [96, 97, 98, 99]]
    assert cut(np.arange(12).reshape(2, 6)) == cut([np.arange(12)])
    assert cut([[1, 2, 3]]) == [[1, 2, 3, 1], [2, 3, 1, 2], [3, 1, 2, 3]]
    assert cut((ops.array([5, 6]) for _ in range(2)), count=1) == [[5, 6, 5, 6]]
    letters = lambda text: [ord(c) - ord("a") for c in text]  # noqa: E731
    assert cut(["abc", "de"], letters, 2) == [[0, 1, 2, 3], [4, 0, 1, 2]]

    class Tokenizer:
        def tokenize(self, text):
            return ops.array(letters(text))

    assert cut(["abc", "de"], Tokenizer(), 2) == cut(["abc", "de"], letters, 2)
    words = layers.TextVectorization(vocabulary=["red", "green", "blue"])
    assert cut(["red blue green red"], words, 1) == [[2, 4, 3, 2]]


@pytest.mark.parametrize(
    "error, dataset, message",
    [
        (TypeError, None, "iterable of strings, or of arrays.*Got None"),
        (TypeError, "text", "iterable of strings, or of arrays.*Got 'text'"),
        (ValueError, [], "dataset has no tokens"),
        (ValueError, ["text"], "a tokenizer is needed"),
    ],
)
def test_errors_of_data(error, dataset, message):
    with pytest.raises(error, match=message):
        quantized("gptq", dataset)


# ---- configurations


def test_policies():
    policy = keras.dtype_policies.get("gptq/4/128_from_mixed_bfloat16")
    assert type(policy) is GPTQDTypePolicy and (policy.weight_bits, policy.group_size) == (4, 128)
    assert policy.quantization_mode == "gptq" and policy.compute_dtype == "bfloat16"
    assert policy.get_config() == {"mode": "gptq/4/128", "source_name": "mixed_bfloat16"}
    assert keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policy)) == policy
    assert policy != GPTQDTypePolicy("gptq/4/-1", "mixed_bfloat16")
    policy = keras.dtype_policies.get("awq/4/128_from_float32")
    assert type(policy) is AWQDTypePolicy and (policy.weight_bits, policy.group_size) == (4, 128)
    assert keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policy)) == policy
    for mode in ("awq/4", "awq/8/128", "awq/4/0", "gptq/4/128"):
        with pytest.raises(ValueError, match=r'"awq/<bits>/<group size>", bits 4, a group size > 0 or -1. Got'):
            AWQDTypePolicy(mode)
    for mode in ("gptq", "gptq/4", "gptq/5/128", "gptq/4/0", "gptq/4/-2", "gptq/four/8", "awq/4/128"):
        with pytest.raises(ValueError, match=r'"gptq/<bits>/<group size>", bits 2 or 3 or 4 or 8.*Got'):
            GPTQDTypePolicy(mode)


@pytest.mark.parametrize("mode", CONFIGS)
def test_configurations(mode):
    config = CONFIGS[mode](["text"], len, num_samples=3, group_size=-1, quantization_layer_structure={"a": []})
    stored = config.get_config()
    assert stored["dataset"] is stored["tokenizer"] is stored["quantization_layer_structure"] is None
    assert stored["num_samples"] == 3 and CONFIGS[mode].from_config(stored).get_config() == stored
    assert quantizers.get(quantizers.serialize(config)).get_config() == stored
    assert config.mode == mode and config.dtype_policy_string() == f"{mode}/4/-1"


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: quantizers.GPTQConfig(None, None, weight_bits=5),
            "weight_bits must be 2 or 3 or 4 or 8. Got weight_bits=5",
        ),
        (lambda: quantizers.GPTQConfig(None, None, num_samples=0), "GPTQConfig: num_samples"),
        (lambda: quantizers.GPTQConfig(None, None, sequence_length=-1), "sequence_length"),
        (lambda: quantizers.GPTQConfig(None, None, hessian_damping=1.5), "hessian_damping"),
        (lambda: quantizers.GPTQConfig(None, None, group_size=0), "group_size"),
        (
            lambda: quantizers.AWQConfig(None, None, weight_bits=8),
            "AWQConfig: weight_bits must be 4. Got weight_bits=8",
        ),
        (lambda: quantizers.AWQConfig(None, None, num_grid_points=0), "num_grid_points"),
        (lambda: language_model()[0].quantize("awq"), r'"awq" needs data. Pass config=AWQConfig\(dataset'),
        (lambda: language_model()[0].quantize("gptq"), r'"gptq" needs data. Pass config=GPTQConfig\(dataset'),
        (
            lambda: language_model()[0].quantize(config=quantizers.GPTQConfig(TOKENS, None)),
            "must know the model's blocks",
        ),
        (lambda: language_model()[0].quantize("int8", quantizers.GPTQConfig(TOKENS, None)), "contradicts"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
