"""Helpers around models and data against Keras."""

import pathlib

import numpy as np
import pytest
import tools_cases as cases

import dlcore as keras
from dlcore import ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_tools.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", cases.CASES)
def test_case(name, golden):
    if name.startswith("image"):
        pytest.importorskip("PIL")
    results = cases.CASES[name](keras)
    results = results if isinstance(results, (list, tuple)) else [results]
    expected = [golden[f"{name}/{i}"] for i in range(sum(key.startswith(f"{name}/") for key in golden))]
    assert len(results) == len(expected)
    for got, wanted in zip(map(ops.convert_to_numpy, results), expected):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5 * max(1, np.abs(wanted).max(initial=0)))
