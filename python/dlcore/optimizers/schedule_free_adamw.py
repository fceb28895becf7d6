from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its steps instead of following a schedule: training may end at any time.

    v <- beta_2 * v + (1 - beta_2) * g^2,  z <- z - learning_rate * g / (sqrt(v / (1 - beta_2^t)) + epsilon),
    x <- x + (z - x) / t,  p = (1 - beta_1) * z + beta_1 * x.

    Args:
        learning_rate: float or schedule, default 0.0025.
        beta_1: float in (0, 1], default 0.9: how near the weights are to the average x.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-8.
        warmup_steps: int, default 0: the learning rate grows linearly over so many steps.
        Others as `Optimizer`.

    Reference: Defazio et al. 2024.

    Example:

    >>> model.compile(optimizer=ScheduleFreeAdamW(), loss="mse")
    """

    def __init__(self, learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        for momentum, variable in zip(self._momentums, self._trainable_variables):
            if momentum is not None:
                momentum.assign(variable)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        z, v = self._momentums[index], self._velocities[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        if self.warmup_steps > 0:
            rate = rate * ops.minimum(step / self.warmup_steps, 1.0)
        x = (variable - (1.0 - self.beta_1) * z) / self.beta_1
        self.assign(v, v + (ops.square(gradient) - v) * (1.0 - self.beta_2))
        v_scale = 1.0 - ops.power(ops.cast(self.beta_2, variable.dtype), step)
        self.assign_sub(z, rate * gradient / (ops.sqrt(v / v_scale) + self.epsilon))
        x = (1.0 - 1.0 / step) * x + z / step
        self.assign(variable, (1.0 - self.beta_1) * z + self.beta_1 * x)

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }
