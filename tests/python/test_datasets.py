"""Data sets: real files where there are some, small made ones for what can go wrong."""

import gzip
import io
import os
import pickle
import tarfile
import urllib.request
import wave
from pathlib import Path

import numpy as np
import pytest

from dlcore.datasets import (
    _files,
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
    speech_commands,
    spoken_digits,
)


def real(name):
    """Skips unless the real file is in a data folder."""
    if _files.find(name) is None:
        pytest.skip(f"{name} is in none of {[str(f) for f in _files.folders()]}; set DLCORE_DATASETS")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, the only one, and no network."""
    monkeypatch.setenv("DLCORE_DATASETS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    return tmp_path


def shapes(parts):
    return [(array.shape, array.dtype.name) for part in parts for array in part]


# ---------------------------------------------------------------------------------------------------- real files


def test_digits_are_in_the_package(folder):
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8) and x_test.shape == (360, 8, 8)
    assert x_train.dtype == y_train.dtype == np.uint8 and x_train.max() == 16
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x_test[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0] and y_test[:3].tolist() == [0, 5, 0]


def test_mnist():
    real("mnist.npz")
    parts = mnist.load_data()
    assert shapes(parts) == [
        ((60000, 28, 28), "uint8"),
        ((60000,), "uint8"),
        ((10000, 28, 28), "uint8"),
        ((10000,), "uint8"),
    ]
    (x_train, y_train), (_, y_test) = parts
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert x_train[0].sum() == 27525
    x_train[0, 0, 0] = 1  # the user's own, writable array


def test_fashion_mnist():
    real("fashion-mnist/train-images-idx3-ubyte.gz")
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    assert x_train.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28)
    assert np.bincount(y_train).tolist() == [6000] * 10 and np.bincount(y_test).tolist() == [1000] * 10
    assert y_train[:5].tolist() == [9, 0, 0, 3, 0]


def test_cifar10():
    real("cifar-10-batches-py.tar.gz")
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert x_train.shape[1:] == x_test.shape[1:] == (32, 32, 3) and x_train.dtype == np.uint8
    assert y_train.shape == (len(x_train), 1) and y_test.shape == (len(x_test), 1) and y_train.dtype == np.uint8
    assert len(x_train) % 10000 == 0 and sorted(set(y_train[:, 0])) == list(range(10))
    # Channel means of natural images: red is brightest. Wrong plane order would change this.
    assert np.allclose(x_train.mean(axis=(0, 1, 2)) / 255, [0.491, 0.482, 0.447], atol=0.01)


def test_imdb_equals_the_known_first_reviews():
    real("imdb.npz")
    (x_train, y_train), (x_test, y_test) = imdb.load_data()
    assert len(x_train) == len(x_test) == 25000
    assert x_train[0][:10] == [1, 14, 22, 16, 43, 530, 973, 1622, 1385, 65]
    assert [len(review) for review in x_train[:3]] == [218, 189, 141] and y_train[:5].tolist() == [1, 0, 0, 1, 0]
    assert [len(review) for review in x_test[:2]] == [68, 260] and y_test[:5].tolist() == [0, 1, 1, 0, 1]
    (x_small, y_small), _ = imdb.load_data(num_words=1000, maxlen=100)
    assert max(map(max, x_small)) == 999 and max(map(len, x_small)) == 99 and len(x_small) == len(y_small) < 25000


def test_imdb_word_index():
    real("imdb_word_index.json")
    index = imdb.get_word_index()
    assert index["the"] == 1 and len(index) == 88584


def test_housing():
    real("boston_housing.npz")
    (x_train, y_train), (x_test, _) = boston_housing.load_data()
    assert x_train.shape == (404, 13) and x_test.shape == (102, 13)
    assert x_train[0, 0] == 1.23247 and y_train[:3].tolist() == [15.2, 42.3, 50.0]
    real("california_housing.npz")
    (x_train, _), (x_test, _) = california_housing.load_data(version="small")
    assert x_train.shape == (480, 8) and x_test.shape == (120, 8)
    with pytest.raises(ValueError, match='"large" or "small". Got \'medium\''):
        california_housing.load_data(version="medium")
    with pytest.raises(ValueError, match="test_split must be .* Got 1.5"):
        boston_housing.load_data(test_split=1.5)


def test_speech_commands():
    if not any(_files.find(name) for name in speech_commands._NAMES):
        real(speech_commands._NAMES[0])
    (x_train, y_train), (x_test, y_test) = speech_commands.load_data()
    assert x_train.shape[1:] == x_test.shape[1:] == (20, 80, 1) and x_train.dtype == np.float32
    assert sorted(set(y_train)) == sorted(set(y_test)) == list(range(12))
    assert 0.1 < len(x_test) / (len(x_train) + len(x_test)) < 0.3
    assert abs(x_train.mean()) < 0.2 and 0.8 < x_train.std() < 1.2


def test_spoken_digits():
    if not any(_files.find(name) for name in spoken_digits._NAMES):
        real(spoken_digits._NAMES[0])
    (x_train, y_train), (x_test, y_test) = spoken_digits.load_data()
    assert x_train.shape == (2700, 20, 80, 1) and np.bincount(y_train).tolist() == [270] * 10
    assert x_test.shape == (300, 20, 80, 1) and np.bincount(y_test).tolist() == [30] * 10


# ---------------------------------------------------------------------------------------------------- made files


def small_mnist(path, **changes):
    arrays = {
        "x_train": np.arange(5 * 784, dtype=np.uint8).reshape(5, 28, 28),
        "y_train": np.arange(5, dtype=np.uint8),
        "x_test": np.zeros((2, 28, 28), np.uint8),
        "y_test": np.array([9, 0], np.uint8),
    }
    np.savez(path, **{**arrays, **changes})


def test_missing_file_says_what_to_put_where(folder):
    with pytest.raises(FileNotFoundError) as caught:
        mnist.load_data()
    message = str(caught.value)
    assert str(folder / "mnist.npz") in message and str(folder / "home/.keras/datasets/mnist.npz") in message
    assert "no network" in message and "DLCORE_DATASETS" in message and "https://" in message
    assert list(folder.glob("*mnist*")) == []


def test_folders_are_searched_in_order(folder):
    cache = folder / "home/.keras/datasets"
    cache.mkdir(parents=True)
    small_mnist(cache / "mnist.npz")
    assert len(mnist.load_data()[0][0]) == 5
    small_mnist(folder / "mnist.npz", x_test=np.zeros((0, 28, 28), np.uint8), y_test=np.zeros(0, np.uint8))
    assert len(mnist.load_data()[1][0]) == 0
    small_mnist(folder / "mine.npz")
    assert len(mnist.load_data(str(folder / "mine.npz"))[1][0]) == 2


def test_download_is_checked_and_put_in_place(folder, monkeypatch):
    small_mnist(folder / "served.npz")
    content = (folder / "served.npz").read_bytes()

    class Response(io.BytesIO):
        headers = {"Content-Length": str(len(content))}

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Response(content))
    with pytest.raises(FileNotFoundError, match="has sha256 .* expected 731c5ac60275"):
        mnist.load_data()
    assert sorted(p.name for p in folder.iterdir()) == ["served.npz"]
    monkeypatch.setattr(mnist, "_SHA256", __import__("hashlib").sha256(content).hexdigest())
    assert len(mnist.load_data()[0][0]) == 5
    assert (folder / "mnist.npz").read_bytes() == content
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Response(content[:-9]))
    (folder / "mnist.npz").unlink()
    with pytest.raises(FileNotFoundError, match=f"ended after {len(content) - 9} of {len(content)} bytes"):
        mnist.load_data()


@pytest.mark.parametrize(
    "changes, reason",
    [
        (
            {"x_train": np.zeros((5, 28, 27), np.uint8)},
            r"is uint8 \(5, 28, 27\), expected .*\(None, 28, 28\)",
        ),
        ({"x_train": np.zeros((5, 28, 28))}, r"'x_train' is float64"),
        ({"y_train": np.zeros(4, np.uint8)}, "5 images but 4 labels"),
        ({"y_test": np.array([3, 11], np.uint8)}, r"labels range over 3..11, expected 0..9"),
        ({"y_test": np.array([3, None], object)}, "'y_test' is object"),
    ],
)
def test_npz_with_wrong_content(folder, changes, reason):
    small_mnist(folder / "mnist.npz", **changes)
    with pytest.raises(ValueError, match=rf"(?s)mnist\.npz is damaged .*{reason}"):
        mnist.load_data()


def test_npz_truncated_or_flipped(folder):
    path = folder / "mnist.npz"
    small_mnist(path)
    good = path.read_bytes()
    for bad in (good[: len(good) // 2], b"", b"PK\3\4 nonsense", good[:3000] + b"!" + good[3001:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="mnist.npz is damaged"):
            mnist.load_data()


def test_npz_that_declares_more_than_it_stores(folder):
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    import zipfile

    with zipfile.ZipFile(folder / "mnist.npz", "w") as archive:
        archive.writestr("x_train.npy", stream.getvalue())
    with pytest.raises((ValueError, MemoryError), match="declares|allocate"):
        mnist.load_data()


class Exploit:
    def __reduce__(self):
        return os.system, ("touch exploited",)


def object_array(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def small_imdb(path, x_train):
    y_train, x_test, y_test = np.zeros(len(x_train), np.int64), object_array([[1], [2, 3]]), np.array([0, 1])
    np.savez(path, x_train=object_array(x_train), y_train=y_train, x_test=x_test, y_test=y_test)


def test_imdb_arguments(folder):
    # Ranks 1..6; index_from=3 makes them 4..9.
    small_imdb(folder / "imdb.npz", [[1, 2, 3, 4, 5, 6], [6, 1]])

    def load(**arguments):
        return sorted(imdb.load_data(**arguments)[0][0].tolist())

    assert load(num_words=100) == [[1, 4, 5, 6, 7, 8, 9], [1, 9, 4]]
    assert load() == [[1, 2, 4], [1, 4, 5, 6, 7, 8, 2]]  # as in Keras, without num_words the highest number is lost
    assert load(num_words=7, skip_top=5) == [[2, 2, 2], [2, 2, 5, 6, 2, 2, 2]]
    assert load(num_words=7, oov_char=None) == [[1, 4], [1, 4, 5, 6]]
    assert load(num_words=100, start_char=None, index_from=0) == [[1, 2, 3, 4, 5, 6], [6, 1]]
    assert load(num_words=100, maxlen=4) == [[1, 9, 4]]
    with pytest.raises(ValueError, match="No text of .*imdb.npz is shorter than maxlen=2"):
        imdb.load_data(maxlen=2)
    with pytest.raises(TypeError, match="num_word"):
        imdb.load_data(num_word=3)


@pytest.mark.parametrize("bad", [[1, -5], [1, "a"], [1, 1 << 40], "words"])
def test_imdb_with_wrong_reviews(folder, bad):
    small_imdb(folder / "imdb.npz", [[1], bad])
    with pytest.raises(ValueError, match="imdb.npz is damaged"):
        imdb.load_data()


def test_pickles_run_nothing(folder, monkeypatch):
    monkeypatch.chdir(folder)
    small_imdb(folder / "imdb.npz", [[1], Exploit()])
    with pytest.raises(ValueError, match=r"imdb.npz is damaged .*it names (posix|nt)\.system"):
        imdb.load_data()
    content = pickle.dumps({b"data": Exploit(), b"labels": []}, protocol=3)
    with pytest.raises(pickle.UnpicklingError, match="system"):
        _files.unpickle_arrays(io.BytesIO(content), encoding="bytes")
    assert not (folder / "exploited").exists()


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_unpickler_knows_old_and_new_numpy(module):
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    content = pickle.dumps(array, protocol=3)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(b"c" + name + b"\n", b"c" + module.encode() + b"\n")
    assert module.encode() in content
    np.testing.assert_array_equal(_files.unpickle_arrays(io.BytesIO(content)), array)


def cifar_batch(count, more=None, **changes):
    data = np.arange(count * 3072, dtype=np.uint32).astype(np.uint8).reshape(count, 3072)
    return pickle.dumps(
        {b"data": data, b"labels": [i % 10 for i in range(count)], **changes, **(more or {})}, protocol=3
    )


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py", "tar"])
def test_cifar10_takes_the_batches_that_exist(folder, place):
    batches = {"data_batch_1": cifar_batch(3), "data_batch_4": cifar_batch(2), "test_batch": cifar_batch(1)}
    if place == "tar":
        write_tar(folder / "cifar-10-batches-py.tar.gz", {f"cifar-10-batches-py/{n}": b for n, b in batches.items()})
    else:
        (folder / place).mkdir(parents=True)
        for name, content in batches.items():
            (folder / place / name).write_bytes(content)
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert x_train.shape == (5, 32, 32, 3) and y_train.tolist() == [[0], [1], [2], [0], [1]]
    assert x_test.shape == (1, 32, 32, 3) and y_test.shape == (1, 1)
    planes = np.arange(3072, dtype=np.uint32).astype(np.uint8).reshape(3, 32, 32)
    np.testing.assert_array_equal(x_test[0], planes.transpose(1, 2, 0))


@pytest.mark.parametrize(
    "batch, reason",
    [
        (cifar_batch(2, **{"data": 0}).replace(b"data", b"dXta", 1), "'data' is not a uint8 array"),
        (pickle.dumps([1]), "'data' is not a uint8 array"),
        (cifar_batch(2)[:-40], "data_batch_1 is damaged"),
        (pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, 3), "labels range over 10..10"),
        (pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [0, 1]}, 3), "1 images but 2 labels"),
    ],
)
def test_cifar10_with_wrong_content(folder, batch, reason):
    members = {"cifar-10-batches-py/data_batch_1": batch, "cifar-10-batches-py/test_batch": cifar_batch(1)}
    write_tar(folder / "cifar-10-batches-py.tar.gz", members)
    with pytest.raises(ValueError, match=reason):
        cifar10.load_data()


def test_cifar10_truncated_archive(folder):
    path = folder / "cifar-10-batches-py.tar.gz"
    members = {"b/data_batch_1": os.urandom(100000), "b/test_batch": cifar_batch(1)}
    write_tar(path, members)
    path.write_bytes(path.read_bytes()[:50000])
    with pytest.raises(ValueError, match="cifar-10-batches-py.tar.gz is damaged"):
        cifar10.load_data()
    write_tar(path, {"b/readme": b"no batches"})
    with pytest.raises(ValueError, match="it holds no batch, expected data_batch_1..5 and test_batch"):
        cifar10.load_data()


@pytest.mark.parametrize("place", ["cifar-100-python", "tar"])
def test_cifar100(folder, place):
    labels = {b"fine_labels": [0, 99, 5], b"coarse_labels": [0, 19, 5]}
    batches = {"train": cifar_batch(3, labels), "test": cifar_batch(3, labels), "meta": b"not read"}
    if place == "tar":
        write_tar(folder / "cifar-100-python.tar.gz", {f"cifar-100-python/{n}": b for n, b in batches.items()})
    else:
        (folder / place).mkdir()
        for name, content in batches.items():
            (folder / place / name).write_bytes(content)
    (x_train, y_train), (x_test, y_test) = cifar100.load_data()
    assert x_train.shape == x_test.shape == (3, 32, 32, 3) and y_train.tolist() == [[0], [99], [5]]
    assert cifar100.load_data("coarse")[1][1].tolist() == [[0], [19], [5]]
    with pytest.raises(ValueError, match='"fine" or "coarse"'):
        cifar100.load_data("medium")


def test_cifar100_with_wrong_content(folder):
    labels = {b"fine_labels": [100], b"coarse_labels": [3]}
    write_tar(folder / "cifar-100-python.tar.gz", {"c/train": cifar_batch(1, labels)})
    with pytest.raises(ValueError, match="labels range over 100..100"):
        cifar100.load_data()
    with pytest.raises(ValueError, match=r"it holds \['train'\], expected train and test"):
        cifar100.load_data("coarse")


def test_reuters(folder):
    texts = [[i, i + 1, 9] for i in range(1, 9)] + [[1] * 20]
    np.savez(folder / "reuters.npz", x=object_array(texts), y=np.arange(9))
    (x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=100)
    order = np.arange(9)
    np.random.RandomState(113).shuffle(order)
    assert [*y_train, *y_test] == order.tolist() and len(x_train) == 7 and len(x_test) == 2
    assert x_test[0] == [1, *(rank + 3 for rank in texts[order[7]])]
    assert len(reuters.load_data(maxlen=5, test_split=0)[0][0]) == 8
    numbers = {n for text in reuters.load_data(num_words=8, skip_top=5, test_split=0)[0][0] for n in text}
    assert numbers == {2, 5, 6, 7}
    (folder / "reuters_word_index.json").write_text('{"the": 1}')
    assert reuters.get_word_index() == {"the": 1}
    assert len(reuters.get_label_names()) == 46 and reuters.get_label_names()[3] == "earn"
    np.savez(folder / "reuters.npz", x=object_array(texts), y=np.arange(8))
    with pytest.raises(ValueError, match="9 texts but 8 labels"):
        reuters.load_data()


def write_idx(path, array, head=None):
    head = bytes([0, 0, 8, array.ndim]) if head is None else head
    sizes = np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(head + sizes + array.tobytes(), 1))


def small_fashion(folder):
    folder = folder / "fashion-mnist"
    folder.mkdir(exist_ok=True)
    for part, count in (("train", 4), ("t10k", 2)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", np.full((count, 28, 28), count, np.uint8))
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8))
    return folder


def test_fashion_mnist_with_wrong_content(folder):
    small_fashion(folder)
    (x_train, _), (_, y_test) = fashion_mnist.load_data()
    assert x_train.shape == (4, 28, 28) and x_train.min() == 4 and y_test.tolist() == [0, 1]
    path = small_fashion(folder) / "train-images-idx3-ubyte.gz"
    good = path.read_bytes()
    wrong = {
        "train-images-idx3-ubyte.gz is damaged": good[: len(good) // 2],
        "goes on after the data": gzip.compress(gzip.decompress(good) + b"x"),
        "ends after 3135 of 3136": gzip.compress(gzip.decompress(good)[:-1]),
        "IDX header is 00 00 0d 03": gzip.compress(b"\0\0\x0d\3" + gzip.decompress(good)[4:]),
        r"shape is \(4294967295, 28, 28\)": gzip.compress(b"\0\0\x08\3\xff\xff\xff\xff" + gzip.decompress(good)[8:]),
    }
    for reason, content in wrong.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=reason):
            fashion_mnist.load_data()


def wav(samples, rate=16000, width=2, channels=1):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return stream.getvalue()


def tone(frequency, seconds, rate=16000):
    return 8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def test_log_mel_finds_the_tone():
    x = speech_commands.features([tone(f, 1) / 32768 for f in (300, 1000, 3000)])
    assert x.shape == (3, 20, 80, 1)
    filters = __import__("dlcore.datasets._audio", fromlist=["_audio"]).mel_filters(512, 16000)
    assert filters.shape == (257, 20) and np.allclose(filters.sum(axis=0), 1)
    expected = [filters[round(f / 31.25)].argmax() for f in (300, 1000, 3000)]
    assert x[:, :, 40, 0].argmax(axis=1).tolist() == expected == sorted(expected)
    silence = speech_commands.features(np.zeros((1, 16000)))
    np.testing.assert_allclose(silence, (np.log(1e-6) + 11) / 3.5, rtol=1e-6)
    with pytest.raises(ValueError, match=r"shape \(N, 16000\). Got \(16000,\)"):
        speech_commands.features(np.zeros(16000))


def test_log_mel_energy_does_not_depend_on_the_sample_rate():
    slow = spoken_digits.features([tone(1000, 1, 8000) / 32768])
    fast = speech_commands.features([tone(1000, 1, 16000) / 32768])
    assert abs(slow.max() - fast.max()) < 0.25


@pytest.mark.parametrize("as_tar", [False, True])
def test_speech_commands_layouts(folder, as_tar):
    files = {
        "yes/aa_nohash_0.wav": wav(tone(500, 1)),
        "yes/bb_nohash_0.wav": wav(tone(500, 0.5)),
        "_silence_/12.wav": wav(np.zeros(20000)),
        "_unknown_/cat_cc_nohash_1.wav": wav(tone(900, 1)),
        "cat/dd_nohash_1.wav": wav(tone(900, 1)),
    }
    if as_tar:
        write_tar(folder / "speech_commands.tar.gz", {f"speech/{name}": content for name, content in files.items()})
    else:
        for name, content in files.items():
            path = folder / "speech_commands" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (x_train, y_train), (x_test, y_test) = speech_commands.load_data()
    assert sorted([*y_train, *y_test]) == [9, 9, 10, 11]
    assert x_train.shape[1:] == (20, 80, 1)


def test_one_speaker_is_in_one_part():
    for speaker in ("837a0f64", "37dca74f", "0fa1e7a9", "a71f00b7", "b49caed3"):
        is_test = speech_commands._is_test(f"{speaker}_nohash_0.wav")
        assert speech_commands._is_test(f"five_{speaker}_nohash_4.wav.wav") == is_test


@pytest.mark.parametrize(
    "content, reason",
    [
        (wav(tone(500, 1), rate=8000), r"channels, bytes, rate \(1, 2, 8000\), expected \(1, 2, 16000\)"),
        (b"RIFF and nonsense", "not a readable wav file"),
        (wav(tone(500, 1))[:30], "not a readable wav file"),
    ],
)
def test_speech_commands_with_wrong_files(folder, content, reason):
    write_tar(folder / "speech_commands.tar.gz", {"go/a_nohash_0.wav": content})
    with pytest.raises(ValueError, match=rf"go/a_nohash_0.wav is damaged.*{reason}"):
        speech_commands.load_data()


def test_speech_commands_without_files(folder):
    write_tar(folder / "speech_commands.tar.gz", {"readme": b""})
    with pytest.raises(ValueError, match="no wav files in folders named down, go"):
        speech_commands.load_data()
    Path(folder / "speech_commands.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(ValueError, match="speech_commands.tar.gz is damaged"):
        speech_commands.load_data()
