from dlcore.backend.arguments import number
from dlcore.callbacks.monitor import MonitorCallback
from dlcore.utils.console import print_message


class EarlyStopping(MonitorCallback):
    """Stops training when a number has stopped improving.

    Args:
        monitor: str: a name in the logs, default `"val_loss"`.
        min_delta: float, default 0: a smaller change is no improvement.
        patience: int, default 0: epochs without improvement before stopping.
        verbose: 0 (default) or 1: say so.
        mode: `"min"`, `"max"` or `"auto"` (default): by the name.
        baseline: float or None (default): epochs not better than it count as without improvement.
        restore_best_weights: bool, default False: take back the weights of the best epoch at the end.
        start_from_epoch: int, default 0: epochs before it do not count.

    Example:

    >>> stopping = EarlyStopping(patience=5, restore_best_weights=True)
    >>> history = model.fit(x, y, validation_split=0.2, epochs=20, verbose=0, callbacks=[stopping])
    """

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience = number("EarlyStopping", "patience", patience)
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch):
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0 and self.verbose:
            print_message(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print_message(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)
