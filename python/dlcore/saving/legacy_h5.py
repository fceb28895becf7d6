"""`.h5`: a whole model in one HDF5 file, as Keras wrote it before the `.keras` format.

The attributes `model_config` and `training_config` are JSON; the group `model_weights` has one group per layer with its
weights by name, in the order of the attribute `weight_names`; `optimizer_weights` likewise.
"""

import io
import json
import warnings

from dlcore import registry
from dlcore.saving import hdf5, keras2, serialization, state
from dlcore.saving.keras_file import KERAS_VERSION, assets


def save_to(model, file, include_optimizer=True):
    """Writes a model to a binary file object."""
    h5py = hdf5.import_h5py()
    if "layers" not in model.get_config():
        raise ValueError(f"A .h5 file holds Sequential and functional models. Save {model.name!r} as .keras instead.")
    lost = [name for name, _ in assets(model)]
    if lost:
        warnings.warn(
            f"A .h5 file holds weights, but not {lost}. Save the model as .keras, or make the layers with vocabulary=.",
            stacklevel=2,
        )
    with serialization.sharing_objects():
        config = serialization.serialize_keras_object(model)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as root:
        root.attrs["keras_version"] = KERAS_VERSION
        root.attrs["backend"] = "dlcore"
        model_config = {"class_name": config["registered_name"] or config["class_name"], "config": config["config"]}
        root.attrs["model_config"] = json.dumps(model_config)
        training_config = _training_config(config) if include_optimizer else None
        if training_config:
            root.attrs["training_config"] = json.dumps(training_config)
        _write_layers(root.create_group("model_weights"), model)
        if training_config and model.optimizer.variables:
            _write_variables(root.create_group("optimizer_weights"), model.optimizer.variables)
    file.write(buffer.getbuffer())


def _training_config(config):
    """The compile arguments in the old format, with the optimizer under its own key."""
    compile_config = dict(config.get("compile_config") or {})
    optimizer = compile_config.pop("optimizer", None)
    if isinstance(optimizer, str):
        from dlcore import optimizers

        optimizer = serialization.serialize_keras_object(optimizers.get(optimizer))
    if not optimizer:
        return None
    compile_config["loss"] = _each(_function_name, compile_config.get("loss"))
    defaults = {"loss": None, "metrics": None, "weighted_metrics": None, "loss_weights": None}
    name = optimizer["registered_name"] or optimizer["class_name"]
    return {**defaults, **compile_config, "optimizer_config": {"class_name": name, "config": optimizer["config"]}}


def _function_name(loss):
    """ "mse" as "mean_squared_error": Keras's reader of .h5 files does not know the short names."""
    from dlcore import losses

    return getattr(losses.get(loss), "__name__", loss) if isinstance(loss, str) else loss


def _write_layers(group, model):
    hdf5.write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["backend"] = "dlcore"
    group.attrs["keras_version"] = KERAS_VERSION
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        _write_variables(group.create_group(layer.name), _weights(layer))
    _write_variables(group.create_group("top_level_model_weights"), state.own_variables(model))


def _write_variables(group, variables):
    names = _unique([variable.path for variable in variables])
    hdf5.write_names(group, "weight_names", names)
    for name, variable in zip(names, variables):
        hdf5.write_array(group, name, variable)


def _unique(names):
    """The names, with a number after those that occurred before."""
    seen = set()
    result = []
    for name in names:
        candidate, i = name, 1
        while candidate in seen:
            candidate, i = f"{name}_{i}", i + 1
        seen.add(candidate)
        result.append(candidate)
    return result


def _weights(layer):
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def load(path, custom_objects=None, compile=True):
    """The model in a file."""
    with hdf5.reading(path, path) as root:
        config = _read_json(root, "model_config", path)
        if config is None:
            raise ValueError(f"{path} holds weights but no model. Build the model and call its load_weights({path!r}).")
        with serialization.sharing_objects():
            model = serialization.deserialize_keras_object(config, custom_objects)
        if not hasattr(model, "layers"):
            raise ValueError(f"{path} describes a {config.get('class_name')}, not a model.")
        weights = hdf5.group(root, "model_weights", path)
        if weights is None:
            raise ValueError(f"{path} has no group model_weights.")
        _load_layers(model, weights, path)
        training_config = _read_json(root, "training_config", path) if compile else None
        if training_config:
            with registry.custom_object_scope(custom_objects):
                model.compile(**_compile_arguments(training_config))
            _load_optimizer(model, root, path)
    return model


def _read_json(root, attribute, path):
    text = hdf5.read_text(root, attribute)
    if text is None:
        return None
    try:
        config = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {attribute} is not valid JSON ({error}).") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: {attribute} is not a dict.")
    return keras2.modernize(config)


def _compile_arguments(config):
    config = serialization.adapt(config)
    from dlcore import losses, metrics, optimizers

    return {
        "optimizer": optimizers.deserialize(config["optimizer_config"]),
        "loss": _each(losses.deserialize, config.get("loss")),
        "metrics": _each(_metric(metrics), config.get("metrics")),
        "weighted_metrics": _each(_metric(metrics), config.get("weighted_metrics")),
        "loss_weights": config.get("loss_weights"),
    }


def _metric(metrics):
    """Names like "accuracy" stay names: compile chooses by the output's shape."""
    return lambda config: config if isinstance(config, str) else metrics.deserialize(config)


def _each(deserialize, config):
    """Applies `deserialize` to each object in nested lists and dicts."""
    if config is None:
        return None
    if isinstance(config, list):
        return [_each(deserialize, item) for item in config]
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _each(deserialize, value) for key, value in config.items()}
    return deserialize(config)


def load_weights(model, path, skip_mismatch=False, by_name=False):
    """Loads only the weights in a file, layer by layer in order, or by the layers' names."""
    with hdf5.reading(path, path) as root:
        group = hdf5.group(root, "model_weights", path) or root
        if not hdf5.read_names(group, "layer_names"):
            raise ValueError(f"{path} holds no weights in the layout of .h5 files.")
        _load_layers(model, group, path, skip_mismatch, by_name)


def _load_layers(model, group, path, skip_mismatch=False, by_name=False):
    """All is checked before the first weight changes."""
    stored = [(name, _arrays(group, name, path)) for name in hdf5.read_names(group, "layer_names")]
    stored = [(name, arrays) for name, arrays in stored if arrays]
    layers = [(layer, _weights(layer)) for layer in model.layers]
    layers = [(layer, weights) for layer, weights in layers if weights]
    assignments, problems = [], []
    if by_name:
        by_its_name = dict(stored)
        pairs = [(layer, weights, by_its_name[layer.name]) for layer, weights in layers if layer.name in by_its_name]
    else:
        pairs = [(layer, weights, arrays) for (layer, weights), (_, arrays) in zip(layers, stored)]
        if len(layers) != len(stored):
            problems.append(f"{len(layers)} layers have weights, in the file {len(stored)}")
    for layer, weights, arrays in pairs:
        _match(f'layer "{layer.name}"', weights, arrays, assignments, problems)
    top = _arrays(group, "top_level_model_weights", path)
    if top and not by_name:
        _match("the model itself", state.own_variables(model), top, assignments, problems)
    state.report(problems, path, skip_mismatch)
    _assign(assignments)


def _match(owner, variables, arrays, assignments, problems):
    if len(variables) != len(arrays):
        problems.append(f"{owner} has {len(variables)} weights, in the file {len(arrays)}")
        return
    problem = next(filter(None, map(state.mismatch, variables, arrays)), None)
    if problem:
        problems.append(f"{owner}: {problem}")
    else:
        assignments.extend(zip(variables, arrays))


def _assign(assignments):
    values = [(variable, array.read()) for variable, array in assignments]
    for variable, value in values:
        variable.assign(value)


def _arrays(parent, name, path):
    """The arrays of the group `name` in the order of its weight names; empty if there is no such group."""
    group = hdf5.group(parent, name, path)
    if group is None:
        return []
    arrays = [hdf5.array(group, weight, path) for weight in hdf5.read_names(group, "weight_names")]
    if None in arrays:
        raise ValueError(f"{path}: a weight of {name!r} is listed but not in the file.")
    return arrays


def _load_optimizer(model, root, path):
    arrays = _arrays(root, "optimizer_weights", path)
    if not arrays:
        return
    model.optimizer.build(model.trainable_variables)
    assignments, problems = [], []
    _match("the optimizer", list(model.optimizer.variables), arrays, assignments, problems)
    if problems:
        warnings.warn(f"{path}: the optimizer starts afresh: {problems[0]}.", stacklevel=4)
    _assign(assignments)
