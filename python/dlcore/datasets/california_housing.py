"""California housing: 20,640 districts, 8 columns, the median price of a home."""

from dlcore.datasets._files import obtain
from dlcore.datasets._tables import read_table, shuffle_and_split

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/california_housing.npz"
_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"


def load_data(version="large", path="california_housing.npz", test_split=0.2, seed=113):
    """Loads the California housing prices.

    Args:
        version: "large" (20,640 rows) or "small" (the first 600).
        path: name of the file in the data folders, or a path of its own.
        test_split: share of the rows kept as test data.
        seed: of the shuffle before the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 (rows, 8) with the columns longitude, latitude, median age of
        the houses, rooms, bedrooms, population, households, median income; and prices in USD.

    Reference:
        Pace & Barry 1997, Sparse spatial autoregressions.
    """
    if version not in ("large", "small"):
        raise ValueError(f'version must be "large" or "small". Got {version!r}.')
    x, y = read_table(obtain(path, url=_URL, file_hash=_SHA256), columns=8)
    rows = 600 if version == "small" else len(x)
    return shuffle_and_split(x[:rows], y[:rows], test_split, seed)
