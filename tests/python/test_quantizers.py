"""Weights as small integers. Values are compared with Keras's in test_tools_golden.py."""

import warnings

import numpy as np
import pytest
import tools_cases as cases

import dlcore as keras
from dlcore import layers, ops, quantizers

RNG = np.random.default_rng(0)


def float_model():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((16,)), layers.Dense(64, activation="relu"), layers.Dense(4)])


@pytest.mark.parametrize("mode, error", [("int8", 0.02), ("int4", 0.25)])
def test_quantized_model_is_close_and_small(mode, error, tmp_path):
    x = RNG.normal(size=(32, 16)).astype("float32")
    model = float_model()
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "float.keras")
    model.quantize(mode)
    got = model.predict(x, verbose=0)
    assert 0 < np.abs(got - expected).max() < error * np.abs(expected).max()
    kernel = next(weight for weight in model.weights if weight.name == "kernel")
    assert kernel.dtype == "int8" and kernel.shape == ((16, 64) if mode == "int8" else (16, 32))
    assert [layer.quantization_mode for layer in model.layers] == [mode] * 2
    np.testing.assert_allclose(model(x).numpy(), got, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), got)
    assert loaded.layers[0].kernel.dtype == "int8" and loaded.layers[0].dtype_policy == model.layers[0].dtype_policy
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    bits = sum(v.numpy().nbytes for v in loaded.weights) / sum(v.numpy().nbytes for v in float_model().weights)
    assert bits < {"int8": 0.4, "int4": 0.35}[mode]


def test_inputs_are_quantized_by_the_configured_quantizer():
    class Halves(keras.quantizers.Quantizer):
        def __call__(self, x, axis):
            return ops.cast(ops.round(x * 2), "int8"), ops.full((1,) * x.ndim, 2.0)

    x = RNG.normal(size=(3, 16)).astype("float32")
    for given, expected in ((Halves(), Halves), ("default", keras.quantizers.AbsMaxQuantizer), (None, type(None))):
        config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=given)
        model = float_model()
        model.quantize(config=config)
        dense = model.layers[0]
        assert type(dense.inputs_quantizer) is expected
    model = float_model()
    model.quantize(config=keras.quantizers.Int8QuantizationConfig(activation_quantizer=Halves()))
    np.testing.assert_allclose(model(x).numpy(), model(np.round(x * 2) / 2).numpy(), rtol=1e-5, atol=1e-6)


def test_variables_are_in_the_order_of_files():
    model = cases.quantized(keras, "int8")
    assert [v.name for v in model.layers[-1].weights] == ["bias", "kernel", "kernel_scale"]
    assert [v.name for v in model.layers[-1].trainable_weights] == ["bias"]


def test_gradients_pass_through():
    model = float_model()
    x = ops.convert_to_tensor(np.random.default_rng(1).normal(size=(3, 16)).astype("float32"))

    def gradient():
        with keras.GradientTape() as tape:
            tape.watch(x)
            loss = ops.sum(ops.square(model(x)))
        return tape.gradient(loss, x).numpy()

    expected = gradient()
    model.quantize("int8")
    assert np.abs(gradient() - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("mode, error", [("int8", 0.03), ("int4", 0.5)])
def test_einsum_dense_and_attention(mode, error, tmp_path):
    keras.utils.set_random_seed(2)
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8)(tokens)
    outputs = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(layers.MultiHeadAttention(2, 4)(x, x))
    model = keras.Model(tokens, outputs)
    data = RNG.integers(0, 20, (4, 6))
    expected = model.predict(data, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.quantize(mode)
    assert sum(v.dtype == "int8" for v in model.weights if v.name in ("kernel", "embeddings")) == 6
    got = model.predict(data, verbose=0)
    assert 0 < np.abs(got - expected).max() < error * np.abs(expected).max()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").predict(data, verbose=0), got)


class OfAttention(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(2, 4)

    def call(self, x):
        return self.attention(x, x)

    def get_config(self):
        return {}


def graph_of_attention():
    x = keras.Input((6, 8))
    return keras.Model(x, layers.MultiHeadAttention(2, 4)(x, x))


@keras.saving.register_keras_serializable()
class GraphOfArguments(keras.Model):
    def __init__(self, units=8, **options):
        x = keras.Input((6,))
        super().__init__(x, layers.Dense(2)(layers.Dense(units, "relu")(x)), **options)


@keras.saving.register_keras_serializable()
class GraphOfItsOwnConfig(GraphOfArguments):
    def __init__(self, size):
        super().__init__(size)
        self.size = size

    def get_config(self):
        return {"size": self.size}


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("cls", [GraphOfArguments, GraphOfItsOwnConfig])
def test_files_of_graphs_that_a_class_makes(cls, mode, tmp_path):
    x = RNG.normal(size=(3, 6)).astype("float32")
    model = cls(size=5) if cls is GraphOfItsOwnConfig else cls()
    outer = keras.Sequential([keras.Input((6,)), model, layers.Dense(1)])
    outer.quantize(mode)
    for saved in (model, outer):
        saved.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), saved.predict(x, verbose=0))
        assert [(v.shape, v.dtype) for v in loaded.weights] == [(v.shape, v.dtype) for v in saved.weights]


@pytest.mark.parametrize("make", [graph_of_attention, OfAttention, lambda: keras.Sequential([OfAttention()])])
def test_clones_are_quantized_inside(make):
    model, x = make(), RNG.normal(size=(2, 6, 8)).astype("float32")
    model(x)
    model.quantize("int8")
    clone = keras.models.clone_model(model)
    names = [[(v.name, v.shape, v.dtype) for v in m.weights] for m in (clone, model)]
    assert names[0] == names[1] and ("kernel", (8, 2, 4), "int8") in names[0]
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize("mode, error", [("int8", 0.02), ("int4", 0.3)])
def test_reversible_embedding(mode, error, tie_weights):
    layer = layers.ReversibleEmbedding(31, 15, tie_weights=tie_weights)
    vectors = layer(RNG.integers(0, 31, (2, 4)))
    expected = layer(vectors, reverse=True).numpy()
    layer.quantize(mode)
    quantized = layer(vectors, reverse=True).numpy()
    assert 0 < np.abs(quantized - expected).max() < error * np.abs(expected).max()
    copy = layers.ReversibleEmbedding.from_config(layer.get_config())
    copy.build()
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(vectors, reverse=True), quantized)
    names = [v.name for v in layer.weights]
    assert names == layer.variable_serialization_spec[mode]
    if not tie_weights:
        scale = {"int8": (31,), "int4": (1, 31)}[mode]
        assert layer.reverse_embeddings.shape == ((15, 31) if mode == "int8" else (8, 31))
        assert layer.reverse_embeddings_scale.shape == scale


def test_filters_and_layers_that_stay():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(2, 3),
            layers.Flatten(),
            layers.Dense(3, name="a"),
            layers.Dense(2, name="b"),
        ]
    )
    model.quantize("int8", filters="a")
    assert [layer.quantization_mode for layer in model.layers] == [None, None, "int8", None]
    with pytest.warns(UserWarning, match="Conv2D .* can't be quantized"):
        model.quantize("int8", filters=lambda layer: layer.name != "a")
    assert model.layers[3].quantization_mode == "int8"


def test_mixed_precision():
    layer = layers.Dense(3, dtype="mixed_bfloat16")
    x = RNG.normal(size=(2, 4)).astype("float32")
    expected = layer(x).numpy().astype("float32")
    layer.quantize("int8")
    assert layer.dtype_policy.name == "int8_from_mixed_bfloat16" and layer(x).dtype == "bfloat16"
    np.testing.assert_allclose(layer(x).numpy().astype("float32"), expected, atol=0.05)


def test_layer_made_quantized():
    layer = layers.Dense(3, dtype="int8_from_float32")
    layer.build((None, 4))
    assert layer.kernel.dtype == "int8" and layer.kernel_scale.shape == (3,)
    layer = layers.Embedding(5, 7, dtype="int4/4_from_float32")
    layer.build()
    assert layer.weights[0].shape == (5, 4) and layer.embeddings_scale.shape == (5, 2) == layer.embeddings_zero.shape


@pytest.mark.parametrize(
    "layer, x, name",
    [
        (layers.Dense(5), np.ones((2, 8)), "kernel"),
        (layers.EinsumDense("ab,bcd->acd", (2, 5)), np.ones((2, 8)), "kernel"),
        (layers.Embedding(5, 7), np.ones((2, 3)), "embeddings"),
    ],
)
def test_packed_weights_are_shown_as_integers(layer, x, name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        layers.Dense(1).kernel if name == "kernel" else layers.Embedding(1, 1).embeddings  # noqa: B018
    layer(x)
    floats = getattr(layer, name).numpy()
    layer.quantize("int4")
    shown = getattr(layer, name)
    assert shown.dtype == "int8" and shown.shape == floats.shape
    integers, axis = shown.numpy(), 0 if name == "kernel" else 1
    assert 7 <= np.abs(integers).max() <= 8
    ascending = np.take_along_axis(integers, np.argsort(floats, axis), axis)  # where one scale holds
    assert (np.diff(ascending, axis=axis) >= 0).all()


@pytest.mark.parametrize(
    "mode, layer, shapes",
    [
        ("int8", lambda: layers.Dense(5), [(5,), (200, 5), (5,)]),
        ("int4", lambda: layers.Dense(5), [(5,), (200, 3), (2, 5), (2, 5), (200,)]),
        ("int4", lambda: layers.Embedding(200, 300), [(200, 150), (200, 3), (200, 3), (300,)]),
        ("int4", lambda: layers.EinsumDense("ab,bcd->acd", (2, 3)), [(200, 3), (2, 6), (2, 6), (200,)]),
    ],
)
def test_variables_are_those_of_keras(mode, layer, shapes):
    model = keras.Sequential([keras.Input((200,)), layer()])
    x = RNG.integers(0, 200, (4, 200))
    expected = model.predict(x, verbose=0)
    model.quantize(mode)
    assert np.abs(model.predict(x, verbose=0) - expected).max() < 0.25 * np.abs(expected).max()
    assert [v.shape for v in model.weights] == shapes
    assert model.count_params() == sum(int(np.prod(shape)) for shape in shapes)
    if mode == "int4":
        index = model.weights[-1]
        assert index.name == "g_idx" and index.dtype == "float32"
        np.testing.assert_array_equal(index, np.arange(index.shape[0]) // 128)


@pytest.mark.parametrize(
    "equation, output, scale",
    [
        ("abc,cd->abd", (6, 5), (1, 1, 5)),
        ("abc,cde->abde", (6, 2, 5), (1, 1, 2, 5)),
        ("abc,cde->aebd", (5, 6, 2), (1, 5, 1, 2)),
        ("abc,bcd->ad", 5, (1, 5)),
        ("...c,cd->...d", (6, 5), (1, 1, 5)),
    ],
)
def test_scales_of_einsum_dense_lie_along_its_output(equation, output, scale, tmp_path):
    model = keras.Sequential([keras.Input((6, 8)), layers.EinsumDense(equation, output)])
    x = RNG.normal(size=(3, 6, 8)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.quantize("int8")
    assert model.layers[0].kernel_scale.shape == scale
    got = model.predict(x, verbose=0)
    assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").predict(x, verbose=0), got)


@pytest.mark.parametrize("axis", [None, 1])
def test_gradients_of_fake_quantization(axis):
    x = np.array([[-2.0, -0.5, 0.2], [0.9, 0.1, 3.0]], "float32")
    low, high = np.float32([-1, -1, -1]), np.float32([1, 1, 1])
    low, high = (low[0], high[0]) if axis is None else (low, high)
    tensors = [ops.convert_to_tensor(v) for v in (x, low, high)]
    weights = np.arange(1.0, 7.0, dtype="float32").reshape(2, 3)
    with keras.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        y = quantizers.fake_quant_with_min_max_vars(*tensors, num_bits=6, axis=axis)
        loss = ops.sum(y * weights)
    dx, dlow, dhigh = (g.numpy() for g in tape.gradient(loss, tensors))
    np.testing.assert_array_equal(dx, weights * (np.abs(x) < 1))
    np.testing.assert_array_equal(dlow, [1, 0, 0] if axis == 1 else 1)
    np.testing.assert_array_equal(dhigh, [0, 0, 6] if axis == 1 else 6)
    assert np.abs(y.numpy() - np.clip(x, -1, 1)).max() < 2 / 63


def test_fake_quantization_in_a_model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, quantizers.fake_quant_with_min_max_vars(inputs, -1.0, 1.0, num_bits=2))
    assert len(np.unique(model.predict(np.linspace(-2, 2, 30).reshape(10, 3), verbose=0))) == 4


def test_configurations():
    for quantizer in (quantizers.AbsMaxQuantizer(axis=0), quantizers.Quantizer()):
        back = quantizers.deserialize(quantizers.serialize(quantizer))
        assert type(back) is type(quantizer) and back.get_config() == quantizer.get_config()
    assert quantizers.get("abs_max_quantizer", axis=1).axis == (1,) and quantizers.get(None) is None
    config = quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(axis=0), None)
    back = quantizers.get(quantizers.serialize(config))
    assert back.get_config() == config.get_config() and back.activation_quantizer is None
    assert (
        quantizers.Int4QuantizationConfig.from_config(quantizers.Int4QuantizationConfig().get_config()).block_size
        == 128
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: quantizers.AbsMaxQuantizer(value_range=(-200, 200)), "int8 holds"),
        (lambda: quantizers.Int4QuantizationConfig(block_size=0), "block_size"),
        (lambda: quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer()), "block_size=None only"),
        (lambda: quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(), block_size=None), "values -8 .. 7"),
        (lambda: quantizers.Int8QuantizationConfig(quantizers.Quantizer("uint8")), "kept as int8"),
        (lambda: float_model().quantize("int7"), "mode must be one of int8, int4, float8, gptq, awq. Got mode='int7'"),
        (lambda: float_model().quantize("int4", quantizers.Int8QuantizationConfig()), "contradicts"),
        (lambda: layers.Dense(2).quantize("int8"), "must be built"),
        (lambda: [cases.quantized(keras, "int8").layers[-1].quantize("int8")], "is quantized to int8 already"),
        (lambda: quantizers.pack_int4(np.zeros(4, "int8"), dtype="int16"), "dtype must be"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_packing_needs_bytes():
    with pytest.raises(TypeError, match="expected a tensor of int8. Got float32"):
        quantizers.pack_int4(np.zeros(4, "float32"))


@pytest.mark.parametrize(
    "policy", ["int8_from_float32", "int4/4_from_float32", "float8_from_float32", "int8_from_mixed_bfloat16"]
)
def test_a_quantized_dtype_policy_quantizes_a_built_layer(policy):
    layer = layers.Dense(3)
    data = np.random.default_rng(0).normal(size=(2, 8)).astype("float32")
    expected = layer(data)
    layer.dtype_policy = policy
    assert layer.dtype_policy.name == policy
    assert len(layer.weights) > 2
    np.testing.assert_allclose(ops.cast(layer(data), "float32"), expected, atol=0.3)


def test_a_dtype_policy_that_needs_data_leaves_the_layer_as_it_was():
    layer = layers.Dense(3)
    layer.build((None, 8))
    with pytest.raises(ValueError, match='"gptq" needs data'):
        layer.dtype_policy = "gptq/4/-1_from_float32"
    assert layer.dtype_policy.name == "float32" and layer.quantization_mode is None
