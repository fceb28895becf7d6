"""The loss of label sequences whose places in the input sequence are not known."""

from dlcore import ops
from dlcore.losses.loss import ConfiguredLoss


def ctc(y_true, y_pred):
    """-log of the probability that the steps of y_pred spell the labels of y_true, one value per sequence.

    Args:
        y_true: int (batch, labels): classes from 1 on; 0 is the blank and fills up short rows.
        y_pred: float (batch, steps, classes): logits.

    Reference: Graves et al. 2006.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise ValueError(
            "CTC: expected y_true (batch, labels) and y_pred (batch, steps, classes). "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    label_length = ops.sum(ops.not_equal(y_true, 0), axis=-1)
    output_length = ops.full_like(label_length, y_pred.shape[1])
    return ops.ctc_loss(y_true, y_pred, label_length, output_length, mask_index=0)


ctc.takes_integer_labels = True


class CTC(ConfiguredLoss):
    """Connectionist temporal classification: sequences of labels without alignment.

    Args:
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"ctc"`.
        dtype: dtype of the result, default `floatx()`.

    y_true: int (batch, labels), 0 is the blank and the padding. y_pred: logits (batch, steps, classes).

    Reference: Graves et al. 2006.

    Example:

    >>> loss = CTC()
    >>> round(float(loss(np.array([[1]]), np.zeros((1, 2, 3), "float32"))), 4)  # -log(3/9): the paths 1-, -1 and 11
    1.0986
    """

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(ctc, name, reduction, dtype)
