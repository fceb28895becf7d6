"""Tracebacks that show the user's code and leave out the package's."""

import contextlib
import functools
import os
import re
import sys
import threading
import traceback
import types
import warnings

from dlcore import _core

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# How texts begin that name a layer, loss or metric: those of the steps of a program do.
_CALLER = re.compile(r'\w+ "[^"]+"( of output "[^"]+")?: ')
_is_filtering = True


def enable_traceback_filtering():
    """Errors of layers and of training show the user's lines only, as by default."""
    global _is_filtering
    _is_filtering = True


def disable_traceback_filtering():
    """Errors show the package's own lines too."""
    global _is_filtering
    _is_filtering = False


def is_traceback_filtering_enabled():
    """Whether errors leave out the package's own lines."""
    return _is_filtering


def shortened(error):
    """The error without the package's own lines in its traceback; where there are no others, with the last one."""
    if not _is_filtering:
        return error
    frames = list(traceback.walk_tb(error.__traceback__))
    kept = [entry for entry in frames if not entry[0].f_code.co_filename.startswith(PACKAGE)] or frames[-1:]
    shown = None
    for frame, line in reversed(kept):
        shown = types.TracebackType(shown, frame, frame.f_lasti, line)
    return error.with_traceback(shown)


def warn(text):
    """A UserWarning that shows the line of the user's code."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    shown_before = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, UserWarning, frame.f_code.co_filename, frame.f_lineno, registry=shown_before)


def naming(error, kind, name, path=None, of=""):
    """The error; where an op raised it, with the layer, loss or metric in front that called the op.

    Args:
        kind: the class of the layer, or `"Loss"`, `"Metric"`.
        name: its name, for which, where the text has it already, the path is put in.
        path: default the name.
        of: what is said behind it.
    """
    kinds = (ValueError, IndexError, TypeError, _core.NotTraceable)
    if getattr(error, "_names_caller", False) or type(error) not in kinds:
        return error
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_code.co_filename.startswith(PACKAGE):
        return error  # of the user's own code
    error._names_caller = True
    text, path = str(error), path or name
    if f'"{name}"' in text:
        error.args = (text.replace(f'"{name}"', f'"{path}"{of}', 1),)
    elif (of or not text.startswith(f"{name}: ")) and not _CALLER.match(text):
        error.args = (f'{kind} "{path}"{of}: {text.removeprefix(f"{name}: ")}',)
    return error


class _Output(threading.local):
    """The output, of several, whose loss is computed; None: there is one."""

    name = None


_output = _Output()


@contextlib.contextmanager
def of_output(name):
    """A context in which the names of losses say which output they are of."""
    _output.name = name
    try:
        yield
    finally:
        _output.name = None


class calling:
    """`with calling(kind, name):` errors of ops name whose call it is: at once, or when a step traced here runs."""

    def __init__(self, kind, name):
        self._kind, self._name = kind, name
        self._output = f' of output "{_output.name}"' if _output.name and kind == "Loss" else ""
        self._scope = _core.CallerScope(f'{kind} "{name}"{self._output}')

    def __enter__(self):
        self._scope.__enter__()

    def __exit__(self, kind, error, traceback):
        self._scope.__exit__()
        if error is not None:
            naming(error, self._kind, self._name, of=self._output)


def shortening(function):
    """Decorator: errors of the function have short tracebacks."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise shortened(error)  # noqa: B904, the same error

    return call
