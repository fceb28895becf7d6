"""Callbacks that write files or send messages: backups, TensorBoard, RemoteMonitor; and swapped averages."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import numpy as np
import pytest

import dlcore as keras
from dlcore import callbacks, layers

X = np.random.RandomState(0).rand(64, 4).astype("float32")
Y = X.sum(axis=1)

# Trains with dropout and shuffling, says "go" at each epoch, waits at one of them, and writes its weights at the end.
PROGRAM = """
import sys, time, numpy as np, dlcore as keras
from dlcore import callbacks, layers
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((4,)), layers.Dense(64, activation="relu"), layers.Dropout(0.2), layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.001), "mse")
x = np.random.RandomState(0).rand(64, 4).astype("float32")
class Go(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("go", epoch, flush=True)
        if epoch == int(hold):
            time.sleep(3600)
folder, out, frequency, hold = sys.argv[1:]
used = [Go()]
if folder:
    frequency = frequency if frequency == "epoch" else int(frequency)
    used.append(callbacks.BackupAndRestore(folder, save_freq=frequency))
model.fit(x, x.sum(axis=1), epochs=40, batch_size=16, verbose=0, callbacks=used)
np.savez(out, *model.get_weights())
"""


def start(folder, out, frequency="epoch", hold=-1):
    command = [sys.executable, "-c", PROGRAM, str(folder), str(out), frequency, str(hold)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def weights_in(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("frequency", ["epoch", "1"])
def test_backup_survives_being_killed(tmp_path, frequency):
    with start("", tmp_path / "whole.npz") as whole:
        whole.communicate(timeout=600)
    firsts, rng = [], np.random.RandomState(0)
    for attempt in range(4):
        is_killed = attempt < 3
        hold = 13 * (attempt + 1) if is_killed else -1  # so that it is not done before it is killed
        with start(tmp_path / "backup", tmp_path / "resumed.npz", frequency, hold) as process:
            firsts.append(int(process.stdout.readline().split()[1]))
            if is_killed:
                for _ in range(rng.randint(1, 12)):
                    process.stdout.readline()
                time.sleep(rng.uniform(0, 0.01))  # somewhere in an epoch, or in a backup
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=600)
    assert process.returncode == 0 and firsts == sorted(firsts) and firsts[-1] > 0
    assert not (tmp_path / "backup").exists()
    if frequency == "epoch":
        for resumed, expected in zip(weights_in(tmp_path / "resumed.npz"), weights_in(tmp_path / "whole.npz")):
            np.testing.assert_array_equal(resumed, expected)


def make_model(optimizer="sgd"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


class StopAt(callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def interrupted(folder, epoch=3, **arguments):
    with pytest.raises(KeyboardInterrupt):
        used = [callbacks.BackupAndRestore(folder, **arguments), StopAt(epoch)]
        make_model().fit(X, Y, epochs=5, verbose=0, callbacks=used)


def test_backup_falls_back_on_the_one_before(tmp_path):
    interrupted(tmp_path, double_checkpoint=True)
    assert sorted(os.listdir(tmp_path)) == [
        "backup-2.weights.h5", "backup-3.weights.h5", "backup.json", "backup.previous.json",
    ]  # fmt: skip
    (tmp_path / "backup-3.weights.h5").write_bytes(b"damaged")
    backup = callbacks.BackupAndRestore(tmp_path, double_checkpoint=True, delete_checkpoint=False)
    history = make_model().fit(X, Y, epochs=5, verbose=0, callbacks=[backup])
    assert history.epoch == [2, 3, 4] and (tmp_path / "backup.json").exists()
    assert make_model().fit(X, Y, epochs=5, verbose=0, callbacks=[backup]).epoch == []


def test_backup_that_is_damaged(tmp_path):
    interrupted(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".backup-9.weights.h5.123.ab").write_text("left by a killed program")
    (tmp_path / "backup-3.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="backup-3.weights.h5 is not a readable HDF5 file"):
        make_model().fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    (tmp_path / "backup.json").unlink()
    make_model().fit(X, Y, epochs=1, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_backup_errors(tmp_path):
    with pytest.raises(ValueError, match="name a folder"):
        callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq"):
        callbacks.BackupAndRestore(tmp_path, save_freq="batch")
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must be built before fit"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_swap_ema_weights():
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model, seen = make_model(optimizer), []
    record = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((model.get_weights()[0], optimizer._averages[0].numpy()))
    )
    model.fit(X, Y, epochs=1, batch_size=16, verbose=0, callbacks=[record])
    plain, average = seen[0]
    model = make_model(optimizer := keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    swapped = []
    in_test = callbacks.LambdaCallback(on_test_begin=lambda logs=None: swapped.append(model.get_weights()[0]))
    used = [callbacks.SwapEMAWeights(), in_test, record]
    seen.clear()
    model.fit(X, Y, epochs=1, batch_size=16, verbose=0, callbacks=used, validation_data=(X, Y))
    np.testing.assert_array_equal(swapped[0], average)
    np.testing.assert_array_equal(seen[0][0], plain)
    np.testing.assert_array_equal(seen[0][1], average)


def test_swap_ema_weights_on_epoch(tmp_path):
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model, seen = make_model(optimizer), []
    record = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0]))
    expected = make_model(reference := keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    averages = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: averages.append(reference._averages[0].numpy()))
    expected.fit(X, Y, epochs=3, shuffle=False, verbose=0, callbacks=[watch])
    model.fit(X, Y, epochs=3, shuffle=False, verbose=0, callbacks=[callbacks.SwapEMAWeights(True), record])
    for got, wanted in zip(seen, averages):
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(model.get_weights()[0], averages[-1])
    with pytest.raises(ValueError, match="use_ema=True"):
        make_model().fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[callbacks.SwapEMAWeights()])


@pytest.mark.parametrize("as_json", [False, True])
def test_remote_monitor(as_json):
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            text = body if as_json else urllib.parse.parse_qs(body)["data"][0]
            received.append((self.path, self.headers["X-Token"], json.loads(text)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monitor = callbacks.RemoteMonitor(
            f"http://127.0.0.1:{server.server_port}", path="/epoch/", headers={"X-Token": "t"}, send_as_json=as_json
        )
        history = make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])
        server.shutdown()
        thread.join()
    assert [(path, token, values["epoch"]) for path, token, values in received] == [
        ("/epoch/", "t", 0),
        ("/epoch/", "t", 1),
    ]
    assert received[1][2]["loss"] == history.history["loss"][1]


def test_remote_monitor_without_server():
    with pytest.warns(UserWarning, match="could not reach http://127.0.0.1:9"):
        make_model().fit(X, Y, verbose=0, callbacks=[callbacks.RemoteMonitor("http://127.0.0.1:9")])


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["tensors"]
    return {t: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(t)] for t in tags}


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("PIL")
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="hidden"), layers.Dense(1)])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    model.compile(keras.optimizers.SGD(schedule), "mse", metrics=["mae"])
    board = callbacks.TensorBoard(
        tmp_path, histogram_freq=2, write_images=True, write_steps_per_second=True, update_freq=3
    )
    history = model.fit(X, Y, epochs=3, batch_size=16, verbose=0, validation_data=(X, Y), callbacks=[board])
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    assert [step for step, _ in train["epoch_loss"]] == [0, 1, 2]
    np.testing.assert_allclose([v for _, v in train["epoch_loss"]], history.history["loss"], rtol=1e-6)
    np.testing.assert_allclose([v for _, v in validation["epoch_mae"]], history.history["val_mae"], rtol=1e-6)
    np.testing.assert_allclose([v for _, v in train["epoch_learning_rate"]], [0.05, 0.025, 0.0125], rtol=1e-6)
    assert [step for step, _ in train["batch_loss"]] == [3, 6, 9, 12]
    assert [step for step, _ in validation["evaluation_loss_vs_iterations"]] == [4, 8, 12]
    assert all(v > 0 for _, v in train["epoch_steps_per_second"])
    (first, _), (last, rows) = train[f"{model.layers[0].kernel.path}/histogram"]
    kernel = model.layers[0].get_weights()[0]
    assert (first, last) == (0, 2) and rows.shape == (30, 3) and rows[:, 2].sum() == kernel.size
    np.testing.assert_allclose([rows[0, 0], rows[-1, 1]], [kernel.min(), kernel.max()], rtol=1e-6)
    (_, image), *_ = next(value for tag, value in train.items() if tag.endswith("kernel/image"))
    assert image[:2].tolist() == [b"4", b"3"] and image[2].startswith(b"\x89PNG")
    assert json.loads(train["keras"][0][1].item())["class_name"] == "Sequential"


def test_tensorboard_embeddings(tmp_path):
    pytest.importorskip("tensorboard")
    model = keras.Sequential(
        [keras.Input((2,)), layers.Embedding(5, 3, name="words"), layers.Flatten(), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "words.tsv"})
    model.fit(np.ones((4, 2), int), np.ones(4), verbose=0, callbacks=[board])
    text = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_name: "words/embeddings"' in text and 'metadata_path: "words.tsv"' in text
    assert (tmp_path / "train" / "keras_embedding.ckpt-0.weights.h5").exists()
    with pytest.raises(ValueError, match="names .*'letters'.*'words'"):
        callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"letters": "a"}).set_model(model)
    with pytest.warns(UserWarning, match="no profile to write; profile_batch='2,4' is ignored"):
        callbacks.TensorBoard(profile_batch="2,4")


def test_tensorboard_is_optional(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        make_model().fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
