"""Boston housing: 506 districts, 13 columns, the median price of a home."""

from dlcore.datasets._files import obtain
from dlcore.datasets._tables import read_table, shuffle_and_split

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz"
_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path="boston_housing.npz", test_split=0.2, seed=113):
    """Loads the Boston housing prices.

    Args:
        path: name of the file in the data folders, or a path of its own.
        test_split: share of the rows kept as test data.
        seed: of the shuffle before the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 (rows, 13), and prices in 1000 USD.

    Note:
        One column encodes the racial make-up of a district; prefer `california_housing` for anything but repeating
        older results.

    Reference:
        Harrison & Rubinfeld 1978.
    """
    x, y = read_table(obtain(path, url=_URL, file_hash=_SHA256), columns=13)
    return shuffle_and_split(x, y, test_split, seed)
