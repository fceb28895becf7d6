"""Names to objects: the closed catalogues of built-in things and the user's own registered classes.

Every kind of named object (activations, losses, layers, ...) has one `Catalogue`. A catalogue never imports a module by
a name found in a file: a name is either in the catalogue, registered by the user, or an error that lists near names.
"""

import inspect
import threading
import types

from dlcore import backend

_registered = {}
_registered_names = {}
_scopes = threading.local()


def nearest_names(name, names):
    """The names most like `name`, or all of them, as a sentence for an error message."""
    return backend.nearest_hint(name, list(names))


def get_custom_objects():
    """The user's global dict of name -> class or function, consulted by every deserialization."""
    return _registered


def register_keras_serializable(package="Custom", name=None):
    """Class (or function) decorator: makes the object known to files under `"package>name"`.

    Raises:
        ValueError: the class has no `get_config`.
    """

    def register(obj):
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(f"{obj.__name__} cannot be registered without a get_config() method. Please add one.")
        registered_name = f"{package}>{name or obj.__name__}"
        _registered[registered_name] = obj
        _registered_names[obj] = registered_name
        return obj

    return register


def get_registered_name(obj):
    """`"package>name"` of a registered object, else its plain name."""
    try:
        return _registered_names.get(obj) or obj.__name__
    except TypeError:  # unhashable
        return obj.__name__


def function_config(function):
    """The configuration of a function, with the entries that Keras writes: its name is `config`."""
    name = get_registered_name(function)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def get_registered_object(name, custom_objects=None, module_objects=None):
    """Looks `name` up in the scope, the registered, the given and the built-in objects, in this order; else None.

    Args:
        name: str.
        custom_objects, module_objects: dicts of objects by name: the given and the built-in ones.
    """
    for objects in (*_scope_stack(), _registered, custom_objects, module_objects):
        if objects and name in objects:
            return objects[name]
    return None


def _scope_stack():
    return getattr(_scopes, "stack", ())


class custom_object_scope:  # noqa: N801, Keras's name
    """`with custom_object_scope({"MyLayer": MyLayer}):` makes names known while the block runs."""

    def __init__(self, custom_objects):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self):
        _scopes.stack = (self.custom_objects, *_scope_stack())
        return self

    def __exit__(self, *exc_info):
        _scopes.stack = _scope_stack()[1:]


CustomObjectScope = custom_object_scope


class Catalogue:
    """All built-in objects of one kind, with Keras's `get`, `serialize` and `deserialize`.

    Args:
        kind: str, what an entry is called in messages, e.g. `"loss"`.
        module: str, Keras's public module, written into configurations.
        objects: the built-in classes and functions; each is known under its `__name__`.
        aliases: dict of further names.
    """

    def __init__(self, kind, module, objects, aliases=None):
        self.kind = kind
        self.module = module
        self.objects = {obj.__name__: obj for obj in objects}
        snake_case = {backend.to_snake_case(n): o for n, o in self.objects.items() if inspect.isclass(o)}
        self.objects = {**snake_case, **self.objects}
        self.objects.update(aliases or {})
        self._own = set(objects)

    def lookup(self, name, custom_objects=None):
        """The class or function called `name`, or a ValueError with the nearest names."""
        found = get_registered_object(name, custom_objects, self.objects)
        if found is None:
            known = [*self.objects, *_registered, *(custom_objects or ())]
            raise ValueError(f'Unknown {self.kind}: "{name}". {nearest_names(name, known)}')
        return found

    def deserialize(self, config, custom_objects=None):
        """An object from its name or its configuration dict; None and objects stay what they are."""
        if isinstance(config, str):
            found = self.lookup(config, custom_objects)
            return found() if inspect.isclass(found) else found
        if config is None or callable(config) or hasattr(config, "get_config"):
            return config
        if not isinstance(config, dict) or "class_name" not in config:
            raise ValueError(
                f'Cannot make a {self.kind} from {config!r}. Expected a name or a dict with "class_name" and "config".'
            )
        inner = config.get("config", {})
        if config["class_name"] == "function":
            return self._lookup_registered(config, inner, custom_objects)
        found = self._lookup_registered(config, config["class_name"], custom_objects)
        if not inspect.isclass(found):
            return found
        if custom_objects:
            with custom_object_scope(custom_objects):
                return found.from_config(dict(inner))
        return found.from_config(dict(inner))

    def _lookup_registered(self, config, name, custom_objects):
        registered_name = config.get("registered_name")
        if registered_name:
            found = get_registered_object(registered_name, custom_objects)
            if found is not None:
                return found
        return self.lookup(name, custom_objects)

    def serialize(self, obj):
        """The configuration dict from which `deserialize` makes an equal object; None stays None."""
        if obj is None:
            return None
        if isinstance(obj, (types.FunctionType, types.BuiltinFunctionType)):
            return function_config(obj)
        if not hasattr(obj, "get_config"):
            raise TypeError(f"Cannot serialize the {self.kind} {obj!r}: it has no get_config() method. Please add one.")
        cls = type(obj)
        built_in = cls in self._own
        return {
            "module": self.module if built_in else cls.__module__,
            "class_name": cls.__name__,
            "config": obj.get_config(),
            "registered_name": None if built_in else get_registered_name(cls),
        }

    def get(self, identifier):
        """An object from None, a name, a configuration dict, a class, or the object itself."""
        if identifier is None:
            return None
        if isinstance(identifier, (str, dict)):
            return self.deserialize(identifier)
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        raise ValueError(
            f"Cannot interpret {identifier!r} as {'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}. "
            "Expected a name, a configuration dict, a class, an instance or a function."
        )
