from dlcore.callbacks.callback import Callback
from dlcore.callbacks.reduce_lr_on_plateau import in_words, learning_rate, learning_rates, optimizers_by_rate
from dlcore.utils.console import print_message


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: function (epoch, learning_rate) -> learning_rate, or (epoch) -> learning_rate.
        verbose: 0 (default) or 1: say so.

    Example:

    >>> decay = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch, logs=None):
        for name, optimizer in optimizers_by_rate(self.model):
            try:
                rate = self.schedule(epoch, learning_rate(optimizer))
            except TypeError:
                rate = self.schedule(epoch)
            try:
                rate = float(rate)
            except (TypeError, ValueError):
                raise ValueError(f"LearningRateScheduler: the schedule must return a float. Got {rate!r}.") from None
            optimizer.learning_rate = rate
            if self.verbose:
                what = in_words(name, optimizer)
                print_message(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {what} to {rate}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs.update(learning_rates(self.model))
