"""Masks travel with tensors: bool tensors that say which time steps count."""


def get_keras_mask(x):
    """The mask of a tensor, or None."""
    return getattr(x, "_keras_mask", None)


def set_keras_mask(x, mask):
    """Attaches a mask to a tensor."""
    x._keras_mask = mask
