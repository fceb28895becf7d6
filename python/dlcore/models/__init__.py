"""Models: layers with what it takes to train, run and save them."""

from dlcore.backend.names import unknown_attributes as _unknown_attributes
from dlcore.models.cloning import clone_model
from dlcore.models.functional import Function, Functional
from dlcore.models.model import Model
from dlcore.models.sequential import Sequential


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):  # noqa: A002
    """The model of a `.keras` or `.h5` file.

    Args:
        filepath, custom_objects, compile, safe_mode: as `saving.load_model`.
    """
    from dlcore import saving

    return saving.load_model(filepath, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode)


def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Writes a model to a `.keras` or `.h5` file: `saving.save_model`.

    Args:
        model: the model.
        filepath, overwrite, zipped: as `saving.save_model`.
    """
    from dlcore import saving

    return saving.save_model(model, filepath, overwrite, zipped, **kwargs)


def model_from_json(json_string, custom_objects=None):
    """The model that `to_json()` described, with new weights.

    Args:
        json_string: str.
        custom_objects: {name: class or function} of the user's own objects in the model.

    Raises:
        ValueError: a class is not known.
    """
    import json

    from dlcore import saving

    return saving.deserialize_keras_object(json.loads(json_string), custom_objects=custom_objects)


__getattr__ = _unknown_attributes(__name__)

__all__ = [
    "Function",
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
