"""Objects to configurations in Keras 2's format, {"class_name", "config"}, and back."""

import inspect

from dlcore import registry


def serialize_keras_object(instance):
    """The configuration {"class_name", "config"} of an object, the name of a function, or None.

    Raises:
        ValueError: the object has neither get_config() nor a name.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        config = instance.get_config()
        inner = {key: value if isinstance(value, str) else _serialized(value) for key, value in config.items()}
        return {"class_name": registry.get_registered_name(type(instance)), "config": inner}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(f"{instance!r} can't be serialized: it has neither get_config() nor a name.")


def _serialized(value):
    """Objects inside a configuration as configurations; other values as they are."""
    is_object = hasattr(value, "get_config") or inspect.isfunction(value)
    return serialize_keras_object(value) if is_object else value


def deserialize_keras_object(identifier, module_objects=None, custom_objects=None, printable_module_name="object"):
    """The object of a configuration {"class_name", "config"} or of a name.

    Args:
        identifier: dict, name, function or None.
        module_objects: dict of the names that are known.
        custom_objects: dict of further names.
        printable_module_name: what an object is called in messages.

    Raises:
        ValueError: the configuration is incomplete or names nothing known.
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    if isinstance(identifier, str):
        found = _find(identifier, module_objects, custom_objects, printable_module_name)
        return found() if inspect.isclass(found) else found
    if not isinstance(identifier, dict) or "class_name" not in identifier or "config" not in identifier:
        raise ValueError(
            f'A configuration of {printable_module_name} needs "class_name" and "config". Got {identifier!r}.'
        )
    cls = _find(identifier["class_name"], module_objects, custom_objects, printable_module_name)
    config = dict(identifier["config"])
    if not hasattr(cls, "from_config"):
        with registry.custom_object_scope(custom_objects):
            return cls(**config)
    if "custom_objects" in inspect.signature(cls.from_config).parameters:
        return cls.from_config(config, custom_objects={**registry.get_custom_objects(), **(custom_objects or {})})
    with registry.custom_object_scope(custom_objects):
        return cls.from_config(config)


def _find(name, module_objects, custom_objects, kind):
    found = registry.get_registered_object(name, custom_objects, module_objects)
    if found is None:
        known = [*(module_objects or ()), *(custom_objects or ()), *registry.get_custom_objects()]
        raise ValueError(
            f"Unknown {kind}: {name!r}. {registry.nearest_names(name, known)} Pass your own as custom_objects."
        )
    return found


__all__ = ["deserialize_keras_object", "serialize_keras_object"]
