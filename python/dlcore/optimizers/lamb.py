from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class Lamb(Optimizer):
    """Adam whose step on each weight tensor is as long as the tensor itself: for very large batches.

    m <- beta_1 * m + (1 - beta_1) * g,  v <- beta_2 * v + (1 - beta_2) * g^2,
    u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon),
    p <- p - learning_rate * |p| / |u| * u  (without the ratio where one of the norms is 0).

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-7.
        Others as `Optimizer`.

    Reference: You et al. 2020.

    Example:

    >>> model.compile(optimizer=Lamb(0.01), loss="mse")
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign(m, m + (gradient - m) * (1.0 - self.beta_1))
        self.assign(v, v + (ops.square(gradient) - v) * (1.0 - self.beta_2))
        m_hat, v_hat = (
            state / (1.0 - ops.power(ops.cast(beta, variable.dtype), step))
            for state, beta in ((m, self.beta_1), (v, self.beta_2))
        )
        update = m_hat / (ops.sqrt(v_hat) + self.epsilon)
        length, update_length = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update))
        both = ops.logical_and(length > 0, update_length > 0)
        ratio = ops.where(both, length / ops.where(both, update_length, 1.0), 1.0)
        self.assign_sub(variable, ratio * ops.cast(learning_rate, variable.dtype) * update)

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
