"""IntegerWeight: what layers that can keep their weight as small integers have in common."""

import math

from dlcore import ops
from dlcore.ops.indexing import rows_of
from dlcore.quantizers.configs import QuantizationConfig, resolve
from dlcore.quantizers.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)


class IntegerWeight:
    """Mixed into a layer: `quantize` turns its weight into int8, or 4-bit integers two in a byte, with scales.

    The integers are what is stored; calls turn them into floats. The layer says which attribute the weight is and
    along which axes its numbers share a scale.
    """

    quantized_weight = "kernel"
    quantization_config = None

    def scale_axes(self):
        """The axes of the weight along which numbers share a scale."""
        return (0,)

    def scale_as_stored(self, scale):
        """The scale as the layer keeps it. `scale` has the axes of the weight but those of `scale_axes()`."""
        return scale

    def scale_from_stored(self, scale):
        """The inverse of `scale_as_stored`."""
        return scale

    def quantize(self, mode=None, type_check=True, config=None):
        """Turns the weight into integers; the layer can't be trained further, but passes gradients on to its inputs.

        Args:
            mode: `"int8"` or `"int4"`, default that of the config.
            type_check: kept for Keras's signature.
            config: `Int8QuantizationConfig` or `Int4QuantizationConfig`, default that of the mode.

        Raises:
            ValueError: the layer is not built, is quantized already, or mode and config don't agree.
        """
        from dlcore.backend import dtype_policy

        config = resolve(mode, config)
        if not self.built:
            raise ValueError(f"{self._label()} must be built before it is quantized. Call it on data first.")
        if self.quantization_mode is not None:
            raise ValueError(f"{self._label()} has weights in {self.quantization_mode} already.")
        if self.lora_enabled:
            self.merge_adapters()
        weight = getattr(self, self.quantized_weight)
        block = getattr(config, "block_size", None) or -1
        name = config.mode if config.mode == "int8" else f"int4/{block}"
        self.quantization_config = config
        self.dtype_policy = dtype_policy.get_policy(f"{name}_from_{self.dtype_policy.name}")
        values = self._integers_of(ops.convert_to_tensor(weight), config)
        self._forget_weight(weight)
        self.build_integers(weight.shape)
        for variable, value in zip(self._integer_variables(), values):
            variable.assign(value)

    def _block(self):
        """Numbers that share a scale and a zero point; None: all along the axes."""
        block = getattr(self.dtype_policy, "block_size", -1)
        return None if block == -1 else block

    def _form(self, shape):
        """The shape in which a weight becomes integers, and the axes that share scales: int4 has rows and columns."""
        axes = tuple(axis % len(shape) for axis in self.scale_axes())
        if self.quantization_mode == "int8" or len(shape) <= 2:
            return tuple(shape), axes
        rows = math.prod(shape[axis] for axis in axes)
        return (rows, math.prod(shape) // rows), (0,)

    def _integers_of(self, weight, config):
        """The integers, scales (and zero points) to store."""
        shape, axes = self._form(weight.shape)
        weight, block, zero = ops.reshape(weight, shape), self._block(), []
        if block is None:
            value_range = (-127, 127) if config.mode == "int8" else (-8, 7)
            default = AbsMaxQuantizer(axis=axes, value_range=value_range)
            quantizer = QuantizationConfig.weight_quantizer_or_default(config, default)
            integers, scale = quantizer(weight)
            scale = self.scale_as_stored(ops.squeeze(scale, axis=axes))
        else:
            along_rows = axes[0] == 0
            rows = weight if along_rows else ops.transpose(weight)
            integers, scale, zero = abs_max_quantize_grouped_with_zero_point(rows, block)
            if not along_rows:
                integers, scale, zero = (ops.transpose(x) for x in (integers, scale, zero))
            zero = [zero]
        if config.mode == "int4":
            integers = pack_int4(integers, axis=-1)[0]
        return [integers, scale, *zero]

    def _forget_weight(self, weight):
        from dlcore.layers.layer import note_structure_change

        self._weights = [variable for variable in self._weights if variable is not weight]
        delattr(self, self.quantized_weight)
        note_structure_change()

    def build_integers(self, shape):
        """Makes the variables for a weight of this shape."""
        name, block = self.quantized_weight, self._block()
        self._weight_shape = tuple(shape)
        shape, axes = self._form(shape)
        if block is None:
            scales = self.scale_as_stored(ops.ones([size for axis, size in enumerate(shape) if axis not in axes])).shape
        else:
            scales = tuple(math.ceil(size / block) if axis in axes else size for axis, size in enumerate(shape))
        stored = (*shape[:-1], math.ceil(shape[-1] / 2)) if self.quantization_mode == "int4" else shape
        setattr(self, name, self.add_weight(stored, "zeros", "int8", trainable=False, name=name))
        scale = self.add_weight(scales, "ones", trainable=False, autocast=False, name=f"{name}_scale")
        setattr(self, f"{name}_scale", scale)
        if block is not None:
            zero = self.add_weight(scales, "zeros", "int8", trainable=False, name=f"{name}_zero")
            setattr(self, f"{name}_zero", zero)
            # The block of each row: what it must be here, but part of Keras's files.
            size = shape[axes[0]]
            self.g_idx = self.add_weight((size,), "zeros", "float32", trainable=False, autocast=False, name="g_idx")
            self.g_idx.assign(ops.arange(size, dtype="float32") // block)

    def _integer_variables(self):
        names = [self.quantized_weight + ending for ending in ("", "_scale", "_zero")]
        return [getattr(self, name) for name in names if hasattr(self, name)]

    def float_weight(self, rows=None):
        """The weight as floats of the compute dtype; with `rows`, only these indices of its first axis."""
        integers, scale, *zero = self._integer_variables()
        (shape, axes), block = self._form(self._weight_shape), self._block()
        if rows is not None:
            integers, scale, *zero = (rows_of(x, rows) for x in (integers, scale, *zero))
            axes = [integers.ndim - len(shape) + axis for axis in axes]
        if self.quantization_mode == "int4":
            integers = unpack_int4(integers, shape[-1], axis=-1)
        wide = ops.cast(integers, "float32")
        if block is None:
            weight = wide / ops.expand_dims(self.scale_from_stored(scale), axes)
        else:
            size = wide.shape[axes[0]]
            scale, zero = (
                ops.take(ops.repeat(ops.cast(x, "float32"), block, axis=axes[0]), range(size), axis=axes[0])
                for x in (scale, *zero)
            )
            weight = (wide - zero) * scale
        weight = weight if rows is not None else ops.reshape(weight, self._weight_shape)
        return ops.cast(weight, self.compute_dtype)

    @property
    def inputs_quantizer(self):
        """The `Quantizer` of the inputs; None: they stay floats."""
        default = AbsMaxQuantizer() if self.quantization_mode == "int8" else None
        return QuantizationConfig.activation_quantizer_or_default(self.quantization_config, default)

    def rounded_inputs(self, inputs, axis=-1):
        """The inputs as the integers of their quantizer would have them; gradients pass through."""
        quantizer = self.inputs_quantizer
        if quantizer is None:
            return inputs
        integers, scale = quantizer(inputs, axis=axis)
        return inputs + ops.stop_gradient(ops.cast(integers, inputs.dtype) / scale - inputs)

    def quantization_entries(self):
        """What the layer's configuration says of it; nothing where the weight is floats."""
        from dlcore import quantizers

        config = self.quantization_config
        return {} if config is None else {"quantization_config": quantizers.serialize(config)}

    def take_quantization_config(self, config):
        """Keeps the constructor's argument of that name."""
        from dlcore import quantizers

        self.quantization_config = quantizers.get(config)

    @property
    def _own_variables(self):
        """In Keras's order: the integers first, what belongs to them last."""
        variables = super()._own_variables
        if not self.built or self.quantization_mode is None:
            return variables
        integers, *scales = self._integer_variables()
        scales += [self.g_idx] if self._block() is not None else []
        rest = [v for v in variables if all(v is not other for other in (integers, *scales))]
        return [integers, *rest, *scales]
