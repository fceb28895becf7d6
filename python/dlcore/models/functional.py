"""Functional: a model made of the layers between its input and output KerasTensors."""

import copy
import warnings
from collections import Counter, OrderedDict

from dlcore import backend, tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.strings import Strings, fitted
from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.models import functional_config
from dlcore.models.direct_call import DirectCall
from dlcore.models.front import Front, array_of_values
from dlcore.models.graph_of_layers import GraphOfLayers
from dlcore.models.model import Model
from dlcore.ops import numpy as knp
from dlcore.ops.operation import Node, Operation
from dlcore.training.trainer import Trainer


class Functional(DirectCall, Model):
    """A model from the KerasTensors it takes to those it gives. Usually made with `Model(inputs, outputs)`.

    Args:
        inputs: KerasTensor, or a list, tuple or dict of them.
        outputs: likewise.
        name: default "functional", made unique.
    """

    _untracked = Layer._untracked | {"_graph", "_front", "_inputs_struct", "_outputs_struct"}
    _own_input_spec = None  # else it follows from the inputs

    def __new__(cls, *args, **kwargs):
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, inputs, outputs, name=None, **kwargs):
        trainable = kwargs.pop("trainable", None)
        Trainer.__init__(self)
        Layer.__init__(self, name=name, **kwargs)
        inputs, outputs = _checked(inputs, "inputs"), _checked(outputs, "outputs")
        _check_sources(tree.flatten(inputs))
        self._inputs_struct, self._outputs_struct = _from_input_layers(inputs, outputs)
        self._inputs = tree.flatten(self._inputs_struct)
        self._outputs = tree.flatten(self._outputs_struct)
        self._graph = GraphOfLayers(self._inputs, self._outputs)
        self._operations = self._graph.operations
        self._front = Front(self._graph, self._inputs, self._outputs) if self._has_front() else None
        self._check_unique_names()
        self.built = True
        self.supports_masking = True
        if trainable is not None:
            self.trainable = trainable

    def _has_front(self):
        """Whether layers look at values; where layers of other kinds take strings too, they are looked up in steps."""
        takers = [n.operation for n in self._graph.nodes if any(x.dtype == "string" for x in n.inputs)]
        looking = [operation for operation in self._operations if operation.looks_at_values]
        return bool(looking) and all(operation.looks_at_values for operation in takers)

    def _check_unique_names(self):
        counts = Counter(op.name for op in self._operations)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"The name '{twice[0]}' is used {counts[twice[0]]} times in the model; names must differ.")

    # ---- contents

    @property
    def _functional(self):
        return self

    @property
    def layers(self):
        return [op for op in self._operations if isinstance(op, Layer)]

    @property
    def operations(self):
        """The layers and ops in the order in which they run."""
        return list(self._operations)

    @property
    def is_traceable(self):
        """Whether all operations are."""
        return all(op.is_traceable for op in self._operations)

    @property
    def inputs(self):
        """List of the KerasTensors that the model is called with."""
        return self._inputs

    @property
    def outputs(self):
        """List of the KerasTensors that it returns."""
        return self._outputs

    @property
    def input(self):
        return self._inputs_struct

    @property
    def output(self):
        return self._outputs_struct

    @property
    def input_shape(self):
        return tree.map_structure(lambda x: x.shape, _single(self._inputs_struct))

    @property
    def output_shape(self):
        return tree.map_structure(lambda x: x.shape, _single(self._outputs_struct))

    @property
    def input_names(self):
        """Names of the inputs."""
        return [x.history[0].name if isinstance(x.history[0], InputLayer) else x.name for x in self._inputs]

    @property
    def output_names(self):
        """Names of the layers that make the outputs."""
        return [x.history[0].name for x in self._outputs]

    @property
    def input_spec(self):
        if self._own_input_spec is not None or self._front is not None:
            return self._own_input_spec
        names = self.input_names
        if isinstance(self._inputs_struct, dict):
            paths = [path for path, _ in tree.flatten_with_path(self._inputs_struct)]
            names = [path[0] for path in paths] if all(len(path) == 1 for path in paths) else [None] * len(paths)
        specs = []
        for x, name in zip(self._inputs, names):
            shape = (None, *x.shape[1:]) if x.shape else ()
            optional = getattr(x.history[0], "optional", False)
            specs.append(InputSpec(shape=shape, allow_last_axis_squeeze=True, name=name, optional=optional))
        return specs

    @input_spec.setter
    def input_spec(self, value):
        self._own_input_spec = value

    # ---- computing

    def _convert_argument(self, x):
        # Inputs take the dtypes of the placeholders, see _standardize_inputs.
        return x

    def call(self, inputs, training=None, mask=None):
        done = ()
        if self._front is not None and not any(isinstance(x, Strings) for x in tree.flatten(inputs)):
            prepared = self._prepared(inputs).values()
            values = {id(p): backend.convert_to_tensor(x) for p, x in zip(self._front.passed_on, prepared)}
            done = self._front.node_set
        else:
            inputs = self._standardize_inputs(inputs)
            if mask is not None:
                for x, m in zip(inputs, self._in_order(mask) if isinstance(mask, dict) else tree.flatten(mask)):
                    if m is not None:
                        x._keras_mask = m
            values = {id(placeholder): x for placeholder, x in zip(self._inputs, inputs)}
        for node in self._graph.nodes:
            if node in done or self._graph.is_source(node):
                continue
            outputs = node.replay(values)
            for placeholder, output in zip(node.outputs, tree.flatten(outputs)):
                values[id(placeholder)] = output
        return tree.map_structure(lambda x: values[id(x)], _single(self._outputs_struct))

    def compute_output_spec(self, *args, **kwargs):
        if self.is_traceable:
            traced = super().compute_output_spec(*args, **kwargs)
            return tree.pack_sequence_as(self._outputs_struct, tree.flatten(traced))
        return tree.map_structure(lambda x: x.like(), self._outputs_struct)

    def _prepared(self, x):
        if self._front is None:
            return super()._prepared(x)
        if self._front.is_prepared(x):
            return x
        return self._front.prepare(self._in_order(x) if len(self._inputs) > 1 or isinstance(x, dict) else [x])

    def _takes_strings(self):
        return any(x.dtype == "string" for x in self._inputs)

    def _dtypes_of_inputs(self, x):
        """{id(array): the dtype of its placeholder} for the arrays of x; empty where they are not as many."""
        if self._front is not None and self._front.is_prepared(x):
            return {id(a): p.dtype for a, p in zip(x.values(), self._front.passed_on)}
        if len(tree.flatten(x)) != len(self._inputs):
            return {}
        return {id(a): p.dtype for a, p in zip(self._in_order(x), self._inputs)}

    def _standardize_inputs(self, inputs):
        """The inputs in the order, dtypes and ranks of the placeholders."""
        flat = self._in_order(inputs)
        expected = self._inputs_struct
        if isinstance(expected, dict) and (not isinstance(inputs, dict) or len(inputs) > len(expected)):
            received = f"keys {list(inputs)}" if isinstance(inputs, dict) else type(inputs).__name__
            warnings.warn(
                f"{self._label()}: the structure of the inputs is not that of the model. Expected a dict with the keys "
                f"{list(expected)}. Received: {received}.",
                stacklevel=2,
            )
        if len(flat) != len(self._inputs):
            raise ValueError(f"{self._label()} takes {len(self._inputs)} inputs, but received {len(flat)}.")
        return [self._fit(x, placeholder) for x, placeholder in zip(flat, self._inputs)]

    def _in_order(self, inputs):
        """Flat inputs; a dict is read by the names of the inputs."""
        if isinstance(inputs, dict) and not isinstance(self._inputs_struct, dict):
            names = self.input_names
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    f'{self._label()}: missing data for input "{missing[0]}". Received a dict with keys '
                    f"{list(inputs)}, expected the keys {names}."
                )
            return [inputs[name] for name in names]
        if isinstance(self._inputs_struct, dict) and isinstance(inputs, dict):
            missing = [key for key in self._inputs_struct if key not in inputs]
            if missing:
                raise ValueError(f'{self._label()}: missing data for input "{missing[0]}" among {list(inputs)}.')
            chosen = {key: inputs[key] for key in self._inputs_struct}
            return tree.flatten(OrderedDict(chosen) if isinstance(self._inputs_struct, OrderedDict) else chosen)
        if isinstance(self._inputs_struct, dict) and list(self._inputs_struct) != sorted(self._inputs_struct):
            raise ValueError(
                f"{self._label()} takes a dict with the keys {list(self._inputs_struct)}. Received a "
                f"{type(inputs).__name__}, which does not say which input is which."
            )
        return tree.flatten(inputs)

    def _fit(self, x, placeholder):
        if x is None:
            return x
        if placeholder.dtype == "string":
            return (
                x.fitted(placeholder.shape) if isinstance(x, Strings) else fitted(array_of_values(x), placeholder.shape)
            )
        mask = getattr(x, "_keras_mask", None)
        y = backend.convert_to_tensor(x, placeholder.dtype)
        rank, expected = y.ndim, len(placeholder.shape)
        if rank == expected + 1 and y.shape[-1] == 1:
            y = knp.squeeze(y, -1)
        elif rank == expected - 1 and placeholder.shape[-1] == 1:
            y = knp.expand_dims(y, -1)
        if y.ndim != expected:
            raise ValueError(
                f"{self._label()}: an input has {rank} axes, shape {tuple(y.shape)}, instead of {expected}, shape "
                f"{tuple(placeholder.shape)}."
            )
        if mask is not None and y is not x:
            y._keras_mask = mask
        return y

    # ---- configuration

    def get_config(self):
        is_made_of_it = functional_config.is_made_of_its_graph(type(self))
        return functional_config.get_config(self) if is_made_of_it else Layer.get_config(self)

    def get_build_config(self):
        return None

    def build_from_config(self, config):
        pass


def _check_sources(inputs):
    if len({id(x) for x in inputs}) != len(inputs):
        raise ValueError("The inputs of a model must be different; one was passed twice.")
    for x in inputs:
        if x.history is None:
            raise ValueError(f"The input {x} was made by no layer. Make placeholders with Input().")


def _from_input_layers(inputs, outputs):
    """The inputs and outputs of a model that begins at Input layers, as it must to be saved.

    An input that another layer made becomes an Input of the same shape, and the calls behind it are noted once more.
    """
    if all(isinstance(x.history[0], InputLayer) for x in tree.flatten(inputs)):
        return inputs, outputs
    new = {}
    for x in tree.flatten(inputs):
        is_source = isinstance(x.history[0], InputLayer)
        new[id(x)] = x if is_source else Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)
    graph = GraphOfLayers(tree.flatten(inputs), tree.flatten(outputs))
    for node in graph.nodes:
        if not graph.is_source(node):
            again = tree.map_structure(
                lambda x: new[id(x)] if isinstance(x, KerasTensor) else x, (node.args, node.kwargs)
            )
            made = [x.like() for x in node.outputs]
            Node(node.operation, *again, made)
            new.update((id(x), y) for x, y in zip(node.outputs, made))
    return tree.map_structure(lambda x: new[id(x)], (inputs, outputs))


def _single(structure):
    """[x] becomes x, as Keras does with what a call returns."""
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


def _checked(structure, what):
    """A copy of a structure of KerasTensors."""
    leaves = tree.flatten(structure)
    if not leaves:
        raise ValueError(f"A model needs at least one of `{what}`. Received: {what}={structure!r}")
    for x in leaves:
        if not isinstance(x, KerasTensor):
            raise ValueError(
                f"All `{what}` of a model must be KerasTensors, made by Input() or by calling layers on those. "
                f"Received: {x!r} (of type {type(x).__name__})"
            )
    return copy.copy(structure) if isinstance(structure, (list, dict)) else structure


class Function(Operation):
    """The computation between KerasTensors, without variables of its own.

    Args:
        inputs, outputs: KerasTensors or structures of them; inputs need not be of Input().
    """

    def __init__(self, inputs, outputs, name=None):
        for x in tree.flatten(inputs):
            if isinstance(x, KerasTensor) and x.history is None:
                InputLayer(input_tensor=x)
        self._model = Functional(inputs, outputs, name=name)
        super().__init__(self._model.name)
        self.inputs, self.outputs = self._model.inputs, self._model.outputs
        self.operations = self._model.operations

    def call(self, inputs):
        return self._model(inputs)

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for a shape of the inputs."""
        return self._model.compute_output_shape(input_shape)


__all__ = ["Function", "Functional", "Input"]
