from dlcore import initializers, ops
from dlcore.backend.arguments import number
from dlcore.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """Follow the regularized leader: for sparse linear models with many features.

    n' = n + g^2,  z <- z + g - (n'^-k - n^-k) / learning_rate * p  with k = learning_rate_power,
    p <- (clip(z, -l1, l1) - z) / (n'^-k / learning_rate + 2 * l2),  n <- n'.

    Args:
        learning_rate: float or schedule, default 0.001.
        learning_rate_power: float <= 0, default -0.5: 0 keeps the learning rate as it is.
        initial_accumulator_value: float >= 0, default 0.1: the first n.
        l1_regularization_strength, l2_regularization_strength: floats >= 0, default 0.0.
        l2_shrinkage_regularization_strength: float >= 0, default 0.0: adds 2 * strength * p to g in z, but not in n.
        beta: float, default 0.0: l2 <- l2 + beta / (2 * learning_rate).
        Others as `Optimizer`.

    Reference: McMahan et al. 2013.

    Example:

    >>> model.compile(optimizer=Ftrl(0.1, l1_regularization_strength=0.01), loss="mse")
    """

    def __init__(
        self,
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if number("Ftrl", "learning_rate_power", learning_rate_power) > 0:
            raise ValueError(
                f"Ftrl: learning_rate_power must not be positive. Got learning_rate_power={learning_rate_power}."
            )
        for name in ("initial_accumulator_value", *(f"{n}_regularization_strength" for n in _STRENGTHS)):
            number("Ftrl", name, getattr(self, name), 0)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._accumulators, self._linears = self.add_optimizer_variables(
            variables,
            ["accumulator", "linear"],
            initializer=[initializers.Constant(self.initial_accumulator_value), "zeros"],
        )

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        n, z = self._accumulators[index], self._linears[index]
        rate = ops.cast(learning_rate, variable.dtype)
        l2 = self.l2_regularization_strength + self.beta / (2.0 * rate)
        new_n = n + ops.square(gradient)
        slope = ops.power(new_n, -self.learning_rate_power)
        growth = (slope - ops.power(n, -self.learning_rate_power)) / rate
        shrunk = gradient + 2.0 * self.l2_shrinkage_regularization_strength * variable
        self.assign_add(z, shrunk - growth * variable)
        l1 = self.l1_regularization_strength
        self.assign(variable, (ops.clip(z, -l1, l1) - z) / (slope / rate + 2.0 * l2))
        self.assign(n, new_n)

    def get_config(self):
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }


_STRENGTHS = ("l1", "l2", "l2_shrinkage")
