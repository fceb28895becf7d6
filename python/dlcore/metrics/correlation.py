"""How far predictions vary with the targets."""

from dlcore import backend, ops
from dlcore.losses.loss import squeeze_or_expand_to_same_rank
from dlcore.metrics.reduction import NamedMean


def pearson_correlation(y_true, y_pred, axis=-1):
    """cov(y_true, y_pred) / (std(y_true) * std(y_pred)) along `axis`: from -1 to 1, for any linear relation."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    true, predicted = (y - ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    true, predicted = (y / ops.std(y, axis=axis, keepdims=True) for y in (true, predicted))
    return ops.mean(true * predicted, axis=axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """2 cov / (var(y_true) + var(y_pred) + (mean difference)^2) along `axis`: 1 only where both agree (Lin 1989)."""
    y_true, y_pred = _same_type_and_rank(y_true, y_pred)
    mean_true, mean_pred = (ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    spread = ops.var(y_true, axis=axis, keepdims=True) + ops.var(y_pred, axis=axis, keepdims=True)
    scale = spread + ops.square(mean_true - mean_pred) + backend.epsilon()
    return ops.mean(2.0 * (y_true - mean_pred) * (y_pred - mean_pred) / scale, axis=axis)


def _same_type_and_rank(y_true, y_pred):
    y_pred = ops.convert_to_tensor(y_pred)
    return squeeze_or_expand_to_same_rank(ops.cast(y_true, y_pred.dtype), y_pred)


class PearsonCorrelation(NamedMean):
    """Mean Pearson correlation along `axis` (int, default -1).

    Example:

    >>> metric = PearsonCorrelation()
    >>> metric.update_state([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(NamedMean):
    """Mean concordance correlation along `axis` (int, default -1).

    Example:

    >>> metric = ConcordanceCorrelation()
    >>> metric.update_state([[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
