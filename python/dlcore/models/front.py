"""Front: the part of a Functional model that looks at values, such as strings.

There are no tensors of strings, so this part runs in Python on the data, and the rest as a program on what it makes.
"""

from dlcore import backend, tree
from dlcore.backend.strings import fitted
from dlcore.layers.layer import Layer


class Front:
    """The layers that look at values, and what lies between them and the inputs.

    Args:
        graph: the GraphOfLayers of the model.
        inputs, outputs: its KerasTensors.
    """

    def __init__(self, graph, inputs, outputs):
        chosen = {node for node in graph.nodes if node.operation.looks_at_values}
        for node in reversed(graph.nodes):
            if node in chosen:
                chosen.update(graph.parents(node))
        self._inputs = inputs
        self.nodes = [node for node in graph.nodes if node in chosen and not graph.is_source(node)]
        self.node_set = set(self.nodes)
        made = [x for node in self.nodes for x in node.outputs]
        later = [x for node in graph.nodes if node not in chosen and not graph.is_source(node) for x in node.inputs]
        used = {id(x) for x in (*later, *outputs)}
        # What the program takes.
        self.passed_on = [x for x in (*inputs, *made) if id(x) in used]
        # In the order in which dicts are flattened.
        self.names = [f"front_{i:06d}" for i in range(len(self.passed_on))]
        self._check()

    def _check(self):
        for node in self.nodes:
            if isinstance(node.operation, Layer) and node.operation.trainable_weights:
                raise ValueError(
                    f"{node.operation._label()} has weights to train, but what it returns goes into a layer that looks "
                    "at values, through which there are no gradients. Put the latter first."
                )
        strings = [x.name for x in self.passed_on if x.dtype == "string"]
        if strings:
            raise TypeError(
                f"The strings of {strings} are outputs of the model, or inputs of layers that take numbers. Turn them "
                "into numbers with a layer such as StringLookup, TextVectorization or Hashing."
            )

    def is_prepared(self, x):
        """Whether x is what `prepare` returned, or tensors in its place."""
        return isinstance(x, dict) and list(x) == self.names

    def prepare(self, arrays):
        """What the program takes, as a dict of arrays, for arrays in the order of the inputs."""
        values = {id(p): fitted(array_of_values(x), p.shape) for x, p in zip(arrays, self._inputs)}
        for node in self.nodes:
            for placeholder, output in zip(node.outputs, tree.flatten(node.replay(values))):
                values[id(placeholder)] = output
        return {name: backend.convert_to_numpy(values[id(x)]) for name, x in zip(self.names, self.passed_on)}


def array_of_values(x):
    """An array, tensor, data frame or list as a NumPy array, of objects where it holds strings."""
    array = backend.convert_to_numpy(x)
    return array.astype(object) if array.dtype.kind in "SU" else array
