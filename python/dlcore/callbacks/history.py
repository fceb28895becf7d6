from dlcore.callbacks.callback import Callback


class History(Callback):
    """Records loss and metrics of every epoch; `fit` adds one and returns it.

    `history.history` is a dict of lists, `history.epoch` the list of epochs.
    """

    def __init__(self):
        super().__init__()
        self.history = {}

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
