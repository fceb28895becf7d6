"""Images sampled at other places: resizing, affine and perspective maps, displacements."""

import functools
import math

import numpy as np

from dlcore import _core, backend
from dlcore.backend import dtypes
from dlcore.ops import numpy as knp
from dlcore.ops._common import as_float, tensor
from dlcore.ops.core import saturate_cast
from dlcore.ops.gradients import with_gradient
from dlcore.ops.linalg import solve
from dlcore.ops.operation import operation

# Interpolation kernels: their width to one side, and their values at a distance.


def _triangle(x):
    return knp.maximum(knp.subtract(1.0, x), 0.0)


def _cubic(x):
    """Keys 1981 with a = -1/2."""
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return knp.where(knp.less(x, 1.0), near, knp.where(knp.less(x, 2.0), far, 0.0))


def _lanczos(radius):
    def values(x):
        turn = knp.multiply(math.pi, knp.where(knp.equal(x, 0.0), 1.0, x))
        bell = knp.sin(turn) * knp.sin(turn / radius) * radius / knp.square(turn)
        return knp.where(knp.less(x, radius), knp.where(knp.equal(x, 0.0), 1.0, bell), 0.0)

    return values


_KERNELS = {"lanczos3": _lanczos(3.0), "lanczos5": _lanczos(5.0)}
_KERNELS |= dict.fromkeys(("linear", "bilinear", "trilinear"), _triangle)
_KERNELS |= dict.fromkeys(("cubic", "bicubic", "tricubic"), _cubic)


def _one_of(function, argument, value, choices):
    if value not in choices:
        hint = backend.nearest_hint(str(value), list(choices), others=True)
        raise ValueError(f"{function}: unknown {argument} {value!r}. {hint}")


def _weights(size, out, scale, translation, kernel, antialias):
    """[size, out]: column j holds the weights of the inputs in output j; the columns' sums are 1."""
    inverse = knp.divide(1.0, scale)
    centres = backend.convert_to_tensor(np.arange(out) + 0.5, "float32")
    places = centres * inverse - translation * inverse - 0.5
    width = knp.maximum(inverse, 1.0) if antialias else 1.0
    inputs = backend.convert_to_tensor(np.arange(size)[:, None], "float32")
    weights = kernel(knp.absolute(knp.expand_dims(places, 0) - inputs) / width)
    total = knp.sum(weights, axis=0, keepdims=True)
    weights = knp.where(
        knp.greater(knp.absolute(total), 1e-4), weights / knp.where(knp.equal(total, 0.0), 1.0, total), 0.0
    )
    inside = knp.logical_and(knp.greater_equal(places, -0.5), knp.less_equal(places, size - 0.5))
    return knp.where(knp.expand_dims(inside, 0), weights, 0.0)


def _along(x, axis, *weights):
    """x times a matrix [size, out] along an axis, and times a second along the next axis."""
    x = x if x.dtype == "uint8" else as_float(x)
    dtype = dtypes.float_dtype(x.dtype)
    return _core.apply("resample", [x, *(backend.convert_to_tensor(w, dtype) for w in weights)], axis=axis)


@operation
def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """Images enlarged by `scale` and moved by `translation` along chosen axes.

    Args:
        images: tensor.
        output_shape: the shape of the result.
        scale, translation: tensors with one number per axis of `spatial_dims`.
        spatial_dims: tuple of the axes.
        method: `"linear"`, `"cubic"`, `"lanczos3"` or `"lanczos5"` (bi- and tri- name the same).
        antialias: bool: widen the kernel when the images are made smaller.
    """
    _one_of("scale_and_translate", "method", method, _KERNELS)
    x, scale, translation = tensor(images), as_float(scale), as_float(translation)
    for i, axis in enumerate(spatial_dims):
        weights = _weights(x.shape[axis], output_shape[axis], scale[i], translation[i], _KERNELS[method], antialias)
        x = _along(x, axis, weights)
    return as_float(x)


@operation
def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images in another size.

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first.
        size: (height, width).
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`; pixel centres lie at
            half-integers.
        antialias: bool: widen the kernel when the images are made smaller.
        crop_to_aspect_ratio: bool: first cut off what the new aspect ratio leaves no room for.
        pad_to_aspect_ratio: bool: first fill up to the new aspect ratio with `fill_value`.
        fill_mode: `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Integers come back as such, rounded and kept in range.
    """
    _one_of("resize", "interpolation", interpolation, ("nearest", *_KERNELS))
    if fill_mode != "constant" or (crop_to_aspect_ratio and pad_to_aspect_ratio) or len(size) != 2:
        raise ValueError(
            'resize: fill_mode must be "constant", size (height, width), and only one of crop_to_aspect_ratio and '
            f"pad_to_aspect_ratio can be set. Received: size={size}, fill_mode={fill_mode!r}"
        )
    x = tensor(images)
    rows, columns = spatial_axes("resize", x, data_format)
    height, width = (int(s) for s in size)
    if height < 1 or width < 1:
        raise ValueError(f"resize: height and width must be positive. Received: size={size}")
    if crop_to_aspect_ratio:
        x = _crop_to_ratio(x, rows, columns, height, width)
    if pad_to_aspect_ratio:
        x = _pad_to_ratio(x, rows, columns, height, width, fill_value)
    dtype = x.dtype
    changes = {axis: out for axis, out in ((rows, height), (columns, width)) if x.shape[axis] != out}
    for axis in changes:
        if x.shape[axis] is None:
            raise ValueError(f"resize: the size of axis {axis} must be known. Received shape {x.shape}.")
    if not changes:
        return x
    if interpolation == "nearest":
        return _nearest_pixels(x, rows, height, width)
    weights = (_resize_weights(x.shape[axis], out, interpolation, antialias) for axis, out in changes.items())
    return _rounded(_along(x, min(changes), *weights), dtype)


def _rounded(x, dtype):
    """The dtype of the inputs again: integers are rounded to, within their range."""
    if x.dtype == dtype or dtype in dtypes.FLOATS:
        return backend.convert_to_tensor(x, dtype)
    return saturate_cast(knp.round(x), dtype)


@functools.lru_cache(maxsize=16)
def _resize_weights(size, out, interpolation, antialias):
    scale = backend.convert_to_tensor(out / size, "float32")
    return _weights(size, out, scale, 0.0, _KERNELS[interpolation], antialias)


def _nearest_pixels(x, rows, height, width):
    """The pixels of x that lie nearest to those of an image of another size; `rows`: the axis of the height."""
    sizes = x.shape[rows : rows + 2]
    down, across = (
        np.minimum(((np.arange(out) + 0.5) * size / out).astype("int32"), size - 1)
        for size, out in zip(sizes, (height, width))
    )
    places = backend.convert_to_tensor(down[:, None] * sizes[1] + across, "int32")
    behind = [-1 if size is None else size for size in x.shape[rows + 2 :]]
    pixels = _core.apply("reshape", [x], shape=[sizes[0] * sizes[1], *behind], keep=rows)
    return _core.apply("gather", [pixels, places], axis=rows, mode="clip")


def _crop_to_ratio(x, rows, columns, height, width):
    h, w = x.shape[rows], x.shape[columns]
    kept_h, kept_w = max(min(h, int(w * height / width)), 1), max(min(w, int(h * width / height)), 1)
    top, left = int((h - kept_h) / 2), int((w - kept_w) / 2)
    cuts = [slice(None)] * x.ndim
    cuts[rows], cuts[columns] = slice(top, top + kept_h), slice(left, left + kept_w)
    return x[tuple(cuts)]


def _pad_to_ratio(x, rows, columns, height, width, fill_value):
    h, w = x.shape[rows], x.shape[columns]
    top, left = int((max(h, int(w * height / width)) - h) / 2), int((max(w, int(h * width / height)) - w) / 2)
    borders = [(0, 0)] * x.ndim
    borders[rows if top > 0 else columns] = (top, top) if top > 0 else (left, left)
    return knp.pad(x, borders, constant_values=fill_value)


def spatial_axes(function, x, data_format):
    """The axes of height and width of images of rank 3 or 4."""
    if x.ndim not in (3, 4):
        raise ValueError(f"{function}: expected images (H, W, C) or (N, H, W, C). Received shape {x.shape}.")
    last = backend.standardize_data_format(data_format) == "channels_last"
    return (x.ndim - 3, x.ndim - 2) if last else (x.ndim - 2, x.ndim - 1)


# ---- sampling at any place


def _mirrored(index, size):
    """... 2 1 | 0 1 2 | 1 0 ..."""
    last = size - 1
    return knp.absolute(knp.subtract(knp.mod(knp.add(index, last), max(2 * last, 1)), last))


_FILL_MODES = {
    "constant": lambda index, size: knp.clip(index, 0, size - 1),
    "nearest": lambda index, size: knp.clip(index, 0, size - 1),
    "wrap": lambda index, size: knp.mod(index, size),
    "mirror": _mirrored,
    # ... 1 0 | 0 1 2 | 2 1 ...
    "reflect": lambda index, size: knp.floor_divide(
        knp.subtract(_mirrored(knp.add(knp.multiply(2, index), 1), 2 * size + 1), 1), 2
    ),
}


def _sample(rows, first_row, sizes, coordinates, order, fill_mode, fill_value):
    """Values at real coordinates in grids of `sizes` that are laid out as rows.

    Args:
        rows: [grids * product of sizes, C].
        first_row: int32, broadcasts with the coordinates: the row at which the grid begins.
        coordinates: one float tensor per axis of the grid, all of one shape.
        order: 0 takes the nearest point, 1 interpolates linearly.

    Returns:
        [*coordinates' shape, C].
    """
    corners = [(first_row, None, None)]  # (row, weight, whether inside)
    for size, place in zip(sizes, coordinates):
        below = _nearest(place) if order == 0 else knp.floor(place)
        options = [(below, None)]
        if order == 1:
            share = knp.subtract(place, below)
            options = [(below, knp.subtract(1.0, share)), (knp.add(below, 1.0), share)]
        corners = [
            _with_axis(corner, backend.convert_to_tensor(index, "int32"), weight, size, fill_mode)
            for corner in corners
            for index, weight in options
        ]
    fill = backend.convert_to_tensor(fill_value, rows.dtype)
    total = None
    for row, weight, inside in corners:
        value = _core.apply("gather", [rows, row], axis=0)
        if fill_mode == "constant":
            value = knp.where(knp.expand_dims(inside, -1), value, fill)
        value = value if weight is None else knp.multiply(value, knp.expand_dims(weight, -1))
        total = value if total is None else knp.add(total, value)
    return total


def _nearest(place):
    """The nearest integer; halves go away from 0."""
    return knp.multiply(knp.sign(place), knp.floor(knp.add(knp.absolute(place), 0.5)))


def _with_axis(corner, index, weight, size, fill_mode):
    row, weights, inside = corner
    within = knp.logical_and(knp.greater_equal(index, 0), knp.less(index, size))
    row = knp.add(knp.multiply(row, size), _FILL_MODES[fill_mode](index, size))
    weights = weight if weights is None else knp.multiply(weights, weight)
    return row, weights, within if inside is None else knp.logical_and(inside, within)


def check_sampling(function, interpolation, fill_mode):
    _one_of(function, "interpolation", interpolation, ("nearest", "bilinear"))
    _one_of(function, "fill_mode", fill_mode, _FILL_MODES)
    return 1 if interpolation == "bilinear" else 0


@operation
def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """The values of `inputs` at coordinates, one tensor of them per axis.

    Args:
        inputs: tensor.
        coordinates: (rank of inputs, ...).
        order: 0: the nearest element; 1: linear interpolation.
        fill_mode: beyond the edges `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` (the edge once) or `"reflect"`
            (the edge twice).
        fill_value: number of the constant mode.

    Raises:
        ValueError: `inputs` has one axis, there is not one row of coordinates for each axis, or `order` is above 1.
    """
    x = tensor(inputs)
    _one_of("map_coordinates", "fill_mode", fill_mode, _FILL_MODES)
    places = list(coordinates) if isinstance(coordinates, (list, tuple)) else list(as_float(coordinates))
    if len(places) != x.ndim or order not in (0, 1):
        raise ValueError(
            "map_coordinates: expected one row of coordinates per axis of the inputs, and order 0 or 1. Received: "
            f"inputs.shape={x.shape}, {len(places)} rows, order={order}"
        )
    places = [as_float(p) for p in places]
    if places[0].ndim == 0:
        raise ValueError("map_coordinates: expected coordinates of at least 2 axes, (rank of inputs, ...).")
    rows = knp.reshape(x if order == 0 else as_float(x), [-1, 1])
    first = knp.zeros_like(places[0], dtype="int32")
    found = _sample(rows, first, x.shape, places, order, fill_mode, fill_value)
    return _rounded(knp.squeeze(found, -1), x.dtype)


def sample_images(function, images, sample, data_format):
    """Images (N, H, W, C) of floats through `sample`, from the layout and the dtype that they have and back.

    Args:
        function: the caller, for messages.
        images: rank 3 or 4.
    """
    x = tensor(images)
    spatial_axes(function, x, data_format)
    single, first = x.ndim == 3, backend.standardize_data_format(data_format) == "channels_first"
    batch = knp.expand_dims(x, 0) if single else x
    batch = knp.moveaxis(batch, 1, -1) if first else batch
    found = _rounded(sample(as_float(batch)), batch.dtype)
    found = knp.moveaxis(found, -1, 1) if first else found
    return knp.squeeze(found, 0) if single else found


def sample_pixels(pixels, locate, order, fill_mode, fill_value):
    """Images (N, H, W, C) whose pixel (y, x) is that of `pixels` at `locate(y, x)`.

    Args:
        locate: function of float grids y and x (N, H, W) that returns such grids, or what broadcasts to them.
    """
    height, width, channels = pixels.shape[1:]
    grid = pixels[..., 0]
    y, x = (_core.apply("iota_like", [grid], axis=axis, dtype="float32") for axis in (1, 2))
    number = _core.apply("iota_like", [grid], axis=0, dtype="int32")
    places = [knp.broadcast_to(p, grid.shape) if p.shape != grid.shape else p for p in locate(y, x)]
    return _sample(knp.reshape(pixels, [-1, channels]), number, (height, width), places, order, fill_mode, fill_value)


def _matrices(transform):
    """(N or 1, 8) floats."""
    transform = as_float(transform)
    if transform.ndim not in (1, 2):
        raise ValueError(f"Expected transforms of shape (N, 8) or (8,). Received shape {transform.shape}.")
    return knp.expand_dims(transform, 0) if transform.ndim == 1 else transform


def _projected(function, images, matrices, interpolation, fill_mode, fill_value, data_format):
    """Images seen through maps of 6 or 8 numbers each."""
    order = check_sampling(function, interpolation, fill_mode)

    def sample(pixels):
        maps = backend.convert_to_tensor(matrices, "float64" if pixels.dtype == "float64" else "float32")
        arguments = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": float(fill_value)}
        found = _core.apply("projective_transform", [pixels, maps], **arguments)
        return with_gradient([found], [pixels, maps], gradient)[0]

    def gradient(inputs, outputs, gradients):
        from dlcore.training import GradientTape

        with GradientTape() as tape:
            tape.watch(inputs)
            pixels, maps = inputs
            found = sample_pixels(pixels, lambda y, x: _places(maps, y, x), order, fill_mode, fill_value)
        return tape.gradient(found, inputs, gradients)

    return sample_images(function, images, sample, data_format)


def _places(maps, y, x):
    """Where the pixels (y, x) come from, as the primitive `projective_transform` says it."""
    m = [maps[:, i, None, None] for i in range(maps.shape[1])]
    across, down = m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]
    if len(m) == 6:
        return down, across
    depth = m[6] * x + m[7] * y + 1.0
    return down / depth, across / depth


@operation
def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0, data_format=None):
    """Images whose pixel (x, y) is that of the inputs at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), where
    k = c0 x + c1 y + 1.

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first.
        transform: (N, 8) or (8,): a0, a1, a2, b0, b1, b2, c0, c1; without the last two, these are 0.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode, fill_value: as `map_coordinates`.
    """
    matrices = _matrices(transform)
    return _projected("affine_transform", images, matrices, interpolation, fill_mode, fill_value, data_format)


def homography(start, end):
    """The 8 numbers of the perspective map that brings the end points (N, 4, 2) to the start points."""
    start, end = as_float(start), as_float(end)
    start, end = (knp.expand_dims(p, 0) if p.ndim == 2 else p for p in (start, end))
    sx, sy, ex, ey = start[..., 0], start[..., 1], end[..., 0], end[..., 1]
    zero, one = knp.zeros_like(ex), knp.ones_like(ex)
    rows = [
        knp.stack([ex, ey, one, zero, zero, zero, -sx * ex, -sx * ey], axis=-1),
        knp.stack([zero, zero, zero, ex, ey, one, -sy * ex, -sy * ey], axis=-1),
    ]
    return solve(knp.concatenate(rows, axis=1), knp.concatenate([sx, sy], axis=-1))


@operation
def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None):
    """Images seen from elsewhere: the four start points (x, y) of the inputs come to lie at the end points.

    Args:
        images: (N, H, W, C) or (H, W, C), or with channels first.
        start_points, end_points: (N, 4, 2) or (4, 2).
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: number beyond the edges.

    Raises:
        ValueError: there are not four points for each image, or for all.
    """
    start, end = tensor(start_points), tensor(end_points)
    if start.shape != end.shape or start.shape[-2:] != (4, 2):
        raise ValueError(
            "perspective_transform: expected start_points and end_points (4, 2) or (N, 4, 2). "
            f"Received shapes {start.shape} and {end.shape}."
        )
    matrices = homography(start, end)
    return _projected("perspective_transform", images, matrices, interpolation, "constant", fill_value, data_format)


__all__ = ["affine_transform", "map_coordinates", "perspective_transform", "resize", "scale_and_translate"]
