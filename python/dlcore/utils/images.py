"""Image files to arrays and back, with Pillow."""

import io
import os
import warnings

import numpy as np

from dlcore import backend

_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}
# Names of Pillow's filters.
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def import_pillow():
    """The PIL.Image module, imported when it is first used."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Reading and writing image files needs Pillow: pip install pillow") from error
    return Image


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """The image in a file, as a Pillow image.

    Args:
        path: str, path-like, or io.BytesIO with the file's content.
        color_mode: `"rgb"` (default), `"rgba"` or `"grayscale"`, which keeps 16 and 32 bit greys.
        target_size: (height, width) to resize to, default None: as it is.
        interpolation: name of a Pillow filter: `"nearest"` (default), `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"`
            or `"lanczos"`.
        keep_aspect_ratio: bool, default False: cut the middle out before resizing, instead of distorting.

    Raises:
        ImportError: Pillow is not installed.
    """
    image_module = import_pillow()
    if color_mode not in _MODES:
        raise ValueError(f"load_img: color_mode must be one of {', '.join(_MODES)}. Got color_mode={color_mode!r}.")
    if not isinstance(path, (io.BytesIO, str, bytes, os.PathLike)):
        raise TypeError(f"load_img: path must be a path or an io.BytesIO. Got {type(path).__name__}.")
    with image_module.open(path) as image:
        image.load()
    if image.mode not in _MODES[color_mode]:
        image = image.convert(_MODES[color_mode][0])
    if target_size is None or image.size == (target_size[1], target_size[0]):
        return image
    if interpolation not in _FILTERS:
        raise ValueError(
            f"load_img: interpolation must be one of {', '.join(_FILTERS)}. Got interpolation={interpolation!r}."
        )
    height, width = target_size
    box = _middle(*image.size, width, height) if keep_aspect_ratio else None
    return image.resize((width, height), getattr(image_module.Resampling, interpolation.upper()), box=box)


def _middle(width, height, target_width, target_height):
    """(left, top, right, bottom) of the largest part in the middle with the target's proportions."""
    kept_width = max(min(width, int(height * target_width / target_height)), 1)
    kept_height = max(min(height, int(width * target_height / target_width)), 1)
    left, top = int((width - kept_width) / 2), int((height - kept_height) / 2)
    return left, top, left + kept_width, top + kept_height


def img_to_array(img, data_format=None, dtype=None):
    """A NumPy array (height, width, channels), or (channels, height, width), of a Pillow image or array.

    Args:
        img: Pillow image, or array of rank 2 or 3.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.
        dtype: default the default float.
    """
    first = backend.standardize_data_format(data_format) == "channels_first"
    array = np.asarray(img, dtype=backend.standardize_dtype(dtype))
    if array.ndim == 2:
        return array[np.newaxis] if first else array[..., np.newaxis]
    if array.ndim != 3:
        raise ValueError(f"img_to_array: expected an image of rank 2 or 3. Got shape {array.shape}.")
    return array.transpose(2, 0, 1) if first else array


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """A Pillow image of an array (height, width, channels) with 1, 3 or 4 channels.

    Args:
        x: array or tensor of rank 3.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.
        scale: bool, default True: the values are shifted and stretched to 0 .. 255.
        dtype: in which this is computed, default the default float.

    Raises:
        ValueError: the array has another rank, or another number of channels.
    """
    image_module = import_pillow()
    first = backend.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(backend.convert_to_numpy(x), dtype=backend.standardize_dtype(dtype))
    if x.ndim != 3:
        raise ValueError(f"array_to_img: expected an array of rank 3, one image. Got shape {x.shape}.")
    x = x.transpose(1, 2, 0) if first else x
    if scale:
        x = x - x.min()
        x = x / x.max() * 255 if x.max() else x
    if x.shape[2] == 1:
        grey = x[..., 0]
        return image_module.fromarray(grey.astype("int32" if grey.max() > 255 else "uint8"))
    if x.shape[2] not in (3, 4):
        raise ValueError(f"array_to_img: expected 1, 3 or 4 channels. Got {x.shape[2]} in shape {x.shape}.")
    return image_module.fromarray(x.astype("uint8"))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Writes an array as an image file.

    Args:
        path: path or file object.
        x: array as for `array_to_img`.
        data_format, scale: as for `array_to_img`.
        file_format: e.g. `"png"`, default by the path's ending.
        **kwargs: arguments of Pillow's `Image.save`.
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    name = file_format or os.path.splitext(path)[1][1:] if isinstance(path, (str, os.PathLike)) else file_format
    if image.mode == "RGBA" and str(name).lower() in ("jpg", "jpeg"):
        warnings.warn("JPEG has no transparency: the image is saved as RGB.", stacklevel=2)
        image = image.convert("RGB")
    image.save(path, format="jpeg" if file_format == "jpg" else file_format, **kwargs)


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last"):
    """Images resized without distortion: the largest part in the middle with the target's proportions.

    Args:
        x: (height, width, channels) or (batch, height, width, channels).
        size: (height, width).
        interpolation: as for `ops.image.resize`.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Returns:
        a NumPy array for an array, else a tensor.
    """
    from dlcore.ops import image

    y = image.resize(x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return backend.convert_to_numpy(y) if isinstance(x, np.ndarray) else y
