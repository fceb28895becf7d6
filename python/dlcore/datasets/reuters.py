"""Reuters: 11,228 newswires of 46 topics."""

from dlcore.datasets._files import obtain, read_npz
from dlcore.datasets._texts import number_texts, read_word_index

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_INDEX_MD5 = "4d44cc38712099c9e383dc6e5f11a921"
_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
).split()


def load_data(
    path="reuters.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    test_split=0.2,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
):
    """Loads the newswires as lists of word numbers, the most frequent word first.

    Args:
        path: name of the file in the data folders, or a path of its own.
        num_words: words numbered `num_words` or higher become `oov_char`. None keeps all (but, as in Keras, the
            very highest number).
        skip_top: words numbered below this become `oov_char`.
        maxlen: newswires of this length or longer (counting the start mark) are left out.
        test_split: the part of the newswires, at the end, for testing.
        seed: of the shuffle, `numpy.random.RandomState`.
        start_char: number put before each newswire, or None.
        oov_char: number for words left out, or None to drop them.
        index_from: added to each word's rank, so that the marks have numbers of their own.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: object arrays of lists of integers, int64 labels 0-45.
    """
    path = obtain(path, url=_URL + "reuters.npz", file_hash=_SHA256)
    arrays = read_npz(path, {"x": ("O", (None,)), "y": ("iu", (None,))})
    parts = [(arrays["x"], arrays["y"])]
    ((x, y),) = number_texts(path, parts, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from)
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def get_word_index(path="reuters_word_index.json"):
    """The dict word -> rank (1 is the most frequent); `load_data` adds `index_from` to the ranks."""
    return read_word_index(path, _URL + "reuters_word_index.json", _INDEX_MD5)


def get_label_names():
    """The names of the 46 topics, by label."""
    return tuple(_TOPICS)
