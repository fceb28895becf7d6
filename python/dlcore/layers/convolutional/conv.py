"""Convolution over one, two and three spatial axes."""

from dlcore import ops
from dlcore.backend.arguments import positive_int
from dlcore.layers.convolutional.base_conv import BaseConv
from dlcore.layers.lora import LowRankAdapter
from dlcore.layers.weight_options import add_weight_with_options, weight_options_of


class _Conv(LowRankAdapter, BaseConv):
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
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
        self.groups = positive_int(kind, "groups", groups)
        self.take_lora(lora_rank, lora_alpha)
        if self.filters % self.groups:
            raise ValueError(f"{kind}: filters must be a multiple of groups. Got filters={filters}, groups={groups}.")

    def build(self, input_shape):
        super().build(input_shape)
        self.add_adapters_if_asked()

    def build_kernels(self, channels):
        if channels % self.groups:
            raise ValueError(
                f'{type(self).__name__} "{self.name}": the input channels must be a multiple of groups. '
                f"Got {channels} channels and groups={self.groups}."
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = add_weight_with_options(self, "kernel", shape)

    def convolve(self, inputs):
        return self.convolution_op(inputs, self.kernel)

    def convolution_op(self, inputs, kernel):
        """The convolution alone, with a kernel that a subclass may have changed."""
        return self.apply_op(ops.conv, inputs, kernel)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, **self.lora_entries()}


class Conv1D(_Conv):
    """Convolution along time: y[n, t, f] = activation(bias[f] + sum x[n, t * stride + i * dilation, c] * k[i, c, f]).

    Args:
        filters: int > 0: the number of output channels.
        kernel_size: int > 0.
        strides: int > 0, default 1.
        padding: `"valid"` (default): none; `"same"`: as many outputs as inputs (at stride 1); `"causal"`: on the left
            only, so that no output sees the future.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int > 0, default 1: distance between kernel taps.
        groups: int > 0, default 1: channels and filters are split into so many groups that do not mix.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        kernel_initializer: default `"glorot_uniform"`; bias_initializer: default `"zeros"`.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: default None.
        lora_rank, lora_alpha: default None; a rank: the kernel has adapters from the start, see `enable_lora`.

    Input shape: (batch, steps, channels).
    Output shape: (batch, new_steps, filters).

    Example:

    >>> Conv1D(32, 3, activation="relu")(ops.ones((4, 10, 128))).shape
    (4, 8, 32)
    """

    rank = 1
    _paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """Convolution over images: y = activation(x * kernel + bias).

    y[n, h, w, f] = activation(bias[f] + sum_{i, j, c} x[n, h * stride + i, w * stride + j, c] * kernel[i, j, c, f])

    Args:
        filters: int > 0: the number of output channels.
        kernel_size: int or 2 ints.
        strides: int or 2 ints, default 1.
        padding: `"valid"` (default): none; `"same"`: as many outputs as inputs (at stride 1).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: int or 2 ints, default 1: distance between kernel taps.
        groups: int > 0, default 1: channels and filters are split into so many groups that do not mix.
        activation: name or function, default None: linear.
        use_bias: bool, default True.
        kernel_initializer: default `"glorot_uniform"`; bias_initializer: default `"zeros"`.
        kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint: default None.
        lora_rank, lora_alpha: as `Conv1D`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new_height, new_width, filters).

    Raises:
        ValueError: an argument is out of range, or channels and groups do not fit.

    Reference: LeCun et al. 1998.

    Example:

    >>> Conv2D(2, 3, activation="relu")(ops.ones((4, 28, 28, 3))).shape
    (4, 26, 26, 2)
    """

    rank = 2


class Conv3D(_Conv):
    """Convolution over volumes. Arguments as `Conv2D`, with three spatial axes.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, new_depth, new_height, new_width, filters).

    Example:

    >>> Conv3D(2, 3)(ops.ones((4, 8, 8, 8, 1))).shape
    (4, 6, 6, 6, 2)
    """

    rank = 3
