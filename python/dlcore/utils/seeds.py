"""One seed for everything random."""

import random

import numpy as np


def set_random_seed(seed):
    """Seeds Python's `random`, NumPy and dlcore, so that a program gives the same numbers in each run.

    Args:
        seed: integer 0 .. 2**32 - 1.

    Raises:
        ValueError: the seed is no int from 0 to 2**32 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed expects an integer from 0 to 2**32 - 1. Got {seed!r}.")
    from dlcore.random import set_global_seed

    random.seed(int(seed))
    np.random.seed(int(seed))
    set_global_seed(int(seed))
