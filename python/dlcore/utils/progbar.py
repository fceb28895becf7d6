"""The progress line of fit, evaluate and predict."""

import math
import os
import shutil
import sys
import time

import numpy as np

from dlcore.backend.arguments import ChecksArguments
from dlcore.utils.console import is_interactive_logging_enabled, print_message

_BOLD, _GREEN, _WHITE, _END = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progbar(ChecksArguments):
    """A line that shows steps done, time and metrics.

    In a terminal or notebook the line is drawn anew in place; in a log file only the finished line is written, without
    control characters. While it moves in a terminal, it shows the metrics that fit on one line.

    Args:
        target: number of steps, or None if unknown.
        width: length of the bar in characters.
        verbose: 0 silent, 1 bar, 2 one line when finished.
        interval: seconds between redraws at least.
        stateful_metrics: names of metrics shown as given; all others are averaged over steps.
        stateless_metrics: instead, names of the metrics averaged over steps; all others are shown as given.
        unit_name: what a step is called.
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Progbar: pass stateful_metrics or stateless_metrics, not both.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._redraws = _can_redraw()
        self._start = time.perf_counter()
        self._first_step_end = None
        self._last_draw = -math.inf
        self._drawn_length = 0
        self._seen = 0
        self._values = {}  # name -> [sum of value * steps, steps]

    def update(self, current, values=None, finalize=None):
        """Shows that `current` steps are done.

        Args:
            current: number of steps done.
            values: list of (metric name, value); of a list of numbers the mean. Averaged values are those of the steps
                since the last update.
            finalize: whether this is the last update; None finds out from `target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._record(current, values or [], finalize)
        now = time.perf_counter()
        step_seconds = self._step_seconds(current, now)
        if self.verbose == 1 and (finalize or (self._redraws and now - self._last_draw >= self.interval)):
            self._draw(current, now, step_seconds, finalize)
        elif self.verbose == 2 and finalize:
            count = f"{current}/{self.target}" if self.target else str(current)
            elapsed = f"{now - self._start:.0f}s"
            print_message(f"{count} - {elapsed} - {self._speed(step_seconds)}{self._metrics()}\n", end="")

    def add(self, n, values=None):
        """Shows that `n` more steps are done."""
        self.update(self._seen + n, values)

    def _record(self, current, values, finalize):
        steps = max(current - self._seen, 1)
        self._seen = current
        for name, value in values:
            value = float(np.mean(value))
            if finalize or not self._is_averaged(name):
                self._values[name] = [value, 1]
            else:
                total = self._values.setdefault(name, [0.0, 0])
                total[0] += value * steps
                total[1] += steps

    def _is_averaged(self, name):
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in self.stateful_metrics

    def _step_seconds(self, current, now):
        """Seconds per step; the first step, which prepares the rest, is not counted when there are more."""
        if not current:
            return 0.0
        if self._first_step_end is not None and current > 1:
            return (now - self._first_step_end) / (current - 1)
        if current == 1:
            self._first_step_end = now
        return (now - self._start) / current

    def _draw(self, current, now, step_seconds, finalize):
        self._last_draw = now
        bar, bar_length = self._bar(current)
        seconds = now - self._start if finalize or not self.target else step_seconds * (self.target - current)
        info = f" {_duration(seconds)} {self._speed(step_seconds)}"
        width = math.inf
        if not finalize and _is_terminal():  # a line that wraps could not be drawn over
            width = shutil.get_terminal_size().columns - 1 - bar_length
            info = info[: max(0, width)]
        info += self._metrics(width - len(info))
        length = bar_length + len(info)
        blanks = " " * (self._drawn_length - length)
        self._drawn_length = length
        print_message(("\r" if self._redraws else "") + bar + info + blanks + ("\n" if finalize else ""), end="")

    def _bar(self, current):
        """The step count and the bar, and the number of characters they take on screen."""
        if not self.target:
            text = f"{current:7d}/Unknown"
            return text, len(text)
        count = f"{current:{len(str(self.target))}d}/{self.target}"
        done = min(self.width, self.width * current // self.target)
        line = _line_character()
        if not self._redraws:
            left = line if done == self.width else "."
            return f"{count} {line * done}{left * (self.width - done)}", len(count) + 1 + self.width
        filled = f"{_GREEN}{line * done}{_END}" if done else ""
        bar = f"{_BOLD}{count}{_END} {filled}{_WHITE}{line * (self.width - done)}{_END}"
        return bar, len(count) + 1 + self.width

    def _speed(self, seconds):
        if seconds >= 1 or seconds == 0:
            return f"{seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f"{seconds * 1e3:.0f}ms/{self.unit_name}"
        return f"{seconds * 1e6:.0f}us/{self.unit_name}"

    def _metrics(self, width=math.inf):
        """The metrics in order, as long as `width` characters hold them whole."""
        text = ""
        for name, (total, steps) in self._values.items():
            mean = total / max(1, steps)
            metric = f" - {name}: {mean:{'.4f' if abs(mean) > 1e-3 else '.4e'}}"
            if len(text) + len(metric) > width:
                break
            text += metric
        return text


def _duration(seconds):
    seconds = round(seconds)
    if seconds > 3600:
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    if seconds > 60:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds}s"


def _can_redraw():
    """Whether standard output shows a carriage return as one: a terminal, a notebook, PyCharm's console."""
    if not is_interactive_logging_enabled():
        return False
    is_notebook = any(base.__module__.startswith("ipykernel") for base in type(sys.stdout).__mro__)
    return is_notebook or "PYCHARM_HOSTED" in os.environ or _is_terminal()


def _is_terminal():
    """Whether standard output is a terminal that knows control characters."""
    return hasattr(sys.stdout, "isatty") and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _line_character():
    try:
        "━".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "="
    return "━"
