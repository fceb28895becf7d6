"""Random tensors and the seeds they come from."""

from dlcore.random.ops import categorical, dropout, normal, randint, shuffle, truncated_normal, uniform
from dlcore.random.seed_generator import SeedGenerator, draw_seed, set_global_seed

__all__ = [
    "SeedGenerator",
    "categorical",
    "draw_seed",
    "dropout",
    "normal",
    "randint",
    "set_global_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]
