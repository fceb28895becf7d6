from dlcore import backend
from dlcore.backend.arguments import number
from dlcore.callbacks.monitor import MonitorCallback
from dlcore.utils.console import print_message


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a number has stopped improving.

    Args:
        monitor: str: a name in the logs, default `"val_loss"`.
        factor: float < 1, default 0.1.
        patience: int, default 10: epochs without improvement before.
        verbose: 0 (default) or 1: say so.
        mode: `"min"`, `"max"` or `"auto"` (default): by the name.
        min_delta: float, default 1e-4: a smaller change is no improvement.
        cooldown: int, default 0: epochs after a reduction that do not count.
        min_lr: float, default 0.0: lower bound of the learning rate.
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
        **kwargs,
    ):
        super().__init__(monitor, mode, min_delta)
        if number("ReduceLROnPlateau", "factor", factor) >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be smaller than 1. Got factor={factor}.")
        self.factor = factor
        self.patience = number("ReduceLROnPlateau", "patience", patience)
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.on_train_begin()

    def on_train_begin(self, logs=None):
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self):
        """Whether the wait after the last reduction goes on."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        logs.update(learning_rates(self.model))
        current = self.get_monitor_value(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch):
        for name, optimizer in optimizers_by_rate(self.model):
            rate = learning_rate(optimizer)
            # The rate is kept as float32: min_lr itself may come back a little larger.
            if rate <= self.min_lr * (1.0 + 1e-6):
                continue
            optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
            if self.verbose:
                print_message(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {in_words(name, optimizer)} to {rate}.")
            self.cooldown_counter = self.cooldown
            self.wait = 0


def optimizers_by_rate(model):
    """[(name of the learning rate in logs, optimizer)]: several of a MultiOptimizer."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not hasattr(optimizer, "optimizers"):
        return [("learning_rate", optimizer)]
    return [(f"learning_rate_{inner.name}", inner) for inner in optimizer.optimizers]


def in_words(name, optimizer):
    return "learning rate" if name == "learning_rate" else f"{optimizer.name} learning rate"


def learning_rate(optimizer):
    """The learning rate now, as a float."""
    return float(backend.convert_to_numpy(optimizer.learning_rate))


def learning_rates(model):
    """{name in logs: the learning rate now} of a compiled model."""
    return {name: learning_rate(optimizer) for name, optimizer in optimizers_by_rate(model)}
