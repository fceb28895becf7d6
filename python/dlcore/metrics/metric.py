"""The base of all metrics: state in variables, updated per batch, read at any time."""

import functools

from dlcore import backend, initializers, ops
from dlcore.backend import Variable
from dlcore.backend.arguments import ChecksArguments
from dlcore.backend.scopes import run_stateless


@functools.lru_cache(maxsize=64)
def _zeros(shape, dtype):
    """Zeros, made once: metrics are reset at each epoch."""
    return ops.zeros(shape, dtype=dtype)


def _variables_in(value):
    """The variables in what a metric has as an attribute."""
    if isinstance(value, Variable):
        yield value
    elif isinstance(value, Metric):
        yield from value.variables
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, (int, float, str)):  # most often, such as thresholds
                yield from _variables_in(item)


class Metric(ChecksArguments):
    """Base of all metrics: implement `update_state(...)` and `result()`; make state with `add_variable`.

    Args:
        dtype: dtype of the state, default `floatx()`.
        name: str or None: default the class's name in snake case.

    State is updated with ops and `assign`, so that an update can be traced into a training program.

    Example:

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", dtype=None):
    ...         super().__init__(name=name, dtype=dtype)
    ...         self.value = self.add_variable((), "zeros", name="value")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.value.assign(ops.maximum(self.value, ops.max(y_pred)))
    ...     def result(self):
    ...         return self.value.value
    """

    def __init__(self, dtype=None, name=None):
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{type(self).__name__}: name must be a string. Got name={name!r}.")
        self.name = name or backend.auto_name(type(self).__name__)
        self._dtype = backend.standardize_dtype(getattr(dtype, "compute_dtype", dtype))
        self._variables = []

    @property
    def dtype(self):
        """The dtype of the result."""
        return self._dtype

    @property
    def variables(self):
        """The state of this metric and of the metrics it holds, as attributes or in lists and dicts."""
        own = self._variables
        holders = [
            v for v in self.__dict__.values() if isinstance(v, (Metric, list, tuple, dict)) and v and v is not own
        ]
        if not holders:  # most often; asked at each epoch, and each train_on_batch
            return list(own)
        found = {id(v): v for v in own}
        for holder in holders:
            found.update((id(v), v) for v in _variables_in(holder))
        return list(found.values())

    def add_variable(self, shape, initializer, dtype=None, aggregation="sum", name=None):
        """A new state variable of this metric.

        Args:
            shape: tuple of ints.
            initializer: name or callable.
            dtype: default the metric's.
            aggregation: kept for Keras's signature.
            name: default "variable".
        """
        self._check_super_called()
        with backend.name_scope(self.name.replace("/", ">")):
            variable = Variable(
                initializers.get(initializer),
                shape=tuple(shape),
                dtype=dtype or self.dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(self, shape=(), initializer=None, dtype=None, name=None):
        """A new state variable, as `add_variable` makes it.

        Args:
            shape: tuple of ints, default a scalar.
            initializer: name or callable, default `"zeros"`.
            dtype: default the metric's.
            name: default "variable".
        """
        return self.add_variable(shape, initializer or "zeros", dtype=dtype, name=name)

    def reset_state(self):
        """Sets all state to zero: called before each epoch."""
        for variable in self.variables:
            variable.assign(_zeros(variable.shape, variable.dtype))

    def update_state(self, *args, **kwargs):
        """Accumulates one batch."""
        raise NotImplementedError(f"{type(self).__name__} must implement update_state(...).")

    def result(self):
        """The metric's value now: a scalar tensor, or a dict of them."""
        raise NotImplementedError(f"{type(self).__name__} must implement result().")

    def stateless_update_state(self, metric_variables, *args, **kwargs):
        """The values of `variables` after an update from given values; the variables themselves stay as they are."""
        return self._stateless(metric_variables, lambda: self.update_state(*args, **kwargs))[1]

    def stateless_result(self, metric_variables):
        """The result for given values of `variables`."""
        return self._stateless(metric_variables, self.result)[0]

    def stateless_reset_state(self):
        """The values of `variables` after `reset_state()`."""
        return self._stateless([v.value for v in self.variables], self.reset_state)[1]

    def _stateless(self, values, function):
        label = f'{type(self).__name__} "{self.name}"'
        result, (values,) = run_stateless(
            label, {"metric_variables": self.variables}, {"metric_variables": values}, function
        )
        return result, values

    def __call__(self, *args, **kwargs):
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self):
        """The constructor's arguments as a JSON-serializable dict."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """A metric from what get_config() returned."""
        return cls(**config)

    def __setattr__(self, name, value):
        if isinstance(value, Variable) and not any(value is v for v in self.__dict__.get("_variables", ())):
            self._check_super_called()
            self._variables.append(value)
        super().__setattr__(name, value)

    def _check_super_called(self):
        if "_variables" not in self.__dict__:
            raise RuntimeError(f"Call super().__init__() first in the __init__() of {type(self).__name__}.")

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"
