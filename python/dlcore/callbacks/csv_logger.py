import csv
import os

from dlcore.callbacks.callback import Callback


class CSVLogger(Callback):
    """Writes the results of each epoch to a CSV file.

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
        self._writes_header = not has_header
        self._writer = None

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self._writer is None:
            self._writer = csv.DictWriter(
                self._file, ["epoch", *sorted(logs)], restval="NA", extrasaction="ignore", delimiter=self.separator
            )
            if self._writes_header:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **logs})
        self._file.flush()

    def on_train_end(self, logs=None):
        self._file.close()
        self._writer = None
