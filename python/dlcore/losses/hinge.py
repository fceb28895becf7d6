"""Maximum-margin losses. Labels are -1 or 1; labels that are all 0 or 1 are converted."""

from dlcore import ops
from dlcore.losses.loss import ConfiguredLoss


def hinge(y_true, y_pred):
    """mean max(1 - y_true * y_pred, 0) over the last axis."""
    return ops.mean(_margin(y_true, y_pred), axis=-1)


def squared_hinge(y_true, y_pred):
    """mean max(1 - y_true * y_pred, 0)^2 over the last axis."""
    return ops.mean(ops.square(_margin(y_true, y_pred)), axis=-1)


def categorical_hinge(y_true, y_pred):
    """max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0) for one-hot y_true."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def signed_labels(y_true):
    """Labels in {0, 1} become {-1, 1}; other labels stay."""
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true)


def _margin(y_true, y_pred):
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = signed_labels(ops.cast(y_true, y_pred.dtype))
    return ops.maximum(1.0 - y_true * y_pred, 0.0)


class Hinge(ConfiguredLoss):
    """loss = mean max(1 - y_true * y_pred, 0).

    Args:
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"hinge"`.
        dtype: dtype of the result, default `floatx()`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(hinge, name, reduction, dtype)


class SquaredHinge(ConfiguredLoss):
    """loss = mean max(1 - y_true * y_pred, 0)^2. Arguments as `Hinge`."""

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, name, reduction, dtype)


class CategoricalHinge(ConfiguredLoss):
    """loss = max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0). Arguments as `Hinge`."""

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, name, reduction, dtype)
