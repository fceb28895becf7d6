"""Losses for class labels and probabilities."""

from dlcore import backend, ops
from dlcore.backend.arguments import fraction, int_from, numbers
from dlcore.losses.loss import ConfiguredLoss
from dlcore.ops._common import as_indices

_MEAN = "sum_over_batch_size"


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """mean of -y * log(p) - (1 - y) * log(1 - p) over `axis`.

    Args:
        y_true: labels 0 and 1, or probabilities, of the shape of y_pred.
        y_pred: probabilities, or logits.
        from_logits: bool, default False: y_pred holds logits.
        label_smoothing: float in [0, 1]: labels are drawn towards 1/2 by this fraction.
        axis: int, default -1.
    """
    y_true, y_pred = _same_type(y_true, y_pred)
    values = ops.binary_crossentropy(_smooth_binary(y_true, label_smoothing), y_pred, from_logits=from_logits)
    return ops.mean(values, axis=axis)


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    """Binary cross-entropy times (1 - p_t)^gamma, p_t the probability of the true class (Lin et al. 2017).

    Args:
        y_true: labels 0 and 1, or probabilities, of the shape of y_pred.
        y_pred: probabilities, or logits.
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: as `BinaryFocalCrossentropy`.
    """
    y_true, y_pred = _same_type(y_true, y_pred)
    y_true = _smooth_binary(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    p_true = y_true * p + (1.0 - y_true) * (1.0 - p)
    values = ops.power(1.0 - p_true, gamma) * ops.binary_crossentropy(y_true, p)
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """-sum y * log(p) over `axis`; y_true holds a probability per class.

    Args:
        y_true: a probability per class, such as one-hot vectors, of the shape of y_pred.
        y_pred: probabilities, or logits.
        from_logits: bool, default False: y_pred holds logits.
        label_smoothing: float in [0, 1]: labels are drawn towards equal probabilities by this fraction.
        axis: int, default -1: that of the classes.
    """
    y_true, y_pred = _smooth_categorical(y_true, y_pred, label_smoothing)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """-sum alpha * (1 - p)^gamma * y * log(p) over `axis` (Lin et al. 2017).

    Args:
        y_true: a probability per class, such as one-hot vectors, of the shape of y_pred.
        y_pred: probabilities, or logits.
        alpha, gamma, from_logits, label_smoothing, axis: as `CategoricalFocalCrossentropy`.
    """
    y_true, y_pred = _smooth_categorical(y_true, y_pred, label_smoothing)
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, backend.epsilon(), 1.0 - backend.epsilon())
    return ops.sum(alpha * ops.power(1.0 - p, gamma) * (-y_true * ops.log(p)), axis=axis)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """-log(p[label]); y_true holds one integer label per sample, samples of `ignore_class` count as masked.

    Args:
        y_true: integers, of the shape of y_pred without the axis of classes, or with 1 there.
        y_pred: probabilities, or logits.
        from_logits: bool, default False: y_pred holds logits.
        ignore_class: int or None (default).
        axis: int, default -1: that of the classes.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    y_true = as_indices(y_true)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    counts = ops.not_equal(y_true, ignore_class)
    y_true = ops.where(counts, y_true, ops.zeros_like(y_true))
    y_pred = ops.where(ops.expand_dims(counts, axis), y_pred, ops.zeros_like(y_pred))
    values = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    values = ops.where(counts, values, ops.zeros_like(values))
    backend.set_keras_mask(values, counts)
    return values


sparse_categorical_crossentropy.takes_integer_labels = True


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """(1 - p[label]^q) / q: cross-entropy for q near 0, bounded as the mean absolute error for q near 1.

    y_true holds one integer label per sample, (batch,) or (batch, 1); y_pred probabilities (batch, classes).
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.cast(y_true, "int32")
    if len(labels.shape) == len(y_pred.shape):
        labels = ops.squeeze(labels, axis=-1)
    hot = ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)
    return (1.0 - ops.power(ops.sum(hot * y_pred, axis=-1), q)) / q


categorical_generalized_cross_entropy.takes_integer_labels = True


class BinaryCrossentropy(ConfiguredLoss):
    """Cross-entropy of probabilities or logits with labels 0 and 1: mean of -y * log(p) - (1 - y) * log(1 - p).

    Args:
        from_logits: bool, default False: `y_pred` holds logits, p = sigmoid(y_pred), instead of probabilities.
        label_smoothing: float in [0, 1], default 0.0: labels are drawn towards 1/2 by this fraction.
        axis: int, default -1: the axis the mean is taken over.
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"binary_crossentropy"`.
        dtype: dtype of the result, default `floatx()`.

    Example:

    >>> loss = BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([0, 1], [-18.6, 2.9])), 4)
    0.0268
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=_MEAN,
        name="binary_crossentropy",
        dtype=None,
    ):
        super().__init__(
            binary_crossentropy,
            name,
            reduction,
            dtype,
            from_logits=from_logits,
            label_smoothing=fraction(type(self).__name__, "label_smoothing", label_smoothing),
            axis=axis,
        )


class BinaryFocalCrossentropy(ConfiguredLoss):
    """Binary cross-entropy that weighs easy samples down by (1 - p_t)^gamma (Lin et al. 2017).

    Args:
        apply_class_balancing: bool, default False: weigh class 1 by `alpha` and class 0 by 1 - `alpha`.
        alpha: float, or a list of one for each class, default 0.25.
        gamma: float, default 2.0: the focusing parameter.
        Others as `BinaryCrossentropy`.
    """

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=_MEAN,
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            name,
            reduction,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=fraction(type(self).__name__, "label_smoothing", label_smoothing),
            axis=axis,
        )


class CategoricalCrossentropy(ConfiguredLoss):
    """Cross-entropy of probabilities or logits with one-hot labels: -sum y * log(p).

    Args:
        from_logits: bool, default False: `y_pred` holds logits instead of probabilities.
        label_smoothing: float in [0, 1], default 0.0: y <- y * (1 - s) + s / classes.
        axis: int, default -1: the axis of the classes.
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"categorical_crossentropy"`.
        dtype: dtype of the result, default `floatx()`.
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=_MEAN,
        name="categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            categorical_crossentropy,
            name,
            reduction,
            dtype,
            from_logits=from_logits,
            label_smoothing=fraction(type(self).__name__, "label_smoothing", label_smoothing),
            axis=axis,
        )


class CategoricalFocalCrossentropy(ConfiguredLoss):
    """Categorical cross-entropy that weighs easy samples down by alpha * (1 - p)^gamma (Lin et al. 2017).

    Args:
        alpha: float, or a list of one for each class, default 0.25.
        gamma: float, default 2.0: the focusing parameter.
        Others as `CategoricalCrossentropy`.
    """

    _checked_otherwise = ("alpha",)

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=_MEAN,
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            name,
            reduction,
            dtype,
            alpha=numbers("CategoricalFocalCrossentropy", "alpha", alpha),
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=fraction(type(self).__name__, "label_smoothing", label_smoothing),
            axis=axis,
        )


class SparseCategoricalCrossentropy(ConfiguredLoss):
    """Cross-entropy of probabilities or logits with integer labels: -log(p[label]).

    Args:
        from_logits: bool, default False: `y_pred` holds logits instead of probabilities.
        ignore_class: int or None (default): samples of this label do not count.
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        axis: int, default -1: the axis of the classes.
        name: str, default `"sparse_categorical_crossentropy"`.
        dtype: dtype of the result, default `floatx()`.

    Raises:
        IndexError: a label is outside [0, classes).
    """

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction=_MEAN,
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            name,
            reduction,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=int_from("SparseCategoricalCrossentropy", "axis", axis),
        )

    def get_config(self):
        config = super().get_config()
        config.pop("axis")
        return config


class CategoricalGeneralizedCrossEntropy(ConfiguredLoss):
    """Cross-entropy that bears wrong labels: (1 - p[label]^q) / q.

    Args:
        q: float in (0, 1), default 0.5: towards 1 it is more robust, towards 0 more like cross-entropy.
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"categorical_generalized_cross_entropy"`.
        dtype: dtype of the result, default `floatx()`.

    Reference: Zhang & Sabuncu 2018.

    Example:

    >>> float(CategoricalGeneralizedCrossEntropy(q=0.5)(np.array([1]), np.array([[0.75, 0.25]])))
    1.0
    """

    def __init__(self, q=0.5, reduction=_MEAN, name="categorical_generalized_cross_entropy", dtype=None):
        if fraction("CategoricalGeneralizedCrossEntropy", "q", q) in (0, 1):
            raise ValueError(f"CategoricalGeneralizedCrossEntropy: q must lie between 0 and 1. Got q={q}.")
        super().__init__(categorical_generalized_cross_entropy, name, reduction, dtype, q=q)


def _same_type(y_true, y_pred):
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.cast(y_true, y_pred.dtype), y_pred


def _smooth_binary(y_true, smoothing):
    return y_true * (1.0 - smoothing) + 0.5 * smoothing if smoothing else y_true


def _smooth_categorical(y_true, y_pred, smoothing):
    y_true, y_pred = _same_type(y_true, y_pred)
    if smoothing:
        y_true = y_true * (1.0 - smoothing) + smoothing / y_true.shape[-1]
    return y_true, y_pred
