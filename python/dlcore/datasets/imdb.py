"""IMDB: 50,000 film reviews labelled positive or negative."""

import json
from itertools import chain

import numpy as np

from dlcore.datasets._files import damaged, obtain, read_npz

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
_HIGHEST_RANK = 1 << 20
_INDEX_SHA256 = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6"


def load_data(
    path="imdb.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
    **kwargs,
):
    """Loads the IMDB reviews as lists of word numbers, the most frequent word first.

    Args:
        path: name of the file in the data folders, or a path of its own.
        num_words: words numbered `num_words` or higher become `oov_char`. None keeps all (but, as in Keras, the
            very highest number).
        skip_top: words numbered below this become `oov_char`.
        maxlen: reviews of this length or longer (counting the start mark) are left out.
        seed: of the shuffle, `numpy.random.RandomState`.
        start_char: number put before each review, or None.
        oov_char: number for words left out, or None to drop them.
        index_from: added to each word's rank, so that the marks have numbers of their own.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays of lists of integers, int64 labels 0 (negative) or 1.

    Reference:
        Maas et al. 2011, Learning word vectors for sentiment analysis.
    """
    if "nb_words" in kwargs:
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise TypeError(f"imdb.load_data got unexpected arguments {sorted(kwargs)}")
    path = obtain(path, url=_URL + "imdb.npz", sha256=_SHA256)
    arrays = read_npz(
        path,
        {"x_train": ("O", (None,)), "y_train": ("iu", (None,)), "x_test": ("O", (None,)), "y_test": ("iu", (None,))},
    )
    parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    highest = max(_highest_rank(path, *part) for part in parts)
    generator = np.random.RandomState(seed)
    parts = [_shuffle(*part, generator) for part in parts]
    if maxlen:
        parts = [_drop_long(*part, maxlen - (start_char is not None)) for part in parts]
        if not all(len(reviews) for reviews, _ in parts):
            raise ValueError(f"imdb.load_data: no review is shorter than maxlen={maxlen}. Pass a larger maxlen.")
    index_from = index_from or 0
    if not num_words:
        kept_highest = max(max(review, default=0) for reviews, _ in parts for review in reviews) if maxlen else highest
        num_words = max(kept_highest + index_from, start_char or 0)
    keep = range(skip_top, num_words)
    table = [rank if rank in keep else oov_char for rank in range(index_from, index_from + highest + 1)]
    start = [] if start_char is None else [start_char if start_char in keep else oov_char]
    return tuple((_renumber(reviews, start, table, drop=oov_char is None), labels) for reviews, labels in parts)


def _highest_rank(path, reviews, labels):
    """The largest word number; refuses what is not one list of ranks per label."""
    if len(reviews) != len(labels):
        raise damaged(path, f"{len(reviews)} reviews but {len(labels)} labels")
    if not all(type(review) is list for review in reviews):
        raise damaged(path, "a review is not a list of word numbers")
    try:
        ranks = np.fromiter(chain.from_iterable(reviews), np.int32)
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(path, f"a review is not a list of word numbers ({error})") from error
    if ranks.min(initial=0) < 0 or ranks.max(initial=0) > _HIGHEST_RANK:
        raise damaged(path, f"word numbers range over {ranks.min()}..{ranks.max()}, expected 0..{_HIGHEST_RANK}")
    return int(ranks.max(initial=0))


def _shuffle(reviews, labels, generator):
    order = np.arange(len(reviews))
    generator.shuffle(order)
    return reviews[order], labels[order]


def _drop_long(reviews, labels, maxlen):
    short = np.array([len(review) < maxlen for review in reviews], bool)
    return reviews[short], labels[short]


def _renumber(reviews, start, table, drop):
    """Each review as `start` and the table's entry of each rank; with `drop`, entries None are left out."""
    renumbered = np.empty(len(reviews), dtype=object)
    for i, review in enumerate(reviews):
        numbers = start + list(map(table.__getitem__, review))
        renumbered[i] = [number for number in numbers if number is not None] if drop else numbers
    return renumbered


def get_word_index(path="imdb_word_index.json"):
    """The dict word -> rank (1 is the most frequent); `load_data` adds `index_from` to the ranks."""
    path = obtain(path, url=_URL + "imdb_word_index.json", sha256=_INDEX_SHA256)
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(index, dict) or not all(type(rank) is int for rank in index.values()):
        raise damaged(path, "it is not a dict of word ranks")
    return index
