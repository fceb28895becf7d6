"""Regularizers and constraints."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import constraints, ops, regularizers

W = np.array([[3.0, -0.5], [4.0, 0.25]], "float32")


def value(regularizer):
    return float(regularizer(ops.convert_to_tensor(W)))


def test_penalties():
    assert value(regularizers.L1(0.1)) == pytest.approx(0.775)
    assert value(regularizers.L2(0.1)) == pytest.approx(2.53125)
    assert value(regularizers.L1L2(0.1, 0.1)) == pytest.approx(3.30625)
    assert value(regularizers.get("l1_l2")) == pytest.approx(0.330625)
    assert value(regularizers.get("l2")) == pytest.approx(0.253125)
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    assert value(regularizers.OrthogonalRegularizer(0.5)) == pytest.approx(0.5 * abs(unit[0] @ unit[1]), rel=1e-5)


def test_projections():
    np.testing.assert_allclose(constraints.NonNeg()(ops.convert_to_tensor(W)).numpy(), np.maximum(W, 0))
    norms = np.linalg.norm(W, axis=0)
    np.testing.assert_allclose(constraints.UnitNorm()(ops.convert_to_tensor(W)).numpy(), W / norms, rtol=1e-5)
    expected = W * np.minimum(norms, 2) / norms
    np.testing.assert_allclose(constraints.MaxNorm(2)(ops.convert_to_tensor(W)).numpy(), expected, rtol=1e-5)
    expected = W * (0.5 * norms + 0.5 * np.clip(norms, 1, 2)) / norms
    got = constraints.MinMaxNorm(1, 2, rate=0.5)(ops.convert_to_tensor(W)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("module", (regularizers, constraints))
def test_configs(module):
    for name in module._catalogue.objects:
        thing = module.get(name)
        copy = module.deserialize(module.serialize(thing))
        assert type(copy) is type(thing) and copy.get_config() == thing.get_config()
        assert module.deserialize(copy) is copy
    assert module.get(None) is None and module.serialize(None) is None and module.deserialize(None) is None


def test_in_training():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(
                2, kernel_regularizer="l2", kernel_constraint="non_neg", activity_regularizer=regularizers.L1(0.1)
            ),
        ]
    )
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    kernel = model.layers[0].kernel.numpy()
    y = x @ kernel
    penalty = 0.01 * (kernel**2).sum() + 0.1 * np.abs(y).sum() / 4
    assert model.evaluate(x, y, verbose=0) == pytest.approx(penalty, rel=1e-5)
    model.fit(x, -y - 5, verbose=0, epochs=3)
    assert model.layers[0].kernel.numpy().min() >= 0


def test_errors():
    with pytest.raises(ValueError, match="l1 must be a finite float >= 0. Got l1=-1"):
        regularizers.L1(-1)
    with pytest.raises(ValueError, match="mode='diagonal'"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    with pytest.raises(ValueError, match=r"matrices only. Got a tensor of shape \(3,\)"):
        regularizers.OrthogonalRegularizer()(ops.ones((3,)))
    with pytest.raises(ValueError, match='Unknown constraint: "max_nrom".*max_norm'):
        constraints.get("max_nrom")
