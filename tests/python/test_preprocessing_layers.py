"""Layers of strings and categories: their values against Keras's, saving, use in models, messages."""

import collections
import json
import pathlib
import pickle
import re
import string

import numpy as np
import pytest
from preprocessing_cases import CASES, CROSSINGS, INTS, NUMBERS, TEXTS, WORDS

import dlcore as keras
from dlcore import _core, layers, ops

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
TRACED = [name for name in CASES if name.startswith(("integer_lookup", "discretization", "category_encoding"))]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "keras_preprocessing.npz") as file:
        return dict(file)


def made(name):
    make, data, _ = CASES[name]
    layer = make(layers)
    if data is not None:
        layer.adapt(data)
    return layer


def compare(y, expected):
    y = ops.convert_to_numpy(y)
    assert y.shape == expected.shape and (y.dtype == expected.dtype or expected.dtype.kind == "U")
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(y, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("name", CASES)
def test_values(name, golden):
    layer = made(name)
    compare(layer(CASES[name][2]), golden[f"{name}/y"])
    if hasattr(layer, "get_vocabulary"):
        tokens = [token for token in layer.get_vocabulary() if token is not None]
        assert tokens == golden[f"{name}/vocabulary"].tolist()
    if hasattr(layer, "bin_boundaries"):
        np.testing.assert_allclose(layer.bin_boundaries, golden[f"{name}/boundaries"], rtol=1e-6)


@pytest.mark.parametrize("name", CROSSINGS)
def test_crossings(name, golden):
    make, inputs = CROSSINGS[name]
    compare(make(layers)(inputs), golden[f"{name}/y"])


@pytest.mark.parametrize("name", CASES)
def test_copies_by_configuration_compute_the_same(name, golden):
    layer = made(name)
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert copy.get_config() == layer.get_config()
    if CASES[name][1] is not None and hasattr(layer, "set_vocabulary"):
        idf = layer._idf if hasattr(layer, "_idf") else layer._lookup_layer._idf
        size = layer.vocabulary_size()
        copy.set_vocabulary(layer.get_vocabulary(), None if idf is None else idf[:size])
    compare(copy(CASES[name][2]), golden[f"{name}/y"])


@pytest.mark.parametrize("name", TRACED)
def test_in_a_model(name, golden):
    layer = made(name)
    if "farmhash" in name or "salt" in name:
        with pytest.raises(TypeError, match='farmhash" looks at the values'):
            layer(keras.Input((3,), dtype="int64"))
        return
    inputs = np.array(CASES[name][2])
    x = keras.Input(inputs.shape[1:], dtype=str(inputs.dtype))
    outputs = layer(x)
    expected = golden[f"{name}/y"]
    if len(expected) == len(inputs):  # else the batch is one sample
        assert outputs.shape == (None, *expected.shape[1:]) and outputs.dtype == expected.dtype
        compare(keras.Model(x, outputs).predict(inputs, verbose=0), expected)


def test_an_unknown_integer_stops_the_program():
    x = keras.Input((1,), dtype="int64")
    layer = layers.IntegerLookup(vocabulary=[3, 5], num_oov_indices=0, mask_token=0)
    model = keras.Model(x, layer(x))
    np.testing.assert_array_equal(model.predict(np.array([[5], [0], [3]]), verbose=0), [[2], [0], [1]])
    with pytest.raises(IndexError, match="out of range"):
        model.predict(np.array([[4]]), verbose=0)
    with pytest.raises(ValueError, match="4 is not in the vocabulary, and num_oov_indices=0"):
        layer([4])


def test_weights_of_counts():
    layer = layers.CategoryEncoding(4, "count")
    weights = np.array([[0.5, 2.0, 3.0]])
    np.testing.assert_array_equal(layer(np.array([[1, 3, 3]]), count_weights=weights).numpy(), [[0, 0.5, 0, 5]])
    with pytest.raises(ValueError, match='count_weights are for output_mode="count"'):
        layers.CategoryEncoding(4)(np.array([[1]]), count_weights=np.array([[1.0]]))


def test_a_new_vocabulary_changes_a_traced_model():
    x = keras.Input((2,), dtype="int64")
    layer = layers.IntegerLookup()
    model = keras.Model(x, layer(x))
    assert (model.predict(INTS[:, :2], verbose=0) == 0).all()
    layer.adapt(INTS[:, :2])
    assert layer.get_vocabulary()[1] == 36
    np.testing.assert_array_equal(model.predict(INTS[:1, :2], verbose=0), layer(INTS[:1, :2]).numpy())


@pytest.mark.parametrize("mode", ["int", "multi_hot", "tf_idf"])
def test_saved_models_keep_their_vocabulary(mode, tmp_path):
    lookup = layers.IntegerLookup(output_mode=mode)
    lookup.adapt(INTS)
    x = keras.Input((3,), dtype="int64")
    model = keras.Model(x, lookup(x))
    expected = model.predict(INTS, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].get_vocabulary() == lookup.get_vocabulary()
    np.testing.assert_array_equal(loaded.predict(INTS, verbose=0), expected)


@pytest.mark.parametrize("kind", [layers.StringLookup, layers.TextVectorization])
@pytest.mark.parametrize("mode", ["int", "multi_hot", "tf_idf"])
def test_saved_models_keep_their_words(kind, mode, tmp_path):
    words = kind(output_mode=mode)
    texts = np.array([["sun"], ["rain"], ["sun"], ["wind"]])
    words.adapt(texts)
    model = keras.Sequential([keras.Input((1,), dtype="string"), words])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_vocabulary() == words.get_vocabulary()
    np.testing.assert_array_equal(loaded.predict(texts, verbose=0), model.predict(texts, verbose=0))


@pytest.mark.parametrize("kind", [layers.StringLookup, layers.TextVectorization])
def test_files_without_the_vocabulary(kind, tmp_path):
    words, texts, path = kind(), np.array([["sun"], ["rain"]]), tmp_path / "model.h5"
    words.adapt(texts)
    model = keras.Sequential([keras.Input((1,), dtype="string"), words])
    with pytest.warns(
        UserWarning, match="A .h5 file holds weights, but not .*vocabulary.txt.* Save the model as .keras"
    ):
        model.save(path)
    with pytest.raises(RuntimeError, match="has no vocabulary yet. Call adapt"):
        keras.models.load_model(path).predict(texts, verbose=0)
    given = kind(vocabulary=words.get_vocabulary())
    model = keras.Sequential([keras.Input((1,), dtype="string"), given])
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(texts, verbose=0), model.predict(texts, verbose=0))


@keras.saving.register_keras_serializable("tests")
class OfTexts(keras.Model):
    """A model that keeps its vectorization."""

    def __init__(self):
        super().__init__()
        self.vectorize = layers.TextVectorization(output_mode="tf_idf")
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {}


def test_saved_models_keep_the_texts_of_their_layers(tmp_path):
    model = OfTexts()
    model.vectorize.adapt(TEXTS)
    x = model.vectorize(TEXTS)
    model(x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.vectorize.get_vocabulary() == model.vectorize.get_vocabulary()
    np.testing.assert_array_equal(loaded.vectorize(TEXTS).numpy(), x.numpy())
    model.vectorize.set_vocabulary(["a\nb"], [1.0])
    with pytest.raises(ValueError, match=r"tokens hold line breaks: \['a\\nb'\]"):
        model.save(tmp_path / "model.keras")


def test_vocabulary_files(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("b\r\na\r\né\r\n\r\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "é"] and layer.get_config()["vocabulary"] is None
    text = layers.TextVectorization()
    text.set_vocabulary(path)
    np.testing.assert_array_equal(text(["a b x"]).numpy(), [[3, 2, 1]])
    for cls in (layers.StringLookup, layers.TextVectorization):
        with pytest.raises(ValueError, match="names the file '/etc/passwd', which is not read"):
            cls.from_config({**cls().get_config(), "vocabulary": "/etc/passwd"})


def test_discretization_knows_its_bins_before_it_is_adapted():
    layer = layers.Discretization(num_bins=3, output_mode="one_hot")
    assert layer.compute_output_shape((None, 4)) == (None, 4, 3) and layer.compute_output_shape((5, 1)) == (5, 3)
    layer = layers.Discretization([0.0, 1.0, 2.0], output_mode="count")
    assert layer.compute_output_shape((2, 6)) == layer(np.ones((2, 6))).shape == (2, 4)


def test_lists_are_taken():
    np.testing.assert_array_equal(layers.Rescaling(2.0)([1.0, 2.0]), [2, 4])
    np.testing.assert_array_equal(layers.Discretization([0.0, 1.0])([[0.5, 2.0]]), [[1, 2]])
    with pytest.raises(ValueError, match="has no boundaries yet"):
        layers.Discretization(num_bins=3)([1.0])


def test_intervals_of_fractions_do_not_depend_on_the_dtype():
    layer = layers.Discretization([0.0, 1.0, 1.2], dtype="int32")
    np.testing.assert_array_equal(layer(np.array([[1.3, 0.5]])), [[3, 1]])


def test_idf_weights_are_told():
    layer = layers.StringLookup(output_mode="tf_idf")
    assert layer.idf_weights is None
    layer.adapt(["one", "one", "two"])
    np.testing.assert_allclose(layer.idf_weights[1:], np.log(1 + 3 / np.array([3, 2])), rtol=1e-6)


def test_batches_and_steps():
    layer = layers.TextVectorization()
    layer.adapt((batch for batch in (TEXTS[:2], TEXTS[2:3], ["never"])), steps=2)
    alone = layers.TextVectorization()
    alone.adapt(TEXTS[:3])
    assert layer.get_vocabulary() == alone.get_vocabulary()
    bins = layers.Discretization(num_bins=3)
    bins.adapt(iter([NUMBERS[:3], NUMBERS[3:]]), steps=1)
    expected = layers.Discretization(num_bins=3)
    expected.adapt(NUMBERS[:3])
    assert bins.bin_boundaries == expected.bin_boundaries


@keras.saving.register_keras_serializable("tests")
def stripped(texts):
    return np.char.upper(np.char.strip(texts, "!"))


@keras.saving.register_keras_serializable("tests")
def at_dashes(texts):
    return [text.split("-") for text in texts.tolist()]


def test_own_functions_for_texts():
    layer = layers.TextVectorization(standardize=stripped, split=at_dashes)
    layer.adapt(["a-b!", "b-c"])
    assert layer.get_vocabulary() == ["", "[UNK]", "B", "C", "A"]
    copy = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    copy.set_vocabulary(layer.get_vocabulary())
    np.testing.assert_array_equal(copy(["!c-x-a", "b"]).numpy(), [[3, 1, 4], [2, 0, 0]])


def test_single_strings_and_bytes():
    layer = layers.TextVectorization(vocabulary=["a", "é"])
    np.testing.assert_array_equal(layer("a b é").numpy(), [2, 1, 3])
    np.testing.assert_array_equal(layer(np.array([b"a", "é".encode()])).numpy(), [[2], [3]])
    assert int(layers.StringLookup(vocabulary=["a"])("a")) == 1
    assert int(layers.Hashing(2**62)("hello")) == fingerprint("hello") % 2**62


ODD_TEXTS = [
    "",
    "!?...",
    " \t\n\v\f\r ",
    "Foo,bar FOO-bar\tfoo  bar.",
    "Ünïcode ÄÖÜ straße İi e\u0301 É 日本語 日本 \U0001f600\U0001f600 a\u200bb",
    "a\u00a0b\u2003c\u3000d\x1ce\x85f",  # spaces that do not part words
    "nul\0in nul \0 \0end\x01",
    "half \ud800 of a pair",
    "word " * 5000 + "x" * 3000,
    " ".join(f"w{i % 700}" for i in range(3000)),
    "ab ab\0 ab\0\0 abcdefgh abcdefgh\0 abcdefghi",
]


def plain_words(text, standardize, split):
    if standardize and "lower" in standardize:
        text = "".join(c.lower() if c in string.ascii_uppercase else c for c in text)
    if standardize and "strip" in standardize:
        text = "".join(c for c in text if c not in string.punctuation)
    return list(text) if split == "character" else re.findall("[^ \t\n\v\f\r]+", text) if split else [text]


@pytest.mark.parametrize("standardize", [None, "lower", "strip_punctuation", "lower_and_strip_punctuation"])
@pytest.mark.parametrize("split", ["whitespace", "character", None])
@pytest.mark.parametrize("ngrams", [None, 2, (3, 1)])
@pytest.mark.parametrize("data", [ODD_TEXTS, np.array(ODD_TEXTS[:8]), [text + "é" for text in ODD_TEXTS[:4]]])
def test_words_against_plain_ones(standardize, split, ngrams, data):
    layer = layers.TextVectorization(standardize=standardize, split=split, ngrams=ngrams, max_tokens=500)
    if split is None:
        data = np.array(data, object).reshape(-1, 1)
    layer.adapt(data)
    widths = [1] if ngrams is None else [1, 2] if ngrams == 2 else ngrams
    rows = []
    for text in np.ravel(np.array(data, object)).tolist():
        words = plain_words(text, standardize, split)
        rows.append([" ".join(words[i : i + n]) for n in widths for i in range(len(words) - n + 1)])
    counts = collections.Counter(word for row in rows for word in row)
    counts.pop("", None)
    tokens = sorted(counts, key=lambda token: (counts[token], token), reverse=True)[:498]
    assert layer.get_vocabulary() == ["", "[UNK]", *tokens]
    index = {"": 0, **{token: i + 2 for i, token in enumerate(tokens)}}
    wanted = np.zeros((len(rows), max(map(len, rows))), "int64")
    for found, row in zip(wanted, rows):
        found[: len(row)] = [index.get(word, 1) for word in row]
    np.testing.assert_array_equal(layer(data).numpy(), wanted)


def test_strings_of_all_kinds_of_arrays():
    layer = layers.StringLookup(vocabulary=["b", "日", "a\0c"])
    wanted = [1, 0, 2, 3]
    texts = ["b", "x", "日", "a\0c"]
    packed = np.frombuffer(b"\0" + np.array(texts).tobytes(), np.uint8)[1:].view(f"U{3}")
    for data in (
        texts,
        np.array(texts),
        np.array(texts).astype(">U4"),
        np.array([text for text in texts for _ in range(2)])[::2],
        packed,
        np.array([text.encode() for text in texts]),
        [np.str_("b"), b"x", "日", "a\0c"],
    ):
        np.testing.assert_array_equal(layer(data).numpy(), wanted)
    np.testing.assert_array_equal(layer(np.array(texts).reshape(2, 2).T).numpy(), [[1, 2], [0, 3]])


def test_integers_in_order_and_out_of_the_vocabulary():
    layer = layers.IntegerLookup()
    layer.adapt([3, -2, 2**62, -(2**63), -2, 300, 3])
    assert layer.get_vocabulary() == [-1, 3, -2, 2**62, 300, -(2**63)]
    several = layers.IntegerLookup(num_oov_indices=3, vocabulary=[10], mask_token=0)
    np.testing.assert_array_equal(several(np.array([10, 0, -1, 7, -(2**63)])).numpy(), [4, 0, 3, 2, 2])
    strict = layers.IntegerLookup(num_oov_indices=0, vocabulary=[10])
    with pytest.raises(ValueError, match="-7 is not in the vocabulary"):
        strict(np.array([10, -7, 8]))


def test_copies_of_half_adapted_layers():
    layer = layers.TextVectorization(output_mode="tf_idf", vocabulary=None)
    layer.update_state(["a b b", "b c\ud800"])
    copy = pickle.loads(pickle.dumps(layer))
    for one in (layer, copy):
        one.update_state(["c a", "b"])
        one.finalize_state()
    assert copy.get_vocabulary() == layer.get_vocabulary() == ["[UNK]", "b", "a", "c\ud800", "c"]
    np.testing.assert_array_equal(copy._lookup_layer.idf_weights, layer._lookup_layer.idf_weights)
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again(["b x", "c"]).numpy(), layer(["b x", "c"]).numpy())


@pytest.mark.parametrize("indices", [[[0, 2, 2], [1, 1, 1]], [[-1, 2, 2], [5, -4, 1]]])
def test_vectors_of_indices_within_and_without(indices):
    wanted = np.zeros((2, 4))
    for row, index in np.argwhere(np.ones((2, 3))).tolist():
        if 0 <= indices[row][index] < 4:
            wanted[row, indices[row][index]] += 1
    counts = layers.CategoryEncoding(4, "count")
    np.testing.assert_array_equal(counts(np.array(indices)).numpy(), wanted)
    hot = layers.CategoryEncoding(4, "multi_hot")
    np.testing.assert_array_equal(hot(np.array(indices)).numpy(), wanted > 0)
    model = keras.Sequential([keras.Input((3,), dtype="int64"), hot])
    np.testing.assert_array_equal(model.predict(np.array(indices), verbose=0), wanted > 0)


def test_multi_hot_of_rows_of_one():
    indices = np.array([[2], [0], [-1]])
    np.testing.assert_array_equal(ops.multi_hot(indices, 3).numpy(), [[0, 0, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(ops.multi_hot(indices[0], 3).numpy(), [0, 0, 1])


def test_own_split_gets_standardized_texts():
    layer = layers.TextVectorization(split=at_dashes, standardize="lower", vocabulary=["a b", "c!"])
    np.testing.assert_array_equal(layer(["A B-C!", ""]).numpy(), [[2, 3], [0, 0]])


def fingerprint(value, key=None):
    return int(_core.fingerprints(np.array([value], object if isinstance(value, str) else "int64"), key)[0])


def test_fingerprints():
    """FarmHash of each way to treat lengths; SipHash of its paper's example, key and message 0, 1, 2, ..."""
    known = {0: 1936946117179621455, 1: 3694432073954588131, 5: 3786372426573024488, 11: 1769834696496558107}
    known |= {40: 3168538174772821140, 100: 3286434551874864643, 64: 294799756062990872}
    for text in ("", "a", "hello", "hello world", "x" * 40, "y" * 100, "z" * 64):
        assert fingerprint(text) % 2**62 == known[len(text)]
    assert fingerprint(-12) == fingerprint("-12")
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert fingerprint(bytes(range(15)).decode(), key) == 0xA129CA6149BE45E5


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: layers.StringLookup(max_tokens=1), ValueError, "max_tokens must be an int > 1 or None. Got max_t"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), ValueError, "pad_to_max_tokens=True needs max_tokens"),
        (
            lambda: layers.StringLookup(num_oov_indices=-1),
            ValueError,
            "num_oov_indices must be an int >= 0. Got num_oov_indices=-1",
        ),
        (lambda: layers.StringLookup(sparse=True), ValueError, "StringLookup: sparse=True is for vectors"),
        (lambda: layers.StringLookup(output_mode="ont_hot"), ValueError, "unknown output_mode.*one_hot"),
        (
            lambda: layers.StringLookup(invert=True, output_mode="count"),
            ValueError,
            "invert=True goes with output_mode",
        ),
        (lambda: layers.StringLookup(vocabulary=[]), ValueError, "the vocabulary is empty"),
        (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ValueError, r"These recur: \['a'\]"),
        (lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""), ValueError, "the mask token '' lies within"),
        (lambda: layers.StringLookup(2, vocabulary=["a", "b"]), ValueError, "has 3 tokens .* more than max_tokens=2"),
        (lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"), ValueError, "idf_weights are given exac"),
        (lambda: layers.StringLookup(output_mode="count")(["a"]), RuntimeError, "has no vocabulary yet"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), ValueError, "was given its vocabulary"),
        (lambda: layers.StringLookup(vocabulary=["a"])([1]), TypeError, "expects strings, .* Got int 1"),
        (lambda: layers.StringLookup()(keras.Input((1,))), TypeError, "expects strings, .* Got float 0.0"),
        (
            lambda: layers.Dense(2)(keras.Input((1,), dtype="string")),
            TypeError,
            "stands for strings, which only StringL",
        ),
        (
            lambda: layers.StringLookup(salt="x"),
            ValueError,
            "salt must be an int, a pair of ints or None. Got salt='x'",
        ),
        (lambda: layers.IntegerLookup(salt=3), ValueError, "a salt goes with oov_method=\"farmhash\". Got 'floormod'"),
        (lambda: layers.IntegerLookup(vocabulary_dtype="int32"), ValueError, 'vocabulary_dtype must be "int64"'),
        (lambda: layers.TextVectorization(ngrams="2"), ValueError, "ngrams must be an int, a tuple of ints or None"),
        (lambda: layers.TextVectorization(ngrams=(2, 0)), ValueError, r"all > 0. Got ngrams=\(2, 0\)"),
        (
            lambda: layers.TextVectorization(output_sequence_length=-1),
            ValueError,
            "must be an int >= 0",
        ),
        (
            lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3),
            ValueError,
            "goes with output",
        ),
        (lambda: layers.TextVectorization(ragged=True), ValueError, "there are no ragged tensors"),
        (lambda: layers.TextVectorization()(WORDS), ValueError, r"splits texts \(batch,\) or \(batch, 1\). Got shape"),
        (lambda: layers.TextVectorization()(keras.Input((1,))), TypeError, "expects strings, .* Got float 0.0"),
        (lambda: layers.Hashing(0), ValueError, "num_bins must be an int > 0. Got num_bins=0"),
        (lambda: layers.Hashing(3, dtype="float32"), ValueError, "must be int32 or int64. Got 'float32'"),
        (lambda: layers.HashedCrossing(3)([WORDS[:, 0]]), ValueError, "a list of at least two inputs"),
        (lambda: layers.HashedCrossing(3)([WORDS, WORDS]), ValueError, r"one shape, \(\), \(batch,\) or \(batch, 1\)"),
        (
            lambda: layers.HashedCrossing(3)([NUMBERS[0], NUMBERS[1]]),
            TypeError,
            "integers or strings. Got dtype float32",
        ),
        (lambda: layers.CategoryEncoding(), ValueError, "num_tokens must be an int > 0. Got num_tokens=None"),
        (lambda: layers.Discretization(), ValueError, "give either num_bins or bin_boundaries"),
        (lambda: layers.Discretization([1.0, 0.0]), ValueError, "bin_boundaries must ascend"),
        (lambda: layers.Discretization(num_bins=3)(NUMBERS), ValueError, "has no boundaries yet. Call adapt"),
        (lambda: layers.Discretization([0.0]).adapt(NUMBERS), ValueError, "was given its bin_boundaries"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- sparse vectors


@pytest.mark.parametrize(
    "make, data",
    [
        (lambda **k: layers.CategoryEncoding(4, "multi_hot", **k), np.array([[0, 1, 1], [3, 7, -1]])),
        (lambda **k: layers.CategoryEncoding(4, "count", **k), np.array([[0, 1, 1], [3, 3, 0]])),
        (lambda **k: layers.CategoryEncoding(4, "one_hot", **k), np.array([2, 0, 9])),
        (lambda **k: layers.CategoryEncoding(4, "one_hot", **k), np.array([[2], [0]])),
        (
            lambda **k: layers.StringLookup(vocabulary=["a", "b"], output_mode="count", **k),
            [["a", "b", "a"], ["c", "b", "b"]],
        ),
        (lambda **k: layers.IntegerLookup(vocabulary=[5, 7], output_mode="multi_hot", **k), np.array([[5, 7], [1, 5]])),
        (
            lambda **k: layers.TextVectorization(
                vocabulary=["a", "b"], idf_weights=[0.25, 3.0], output_mode="tf_idf", **k
            ),
            ["a b a", "b c", ""],
        ),
        (lambda **k: layers.Hashing(5, output_mode="count", **k), [["a", "b"], ["c", "c"]]),
        (lambda **k: layers.HashedCrossing(5, output_mode="one_hot", **k), [np.array(["a", "b"]), np.array([1, 2])]),
        (lambda **k: layers.Discretization([0.0, 1.0], output_mode="one_hot", **k), np.array([[-1.0], [0.5], [2.0]])),
    ],
)
def test_sparse_vectors_are_the_dense_ones(make, data):
    sparse = pytest.importorskip("scipy.sparse")
    layer = make(sparse=True)
    found, expected = layer(data), make()(data).numpy()
    assert sparse.issparse(found) and found.dtype == expected.dtype
    np.testing.assert_array_equal(found.toarray(), expected)
    assert type(layer).from_config(layer.get_config()).sparse


def test_sparse_vectors_of_weights():
    pytest.importorskip("scipy")
    layer = layers.CategoryEncoding(3, "count", sparse=True)
    found = layer(np.array([[0, 0, 2]]), count_weights=np.array([[0.5, 1.0, 2.0]]))
    np.testing.assert_array_equal(found.toarray(), [[1.5, 0.0, 2.0]])


def test_sparse_vectors_into_a_model():
    pytest.importorskip("scipy")
    layer = layers.TextVectorization(vocabulary=["a", "b"], output_mode="multi_hot", sparse=True)
    texts = np.array(["a b", "b", "c"])
    vectors = layer(texts)
    model = keras.Sequential([keras.Input((3,), sparse=True), layers.Dense(2)])
    np.testing.assert_array_equal(model.predict(vectors, verbose=0), model.predict(vectors.toarray(), verbose=0))


def test_sparse_in_a_model_is_dense():
    inputs = keras.Input((2,), dtype="int32")
    outputs = layers.CategoryEncoding(3, "multi_hot", sparse=True)(inputs)
    model = keras.Model(inputs, outputs)
    np.testing.assert_array_equal(model.predict(np.array([[0, 2]]), verbose=0), [[1, 0, 1]])


def test_sparse_of_strings_in_a_model_is_dense():
    pytest.importorskip("scipy")
    inputs = keras.Input((1,), dtype="string")
    outputs = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot", sparse=True)(inputs)
    model = keras.Model(inputs, outputs)
    np.testing.assert_array_equal(model.predict(np.array([["b"], ["c"]]), verbose=0), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    "layer, data",
    [
        (lambda: layers.CategoryEncoding(3, "multi_hot", sparse=True), np.array([0, 1])),
        (lambda: layers.CategoryEncoding(3, "one_hot", sparse=True), np.array([[0, 1]])),
        (lambda: layers.CategoryEncoding(3, sparse=True, dtype="bfloat16"), np.array([[0, 1]])),
    ],
)
def test_sparse_that_is_no_matrix_of_scipys(layer, data):
    pytest.importorskip("scipy")
    with pytest.raises(ValueError, match="sparse=True returns matrices"):
        layer()(data)


def test_lookups_of_what_they_do_not_hold():
    with pytest.raises(TypeError, match="takes indices, which are integers"):
        layers.StringLookup(vocabulary=["a"], invert=True)(["a"])
    with pytest.raises(ValueError, match="the vocabulary must hold integers.*take StringLookup"):
        layers.IntegerLookup(vocabulary=["a"])


@pytest.mark.parametrize(
    "layer, shape, expected",
    [
        (lambda: layers.StringLookup(vocabulary=["a", "b"]), (None, 5), (None, 5)),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot"), (None, 5), (None, 5, 3)),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], invert=True), (None, 5), (None, 5)),
        (lambda: layers.TextVectorization(vocabulary=["a"], output_sequence_length=7), (None, 1), (None, 7)),
        (lambda: layers.HashedCrossing(4, output_mode="one_hot"), [(None, 1), (None, 1)], (None, 4)),
    ],
)
def test_output_shapes_of_layers_that_take_strings(layer, shape, expected):
    assert layer().compute_output_shape(shape) == expected


def test_objects_that_become_arrays():
    class Wrapped:
        def __init__(self, values):
            self.values = values

        def __array__(self):
            return np.array(self.values)

    numbers, words = [3, 1, 4], ["a", "b"]
    hashing, lookup = layers.Hashing(4), layers.StringLookup(vocabulary=words)
    np.testing.assert_array_equal(hashing(Wrapped(numbers)), hashing(np.array(numbers)))
    np.testing.assert_array_equal(hashing(Wrapped(words)), hashing(np.array(words)))
    np.testing.assert_array_equal(lookup(Wrapped(words)), [1, 2])
