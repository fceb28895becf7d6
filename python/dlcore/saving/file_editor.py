"""KerasFileEditor: looks into and changes files of weights."""

import io
import os

from dlcore.saving import hdf5, keras_file
from dlcore.utils.console import print_message
from dlcore.utils.files import replacing


class KerasFileEditor:
    """Shows, changes and compares the weights in a file, e.g. after a model got other layers.

    Args:
        filepath: a `.keras` or `.weights.h5` file.

    Objects are named by their path, as `"layers/dense_1"`, or by its last part where that occurs once.

    Example:

    >>> model.save_weights("model.weights.h5")
    >>> editor = KerasFileEditor("model.weights.h5")
    Keras model file 'model.weights.h5'
    >>> editor.rename_object("layers/dense", new_name="hidden")
    >>> editor.save("changed.weights.h5")
    """

    def __init__(self, filepath):
        self.filepath = os.fspath(filepath)
        self.metadata = self.config = None
        source = self.filepath
        if self.filepath.endswith(".keras"):
            source, self.config, self.metadata = keras_file.read_parts(self.filepath)
        elif not self.filepath.endswith(".weights.h5"):
            raise ValueError(f"KerasFileEditor reads .keras and .weights.h5 files. Got {self.filepath!r}.")
        self.object_metadata = {}
        with hdf5.reading(source, self.filepath) as root:
            self.weights_dict = self._read(root, "")
        print_message(f"Keras model file '{self.filepath}'")
        if self.metadata is not None:
            print_message(f"Saved with Keras {self.metadata.get('keras_version')}")

    def _read(self, group, path):
        """Nested dicts with arrays as leaves; what lies in `vars` belongs to the object itself."""
        found = {}
        if dict(group.attrs):
            self.object_metadata[path] = dict(group.attrs)
        for name in group:
            child = hdf5.member(group, name, self.filepath)
            if not hasattr(child, "keys"):
                found[name] = hdf5.array(group, name, self.filepath).read()
            elif name == "vars":
                found.update(self._read(child, path))
            else:
                inner = self._read(child, f"{path}/{name}".strip("/"))
                if inner:
                    found[name] = inner
        return found

    def summary(self):
        """Prints the objects and weights as a tree."""
        print_message("Weights structure")
        self._print(self.weights_dict, "  ", "")

    def _print(self, weights, indent, path):
        for name, value in weights.items():
            inner = f"{path}/{name}".strip("/")
            if isinstance(value, dict):
                label = self.object_metadata.get(inner, {}).get("name")
                print_message(f"{indent}{name}" + (f" ('{label}')" if label else ""))
                self._print(value, indent + "  ", inner)
            else:
                print_message(f"{indent}{name}: shape={value.shape}, dtype={value.dtype}")

    def compare(self, reference_model):
        """Prints in what the file differs from the weights of a model.

        Returns:
            dict of `"status"`, `"success"` or `"error"`, `"error_count"` and `"match_count"`.
        """
        from dlcore.saving import state

        expected = {}
        for place, _, store in state.collect(reference_model):
            expected.update({f"{place}/{key}".strip("/"): tuple(value.shape) for key, value in store.items()})
        stored = {path: value.shape for path, value in _flat(self.weights_dict)}
        errors = []
        for path in sorted({*expected, *stored}):
            if path not in stored:
                errors.append(f"Weight {path} of shape {expected[path]} is in the model, but not in the file")
            elif path not in expected:
                errors.append(f"Weight {path} of shape {stored[path]} is in the file, but not in the model")
            elif expected[path] != stored[path]:
                errors.append(f"Weight {path} has shape {stored[path]} in the file, {expected[path]} in the model")
        matches = len(set(expected.items()) & set(stored.items()))
        for error in errors:
            print_message(f"...{error}")
        result = f"{len(errors)} differences" if errors else "the file fits the model"
        print_message(f"Comparison: {result}, {matches} matching weights")
        return {"status": "error" if errors else "success", "error_count": len(errors), "match_count": matches}

    def _find(self, name):
        """(dict that holds an object, its name in it)."""
        if "/" in name:
            folder, _, last = name.rpartition("/")
            holder = self.weights_dict
            for part in folder.split("/"):
                holder = holder.get(part) if isinstance(holder, dict) else None
            holders = [holder] if isinstance(holder, dict) and last in holder else []
        else:
            last, holders = name, [d for d in _dicts(self.weights_dict) if name in d]
        if len(holders) > 1:
            raise ValueError(
                f"The name {name!r} occurs {len(holders)} times in the file. Pass a path such as layers/x."
            )
        if not holders:
            known = sorted({path.rpartition("/")[0] for path, _ in _flat(self.weights_dict)})
            raise ValueError(f"There is no object {name!r} in the file. Objects: {', '.join(known)}")
        return holders[0], last

    def rename_object(self, object_name, new_name):
        """Gives an object another name, in the same place.

        Args:
            object_name: its name, or its path, as `"layers/dense_2"`.
            new_name: a name without a path.
        """
        if "/" in new_name:
            raise ValueError(f"rename_object: new_name is a name without a path. Got {new_name!r}.")
        holder, name = self._find(object_name)
        renamed = {new_name if key == name else key: value for key, value in holder.items()}
        holder.clear()
        holder.update(renamed)

    def delete_object(self, object_name):
        """Takes an object with its weights out."""
        holder, name = self._find(object_name)
        del holder[name]

    def add_object(self, object_path, weights):
        """Adds an object.

        Args:
            object_path: where to, as `"layers/dense_2"`.
            weights: dict {"0": array, "1": array, ...}.
        """
        _check_weights("add_object", weights)
        folder, _, name = object_path.rpartition("/")
        holder = self.weights_dict
        for part in folder.split("/") if folder else ():
            if not isinstance(holder.get(part), dict):
                raise ValueError(f"There is no object {folder!r} in the file.")
            holder = holder[part]
        holder[name] = dict(weights)

    def delete_weight(self, object_name, weight_name):
        """Takes one weight of an object out.

        Args:
            object_name: its name, or its path, as `"layers/dense_2"`.
            weight_name: as `"0"`.
        """
        holder, name = self._find(object_name)
        if weight_name not in holder[name]:
            raise ValueError(f"{object_name!r} has no weight {weight_name!r}. It has {list(holder[name])}.")
        del holder[name][weight_name]

    def add_weights(self, object_name, weights):
        """Adds weights to an object.

        Args:
            object_name: its name, or its path, as `"layers/dense_2"`.
            weights: a dict as for `add_object`.
        """
        _check_weights("add_weights", weights)
        holder, name = self._find(object_name)
        holder[name].update(weights)

    def save(self, filepath):
        """Writes the weights to a `.weights.h5` file."""
        filepath = os.fspath(filepath)
        if not filepath.endswith(".weights.h5"):
            raise ValueError(f"The file name of weights must end in .weights.h5. Got {filepath!r}.")
        buffer = io.BytesIO()
        with hdf5.import_h5py().File(buffer, "w") as root:
            for path, value in _flat(self.weights_dict):
                place, _, key = path.rpartition("/")
                hdf5.write_array(root.require_group(f"{place}/vars".strip("/")), key, value)
            for place, attributes in self.object_metadata.items():
                if place in {path.rpartition("/")[0] for path, _ in _flat(self.weights_dict)}:
                    root[f"{place}/vars".strip("/")].attrs.update(attributes)
        with replacing(filepath) as file:
            file.write(buffer.getbuffer())

    def resave_weights(self, filepath):
        """Another name of `save`."""
        self.save(filepath)


def _check_weights(function, weights):
    if not isinstance(weights, dict):
        raise ValueError(f'{function}: weights must be a dict {{"0": array, ...}}. Got {type(weights).__name__}.')


def _flat(weights, path=""):
    """(path, array) of all weights."""
    for name, value in weights.items():
        inner = f"{path}/{name}".strip("/")
        if isinstance(value, dict):
            yield from _flat(value, inner)
        else:
            yield inner, value


def _dicts(weights):
    yield weights
    for value in weights.values():
        if isinstance(value, dict):
            yield from _dicts(value)
