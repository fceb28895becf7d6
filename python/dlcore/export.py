"""Functions for native apps: several of them, over shared variables, in one file."""

import os

from dlcore import _core, tree
from dlcore.backend.tensors import Tensor, convert_to_tensor


class ExportArchive:
    """Collects functions and writes them to a file, which C++ apps read as a `dlcore::Model`.

    Args:
        format: `"dlcore"`.

    Example:

    >>> archive = ExportArchive()
    >>> archive.track_and_add_endpoint("predict", model, input_signature=[InputSpec(shape=(None, 3))])
    >>> archive.write_out("model.dlcore", verbose=False)
    """

    def __init__(self, format="dlcore"):
        if format != "dlcore":
            raise ValueError(f'ExportArchive writes format="dlcore", which C++ apps read. Got format={format!r}.')
        self._native = _core.NativeModel()
        self._names = []

    def track(self, resource):
        """Kept for Keras's signature: the variables that functions use are found when they are added."""

    def add_endpoint(self, name, fn, input_signature=None):
        """Adds a function.

        Args:
            name: what apps call it by.
            fn: function of tensors that returns a tensor or a structure of them; or a layer or model.
            input_signature: list of objects with shape (None for sizes that are free) and dtype, such as `InputSpec`,
                one per argument; an argument may be a structure of them. Models with known inputs need none.

        Raises:
            ValueError: the name is taken, or the inputs are not known.
        """
        if name in self._names:
            raise ValueError(f"The archive has a function {name!r} already.")
        signature = signature_of(fn) if input_signature is None else input_signature
        signature = list(signature) if isinstance(signature, (list, tuple)) else [signature]
        add_function(self._native, name, fn, signature)
        self._names.append(name)
        return fn

    def track_and_add_endpoint(self, name, resource, input_signature=None, **kwargs):
        """`track` and `add_endpoint` of a layer or model, which is called with the keyword arguments."""
        self.track(resource)
        self.add_endpoint(name, lambda *args: resource(*args, **kwargs), input_signature or signature_of(resource))

    def add_variable_collection(self, name, variables):
        """Adds a function without arguments that returns the values of variables."""
        if not variables or not all(hasattr(variable, "assign") for variable in variables):
            raise ValueError(f"add_variable_collection: expected a list of variables. Got {variables!r}.")
        self.add_endpoint(name, lambda: [variable.value for variable in variables], [])

    def write_out(self, filepath, options=None, verbose=True):
        """Writes the file; an older one is replaced as a whole or not at all."""
        from dlcore.utils.console import print_message

        if not self._names:
            raise ValueError("The archive has no function yet. Call add_endpoint() first.")
        self._native.save(os.fspath(filepath))
        if verbose:
            print_message(f"Saved {filepath} with the functions {', '.join(self._names)}.")


def add_function(native, name, fn, signature, output_names=(), dtype="float32"):
    """Traces a function into a native model.

    Args:
        native: `_core.NativeModel`.
        name: of the function in it.
        fn: function of as many arguments as the signature has entries.
        signature: list of specs, or structures of them.
        output_names: names of the outputs, kept where there are as many; else a dict of outputs has its keys.
        dtype: of inputs whose spec does not say.
    """
    specs = tree.flatten(signature)
    for spec in specs:
        if not hasattr(spec, "shape"):
            raise ValueError(f"A signature is specs such as Input((3,)) or InputSpec(shape=(None, 3)). Got {spec!r}.")
    graph = _core.Graph()
    with graph:
        inputs = [
            graph.input(spec.shape, spec.dtype or dtype, getattr(spec, "name", None) or f"input_{i}")
            for i, spec in enumerate(specs)
        ]
        outputs = fn(*tree.pack_sequence_as(list(signature), inputs))
        results = {
            "/".join(map(str, path)): convert_to_tensor(x)
            for path, x in tree.flatten_with_path(outputs)
            if isinstance(x, Tensor) or hasattr(x, "assign")
        }
    if len(output_names) != len(results):
        output_names = list(results) if isinstance(outputs, dict) else []
    native.add(name, graph, list(results.values()), list(output_names))


def signature_of(model):
    """The inputs of a model, as the one argument that it is called with."""
    if getattr(model, "inputs", None):
        return [model.inputs if len(model.inputs) > 1 else model.inputs[0]]
    raise ValueError(
        f"The inputs of {getattr(model, 'name', model)!r} are not known: it is subclassed or not built. "
        "Pass input_signature=Input((...)) with their shapes."
    )


__all__ = ["ExportArchive"]
