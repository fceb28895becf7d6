import json
import os
import random
from pathlib import Path

import numpy as np

from dlcore.callbacks.saving_callback import SavingCallback
from dlcore.utils.files import replacing


class BackupAndRestore(SavingCallback):
    """Keeps a backup of the training, from which the same program goes on after it was killed.

    A backup is a file of weights and optimizer state and, written after it, `backup.json`, which names it and holds the
    epoch and the state of all random numbers. Both take their places whole or not at all, so there is a complete
    backup at every moment. Training that is resumed at the end of an epoch gives the same numbers as without a break.

    Args:
        backup_dir: folder; one per training.
        save_freq: `"epoch"` (default), or an int: every so many batches; an epoch that was broken off begins anew.
        double_checkpoint: bool, default False: keep the backup before the last one too, for damaged disks.
        delete_checkpoint: bool, default True: delete the backup when training ends.

    Raises:
        ValueError: `backup_dir` is empty, or the model is not built when training begins.
    """

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(f"BackupAndRestore: backup_dir must name a folder. Got backup_dir={backup_dir!r}.")
        self._set_save_freq(save_freq)
        self.backup_dir = os.fspath(backup_dir)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._saved = 0

    @property
    def _last(self):
        return Path(self.backup_dir) / "backup.json"

    @property
    def _previous(self):
        return Path(self.backup_dir) / "backup.previous.json"

    def on_train_begin(self, logs=None):
        if not self.model.built:
            raise ValueError(
                f"BackupAndRestore: the model '{self.model.name}' must be built before fit(). Build it, or call it on "
                "a batch."
            )
        for path in (self._last, self._previous):
            if path.exists():
                try:
                    return self._restore(path)
                except (OSError, ValueError, KeyError):
                    if path == self._previous or not self._previous.exists():
                        raise

    def _restore(self, path):
        backup = json.loads(path.read_text())
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        self.model.load_weights(path.with_name(backup["weights"]))
        _set_random_state(self.model, backup["random"])
        self._saved = backup["number"]
        self._epoch = self.model._initial_epoch = backup["epoch"]

    def _save_after_batch(self, batch, logs):
        self._save(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save(0)

    def _save(self, batch):
        """Each step leaves a complete backup: new weights, then their name in place of the old one, then a clean-up."""
        os.makedirs(self.backup_dir, exist_ok=True)
        self._saved += 1
        weights = f"backup-{self._saved}.weights.h5"
        self.model.save_weights(self._last.with_name(weights))
        if self.double_checkpoint and self._last.exists():
            _write(self._previous, self._last.read_bytes())
        backup = {"number": self._saved, "weights": weights, "epoch": self._epoch, "batch": batch}
        _write(self._last, json.dumps({**backup, "random": _random_state(self.model)}).encode())
        kept = {weights, f"backup-{self._saved - 1}.weights.h5"} if self.double_checkpoint else {weights}
        self._delete(lambda name: name.endswith(".weights.h5") and name not in kept)

    def on_train_end(self, logs=None):
        if self.delete_checkpoint and os.path.isdir(self.backup_dir):
            self._last.unlink(missing_ok=True)
            self._delete(lambda name: True)
            if not os.listdir(self.backup_dir):
                os.rmdir(self.backup_dir)

    def _delete(self, is_due):
        """Deletes files of backups, and what a killed program left of unfinished ones."""
        for path in Path(self.backup_dir).iterdir():
            if path.name.startswith(".backup") or (path.name.startswith("backup") and is_due(path.name)):
                path.unlink(missing_ok=True)


def _write(path, content):
    with replacing(path) as file:
        file.write(content)


def _seed_states(model):
    """The state variables of all random streams: the model's and the package's own."""
    from dlcore.random.seed_generator import global_seed_generator

    weights = {id(variable) for variable in model.weights}
    own = [variable for variable in model.variables if id(variable) not in weights]
    return [*own, global_seed_generator().state]


def _random_state(model):
    kind, keys, *rest = np.random.get_state()
    return {
        "numpy": [kind, keys.tolist(), *rest],
        "python": random.getstate(),
        "seeds": [variable.numpy().tolist() for variable in _seed_states(model)],
    }


def _set_random_state(model, state):
    np.random.set_state(tuple(state["numpy"]))
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    variables = _seed_states(model)
    if len(variables) != len(state["seeds"]):
        raise ValueError(
            f"The backup is of another model: it has {len(state['seeds'])} random streams, the model {len(variables)}."
        )
    for variable, value in zip(variables, state["seeds"]):
        variable.assign(np.array(value))
