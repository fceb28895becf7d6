"""Metrics from the confusion matrix at one or more thresholds: precision, recall, AUC and their kin."""

import numpy as np

from dlcore import backend, ops
from dlcore.backend.arguments import fraction, int_from, is_number, positive_int, sequence
from dlcore.losses.loss import squeeze_or_expand_to_same_rank
from dlcore.metrics.metric import Metric

_BELOW_ALL = -1e10
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def confusion_counts(y_true, y_pred, thresholds, sample_weight=None, top_k=None, class_id=None, label_weights=None):
    """Weighted counts per threshold: a dict of true and false positives and negatives.

    Args:
        y_true, y_pred: tensors of one float dtype; y_true counts as true where it is not 0.
        thresholds: list of T floats; a prediction is positive where it exceeds the threshold.
        sample_weight: tensor that broadcasts to y_pred, with or without its last axis.
        top_k: int: only the k largest predictions of a row can be positive.
        class_id: int: only this class counts.
        label_weights: weight per class.

    Returns shape [T].
    """
    y_true, y_pred, weight = _prepare(y_true, y_pred, sample_weight, top_k, class_id)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true of shape {tuple(y_true.shape)} does not go with y_pred of shape {tuple(y_pred.shape)}: the metric "
            "compares labels 0 and 1 with predictions one by one. One-hot encode integer labels."
        )
    if label_weights is not None:
        weight = label_weights if weight is None else weight * label_weights
    true, false = _weighted_labels(y_true, weight)
    true, false, y_pred = (ops.reshape(t, (-1,)) for t in (true, false, y_pred))
    if is_evenly_distributed(thresholds):
        true_positives, false_positives = _positives_by_bucket(true, false, y_pred, thresholds)
    else:
        limits = ops.convert_to_tensor(np.asarray(thresholds, y_pred.dtype)[:, None])
        positive = ops.cast(ops.greater(ops.expand_dims(y_pred, 0), limits), y_pred.dtype)
        true_positives, false_positives = ops.sum(positive * true, axis=1), ops.sum(positive * false, axis=1)
    return _all_counts(true_positives, false_positives, ops.sum(true), ops.sum(false))


def confusion_counts_by_label(y_true, y_pred, thresholds, sample_weight=None):
    """`confusion_counts` for every label (last axis) by itself: shape [T, labels]."""
    y_true, y_pred, weight = _prepare(y_true, y_pred, sample_weight)
    true, false = _weighted_labels(y_true, weight)
    limits = ops.convert_to_tensor(np.asarray(thresholds, y_pred.dtype)[:, None, None])
    positive = ops.cast(ops.greater(ops.expand_dims(y_pred, 0), limits), y_pred.dtype)
    return _all_counts(
        ops.sum(positive * true, axis=1),
        ops.sum(positive * false, axis=1),
        ops.sum(true, axis=0),
        ops.sum(false, axis=0),
    )


def is_evenly_distributed(thresholds):
    """Whether three or more thresholds lie evenly on [0, 1], so that a prediction's bucket can be computed."""
    count = len(thresholds)
    return count >= 3 and np.allclose(thresholds, np.arange(count) / (count - 1), atol=backend.epsilon())


def _prepare(y_true, y_pred, sample_weight, top_k=None, class_id=None):
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    if top_k is not None:
        y_pred = _keep_top_k(y_pred, top_k)
    if class_id is not None:
        if len(y_pred.shape) == 1:
            raise ValueError(f"class_id needs predictions of shape (batch, classes). Got shape {tuple(y_pred.shape)}.")
        y_true, y_pred = y_true[..., class_id : class_id + 1], y_pred[..., class_id : class_id + 1]
    if sample_weight is not None:
        sample_weight = ops.cast(sample_weight, y_pred.dtype)
        while len(sample_weight.shape) < len(y_pred.shape):
            sample_weight = ops.expand_dims(sample_weight, -1)
    return y_true, y_pred, sample_weight


def _keep_top_k(x, k):
    _, indices = ops.top_k(x, k)
    kept = ops.sum(ops.one_hot(indices, x.shape[-1], dtype=x.dtype), axis=-2)
    return x * kept + _BELOW_ALL * (1.0 - kept)


def _weighted_labels(y_true, weight):
    true = ops.cast(ops.not_equal(y_true, 0), y_true.dtype)
    return (true, 1.0 - true) if weight is None else (true * weight, (1.0 - true) * weight)


def _positives_by_bucket(true, false, y_pred, thresholds):
    """Counts of predictions above evenly distributed thresholds, in time independent of their number.

    Bucket i holds the predictions above threshold i but not above i + 1.
    """
    count = len(thresholds)
    bucket = ops.ceil(ops.clip(y_pred, 0.0, 1.0) * (count - 1.0)) - 1.0
    if thresholds[0] < 0.0:
        bucket = ops.maximum(bucket, 0.0)
    bucket = ops.cast(bucket, "int32")
    # A prediction of 0 is above no threshold from 0 up: its bucket of -1 must count nowhere.
    counts = ops.cast(ops.greater_equal(bucket, 0), true.dtype)
    bucket = ops.maximum(bucket, 0)
    return tuple(
        ops.flip(ops.cumsum(ops.flip(ops.segment_sum(labels * counts, bucket, num_segments=count))))
        for labels in (true, false)
    )


def _all_counts(true_positives, false_positives, total_true, total_false):
    return {
        "true_positives": true_positives,
        "false_positives": false_positives,
        "true_negatives": total_false - false_positives,
        "false_negatives": total_true - true_positives,
    }


def _parse_thresholds(thresholds, default):
    if thresholds is None:
        return [default]
    thresholds = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    invalid = [t for t in thresholds if not is_number(t) or not 0 <= t <= 1]
    if invalid:
        raise ValueError(f"thresholds must be numbers in [0, 1]. Got {invalid}.")
    return thresholds


class _ConfusionMetric(Metric):
    """Holds some of the four counts, one per threshold."""

    _counted = _COUNTS

    def __init__(self, thresholds, name, dtype):
        super().__init__(name=name, dtype=dtype)
        self.thresholds = thresholds
        for count in self._counted:
            setattr(self, count, self.add_variable((len(thresholds),), "zeros", name=count))

    def _update(self, y_true, y_pred, sample_weight, **options):
        y_true, y_pred = ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype)
        counts = confusion_counts(y_true, y_pred, self.thresholds, sample_weight, **options)
        for count in self._counted:
            getattr(self, count).assign_add(counts[count])


class _Count(_ConfusionMetric):
    """One of the four counts itself."""

    def __init__(self, thresholds=None, name=None, dtype=None):
        self.init_thresholds = thresholds
        thresholds = _parse_thresholds(thresholds, 0.5)
        Metric.__init__(self, name=name, dtype=dtype)
        self.thresholds = thresholds
        self.accumulator = self.add_variable((len(thresholds),), "zeros", name="accumulator")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype)
        counts = confusion_counts(y_true, y_pred, self.thresholds, sample_weight)
        self.accumulator.assign_add(counts[backend.to_snake_case(type(self).__name__)])

    def result(self):
        return self.accumulator[0] if len(self.thresholds) == 1 else ops.convert_to_tensor(self.accumulator)

    def get_config(self):
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """The number of true positives.

    Args:
        thresholds: float or list of floats in [0, 1], default 0.5: predictions above count as positive.
        name: str or None.
        dtype: dtype of the state, default `floatx()`.
    """


class FalsePositives(_Count):
    """The number of false positives. Arguments as `TruePositives`."""


class TrueNegatives(_Count):
    """The number of true negatives. Arguments as `TruePositives`."""


class FalseNegatives(_Count):
    """The number of false negatives. Arguments as `TruePositives`."""


class _Ratio(_ConfusionMetric):
    """true positives / (true positives + one kind of error)."""

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        super().__init__(_parse_thresholds(thresholds, 0.5 if top_k is None else _BELOW_ALL), name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self._update(y_true, y_pred, sample_weight, top_k=self.top_k, class_id=self.class_id)

    def result(self):
        right, wrong = (getattr(self, count) for count in self._counted)
        ratio = ops.divide_no_nan(right, right + wrong)
        return ratio[0] if len(self.thresholds) == 1 else ratio

    def get_config(self):
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_Ratio):
    """precision = true positives / (true positives + false positives).

    Args:
        thresholds: float or list of floats in [0, 1], default 0.5: predictions above count as positive.
        top_k: int or None (default): only the k largest predictions of a row can be positive.
        class_id: int or None (default): only this class counts.
        name: str or None.
        dtype: dtype of the state, default `floatx()`.

    Example:

    >>> metric = Precision()
    >>> round(float(metric([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    _counted = ("true_positives", "false_positives")


class Recall(_Ratio):
    """recall = true positives / (true positives + false negatives). Arguments as `Precision`."""

    _counted = ("true_positives", "false_negatives")


class _BestUnderConstraint(_ConfusionMetric):
    """The largest of one rate over the thresholds at which another rate is at least a given value."""

    _argument = None  # the name of the constrained rate
    _rates = (None, None)  # constrained, maximised: names of methods

    def __init__(self, value, num_thresholds=200, class_id=None, name=None, dtype=None):
        fraction(type(self).__name__, self._argument, value)
        num_thresholds = positive_int(type(self).__name__, "num_thresholds", num_thresholds)
        self.value = value
        setattr(self, self._argument, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        thresholds = [0.5] if num_thresholds == 1 else [i / (num_thresholds - 1) for i in range(num_thresholds)]
        super().__init__(thresholds, name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self._update(y_true, y_pred, sample_weight, class_id=self.class_id)

    def result(self):
        constrained, maximised = (getattr(self, f"_{rate}")() for rate in self._rates)
        return ops.max(ops.where(constrained >= self.value, maximised, ops.zeros_like(maximised)))

    def _recall(self):
        return ops.divide_no_nan(self.true_positives, self.true_positives + self.false_negatives)

    _sensitivity = _recall

    def _specificity(self):
        return ops.divide_no_nan(self.true_negatives, self.true_negatives + self.false_positives)

    def _precision(self):
        return ops.divide_no_nan(self.true_positives, self.true_positives + self.false_positives)

    def get_config(self):
        return {
            **super().get_config(),
            self._argument: self.value,
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }


class SensitivityAtSpecificity(_BestUnderConstraint):
    """The best sensitivity where the specificity is at least `specificity`.

    Args:
        specificity: float in [0, 1].
        num_thresholds: int, default 200: how finely thresholds are tried.
        class_id: int or None (default): only this class counts.
        name: str or None.
        dtype: dtype of the state, default `floatx()`.
    """

    _argument = "specificity"
    _rates = ("specificity", "sensitivity")

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_BestUnderConstraint):
    """The best specificity where the sensitivity is at least `sensitivity`.

    Args:
        sensitivity: float in [0, 1].
        Others as `SensitivityAtSpecificity`.
    """

    _argument = "sensitivity"
    _rates = ("sensitivity", "specificity")

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_BestUnderConstraint):
    """The best precision where the recall is at least `recall`.

    Args:
        recall: float in [0, 1].
        Others as `SensitivityAtSpecificity`.
    """

    _argument = "recall"
    _rates = ("recall", "precision")

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_BestUnderConstraint):
    """The best recall where the precision is at least `precision`.

    Args:
        precision: float in [0, 1].
        Others as `SensitivityAtSpecificity`.
    """

    _argument = "precision"
    _rates = ("precision", "recall")

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)


class AUC(Metric):
    """Area under the ROC or precision-recall curve, as a Riemann sum over thresholds.

    Args:
        num_thresholds: int > 1, default 200.
        curve: `"ROC"` (default): true over false positive rate, `"PR"`: precision over recall, or `"PRGAIN"`: precision
            gain over recall gain (Flach & Kull 2015).
        summation_method: `"interpolation"` (default: mid-points for ROC; for PR the interpolation of Davis & Goadrich
            2006), `"minoring"` or `"majoring"`: lower or upper sums.
        name: str or None.
        dtype: dtype of the state, default `floatx()`.
        thresholds: list of floats in [0, 1] or None (default): used instead of `num_thresholds`.
        multi_label: bool, default False: compute the area per label (last axis) and average.
        num_labels: int: the number of labels, if known before the data.
        label_weights: list of floats or None: weight per label.
        from_logits: bool, default False: predictions are logits.

    Example:

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = _one_of("curve", str(curve).upper(), ("ROC", "PR", "PRGAIN"))
        self.summation_method = _one_of(
            "summation_method", str(summation_method).lower(), ("interpolation", "minoring", "majoring")
        )
        if thresholds is None:
            num_thresholds = int_from("AUC", "num_thresholds", num_thresholds, 2)
        if num_labels and not multi_label:
            raise ValueError("num_labels is needed only with multi_label=True. Got multi_label=False.")
        self._init_from_thresholds = thresholds is not None
        if thresholds is None:
            thresholds = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        # The outermost thresholds lie outside [0, 1], so that 0 counts above the first and 1 below the last.
        inner = sorted(_parse_thresholds(thresholds, None))
        self.thresholds = [-backend.epsilon(), *inner, 1.0 + backend.epsilon()]
        self.num_thresholds = len(self.thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        if label_weights is not None:
            sequence("AUC", "label_weights", label_weights, "numbers")
        self.label_weights = None if label_weights is None else np.asarray(label_weights, self.dtype)
        self.from_logits = from_logits
        self._built = False
        if not multi_label or num_labels:
            self._build(num_labels)

    def _build(self, labels):
        shape = (self.num_thresholds, labels) if self.multi_label else (self.num_thresholds,)
        for count in _COUNTS:
            setattr(self, count, self.add_variable(shape, "zeros", name=count))
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype)
        if self.multi_label and len(y_pred.shape) != 2:
            raise ValueError(f"AUC with multi_label=True takes predictions (batch, labels). Got {tuple(y_pred.shape)}.")
        if not self._built:
            self._build(y_pred.shape[1])
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        if self.multi_label:
            counts = confusion_counts_by_label(y_true, y_pred, self.thresholds, sample_weight)
        else:
            weights = self.label_weights
            counts = confusion_counts(y_true, y_pred, self.thresholds, sample_weight, label_weights=weights)
        for count in _COUNTS:
            getattr(self, count).assign_add(counts[count])

    def result(self):
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        recall = ops.divide_no_nan(self.true_positives, self.true_positives + self.false_negatives)
        if self.curve == "ROC":
            x = ops.divide_no_nan(self.false_positives, self.false_positives + self.true_negatives)
            y = recall
        elif self.curve == "PRGAIN":
            x, y = self._recall_and_precision_gain()
        else:
            x = recall
            y = ops.divide_no_nan(self.true_positives, self.true_positives + self.false_positives)
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = ops.minimum(y[:-1], y[1:])
        else:
            heights = ops.maximum(y[:-1], y[1:])
        return self._average(ops.sum((x[:-1] - x[1:]) * heights, axis=0))

    def _recall_and_precision_gain(self):
        """1 - odds * errors / true positives, at least 0 for recall. Without a true positive they are 0 and 1."""
        odds = ops.divide_no_nan(self.true_positives + self.false_negatives, self.true_negatives + self.false_positives)
        recall = 1.0 - odds * ops.divide_no_nan(self.false_negatives, self.true_positives)
        precision = 1.0 - odds * ops.divide_no_nan(self.false_positives, self.true_positives)
        return ops.where(ops.equal(self.true_positives, 0.0), 0.0, ops.maximum(recall, 0.0)), precision

    def interpolate_pr_auc(self):
        """The area under the precision-recall curve, where between two thresholds true positives are taken as linear in
        the positives (Davis & Goadrich 2006).
        """
        true_positives = ops.convert_to_tensor(self.true_positives)
        positives = true_positives + self.false_positives
        d_true = true_positives[:-1] - true_positives[1:]
        slope = ops.divide_no_nan(d_true, ops.maximum(positives[:-1] - positives[1:], 0.0))
        intercept = true_positives[1:] - slope * positives[1:]
        both = ops.logical_and(positives[:-1] > 0.0, positives[1:] > 0.0)
        ratio = ops.divide_no_nan(positives[:-1], ops.maximum(positives[1:], 0.0))
        ratio = ops.where(both, ratio, ops.ones_like(ratio))
        total = ops.maximum(true_positives[1:] + self.false_negatives[1:], 0.0)
        areas = ops.divide_no_nan(slope * (d_true + intercept * ops.log(ratio)), total)
        return self._average(ops.sum(areas, axis=0))

    def _average(self, area):
        if not self.multi_label:
            return area
        if self.label_weights is None:
            return ops.mean(area)
        return ops.sum(area * self.label_weights) / float(self.label_weights.sum())

    def get_config(self):
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        if self._init_from_thresholds:
            config["thresholds"] = self.thresholds[1:-1]
        return config


def _one_of(argument, value, choices):
    if value not in choices:
        raise ValueError(f"Unknown {argument}: {value!r}. {backend.nearest_hint(value, choices)}")
    return value
