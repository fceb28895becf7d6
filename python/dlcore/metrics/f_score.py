"""F scores: weighted harmonic means of precision and recall."""

from dlcore import backend, ops
from dlcore.metrics.metric import Metric


class FBetaScore(Metric):
    """F_beta = (1 + beta^2) * precision * recall / (beta^2 * precision + recall), per class.

    Args:
        average: None (default): one score per class; `"micro"`: from the counts of all classes together; `"macro"`: the
            mean over classes; `"weighted"`: the mean weighted by how often classes occur.
        beta: float > 0, default 1.0: weight of recall against precision.
        threshold: float in (0, 1] or None (default): predictions above it count as positive; None: the largest per row.
        name: str, default `"fbeta_score"`.
        dtype: dtype of the state, default `floatx()`.

    Input shape: y_true and y_pred (batch, classes).
    """

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f'{type(self).__name__}: average must be None, "micro", "macro" or "weighted". Got average={average!r}.'
            )
        if not isinstance(beta, float) or beta <= 0.0:
            raise ValueError(f"{type(self).__name__}: beta must be a float > 0. Got beta={beta!r}.")
        if threshold is not None and not (isinstance(threshold, float) and 0.0 < threshold <= 1.0):
            raise ValueError(
                f"{type(self).__name__}: threshold must be None or a float in (0, 1]. Got threshold={threshold!r}."
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def _build(self, y_true, y_pred):
        if len(y_pred.shape) != 2 or len(y_true.shape) != 2:
            raise ValueError(
                f"{type(self).__name__} takes y_true and y_pred of shape (batch, classes). "
                f"Got y_true {tuple(y_true.shape)} and y_pred {tuple(y_pred.shape)}. One-hot encode integer labels."
            )
        shape = () if self.average == "micro" else (y_pred.shape[-1],)
        self.true_positives = self.add_variable(shape, "zeros", name="true_positives")
        self.false_positives = self.add_variable(shape, "zeros", name="false_positives")
        self.false_negatives = self.add_variable(shape, "zeros", name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, "zeros", name="intermediate_weights")
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        if not self._built:
            self._build(y_true, y_pred)
        y_pred = ops.cast(self._is_positive(y_pred), self.dtype)
        weight = None
        if sample_weight is not None:
            weight = ops.expand_dims(ops.convert_to_tensor(sample_weight, dtype=self.dtype), 1)
        self.true_positives.assign_add(self._count(y_pred * y_true, weight))
        self.false_positives.assign_add(self._count(y_pred * (1.0 - y_true), weight))
        self.false_negatives.assign_add(self._count((1.0 - y_pred) * y_true, weight))
        self.intermediate_weights.assign_add(self._count(y_true, weight))

    def _is_positive(self, y_pred):
        if self.threshold is not None:
            return ops.greater(y_pred, self.threshold)
        largest = ops.max(y_pred, axis=-1, keepdims=True)
        return ops.logical_and(ops.greater_equal(y_pred, largest), ops.greater(ops.abs(y_pred), 1e-9))

    def _count(self, values, weight):
        values = values if weight is None else values * weight
        return ops.sum(values, axis=None if self.average == "micro" else 0)

    def result(self):
        precision = self.true_positives / (self.true_positives + self.false_positives + backend.epsilon())
        recall = self.true_positives / (self.true_positives + self.false_negatives + backend.epsilon())
        beta2 = self.beta**2
        score = precision * recall / (beta2 * precision + recall + backend.epsilon()) * (1.0 + beta2)
        if self.average == "weighted":
            weights = self.intermediate_weights / (ops.sum(self.intermediate_weights) + backend.epsilon())
            return ops.sum(score * weights)
        return score if self.average is None else ops.mean(score)

    def get_config(self):
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """F1 = 2 * precision * recall / (precision + recall): `FBetaScore` with beta = 1."""

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self):
        config = super().get_config()
        del config["beta"]
        return config
