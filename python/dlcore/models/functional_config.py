"""The configuration of Functional models, in Keras's form: layers with the nodes at which they were called."""

import inspect

from dlcore import ops, tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.ops.operation import OpsFunction

_KEYS = ("layers", "input_layers", "output_layers")


def is_made_of_its_graph(cls):
    """Whether the constructor takes inputs and outputs, or any arguments, which it hands on; else it makes the graph
    from arguments of its own."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    takes_any = {p.kind for p in parameters} >= {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return positional == ["inputs", "outputs", "name"] or (takes_any and not positional)


def describes_graph(config):
    """Whether a configuration is that of a model made of its graph."""
    return all(key in config for key in _KEYS)


def get_config(model):
    from dlcore.saving import serialize_keras_object

    indices = _own_node_indices(model)
    layers = []
    for operation in model.operations:
        own = [node for node in operation._inbound_nodes if node in indices]
        if not isinstance(operation, OpsFunction):
            entry = serialize_keras_object(operation)
            nodes = [_node_config(node.args, node.kwargs, indices) for node in own if node.inputs]
        else:
            entry, nodes = _operation_config(operation, own, indices)
        layers.append({**entry, "name": operation.name, "inbound_nodes": nodes})
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": tree.map_structure(lambda x: _place(x, indices), model._inputs_struct),
        "output_layers": tree.map_structure(lambda x: _output_place(x, indices), model._outputs_struct),
    }


def _own_node_indices(model):
    """The number of each of the model's nodes among its operation's nodes in this model."""
    indices = {}
    for operation in model.operations:
        own = [node for node in operation._inbound_nodes if node in model._graph.node_set]
        indices.update((node, i) for i, node in enumerate(own))
    return indices


def _place(x, indices):
    operation, index, position = x.history
    return [operation.name, indices[operation._inbound_nodes[index]], position]


def _output_place(x, indices):
    name, index, position = _place(x, indices)
    return [name, index + isinstance(x.history[0], _counted_from_one()), position]


def _counted_from_one(keras2=False):
    """The kinds of models within the model whose calls Keras counts from 1 in output_layers, Keras 2 everywhere."""
    from dlcore.models.functional import Functional
    from dlcore.models.sequential import Sequential

    return (Functional, Sequential) if keras2 else (Functional,)


def _node_config(args, kwargs, indices):
    from dlcore.saving import serialize_keras_object

    def serialize(x):
        if not isinstance(x, KerasTensor):
            return serialize_keras_object(x)
        config = {"shape": list(x.shape), "dtype": x.dtype, "keras_history": _place(x, indices)}
        return {"class_name": "__keras_tensor__", "config": config}

    args, kwargs = tree.map_structure(serialize, (list(args), kwargs))
    return {"args": args, "kwargs": kwargs}


def _operation_config(operation, nodes, indices):
    """An ops function as an object of Keras's class for it."""
    from dlcore.saving import operations, serialize_keras_object

    config, calls = {"name": operation.name}, []
    for node in nodes:
        made_with, args, kwargs = operations.split(operation.function, node.args, node.kwargs)
        config.update({name: serialize_keras_object(value) for name, value in made_with.items()})
        calls.append(_node_config(args, kwargs, indices))
    module, class_name = operations.class_of(operation.function)
    return {"module": module, "class_name": class_name, "config": config, "registered_name": class_name}, calls


# ---- reading


def from_config(cls, config, custom_objects=None):
    """The model of a configuration: makes its layers, then repeats the calls."""
    from dlcore.saving import custom_object_scope

    with custom_object_scope(custom_objects or {}):
        layers, pending = {}, []
        for entry in config["layers"]:
            name = entry.get("name") or entry["config"]["name"]
            layers[name] = _make(entry)
            nodes = entry.get("inbound_nodes", [])
            pending.extend((name, node) for node in (nodes if isinstance(nodes, list) else [nodes]))
        _repeat_calls(layers, pending)
    from_one = _counted_from_one(keras2=any(isinstance(node, list) for _, node in pending))
    inputs = _find_all(config["input_layers"], layers)
    outputs = _find_all(config["output_layers"], layers, from_one)
    own = {key: value for key, value in config.items() if key not in (*_KEYS, "name", "trainable")}
    model = cls(inputs=inputs, outputs=outputs, name=config.get("name"), **own)
    if not config.get("trainable", True):
        model.trainable = False
    return model


def _make(entry):
    from dlcore.saving import deserialize_keras_object, operations

    if ".ops." not in str(entry.get("module")):
        return deserialize_keras_object({k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")})
    operation = OpsFunction(operations.function_of(entry["class_name"]), name=entry["config"].get("name"))
    operation.made_with = {k: deserialize_keras_object(v) for k, v in entry["config"].items() if k != "name"}
    return operation


def _repeat_calls(layers, pending):
    """Calls each layer at each of its nodes in their order, as soon as the tensors it needs are there."""
    from dlcore.saving import operations

    while pending:
        waiting = []
        for name, node in pending:
            if any(name == other for other, _ in waiting):
                waiting.append((name, node))
                continue
            try:
                args, kwargs = _arguments(node, layers)
            except _NotYet:
                waiting.append((name, node))
                continue
            layer = layers[name]
            if isinstance(layer, OpsFunction):
                args, kwargs = operations.joined(layer.function, layer.made_with, args, kwargs)
                if layer.function is ops.get_item and isinstance(args[1], list):
                    args[1] = tuple(args[1])  # x[a, b]: JSON knows no tuples
            layer(*args, **kwargs)
        if len(waiting) == len(pending):
            raise ValueError(
                f"The configuration of the model has calls of {waiting[0][0]!r} whose inputs nobody makes."
            )
        pending = waiting


class _NotYet(ValueError):
    """A node waits for a tensor that is made later."""


def _arguments(node, layers):
    from dlcore.saving import deserialize_keras_object

    if isinstance(node, list):  # Keras 2: [[layer, node, tensor, kwargs], ...]
        tensors = [_find(item[:3], layers, _counted_from_one(keras2=True)) for item in node]
        return [tensors[0] if len(tensors) == 1 else tensors], dict(node[0][3]) if len(node[0]) > 3 else {}

    def read(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return _find(value["config"]["keras_history"], layers)
        if isinstance(value, dict) and "class_name" in value:
            return deserialize_keras_object(value)
        if isinstance(value, dict):
            return {key: read(item) for key, item in value.items()}
        return [read(item) for item in value] if isinstance(value, (list, tuple)) else value

    return [read(value) for value in node["args"]], {key: read(value) for key, value in node["kwargs"].items()}


def _find(place, layers, from_one=()):
    name, index, position = place
    if name not in layers:
        raise ValueError(f"The configuration of the model names the layer {name!r}, which it does not have.")
    nodes = layers[name]._inbound_nodes
    index -= isinstance(layers[name], from_one)
    if index >= len(nodes):
        raise _NotYet(
            f"The configuration of the model has no call {index} of the layer {name!r}, whose output it takes."
        )
    return nodes[index].outputs[position]


def _is_place(value):
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


def _find_all(places, layers, from_one=()):
    if _is_place(places):
        return _find(places, layers, from_one)
    if isinstance(places, dict):
        return {key: _find_all(place, layers, from_one) for key, place in places.items()}
    found = [_find_all(place, layers, from_one) for place in places]
    return tuple(found) if isinstance(places, tuple) else found
