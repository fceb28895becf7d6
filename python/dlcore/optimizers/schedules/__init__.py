"""Learning rate schedules."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.optimizers.schedules.learning_rate_schedule import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from dlcore.registry import Catalogue as _Catalogue

_catalogue = _Catalogue(
    "learning rate schedule",
    "keras.optimizers.schedules",
    [
        CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay,
    ],
)  # fmt: skip


def serialize(learning_rate_schedule):
    """The configuration dict of a schedule."""
    return _catalogue.serialize(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """The schedule from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
