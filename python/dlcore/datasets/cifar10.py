"""CIFAR-10: 60,000 small colour images in ten classes."""

import numpy as np

from dlcore.datasets._cifar import read_batches
from dlcore.datasets._files import damaged, obtain

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
    path = obtain(*_NAMES, url=_URL, file_hash=_SHA256, saved_as="cifar-10-batches-py.tar.gz")
    batches = read_batches(path, (*_TRAIN_BATCHES, "test_batch"), "labels", classes=10)
    train = [batches[name] for name in _TRAIN_BATCHES if name in batches]
    if not train or "test_batch" not in batches:
        raise damaged(path, f"it holds {sorted(batches) or 'no batch'}, expected data_batch_1..5 and test_batch")
    images, labels = zip(*train)
    return (np.concatenate(images), np.concatenate(labels)), batches["test_batch"]
