"""Images as the networks trained on ImageNet take them, and the names of the classes that they give."""

import functools
import json

import numpy as np

from dlcore import backend, ops

_CLASS_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASS_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"
# Mean and standard deviation of ImageNet's pixels: RGB in [0, 1], and BGR in [0, 255] as Caffe's networks had them.
RGB_MEAN, RGB_STDDEV = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BGR_MEAN = (103.939, 116.779, 123.68)


def preprocess_input(x, data_format=None, mode="caffe"):
    """Pixels in [0, 255] as a network takes them.

    Args:
        x: array or tensor, one RGB image (3 axes) or a batch of them (4 axes); it is left as it is.
        data_format: `"channels_last"`, `"channels_first"`, or None (default): `backend.image_data_format()`.
        mode: `"tf"`: to [-1, 1]; `"torch"`: to [0, 1], then each channel to ImageNet's mean 0 and deviation 1;
            `"caffe"` (default): from RGB to BGR, each channel to ImageNet's mean 0.

    Returns:
        an array for an array, else a tensor, of x's dtype if that is a float, else of the default float.

    Raises:
        ValueError: unknown mode or data format, or images that do not have 3 channels.
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(f'preprocess_input: mode must be "caffe", "tf" or "torch". Got mode={mode!r}.')
    channels_last = backend.standardize_data_format(data_format) == "channels_last"
    x, flip = (x, np.flip) if isinstance(x, np.ndarray) else (_tensor(x), ops.flip)
    dtype = backend.standardize_dtype(x.dtype)
    if not backend.is_float_dtype(dtype):
        dtype = backend.floatx()
        x = x.astype(dtype) if isinstance(x, np.ndarray) else ops.cast(x, dtype)

    def per_channel(values):
        return np.reshape(values, (3,) if channels_last else (3, 1, 1)).astype(dtype)

    if mode == "tf":
        return x / 127.5 - 1.0
    axis = -1 if channels_last else -3
    if len(x.shape) < -axis or x.shape[axis] not in (3, None):
        raise ValueError(
            f"preprocess_input: expected images of 3 channels on axis {axis} (data_format="
            f'"channels_{"last" if channels_last else "first"}"). Got shape {tuple(x.shape)}.'
        )
    if mode == "torch":
        return (x / 255.0 - per_channel(RGB_MEAN)) / per_channel(RGB_STDDEV)
    return flip(x, axis) - per_channel(BGR_MEAN)


def _tensor(x):
    return x if backend.is_keras_tensor(x) else ops.convert_to_tensor(x)


def decode_predictions(preds, top=5):
    """The most probable classes of each image, with their names.

    The names are downloaded once (35 kB) into `~/.dlcore/models`.

    Args:
        preds: array or tensor (images, 1000) of probabilities.
        top: int, default 5: how many classes of each image.

    Returns:
        for each image a list of (WordNet id, name, probability), the most probable first.

    Raises:
        ValueError: preds has another shape.
    """
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "decode_predictions takes predictions of shape (images, 1000), of ImageNet's 1000 classes. "
            f"Got shape {tuple(preds.shape)}."
        )
    names = _class_index()
    results = []
    for probabilities in ops.convert_to_numpy(preds):
        best = np.argsort(probabilities)[-top:][::-1]
        results.append([(*names[str(i)], probabilities[i]) for i in best])
    return results


@functools.cache
def _class_index():
    """{class number as a string: [WordNet id, name]}."""
    from dlcore.utils import get_file

    path = get_file("imagenet_class_index.json", _CLASS_INDEX, cache_subdir="models", file_hash=_CLASS_INDEX_MD5)
    with open(path, encoding="utf-8") as file:
        return json.load(file)
