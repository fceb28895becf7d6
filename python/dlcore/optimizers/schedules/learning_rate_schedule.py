"""Learning rates as functions of the step, computed with ops so that they are part of the training program."""

import math

from dlcore import ops
from dlcore.backend.arguments import ChecksArguments, is_number, number, sequence
from dlcore.backend.tensors import Tensor
from dlcore.backend.variables import Variable


class LearningRateSchedule(ChecksArguments):
    """Base of all schedules: implement `__call__(step)` with ops and, to be saved, `get_config()`."""

    def __call__(self, step):
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(step).")

    def get_config(self):
        """The constructor's arguments as plain values."""
        raise NotImplementedError(f"{type(self).__name__} must implement get_config() to be saved.")

    @classmethod
    def from_config(cls, config):
        """A schedule from what get_config() returned."""
        return cls(**config)


class ExponentialDecay(LearningRateSchedule):
    """rate = initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: float.
        decay_steps: int > 0.
        decay_rate: float.
        staircase: bool, default False: decay at whole multiples of `decay_steps` only.
        name: str.

    Example:

    >>> schedule = ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
    >>> round(float(schedule(200)), 6)
    0.025
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        self.initial_learning_rate = _start(self, initial_learning_rate)
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.decay_rate = number(type(self).__name__, "decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def __call__(self, step):
        return self.initial_learning_rate * ops.power(_float(self.decay_rate), _periods(self, step))

    def get_config(self):
        return _config(self, "initial_learning_rate", "decay_steps", "decay_rate", "staircase")


class InverseTimeDecay(LearningRateSchedule):
    """rate = initial_learning_rate / (1 + decay_rate * step / decay_steps). Arguments as `ExponentialDecay`."""

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self.initial_learning_rate = _start(self, initial_learning_rate)
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.decay_rate = number(type(self).__name__, "decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def __call__(self, step):
        return self.initial_learning_rate / (1.0 + self.decay_rate * _periods(self, step))

    def get_config(self):
        return _config(self, "initial_learning_rate", "decay_steps", "decay_rate", "staircase")


class PolynomialDecay(LearningRateSchedule):
    """rate = (initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power + end_learning_rate.

    Args:
        initial_learning_rate: float.
        decay_steps: int > 0: when the end is reached.
        end_learning_rate: float, default 0.0001.
        power: float, default 1.0: linear.
        cycle: bool, default False: after the end, restart over the next multiple of `decay_steps`.
        name: str.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        end_learning_rate=0.0001,
        power=1.0,
        cycle=False,
        name="PolynomialDecay",
    ):
        self.initial_learning_rate = _start(self, initial_learning_rate)
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step):
        step = _float(step)
        decay_steps = _float(self.decay_steps)
        if self.cycle:
            decay_steps = decay_steps * ops.maximum(ops.ceil(step / decay_steps), 1.0)
        remaining = 1.0 - ops.minimum(step, decay_steps) / decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * ops.power(remaining, _float(self.power)) + self.end_learning_rate

    def get_config(self):
        return _config(self, "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")


class PiecewiseConstantDecay(LearningRateSchedule):
    """rate = values[i] while boundaries[i - 1] < step <= boundaries[i].

    Args:
        boundaries: list of ints, rising.
        values: list of floats, one more than `boundaries`.
        name: str.
    """

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        boundaries = sequence("PiecewiseConstantDecay", "boundaries", boundaries, "steps")
        values = sequence("PiecewiseConstantDecay", "values", values, "learning rates")
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"{type(self).__name__}: values must have one entry more than boundaries. "
                f"Got {len(boundaries)} boundaries {boundaries} and "
                f"{len(values)} values {values}."
            )
        for what, given in (("boundaries", boundaries), ("values", values)):
            if not all(is_number(value) for value in given):
                raise ValueError(f"{type(self).__name__}: {what} must hold numbers. Got {what}={given}.")
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step):
        step = ops.convert_to_tensor(step)
        rate = _float(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:]):
            rate = ops.where(step > ops.cast(boundary, step.dtype), _float(value), rate)
        return rate

    def get_config(self):
        return _config(self, "boundaries", "values")


class CosineDecay(LearningRateSchedule):
    """rate = r * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha), after an optional linear warm-up.

    Args:
        initial_learning_rate: float: where the warm-up starts; without a warm-up this is r.
        decay_steps: int > 0: length of the decay, without the warm-up.
        alpha: float, default 0.0: the end as a fraction of r.
        name: str.
        warmup_target: float or None (default): r, reached after `warmup_steps`. None: no warm-up.
        warmup_steps: int, default 0.

    Reference: Loshchilov & Hutter 2017.
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        alpha=0.0,
        name="CosineDecay",
        warmup_target=None,
        warmup_steps=0,
    ):
        self.initial_learning_rate = _start(self, initial_learning_rate)
        self.decay_steps = _positive(decay_steps, "decay_steps")
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = _float(step)
        if self.warmup_target is None:
            return self._decayed(self.initial_learning_rate, step)
        decayed = self._decayed(self.warmup_target, ops.maximum(step - float(self.warmup_steps), 0.0))
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_target - self.initial_learning_rate
        warming = rise * (step / float(self.warmup_steps)) + self.initial_learning_rate
        return ops.where(step < float(self.warmup_steps), warming, decayed)

    def _decayed(self, rate, step):
        fraction = ops.minimum(step, float(self.decay_steps)) / float(self.decay_steps)
        return rate * ((1.0 - self.alpha) * 0.5 * (1.0 + ops.cos(math.pi * fraction)) + self.alpha)

    def get_config(self):
        return _config(self, "initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that restarts; each period is `t_mul` times as long and starts `m_mul` times as high as the last.

    Args:
        initial_learning_rate: float.
        first_decay_steps: int > 0: length of the first period.
        t_mul: float, default 2.0.
        m_mul: float, default 1.0.
        alpha: float, default 0.0: the end of a period as a fraction of the initial rate.
        name: str.

    Reference: Loshchilov & Hutter 2017.
    """

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        self.initial_learning_rate = _start(self, initial_learning_rate)
        self.first_decay_steps = _positive(first_decay_steps, "first_decay_steps")
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step):
        restarts, fraction = self._period(_float(step) / float(self.first_decay_steps))
        height = ops.power(_float(self.m_mul), restarts)
        cosine = 0.5 * height * (1.0 + ops.cos(math.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def _period(self, t):
        """(number of restarts before t, fraction of the running period); t counts first periods."""
        if self.t_mul == 1.0:
            restarts = ops.floor(t)
            return restarts, t - restarts
        # n periods last (t_mul^n - 1) / (t_mul - 1) first periods; solve for n.
        restarts = ops.floor(ops.log(1.0 + t * (self.t_mul - 1.0)) / math.log(self.t_mul))
        length = ops.power(_float(self.t_mul), restarts)
        return restarts, (t - (length - 1.0) / (self.t_mul - 1.0)) / length

    def get_config(self):
        return _config(self, "initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")


def _float(x):
    return ops.cast(x, "float32")


def _periods(schedule, step):
    periods = _float(step) / float(schedule.decay_steps)
    return ops.floor(periods) if schedule.staircase else periods


def _positive(value, name):
    if not is_number(value) or value <= 0:
        raise ValueError(f"{name} must be a number > 0. Got {name}={value!r}.")
    return value


def _start(schedule, initial_learning_rate):
    if isinstance(initial_learning_rate, (Variable, Tensor)) and not initial_learning_rate.shape:
        initial_learning_rate = float(initial_learning_rate)
    return number(type(schedule).__name__, "initial_learning_rate", initial_learning_rate)


def _config(schedule, *names):
    return {name: getattr(schedule, name) for name in (*names, "name")}
