"""Every layer against Keras: outputs, gradients of inputs and weights, and moving statistics."""

import pathlib

import numpy as np
import pytest
from layer_cases import CALLS, CASES, inputs_of, random, weights_of

import dlcore as keras
from dlcore import ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_layers.npz") as file:
        return dict(file)


def run(name, make, shapes, arguments, spread):
    """As make_keras_layers.py, with dlcore."""
    layer = make(keras.layers)
    arrays = [ops.convert_to_tensor(array) for array in inputs_of(name, shapes)]
    arguments = {key: _tensors(value) for key, value in arguments.items()}

    def call():
        if spread:
            return layer(*arrays, **arguments)
        return layer(arrays if len(arrays) > 1 else arrays[0], **arguments)

    call()
    layer.set_weights(weights_of(name, [w.shape for w in layer.get_weights()]))
    floats = [array for array in arrays if "float" in array.dtype]
    with keras.GradientTape() as tape:
        for array in floats:
            tape.watch(array)
        outputs = call()
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        target = sum(ops.sum(y * random(f"{name} output {i}", y.shape)) for i, y in enumerate(outputs))
    sources = floats + layer.trainable_weights
    return layer, outputs, tape.gradient(target, sources)


def _tensors(value):
    if isinstance(value, list):
        return [ops.convert_to_tensor(v) for v in value]
    return ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value


def compare(golden, name, case, spread=False):
    layer, outputs, gradients = run(name, *case, spread)
    for i, y in enumerate(outputs):
        np.testing.assert_allclose(y.numpy(), golden[f"{name}/y{i}"], rtol=1e-5, atol=2e-5, err_msg=f"output {i}")
    for i, gradient in enumerate(gradients):
        expected = golden[f"{name}/d{i}"]
        got = np.zeros_like(expected) if gradient is None else ops.convert_to_numpy(gradient)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4, err_msg=f"gradient {i}")
    for i, weight in enumerate(layer.non_trainable_weights):
        np.testing.assert_allclose(weight.numpy(), golden[f"{name}/state{i}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_layer_computes_as_keras(name, golden):
    compare(golden, name, CASES[name])


@pytest.mark.parametrize("name", CALLS)
def test_layer_of_several_arguments_computes_as_keras(name, golden):
    compare(golden, name, CALLS[name], spread=True)


def test_every_golden_value_is_compared(golden):
    assert {key.split("/")[0] for key in golden} == {*CASES, *CALLS}
