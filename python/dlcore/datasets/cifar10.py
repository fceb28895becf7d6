"""CIFAR-10: 60,000 small colour images in ten classes."""

import io
import tarfile

import numpy as np

from dlcore.datasets._files import damaged, obtain, reading, unpickle_arrays
from dlcore.datasets._images import check_labels

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_NAMES = (
    "cifar-10-batches-py-target/cifar-10-batches-py",
    "cifar-10-batches-py",
    "cifar-10-batches-py.tar.gz",
    "cifar-10-python.tar.gz",
    "cifar-10-batches-py-target_archive",
)
_TRAIN_BATCHES = [f"data_batch_{i}" for i in range(1, 6)]
_MAX_BATCH_BYTES = 64 << 20


def load_data():
    """Loads CIFAR-10 from the archive of the Python version, packed or unpacked.

    The training batches that exist are used, so a smaller copy with fewer of them works too.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images (50000, 32, 32, 3) and (10000, 32, 32, 3) with values
        0-255, uint8 labels (50000, 1) and (10000, 1): 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog,
        7 horse, 8 ship, 9 truck.

    Reference:
        Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    path = obtain(*_NAMES, url=_URL, sha256=_SHA256, saved_as="cifar-10-batches-py.tar.gz")
    with reading(path):
        batches = _read_folder(path) if path.is_dir() else _read_archive(path)
    train = [batches[name] for name in _TRAIN_BATCHES if name in batches]
    if not train or "test_batch" not in batches:
        raise damaged(path, f"it holds {sorted(batches) or 'no batch'}, expected data_batch_1..5 and test_batch")
    images, labels = zip(*train)
    return (np.concatenate(images), np.concatenate(labels)), batches["test_batch"]


def _read_folder(path):
    files = {name: path / name for name in (*_TRAIN_BATCHES, "test_batch")}
    return {name: _decode(file, file.read_bytes()) for name, file in files.items() if file.is_file()}


def _read_archive(path):
    """Reads the batches straight from the archive; nothing is unpacked onto the disk."""
    batches = {}
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if not member.isfile() or name not in (*_TRAIN_BATCHES, "test_batch"):
                continue
            if member.size > _MAX_BATCH_BYTES:
                raise damaged(path, f"{member.name} declares {member.size} bytes")
            batches[name] = _decode(f"{path}:{member.name}", archive.extractfile(member).read())
    return batches


def _decode(path, content):
    """One batch: a pickled dict with `data` (N, 3072), planes red, green, blue of 32 rows, and `labels`."""
    with reading(path):
        batch = unpickle_arrays(io.BytesIO(content), encoding="bytes")
    data = batch.get(b"data") if isinstance(batch, dict) else None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise damaged(path, "its entry 'data' is not a uint8 array (N, 3072)")
    labels = batch.get(b"labels")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise damaged(path, "its entry 'labels' is not a list of integers")
    labels = np.array(labels, np.int64)
    check_labels(path, data, labels, classes=10)
    images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, labels.astype(np.uint8).reshape(-1, 1)
