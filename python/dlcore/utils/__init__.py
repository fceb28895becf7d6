"""Helpers around models and data."""

import importlib

from dlcore.backend.names import no_attribute

# name -> module; loaded when used, so that importing the package stays quick
_MODULES = {
    "Config": "dlcore.utils.config",
    "CustomObjectScope": "dlcore.saving",
    "FeatureSpace": "dlcore.utils.feature_space",
    "Progbar": "dlcore.utils.progbar",
    "PyDataset": "dlcore.utils.py_dataset",
    "Sequence": "dlcore.utils.py_dataset",
    "array_to_img": "dlcore.utils.images",
    "audio_dataset_from_directory": "dlcore.utils.files_as_batches",
    "clear_session": "dlcore.backend",
    "custom_object_scope": "dlcore.saving",
    "deserialize_keras_object": "dlcore.saving",
    "disable_interactive_logging": "dlcore.utils.console",
    "enable_interactive_logging": "dlcore.utils.console",
    "get_custom_objects": "dlcore.saving",
    "get_file": "dlcore.utils.files",
    "get_registered_name": "dlcore.saving",
    "get_registered_object": "dlcore.saving",
    "get_source_inputs": "dlcore.ops.operation",
    "image_dataset_from_directory": "dlcore.utils.files_as_batches",
    "img_to_array": "dlcore.utils.images",
    "is_interactive_logging_enabled": "dlcore.utils.console",
    "is_keras_tensor": "dlcore.backend",
    "load_img": "dlcore.utils.images",
    "model_to_dot": "dlcore.utils.model_pictures",
    "normalize": "dlcore.utils.arrays",
    "pack_x_y_sample_weight": "dlcore.training.data",
    "pad_sequences": "dlcore.utils.sequences",
    "plot_model": "dlcore.utils.model_pictures",
    "register_keras_serializable": "dlcore.saving",
    "save_img": "dlcore.utils.images",
    "serialize_keras_object": "dlcore.saving",
    "set_random_seed": "dlcore.utils.seeds",
    "split_dataset": "dlcore.utils.batches",
    "standardize_dtype": "dlcore.backend",
    "text_dataset_from_directory": "dlcore.utils.files_as_batches",
    "timeseries_dataset_from_array": "dlcore.utils.timeseries",
    "to_categorical": "dlcore.utils.arrays",
    "unpack_x_y_sample_weight": "dlcore.training.data",
}
_NAMESPACES = {
    "batches": "dlcore.utils.batches",
    "bounding_boxes": "dlcore.utils.bounding_boxes",
    "legacy": "dlcore.legacy.saving",
}

__all__ = [*_MODULES, *_NAMESPACES]


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in _NAMESPACES:
        return importlib.import_module(_NAMESPACES[name])
    raise no_attribute(__name__, name, __all__)


def __dir__():
    return sorted(__all__)
