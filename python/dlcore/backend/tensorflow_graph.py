"""Calls in a graph of TensorFlow, as within the function that tf.data.Dataset.map is given.

The tensors there are symbolic: the call becomes a node of that graph, which computes when the data comes. TensorFlow is
not imported here; where the user has not done so, there are no such tensors.
"""

import sys

from dlcore import tree
from dlcore.backend.dtypes import is_int_dtype
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.backend.tensors import convert_to_numpy


def is_in_graph(args, kwargs):
    """Whether a symbolic tensor of TensorFlow is among the arguments of a call."""
    tensorflow = sys.modules.get("tensorflow")
    is_symbolic = getattr(tensorflow, "is_symbolic_tensor", None) if tensorflow is not None else None
    return is_symbolic is not None and any(map(is_symbolic, tree.flatten((args, kwargs))))


def call_in_graph(operation, args, kwargs):
    """The symbolic tensors of what operation(*args, **kwargs) will return."""
    # TensorFlow rewrites the functions that it traces, with all that they call.
    return sys.modules["tensorflow"].autograph.experimental.do_not_convert(_node)(operation, args, kwargs)


def cast_in_graph(tensor, dtype):
    """A symbolic tensor of TensorFlow, cast."""
    return sys.modules["tensorflow"].cast(tensor, dtype)


def _node(operation, args, kwargs):
    tf = sys.modules["tensorflow"]
    inputs = [x for x in tree.flatten((args, kwargs)) if tf.is_symbolic_tensor(x)]

    def with_inputs(values):
        values = iter(values)
        return tree.map_structure(lambda x: next(values) if tf.is_symbolic_tensor(x) else x, (args, kwargs))

    def compute(*arrays):
        given_args, given_kwargs = with_inputs(arrays)
        return [convert_to_numpy(y) for y in tree.flatten(operation(*given_args, **given_kwargs))]

    def described(like):
        like_args, like_kwargs = with_inputs(map(like, inputs))
        return operation.compute_output_spec(*like_args, **like_kwargs)

    with tf.init_scope():  # out of the graph: functions of the user's own may compute with TensorFlow too
        try:
            specs = described(_like)
        except TypeError:  # perhaps of a size in a shape, as in reshape(x, (shape(x)[0], -1)): it comes with the data
            try:
                specs = described(lambda x: _size_or_like(x, None))
            except ValueError:  # it needs a number: by the number of axes and the dtype, any is as good
                specs = described(lambda x: _size_or_like(x, 1))
            specs = tree.map_structure(lambda spec: KerasTensor([None] * len(spec.shape), spec.dtype), specs)

    @tf.custom_gradient
    def node(*inputs):
        return tf.numpy_function(compute, inputs, [tf.as_dtype(spec.dtype) for spec in tree.flatten(specs)]), _gradient

    outputs = node(*inputs)
    for output, spec in zip(outputs, tree.flatten(specs)):
        output.set_shape(spec.shape)
    outputs = iter(outputs)
    return tree.map_structure(lambda _: next(outputs), specs)


def _gradient(*upstream):
    raise TypeError(
        "TensorFlow can't take gradients of what dlcore computes. Take them with dlcore.GradientTape, and without "
        "tf.function."
    )


def sizes_in_graph(tensor):
    """The shape of a symbolic tensor as a tuple; sizes that are not known are symbolic integers."""
    known = _sizes(tensor)
    found = sys.modules["tensorflow"].shape(tensor)
    return tuple(found[i] if size is None else size for i, size in enumerate(known))


def _size_or_like(tensor, size):
    like = _like(tensor)
    return size if not like.shape and is_int_dtype(like.dtype) else like


def _like(tensor):
    return KerasTensor(_sizes(tensor), tensor.dtype.name)


def _sizes(tensor):
    if tensor.shape.rank is None:
        raise ValueError(
            f"The number of axes of {tensor} is not known. Say it in the function that is given to map(), such as with "
            "x.set_shape((None, 28, 28, 1)) or x = tf.ensure_shape(x, (None,))."
        )
    return tensor.shape.as_list()
