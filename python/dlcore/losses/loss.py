"""The base of all losses, and how per-sample values become one number."""

import math

from dlcore import backend, ops, tree
from dlcore.backend.arguments import ChecksArguments
from dlcore.backend.tracebacks import calling

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(ChecksArguments):
    """Base of all losses: implement `call(y_true, y_pred)` returning one value per sample.

    Args:
        name: str or None: default the class's name in snake case.
        reduction: how the values are reduced: `"sum_over_batch_size"` (default) or `"mean"`: their mean; `"sum"`;
            `"mean_with_sample_weight"`: weighted sum / sum of the weights; `"none"` or None: not at all.
        dtype: dtype of the result, default `floatx()`.

    Example:

    >>> class Absolute(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.abs(y_true - y_pred), axis=-1)
    """

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        self.name = name or backend.auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype = backend.floatx() if dtype is None else _compute_dtype(dtype)

    @property
    def dtype(self):
        """The dtype of the computation."""
        return self._dtype

    def __call__(self, y_true, y_pred, sample_weight=None):
        with calling("Loss", self.name):
            mask = backend.get_keras_mask(y_pred)
            y_pred = _convert(y_pred, self._dtype)
            values = self.call(self._convert_targets(y_true), y_pred)
            if values is None:
                raise ValueError(
                    f'The loss "{self.name}" returned None. Does it end with `return` and a value per sample?'
                )
            mask = _both(mask, backend.get_keras_mask(values))
            return reduce_weighted_values(values, sample_weight, mask, self.reduction, self._dtype)

    def call(self, y_true, y_pred):
        """One value per sample."""
        raise NotImplementedError(f"{type(self).__name__} must implement call(y_true, y_pred).")

    def _convert_targets(self, y_true):
        return _convert(y_true, self._dtype)

    def get_config(self):
        """The constructor's arguments as a JSON-serializable dict."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config):
        """A loss from what get_config() returned."""
        return cls(**config)


class FunctionLoss(Loss):
    """A loss whose values a function computes: `fn(y_true, y_pred, **kwargs)`. Keras calls it LossFunctionWrapper."""

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true, y_pred):
        if not isinstance(y_pred, (list, tuple, dict)) and not isinstance(y_true, (list, tuple, dict)):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def _convert_targets(self, y_true):
        dtype = None if getattr(self.fn, "takes_integer_labels", False) else self._dtype
        return _convert(y_true, dtype)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


class ConfiguredLoss(FunctionLoss):
    """A built-in loss: what its function takes beside y_true and y_pred are its attributes and in its config."""

    def __init__(self, fn, name, reduction, dtype, **kwargs):
        super().__init__(fn, reduction=reduction, name=name, dtype=dtype, **kwargs)
        self.__dict__.update(kwargs)

    def get_config(self):
        return {**super().get_config(), **self._fn_kwargs}


def standardize_reduction(reduction):
    """The reduction itself if it is one, else a ValueError."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"Unknown loss reduction {reduction!r}. Expected one of {REDUCTIONS}.")
    return reduction


def squeeze_or_expand_to_same_rank(x1, x2, expand_rank_1=True):
    """Adds or drops a last axis of size 1 where the ranks differ by one: (N,) beside (N, 1)."""
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 == rank2 + 1 and x1.shape[-1] == 1:
        if rank2 == 1 and expand_rank_1:
            return x1, ops.expand_dims(x2, axis=-1)
        return ops.squeeze(x1, axis=-1), x2
    if rank2 == rank1 + 1 and x2.shape[-1] == 1:
        if rank1 == 1 and expand_rank_1:
            return ops.expand_dims(x1, axis=-1), x2
        return x1, ops.squeeze(x2, axis=-1)
    return x1, x2


def match_weight(values, weight):
    """Values and weights of one rank; weights of lower rank are per sample, or per leading axes."""
    values, weight = squeeze_or_expand_to_same_rank(values, weight)
    for _ in range(len(values.shape) - len(weight.shape)):
        weight = ops.expand_dims(weight, -1)
    return values, weight


def reduce_weighted_values(values, sample_weight=None, mask=None, reduction="sum_over_batch_size", dtype=None):
    """The loss from per-sample values, optional weights and an optional mask.

    A mean over masked values divides by the number of values that count, not by all.
    """
    reduction = standardize_reduction(reduction)
    values = ops.convert_to_tensor(values, dtype=dtype)
    weight = _combine(sample_weight, mask, reduction, values.dtype)
    if weight is not None:
        values, weight = match_weight(values, weight)
        values = values * weight
    return _reduce(values, weight, reduction)


def element_count(x, dtype):
    """How many elements x has, as a scalar tensor; works while the batch size is unknown."""
    if None in x.shape:
        return ops.sum(ops.ones_like(x, dtype=dtype))
    return ops.convert_to_tensor(math.prod(x.shape), dtype=dtype)


def _reduce(values, weight, reduction):
    if reduction in (None, "none") or len(values.shape) == 0 or tuple(values.shape) == (0,):
        return values
    if reduction == "sum" or 0 in values.shape:  # the mean of no values is 0
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.divide_no_nan(ops.sum(values), ops.sum(weight))
    return ops.mean(values)


def _combine(sample_weight, mask, reduction, dtype):
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if mask is None:
        return sample_weight
    mask = ops.cast(ops.convert_to_tensor(mask), dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        mask = ops.divide_no_nan(mask, ops.mean(mask))
    if sample_weight is None:
        return mask
    mask, sample_weight = match_weight(mask, sample_weight)
    return mask * sample_weight


def _both(mask, other):
    if mask is None or other is None:
        return other if mask is None else mask
    return ops.logical_and(mask, other)


def _convert(x, dtype):
    if isinstance(x, dict):
        return {key: _convert(value, dtype) for key, value in x.items()}
    if isinstance(x, (list, tuple)) and any(ops.is_tensor(item) for item in x):
        return tree.rebuilt(x, [_convert(item, dtype) for item in x])
    return ops.convert_to_tensor(x, dtype=dtype)


def _compute_dtype(dtype):
    return backend.standardize_dtype(getattr(dtype, "compute_dtype", dtype))
