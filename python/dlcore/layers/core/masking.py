from dlcore import backend, ops
from dlcore.layers.layer import Layer


class Masking(Layer):
    """Masks the time steps whose features all equal a value.

    Args:
        mask_value: float, default 0.0.

    Input shape: (batch, time, features). Output shape: the same; masked steps are zero.
    """

    _has_no_weights = True

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs):
        counts = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        outputs = inputs * ops.cast(counts, inputs.dtype)
        backend.set_keras_mask(outputs, ops.squeeze(counts, axis=-1))
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mask_value": self.mask_value}
