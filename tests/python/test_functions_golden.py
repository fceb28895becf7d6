"""Activations, losses, metrics, regularizers, constraints and initializers as functions, against Keras."""

import json
import pathlib

import function_cases as cases
import numpy as np
import pytest

import dlcore as keras
from dlcore import ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_functions.npz") as file:
        return dict(file)


def close(got, expected):
    got = ops.convert_to_numpy(got)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max(initial=1e-3))


@pytest.mark.parametrize("name", cases.CASES)
def test_computes_as_keras(name, golden):
    function, *inputs = cases.CASES[name]
    inputs = [ops.convert_to_tensor(x) for x in inputs]
    if name in cases.NO_GRADIENT:
        close(function(keras, *inputs), golden[f"{name}:y"])
        return
    with keras.GradientTape() as tape:
        tape.watch(inputs[-1])
        y = function(keras, *inputs)
        target = ops.sum(y * np.cos(np.arange(y.size)).reshape(y.shape).astype("float32"))
    close(y, golden[f"{name}:y"])
    gradient = tape.gradient(target, inputs[-1])
    close(ops.zeros_like(inputs[-1]) if gradient is None else gradient, golden[f"{name}:d"])


def test_every_golden_value_is_compared(golden):
    assert {key.rpartition(":")[0] for key in golden} == set(cases.CASES)


# What has no numbers; and sparsemax of Keras 3.15, which does not sum to 1.
ABSTRACT = {"Loss", "Metric", "Regularizer", "Constraint", "deserialize", "get", "serialize", "sparsemax"}


@pytest.mark.parametrize("space", ["activations", "losses", "regularizers", "constraints"])
def test_every_function_is_compared(space):
    module = getattr(keras, space)
    names = set(json.loads((GOLDEN / "keras_api.json").read_text())[f"keras.{space}"]) - ABSTRACT
    if space == "losses":  # the classes are in training_cases.py
        names = {name for name in names if name.islower()}
    compared = [getattr(module, name.split("/")[1]) for name in cases.CASES if name.startswith(f"{space}/")]
    assert not {name for name in names if not any(getattr(module, name) is value for value in compared)}
