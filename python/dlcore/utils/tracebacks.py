"""Tracebacks that show the user's code and leave out the package's."""

import functools
import os
import traceback
import types

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
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
    kept = [entry for entry in frames if not entry[0].f_code.co_filename.startswith(_PACKAGE)] or frames[-1:]
    shown = None
    for frame, line in reversed(kept):
        shown = types.TracebackType(shown, frame, frame.f_lasti, line)
    return error.with_traceback(shown)


def naming(error, layer):
    """The error; where an op raised it, which knows no layers, with the name of the layer (metric) that called it."""
    if getattr(error, "_names_layer", False) or type(error) not in (ValueError, IndexError, TypeError):
        return error
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_code.co_filename.startswith(_PACKAGE):
        return error  # of the user's own code
    error._names_layer = True
    text, path, kind = str(error), getattr(layer, "path", layer.name), type(layer).__name__
    named = f'{kind} "{path}"{text[len(kind) :]}' if text.startswith(f"{kind} ") else f'{kind} "{path}": {text}'
    error.args = (text.replace(f'"{layer.name}"', f'"{path}"', 1) if f'"{layer.name}"' in text else named,)
    return error


def shortening(function):
    """Decorator: errors of the function have short tracebacks."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise shortened(error)  # noqa: B904, the same error

    return call
