"""Distributions: moments, exact probabilities, independence of what is drawn together, dtypes, messages."""

import math

import numpy as np
import pytest

import dlcore as keras
from dlcore import _core, ops, random

N = 40000


def close(values, mean, variance, excess=3.0):
    """Mean and variance within five standard errors (for the given excess of the fourth moment)."""
    assert np.isfinite(values).all()
    assert abs(values.mean() - mean) <= 5 * math.sqrt(variance / values.size) + 1e-6 * abs(mean)
    assert abs(values.var() - variance) <= 5 * variance * math.sqrt((excess + 2) / values.size) + 1e-7


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.5, 80.0])
def test_gamma(alpha):
    close(random.gamma((N,), alpha, seed=1).numpy(), alpha, alpha, excess=6 / alpha)


@pytest.mark.parametrize("alpha, beta", [(1e-6, 1e-6), (0.2, 0.2), (2.0, 5.0), (30.0, 1.0)])
def test_beta(alpha, beta):
    x = random.beta((N,), alpha, beta, seed=1).numpy()
    total = alpha + beta
    assert 0 <= x.min() and x.max() <= 1
    close(x, alpha / total, alpha * beta / total**2 / (total + 1))


@pytest.mark.parametrize("n, p", [(1, 0.3), (8, 0.4), (25, 0.5), (60, 0.02), (40, 0.75), (300, 0.1), (5000, 0.4)])
def test_binomial(n, p):
    """Each number as often as it should be: chi^2 over the numbers that are expected at least ten times."""
    x = random.binomial((N,), n, p, seed=1).numpy()
    assert (x == np.round(x)).all() and 0 <= x.min() and x.max() <= n
    log_p = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
        for k in range(n + 1)
    ]
    expected = N * np.exp(log_p)
    counts = np.bincount(x.astype(int), minlength=n + 1)
    often = expected >= 10
    chi2 = ((counts - expected)[often] ** 2 / expected[often]).sum()
    assert chi2 <= often.sum() + 5 * math.sqrt(2 * often.sum())
    close(x, n * p, n * p * (1 - p))


def test_borders_of_binomial():
    x = random.binomial((2, 4), [5, 5, 0, 1000], [0.0, 1.0, 0.5, 1.0], seed=1).numpy()
    np.testing.assert_array_equal(x, [[0, 5, 0, 1000]] * 2)


def test_parameters_are_broadcast():
    x = random.gamma((N, 3), [1.0, 10.0, 100.0], seed=2).numpy()
    np.testing.assert_allclose(x.mean(0), [1, 10, 100], rtol=0.05)
    y = random.beta((3, N), np.array([[1.0], [2.0], [9.0]]), 1.0, seed=2).numpy()
    np.testing.assert_allclose(y.mean(1), [1 / 2, 2 / 3, 9 / 10], rtol=0.02)
    assert random.gamma((4,), 2.0, dtype="float16").dtype == "float16"
    assert random.gamma((4,), 2.0, dtype="float64").dtype == "float64"


@pytest.mark.parametrize("draw", [random.normal, random.truncated_normal])
def test_means_and_deviations_are_broadcast(draw):
    mean, stddev = np.array([-3.0, 0.0, 10.0]), np.array([[1.0], [4.0]])
    x = draw((2, N, 3), mean, stddev[..., None], seed=2).numpy()
    standard = draw((2, N, 3), seed=2).numpy()
    np.testing.assert_allclose(x, mean + stddev[..., None] * standard, rtol=1e-5, atol=1e-5)
    assert draw((3,), ops.convert_to_tensor(mean), 1.0, dtype="float16").dtype == "float16"


def test_borders_are_broadcast():
    low, high = np.array([0, -5, 3]), np.array([2, 5, 1000])
    x = random.uniform((N, 3), low, ops.convert_to_tensor(high), seed=2).numpy()
    assert (x >= low).all() and (x <= high).all()
    np.testing.assert_allclose(x.mean(0), (low + high) / 2, rtol=0.05, atol=0.1)
    i = random.randint((N, 3), low, high, seed=2)
    assert i.dtype == "int32" and (i.numpy().min(0) == low).all()
    assert (i.numpy().max(0)[:2] == high[:2] - 1).all() and i.numpy().max() < 1000
    assert random.uniform((3,), low, high, dtype="int64", seed=2).dtype == "int64"


def test_traced_parameters():
    class Jitter(keras.layers.Layer):
        def call(self, x):
            rows = ops.shape(x)[0]
            width = random.uniform((rows,), 0.0, 1.0)
            return random.uniform((rows, 1), 0.0, ops.expand_dims(width, -1)) + ops.mean(x)

    inputs = keras.Input((2,))
    y = keras.Model(inputs, Jitter()(inputs)).predict(np.zeros((200, 2)), verbose=0)
    assert y.shape == (200, 1) and 0 <= y.min() and y.max() < 1 and abs(y.mean() - 0.25) < 0.1


def test_seeds():
    for draw in (
        lambda seed: random.gamma((5,), 0.7, seed=seed),
        lambda seed: random.beta((5,), 0.7, 2.0, seed=seed),
        lambda seed: random.binomial((5,), 1000, 0.3, seed=seed),
    ):
        np.testing.assert_array_equal(draw(3).numpy(), draw(3).numpy())
        assert (draw(3).numpy() != draw(4).numpy()).any()
        generator = random.SeedGenerator(3)
        assert (draw(generator).numpy() != draw(generator).numpy()).any()


def test_in_a_program():
    """New numbers at each run, of the right mean."""
    generator = random.SeedGenerator(1)
    with _core.Graph() as graph:
        alpha = graph.input((N,), "float32", "alpha")
        program = graph.compile([random.gamma((N,), alpha, seed=generator)])
    first, second = (program.run([ops.full((N,), 2.0)])[0].numpy() for _ in range(2))
    assert (first != second).any()
    close(first, 2, 2)
    close(second, 2, 2)


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: random.gamma((2,), 1.0, dtype="int32"), "random.gamma: expected a float dtype. Received: int32"),
        (lambda: random.beta((None,), 1.0, 1.0), "random.beta: the shape must be known"),
    ],
)
def test_errors(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_keras_names():
    assert {"beta", "binomial", "gamma"} <= set(dir(keras.random))


def test_arguments_at_their_limits():
    np.testing.assert_array_equal(random.dropout(np.ones((2, 3)), 1.0), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"logits of shape \(batch, classes\). Received shape \(5,\)"):
        random.categorical(np.ones(5), 2)
    with pytest.raises(ValueError, match=r"SeedGenerator: unknown arguments \['sed'\]"):
        random.SeedGenerator(sed=3)


def test_seed_generator_as_configuration():
    generator = random.SeedGenerator(3)
    config = keras.saving.serialize_keras_object(generator)
    assert config["module"] == "keras.random" and config["class_name"] == "SeedGenerator"
    again = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(random.uniform((2,), seed=again), random.uniform((2,), seed=generator))
