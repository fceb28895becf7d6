"""predict: any number of rows and any arrays, and every change of the weights and of the model before it."""

import numpy as np
import pytest
from small_models import blobs, classifier

import dlcore as keras
from dlcore import layers, ops


@pytest.fixture(autouse=True)
def seeded():
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)


def test_predict_of_any_number_of_rows():
    x, _ = blobs(70)
    model = classifier()
    whole = model.predict(x, verbose=0)
    for rows in (1, 7, 32, 33, 64):
        np.testing.assert_allclose(model.predict(x[:rows], verbose=0), whole[:rows], rtol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x[:5]), whole[:5], rtol=1e-6)
    np.testing.assert_allclose(model(x[:5].astype("float32")).numpy(), whole[:5], rtol=1e-6)


def images_classifier():
    model = keras.Sequential(
        [
            keras.Input((13, 13, 32)),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def _assign(model, tmp_path):
    for weight in model.weights:
        weight.assign(weight * 0.5)


def _set_weights(model, tmp_path):
    model.set_weights([w + 0.1 for w in model.get_weights()])


def _fit(model, tmp_path):
    rng = np.random.default_rng(1)
    model.fit(rng.random((8, 13, 13, 32)), rng.integers(0, 3, 8), batch_size=4, verbose=0)


def _train_on_batch(model, tmp_path):
    model.train_on_batch(np.ones((2, 13, 13, 32)), np.array([0, 2]))


def _load_weights(model, tmp_path):
    other = images_classifier()
    _set_weights(other, tmp_path)
    other.save_weights(tmp_path / "other.weights.h5")
    model.load_weights(tmp_path / "other.weights.h5")


@pytest.mark.parametrize("change", [_assign, _set_weights, _fit, _train_on_batch, _load_weights])
def test_predictions_follow_every_change_of_the_weights(change, tmp_path):
    # Programs keep what they have computed from the weights; a model built anew has nothing of the kind.
    x = np.random.default_rng(0).random((5, 13, 13, 32), "float32")
    model = images_classifier()
    ways = [
        lambda m: m.predict(x, verbose=0),
        lambda m: m.predict(x[:1], verbose=0),
        lambda m: m.predict(x, batch_size=2, verbose=0),
        lambda m: m.predict_on_batch(x),
        lambda m: m(x).numpy(),
    ]
    before = [way(model) for way in ways]
    for _ in range(2):
        change(model, tmp_path)
        fresh = images_classifier()
        fresh.set_weights(model.get_weights())
        for way, old in zip(ways, before):
            np.testing.assert_array_equal(way(model), way(fresh))
            assert not np.array_equal(way(model), old)


def test_predict_of_one_batch_takes_any_array():
    x = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
    model = classifier()
    whole = model.predict(x, batch_size=4, verbose=0)
    for rows in (x.astype("float64"), np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x.tolist()):
        np.testing.assert_allclose(model.predict(rows, verbose=0), whole, rtol=1e-6)
    first = model.predict(x, verbose=0)
    kept = first.copy()
    model.predict(x + 1, verbose=0)
    np.testing.assert_array_equal(first, kept)  # each call gives arrays of its own
    for batch_size in (0, -1, 2.5, "2"):
        with pytest.raises(ValueError, match="batch_size"):
            model.predict(x, batch_size=batch_size, verbose=0)


def test_predict_of_a_batch_seen_before_follows_every_change_of_the_model():
    traces = []

    class Doubled(layers.Layer):
        def call(self, x):
            traces.append(x.shape)
            return 2 * x

    x = np.arange(6, dtype="float32").reshape(3, 2)
    model = keras.Sequential([keras.Input((2,)), Doubled()])
    for _ in range(3):
        np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * x)
    seen = len(traces)
    model.predict(x, verbose=0)
    assert len(traces) == seen
    model.run_eagerly = True
    np.testing.assert_array_equal(model.predict(x, verbose=0), 2 * x)
    assert len(traces) == seen + 1
    model.run_eagerly = False
    model.add(Doubled())
    np.testing.assert_array_equal(model.predict(x, verbose=0), 4 * x)
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), 4 * x)
    np.testing.assert_array_equal(model.predict(np.repeat(x, 2, 0)[::2], verbose=0), 4 * x)
    with pytest.raises(ValueError, match="batch_size"):
        model.predict(x, batch_size=0, verbose=0)
    outer = keras.Sequential([keras.Input((2,)), model])
    np.testing.assert_array_equal(outer.predict(x, verbose=0), 4 * x)
    model.add(Doubled())
    np.testing.assert_array_equal(outer.predict(x, verbose=0), 8 * x)
    model.pop(rebuild=False)
    np.testing.assert_array_equal(outer.predict(x, verbose=0), 4 * x)
    model.layers[0].dtype_policy = "float16"
    assert model.predict(x, verbose=0).dtype == "float32"  # of the last layer
    assert traces[-2:] == [(3, 2), (3, 2)] and len(traces) > seen + 9


def test_structures_with_the_same_arrays_are_told_apart():
    class Choice(keras.Model):
        def call(self, inputs):
            if isinstance(inputs, dict):
                return inputs["a"] - inputs["b"] if "a" in inputs else inputs["c"] + inputs["d"]
            return inputs[0] * 100 if isinstance(inputs, list) else inputs

    class Total(layers.Layer):
        def call(self, inputs):
            self.add_loss(ops.sum(inputs))
            return inputs

    model, x = Choice(), np.ones((2, 3), "float32")
    for inputs, expected in [(x, 1), ([x], 100), ({"a": 5 * x, "b": x}, 4), ({"c": 5 * x, "d": x}, 6), (x, 1)]:
        assert model.predict(inputs, verbose=0)[0, 0] == expected
    model = keras.Sequential([keras.Input((3,)), Total()])
    model.compile("sgd", "mse")
    assert model.evaluate(x, 0 * x, verbose=0) == 7
    with pytest.raises(ValueError, match="got no targets"):
        model.evaluate(x, sample_weight=0 * x, verbose=0)


def test_arrays_in_the_other_byte_order():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    for dtype in (">f2", ">f4", ">f8", ">i2", ">i4", ">i8"):
        x = np.arange(6).reshape(2, 3).astype(dtype)
        for call in (model.predict_on_batch, lambda x: model.predict(x, verbose=0), lambda x: np.array(model(x))):
            np.testing.assert_array_equal(call(x), [[3, 3], [12, 12]])
        assert model.evaluate(x, np.array([[3], [12]], dtype), verbose=0) == 0
        if dtype != ">i2":
            np.testing.assert_array_equal(ops.convert_to_tensor(x), x)
            np.testing.assert_array_equal(keras.Variable(x), x)
