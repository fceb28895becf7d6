import os
import warnings

from dlcore.callbacks.monitor import MonitorCallback
from dlcore.callbacks.saving_callback import SavingCallback
from dlcore.utils.console import print_message


class ModelCheckpoint(MonitorCallback, SavingCallback):
    """Saves the model, or its weights, while training.

    Args:
        filepath: str or path; may hold `{epoch}` and names in the logs, as `"{epoch:02d}-{val_loss:.2f}.keras"`.
        monitor: str: a name in the logs, default `"val_loss"`.
        verbose: 0 (default) or 1: say so.
        save_best_only: bool, default False: only when the monitored number improved.
        save_weights_only: bool, default False: the file's name then ends in `.weights.h5`, else in `.keras` or `.h5`.
        mode: `"min"`, `"max"` or `"auto"` (default): by the name.
        save_freq: `"epoch"` (default), or an int: every so many batches.
        initial_value_threshold: float or None (default): the number to improve on at first.
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.best = initial_value_threshold
        self._set_save_freq(save_freq)
        endings = (".weights.h5",) if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"ModelCheckpoint: with save_weights_only={save_weights_only} the filepath must end in "
                f"{' or '.join(endings)}. Got filepath={self.filepath!r}."
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def _save_after_batch(self, batch, logs):
        self._save(self._epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def _save(self, epoch, logs, **fields):
        path = self._path(epoch, logs or {}, fields)
        if self.save_best_only and not self._has_improved(epoch, logs, path):
            return
        if self.verbose and not self.save_best_only:
            print_message(f"\nEpoch {epoch + 1}: saving model to {path}")
        if os.path.dirname(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose:
            print_message(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch, logs, fields):
        try:
            return self.filepath.format(epoch=epoch + 1, **{**fields, **logs})
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: the filepath {self.filepath!r} names {error}, which is not among the logs: "
                f"{list(logs)}."
            ) from None

    def _has_improved(self, epoch, logs, path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if self.save_freq != "epoch" else "default")
            current = self.get_monitor_value(logs)
        if current is None:
            return True
        was = "None" if self.best is None else f"{self.best:.5f}"
        improved = self._is_improvement(current, self.best)
        if self.verbose and improved:
            now = f"{current:.5f}, saving model to {path}"
            print_message(f"\nEpoch {epoch + 1}: {self.monitor} improved from {was} to {now}")
        elif self.verbose:
            print_message(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {was}")
        if improved:
            self.best = current
        return improved
