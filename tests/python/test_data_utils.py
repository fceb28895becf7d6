"""Data sets of files and arrays, image files, pictures of models, settings."""

import logging
import wave

import numpy as np
import pytest

import dlcore as keras
from dlcore import layers, ops, tree, utils
from dlcore.utils.batches import Batches


@pytest.fixture
def texts(tmp_path):
    for i in range(10):
        path = tmp_path / "texts" / ("neg", "pos")[i % 2] / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {i} ä", encoding="utf-8")
    (tmp_path / "texts" / ".hidden").mkdir()
    (tmp_path / "texts" / "pos" / "notes.md").write_text("no text")
    return tmp_path / "texts"


def test_text_dataset(texts, capsys):
    batches = utils.text_dataset_from_directory(texts, batch_size=4, shuffle=False)
    assert "Found 10 files belonging to 2 classes." in capsys.readouterr().out
    assert batches.class_names == ["neg", "pos"] and len(batches) == 3
    x, y = batches[0]
    assert x.tolist() == ["text 0 ä", "text 2 ä", "text 4 ä", "text 6 ä"] and y.numpy().tolist() == [0, 0, 0, 0]
    assert type(x.numpy()) is np.ndarray and x.numpy()[1] == "text 2 ä"  # as of a tensor
    reversed_names = utils.text_dataset_from_directory(
        texts, class_names=["pos", "neg"], label_mode="binary", max_length=6, shuffle=False, verbose=False
    )
    x, y = reversed_names[0]
    assert x[0] == "text 1" and y.numpy()[:, 0].tolist() == [0] * 5 + [1] * 5


def test_files_in_no_folder_of_a_class(texts):
    (texts / "top.txt").write_text("top")
    batches = utils.text_dataset_from_directory(texts, label_mode=None, shuffle=False, verbose=False)
    assert batches.class_names is None and batches[0].tolist()[0] == "top" and len(batches[0]) == 11


def test_directory_subsets_do_not_overlap(texts, capsys):
    train, held_back = utils.text_dataset_from_directory(texts, validation_split=0.3, subset="both", seed=7)
    assert "Using 7 files for training." in capsys.readouterr().out
    alone = utils.text_dataset_from_directory(texts, validation_split=0.3, subset="validation", seed=7, verbose=False)
    assert sorted(train.file_paths + held_back.file_paths) == sorted({*train.file_paths, *held_back.file_paths})
    assert alone.file_paths == held_back.file_paths and len(held_back.file_paths) == 3
    passes = [[x.tolist() for x, _ in train] for _ in range(3)]
    assert passes[0] != passes[1] or passes[1] != passes[2]
    assert len({tuple(sorted(sum(texts, []))) for texts in passes}) == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"label_mode": "float"}, "label_mode must be"),
        ({"labels": "guessed"}, 'labels must be "inferred"'),
        ({"labels": [0, 1]}, "Got 2 labels for the 10 files"),
        ({"class_names": ["neg", "neutral"]}, "class_names must name folders among"),
        ({"validation_split": 0.2}, "go together"),
        ({"validation_split": 2, "subset": "both"}, "between 0 and 1"),
        ({"validation_split": 0.2, "subset": "both"}, "Give a seed"),
        ({"labels": None, "class_names": ["neg"]}, "leave it out"),
    ],
)
def test_directory_errors(texts, arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.text_dataset_from_directory(texts, **arguments)


def test_empty_directory(tmp_path):
    with pytest.raises(ValueError, match="no file that ends in .txt"):
        utils.text_dataset_from_directory(tmp_path, labels=None)


def write_wav(path, samples, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32768).astype("<i2").tobytes())


def test_audio_dataset(tmp_path):
    time = np.arange(8000)[:, np.newaxis] / 8000
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    write_wav(tmp_path / "a" / "long.wav", tone)
    write_wav(tmp_path / "b" / "short.wav", tone[:4000])
    make = utils.audio_dataset_from_directory
    x, y = make(tmp_path, shuffle=False, verbose=False)[0]
    assert x.shape == (2, 8000, 1) and y.numpy().tolist() == [0, 1]
    np.testing.assert_allclose(x.numpy()[0], tone, atol=1 / 32768)
    assert not x.numpy()[1, 4000:].any()
    x, _ = make(tmp_path, shuffle=False, verbose=False, output_sequence_length=5000, batch_size=1)[1]
    assert x.shape == (1, 5000, 1)
    for rate in (4000, 16000):
        x, _ = make(tmp_path, shuffle=False, verbose=False, sampling_rate=rate, batch_size=None)[0]
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
        assert x.shape == (rate, 1)
        np.testing.assert_allclose(x.numpy()[100:-100, 0], expected[100:-100], atol=2e-3)
    with pytest.raises(ValueError, match="ragged"):
        make(tmp_path, ragged=True)
    (tmp_path / "a" / "long.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="not a readable wav"):
        make(tmp_path, shuffle=False, verbose=False)[0]


def test_fit_on_images_of_a_directory(tmp_path):
    pytest.importorskip("PIL")
    rng = np.random.default_rng(0)
    for i in range(24):
        image = rng.integers(0, 60, (10, 12, 3))
        image[..., i % 2] += 150
        utils.save_img(tmp_path / f"{'rg'[i % 2]}{i}.png", image, scale=False)
    labels = [i % 2 for i in sorted(range(24), key=lambda i: f"{'rg'[i % 2]}{i}.png")]
    train, held_back = utils.image_dataset_from_directory(
        tmp_path, labels=labels, image_size=(6, 6), batch_size=4, seed=1, validation_split=0.25, subset="both",
        verbose=False,
    )  # fmt: skip
    assert train.class_names == ["0", "1"]
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=held_back, epochs=12, verbose=0)
    assert model.evaluate(held_back, verbose=0, return_dict=True)["accuracy"] == 1
    grey = utils.image_dataset_from_directory(
        tmp_path, labels=None, color_mode="grayscale", image_size=5, data_format="channels_first", verbose=False
    )
    assert grey[0].shape == (24, 1, 5, 5)


@pytest.mark.parametrize("color_mode, channels", [("rgb", 3), ("rgba", 4), ("grayscale", 1)])
def test_images_of_16_bits(tmp_path, color_mode, channels):
    Image = pytest.importorskip("PIL.Image")
    Image.fromarray(np.array([[0, 255, 256, 40000]], "uint16")).save(tmp_path / "x.png")
    images = utils.image_dataset_from_directory(
        tmp_path, labels=None, color_mode=color_mode, image_size=(1, 4), verbose=False
    )
    assert images[0].shape == (1, 1, 4, channels) and images[0].numpy()[0, 0, :, 0].tolist() == [0, 0, 1, 156]


def test_image_errors(tmp_path):
    pytest.importorskip("PIL")
    with pytest.raises(ValueError, match="rank 3"):
        utils.array_to_img(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="1, 3 or 4 channels. Got 2"):
        utils.array_to_img(np.zeros((3, 3, 2)))
    utils.save_img(tmp_path / "x.png", np.ones((3, 3, 4)))
    with pytest.raises(ValueError, match="color_mode"):
        utils.load_img(tmp_path / "x.png", color_mode="cmyk")
    with pytest.raises(ValueError, match="interpolation"):
        utils.load_img(tmp_path / "x.png", target_size=(2, 2), interpolation="sinc")
    with pytest.warns(UserWarning, match="no transparency"):
        utils.save_img(tmp_path / "x.jpg", np.ones((3, 3, 4)))


def test_batches():
    data = utils.timeseries_dataset_from_array(np.arange(10.0), np.arange(10), 2, batch_size=None)
    assert len(data) == 9 and data[3][0].numpy().tolist() == [3, 4]
    doubled = data.batch(4).map(lambda x, y: (x * 2, y))
    assert [y.numpy().tolist() for _, y in doubled] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert [y.numpy().tolist() for _, y in doubled.skip(1).take(1)] == [[4, 5, 6, 7]]
    made = []
    x, y = next(data.batch(4).map(lambda x, y: (ops.convert_to_tensor(x), y)).as_numpy_iterator())
    assert type(x) is np.ndarray and type(y) is np.ndarray
    counted = data.map(lambda x, y: made.append(1) or x).cache().prefetch(2)
    assert len(list(counted)) == len(list(counted)) == len(made) == 9
    assert [x.numpy().tolist() for x, _ in doubled.rebatch(3)] == [
        (np.array([[i, i + 1] for i in range(first, first + 3)]) * 2).tolist() for first in (0, 3, 6)
    ]
    assert [y.numpy().tolist() for _, y in doubled.rebatch(5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    assert len(doubled.rebatch(5, drop_remainder=True)) == 1 and doubled.cardinality() == 3
    orders = [tuple(int(y) for _, y in data.shuffle(9, seed=1)) for _ in range(2)]
    assert orders[0] == orders[1] != tuple(range(9)) and sorted(orders[0]) == list(range(9))
    with pytest.raises(IndexError, match="no batch 9"):
        data[9]


def numbers(batches):
    """The first numbers of the batches of one pass."""
    return [int(np.ravel(tree.flatten(batch)[-1])[0]) for batch in batches]


def test_batches_in_other_orders():
    made = []
    data = Batches(lambda i: made.append(i) or (np.full((2, 1), 10 * i), np.array([2 * i, 2 * i + 1])), 3)
    assert numbers(data.repeat(2)) == [0, 2, 4, 0, 2, 4] and len(data.repeat(0)) == 0
    del made[:]
    rows = data.unbatch()
    assert made == [0, 2] and len(rows) == 6
    assert [int(y) for _, y in rows] == list(range(6)) and made[2:] == [0, 1, 2]
    assert rows[5][0].shape == (1,) and rows.batch(4)[1][1].tolist() == [4, 5]
    assert numbers(data.concatenate(data.take(1))) == [0, 2, 4, 0]
    assert [i for i, _ in data.enumerate(5)] == [5, 6, 7]
    assert numbers(data.shard(2, 0)) == [0, 4] and numbers(data.shard(2, 1)) == [2]
    uneven = data.unbatch().batch(4)  # 4 rows and 2
    assert [y.tolist() for _, y in uneven.rebatch(3)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(
        ValueError, match=r"Batch 0 has 4 rows, batch 1 2. Use unbatch\(\) or rebatch\(\) before repeat\(\)"
    ):
        list(uneven.repeat(2).unbatch())
    with pytest.raises(ValueError, match="Got num_shards=2, index=2"):
        data.shard(2, 2)
    with pytest.raises(ValueError, match="batch: batch_size must be an int >= 1. Got batch_size=0"):
        data.batch(0)
    for options in ({"block_length": 0}, {"cycle_length": -1}):
        with pytest.raises(ValueError, match="interleave: .* must be an int >= 1"):
            data.interleave(lambda x, y: data, **options)
    with pytest.raises(TypeError, match="concatenate: expected Batches. Got"):
        data.concatenate([1])


def test_filtered_batches():
    data = Batches(lambda i: (np.full((2, 1), i), np.array([2 * i, 2 * i + 1])), 3)
    odd = data.unbatch().filter(lambda x, y: y % 2 == 1)
    assert len(odd) == 3 and [y.tolist() for _, y in odd.batch(2)] == [[1, 3], [5]]
    assert numbers(data.map(lambda x, y: y).filter(lambda y: ops.sum(y) > 2)) == [2, 4]
    assert len(data.filter(lambda x, y: False)) == 0
    rows = data.unbatch().shuffle(seed=0).filter(lambda x, y: y < 4)
    orders = {tuple(numbers(rows)) for _ in range(8)}
    assert len(orders) > 1 and all(sorted(order) == [0, 1, 2, 3] for order in orders)
    passes = [0]
    uneven = Batches(lambda i: i + passes[0], 3, lambda: passes.__setitem__(0, 1)).filter(lambda i: i < 2)
    assert list(uneven) == [0, 1]
    with pytest.raises(ValueError, match=r"1 batches were chosen in this pass, 2 in the first.*Use unbatch\(\)"):
        list(uneven)
    with pytest.raises(TypeError, match="without end"):
        data.repeat().filter(lambda x, y: True)


def test_batches_into_one_value():
    data = Batches(lambda i: (i, 10 * i), 4)
    assert data.reduce(5, lambda state, batch: state + batch[0] + batch[1]) == 71
    assert list(data.apply(lambda batches: batches.take(1).repeat(2))) == [(0, 0), (0, 0)]
    fixed = data.shuffle(4, seed=1, reshuffle_each_iteration=False)
    assert list(fixed) == list(fixed) != list(data)


def test_padded_batches():
    data = Batches(lambda i: (np.arange(i + 1), {"text": np.array(["ab"] * (3 - i)), "at": ops.ones((1, i))}), 3)
    first, last = data.padded_batch(2)
    assert first[0].tolist() == [[0, 0], [0, 1]] and last[0].tolist() == [[0, 1, 2]]
    assert first[1]["text"].tolist() == [["ab", "ab", "ab"], ["ab", "ab", ""]]
    assert ops.is_tensor(first[1]["at"]) and first[1]["at"].numpy().tolist() == [[[0]], [[1]]]
    assert len(data.padded_batch(2, drop_remainder=True)) == 1
    rows = Batches(lambda i: np.ones(i), 3)
    assert rows.padded_batch(3, [4], -1)[0].tolist() == [[-1] * 4, [1, -1, -1, -1], [1, 1, -1, -1]]
    pairs = Batches(lambda i: (np.ones(i), np.ones((i, 1))), 3)
    x, y = pairs.padded_batch(3, padded_shapes=([None], [5, None]), padding_values=(0.0, 7.0))[0]
    assert x.shape == (3, 2) and y.shape == (3, 5, 1) and y[0].tolist() == [[7.0]] * 5
    with pytest.raises(ValueError, match=r"items of up to \(2,\) don't fit into the shape \(1,\)"):
        rows.padded_batch(3, (1,))[0]
    with pytest.raises(ValueError, match="expected 2 shapes or values, one for each part of an item. Got 3"):
        pairs.padded_batch(3, padding_values=(1, 2, 3))


def test_windows():
    """As of tf.data."""
    data = Batches(lambda i: np.array(i), 7)
    assert [[int(i) for i in window] for window in data.window(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [len(w) for w in data.window(3, shift=2, stride=2)] == [3, 3, 2, 1]
    assert len(data.window(3, shift=2, stride=2, drop_remainder=True)) == 2
    arrays = data.window(3, shift=1, drop_remainder=True).flat_map(lambda window: window.batch(3))
    assert [a.tolist() for a in arrays] == [[i, i + 1, i + 2] for i in range(5)]
    pairs = Batches(lambda i: (i, 10 * i), 4).window(2)
    assert [(list(x), list(y)) for x, y in pairs] == [([0, 1], [0, 10]), ([2, 3], [20, 30])]
    assert len(data.repeat().window(2).take(3)) == 3
    with pytest.raises(ValueError, match="window: stride must be an int >= 1"):
        data.window(2, stride=0)


@pytest.mark.parametrize("packed", [False, True])
def test_batches_side_by_side(packed):
    ended = []
    first, second = (Batches(lambda i, k=k: np.array([10 * k + i]), 2 + k, lambda k=k: ended.append(k)) for k in (0, 1))
    both = Batches.zip((first, second)) if packed else Batches.zip(first, second)
    assert [(a.tolist(), b.tolist()) for a, b in both] == [([0], [10]), ([1], [11])] and ended == [0, 1]
    for wrong in ((), (first, [1])):
        with pytest.raises(TypeError, match="zip: expected one or more Batches. Got"):
            Batches.zip(*wrong)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, [0, 10, 20, 30, 40, 1, 21, 31, 2, 32, 33]),
        ({"cycle_length": 2}, [0, 10, 1, 2, 20, 21, 30, 31, 40, 32, 33]),
        ({"cycle_length": 2, "block_length": 2}, [0, 1, 10, 2, 20, 21, 30, 31, 32, 33, 40]),
        ({"cycle_length": 3, "block_length": 2}, [0, 1, 10, 20, 21, 2, 30, 31, 40, 32, 33]),
    ],
)
def test_interleaved_batches(options, expected):
    """In the order of tf.data."""
    sizes = [3, 1, 2, 4, 1]
    files = Batches(lambda i: i, len(sizes))
    assert (
        numbers(files.interleave(lambda i: Batches(lambda j: np.array([10 * i + j]), sizes[i]), **options)) == expected
    )


class Rows:
    """A data set that can only be read from the beginning, as a tf.data.Dataset."""

    def __init__(self, rows, sized):
        self.rows, self.sized, self.passes = rows, sized, 0

    def __len__(self):
        if not self.sized:
            raise TypeError("The dataset length is unknown.")
        return len(self.rows)

    def __iter__(self):
        self.passes += 1
        return iter(self.rows)


@pytest.mark.parametrize("sized", [True, False])
def test_interleave_of_data_sets_that_are_not_batches(sized):
    made = []

    def rows_of(i):
        made.append(Rows([np.array([10 * i + j]) for j in range(3)], sized))
        return made[-1]

    data = Batches(lambda i: i, 2).interleave(rows_of)
    assert [rows.passes for rows in made] == [not sized, not sized]
    for number in (1, 2):
        assert numbers(data) == [0, 10, 1, 11, 2, 12]
        assert [rows.passes for rows in made] == ([number, number] if sized else [1, 1])
    assert numbers(Batches(lambda i: i, 2).interleave(lambda i: [np.array([i])] * 2)) == [0, 1, 0, 1]


def test_interleave_says_what_it_needs():
    data = Batches(lambda i: i, 2)
    with pytest.raises(TypeError, match="Expected a data set, as Batches or a list. Got int"):
        data.interleave(lambda i: i)
    endless = Rows([], sized=False)
    endless.cardinality = lambda: -1
    with pytest.raises(TypeError, match=r"without end. Use its take\(n\) first"):
        data.interleave(lambda i: endless)


def test_batches_without_end():
    data = utils.split_dataset((np.ones((8, 1), "float32"), np.arange(8)), 6)[0]
    data = data.batch(4).shuffle(seed=0)
    endless = data.repeat()
    assert endless.cardinality() == -1 and endless.num_batches is None
    assert sorted(numbers(endless.take(4))) == [0, 0, 4, 4]
    passes = [numbers(endless.take(20))[i : i + 2] for i in range(0, 20, 2)]
    assert all(sorted(one) == [0, 4] for one in passes) and [0, 4] in passes and [4, 0] in passes
    with pytest.raises(TypeError, match=r"without end: repeat\(\) made them so. Use take\(n\)"):
        len(endless)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(endless.map(lambda x, y: (x, y * 1.0)), epochs=2, steps_per_epoch=5, verbose=0)
    assert len(history.history["loss"]) == 2 and model.optimizer.iterations.numpy() == 10
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match="The data is without end: say how many batches to take"):
            call(endless, verbose=0)
    assert len(model.predict(endless, steps=4, verbose=0)) == 12


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"start_index": 12}, "start_index and end_index"),
        ({"sampling_rate": 0}, "sampling_rate must be positive"),
        ({"sequence_stride": 10}, "sequence_stride must be positive and below the 10 steps"),
        ({"sequence_length": 11}, "hold no window of 11 steps"),
    ],
)
def test_timeseries_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.timeseries_dataset_from_array(np.arange(10), None, **{"sequence_length": 2, **arguments})


def test_timeseries_of_lists():
    rows, targets = utils.timeseries_dataset_from_array([[1.0], [2.0], [3.0]], [1, 2, 3], sequence_length=2)[0]
    assert (rows.dtype, targets.dtype) == ("float32", "int32")


def test_specs_of_batches():
    rows = utils.batches.Batches(lambda i: (np.ones((3 - i, 2)), {"text": np.array(["a", "b"])}), 2)
    numbers, texts = rows.element_spec
    assert (numbers.shape, numbers.dtype) == ((None, 2), "float64")
    assert (texts["text"].shape, texts["text"].dtype) == ((2,), "string")
    assert rows.repeat().element_spec[0].shape == (3, 2)
    left, _ = utils.split_dataset(rows.map(lambda x, _: x), left_size=2)
    assert left[0].shape == (2,)


def test_split_dataset_of_rows_by_number():
    class Rows:  # as torch.utils.data.Dataset has them
        def __len__(self):
            return 10

        def __getitem__(self, i):
            return {"x": np.full((2,), i)}, i

    class Stream:  # as tf.data.Dataset before batch(), which sets _batch_size
        element_spec = None

        def __iter__(self):
            return (Rows()[i] for i in range(10))

    for data in (Rows(), Stream()):
        left, right = utils.split_dataset(data, left_size=0.3)
        assert [int(y) for _, y in left] == [0, 1, 2] and [x["x"].tolist() for x, _ in right][0] == [3, 3]


def test_split_dataset():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    left, right = utils.split_dataset((x, y), left_size=0.7)
    assert len(left) == 7 and len(right) == 3 and right[0][0].tolist() == [14, 15] and right[0][1] == 7
    left, right = utils.split_dataset({"a": x, "b": y}, right_size=4, left_size=3, shuffle=True, seed=3)
    assert len(left) == 3 and len(right) == 4
    assert not {int(row["b"]) for row in left} & {int(row["b"]) for row in right}
    left, _ = utils.split_dataset(left.batch(2), left_size=2)
    assert [sorted(row) for row in left] == [["a", "b"]] * 2
    for sizes, message in (({}, "give left_size"), ({"left_size": 11}, "an int below 10"), ({"left_size": 0.01}, "0")):
        with pytest.raises(ValueError, match=message):
            utils.split_dataset(x, **sizes)
    with pytest.raises(TypeError, match="must be an int or a float"):
        utils.split_dataset(x, left_size="half")
    for data in ([1, 2, 3], "abc"):
        with pytest.raises(TypeError, match="split_dataset: expected arrays"):
            utils.split_dataset(data, left_size=0.5)


def test_config():
    config = utils.Config(a=1)
    config.b, config["c"] = 2, [3]
    assert config.a == 1 and config["b"] == 2 and config.get("d", 4) == 4 and "c" in config and len(config) == 3
    assert list(config) == ["a", "b", "c"] and config.to_json() == '{"a": 1, "b": 2, "c": [3]}'
    config.freeze()
    assert config.frozen
    for change in (lambda: config.update(a=2), lambda: setattr(config, "a", 2), lambda: config.pop("a")):
        with pytest.raises(ValueError, match="frozen"):
            change()
    config.unfreeze()
    del config["c"]
    assert config.pop("b") == 2 and config.as_dict() == {"a": 1}
    with pytest.raises(AttributeError, match="no setting 'learning_rat'.*learning_rate"):
        utils.Config(learning_rate=1).learning_rat  # noqa: B018


def nested_model():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu", name="deep")], name="inner")
    inputs = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    x = layers.Concatenate(name="join")([inner(inputs[0]), inner(inputs[1])])
    return keras.Model(inputs, layers.Dense(1, name="<out>")(x), name="outer")


def test_model_to_dot():
    pytest.importorskip("pydot")
    model = nested_model()
    dot = utils.model_to_dot(model, show_shapes=True, show_dtype=True, show_layer_activations=True, show_trainable=True)
    text = dot.to_string()
    assert len(dot.get_nodes()) == 6 and len(dot.get_edges()) == 4  # five layers and the defaults
    for part in ("(None, 4)", "Output dtype: <b>float32", "&lt;out&gt;", "Activation: <b>linear", "Trainable"):
        assert part in text
    nested = utils.model_to_dot(model, expand_nested=True)
    assert [g.get_name() for g in nested.get_subgraphs()] == ["cluster_inner"] and "deep" in nested.to_string()
    assert (
        len(utils.model_to_dot(keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(1)])).get_edges())
        == 1
    )
    with pytest.raises(ValueError, match="not built"):
        utils.model_to_dot(keras.Sequential([layers.Dense(1)]))


def test_plot_model(tmp_path):
    pytest.importorskip("pydot")
    utils.plot_model(nested_model(), tmp_path / "model.dot", show_layer_names=True)
    assert "inner" in (tmp_path / "model.dot").read_text()


def test_plot_model_without_graphviz(tmp_path, monkeypatch):
    pytest.importorskip("pydot")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match="Graphviz"):
        utils.plot_model(nested_model(), tmp_path / "model.png")


def test_source_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    assert [id(x) for x in utils.get_source_inputs(layers.Dense(1)(a + b))] == [id(a), id(b)]
    assert utils.get_source_inputs(a) == [a] and utils.is_keras_tensor(a) and not utils.is_keras_tensor(ops.ones(2))


def test_packed_batches():
    pack, unpack = utils.pack_x_y_sample_weight, utils.unpack_x_y_sample_weight
    x = np.ones(2)
    assert pack(x) is x and pack([1, 2]) == ([1, 2],) and pack(1, 2) == (1, 2) and pack(1, 2, 3) == (1, 2, 3)
    assert unpack(1) == unpack((1,)) == (1, None, None) and unpack((1, 2)) == (1, 2, None)
    assert unpack([1, 2]) == (1, 2, None) and unpack((1, 2, 3)) == (1, 2, 3)
    with pytest.raises(ValueError, match="Received 4 parts"):
        unpack((1, 2, 3, 4))


def test_interactive_logging(caplog, capsys):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    utils.disable_interactive_logging()
    try:
        assert not utils.is_interactive_logging_enabled() and not keras.config.is_interactive_logging_enabled()
        with caplog.at_level(logging.INFO, "dlcore"):
            model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2)
    finally:
        utils.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert caplog.messages[0] == "Epoch 1/2" and caplog.messages[1].startswith("1/1 - 0s") and len(caplog.messages) == 4
    model.fit(np.ones((4, 2)), np.ones((4, 1)))
    assert "1/1" in capsys.readouterr().out


def test_legacy_configurations():
    from dlcore.legacy import saving

    layer = layers.Dense(3, kernel_initializer="he_normal", name="d")
    config = utils.legacy.serialize_keras_object(layer)
    assert config["class_name"] == "Dense" and config["config"]["units"] == 3
    back = saving.deserialize_keras_object(config, module_objects={"Dense": layers.Dense})
    assert back.get_config() == layer.get_config()
    assert saving.serialize_keras_object(None) is None and saving.serialize_keras_object(ops.relu) == "relu"
    assert saving.deserialize_keras_object("relu", {"relu": ops.relu}) is ops.relu
    with pytest.raises(ValueError, match="Unknown layer: 'Dens'.*Dense"):
        saving.deserialize_keras_object("Dens", {"Dense": layers.Dense}, printable_module_name="layer")
    with pytest.raises(ValueError, match="class_name"):
        saving.deserialize_keras_object({"config": {}})
