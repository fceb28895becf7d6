"""clone_model: a model of the same layers with new weights."""

from dlcore import tree
from dlcore.backend.keras_tensor import KerasTensor
from dlcore.layers.core.input_layer import Input, InputLayer
from dlcore.layers.inner_forms import inner_forms, restore_inner_forms
from dlcore.models.functional import Functional
from dlcore.models.model import Model
from dlcore.models.sequential import Sequential
from dlcore.ops.operation import OpsFunction


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False):
    """A model of the same configuration whose layers and weights are new.

    Args:
        model: a Functional or Sequential model, or one whose class has get_config().
        input_tensors: KerasTensors in the structure of the model's inputs (or a list of them) to build on; default: new
            inputs like the model's.
        clone_function: layer -> layer, default: a layer of the same configuration. Input layers are not passed.
        call_function: (layer, *args, **kwargs) -> outputs: calls the new layers of a Functional model.
        recursive: whether models inside are cloned in this way too, rather than passed to clone_function.

    Raises:
        ValueError: `model` is none; or it is neither Functional nor Sequential, and one of the functions or inputs is
            given; or a call_function is given for a Sequential model.
    """
    if not isinstance(model, Model):
        raise ValueError(f"clone_model: expected a model. Got {model!r} (of type {type(model).__name__}).")
    as_it_is = input_tensors is None and clone_function is None and call_function is None and not recursive
    if as_it_is and type(model).get_config not in (Functional.get_config, Sequential.get_config):
        return _of_same_config(model, build=model.built)
    make_layer = clone_function or _of_same_config

    def clone(layer):
        if as_it_is and isinstance(layer, Model):
            return clone_model(layer)
        if recursive and isinstance(layer, (Functional, Sequential)):
            of_inner = None if isinstance(layer, Sequential) else call_function
            return clone_model(layer, clone_function=clone_function, call_function=of_inner, recursive=True)
        return make_layer(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(
                "clone_model: a Sequential model calls its layers itself; call_function is for Functional."
            )
        made = _clone_sequential(model, clone, input_tensors)
    elif isinstance(model, Functional):
        made = _clone_functional(model, clone, call_function or (lambda layer, *a, **k: layer(*a, **k)), input_tensors)
    else:
        raise ValueError(
            "clone_model: input_tensors, clone_function, call_function and recursive are for Functional and Sequential "
            f"models. Received a {type(model).__name__}: give its class get_config() and call clone_model(model) alone."
        )
    if as_it_is and not model.trainable:
        made.trainable = False
    if model.compiled:
        made.compile_from_config(model.get_compile_config())
    return made


def _of_same_config(layer, build=False):
    """A new layer, built where the layers that it makes for itself have forms: these are no part of its
    configuration."""
    made = type(layer).from_config(layer.get_config())
    forms = inner_forms(layer)
    if (build or forms) and not made.built:
        made.build_from_config(layer.get_build_config())
    restore_inner_forms(made, forms)
    return made


def _clone_sequential(model, clone, input_tensors):
    layers = [clone(layer) for layer in model.layers]
    if input_tensors is not None:
        layers.insert(0, InputLayer(input_tensor=_as_list(input_tensors, 1)[0]))
    elif model.built:
        placeholder = model.inputs[0]
        layers.insert(0, InputLayer(batch_shape=placeholder.shape, dtype=placeholder.dtype))
    return type(model)(layers, name=model.name)


def _clone_functional(model, clone, call, input_tensors):
    """The nodes of the model once more, on other inputs and with other layers."""
    if input_tensors is None:
        inputs = [_new_input(x) for x in model.inputs]
    else:
        inputs = _as_list(input_tensors, len(model.inputs))
    values = {id(old): new for old, new in zip(model.inputs, inputs)}
    clones = {}
    for node in model._graph.nodes:
        if model._graph.is_source(node):
            continue
        operation = node.operation
        if operation not in clones:
            is_function = isinstance(operation, OpsFunction)
            clones[operation] = OpsFunction(operation.function, operation.name) if is_function else clone(operation)
        args, kwargs = tree.map_structure(
            lambda x: values[id(x)] if isinstance(x, KerasTensor) else x, (node.args, node.kwargs)
        )
        outputs = tree.flatten(call(clones[operation], *args, **kwargs))
        values.update((id(old), new) for old, new in zip(node.outputs, outputs))
    kind = type(model) if type(model).__init__ is Functional.__init__ else Functional
    structures = tree.map_structure(lambda x: values[id(x)], (model._inputs_struct, model._outputs_struct))
    return kind(*structures, name=model.name)


def _new_input(x):
    """An Input like that which made x, or for what another layer made."""
    source = x.history[0]
    optional = isinstance(source, InputLayer) and source.optional
    return Input(batch_shape=x.shape, dtype=x.dtype, name=source.name, optional=optional)


def _as_list(input_tensors, count):
    tensors = tree.flatten(input_tensors)
    if len(tensors) != count or not all(isinstance(x, KerasTensor) for x in tensors):
        raise ValueError(
            f"clone_model: input_tensors should be {count} KerasTensor(s), made by Input() or by calling layers. "
            f"Received: {input_tensors!r}"
        )
    return tensors
