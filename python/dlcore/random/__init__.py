"""Random tensors and the seeds they come from."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.random.ops import (
    beta,
    beta_numbers,  # noqa: F401
    binomial,
    categorical,
    dropout,
    gamma,
    log_gamma_numbers,  # noqa: F401
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)
from dlcore.random.seed_generator import SeedGenerator, draw_seed, set_global_seed

__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "draw_seed",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "set_global_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]
