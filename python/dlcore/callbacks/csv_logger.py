import csv
import os

import numpy as np

from dlcore.callbacks.callback import Callback


class CSVLogger(Callback):
    """Writes the results of each epoch to a CSV file, "NA" where there is none.

    The columns are those of the first epoch, each with one for validation (`val_loss`); where the results are added
    to a file, the file's own.

    Args:
        filename: str or path.
        separator: str, default `","`.
        append: bool, default False: add to an existing file instead of replacing it.
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._file = None

    def on_train_begin(self, logs=None):
        has_header = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._file = open(self.filename, "a" if self.append else "w", newline="")
        self._writer = None
        if has_header:
            with open(self.filename, newline="") as file:
                self._make_writer(next(csv.reader(file, delimiter=self.separator)))

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self._writer is None:
            names = sorted(logs)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names]
            self._make_writer(["epoch", *names])
            self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **{name: _cell(value) for name, value in logs.items()}})
        self._file.flush()

    def _make_writer(self, names):
        options = {"restval": "NA", "extrasaction": "ignore", "delimiter": self.separator}
        self._writer = csv.DictWriter(self._file, names, **options)

    def on_train_end(self, logs=None):
        self._file.close()
        self._writer = None


def _cell(value):
    """A number as it is; arrays as a list."""
    return f"[{', '.join(map(str, np.ravel(value)))}]" if np.ndim(value) else value
