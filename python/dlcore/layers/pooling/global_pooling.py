"""Global pooling: the maximum or the mean over all spatial positions."""

from dlcore import backend, ops
from dlcore.layers.input_spec import InputSpec
from dlcore.layers.layer import Layer


class _GlobalPooling(Layer):
    rank = None
    _has_no_weights = True

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.data_format = backend.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self):
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class _GlobalMaxPooling(_GlobalPooling):
    def call(self, inputs):
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The maximum over time.

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`.
        keepdims: bool, default False: keep the pooled axis with size 1.

    Input shape: (batch, steps, channels).
    Output shape: (batch, channels).
    """

    rank = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The maximum over the image. Arguments as `GlobalMaxPooling1D`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, channels).
    """

    rank = 2


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The maximum over the volume. Arguments as `GlobalMaxPooling1D`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, channels).
    """

    rank = 3


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over time; steps that a mask leaves out do not count. Arguments as `GlobalMaxPooling1D`."""

    rank = 1

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        (axis,) = self._axes
        if mask is None:
            return ops.mean(inputs, axis=axis, keepdims=self.keepdims)
        mask = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        total = ops.sum(inputs * mask, axis=axis, keepdims=self.keepdims)
        return total / ops.sum(mask, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs, mask=None):
        return None


class _GlobalAveragePooling(_GlobalPooling):
    def call(self, inputs):
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean over the image. Arguments as `GlobalMaxPooling1D`.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, channels).
    """

    rank = 2


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean over the volume. Arguments as `GlobalMaxPooling1D`.

    Input shape: (batch, depth, height, width, channels).
    Output shape: (batch, channels).
    """

    rank = 3
