"""Different optimizers for different weights of one model."""

import re
from collections.abc import MutableMapping

from dlcore.optimizers.loss_scale_optimizer import LossScaleOptimizer
from dlcore.optimizers.optimizer import Optimizer


class OptimizerMap(MutableMapping):
    """From paths of weights, or regular expressions that match whole paths, to optimizers.

    Args:
        default_optimizer: Optimizer of the weights that no key matches.
        optimizer_map: dict str -> Optimizer, or None.

    Looking a path up raises a ValueError when several keys match it.

    Example:

    >>> optimizers = OptimizerMap(SGD(0.1), {"encoder/.*": Adam()})
    >>> optimizers["encoder/dense/kernel"].name.startswith("adam"), optimizers["head/kernel"].name.startswith("sgd")
    (True, True)
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"OptimizerMap: default_optimizer must be an Optimizer. Got {default_optimizer!r}.")
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"OptimizerMap: optimizer_map must be a dict. Got {optimizer_map!r}.")
        self._default_optimizer = default_optimizer
        self._optimizer_map = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self):
        return self._default_optimizer

    def __getitem__(self, key):
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(f"OptimizerMap: several keys match the weight {key!r}: {matching}. Make them exclusive.")
        return self._optimizer_map[matching[0]] if matching else self._default_optimizer

    def __setitem__(self, key, optimizer):
        if not isinstance(key, str) or key in self._optimizer_map:
            raise ValueError(f"OptimizerMap: a key must be a string that is not yet used. Got {key!r}.")
        self._optimizer_map[key] = _check_inner(optimizer)

    def __delitem__(self, key):
        del self._optimizer_map[key]

    def __len__(self):
        return len(self._optimizer_map)

    def __iter__(self):
        return iter(self._optimizer_map)

    def __call__(self, variable):
        return self[variable.path]

    def get_config(self):
        from dlcore.optimizers import serialize

        return {
            "default_optimizer": serialize(self._default_optimizer),
            "optimizer_map": {key: serialize(optimizer) for key, optimizer in self._optimizer_map.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from dlcore.optimizers import deserialize

        made = {key: deserialize(inner, custom_objects) for key, inner in config["optimizer_map"].items()}
        return cls(deserialize(config["default_optimizer"], custom_objects), made)


class MultiOptimizer(Optimizer):
    """Hands each weight to an optimizer of its own choice.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a weight to its Optimizer.
        loss_scale_factor: float or None: replaces that of the inner optimizers.
        name: str or None.

    The learning rate is that of the inner ones, in `optimizers`.

    Example:

    >>> slow_start = OptimizerMap(Adam(1e-3), {"embedding/.*": SGD(0.1)})
    >>> model.compile(optimizer=MultiOptimizer(slow_start), loss="mse")
    """

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        self._inner = []
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._adopt(optimizer)

    def _adopt(self, optimizer):
        """The optimizer's place among the inner ones, which it joins when it is new."""
        for i, known in enumerate(self._inner):
            if known is optimizer:
                return i
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._inner.append(optimizer)
        return len(self._inner) - 1

    def build(self, variables):
        if self.built:
            return
        variables = list(variables)
        places = [self._adopt(_check_inner(self._optimizer_map(variable))) for variable in variables]
        self._place = {id(variable): place for variable, place in zip(variables, places)}
        for optimizer, own in self._grouped(variables):
            optimizer.build([variable for (variable,) in own])
        super().build(variables)

    def _grouped(self, *columns):
        """(optimizer, its rows) for rows whose last entry is the weight, without optimizers that have none."""
        rows = list(zip(*columns))
        for place, optimizer in enumerate(self._inner):
            own = [row for row in rows if self._place[id(row[-1])] == place]
            if own:
                yield optimizer, own

    @property
    def optimizers(self):
        """The inner optimizers."""
        return list(self._inner)

    @property
    def variables(self):
        return self._variables + [variable for optimizer in self._inner for variable in optimizer.variables]

    @property
    def loss_scale_factor(self):
        """The factor of the loss, of the inner optimizers too."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor):
        self._loss_scale_factor = factor
        for optimizer in self._inner:
            optimizer.loss_scale_factor = factor

    @property
    def learning_rate(self):
        raise AttributeError("A MultiOptimizer has several learning rates: those of its `optimizers`.")

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        raise AttributeError("A MultiOptimizer has several learning rates: set those of its `optimizers`.")

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if not grads:
            return
        variables = self._known_variables(grads, trainable_variables)
        for optimizer, own in self._grouped(grads, variables):
            optimizer.apply([grad for grad, _ in own], [variable for _, variable in own])
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list):
        for optimizer, own in self._grouped(list(var_list)):
            optimizer.finalize_variable_values([variable for (variable,) in own])

    def get_config(self):
        if not isinstance(self._optimizer_map, OptimizerMap):
            raise NotImplementedError(
                "A MultiOptimizer made with a function can't be saved. Make it with an OptimizerMap."
            )
        return {
            "optimizer_map": {
                "module": "keras.optimizers",
                "class_name": "OptimizerMap",
                "config": self._optimizer_map.get_config(),
                "registered_name": None,
            },
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["optimizer_map"] = OptimizerMap.from_config(config["optimizer_map"]["config"], custom_objects)
        return cls(**config)


def _check_inner(optimizer):
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise ValueError(
            "The optimizers in a MultiOptimizer must be Optimizers, but no LossScaleOptimizer and no MultiOptimizer. "
            f"Got {optimizer!r}."
        )
    return optimizer
