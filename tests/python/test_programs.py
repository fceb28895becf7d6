"""The programs of examples/ train, here for few epochs on part of the data.

With `DLCORE_DATASETS` set they read the real data sets. Without it they get stand-ins of the same shapes, made of the
handwritten digits in the package and of generated sequences; each test's id says which it ran on.
"""

import gzip
import importlib.util
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dlcore as keras

EXAMPLES = Path(__file__).parents[2] / "examples"
REAL = bool(os.environ.get("DLCORE_DATASETS"))


def digits_as_images(side, channels=None):
    """The 8x8 digits as uint8 images of side x side, with channels if asked for."""

    def scaled(x):
        x = np.kron(x * 15, np.ones((1, side // 8, side // 8))).astype("uint8")
        margin = (side - x.shape[1]) // 2
        x = np.pad(x, ((0, 0), (margin, side - x.shape[1] - margin), (margin, side - x.shape[2] - margin)))
        return x if channels is None else np.repeat(x[..., None], channels, axis=-1)

    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    return (scaled(x_train), y_train), (scaled(x_test), y_test)


def generated_reviews(start_char=1, num_words=None, **_):
    """Sequences whose label says whether word 10 or word 20 is in them more often."""
    rng = np.random.default_rng(0)

    def part(rows):
        y = rng.integers(0, 2, rows)
        x = np.array(
            [list(rng.choice([10, 20, 30, 40], 60, p=[0.5, 0.1, 0.2, 0.2] if c else [0.1, 0.5, 0.2, 0.2])) for c in y]
        )
        return np.array([*map(list, x), None], object)[:-1], y

    return part(400), part(200)


def digits_as_sound(**_):
    (x_train, y_train), (x_test, y_test) = digits_as_images(16)

    def wide(x):
        return np.pad(x / 255.0, ((0, 0), (2, 2), (32, 32)))[..., None].astype("float32")

    return (wide(x_train), y_train.astype("int64")), (wide(x_test), y_test.astype("int64"))


def write_sentence_pairs(path):
    """fra.txt in a zip archive: every subject, verb and object, word by word."""
    subjects = {"i": "je", "you": "tu", "we": "nous", "they": "ils", "she": "elle", "he": "il"}
    verbs = {"see": "vois", "like": "aime", "buy": "achète", "take": "prends", "know": "connais", "want": "veux"}
    objects = {"a house": "une maison", "a dog": "un chien", "bread": "du pain", "water": "de l'eau", "tom": "tom"}
    lines = [
        f"{s.capitalize()} {v} {o}.\t{subjects[s].capitalize()} {verbs[v]} {objects[o]}."
        for s in subjects
        for v in verbs
        for o in objects
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fra.txt", "\n".join(lines))


def write_hourly_measurements(path, hours=4 * 720):
    """Seven columns of waves whose period is not a day."""
    time = np.arange(hours)[:, None] * 2 * np.pi / np.array([40, 40, 50, 50, 60, 60, 40])
    values = np.sin(time) + np.random.default_rng(0).normal(0, 0.1, (hours, 7))
    with gzip.open(path, "wt") as file:
        file.write("date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n")
        file.writelines(f"2016-07-01 00:00:00,{','.join(f'{v:.4f}' for v in row)}\n" for row in values)


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    if REAL:
        load = keras.datasets.mnist.load_data
        monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: tuple((x[:12000], y[:12000]) for x, y in load()))
        return
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: digits_as_images(28))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: digits_as_images(32, 3))
    monkeypatch.setattr(keras.datasets.imdb, "load_data", generated_reviews)
    monkeypatch.setattr(keras.datasets.imdb, "get_word_index", lambda: {f"word{rank}": rank for rank in range(1, 60)})
    monkeypatch.setattr(keras.datasets.spoken_digits, "load_data", digits_as_sound)
    monkeypatch.setattr(keras.datasets.speech_commands, "load_data", digits_as_sound)
    write_sentence_pairs(tmp_path / "fra-eng.zip")
    write_hourly_measurements(tmp_path / "ETTh1.csv.gz")
    monkeypatch.setenv("DLCORE_DATASETS", str(tmp_path))


# name, arguments, what must be reached on the real data, and on the stand-ins
PROGRAMS = [
    ("mnist_mlp", {"epochs": 4}, 0.93, 0.80),
    ("mnist_mlp_sgd", {"epochs": 4}, 0.80, 0.40),
    ("mnist_cnn", {"epochs": 2}, 0.95, 0.80),
    ("mnist_cnn3", {"epochs": 1}, 0.95, 0.60),
    ("mnist_save", {"epochs": 1}, 0.93, 0.80),
    ("cifar10_cnn", {"epochs": 2}, 0.38, 0.70),
    ("imdb_lstm", {"epochs": 1, "rows": 4000}, 0.65, 0.70),
    ("speech_cnn", {"name": "spoken_digits", "epochs": 4}, 0.85, 0.70),
    ("speech_cnn", {"name": "speech_commands", "epochs": 4}, 0.30, 0.70),
    ("text_bilstm", {"epochs": 1, "rows": 500}, 0.48, 0.45),
    ("imdb_transformer", {"epochs": 2, "rows": 2000}, 0.60, 0.70),
    ("mnist_custom_loop", {"epochs": 1, "rows": 12000}, 0.85, 0.15),
]


def program(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.mark.parametrize(
    ("name", "arguments", "real", "stand_in"),
    PROGRAMS,
    ids=[f"{name}-{arguments.get('name', '')}-{'real' if REAL else 'stand-in'}" for name, arguments, *_ in PROGRAMS],
)
def test_program_learns(name, arguments, real, stand_in):
    keras.utils.set_random_seed(3)
    assert program(name)(**arguments) >= (real if REAL else stand_in)


def test_lstm_learns_the_mean_of_random_targets():
    keras.utils.set_random_seed(3)
    assert program("lstm_regression")(epochs=6) < 0.1


def test_xor_is_learnt():
    assert program("xor")() == 1.0


def test_q_network_finds_the_way():
    assert program("q_network")() == 1.0


def test_translation_learns():
    keras.utils.set_random_seed(3)
    if REAL:
        accuracy, _ = program("translation_gru")(epochs=2, rows=4000, tests=200, width=64, units=64)
        assert accuracy > 0.25
    else:
        accuracy, sentences = program("translation_gru")(epochs=40, batch=32, tests=20, width=32, units=32)
        assert accuracy > 0.9 and sentences > 0.5


def test_ctc_reads_rows_of_digits():
    keras.utils.set_random_seed(3)
    digits, rows = program("digits_ctc")(epochs=2, batches=10, tests=1, units=16)
    assert 0 < digits <= 1.2 and 0 < rows <= 1


def test_autoencoder_learns_and_draws(tmp_path):
    keras.utils.set_random_seed(3)
    assert program("mnist_vae")(path=str(tmp_path / "plane.png"), epochs=2, rows=2000) < 450  # 784 log 2 = 543 at first
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")


def test_gan_trains_both_networks_and_draws(tmp_path):
    keras.utils.set_random_seed(3)
    losses = program("mnist_dcgan")(path=str(tmp_path / "digits.png"), epochs=1, rows=640, width=16)
    assert np.isfinite(losses).all()
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_transferred_layers_learn_better_from_few_images():
    keras.utils.set_random_seed(3)
    transferred, from_scratch = program("mnist_transfer")(epochs=1, few_epochs=10)
    assert transferred > (from_scratch if REAL else 0.6)


def test_forecast_learns():
    keras.utils.set_random_seed(3)
    forecast, persistence = program("etth1_forecast")(epochs=20, units=16, months=(2, 1, 1))
    assert forecast < (1.2 if REAL else 0.5) * persistence


def test_the_answer_needs_image_and_question():
    keras.utils.set_random_seed(3)
    accuracy = program("image_and_question")(epochs=3 if REAL else 12)
    assert accuracy["both"] > 0.6
    assert accuracy["both"] > max(accuracy["without image"], accuracy["without question"])


def test_dqn_plays():
    pytest.importorskip("gymnasium")
    assert program("cartpole_dqn")(steps=1500, units=16, batch=32, episodes=2) >= 8
