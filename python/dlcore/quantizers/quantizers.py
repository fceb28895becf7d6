"""From floats to small integers and back."""

import math

from dlcore import backend, ops
from dlcore.backend.arguments import ChecksArguments, int_tuple
from dlcore.ops.operation import operation


def abs_max_quantize(inputs, axis, value_range=(-127, 127), dtype="int8", epsilon=1e-7, to_numpy=False):
    """Integers round(x * scale) with scale = highest / max |x|, the maximum being taken over the axis.

    Args:
        inputs: floats.
        axis: int or tuple of ints that share a scale.
        value_range: (lowest, highest) integer, default (-127, 127).
        dtype: of the integers, default `"int8"`.
        epsilon: added to max |x|.
        to_numpy: kept for Keras's signature.

    Returns:
        integers of the inputs' shape; scale, floats with sizes 1 at the axis.
    """
    x = ops.convert_to_tensor(inputs)
    scale = ops.cast(value_range[1] / (ops.max(ops.abs(x), axis=axis, keepdims=True) + epsilon), x.dtype)
    return ops.cast(ops.clip(ops.round(x * scale), *value_range), dtype), scale


def abs_max_quantize_grouped_with_zero_point(
    inputs, block_size, value_range=(-8, 7), dtype="int8", epsilon=1e-7, to_numpy=False
):
    """Integers of a matrix, with a scale and a zero point for each block of rows of each column.

    x is about (integer - zero point) * scale.

    Args:
        inputs: floats (rows, columns).
        block_size: rows of a block; the last one may be shorter.
        value_range, dtype, epsilon, to_numpy: as for `abs_max_quantize`, default (-8, 7).

    Returns:
        integers (rows, columns), scales (blocks, columns), zero points int8 (blocks, columns).
    """
    x = ops.convert_to_tensor(inputs)
    rows, columns = x.shape
    blocks = math.ceil(rows / block_size)
    low, high = value_range
    grouped = ops.reshape(ops.pad(x, [(0, blocks * block_size - rows), (0, 0)]), (blocks, block_size, columns))
    least, most = (f(grouped, axis=1, keepdims=True) for f in (ops.min, ops.max))
    scale = (most - least + epsilon) / (high - low)
    zero = ops.clip(ops.round(-least / scale) + low, low, high)
    integers = ops.cast(ops.clip(ops.round(grouped / scale) + zero, low, high), dtype)
    integers = ops.reshape(integers, (blocks * block_size, columns))[:rows]
    return integers, ops.squeeze(scale, axis=1), ops.cast(ops.squeeze(zero, axis=1), "int8")


class Quantizer(ChecksArguments):
    """Base of the quantizers: a callable floats -> (integers, scale). This one returns its input.

    Args:
        output_dtype: dtype of the integers, default `"int8"`.
    """

    def __init__(self, output_dtype="int8"):
        self.output_dtype = backend.standardize_dtype(output_dtype)

    def __call__(self, x):
        return x

    def get_config(self):
        """The constructor's arguments as plain values."""
        return {"output_dtype": self.output_dtype}

    @classmethod
    def from_config(cls, config):
        """A quantizer from what get_config() returned."""
        return cls(**config)


class AbsMaxQuantizer(Quantizer):
    """Scales by the largest absolute value, see `abs_max_quantize`.

    Args:
        axis: int or tuple of ints that share a scale, default None: the last one.
        value_range: (lowest, highest) integer, default (-127, 127).
        epsilon: default 1e-7.
        output_dtype: default `"int8"`.
    """

    def __init__(self, axis=None, value_range=(-127, 127), epsilon=1e-7, output_dtype="int8"):
        super().__init__(output_dtype)
        self.axis = axis if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.value_range = int_tuple("AbsMaxQuantizer", "value_range", value_range, 2, smallest=-(2**31))
        self.epsilon = epsilon
        if output_dtype == "int8" and not -128 <= self.value_range[0] < self.value_range[1] <= 127:
            raise ValueError(f"AbsMaxQuantizer: int8 holds -128 .. 127. Got value_range={value_range}.")

    def __call__(self, x, axis=None, to_numpy=False):
        axis = self.axis if axis is None else axis
        axis = -1 if axis is None else axis
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon)

    def get_config(self):
        config = {"value_range": self.value_range, "epsilon": self.epsilon, **super().get_config()}
        return config if self.axis is None else {**config, "axis": self.axis}


@operation
def fake_quant_with_min_max_vars(inputs, min_vals, max_vals, num_bits=8, narrow_range=False, axis=None):
    """Floats rounded to the 2^num_bits values that integers could have between a minimum and a maximum.

    The range is shifted a little, so that 0 is one of the values. Gradients pass through the rounding; those of inputs
    outside the range go to its ends.

    Args:
        inputs: floats.
        min_vals, max_vals: scalars, or one per index of the axis.
        num_bits: int, default 8.
        narrow_range: bool, default False: leave the lowest value out.
        axis: int, default None: one range for all.

    Reference: Jacob et al. 2018.
    """
    x = ops.convert_to_tensor(inputs)
    wide = backend.result_type(x.dtype, "float32")
    shape = [1] * x.ndim
    if axis is not None:
        shape[axis] = -1
    low, high = (ops.reshape(ops.cast(v, wide), shape) for v in (min_vals, max_vals))
    first, last = int(narrow_range), 2**num_bits - 1
    scale, inverse = (high - low) / (last - first), (last - first) / (high - low)
    zero = ops.round(ops.clip(first - low / scale, first, last))
    nudged_low, nudged_high = (first - zero) * scale, (last - zero) * scale
    y = ops.cast(x, wide)
    # The ends pass gradients on to the given minimum and maximum, whatever the shift.
    end_low, end_high = low + ops.stop_gradient(nudged_low - low), high + ops.stop_gradient(nudged_high - high)
    inside = ops.where(y < nudged_low, end_low, ops.where(y > nudged_high, end_high, y))
    origin = ops.floor(0.5 - nudged_low * inverse)
    rounded = ops.floor((inside - nudged_low) * inverse - origin + 0.5) * scale
    return ops.cast(inside + ops.stop_gradient(rounded - inside), x.dtype)


def _check_int4(function, array, dtype, dtypes):
    if dtype not in ("int8", "uint8"):
        raise ValueError(f'{function}: dtype must be "int8" or "uint8". Got dtype={dtype!r}.')
    if array.dtype not in dtypes:
        raise TypeError(f"{function}: expected a tensor of {' or '.join(dtypes)}. Got {array.dtype}.")


def pack_int4(arr, axis=0, dtype="int8"):
    """Two 4-bit integers in each byte: the even ones along the axis in its low half, the odd ones in its high half.

    Args:
        arr: int8 with values -8 .. 7, or uint8 with values 0 .. 15.
        axis: int, default 0; an odd size is filled up with 0.
        dtype: of arr and the result, `"int8"` (default) or `"uint8"`.

    Returns:
        packed tensor, its shape, and the size of the axis before.
    """
    x = ops.convert_to_tensor(arr)
    _check_int4("pack_int4", x, dtype, (dtype,))
    x = ops.moveaxis(ops.cast(x, "int32"), axis, 0)
    size = x.shape[0]
    x = ops.pad(x, [(0, size % 2), *[(0, 0)] * (x.ndim - 1)])
    byte = ops.mod(x[::2], 16) + 16 * ops.mod(x[1::2], 16)  # 0 .. 255
    byte = byte if dtype == "uint8" else byte - 256 * ops.cast(byte > 127, "int32")
    packed = ops.moveaxis(ops.cast(byte, dtype), 0, axis)
    return packed, tuple(packed.shape), size


def unpack_int4(packed, orig_len, axis=0, dtype="int8"):
    """The reverse of `pack_int4`.

    Args:
        packed: int8 or uint8.
        orig_len: size of the axis before packing.
        axis: int, default 0.
        dtype: of the result: `"int8"` (default), values -8 .. 7, or `"uint8"`, 0 .. 15.
    """
    x = ops.convert_to_tensor(packed)
    _check_int4("unpack_int4", x, dtype, ("int8", "uint8"))
    x = ops.moveaxis(ops.cast(x, "int32"), axis, 0)
    low, high = ops.mod(x, 16), ops.mod(ops.floor_divide(x, 16), 16)
    halves = ops.reshape(ops.stack([low, high], axis=1), (2 * x.shape[0], *x.shape[1:]))[:orig_len]
    if dtype == "int8":
        halves = halves - 16 * ops.cast(halves > 7, "int32")
    return ops.moveaxis(ops.cast(halves, dtype), 0, axis)
