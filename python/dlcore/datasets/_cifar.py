"""The CIFAR archives: pickled batches of 32 x 32 colour images."""

import io
import tarfile

import numpy as np

from dlcore.datasets._files import damaged, reading, unpickle_arrays
from dlcore.datasets._images import check_labels

_MAX_BATCH_BYTES = 256 << 20


def read_batches(path, names, label_key, classes):
    """{name: (images (N, 32, 32, 3), labels (N, 1))}, both uint8, of the batches that exist in a folder or archive."""
    with reading(path):
        contents = _in_folder(path, names) if path.is_dir() else _in_archive(path, names)
        return {name: _decode(place, content, label_key, classes) for name, place, content in contents}


def _in_folder(path, names):
    for name in names:
        file = path / name
        if file.is_file():
            yield name, file, file.read_bytes()


def _in_archive(path, names):
    """Read straight from the archive; nothing is unpacked onto the disk."""
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if not member.isfile() or name not in names:
                continue
            if member.size > _MAX_BATCH_BYTES:
                raise damaged(path, f"{member.name} declares {member.size} bytes")
            yield name, f"{path}:{member.name}", archive.extractfile(member).read()


def _decode(path, content, label_key, classes):
    """One batch: a pickled dict with `data` (N, 3072), planes red, green, blue of 32 rows, and lists of labels."""
    with reading(path):
        batch = unpickle_arrays(io.BytesIO(content), encoding="bytes")
    data = batch.get(b"data") if isinstance(batch, dict) else None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise damaged(path, "its entry 'data' is not a uint8 array (N, 3072)")
    labels = batch.get(label_key.encode())
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(path, f"its entry '{label_key}' is not a list of integers")
    labels = np.array(labels, np.int64)
    check_labels(path, data, labels, classes)
    images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, labels.astype(np.uint8).reshape(-1, 1)
