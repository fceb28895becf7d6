"""What the layers share that look at the values themselves, such as strings.

There are no tensors of strings, so these layers work on data before training, or in a model in Python before its
program: what they make of the data is what the program takes.
"""

import contextlib

import numpy as np

from dlcore import _core, backend, ops, tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.strings import Strings
from dlcore.backend.tensorflow_graph import call_in_graph, is_in_graph
from dlcore.layers.call_spec import shapes_of
from dlcore.layers.layer import Layer, placeholders_of
from dlcore.ops.operation import Node, any_keras_tensor, merged


@contextlib.contextmanager
def on_examples(*layers):
    """While layers are called on examples, for the shape of what they return: they do without a vocabulary."""
    for layer in layers:
        layer._sees_examples = True
    try:
        yield
    finally:
        for layer in layers:
            layer._sees_examples = False


class LooksAtValues:
    """Mixed into layers that can't be traced. They run in Python, before the program."""

    looks_at_values = True
    _sees_examples = False  # see on_examples()

    def __call__(self, inputs, *args, **kwargs):
        if any_keras_tensor((inputs, *args), kwargs):
            return self.symbolic_call(inputs, *args, **kwargs)
        if is_in_graph((inputs, *args), kwargs):
            return call_in_graph(self, (inputs, *args), kwargs)
        items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if any(isinstance(x, Strings) for x in items):
            return self._look_up(inputs, args, kwargs)
        if any(backend.is_tensor(x) and x.is_symbolic for x in items):
            raise TypeError(
                f"{self._label()} looks at the values of its inputs, which are not known while a model is traced. Call "
                "it on the data, and give the model what it returns; or make it part of a Functional model."
            )
        return self.call(inputs, *args, **kwargs)

    def _look_up(self, inputs, args, kwargs):
        """The call in a trace: what it returns is an input of the program, and the lookup is left for each batch."""
        strings = next(x for x in tree.flatten(inputs) if isinstance(x, Strings))
        graph = _core.Graph.current()
        if strings.elements is None:
            like = _with_strings(inputs, lambda x: KerasTensor(x.shape, "string"))
            outputs = self.compute_output_spec(like, *args, **kwargs)
            return tree.map_structure(lambda x: graph.input(x.shape, x.dtype, self.name), outputs)

        def lookup(arrays):
            return backend.convert_to_numpy(self(_with_strings(inputs, lambda x: x.read(arrays)), *args, **kwargs))

        found = ops.convert_to_tensor(self(_with_strings(inputs, lambda x: x.elements), *args, **kwargs))
        strings.lookups.append(lookup)
        return graph.input(found.shape, found.dtype, self.name)

    def symbolic_call(self, *args, **kwargs):
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for a shape of the inputs."""
        return shapes_of(self.compute_output_spec(placeholders_of(input_shape, "string")))

    def compute_output_spec(self, *args, **kwargs):
        """KerasTensors like what the layer returns, found by calling it on two examples of different sizes."""
        first, second = (self._call_on_examples(args, kwargs, size) for size in (1, 2))
        return tree.map_structure(merged, first, second)

    def _call_on_examples(self, args, kwargs, size):
        args, kwargs = tree.map_structure(lambda x: self._example(x, size), (args, kwargs))
        with on_examples(self):
            return tree.map_structure(ops.convert_to_tensor, self(*args, **kwargs))

    def _example(self, x, size):
        """An array that may be there in the place of a KerasTensor, with so many elements where any number may be."""
        if not isinstance(x, KerasTensor):
            return x
        shape = tuple(size if length is None else length for length in x.shape)
        return np.full(shape, self._example_text(size), object) if x.dtype == "string" else np.zeros(shape, x.dtype)

    def _example_text(self, size):
        return " ".join(["a"] * size)


def _with_strings(inputs, function):
    """The inputs with function(x) for each Strings x."""
    return tree.map_structure(lambda x: function(x) if isinstance(x, Strings) else x, inputs)


class LayerOfValues(LooksAtValues, Layer):
    """Base: the call takes arrays, lists or tensors with values."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def build(self, input_shape=None):
        """Nothing to build, whatever the shape."""


def strings_of(layer, inputs, encoding="utf-8"):
    """The strings in an array, a (nested) list or a single string: an array of one axis, and their shape."""
    # As objects: an array of NumPy's own strings has the length of the longest for all.
    array = np.asarray(inputs) if hasattr(inputs, "__array__") else np.array(inputs, dtype=object)
    texts = array.ravel()
    if texts.dtype.kind != "U" or not (texts.dtype.isnative and texts.flags.aligned):
        texts = texts.astype(object, copy=False)
        if not _core.has_only_str(texts):
            texts = objects([_as_text(layer, text, encoding) for text in texts])
    return texts, array.shape


def objects(items):
    """The items, whatever they are, as an array of objects of one axis."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _as_text(layer, text, encoding):
    if isinstance(text, str):
        return str(text)
    if isinstance(text, bytes):
        return text.decode(encoding)
    raise TypeError(
        f"{layer._label()} expects strings, in an array or in lists of equal lengths. Got {type(text).__name__} "
        f"{text!r}."
    )


def sparse_flag(layer_type, sparse, output_mode):
    """Keras's flag, checked: it asks for vectors that are sparse."""
    if sparse and output_mode == "int":
        raise ValueError(
            f'{layer_type}: sparse=True is for vectors, as of output_mode="one_hot". Got sparse={sparse} with '
            'output_mode="int"; leave it out.'
        )
    return bool(sparse)
