"""Metrics beyond their values: state, own metrics, use in models, messages. Values: test_training_golden.py."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import losses, metrics, ops


def test_strings():
    assert isinstance(metrics.get("AUC"), metrics.AUC)
    assert isinstance(metrics.get("mse"), metrics.MeanSquaredError)
    assert isinstance(metrics.get("sparse_top_k_categorical_accuracy"), metrics.SparseTopKCategoricalAccuracy)
    with pytest.raises(ValueError, match='Unknown metric: "acuracy".*accuracy'):
        metrics.get("acuracy")


def test_mean_and_sum():
    mean = metrics.Mean(name="m")
    mean.update_state([1, 3, 5, 7])
    mean.update_state(9)
    assert float(mean.result()) == 5.0
    mean.reset_state()
    assert float(mean.result()) == 0.0
    assert float(mean([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])) == 2.0
    total = metrics.Sum()
    assert float(total(np.ones((4, 3)))) == 12.0
    assert [v.path for v in mean.variables] == ["m/total", "m/count"]


def test_mean_of_a_function():
    metric = metrics.MeanMetricWrapper(losses.mean_absolute_error, name="distance")
    assert float(metric(np.zeros((2, 3)), np.full((2, 3), 2.0))) == 2.0
    copy = metrics.deserialize(metrics.serialize(metric))
    assert copy.get_config() == metric.get_config() and copy.name == "distance"


def test_own_metric_in_a_model():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", dtype=None):
            super().__init__(name=name, dtype=dtype)
            self.value = self.add_weight(name="value", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(ops.maximum(self.value, ops.max(y_true)))

        def result(self):
            return self.value

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Largest()])
    y = np.arange(20, dtype="float32")
    logs = model.evaluate(np.ones((20, 2)), y, batch_size=4, verbose=0, return_dict=True)
    assert logs["largest"] == 19.0


def test_state_of_metrics_inside():
    outer = metrics.Mean()
    outer.one = metrics.Mean()
    outer.more = [metrics.Mean(), {"deep": metrics.Sum(), "state": keras.Variable(0.0)}]
    assert len(outer.variables) == 2 + 2 + 2 + 1 + 1
    outer.more[1]["deep"].update_state([3.0])
    outer.one = outer.more.pop(0)
    assert len(outer.variables) == 2 + 2 + 1 + 1
    outer.reset_state()
    assert all(float(v) == 0 for v in outer.variables)


def test_metrics_of_a_model_are_of_the_whole_epoch():
    rng = np.random.RandomState(0)
    x, y = rng.rand(50, 3).astype("float32"), (rng.rand(50) > 0.5).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    chosen = ["accuracy", "AUC", metrics.Precision(name="p"), metrics.F1Score(threshold=0.5, average="micro")]
    model.compile("sgd", "binary_crossentropy", metrics=chosen)
    logs = model.evaluate(x, y[:, None], batch_size=8, verbose=0, return_dict=True)
    predicted = model.predict(x)
    assert logs["accuracy"] == pytest.approx(float(((predicted[:, 0] > 0.5) == y).mean()), abs=1e-6)
    for name, metric in (("AUC", metrics.AUC()), ("p", metrics.Precision())):
        key = name if name in logs else name.lower()
        assert logs[key] == pytest.approx(float(metric(y[:, None], predicted)), abs=1e-5)


def test_masked_steps_do_not_count():
    y_pred = ops.convert_to_tensor(np.array([[[0.9, 0.1], [0.9, 0.1]]], "float32"))
    y_pred._keras_mask = ops.convert_to_tensor(np.array([[True, False]]))
    assert float(metrics.SparseCategoricalAccuracy()(np.array([[0, 1]]), y_pred)) == 1.0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: metrics.AUC(curve="RC"), "Unknown curve: 'RC'"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be an int >= 2. Got num_thresholds=1"),
        (lambda: metrics.AUC(num_labels=3), "num_labels is needed only with multi_label=True"),
        (lambda: metrics.Precision(thresholds=[0.5, 2]), r"thresholds must be numbers in \[0, 1\]. Got \[2\]"),
        (lambda: metrics.F1Score(average="mean"), "average='mean'"),
        (lambda: metrics.FBetaScore(beta=-1.0), "beta must be a float > 0. Got beta=-1.0"),
        (lambda: metrics.F1Score()(np.ones((3,)), np.ones((3,))), r"shape \(batch, classes\)"),
        (lambda: metrics.SensitivityAtSpecificity(1.5), "specificity=1.5"),
        (lambda: metrics.R2Score(class_aggregation="sum"), "class_aggregation='sum'"),
        (lambda: metrics.Precision(class_id=1)(np.ones(3), np.ones(3)), r"class_id needs predictions of shape"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_super_must_be_called():
    class Broken(metrics.Metric):
        def __init__(self):
            self.total = self.add_variable((), "zeros")

    with pytest.raises(RuntimeError, match=r"Call super\(\).__init__\(\) first in the __init__\(\) of Broken"):
        Broken()


def test_thresholds_of_auc_make_their_number_needless():
    labels, predictions = [0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]
    given = metrics.AUC(num_thresholds=None, thresholds=[0.4])
    np.testing.assert_array_equal(
        given(labels, predictions), metrics.AUC(num_thresholds=3, thresholds=[0.4])(labels, predictions)
    )
    with pytest.raises(ValueError, match="num_thresholds must be an int >= 2"):
        metrics.AUC(num_thresholds=None)
