"""What the signatures of `call` and `build` say: which arguments are tensors, masks, the training flag."""

import functools
import inspect

from dlcore import tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.strings import Strings, is_text
from dlcore.backend.tensors import Tensor


@functools.lru_cache(maxsize=4096)
def python_signature_of(function):
    """inspect's signature, looked at once per function."""
    return inspect.signature(function)


class Signature:
    """The parameters of a `call` method, looked at once per class."""

    def __init__(self, function):
        parameters = list(python_signature_of(function).parameters.values())[1:]
        self.names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self.has_kwargs = any(p.kind is p.VAR_KEYWORD for p in parameters)
        all_names = {p.name for p in parameters}
        self.has_training = "training" in all_names
        self.has_mask = "mask" in all_names
        # {"query": "query_mask", ...}
        self.own_masks = {name: f"{name}_mask" for name in self.names if f"{name}_mask" in all_names}

    def bind(self, args, kwargs):
        """The arguments by name; those of `*args` by number."""
        bound = dict(zip(self.names, args))
        bound.update((f"args_{i}", value) for i, value in enumerate(args[len(self.names) :]))
        bound.update(kwargs)
        return bound


class SignatureOfInit:
    """As a class's `__signature__`: what editors and help() show is the signature of `__init__`, not of `__new__`."""

    def __get__(self, instance, owner):
        if instance is not None:
            return None
        signature = inspect.signature(owner.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


@functools.lru_cache(maxsize=4096)
def signature_of(function):
    return Signature(function)


def is_tensor_structure(x):
    """Whether x is a tensor, or strings in its place, or a nested structure of these."""
    if _is_tensor(x):
        return True
    if not isinstance(x, (list, tuple, dict)):
        return False
    leaves = tree.flatten(x)
    return bool(leaves) and all(leaf is None or _is_tensor(leaf) for leaf in leaves)


def _is_tensor(x):
    return isinstance(x, (Tensor, KerasTensor, Strings)) or is_text(x)


def shapes_of(x):
    """The shapes of a structure of tensors, in that structure."""
    return tree.map_structure(lambda t: None if t is None else tuple(t.shape), x)


def _parameters_of(method):
    if inspect.ismethod(method):
        return list(python_signature_of(method.__func__).parameters.values())[1:]
    return list(inspect.signature(method).parameters.values())


def call_with_shapes(layer, method, shapes):
    """layer.build, or another method of shapes, with those of the tensor arguments, {"x": shape, ...}: by name when it
    names several."""
    function = getattr(layer, method)
    parameters = _parameters_of(function)
    named = {f"{name}_shape": shape for name, shape in shapes.items()}
    wanted = {p.name: named[p.name] for p in parameters if p.name in named}
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) or len(parameters) <= 1 or (len(shapes) == 1 and not wanted):
        return function(next(iter(shapes.values())))
    missing = [
        p.name for p in parameters if p.default is p.empty and p.name not in wanted and p.kind is not p.VAR_KEYWORD
    ]
    if missing:
        raise ValueError(
            f"{layer._label()}: {method}() takes {missing}, but is told the shapes of the tensors that call() is "
            f"given, {list(named)}. Name the arguments after those of call()."
        )
    return function(**wanted)
