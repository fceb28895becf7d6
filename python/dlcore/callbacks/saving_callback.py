from dlcore.callbacks.callback import Callback


class SavingCallback(Callback):
    """Base of callbacks that save each epoch, or every so many batches: then by `_save_after_batch(batch, logs)`."""

    def _set_save_freq(self, save_freq):
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                f'{type(self).__name__}: save_freq must be "epoch" or an int. Got save_freq={save_freq!r}.'
            )
        self.save_freq = save_freq
        self.needs_every_batch = save_freq != "epoch"
        self._epoch = 0
        self._batches = 0

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save_after_batch(batch, logs)
