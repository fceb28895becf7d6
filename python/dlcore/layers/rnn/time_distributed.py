import math

from dlcore import ops
from dlcore.layers.call_spec import signature_of
from dlcore.layers.core.wrapper import Wrapper


class TimeDistributed(Wrapper):
    """Applies a layer to every time step, with the same weights.

    Args:
        layer: the layer.

    Input shape: (batch, time, ...).
    Output shape: (batch, time, ...): the layer's output for each step.

    Example:

    >>> TimeDistributed(Conv2D(8, 3))(ops.ones((2, 10, 28, 28, 3))).shape
    (2, 10, 26, 26, 8)
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) < 3:
            raise ValueError(
                f'TimeDistributed "{self.name}" takes inputs (batch, time, ...) of at least 3 axes. Got input shape '
                f"{tuple(input_shape)}."
            )
        if not self.layer.built:
            self.layer.build((input_shape[0], *input_shape[2:]))

    def call(self, inputs, training=None, mask=None):
        leading = tuple(inputs.shape[:2])
        options = {"training": training}
        if mask is not None:
            sizes = zip(leading, tuple(mask.shape[:2]), strict=False)
            if len(mask.shape) < 2 or any(size not in (None, own) and own is not None for own, size in sizes):
                raise ValueError(
                    f'TimeDistributed "{self.name}": the mask must be of shape (batch, time), {leading}, or have more '
                    f"axes after these. Got mask of shape {tuple(mask.shape)}."
                )
            if signature_of(type(self.layer).call).has_mask:
                options["mask"] = ops.reshape(mask, (-1, *mask.shape[2:]))
        outputs = self.layer(ops.reshape(inputs, (-1, *inputs.shape[2:])), **options)
        if math.prod(outputs.shape[1:]) == 0:
            raise ValueError(f'TimeDistributed "{self.name}": the layer\'s output is empty: {tuple(outputs.shape)}.')
        return ops.reshape(outputs, (*leading, *outputs.shape[1:]))

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])
