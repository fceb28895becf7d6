"""Losses of embeddings: those of one class shall be near each other, those of different classes far."""

from dlcore import backend, ops
from dlcore.losses.loss import ConfiguredLoss


def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """softplus(logsumexp of near strangers + logsumexp of distant relatives), one value per sample (Sun et al. 2020).

    Args:
        y_true: int labels (batch,) or (batch, 1).
        y_pred: embeddings (batch, size) of norm 1.
        ref_labels, ref_embeddings: what each sample is compared with; default: the batch itself.
        remove_diagonal: bool, default True: a sample is no relative of itself.
        gamma: float, default 80: how steep.
        margin: float, default 0.4: how far beyond the boundary pairs still count.

    Samples whose loss is 0 are masked: the mean over the batch leaves them out.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    others = y_pred if ref_embeddings is None else ops.convert_to_tensor(ref_embeddings)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    other_labels = labels if ref_labels is None else ops.cast(ref_labels, "int32")
    same = ops.equal(labels, ops.reshape(other_labels, (1, -1)))
    relatives, strangers = same, ops.logical_not(same)
    if remove_diagonal:
        itself = ops.logical_and(ops.tril(ops.ones_like(same)), ops.triu(ops.ones_like(same)))
        relatives = ops.logical_and(same, ops.logical_not(itself))
    distances = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(others)), 0.0)
    far = gamma * ops.maximum(distances + margin, 0.0) * (distances - margin)
    near = gamma * ops.maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    loss = ops.softplus(_logsumexp_where(relatives, far) + _logsumexp_where(strangers, near))
    backend.set_keras_mask(loss, loss > 0)
    return loss


circle.takes_integer_labels = True


def _logsumexp_where(mask, values):
    """Over the rows; far below zero, but finite, where the mask is empty."""
    return ops.logsumexp(ops.where(mask, values, -1e30), axis=1)


class Circle(ConfiguredLoss):
    """Circle loss of embeddings of norm 1 with integer labels.

    Args:
        gamma: float, default 80.0: how steep the loss is.
        margin: float, default 0.4: pairs farther than this apart (relatives), or nearer than 1 - margin (strangers),
            are pushed.
        remove_diagonal: bool, default True: a sample is no relative of itself.
        reduction: see `Loss`, default `"sum_over_batch_size"`.
        name: str, default `"circle"`.
        dtype: dtype of the result, default `floatx()`.

    Reference: Sun et al. 2020.

    Example:

    >>> loss = Circle()
    >>> float(loss(np.array([0, 0, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))) < 1e-3
    True
    """

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        super().__init__(circle, name, reduction, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
