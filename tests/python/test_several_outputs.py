"""Training of models with several inputs and outputs: lists, dicts and structures of losses, metrics and data."""

import collections

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers


@pytest.fixture(autouse=True)
def seeded():
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)


def two_heads():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    return keras.Model([a, b], [layers.Dense(1, name="price")(joined), layers.Dense(4, name="kind")(joined)])


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    price, kind = rng.normal(size=(40, 1)), rng.integers(0, 4, 40)
    from_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = two_heads()
    model.compile(
        "adam",
        loss={"price": "mse", "kind": from_logits},
        loss_weights={"price": 1.0, "kind": 0.5},
        metrics={"kind": ["accuracy"], "price": ["mae"]},
    )
    history = model.fit({"b": b, "a": a}, {"kind": kind, "price": price}, epochs=2, verbose=0).history
    assert set(history) == {"loss", "price_loss", "kind_loss", "kind_accuracy", "price_mae"}
    logs = model.evaluate([a, b], [price, kind], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["price_loss"] + 0.5 * logs["kind_loss"], rel=1e-5)
    outputs = model.predict([a, b], verbose=0)
    assert [o.shape for o in outputs] == [(40, 1), (40, 4)]
    assert logs["price_mae"] == pytest.approx(np.abs(outputs[0] - price).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="prise"):
        bad = two_heads()
        bad.compile("adam", loss={"prise": "mse"})
        bad.fit([a, b], [price, kind], verbose=0)


def test_outputs_without_a_loss_need_no_target():
    inputs = keras.Input((2,))
    hidden = layers.Dense(3, name="hidden")(inputs)
    outputs = layers.Dense(1, kernel_initializer="zeros", name="head")(hidden)
    model = keras.Model(inputs, [outputs, hidden])
    model.compile("sgd", loss=["mse", None])
    assert model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history["loss"] == [1.0]
    with pytest.raises(ValueError, match="`y` has 3 entries, but the model has 2 outputs"):
        model.fit(np.ones((4, 2)), [np.ones((4, 1))] * 3, verbose=0)


def test_an_empty_list_of_metrics_is_none_for_several_outputs():
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(3)(x), layers.Dense(2)(x)])
    model.compile("sgd", "mse", metrics=[], weighted_metrics=[])
    logs = model.evaluate(np.zeros((8, 4)), [np.zeros((8, 3)), np.zeros((8, 2))], return_dict=True, verbose=0)
    assert len(logs) == 3 and logs["loss"] == 0


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_targets_by_names_that_lack_one_with_a_loss(run_eagerly):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(3, name="a")(x), layers.Dense(2, name="b")(x)])
    model.compile("sgd", {"a": "mse", "b": "mse"}, run_eagerly=run_eagerly)
    for targets in ({"b": np.zeros((8, 2))}, {"b": np.zeros((8, 2)), "A": np.zeros((8, 3))}):
        with pytest.raises(ValueError, match="`y` lacks the output 'a', which has a loss; received the keys"):
            model.fit(np.zeros((8, 4)), targets, verbose=0)
    model.compile("sgd", {"a": None, "b": "mse"}, run_eagerly=run_eagerly)
    with pytest.warns(UserWarning, match="does not depend on"):
        model.fit(np.zeros((8, 4)), {"b": np.zeros((8, 2))}, verbose=0)


def test_one_loss_of_several_outputs_is_the_loss():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Activation("relu", name="b")(inputs)])
    model.compile("sgd", ["mse", None])
    assert list(model.fit(np.ones((2, 1)), [np.ones((2, 1))] * 2, verbose=0).history) == ["loss"]


def test_outputs_by_names_in_any_order():
    inputs = keras.Input((3,))
    outputs = {"z": layers.Dense(1)(inputs), "b": layers.Dense(2)(inputs), "m": layers.Dense(1)(inputs)}
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(70, 3)).astype("float32")
    expected = model(x)
    for predicted in (model.predict(x, verbose=0), model.predict_on_batch(x), model.predict(iter([x]), verbose=0)):
        assert list(predicted) == ["z", "b", "m"]
        for name, values in predicted.items():
            np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-6)


def test_results_by_names_are_sorted():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, [layers.Dense(1, name="b")(inputs), layers.Dense(1, name="a")(inputs)])
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    arrays = np.ones((2, 1)), [np.ones((2, 1))] * 2
    expected = ["a_loss", "a_mse", "b_loss", "b_mae", "loss"]
    assert list(model.evaluate(*arrays, verbose=0, return_dict=True)) == expected
    assert list(model.train_on_batch(*arrays, return_dict=True)) == expected
    assert list(model.test_on_batch(*arrays, return_dict=True)) == expected


def test_results_of_outputs_without_names():
    """They are named after losses and metrics, as in Keras, but none takes another's place."""

    class TwoHeads(keras.Model):
        def __init__(self):
            super().__init__()
            self.heads = [layers.Dense(1), layers.Dense(1)]

        def call(self, x):
            return tuple(head(x) for head in self.heads)

    def results(**arguments):
        model = TwoHeads()
        model.compile("sgd", **arguments)
        return list(model.evaluate(np.ones((2, 3)), (np.ones((2, 1)), np.ones((2, 1))), verbose=0, return_dict=True))

    assert results(loss=["mse", "mae"]) == ["loss", "mae_loss", "mse_loss"]
    assert results(loss="mse", metrics=[["mae"], ["mae"]]) == ["loss", "mae", "mae_1", "mse_loss", "mse_loss_1"]
    assert results(loss=[keras.losses.MeanSquaredError(name="one"), None], metrics=[[], ["mse"]]) == ["loss", "mse"]


def test_losses_in_structures():
    x, ones = np.ones((4, 3)), np.ones((4, 1))
    inputs = keras.Input((3,))
    a, b = (
        layers.Dense(1, kernel_initializer=start, name=name)(inputs) for start, name in (("zeros", "a"), ("ones", "b"))
    )

    def first_is_far(y_true, y_pred):
        return keras.losses.mean_absolute_error(y_true[0], y_pred[0] + 10.0)

    def losses_of(outputs, y, loss, weights=None):
        model = keras.Model(inputs, outputs)
        model.compile("sgd", loss, loss_weights=weights)
        return model.evaluate(x, y, verbose=0, return_dict=True)

    several = losses_of([a, b], [ones, ones], ["mae", ["mae", "mse"]], weights=[2.0, 0.5])
    assert several == {"loss": 2.0 * 1 + 0.5 * (2 + 4), "a_loss": 1.0, "b_loss": 4.0}
    nested = losses_of({"p": (a, b), "q": a}, {"p": (ones, ones), "q": ones}, {"p": (None, "mse"), "q": "mae"})
    assert nested == {"loss": 5.0, "p/b_loss": 4.0, "q_loss": 1.0}
    together = losses_of((a, b), (ones, ones), [first_is_far, ("mae", "mae")], weights=[0.1, (1, 3)])
    assert together == pytest.approx({"loss": 0.9 + 1 + 6, "a_b_loss": 9.0, "a_loss": 1.0, "b_loss": 2.0})
    assert losses_of(b, ones, ["mae", "mse"])["loss"] == 6.0
    everywhere = losses_of({"p": (a, b), "q": a}, {"p": (ones, ones), "q": ones}, "mse")
    assert everywhere == {"loss": 6.0, "p/a_loss": 1.0, "p/b_loss": 4.0, "q_loss": 1.0}
    with pytest.raises(ValueError, match="has an entry at .'z',., but the outputs and `y` have none"):
        losses_of({"p": {"a": a, "b": b}, "q": a}, {"p": {"a": ones, "b": ones}, "q": ones}, {"p": {"z": "mse"}})


def test_named_tuples():
    pair = collections.namedtuple("pair", ["a", "b"])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, pair(layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)))

    def sizes_of_both(y_true, y_pred):
        assert isinstance(y_true, pair) and isinstance(y_pred, pair)
        return keras.ops.sum(y_true.a + y_true.b)

    model.compile("sgd", ["mse", "mae"])
    x, y = np.ones((4, 3)), pair(np.ones((4, 1)), np.ones((4, 1)))
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == {"loss", "a_loss", "b_loss"}
    assert isinstance(model.predict(x, verbose=0), pair)
    model.compile("sgd", [sizes_of_both, pair("mse", None)])
    assert "a_b_loss" in model.evaluate(x, y, verbose=0, return_dict=True)


def test_optional_inputs_may_be_none():
    class Sum(layers.Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

        def compute_output_shape(self, x_shape, y_shape=None):
            return x_shape

    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y", optional=True)
    model = keras.Model({"x": x, "y": y}, Sum()(x, y))
    model.compile("sgd", "mse")
    for other, expected in ((None, 1.0), (np.ones((3, 2)), 2.0)):
        data = {"x": np.ones((3, 2)), "y": other}
        assert model.evaluate(data, np.zeros((3, 2)), verbose=0) == expected**2
        np.testing.assert_array_equal(model.predict(data, verbose=0), expected)


def test_metrics_of_an_output_of_several_tensors():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {"u": layers.Dense(2)(inputs), "v": [layers.Dense(1)(inputs)]})
    model.compile("sgd", {"u": "mse", "v": ["mse"]}, metrics={"v": ["mae"]})
    y = {"u": np.ones((3, 2), "float32"), "v": [np.ones((3, 1), "float32")]}
    with pytest.raises(ValueError, match=r"`metrics` holds 'mae' for an output of several tensors, \[\(3, 1\)\]"):
        model.evaluate(np.ones((3, 4), "float32"), y, verbose=0)


def test_parts_that_compute_loss_makes_of_an_output_are_named_by_their_losses():
    class Parts(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None):
            return super().compute_loss(x, y, [y_pred[:, :1], y_pred[:, 1:]], sample_weight)

    inputs = keras.Input((4,))
    model = Parts(inputs, layers.Dense(2, activation="sigmoid")(inputs))
    model.compile("sgd", ["mse", "binary_crossentropy"])
    y = (np.zeros((3, 1), "float32"), np.ones((3, 1), "float32"))
    history = model.fit(np.ones((3, 4), "float32"), y, verbose=0).history
    assert set(history) == {"loss", "mse_loss", "binary_crossentropy_loss"}


def test_losses_and_weights_of_the_only_output_that_do_not_fit():
    x, y = np.ones((4, 3)), np.ones((4, 1))
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(1, name="price")(inputs))
    for options, message in (
        ({"loss": {"prize": "mse"}}, "`loss` names the output 'prize'. Nearest names: \"price\""),
        ({"loss": "mse", "loss_weights": [1.0, 2.0]}, "`loss_weights` has 2 entries, but the model has 1 output:"),
    ):
        model.compile("sgd", **options)
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0)
    model.compile("sgd", loss={"price": "mse"}, loss_weights={"price": 2.0})
    model.fit(x, y, verbose=0)
