"""Models used from several threads, as servers do."""

import threading
import time

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers


def in_threads(*functions):
    """Runs the functions at the same time; raises what one of them raised."""
    errors = []

    def guarded(function):
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def images_model():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("how", ["predict", "call", "predict_on_batch", "fresh model"])
def test_predictions_of_one_model_in_several_threads(how):
    model = images_model()
    x = np.random.default_rng(0).random((32, 16, 16, 3), "float32")
    expected = np.concatenate([model.predict(x[i : i + 1], verbose=0) for i in range(32)])
    if how == "fresh model":  # which all threads trace at once
        model, weights = images_model(), model.get_weights()
        model.set_weights(weights)
    call = {"call": lambda x: model(x).numpy(), "predict_on_batch": model.predict_on_batch}
    predict = call.get(how, lambda x: model.predict(x, verbose=0))

    def serve(first):
        for i in range(first, first + 150):
            np.testing.assert_array_equal(predict(x[i % 32 : i % 32 + 1])[0], expected[i % 32])

    in_threads(*(lambda first=first: serve(first) for first in (0, 7, 19, 30)))


@pytest.mark.parametrize("call", ["predict", "__call__"])
def test_models_that_several_threads_build_at_once(call):
    class Slow(layers.Dense):
        def build(self, input_shape):
            time.sleep(0.01)
            super().build(input_shape)

    x = np.ones((2, 5), "float32")
    for model in (keras.Sequential([Slow(8), Slow(3)]), Nested(Slow)):
        results = []
        in_threads(*[lambda: results.append(np.array(getattr(model, call)(x)))] * 4)  # noqa: B023, waited for
        assert len(model.weights) == 4 and len(results) == 4
        for result in results:
            np.testing.assert_array_equal(result, results[0])


class Nested(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.first, self.second = layer(8), layer(3)

    def call(self, x):
        return self.second(self.first(x))


def test_name_scopes_are_of_their_own_thread():
    paths = []
    with keras.name_scope("outer"):
        in_threads(lambda: paths.append(keras.Variable(1.0, name="inner").path))
        assert keras.Variable(1.0, name="inner").path == "outer/inner"
    assert paths == ["inner"]


def test_tapes_record_their_own_thread():
    variable, reads = keras.Variable(1.0), []
    with keras.GradientTape() as tape:
        in_threads(lambda: reads.append(2 * variable))
    assert tape.watched_variables() == ()


def test_training_predicting_and_assigning_weights_at_once():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(32, "relu"), layers.Dropout(0.2), layers.Dense(3)])
    model.compile("adam", "mse")
    x, y = np.ones((64, 8), "float32"), np.ones((64, 3), "float32")
    weights = model.get_weights()

    def repeat(function):
        return lambda: [function() for _ in range(30)]

    in_threads(
        repeat(lambda: model.fit(x, y, verbose=0)),
        repeat(lambda: model.predict(x, verbose=0)),
        repeat(lambda: model(x[:1])),
        repeat(lambda: model.set_weights(weights)),
    )
    assert np.isfinite(model.predict(x, verbose=0)).all()


def test_weights_held_and_assigned_while_predicting():
    model = keras.Sequential([keras.Input((1024,)), layers.Dense(1024, use_bias=False)])
    kernel, x = model.weights[0], np.ones((64, 1024), "float32")
    values = [np.full((1024, 1024), i, "float32") for i in range(3)]
    done = threading.Event()

    def predict():
        while not done.is_set():
            y = model.predict(x, batch_size=64, verbose=0)
            assert y[0, 0] / 1024 in (0, 1, 2) and np.all(y == y[0, 0])

    def assign():
        try:
            for i in range(100):
                held = kernel.value
                kernel.assign(values[i % 3])
                del held
                kernel.assign(values[(i + 1) % 3])
        finally:
            done.set()

    kernel.assign(values[0])
    in_threads(predict, predict, assign)


def test_models_trained_in_several_threads_are_those_trained_one_after_another():
    x = np.random.default_rng(1).random((64, 8), "float32")
    y = x @ np.ones((8, 1), "float32")

    def train(seed, losses):
        kernels = [keras.initializers.GlorotUniform(seed=seed + i) for i in range(2)]
        hidden = layers.Dense(16, "relu", kernel_initializer=kernels[0])
        model = keras.Sequential([keras.Input((8,)), hidden, layers.Dense(1, kernel_initializer=kernels[1])])
        model.compile("adam", "mse")
        losses[seed] = model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"]

    alone, together = {}, {}
    for seed in (0, 10, 20):
        train(seed, alone)
    in_threads(*(lambda seed=seed: train(seed, together) for seed in (0, 10, 20)))
    assert together == alone
