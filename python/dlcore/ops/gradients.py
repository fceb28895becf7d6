"""Functions with a gradient of their own."""

import functools
import itertools
import weakref

from dlcore import _core, backend, tree
from dlcore.backend.variables import recording
from dlcore.ops.operation import operation

# Nodes of the primitive "custom_gradient" name their function by number. Tapes keep the functions alive.
_functions = weakref.WeakValueDictionary()
_keys = itertools.count()


class _Gradient:
    """function(inputs, outputs, gradients of the outputs or None) -> gradients of the inputs or None."""

    def __init__(self, function):
        self.function = function


def _gradients_of(key, inputs, outputs, gradients):
    found = _functions.get(key)
    if found is None:
        raise RuntimeError("The gradient of a function with a gradient of its own is asked of a tape that is gone.")
    return list(found.function(inputs, outputs, gradients))


_core.set_gradient_function(_gradients_of)


def with_gradient(outputs, inputs, function):
    """The outputs, whose gradients with respect to the inputs are what a function says.

    Args:
        outputs, inputs: lists of tensors. How the outputs were made does not matter for the gradients.
        function: function(inputs, outputs, gradients) -> list with a gradient, or None, for each input. `outputs` are
            those that this function returns, so gradients of gradients are right; `gradients` holds None where none
            flows.
    """
    if not recording.tapes or not any(backend.is_float_dtype(x.dtype) for x in inputs):
        return list(outputs)
    gradient, key = _Gradient(function), next(_keys)
    _functions[key] = gradient
    for tape in recording.tapes:
        tape.keep(gradient)
    found = _core.apply("custom_gradient", [*outputs, *inputs], outputs=len(outputs), key=key)
    return list(found) if isinstance(found, tuple) else [found]


def custom_gradient(f):
    """Decorator: the function returns (outputs, gradient function) and gets its gradient from the latter.

    Args:
        f: function of tensors, or structures of them, that returns a tensor or structure of tensors and
            `gradient(*upstream)`, which takes the gradients of the (flattened) outputs and returns those of the
            (flattened) inputs: a tensor, or a list of tensors or None.

    Raises:
        ValueError: when the gradient is asked for and the gradient function returns another number of them than the
            function has inputs.

    Example:

    >>> @ops.custom_gradient
    ... def clipped(x):
    ...     return x, lambda upstream: ops.clip(upstream, -1.0, 1.0)
    """

    @functools.wraps(f)
    def wrapped(*args, **kwargs):
        result, gradient = f(*args, **kwargs)
        inputs = [backend.convert_to_tensor(x) for x in tree.flatten(args) if x is not None]
        outputs = [backend.convert_to_tensor(y) for y in tree.flatten(result)]

        def function(inputs, outputs, gradients):
            upstream = [_zeros_like(y) if g is None else g for g, y in zip(gradients, outputs)]
            found = gradient(*upstream)
            found = tree.flatten(found) if isinstance(found, (list, tuple, dict)) else [found]
            if len(found) != len(inputs):
                raise ValueError(
                    f"{f.__name__}: its gradient function must return one gradient per input. Got {len(found)} for "
                    f"{len(inputs)} inputs."
                )
            return [None if d is None else backend.convert_to_tensor(d, x.dtype) for d, x in zip(found, inputs)]

        return tree.pack_sequence_as(result, with_gradient(outputs, inputs, function))

    return operation(wrapped)


def _zeros_like(x):
    return _core.apply("full_like", [x], value=0.0, dtype=x.dtype)


__all__ = ["custom_gradient"]
