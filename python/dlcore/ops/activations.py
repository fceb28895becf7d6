"""Activation functions of tensors."""

import numpy as np

from dlcore import _core, backend
from dlcore.backend.tracebacks import warn
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, float_unary, numbers, own_names, resolve_axis, tensor, unary
from dlcore.ops.operation import operation


@operation
def relu(x):
    """max(x, 0)."""
    return unary("relu", numbers(tensor(x)))


@operation
def relu6(x):
    """min(max(x, 0), 6), with slope 0 at both."""
    x = as_float(x)
    return knp.where(knp.greater_equal(x, 6), 6, relu(x))


@operation
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return _remember_logits(as_float(x), "sigmoid")


def _remember_logits(x, name, **attrs):
    """The activation of x; a cross-entropy computed of it works on x itself, which is stable and quicker."""
    y = _core.apply(name, [x], **attrs)
    y._logits = (name, x)
    return y


@operation
def sparse_sigmoid(x):
    """0 below -1, 1 above 1, linear between."""
    return knp.clip(knp.multiply(knp.add(x, 1.0), 0.5), 0.0, 1.0)


@operation
def softplus(x):
    """log(1 + exp(x))."""
    return float_unary("softplus", x)


@operation
def softsign(x):
    """x / (1 + |x|)."""
    x = as_float(x)
    return knp.divide(x, knp.add(knp.absolute(x), 1))


@operation
def soft_shrink(x, threshold=0.5):
    """x moved towards zero by the threshold, 0 within it."""
    x = as_float(x)
    return knp.subtract(x, knp.clip(x, -threshold, threshold))


@operation
def hard_shrink(x, threshold=0.5):
    """x, but 0 where |x| is at most the threshold."""
    x = as_float(x)
    return knp.where(knp.greater(knp.absolute(x), threshold), x, 0)


@operation
def sparse_plus(x):
    """0 below -1, x above 1, (x + 1)^2 / 4 between."""
    x = as_float(x)
    middle = knp.multiply(knp.square(knp.add(x, 1)), 0.25)
    return knp.where(knp.less_equal(x, -1), 0.0, knp.where(knp.less(x, 1), middle, x))


@operation
def silu(x):
    """x * sigmoid(x)."""
    return float_unary("silu", x)


swish = silu


@operation
def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2."""
    x = as_float(x)
    return knp.multiply(knp.add(x, knp.sqrt(knp.add(knp.square(x), b))), 0.5)


@operation
def log_sigmoid(x):
    """log(sigmoid(x)), without underflow."""
    return knp.negative(softplus(knp.negative(as_float(x))))


@operation
def leaky_relu(x, negative_slope=0.2):
    """x, and negative_slope * x below zero."""
    return float_unary("leaky_relu", x, negative_slope=float(negative_slope))


@operation
def hard_sigmoid(x):
    """0 below -3, 1 above 3, x / 6 + 1/2 between."""
    return knp.multiply(relu6(knp.add(as_float(x), 3.0)), 1.0 / 6.0)


@operation
def hard_silu(x):
    """x * hard_sigmoid(x)."""
    return knp.multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


@operation
def elu(x, alpha=1.0):
    """x, and alpha * (exp(x) - 1) below zero."""
    return float_unary("elu", x, alpha=float(alpha))


@operation
def selu(x):
    """A scaled elu that keeps mean and variance (Klambauer et al. 2017)."""
    return knp.multiply(1.0507009873554805, elu(x, alpha=1.6732632423543772))


@operation
def gelu(x, approximate=True):
    """x times the normal distribution's mass below x (its tanh approximation by default).

    Args:
        x: tensor.
        approximate: bool, default True.
    """
    return float_unary("gelu", x, approximate=bool(approximate))


@operation
def celu(x, alpha=1.0):
    """max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))."""
    x = as_float(x)
    # The slope is 1 from both sides of 0, where those of a maximum and a minimum would be shares of it.
    positive = knp.greater(x, 0.0)
    below = knp.multiply(knp.expm1(knp.divide(knp.where(positive, 0.0, x), alpha)), alpha)
    return knp.where(positive, x, below)


@operation
def glu(x, axis=-1):
    """The first half along the axis times the sigmoid of the second."""
    first, second = knp.split(x, 2, axis)
    return knp.multiply(first, sigmoid(second))


@operation
def tanh_shrink(x):
    """x - tanh(x)."""
    return knp.subtract(x, knp.tanh(x))


@operation
def hard_tanh(x):
    """x between -1 and 1."""
    return knp.clip(x, -1, 1)


@operation
def threshold(x, threshold, default_value):
    """x above the threshold, else the default value.

    Args:
        x: tensor.
        threshold: float.
        default_value: float: what elements up to the threshold become.
    """
    x = tensor(x)
    return knp.where(knp.greater(x, threshold), x, default_value)


def _over_axes(function, x, axis):
    """function along one axis; several axes are laid out as one. Of a number, along the axis of a vector of it."""
    if axis is None or (x.ndim == 0 and axis in (-1, 0)):
        return knp.reshape(function(knp.ravel(x), -1), x.shape)
    if isinstance(axis, int):
        return function(x, axis)
    axes = [resolve_axis(a, x.ndim) for a in axis]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    moved = knp.transpose(x, order)
    flat = knp.reshape(moved, [*moved.shape[: x.ndim - len(axes)], -1])
    return knp.transpose(knp.reshape(function(flat, -1), moved.shape), np.argsort(order).tolist())


@operation
def softmax(x, axis=-1):
    """exp(x_i) / sum_j exp(x_j) along the axis; a warning where that has one element."""
    x = as_float(x)
    if isinstance(axis, int) and -x.ndim <= axis < x.ndim and x.shape[axis] == 1:
        warn(f"The softmax over axis {axis} of shape {x.shape} is always 1. For one unit use sigmoid.")
    if x.ndim and axis in (-1, x.ndim - 1):
        return _remember_logits(x, "softmax", axis=-1)
    return _over_axes(lambda t, a: _core.apply("softmax", [t], axis=a), x, axis)


@operation
def log_softmax(x, axis=-1):
    """x_i - log(sum_j exp(x_j)) along the axis."""
    return _over_axes(lambda t, a: _core.apply("log_softmax", [t], axis=a), as_float(x), axis)


@operation
def sparsemax(x, axis=-1):
    """The nearest point of the probability simplex (Martins & Astudillo 2016)."""
    x = as_float(x)
    z = knp.flip(knp.sort(x, axis), axis)
    rank = _core.apply("iota_like", [z], axis=resolve_axis(axis, z.ndim), dtype=z.dtype)
    rank = knp.add(rank, 1.0)
    sums = knp.cumsum(z, axis)
    support = knp.greater(knp.add(1.0, knp.multiply(rank, z)), sums)
    count = knp.sum(backend.convert_to_tensor(support, z.dtype), axis, keepdims=True)
    total = knp.sum(knp.where(support, z, 0.0), axis, keepdims=True)
    return knp.maximum(knp.subtract(x, knp.divide(knp.subtract(total, 1.0), count)), 0.0)


__all__ = own_names(globals())
