"""Activations as layers."""

from dlcore import activations, backend, ops
from dlcore.backend.arguments import axes, axis_of, number
from dlcore.layers.layer import Layer
from dlcore.layers.weight_options import (
    add_weight_with_options,
    set_weight_options,
    weight_options_config,
    weight_options_of,
)
from dlcore.ops.attention import masked_scores


class _Elementwise(Layer):
    """Base: the output has the input's shape, and masks pass through."""

    _has_no_weights = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape):
        return input_shape


class Activation(_Elementwise):
    """y = activation(x).

    Args:
        activation: name or function.

    Input shape: any. Output shape: the same.

    Example:

    >>> Activation("relu")(ops.array([-3.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs):
        return self.activation(inputs)

    def get_config(self):
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """Rectified linear unit: y = x above the threshold, `negative_slope * (x - threshold)` below, at most `max_value`.

    Args:
        max_value: float >= 0 or None (default).
        negative_slope: float >= 0, default 0.0.
        threshold: float >= 0, default 0.0.

    Input shape: any. Output shape: the same.
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else number("ReLU", "max_value", max_value, 0)
        self.negative_slope = number("ReLU", "negative_slope", negative_slope, 0)
        self.threshold = number("ReLU", "threshold", threshold, 0)

    def call(self, inputs):
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )

    def get_config(self):
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(_Elementwise):
    """y = x for x > 0, negative_slope * x otherwise (Maas et al. 2013).

    Args:
        negative_slope: float >= 0, default 0.3; older programs call it `alpha`.

    Input shape: any. Output shape: the same.
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope, 0)

    def call(self, inputs):
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self):
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(_Elementwise):
    """y = x for x > 0, alpha * (exp(x) - 1) otherwise (Clevert et al. 2016).

    Args:
        alpha: float, default 1.0.

    Input shape: any. Output shape: the same.
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs):
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(_Elementwise):
    """y = x for x > 0, alpha * x otherwise, with a learned alpha per feature (He et al. 2015).

    Args:
        alpha_initializer: default `"Zeros"`.
        alpha_regularizer, alpha_constraint: default None.
        shared_axes: list of axes (from 1) along which alpha is shared; [1, 2] after Conv2D: one alpha per filter.

    Input shape: any. Output shape: the same.
    """

    def __init__(
        self,
        alpha_initializer="Zeros",
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        set_weight_options(self, **weight_options_of(locals()))
        self.shared_axes = list(shared_axes) if isinstance(shared_axes, (list, tuple)) else shared_axes
        if isinstance(self.shared_axes, int):
            self.shared_axes = [self.shared_axes]

    def build(self, input_shape):
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            axis_of(self, axis, input_shape)
            shape[axis - 1] = 1
        if None in shape:
            raise ValueError(
                f'PReLU "{self.name}": alpha needs known sizes. Got input shape {tuple(input_shape)}. '
                "Name the unknown axes in shared_axes."
            )
        self.alpha = add_weight_with_options(self, "alpha", tuple(shape))

    def call(self, inputs):
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self):
        return {**super().get_config(), **weight_options_config(self), "shared_axes": self.shared_axes}


class Softmax(_Elementwise):
    """y_i = exp(x_i) / sum_j exp(x_j) along an axis.

    Args:
        axis: int or list of ints, default -1.

    The call takes an optional bool `mask` of a shape that broadcasts to that of the input: False entries get 0, all
    where all are False.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes("Softmax", "axis", axis)

    def call(self, inputs, mask=None):
        if mask is None:
            return self._softmax(inputs)
        sizes = list(zip(reversed(mask.shape), reversed(inputs.shape)))
        if len(mask.shape) > len(inputs.shape) or any(m not in (1, None) and n not in (m, None) for m, n in sizes):
            raise ValueError(
                f'Softmax "{self.name}": the mask must have the shape of the inputs, or one that is broadcast to it. '
                f"Got mask of shape {tuple(mask.shape)} for inputs of shape {tuple(inputs.shape)}."
            )
        mask = ops.greater(mask, 0.5) if backend.is_float_dtype(mask.dtype) else ops.cast(mask, "bool")
        return ops.where(mask, self._softmax(masked_scores(inputs, mask)), 0.0)

    def _softmax(self, inputs):
        if not isinstance(self.axis, (list, tuple)):
            return activations.softmax(inputs, axis=self.axis)
        if len(self.axis) == 1:
            return activations.softmax(inputs, axis=self.axis[0])
        return ops.exp(inputs - ops.logsumexp(inputs, axis=tuple(self.axis), keepdims=True))

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}
