"""How often predictions are right."""

from dlcore import backend, ops
from dlcore.backend.arguments import fraction
from dlcore.losses.loss import squeeze_or_expand_to_same_rank
from dlcore.metrics.reduction import NamedMean


def accuracy(y_true, y_pred):
    """1 where y_true equals y_pred, else 0."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true, dtype=y_pred.dtype)
    y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
    return _as_float(ops.equal(y_true, y_pred))


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """1 where y_pred > threshold agrees with the label, else 0.

    Args:
        y_true: labels 0 and 1, of the shape of y_pred.
        y_pred: probabilities.
        threshold: float, default 0.5.
    """
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    return _as_float(ops.equal(y_true, ops.cast(ops.greater(y_pred, threshold), y_true.dtype)))


def categorical_accuracy(y_true, y_pred):
    """1 where the largest prediction is at the largest target, else 0.

    Args:
        y_true: one-hot vectors (..., classes).
        y_pred: probabilities or logits (..., classes).
    """
    return _as_float(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)))


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the largest prediction is at the label, else 0.

    Args:
        y_true: class numbers (...,) or (..., 1).
        y_pred: probabilities or logits (..., classes).
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.cast(ops.convert_to_tensor(y_true), "int32")
    if len(labels.shape) == len(y_pred.shape) and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    matches = ops.equal(labels, ops.argmax(y_pred, axis=-1))
    if len(matches.shape) > 1 and matches.shape[-1] == 1:
        matches = ops.squeeze(matches, -1)
    return _as_float(matches)


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the largest target is among the k largest predictions, else 0.

    Args:
        y_true: one-hot vectors (..., classes).
        y_pred: probabilities or logits (..., classes).
        k: int, default 5.
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k=k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the label is among the k largest predictions (or first k ids, if y_pred holds sorted ids), else 0.

    Args:
        y_true: class numbers (...,) or (..., 1).
        y_pred: probabilities or logits (..., classes).
        k: int, default 5.
        from_sorted_ids: bool, default False.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.convert_to_tensor(y_true)
    outer = labels.shape
    if len(y_pred.shape) > 2:
        y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
    labels = ops.reshape(labels, (-1,)) if len(outer) > 1 else labels
    if from_sorted_ids:
        ids = y_pred[:, :k]
        matches = ops.any(ops.equal(ops.expand_dims(ops.cast(labels, ids.dtype), 1), ids), axis=1)
    else:
        matches = ops.in_top_k(ops.cast(labels, "int32"), y_pred, k=k)
    matches = _as_float(matches)
    return ops.reshape(matches, (-1, *outer[1:])) if len(outer) > 1 else matches


def _as_float(matches):
    return ops.cast(matches, backend.floatx())


class Accuracy(NamedMean):
    """How often y_pred equals y_true.

    Args:
        name: str, default `"accuracy"`.
        dtype: dtype of the state, default `floatx()`.

    Example:

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(NamedMean):
    """How often `y_pred > threshold` (float, default 0.5) agrees with labels 0 and 1."""

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        if threshold is not None:
            fraction("BinaryAccuracy", "threshold", threshold)
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(NamedMean):
    """How often the largest prediction is at the largest (one-hot) target."""

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(NamedMean):
    """How often the largest prediction is at the integer label."""

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(NamedMean):
    """How often the largest (one-hot) target is among the `k` (int, default 5) largest predictions."""

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(NamedMean):
    """How often the integer label is among the `k` (int, default 5) largest predictions.

    With `from_sorted_ids` (bool, default False) `y_pred` holds class ids, best first, instead of scores.
    """

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)

    def get_config(self):
        config = super().get_config()
        if not self.from_sorted_ids:
            config.pop("from_sorted_ids")
        return config
