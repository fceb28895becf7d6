"""What the convolution layers share: their arguments, checked, and how bias and activation follow the product."""

from dlcore import activations, backend, ops
from dlcore.backend.arguments import int_tuple, one_of
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.weight_options import add_weight_with_options, set_weight_options, weight_options_config


class BaseConv(Layer):
    """Base of the convolution layers: y = activation(convolve(x) + bias).

    A subclass sets `rank` (the number of spatial axes), `_paddings`, makes its kernels in `build_kernels(channels)` and
    computes the product in `convolve(inputs)`.
    """

    rank = None
    filters = None  # where the inputs' channels say how many there are
    _paddings = ("valid", "same")

    def __init__(
        self,
        kernel_size,
        strides,
        padding,
        data_format,
        dilation_rate,
        activation,
        use_bias,
        weight_options,
        activity_regularizer,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        kind = type(self).__name__
        self.kernel_size = int_tuple(kind, "kernel_size", kernel_size, self.rank)
        self.strides = int_tuple(kind, "strides", strides, self.rank)
        self.dilation_rate = int_tuple(kind, "dilation_rate", dilation_rate, self.rank)
        self.padding = one_of(kind, "padding", padding, self._paddings)
        self.data_format = backend.standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        set_weight_options(self, **weight_options)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{kind}: strides > 1 and dilation_rate > 1 do not go together. Got strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}."
            )

    def build(self, input_shape):
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f'{type(self).__name__} "{self.name}": the number of channels (axis {axis}) must be known. Got input '
                f"shape {tuple(input_shape)}."
            )
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={axis: channels})
        self.build_kernels(channels)
        self.bias = add_weight_with_options(self, "bias", (self._channels_out(channels),)) if self.use_bias else None

    def build_kernels(self, channels):
        """Makes the kernel weights for inputs of so many channels."""
        raise NotImplementedError

    def convolve(self, inputs):
        """The convolution without bias and activation."""
        raise NotImplementedError

    def apply_op(self, op, inputs, *kernels, **arguments):
        """The op with the layer's strides, padding and so on; causal padding, which no op has, comes before it."""
        padding = self.padding
        if padding == "causal":
            pads = [[0, 0], [0, 0], [0, 0]]
            pads[1 if self.data_format == "channels_last" else 2][0] = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs, padding = ops.pad(inputs, pads), "valid"
        return op(
            inputs,
            *kernels,
            strides=self.strides,
            padding=padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
            **arguments,
        )

    def _channels_out(self, channels):
        return self.filters

    def call(self, inputs):
        x = self.convolve(inputs)
        if self.bias is not None:
            bias = self.bias
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1,) + (1,) * self.rank)
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)

    def get_config(self):
        config = super().get_config()
        if self.filters is not None:
            config["filters"] = self.filters
        return {
            **config,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **weight_options_config(self),
        }
