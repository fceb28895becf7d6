"""What attentions of several heads share: their affine projections, and masks joined to one."""

import functools

from dlcore import ops
from dlcore.layers.core.einsum_dense import EinsumDense
from dlcore.ops.attention import causal_mask, window_mask


def projection(layer, name, equation, output_shape, bias_axes, input_shape, activity_regularizer, activation=None):
    """A built `EinsumDense` with the layer's weight options, and a bias when the layer has `use_bias`."""
    # Each projection needs initializers of its own, or their weights would start out equal.
    options = {
        option: getattr(layer, option).clone() if option.endswith("initializer") else getattr(layer, option)
        for option in layer._weight_option_names
    }
    dense = EinsumDense(
        equation,
        output_shape,
        activation=activation,
        bias_axes=bias_axes if layer.use_bias else None,
        activity_regularizer=activity_regularizer,
        name=name,
        dtype=layer.dtype_policy,
        **options,
    )
    dense.supports_masking = True  # the attention passes on the masks itself
    dense.build(input_shape)
    return dense


def keys_like_values(layer, value_shape, key_shape):
    """The shape of the keys, by default that of the values; only their last sizes may differ."""
    key_shape = value_shape if key_shape is None else key_shape
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            f'{type(layer).__name__} "{layer.name}": value and key must have the same sizes but the last. Got value '
            f"{tuple(value_shape)} and key {tuple(key_shape)}."
        )
    return key_shape


def combine_masks(query_mask, value_mask, key_mask, attention_mask):
    """The positions (..., T, S) where attention is allowed, or None for all."""
    masks = [None if m is None else ops.expand_dims(ops.cast(m, "bool"), -2) for m in (value_mask, key_mask)]
    if query_mask is not None:
        masks.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
    if attention_mask is not None:
        masks.append(ops.cast(attention_mask, "bool"))
    return functools.reduce(both, masks, None)


def both(mask, other):
    """Where two masks allow attention; None allows all."""
    return mask if other is None else other if mask is None else ops.logical_and(mask, other)


def split_by_places(layer, base, mask, query, key, use_causal_mask):
    """The mask for the layer's `_compute_attention`, and what it is told of masks that follow from the places.

    A method of a subclass, which need not know these arguments, gets a mask that has them in it.
    """
    if type(layer)._compute_attention is base._compute_attention:
        return mask, {"use_causal_mask": use_causal_mask, "sliding_window": layer.sliding_window}
    first = (slice(0, 1), slice(None), *[0] * (len(query.shape) - 2))
    pairs = ops.expand_dims(query[first], -1) * ops.expand_dims(key[first], -2)
    mask = both(mask, causal_mask(pairs)) if use_causal_mask else mask
    return both(mask, None if layer.sliding_window is None else window_mask(pairs, layer.sliding_window)), {}
