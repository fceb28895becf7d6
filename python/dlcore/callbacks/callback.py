"""The base of all callbacks, and the list that calls them."""

from dlcore.backend.arguments import ChecksArguments


class Callback(ChecksArguments):
    """Base of all callbacks: override what should happen at a point of training, evaluation or prediction.

    `self.model` is the model and `self.params` a dict with `verbose`, `epochs` and `steps`. `logs` is a dict of loss
    and metrics so far. Set `self.model.stop_training = True` to stop after the running batch.

    `batch` and `epoch` are numbers from 0 on. Before anything has run `logs` is empty; after a batch of `predict` it
    has `outputs`.

    A callback that overrides a batch method is called at every batch. Set the class attribute
    `needs_every_batch = False` if now and then is enough: training then runs many batches at a time.
    """

    needs_every_batch = None

    def __init__(self):
        self.params = None
        self._model = None

    @property
    def model(self):
        """The model that is trained."""
        return self._model

    def set_params(self, params):
        """Called once with a dict of `epochs`, `steps` and `verbose`."""
        self.params = params

    def set_model(self, model):
        """Called once by `fit`, `evaluate` or `predict` before anything else."""
        self._model = model

    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Called before each epoch of training."""

    def on_epoch_end(self, epoch, logs=None):
        """Called after each epoch of training, with the validation's results in `logs` under `val_...`."""

    def on_train_batch_begin(self, batch, logs=None):
        """Called before each batch of training."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch, logs=None):
        """Called after each batch of training, with the loss and metrics so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Called before each batch of evaluation or validation."""

    def on_test_batch_end(self, batch, logs=None):
        """Called after each batch of evaluation or validation."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Called before each batch of prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """Called after each batch of prediction."""

    def on_train_begin(self, logs=None):
        """Called when training begins."""

    def on_train_end(self, logs=None):
        """Called when training ends."""

    def on_test_begin(self, logs=None):
        """Called when evaluation or validation begins."""

    def on_test_end(self, logs=None):
        """Called when evaluation or validation ends."""

    def on_predict_begin(self, logs=None):
        """Called when prediction begins."""

    def on_predict_end(self, logs=None):
        """Called when prediction ends."""


class CallbackList(Callback):
    """Several callbacks as one.

    Args:
        callbacks: list of callbacks, one callback, or None.
        add_history: bool, default False: add a `History` unless there is one.
        add_progbar: bool, default False: add a `ProgbarLogger` unless there is one.
        model: the model, or None.
        params: entries of the callbacks' `params`.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        from dlcore.callbacks.history import History

        super().__init__()
        if callbacks is None:
            callbacks = []
        self.callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"callbacks must be a list of Callback objects. Got {callback!r} of type {type(callback).__name__}."
                )
        if add_progbar:
            from dlcore.callbacks.progbar_logger import ProgbarLogger

            if not self._first(ProgbarLogger):
                self.callbacks.append(ProgbarLogger())
        if add_history and not self._first(History):
            self.callbacks.append(History())
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def _first(self, kind):
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def append(self, callback):
        """Adds a callback."""
        self.callbacks.append(callback)

    def set_params(self, params):
        """Tells all of the parameters of `fit`."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        """Tells all of the model."""
        from dlcore.callbacks.history import History

        super().set_model(model)
        history = self._first(History)
        if history is not None:
            model.history = history
        for callback in self.callbacks:
            callback.set_model(model)


def _call_all(hook):
    def of_epoch(self, epoch, logs=None):
        for callback in self.callbacks:
            getattr(callback, hook)(epoch, {} if logs is None else logs)

    def of_batch(self, batch, logs=None):
        for callback in self.callbacks:
            getattr(callback, hook)(batch, {} if logs is None else logs)

    def of_run(self, logs=None):
        for callback in self.callbacks:
            getattr(callback, hook)({} if logs is None else logs)

    call_all = of_epoch if "epoch" in hook else of_batch if "batch" in hook else of_run
    call_all.__name__ = hook
    call_all.__doc__ = f"Calls `{hook}` of every callback; without logs with an empty dict."
    return call_all


for _hook in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _hook, _call_all(_hook))
