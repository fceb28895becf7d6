import re

from dlcore import ops
from dlcore.optimizers.optimizer import Optimizer


class Muon(Optimizer):
    """Steps by the momentum of each matrix made (nearly) orthogonal; weights that are no matrices follow AdamW.

    m <- momentum * m + g,  u = g + momentum * m (m itself without nesterov),
    p <- p - learning_rate * rms_rate * sqrt(max(rows, columns)) * orthogonalized(u).

    Args:
        learning_rate: float or schedule, default 0.001.
        adam_beta_1, adam_beta_2, epsilon: of the AdamW steps, default 0.9, 0.999 and 1e-7.
        adam_weight_decay: float or None, default 0.004: of the weights that follow AdamW.
        weight_decay: float or None, default 0.004: of the matrices.
        exclude_layers: list of regular expressions or None: weights in whose path one is found follow AdamW. The layer
            that makes the outputs should be among them.
        exclude_embeddings: bool, default True: so do weights with "embedding" in their path.
        muon_a, muon_b, muon_c: of each Newton-Schulz iteration x <- a x + (b x x^T + c (x x^T)^2) x.
        adam_lr_ratio: float, default 1: factor of the learning rate of the AdamW steps.
        momentum: float, default 0.95.
        ns_steps: int, default 5: Newton-Schulz iterations.
        nesterov: bool, default True.
        rms_rate: float or None, default 0.2: makes steps as large as Adam's (Liu et al. 2025); None: no scaling.
        Others as `Optimizer`.

    Reference: Jordan et al. 2024; Liu et al. 2025.

    Example:

    >>> model.compile(optimizer=Muon(0.01, exclude_layers=["output"]), loss="mse")
    """

    def __init__(
        self,
        learning_rate=0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay=0.004,
        epsilon=1e-7,
        weight_decay=0.004,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        adam_lr_ratio=1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = [], []
        for variable in self._trainable_variables:
            (momentum,) = self.add_optimizer_variables([variable], "momentum")
            self._momentums.append(momentum)
            has_velocity = momentum is not None and self._follows_adam(variable)
            self._velocities.append(
                self.add_variable_from_reference(variable, name="velocity") if has_velocity else None
            )

    def _follows_adam(self, variable):
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _apply_weight_decay(self, variables):
        for variable in variables:
            decay = self.adam_weight_decay if self._follows_adam(variable) else self.weight_decay
            if decay is not None and self._decays(variable):
                self.assign_sub(variable, variable * decay * ops.cast(self.learning_rate, variable.dtype))

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        rate = ops.cast(learning_rate, variable.dtype)
        if v is not None:
            self._adam_step(gradient, variable, rate * self.adam_lr_ratio, m, v)
            return
        self.assign(m, m * self.momentum + gradient)
        update = self._orthogonalize(gradient + self.momentum * m if self.nesterov else m.value)
        scale = 1.0 if self.rms_rate is None else self.rms_rate * max(variable.shape) ** 0.5
        self.assign_sub(variable, rate * update * scale)

    def _adam_step(self, gradient, variable, rate, m, v):
        step = ops.cast(self.iterations + 1, variable.dtype)
        power_1, power_2 = (ops.power(ops.cast(b, variable.dtype), step) for b in (self.adam_beta_1, self.adam_beta_2))
        self.assign(m, m + (gradient - m) * (1.0 - self.adam_beta_1))
        self.assign(v, v + (ops.square(gradient) - v) * (1.0 - self.adam_beta_2))
        rate = rate * ops.sqrt(1.0 - power_2) / (1.0 - power_1)
        self.assign_sub(variable, m * rate / (ops.sqrt(v) + self.epsilon))

    def _orthogonalize(self, x):
        """x = U S V^T brought near U V^T: Newton-Schulz iterations on the smaller of x x^T and x^T x."""
        tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if tall else x
        x = x / (ops.norm(x) + 1e-7)
        for _ in range(self.ns_steps):
            gram = ops.matmul(x, ops.transpose(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * gram + self.muon_c * ops.matmul(gram, gram), x)
        return ops.transpose(x) if tall else x

    def get_config(self):
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "adam_weight_decay": self.adam_weight_decay,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "exclude_embeddings": self.exclude_embeddings,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "rms_rate": self.rms_rate,
        }
