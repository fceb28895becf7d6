"""Models exported for C++ apps predict what they predict in Python."""

import os

import numpy as np
import pytest

import dlcore as keras
from dlcore import _core, layers


def native_predict(path, *inputs):
    outputs = _core.NativeModel.load(str(path)).run("predict", [_core.tensor(x) for x in inputs])
    return [y.numpy() for y in outputs]


def cnn():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


def recurrent():
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 6, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    x = layers.GRU(4)(x)
    return keras.Model(tokens, [layers.Dense(2)(x), layers.Dense(1, activation="sigmoid")(x)])


@pytest.mark.parametrize("batch", [1, 5])
def test_cnn(tmp_path, batch):
    model, path = cnn(), tmp_path / "model.dlcore"
    model.export(path)
    x = np.random.default_rng(0).random((batch, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(native_predict(path, x)[0], model.predict(x, verbose=0))


def test_sequences_of_any_length(tmp_path):
    model, path = recurrent(), tmp_path / "model.dlcore"
    model.export(path)
    for shape in [(2, 7), (3, 4)]:
        x = np.random.default_rng(0).integers(0, 20, shape).astype("int32")
        for native, python in zip(native_predict(path, x), model.predict(x, verbose=0)):
            np.testing.assert_allclose(native, python, rtol=1e-5, atol=1e-6)


def test_a_trained_model_is_exported_as_it_is_now(tmp_path):
    model, path = cnn(), tmp_path / "model.dlcore"
    x, y = np.random.default_rng(0).random((32, 8, 8, 1)), np.arange(32) % 3
    model.compile("adam", "sparse_categorical_crossentropy")
    model.export(path)
    model.fit(x, y, verbose=0)
    model.export(path)
    x = x.astype("float32")
    np.testing.assert_array_equal(native_predict(path, x)[0], model.predict(x, verbose=0))
    assert os.listdir(tmp_path) == ["model.dlcore"]


def test_training_goes_on_natively(tmp_path):
    """The exported steps do what Python's do, to the bit: dropout, moving averages, a schedule, a short last batch."""
    rng = np.random.default_rng(0)
    x, y = rng.random((80, 8, 8, 1)).astype("float32"), rng.integers(0, 3, 80)
    model, path = cnn(), tmp_path / "model.dlcore"
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=2, decay_rate=0.5)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, verbose=0)
    model.export(path, target_signature=keras.Input((), dtype="int64"))
    native = _core.NativeModel.load(str(path))
    assert native.functions() == ["predict", "reset_metrics", "test_step", "train_step"]
    assert native.output_names("train_step") == ["accuracy", "loss"]

    def run(function):
        native.run("reset_metrics", [])
        for i in range(0, 80, 32):
            logs = native.run(function, [_core.tensor(x[i : i + 32]), _core.tensor(y[i : i + 32])])
        return [value.item() for value in logs]

    for _ in range(2):
        history = model.fit(x, y, batch_size=32, shuffle=False, verbose=0).history
        assert run("train_step") == [history["accuracy"][0], history["loss"][0]]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert run("test_step") == [accuracy, loss]
    np.testing.assert_array_equal(native.run("predict", [_core.tensor(x)])[0].numpy(), model.predict(x, verbose=0))


def test_python_says_who_reads_an_exported_file(tmp_path):
    cnn().export(tmp_path / "model.dlcore")
    with pytest.raises(ValueError, match="must end in .keras or .h5. .* Exported files are for C\\+\\+ programs"):
        keras.models.load_model(tmp_path / "model.dlcore")


def test_only_a_compiled_model_exports_its_training(tmp_path):
    with pytest.raises(ValueError, match="compile"):
        cnn().export(tmp_path / "model.dlcore", target_signature=keras.Input((), dtype="int64"))
    model = cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"is specs such as Input.*Got 3"):
        model.export(tmp_path / "model.dlcore", target_signature=(3,))
    assert not os.listdir(tmp_path)


def test_a_subclassed_model_needs_a_signature(tmp_path):
    class Twice(keras.Model):
        def call(self, x):
            return x * 2

    with pytest.raises(ValueError, match="input_signature"):
        Twice().export(tmp_path / "model.dlcore")
    Twice().export(tmp_path / "model.dlcore", input_signature=keras.Input((3,)))
    np.testing.assert_array_equal(native_predict(tmp_path / "model.dlcore", np.ones((2, 3), "float32"))[0], 2)


def test_broken_files_are_refused(tmp_path):
    path = tmp_path / "model.dlcore"
    cnn().export(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in rng.integers(0, len(whole), 50):
        path.write_bytes(whole[:size])
        with pytest.raises((ValueError, OSError)):
            _core.NativeModel.load(str(path))
    header = int.from_bytes(whole[:8], "little")
    for at in rng.integers(8, 8 + header, 500):
        changed = bytearray(whole)
        changed[at] = rng.integers(32, 127)
        path.write_bytes(bytes(changed))
        try:
            _core.NativeModel.load(str(path))
        except (ValueError, TypeError, IndexError, OSError, NotImplementedError, MemoryError):
            pass


def test_inputs_are_checked(tmp_path):
    path = tmp_path / "model.dlcore"
    cnn().export(path)
    model = _core.NativeModel.load(str(path))
    with pytest.raises(ValueError, match=r"\(None, 8, 8, 1\).*got float32\(2, 8, 8, 3\)"):
        model.run("predict", [_core.tensor(np.zeros((2, 8, 8, 3), "float32"))])
    with pytest.raises(ValueError, match="no function 'train'"):
        model.run("train", [])
