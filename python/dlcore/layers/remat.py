"""Rematerialisation: what a gradient needs of a function is computed again in the backward pass instead of kept."""

import functools
import math

from dlcore import _core, tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.tensors import Tensor
from dlcore.ops.operation import infer_outputs

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)
_scopes = []


class RematScope:
    """Layers that are made in the `with` block keep less for their gradients and compute it again: less memory for
    more time.

    The layers of a model do so each for itself, a layer with layers of its own as a whole. It works where a model is
    trained by `fit` or another traced function; eager calls compute the same and keep all.

    Args:
        mode: `"full"`: every layer; `"activations"`: what functions given as a layer's activation have inside;
            `"larger_than"`: layers whose outputs have more than `output_size_threshold` elements, the batch included;
            `"list_of_layers"`: those named in `layer_names`; None: none, inside of another scope.
        output_size_threshold: int, default 1024.
        layer_names: list of names, default empty.

    Reference: Chen et al. 2016, "Training deep nets with sublinear memory cost".

    Example:

    >>> with RematScope("larger_than", output_size_threshold=100_000):
    ...     model = Sequential([Conv2D(64, 3, activation="gelu"), Conv2D(64, 3), Flatten(), Dense(10)])
    """

    def __init__(self, mode="full", output_size_threshold=1024, layer_names=None):
        if mode not in _MODES:
            raise ValueError(f"Invalid `mode`: {mode!r}. Expected one of {', '.join(map(repr, _MODES))}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or [])

    def __enter__(self):
        _scopes.append(self)
        return self

    def __exit__(self, *exception):
        _scopes.pop()

    def call(self, layer, call, args, kwargs):
        """A call of the layer, by its method `call`, as the mode wants it."""
        if self.mode == "activations" and vars(layer).get("activation") is not None:
            activation, layer.activation = layer.activation, remat(layer.activation)
            try:
                return call(*args, **kwargs)
            finally:
                layer.activation = activation
        return (remat(call) if self._takes(layer, call, args, kwargs) else call)(*args, **kwargs)

    def _takes(self, layer, call, args, kwargs):
        if self.mode == "larger_than":
            return _elements_of_outputs(call, args, kwargs) > self.output_size_threshold
        return self.mode == "full" or (self.mode == "list_of_layers" and layer.name in self.layer_names)


def _elements_of_outputs(call, args, kwargs):
    """How many there are; those of unknown sizes not counted, as nothing is computed yet."""

    def placeholder(x):
        return KerasTensor(x.shape, x.dtype) if isinstance(x, Tensor) else x

    args, kwargs = tree.map_structure(placeholder, (args, kwargs))
    shapes = [x.shape for x in tree.flatten(infer_outputs(call, args, kwargs))]
    return sum(math.prod(shape) for shape in shapes if None not in shape)


def current_scope():
    """The innermost RematScope, or None."""
    return _scopes[-1] if _scopes else None


def remat(f):
    """The function f, such that gradients compute anew what it computed: nothing inside of it is kept.

    Args:
        f: function of tensors, or a layer.

    Returns:
        A function of the same arguments, with the same outputs.

    Example:

    >>> block = remat(lambda x, w: ops.tanh(ops.matmul(x, w)))
    """

    @functools.wraps(f)
    def recomputed(*args, **kwargs):
        with _core.RematRegion():
            return f(*args, **kwargs)

    return recomputed
