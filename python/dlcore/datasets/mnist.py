"""MNIST: 70,000 handwritten digits."""

from dlcore.datasets._files import obtain
from dlcore.datasets._images import read_labelled_images

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path="mnist.npz"):
    """Loads the MNIST digits.

    Args:
        path: name of the file in the data folders, or a path of its own.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images (60000, 28, 28) and (10000, 28, 28) with values 0-255,
        uint8 labels 0-9.

    Reference:
        LeCun, Bottou, Bengio & Haffner 1998. The data are under CC BY-SA 3.0 (Yann LeCun, Corinna Cortes).
    """
    return read_labelled_images(obtain(path, url=_URL, file_hash=_SHA256), (28, 28), classes=10)
