"""What layers over volumes and sequences of images do beyond their golden values."""

import numpy as np
import pytest
from layer_cases import random

import dlcore as keras
from dlcore import layers, ops


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: layers.Conv3D(4, 3, strides=2, padding="same", **k),
        lambda **k: layers.Conv3DTranspose(4, 3, strides=2, **k),
        lambda **k: layers.MaxPooling3D(**k),
        lambda **k: layers.AveragePooling3D(3, strides=2, padding="same", **k),
        lambda **k: layers.AdaptiveAveragePooling3D((2, 3, 1), **k),
        lambda **k: layers.AdaptiveMaxPooling3D(2, **k),
        lambda **k: layers.ZeroPadding3D(((1, 2), (0, 3), (1, 1)), **k),
        lambda **k: layers.Cropping3D((1, 2, 0), **k),
        lambda **k: layers.UpSampling3D((2, 3, 1), **k),
        lambda **k: layers.GlobalMaxPooling3D(keepdims=True, **k),
        lambda **k: layers.GlobalAveragePooling3D(keepdims=True, **k),
    ],
)
def test_channels_first(make):
    """The same numbers as with channels last, the axes in the other order."""
    x = random("channels first", (2, 5, 6, 4, 3))
    last, first = make(data_format="channels_last"), make(data_format="channels_first")
    expected = last(x).numpy()
    moved = ops.convert_to_tensor(np.moveaxis(x, -1, 1))
    first(moved)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(moved).numpy(), 1, -1), expected, rtol=1e-5, atol=1e-6)


def test_conv_lstm_of_channels_first():
    x = random("channels first", (2, 3, 6, 5, 2))
    last = layers.ConvLSTM2D(3, 2, return_sequences=True)
    first = layers.ConvLSTM2D(3, 2, return_sequences=True, data_format="channels_first")
    expected = last(x).numpy()
    moved = np.moveaxis(x, -1, 2)
    first(moved)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(moved).numpy(), 2, -1), expected, rtol=1e-5, atol=1e-6)


def test_stateful_conv_lstm():
    x = random("stateful", (2, 6, 4, 5, 3))
    layer = layers.ConvLSTM2D(4, 3, stateful=True)
    layer(x[:, :3])
    continued = layer(x[:, 3:]).numpy()
    layer.reset_state()
    np.testing.assert_allclose(layer(x).numpy(), continued, rtol=1e-5, atol=1e-6)


def test_conv_lstm_drops_out_in_training_only():
    x = random("dropout", (2, 3, 4, 4, 2))
    layer = layers.ConvLSTM2D(4, 3, dropout=0.4, recurrent_dropout=0.3)
    np.testing.assert_array_equal(layer(x).numpy(), layer(x).numpy())
    assert (layer(x, training=True).numpy() != layer(x, training=True).numpy()).any()


def test_conv_lstm_in_both_directions():
    x = random("both", (2, 3, 4, 4, 2))
    assert layers.Bidirectional(layers.ConvLSTM2D(4, 3, padding="same"))(x).shape == (2, 4, 4, 8)


def test_conv_lstm_learns():
    inputs = keras.Input((3, 6, 6, 1))
    x = layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)(inputs)
    x = layers.ConvLSTM2D(2, 3, padding="same")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 1)(x))
    model.compile("adam", "mse")
    frames = random("frames", (8, 3, 6, 6, 1))
    history = model.fit(frames, frames[:, -1], epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0]


class Counting(layers.Layer):
    """A cell whose state does not begin as zeros, and is a matrix."""

    state_size = [(2, 3)]
    output_size = 3

    def get_initial_state(self, batch_size=None):
        return [ops.full((batch_size, 2, 3), 5.0)]

    def call(self, inputs, states, training=False):
        state = states[0] + 1.0
        return state[:, 0], [state]


def test_a_cell_says_how_its_states_begin():
    layer = layers.RNN(Counting(), return_state=True)
    output, state = layer(np.zeros((4, 6, 2), "float32"))
    assert output.shape == (4, 3) and state.shape == (4, 2, 3)
    assert (state.numpy() == 11).all() and (layer.get_initial_state(2)[0].numpy() == 5).all()
    inputs = keras.Input((6, 2))
    model = keras.Model(inputs, layers.RNN(Counting())(inputs))
    assert (model.predict(np.zeros((3, 6, 2), "float32")) == 11).all()
    stacked = layers.RNN([Counting(), layers.LSTMCell(3)])
    assert (stacked.get_initial_state(2)[0].numpy() == 5).all() and len(stacked.get_initial_state(2)) == 3
    assert stacked(np.zeros((4, 6, 2), "float32")).shape == (4, 3)


def test_spatial_and_alpha_dropout():
    channels = layers.SpatialDropout3D(0.5)(ops.ones((20, 2, 3, 4, 30)), training=True).numpy()
    assert (channels == channels[:, :1, :1, :1]).all() and 0.3 < (channels == 0).mean() < 0.7
    x = random("alpha", (400, 100))
    y = layers.AlphaDropout(0.2, seed=1)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.02) and y.std() == pytest.approx(1, rel=0.02)
    dropped = np.float32(-1.7580993 * (0.8 * (1 + 0.2 * 1.7580993**2)) ** -0.5 * 0.8)
    assert np.isclose(y, dropped).mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(layers.AlphaDropout(0.2)(x).numpy(), x)
    shared = layers.AlphaDropout(0.5, noise_shape=(None, 1))(x, training=True).numpy()
    assert ((shared == shared[:, :1]).all(axis=1)).mean() == pytest.approx(0.5, abs=0.1)


def test_spectral_normalization_takes_the_greatest_singular_value_to_one():
    # Of a kernel whose second value is close to the greatest, 40 iterations would not be enough.
    kernel = keras.initializers.GlorotUniform(seed=0)
    layer = layers.SpectralNormalization(layers.Dense(5, kernel_initializer=kernel), power_iterations=40)
    x = random("spectral", (4, 7))
    layer(x, training=True)
    assert np.linalg.norm(layer.layer.kernel.numpy(), 2) == pytest.approx(1, rel=1e-4)
    before = layer.layer.kernel.numpy()
    layer(x)
    np.testing.assert_array_equal(layer.layer.kernel.numpy(), before)
    zeros = layers.SpectralNormalization(layers.Dense(5, kernel_initializer="zeros"))
    assert (zeros(x, training=True).numpy() == 0).all()
    with pytest.raises(ValueError, match='must have a kernel or embeddings. Got a Flatten "flatten.*has neither'):
        layers.SpectralNormalization(layers.Flatten())(x)


def test_spectral_normalization_trains_the_kernel_it_divided():
    model = keras.Sequential([keras.Input((7,)), layers.SpectralNormalization(layers.Dense(5), power_iterations=40)])
    x, y = random("spectral", (4, 7)), random("spectral targets", (4, 5))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.layers[0].layer.kernel.numpy().astype("float64")
    kernel = before / np.linalg.norm(before, 2)
    model.train_on_batch(x, y)
    expected = kernel - 2 / y.size * x.T.astype("float64") @ (x @ kernel - y)
    np.testing.assert_allclose(model.layers[0].layer.kernel.numpy(), expected, atol=1e-3)


def test_reversible_embedding():
    tokens = np.array([[1, 2, 0]])
    tied = layers.ReversibleEmbedding(5, 3, mask_zero=True)
    vectors = tied(tokens)
    np.testing.assert_array_equal(vectors._keras_mask.numpy(), [[True, True, False]])
    expected = vectors.numpy() @ tied.embeddings.numpy().T
    np.testing.assert_allclose(tied(vectors, reverse=True).numpy(), expected, rtol=1e-5, atol=1e-7)
    untied = layers.ReversibleEmbedding(5, 3, tie_weights=False)
    vectors = untied(tokens)
    expected = vectors.numpy() @ untied.reverse_embeddings.numpy()
    np.testing.assert_allclose(untied(vectors, reverse=True).numpy(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.ConvLSTM2D(0, 3), "ConvLSTM2D: filters must be an int > 0. Got filters=0"),
        (lambda: layers.ConvLSTM1D(2, 3, padding="causal"), "ConvLSTM1D: unknown padding: 'causal'"),
        (lambda: layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), "strides > 1 and dilation_rate > 1"),
        (lambda: layers.Cropping3D((1, 2)), "Cropping3D: cropping must be an int or 3 ints or pairs of ints"),
        (lambda: layers.UpSampling3D(0), "UpSampling3D: size must be an int or 3 ints, each >= 1. Got size=0"),
        (lambda: layers.GroupQueryAttention(4, 3, 2), "num_query_heads must be a multiple of num_key_value_heads"),
        (lambda: layers.SpectralNormalization(layers.Dense(2), 0), "power_iterations must be an int > 0"),
        (lambda: layers.AdaptiveMaxPooling2D((2, 0)), "output_size must be an int or 2 ints, each >= 1"),
        (lambda: layers.ReversibleEmbedding(3, 3, logit_soft_cap=-1.0), "logit_soft_cap must be a number > 0 or None"),
    ],
)
def test_argument_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, shape, message",
    [
        (lambda: layers.GroupNormalization(4), (2, 5, 6), r"a multiple of groups=4. Got input shape \(2, 5, 6\)"),
        (lambda: layers.RMSNormalization(axis=3), (2, 5), r"the sizes of the axes \[3\] must be known"),
        (lambda: layers.Conv3D(2, 3), (2, 5, 5, 1), "min_ndim=5, found ndim=4"),
        (lambda: layers.ConvLSTM2D(2, 3), (2, 5, 5, 1), "expected ndim=5, found ndim=4"),
    ],
)
def test_shape_errors(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(ops.ones(shape))
