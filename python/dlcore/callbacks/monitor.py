"""What callbacks share that watch one number, such as the validation loss."""

import operator
import warnings

from dlcore.callbacks.callback import Callback

# Parts of the names of metrics that should be large.
_LARGE_IS_GOOD = ("acc", "auc", "precision", "recall", "f1", "fbeta", "r2_score", "top_k", "sensitivity", "specificity")
_SMALL_IS_GOOD = (
    "loss",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "rmse",
    "crossentropy",
    "hinge",
    "cosh",
    "kl",
    "poisson",
)


class MonitorCallback(Callback):
    """Base of the callbacks that watch `logs[monitor]`.

    Args:
        monitor: str: a name in the logs, default `"val_loss"`.
        mode: `"min"`, `"max"` or `"auto"` (default): by the name.
        min_delta: float, default 0: a smaller change is no improvement.
    """

    def __init__(self, monitor="val_loss", mode="auto", min_delta=0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f'{type(self).__name__}: mode must be "auto", "min" or "max". Got {mode!r}; taking "auto".',
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = None

    def _wants_large(self):
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_").lower()
        for metric in self._metrics():
            if metric.name == name and getattr(metric, "_direction", None):
                return metric._direction == "up"
        if any(part in name for part in _SMALL_IS_GOOD):
            return False
        if any(part in name for part in _LARGE_IS_GOOD):
            return True
        raise ValueError(
            f'{type(self).__name__}: cannot tell whether "{self.monitor}" should be large or small. '
            'Pass mode="max" or mode="min".'
        )

    def _metrics(self):
        return getattr(self.model, "metrics", None) or []

    @property
    def monitor_op(self):
        """The comparison of two numbers that says whether the first is better."""
        return operator.gt if self._wants_large() else operator.lt

    def _is_improvement(self, value, reference):
        """Whether value is better than reference by more than min_delta; anything is better than None."""
        if reference is None:
            return True
        is_better = self.monitor_op
        return is_better(value - self.min_delta if is_better is operator.gt else value + self.min_delta, reference)

    def get_monitor_value(self, logs):
        """The number watched, or None with a warning; a ValueError where it is of no metric and no `mode` was given."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is not None:
            return float(value)
        text = (
            f'{type(self).__name__} watches "{self.monitor}", which is not among the logs: '
            f"{', '.join(logs) or 'none'}. Pass validation data, or another monitor."
        )
        if self.mode == "auto" and self.monitor.removeprefix("val_") not in self._known_names():
            raise ValueError(text)
        warnings.warn(text, stacklevel=3)
        return None

    def _known_names(self):
        return ["loss", *(metric.name for metric in self._metrics())]
