"""Intersection over union of predicted and true regions, from a confusion matrix."""

import warnings

from dlcore import backend, ops
from dlcore.backend.arguments import is_int, positive_int, sequence
from dlcore.metrics.metric import Metric


class _ConfusionMatrix(Metric):
    """Counts (true class, predicted class) pairs; classes outside [0, num_classes) do not count.

    Args:
        num_classes: int.
        name: str or None.
        dtype: dtype of the counts, default int32; a float dtype for fractional sample weights.
        ignore_class: int or None (default): samples whose true class this is do not count.
        sparse_y_true, sparse_y_pred: bool: they hold class indices; False: scores, of which the greatest counts.
        axis: int, default -1: the axis of the scores.
    """

    def __init__(
        self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True, axis=-1
    ):
        super().__init__(name=name, dtype=dtype or "int32")
        num_classes = self.num_classes = positive_int(type(self).__name__, "num_classes", num_classes)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), "zeros", name="total_confusion_matrix")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        counts = self._in_range(y_true) & self._in_range(y_pred)
        if self.ignore_class is not None:
            counts = counts & ops.not_equal(y_true, self.ignore_class)
        cells = ops.where(counts, y_true * self.num_classes + y_pred, 0)
        weights = ops.where(counts, self._weights(sample_weight, y_true), ops.zeros_like(y_true, dtype=self.dtype))
        hot = ops.segment_sum(weights, cells, num_segments=self.num_classes**2)
        self.total_cm.assign_add(ops.reshape(hot, self.total_cm.shape))

    def _classes(self, y, sparse):
        y = ops.convert_to_tensor(y)
        return ops.reshape(ops.cast(y if sparse else ops.argmax(y, axis=self.axis), "int32"), (-1,))

    def _in_range(self, classes):
        return ops.greater_equal(classes, 0) & ops.less(classes, self.num_classes)

    def _weights(self, sample_weight, y_true):
        if sample_weight is None:
            return ops.ones_like(y_true, dtype=self.dtype)
        sample_weight = ops.convert_to_tensor(sample_weight)
        if backend.is_float_dtype(sample_weight.dtype) and not backend.is_float_dtype(self.dtype):
            warnings.warn(
                f"{type(self).__name__} counts in {self.dtype}, so the sample weights lose their fractions. Make the "
                'metric with dtype="float32".',
                stacklevel=3,
            )
        sample_weight = ops.cast(sample_weight, self.dtype)
        if sample_weight.ndim > 1:
            sample_weight = ops.reshape(sample_weight, (-1,))
        return ops.ones_like(y_true, dtype=self.dtype) * sample_weight

    def _mean_over(self, classes):
        """Mean intersection over union of these classes (None: all); those that never occur do not count."""
        matrix = ops.cast(self.total_cm, "float32")
        both = ops.diagonal(matrix)
        either = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - both
        if classes is not None:
            both, either = ops.take(both, classes), ops.take(either, classes)
        occurs = ops.greater(either, 1e-9)
        ratio = ops.where(occurs, both / (either + backend.epsilon()), 0.0)
        return ops.sum(ratio) / (ops.sum(ops.cast(occurs, "float32")) + backend.epsilon())


class IoU(_ConfusionMatrix):
    """Mean over chosen classes of true positives / (true positives + false positives + false negatives).

    Args:
        num_classes: int.
        target_class_ids: list of ints: the classes that are averaged over.
        name: str or None.
        dtype: dtype of the counts, default int32; a float dtype for fractional sample weights.
        ignore_class: int or None (default): samples whose true class this is do not count.
        sparse_y_true, sparse_y_pred: bool, default True: class indices; False: scores per class.
        axis: int, default -1: the axis of the scores.

    Example:

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        target_class_ids = sequence(type(self).__name__, "target_class_ids", target_class_ids, "ints")
        if not all(is_int(i) and 0 <= i < num_classes for i in target_class_ids):
            raise ValueError(
                f"{type(self).__name__}: target_class_ids must lie in [0, {num_classes}). "
                f"Got target_class_ids={list(target_class_ids)}."
            )
        self.target_class_ids = list(target_class_ids)

    def result(self):
        return self._mean_over(self.target_class_ids)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


class BinaryIoU(IoU):
    """IoU of two classes told apart by a threshold.

    Args:
        target_class_ids: `(0,)`, `(1,)` or `(0, 1)` (default).
        threshold: float, default 0.5: predictions from it on are class 1.
        name: str or None.
        dtype: dtype of the counts, default int32.

    Example:

    >>> metric = BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred, dtype="float32")
        super().update_state(y_true, ops.greater_equal(y_pred, self.threshold), sample_weight)

    def get_config(self):
        config = Metric.get_config(self)
        return {**config, "target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """Mean of IoU over all classes that occur. Arguments as `IoU`, without target_class_ids.

    Example:

    >>> metric = MeanIoU(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    def __init__(
        self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True, axis=-1
    ):
        num_classes = positive_int(type(self).__name__, "num_classes", num_classes)
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["target_class_ids"]
        return config


class OneHotIoU(IoU):
    """IoU of one-hot labels and (with sparse_y_pred False, the default) scores per class; else as `IoU`.

    Example:

    >>> metric = OneHotIoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    def __init__(
        self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    """MeanIoU of one-hot labels and (with sparse_y_pred False, the default) scores per class; else as `MeanIoU`.

    Example:

    >>> metric = OneHotMeanIoU(num_classes=2)
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        config = super().get_config()
        del config["sparse_y_true"]
        return config
