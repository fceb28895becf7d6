"""Writes keras_api.json: the public names of every Keras namespace, as {"keras.layers": ["Dense", ...], ...}.

Run with Keras 3.15: python tests/golden/make_keras_api.py
"""

import importlib
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
with open(os.path.join(os.path.dirname(__file__), "keras_api.json"), "w") as file:
    json.dump(api, file, indent=0)
    file.write("\n")
