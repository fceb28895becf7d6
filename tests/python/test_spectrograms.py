"""Spectrograms beyond their golden values: formats, windows, single signals, training, messages."""

import numpy as np
import pytest
from layer_cases import random

import dlcore as keras
from dlcore import initializers, layers, ops
from dlcore.ops.signal import window_values


@pytest.mark.parametrize("mode", ["log", "real", "stft", "angle"])
@pytest.mark.parametrize("expand_dims", [False, True])
def test_channels_first(mode, expand_dims):
    x = random("sound", (2, 40, 3))
    last, first = (
        layers.STFTSpectrogram(mode, 8, expand_dims=expand_dims, data_format=f"channels_{place}")
        for place in ("last", "first")
    )
    moved = np.moveaxis(first(np.swapaxes(x, 1, 2)).numpy(), 1, -1)
    np.testing.assert_allclose(moved, last(x).numpy(), rtol=1e-5, atol=1e-5)


def test_a_tone_is_seen_at_its_frequency():
    time = np.arange(512) / 8000
    x = np.sin(2 * np.pi * 1000 * time)[None, :, None].astype("float32")
    y = layers.STFTSpectrogram("magnitude", 64)(x).numpy()
    assert (y.argmax(axis=-1) == 8).all()  # 1000 Hz of 8000 Hz, 64 samples
    mel = layers.MelSpectrogram(256, 64, sampling_rate=8000, num_mel_bins=40, max_freq=4000)(x[..., 0]).numpy()[0]
    edges = np.linspace(*(1127 * np.log(1 + f / 700) for f in (20, 4000)), 42)
    assert abs(edges[1:-1][mel[:, 4].argmax()] - 1127 * np.log(1 + 1000 / 700)) <= edges[1] - edges[0]


def test_mel_spectrograms_of_single_signals():
    x = random("sound", (2, 300))
    layer = layers.MelSpectrogram(64, 16, num_mel_bins=8, power_to_db=False)
    np.testing.assert_allclose(layer(x[1]).numpy(), layer(x).numpy()[1], rtol=1e-5, atol=1e-6)


def test_kernels_of_the_transform():
    """As numpy.fft.rfft of a window of ones."""
    frame = random("frame", (8,))
    spectrum = np.fft.rfft(frame, 16)
    for side, expected in (("real", spectrum.real), ("imag", spectrum.imag)):
        kernel = initializers.STFT(side, window=None)((8, 1, 9)).numpy()
        np.testing.assert_allclose(frame @ kernel[:, 0], expected, rtol=1e-5, atol=1e-5)
    window = np.hanning(8)
    scaled = initializers.STFT("real", "hann", "density")((8, 1, 9)).numpy()[:, 0, 0]
    np.testing.assert_allclose(scaled, window / np.linalg.norm(window), rtol=1e-5, atol=1e-7)
    assert initializers.get("stft").get_config() == initializers.STFT().get_config()
    copy = initializers.deserialize(initializers.serialize(initializers.STFT("imag", window)))
    np.testing.assert_array_equal(copy((8, 1, 9)).numpy(), initializers.STFT("imag", window)((8, 1, 9)).numpy())


@pytest.mark.parametrize(
    "name",
    "hann hamming blackman bartlett nuttall blackmanharris flattop cosine tukey bohman barthann lanczos".split(),
)
def test_windows(name):
    """Symmetric, at most 1; a periodic one is the symmetric one that is a point longer, without its end."""
    window = window_values("test", name, 9, periodic=False)
    np.testing.assert_allclose(window, window[::-1], atol=1e-12)
    assert window[4] == pytest.approx(window.max()) and window.max() <= 1 + 1e-8
    np.testing.assert_allclose(window_values("test", name, 8), window[:-1], atol=1e-12)
    if hasattr(np, name) or name == "hann":
        np.testing.assert_allclose(window, getattr(np, {"hann": "hanning"}.get(name, name))(9), atol=1e-12)
    quarter = {"tukey": 1.0, "bohman": 1 / np.pi, "barthann": 0.5, "lanczos": 2 / np.pi}  # halfway to the end
    assert window[2] == pytest.approx(quarter.get(name, window[2]))


def test_signals_of_any_length():
    """Of windows longer than what unknown sizes are tried with first."""
    for layer, length in ((layers.STFTSpectrogram("psd", 256), 300), (layers.Conv1D(2, 300), 1000)):
        x = layers.Input((None, 2))
        model = keras.Model(x, layer(x))
        assert model.output_shape[1] is None
        assert model.predict(np.ones((2, length, 2)), verbose=0).shape == layer(np.ones((2, length, 2))).shape


def test_kernels_learn_or_stay():
    x = random("sound", (8, 64, 1))
    for trainable in (True, False):
        front = layers.STFTSpectrogram("magnitude", 16, trainable=trainable)
        model = keras.Sequential([keras.Input((64, 1)), front, layers.GlobalAveragePooling1D(), layers.Dense(1)])
        model.compile("sgd", "mse")
        before = front.get_weights()
        model.fit(x, np.ones((8, 1)), epochs=1, verbose=0)
        assert (front.get_weights()[0] != before[0]).any() == trainable


def test_psd_counts_the_negative_frequencies():
    x = random("sound", (1, 64, 1))
    psd = layers.STFTSpectrogram("psd", 16, window=None)(x).numpy()
    frames = np.stack([x[0, i : i + 16, 0] for i in range(0, 49, 8)])
    whole = np.abs(np.fft.fft(frames)) ** 2
    np.testing.assert_allclose(psd[0].sum(-1), whole.sum(-1), rtol=1e-4)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.STFTSpectrogram("db"), "unknown mode: 'db'"),
        (lambda: layers.STFTSpectrogram(frame_length=8, frame_step=9), "frame_step must be from 1 to frame_length"),
        (lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4), "fft_length must not be less than frame_length"),
        (lambda: layers.STFTSpectrogram(window="han"), "unknown window 'han'.*hann"),
        (lambda: layers.STFTSpectrogram(scaling="power"), "scaling must be .* Got scaling='power'"),
        (lambda: layers.MelSpectrogram(64, sequence_length=65), "Got fft_length=64, sequence_length=65"),
        (lambda: initializers.STFT("both"), "side must be .* Got side='both'"),
        (lambda: layers.STFTSpectrogram(window=[1.0, 2.0], frame_length=4)(ops.ones((1, 9, 1))), "must have 4 numbers"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_odd_transform_lengths_warn():
    with pytest.warns(UserWarning, match="should be a power of two. Got fft_length=12"):
        layers.STFTSpectrogram(frame_length=8, fft_length=12)
