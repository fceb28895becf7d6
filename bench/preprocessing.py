"""The preprocessing layers beside Keras's: `python -m bench.preprocessing [--peers PYTHON] [layer ...]`.

Milliseconds of `adapt` on, or of a call with, NumPy data, until the result is a NumPy array. Texts have 200 words of a
vocabulary of 20,000 with Zipf's frequencies, reviews 230; images are float32 (64, 160, 160, 3).
"""

import functools
import importlib
from collections.abc import Callable

import numpy as np

from .keras_calls import Rows, main

_WORDS = 20_000
_ROWS = 100_000


@functools.cache
def words() -> np.ndarray:
    return np.array([f"w{i}" for i in range(_WORDS)])


@functools.cache
def texts(count: int = 2000, length: int = 200) -> list[str]:
    frequencies = 1 / np.arange(1, _WORDS + 1)
    generator = np.random.default_rng(0)
    drawn = generator.choice(words(), (count, length), p=frequencies / frequencies.sum())
    return [" ".join(row) + "." for row in drawn]


@functools.cache
def unicode_texts() -> list[str]:
    return [text.replace("w1", "é").replace("w2", "日本") for text in texts()]


@functools.cache
def strings(kinds: int = _WORDS) -> np.ndarray:
    return np.random.default_rng(1).choice(words()[:kinds], _ROWS)


@functools.cache
def integers(kinds: int = _WORDS, columns: int | None = None) -> np.ndarray:
    return np.random.default_rng(2).integers(0, kinds, _ROWS if columns is None else (_ROWS, columns))


@functools.cache
def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype("float32")


@functools.cache
def images() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 255, (64, 160, 160, 3)).astype("float32")


def frame() -> dict[str, np.ndarray]:
    columns = {"a": numbers(_ROWS), "b": numbers(2 * _ROWS)[_ROWS:], "c": strings(100), "d": integers(50)}
    return {**columns, "e": strings()}


def adapting(make: Callable, data: Callable) -> Callable:
    """keras -> a call that makes the layer and adapts it to the data."""
    return lambda keras: functools.partial(lambda values: make(keras.layers).adapt(values), data())


def calling(make: Callable, data: Callable, adapted: Callable | None = None, **arguments) -> Callable:
    """keras -> a call of the layer, adapted to other data first."""

    def prepare(keras):
        layer, values = make(keras.layers), data()
        if adapted is not None:
            layer.adapt(adapted())
        return lambda: keras.ops.convert_to_numpy(layer(values, **arguments))

    return prepare


def on_images(name: str, *arguments, **named) -> Callable:
    return calling(lambda layers: getattr(layers, name)(*arguments, **named), images, training=True)


def space(keras):
    kinds = keras.utils.FeatureSpace
    features = {"a": "float_normalized", "b": kinds.float_discretized(10), "c": kinds.string_categorical()}
    features |= {"d": kinds.integer_categorical(), "e": kinds.string_hashed(num_bins=32)}
    return kinds(features=features, crosses=[("c", "d")], crossing_dim=32, output_mode="concat")


def batches(keras):
    columns = frame()
    if keras.__name__ == "dlcore":
        return [{name: values[i : i + 1024] for name, values in columns.items()} for i in range(0, _ROWS, 1024)]
    return importlib.import_module("tensorflow").data.Dataset.from_tensor_slices(columns).batch(1024)


def space_call(keras):
    adapted, columns = space(keras), frame()
    adapted.adapt(batches(keras))
    return lambda: keras.ops.convert_to_numpy(adapted(columns))


def sequences(layers):
    return layers.TextVectorization(max_tokens=10_000, output_sequence_length=200)


def characters(layers):
    return layers.TextVectorization(split="character")


def bigrams(layers):
    return layers.TextVectorization(max_tokens=10_000, output_mode="tf_idf", ngrams=2)


def vectors(mode: str) -> Callable:
    return calling(
        lambda layers: layers.TextVectorization(max_tokens=10_000, output_mode=mode), lambda: texts()[:256], texts
    )


def categories(mode: str, columns: int) -> Callable:
    return calling(lambda layers: layers.CategoryEncoding(64, mode), lambda: integers(64, columns))


def reviews() -> list[str]:
    return texts(25_000, 230)


ROWS: Rows = {
    "TextVectorization adapt, 2,000 texts": adapting(sequences, texts),
    "TextVectorization, 2,000 texts": calling(sequences, texts, texts),
    "TextVectorization, not ASCII": calling(sequences, unicode_texts, unicode_texts),
    "TextVectorization adapt, 25,000 reviews": adapting(sequences, reviews),
    "TextVectorization, 25,000 reviews": calling(sequences, reviews, texts),
    "TextVectorization adapt, characters": adapting(characters, texts),
    "TextVectorization, characters": calling(characters, texts, texts),
    "TextVectorization multi_hot, 256 texts": vectors("multi_hot"),
    "TextVectorization count, 256 texts": vectors("count"),
    "TextVectorization adapt, tf_idf of bigrams": adapting(bigrams, texts),
    "TextVectorization tf_idf of bigrams, 256 texts": calling(bigrams, lambda: texts()[:256], texts),
    "StringLookup adapt": adapting(lambda layers: layers.StringLookup(), strings),
    "StringLookup": calling(lambda layers: layers.StringLookup(), strings, strings),
    "StringLookup, 5 bins for unknown": calling(
        lambda layers: layers.StringLookup(num_oov_indices=5, vocabulary=list(words()[:100])), strings
    ),
    "IntegerLookup adapt": adapting(lambda layers: layers.IntegerLookup(), integers),
    "IntegerLookup": calling(lambda layers: layers.IntegerLookup(), integers, integers),
    "Hashing of strings": calling(lambda layers: layers.Hashing(1000), strings),
    "Hashing of integers": calling(lambda layers: layers.Hashing(1000), integers),
    "HashedCrossing": calling(lambda layers: layers.HashedCrossing(1000), lambda: (strings(), integers())),
    "CategoryEncoding multi_hot": categories("multi_hot", 20),
    "CategoryEncoding count": categories("count", 20),
    "CategoryEncoding one_hot": categories("one_hot", 1),
    "Discretization adapt": adapting(lambda layers: layers.Discretization(num_bins=50), lambda: numbers(2 * _ROWS)),
    "Discretization": calling(
        lambda layers: layers.Discretization(num_bins=50), lambda: numbers(2 * _ROWS), lambda: numbers(2 * _ROWS)
    ),
    "Normalization adapt": adapting(lambda layers: layers.Normalization(), lambda: numbers(2 * _ROWS, 20)),
    "FeatureSpace adapt": lambda keras: lambda: space(keras).adapt(batches(keras)),
    "FeatureSpace": space_call,
    "RandomFlip": on_images("RandomFlip"),
    "RandomRotation": on_images("RandomRotation", 0.1),
    "RandomZoom": on_images("RandomZoom", 0.2),
    "RandomTranslation": on_images("RandomTranslation", 0.1, 0.1),
    "RandomContrast": on_images("RandomContrast", 0.2),
    "RandomBrightness": on_images("RandomBrightness", 0.2),
    "Resizing": calling(lambda layers: layers.Resizing(96, 96), images),
    "RandomCrop": on_images("RandomCrop", 128, 128),
    "RandomHue": on_images("RandomHue", 0.1),
    "RandomGaussianBlur": on_images("RandomGaussianBlur"),
    "RandAugment": on_images("RandAugment"),
    "MixUp": on_images("MixUp"),
    "CutMix": on_images("CutMix"),
    "RandomErasing": on_images("RandomErasing"),
}


if __name__ == "__main__":
    main("bench.preprocessing", __doc__, "Preprocessing, ms", ROWS)
