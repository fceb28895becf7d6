"""explain: the kernels of a step, with times."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers

X, Y = np.random.RandomState(0).rand(8, 4).astype("float32"), np.ones((8, 1), "float32")


def make_model():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dropout(0.5), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    return model


def test_training_step_leaves_the_model_as_it_was():
    model = make_model()
    model.fit(X, Y, verbose=0)
    state = [v.numpy() for v in (*model.variables, *model.optimizer.variables, *model.metrics_variables)]
    text = keras.explain(model, X, Y, step="train", runs=3)
    assert text.splitlines()[0].count("arena") == 1 and "matmul(" in text and " us " in text and "%" in text
    after = [v.numpy() for v in (*model.variables, *model.optimizer.variables, *model.metrics_variables)]
    for before, value in zip(state, after):
        np.testing.assert_array_equal(value, before)


def test_prediction_without_times():
    model = make_model()
    text = keras.explain(model, X, runs=0)
    assert " us " not in text and text.count("matmul(") == 2 and "relu" in text
    assert all(f'  Dense "{model.layers[i].path}"' in text for i in (0, 2))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: keras.explain(make_model(), X, step="fit"),
            "must be one of 'train', 'test', 'predict'. .* step='fit'",
        ),
        (lambda: keras.explain(make_model(), X, runs=-1), "runs must be 0 or more. Received: runs=-1"),
        (
            lambda: keras.explain(keras.Sequential([layers.Dense(1)]), X, Y, step="test"),
            r"call compile\(\) before explain",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
