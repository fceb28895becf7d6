"""The same numbers from any number of threads (to the bit) and, within rounding, from every instruction set."""

import os
import subprocess
import sys

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers

SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
from test_reproducible import trained_weights
np.savez({path!r}, *trained_weights())
"""


def trained_weights():
    """A few steps of a model with every expensive kind of kernel; batches large enough for several threads."""
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    images, labels = rng.random((96, 20, 20, 3)).astype("float32"), rng.integers(0, 5, 96)
    inputs = keras.Input((20, 20, 3))
    x = layers.Conv2D(24, 3, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Reshape((25, 32))(x)
    x = layers.LSTM(24, return_sequences=True)(x)
    x = layers.GRU(16)(x)
    x = layers.LayerNormalization()(x)
    outputs = layers.Dense(5, activation="softmax")(layers.Dense(300, activation="gelu")(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    model.fit(images, labels, batch_size=48, epochs=2, verbose=0)
    return model.get_weights()


@pytest.fixture
def restore_threads():
    before = keras.num_threads()
    yield
    keras.set_num_threads(before)


@pytest.mark.usefixtures("restore_threads")
def test_any_number_of_threads_gives_the_same_bits():
    keras.set_num_threads(1)
    expected = trained_weights()
    for threads in (2, 3, 8):
        keras.set_num_threads(threads)
        for a, b in zip(expected, trained_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_two_runs_give_the_same_bits():
    for a, b in zip(trained_weights(), trained_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512", "amx"])
def test_every_instruction_set_trains_alike(isa, tmp_path):
    path = str(tmp_path / "weights.npz")
    script = SCRIPT.format(folder=os.path.dirname(__file__), path=path)
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ, DLCORE_MAX_ISA=isa))
    # Adam divides by the gradient's own size, so rounding moves single weights by a part of the learning rate.
    with np.load(path) as arrays:
        for a, name in zip(trained_weights(), arrays.files, strict=True):
            np.testing.assert_allclose(arrays[name], a, atol=2e-3)


def test_an_unknown_instruction_set_is_an_error_that_names_the_known():
    environment = dict(os.environ, DLCORE_MAX_ISA="sse9", DLCORE_DEVICE="cpu")
    command = [sys.executable, "-c", "import dlcore as k; k.ops.add(k.ops.ones((3,)), 1)"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode != 0 and "baseline, avx2, avx512, amx" in result.stderr
