"""Small helpers: arrays, seeds, progress, files, pictures."""

import contextlib
import functools
import hashlib
import io
import os
import re
import socketserver
import sys
import tarfile
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dlcore as keras
from dlcore import backend, ops
from dlcore.utils import Progbar, PyDataset, Sequence, get_file, normalize, pad_sequences, to_categorical
from dlcore.utils.files import replacing


def test_to_categorical():
    assert to_categorical([0, 2, 1]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert to_categorical(np.array([[1], [0]], np.uint8), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert to_categorical(np.zeros((2, 3)), 4).shape == (2, 3, 4)
    assert to_categorical(1, 2).tolist() == [0, 1]
    for labels in ([3, 1], [-1, 0]):
        with pytest.raises(ValueError, match=r"labels range over .* expected 0..2"):
            to_categorical(labels, 3)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert normalize(x).tolist() == [[0.6, 0.8], [0, 0]]
    np.testing.assert_allclose(normalize(x, axis=0, order=1), [[1, 1], [0, 0]])
    assert normalize([3.0, 4.0]).tolist() == [[0.6, 0.8]]
    tensor = normalize(ops.convert_to_tensor(x, "float32"), axis=0, order=1)
    assert backend.is_tensor(tensor) and tensor.numpy().tolist() == [[1, 1], [0, 0]]


def test_to_categorical_of_missing_labels():
    with pytest.raises(ValueError, match="some labels are NaN or infinite"):
        to_categorical([0, np.nan, 1])


def test_to_categorical_of_tensors():
    assert to_categorical(ops.array([[2], [0]]), 3).numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="number of classes must be given. Received: num_classes=None. Pass num_cla"):
        to_categorical(ops.array([2, 0]))


def test_pad_sequences_is_here_too():
    assert pad_sequences([[1], [2, 3]]).tolist() == [[0, 1], [2, 3]]


def test_py_dataset():
    class Batches(PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return i, i * 10

    batches = Batches(workers=2, max_queue_size=4)
    assert list(batches) == [(0, 0), (1, 10), (2, 20)] and batches.num_batches == 3
    assert (batches.workers, batches.use_multiprocessing, batches.max_queue_size) == (2, False, 4)
    assert Sequence is PyDataset
    with pytest.raises(NotImplementedError, match="PyDataset must define __getitem__"):
        PyDataset()[0]
    with pytest.raises(NotImplementedError, match="PyDataset must define __len__"):
        PyDataset().num_batches  # noqa: B018
    del Batches.__len__
    assert next(zip(batches, range(1)))[0] == (0, 0)  # without end


class Screen(io.StringIO):
    """Standard output that is a terminal, a file or a notebook's cell."""

    def __init__(self, is_terminal, encoding="utf-8"):
        super().__init__()
        self._is_terminal = is_terminal
        self._encoding = encoding

    encoding = property(lambda self: self._encoding)

    def isatty(self):
        return self._is_terminal


@pytest.fixture
def screen(monkeypatch):
    def replace(is_terminal=False, encoding="utf-8", is_notebook=False):
        kind = type("OutStream", (Screen,), {"__module__": "ipykernel.iostream"}) if is_notebook else Screen
        monkeypatch.setattr(sys, "stdout", kind(is_terminal, encoding))
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))  # a kernel may write to a file
        monkeypatch.setenv("COLUMNS", "70")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("PYCHARM_HOSTED", raising=False)

    return replace


def plain(text):
    return re.sub("\x1b\\[[0-9]+m", "", text)


def shown(text):
    """The lines on a screen after `text`: a carriage return goes back, and what follows is written over the line."""
    lines = []
    for line in plain(text).split("\n"):
        cells = ""
        for part in line.split("\r"):
            cells = part + cells[len(part) :]
        lines.append(cells.rstrip())
    return lines


def run_bar(target=4, **arguments):
    bar = Progbar(target, interval=0, **arguments)
    for step in range(1, 5):
        bar.update(step, [("accuracy", 0.9), ("loss", 0.25 * step)], finalize=None if target else step == 4)
    return sys.stdout.getvalue()


def test_progbar_in_a_log_file_is_one_plain_line(screen):
    screen(is_terminal=False)
    text = run_bar(stateful_metrics=["accuracy", "loss"])
    assert text.endswith("s/step - accuracy: 0.9000 - loss: 1.0000\n")
    assert text.startswith("4/4 " + "━" * 20 + " 0s ")
    assert text.count("\n") == 1 and not set(text) & {"\r", "\b", "\x1b"}


def test_progbar_in_a_terminal_redraws_one_line(screen):
    screen(is_terminal=True)
    text = run_bar()
    assert text.count("\r") == 4 and text.count("\n") == 1 and text.endswith("\n")
    lines = plain(text).split("\r")[1:]
    assert lines[0].startswith("1/4 " + "━" * 20 + " 0s ") and "accuracy: 0.9000" in lines[0]
    assert all(len(line) < 70 for line in lines[:-1])  # a longer one would wrap
    assert shown(text) == [lines[-1].rstrip(), ""]
    assert "\x1b[32m" + "━" * 10 + "\x1b[0m\x1b[37m" + "━" * 10 in text


def test_progbar_in_a_narrow_terminal_shows_the_metrics_that_fit(screen, monkeypatch):
    screen(is_terminal=True)
    monkeypatch.setenv("COLUMNS", "60")
    lines = plain(run_bar()).split("\r")[1:]
    assert all(line.rstrip().endswith("accuracy: 0.9000") for line in lines[:-1])  # no part of the loss
    assert lines[-1].endswith("accuracy: 0.9000 - loss: 1.0000\n")


def test_progbar_in_a_notebook_redraws_one_line_of_any_length(screen, monkeypatch):
    screen(is_notebook=True)
    monkeypatch.setenv("COLUMNS", "40")  # of the terminal that the server was started in
    text = run_bar()
    assert text.count("\r") == 4 and text.count("\n") == 1 and text.endswith("\n")
    assert all("accuracy: 0.9000 - loss: " in line for line in plain(text).split("\r")[1:])
    with contextlib.redirect_stdout(io.StringIO()) as captured:  # not shown in the cell
        bar = Progbar(2, interval=0)
        bar.update(1)
        bar.update(2)
    assert captured.getvalue().startswith("2/2 " + "━" * 20) and not set(captured.getvalue()) & {"\r", "\x1b"}


def test_progbar_in_a_dumb_terminal_is_one_plain_line(screen, monkeypatch):
    screen(is_terminal=True)
    monkeypatch.setenv("TERM", "dumb")
    text = run_bar()
    assert text.count("\n") == 1 and not set(text) & {"\r", "\x1b"}


def small_fit(**arguments):
    x, y = np.ones((10, 3), "float32"), np.arange(10) % 2
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    plateau = keras.callbacks.ReduceLROnPlateau()
    model.fit(x, y, 2, epochs=2, validation_data=(x, y), callbacks=[plateau], **arguments)
    return model, x, y


METRICS = r" - accuracy: \S+ - loss: \S+ - val_accuracy: \S+ - val_loss: \S+ - learning_rate: \S+"


@pytest.mark.parametrize("place", ["terminal", "file", "notebook"])
def test_what_fit_evaluate_and_predict_show(place, screen):
    screen(is_terminal=place == "terminal", is_notebook=place == "notebook")
    model, x, y = small_fit()
    model.evaluate(x, y, 4)
    model.predict(x, verbose=1)
    model.predict(x, 4)  # says nothing, as it takes no time
    expected = ["Epoch 1/2", rf"5/5 ━+ \d+s .*{METRICS}", "Epoch 2/2", rf"5/5 ━+ \d+s .*{METRICS}"]
    expected += [r"3/3 ━+ \d+s \S+/step - accuracy: \S+ - loss: \S+", r"1/1 ━+ \d+s \S+/step", ""]
    lines = shown(sys.stdout.getvalue())
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), line
    assert place != "file" or not set(sys.stdout.getvalue()) & {"\r", "\x1b"}


def test_fit_with_a_line_per_epoch(screen):
    screen(is_terminal=True)
    small_fit(verbose=2)
    lines = sys.stdout.getvalue().split("\n")
    assert len(lines) == 5 and lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and lines[4] == ""
    assert re.fullmatch(r"5/5 - \d+s - \S+/step" + METRICS, lines[1]) and lines[3].startswith("5/5 - ")


def test_a_long_predict_shows_how_long_it_takes(screen, monkeypatch):
    monkeypatch.setattr("dlcore.training.trainer._STRETCH", 1e-9)  # a batch is a long time
    monkeypatch.setattr("dlcore.utils.Progbar", functools.partial(Progbar, interval=0))
    screen(is_terminal=True)
    keras.Sequential([keras.Input((256,)), keras.layers.Dense(256)]).predict(np.zeros((100, 256), "float32"))
    lines = plain(sys.stdout.getvalue()).split("\r")[1:]
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"] and lines[-1].endswith("\n")
    for line in lines:
        assert re.search(r" [1-9][0-9]*(us|ms)/step", line), line  # counted from the beginning


def test_progbar_averages_over_steps(screen):
    screen(is_terminal=False)
    bar = Progbar(10, stateful_metrics=["last"])
    bar.update(3, [("mean", 1.0), ("last", 1.0)])
    bar.update(4, [("mean", 5.0), ("last", 5.0)])
    assert bar._metrics() == " - mean: 2.0000 - last: 5.0000"
    bar.add(6, [("tiny", 1e-5)])
    assert "tiny: 1.0000e-05" in sys.stdout.getvalue()


def test_progbar_verbosity_and_unknown_length(screen):
    screen(is_terminal=True)
    assert run_bar(verbose=0) == ""
    assert run_bar(verbose=2).startswith("4/4 - 0s - ") and sys.stdout.getvalue().count("\n") == 1
    screen(is_terminal=False)
    assert run_bar(target=None).startswith("      4/Unknown 0s ")
    screen(is_terminal=False, encoding="ascii")
    assert run_bar().startswith("4/4 " + "=" * 20)
    with pytest.raises(ValueError, match="not both"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def as_archive(path, members):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_get_file(tmp_path, capsys):
    source = tmp_path / "numbers.txt"
    source.write_bytes(b"1 2 3")
    sha256, md5 = hashlib.sha256(b"1 2 3").hexdigest(), hashlib.md5(b"1 2 3").hexdigest()
    cache = tmp_path / "cache"
    path = get_file(origin=source.as_uri(), cache_dir=cache, file_hash=sha256)
    assert path == str(cache / "datasets" / "numbers.txt") and Path(path).read_bytes() == b"1 2 3"
    source.write_bytes(b"4")
    assert Path(get_file("numbers.txt", source.as_uri(), cache_dir=cache, file_hash=sha256)).read_bytes() == b"1 2 3"
    with pytest.raises(ValueError, match="has md5 .* expected .* It was not kept"):
        get_file("new.txt", source.as_uri(), cache_dir=cache, md5_hash=md5)
    assert os.listdir(cache / "datasets") == ["numbers.txt"]
    assert Path(get_file("numbers.txt", source.as_uri(), cache_dir=cache, force_download=True)).read_bytes() == b"4"
    with pytest.raises(ValueError, match="without folders"):
        get_file("a/b", source.as_uri(), cache_dir=cache)
    with pytest.raises(ValueError, match="needs origin"):
        get_file("a")
    with pytest.raises(ValueError, match="neither SHA-256"):
        get_file("x", source.as_uri(), cache_dir=cache, file_hash="abc")


@pytest.mark.parametrize(
    "answer, message",
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "/data.bin cannot be downloaded: HTTP Error 404: Not Found"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1 2", "/data.bin ended after 3 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1 2", "cannot be downloaded: IncompleteRead"),
        (b"no such protocol\r\n\r\n", "/data.bin cannot be downloaded: no such protocol"),
    ],
)
def test_get_file_of_a_broken_connection_keeps_what_was_there(tmp_path, answer, message, capsys):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    kept = tmp_path / "datasets" / "data.bin"
    kept.parent.mkdir()
    kept.write_bytes(b"old")
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/data.bin"
        with pytest.raises((OSError, ValueError), match=message):
            get_file(origin=url, cache_dir=tmp_path, force_download=True)
        server.shutdown()
    assert os.listdir(kept.parent) == ["data.bin"] and kept.read_bytes() == b"old"


@pytest.mark.parametrize(
    "options, file, folder",
    [
        ({}, "files.zip_archive", "files.zip"),
        ({"fname": "a"}, "a_archive", "a"),
        ({"fname": "a.b.zip"}, "a.b.zip", "a_extracted"),
        ({"archive_format": ["tar", "zip"]}, "files.zip_archive", "files.zip"),
    ],
)
def test_get_file_places_what_it_unpacks_as_keras_does(tmp_path, options, file, folder):
    """Expected: Keras 3.15."""
    as_archive(tmp_path / "files.zip", {"a.txt": b"A"})
    got = get_file(origin=(tmp_path / "files.zip").as_uri(), extract=True, cache_dir=tmp_path / "cache", **options)
    assert got == str(tmp_path / "cache/datasets" / folder) and os.listdir(got) == ["a.txt"]
    assert sorted(os.listdir(tmp_path / "cache/datasets")) == sorted([file, folder])


def test_get_file_unpacks_links_as_copies_of_what_is_in_the_archive(tmp_path):
    source = tmp_path / "links.tar"
    with tarfile.open(source, "w") as archive:
        info = tarfile.TarInfo("top/a.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"A"))
        for name, kind, to in [
            ("top/soft", tarfile.SYMTYPE, "a.txt"),
            ("top/hard", tarfile.LNKTYPE, "top/a.txt"),
            ("top/out", tarfile.SYMTYPE, "/etc/passwd"),
            ("top/up", tarfile.SYMTYPE, "../../.."),
            ("top/pipe", tarfile.FIFOTYPE, ""),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, to
            archive.addfile(info)
    folder = Path(get_file("links", source.as_uri(), extract=True, cache_dir=tmp_path / "cache"), "top")
    assert sorted(os.listdir(folder)) == ["a.txt", "hard", "soft"]
    assert all(path.read_bytes() == b"A" and not path.is_symlink() for path in folder.iterdir())


@pytest.mark.parametrize("name", ["files.zip", "files.tar.gz"])
def test_get_file_unpacks_inside_its_folder(tmp_path, name):
    source = tmp_path / name
    as_archive(source, {"a.txt": b"A", "sub/b.txt": b"B"})
    folder = get_file("data", source.as_uri(), extract=True, cache_dir=tmp_path / "cache")
    assert folder == str(tmp_path / "cache" / "datasets" / "data")
    assert Path(folder, "sub", "b.txt").read_bytes() == b"B"
    as_archive(source, {"a.txt": b"A", "../../../evil.txt": b"E"})
    with pytest.raises(ValueError, match="outside the folder"):
        get_file("evil", source.as_uri(), extract=True, cache_dir=tmp_path / "cache")
    assert not list(tmp_path.rglob("evil.txt")) and not (tmp_path / "cache/datasets/evil").exists()
    with pytest.raises(ValueError, match="not an archive of the format 'zip'"):
        source.write_bytes(b"plain")
        get_file("plain", source.as_uri(), extract=True, archive_format="zip", cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match='must be "auto", "tar", "zip" or a list of these. Got \'rar\''):
        get_file("plain", source.as_uri(), extract=True, archive_format="rar", cache_dir=tmp_path / "cache")


def test_plotting(tmp_path):
    pytest.importorskip("matplotlib")
    from dlcore.plotting import plot_history, plot_predictions

    history = {"loss": [3, 2, 1.5], "val_loss": [3, 2.5, 2.4], "accuracy": [0.1, 0.5, 0.9]}
    figure = plot_history(history, path=tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ValueError, match=r"no values for \['f1'\]"):
        plot_history(history, metrics=["f1"])
    figure = plot_predictions(np.zeros((3, 8, 8, 1)), np.eye(3), labels=[0, 1, 1], class_names="abc", columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c (b)"]
    with pytest.raises(ValueError, match=r"images \(3, 8, 8\), predictions \(2,\)"):
        plot_predictions(np.zeros((3, 8, 8)), [0, 1])
    with pytest.raises(TypeError, match="expects what fit returned, or a dict. Got 5"):
        plot_history(5)


def test_plot_history_of_many_metrics_and_learning_rates():
    pytest.importorskip("matplotlib")
    figure = keras.plotting.plot_history({f"metric{i}": [1.0, 2.0] for i in range(6)} | {"learning_rate": [0.1, 0.01]})
    assert figure.axes[0].get_gridspec().get_geometry() == (3, 3)
    assert [axes.get_yscale() for axes in figure.axes] == 6 * ["linear"] + ["log"]


def test_plot_predictions_of_odd_values():
    pytest.importorskip("matplotlib")
    plot = keras.plotting.plot_predictions
    figure = plot(np.zeros((2, 4, 4)), np.array([[0.2], [0.7]]), np.eye(2)[[0, 0]], class_names=np.array(["no", "yes"]))
    assert [axes.get_title() for axes in figure.axes] == ["no", "yes (no)"]
    assert figure.axes[0].get_gridspec().get_geometry() == (1, 2)
    colours = np.stack([np.full((4, 4, 3), value) for value in (-1.0, 0.0, 3.0)])
    figure = plot(colours, [0, 1, 2], [0, 1, 1], class_names=3 * ["a very long class name"])
    assert [axes.images[0].get_array().mean() for axes in figure.axes] == [0, 0.25, 1]
    assert figure.axes[2].get_title() == "a very long class…\n(a very long class…)"


def test_plot_confusion_matrix(tmp_path):
    pytest.importorskip("matplotlib")
    plot = keras.plotting.plot_confusion_matrix
    figure = plot([0, 1, 1, 2], np.eye(3)[[0, 1, 0, 2]], path=tmp_path / "matrix.png")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "0", "0", "1", "1", "0", "0", "0", "1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert (tmp_path / "matrix.png").read_bytes()[1:4] == b"PNG"
    axes = plot(np.eye(2)[[0, 1, 1]], [0, 1, 0], class_names=["cat", "dog"], normalize=True).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.00", "0.50", "0.50"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    dim = plot(np.arange(9) % 3, np.arange(9) // 3, normalize=True).axes[0]
    assert {text.get_color() for text in dim.texts} == {"black"}  # on a scale to 1
    many = plot(range(100), range(100))
    assert not many.axes[0].texts and max(many.get_size_inches()) < 20
    with pytest.raises(ValueError, match="Got 2 labels and 1 predictions"):
        plot([0, 1], [0])
    with pytest.raises(ValueError, match="classes must be numbers from 0 to 1. Got 0 to 2; pass a name for each class"):
        plot([0, 2], [0, 1], class_names=["cat", "dog"])


def test_plot_filters_and_feature_maps(tmp_path):
    pytest.importorskip("matplotlib")
    conv = keras.layers.Conv2D(5, 3, activation="relu", name="conv")
    model = keras.Sequential([keras.Input((8, 8, 1)), conv, keras.layers.Flatten(name="flat"), keras.layers.Dense(2)])
    figure = keras.plotting.plot_filters(conv, columns=4, path=tmp_path / "filters.png")
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(pictures, np.moveaxis(conv.kernel.numpy()[:, :, 0], -1, 0))
    assert (tmp_path / "filters.png").read_bytes()[1:4] == b"PNG"
    image = np.random.default_rng(0).random((8, 8, 1)).astype("float32")
    figure = keras.plotting.plot_feature_maps(model, "conv", image)
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_allclose(pictures, np.moveaxis(conv(image[None]).numpy()[0], -1, 0), rtol=1e-6)
    of_colours = keras.layers.Conv2D(2, 3)
    of_colours.build((None, 8, 8, 3))
    assert keras.plotting.plot_filters(of_colours).axes[0].images[0].get_array().shape == (3, 3, 3)
    assert keras.plotting.plot_filters(of_colours, channel=2).axes[0].images[0].get_array().shape == (3, 3)
    with pytest.raises(ValueError, match="has 3 input channels. Got channel=3"):
        keras.plotting.plot_filters(of_colours, channel=3)
    with pytest.raises(ValueError, match=r"such as Conv2D. Got <Dense .* with a kernel of shape \(180, 2\)"):
        keras.plotting.plot_filters(model.layers[-1])
    with pytest.raises(ValueError, match=r"expects a built layer .* Got <Conv2D name=conv2d"):
        keras.plotting.plot_filters(keras.layers.Conv2D(2, 3, name="conv2d"))
    with pytest.raises(ValueError, match=r"That of <Flatten .* has the shape \(None, 180\)"):
        keras.plotting.plot_feature_maps(model, "flat", image)


def test_plot_embeddings(tmp_path):
    pytest.importorskip("matplotlib")
    plot = keras.plotting.plot_embeddings
    plane = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    turned = plane @ np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:2]
    figure = plot(turned, labels=[0, 0, 1, 1], class_names=["far", "near"], names="abcd", path=tmp_path / "words.png")
    axes = figure.axes[0]
    far, near = (points.get_offsets() for points in axes.collections)
    np.testing.assert_allclose(np.abs(far), [[3, 0], [3, 0]], atol=1e-9)
    np.testing.assert_allclose(np.abs(near), [[0, 1], [0, 1]], atol=1e-9)
    assert [text.get_text() for text in axes.texts] == list("abcd")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["far", "near"]
    axes = plot(np.random.default_rng(0).random((50, 3)), labels=range(50)).axes[0]
    assert len({tuple(points.get_facecolor()[0]) for points in axes.collections}) == 50
    assert axes.get_legend()._ncols == 3
    embedding = keras.layers.Embedding(7, 4)
    embedding.build()
    assert len(plot(embedding).axes[0].collections[0].get_offsets()) == 7
    with pytest.raises(ValueError, match=r"expects vectors \(N, D\) of two or more numbers. Got shape \(4, 1\)"):
        plot(plane[:, :1])
    with pytest.raises(ValueError, match="labels must be as many as the 4 vectors. Got 3"):
        plot(plane, labels=[0, 1, 1])


def test_notebooks_show_pictures_once(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    (tmp_path / "an_inline_backend.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "module://an_inline_backend")
    figure = keras.plotting.plot_history({"loss": [2.0, 1.0]})
    assert "an_inline_backend" in sys.modules  # it tells the notebook how to show what a cell returns
    assert not pyplot.get_fignums() and figure.axes


def test_plotting_without_matplotlib_says_what_to_install(monkeypatch):
    from dlcore.plotting import plot_history

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plot_history({"loss": [1]})


def test_replacing_keeps_the_old_file_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(OSError, match="disk full"), replacing(path) as file:
        file.write(b"half of the new one")
        raise OSError("disk full")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["data.bin"]
    link = tmp_path / "link.bin"
    link.symlink_to(path)
    with replacing(link) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and link.is_symlink() and path.stat().st_mode & 0o777 == 0o640


def test_progbar_of_lists(capsys):
    keras.utils.Progbar(1, verbose=2).update(1, [("several", [1.0, 2.0, 6.0])])
    assert "several: 3.0000" in capsys.readouterr().out
