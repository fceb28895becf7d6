"""UCI handwritten digits: 1,797 images of 8x8 pixels, contained in the package."""

from pathlib import Path

from dlcore.datasets._files import read_npz

_FILE = Path(__file__).with_name("digits.npz")


def load_data():
    """Loads the UCI handwritten digits; needs no network and no file.

    Every fifth image is kept for testing, so both parts hold all 13 writers.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images (1437, 8, 8) and (360, 8, 8) with values 0-16,
        uint8 labels 0-9.

    Reference:
        Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (test part), UCI Machine Learning Repository,
        doi.org/10.24432/C50P49, CC BY 4.0.
    """
    arrays = read_npz(_FILE, {"images": ("u", (1797, 8, 8)), "labels": ("u", (1797,))})
    images, labels = arrays["images"], arrays["labels"]
    test = slice(None, None, 5)
    train = [i for i in range(len(labels)) if i % 5]
    return (images[train], labels[train]), (images[test].copy(), labels[test].copy())
