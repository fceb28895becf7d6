"""Writes keras_api.json: the public names of every Keras namespace, as {"keras.layers": ["Dense", ...], ...}, and
keras_signatures.json: how the functions and classes are called, and what members the classes have.

Run with Keras 3.15 on JAX: KERAS_BACKEND=jax python tests/golden/make_keras_api.py
"""

import importlib
import inspect
import json
import os
import types

import keras  # noqa: F401, imports its namespaces

# What is no API of Keras's own: its source tree, and its alias for users of TensorFlow.
NOT_PUBLIC = ("keras.src", "keras._tf_keras")


def namespaces(name="keras"):
    """The package and all its public subpackages, by the folders that hold them."""
    yield name
    folder = os.path.dirname(importlib.import_module(name).__file__)
    for entry in sorted(os.listdir(folder)):
        inner = f"{name}.{entry}"
        if os.path.isfile(os.path.join(folder, entry, "__init__.py")) and inner not in NOT_PUBLIC:
            yield from namespaces(inner)


def is_public(namespace, name):
    """Whether a name of a namespace is meant for users: no underscore, no module that is no namespace."""
    if name.startswith("_"):
        return False
    value = getattr(importlib.import_module(namespace), name)
    return not isinstance(value, types.ModuleType) or f"{namespace}.{name}" in ALL


ALL = list(namespaces())
api = {space: sorted(n for n in dir(importlib.import_module(space)) if is_public(space, n)) for space in ALL}


def arguments(function, bound):
    """The arguments of a callable as they are written, e.g. ["x", "axis=-1", "**kwargs"]; None where nobody says."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    listed = []
    for p in parameters[1:] if bound else parameters:
        if p.kind is p.KEYWORD_ONLY and not any(other.startswith("*") for other in listed):
            listed.append("*")
        default = "" if p.default is p.empty else f"={p.default!r}" if is_plain(p.default) else "=..."
        listed.append(f"{marks.get(p.kind, '')}{p.name}{default}")
    return listed


def is_plain(value):
    """Whether the repr of a default says what it is."""
    return isinstance(value, (int, float, str, tuple, list, type(None)))


def members(cls):
    """Dict: public member -> its arguments, None for values. What comes unchanged from a public base is left out."""
    listed = {"": arguments(cls.__init__, bound=True) if cls.__init__ is not object.__init__ else []}
    for name in dir(cls):
        raw = inspect.getattr_static(cls, name)
        bases = [base for base in cls.__mro__[1:] if base in PUBLIC and hasattr(base, name)]
        owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
        if name.startswith("_") or any(inspect.getattr_static(base, name) is raw for base in bases):
            continue
        if not owner.__module__.startswith("keras") or type(raw).__module__.startswith("sklearn"):
            continue  # scikit-learn's
        is_method = callable(getattr(cls, name))
        listed[name] = arguments(getattr(cls, name), inspect.isfunction(raw)) if is_method else None
    return listed


def save(name, value, **options):
    with open(os.path.join(os.path.dirname(__file__), name), "w") as file:
        json.dump(value, file, **options)
        file.write("\n")


named = {}  # each object once, under the first of its names
for space, names in api.items():
    for name in names:
        value = getattr(importlib.import_module(space), name)
        if callable(value) and not any(value is other for other in named.values()):
            named[f"{space}.{name}"] = value
PUBLIC = {value for value in named.values() if inspect.isclass(value)}
signatures = {
    name: members(value) if inspect.isclass(value) else {"": arguments(value, bound=False)}
    for name, value in named.items()
}
save("keras_api.json", api, indent=0)
save("keras_signatures.json", signatures, separators=(",", ":"))
