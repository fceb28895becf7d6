from dlcore import backend, ops
from dlcore.backend.arguments import axis_of, int_from, number, positive_int
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.normalization.shared import add_gamma_and_beta
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of


class GroupNormalization(Layer):
    """Normalizes each sample over groups of channels: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance are taken over all places and over the channels of a group; gamma and beta are per channel.

    Args:
        groups: int, default 32; it must divide the channels. 1 is layer normalization over all axes; -1: as many groups
            as channels (instance normalization).
        axis: int, default -1: the axis of the channels.
        epsilon: float, default 0.001.
        center: bool, default True: learn beta.
        scale: bool, default True: learn gamma.
        beta_initializer, gamma_initializer: zeros, ones.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: default None.

    Input shape: (batch, ..., channels). Output shape: the same.

    Raises:
        ValueError: when the channels are unknown or no multiple of `groups`.

    Reference: Wu & He 2018.

    Example:

    >>> GroupNormalization(groups=2)(ops.ones((4, 8, 8, 6))).shape
    (4, 8, 8, 6)
    """

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if groups != -1:
            positive_int("GroupNormalization", "groups", groups)
        self.groups = groups
        self.axis = int_from("GroupNormalization", "axis", axis)
        self.epsilon = number("GroupNormalization", "epsilon", epsilon)
        self.center = center
        self.scale = scale
        set_weight_options(self, **weight_options_of(locals()))
        self.supports_masking = True
        self.autocast = False  # half precision would overflow before the moments are taken

    def build(self, input_shape):
        channels = input_shape[axis_of(self, self.axis, input_shape)]
        groups = channels if self.groups == -1 else self.groups
        if channels is None or groups < 1 or channels % groups:
            raise ValueError(
                f'GroupNormalization "{self.name}": the channels (axis {self.axis}) must be known and a multiple of '
                f"groups={self.groups}. Got input shape {tuple(input_shape)}. Choose groups that divide the channels."
            )
        self.groups = groups
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        add_gamma_and_beta(self, (channels,))

    def call(self, inputs):
        x = ops.moveaxis(inputs, self.axis, -1)
        x = ops.cast(x, backend.result_type(x.dtype, "float32"))
        x = x - self._mean_of_groups(x)
        scale = ops.rsqrt(self._mean_of_groups(ops.square(x)) + self.epsilon)
        if self.gamma is not None:
            scale = scale * ops.cast(self.gamma, x.dtype)
        x = x * scale
        if self.beta is not None:
            x = x + ops.cast(self.beta, x.dtype)
        return ops.cast(ops.moveaxis(x, -1, self.axis), self.compute_dtype)

    def _mean_of_groups(self, x):
        """The means (batch, 1, ..., 1, channels) of all positions and channels of a group: first of the positions, for
        each channel by itself."""
        mean = ops.mean(x, axis=list(range(1, x.ndim - 1)), keepdims=True) if x.ndim > 2 else x
        size = mean.shape[-1] // self.groups
        if size == 1:
            return mean
        grouped = ops.reshape(mean, [*mean.shape[:-1], self.groups, size])
        return ops.repeat(ops.mean(grouped, axis=-1), size, axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_options_config(self),
        }
