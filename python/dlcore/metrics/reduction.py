"""Sums and means of values over the samples seen."""

from dlcore import backend, ops
from dlcore.losses.loss import element_count, match_weight, squeeze_or_expand_to_same_rank
from dlcore.metrics.metric import Metric
from dlcore.registry import Catalogue

metric_functions = Catalogue("metric function", "keras.metrics", [])


def reduce_to_samplewise_values(values, sample_weight, reduce_fn, dtype):
    """(values, weights), one number per sample: further axes are reduced by `reduce_fn` after weighting."""
    mask = backend.get_keras_mask(values)
    values = ops.cast(values, dtype)
    if sample_weight is not None:
        sample_weight = combine_weight_and_mask(sample_weight, mask, dtype)
        values, sample_weight = squeeze_or_expand_to_same_rank(values, sample_weight)
        weight_rank = len(sample_weight.shape)
        if len(values.shape) > weight_rank:
            values = reduce_fn(values, axis=list(range(weight_rank, len(values.shape))))
        sample_weight = sample_weight + ops.zeros_like(values)  # broadcasts
        values = values * sample_weight
        if weight_rank > 1:
            sample_weight = reduce_fn(sample_weight, axis=list(range(1, weight_rank)))
    if len(values.shape) > 1:
        values = reduce_fn(values, axis=list(range(1, len(values.shape))))
    return values, sample_weight


def combine_weight_and_mask(sample_weight, mask, dtype):
    """Weights that are zero where the mask is; either may be None."""
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if mask is None:
        return sample_weight
    mask = ops.cast(ops.convert_to_tensor(mask), dtype)
    if sample_weight is None:
        return mask
    mask, sample_weight = match_weight(mask, sample_weight)
    return mask * sample_weight


class Sum(Metric):
    """The (weighted) sum of all values.

    Args:
        name: str, default `"sum"`.
        dtype: dtype of the state, default `floatx()`.

    Example:

    >>> metric = Sum()
    >>> metric.update_state([1.0, 3.0, 5.0])
    >>> float(metric.result())
    9.0
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values, sample_weight=None):
        values, _ = reduce_to_samplewise_values(values, sample_weight, ops.sum, self.dtype)
        self.total.assign_add(ops.sum(values))

    def result(self):
        return ops.convert_to_tensor(self.total)


class Mean(Metric):
    """The (weighted) mean of all values: total / count.

    Args:
        name: str, default `"mean"`.
        dtype: dtype of the state, default `floatx()`.
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values, sample_weight=None):
        values, sample_weight = reduce_to_samplewise_values(values, sample_weight, ops.mean, self.dtype)
        self.total.assign_add(ops.sum(values) if len(values.shape) else values)
        count = element_count(values, self.dtype) if sample_weight is None else ops.sum(sample_weight)
        self.count.assign_add(count)

    def result(self):
        return ops.divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """The mean of what a function `fn(y_true, y_pred, **kwargs)` returns per sample.

    Example:

    >>> metric = MeanMetricWrapper(fn=lambda y_true, y_pred: ops.abs(y_true - y_pred), name="distance")
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype)
        if isinstance(fn, dict):
            fn = metric_functions.deserialize(fn)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true, y_pred, sample_weight=None):
        mask = backend.get_keras_mask(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if values is None:
            raise ValueError(
                f'The metric "{self.name}" returned None. Does it end with `return` and a value per sample?'
            )
        super().update_state(values, combine_weight_and_mask(sample_weight, mask, self.dtype))

    def get_config(self):
        return {**super().get_config(), "fn": metric_functions.serialize(self._fn), **self._fn_kwargs}


class NamedMean(MeanMetricWrapper):
    """A built-in mean of a function: what the function takes beside y_true and y_pred is in its config."""

    def __init__(self, fn, name, dtype, **kwargs):
        super().__init__(fn, name=name, dtype=dtype, **kwargs)
        self.__dict__.update(kwargs)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, **self._fn_kwargs}
