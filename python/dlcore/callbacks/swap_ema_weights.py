from dlcore.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the moving averages that an optimizer made with `use_ema=True` keeps of the weights.

    Args:
        swap_on_epoch: bool, default False: the averages are the model's weights from the end of an epoch to the
            beginning of the next too, so that ModelCheckpoint saves them, and when training has ended.

    Raises:
        ValueError: no optimizer keeps averages.
    """

    needs_every_batch = False

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._is_swapped = False

    def _pairs(self):
        """(weight, average) of all optimizers that keep averages."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        optimizers = [o for o in getattr(optimizer, "optimizers", [optimizer]) if getattr(o, "use_ema", False)]
        if not optimizers:
            raise ValueError("SwapEMAWeights needs an optimizer made with use_ema=True, which keeps the averages.")
        return [pair for o in optimizers if o.built for pair in o._weights_and_averages()]

    def _swap(self, wanted):
        if self._is_swapped == wanted:
            return
        for weight, average in self._pairs():
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)
        self._is_swapped = wanted

    def on_epoch_begin(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch, logs=None):
        if not self.swap_on_epoch:
            return
        self._swap(True)
        if epoch == self.params["epochs"] - 1:
            # The optimizer sets the weights to its averages at the end: they are equal from here on.
            for weight, average in self._pairs():
                average.assign(weight)

    def on_test_begin(self, logs=None):
        self._swap(True)

    def on_test_end(self, logs=None):
        self._swap(False)

    def on_predict_begin(self, logs=None):
        self._swap(True)

    def on_predict_end(self, logs=None):
        self._swap(False)
