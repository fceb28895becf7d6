"""Models for native apps: the prediction as a graph with its variables, in one file that `dlcore::Model` reads."""

import os

from dlcore import _core, tree
from dlcore.backend.tensors import Tensor


def export_model(model, filepath, format="dlcore", input_signature=None):
    """Writes the function `predict` (the model called with training=False) and its variables.

    Args:
        model: a built model.
        filepath: where to; the file is replaced as a whole or not at all.
        format: "dlcore".
        input_signature: the inputs of a subclassed model, in its own structure: objects with shape (None for sizes that
            are free) and dtype, such as `Input(...)` or `InputSpec(...)`. Sequential and functional models know theirs.

    Raises:
        ValueError: the format is unknown, or the inputs are.
    """
    if format != "dlcore":
        raise ValueError(f"export writes format='dlcore', which C++ apps read. Received: format={format!r}")
    signature = _signature_of(model) if input_signature is None else input_signature
    graph = _core.Graph()
    with graph:
        inputs = [
            graph.input(spec.shape, spec.dtype or model.compute_dtype, getattr(spec, "name", None) or f"input_{i}")
            for i, spec in enumerate(tree.flatten(signature))
        ]
        outputs = model(tree.pack_sequence_as(signature, inputs), training=False)
    tensors = [x for x in tree.flatten(outputs) if isinstance(x, Tensor)]
    names = list(getattr(model, "output_names", None) or [])
    native = _core.NativeModel()
    native.add("predict", graph, tensors, names if len(names) == len(tensors) else [])
    native.save(os.fspath(filepath))


def _signature_of(model):
    if getattr(model, "inputs", None):
        return model.inputs if len(model.inputs) > 1 else model.inputs[0]
    raise ValueError(
        f"The inputs of model '{model.name}' are not known: it is subclassed or not built. "
        f"Pass input_signature=Input((...)) with their shapes."
    )
