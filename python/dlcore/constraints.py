"""Projections applied to weights after each optimizer step."""

from dlcore import backend, ops
from dlcore.backend.arguments import ChecksArguments, fraction
from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.registry import Catalogue as _Catalogue


class Constraint(ChecksArguments):
    """Base of all constraints: implement `__call__(w)` returning the projected weight."""

    def __call__(self, w):
        return w

    def get_config(self):
        """The constructor's arguments as a JSON-serializable dict."""
        return {}

    @classmethod
    def from_config(cls, config):
        """A constraint from what get_config() returned."""
        return cls(**config)


class MaxNorm(Constraint):
    """Scales vectors whose norm exceeds `max_value` down to it.

    Args:
        max_value: float, default 2.
        axis: int or list, default 0: the axes a vector lies along; [0, 1, 2] for the filters of Conv2D.
    """

    def __init__(self, max_value=2, axis=0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (backend.epsilon() + norms))

    def get_config(self):
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to zero."""

    def __call__(self, w):
        return ops.maximum(ops.convert_to_tensor(w), 0)


class UnitNorm(Constraint):
    """Scales vectors along `axis` (default 0) to norm 1."""

    def __init__(self, axis=0):
        self.axis = axis

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        return w / (backend.epsilon() + _norms(w, self.axis))

    def get_config(self):
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Moves norms into [min_value, max_value]: norm <- (1 - rate) * norm + rate * clip(norm, min_value, max_value).

    Args:
        min_value: float, default 0.0.
        max_value: float, default 1.0.
        rate: float in [0, 1], default 1.0: 1 enforces the bounds at once.
        axis: int or list, default 0: the axes a vector lies along.
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = fraction("MinMaxNorm", "rate", rate)
        self.axis = axis

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        desired = self.rate * ops.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (backend.epsilon() + norms))

    def get_config(self):
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


def _norms(w, axis):
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_catalogue = _Catalogue(
    "constraint",
    "keras.constraints",
    [MaxNorm, NonNeg, UnitNorm, MinMaxNorm],
    aliases={"nonneg": NonNeg, "unitnorm": UnitNorm, "maxnorm": MaxNorm, "minmaxnorm": MinMaxNorm},
)


def get(identifier):
    """The constraint for a name, a configuration, a class or a callable; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    return _catalogue.get(identifier)


def serialize(constraint):
    """The configuration dict of a constraint."""
    return _catalogue.serialize(constraint)


def deserialize(config, custom_objects=None):
    """The constraint from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)
