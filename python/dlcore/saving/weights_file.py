"""`.weights.h5`: the weights of a model, and its optimizer's state, in Keras's layout (see state.py).

`.weights.json`: several such files, the shards, with a map of which holds what.
"""

import contextlib
import io
import json
import os

from dlcore import backend
from dlcore.saving import hdf5, state
from dlcore.utils.files import replacing


def save_to(model, file, objects_to_skip=()):
    """Writes the weights to a binary file object."""
    _write(state.collect(model, objects_to_skip), file)


def _write(stores, file):
    """Writes (place, name, {key: array}) to a binary file object."""
    h5py = hdf5.import_h5py()
    buffer = io.BytesIO()  # HDF5 seeks; and a full disk then fails in our own write, not inside the HDF5 library
    with h5py.File(buffer, "w") as root:
        for place, name, store in stores:
            group = root.create_group(_group_of(place))
            if name:
                group.attrs["name"] = name
            for key, value in store.items():
                hdf5.write_array(group, key, value)
    file.write(buffer.getbuffer())


def _group_of(place):
    return f"{place}/vars" if place else "vars"


def load_from(model, source, path, skip_mismatch=False, objects_to_skip=()):
    """Reads the weights from `source`, a path or a binary file object; `path` is for messages."""
    with hdf5.reading(source, path) as root:
        state.restore(model, lambda place: _arrays(root, place, path), path, skip_mismatch, objects_to_skip)


def _arrays(root, place, path):
    group = hdf5.group(root, _group_of(place), path)
    return {} if group is None else {key: hdf5.array(group, key, path) for key in group}


def save_shards(model, path, max_bytes, objects_to_skip=()):
    """Writes the weights to files `name_00000.weights.h5` and so on, and to `path`, `name.weights.json`, their map."""
    shards, room, total, places = [], 0, 0, {}
    folder, name = os.path.split(path.removesuffix(".weights.json"))
    for place, label, store in state.collect(model, objects_to_skip):
        for key, value in store.items():
            value = backend.convert_to_numpy(value)
            if value.nbytes > max_bytes:
                raise ValueError(
                    f"The array {_group_of(place)}/{key} has {value.nbytes} bytes, a shard at most {max_bytes:.0f}. "
                    "Pass a larger max_shard_size, in GB."
                )
            if not shards or value.nbytes > room:
                shards.append({})
                room = max_bytes
            room -= value.nbytes
            total += value.nbytes
            shards[-1].setdefault(place, (label, {}))[1][key] = value
            files = places.setdefault(f"/{_group_of(place)}", [])
            file = f"{name}_{len(shards) - 1:05}.weights.h5"
            files.extend([] if file in files else [file])
    for i, shard in enumerate(shards):
        with replacing(os.path.join(folder, f"{name}_{i:05}.weights.h5")) as file:
            _write([(place, label, store) for place, (label, store) in shard.items()], file)
    weight_map = {place: files[0] if len(files) == 1 else files for place, files in places.items()}
    with replacing(path) as file:
        file.write(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=4).encode())


def load_shards(model, path, skip_mismatch=False, objects_to_skip=()):
    """Reads the weights from the shards that the map at `path` names."""
    places = _read_map(path)
    with contextlib.ExitStack() as stack:
        roots = {}
        for name in sorted({name for names in places.values() for name in names}):
            shard = os.path.join(os.path.dirname(path), name)
            if not os.path.isfile(shard):
                raise FileNotFoundError(f"There is no file {shard!r}, a shard of {path!r}. Put it beside that file.")
            roots[name] = stack.enter_context(hdf5.reading(shard, shard))

        def find(place):
            names = places.get(f"/{_group_of(place)}", [])
            return {key: array for name in names for key, array in _arrays(roots[name], place, name).items()}

        state.restore(model, find, path, skip_mismatch, objects_to_skip)


def _read_map(path):
    """Which shards hold a group of arrays: {"/layers/dense/vars": [file name, ...]}."""
    try:
        with open(path, encoding="utf-8") as file:
            places = json.load(file)["weight_map"]
        places = {place: [names] if isinstance(names, str) else list(names) for place, names in places.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no map of shards; it is damaged or of another kind ({error}).") from error
    for name in {name for names in places.values() for name in names}:
        if not isinstance(name, str) or os.path.basename(name) != name or not name.endswith(".weights.h5"):
            raise ValueError(f"{path} names {name!r}, which is no file .weights.h5 in its folder.")
    return places
