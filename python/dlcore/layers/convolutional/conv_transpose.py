"""Transposed convolution: the gradient of a convolution, used to enlarge."""

from dlcore import ops
from dlcore.backend.arguments import int_tuple, positive_int
from dlcore.layers.convolutional.base_conv import BaseConv
from dlcore.layers.weight_options import add_weight_with_options, weight_options_of


class _ConvTranspose(BaseConv):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            weight_options_of(locals()),
            activity_regularizer,
            **kwargs,
        )
        kind = type(self).__name__
        self.filters = positive_int(kind, "filters", filters)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = int_tuple(kind, "output_padding", output_padding, self.rank, smallest=0)
            if any(p >= s for p, s in zip(self.output_padding, self.strides)):
                raise ValueError(
                    f"{kind}: output_padding must be smaller than strides. Got output_padding={self.output_padding}, "
                    f"strides={self.strides}."
                )

    def build_kernels(self, channels):
        self.kernel = add_weight_with_options(self, "kernel", (*self.kernel_size, self.filters, channels))

    def convolve(self, inputs):
        return self.apply_op(ops.conv_transpose, inputs, self.kernel, output_padding=self.output_padding)

    def get_config(self):
        return {**super().get_config(), "output_padding": self.output_padding}


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution along time. Arguments as `Conv2DTranspose`, with one spatial axis.

    Input shape: (batch, steps, channels).
    Output shape: (batch, new_steps, filters).
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution over images: what turns an output of a `Conv2D` back into the shape of its input.

    Args:
        filters: int > 0: the number of output channels.
        kernel_size: int or 2 ints.
        strides: int or 2 ints, default 1: by how much the image grows.
        padding: `"valid"` (default) or `"same"`: outputs are inputs * strides.
        output_padding: int or 2 ints < strides, or None (default): added to the output size.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int or 2 ints, default 1.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        kernel_... and bias_initializer, _regularizer, _constraint: Glorot uniform, zeros, none.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new_height, new_width, filters), new = (old - 1) * stride + max(kernel, stride) when valid.

    Reference: Zeiler et al. 2010.
    """

    rank = 2


class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution over volumes. Arguments as `Conv2DTranspose`, with three spatial axes.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, filters).
    """

    rank = 3

    def __init__(
        self, filters, kernel_size, strides=1, padding="valid", data_format=None, output_padding=None, **kwargs
    ):
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, **kwargs)
