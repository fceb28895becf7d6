from dlcore import ops
from dlcore.backend.arguments import int_from
from dlcore.layers.layer import Layer
from dlcore.layers.merging.merge import check_masks, check_shapes


class Concatenate(Layer):
    """Joins a list of inputs along an axis; their other sizes must agree.

    Args:
        axis: int, default -1.

    Example:

    >>> Concatenate()([ops.ones((2, 3)), ops.ones((2, 5))]).shape
    (2, 8)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = int_from("Concatenate", "axis", axis)
        self.supports_masking = True

    def build(self, input_shape):
        check_shapes(self, input_shape)
        ranks = {len(shape) for shape in input_shape}
        if len(ranks) > 1 or not -max(ranks) <= self.axis < max(ranks):
            raise ValueError(
                f'Concatenate "{self.name}": the inputs must have one rank, with an axis {self.axis}. '
                f"Got shapes {input_shape}."
            )
        axis = self.axis % ranks.pop()
        for sizes in zip(*(shape[:axis] + (None,) + shape[axis + 1 :] for shape in map(tuple, input_shape))):
            if len({size for size in sizes if size is not None}) > 1:
                raise ValueError(
                    f'Concatenate "{self.name}": all sizes but that of axis {self.axis} must agree. '
                    f"Got shapes {input_shape}."
                )

    def call(self, inputs):
        return ops.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape):
        shape = list(input_shape[0])
        sizes = [s[self.axis] for s in input_shape]
        shape[self.axis] = None if None in sizes else sum(sizes)
        return tuple(shape)

    def compute_mask(self, inputs, mask=None):
        """A position counts when any feature joined there does."""
        check_masks(self, inputs, mask)
        if mask is None or all(m is None for m in mask):
            return None
        masks = []
        for x, m in zip(inputs, mask):
            whole = ops.ones_like(x, dtype="bool")
            if m is not None:
                whole = ops.logical_and(ops.expand_dims(m, -1) if len(m.shape) < len(x.shape) else m, whole)
            masks.append(whole)
        return ops.any(ops.concatenate(masks, axis=self.axis), axis=-1)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}
