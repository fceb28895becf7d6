"""Batch, layer and root-mean-square normalization."""

from dlcore import _core, backend
from dlcore.backend.global_state import get_global_attribute
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, axes_of, float_unary, own_names, resolve_axis
from dlcore.ops.gradients import with_gradient
from dlcore.ops.operation import operation


@operation
def moments(x, axes, keepdims=False, synchronized=False):
    """Mean and variance over the axes.

    Args:
        x: floats. What float16 does not hold becomes its largest number.
        axes: int or list of ints.
        keepdims: bool, default False.
        synchronized: bool, default False: over the tensors of all processes that train together (`distribution`),
            which must have one shape.
    """
    x = as_float(x)
    if x.dtype == "float16":
        wide = moments(backend.convert_to_tensor(x, "float32"), axes, keepdims, synchronized)
        return tuple(backend.convert_to_tensor(knp.clip(y, -65504.0, 65504.0), "float16") for y in wide)
    mean, variance = knp.mean(x, axes, keepdims), knp.var(x, axes, keepdims)
    together = get_global_attribute("distribution")
    processes = 1 if together is None or not synchronized else together.num_model_replicas
    if processes == 1:
        return mean, variance
    total = _mean_over_processes(mean, processes)
    return total, _mean_over_processes(variance + knp.square(mean - total), processes)


def _mean_over_processes(x, processes):
    """The mean of the tensors that as many processes have. Each learns what its tensor does to the loss of all."""

    def mean(x):
        wide = _core.apply("cast", [x], dtype=backend.result_type(x.dtype, "float32"))
        return _core.apply("cast", [knp.divide(_core.apply("all_reduce", [wide]), processes)], dtype=x.dtype)

    (result,) = with_gradient([mean(x)], [x], lambda inputs, outputs, gradients: [mean(gradients[0])])
    return result


@operation
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with statistics along the axis.

    Args:
        x: floats.
        mean, variance: (channels,), the size of `axis`.
        axis: int: that of the channels.
        offset, scale: (channels,) or None (default): left out.
        epsilon: float, default 0.001.

    Reference: Ioffe & Szegedy 2015.
    """
    x = as_float(x)
    shape = [1] * x.ndim
    shape[axis] = -1
    mean, variance = (knp.reshape(backend.convert_to_tensor(v, x.dtype), shape) for v in (mean, variance))
    factor = float_unary("rsqrt", knp.add(variance, epsilon))
    if scale is not None:
        factor = knp.multiply(factor, knp.reshape(backend.convert_to_tensor(scale, x.dtype), shape))
    shift = knp.negative(knp.multiply(mean, factor))
    if offset is not None:
        shift = knp.add(shift, knp.reshape(backend.convert_to_tensor(offset, x.dtype), shape))
    return knp.add(knp.multiply(x, factor), shift)


@operation
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with mean and variance of each example over the axes.

    Args:
        x: floats.
        gamma, beta: of the sizes of the axes, or None (default): left out.
        axis: int or list of ints, default -1.
        epsilon: float, default `backend.epsilon()`.
        rms_scaling: bool, default False: without mean and beta.

    Reference: Ba et al. 2016.
    """
    x = as_float(x)
    wide = backend.result_type(x.dtype, "float32")  # half precision would overflow in the squares
    epsilon = backend.epsilon() if epsilon is None else epsilon
    axes = sorted(resolve_axis(a, x.ndim) for a in axes_of(axis))
    shape = [x.shape[a] for a in axes]
    gamma, beta = (p if p is None else backend.convert_to_tensor(p, wide) for p in (gamma, beta))
    if axes and axes == list(range(axes[0], x.ndim)) and not rms_scaling and None not in shape:
        gamma = knp.ones(shape, wide) if gamma is None else gamma
        beta = knp.zeros(shape, wide) if beta is None else beta
        return _core.apply("layer_norm", [x, gamma, beta], epsilon=float(epsilon), axis=axes[0])[0]
    spread = [x.shape[a] if a in axes else 1 for a in range(x.ndim)]
    y = backend.convert_to_tensor(x, wide)
    mean, variance = moments(y, axes, keepdims=True)
    y = knp.multiply(y if rms_scaling else knp.subtract(y, mean), float_unary("rsqrt", knp.add(variance, epsilon)))
    if gamma is not None:
        y = knp.multiply(y, knp.reshape(gamma, spread))
    if beta is not None and not rms_scaling:
        y = knp.add(y, knp.reshape(beta, spread))
    return backend.convert_to_tensor(y, x.dtype)


@operation
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """x / sqrt(mean(x^2) + epsilon) * scale (Zhang & Sennrich 2019)."""
    x = as_float(x)
    x = knp.expand_dims(x, 0) if x.ndim == 0 else x
    y = backend.convert_to_tensor(x, backend.result_type(x.dtype, "float32"))  # halves would overflow in the squares
    squares = knp.mean(knp.square(y), axis, keepdims=True)
    epsilon = backend.epsilon() if epsilon is None else epsilon
    y = knp.multiply(y, float_unary("rsqrt", knp.add(squares, epsilon)))
    y = y if scale is None else knp.multiply(y, scale)
    return backend.convert_to_tensor(y, x.dtype)


__all__ = own_names(globals())
