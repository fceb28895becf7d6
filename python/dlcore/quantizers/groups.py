"""Weights as groups of unsigned integers that were fitted to the inputs of layers."""

import math

from dlcore import ops
from dlcore.quantizers.form import Form
from dlcore.quantizers.quantizers import pack_int4, unpack_int4


class Groups(Form):
    """The weight as a matrix (outputs, inputs), with a scale and a zero point for each output and group of inputs."""

    @staticmethod
    def order(mode, weight, others):
        return [*others, f"quantized_{weight}", "kernel_scale", "kernel_zero", "g_idx"]

    def _axes(self, shape):
        """The axes of a weight that are its inputs, and the others."""
        inputs = [axis % len(shape) for axis in self.layer.scale_axes()]
        return inputs, [axis for axis in range(len(shape)) if axis not in inputs]

    def sizes(self, shape):
        """How many inputs and outputs a weight has."""
        return [math.prod(shape[axis] for axis in axes) for axes in self._axes(shape)]

    def build(self, shape):
        layer, policy = self.layer, self.layer.dtype_policy
        layer._weight_shape = tuple(shape)
        rows, columns = self.sizes(shape)
        stored = math.ceil(columns / 2) if policy.weight_bits == 4 else columns
        groups = 1 if policy.group_size == -1 else math.ceil(rows / policy.group_size)

        def add(name, shape, dtype, initializer="zeros"):
            return layer.add_weight(shape, initializer, dtype, trainable=False, autocast=False, name=name)

        layer.quantized_kernel = add("kernel", (stored, rows), "uint8")
        layer.kernel_scale = add("kernel_scale", (columns, groups), layer.variable_dtype, "ones")
        layer.kernel_zero = add("kernel_zero", (columns, groups), "uint8")
        layer.g_idx = add("g_idx", (rows,), "float32")
        return layer.quantized_kernel

    def statistics(self, config):
        """What the configuration wants to know of the inputs."""
        return config.statistics(self.sizes(self.variable.shape)[0])

    def take(self, weight, config, statistics=None):
        layer = self.layer
        statistics = self.statistics(config) if statistics is None else statistics
        inputs, outputs = self._axes(weight.shape)
        matrix = ops.reshape(ops.transpose(weight, [*outputs, *inputs]), (-1, self.sizes(weight.shape)[0]))
        values = config.integers(ops.convert_to_numpy(ops.cast(matrix, "float32")), statistics)
        if config.weight_bits == 4:
            values["quantized_kernel"] = pack_int4(values["quantized_kernel"], axis=0, dtype="uint8")[0]
        self.replace(weight)
        for name, value in values.items():
            getattr(layer, name).assign(value)

    def weight(self):
        layer, shape = self.layer, self.layer._weight_shape
        integers = ops.convert_to_tensor(layer.quantized_kernel)
        if layer.dtype_policy.weight_bits == 4:
            integers = unpack_int4(integers, self.sizes(shape)[1], axis=0, dtype="uint8")
        group = ops.cast(layer.g_idx, "int32")
        scale, zero = (ops.take(ops.cast(x, "float32"), group, axis=1) for x in (layer.kernel_scale, layer.kernel_zero))
        matrix = self._unscaled((ops.cast(integers, "float32") - zero) * scale)
        inputs, outputs = self._axes(shape)
        axes = [*outputs, *inputs]
        weight = ops.reshape(matrix, [shape[axis] for axis in axes])
        weight = ops.transpose(weight, [axes.index(axis) for axis in range(len(shape))])
        return ops.cast(weight, layer.compute_dtype)

    def _unscaled(self, matrix):
        return matrix


class ScaledGroups(Groups):
    """The weights of each input times a factor, `awq_scales`, by which they are divided in use."""

    @staticmethod
    def order(mode, weight, others):
        *names, last = Groups.order(mode, weight, others)
        return [*names, "awq_scales", last]

    def build(self, shape):
        kernel, layer = super().build(shape), self.layer
        layer.awq_scales = layer.add_weight(
            layer.g_idx.shape, "ones", trainable=False, autocast=False, name="awq_scales"
        )
        return kernel

    def _unscaled(self, matrix):
        return matrix / ops.cast(self.layer.awq_scales, "float32")
