"""SeedGenerator: the state of a stream of random numbers."""

import random as python_random

import numpy as np

from dlcore import _core, backend
from dlcore.backend.global_state import get_global_attribute
from dlcore.backend.variables import Variable


def make_default_seed():
    """A seed drawn from Python's generator, which `utils.set_random_seed` seeds."""
    return python_random.randint(1, int(1e9))


def set_global_seed(seed):
    """Seeds all random streams made from now on: Python's, NumPy's and the ops' own."""
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"The seed should be an integer between 0 and 2**32 - 1. Received: seed={seed!r}")
    python_random.seed(int(seed))
    np.random.seed(int(seed))
    backend.set_global_attribute("global_seed_generator", SeedGenerator(int(seed)))


class SeedGenerator:
    """Gives out seeds, each for one tensor of random numbers; the same ones for the same `seed`.

    The state is an int64 variable (seed, counter): a traced function that draws numbers moves it on at every run.

    Args:
        seed: int; default: drawn from Python's generator.
        name: default "seed_generator".

    Example:

    >>> generator = SeedGenerator(42)
    >>> first, second = (random.uniform((2,), seed=generator).numpy() for _ in range(2))
    >>> np.array_equal(first, second)
    False
    """

    def __init__(self, seed=None, name=None, **kwargs):
        kwargs.pop("backend", None)  # of Keras
        if kwargs:
            raise ValueError(f"SeedGenerator: unknown arguments {sorted(kwargs)}.")
        if seed is None:
            seed = make_default_seed()
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ValueError(f"The seed should be an integer, not negative. Received: seed={seed!r}")
        self.name = name or backend.auto_name(type(self).__name__)
        self._initial_seed = int(seed)
        with backend.name_scope(self.name):
            self.state = Variable(np.array([int(seed), 0]), dtype="int64", trainable=False, name="seed_generator_state")

    def next(self, ordered=True):
        """A seed tensor (seed, counter); the counter moves on by one."""
        seed = self.state.read()
        self.state.write(_core.apply("add", [seed, _ONE]))
        return seed

    def get_config(self):
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


_ONE = _core.tensor(np.array([0, 1]))


def global_seed_generator():
    return get_global_attribute("global_seed_generator", lambda: SeedGenerator(name="global_seed_generator"))


def draw_seed(seed):
    """The seed tensor int64 (seed, counter) for one op, from a SeedGenerator, an int or None (the global stream)."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return _core.tensor(np.array([int(seed), 0]))
    raise ValueError(f"A seed should be an int, a SeedGenerator or None. Received: seed={seed!r}")
