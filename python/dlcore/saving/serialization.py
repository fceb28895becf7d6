"""Objects to configuration dicts and back, in Keras 3's format.

A configuration is {"module", "class_name", "config", "registered_name"} with, for layers and models, "build_config",
"compile_config" and, beyond Keras's format, "inner_layers". A name in it is looked up in the closed list of
dlcore's own classes, or among the user's registered and given objects. Nothing is imported by a name in a file, and no
code in a file is run.
"""

import contextlib
import functools
import importlib
import inspect
import threading

import numpy as np

from dlcore import registry
from dlcore.errors import UnknownClass

# Keras's public module -> ours. Only classes and functions found there can be named by a file.
_MODULES = {
    "keras": "dlcore",
    "keras.layers": "dlcore.layers",
    "keras.losses": "dlcore.losses",
    "keras.metrics": "dlcore.metrics",
    "keras.optimizers": "dlcore.optimizers",
    "keras.optimizers.schedules": "dlcore.optimizers.schedules",
    "keras.initializers": "dlcore.initializers",
    "keras.regularizers": "dlcore.regularizers",
    "keras.constraints": "dlcore.constraints",
    "keras.activations": "dlcore.activations",
    "keras.quantizers": "dlcore.quantizers",
    "keras.random": "dlcore.random",
    "keras.dtype_policies": "dlcore.dtype_policies",
    "keras.utils": "dlcore.utils.feature_space",
    "keras.distillation": "dlcore.distillation",
    # Layers of single architectures.
    "keras.src.applications.convnext": "dlcore.applications.convnext",
    "keras.src.applications.inception_resnet_v2": "dlcore.applications.inception_resnet_v2",
    # Written by earlier versions.
    "dlcore.backend.dtype_policy": "dlcore.dtype_policies",
}
# Written by Keras as the module of functional models.
_FUNCTIONAL = "keras.src.models.functional"
# What is public in Keras by another name than that of its class, which its .h5 files have.
_PUBLIC_NAMES = {"GroupedQueryAttention": "GroupQueryAttention"}

_PLAIN = (str, int, float, bool)
_sharing = threading.local()


@functools.cache
def _own_classes():
    """{(Keras module, class name): class} of everything a file may name."""
    classes = {}
    for public, own in _MODULES.items():
        module = importlib.import_module(own)
        for name in dir(module):
            cls = getattr(module, name)
            if inspect.isclass(cls) and cls.__module__.startswith("dlcore.") and hasattr(cls, "from_config"):
                classes[public, name] = cls
    return classes


@functools.cache
def _own_names():
    """{class: (Keras module, class name)}, the inverse of `_own_classes`, with the names that Keras writes."""
    names = {cls: key for key, cls in reversed(_own_classes().items()) if key[1] == cls.__name__}
    return {
        cls: (_FUNCTIONAL if name == "Functional" else module, _PUBLIC_NAMES.get(name, name))
        for cls, (module, name) in names.items()
    }


@functools.cache
def _own_functions():
    """{name: function} of the activations, losses and metrics a file may name."""
    functions = {}
    for public in ("keras.metrics", "keras.losses", "keras.activations"):
        module = importlib.import_module(_MODULES[public])
        for name in dir(module):
            function = getattr(module, name)
            if inspect.isfunction(function) and name not in ("get", "serialize", "deserialize"):
                functions[name] = function
    return functions


@contextlib.contextmanager
def sharing_objects():
    """Inside, an object that occurs twice is stored once and comes back as one object."""
    _sharing.configs, _sharing.objects = {}, {}
    try:
        yield
    finally:
        _sharing.configs, _sharing.objects = None, None


# ------------------------------------------------------------------------------------------------ to a configuration


def serialize_keras_object(obj):
    """The configuration from which `deserialize_keras_object` makes an equal object.

    Args:
        obj: a layer, model, loss, metric, optimizer, initializer, ... with `get_config()`; a named function; or
            numbers, strings, arrays, and lists and dicts of all these.

    Returns:
        what JSON can write; tuples are still tuples.

    Raises:
        TypeError: the object has no `get_config`.
    """
    if obj is None or isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return _listed(obj, serialize_keras_object)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    special = _serialize_special(obj)
    if special is not None:
        return special
    if inspect.isfunction(obj) or inspect.isbuiltin(obj):
        return _serialize_function(obj)
    if inspect.isclass(obj) or not hasattr(obj, "get_config"):
        raise TypeError(f"{obj!r} cannot be saved: it has no get_config() method. Give its class one.")
    return _serialize_instance(obj)


def _listed(items, function):
    """function(item) of each, in a list or tuple as `items` is one."""
    made = [function(item) for item in items]
    return tuple(made) if isinstance(items, tuple) else made


def _serialize_special(obj):
    """Values that are neither plain nor made from a class."""
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and not obj.ndim):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        parts = {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    from dlcore import backend

    if backend.is_tensor(obj):
        array = backend.convert_to_numpy(obj)
        return {"class_name": "__tensor__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if backend.is_keras_tensor(obj):
        operation, *place = obj._keras_history
        config = {"shape": list(obj.shape), "dtype": obj.dtype, "keras_history": [operation.name, *place]}
        return {"class_name": "__keras_tensor__", "config": config}
    return None


def _serialize_function(function):
    if function.__name__ == "<lambda>":
        raise ValueError("A lambda cannot be saved: files hold no code. Define a named function with `def` instead.")
    return registry.function_config(function)


def _serialize_instance(obj):
    cls = type(obj)
    module, class_name = _own_names().get(cls, (cls.__module__, cls.__name__))
    config = {
        "module": module,
        "class_name": class_name,
        "config": serialize_keras_object(obj.get_config()),
        "registered_name": None if cls in _own_names() else registry.get_registered_name(cls),
    }
    for name in ("build_config", "compile_config"):
        get = getattr(obj, f"get_{name}", None)
        value = get() if get else None
        if value:
            config[name] = serialize_keras_object(value)
    forms = _forms_inside(obj)
    if forms:
        config["inner_layers"] = forms
    _note_shared(obj, config)
    return config


def _forms_inside(obj):
    """The forms of the layers that a layer makes for itself, and is not given in its configuration."""
    from dlcore import layers, models
    from dlcore.layers.inner_forms import inner_forms
    from dlcore.models.functional_config import is_made_of_its_graph

    if not isinstance(obj, layers.Layer):
        return []
    of_sequential = type(obj).get_config is models.Sequential.get_config
    of_functional = type(obj).get_config is models.Functional.get_config and is_made_of_its_graph(type(obj))
    return [] if of_sequential or of_functional else inner_forms(obj)


def _note_shared(obj, config):
    """Marks the configurations of an object that occurs more than once."""
    configs = getattr(_sharing, "configs", None)
    if configs is None:
        return
    if id(obj) in configs:
        _, first = configs[id(obj)]
        first["shared_object_id"] = config["shared_object_id"] = id(obj)
    else:
        configs[id(obj)] = (obj, config)  # keeps the object alive, so that its id stays its own


# ---------------------------------------------------------------------------------------------- from a configuration


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, **kwargs):
    """The object that a configuration describes.

    Args:
        config: what `serialize_keras_object` (or Keras's) returned.
        custom_objects: {name: class or function} of the user's own objects in it.
        safe_mode: kept for Keras's signature; code in a configuration is refused in any case.

    Raises:
        ValueError: for a name that is neither dlcore's nor known from the user; with the nearest names.
    """
    with registry.custom_object_scope(custom_objects):
        return _deserialize(adapt(config))


def _deserialize(config):
    if config is None or isinstance(config, (int, float)):
        return config
    if isinstance(config, str):
        found = registry.get_registered_object(config)
        return config if found is None else found
    if isinstance(config, (list, tuple)):
        return [_deserialize(item) for item in config]
    if not isinstance(config, dict):
        raise TypeError(f"A configuration holds {config!r}, which is no part of its format.")
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(value) for key, value in config.items()}
    class_name, inner = config["class_name"], config["config"]
    if isinstance(class_name, str) and class_name.startswith("__"):
        return _deserialize_special(class_name, inner)
    if class_name == "function":
        return _find_function(config)
    return _deserialize_instance(config)


def _deserialize_special(class_name, inner):
    if class_name == "__numpy__":
        return np.array(inner["value"], _numeric(inner["dtype"]))
    if class_name == "__tensor__":
        from dlcore import backend

        return backend.convert_to_tensor(np.array(inner["value"], _numeric(inner["dtype"])))
    if class_name == "__bytes__":
        return inner["value"].encode("utf-8")
    if class_name == "__ellipsis__":
        return Ellipsis
    if class_name == "__slice__":
        return slice(*(_deserialize(inner[name]) for name in ("start", "stop", "step")))
    raise ValueError(f'A configuration holds the unknown value type "{class_name}".')


def _numeric(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub":
        raise ValueError(f"A configuration holds an array of {dtype}, no numbers.")
    return dtype


def _find_function(config):
    names = [name for name in (config.get("registered_name"), config["config"]) if isinstance(name, str)]
    for name in names:
        found = registry.get_registered_object(name, module_objects=_own_functions())
        if found is not None:
            return found
    for name, found in registry.get_custom_objects().items():  # Keras 3.6 wrote no package
        if name.split(">")[-1] in names and inspect.isfunction(found):
            return found
    known = [*_own_functions(), *registry.get_custom_objects()]
    name = names[-1] if names else config["config"]
    raise ValueError(
        f'Unknown function "{name}". {registry.nearest_names(name, known)} '
        "Pass your own functions as custom_objects={name: function}, or register them with register_keras_serializable."
    )


def _deserialize_instance(config):
    shared = getattr(_sharing, "objects", None)
    shared_id = config.get("shared_object_id")
    if shared is not None and shared_id in shared:
        return shared[shared_id]
    cls = find_class(config)
    inner = config["config"] if config["config"] is not None else {}
    if not inspect.isclass(cls):
        return cls  # a custom object may be a ready instance or function
    if not isinstance(inner, dict):
        raise ValueError(f"The configuration of {config['class_name']} should be a dict. Got {inner!r}.")
    if not hasattr(cls, "from_config"):
        raise TypeError(
            f"{config['class_name']} cannot be made from its configuration: its class has no from_config(cls, config)."
        )
    try:
        instance = cls.from_config(inner)
    except UnknownClass:
        raise
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{config['class_name']} cannot be made from its configuration {_in_short(inner)}: {error}"
            f"{_left_as_dict(error)}"
        ) from error
    if config.get("build_config") and hasattr(instance, "build_from_config") and not instance.built:
        instance.build_from_config(config["build_config"])
    if config.get("inner_layers"):
        from dlcore.layers.inner_forms import restore_inner_forms

        restore_inner_forms(instance, config["inner_layers"])
    if config.get("compile_config") and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(config["compile_config"])
    if shared is not None and shared_id is not None:
        shared[shared_id] = instance
    return instance


def _in_short(config):
    text = repr(config)
    return text if len(text) <= 400 else f"{text[:397]}..."


def _left_as_dict(error):
    """The hint where a layer or function was used while it still was its configuration."""
    if "'dict' object" not in str(error):
        return ""
    return (
        ". A part of a configuration was used as it stands. A class that is given layers or other objects makes them "
        "in its from_config(cls, config), with saving.deserialize_keras_object(config[name])."
    )


def find_class(config):
    """The class a configuration names; the user's own objects come first."""
    class_name, module = config["class_name"], config.get("module")
    if not isinstance(class_name, str) or not isinstance(module, (str, type(None))):
        raise ValueError(f"A configuration names its class and module. Got class_name={class_name!r}, {module=}.")
    for name in (config.get("registered_name"), class_name):
        found = registry.get_registered_object(name) if isinstance(name, str) else None
        if found is not None:
            return found
    found = find_own_class(class_name, module)
    if found is not None:
        return found
    known = [name for _, name in _own_classes()] + list(registry.get_custom_objects())
    raise UnknownClass(
        f'Unknown class "{class_name}"{f" of module {module}" if module else ""}. '
        f"{registry.nearest_names(class_name, known)} "
        "Pass your own classes as custom_objects={name: class}, or register them with register_keras_serializable."
    )


def find_own_class(class_name, module):
    """dlcore's class of that name in the module named, or, for old files that name none, among layers and models."""
    parts = str(module).split(".")
    if not module:
        places = ("keras", "keras.layers")
    elif module in _MODULES:
        places = (module,)
    elif parts[:2] == ["keras", "src"]:  # where Keras itself keeps what its public modules show
        places = ("keras",) if parts[2:3] == ["models"] else (f"keras.{'.'.join(parts[2:3])}",)
    else:
        places = (module,)
    found = (_own_classes().get((place, class_name)) for place in places)
    return next((cls for cls in found if cls is not None), None)


def adapt(config):
    """The configuration as dlcore's classes take it.

    The policy of an object's dtype becomes its name, and arguments that a class of dlcore does not have are dropped
    where they are off (None or False). A configuration that holds code is refused.
    """
    if isinstance(config, (list, tuple)):
        return _listed(config, adapt)
    if not isinstance(config, dict):
        return config
    class_name, inner = config.get("class_name"), config.get("config")
    if class_name == "__lambda__":
        raise ValueError(
            "The file holds a Python lambda, which is code. dlcore runs no code from files. Save the model with "
            "a named function, registered with register_keras_serializable, instead."
        )
    adapted = {key: _policy_name(value) if key == "dtype" else adapt(value) for key, value in config.items()}
    if isinstance(class_name, str) and isinstance(inner, dict):
        accepted = _arguments(find_own_class(class_name, config.get("module")))
        if accepted and registry.get_registered_object(config.get("registered_name") or class_name) is None:
            adapted["config"] = {
                key: value
                for key, value in adapted["config"].items()
                if key in accepted or not (value is None or value is False or key == "renorm_momentum")
            }
    return adapted


def _policy_name(dtype):
    """The name of a dtype policy that is no more than its name; other values as they are."""
    if isinstance(dtype, dict) and dtype.get("class_name") == "DTypePolicy" and isinstance(dtype.get("config"), dict):
        return dtype["config"].get("name")
    return adapt(dtype)


@functools.cache
def _arguments(cls):
    """Names of the arguments a class's constructor takes, following **kwargs to the bases; None if not known."""
    if cls is None or cls.__name__ in ("Functional", "Sequential", "Model"):
        return None
    names = set()
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names.update(parameter.name for parameter in parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return names
