"""IMDB: 50,000 film reviews labelled positive or negative."""

from dlcore.datasets._files import obtain, read_npz
from dlcore.datasets._texts import number_texts, read_word_index

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
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
    path = obtain(path, url=_URL + "imdb.npz", file_hash=_SHA256)
    arrays = read_npz(
        path,
        {"x_train": ("O", (None,)), "y_train": ("iu", (None,)), "x_test": ("O", (None,)), "y_test": ("iu", (None,))},
    )
    parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    return tuple(number_texts(path, parts, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from))


def get_word_index(path="imdb_word_index.json"):
    """The dict word -> rank (1 is the most frequent); `load_data` adds `index_from` to the ranks."""
    return read_word_index(path, _URL + "imdb_word_index.json", _INDEX_SHA256)
