from dlcore.layers.layer import Layer


class Identity(Layer):
    """y = x: a placeholder that keeps a model's structure.

    Input shape: any. Output shape: the same.
    """

    _has_no_weights = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape
