"""Optimizers beyond their steps: state, learning rates, saving, messages. Steps: test_training_golden.py."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import Variable, _core, ops, optimizers
from dlcore.optimizers import schedules


def variable(value=(1.0, 2.0), name="w"):
    return Variable(np.array(value, "float32"), name=name)


def test_names_in_any_case():
    for name, cls in (("sgd", optimizers.SGD), ("Adam", optimizers.Adam), ("ADAM", optimizers.Adam)):
        assert type(optimizers.get(name)) is cls
    assert type(optimizers.get(optimizers.RMSprop)) is optimizers.RMSprop
    with pytest.raises(ValueError, match='Unknown optimizer: "adamm".*adam'):
        optimizers.get("adamm")
    with pytest.raises(ValueError, match="Cannot interpret"):
        optimizers.get(lambda: 3)


def test_variables_in_keras_order():
    optimizer = optimizers.Adam(name="adam")
    weights = [variable(name="a"), variable(name="b")]
    optimizer.build(weights)
    assert [v.path for v in optimizer.variables] == [
        "adam/iteration", "adam/learning_rate", "adam/a_momentum", "adam/a_velocity", "adam/b_momentum",
        "adam/b_velocity",
    ]  # fmt: skip
    assert int(optimizer.iterations) == 0


def test_one_primitive_updates_all_weights():
    weights = [variable(name=f"w{i}") for i in range(5)]
    optimizer = optimizers.Adam()
    optimizer.build(weights)
    with _core.Graph() as graph:
        gradients = [graph.input((2,), "float32", f"g{i}") for i in range(5)]
        optimizer.apply(gradients)
        assert graph.dump().count("adam_update") == 1


@pytest.mark.parametrize(
    "base", [optimizers.SGD, optimizers.Adam, optimizers.AdamW, optimizers.RMSprop, optimizers.Adagrad, optimizers.Lion]
)
def test_a_subclass_has_an_update_step_of_its_own(base):
    class Own(base):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)
            self.assign_add(variable, 10.0)

    own, expected = variable(), variable()
    Own(0.1).apply([ops.ones(2)], [own])
    base(0.1).apply([ops.ones(2)], [expected])
    np.testing.assert_allclose(own.numpy(), expected.numpy() + 10.0)


def test_learning_rate():
    optimizer = optimizers.SGD(lr=0.5)
    assert float(optimizer.learning_rate) == 0.5 == float(optimizer.lr)
    optimizer.learning_rate = 0.25
    w = variable()
    optimizer.apply_gradients([(ops.ones(2), w)])
    np.testing.assert_allclose(w.numpy(), [0.75, 1.75])
    scheduled = optimizers.SGD(schedules.PiecewiseConstantDecay([1], [1.0, 0.1]))
    for _ in range(3):
        scheduled.apply_gradients([(ops.ones(2), w)])
    np.testing.assert_allclose(w.numpy(), [-1.35, -0.35], rtol=1e-6)
    assert float(scheduled.learning_rate) == pytest.approx(0.1)
    with pytest.raises(TypeError, match="is the schedule PiecewiseConstantDecay"):
        scheduled.learning_rate = 0.1
    optimizer.learning_rate = schedules.ExponentialDecay(0.1, 10, 0.5)
    assert len(optimizer.variables) == 1


def test_weight_decay_with_exceptions():
    kernel, bias = variable(name="kernel"), variable(name="bias")
    for make in (optimizers.SGD, optimizers.AdamW):
        optimizer = make(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        kernel.assign([1.0, 2.0])
        bias.assign([1.0, 2.0])
        optimizer.apply_gradients([(ops.zeros(2), kernel), (ops.zeros(2), bias)])
        np.testing.assert_allclose(kernel.numpy(), [0.95, 1.9], rtol=1e-6)
        np.testing.assert_allclose(bias.numpy(), [1.0, 2.0])
        with pytest.raises(ValueError, match="before the optimizer is built"):
            optimizer.exclude_from_weight_decay(var_list=[kernel])


def test_several_dtypes():
    single, double = variable(), Variable(np.array([1.0, 2.0]), dtype="float64", name="d")
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    optimizer.apply_gradients([(ops.ones(2), single), (ops.ones(2, dtype="float64"), double)])
    np.testing.assert_allclose(single.numpy(), [0.9, 1.9], rtol=1e-6)
    np.testing.assert_allclose(double.numpy(), [0.9, 1.9], rtol=1e-6)


def test_constraints_hold_after_a_step():
    w = variable()
    w.constraint = lambda value: ops.maximum(value, 0.5)
    optimizers.SGD(1.0).apply_gradients([(ops.ones(2), w)])
    np.testing.assert_allclose(w.numpy(), [0.5, 1.0])


def test_averages_at_the_end():
    w = variable()
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply_gradients([(ops.ones(2), w)])
    optimizer.finalize_variable_values([w])
    np.testing.assert_allclose(w.numpy(), [-0.5, 0.5])


def test_state_is_saved_by_number():
    w, store = variable(), {}
    first, second = optimizers.Adam(0.1), optimizers.Adam(0.5)
    first.apply_gradients([(ops.ones(2), w)])
    first.save_own_variables(store)
    second.build([w])
    second.load_own_variables({key: np.asarray(value) for key, value in store.items()})
    assert [v.numpy().tolist() for v in first.variables] == [v.numpy().tolist() for v in second.variables]
    with pytest.warns(UserWarning, match="it has 2 variables, the file 4"):
        optimizers.Adam().load_own_variables(store)


def test_missing_gradients():
    a, b = variable(name="a"), variable(name="b")
    optimizer = optimizers.SGD(0.5)
    with pytest.warns(UserWarning, match=r"does not depend on the weights \['b'\]"):
        optimizer.apply_gradients([(ops.ones(2), a), (None, b)])
    np.testing.assert_allclose(a.numpy(), [0.5, 1.5])
    with pytest.raises(ValueError, match=r"No gradients for any of the weights \['a'\]"):
        optimizer.apply_gradients([(None, a)])


def test_weights_must_be_variables():
    with pytest.raises(TypeError, match='Optimizer "sgd": weights are .* Got one of type ndarray'):
        optimizers.SGD(name="sgd").apply_gradients([(ops.ones(2), np.ones(2))])


def test_a_step_with_infinite_gradients_is_left_out():
    w = variable()
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.5, momentum=0.9), 8.0, dynamic_growth_steps=2)
    scaled = ops.array([4.0, 8.0])
    optimizer.apply_gradients([(scaled, w)])
    np.testing.assert_allclose(w.numpy(), [0.75, 1.5])
    before = [v.numpy() for v in optimizer.inner_optimizer.variables]
    for bad in (np.inf, np.nan):
        optimizer.apply_gradients([(ops.array([1.0, bad]), w)])
    np.testing.assert_allclose(w.numpy(), [0.75, 1.5])
    for variable_before, now in zip(before, optimizer.inner_optimizer.variables):
        np.testing.assert_array_equal(variable_before, now.numpy())
    assert float(optimizer.dynamic_scale) == 2.0 and int(optimizer.step_counter) == 0
    for _ in range(2):
        optimizer.apply_gradients([(scaled, w)])
    assert float(optimizer.dynamic_scale) == 4.0 and float(optimizer.scale_loss(ops.array(3.0))) == 12.0


@pytest.mark.parametrize("wrap", ["scale", "multi"])
def test_optimizers_of_optimizers_train_a_model(wrap):
    def make():
        if wrap == "scale":
            return optimizers.LossScaleOptimizer(optimizers.SGD(0.1))
        return optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(0.1), {".*/bias": optimizers.SGD(0.1)}))

    x = np.random.RandomState(0).standard_normal((16, 3)).astype("float32")
    start = np.array([[1.0], [-1.0], [0.5]], "float32")
    weights = []
    for optimizer in (make(), optimizers.SGD(0.1)):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.set_weights([start, np.zeros(1)])
        model.compile(optimizer, "mse")
        model.fit(x, x.sum(1), epochs=2, batch_size=8, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for got, expected in zip(*weights):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_optimizer_map_finds_one_optimizer_per_weight():
    first, second, rest = optimizers.SGD(), optimizers.Adam(), optimizers.RMSprop()
    found = optimizers.OptimizerMap(rest, {"a/kernel": first, "a/.*": second})
    assert found["a/kernel"] is first and found["a/bias"] is second and found["b"] is rest
    found["a/b.*"] = first
    with pytest.raises(ValueError, match="several keys match the weight 'a/bias'"):
        found["a/bias"]
    with pytest.raises(ValueError, match="a string that is not yet used. Got 'a/kernel'"):
        found["a/kernel"] = second
    with pytest.raises(ValueError, match="no LossScaleOptimizer and no MultiOptimizer"):
        found["c"] = optimizers.LossScaleOptimizer(second)
    with pytest.raises(AttributeError, match="several learning rates"):
        _ = optimizers.MultiOptimizer(found).learning_rate


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: optimizers.SGD(0.1, clipnorm=1.0, clipvalue=1.0), "Only one of clipnorm, clipvalue"),
        (lambda: optimizers.SGD(0.1, momentum=2), r"momentum must be a number in \[0, 1\]. Got momentum=2"),
        (lambda: optimizers.SGD("fast"), "learning_rate must be a float.*'fast'"),
        (lambda: optimizers.Adam(beta1=0.9), r"Adam got unknown arguments \['beta1'\]"),
        (lambda: optimizers.AdamW(weight_decay=None), "AdamW needs a float weight_decay"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "must be an int >= 2. Got 1"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.9), "decay_steps must be a number > 0. Got decay_steps=0"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [1.0]), "2 boundaries .* and 1 values"),
        (lambda: schedules.PiecewiseConstantDecay([1], ["a", "b"]), "values must hold numbers. Got values="),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_weights():
    optimizer = optimizers.SGD(0.1)
    optimizer.build([variable(name="known")])
    with pytest.raises(ValueError, match="not built for the weight other"):
        optimizer.apply_gradients([(ops.ones(2), variable(name="other"))])
    with pytest.raises(ValueError, match="Got 2 gradients for 1 weights"):
        optimizer.apply([ops.ones(2), ops.ones(2)])


def test_loss_scale_of_several_optimizers():
    inner = [optimizers.SGD(0.1), optimizers.SGD(0.1)]
    several = optimizers.MultiOptimizer(optimizers.OptimizerMap(inner[0], {".*/bias": inner[1]}), loss_scale_factor=5.0)
    assert [optimizer.loss_scale_factor for optimizer in inner] == [5.0, 5.0]
    scaling = optimizers.LossScaleOptimizer(several, initial_scale=10.0)
    assert [optimizer.loss_scale_factor for optimizer in (several, *inner)] == [None] * 3
    assert float(scaling.scale_loss(2.0)) == 20.0


def test_schedule_from_the_rate_of_an_optimizer():
    adam = optimizers.Adam(0.5)
    adam.learning_rate = optimizers.schedules.PolynomialDecay(adam.learning_rate, 4, end_learning_rate=0.1)
    np.testing.assert_allclose(float(adam.learning_rate), 0.5)
    assert adam.learning_rate.shape == ()


def test_a_schedule_assigned_after_a_step_was_traced():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.ones((4, 2)), np.ones((4, 1))
    model.train_on_batch(x, y)
    model.optimizer.learning_rate = schedules.ExponentialDecay(0.1, 10, 0.5)
    first, second = (float(model.train_on_batch(x, y)) for _ in range(2))
    assert first == 1.0 and second < 1.0
