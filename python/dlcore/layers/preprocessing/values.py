"""What the layers share that look at the values themselves, such as strings.

There are no tensors of strings, so these layers work on data before training, and not inside a model's program.
"""

import numpy as np

from dlcore import backend
from dlcore.layers.layer import Layer
from dlcore.ops.operation import any_keras_tensor


class LayerOfValues(Layer):
    """Base: the call takes arrays, lists or tensors with values, not placeholders of a model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, inputs, *args, **kwargs):
        items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if any_keras_tensor((inputs, *args), kwargs) or any(backend.is_tensor(x) and x.is_symbolic for x in items):
            raise TypeError(
                f"{self._label()} looks at the values of its inputs, which are not known while a model is built or "
                "traced. Call it on the data, and give the model what it returns."
            )
        return self.call(inputs, *args, **kwargs)


def strings_of(layer, inputs, encoding="utf-8"):
    """The strings in an array, a (nested) list or a single string: a list of str, and their shape."""
    # As objects: an array of NumPy's own strings has the length of the longest for all.
    array = inputs if isinstance(inputs, np.ndarray) else np.array(inputs, dtype=object)
    texts = array.ravel().tolist()
    if any(type(text) is not str for text in texts):
        texts = [_as_text(layer, text, encoding) for text in texts]
    return texts, array.shape


def _as_text(layer, text, encoding):
    if isinstance(text, str):
        return str(text)
    if isinstance(text, bytes):
        return text.decode(encoding)
    raise TypeError(
        f"{layer._label()} expects strings, in an array or in lists of equal lengths. Got {type(text).__name__} "
        f"{text!r}."
    )


def no_sparse(layer_type, **flags):
    """Refuses Keras's options for tensors that dlcore does not have."""
    for name, value in flags.items():
        if value:
            raise ValueError(f"{layer_type}: there are no {name} tensors. Got {name}={value}; leave it False.")
