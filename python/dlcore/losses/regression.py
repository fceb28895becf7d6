"""Losses for real-valued targets. Functions return one value per sample, the mean over the last axis."""

import math

from dlcore import backend, ops
from dlcore.losses.loss import ConfiguredLoss, squeeze_or_expand_to_same_rank

_MEAN = "sum_over_batch_size"


def mean_squared_error(y_true, y_pred):
    """mean (y_true - y_pred)^2."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true, y_pred):
    """mean |y_true - y_pred|."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true, y_pred):
    """100 * mean |(y_true - y_pred) / max(|y_true|, epsilon)|."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    ratio = (y_true - y_pred) / ops.maximum(ops.abs(y_true), backend.epsilon())
    return 100.0 * ops.mean(ops.abs(ratio), axis=-1)


def mean_squared_logarithmic_error(y_true, y_pred):
    """mean (log(y_true + 1) - log(y_pred + 1))^2; values below epsilon count as epsilon."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    log_true = ops.log(ops.maximum(y_true, backend.epsilon()) + 1.0)
    log_pred = ops.log(ops.maximum(y_pred, backend.epsilon()) + 1.0)
    return ops.mean(ops.square(log_pred - log_true), axis=-1)


def huber(y_true, y_pred, delta=1.0):
    """mean of e^2 / 2 where |e| <= delta, delta * |e| - delta^2 / 2 elsewhere (Huber 1964).

    Args:
        y_true, y_pred: tensors of one shape.
        delta: float, default 1.0.
    """
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    error = ops.abs(y_pred - y_true)
    values = ops.where(error <= delta, 0.5 * ops.square(error), delta * error - 0.5 * delta * delta)
    return ops.mean(values, axis=-1)


def log_cosh(y_true, y_pred):
    """mean log(cosh(y_pred - y_true)): quadratic near zero, linear far away."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), axis=-1)


def poisson(y_true, y_pred):
    """mean (y_pred - y_true * log(y_pred + epsilon))."""
    y_true, y_pred = _same_type(y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + backend.epsilon()), axis=-1)


def kl_divergence(y_true, y_pred):
    """sum y_true * log(y_true / y_pred) over the last axis; both are clipped into [epsilon, 1]."""
    y_true, y_pred = _same_type(y_true, y_pred)
    y_true = ops.clip(y_true, backend.epsilon(), 1.0)
    y_pred = ops.clip(y_pred, backend.epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def cosine_similarity(y_true, y_pred, axis=-1):
    """-sum of the products of the unit vectors along `axis`: -1 for the same direction, 1 for the opposite.

    Args:
        y_true, y_pred: tensors of one shape.
        axis: int, default -1.
    """
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    return -ops.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


class MeanSquaredError(ConfiguredLoss):
    """loss = mean (y_true - y_pred)^2.

    Args:
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"mean_squared_error"`.
        dtype: dtype of the result, default `floatx()`.

    Example:

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]]))
    0.5
    """

    def __init__(self, reduction=_MEAN, name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, name, reduction, dtype)


class MeanAbsoluteError(ConfiguredLoss):
    """loss = mean |y_true - y_pred|. Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, name, reduction, dtype)


class MeanAbsolutePercentageError(ConfiguredLoss):
    """loss = 100 * mean |(y_true - y_pred) / y_true|. Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(mean_absolute_percentage_error, name, reduction, dtype)


class MeanSquaredLogarithmicError(ConfiguredLoss):
    """loss = mean (log(y_true + 1) - log(y_pred + 1))^2. Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(mean_squared_logarithmic_error, name, reduction, dtype)


class Huber(ConfiguredLoss):
    """Quadratic within `delta` (float, default 1.0) of the target, linear beyond (Huber 1964).

    Other arguments as `MeanSquaredError`.
    """

    def __init__(self, delta=1.0, reduction=_MEAN, name="huber_loss", dtype=None):
        super().__init__(huber, name, reduction, dtype, delta=delta)


class LogCosh(ConfiguredLoss):
    """loss = mean log(cosh(y_pred - y_true)). Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="log_cosh", dtype=None):
        super().__init__(log_cosh, name, reduction, dtype)


class Poisson(ConfiguredLoss):
    """loss = mean (y_pred - y_true * log(y_pred)). Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="poisson", dtype=None):
        super().__init__(poisson, name, reduction, dtype)


class KLDivergence(ConfiguredLoss):
    """loss = sum y_true * log(y_true / y_pred). Arguments as `MeanSquaredError`."""

    def __init__(self, reduction=_MEAN, name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, name, reduction, dtype)


class CosineSimilarity(ConfiguredLoss):
    """loss = -cos(y_true, y_pred) along `axis` (int, default -1). Others as `MeanSquaredError`."""

    def __init__(self, axis=-1, reduction=_MEAN, name="cosine_similarity", dtype=None):
        super().__init__(cosine_similarity, name, reduction, dtype, axis=axis)


def _unit(x, axis):
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))


def _same_type(y_true, y_pred):
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.convert_to_tensor(y_true, dtype=y_pred.dtype), y_pred


def _same_type_and_rank(y_true, y_pred):
    y_true, y_pred = squeeze_or_expand_to_same_rank(*_same_type(y_true, y_pred))
    for a, b in zip(reversed(y_true.shape), reversed(y_pred.shape)):
        if a != b and 1 not in (a, b) and None not in (a, b):
            raise ValueError(
                f"Targets of shape {tuple(y_true.shape)} do not go with predictions of shape {tuple(y_pred.shape)}: "
                "sizes must be equal, or 1. Pass other targets, or change the units of the last layer."
            )
    return y_true, y_pred
