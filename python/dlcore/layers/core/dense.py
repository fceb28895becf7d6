from dlcore import activations, ops
from dlcore.backend.arguments import positive_int
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


class Dense(LowRankAdapter, QuantizedWeight, Layer):
    """Fully connected layer: y = activation(x @ kernel + bias).

    Args:
        units: int > 0: size of the output's last axis.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        kernel_initializer: default `"glorot_uniform"`.
        bias_initializer: default `"zeros"`.
        kernel_regularizer, bias_regularizer, activity_regularizer: default None.
        kernel_constraint, bias_constraint: default None.
        lora_rank, lora_alpha: default None; a rank: the kernel has adapters from the start, see `enable_lora`.
        quantization_config: of a layer whose dtype is quantized, see `quantize`.

    Input shape: (batch, ..., channels).
    Output shape: (batch, ..., units).

    Raises:
        ValueError: units is not an int > 0; the input's last size is unknown or not the one the layer was built for.

    Example:

    >>> Dense(10, activation="softmax")(ops.ones((2, 784))).shape
    (2, 10)
    """

    kernel = UnpackedWeight()

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int("Dense", "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        set_weight_options(self, **weight_options_of(locals()))
        self.take_lora(lora_rank, lora_alpha)
        self.take_quantization_config(quantization_config)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f'Dense "{self.name}": the size of the input\'s last axis must be known. Got input shape '
                f"{tuple(input_shape)}. Give the Input that size."
            )
        self.kernel = self.build_weight((channels, self.units))
        self.bias = add_weight_with_options(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: channels})
        self.add_adapters_if_asked()

    def call(self, inputs, training=None):
        if self.quantization_mode is None:
            x, bias = self.product_with_weight(ops.matmul, inputs), self.bias
        else:
            x, bias = self.quantized_product(ops.matmul, inputs, -1, training)
        if bias is not None:
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **weight_options_config(self),
            **self.lora_entries(),
            **self.quantization_entries(),
        }
