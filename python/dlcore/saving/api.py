"""Saving and loading by the ending of the file name."""

import os
import warnings

from dlcore.backend.arguments import is_number
from dlcore.errors import MissingFile
from dlcore.saving import keras_file, legacy_h5, weights_file
from dlcore.utils.files import replacing


def save_model(model, filepath, overwrite=True, zipped=None, include_optimizer=True, **kwargs):
    """Saves a whole model: structure, weights, compile arguments and optimizer state.

    The file is written beside its place and put there when complete, so an older one stays whole if the disk is full.

    Args:
        model: the model.
        filepath: ends in `.keras` (preferred) or `.h5` (Keras's older format).
        overwrite: whether an existing file may be replaced.
        zipped: default True: a `.keras` file is a zip archive; False: `filepath` is a folder of what would be in it.
        include_optimizer: for `.h5`: whether the optimizer is saved too.

    Raises:
        ValueError: the name ends in neither `.keras` nor `.h5`, or is one for weights alone.
    """
    path = _path(filepath)
    if kwargs.pop("save_format", None):
        warnings.warn("save_format is deprecated: the ending of the file's name says the format.", stacklevel=3)
    _check_no_others("save", kwargs)
    _check_overwrite(path, overwrite)
    if zipped is False:
        if path.endswith((".keras", ".h5", ".hdf5")):
            raise ValueError(f"With zipped=False a model is saved in a folder. Got the name of a file: {path!r}.")
        return keras_file.save_to_folder(model, path)
    if path.endswith(".weights.h5"):
        raise ValueError(f"{path} is a name for weights alone. Call save_weights, or name the file .keras.")
    if path.endswith(".keras"):
        with replacing(path) as file:
            keras_file.save_to(model, file)
    elif path.endswith((".h5", ".hdf5")):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with replacing(path) as file:
            legacy_h5.save_to(model, file, include_optimizer)
    else:
        raise ValueError(f"The file name of a model must end in .keras or .h5. Got {path!r}; use {path + '.keras'!r}.")


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Loads a model that dlcore or Keras saved.

    Args:
        filepath: a `.keras` or `.h5` file, or a folder that was saved with `zipped=False`.
        custom_objects: {name: class or function} of the user's own objects in the model.
        compile: whether the model is compiled as it was, with the optimizer's state.
        safe_mode: kept for Keras's signature; code in a file is refused in any case.

    Returns:
        the model.

    Raises:
        ValueError: for a damaged file, an unknown class, or weights that do not fit.
    """
    path = _existing(filepath)
    if os.path.isdir(path):
        return keras_file.load(path, custom_objects, compile)
    if path.endswith((".h5", ".hdf5")):
        return legacy_h5.load(path, custom_objects, compile)
    if path.endswith(".keras"):
        return keras_file.load(path, custom_objects, compile)
    exported = " Exported files are for C++ programs: save the model, too." if path.endswith(".dlcore") else ""
    raise ValueError(f"The file name of a model must end in .keras or .h5. Got {path!r}.{exported}")


def save_weights(model, filepath, overwrite=True, max_shard_size=None, objects_to_skip=(), **kwargs):
    """Saves a model's weights, and its optimizer's state.

    Args:
        model: the model, built.
        filepath: ends in `.weights.h5`; in `.weights.json` with `max_shard_size`.
        overwrite: whether an existing file may be replaced.
        max_shard_size: number or None (default): how large a file may be in GB of 2^30 bytes. The weights are then in
            several files `..._00000.weights.h5` beside the one of the given name, which says what is where.
        objects_to_skip: layers whose weights are left out, with those of all that is only reached through them.

    Raises:
        ValueError: the model has no weights yet, or the name ends otherwise.
        FileExistsError: the file is there and overwrite is False.
    """
    path = _path(filepath)
    _check_no_others("save_weights", kwargs)
    if not model.built and not model.weights:
        raise ValueError(
            f"{model._label()} has no weights yet to save: it is built when first called, or by build(input_shape)."
        )
    _check_overwrite(path, overwrite)
    if max_shard_size is not None:
        if not is_number(max_shard_size) or max_shard_size <= 0:
            raise ValueError(f"max_shard_size must be a number > 0, in GB. Got max_shard_size={max_shard_size!r}.")
        if not path.endswith(".weights.json"):
            raise ValueError(
                f"With max_shard_size the file name of weights must end in .weights.json. Got {path!r} and "
                f"max_shard_size={max_shard_size}."
            )
        return weights_file.save_shards(model, path, max_shard_size * 2**30, objects_to_skip)
    if not path.endswith(".weights.h5"):
        raise ValueError(f"The file name of weights must end in .weights.h5. Got {path!r}.")
    with replacing(path) as file:
        weights_file.save_to(model, file, objects_to_skip)


def load_weights(model, filepath, skip_mismatch=False, by_name=False, objects_to_skip=(), **kwargs):
    """Loads weights into a model of the same structure; if they do not fit, the model stays as it was.

    Args:
        model: the model, built.
        filepath: a `.weights.h5` or `.weights.json` file, or a `.keras` or `.h5` file or a folder of a whole model.
        skip_mismatch: whether what does not fit is skipped with a warning instead of an error.
        by_name: for `.h5`: whether layers are matched by name instead of by order.
        objects_to_skip: for `.weights.h5` and `.weights.json`: layers that are left as they are, with all in them that
            is only reached through them.
    """
    path = _existing(filepath)
    _check_no_others("load_weights", kwargs)
    if objects_to_skip and not path.endswith((".weights.h5", ".weights.json")):
        raise ValueError(f"objects_to_skip is for .weights.h5 and .weights.json files. Got {path!r}.")
    if by_name and path.endswith((".keras", ".weights.h5", ".weights.json")):
        raise ValueError(f"by_name=True needs a .h5 file of a whole model. Got {path!r}.")
    if path.endswith(".keras") or os.path.isdir(path):
        keras_file.load_weights(model, path, skip_mismatch)
    elif path.endswith(".weights.h5"):
        weights_file.load_from(model, path, path, skip_mismatch, objects_to_skip)
    elif path.endswith(".weights.json"):
        weights_file.load_shards(model, path, skip_mismatch, objects_to_skip)
    elif path.endswith((".h5", ".hdf5")):
        legacy_h5.load_weights(model, path, skip_mismatch, by_name)
    else:
        raise ValueError(
            f"The file name of weights must end in .weights.h5, .weights.json, .keras or .h5. Got {path!r}."
        )


def _check_no_others(function, kwargs):
    if kwargs:
        raise ValueError(f"{function} got unexpected arguments {sorted(kwargs)}.")


def _path(filepath):
    return os.path.expanduser(os.fspath(filepath))


def _existing(filepath):
    path = _path(filepath)
    if os.path.isdir(path):
        if keras_file.is_folder_of_model(path):
            return path
        raise IsADirectoryError(f"{path!r} is a folder. Name the .keras, .h5 or weights file to load.")
    if not os.path.isfile(path):
        raise MissingFile(f"There is no file {path!r}. The working directory is {os.getcwd()!r}.")
    return path


def _check_overwrite(path, overwrite):
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} exists already. Pass overwrite=True to replace it.")
