import math

from dlcore.callbacks.callback import Callback
from dlcore.utils.console import print_message


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    The loss is looked at whenever a stretch of batches is done, at least several times a second.

    Args:
        raise_error: bool, default False: raise a RuntimeError instead of stopping quietly.
    """

    needs_every_batch = False

    def __init__(self, raise_error=False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"The loss is {loss} after batch {batch}. Look for NaN in the data, or lower the learning rate."
            )
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
