from dlcore import _core, backend, ops
from dlcore.backend.arguments import axis_of, number
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer
from dlcore.layers.normalization.shared import add_gamma_and_beta
from dlcore.layers.weight_options import add_weight_with_options, set_weight_options, weight_options_config


class BatchNormalization(Layer):
    """Normalizes each channel over the batch: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    In training mean and variance are the batch's, and moving averages of them are kept:
    moving <- momentum * moving + (1 - momentum) * batch. Otherwise the moving averages are used; also when the layer is
    frozen (`trainable = False`).

    Args:
        axis: int, default -1: the axis of the channels.
        momentum: float, default 0.99.
        epsilon: float, default 0.001.
        center: bool, default True: learn beta.
        scale: bool, default True: learn gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: zeros, ones, zeros,
            ones.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: default None.

    Input shape: any. Output shape: the same.

    Reference: Ioffe & Szegedy 2015.
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if synchronized:
            raise ValueError("BatchNormalization: synchronized=True is for several machines. Got one; leave it out.")
        self.axis = int(number("BatchNormalization", "axis", axis))
        self.momentum = float(number("BatchNormalization", "momentum", momentum))
        self.epsilon = float(number("BatchNormalization", "epsilon", epsilon))
        self.center = center
        self.scale = scale
        set_weight_options(
            self,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.supports_masking = True

    def build(self, input_shape):
        axis = axis_of(self, self.axis, input_shape)
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f'BatchNormalization "{self.name}": the size of axis {self.axis} must be known. Got input shape '
                f"{tuple(input_shape)}."
            )
        add_gamma_and_beta(self, (channels,))
        self.moving_mean = add_weight_with_options(self, "moving_mean", (channels,), trainable=False, autocast=False)
        self.moving_variance = add_weight_with_options(
            self, "moving_variance", (channels,), trainable=False, autocast=False
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: channels})
        self.built = True

    def call(self, inputs, training=None, mask=None):
        # Half precision would overflow in the squares.
        x = ops.cast(inputs, backend.result_type(inputs.dtype, "float32"))
        return ops.cast(self._call_wide(x, training, mask), inputs.dtype)

    def _call_wide(self, inputs, training, mask):
        if not (training and self.trainable):
            return self._normalize(inputs, self.moving_mean, self.moving_variance)
        if mask is not None:
            mean, variance = self._masked_moments(inputs, mask)
            outputs = self._normalize(inputs, mean, variance)
        else:
            gamma = ops.ones_like(self.moving_mean) if self.gamma is None else self.gamma
            beta = ops.zeros_like(self.moving_mean) if self.beta is None else self.beta
            gamma, beta = ops.cast(gamma, inputs.dtype), ops.cast(beta, inputs.dtype)
            attrs = {"epsilon": self.epsilon, "axis": self.axis}
            outputs, mean, variance, _ = _core.apply("batch_norm", [inputs, gamma, beta], **attrs)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return outputs

    def _move(self, average, value):
        average.assign(average * self.momentum + value * (1.0 - self.momentum))

    def _normalize(self, inputs, mean, variance):
        return ops.batch_normalization(
            inputs,
            mean=mean,
            variance=variance,
            axis=self.axis,
            offset=self.beta,
            scale=self.gamma,
            epsilon=self.epsilon,
        )

    def _masked_moments(self, inputs, mask):
        """Mean and variance over the positions that count."""
        if len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                f'BatchNormalization "{self.name}": the mask must have one axis less than the input. Got mask '
                f"{tuple(mask.shape)} for input {tuple(inputs.shape)}."
            )
        axes = [axis for axis in range(len(inputs.shape)) if axis != self.axis % len(inputs.shape)]
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), -1) * ops.ones_like(inputs)
        total = ops.sum(weights, axis=axes, keepdims=True) + backend.epsilon()
        mean = ops.sum(inputs * weights, axis=axes, keepdims=True) / total
        variance = ops.sum(ops.square(inputs - mean) * weights, axis=axes, keepdims=True) / total
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_options_config(self),
            "synchronized": False,
        }
