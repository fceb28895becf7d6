"""Images: colours, borders, patches and filters. `resampling.py` has what samples them at other places."""

import numpy as np

from dlcore import _core, backend
from dlcore.backend.arguments import int_tuple
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, as_floats, same_padding, tensor, window_slices
from dlcore.ops.convolution import depthwise_conv
from dlcore.ops.operation import inference, operation
from dlcore.ops.resampling import (
    affine_transform,
    check_sampling,
    map_coordinates,
    perspective_transform,
    resize,
    sample_images,
    sample_pixels,
    scale_and_translate,
    spatial_axes,
)

# ---- colours


def _channels(function, images, data_format, counts, floats=False):
    """The images and their axis of channels, checked."""
    x = tensor(images)
    spatial_axes(function, x, data_format)
    axis = x.ndim - 1 if backend.standardize_data_format(data_format) == "channels_last" else x.ndim - 3
    if x.shape[axis] not in counts:
        raise ValueError(f"{function}: expected {' or '.join(map(str, counts))} channels. Received shape {x.shape}.")
    if floats and not backend.is_float_dtype(x.dtype):
        raise ValueError(f"{function}: expected floats. Received dtype {x.dtype}; use ops.cast.")
    return x, axis


@operation
def rgb_to_grayscale(images, data_format=None):
    """0.2989 red + 0.5870 green + 0.1140 blue, as one channel; images of one channel stay as they are."""
    x, axis = _channels("rgb_to_grayscale", images, data_format, (1, 3))
    if x.shape[axis] == 1:
        return x
    red, green, blue = knp.split(as_float(x), 3, axis)
    return backend.convert_to_tensor(0.2989 * red + 0.5870 * green + 0.1140 * blue, x.dtype)


@operation
def rgb_to_hsv(images, data_format=None):
    """Red, green, blue in [0, 1] to hue, saturation, value in [0, 1]."""
    x, axis = _channels("rgb_to_hsv", images, data_format, (3,), floats=True)
    smallest = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}.get(x.dtype, 2.0**-52)
    x = knp.where(knp.less(knp.absolute(x), smallest), 0.0, x)
    red, green, blue = knp.split(x, 3, axis)
    value = knp.maximum(knp.maximum(red, green), blue)
    span = value - knp.minimum(knp.minimum(red, green), blue)
    coloured = knp.greater(span, 0)
    scale = 1.0 / (6.0 * knp.where(coloured, span, 1.0))
    from_green = knp.where(knp.equal(value, green), scale * (blue - red) + 2.0 / 6.0, scale * (red - green) + 4.0 / 6.0)
    hue = knp.where(coloured, knp.where(knp.equal(value, red), scale * (green - blue), from_green), 0.0)
    hue = hue + backend.convert_to_tensor(knp.less(hue, 0), x.dtype)
    bright = knp.greater(value, 0)
    saturation = knp.where(bright, span / knp.where(bright, value, 1.0), 0.0)
    return knp.concatenate([hue, saturation, value], axis)


@operation
def hsv_to_rgb(images, data_format=None):
    """Hue, saturation, value in [0, 1] to red, green, blue in [0, 1]."""
    x, axis = _channels("hsv_to_rgb", images, data_format, (3,), floats=True)
    hue, saturation, value = knp.split(x, 3, axis)
    turn = knp.mod(hue, 1.0) * 6.0
    red = knp.clip(knp.absolute(turn - 3.0) - 1.0, 0.0, 1.0)
    green = knp.clip(2.0 - knp.absolute(turn - 2.0), 0.0, 1.0)
    blue = knp.clip(2.0 - knp.absolute(turn - 4.0), 0.0, 1.0)
    return knp.concatenate([value * (1.0 - saturation + saturation * c) for c in (red, green, blue)], axis)


# ---- borders


def _both_sides(function, size, first, last, target, names):
    """(first, last) of one axis, where one of first, last and target is None and follows from the others."""
    if (first is None) + (last is None) + (target is None) != 1:
        raise ValueError(f"{function}: give exactly two of {names}. Received: {first}, {last}, {target}")
    for name, value in zip(names, (first, last, target)):
        if value is not None and value < 0:
            raise ValueError(f"{function}: {name} must not be negative. Received: {value}")
    difference = None if target is None else abs(target - size)
    if target is not None and (target < size) != (function == "crop_images") and target != size:
        raise ValueError(f"{function}: a target size of {target} does not fit an image size of {size}.")
    first = difference - last if first is None else first
    last = difference - first if last is None else last
    if first < 0 or last < 0:
        raise ValueError(f"{function}: {names[0]} and {names[1]} must not be negative. Received: {first}, {last}")
    return first, last


def _frame(function, images, data_format, vertical, horizontal):
    """The images, their axes of height and width, and what each side gains or loses."""
    x = tensor(images)
    rows, columns = spatial_axes(function, x, data_format)
    kind = "cropping" if function == "crop_images" else "padding"
    names = [f"top_{kind}", f"bottom_{kind}", "target_height"], [f"left_{kind}", f"right_{kind}", "target_width"]
    for axis, (_, _, target) in zip((rows, columns), (vertical, horizontal)):
        if function == "pad_images" and target is not None and x.shape[axis] == inference.stand_in:
            x = knp.take(x, [0], axis)  # a size that fits stands in
    sides = [
        _both_sides(function, x.shape[axis], *given, name)
        for axis, given, name in zip((rows, columns), (vertical, horizontal), names)
    ]
    return x, (rows, columns), sides


@operation
def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Zeros around images; of top, bottom and target height two are given, of left, right and target width too.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        top_padding, left_padding, bottom_padding, right_padding: ints: rows or columns at that side.
        target_height, target_width: ints: of the result.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.
    """
    vertical, horizontal = (top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width)
    x, axes, sides = _frame("pad_images", images, data_format, vertical, horizontal)
    return knp.pad(x, [sides[axes.index(a)] if a in axes else (0, 0) for a in range(x.ndim)])


@operation
def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images without their borders; of top, bottom and target height two are given, of left, right and width too.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        top_cropping, left_cropping, bottom_cropping, right_cropping: ints: rows or columns at that side.
        target_height, target_width: ints: of the result.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.
    """
    vertical, horizontal = (top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width)
    x, axes, sides = _frame("crop_images", images, data_format, vertical, horizontal)
    cuts = [slice(None)] * x.ndim
    for axis, (first, last) in zip(axes, sides):
        cuts[axis] = slice(first, x.shape[axis] - last)
    return x[tuple(cuts)]


# ---- patches


@operation
def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """Windows of images laid out as channels: (N, rows, columns, height * width * C).

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first; volumes when `size` has three numbers.
        size: int or 2 ints: height and width of a window.
        strides: int or 2 ints: how far apart windows are, default the size.
        dilation_rate: int or 2 ints: how far apart the pixels of a window are.
        padding: `"valid"` or `"same"`.
    """
    if isinstance(size, (list, tuple)) and len(size) == 3:
        return extract_patches_3d(images, size, strides, dilation_rate, padding, data_format)
    return _patches("extract_patches", images, 2, size, strides, dilation_rate, padding, data_format)


@operation
def extract_patches_3d(volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """As `extract_patches`, for volumes (N, D, H, W, C) or (D, H, W, C)."""
    return _patches("extract_patches_3d", volumes, 3, size, strides, dilation_rate, padding, data_format)


def _patches(function, images, rank, size, strides, dilation, padding, data_format):
    x = tensor(images)
    if x.ndim not in (rank + 1, rank + 2) or padding not in ("valid", "same"):
        raise ValueError(
            f'{function}: expected inputs of rank {rank + 1} or {rank + 2} and padding "valid" or "same". '
            f"Received shape {x.shape}, padding={padding!r}."
        )
    single, first = x.ndim == rank + 1, backend.standardize_data_format(data_format) == "channels_first"
    x = knp.expand_dims(x, 0) if single else x
    x = knp.moveaxis(x, 1, -1) if first else x
    size = int_tuple(function, "size", size, rank)
    strides = int_tuple(function, "strides", strides or size, rank)
    dilation = int_tuple(function, "dilation_rate", dilation, rank)
    if padding == "same":
        x = knp.pad(x, [(0, 0), *map(same_padding, x.shape[1:-1], size, strides, dilation), (0, 0)])
    taps = [x[(slice(None), *place)] for place in window_slices(x.shape[1:-1], size, strides, dilation)]
    y = knp.concatenate(taps, axis=-1)
    y = knp.moveaxis(y, -1, 1) if first else y
    return knp.squeeze(y, 0) if single else y


# ---- filters


def _bell(size, sigma, dtype):
    """A normal distribution's values at `size` points around 0, of sum 1."""
    places = backend.convert_to_tensor(np.arange(size) - (size - 1) / 2.0, dtype)
    values = knp.exp(-0.5 * knp.square(places / sigma))
    return values / knp.sum(values)


def _filter(x, kernel, padding="same"):
    """Every channel of (N, H, W, C) filtered with one kernel (KH, KW)."""
    channels = x.shape[-1]
    weights = knp.broadcast_to(knp.reshape(kernel, [*kernel.shape, 1, 1]), [*kernel.shape, channels, 1])
    return depthwise_conv(x, backend.convert_to_tensor(weights, x.dtype), 1, padding, "channels_last")


def _as_batch(x, data_format):
    """Images as (N, H, W, C), and a function that brings results back."""
    single, first = x.ndim == 3, backend.standardize_data_format(data_format) == "channels_first"

    def back(y):
        y = knp.moveaxis(y, -1, 1) if first else y
        return knp.squeeze(y, 0) if single else y

    x = knp.expand_dims(x, 0) if single else x
    return knp.moveaxis(x, 1, -1) if first else x, back


@operation
def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Images smoothed by a normal distribution.

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first.
        kernel_size: 2 ints.
        sigma: 2 floats: standard deviations, along the width and the height (as Keras).
    """
    x = as_float(images)
    spatial_axes("gaussian_blur", x, data_format)
    sigma = as_float(sigma)
    batch, back = _as_batch(x, data_format)
    kernel = knp.outer(_bell(kernel_size[1], sigma[1], x.dtype), _bell(kernel_size[0], sigma[0], x.dtype))
    return back(_filter(batch, kernel))


@operation
def sobel_edges(images, data_format=None):
    """Slopes of images, down and to the right, as a new last axis of size 2 (Sobel 1968)."""
    x = as_float(images)
    spatial_axes("sobel_edges", x, data_format)
    batch, back = _as_batch(x, data_format)
    right = knp.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], x.dtype)
    return knp.stack([back(_filter(batch, kernel)) for kernel in (knp.transpose(right), right)], axis=-1)


@operation
def ssim(image1, image2, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    """Structural similarity of two images, 1 for equal ones (Wang et al. 2004): one number per image.

    Args:
        image1, image2: (N, H, W, C) or (H, W, C), or with channels first.
        max_val: the range of the pixels.
        filter_size, filter_sigma: of the normal distribution that weighs neighbours.
        k1, k2: small numbers that keep divisions stable.
    """
    a, b = as_floats(image1, image2)
    spatial_axes("ssim", a, data_format)
    (a, _), (b, _) = _as_batch(a, data_format), _as_batch(b, data_format)
    bell = _bell(filter_size, filter_sigma, a.dtype)
    kernel = knp.outer(bell, bell)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean_a, mean_b = _filter(a, kernel, "valid"), _filter(b, kernel, "valid")
    means = knp.square(mean_a) + knp.square(mean_b)
    variances = _filter(knp.square(a), kernel, "valid") + _filter(knp.square(b), kernel, "valid") - means
    covariance = _filter(a * b, kernel, "valid") - mean_a * mean_b
    similarity = (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2) / ((means + c1) * (variances + c2))
    result = knp.mean(similarity, axis=[1, 2, 3])
    return result if tensor(image1).ndim == 4 else knp.squeeze(result, 0)


@operation
def elastic_transform(
    images,
    alpha=20.0,
    sigma=5.0,
    interpolation="bilinear",
    fill_mode="reflect",
    fill_value=0.0,
    seed=None,
    data_format=None,
):
    """Images whose pixels are moved by smooth random distances (Simard et al. 2003).

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first.
        alpha: float: how far.
        sigma: float: how smooth.
        interpolation, fill_mode, fill_value: as `affine_transform`.
        seed: int, SeedGenerator or None.
    """
    from dlcore import random

    generator = random.SeedGenerator(seed) if isinstance(seed, int) else seed
    seeds = [random.draw_seed(generator) for _ in range(2)]
    size = int(6 * float(sigma)) | 1
    return displace(images, alpha, sigma, size, interpolation, fill_mode, fill_value, seeds, data_format)


def displace(images, alpha, sigma, size, interpolation, fill_mode, fill_value, seeds, data_format):
    """As `elastic_transform`, but alpha and sigma may be tensors.

    Args:
        size: int: of the filter that smooths the distances.
        seeds: two seed tensors, of the distances down and to the right.
    """

    def moved(grid, seed_tensor):
        noise = _core.apply("random_normal", [seed_tensor, grid], mean=0.0, stddev=1.0, dtype=grid.dtype)
        noise = knp.expand_dims(noise * sigma, -1)
        smooth = gaussian_blur(noise, (size, size), (sigma, sigma), "channels_last")
        return grid + alpha * knp.squeeze(smooth, -1)

    order = check_sampling("elastic_transform", interpolation, fill_mode)

    def sample(pixels):
        return sample_pixels(
            pixels, lambda y, x: (moved(y, seeds[0]), moved(x, seeds[1])), order, fill_mode, fill_value
        )

    return sample_images("elastic_transform", images, sample, data_format)


__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]
