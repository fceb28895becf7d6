"""Optimizers whose update is composed of ops, weight by weight."""

from dlcore import initializers, ops
from dlcore.backend.arguments import fraction
from dlcore.optimizers.optimizer import Optimizer


class Adadelta(Optimizer):
    """Steps whose size follows the running mean square of past steps: no learning rate to find.

    a <- rho * a + (1 - rho) * g^2,  d = -sqrt(u + epsilon) / sqrt(a + epsilon) * g,
    u <- rho * u + (1 - rho) * d^2,  p <- p + learning_rate * d.

    Args:
        learning_rate: float or schedule, default 0.001; the paper uses 1.0.
        rho: float, default 0.95.
        epsilon: float, default 1e-7.
        Others as `Optimizer`.

    Reference: Zeiler 2012.
    """

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(
            variables, ["accumulated_grad", "accumulated_delta_var"]
        )

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        squares, steps = self._accumulated_grads[index], self._accumulated_delta_vars[index]
        self.assign(squares, self.rho * squares + (1.0 - self.rho) * ops.square(gradient))
        step = -ops.sqrt(steps + self.epsilon) * gradient / ops.sqrt(squares + self.epsilon)
        self.assign(steps, self.rho * steps + (1.0 - self.rho) * ops.square(step))
        self.assign_add(variable, ops.cast(learning_rate, variable.dtype) * step)

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class _WithMoments(Optimizer):
    """Base: Adam's arguments."""

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adamax(_WithMoments):
    """Adam with the largest instead of the root mean square gradient.

    m <- beta_1 * m + (1 - beta_1) * g,  u <- max(beta_2 * u, |g|),
    p <- p - learning_rate / (1 - beta_1^t) * m / (u + epsilon).

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-7.
        Others as `Optimizer`.

    Reference: Kingma & Ba 2015, section 7.1.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._m, self._u = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, u = self._m[index], self._u[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        beta_1_power = ops.power(ops.cast(self.beta_1, variable.dtype), step)
        self.assign(m, m + (gradient - m) * (1.0 - self.beta_1))
        self.assign(u, ops.maximum(self.beta_2 * u, ops.abs(gradient)))
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, (rate * m) / ((1.0 - beta_1_power) * (u + self.epsilon)))


class Nadam(_WithMoments):
    """Adam with Nesterov momentum, whose beta_1 follows the schedule beta_1 * (1 - 0.5 * 0.96^t).

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-7.
        Others as `Optimizer`.

    Reference: Dozat 2015.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._u_product = self.add_variable((), initializers.Ones(), dtype="float32", name="u_product")

    def update(self, gradients, variables, learning_rate):
        self.assign(self._u_product, self._u_product * self._beta_1_at(1))
        super().update(gradients, variables, learning_rate)

    def _beta_1_at(self, ahead):
        step = ops.cast(self.iterations + ahead, "float32")
        return self.beta_1 * (1.0 - 0.5 * ops.power(ops.cast(0.96, "float32"), step))

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        u, u_next = self._beta_1_at(1), self._beta_1_at(2)
        step = ops.cast(self.iterations + 1, "float32")
        v_scale = 1.0 - ops.power(ops.cast(self.beta_2, "float32"), step)
        m_part = u_next / (1.0 - self._u_product * u_next)
        g_part = (1.0 - u) / (1.0 - self._u_product)
        m_part, g_part, v_scale, rate = (ops.cast(x, variable.dtype) for x in (m_part, g_part, v_scale, learning_rate))
        self.assign(m, m + (gradient - m) * (1.0 - self.beta_1))
        self.assign(v, v + (ops.square(gradient) - v) * (1.0 - self.beta_2))
        m_hat = m_part * m + g_part * gradient
        self.assign_sub(variable, m_hat * rate / (ops.sqrt(v / v_scale) + self.epsilon))


class Lion(Optimizer):
    """Steps by the sign of an interpolated momentum.

    p <- p - learning_rate * sign(beta_1 * m + (1 - beta_1) * g),  m <- beta_2 * m + (1 - beta_2) * g.

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_1: float in (0, 1], default 0.9.
        beta_2: float, default 0.99.
        Others as `Optimizer`.

    Reference: Chen et al. 2023.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **kwargs):
        super().__init__(learning_rate, **kwargs)
        if fraction("Lion", "beta_1", beta_1) == 0:
            raise ValueError(f"beta_1 must lie in (0, 1], else Lion is sign descent. Got beta_1={beta_1}.")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self._momentums[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        direction = ops.sign(m * self.beta_1 + gradient * (1.0 - self.beta_1))
        self.assign_sub(variable, rate * direction)
        self.assign(m, m * self.beta_2 + gradient * (1.0 - self.beta_2))

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


class Lamb(_WithMoments):
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
