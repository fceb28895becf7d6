"""Small models and data that several files of tests use."""

import numpy as np

import dlcore as keras
from dlcore import layers


def zeros(*shape):
    return np.zeros(shape, "float32")


def compiled(optimizer="sgd", loss="mse", metrics=None):
    """A model of four numbers -> three."""
    model = keras.Sequential([keras.Input((4,), name="numbers"), layers.Dense(3, name="head")], name="net")
    model.compile(optimizer, loss, metrics=metrics)
    return model


def fit(x, y, loss="mse", **options):
    compiled(loss=loss).fit(x, y, verbose=0, **options)


def fit_labels(y, loss, **options):
    fit(zeros(len(y), 4), np.array(y), loss=loss, **options)


def blobs(rows=200, classes=3):
    """Separable classes in the plane."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    angle = 2 * np.pi * y / classes
    x = np.stack([np.cos(angle), np.sin(angle)], 1) * 2 + rng.normal(scale=0.3, size=(rows, 2))
    return x, y


def classifier(**options):
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(**options)
    return model


def small_model():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, activation="tanh", name="first"), layers.Dense(2, name="second")]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def trained(model, shape=(4,), outputs=2):
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.normal(size=(8, *shape)).astype("float32"), rng.normal(size=(8, outputs)))
    return model


def weights_of(model):
    return [np.array(weight) for weight in model.get_weights()]


def assert_same_weights(model, expected):
    actual = weights_of(model)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a, e)
