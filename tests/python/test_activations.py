"""Activations and their catalogue."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import activations, ops

X = np.array([-4.0, -2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 4.0], "float32")
# Written out, so that ops are compared with formulas.
EXPECTED = {
    "linear": X,
    "relu": np.maximum(X, 0),
    "leaky_relu": np.where(X > 0, X, 0.2 * X),
    "relu6": np.clip(X, 0, 6),
    "elu": np.where(X > 0, X, np.expm1(X)),
    "selu": 1.05070098 * np.where(X > 0, X, 1.67326324 * np.expm1(X)),
    "softplus": np.log1p(np.exp(X)),
    "softsign": X / (1 + np.abs(X)),
    "silu": X / (1 + np.exp(-X)),
    "swish": X / (1 + np.exp(-X)),
    "tanh": np.tanh(X),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "exponential": np.exp(X),
    "hard_sigmoid": np.clip(X / 6 + 0.5, 0, 1),
    "hard_silu": X * np.clip(X / 6 + 0.5, 0, 1),
    "mish": X * np.tanh(np.log1p(np.exp(X))),
    "softmax": np.exp(X) / np.exp(X).sum(),
    "log_softmax": X - np.log(np.exp(X).sum()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_values(name):
    y = activations.get(name)(ops.convert_to_tensor(X))
    np.testing.assert_allclose(y.numpy(), EXPECTED[name], rtol=2e-6, atol=1e-6)


def test_gelu():
    from math import erf, pi, sqrt

    exact = np.array([x * 0.5 * (1 + erf(x / sqrt(2))) for x in X])
    approximate = 0.5 * X * (1 + np.tanh(sqrt(2 / pi) * (X + 0.044715 * X**3)))
    np.testing.assert_allclose(activations.gelu(ops.convert_to_tensor(X)).numpy(), exact, rtol=1e-5, atol=1e-6)
    y = activations.gelu(ops.convert_to_tensor(X), approximate=True)
    np.testing.assert_allclose(y.numpy(), approximate, rtol=1e-5, atol=1e-6)


def test_relu_with_threshold_and_ceiling():
    y = activations.relu(ops.convert_to_tensor(X), negative_slope=0.1, max_value=2.0, threshold=1.0)
    expected = np.where(X > 1, np.minimum(X, 2), 0.1 * (X - 1))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_names_round_trip(name):
    function = activations.get(name)
    assert activations.get(activations.serialize(function)) is function


def test_unknown_names_list_the_nearest():
    with pytest.raises(ValueError, match='Unknown activation: "reluu".*relu'):
        activations.get("reluu")
    with pytest.raises(ValueError, match="Cannot interpret 3 as an activation"):
        activations.get(3)


def test_own_function():
    @keras.saving.register_keras_serializable(package="test")
    def cube(x):
        return x * x * x

    config = {"module": "builtins", "class_name": "function", "config": "test>cube", "registered_name": "function"}
    assert activations.serialize(cube) == keras.saving.serialize_keras_object(cube) == config  # as Keras writes it
    before = {**config, "config": "cube", "registered_name": "test>cube"}  # as dlcore wrote it
    assert all(activations.get(form) is cube for form in ("test>cube", config, before))
    layer = keras.layers.Dense(2, activation=cube)
    assert keras.layers.Dense.from_config(layer.get_config()).activation is cube
