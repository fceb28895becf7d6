"""Tables of numbers with a target: x (rows, columns), y (rows,)."""

import numpy as np

from dlcore.datasets._files import damaged, read_npz


def read_table(path, columns):
    """x and y of an .npz file."""
    arrays = read_npz(path, {"x": ("f", (None, columns)), "y": ("f", (None,))})
    if len(arrays["x"]) != len(arrays["y"]):
        raise damaged(path, f"{len(arrays['x'])} rows but {len(arrays['y'])} targets")
    return arrays["x"], arrays["y"]


def shuffle_and_split(x, y, test_split, seed):
    """Shuffles the rows as `numpy.random.RandomState(seed)` does and cuts off the last share as test data."""
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be at least 0 and below 1. Got {test_split}.")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
