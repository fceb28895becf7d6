"""Every layer in training: the losses and weights of five steps are Keras's."""

import pathlib

import fit_cases
import numpy as np
import pytest

import dlcore as keras

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_fits.npz") as file:
        return dict(file)


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize("name", fit_cases.ALL)
def test_trains_as_keras(name, golden):
    results = fit_cases.train(keras, name)
    assert len(results) == sum(key.startswith(f"{name}/") for key in golden)
    for i, got in enumerate(results):
        expected = golden[f"{name}/{i}"]
        assert got.shape == expected.shape
        size = np.abs(expected).max(initial=0)
        tolerance = 0.03 if "bfloat16" in name else 2e-5
        what = f"weight {i - 1}" if i else "losses"
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * size, err_msg=what)


def test_every_golden_value_is_compared(golden):
    assert {key.rpartition("/")[0] for key in golden} == set(fit_cases.ALL)
