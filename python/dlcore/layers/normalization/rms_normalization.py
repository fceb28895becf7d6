from dlcore import ops
from dlcore.backend.arguments import axes, number
from dlcore.layers.layer import Layer
from dlcore.layers.normalization.shared import feature_axes


class RMSNormalization(Layer):
    """Divides each sample by its root mean square: y = scale * x / sqrt(mean(x^2) + epsilon).

    Args:
        axis: int or list of ints, default -1: the axes of the features.
        epsilon: float, default 1e-6.

    Input shape: any. Output shape: the same.

    Reference: Zhang & Sennrich 2019.

    Example:

    >>> RMSNormalization()(ops.ones((4, 8))).shape
    (4, 8)
    """

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        axes("RMSNormalization", "axis", axis)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon = number("RMSNormalization", "epsilon", epsilon)

    def build(self, input_shape):
        self.axis = feature_axes(self, input_shape)
        self.scale = self.add_weight(tuple(input_shape[axis] for axis in self.axis), "ones", name="scale")

    def call(self, x):
        return ops.rms_normalization(x, scale=self.scale, axis=self.axis, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}
