from dlcore import initializers, ops
from dlcore.backend.arguments import number
from dlcore.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of its squares: p <- p - learning_rate * g / sqrt(acc + epsilon).

    Args:
        learning_rate: float or schedule, default 0.001.
        initial_accumulator_value: float >= 0, default 0.1: where the sum starts.
        epsilon: float, default 1e-7, inside the root.
        Others as `Optimizer`.

    Reference: Duchi et al. 2011.
    """

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        number("Adagrad", "initial_accumulator_value", initial_accumulator_value, 0)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", initializer=start)

    def update(self, gradients, variables, learning_rate):
        self._fused_update(
            "adagrad_update",
            gradients,
            variables,
            [self._state_of(self._accumulators, variables)],
            [ops.cast(learning_rate, "float32")],
            epsilon=float(self.epsilon),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
