from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class Adafactor(Optimizer):
    """Adam without momentum whose second moment of a matrix is kept as the row and column means alone.

    v = outer(r, c) / mean(r),  r and c the running means over columns and rows of g^2 + epsilon_1,
    u = g / sqrt(v), scaled down to a root mean square of clip_threshold,
    p <- p - max(epsilon_2, rms(p)) * min(learning_rate, 1 / sqrt(t)) * u.

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_2_decay: float, default -0.8: the running means' factor is 1 - t^beta_2_decay.
        epsilon_1: float, default 1e-30: added to g^2.
        epsilon_2: float, default 1e-3: the least scale of the weights.
        clip_threshold: float, default 1.0: the largest root mean square of u.
        relative_step: bool, default True: the learning rate is at most 1 / sqrt(t).
        Others as `Optimizer`.

    Reference: Shazeer & Stern 2018.

    Example:

    >>> model.compile(optimizer=Adafactor(0.01), loss="mse")
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._r, self._c, self._v = [], [], []
        for variable in self._trainable_variables:
            if variable.overwrite_with_gradient:
                for states in (self._r, self._c, self._v):
                    states.append(None)
                continue
            shape = variable.shape
            # Vectors have no rows and columns; Keras's files hold a scalar in their place.
            self._r.append(self._add_mean(variable, shape[:-1] if _is_factored(variable) else (), "row"))
            columns = (*shape[:-2], shape[-1]) if _is_factored(variable) else ()
            self._c.append(self._add_mean(variable, columns, "column"))
            self._v.append(self.add_variable_from_reference(variable, name="velocity"))

    def _add_mean(self, variable, shape, name):
        return self.add_variable(shape, dtype=variable.dtype, name=f"{variable.path.replace('/', '_')}_{name}")

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        r, c, v = self._r[index], self._c[index], self._v[index]
        step = ops.cast(self.iterations + 1, variable.dtype)
        rate = ops.minimum(ops.cast(learning_rate, variable.dtype), 1.0 / ops.sqrt(step))
        beta_2 = 1.0 - ops.power(step, self.beta_2_decay)
        squares = ops.square(gradient) + self.epsilon_1
        if not _is_factored(variable):
            self.assign(v, beta_2 * v + (1.0 - beta_2) * squares)
        else:
            self.assign(r, beta_2 * r + (1.0 - beta_2) * ops.mean(squares, axis=-1))
            self.assign(c, beta_2 * c + (1.0 - beta_2) * ops.mean(squares, axis=-2))
            share = r / ops.mean(r, axis=-1, keepdims=True)
            self.assign(v, ops.expand_dims(share, -1) * ops.expand_dims(c, -2))
        update = gradient / ops.sqrt(v)
        update = update / ops.maximum(1.0, _root_mean_square(update) / self.clip_threshold)
        self.assign_sub(variable, ops.maximum(self.epsilon_2, _root_mean_square(variable)) * rate * update)

    def get_config(self):
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _is_factored(variable):
    return len(variable.shape) >= 2


def _root_mean_square(x):
    return ops.sqrt(ops.mean(ops.square(x)))
