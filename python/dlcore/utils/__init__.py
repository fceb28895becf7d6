"""Helpers around models and data."""

import importlib

# name -> module; loaded when used, so that importing the package stays quick
_MODULES = {
    "PyDataset": "dlcore.utils.py_dataset",
    "Sequence": "dlcore.utils.py_dataset",
    "Progbar": "dlcore.utils.progbar",
    "get_file": "dlcore.utils.files",
    "normalize": "dlcore.utils.arrays",
    "pad_sequences": "dlcore.utils.sequences",
    "set_random_seed": "dlcore.utils.seeds",
    "to_categorical": "dlcore.utils.arrays",
    "CustomObjectScope": "dlcore.saving",
    "custom_object_scope": "dlcore.saving",
    "deserialize_keras_object": "dlcore.saving",
    "get_custom_objects": "dlcore.saving",
    "get_registered_name": "dlcore.saving",
    "get_registered_object": "dlcore.saving",
    "register_keras_serializable": "dlcore.saving",
    "serialize_keras_object": "dlcore.saving",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
