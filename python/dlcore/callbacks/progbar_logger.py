from dlcore.callbacks.callback import Callback
from dlcore.utils import Progbar
from dlcore.utils.console import print_message


class ProgbarLogger(Callback):
    """Shows the progress of `fit`, `evaluate` and `predict` on standard output; they add one unless verbose=0."""

    needs_every_batch = False

    def __init__(self):
        super().__init__()
        self._progbar = None
        self._seen = 0
        self._target = None
        self._in_fit = False

    def set_params(self, params):
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self._verbose = 1 if verbose == "auto" else verbose
        self._epochs = params.get("epochs", 1)
        self._target = params.get("steps")

    def _start(self):
        self._seen = 0
        self._progbar = Progbar(self._target, verbose=self._verbose, unit_name="step", stateless_metrics=[])

    def _update(self, batch, logs):
        self._seen = batch + 1
        if self._verbose == 1:
            self._progbar.update(self._seen, sorted((logs or {}).items()), finalize=False)

    def _finish(self, logs):
        if self._target is None:
            self._target = self._progbar.target = self._seen
        self._progbar.update(self._target, list((logs or {}).items()), finalize=True)

    def on_train_begin(self, logs=None):
        self._in_fit = True

    def on_train_end(self, logs=None):
        self._in_fit = False

    def on_epoch_begin(self, epoch, logs=None):
        if self._verbose and self._epochs > 1:
            print_message(f"Epoch {epoch + 1}/{self._epochs}")
        self._start()

    def on_train_batch_end(self, batch, logs=None):
        self._update(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._finish(logs)

    def on_test_begin(self, logs=None):
        if not self._in_fit:
            self._start()

    def on_test_batch_end(self, batch, logs=None):
        if not self._in_fit:
            self._update(batch, logs)

    def on_test_end(self, logs=None):
        if not self._in_fit:
            self._finish(dict(sorted(logs.items())))

    def on_predict_begin(self, logs=None):
        self._start()

    def on_predict_batch_end(self, batch, logs=None):
        self._update(batch, None)

    def on_predict_end(self, logs=None):
        self._finish(None)
