"""Classes as 0 and 1, and the cross-entropies of what was predicted."""

from dlcore import _core, backend
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, as_indices, own_names, tensor
from dlcore.ops.operation import operation


@operation
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """1 at the index and 0 elsewhere, along a new axis.

    Args:
        x: integers; where one is no index, all are 0.
        num_classes: int: the size of the new axis.
        axis: int, default -1: the place of the new axis.
        dtype: default `floatx()`.
        sparse: kept for Keras's signature; the result is dense.
    """
    x = as_indices(x)
    hot = _core.apply("one_hot", [x], depth=int(num_classes), dtype=backend.standardize_dtype(dtype))
    return hot if axis in (-1, x.ndim) else knp.moveaxis(hot, -1, axis)


@operation
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """1 at all the indices of a row.

    Args:
        inputs: integers (..., n); the axis 1 (0 of a vector) is that of the indices of a row.
        num_classes: int.
        axis, dtype, sparse: as `one_hot`.
    """
    num_classes = kwargs.get("num_tokens", num_classes)
    if num_classes is None:
        raise ValueError("multi_hot: `num_classes` must be specified.")
    inputs = tensor(inputs)
    summed = 1 if inputs.ndim > 1 else 0
    hot = one_hot(inputs, num_classes, axis, dtype)
    return knp.squeeze(hot, summed) if hot.shape[summed] == 1 else knp.max(hot, axis=summed)


def _logits_of(output, name, from_logits):
    """The logits and True when they are known, else the output and False."""
    known = getattr(output, "_logits", None)
    if from_logits or known is None or known[0] != name:
        return output, from_logits
    return known[1], True


@operation
def binary_crossentropy(target, output, from_logits=False):
    """-(t log o + (1 - t) log(1 - o)), element by element.

    Args:
        target, output: of one shape; output are probabilities, clipped to [epsilon, 1 - epsilon], or logits.
        from_logits: bool, default False. Probabilities that `sigmoid` returned are traced back to their logits.
    """
    output, from_logits = _logits_of(output, "sigmoid", from_logits)
    target, output = backend.promote(target, as_float(output))
    _check_same_shape("binary_crossentropy", target, output)
    if from_logits:
        return _core.apply("sigmoid_xent", [output, target])
    epsilon = backend.epsilon()
    output = knp.clip(output, epsilon, 1.0 - epsilon)
    positive = knp.multiply(target, knp.log(output))
    negative = knp.multiply(knp.subtract(1.0, target), knp.log(knp.subtract(1.0, output)))
    return knp.negative(knp.add(positive, negative))


@operation
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-sum_i t_i log(o_i) along the axis, which the result lacks.

    Args:
        target, output: of one shape; output are probabilities, scaled to the sum 1, or logits.
        from_logits: bool, default False. Probabilities that `softmax` returned are traced back to their logits.
        axis: int, default -1: that of the classes.
    """
    output, from_logits = _logits_of(output, "softmax", from_logits)
    target, output = backend.promote(target, as_float(output))
    if target.ndim < 1:
        raise ValueError(f"categorical_crossentropy: at least one axis is needed. Received: {target.shape}")
    _check_same_shape("categorical_crossentropy", target, output)
    if from_logits:
        target, output = _channels_last(target, axis), _channels_last(output, axis)
        return _core.apply("softmax_xent", [output, target])
    epsilon = backend.epsilon()
    output = knp.divide(output, knp.sum(output, axis, keepdims=True))
    return knp.negative(knp.sum(knp.multiply(target, knp.log(knp.clip(output, epsilon, 1.0 - epsilon))), axis))


@operation
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-log(o[t]) along the axis, for integer classes t.

    Args:
        target: integers, of the shape of output without the axis, or with 1 there at the end.
        output, from_logits, axis: as `categorical_crossentropy`.

    Raises:
        ValueError: the target's shape is not the output's without the axis of classes, as of one-hot labels.
    """
    output, from_logits = _logits_of(output, "softmax", from_logits)
    output, target = as_float(output), tensor(target)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = knp.squeeze(target, -1)
    if output.ndim < 1:
        raise ValueError(f"sparse_categorical_crossentropy: the output has no axis of classes: {output.shape}")
    output = _channels_last(output, axis)
    if not _agree(target.shape, output.shape[:-1]):
        raise ValueError(
            "sparse_categorical_crossentropy: the labels' shape must be the output's without the axis of classes. "
            f"Received: target.shape={target.shape}, output.shape={output.shape}. For one-hot labels use the loss "
            "'categorical_crossentropy'."
        )
    target = as_indices(target)
    if from_logits:
        return _core.apply("sparse_softmax_xent", [output, target])
    return _core.apply("sparse_xent", [output, target], epsilon=backend.epsilon())


def _channels_last(x, axis):
    return x if axis in (-1, x.ndim - 1) else knp.moveaxis(x, axis, -1)


def _agree(shape, other):
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other))


def _check_same_shape(name, target, output):
    if not _agree(target.shape, output.shape):
        are_labels = tuple(target.shape) in (output.shape[:-1], (*output.shape[:-1], 1))
        hint = ""
        if are_labels and name == "categorical_crossentropy":
            hint = ". For integer labels use the loss 'sparse_categorical_crossentropy'."
        elif are_labels and output.shape[-1] not in (None, 1):
            hint = (
                f". Give the last layer one unit instead of {output.shape[-1]}, or use the loss "
                "'sparse_categorical_crossentropy' with softmax."
            )
        raise ValueError(
            f"{name}: target and output must have the same shape. "
            f"Received: target.shape={target.shape}, output.shape={output.shape}{hint}"
        )


__all__ = own_names(globals())
