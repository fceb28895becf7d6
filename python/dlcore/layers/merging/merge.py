"""Layers that merge several inputs element by element."""

import functools

from dlcore import backend, ops
from dlcore.layers.layer import Layer


class Merge(Layer):
    """Base of the merging layers: takes a list of inputs, subclasses implement `merge(inputs)`.

    Inputs of lower rank get axes of size 1 after the batch. Where all inputs carry masks, positions that a mask leaves
    out do not take part.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        check_shapes(self, input_shape)
        batch_sizes = {shape[0] for shape in input_shape if shape} - {None}
        if len(batch_sizes) > 1:
            raise ValueError(
                f'{type(self).__name__} "{self.name}": the inputs have different batch sizes {sorted(batch_sizes)}. '
                f"Got shapes {input_shape}."
            )
        functools.reduce(functools.partial(self._broadcast, input_shape), (shape[1:] for shape in input_shape))

    def _broadcast(self, shapes, shape1, shape2):
        """The shape in which two shapes (without batch) meet, or a ValueError."""
        rank = max(len(shape1), len(shape2))
        shape1, shape2 = ((1,) * (rank - len(s)) + tuple(s) for s in (shape1, shape2))
        if any(a != b and 1 not in (a, b) and None not in (a, b) for a, b in zip(shape1, shape2)):
            raise ValueError(
                f'{type(self).__name__} "{self.name}": the input shapes {shapes} do not fit together. Sizes must be '
                "equal or 1."
            )
        return tuple(None if None in (a, b) else max(a, b) for a, b in zip(shape1, shape2))

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f'{type(self).__name__} "{self.name}" takes a list of inputs. Got {inputs!r}.')
        rank = max(len(x.shape) for x in inputs)
        return self.merge([_with_rank(x, rank) for x in inputs])

    def merge(self, inputs):
        """The merged tensor, with its mask if the inputs have masks."""
        raise NotImplementedError

    def compute_mask(self, inputs, mask=None):
        """Where all inputs carry masks: the positions that count in any of them."""
        check_masks(self, inputs, mask)
        if mask is None or any(m is None for m in mask):
            return None
        return functools.reduce(ops.logical_or, mask)


class Add(Merge):
    """The sum of a list of inputs.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.

    Example:

    >>> Add()([ops.ones(3), ops.ones(3)]).numpy()
    array([2., 2., 2.], dtype=float32)
    """

    def merge(self, inputs):
        return functools.reduce(ops.add, inputs)


class Subtract(Merge):
    """The first of two inputs minus the second.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.
    """

    def build(self, input_shape):
        check_shapes(self, input_shape, count=2)
        super().build(input_shape)

    def merge(self, inputs):
        return ops.subtract(*inputs)


class Average(Merge):
    """The mean of a list of inputs.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.
    """

    def merge(self, inputs):
        return functools.reduce(ops.add, inputs) / float(len(inputs))


class Multiply(Merge):
    """The product of a list of inputs; positions that a mask leaves out count as 1.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.
    """

    def merge(self, inputs):
        masks = [_mask_like(x) for x in inputs]
        factors = [x if m is None else ops.where(m, x, ops.ones_like(x)) for x, m in zip(inputs, masks)]
        product = functools.reduce(ops.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        return ops.where(functools.reduce(ops.logical_or, masks), product, ops.zeros_like(product))


class Maximum(Merge):
    """The elementwise maximum of a list of inputs, of those that count at a position.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.
    """

    def merge(self, inputs):
        return _fold_where_counted(ops.maximum, inputs)


class Minimum(Merge):
    """The elementwise minimum of a list of inputs, of those that count at a position.

    Input shapes: equal, or such that can be broadcast. Output shape: the broadcast one.
    """

    def merge(self, inputs):
        return _fold_where_counted(ops.minimum, inputs)


def check_shapes(layer, input_shape, count=None):
    """A ValueError unless the layer is called on a list of (`count`) inputs."""
    is_list = len(input_shape) > 0 and isinstance(input_shape[0], (list, tuple))
    if is_list and None in input_shape:
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": input {input_shape.index(None)} of {len(input_shape)} is None. '
            "Expected tensors."
        )
    if not is_list or (count is not None and len(input_shape) != count):
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}" takes a list of {count or "one or more"} inputs. Got the input '
            f"shape(s) {input_shape}."
        )


def check_masks(layer, inputs, mask):
    """A ValueError unless there is no mask, or a list of one for each of a list of inputs."""
    are_lists = isinstance(inputs, (list, tuple)) and isinstance(mask, (list, tuple))
    if mask is not None and not (are_lists and len(inputs) == len(mask)):
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": compute_mask() takes a list of inputs and a list with a mask for '
            f"each, which may be None. Got inputs={inputs}, mask={mask}."
        )


def _fold_where_counted(function, inputs):
    """Folds by `function(a, b)`; where only one of the two counts, it stands alone."""
    output, mask = inputs[0], _mask_like(inputs[0])
    for x in inputs[1:]:
        x_mask = _mask_like(x)
        right = x if x_mask is None else ops.where(x_mask, x, output)
        left = output if mask is None else ops.where(mask, output, right)
        mask = None if mask is None or x_mask is None else ops.logical_or(mask, x_mask)
        output = function(left, right)
    return output


def _mask_like(x):
    """The mask of x in the shape of x, or None."""
    mask = backend.get_keras_mask(x)
    return None if mask is None else ops.logical_and(ops.expand_dims(mask, -1), ops.ones_like(x, dtype="bool"))


def _with_rank(x, rank):
    mask = backend.get_keras_mask(x)
    for _ in range(rank - len(x.shape)):
        x = ops.expand_dims(x, 1)
    if mask is not None and backend.get_keras_mask(x) is None:
        backend.set_keras_mask(x, mask)
    return x
