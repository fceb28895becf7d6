"""Small helpers for arrays, in NumPy, and for tensors."""

import numpy as np

from dlcore import backend, ops


def to_categorical(x, num_classes=None):
    """One-hot vectors of class numbers.

    Args:
        x: integers 0 .. num_classes-1, any shape; a last axis of size 1 is dropped.
        num_classes: number of classes; None takes max(x) + 1. Of a tensor it is needed.

    Returns:
        float array (of a tensor: float32 tensor) x.shape + (num_classes,).

    Raises:
        ValueError: a label of an array is out of range, or num_classes is missing for a tensor.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    if backend.is_tensor(x):
        if num_classes is None:
            raise ValueError(
                "to_categorical: of a tensor the number of classes must be given. Received: num_classes=None. "
                "Pass num_classes, or a NumPy array to find it in the labels."
            )
        return ops.one_hot(ops.squeeze(x, -1) if x.ndim > 1 and x.shape[-1] == 1 else x, num_classes)
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("to_categorical: some labels are NaN or infinite. Expected class numbers; drop those rows.")
    labels = labels.astype(np.int64)
    lowest, highest = (labels.min(), labels.max()) if labels.size else (0, -1)
    num_classes = int(num_classes or highest + 1)
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f"to_categorical: labels range over {lowest}..{highest}, expected 0..{num_classes - 1}. "
            "Pass a larger num_classes, or number the classes from 0."
        )
    one_hot = np.zeros((labels.size, num_classes))
    one_hot[np.arange(labels.size), labels.reshape(-1)] = 1
    return one_hot.reshape(*labels.shape, num_classes)


def normalize(x, axis=-1, order=2):
    """x divided by its norm along an axis; where the norm is zero, unchanged.

    Args:
        x: array, or tensor to get one back.
        axis: the axis along which the norm is taken.
        order: of the norm: 2 Euclidean, 1 sum of absolute values, ...

    Returns:
        What x is, of its shape; an array of one axis as one row, as in Keras.
    """
    if backend.is_tensor(x) or isinstance(x, backend.KerasTensor):
        return ops.normalize(x, axis=axis, order=order)
    x = np.atleast_1d(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    norm = np.where(norm == 0, 1, norm)
    return x / (norm[np.newaxis] if x.ndim == 1 else norm)
