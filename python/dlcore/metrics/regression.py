"""Metrics for real-valued targets, and losses read as metrics."""

import warnings

from dlcore import losses, ops
from dlcore.backend.arguments import int_from
from dlcore.losses.loss import element_count, squeeze_or_expand_to_same_rank
from dlcore.metrics.metric import Metric
from dlcore.metrics.reduction import Mean, NamedMean


class MeanSquaredError(NamedMean):
    """mean (y_true - y_pred)^2.

    Args:
        name: str, default `"mean_squared_error"`.
        dtype: dtype of the state, default `floatx()`.
    """

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(NamedMean):
    """mean |y_true - y_pred|."""

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(NamedMean):
    """100 * mean |(y_true - y_pred) / y_true|."""

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(NamedMean):
    """mean (log(y_true + 1) - log(y_pred + 1))^2."""

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class RootMeanSquaredError(Mean):
    """sqrt(mean (y_true - y_pred)^2) over all samples seen."""

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self):
        return ops.sqrt(super().result())


def cosine_similarity(y_true, y_pred, axis=-1):
    """The cosine of the angle between y_true and y_pred along `axis` (the loss of this name is its negative)."""
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


class CosineSimilarity(NamedMean):
    """Mean cosine between y_true and y_pred along `axis` (int, default -1)."""

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class LogCoshError(NamedMean):
    """mean log(cosh(y_pred - y_true))."""

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(losses.log_cosh, name, dtype)


class R2Score(Metric):
    """Coefficient of determination: 1 - residual variance / total variance.

    Args:
        class_aggregation: how several outputs become one number: `"uniform_average"` (default),
            `"variance_weighted_average"` or None: not at all.
        num_regressors: int >= 0, default 0: when positive, the adjusted score for that many regressors.
        name: str, default `"r2_score"`.
        dtype: dtype of the state, default `floatx()`.
    """

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                f'{type(self).__name__}: class_aggregation must be "uniform_average", '
                '"variance_weighted_average" or None. '
                f"Got class_aggregation={class_aggregation!r}."
            )
        int_from("R2Score", "num_regressors", num_regressors, 0)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self._built = False

    def _build(self, y_pred):
        if len(y_pred.shape) != 2:
            raise ValueError(f"R2Score takes predictions of shape (batch, outputs). Got shape {tuple(y_pred.shape)}.")
        shape = (y_pred.shape[-1],)
        self.squared_sum = self.add_variable(shape, "zeros", name="squared_sum")
        self.sum = self.add_variable(shape, "zeros", name="sum")
        self.total_mse = self.add_variable(shape, "zeros", name="residual")
        self.count = self.add_variable(shape, "zeros", name="count")
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        if not self._built:
            self._build(y_pred)
        weight = ops.convert_to_tensor(1.0 if sample_weight is None else sample_weight, dtype=self.dtype)
        weight = ops.expand_dims(weight, 1) if len(weight.shape) == 1 else weight
        weight = weight + ops.zeros_like(y_true)  # broadcasts
        self.sum.assign_add(ops.sum(y_true * weight, axis=0))
        self.squared_sum.assign_add(ops.sum(y_true * y_true * weight, axis=0))
        self.total_mse.assign_add(ops.sum(ops.square(y_true - y_pred) * weight, axis=0))
        self.count.assign_add(ops.sum(weight, axis=0))
        self.num_samples.assign_add(element_count(y_true, self.dtype))

    def result(self):
        mean = self.sum / self.count
        total = self.squared_sum - self.sum * mean
        scores = 1.0 - self.total_mse / total
        scores = ops.where(ops.isinf(scores), ops.zeros_like(scores), scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.sum(total * scores) / ops.sum(total)
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, score):
        samples = float(self.num_samples.numpy())
        if self.num_regressors >= samples - 1:
            warnings.warn(
                f"R2Score: {self.num_regressors} regressors need more than {samples:.0f} samples for the adjusted "
                "score. Returning the plain score.",
                stacklevel=2,
            )
            return score
        return 1.0 - (1.0 - score) * ((samples - 1.0) / (samples - self.num_regressors - 1.0))

    def get_config(self):
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


class Hinge(NamedMean):
    """mean max(1 - y_true * y_pred, 0)."""

    def __init__(self, name="hinge", dtype=None):
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(NamedMean):
    """mean max(1 - y_true * y_pred, 0)^2."""

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(NamedMean):
    """mean max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)."""

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(NamedMean):
    """mean of sum y_true * log(y_true / y_pred)."""

    def __init__(self, name="kl_divergence", dtype=None):
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(NamedMean):
    """mean (y_pred - y_true * log(y_pred))."""

    def __init__(self, name="poisson", dtype=None):
        super().__init__(losses.poisson, name, dtype)


class BinaryCrossentropy(NamedMean):
    """Mean binary cross-entropy; arguments as the loss of this name.

    Args:
        name, dtype: as `Mean`.
        from_logits: bool, default False.
        label_smoothing: float in [0, 1], default 0.
    """

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(
            losses.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


class CategoricalCrossentropy(NamedMean):
    """Mean cross-entropy with one-hot labels; arguments as the loss of this name.

    Args:
        name, dtype: as `Mean`.
        from_logits: bool, default False.
        label_smoothing: float in [0, 1], default 0.
        axis: int, default -1.
    """

    def __init__(self, name="categorical_crossentropy", dtype=None, from_logits=False, label_smoothing=0, axis=-1):
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(NamedMean):
    """Mean cross-entropy with integer labels; arguments as the loss of this name.

    Args:
        name, dtype: as `Mean`.
        from_logits: bool, default False.
        ignore_class: int or None (default).
        axis: int, default -1.
    """

    def __init__(
        self, name="sparse_categorical_crossentropy", dtype=None, from_logits=False, ignore_class=None, axis=-1
    ):
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
