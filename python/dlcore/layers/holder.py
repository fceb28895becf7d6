"""Holder: what a layer holds, found among its attributes: variables, sublayers, seeds and metrics."""

import math

import numpy as np

from dlcore.backend.variables import Variable

# Counts the changes after which traced programs are stale (a layer frozen, a layer added).
_revision = [0]


def structure_revision():
    """Grows whenever a layer's `trainable` or `dtype_policy` or a model's list of layers changes."""
    return _revision[0]


def note_structure_change():
    _revision[0] += 1


class _Roles(dict):
    """Type -> "container", "part" (what holders are asked for), or None, as of most attributes."""

    def __missing__(self, kind):
        from dlcore.metrics import Metric
        from dlcore.random import SeedGenerator

        is_part = issubclass(kind, (Holder, Variable, Metric, SeedGenerator))
        role = "part" if is_part else "container" if issubclass(kind, (list, tuple, dict)) else None
        return self.setdefault(kind, role)


_roles = _Roles()


def weights_in(walked):
    """All variables of layers, each once: what a walk through the layers found, as `(layer, its variables)`.

    Of each layer those made as trainable come first.
    """
    ordered = (sorted(layer._in_file_order(variables), key=_made_frozen) for layer, variables in walked)
    return list({id(v): v for variables in ordered for v in variables}.values())


def _made_frozen(variable):
    return not variable.declared_trainable


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
        attributes = list(self.__dict__.items())
        found, visited = {}, set()
        stack = [v for name, v in reversed(attributes) if _roles[type(v)] and name not in self._untracked]
        while stack:
            value = stack.pop()
            if _roles[type(value)] == "part":
                if isinstance(value, kinds):
                    found[id(value)] = value
            elif id(value) not in visited:
                visited.add(id(value))
                items = list(value.values() if isinstance(value, dict) else value)
                stack += [item for item in reversed(items) if _roles[type(item)]]
        return list(found.values())

    def _walk(self, *kinds):
        """(layer, objects of these kinds that it holds itself) for this layer and those inside, depth first."""
        walked, stack, seen = [], [self], set()
        while stack:
            layer = stack.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            held = layer._tracked((Holder, *kinds))
            walked.append((layer, [x for x in held if isinstance(x, kinds)]))
            stack += [x for x in reversed(held) if isinstance(x, Holder)]
        return walked

    @property
    def _layers(self):
        return [layer for layer in self._tracked(Holder) if layer is not self]

    def _flatten_layers(self, include_self=True, recursive=True):
        layers = [layer for layer, _ in self._walk()] if recursive else [self, *self._layers]
        return layers if include_self else layers[1:]

    @property
    def _trainable_variables(self):
        return [v for v in self._tracked(Variable) if v.declared_trainable]

    def _in_file_order(self, variables):
        """This layer's own variables in the order of files: those made as trainable first, each kind as it was made."""
        return sorted(variables, key=lambda v: (_made_frozen(v), v.number))

    @property
    def _own_variables(self):
        """The variables of this layer itself, in the order of files."""
        return self._in_file_order(self._tracked(Variable))

    @property
    def weights(self):
        """All variables but the state of random seeds and metrics: this layer's own first, then its sublayers'."""
        return weights_in(self._walk(Variable))

    @property
    def variables(self):
        """As weights, with the state of random seeds."""
        from dlcore.random import SeedGenerator

        states = [generator.state for _, generators in self._walk(SeedGenerator) for generator in generators]
        return list({id(v): v for v in [*self.weights, *states]}.values())

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

        return list({id(metric): metric for _, metrics in self._walk(Metric) for metric in metrics}.values())

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
