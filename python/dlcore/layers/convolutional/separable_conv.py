"""Separable convolution: a depthwise convolution, then one that mixes the channels."""

from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.layers.convolutional.base_conv import BaseConv
from dlcore.layers.weight_options import add_weight_with_options, weight_options_of


class _SeparableConv(BaseConv):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
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
        self.filters = positive_int(type(self).__name__, "filters", filters)
        self.depth_multiplier = positive_int(type(self).__name__, "depth_multiplier", depth_multiplier)

    def build_kernels(self, channels):
        self.depthwise_kernel = add_weight_with_options(
            self, "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), options="depthwise"
        )
        self.pointwise_kernel = add_weight_with_options(
            self,
            "pointwise_kernel",
            ((1,) * self.rank) + (channels * self.depth_multiplier, self.filters),
            options="pointwise",
        )

    def convolve(self, inputs):
        return self.apply_op(ops.separable_conv, inputs, self.depthwise_kernel, self.pointwise_kernel)

    def get_config(self):
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class SeparableConv1D(_SeparableConv):
    """Separable convolution along time. Arguments as `SeparableConv2D`, with one spatial axis; `padding="causal"` too.

    Input shape: (batch, steps, channels).
    Output shape: (batch, new_steps, filters).
    """

    rank = 1
    _paddings = ("valid", "same", "causal")


class SeparableConv2D(_SeparableConv):
    """Separable convolution over images: depthwise with `depth_multiplier` filters per channel, then 1 x 1.

    Args:
        filters: int > 0: the number of output channels.
        kernel_size: int or 2 ints.
        strides: int or 2 ints, default 1.
        padding: `"valid"` (default) or `"same"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int or 2 ints, default 1.
        depth_multiplier: int > 0, default 1.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        depthwise_initializer, pointwise_initializer, bias_initializer: Glorot uniform, Glorot uniform, zeros.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: default None.
        depthwise_constraint, pointwise_constraint, bias_constraint: default None.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new_height, new_width, filters).

    Reference: Chollet 2017.
    """

    rank = 2
