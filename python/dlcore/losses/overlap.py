"""Losses of overlap between predicted and true regions, for segmentation."""

from dlcore import backend, ops
from dlcore.losses.loss import ConfiguredLoss


def dice(y_true, y_pred, axis=None):
    """1 - 2 * sum(y_true * y_pred) / (sum y_true + sum y_pred) over `axis` (None: all)."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    both = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * both / (total + backend.epsilon())


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """1 - TP / (TP + alpha * missed + beta * false alarms), soft counts over `axis` (Salehi et al. 2017).

    As in Keras, `alpha` weighs true pixels that were not predicted and `beta` predicted pixels that are not true.

    Args:
        y_true, y_pred: tensors of one shape.
        alpha, beta: floats, default 0.5.
        axis: int or list of ints; None: all.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1.0 - y_pred) * y_true, axis=axis)
    false_alarms = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - both / (both + missed * alpha + false_alarms * beta + backend.epsilon())


class Dice(ConfiguredLoss):
    """loss = 1 - Dice coefficient, summed over `axis` (int, list or None, default None: all axes).

    Args:
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"dice"`.
        dtype: dtype of the result, default `floatx()`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__(dice, name, reduction, dtype, axis=axis)


class Tversky(ConfiguredLoss):
    """loss = 1 - Tversky index, the overlap with both kinds of error weighed (Salehi et al. 2017).

    Args:
        alpha: float, default 0.5: weight of true pixels that were not predicted.
        beta: float, default 0.5: weight of predicted pixels that are not true.
        axis: int, list or None, default None: all axes.
        Others as `Dice`.
    """

    def __init__(self, alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None):
        super().__init__(tversky, name, reduction, dtype, alpha=alpha, beta=beta, axis=axis)
