"""CIFAR-100: 60,000 small colour images in a hundred classes, and in twenty groups of these."""

from dlcore.datasets._cifar import read_batches
from dlcore.datasets._files import damaged, obtain

_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
_NAMES = (
    "cifar-100-python-target/cifar-100-python",
    "cifar-100-python",
    "cifar-100-python.tar.gz",
    "cifar-100-python-target_archive",
)
_CLASSES = {"fine": 100, "coarse": 20}


def load_data(label_mode="fine"):
    """Loads CIFAR-100 from the archive of the Python version, packed or unpacked.

    Args:
        label_mode: `"fine"` (default): labels 0-99 of the classes, or `"coarse"`: 0-19 of their groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images (50000, 32, 32, 3) and (10000, 32, 32, 3) with values
        0-255, uint8 labels (50000, 1) and (10000, 1).

    Reference:
        Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    if label_mode not in _CLASSES:
        raise ValueError(f'cifar100.load_data: label_mode must be "fine" or "coarse". Got label_mode={label_mode!r}.')
    path = obtain(*_NAMES, url=_URL, file_hash=_SHA256, saved_as="cifar-100-python.tar.gz")
    batches = read_batches(path, ("train", "test"), f"{label_mode}_labels", _CLASSES[label_mode])
    if len(batches) != 2:
        raise damaged(path, f"it holds {sorted(batches) or 'no batch'}, expected train and test")
    return batches["train"], batches["test"]
