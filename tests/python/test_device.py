"""Devices: models on a test device, whose memory is not the host's, give the processor's bits; what is said without.

Plug-ins are found where the build leaves them: the test device in build/*/tests/cpp/device, the GPU's kernels on an
emulator in build/*/tests/cuda, the plug-in for GPUs in build/*/cpp/cuda. A plug-in is loaded once in a process, so each
test runs in one of its own.
"""

import glob
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import dlcore as keras

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _built(*path):
    return max(glob.glob(os.path.join(ROOT, "build", "*", *path)), key=os.path.getmtime, default=None)


PLUGIN = _built("tests", "cpp", "device", "dlcore_test_plugin.so")
EMULATED_PLUGIN = _built("tests", "cuda", "dlcore_emulated_plugin.so")
CUDA_PLUGIN = _built("cpp", "cuda", "libdlcore_cuda.so")
needs_device = pytest.mark.skipif(PLUGIN is None, reason="the test device is not built")


def run(code, check=True, **variables):
    """What Python code printed, and what it wrote to stderr."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DLCORE_DEVICE", "DLCORE_CUDA_PLUGIN")}
    path = os.pathsep.join([os.path.dirname(os.path.dirname(keras.__file__)), kept.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**kept, "PYTHONPATH": path, "PYTHONWARNINGS": "error", **variables},
        capture_output=True,
        text=True,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def on_device(code, **variables):
    return run(code, DLCORE_CUDA_PLUGIN=PLUGIN, **variables)[0]


SETUP = """
import numpy as np
import dlcore as keras
from dlcore import _core, layers

def model_of(seed=1):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.3), layers.Dense(16, activation="gelu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

rng = np.random.default_rng(0)
x, y = rng.integers(0, 255, (150, 8, 8, 1)).astype("uint8"), rng.integers(0, 10, 150)

def train(device, **options):
    with keras.device(device):
        model = model_of()
        history = model.fit(x, y, batch_size=32, epochs=3, validation_split=0.2, verbose=0, **options).history
        results = model.evaluate(x, y, verbose=0), model.predict(x, verbose=0), model.predict_on_batch(x[:5])
        model.train_on_batch(x[:7], y[:7])
    return model, history, results

def same(a, b):
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b):
            same(one, other)
    else:
        assert a == b, (a, b)
"""


@needs_device
def test_training_gives_the_processors_bits():
    on_device(
        SETUP
        + """
assert keras.distribution.list_devices("gpu") == ["gpu:0"] and keras.distribution.list_devices("cpu") == ["cpu:0"]
(here, *at_home), (there, *away) = train("cpu"), train("gpu")
same(at_home, away)
same(here.get_weights(), there.get_weights())
same(here.predict(x, verbose=0), there.predict(x, verbose=0))  # each model on the device that is now in force
"""
    )


@needs_device
def test_the_ways_of_training():
    """Batches from a generator, eager steps, callbacks that look at weights, a model called as a function."""
    on_device(
        SETUP
        + """
def batches():
    for first in range(0, 150, 50):
        yield x[first : first + 50], y[first : first + 50]

def all_ways(device):
    with keras.device(device):
        model = model_of(2)
        stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
        first = model.fit(batches(), epochs=1, verbose=0).history
        second = model.fit(x, y, epochs=3, callbacks=[stop], verbose=0, class_weight={1: 2.0}).history
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        third = model.fit(x[:20], y[:20], batch_size=10, verbose=0).history
        with keras.GradientTape() as tape:
            loss = keras.ops.mean(model(x[:4]) ** 2)
        gradients = [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]
        return first, second, third, gradients, model(x[:4]).numpy(), model.get_weights()

same(all_ways("cpu"), all_ways("gpu"))
"""
    )


SEQUENCES = """
tokens, label = rng.integers(0, 50, (64, 12)), rng.integers(0, 2, (64, 1))

def of_sequences(device):
    with keras.device(device):
        keras.utils.set_random_seed(3)
        inputs = keras.Input((12,), dtype="int32")
        z = layers.Embedding(50, 8, mask_zero=True)(inputs)
        z = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(z)
        z = layers.MultiHeadAttention(2, 4)(z, z)
        z = layers.LayerNormalization()(z)
        outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(z))
        model = keras.Model(inputs, outputs)
        model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
        history = model.fit(tokens, label, epochs=2, verbose=0).history
        return history, model.get_weights()
"""


@needs_device
def test_recurrent_and_attention_models():
    on_device(SETUP + SEQUENCES + 'same(of_sequences("cpu"), of_sequences("gpu"))')


@pytest.mark.skipif(EMULATED_PLUGIN is None, reason="the emulated GPU is not built")
def test_models_through_the_gpus_kernels():
    """Sums in another order: the losses agree within rounding."""
    run(
        SETUP
        + SEQUENCES
        + """
def agree(of_device):
    (here, *_), (there, *_) = of_device("cpu"), of_device("gpu")
    assert here.keys() == there.keys()
    for name in here:
        np.testing.assert_allclose(there[name], here[name], rtol=1e-4, err_msg=name)

agree(lambda device: train(device)[1:])
agree(of_sequences)
""",
        DLCORE_CUDA_PLUGIN=EMULATED_PLUGIN,
    )


@pytest.mark.skipif(EMULATED_PLUGIN is None, reason="the emulated GPU is not built")
def test_errors_of_data_are_the_processors():
    """Also when they are found while nothing waits."""
    run(
        SETUP
        + """
ops = keras.ops

def error_of(device, call):
    with keras.device(device):
        try:
            call()
        except IndexError as error:
            return str(error)

def fit(labels):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.ones((4, 2)), np.array(labels), shuffle=False, verbose=0)
    return model

table = np.ones((5, 2), "float32")
for call, part in {
    lambda: ops.take(table, [1, 7], axis=0): "index 7 (element 1 of the indices) is out of range for axis 0 of size 5",
    lambda: ops.take_along_axis(table, np.array([[0, 0], [-6, 0]]), axis=0): "index -6",
    lambda: layers.Embedding(4, 2, name="table")(np.array([[0, 4]])): "index 4",
    lambda: keras.losses.sparse_categorical_crossentropy(np.array([0, 16777217]), np.ones((2, 3), "float32") / 3):
        "label 16777217 at row 1",
    lambda: fit([0, 1, 2, 3]): "label 3 at row 3",
}.items():
    here, there = (error_of(device, call) for device in ("cpu", "gpu"))
    assert part in here and there == here, (here, there)
with keras.device("gpu"):
    fit([0, 1, 2, 0])  # an error is raised once
""",
        DLCORE_CUDA_PLUGIN=EMULATED_PLUGIN,
    )


@pytest.mark.parametrize("plugin", [PLUGIN, EMULATED_PLUGIN], ids=["test", "emulated"])
def test_a_failed_step_and_those_behind_it_change_nothing(plugin):
    """All of a model's state is as it was before: weights, moving averages, moments, seeds, metrics."""
    if plugin is None:
        pytest.skip("the device is not built")
    run(
        SETUP
        + """
import pytest

x, ids = rng.normal(size=(20, 6)).astype("float32"), rng.integers(0, 9, (20, 3))
y = rng.integers(0, 3, 20)

def model(optimizer):
    keras.utils.set_random_seed(1)
    a, b = keras.Input((6,)), keras.Input((3,), dtype="int32")
    h = layers.Concatenate()([layers.Dense(8)(a), layers.Flatten()(layers.Embedding(9, 4)(b))])
    h = layers.Dropout(0.25)(layers.Activation("relu")(layers.BatchNormalization()(h)))
    model = keras.Model([a, b], layers.Dense(3)(h))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss, metrics=["accuracy"])
    return model

def state(model):
    variables = model.variables + model.optimizer.variables + [v for m in model.metrics for v in m.variables]
    return [np.array(v) for v in variables]

with keras.device("gpu"):
    for optimizer in (keras.optimizers.Adam, keras.optimizers.Nadam):
        expected, failed = model(optimizer), model(optimizer)
        expected.fit([x[:8], ids[:8]], y[:8], batch_size=4, shuffle=False, verbose=0)
        for labels, indices in ((np.where(np.arange(20) == 9, 3, y), ids),
                                (y, np.where(np.arange(60).reshape(20, 3) == 31, 9, ids))):
            failed = model(optimizer)
            with pytest.raises(IndexError):  # in the third batch of five
                failed.fit([x, indices], labels, batch_size=4, shuffle=False, verbose=0)
            for a, b in zip(state(expected), state(failed), strict=True):
                np.testing.assert_array_equal(a, b)
        failed.fit([x, ids], y, batch_size=4, verbose=0)
        assert int(failed.optimizer.iterations) == 7
""",
        DLCORE_CUDA_PLUGIN=plugin,
    )


@needs_device
def test_saved_on_a_device_loaded_without(tmp_path):
    path = str(tmp_path / "model.keras")
    on_device(
        SETUP
        + f"""
model, _, _ = train("gpu")
model.save({path!r})
np.save({path + ".npy"!r}, model.predict(x, verbose=0))
"""
    )
    run(
        SETUP
        + f"""
np.testing.assert_array_equal(keras.models.load_model({path!r}).predict(x, verbose=0), np.load({path + ".npy"!r}))
""",
        DLCORE_DEVICE="cpu",
    )


@needs_device
def test_where_it_computes():
    code = "import dlcore; print(dlcore._core.current_device())"
    assert on_device(code) == "gpu:0\n"
    assert on_device(code, DLCORE_DEVICE="cpu") == "cpu:0\n"
    assert on_device(code, DLCORE_DEVICE="cuda") == "gpu:0\n"
    assert on_device("import dlcore as k\nwith k.device('CPU'): print(k._core.current_device())") == "cpu:0\n"
    info = on_device(
        "from dlcore.__main__ import info; info()", DLCORE_TEST_DEVICE_WITHOUT="eigh,svd", DLCORE_DEVICE="cpu"
    )
    assert "gpu:0        a test device" in info and "without kernels: eigh, svd\n" in info
    assert "computes on  cpu:0" in info


@needs_device
def test_out_of_memory_and_missing_kernels():
    on_device(
        SETUP
        + """
import pytest
big = np.zeros((3000, 8, 8, 1), "float32")
model = model_of()
with pytest.raises(keras.errors.OutOfMemory, match=r"gpu:0: \\d+ bytes were asked for, \\d+ are free"):
    model.predict_on_batch(big)
assert issubclass(keras.errors.OutOfMemory, MemoryError)
model.fit(x, y, verbose=0)
with pytest.raises(NotImplementedError, match=r"gpu:0 has no kernel for 'sort'. .*device\\(\\"cpu\\"\\)"):
    keras.ops.sort(x)
with keras.device("cpu"):
    keras.ops.sort(x)
""",
        DLCORE_TEST_DEVICE_MEMORY="2000000",
        DLCORE_TEST_DEVICE_WITHOUT="sort",
    )


@pytest.mark.skipif(CUDA_PLUGIN is None, reason="the plug-in for NVIDIA GPUs is not built (DLCORE_CUDA=ON, needs nvcc)")
@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a driver")
def test_the_plugin_without_a_driver():
    """It loads, with all that it needs of the core and of NVIDIA's libraries, and says what to install."""
    code = "import dlcore as k; print(float(k.ops.sum(k.ops.ones(3)))); print(k._core.no_device_reason())"
    out, err = run(code, DLCORE_CUDA_PLUGIN=CUDA_PLUGIN, DLCORE_DEVICE="cuda")
    assert out.startswith("3.0\nThere is no NVIDIA driver: install version 580 or newer")
    assert err.count("\n") == 1


def test_precision_of_products():
    assert keras.config.float32_precision() == "highest"
    keras.config.set_float32_precision("tf32")
    assert keras.config.float32_precision() == "tf32"
    keras.config.set_float32_precision("highest")
    with pytest.raises(ValueError, match="Unknown precision: 'tf16'"):
        keras.config.set_float32_precision("tf16")


def test_without_a_device():
    """One line says why, and the processor computes."""
    nowhere = os.path.join(ROOT, "nowhere.so")
    code = "import dlcore as k; print(float(k.ops.sum(k.ops.ones(3))), k._core.current_device())"
    out, err = run(code, DLCORE_CUDA_PLUGIN=nowhere, DLCORE_DEVICE="cuda")
    assert out == "3.0 cpu:0\n"
    assert err.count("\n") == 1 and "DLCORE_DEVICE=cuda" in err and f"names {nowhere}, and there is no such file" in err
    out, err = run(code, DLCORE_CUDA_PLUGIN=nowhere)
    assert out == "3.0 cpu:0\n" and err == ""
    _, err = run("import dlcore as k\nk.device('gpu')", check=False, DLCORE_CUDA_PLUGIN=nowhere)
    assert "There is no device 'gpu'. Devices: cpu:0. DLCORE_CUDA_PLUGIN names" in err
    info, _ = run("from dlcore.__main__ import info; info()", DLCORE_CUDA_PLUGIN=keras._core.__file__)
    assert "GPU          none. " in info and "is no plug-in of dlcore." in info
