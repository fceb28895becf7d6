"""The base of all optimizers: variables, learning rate, clipping, weight decay, averaging, and one update per step."""

import re
import warnings

import numpy as np

from dlcore import _core, backend, initializers, ops
from dlcore.backend import Variable
from dlcore.backend.arguments import ChecksArguments, is_int, number
from dlcore.backend.scopes import run_stateless
from dlcore.backend.variables import unrecorded
from dlcore.optimizers import schedules
from dlcore.optimizers.schedules import LearningRateSchedule
from dlcore.training.processes import mean_gradients


class Optimizer(ChecksArguments):
    """Base of all optimizers.

    A subclass makes its state in `build(variables)` with `add_optimizer_variables` and implements
    `update_step(gradient, variable, learning_rate)`, or `update(gradients, variables, learning_rate)` for all at once.

    Args:
        learning_rate: float, `LearningRateSchedule`, or callable without arguments.
        weight_decay: float or None (default): before each update p <- p - p * weight_decay * learning_rate.
        clipnorm: float or None (default): gradients of larger norm are scaled down to it, one by one.
        clipvalue: float or None (default): gradients are clipped into [-clipvalue, clipvalue].
        global_clipnorm: float or None (default): as `clipnorm`, with the norm of all gradients together.
        use_ema: bool, default False: keep moving averages of the weights.
        ema_momentum: float in [0, 1], default 0.99: average <- momentum * average + (1 - momentum) * weight.
        ema_overwrite_frequency: int or None (default): set the weights to their averages every so many steps; None:
            only at the end of training.
        loss_scale_factor: float or None (default): the loss is multiplied and the gradients are divided by it, so that
            small gradients are not lost in 16-bit types.
        gradient_accumulation_steps: int >= 2 or None (default): update with the mean gradient of so many steps.
        name: str or None: default the class's name in snake case.

    Example:

    >>> optimizer = SGD(learning_rate=0.1)
    >>> weight = Variable([1.0])
    >>> step = optimizer.apply_gradients([(ops.array([2.0]), weight)])
    >>> weight.numpy()
    array([0.8], dtype=float32)
    """

    _checked_otherwise = ("learning_rate",)

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        **kwargs,
    ):
        learning_rate = kwargs.pop("lr", learning_rate)
        if kwargs.pop("decay", None):
            warnings.warn("decay is ignored. Pass a schedule as learning_rate, e.g. InverseTimeDecay.", stacklevel=3)
        if kwargs:
            raise ValueError(f"{type(self).__name__} got unknown arguments {sorted(kwargs)}. Check their spelling.")
        self.name = name or backend.auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._check_arguments()
        self.built = False
        self._variables = []
        self._trainable_variables = []
        self._index = {}
        self._undecayed = ((), None)
        self._gate = None
        self._iterations = self.add_variable((), "zeros", dtype="int64", name="iteration")
        self._learning_rate = self._make_learning_rate(learning_rate)

    def _check_arguments(self):
        clips = {"clipnorm": self.clipnorm, "clipvalue": self.clipvalue, "global_clipnorm": self.global_clipnorm}
        given = {name: value for name, value in clips.items() if value is not None}
        kind = type(self).__name__
        for name, value in given.items():
            number(kind, name, value, 0)
        if self.weight_decay:
            number(kind, "weight_decay", self.weight_decay, 0)
        if self.loss_scale_factor is not None:
            number(kind, "loss_scale_factor", self.loss_scale_factor)
        if len(given) > 1:
            raise ValueError(f"Only one of clipnorm, clipvalue and global_clipnorm can be set. Got {given}.")
        steps = self.gradient_accumulation_steps
        if steps and not (is_int(steps) and steps >= 2):
            raise ValueError(f"{type(self).__name__}: gradient_accumulation_steps must be an int >= 2. Got {steps!r}.")
        if self.ema_momentum is not None and not 0 <= self.ema_momentum <= 1:
            raise ValueError(
                f"{type(self).__name__}: ema_momentum must lie in [0, 1]. Got ema_momentum={self.ema_momentum}."
            )
        frequency = self.ema_overwrite_frequency
        if frequency is not None and not (is_int(frequency) and frequency >= 1):
            raise ValueError(
                f"{type(self).__name__}: ema_overwrite_frequency must be an int >= 1 or None. Got {frequency!r}."
            )

    def _make_learning_rate(self, learning_rate):
        if isinstance(learning_rate, dict):
            learning_rate = schedules.deserialize(learning_rate)
        if isinstance(learning_rate, LearningRateSchedule) or callable(learning_rate):
            return learning_rate
        is_scalar = hasattr(learning_rate, "__float__") and np.ndim(learning_rate) == 0
        value = float(learning_rate) if is_scalar else None
        if value is None or not value >= 0:
            raise ValueError(
                f"{type(self).__name__}: learning_rate must be a float >= 0, a LearningRateSchedule or a function. "
                f"Got learning_rate={learning_rate!r}."
            )
        return self.add_variable((), initializers.Constant(value), dtype="float32", name="learning_rate")

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = unrecorded(cls.build)

    # Variables

    @property
    def variables(self):
        """The optimizer's state: iteration, learning rate, then what the optimizer keeps per weight."""
        return self._variables[:]

    @property
    def iterations(self):
        """The number of updates so far."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    @unrecorded
    def build(self, variables):
        """Makes the state for these weights. Subclasses extend it."""
        variables = list(variables)
        for variable in variables:
            if not isinstance(variable, Variable):
                raise TypeError(
                    f'Optimizer "{self.name}": weights are keras.Variables, made by keras.Variable(value). Got one of '
                    f"type {type(variable).__name__}."
                )
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated = [self.add_variable_from_reference(v, "gradient_accumulator") for v in variables]
        self._trainable_variables = variables
        self._index = {id(variable): i for i, variable in enumerate(variables)}
        self.built = True

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None):
        """A new state variable of this optimizer.

        Args:
            shape: tuple of ints.
            initializer: name or callable, default `"zeros"`.
            dtype: default `floatx()`.
            aggregation, layout: kept for Keras's signature.
            name: default "variable".
        """
        with backend.name_scope(self.name):
            variable = Variable(initializers.get(initializer), shape=shape, dtype=dtype, trainable=False, name=name)
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A new state variable with the shape and dtype of a weight, named after it.

        Args:
            reference_variable: the weight.
            name: what stands behind the weight's name, default "var".
            initializer: name or callable, default `"zeros"`.
        """
        path = getattr(reference_variable, "path", reference_variable.name)
        name = f"{path.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, dtype=reference_variable.dtype, name=name)

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """A list with one state variable per weight; for a list of names (and initializers), a tuple of such lists.

        Args:
            trainable_variables: list of the weights.
            name: what stands behind the weights' names, or a list of such names.
            initializer: name or callable, default `"zeros"`, or a list of one for each name.

        Weights made with `overwrite_with_gradient` have no state: None.
        """
        names = [name] if isinstance(name, str) else list(name)
        made_by = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        rows = [
            [
                None if v.overwrite_with_gradient else self.add_variable_from_reference(v, name=n, initializer=i)
                for n, i in zip(names, made_by)
            ]
            for v in trainable_variables
        ]
        columns = tuple([row[i] for row in rows] for i in range(len(names)))
        return columns[0] if isinstance(name, str) else columns

    def _state_of(self, states, variables):
        """Of a list of states made by `add_optimizer_variables`, those of these weights."""
        return [states[self._index[id(variable)]] for variable in variables]

    def _get_variable_index(self, variable):
        return self._index[id(variable)]

    # One step

    def scale_loss(self, loss):
        """The loss whose gradients `apply` takes: times `loss_scale_factor`, if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def apply_gradients(self, grads_and_vars):
        """Updates weights.

        Args:
            grads_and_vars: list of pairs (gradient, weight), as `zip` makes it. A gradient may be None: its weight
                stays, with a warning, unless all are None.

        Returns:
            The variable `iterations`.
        """
        grads, variables = zip(*grads_and_vars)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """Updates weights from their gradients.

        Args:
            grads: list of gradients.
            trainable_variables: list of the weights, default None: those the optimizer was built with.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._known_variables(grads, trainable_variables)
        grads, variables = self._drop_missing(grads, variables)
        grads = mean_gradients(grads, variables)
        grads, variables = self._overwrite_variables(grads, variables)
        if self.loss_scale_factor is not None:
            grads = [g / self.loss_scale_factor for g in grads]
        grads = [ops.cast(g, v.dtype) for g, v in zip(grads, variables)]
        if self.gradient_accumulation_steps:
            self._accumulate_and_update(grads, variables)
        elif grads:
            self._update_all(grads, variables)
        if self.use_ema:
            self._update_averages()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self._iterations.assign_add(1)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """One step from given values, which leaves the variables themselves as they are.

        Args:
            optimizer_variables: values in the order of `variables`.
            grads, trainable_variables: gradients and values of the weights that the optimizer was built with.

        Returns:
            The new values of the weights, and those of the optimizer's variables.
        """
        if not self.built:
            raise ValueError(f'Optimizer "{self.name}": build(variables) must come before stateless_apply().')
        grads = list(grads)
        _, (weights, state) = run_stateless(
            f'Optimizer "{self.name}"',
            {"trainable_variables": self._trainable_variables, "optimizer_variables": self.variables},
            {"trainable_variables": trainable_variables, "optimizer_variables": optimizer_variables},
            lambda: self.apply(grads, self._trainable_variables),
        )
        return weights, state

    def _known_variables(self, grads, variables):
        if variables is None:
            if not self.built:
                raise ValueError("The optimizer does not know its weights yet. Call optimizer.build(variables) first.")
            variables = self._trainable_variables
        variables = list(variables)
        if len(grads) != len(variables):
            raise ValueError(f"Got {len(grads)} gradients for {len(variables)} weights. Pass one gradient per weight.")
        if not self.built:
            self.build(variables)
        for variable in variables:
            if id(variable) not in self._index:
                raise ValueError(
                    f'Optimizer "{self.name}" was not built for the weight {variable.path} of shape '
                    f"{tuple(variable.shape)}. After a change of `trainable` or of the layers, call the model's "
                    "compile() again, with a new optimizer; or build the optimizer with all weights first."
                )
        return variables

    def _drop_missing(self, grads, variables):
        missing = [v.path for g, v in zip(grads, variables) if g is None]
        if len(missing) == len(grads):
            raise ValueError(
                f"No gradients for any of the weights {missing}. Does the loss depend on them, and was it computed "
                "while gradients were recorded?"
            )
        if missing:
            warnings.warn(
                f"The loss does not depend on the weights {missing}: they are not updated. Gradients end where a layer "
                "computes with anything but dlcore, such as NumPy.",
                stacklevel=3,
            )
        kept = [(g, v) for g, v in zip(grads, variables) if g is not None]
        return [g for g, _ in kept], [v for _, v in kept]

    def _overwrite_variables(self, grads, variables):
        """Sets the variables made with `overwrite_with_gradient` to their gradients, and leaves the others to update.

        Where gradients are accumulated, to the largest of them.
        """
        for gradient, variable in zip(grads, variables):
            if not variable.overwrite_with_gradient:
                continue
            if self.gradient_accumulation_steps:
                (accumulator,) = self._state_of(self._accumulated, [variable])
                largest, now = ops.maximum(gradient, accumulator), self._is_update_step()
                gradient = ops.where(now, largest, variable)
                accumulator.assign(ops.where(now, ops.zeros_like(largest), largest))
            variable.assign(gradient)
        kept = [i for i, variable in enumerate(variables) if not variable.overwrite_with_gradient]
        return [grads[i] for i in kept], [variables[i] for i in kept]

    def _is_update_step(self):
        return ops.equal(ops.mod(self._iterations + 1, self.gradient_accumulation_steps), 0)

    def _update_all(self, grads, variables):
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(variables)
        update = type(self).update if self._updates_all_at_once() else Optimizer.update
        update(self, grads, variables, self.learning_rate)

    def _updates_all_at_once(self):
        """Whether a class defines update() and none derived from it an update_step() of its own."""
        return next("update" in vars(c) for c in type(self).__mro__ if {"update", "update_step"} & vars(c).keys())

    def _accumulate_and_update(self, grads, variables):
        """Adds up gradients; every so many steps the update takes place, on the others every assignment is undone."""
        accumulated = self._state_of(self._accumulated, variables)
        sums = [g + a for g, a in zip(grads, accumulated)]
        self._gate = self._is_update_step()
        self._update_all([s / self.gradient_accumulation_steps for s in sums], variables)
        for accumulator, total in zip(accumulated, sums):
            accumulator.assign(ops.where(self._gate, ops.zeros_like(total), total))
        self._gate = None

    def update(self, gradients, variables, learning_rate):
        """Updates all weights; the default updates one after the other by `update_step`.

        Args:
            gradients, variables: lists of the same length.
            learning_rate: that of the step, a scalar tensor.
        """
        for gradient, variable in zip(gradients, variables):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """Updates one weight, a `variable`; `gradient` and `learning_rate` are tensors."""
        if type(self).update is Optimizer.update:
            raise NotImplementedError(
                f"{type(self).__name__} must implement update_step(gradient, variable, learning_rate)."
            )
        self.update([gradient], [variable], learning_rate)

    def _fused_update(self, primitive, gradients, variables, states, scalars, **attrs):
        """One multi-tensor primitive per dtype: p..., g..., states... -> new p..., new states...

        Args:
            states: one list of variables per kind of state, in the primitive's order.
            scalars: the primitive's scalar inputs.
        """
        for dtype in dict.fromkeys(v.dtype for v in variables):
            chosen = [i for i, v in enumerate(variables) if v.dtype == dtype]
            kinds = [[variables[i] for i in chosen], *[[kind[i] for i in chosen] for kind in states]]
            inputs = [v.value for v in kinds[0]] + [gradients[i] for i in chosen]
            inputs += [v.value for kind in kinds[1:] for v in kind]
            outputs = _core.apply(primitive, [*inputs, *scalars], n=len(chosen), **attrs)
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            for variable, output in zip([v for kind in kinds for v in kind], outputs):
                self.assign(variable, output)

    def assign(self, variable, value):
        """Sets a `variable`, weight or state, to a `value`; without effect on steps that only accumulate gradients."""
        variable.assign(value if self._gate is None else ops.where(self._gate, value, variable))

    def assign_add(self, variable, value):
        """Adds a `value` to a `variable`, as `assign` does it."""
        self.assign(variable, variable + value)

    def assign_sub(self, variable, value):
        """Subtracts a `value` from a `variable`, as `assign` does it."""
        self.assign(variable, variable - value)

    # Clipping, decay, averages

    def _clip_gradients(self, grads):
        if self.clipnorm:
            return [g * _shrink_factor(ops.sum(ops.square(g)), self.clipnorm) for g in grads]
        if self.global_clipnorm:
            total = sum(ops.cast(ops.sum(ops.square(g)), "float32") for g in grads)
            factor = _shrink_factor(total, self.global_clipnorm)
            return [g * ops.cast(factor, g.dtype) for g in grads]
        if self.clipvalue:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Weights of `var_list`, and those in whose name one of `var_names` occurs, do not decay. Call before build."""
        if self.built:
            raise ValueError("Call exclude_from_weight_decay() before the optimizer is built.")
        pattern = re.compile("|".join(set(var_names))) if var_names else None
        self._undecayed = ({id(v) for v in var_list or ()}, pattern)

    def _decays(self, variable):
        excluded, pattern = self._undecayed
        return id(variable) not in excluded and not (pattern and pattern.search(variable.name))

    def _apply_weight_decay(self, variables):
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._decays(variable):
                rate = ops.cast(self.learning_rate, variable.dtype)
                self.assign(variable, variable - variable * self.weight_decay * rate)

    def _update_averages(self):
        started = ops.not_equal(self.iterations, 0)
        averaged = self._weights_and_averages()
        for variable, average in averaged:
            momentum = ops.cast(started, variable.dtype) * self.ema_momentum
            average.assign(momentum * average + (1.0 - momentum) * variable)
        if self.ema_overwrite_frequency:
            now = ops.equal(ops.mod(self.iterations + 1, self.ema_overwrite_frequency), 0)
            for variable, average in averaged:
                variable.assign(ops.where(now, average, variable))

    def _weights_and_averages(self):
        return [pair for pair in zip(self._trainable_variables, self._averages) if pair[1] is not None]

    def finalize_variable_values(self, var_list):
        """Sets the weights to their moving averages, if these are kept: called at the end of training."""
        if not self.use_ema:
            return
        for variable, average in zip(var_list, self._state_of(self._averages, var_list)):
            if average is not None:
                variable.assign(average)

    # Learning rate

    @property
    def learning_rate(self):
        """The learning rate of the next step. Assign a float or a schedule to change it."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        return self._learning_rate() if callable(self._learning_rate) else self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if isinstance(learning_rate, LearningRateSchedule) or callable(learning_rate):
            from dlcore.layers.holder import note_structure_change

            self._variables = [v for v in self._variables if v is not self._learning_rate]
            self._learning_rate = learning_rate
            note_structure_change()  # steps that were traced before read the old one
        elif not isinstance(self._learning_rate, Variable):
            raise TypeError(
                f"The learning rate of this optimizer is the schedule {type(self._learning_rate).__name__} and cannot "
                "be set to a number. Make the optimizer with a float learning rate."
            )
        else:
            self._learning_rate.assign(learning_rate)

    lr = learning_rate

    # Saving

    def set_weights(self, weights):
        """Sets the optimizer's state from a list of arrays in the order of `variables`."""
        if not self.built:
            raise ValueError("The optimizer has no state yet. Call optimizer.build(variables) before set_weights().")
        if len(weights) != len(self._variables):
            raise ValueError(f"Got {len(weights)} arrays for {len(self._variables)} optimizer variables.")
        for variable, weight in zip(self._variables, weights):
            variable.assign(weight)

    def save_own_variables(self, store):
        """Puts the state into a dict-like store under "0", "1", ..."""
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Takes the state back out of a store; one of another size is skipped with a warning."""
        if len(store.keys()) != len(self._variables):
            warnings.warn(
                f'Optimizer "{self.name}" keeps its state: it has {len(self._variables)} variables, the file '
                f"{len(store.keys())}. Build the optimizer before loading, with the same settings.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(self._variables):
            variable.assign(store[str(i)][()])

    def get_config(self):
        """The constructor's arguments as a JSON-serializable dict."""
        return {
            "name": self.name,
            "learning_rate": self._learning_rate_config(),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    def _learning_rate_config(self):
        if isinstance(self._learning_rate, Variable):
            return float(self._learning_rate.numpy())
        return schedules.serialize(self._learning_rate)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer from `config`, what get_config() returned; `custom_objects`: {name: class} of your own."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)


def _shrink_factor(squared_norm, limit):
    """limit / max(norm, limit): brings a vector's norm down to the limit."""
    return limit / ops.maximum(ops.sqrt(squared_norm), limit)
