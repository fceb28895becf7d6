"""Labelled images in an .npz file."""

from dlcore.datasets._files import damaged, read_npz


def read_labelled_images(path, image_shape, classes):
    """`(x_train, y_train), (x_test, y_test)` of an .npz file of uint8 images and integer labels."""
    arrays = read_npz(
        path,
        {
            "x_train": ("u", (None, *image_shape)),
            "y_train": ("ui", (None,)),
            "x_test": ("u", (None, *image_shape)),
            "y_test": ("ui", (None,)),
        },
    )
    for part in ("train", "test"):
        check_labels(path, arrays[f"x_{part}"], arrays[f"y_{part}"], classes)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def check_labels(path, images, labels, classes):
    """One label per image, each 0 .. classes-1."""
    if len(images) != len(labels):
        raise damaged(path, f"{len(images)} images but {len(labels)} labels")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise damaged(path, f"labels range over {labels.min()}..{labels.max()}, expected 0..{classes - 1}")
