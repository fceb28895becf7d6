"""Rematerialisation: the same numbers, and less memory."""

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 32)).astype("float32"), RNG.integers(0, 3, 64)


def deep_model(blocks=6, units=128):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((32,)), layers.Dense(units, name="first")])
    for block in range(blocks):
        model.add(layers.Dense(units, activation="gelu", name=f"wide_{block}"))
        model.add(layers.Dropout(0.1, seed=block))
        model.add(layers.LayerNormalization())
    model.add(layers.Dense(3))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def trained(model):
    history = model.fit(X, Y, batch_size=32, epochs=3, verbose=0).history["loss"]
    return history, model.get_weights()


def arena_bytes(model):
    """What a training step of the model works in."""
    program = model._step_programs("train").get((X, Y), 64)
    return program.program.arena_bytes


@pytest.mark.parametrize(
    "scope",
    [
        {"mode": "full"},
        {"mode": "activations"},
        {"mode": "larger_than", "output_size_threshold": 1000},
        {"mode": "list_of_layers", "layer_names": ["wide_0", "wide_3"]},
        {"mode": None},
    ],
    ids=lambda scope: str(scope["mode"]),
)
def test_layers_learn_the_same_bits(scope):
    losses, weights = trained(deep_model())
    with keras.RematScope(**scope):
        model = deep_model()
    again, weights_again = trained(model)
    assert losses == again
    for a, b in zip(weights, weights_again):
        np.testing.assert_array_equal(a, b)


def model_of_sequences():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((9,), dtype="int32"), layers.Embedding(50, 8, mask_zero=True)])
    model.add(layers.Bidirectional(layers.LSTM(6, return_sequences=True, dropout=0.2, seed=1)))
    model.add(layers.GRU(5, activity_regularizer="l2"))
    model.add(layers.Dense(3, activation="softmax"))
    return model


def model_of_images():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((9,)), layers.Reshape((3, 3, 1))])
    model.add(layers.Conv2D(4, 3, padding="same", use_bias=False))
    model.add(layers.BatchNormalization())
    model.add(layers.Activation("relu"))
    model.add(layers.DepthwiseConv2D(3, padding="same", activation="silu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, activation="softmax"))
    return model


@pytest.mark.parametrize("mode", ["full", "activations"])
@pytest.mark.parametrize("build", [model_of_sequences, model_of_images])
def test_layers_with_state_and_masks(build, mode):
    """Moving averages, losses of activities, masks and dropout are as without."""
    tokens = RNG.integers(0, 50, (64, 9))

    def results(scope):
        with scope:
            model = build()
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(tokens, Y, batch_size=16, epochs=2, verbose=0).history
        return [history["loss"], *model.get_weights(), model.predict(tokens, verbose=0)]

    for a, b in zip(results(keras.RematScope(mode)), results(keras.RematScope(None))):
        np.testing.assert_array_equal(a, b)


class Block(layers.Layer):
    """A few wide steps between narrow ends."""

    def __init__(self, units=512):
        super().__init__()
        self.wide, self.narrow = layers.Dense(units, activation="gelu"), layers.Dense(32)

    def call(self, x):
        for _ in range(3):
            x = x + self.narrow(ops.tanh(self.wide(x)))
        return x


def block_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((32,)), *(Block() for _ in range(8)), layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_a_step_keeps_less():
    plain = block_model()
    losses = trained(plain)[0]
    with keras.RematScope():
        frugal = block_model()
    assert losses == trained(frugal)[0]
    # One of eight blocks at a time has its inner values, instead of all of them.
    assert arena_bytes(frugal) < 0.3 * arena_bytes(plain)


def test_larger_than_counts_the_batch():
    sizes = {}
    for threshold in (64 * 128 - 1, 64 * 128):
        with keras.RematScope("larger_than", output_size_threshold=threshold):
            model = deep_model(blocks=8)
        trained(model)
        sizes[threshold] = arena_bytes(model)
    assert sizes[64 * 128 - 1] < sizes[64 * 128] == arena_bytes(deep_model(blocks=8))


def test_nested_scopes_and_scopes_of_other_layers():
    with keras.RematScope("full"):
        outer = layers.Dense(3)
        with keras.RematScope(None):
            inner = layers.Dense(3)
    assert outer._remat_scope.mode == "full" and inner._remat_scope.mode is None
    assert layers.Dense(3)._remat_scope is None


def test_function():
    """remat(f) has the value and the gradients of f, first and second, traced and eager."""

    def f(x, w):
        return ops.sum(ops.tanh(ops.matmul(ops.sin(x), w)) ** 2)

    def gradients(f, x, w):
        with keras.GradientTape() as outer:
            outer.watch([x, w])
            with keras.GradientTape() as inner:
                inner.watch([x, w])
                y = f(x, w)
            dx, dw = inner.gradient(y, [x, w])
            penalty = ops.sum(dx**2) + ops.sum(dw**2)
        return [y, dx, dw, *outer.gradient(penalty, [x, w])]

    x, w = (ops.convert_to_tensor(RNG.normal(size=s)) for s in ((4, 3), (3, 5)))
    expected = gradients(f, x, w)
    for way in (gradients, traced(gradients)):
        for a, b in zip(way(keras.remat(f), x, w), expected):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def traced(function):
    """The function as one program."""

    def run(f, x, w):
        with keras._core.Graph() as graph:
            inputs = [graph.input(t.shape, t.dtype, f"x{i}") for i, t in enumerate((x, w))]
            program = graph.compile(function(f, *inputs))
        return program.run([x, w])

    return run


def test_errors():
    with pytest.raises(ValueError, match="Invalid `mode`: 'all'. Expected one of 'full', 'activations', 'larger_than'"):
        keras.RematScope("all")
