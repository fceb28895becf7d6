"""GradientTape, eagerly and in traced functions."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import GradientTape, Sequential, Variable, _core, layers, ops


def test_variables_are_watched():
    x = Variable(np.array([1.0, 2.0, 3.0]))
    frozen = Variable(np.array(2.0), trainable=False)
    with GradientTape() as tape:
        y = ops.sum(x * x * frozen)
    gradients = tape.gradient(y, {"x": x, "frozen": [frozen]})
    np.testing.assert_array_equal(gradients["x"].numpy(), [4.0, 8.0, 12.0])
    assert gradients["frozen"] == [None]
    assert tape.watched_variables() == (x,)


def test_watch_and_output_gradients():
    x = ops.convert_to_tensor(np.array([1.0, 2.0]))
    with GradientTape() as tape:
        tape.watch(x)
        y = x**3
    gradient = tape.gradient(y, x, output_gradients=ops.convert_to_tensor(np.array([1.0, 10.0])))
    np.testing.assert_allclose(gradient.numpy(), [3.0, 120.0])


def test_unconnected():
    a, b = Variable(1.0), Variable(2.0)
    with GradientTape(persistent=True) as tape:
        y = a * 3
    assert tape.gradient(y, b) is None
    assert float(tape.gradient(y, b, unconnected_gradients="zero")) == 0.0


def test_layers_may_be_built_inside():
    model = Sequential([layers.Dense(1, kernel_initializer="ones")])
    with GradientTape() as tape:
        y = ops.sum(model(np.array([[1.0, 2.0], [3.0, 4.0]], "float32")))
    kernel, bias = tape.gradient(y, model.trainable_variables)
    np.testing.assert_array_equal(kernel.numpy(), [[4.0], [6.0]])
    np.testing.assert_array_equal(bias.numpy(), [2.0])


def test_what_is_outside_is_constant():
    x = Variable(3.0)
    before = x * x
    with GradientTape() as tape:
        y = x * before
    assert float(tape.gradient(y, x)) == 9.0


def test_once_unless_persistent():
    x = Variable(3.0)
    with GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, x)


def test_second_derivative():
    x = Variable(np.array(2.0))
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = x**3
        slope = inner.gradient(y, x)
    assert float(slope) == 12.0
    assert float(outer.gradient(slope, x)) == 12.0


def test_gradient_penalty():
    w, x = Variable(np.array([[1.0], [2.0]])), ops.convert_to_tensor(np.array([[0.5, -1.0]]))
    with GradientTape() as outer:
        with GradientTape() as inner:
            inner.watch(x)
            y = ops.sum(ops.square(ops.matmul(x, w)))
        dx = inner.gradient(y, x)
        penalty = ops.sum(ops.square(dx))
    # y = (x w)^2, dx = 2 (x w) w, penalty = 4 (x w)^2 |w|^2
    xv, wv = x.numpy()[0], w.numpy()[:, 0]
    s = xv @ wv
    expected = 8 * s * xv * (wv @ wv) + 8 * s**2 * wv
    np.testing.assert_allclose(outer.gradient(penalty, w).numpy()[:, 0], expected)


def small_network(kind):
    vectors, images, sequences = keras.Input((6,)), keras.Input((6, 6, 2)), keras.Input((4, 3))
    hidden = layers.Dense(5, activation="tanh")
    return {
        "dense": lambda: Sequential([vectors, hidden]),
        "batch norm": lambda: Sequential([vectors, hidden, layers.BatchNormalization()]),
        "layer norm": lambda: Sequential([vectors, hidden, layers.LayerNormalization()]),
        "convolution": lambda: Sequential([images, layers.Conv2D(3, 3, activation="tanh")]),
        "max pooling": lambda: Sequential([images, layers.Conv2D(3, 3), layers.MaxPooling2D(2)]),
        "attention": lambda: keras.Model(sequences, layers.MultiHeadAttention(2, 3)(sequences, sequences)),
        "stepped LSTM": lambda: Sequential([sequences, layers.RNN(layers.LSTMCell(4))]),
        "stepped GRU": lambda: Sequential([sequences, layers.RNN(layers.GRUCell(4))]),
        "LSTM": lambda: Sequential([sequences, layers.LSTM(4)]),
        "GRU": lambda: Sequential([sequences, layers.GRU(4)]),
        "SimpleRNN": lambda: Sequential([sequences, layers.SimpleRNN(4)]),
    }[kind]()


@pytest.fixture
def in_float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def penalty(model, x):
    """sum (d sum y^2 / dx)^2"""
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(ops.square(model(x, training=True)))
    return ops.sum(ops.square(tape.gradient(y, x)))


KINDS = ["dense", "batch norm", "layer norm", "convolution", "max pooling", "attention", "stepped LSTM", "stepped GRU"]


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_penalty_of_layers(kind, in_float64):
    keras.utils.set_random_seed(1)
    model = small_network(kind)
    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])))
    for variable in model.trainable_variables[:2]:
        with GradientTape() as tape:
            value = penalty(model, x)
        gradient = tape.gradient(value, variable).numpy()
        start = variable.numpy()
        for place in list(np.ndindex(start.shape))[:: max(1, start.size // 4)]:
            step = np.zeros_like(start)
            step[place] = 1e-5
            variable.assign(start + step)
            above = float(penalty(model, x))
            variable.assign(start - step)
            below = float(penalty(model, x))
            variable.assign(start)
            assert gradient[place] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_second_derivatives_of_fused_sequences_are_refused(kind):
    model = small_network(kind)
    with GradientTape() as tape:
        value = penalty(model, ops.ones((2, 4, 3)))
    with pytest.raises(NotImplementedError, match=rf"step the cell, RNN\({kind}Cell\(units\)\)"):
        tape.gradient(value, model.trainable_variables[0])


def test_the_second_derivative_of_cumprod_is_refused():
    x = Variable(np.array([1.0, 2.0, 3.0]))
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = ops.sum(ops.cumprod(x))
        dx = inner.gradient(y, x)
    np.testing.assert_allclose(dx, [9.0, 4.0, 2.0])
    with pytest.raises(NotImplementedError, match=r"write exp\(cumsum\(log\(x\)\)\)"):
        outer.gradient(dx, x)


def test_jacobian():
    x = Variable(np.array([1.0, 2.0]))
    with GradientTape(persistent=True) as tape:
        y = ops.stack([x[0] * x[1], x[0] ** 2])
    np.testing.assert_allclose(tape.jacobian(y, x).numpy(), [[2.0, 1.0], [2.0, 0.0]])


def test_watch_needs_floats():
    with GradientTape() as tape:
        with pytest.raises(ValueError, match="int32"):
            tape.watch(ops.arange(3))
        with pytest.raises(ValueError, match="convert_to_tensor"):
            tape.watch(np.ones(2))
    with pytest.raises(RuntimeError, match="with"):
        tape.watch(ops.ones((2,)))


def run_traced(function, *arrays):
    """function traced into a program and run."""
    with _core.Graph() as graph:
        results = function(*[graph.input(a.shape, a.dtype.name, "x") for a in arrays])
    return [r.numpy() for r in graph.compile(list(results)).run([_core.tensor(a) for a in arrays])]


@pytest.mark.parametrize("name", ["_id", "backward"])
@pytest.mark.parametrize("make", [ops.ones, lambda shape: keras.Variable(np.ones(shape))])
def test_gradients_of_other_frameworks(make, name):
    """What tf.GradientTape and PyTorch look for in tensors leads to the tape."""
    assert not hasattr(make((2,)), name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}'. Gradients are taken with dlcore.GradientTape"):
        getattr(make((2,)), name)


def test_sources_must_be_of_dlcore():
    with keras.GradientTape() as tape:
        y = ops.ones((2,))
    with pytest.raises(ValueError, match=r"sources .* are keras.Variables and watched tensors. Got array\(.*ndarray"):
        tape.gradient(y, [np.ones(2)])


def test_traced_equals_eager():
    w = Variable(np.random.default_rng(0).normal(size=(3, 2)))
    x = np.random.default_rng(1).normal(size=(4, 3))

    def step(x):
        with GradientTape() as tape:
            loss = ops.mean(ops.square(ops.tanh(ops.matmul(x, w))))
        return loss, tape.gradient(loss, w)

    for got, expected in zip(run_traced(step, x), step(_core.tensor(x))):
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-12)


def test_traced_outside_is_constant():
    w = Variable(np.array(3.0))

    def step(x):
        target = w * x
        with GradientTape() as tape:
            y = w * target
        return (tape.gradient(y, w),)

    assert run_traced(step, np.array(2.0))[0] == 6.0


def test_traced_after_an_assignment():
    w = Variable(np.array(3.0))

    def step(x):
        w.assign(w * x)
        with GradientTape() as tape:
            y = w**2
        return (tape.gradient(y, w),)

    assert run_traced(step, np.array(2.0))[0] == 12.0
    assert w.numpy() == 6.0


def test_traced_second_derivative():
    w = Variable(np.array(2.0))

    def step(x):
        with GradientTape() as outer:
            with GradientTape() as inner:
                y = w**3 * x
            slope = inner.gradient(y, w)
        return slope, outer.gradient(slope, w)

    assert [float(r) for r in run_traced(step, np.array(1.0))] == [12.0, 12.0]


@pytest.mark.parametrize("persistent", [False, True])
def test_gradients_inside_the_block(persistent):
    x = Variable([1.0, 2.0])
    with GradientTape() as outer:
        with GradientTape(persistent=persistent) as tape:
            y = x * x * x
            gradient = tape.gradient(y, x)
            later = x * 2.0
        if persistent:
            assert tape.gradient(later, x).numpy().tolist() == [2.0, 2.0]
    assert gradient.numpy().tolist() == [3.0, 12.0]
    assert outer.gradient(gradient, x).numpy().tolist() == [6.0, 12.0]


def test_what_another_library_computed_is_refused():
    x = Variable(1.0)
    with GradientTape() as tape:
        y = np.square(x)
    with pytest.raises(ValueError, match="computed with layers and dlcore.ops. Received: .*float32"):
        tape.gradient(y, x)


@pytest.mark.parametrize("traced", [False, True])
def test_a_variable_that_is_assigned_inside_the_block_has_the_gradients_of_both_values(traced):
    x = Variable([2.0, 3.0])

    def step(scale):
        with GradientTape() as tape:
            before = ops.sum(x * x)
            x.assign(x * scale)
            y = before + ops.sum(x * x * x)
        return tape.gradient(y, x)

    scale = np.array(10.0, "float32")
    gradient = run_traced(lambda scale: [step(scale)], scale)[0] if traced else step(scale)
    # Of the square at 2 and 3, of the cube at 20 and 30; none flows through the assignment.
    np.testing.assert_array_equal(np.asarray(gradient), [4.0 + 1200.0, 6.0 + 2700.0])
    np.testing.assert_array_equal(x.numpy(), [20.0, 30.0])
