"""compile, fit, evaluate, predict: every kind of data and option, and what bad data gives."""

import gc
import math
import os
import warnings

import numpy as np
import pytest
from small_models import blobs, classifier

import dlcore as keras
from dlcore import _core, layers, ops
from dlcore.training.trainer import Trainer


@pytest.fixture(autouse=True)
def seeded():
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)


def line(**options):
    """y = w x + b, from w = b = 0."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "mse", **options})
    return model


def test_fit_learns():
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, epochs=30, verbose=0)
    assert history is model.history and list(history.history) == ["accuracy", "loss"] or "loss" in history.history
    assert len(history.history["loss"]) == 30 and history.history["loss"][-1] < history.history["loss"][0]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.97
    predictions = model.predict(x, verbose=0)
    assert predictions.shape == (200, 3) and np.mean(predictions.argmax(1) == y) == pytest.approx(accuracy)
    expected = -np.log(predictions[np.arange(200), y]).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_one_step_by_hand():
    model = line()
    x, y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
    # loss (4 + 16) / 2, gradients dw = mean(2 (0 - y) x) = -10, db = -6
    assert model.train_on_batch(x, y) == pytest.approx(10.0)
    w, b = model.get_weights()
    assert w[0, 0] == pytest.approx(1.0) and b[0] == pytest.approx(0.6)
    # The loss of this batch, not the mean of both.
    second = ((1 + 0.6 - 2) ** 2 + (2 + 0.6 - 4) ** 2) / 2
    assert model.train_on_batch(x, y) == pytest.approx(second, rel=1e-5)
    third = model.evaluate(x, y, verbose=0)
    assert model.test_on_batch(x, y, return_dict=True)["loss"] == pytest.approx(third, rel=1e-5)
    assert model.test_on_batch(x[:1], y[:1]) != pytest.approx(third, rel=1e-3)


@pytest.mark.parametrize("inputs, units", [(1, 1), (0.15, 1), (1, 0.3), (0.15, 0.3), (1, 0)])
def test_products_that_leave_out_zeros(inputs, units):
    """A step of a model of wide layers, with shares of nonzero inputs and of living units, beside NumPy's."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 300)) * (rng.random((160, 300)) < inputs)
    y = rng.normal(size=(160, 150))
    w1, w2 = rng.normal(size=(300, 290)) / 17, rng.normal(size=(290, 150)) / 17
    b1 = np.where(rng.random(290) < units, 0.0, -100.0)
    model = keras.Sequential([layers.Dense(290, activation="relu"), layers.Dense(150, use_bias=False)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.build((None, 300))
    model.set_weights([w1, b1, w2])
    loss = model.train_on_batch(x, y)
    h = np.maximum(x @ w1 + b1, 0)
    error = h @ w2 - y
    dy = 2 * error / error.size
    dh = dy @ w2.T * (h > 0)
    assert loss == pytest.approx(np.mean(error**2), rel=1e-5)
    for got, expected in zip(model.get_weights(), (w1 - x.T @ dh, b1 - dh.sum(0), w2 - h.T @ dy)):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_names_and_order_of_results():
    """As Keras 3.15 names and lists them, but that it lists a metric twice whose name is in both arguments."""
    x, y, weights = np.ones((4, 2)), np.array([0, 1, 2, 0]), np.array([1.0, 0.0, 0.0, 0.0])
    model = classifier(weighted_metrics=["accuracy"], metrics=["accuracy", "sparse_categorical_accuracy"])
    results = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    names = ["loss", "accuracy", "sparse_categorical_accuracy", "weighted_accuracy"]
    assert list(results) == sorted(names)
    found = int(model.predict(x, verbose=0)[0].argmax())
    assert results["accuracy"] == pytest.approx(np.mean(y == found))
    assert results["weighted_accuracy"] == float(found == 0)
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx([results[name] for name in names])

    inputs = keras.Input((2,))
    heads = [layers.Dense(1, name=name)(inputs) for name in ("b", "a")]
    model = keras.Model(inputs, heads)
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse", "mae"]], weighted_metrics=[["mae"], None])
    names = ["loss", "b_loss", "a_loss", "a_mae", "a_mse", "b_mae", "b_weighted_mae"]
    targets = [np.zeros((4, 1)), np.ones((4, 1))]
    for call in (model.evaluate, model.test_on_batch):
        results = call(x, targets, return_dict=True)
        assert sorted(results) == sorted(names)
        assert call(x, targets) == pytest.approx([results[name] for name in names])


def test_last_batch_is_smaller():
    x = np.arange(10.0).reshape(10, 1) / 10
    y = 3 * x + 1
    with_fit, by_hand = line(), line()
    with_fit.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for start in range(0, 10, 4):
            by_hand.train_on_batch(x[start : start + 4], y[start : start + 4])
    for a, b in zip(with_fit.get_weights(), by_hand.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    # The loss of evaluate is the mean over rows, not over batches.
    w, b = with_fit.get_weights()
    expected = np.mean((x * w + b - y) ** 2)
    assert with_fit.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_dtypes_of_data(dtype):
    x = (np.arange(12).reshape(6, 2) % 3).astype(dtype)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    w, b = model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), x.astype("float32") @ w + b, rtol=1e-5, atol=1e-6)


def test_eager_and_traced_agree():
    x, y = blobs(50)
    models = [classifier(), classifier(run_eagerly=True)]
    models[1].set_weights(models[0].get_weights())
    logs = [m.fit(x, y, epochs=2, shuffle=False, verbose=0).history for m in models]
    for key in logs[0]:
        np.testing.assert_allclose(logs[0][key], logs[1][key], rtol=1e-4)
    for a, b in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(models[0].predict(x, verbose=0), models[1].predict(x, verbose=0), rtol=1e-4, atol=1e-6)


class StartsAtTwo(layers.Layer):
    """A layer that gives its weights values where it makes them, and counts its calls."""

    def build(self, input_shape):
        self.dense = layers.Dense(1, use_bias=False)
        self.dense.build(input_shape)
        self.dense.set_weights([np.full((input_shape[-1], 1), 2.0)])
        self.calls = self.add_weight(shape=(), trainable=False)
        self.calls.assign(10.0)

    def call(self, x):
        self.calls.assign_add(1.0)
        return self.dense(x)


class SumOfErrors(keras.metrics.Metric):
    """A metric that makes its state when it sees the first batch."""

    total = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.total is None:
            self.total = self.add_weight(shape=(1,))
            self.total.assign(ops.zeros(1))
        self.total.assign_add(ops.sum(ops.abs(y_true - y_pred), axis=0))

    def result(self):
        return ops.sum(self.total)


class CountsInStep(keras.Sequential):
    """A train_step that makes a variable once and sets it in each step."""

    counter = None

    def train_step(self, data):
        if self.counter is None:
            self.counter = keras.Variable(0.0, trainable=False)
        self.counter.assign(5.0)
        self.counter.assign_add(1.0)
        return super().train_step(data)


def test_values_given_while_a_step_is_traced_are_given_once():
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")

    def trained(eager):
        keras.utils.set_random_seed(1)
        model = CountsInStep([StartsAtTwo()])
        optimizer = keras.optimizers.ScheduleFreeAdamW(0.1)
        model.compile(optimizer, "mse", metrics=[SumOfErrors(name="errors")], run_eagerly=eager)
        history = model.fit(x, y, batch_size=1, epochs=2, shuffle=False, verbose=0).history
        assert float(model.layers[0].calls) == 18 and float(model.counter) == 6
        return [*history["loss"], *history["errors"], *model.trainable_variables[0].numpy().ravel()]

    traced = trained(eager=False)
    np.testing.assert_allclose(traced, trained(eager=True), rtol=1e-5)
    assert traced[-1] < 1.9 and traced[0] != traced[1]


def test_same_seed_same_result():
    x, y = blobs(60)
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        model = classifier()
        model.fit(x, y, epochs=3, verbose=0)
        results.append(model.get_weights())
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_validation():
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    last = model.evaluate(x[150:], y[150:], verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(last["loss"], rel=1e-5)
    history = model.fit(x, y, epochs=4, validation_data=(x[:20], y[:20]), validation_freq=2, verbose=0).history
    assert len(history["val_loss"]) == 2 and len(history["loss"]) == 4
    history = model.fit(x, y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]


def test_sample_and_class_weights():
    x, y = np.array([[1.0], [1.0]]), np.array([[1.0], [3.0]])
    model = line()
    # Weighted losses 1 * 1 and 9 * 0, divided by the batch as Keras does.
    assert model.test_on_batch(x, y, sample_weight=np.array([1.0, 0.0])) == pytest.approx(0.5)
    xs, ys = blobs(50)
    weighted, plain = classifier(), classifier()
    plain.set_weights(weighted.get_weights())
    class_weight = {0: 2.0, 1: 0.5}
    weighted.fit(xs, ys, class_weight=class_weight, shuffle=False, verbose=0)
    weights = np.array([class_weight.get(label, 1.0) for label in ys])
    plain.fit(xs, ys, sample_weight=weights, shuffle=False, verbose=0)
    for a, b in zip(weighted.get_weights(), plain.get_weights()):
        np.testing.assert_array_equal(a, b)
    one_hot = classifier(loss="categorical_crossentropy")
    one_hot.fit(xs, np.eye(3)[ys], class_weight=class_weight, verbose=0)


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 10

    def __getitem__(self, i):
        return self.x[10 * i : 10 * i + 10], self.y[10 * i : 10 * i + 10]


def test_class_weights_weigh_no_rows_that_are_held_back():
    xs, ys, rows = np.arange(12.0).reshape(6, 2), np.array([0, 1, 1, 0, 1, 0]), np.arange(6.0)
    options = dict(class_weight={0: 5.0, 1: 3.0}, batch_size=2, epochs=2, shuffle=False, verbose=0)
    for weights in (None, rows):
        parts = [[None if a is None else a[part] for a in (xs, ys, weights)] for part in (slice(4), slice(4, 6))]
        models = []
        for _ in range(2):
            keras.utils.set_random_seed(1)
            models.append(keras.Sequential([keras.Input((2,)), layers.Dense(1)]))
            models[-1].compile("sgd", "mse")
        split = models[0].fit(xs, ys, sample_weight=weights, validation_split=1 / 3, **options).history
        (x, y, w), held_back = parts
        assert split == models[1].fit(x, y, sample_weight=w, validation_data=tuple(held_back), **options).history


@pytest.mark.parametrize("workers", [1, 2])
def test_dataset(workers):
    x, y = blobs(50)
    from_arrays, from_dataset = classifier(), classifier()
    from_dataset.set_weights(from_arrays.get_weights())
    data = Batches(x, y, workers=workers)
    from_arrays.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    from_dataset.fit(data, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(from_arrays.get_weights(), from_dataset.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert from_dataset.evaluate(data, verbose=0) == pytest.approx(from_arrays.evaluate(x, y, verbose=0), rel=1e-5)
    # A GPU may sum batches of another size in another order.
    same = {} if _core.current_device().startswith("cpu") else {"batch_size": 10}
    np.testing.assert_array_equal(from_dataset.predict(data, verbose=0), from_dataset.predict(x, verbose=0, **same))


def test_generator():
    x, y = blobs(50)

    def forever():
        while True:
            for i in range(5):
                yield x[10 * i : 10 * i + 10], y[10 * i : 10 * i + 10]

    model = classifier()
    history = model.fit(forever(), steps_per_epoch=5, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3
    assert len(model.evaluate(forever(), steps=5, verbose=0)) == 2
    assert model.predict(forever(), steps=2, verbose=0).shape == (20, 3)
    with pytest.warns(UserWarning, match="ran out after 1 of 4"):
        model.fit(iter([(x, y)]), steps_per_epoch=4, verbose=0)


def test_a_generator_that_ends_ends_training():
    x, y = blobs(20)
    model = classifier()
    with pytest.warns(UserWarning, match="used up: training ends after 1 of 3 epochs"):
        history = model.fit(iter([(x, y)] * 2), epochs=3, validation_data=(x, y), verbose=0)
    assert history.epoch == [0] and len(history.history["val_loss"]) == 1
    with pytest.raises(ValueError, match="to train on yielded no batch"):
        model.fit(iter([]), epochs=3, verbose=0)
    with pytest.raises(ValueError, match="to evaluate on yielded no batch"):
        model.fit(x, y, epochs=3, validation_data=iter([(x, y)]), verbose=0)


def test_batch_callbacks_see_every_batch():
    x, y = blobs(50)
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, set(logs)))
            if batch == 3:
                self.model.stop_training = True

    model = classifier()
    model.fit(x, y, batch_size=10, epochs=2, callbacks=[Note()], verbose=0)
    assert seen == [(i, {"loss", "accuracy"}) for i in range(4)]


@pytest.mark.parametrize("from_arrays", [True, False])
def test_callbacks_stop_evaluate_and_predict(from_arrays):
    x, y = blobs(50)
    called = []

    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            called.append("test")
            self.model.stop_evaluating = True

        def on_predict_batch_end(self, batch, logs=None):
            called.append("predict")
            self.model.stop_predicting = True

    model = classifier()
    data = (x, y) if from_arrays else ([(x[i : i + 10], y[i : i + 10]) for i in range(0, 50, 10)].__iter__(),)
    model.evaluate(*data, batch_size=10, callbacks=[Stop()], verbose=0)
    assert called == ["test"]
    assert model.predict(x, batch_size=10, callbacks=[Stop()]).shape[0] == 10
    assert called == ["test", "predict"]


def test_predict_calls_back_per_execution():
    called = []

    class Noting(keras.callbacks.Callback):
        def on_predict_batch_begin(self, batch, logs=None):
            called.append(batch)

        def on_predict_batch_end(self, batch, logs=None):
            called.append((batch, logs["outputs"].shape[0]))

    model = line(steps_per_execution=3)
    assert model.predict(np.ones((9, 1)), batch_size=2, callbacks=[Noting()]).shape == (9, 1)
    assert called == [0, (2, 6), 3, (4, 3)]


def test_validation_can_stop_training():
    x, y = blobs(50)

    class Stop(keras.callbacks.Callback):
        def on_test_end(self, logs=None):
            self.model.stop_training = True

    history = classifier().fit(x, y, epochs=3, validation_data=(x, y), callbacks=[Stop()], verbose=0)
    assert history.epoch == [0]


def test_custom_train_step():
    class Custom(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="zeros")
            self.tracker = keras.metrics.Mean(name="mean_loss")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                loss = ops.mean(ops.square(self(x, training=True) - y))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.tracker.update_state(loss)
            return {"mean_loss": self.tracker.result(), "last_loss": loss}

    model = Custom()
    model.compile(keras.optimizers.SGD(0.1))
    x, y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
    history = model.fit(x, y, epochs=2, batch_size=2, verbose=0).history
    second = ((1 + 0.6 - 2) ** 2 + (2 + 0.6 - 4) ** 2) / 2
    np.testing.assert_allclose(history["last_loss"], [10.0, second], rtol=1e-5)
    np.testing.assert_allclose(history["mean_loss"], [10.0, second], rtol=1e-5)


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
def test_train_step_of_keras_2(metrics):
    class Old(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.compiled_metrics.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    x, y = blobs(20)
    histories = []
    for cls in (Old, keras.Sequential):
        dense = layers.Dense(3, kernel_initializer="ones", kernel_regularizer="l2")
        model = cls([keras.Input((x.shape[1],)), dense])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=metrics)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            histories.append(model.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0).history)
        assert bool(caught) == (cls is Old) and all("are deprecated" in str(w.message) for w in caught)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-6)


def test_losses_of_layers_and_regularizers():
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(1, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5))]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    assert model.test_on_batch(np.array([[1.0]]), np.array([[1.0]])) == pytest.approx(0.5)
    assert model.train_on_batch(np.array([[1.0]]), np.array([[1.0]])) == pytest.approx(0.5)
    assert [float(loss) for loss in model.losses] == [0.5]


def test_frozen_layers_stay():
    x, y = blobs(50)
    model = classifier()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])
    model.layers[0].trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_last_axis_of_images_is_added():
    x = keras.Input((4, 4, 1))
    model = keras.Model(x, layers.Dense(1)(layers.Flatten()(x)))
    model.compile("sgd", "mse")
    images = np.random.default_rng(0).normal(size=(6, 4, 4))
    model.fit(images, images[:, 0, :1], verbose=0)
    assert model.predict(images, verbose=0).shape == (6, 1)


BAD_DATA = [
    (lambda x, y: (x[:5], y[:4]), "same number of samples.*x: 5, y: 4"),
    (lambda x, y: (x[:0], y[:0]), "empty"),
    (lambda x, y: (x[:, :1], y), r"expected shape=\(None, 2\), found shape=\(32, 1\)"),
    (lambda x, y: (x, np.eye(3)[y]), "categorical_crossentropy"),
    (lambda x, y: (x.astype(str), y), "text"),
    (lambda x, y: (np.array([[1, 2], [3]], dtype=object), y[:2]), "pad_sequences"),
    (lambda x, y: (x, None), "no targets"),
]


@pytest.mark.parametrize("change, message", BAD_DATA)
def test_bad_data_leaves_the_model(change, message):
    x, y = blobs(50)
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(*change(x, y), verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.fit(x, y, verbose=0)


BAD_VALIDATION = [
    (lambda x, y: (x[:, :1], y), r"expected shape=\(None, 2\), found shape=\(32, 1\)"),
    (lambda x, y: (x, y[:4]), "same number of samples.*x: 50, y: 4"),
    (lambda x, y: (x, None), "no targets"),
]


@pytest.mark.parametrize("change, message", BAD_VALIDATION)
def test_bad_validation_data_is_found_before_training(change, message):
    x, y = blobs(50)
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, validation_data=change(x, y), verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_labels_out_of_range_in_a_later_batch():
    x, y = blobs(50)
    keras.utils.set_random_seed(1)
    model, expected = classifier(), classifier()
    expected.set_weights(model.get_weights())
    y[43] = 5
    with pytest.raises(IndexError, match="label 5 at row 3 is not one of the 3 classes"):
        model.fit(x, y, batch_size=20, shuffle=False, verbose=0)
    expected.fit(x[:40], y[:40], batch_size=20, shuffle=False, verbose=0)
    for a, b in zip(expected.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)  # the batches before it have trained, nothing of its own has


@pytest.mark.skipif(
    keras._core.current_device() != "cpu:0", reason="other devices find out later, see docs/cuda.md (Errors)"
)
def test_a_step_that_fails_changes_nothing():
    x, y = blobs(32)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(x, y)
    model.reset_metrics()  # as each batch of its own begins
    variables = [*model.variables, *model.optimizer.variables, *(v for m in model.metrics for v in m.variables)]
    before = [np.array(v) for v in variables]
    assert len(before) > 20
    with pytest.raises(IndexError, match="label 3 at row 5"):
        model.train_on_batch(x, np.where(np.arange(32) == 5, 3, y))
    for variable, value in zip(variables, before):
        np.testing.assert_array_equal(np.array(variable), value, err_msg=variable.path)


def test_bad_options():
    x, y = blobs(20)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"call compile\(\) before fit\(\)"):
        model.fit(x, y)
    with pytest.raises(ValueError, match='(?i)unknown optimizer.*"adam"'):
        model.compile("adm")
    with pytest.raises(ValueError, match="(?i)unknown loss.*categorical_crossentropy"):
        model.compile("adam", "catgorical_crossentropy")
    with pytest.raises(ValueError, match="(?i)unknown metric"):
        model.compile("adam", "mse", metrics=["acuracy"])
    assert not model.compiled
    model = classifier()
    with pytest.raises(ValueError, match="batch_size"):
        model.fit(x, y, batch_size=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.fit(x, y, validation_split=1.5)
    for name, count in {"epochs": -1, "steps_per_epoch": 0, "validation_steps": 2.5, "validation_freq": 0}.items():
        with pytest.raises(ValueError, match=f"fit: {name} must be an int >= [01]. Got {name}={count}"):
            model.fit(x, y, **{name: count})
    for method in (model.evaluate, model.predict):
        with pytest.raises(ValueError, match="steps must be an int >= 1. Got steps=0"):
            method(x, steps=0)
    with pytest.raises(ValueError, match="no loss to compute"):
        model.compile("adam")
        model.fit(x, y, verbose=0)


def test_xor_as_lists():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    model.fit(x, y, epochs=200, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] == 1.0


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_dropped_models_give_their_memory_back():
    x, y = np.zeros((8, 300), "float32"), np.zeros(8, "int64")

    def use():
        model = keras.Sequential([keras.Input((300,)), layers.Dense(1000), layers.Dense(10)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, y, verbose=0)

    # The interpreter's own collections come late, for it does not see the memory of tensors.
    gc.disable()
    try:
        for _ in range(30):
            use()
        first = resident_bytes()
        for _ in range(60):
            use()
        # Each model has 3.7 MB of weights and optimizer state; 60 of them 220 MB.
        assert resident_bytes() - first < 90e6
    finally:
        gc.enable()


def test_memory_stays_flat():
    import resource

    x, _ = blobs(64)
    model = classifier()

    def use(times):
        for i in range(times):
            model.predict(x[: 1 + i % 8], verbose=0)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    first = use(500)
    assert use(5000) - first < 2048  # kB


def test_own_compute_loss_is_what_is_minimised_and_evaluated():
    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, use_bias=False, kernel_initializer="ones")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(x - y_pred))

    model = Autoencoder()
    model.compile(keras.optimizers.SGD(0.1))
    x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
    expected = np.mean(np.square(x - x @ np.ones((2, 2))))
    assert model.evaluate(x, verbose=0) == pytest.approx(expected)
    assert model.evaluate(x, batch_size=1, verbose=0) == pytest.approx(expected)
    history = model.fit(x, epochs=2, validation_data=(x,), verbose=0).history
    assert history["loss"][0] == pytest.approx(expected)
    assert history["val_loss"][0] == pytest.approx(history["loss"][1]) and history["val_loss"][1] < expected


def test_compile_leaves_a_loss_of_the_models_own():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.loss = keras.losses.MeanAbsoluteError()
    model.compile("sgd")
    assert isinstance(model.loss, keras.losses.MeanAbsoluteError)
    model.compile("sgd", loss="mse")
    assert model.loss == "mse"


def test_compute_loss_may_leave_out_the_training_flag():
    class Halved(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean(ops.square(y - y_pred)) / 2

    model = Halved([keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd")
    assert model.evaluate(np.ones((4, 2)), np.zeros((4, 1)), verbose=0) == 2.0
    assert model.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0).history["loss"] == [2.0]


class TrainableLayer(Trainer, layers.Layer):
    """A layer that is made trainable by the mixin, whose constructor takes no arguments."""

    def __init__(self):
        Trainer.__init__(self)
        layers.Layer.__init__(self)
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def test_any_layer_can_be_made_trainable():
    layer = TrainableLayer()
    layer.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    losses = layer.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and layer.predict(x, verbose=0).shape == (8, 1)
    assert layer.evaluate(x, y, verbose=0)[0] < losses[0]


def test_functions_as_metrics_are_named_in_snake_case():
    def MeanGap(y_true, y_pred):  # noqa: N802
        return ops.mean(y_true - y_pred)

    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[MeanGap, lambda y_true, y_pred: ops.max(y_pred)])
    history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history
    assert set(history) == {"loss", "mean_gap", "lambda"}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_step_of_the_users_own_updates_the_metrics_of_compile(eagerly):
    class Own(keras.Sequential):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    x, y = np.array([[1.0], [2.0]]), np.array([[2.0], [5.0]])
    histories = []
    for cls in (Own, keras.Sequential):
        model = cls([layers.Dense(1, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], run_eagerly=eagerly)
        histories.append(model.fit(x, y, epochs=2, shuffle=False, verbose=0).history)
    assert set(histories[0]) == {"loss", "mae"} and histories[0]["mae"][0] == pytest.approx(3.5)
    for name in histories[0]:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-6)


@pytest.mark.parametrize("eagerly", [False, True])
def test_layers_train_in_fit_also_in_a_model_whose_call_has_no_training(eagerly):
    class Normalized(keras.Model):
        def __init__(self):
            super().__init__()
            self.normalization = layers.BatchNormalization(momentum=0.5)

        def call(self, x):
            return self.normalization(x)

    model = Normalized()
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.fit(np.array([[1.0], [3.0]]), np.zeros((2, 1)), verbose=0)
    np.testing.assert_allclose(model.normalization.moving_mean, [1.0])
    model.evaluate(np.array([[1.0], [3.0]]), np.zeros((2, 1)), verbose=0)
    np.testing.assert_allclose(model.normalization.moving_mean, [1.0])


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("metric", ["accuracy", "sparse_categorical_accuracy"])
def test_a_step_gives_the_metrics_what_is_neither_data_nor_outputs(metric, eagerly):
    """Pairs to tell apart by their embeddings: the data has no targets, and the model is not called on it as it is."""

    class Pairs(keras.Model):
        def train_step(self, data):
            with keras.GradientTape() as tape:
                likeness = ops.matmul(self(data[0]), ops.transpose(self(data[1])))
                same = ops.arange(len(likeness))
                loss = self.compute_loss(y=same, y_pred=likeness)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            for metric in self.metrics:
                metric.update_state(loss) if metric.name == "loss" else metric.update_state(same, likeness)
            return {metric.name: metric.result() for metric in self.metrics}

    inputs = keras.Input((2,))
    model = Pairs(inputs, layers.Dense(2, kernel_initializer="identity")(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[metric], run_eagerly=eagerly)
    batch = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]])
    history = model.fit(iter([batch, batch[:, ::-1], np.stack([batch[0], batch[1, ::-1]])]), verbose=0).history
    assert set(history) == {"loss", metric} and history[metric] == [pytest.approx(2 / 3)]
    np.testing.assert_allclose(history["loss"], [(2 * math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 3], 1e-6)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_step_sees_the_metrics_of_several_outputs_as_one(eagerly):
    class Own(keras.Model):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x, y, y_pred)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            compiled = next(metric for metric in self.metrics if metric.name == "compile_metrics")
            compiled.update_state(y, y_pred)
            return {"own": loss, **compiled.result()}

    inputs = keras.Input((1,))
    outputs = {name: layers.Dense(1, kernel_initializer="zeros", name=name)(inputs) for name in "ab"}
    model = Own(inputs, outputs)
    model.compile("sgd", "mse", metrics={"a": ["mae"], "b": ["mse"]}, run_eagerly=eagerly)
    y = {"a": np.ones((4, 1)), "b": np.full((4, 1), 2.0)}
    history = model.fit(np.ones((4, 1)), y, batch_size=4, verbose=0).history
    assert history["a_mae"] == [1.0] and history["b_mse"] == [4.0] and history["own"] == [5.0]
    assert [metric.name for metric in model.metrics][:3] == ["loss", "a_mae", "b_mse"]


def test_a_step_without_the_model_needs_no_metrics():
    class Inner(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(1)

        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                loss = ops.mean(ops.square(self.inner(x) - y))
            self.optimizer.apply(tape.gradient(loss, self.inner.trainable_variables), self.inner.trainable_variables)
            return {"own": loss}

    model = Inner()
    model.compile("sgd", metrics=["mae"])
    assert set(model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0).history) == {"own"}


def test_a_metric_with_and_without_weights():
    model = line(metrics=["mae"], weighted_metrics=["mae"])
    x, y, weights = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]), np.array([1.0, 0.0])
    history = model.fit(x, y, sample_weight=weights, verbose=0).history
    assert history["mae"] == [3.0] and history["weighted_mae"] == [2.0]


@pytest.mark.parametrize("from_arrays", [True, False])
def test_steps_per_execution(from_arrays):
    called = []

    class Noting(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            called.append(("begin", batch))

        def on_train_batch_end(self, batch, logs=None):
            called.append(("end", batch))

    x, y = np.arange(10.0).reshape(5, 2)[:, :1], np.ones((5, 1))
    plain, in_threes = line(), line(steps_per_execution=3)
    for model in (plain, in_threes):
        called.clear()
        data = {"x": x, "y": y, "batch_size": 1, "shuffle": False}
        data = data if from_arrays else {"x": [(x[i : i + 1], y[i : i + 1]) for i in range(5)].__iter__()}
        model.fit(**data, verbose=0, callbacks=[Noting()])
    assert called == [("begin", 0), ("end", 2), ("begin", 3), ("end", 4)]
    np.testing.assert_array_equal(plain.get_weights()[0], in_threes.get_weights()[0])
    if from_arrays:  # the last batch is smaller
        called.clear()
        in_threes.fit(x, y, batch_size=2, verbose=0, callbacks=[Noting()])
        assert called == [("begin", 0), ("end", 2)]
    with pytest.raises(ValueError, match="compile: steps_per_execution must be an int >= 1. Got steps_per_execution=0"):
        line(steps_per_execution=0)


def test_metrics_come_with_no_state():
    x, metric = np.ones((4, 2), "float32"), keras.metrics.MeanAbsoluteError(name="mae")
    for target in (5.0, 7.0):
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[metric])
        assert model.fit(x, np.full((4, 1), target), verbose=0).history["mae"] == [target]


def test_a_call_that_leaves_for_numpy_is_warned_of():
    class Halved(layers.Layer):
        def call(self, x):
            return ops.convert_to_tensor(np.asarray(x) / 2)

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), Halved(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.warns(UserWarning, match="Gradients end where a layer computes with anything but dlcore"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


def test_logs_of_an_epoch_are_in_alphabetical_order():
    x, y = blobs(20)
    model = classifier(weighted_metrics=["accuracy"])
    names = list(model.fit(x, y, validation_data=(x, y), verbose=0).history)
    assert names == sorted(names) and names[-1] == "weighted_accuracy"
