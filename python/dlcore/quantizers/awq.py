"""AWQ: integers for the weights of a layer, finer where inputs are large.

Reference: Lin et al. 2023.
"""

import numpy as np

from dlcore import ops
from dlcore.quantizers.gptq import group_parameters, nearest


class LargestInputs:
    """The largest absolute value of each of so many features of inputs, seen part by part."""

    def __init__(self, size):
        self.value = np.zeros(size, "float32")

    def see(self, inputs):
        self.value = np.maximum(self.value, ops.convert_to_numpy(ops.max(ops.abs(inputs), axis=0)))


def integers(weights, largest, config):
    """The variables of a layer's weights (outputs, inputs), see `CalibratedConfig.integers`.

    The weights of each input are quantized times a factor, and divided by it in use. Factors are largest^ratio, with
    the ratio of a grid from 0 to 1 that changes outputs least.

    Args:
        weights: float32 (outputs, inputs).
        largest: float32 (inputs,), zeros where nothing is known.
        config: `AWQConfig`.
    """
    largest = np.where(largest < 1e-8, np.float32(1), largest)
    least_error = np.inf
    for step in range(config.num_grid_points + 1):
        factors = np.maximum(largest ** np.float32(step / config.num_grid_points), np.float32(1e-4))
        factors /= np.sqrt(factors.max() * factors.min())
        chosen, scale, zero, group = _in_groups(weights * factors, config)
        back = (chosen - zero[:, group]) * scale[:, group] / factors
        error = np.mean(((weights - back) * largest) ** 2)
        if error < least_error:
            least_error, best = error, (chosen, scale, zero, factors)
    chosen, scale, zero, factors = best
    return {
        "quantized_kernel": chosen.astype("uint8"),
        "kernel_scale": scale,
        "kernel_zero": zero,
        "awq_scales": factors,
        "g_idx": group,
    }


def _in_groups(weights, config):
    """The nearest integers of weights, scales and zero points (outputs, groups), and the group of each input."""
    size = weights.shape[1]
    group = np.arange(size) // (size if config.group_size == -1 else config.group_size)
    parameters = [group_parameters(weights[:, group == i], config.weight_bits) for i in range(group[-1] + 1)]
    scale, zero = (np.stack(values, 1) for values in zip(*parameters))
    return nearest(weights, scale[:, group], zero[:, group], config.weight_bits), scale, zero, group
