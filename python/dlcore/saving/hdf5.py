"""HDF5 files, read without trusting them.

A name in a file is followed only along plain groups to a plain data set: no link to another place or file, no data kept
in another file, no stored type but numbers.
"""

import contextlib

import numpy as np


def import_h5py():
    """The h5py module, imported when it is first used."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("Reading and writing .keras and .h5 files needs h5py: pip install h5py") from error
    return h5py


@contextlib.contextmanager
def reading(source, path):
    """Opens `source` (a path or a binary file object) for reading; damage becomes a ValueError naming `path`."""
    h5py = import_h5py()
    try:
        with h5py.File(source, "r") as file:
            yield file
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, KeyError, OverflowError, UnicodeError) as error:  # what h5py raises on damage
        raise ValueError(f"{path} is not a readable HDF5 file; it is damaged or cut off ({error}).") from error


def group(parent, name, path):
    """The group called `name` (a path with "/") below `parent`, or None if there is none."""
    h5py = import_h5py()
    current = parent
    for part in name.split("/") if name else ():
        current = member(current, part, path)
        if current is None:
            return None
        if not isinstance(current, h5py.Group):
            raise ValueError(f"{path}: {name!r} should be a group of arrays.")
    return current


def member(parent, name, path):
    """The group or data set called `name` in `parent`, or None; a ValueError for a link."""
    h5py = import_h5py()
    link = parent.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{path}: {parent.name}/{name} is a link ({type(link).__name__}). Links are not followed.")
    return parent[name]


def array(parent, name, path):
    """A function that reads the data set `name` (a path with "/") below `parent`, and its shape; None if there is none.

    The bytes are read only when the function is called, after the caller has checked the shape.
    """
    h5py = import_h5py()
    if isinstance(name, bytes):  # h5py's way to show a name that is not text
        raise ValueError(f"{path} is damaged: {name!r} is no name.")
    folder, _, last = name.rpartition("/")
    parent = group(parent, folder, path)
    data = None if parent is None else member(parent, last, path)
    if data is None:
        return None
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"{path}: {name!r} should be an array.")
    if data.external or data.is_virtual:
        raise ValueError(f"{path}: {name!r} keeps its data in another file. Such files are not read.")
    is_bfloat16 = data.attrs.get("dtype") == "bfloat16" and data.dtype.itemsize == 2
    if (data.dtype.kind not in "fiub" or data.dtype.itemsize > 8) and not is_bfloat16:
        raise ValueError(f"{path}: {name!r} holds {data.dtype}, no numbers.")
    return Array(data, is_bfloat16)


_TENSOR_DTYPES = ("bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64")


class Array:
    """A data set whose shape is known and whose numbers are read on demand."""

    def __init__(self, data, is_bfloat16):
        self._data = data
        self._is_bfloat16 = is_bfloat16
        self.shape = data.shape

    def read(self):
        values = np.empty(self.shape, self._data.dtype)
        if values.size:
            self._data.read_direct(values)
        if self._is_bfloat16:
            import ml_dtypes

            return values.view(ml_dtypes.bfloat16)
        if values.dtype.name in _TENSOR_DTYPES:
            return values.astype(values.dtype.newbyteorder("="), copy=False)
        return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def write_array(parent, name, value):
    """Stores an array; bfloat16 as two opaque bytes with an attribute that says so."""
    value = np.asarray(value)
    data = parent.create_dataset(name, data=value.view("V2") if value.dtype.name == "bfloat16" else value)
    if value.dtype.name == "bfloat16":
        data.attrs["dtype"] = "bfloat16"


# An attribute must fit into an object header.
_MAX_ATTRIBUTE_BYTES = 64512


def write_names(parent, attribute, names):
    """Stores a list of strings as an attribute, in several attributes <attribute>0, 1, ... if it is long."""
    names = [name.encode("utf-8") for name in names]
    width = max(map(len, names), default=1)
    per_attribute = max(1, _MAX_ATTRIBUTE_BYTES // max(1, width))
    if len(names) <= per_attribute:
        parent.attrs[attribute] = names
        return
    for i, start in enumerate(range(0, len(names), per_attribute)):
        parent.attrs[f"{attribute}{i}"] = names[start : start + per_attribute]


def read_names(parent, attribute):
    """The list of strings that `write_names` stored."""
    if attribute in parent.attrs:
        return [_text(name) for name in parent.attrs[attribute]]
    names, i = [], 0
    while f"{attribute}{i}" in parent.attrs:
        names.extend(_text(name) for name in parent.attrs[f"{attribute}{i}"])
        i += 1
    return names


def read_text(parent, attribute):
    """A string attribute, or None."""
    value = parent.attrs.get(attribute)
    return None if value is None else _text(value)


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
