"""GPTQ: integers for the weights of a layer, such that its outputs on given inputs change little.

Reference: Frantar et al. 2022.
"""

import numpy as np

from dlcore import ops


class MeanSquares:
    """2 / N X^T X of inputs X (N, size), seen part by part: the Hessian of the mean square error of each output."""

    def __init__(self, size):
        self.value = np.zeros((size, size))
        self._rows = 0

    def see(self, inputs):
        rows = self._rows + inputs.shape[0]
        products = ops.convert_to_numpy(ops.matmul(ops.transpose(inputs), inputs))
        self.value = self.value * (self._rows / rows) + products * (2 / rows)
        self._rows = rows


def group_parameters(weights, bits, symmetric=False, per_channel=True):
    """The scale and the zero point with which integers 0 .. 2^bits - 1 reach from the least weight to the largest.

    Args:
        weights: (outputs, inputs of one group).
        bits: int.
        symmetric: whether the zero point is in the middle.
        per_channel: whether each output has its own.

    Returns:
        scale, zero: float32 (outputs,); a weight is about (integer - zero) * scale.
    """
    axis = 1 if per_channel else None
    low, high = weights.min(axis, keepdims=True), weights.max(axis, keepdims=True)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    # Zero points are stored as 0 .. 255: 0 is among the values where they would be others.
    steps = 2**bits - 1
    low, high = np.minimum(low, 0), np.where(-low * steps < 255 * (high - low), high, np.maximum(high, 0))
    none = low == high
    scale = ((high - low + 2 * none) / steps).astype("float32")
    zero = np.full_like(scale, 2 ** (bits - 1)) if symmetric else np.round(-(low - none) / scale)
    return (np.broadcast_to(x[:, 0], len(weights)).astype("float32") for x in (scale, zero))


def nearest(weights, scale, zero, bits):
    """The integers nearest to weights."""
    return np.clip(np.round(weights.astype("float32") / scale + zero), 0, 2**bits - 1)


def integers(weights, hessian, config):
    """The variables of a layer's weights (outputs, inputs), see `CalibratedConfig.integers`.

    Args:
        weights: float32 (outputs, inputs).
        hessian: (inputs, inputs), of zeros where nothing is known.
        config: `GPTQConfig`.
    """
    size = weights.shape[1]
    group_size = size if config.group_size == -1 else config.group_size
    # An input that never occurs counts like one with all others the same: nothing depends on its weights.
    diagonal = np.where(np.diag(hessian) == 0, 1.0, np.diag(hessian))
    hessian = hessian.copy()
    np.fill_diagonal(hessian, diagonal + config.hessian_damping * diagonal.mean())
    order = np.argsort(-diagonal, kind="stable") if config.activation_order else np.arange(size)
    left, hessian = weights[:, order].astype("float64"), hessian[np.ix_(order, order)]
    chosen, scales, zeros = np.zeros(weights.shape, "uint8"), [], []
    influence = _influence(hessian)
    for first in range(0, size, _BLOCK):
        block = slice(first, min(first + _BLOCK, size))
        errors = np.zeros((len(weights), block.stop - first))
        for j in range(first, block.stop):
            if j % group_size == 0:
                scale, zero = group_parameters(
                    left[:, j : j + group_size], config.weight_bits, config.symmetric, config.per_channel
                )
                scales.append(scale)
                zeros.append(zero)
            column = nearest(left[:, j], scale, zero, config.weight_bits)
            chosen[:, j] = column
            error = (left[:, j] - (column - zero) * scale) / influence[j, j]
            left[:, j + 1 : block.stop] -= np.outer(error, influence[j, j + 1 : block.stop])
            errors[:, j - first] = error
        left[:, block.stop :] -= errors @ influence[block, block.stop :]
    back = np.argsort(order)
    return {
        "quantized_kernel": chosen[:, back],
        "kernel_scale": np.stack(scales, 1),
        "kernel_zero": np.stack(zeros, 1),
        "g_idx": (np.arange(size) // group_size)[back],
    }


def _influence(hessian):
    """Row j: how the weights after j make up for an error of weight j, when those before are fixed."""
    try:
        return np.linalg.cholesky(np.linalg.inv(hessian)).T
    except np.linalg.LinAlgError:
        raise ValueError(
            "GPTQ: the inputs of a layer are linearly dependent in the data. Pass GPTQConfig(hessian_damping=0.01), or "
            "more samples."
        ) from None


# Columns whose errors are passed on together, as one product of matrices.
_BLOCK = 128
