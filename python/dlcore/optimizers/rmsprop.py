from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """Divides the gradient by the root of its running mean square: p <- p - learning_rate * g / sqrt(v + epsilon).

    v <- rho * v + (1 - rho) * g^2; `centered` subtracts the square of the running mean gradient from v.

    Args:
        learning_rate: float or schedule, default 0.001.
        rho: float, default 0.9.
        momentum: float, default 0.0: the steps are summed up with this factor.
        epsilon: float, default 1e-7, inside the root.
        centered: bool, default False.
        Others as `Optimizer`.

    Reference: Tieleman & Hinton 2012; Graves 2013 (centered).
    """

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update(self, gradients, variables, learning_rate):
        states = [kind for kind in (self._velocities, self._average_gradients, self._momentums) if kind]
        self._fused_update(
            "rmsprop_update",
            gradients,
            variables,
            [self._state_of(kind, variables) for kind in states],
            [ops.cast(learning_rate, "float32")],
            rho=float(self.rho),
            epsilon=float(self.epsilon),
            momentum=float(self.momentum),
            centered=bool(self.centered),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
