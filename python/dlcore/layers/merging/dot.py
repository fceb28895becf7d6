import math

from dlcore import ops
from dlcore.backend.arguments import axis_of
from dlcore.layers.layer import Layer
from dlcore.layers.merging.merge import check_shapes


class Dot(Layer):
    """For each sample the product of two inputs, summed over one axis of each.

    Args:
        axes: int, or (axis of the first, axis of the second input); not 0, the batch.
        normalize: bool, default False: scale vectors along the axes to length 1 first: the result is cosines.

    Input shapes: (batch, ..., n, ...) and (batch, ..., n, ...).
    Output shape: (batch, other sizes of the first, other sizes of the second); at least (batch, 1).

    Example:

    >>> Dot(axes=(1, 2))([ops.ones((4, 5, 2)), ops.ones((4, 3, 5))]).shape
    (4, 2, 3)
    """

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        is_pair = isinstance(axes, (list, tuple)) and len(axes) == 2 and all(isinstance(a, int) for a in axes)
        if not isinstance(axes, int) and not is_pair:
            raise ValueError(f"Dot: axes must be an int or two ints. Got axes={axes!r}.")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize
        self.supports_masking = True

    def _axes(self, shape1, shape2):
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return axis_of(self, pair[0], shape1), axis_of(self, pair[1], shape2)

    def build(self, input_shape):
        check_shapes(self, input_shape, count=2)
        shape1, shape2 = input_shape
        axis1, axis2 = self._axes(shape1, shape2)
        if 0 in (axis1, axis2):
            raise ValueError(f'Dot "{self.name}" cannot sum over axis 0, the batch. Got axes={self.axes}.')
        size1, size2 = shape1[axis1], shape2[axis2]
        if size1 != size2 and None not in (size1, size2):
            raise ValueError(
                f'Dot "{self.name}": the sizes along the axes must agree: {size1} (axis {axis1}) and {size2} '
                f"(axis {axis2}). Got shapes {shape1} and {shape2}."
            )

    def call(self, inputs):
        x, y = inputs
        axis_x, axis_y = self._axes(x.shape, y.shape)
        if self.normalize:
            x, y = _unit(x, axis_x), _unit(y, axis_y)
        x, y = ops.moveaxis(x, axis_x, -1), ops.moveaxis(y, axis_y, 1)
        outer = (*x.shape[1:-1], *y.shape[2:])
        x = ops.reshape(x, (-1, math.prod(x.shape[1:-1]), x.shape[-1]))
        y = ops.reshape(y, (-1, y.shape[1], math.prod(y.shape[2:])))
        return ops.reshape(ops.matmul(x, y), (-1, *(outer or (1,))))

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _unit(x, axis):
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))
