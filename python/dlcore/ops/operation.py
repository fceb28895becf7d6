"""Operation and Node: how calls on KerasTensors become the graph of a Functional model.

Calling a layer or an ops function with a KerasTensor among its arguments infers the output by tracing the computation
with inputs of unknown sizes, and leaves a Node behind. Replaying the nodes is running the model.
"""

import functools
import inspect
import re
import threading
import traceback

from dlcore import _core, tree
from dlcore.backend import names
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.masking import get_keras_mask
from dlcore.backend.strings import Strings
from dlcore.backend.tensorflow_graph import call_in_graph, is_in_graph
from dlcore.backend.tensors import Tensor
from dlcore.backend.tracebacks import PACKAGE
from dlcore.backend.variables import reading
from dlcore.errors import NotTraceable
from dlcore.ops.shared_arguments import describe

# Pairs of stand-ins for an unknown size, with many divisors; a size of the output that differs between the two is
# unknown too. The larger pair is for functions that need more, such as long windows.
_STAND_INS = ((120, 240), (5040, 10080))
# How the errors of primitives begin.
_PRIMITIVE = re.compile(r"^[a-z]\w*: ")


class _Inference(threading.local):
    """Whether outputs are being inferred from inputs with unknown sizes, or with which number in their place."""

    sizes_are_unknown = False
    stand_in = None


inference = _Inference()


class UnknownSizeError(ValueError):
    """A function needs the number where a size is not known."""


class Node:
    """One call of an operation: its arguments, with KerasTensors in them, and the KerasTensors it returned."""

    def __init__(self, operation, args, kwargs, outputs):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.inputs = [x for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)]
        self.outputs = tree.flatten(outputs)
        _check_outputs(outputs, self.outputs)
        index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for position, output in enumerate(self.outputs):
            output.history = (operation, index, position)

    def replay(self, values):
        """Calls the operation with the KerasTensors replaced by values[id(keras_tensor)]."""
        args, kwargs = tree.map_structure(
            lambda x: values[id(x)] if isinstance(x, KerasTensor) else x, (self.args, self.kwargs)
        )
        return self.operation(*args, **kwargs)


def _check_outputs(outputs, flat):
    if outputs is None:
        raise ValueError("call() returned None. Does it end with `return` and the outputs?")
    for position, output in enumerate(flat):
        if not isinstance(output, KerasTensor):
            raise ValueError(
                f"call() returned {output!r} (of type {type(output).__name__}) as output {position} of {len(flat)}. "
                "The outputs of a layer or an op in a model must be tensors."
            )


def _are_plain(structure):
    return all(isinstance(leaf, (str, int, float, bool, type(None))) for leaf in tree.flatten(structure))


def get_source_inputs(tensor):
    """The list of KerasTensors of Input layers that a KerasTensor depends on, each once."""
    sources, visited, waiting = [], set(), [tensor]
    while waiting:
        x = waiting.pop()
        if id(x) in visited:
            continue
        visited.add(id(x))
        node = x.history[0]._inbound_nodes[x.history[1]] if x.history is not None else None
        if node is None or not node.inputs:
            sources.append(x)
        else:
            waiting.extend(reversed(node.inputs))
    return sources


class Operation:
    """Something that can be a node of a Functional model. Layers are Operations; one without weights needs no more than

    >>> class Clipped(keras.Operation):
    ...     def call(self, x):
    ...         return ops.clip(x, -1.0, 1.0)

    Args:
        name: default: the class's name in snake case, made unique.
    """

    # Whether it can't be traced, since it looks at the values of its inputs; see `models.front`.
    looks_at_values = False
    # Whether it could be traced when it was called on KerasTensors; a model of others runs eagerly.
    is_traceable = True

    def __new__(cls, *args, **kwargs):
        operation = super().__new__(cls)
        operation._init_arguments = (args, kwargs)
        return operation

    def __init__(self, name=None):
        self.name = name or names.auto_name(type(self).__name__)
        self._inbound_nodes = []

    def __call__(self, *args, **kwargs):
        if any_keras_tensor(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def call(self, *args, **kwargs):
        """The computation, which subclasses define."""
        raise NotImplementedError(f"{self._label()} has no call() method; define what it computes there.")

    def compute_output_spec(self, *args, **kwargs):
        """KerasTensors like the outputs for KerasTensors, found by tracing."""
        return infer_outputs(self.call, args, kwargs)

    def symbolic_call(self, *args, **kwargs):
        """A call on KerasTensors: infers the outputs and records the node."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    @property
    def input(self):
        """The KerasTensor(s) that it was called on first."""
        inputs = self._first_node("input").inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self):
        """The KerasTensor(s) that it made at its first call."""
        outputs = self._first_node("output").outputs
        return outputs[0] if len(outputs) == 1 else outputs

    def _first_node(self, what):
        if not self._inbound_nodes:
            raise AttributeError(
                f"{self._label()} has no {what}: it was never called on a KerasTensor. Call it on what Input() returns."
            )
        return self._inbound_nodes[0]

    def _label(self):
        return f'{type(self).__name__} "{self.name}"'

    def get_config(self):
        """The constructor's arguments as plain values."""
        return {"name": self.name, **self._arguments_as_config()}

    def _arguments_as_config(self):
        """The arguments of the constructor, with the defaults of those not given, when all are plain values."""
        args, kwargs = self._init_arguments
        parameters = inspect.signature(type(self).__init__).parameters
        bound = dict(zip([name for name in parameters if name != "self"], args)) | kwargs
        if not _are_plain(bound):
            raise NotImplementedError(
                f"{type(self).__name__} takes arguments that are no plain values, so it must define get_config() "
                "to be saved or copied."
            )
        defaults = {name: p.default for name, p in parameters.items() if name != "name" and p.default is not p.empty}
        return {name: value for name, value in defaults.items() if _are_plain(value)} | bound

    @classmethod
    def from_config(cls, config):
        """A new one from what get_config() returned."""
        known = inspect.signature(cls.__init__).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
        made = cls(**{key: value for key, value in config.items() if takes_any or key in known})
        made.name = config.get("name", made.name)
        return made

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


class OpsFunction(Operation):
    """An ops function as an Operation.

    Args:
        function: the ops function.
        name: default: the function's name, made unique.
    """

    def __init__(self, function, name=None):
        super().__init__(name or names.auto_name(function.__name__))
        self.function = function

    def call(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        try:
            return super().compute_output_spec(*args, **kwargs)
        except NotTraceable:
            outputs_like = getattr(self.function, "outputs_like", None)
            if outputs_like is None:
                raise
            self.is_traceable = False
            return outputs_like(*args, **kwargs)


def operation(function=None, *, outputs_like=None):
    """Decorator: the ops function also takes KerasTensors, then it becomes a node of the Functional model.

    Args:
        function: the ops function.
        outputs_like: function of the same arguments -> KerasTensors like the outputs, where it can't be traced as the
            outputs depend on values in other ways than a program can; the model runs eagerly then.
    """
    if function is None:
        return functools.partial(operation, outputs_like=outputs_like)
    describe(function)

    @functools.wraps(function)
    def dispatch(*args, **kwargs):
        if any_keras_tensor(args, kwargs):
            return OpsFunction(dispatch).symbolic_call(*args, **kwargs)
        if is_in_graph(args, kwargs):
            return call_in_graph(OpsFunction(dispatch, function.__name__), args, kwargs)
        try:
            return function(*args, **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            _name_op(error, function.__name__)
            raise

    dispatch.outputs_like = outputs_like
    return dispatch


def _name_op(error, name):
    """Puts the ops function's name where a primitive that it applies has its own in front of the text."""
    if getattr(error, "_names_op", False):
        return
    error._names_op = True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    text = str(error)
    if _PRIMITIVE.match(text) and frame.f_code.co_filename.startswith(PACKAGE):  # else it is the user's function's
        error.args = (_PRIMITIVE.sub(f"{name}: ", text),)


def any_keras_tensor(args, kwargs):
    """Whether a KerasTensor is among the arguments, at the top or one list deep."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        kind = type(value)
        if kind is KerasTensor:
            return True
        if (kind is list or kind is tuple) and any(type(item) is KerasTensor for item in value):
            return True
    return False


def infer_outputs(function, args, kwargs):
    """KerasTensors like what function(*args, **kwargs) returns.

    It is traced with unknown sizes as such. A function that needs numbers (say, to multiply sizes) is traced with two
    different stand-ins instead.
    """
    try:
        return _keras_tensors(_trace(function, args, kwargs, None))
    except Exception as error:
        if not any(None in x.shape for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)):
            raise
        errors = []
        for sizes in _STAND_INS:
            try:
                first, second = (_trace(function, args, kwargs, size) for size in sizes)
            except Exception as later_error:
                errors.append(later_error)
                if not isinstance(later_error, ValueError):
                    break
            else:
                return tree.map_structure(merged, first, second)
        came_further = isinstance(error, UnknownSizeError) or _lines_of(error) != _lines_of(errors[0])
        raise (errors[0] if came_further else error) from None


def _lines_of(error):
    """The lines of the traced function that led to the error."""
    lines = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    starts = [i for i, (code, _) in enumerate(lines) if code is _trace.__code__]
    return lines[starts[0] + 1 :] if starts else lines


def without_stand_ins(shape):
    """The shape with None for what stands for an unknown size; a model that is built meanwhile serves every size."""
    *outer, features = shape
    return (*(None if size == inference.stand_in else size for size in outer), features)


def _trace(function, args, kwargs, unknown):
    with _core.Graph() as graph:

        def placeholder(x):
            if not isinstance(x, KerasTensor):
                return x
            if x.dtype == "string":
                return Strings(sizes(x))
            tensor = graph.input(sizes(x), x.dtype, x.name)
            if x._mask is not None:
                tensor._keras_mask = graph.input(sizes(x._mask), x._mask.dtype, x._mask.name)
            return tensor

        def sizes(x):
            return tuple(unknown if size is None else size for size in x.shape)

        args, kwargs = tree.map_structure(placeholder, (args, kwargs))
        outer = inference.sizes_are_unknown, inference.stand_in, reading.only_shapes
        inference.sizes_are_unknown, inference.stand_in, reading.only_shapes = unknown is None, unknown, True
        try:
            return function(*args, **kwargs)
        finally:
            inference.sizes_are_unknown, inference.stand_in, reading.only_shapes = outer


def _keras_tensors(outputs):
    return tree.map_structure(lambda x: merged(x, x), outputs)


def merged(first, second):
    """What two traces agree on: the KerasTensor, with a mask where the traced tensors carry one."""
    if not isinstance(first, Tensor):
        return first
    result = KerasTensor([a if a == b else None for a, b in zip(first.shape, second.shape)], first.dtype)
    if get_keras_mask(first) is not None:
        result._mask = merged(first._keras_mask, second._keras_mask)
    return result
