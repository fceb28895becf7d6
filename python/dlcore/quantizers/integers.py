"""Weights as int8, or as 4-bit integers two in a byte, with scales."""

import math

from dlcore import ops
from dlcore.ops.indexing import rows_of
from dlcore.quantizers.configs import QuantizationConfig
from dlcore.quantizers.form import Form
from dlcore.quantizers.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)


class Integers(Form):
    """The integers are what is stored; calls turn them into floats.

    Args:
        layer, name: as for `Form`.
        axes: along which numbers share a scale, default the layer's `scale_axes()`.
        packed_axis: along which 4-bit integers are packed.
    """

    def __init__(self, layer, name=None, axes=None, packed_axis=-1):
        super().__init__(layer, name)
        self.axes = layer.scale_axes() if axes is None else axes
        self.packed_axis = packed_axis

    @property
    def shape(self):
        """The shape of the weight as floats."""
        return getattr(self.layer, f"_{self.name}_shape")

    @staticmethod
    def order(mode, weight, others):
        groups = (f"{weight}_zero", "g_idx") if mode == "int4" else ()
        return [weight, *others, f"{weight}_scale", *groups]

    def _block(self):
        """Numbers that share a scale and a zero point; None: all along the axes."""
        block = getattr(self.layer.dtype_policy, "block_size", -1)
        return None if block == -1 else block

    def _shape_and_axes(self, shape):
        """The shape in which a weight becomes integers, and the axes that share scales: int4 has rows and columns."""
        axes = tuple(axis % len(shape) for axis in self.axes)
        if self.layer.quantization_mode == "int8" or len(shape) <= 2:
            return tuple(shape), axes
        rows = math.prod(shape[axis] for axis in axes)
        return (rows, math.prod(shape) // rows), (0,)

    def take(self, weight, config):
        values = self._integers_of(ops.convert_to_tensor(weight))
        self.replace(weight)
        for variable, value in zip(self._variables(), values):
            variable.assign(value)

    def values_with(self, change):
        """Pairs of a variable and what it would hold if `change`, floats of the weight's shape, were added."""
        return list(zip(self._variables(), self._integers_of(ops.add(self.weight(), change))))

    def _integers_of(self, weight):
        """The integers, scales (and zero points) to store."""
        mode, config = self.layer.quantization_mode, self.layer.quantization_config
        shape, axes = self._shape_and_axes(weight.shape)
        weight, block, zero = ops.reshape(weight, shape), self._block(), []
        if block is None:
            value_range = (-127, 127) if mode == "int8" else (-8, 7)
            default = AbsMaxQuantizer(axis=axes, value_range=value_range)
            quantizer = QuantizationConfig.weight_quantizer_or_default(config, default)
            integers, scale = quantizer(weight)
            scale = self.layer.scale_as_stored(ops.squeeze(scale, axis=axes))
        else:
            along_rows = axes[0] == 0
            rows = weight if along_rows else ops.transpose(weight)
            integers, scale, zero = abs_max_quantize_grouped_with_zero_point(rows, block)
            if not along_rows:
                integers, scale, zero = (ops.transpose(x) for x in (integers, scale, zero))
            zero = [zero]
        if mode == "int4":
            integers = pack_int4(integers, axis=self.packed_axis)[0]
        return [integers, scale, *zero]

    def build(self, shape):
        layer, block, name = self.layer, self._block(), self.name
        setattr(layer, f"_{name}_shape", tuple(shape))
        shape, axes = self._shape_and_axes(shape)
        if block is None:
            kept = [size for axis, size in enumerate(shape) if axis not in axes]
            scales = layer.scale_as_stored(ops.ones(kept)).shape
        else:
            scales = tuple(math.ceil(size / block) if axis in axes else size for axis, size in enumerate(shape))
        stored = list(shape)
        if layer.quantization_mode == "int4":
            stored[self.packed_axis] = math.ceil(shape[self.packed_axis] / 2)
        integers = layer.add_weight(stored, "zeros", "int8", trainable=False, name=name)
        scale = layer.add_weight(scales, "ones", trainable=False, autocast=False, name=f"{name}_scale")
        setattr(layer, f"{name}_scale", scale)
        if block is not None:
            zero = layer.add_weight(scales, "zeros", "int8", trainable=False, name=f"{name}_zero")
            setattr(layer, f"{name}_zero", zero)
            if name == layer.quantized_weight:
                self._add_blocks(shape[axes[0]])
        return integers

    def _add_blocks(self, size):
        """The block of each row: what it must be here, but part of Keras's files."""
        g_idx = self.layer.add_weight((size,), "zeros", "float32", trainable=False, autocast=False, name="g_idx")
        g_idx.assign(ops.arange(size, dtype="float32") // self._block())
        self.layer.g_idx = g_idx

    def _variables(self):
        names = [self.name + ending for ending in ("", "_scale", "_zero")]
        return [vars(self.layer)[name] for name in names if name in vars(self.layer)]

    def unpacked(self):
        """The 4-bit integers, each a number of its own, in the shape of the weight."""
        shape, _ = self._shape_and_axes(self.shape)
        return ops.reshape(unpack_int4(self.variable, shape[self.packed_axis], axis=self.packed_axis), self.shape)

    def weight(self, rows=None):
        """The weight as floats of the compute dtype; with `rows`, only these indices of its first axis."""
        layer = self.layer
        integers, scale, *zero = self._variables()
        whole = self.shape
        (shape, axes), block = self._shape_and_axes(whole), self._block()
        if rows is not None:
            integers, scale, *zero = (rows_of(x, rows) for x in (integers, scale, *zero))
            axes = [integers.ndim - len(shape) + axis for axis in axes]
        if layer.quantization_mode == "int4":
            integers = unpack_int4(integers, shape[self.packed_axis], axis=self.packed_axis)
        wide = ops.cast(integers, "float32")
        if block is None:
            weight = wide / ops.expand_dims(layer.scale_from_stored(scale), axes)
        else:
            size = wide.shape[axes[0]]
            scale, zero = (
                ops.take(ops.repeat(ops.cast(x, "float32"), block, axis=axes[0]), range(size), axis=axes[0])
                for x in (scale, *zero)
            )
            weight = (wide - zero) * scale
        weight = weight if rows is not None else ops.reshape(weight, whole)
        return ops.cast(weight, layer.compute_dtype)

    @property
    def inputs_quantizer(self):
        """The `Quantizer` of the inputs; None: they stay floats."""
        default = AbsMaxQuantizer() if self.layer.quantization_mode == "int8" else None
        return QuantizationConfig.activation_quantizer_or_default(self.layer.quantization_config, default)

    def product(self, multiply, inputs, axis, training):
        quantizer = self.inputs_quantizer
        if quantizer is not None:  # the inputs as its integers would have them; gradients pass through
            integers, scale = quantizer(inputs, axis=axis)
            inputs = inputs + ops.stop_gradient(ops.cast(integers, inputs.dtype) / scale - inputs)
        return multiply(inputs, self.weight())
