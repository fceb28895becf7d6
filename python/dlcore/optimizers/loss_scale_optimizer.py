from dlcore import initializers, ops
from dlcore.optimizers.optimizer import Optimizer
from dlcore.training.processes import mean_gradients, means_are_taken


class LossScaleOptimizer(Optimizer):
    """Scales the loss so that gradients fit into float16, and finds the scale while training.

    A step whose gradients are not all finite is left out and halves the scale; `dynamic_growth_steps` finite steps in a
    row double it.

    Args:
        inner_optimizer: the Optimizer that updates the weights; its own loss_scale_factor is unset.
        initial_scale: float, default 2^15.
        dynamic_growth_steps: int, default 2000.
        name: str or None.

    Reference: Micikevicius et al. 2018.

    Example:

    >>> model.compile(optimizer=LossScaleOptimizer(Adam(1e-3)), loss="mse")
    """

    def __init__(self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None, **kwargs):
        given = [key for key, value in kwargs.items() if value is not None and value != _DEFAULTS.get(key)]
        if given:
            raise ValueError(f"LossScaleOptimizer does not take {sorted(given)}. Set them on its inner_optimizer.")
        super().__init__(learning_rate=0.0, name=name)
        if not isinstance(inner_optimizer, Optimizer):
            raise ValueError(f"LossScaleOptimizer: inner_optimizer must be an Optimizer. Got {inner_optimizer!r}.")
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def build(self, variables):
        if self.built:
            return
        self.step_counter = self.add_variable((), "zeros", dtype="int32", name="step_counter")
        first = initializers.Constant(self.initial_scale)
        self.dynamic_scale = self.add_variable((), first, dtype="float32", name="dynamic_scale")
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self):
        return self._variables + self.inner_optimizer.variables

    @property
    def iterations(self):
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner_optimizer.learning_rate = learning_rate

    def scale_loss(self, loss):
        loss = ops.convert_to_tensor(loss)
        return loss * ops.cast(self.dynamic_scale if self.built else self.initial_scale, loss.dtype)

    def apply(self, grads, trainable_variables=None):
        grads = list(grads)
        if not grads:
            return
        variables = self._known_variables(grads, trainable_variables)
        grads, variables = self._drop_missing(grads, variables)
        grads = mean_gradients(grads, variables)
        finite = self.check_finite(grads)
        scale, count = self.dynamic_scale.value, self.step_counter.value
        # Everything that the step changes, as it was: what is taken back when a gradient is not finite.
        changed = [*self.inner_optimizer.variables, *variables]
        before = [variable.value for variable in changed]
        with means_are_taken():
            unscaled = [
                g if v.overwrite_with_gradient else g / ops.cast(scale, g.dtype) for g, v in zip(grads, variables)
            ]
            self.inner_optimizer.apply(unscaled, variables)
        for variable, value in zip(changed, before):
            variable.assign(ops.where(finite, variable.value, value))
        grows = ops.equal(count, self.dynamic_growth_steps - 1)
        self.dynamic_scale.assign(scale * ops.where(finite, ops.where(grows, 2.0, 1.0), 0.5))
        self.step_counter.assign(ops.where(ops.logical_or(grows, ops.logical_not(finite)), 0, count + 1))

    def check_finite(self, grads):
        """Whether all numbers in a list of gradients are finite, a scalar tensor."""
        return ops.all(ops.stack([ops.all(ops.isfinite(g)) for g in grads]))

    def finalize_variable_values(self, var_list):
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        from dlcore.optimizers import serialize

        return {
            "name": self.name,
            "inner_optimizer": serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from dlcore.optimizers import deserialize

        config = dict(config)
        return cls(deserialize(config.pop("inner_optimizer"), custom_objects), **config)


# What old configurations hold beside the arguments.
_DEFAULTS = {"dynamic": True, "use_ema": False, "ema_momentum": 0.99}
