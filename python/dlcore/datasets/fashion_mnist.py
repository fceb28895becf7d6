"""Fashion-MNIST: 70,000 small images of clothes."""

import gzip
import math
from pathlib import Path

import numpy as np

from dlcore.datasets._files import MAX_MEMBER_BYTES, damaged, fill, obtain, reading
from dlcore.datasets._images import check_labels

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}


def load_data():
    """Loads Fashion-MNIST from the four IDX files in the folder `fashion-mnist`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images (60000, 28, 28) and (10000, 28, 28) with values 0-255,
        uint8 labels: 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag,
        9 ankle boot.

    Reference:
        Xiao, Rasul & Vollgraf 2017. Copyright Zalando SE, MIT licence.
    """
    return _load_part("train"), _load_part("t10k")


def _load_part(part):
    images_path = _file(f"{part}-images-idx3-ubyte.gz")
    images = _read_idx(images_path, (None, 28, 28))
    labels = _read_idx(_file(f"{part}-labels-idx1-ubyte.gz"), (None,))
    check_labels(images_path, images, labels, classes=10)
    return images, labels


def _file(name):
    return obtain(str(Path("fashion-mnist", name)), url=_URL + name, file_hash=_SHA256[name])


def _read_idx(path, expected_shape):
    """A gzip-compressed IDX array of bytes: 0, 0, type 8, rank, then one big-endian uint32 per axis, then the data."""
    with reading(path), gzip.open(path) as stream:
        head = stream.read(4)
        if head != bytes([0, 0, 8, len(expected_shape)]):
            raise damaged(path, f"its IDX header is {head.hex(' ')}, expected 00 00 08 {len(expected_shape):02x}")
        sizes = stream.read(4 * len(expected_shape))
        if len(sizes) < 4 * len(expected_shape):
            raise damaged(path, "it ends inside the IDX header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        if shape[1:] != expected_shape[1:] or math.prod(shape) > MAX_MEMBER_BYTES:
            raise damaged(path, f"its shape is {shape}, expected {expected_shape}")
        content = np.empty(math.prod(shape), np.uint8)
        fill(path, memoryview(content), stream)
        if stream.read(1):
            raise damaged(path, "it goes on after the data it declares")
    return content.reshape(shape)
