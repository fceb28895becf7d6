"""Where data files live, and how they are read without trusting them."""

import contextlib
import gzip
import io
import math
import os
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

# No member of a data set is larger; a file that declares more is refused before anything is allocated.
MAX_MEMBER_BYTES = 1 << 30

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    tarfile.TarError,
    pickle.UnpicklingError,
    EOFError,
    NotImplementedError,  # a zip member with an unknown compression
)


def folders():
    """The folders searched for data files, first one first."""
    named = os.environ.get("DLCORE_DATASETS")
    home = Path.home()
    standard = [home / ".dlcore" / "datasets", home / ".keras" / "datasets"]
    return [Path(named).expanduser(), *standard] if named else standard


def find(*names):
    """The first existing file or folder among `names` (relative to the data folders, or a path of its own)."""
    for name in names:
        for folder in folders():
            path = folder / name  # an absolute name replaces the folder
            if path.exists():
                return path
    return None


def obtain(*names, url, file_hash, saved_as=None):
    """`find(*names)`, else downloads `url` as `saved_as` (default: the first name) and returns its path."""
    path = find(*names)
    if path is not None:
        return path
    from dlcore.utils.files import download

    name = saved_as or names[0]
    target = _download_folder() / name
    try:
        download(url, target, file_hash)
    except (OSError, ValueError) as error:
        places = "\n".join(f"  {folder / name}" for folder in folders())
        raise FileNotFoundError(
            f"{name} is not in any data folder and could not be downloaded ({error}). "
            f"Get it from {url} and put it at one of\n{places}\n"
            "or name the folder that holds it in the environment variable DLCORE_DATASETS."
        ) from None
    return target


def _download_folder():
    """The first data folder, unless it is one that exists and cannot be written to."""
    first, *others = folders()
    return others[0] if others and first.exists() and not os.access(first, os.W_OK) else first


def damaged(path, reason):
    """The error of a data file with wrong content."""
    return ValueError(
        f"{path} is damaged or not the expected file: {reason}. "
        "Replace it by a good copy, or delete it so that it is downloaded again."
    )


@contextlib.contextmanager
def reading(path):
    """Turns what the decoders raise on damaged input into one ValueError that names the file."""
    try:
        yield
    except _DAMAGE as error:
        raise damaged(path, f"{error or type(error).__name__}") from error


def read_npz(path, members):
    """Reads the arrays of an .npz file.

    Args:
        path: the file.
        members: {name: (dtype kinds, shape)}; a shape's None matches any size. Kind "O" is an array of Python lists.
    """
    with reading(path), zipfile.ZipFile(path) as archive:
        present = {info.filename: info for info in archive.infolist()}
        arrays = {}
        for name, (kinds, shape) in members.items():
            info = present.get(f"{name}.npy")
            if info is None:
                raise damaged(path, f"it has no array {name!r}, only {sorted(present)}")
            if info.file_size > MAX_MEMBER_BYTES:
                raise damaged(path, f"{info.filename} declares {info.file_size} bytes")
            with archive.open(info) as stream:
                arrays[name] = _read_npy(path, name, stream, info.file_size, kinds, shape)
    return arrays


def _read_npy(path, name, stream, stored_bytes, kinds, expected_shape):
    """One .npy stream, checked against its declared shape before memory is taken."""
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(stream)
    except (ValueError, KeyError) as error:
        raise damaged(path, f"array {name!r} has a bad .npy header ({error})") from error
    if dtype.kind not in kinds or not _matches(shape, expected_shape):
        raise damaged(path, f"array {name!r} is {dtype} {shape}, expected kind {kinds!r} {expected_shape}")
    if dtype.hasobject:
        array = unpickle_arrays(io.BytesIO(stream.read()))  # many small reads: faster from memory
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise damaged(path, f"array {name!r} does not have the shape it declares")
        return array
    declared_bytes = math.prod(shape) * dtype.itemsize
    if declared_bytes > stored_bytes:
        raise damaged(path, f"array {name!r} declares {declared_bytes} bytes but {stored_bytes} are stored")
    content = np.empty(declared_bytes, np.uint8)
    fill(path, memoryview(content), stream)
    stream.read(1)  # reaches the end of the member, where zipfile checks the CRC
    return content.view(dtype).reshape(shape, order="F" if fortran else "C")


def _matches(shape, expected):
    return len(shape) == len(expected) and all(e is None or s == e for s, e in zip(shape, expected))


def fill(path, view, stream):
    """Reads exactly len(view) bytes of `stream` into `view`."""
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + (1 << 20)])
        if not count:
            raise damaged(path, f"it ends after {done} of {len(view)} data bytes")
        done += count


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the three globals a pickled NumPy array needs, and no other."""

    def find_class(self, module, name):
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _reconstruct
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a NumPy array")


def _reconstruct(subtype, shape, dtype):
    """The empty array that a pickle's array state is then put into."""
    if subtype is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("an array is not stored the way NumPy stores it")
    return np.ndarray.__new__(np.ndarray, shape, dtype)


def unpickle_arrays(stream, encoding="ASCII"):
    """Reads one pickle made of lists, dicts, numbers, strings and NumPy arrays; anything else is refused."""
    try:
        return _ArrayUnpickler(stream, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, zlib.error, zipfile.BadZipFile):
        raise
    except Exception as error:  # damaged pickles raise almost anything
        raise pickle.UnpicklingError(f"its pickle cannot be read ({error})") from error
