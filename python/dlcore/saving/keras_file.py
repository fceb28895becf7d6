"""`.keras`: a zip file of config.json (the model), metadata.json, model.weights.h5 and, for layers that keep files such
as vocabularies, these under assets/."""

import datetime
import io
import json
import os
import re
import tempfile
import zipfile
import zlib

from dlcore.saving import serialization, state, weights_file

_CONFIG, _METADATA, _WEIGHTS, _ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
_MAX_JSON_BYTES = 64 << 20
_MAX_ASSET_BYTES = 256 << 20
# Where no model says how many there can be.
_MAX_WEIGHTS_BYTES = 4 << 30
# The Keras version whose format is written; Keras reads it in the metadata.
KERAS_VERSION = "3.10.0"


def save_to(model, file):
    """Writes a model to a binary file object."""
    with serialization.sharing_objects():
        config = json.dumps(serialization.serialize_keras_object(model))
    import dlcore

    metadata = {
        "keras_version": KERAS_VERSION,
        "dlcore_version": dlcore.__version__,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_METADATA, json.dumps(metadata))
        archive.writestr(_CONFIG, config)
        with archive.open(_WEIGHTS, "w", force_zip64=True) as member:
            weights_file.save_to(model, member)
        for name, path in assets(model):
            archive.write(path, name)


def assets(model):
    """(place in the archive, path) of each file that layers keep beside the weights; the paths are there only until
    the next is asked for.
    """
    for place, layer in _with_assets(model, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            layer.save_assets(folder)
            for name in sorted(os.listdir(folder)):
                yield f"{_ASSETS}/{place}/{name}", os.path.join(folder, name)


def save_to_folder(model, path):
    """Writes what would be in the archive as files in a folder."""
    buffer = io.BytesIO()
    save_to(model, buffer)
    with zipfile.ZipFile(buffer) as archive:
        archive.extractall(path)


def is_folder_of_model(path):
    return os.path.isfile(os.path.join(path, _CONFIG))


def load(path, custom_objects=None, compile=True):
    """The model in a file or folder."""
    with _opened(path) as archive:
        config = _read_json(archive, _CONFIG, path)
        if not compile:
            config.pop("compile_config", None)
        with serialization.sharing_objects():
            model = serialization.deserialize_keras_object(config, custom_objects)
        if not hasattr(model, "weights"):
            raise ValueError(f"{path} describes a {config.get('class_name')}, not a model.")
        _load_weights(model, archive, path)
        for place, layer in _with_assets(model, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                if _unpack(archive, f"{_ASSETS}/{place}/", folder, path):
                    layer.load_assets(folder)
    return model


def _with_assets(model, method):
    """(place, layer) of the layers that keep files, such as vocabularies, beside the weights."""
    for (place, *_), layer in state.saveables(model):
        if hasattr(layer, method):
            yield place, layer


def _unpack(archive, place, folder, path):
    """Writes the files of a place in the archive into a folder; how many there are."""
    # Files in folders below are those of layers within the layer.
    names = [name for name in archive.namelist() if name.startswith(place) and "/" not in name[len(place) :]]
    for name in names:
        file_name = name[len(place) :]
        if not re.fullmatch(r"[\w-][\w.-]*", file_name):
            raise ValueError(f"{path}: {name} is no name of a file beside the weights.")
        with open(os.path.join(folder, file_name), "wb") as file:
            file.write(_read(archive, name, _MAX_ASSET_BYTES, path))
    return len(names)


def read_parts(path):
    """(weights as a binary file object, configuration, metadata) of a file."""
    with _opened(path) as archive:
        weights = io.BytesIO(_read(archive, _WEIGHTS, _MAX_WEIGHTS_BYTES, path))
        metadata = json.loads(_read(archive, _METADATA, _MAX_JSON_BYTES, path))
        return weights, _read_json(archive, _CONFIG, path), metadata


def load_weights(model, path, skip_mismatch=False):
    """Loads only the weights in a file."""
    with _opened(path) as archive:
        _load_weights(model, archive, path, skip_mismatch)


def _load_weights(model, archive, path, skip_mismatch=False):
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and model.built and not optimizer.built:
        optimizer.build(model.trainable_variables)
    content = io.BytesIO(_read(archive, _WEIGHTS, _expected_bytes(model), path))
    weights_file.load_from(model, content, f"{path}:{_WEIGHTS}", skip_mismatch)


def _expected_bytes(model):
    """More than a weights file of this model can need: variables, optimizer state, structure."""
    variables = list(model.variables)
    numbers = sum(_size(variable.shape) for variable in variables)
    return 8 * 8 * numbers + (1 << 16) * (len(variables) + 16) + (16 << 20)


def _size(shape):
    size = 1
    for axis in shape:
        size *= axis
    return size


class _Folder:
    """A folder, read as a ZipFile is."""

    def __init__(self, path):
        self._path = path
        self._infos = {}
        for folder, _, names in os.walk(path):
            for name in names:
                info = zipfile.ZipInfo(os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/"))
                info.file_size = os.path.getsize(os.path.join(folder, name))
                self._infos[info.filename] = info

    def namelist(self):
        return list(self._infos)

    def getinfo(self, name):
        return self._infos[name]

    def read(self, info):
        with open(os.path.join(self._path, info.filename), "rb") as file:
            return file.read()

    def close(self):
        pass


class _opened:
    """The archive at a path; damage found while it is open becomes a ValueError that names the path."""

    def __init__(self, path):
        self._path = path

    def __enter__(self):
        if isinstance(self._path, str) and os.path.isdir(self._path):
            self._archive = _Folder(self._path)
            return self._archive
        try:
            self._archive = zipfile.ZipFile(self._path)
        except zipfile.BadZipFile as error:
            raise self._damaged(error) from error
        return self._archive

    def __exit__(self, kind, error, traceback):
        self._archive.close()
        if isinstance(error, (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)):
            raise self._damaged(error) from error

    def _damaged(self, error):
        return ValueError(f"{self._path} is not a readable .keras file; it is damaged or cut off ({error}).")


def _read(archive, name, limit, path):
    """A member's bytes, if it declares no more than `limit`."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{path} is not a .keras file: it has no {name}, only {archive.namelist()[:8]}.") from None
    if info.file_size > limit:
        raise ValueError(f"{path}: {name} declares {info.file_size} bytes, more than the {limit} its content can need.")
    return archive.read(info)


def _read_json(archive, name, path):
    try:
        config = json.loads(_read(archive, name, _MAX_JSON_BYTES, path))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {name} is not valid JSON ({error}).") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ValueError(f"{path}: {name} does not describe a model.")
    return config
