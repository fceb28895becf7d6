"""Functions of `ops` against Keras: values, dtypes and gradients, eagerly and traced."""

import pathlib

import numpy as np
import pytest
from ops_cases import CASES, NO_GRADIENT

import dlcore as keras
from dlcore import _core, ops

# Keras on JAX has no 64-bit integers, and returns int32 where the others do.
GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Functions of values: not traceable.
EAGER = {"ctc_beam", "linspace"}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_ops.npz") as file:
        return dict(file)


def run(function, *inputs):
    outputs = function(ops, *inputs)
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def close(got, expected, tolerance):
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1.0) if expected.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("name", CASES)
def test_values(name, golden):
    function, *inputs = CASES[name]
    outputs = run(function, *[ops.convert_to_tensor(x) for x in inputs])
    assert len(outputs) == len([key for key in golden if key.startswith(f"{name}/y")])
    for i, y in enumerate(outputs):
        assert np.asarray(y).dtype.kind == golden[f"{name}/y{i}"].dtype.kind, f"output {i}"
        assert tuple(y.shape) == golden[f"{name}/y{i}"].shape
        close(y, golden[f"{name}/y{i}"], 1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if len(CASES[name]) > 1 and name not in EAGER])
def test_traced(name, golden):
    function, *inputs = CASES[name]
    with _core.Graph() as graph:
        symbols = [graph.input(x.shape, str(x.dtype), f"x{i}") for i, x in enumerate(inputs)]
        program = graph.compile([ops.convert_to_tensor(y) for y in run(function, *symbols)])
    for i, y in enumerate(program.run([_core.tensor(x) for x in inputs])):
        close(y, golden[f"{name}/y{i}"], 1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name not in NO_GRADIENT])
def test_gradient(name, golden):
    function, *inputs = CASES[name]
    tensors = [ops.convert_to_tensor(x) for x in inputs]
    floats = [i for i, x in enumerate(inputs) if x.dtype == "float32"]
    if not floats:
        return
    with keras.GradientTape() as tape:
        tape.watch([tensors[i] for i in floats])
        outputs = run(function, *tensors)
        total = sum(ops.sum(y * np.cos(np.arange(y.size)).reshape(y.shape).astype("f")) for y in outputs)
    for i, gradient in zip(floats, tape.gradient(total, [tensors[i] for i in floats])):
        expected = golden[f"{name}/d{i}"]
        close(np.zeros_like(expected) if gradient is None else gradient, expected, 1e-4)
