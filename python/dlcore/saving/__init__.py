"""Models, weights and configurations in files that Keras reads too."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from dlcore.saving.api import load_model, load_weights, save_model, save_weights
from dlcore.saving.file_editor import KerasFileEditor
from dlcore.saving.serialization import deserialize_keras_object, serialize_keras_object

__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
