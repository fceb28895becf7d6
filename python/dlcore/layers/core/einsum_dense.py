import copy
import functools
import math
import re

from dlcore import activations, ops
from dlcore.backend.arguments import sizes
from dlcore.initializers import VarianceScaling
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.lora import LowRankAdapter
from dlcore.layers.weight_options import (
    add_weight_with_options,
    set_weight_options,
    weight_options_config,
    weight_options_of,
)
from dlcore.quantizers.quantized_weight import QuantizedWeight, UnpackedWeight

_LETTERS = "[a-zA-Z]+"
_EQUATION = "|".join(
    (
        f"{_LETTERS},{_LETTERS}->{_LETTERS}",
        rf"\.\.\.{_LETTERS},{_LETTERS}->\.\.\.{_LETTERS}",
        rf"{_LETTERS}\.\.\.,{_LETTERS}->{_LETTERS}\.\.\.",
    )
)


class EinsumDense(LowRankAdapter, QuantizedWeight, Layer):
    """Dense layer over any axes: y = activation(einsum(equation, x, kernel) + bias).

    Args:
        equation: str such as `"abc,cd->abd"`; `...` stands for leading axes.
        output_shape: int or tuple: the output's sizes without the batch; None for those the input determines.
        activation: name or function, default None: linear.
        bias_axes: str with the output letters the bias has axes for, or None (default): no bias.
        kernel_initializer, bias_initializer: Glorot uniform, zeros.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: default None.
        lora_rank, lora_alpha: default None; a rank: the kernel has adapters from the start, see `enable_lora`.
        gptq_unpacked_column_size: kept for Keras's signature: the columns of the packed kernel, which build() finds.
        quantization_config: of a layer whose dtype is quantized, see `quantize`.

    Example:

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(ops.ones((2, 32, 128))).shape
    (2, 32, 64)
    """

    kernel = UnpackedWeight()

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        gptq_unpacked_column_size=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(equation, str) or not re.fullmatch(_EQUATION, equation):
            raise ValueError(f'EinsumDense: expected an equation such as "abc,cd->abd". Got equation={equation!r}.')
        self.equation = equation
        output_shape = (output_shape,) if isinstance(output_shape, int) else output_shape
        self.partial_output_shape = sizes("EinsumDense", "output_shape", output_shape)
        self.activation = activations.get(activation)
        result = equation.split("->")[-1]
        if bias_axes is not None and not (isinstance(bias_axes, str) and bias_axes and set(bias_axes) <= set(result)):
            raise ValueError(
                f"EinsumDense: bias_axes must be letters of the output {result!r}, or None. "
                f"Got bias_axes={bias_axes!r}."
            )
        self.bias_axes = bias_axes
        self._given_column_size = gptq_unpacked_column_size
        self.take_lora(lora_rank, lora_alpha)
        self.take_quantization_config(quantization_config)
        set_weight_options(self, **weight_options_of(locals()))

    def build(self, input_shape):
        self._input_rank = len(input_shape)
        operands, result = self.equation.replace("...", "").split("->")
        inputs, kernel = operands.split(",")
        # Letters are matched with sizes from the right, where no axes follow them; axes on the left are batch axes.
        if self.equation.endswith("..."):
            sizes = dict(zip(inputs, input_shape))
            sizes_of_result = zip(result[1:], self.partial_output_shape)
        else:
            sizes = dict(zip(reversed(inputs), reversed(tuple(input_shape))))
            sizes_of_result = zip(reversed(result), reversed(self.partial_output_shape))
        for letter, size in sizes_of_result:
            known = sizes.get(letter)
            if known is not None and size not in (None, known):
                raise ValueError(
                    f'EinsumDense "{self.name}": output_shape {self.partial_output_shape} says {size} for "{letter}" '
                    f"of {self.equation}, but the input of shape {tuple(input_shape)} has {known}."
                )
            sizes[letter] = known if size is None else size
        unknown = [letter for letter in kernel + (self.bias_axes or "") if sizes.get(letter) is None]
        if unknown:
            raise ValueError(
                f'EinsumDense "{self.name}": the sizes of {unknown} in {self.equation} are not known from input shape '
                f"{tuple(input_shape)} and output_shape {self.partial_output_shape}."
            )
        shape = tuple(sizes[letter] for letter in kernel)
        self.kernel = self.build_weight(shape)
        self.bias = None
        if self.bias_axes is not None:
            first = min(result.index(letter) for letter in self.bias_axes)
            shape = tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in result[first:])
            if self.equation.endswith("..."):
                shape += (1,) * (len(input_shape) - len(inputs))
            self.bias = add_weight_with_options(self, "bias", shape)
        self.add_adapters_if_asked()
        summed = self._summed(0)
        self.input_spec = InputSpec(min_ndim=len(inputs), axes={axis: sizes[inputs[axis]] for axis in summed})

    def weight_initializer(self):
        """The kernel's initializer, which counts as inputs the axes that are summed over."""
        initializer = self.kernel_initializer
        if isinstance(initializer, VarianceScaling) and None in (initializer.input_axes, initializer.output_axes):
            initializer = copy.copy(initializer)
            rank = len(self.equation.replace("...", "").split("->")[0].split(",")[1])
            initializer.input_axes = self._summed(1)
            initializer.output_axes = [axis for axis in range(-rank, 0) if axis not in initializer.input_axes]
        return initializer

    def _summed(self, operand):
        """The axes of the input (operand 0) or the kernel (1) that the product sums over."""
        operands, result = self.equation.replace("...", "").split("->")
        letters = operands.split(",")[operand]
        end = 0 if operand == 0 and self.equation.endswith("...") else len(letters)
        return tuple(place - end for place, letter in enumerate(letters) if letter not in result)

    def _keeps_last_axis(self):
        operands, result = self.equation.split("->")
        inputs, kernel = operands.split(",")
        return kernel[-1] == result[-1] and kernel[-1] not in inputs

    @property
    def gptq_unpacked_column_size(self):
        """The columns of the kernel as a matrix, in the mode "gptq", which packs them."""
        is_known = self.built and self.quantization_mode == "gptq"
        return self._form.sizes(self._weight_shape)[1] if is_known else self._given_column_size

    def scale_axes(self):
        return self._summed(1)

    def inputs_in_rows(self, inputs):
        operands, result = self.equation.replace("...", "").split("->")
        letters, kernel = operands.split(",")
        end = 0 if self.equation.endswith("...") else len(letters)
        axes = [letters.index(letter) - end for letter in kernel if letter not in result]
        inputs = ops.moveaxis(inputs, axes, list(range(-len(axes), 0)))
        return ops.reshape(inputs, (-1, math.prod(inputs.shape[-len(axes) :])))

    def _scale_letters(self):
        """The kernel's letters that have scales of their own, and the output's, with "." for axes that are elided."""
        operands, result = self.equation.split("->")
        inputs, kernel = operands.split(",")
        elided = "." * (self._input_rank - len(inputs.replace("...", "")))
        return [letter for letter in kernel if letter in result], result.replace("...", elided)

    def scale_as_stored(self, scale):
        """In int8 with the axes of the output, of size 1 where the kernel has none of them: (..., units)."""
        if self.quantization_mode != "int8":
            return scale
        own, result = self._scale_letters()
        scale = ops.transpose(scale, [own.index(letter) for letter in result if letter in own])
        return ops.expand_dims(scale, [axis for axis, letter in enumerate(result) if letter not in own])

    def scale_from_stored(self, scale):
        if self.quantization_mode != "int8":
            return scale
        own, result = self._scale_letters()
        scale = ops.squeeze(scale, [axis for axis, letter in enumerate(result) if letter not in own])
        kept = [letter for letter in result if letter in own]
        return ops.transpose(scale, [kept.index(letter) for letter in own])

    def call(self, inputs, training=None):
        multiply = functools.partial(ops.einsum, self.equation)
        if self.quantization_mode is None:
            x, bias = self.product_with_weight(multiply, inputs), self.bias
        else:
            x, bias = self.quantized_product(multiply, inputs, self._summed(0), training)
        x = x if bias is None else ops.add(x, bias)
        return x if self.activation is None else self.activation(x)

    def get_config(self):
        columns = self.gptq_unpacked_column_size
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": self.partial_output_shape,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **weight_options_config(self),
            **self.lora_entries(),
            **self.quantization_entries(),
            **({} if columns is None else {"gptq_unpacked_column_size": columns}),
        }
