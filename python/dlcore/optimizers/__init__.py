"""Optimizers: how gradients change weights."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.optimizers import legacy, schedules
from dlcore.optimizers.adafactor import Adafactor
from dlcore.optimizers.adagrad import Adagrad
from dlcore.optimizers.adam import Adam, AdamW
from dlcore.optimizers.composed import Adadelta, Adamax, Lamb, Lion, Nadam
from dlcore.optimizers.ftrl import Ftrl
from dlcore.optimizers.loss_scale_optimizer import LossScaleOptimizer
from dlcore.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from dlcore.optimizers.muon import Muon
from dlcore.optimizers.optimizer import Optimizer
from dlcore.optimizers.rmsprop import RMSprop
from dlcore.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from dlcore.optimizers.sgd import SGD
from dlcore.registry import Catalogue as _Catalogue

_classes = [
    SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, Adafactor, Ftrl, Lamb, Muon, ScheduleFreeAdamW,
    LossScaleOptimizer, MultiOptimizer,
]  # fmt: skip
_catalogue = _Catalogue("optimizer", "keras.optimizers", _classes, aliases={c.__name__.lower(): c for c in _classes})


def get(identifier):
    """The optimizer for a name (in any case), a configuration, a class or an instance; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    if identifier is None:
        return None
    optimizer = deserialize(identifier) if isinstance(identifier, (str, dict)) else _catalogue.get(identifier)
    return _check(optimizer, identifier)


def _check(optimizer, identifier):
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise ValueError(
        f"Cannot interpret {identifier!r} as an optimizer. Expected a name, a configuration dict or an Optimizer."
    )


def serialize(optimizer):
    """The configuration dict of an optimizer."""
    return _catalogue.serialize(optimizer)


def deserialize(config, custom_objects=None):
    """The optimizer from its name or what `serialize` returned; names of built-in optimizers in any case.

    Args:
        config: dict, or a name.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    if isinstance(config, str) and config.lower() in _catalogue.objects:
        config = config.lower()
    elif isinstance(config, dict) and str(config.get("class_name")).lower() in _catalogue.objects:
        config = {**config, "class_name": config["class_name"].lower()}
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
