from dlcore.callbacks.callback import Callback
from dlcore.callbacks.reduce_lr_on_plateau import current_learning_rate
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
        rate = current_learning_rate(self.model)
        try:
            rate = self.schedule(epoch, rate)
        except TypeError:
            rate = self.schedule(epoch)
        try:
            rate = float(rate)
        except (TypeError, ValueError):
            raise ValueError(f"LearningRateScheduler: the schedule must return a float. Got {rate!r}.") from None
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print_message(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = current_learning_rate(self.model)
