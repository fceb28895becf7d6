"""Depthwise convolution: every input channel has filters of its own."""

from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.layers.convolutional.base_conv import BaseConv
from dlcore.layers.weight_options import add_weight_with_options, weight_options_of


class _DepthwiseConv(BaseConv):
    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
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
        self.depth_multiplier = positive_int(type(self).__name__, "depth_multiplier", depth_multiplier)

    def build_kernels(self, channels):
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = add_weight_with_options(self, "kernel", shape, options="depthwise")

    def _channels_out(self, channels):
        return channels * self.depth_multiplier

    def convolve(self, inputs):
        return self.apply_op(ops.depthwise_conv, inputs, self.kernel)

    def get_config(self):
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv1D(_DepthwiseConv):
    """Depthwise convolution along time. Arguments as `DepthwiseConv2D`, with one spatial axis.

    Input shape: (batch, steps, channels).
    Output shape: (batch, new_steps, channels * depth_multiplier).
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """Depthwise convolution over images: each channel is convolved with `depth_multiplier` filters of its own.

    Args:
        kernel_size: int or 2 ints.
        strides: int or 2 ints, default 1.
        padding: `"valid"` (default) or `"same"`.
        depth_multiplier: int > 0, default 1: output channels per input channel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int or 2 ints, default 1.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        depthwise_initializer: default `"glorot_uniform"`; bias_initializer: default `"zeros"`.
        depthwise_regularizer, bias_regularizer, activity_regularizer: default None.
        depthwise_constraint, bias_constraint: default None.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new_height, new_width, channels * depth_multiplier).

    Reference: Howard et al. 2017.
    """

    rank = 2
