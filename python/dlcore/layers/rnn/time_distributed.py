import math

from dlcore import ops
from dlcore.layers.call_spec import signature_of
from dlcore.layers.core.wrapper import Wrapper


class TimeDistributed(Wrapper):
    """Applies a layer to every time step, with the same weights.

    A layer that keeps statistics of its inputs, such as BatchNormalization, is trained on one step after the other:
    each has statistics of its own. All other layers take all steps at once.

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
            if not signature_of(type(self.layer).call).has_mask:
                mask = None
        if training and leading[1] is not None and self._keeps_statistics():
            masks = [{} if mask is None else {"mask": mask[:, t]} for t in range(leading[1])]
            return ops.stack([self.layer(inputs[:, t], **options, **masks[t]) for t in range(leading[1])], axis=1)
        if mask is not None:
            options["mask"] = ops.reshape(mask, (-1, *mask.shape[2:]))
        outputs = self.layer(ops.reshape(inputs, (-1, *inputs.shape[2:])), **options)
        if math.prod(outputs.shape[1:]) == 0:
            raise ValueError(f'TimeDistributed "{self.name}": the layer\'s output is empty: {tuple(outputs.shape)}.')
        return ops.reshape(outputs, (*leading, *outputs.shape[1:]))

    def _keeps_statistics(self):
        """Whether something in the layer that is not frozen has weights that no gradient changes."""
        layers = self.layer._flatten_layers()
        return any(layer.trainable and any(not v.trainable for v in layer._weights) for layer in layers)

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])
