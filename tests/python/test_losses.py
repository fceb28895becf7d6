"""Losses beyond their values: functions, masks, own losses, messages. Values: test_training_golden.py."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import losses, ops

Y = np.array([[0.0, 1.0], [2.0, 3.0]], "float32")


def test_strings_find_functions():
    assert losses.get("mse") is losses.mean_squared_error is losses.MSE
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert losses.get(losses.serialize(losses.mean_squared_error)) is losses.mean_squared_error
    np.testing.assert_allclose(losses.mae(Y, Y + 1).numpy(), [1, 1])
    with pytest.raises(ValueError, match='Unknown loss: "binary_crossentrpy".*binary_crossentropy'):
        losses.get("binary_crossentrpy")


def test_column_and_flat_targets_are_the_same():
    y = np.array([1.0, 2.0, 3.0], "float32")
    loss = losses.MeanSquaredError()
    assert float(loss(y, y[:, None] + 1)) == float(loss(y[:, None], y + 1)) == 1.0


def test_masks():
    predictions = ops.convert_to_tensor(np.array([[1.0, 5.0, 1.0], [1.0, 1.0, 9.0]])[..., None])
    predictions._keras_mask = ops.convert_to_tensor(np.array([[True, False, True], [True, True, False]]))
    zeros = np.zeros((2, 3, 1))
    assert float(losses.MeanSquaredError()(zeros, predictions)) == pytest.approx(1.0)
    assert float(losses.MeanSquaredError(reduction="sum")(zeros, predictions)) == pytest.approx(4.0)
    weights = np.array([2.0, 0.0])
    assert float(losses.MeanSquaredError()(zeros, predictions, sample_weight=weights)) == pytest.approx(1.0)


def test_own_loss():
    class Quartic(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean((y_true - y_pred) ** 4, axis=-1)

    assert float(Quartic()(Y, Y + 2)) == 16.0
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    model.compile("sgd", loss=lambda y_true, y_pred: ops.mean(ops.abs(y_true - y_pred), axis=-1))
    assert model.evaluate(Y, Y, verbose=0) == pytest.approx(1.5)


@pytest.mark.parametrize("from_logits", (False, True))
def test_labels_out_of_range(from_logits):
    scores = np.full((2, 3), 1 / 3, "float32")
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(IndexError, match="3"):
            losses.SparseCategoricalCrossentropy(from_logits=from_logits)(np.array(labels), scores).numpy()


def test_large_labels_stay_exact():
    """Labels are not converted to float32, which cannot hold all of them."""
    scores = np.zeros((1, 2**24 + 1), "float32")
    with pytest.raises(IndexError, match=str(2**24 + 1)):
        losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([2**24 + 1]), scores).numpy()


def test_a_softmax_output_gives_the_stable_loss():
    """The cross-entropy of a softmax works on its logits: no infinity for a hopeless prediction."""
    logits = ops.convert_to_tensor(np.array([[1000.0, 0.0]], "float32"))
    loss = losses.SparseCategoricalCrossentropy()(np.array([1]), ops.softmax(logits))
    assert float(loss) == pytest.approx(1000.0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: losses.MeanSquaredError(reduction="avg"), "Unknown loss reduction 'avg'"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=2), r"must be a number in \[0, 1\]. Got label_smoothing=2"),
        (lambda: losses.get(3), "Cannot interpret 3 as a loss"),
        (lambda: losses.deserialize({"config": {}}), 'a dict with "class_name" and "config"'),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        losses.CategoricalCrossentropy()(np.ones((2, 3), "float32"), np.ones((2, 4), "float32"))


@pytest.mark.parametrize("reduction", ["mean", "sum_over_batch_size", "mean_with_sample_weight", "sum"])
def test_the_mean_of_no_values_is_0(reduction):
    loss = losses.MeanSquaredError(reduction=reduction)
    steps = np.zeros((0, 4, 2))
    assert float(loss(steps, steps)) == 0.0
    assert float(loss(steps, steps, sample_weight=np.zeros((0, 1)))) == 0.0
