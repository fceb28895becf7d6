import numpy as np

from dlcore import backend, ops
from dlcore.layers.layer import Layer


class Rescaling(Layer):
    """y = x * scale + offset: `Rescaling(1 / 255)` maps bytes to [0, 1].

    Args:
        scale: float or list with one per channel.
        offset: float or list with one per channel, default 0.0.

    Input shape: any. Output shape: the same.
    """

    _has_no_weights = True

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("scale", scale), ("offset", offset)):
            if np.asarray(value).dtype.kind not in "biuf":
                raise ValueError(f"Rescaling: {name} must be a number or a list of numbers. Got {name}={value!r}.")
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        return x * _per_channel(self.scale, x.dtype) + _per_channel(self.offset, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "scale": np.asarray(self.scale).tolist(),
            "offset": np.asarray(self.offset).tolist(),
        }


def _per_channel(value, dtype):
    value = np.asarray(value)
    if value.ndim == 1 and backend.image_data_format() == "channels_first":
        value = value.reshape(-1, 1, 1)
    return ops.convert_to_tensor(value, dtype=dtype)
