from dlcore import ops
from dlcore.backend.arguments import axes, number
from dlcore.backend.tracebacks import warn
from dlcore.layers.layer import Layer
from dlcore.layers.normalization.shared import add_gamma_and_beta, feature_axes
from dlcore.layers.weight_options import set_weight_options, weight_options_config, weight_options_of


class LayerNormalization(Layer):
    """Normalizes each sample over its features: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Args:
        axis: int or list of ints, default -1: the axes of the features.
        epsilon: float, default 0.001.
        center: bool, default True: learn beta.
        scale: bool, default True: learn gamma.
        beta_initializer, gamma_initializer: zeros, ones.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: default None.

    Input shape: any. Output shape: the same.

    Reference: Ba et al. 2016.
    """

    def __init__(
        self,
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
        rms_scaling = kwargs.pop("rms_scaling", False)
        if rms_scaling:
            warn("LayerNormalization: rms_scaling=True is kept for older programs. Use RMSNormalization instead.")
        super().__init__(**kwargs)
        axes("LayerNormalization", "axis", axis)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon = float(number("LayerNormalization", "epsilon", epsilon))
        self.rms_scaling = rms_scaling
        self.center = center and not rms_scaling
        self.scale = scale or rms_scaling
        set_weight_options(self, **weight_options_of(locals()))
        self.supports_masking = True
        self.autocast = False  # half precision would overflow before the moments are taken

    def build(self, input_shape):
        self.axis = feature_axes(self, input_shape)
        add_gamma_and_beta(self, tuple(input_shape[axis] for axis in self.axis))

    def call(self, inputs):
        axis = self.axis[0] if len(self.axis) == 1 else self.axis
        outputs = ops.layer_normalization(inputs, self.gamma, self.beta, axis, self.epsilon, self.rms_scaling)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            **weight_options_config(self),
        }
