from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Steps by the running mean of gradients over the root of their running mean square.

    m <- beta_1 * m + (1 - beta_1) * g,  v <- beta_2 * v + (1 - beta_2) * g^2,
    p <- p - learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon).

    Args:
        learning_rate: float or schedule, default 0.001.
        beta_1: float, default 0.9.
        beta_2: float, default 0.999.
        epsilon: float, default 1e-7: "epsilon hat" of the paper, before its section 2.1.
        amsgrad: bool, default False: divide by the root of the largest v so far (Reddi et al. 2018).
        Others as `Optimizer`.

    Reference: Kingma & Ba 2015.

    Example:

    >>> model.compile(optimizer=Adam(1e-3), loss="mse")
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def _apply_weight_decay(self, variables):
        pass  # part of the update

    def update(self, gradients, variables, learning_rate):
        decayed = [self.weight_decay is not None and self._decays(v) for v in variables]
        for decays in dict.fromkeys(decayed):
            chosen = [i for i, d in enumerate(decayed) if d == decays]
            self._update_group(
                [gradients[i] for i in chosen],
                [variables[i] for i in chosen],
                learning_rate,
                float(self.weight_decay) if decays else 0.0,
            )

    def _update_group(self, gradients, variables, learning_rate, weight_decay):
        kinds = [self._momentums, self._velocities] + ([self._velocity_hats] if self.amsgrad else [])
        self._fused_update(
            "adam_update",
            gradients,
            variables,
            [self._state_of(kind, variables) for kind in kinds],
            [ops.cast(learning_rate, "float32"), ops.cast(self.iterations, "int64")],
            beta_1=float(self.beta_1),
            beta_2=float(self.beta_2),
            epsilon=float(self.epsilon),
            amsgrad=bool(self.amsgrad),
            weight_decay=weight_decay,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with decoupled weight decay: p <- p - p * weight_decay * learning_rate before each update.

    Args:
        learning_rate: float or schedule, default 0.001.
        weight_decay: float, default 0.004.
        Others as `Adam`.

    Reference: Loshchilov & Hutter 2019.
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        **kwargs,
    ):
        if weight_decay is None:
            raise ValueError("AdamW needs a float weight_decay. Got weight_decay=None; use Adam for none.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
