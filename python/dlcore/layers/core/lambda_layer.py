import inspect
import types

from dlcore import registry
from dlcore.backend.arguments import sizes
from dlcore.layers.layer import Layer


class Lambda(Layer):
    """Wraps a function of ops as a layer: y = function(x, **arguments).

    Args:
        function: callable taking the input tensor(s); it may also take `mask` and `training`.
        output_shape: tuple without the batch, or a function of the input shape; default None: found by tracing.
        mask: a mask, or a function (inputs, mask) -> mask; default None.
        arguments: dict of further arguments of the function.

    Files hold no code: a model with a Lambda can be saved only if `function` is a named function, and loaded where that
    function is registered or given as a custom object. A `Layer` subclass has no such limit.

    Example:

    >>> Lambda(lambda x: x**2)(ops.array([1.0, 3.0])).numpy()
    array([1., 9.], dtype=float32)
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(function, dict):
            function = _find_function(function)
        if not callable(function):
            raise TypeError(f"Lambda: function must be callable. Got {function!r} of type {type(function).__name__}.")
        self.function = function
        if arguments is not None and not isinstance(arguments, dict):
            raise ValueError(f"Lambda: arguments must be a dict of keyword arguments. Got arguments={arguments!r}.")
        self.arguments = dict(arguments or {})
        if output_shape is not None and not callable(output_shape):
            output_shape = sizes("Lambda", "output_shape", output_shape)
        if not (mask is None or callable(mask) or hasattr(mask, "__array__")):
            raise ValueError(
                f"Lambda: mask must be an array, a function (inputs, mask) -> mask or None. Got mask={mask!r}."
            )
        self._output_shape = output_shape
        self.mask = mask
        self.supports_masking = mask is not None
        parameters = inspect.signature(function).parameters if _has_signature(function) else {}
        self._passes_mask = "mask" in parameters
        self._passes_training = "training" in parameters

    def call(self, inputs, mask=None, training=None):
        arguments = dict(self.arguments)
        if self._passes_mask:
            arguments["mask"] = mask
        if self._passes_training:
            arguments["training"] = training
        return self.function(inputs, **arguments)

    def compute_mask(self, inputs, mask=None):
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape):
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        return (input_shape[0], *self._output_shape)

    def _declares_output_shape(self):
        return self._output_shape is not None

    @classmethod
    def from_config(cls, config, custom_objects=None, safe_mode=None):
        """A new layer from what get_config() returned; `safe_mode` is for Keras's signature: code is never read."""
        return super().from_config(config, custom_objects)

    def get_config(self):
        if isinstance(self.function, types.LambdaType) and self.function.__name__ == "<lambda>":
            raise ValueError(
                f'Lambda "{self.name}" wraps a Python lambda, which cannot be saved. Use a named function registered '
                "with register_keras_serializable, or a Layer subclass."
            )
        function = registry.function_config(self.function)
        return {**super().get_config(), "function": function, "arguments": self.arguments}


def _has_signature(function):
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _find_function(config):
    from dlcore.saving import serialization

    return serialization.deserialize_keras_object(config)
