"""Penalties on weights or outputs, added to the loss."""

import math

from dlcore import ops
from dlcore.backend.arguments import ChecksArguments
from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.registry import Catalogue as _Catalogue


class Regularizer(ChecksArguments):
    """Base of all regularizers: implement `__call__(x)` returning a scalar and, to be saved, `get_config()`."""

    def __call__(self, x):
        return 0.0

    def get_config(self):
        """The constructor's arguments as plain values."""
        raise NotImplementedError(f"{type(self).__name__} must implement get_config() to be saved.")

    @classmethod
    def from_config(cls, config):
        """A regularizer from what get_config() returned."""
        return cls(**config)


class L1L2(Regularizer):
    """penalty = l1 * sum |x| + l2 * sum x^2.

    Args:
        l1: float >= 0, default 0.0.
        l2: float >= 0, default 0.0.
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1 = _non_negative(0.0 if l1 is None else l1, "l1")
        self.l2 = _non_negative(0.0 if l2 is None else l2, "l2")

    def __call__(self, x):
        penalty = ops.zeros((), dtype=x.dtype)
        if self.l1:
            penalty = penalty + self.l1 * ops.sum(ops.absolute(x))
        if self.l2:
            penalty = penalty + self.l2 * ops.sum(ops.square(x))
        return penalty

    def get_config(self):
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """penalty = l1 * sum |x|, l1 = 0.01 by default."""

    def __init__(self, l1=0.01):
        self.l1 = _non_negative(0.01 if l1 is None else l1, "l1")

    def __call__(self, x):
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self):
        return {"l1": self.l1}


class L2(Regularizer):
    """penalty = l2 * sum x^2, l2 = 0.01 by default."""

    def __init__(self, l2=0.01):
        self.l2 = _non_negative(0.01 if l2 is None else l2, "l2")

    def __call__(self, x):
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self):
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """penalty = factor * mean |cos(a, b)| over the pairs of different rows (or columns) a, b of a matrix.

    Args:
        factor: float >= 0, default 0.01.
        mode: `"rows"` (default) or `"columns"`: which vectors are drawn towards orthogonality.
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.factor = _non_negative(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(f'{type(self).__name__}: mode must be "rows" or "columns". Got mode={mode!r}.')
        self.mode = mode

    def __call__(self, inputs):
        if len(inputs.shape) != 2:
            raise ValueError(f"OrthogonalRegularizer takes matrices only. Got a tensor of shape {tuple(inputs.shape)}.")
        vectors = inputs if self.mode == "rows" else ops.transpose(inputs)
        norms = ops.sqrt(ops.maximum(ops.sum(ops.square(vectors), axis=1, keepdims=True), 1e-12))
        vectors = vectors / norms
        cosines = ops.matmul(vectors, ops.transpose(vectors))
        count = vectors.shape[0]
        off_diagonal = ops.absolute(cosines * (1.0 - ops.eye(count, dtype=inputs.dtype)))
        pairs = count * (count - 1.0) / 2.0
        return ops.sum(off_diagonal) * (0.5 * self.factor / pairs)

    def get_config(self):
        return {"factor": self.factor, "mode": self.mode}


def _non_negative(value, name):
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be a finite float >= 0. Got {name}={value!r}.")
    return float(value)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_catalogue = _Catalogue("regularizer", "keras.regularizers", [L1, L2, L1L2, OrthogonalRegularizer])


def get(identifier):
    """The regularizer for a name, a configuration, a class or a callable; None stays None.

    Raises:
        ValueError: an unknown name; the nearest ones are listed.
    """
    if isinstance(identifier, str) and identifier in ("l1_l2", "L1L2"):
        return L1L2(l1=0.01, l2=0.01)
    return _catalogue.get(identifier)


def serialize(regularizer):
    """The configuration dict of a regularizer."""
    return _catalogue.serialize(regularizer)


def deserialize(config, custom_objects=None):
    """The regularizer from what `serialize` returned.

    Args:
        config: dict.
        custom_objects: dict of the classes and functions of the user's own that it names.
    """
    return _catalogue.deserialize(config, custom_objects)


__getattr__ = _unknown_attributes(__name__)
