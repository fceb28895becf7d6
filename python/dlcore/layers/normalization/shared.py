"""What several normalizing layers do when they are built."""

from dlcore.layers.weight_options import add_weight_with_options


def feature_axes(layer, input_shape):
    """The layer's axes in a list in order; their sizes must be known."""
    axes = sorted(layer.axis) if isinstance(layer.axis, list) else [layer.axis]
    rank = len(input_shape)
    if any(not -rank <= axis < rank or input_shape[axis] is None for axis in axes):
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": the sizes of the axes {axes} must be known. Got input shape '
            f"{tuple(input_shape)}."
        )
    return axes


def add_gamma_and_beta(layer, shape):
    """The learned factor and offset, each None where the layer has none."""
    layer.gamma = add_weight_with_options(layer, "gamma", shape, autocast=False) if layer.scale else None
    layer.beta = add_weight_with_options(layer, "beta", shape, autocast=False) if layer.center else None
