"""Holder: what a layer holds, found among its attributes: variables, sublayers, seeds and metrics."""

import math
import types

import numpy as np

from dlcore.backend.variables import Variable

# Most attributes: values that hold nothing.
_PLAIN = frozenset((types.NoneType, types.FunctionType, bool, int, float, str))

# Counts the changes after which traced programs are stale (a layer frozen, a layer added).
_revision = [0]


def structure_revision():
    """Grows whenever a layer's `trainable` or `dtype_policy` or a model's list of layers changes."""
    return _revision[0]


def note_structure_change():
    _revision[0] += 1


class Holder:
    """The part of Layer that finds its variables, and those of the layers in it."""

    # Attributes that hold layers or variables of others.
    _untracked = frozenset(
        (
            "_inbound_nodes",
            "_init_arguments",
            "_losses",
            "_build_shapes",
            "_programs",
            "_compile_arguments",
            "_metrics_of_steps",
            "_remat_scope",
        )
    )

    def _tracked(self, kinds):
        """Objects of these kinds among the attributes, each once, in the order of the attributes."""
        found, visited = {}, set()

        def visit(values):
            for value in values:
                if type(value) in _PLAIN:
                    continue
                if isinstance(value, kinds):
                    found.setdefault(id(value), value)
                elif isinstance(value, (list, tuple, dict)) and id(value) not in visited:
                    visited.add(id(value))
                    visit(value.values() if isinstance(value, dict) else value)

        visit([value for name, value in list(self.__dict__.items()) if name not in self._untracked])
        return list(found.values())

    @property
    def _layers(self):
        return [layer for layer in self._tracked(Holder) if layer is not self]

    def _flatten_layers(self, include_self=True, recursive=True):
        layers, queue = ([self] if include_self else []), list(self._layers)
        seen = {id(self)}
        while queue:
            layer = queue.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            layers.append(layer)
            if recursive:
                queue[:0] = layer._layers
        return layers

    @property
    def _trainable_variables(self):
        return [v for v in self._tracked(Variable) if v.declared_trainable]

    @property
    def _non_trainable_variables(self):
        return [v for v in self._tracked(Variable) if not v.declared_trainable]

    @property
    def _own_variables(self):
        """The variables of this layer itself, in the order of files: those made as trainable first."""
        return sorted(self._tracked(Variable), key=lambda v: not v.declared_trainable)

    @property
    def weights(self):
        """All variables but the state of random seeds and metrics: this layer's own first, then its sublayers'."""
        weights = {}
        for layer in self._flatten_layers():
            for variable in layer._own_variables:
                weights.setdefault(id(variable), variable)
        return list(weights.values())

    @property
    def variables(self):
        """As weights, with the state of random seeds."""
        from dlcore.random import SeedGenerator

        variables = {id(v): v for v in self.weights}
        for layer in self._flatten_layers():
            for generator in layer._tracked(SeedGenerator):
                variables.setdefault(id(generator.state), generator.state)
        return list(variables.values())

    @property
    def trainable_weights(self):
        """The variables that training changes."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self):
        """The weights that training does not change."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def trainable_variables(self):
        """The variables that training changes."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self):
        """The variables that training does not change, seeds included."""
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable(self):
        """Whether training changes the variables, those of inner layers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = bool(value)
        for variable in self._trainable_variables:
            variable.trainable = self._trainable
        for layer in self._layers:
            layer.trainable = self._trainable
        note_structure_change()

    @property
    def metrics(self):
        """The metrics of this layer and its sublayers."""
        from dlcore.metrics import Metric

        found = {}
        for layer in self._flatten_layers():
            for metric in layer._tracked(Metric):
                found.setdefault(id(metric), metric)
        return list(found.values())

    @property
    def metrics_variables(self):
        """The variables of the metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    def get_weights(self):
        """The values of `weights` as a list of NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights):
        """Sets `weights` from a list of arrays of the same shapes; nothing changes when one does not fit."""
        variables = self.weights
        if len(variables) != len(weights):
            fix = "Pass a list with an array for each" if self.built else "Build the layer first: call it, or build()"
            raise ValueError(
                f"{self._label()}: set_weights() was given {len(weights)} arrays, but the layer has {len(variables)} "
                f"weights, of shapes {[v.shape for v in variables]}. {fix}."
            )
        for variable, value in zip(variables, weights):
            if tuple(np.shape(value)) != variable.shape:
                raise ValueError(
                    f"{self._label()}: the weight '{variable.path}' has shape {variable.shape}; "
                    f"received an array of shape {np.shape(value)}. Pass arrays of the shapes of get_weights()."
                )
        for variable, value in zip(variables, weights):
            variable.assign(value)

    def count_params(self):
        """The number of elements of all weights."""
        if not self.built:
            raise ValueError(
                f"{self._label()} has no weights yet: it is built when it is first called, or by build(input_shape)."
            )
        return sum(math.prod(v.shape) for v in self.weights)
