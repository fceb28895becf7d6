from dlcore import ops
from dlcore.backend.arguments import fraction
from dlcore.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent: p <- p - learning_rate * g.

    With momentum: m <- momentum * m - learning_rate * g, then p <- p + m, or with `nesterov`
    p <- p + momentum * m - learning_rate * g.

    Args:
        learning_rate: float or schedule, default 0.01.
        momentum: float in [0, 1], default 0.0.
        nesterov: bool, default False.
        Others as `Optimizer`.

    Reference: Sutskever et al. 2013 (Nesterov momentum).

    Example:

    >>> model.compile(optimizer=SGD(0.1, momentum=0.9), loss="mse")
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        fraction("SGD", "momentum", momentum)
        self.momentum = float(momentum)
        self.nesterov = nesterov

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update(self, gradients, variables, learning_rate):
        self._fused_update(
            "sgd_update",
            gradients,
            variables,
            [self._state_of(self.momentums, variables)] if self.momentum else [],
            [ops.cast(learning_rate, "float32")],
            momentum=self.momentum,
            nesterov=bool(self.nesterov),
        )

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
