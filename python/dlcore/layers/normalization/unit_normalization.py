from dlcore import ops
from dlcore.layers.layer import Layer


class UnitNormalization(Layer):
    """Divides each sample by its Euclidean norm.

    Args:
        axis: int or list of ints, default -1: the axes over which the norm is taken.

    Input shape: any. Output shape: the same.

    Example:

    >>> UnitNormalization()(ops.ones((1, 4))).numpy()
    array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """

    _has_no_weights = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.supports_masking = True

    def call(self, inputs):
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}
