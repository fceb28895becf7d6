"""Bounding boxes: formats, overlap, and what happens to them when their image is changed.

A box is four numbers on the last axis. xyxy is left, top, right, bottom; yxyx top, left, bottom, right; xywh left, top,
width, height; center_xywh and center_yxhw begin with the middle. The rel_ formats count in parts of the image.
"""

import math

from dlcore import backend, ops

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)


def _columns(boxes):
    return ops.split(boxes, 4, axis=-1)


def _boxes(*columns):
    return ops.concatenate(columns, axis=-1)


def _to_corners(boxes, kind):
    """Left, top, right, bottom of boxes in an absolute format."""
    a, b, c, d = _columns(boxes)
    if kind == "xyxy":
        return a, b, c, d
    if kind == "yxyx":
        return b, a, d, c
    if kind == "xywh":
        return a, b, a + c, b + d
    if kind == "center_yxhw":
        a, b, c, d = b, a, d, c
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


def _from_corners(left, top, right, bottom, kind):
    if kind == "xyxy":
        return _boxes(left, top, right, bottom)
    if kind == "yxyx":
        return _boxes(top, left, bottom, right)
    width, height = right - left, bottom - top
    if kind == "xywh":
        return _boxes(left, top, width, height)
    x, y = left + width / 2, top + height / 2
    return _boxes(y, x, height, width) if kind == "center_yxhw" else _boxes(x, y, width, height)


def convert_format(boxes, source, target, height=None, width=None, dtype="float32"):
    """Boxes in another format.

    Args:
        boxes: (..., 4), or a dict whose entry `"boxes"` is converted.
        source, target: names of formats.
        height, width: of the image, needed between absolute and relative formats.
        dtype: default `"float32"`.

    Raises:
        ValueError: the last axis is not 4, a format is unknown, or the image's size is missing.
    """
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    source, target = source.lower(), target.lower()
    for kind in (source, target):
        if kind not in FORMATS:
            raise ValueError(f"Unknown format of bounding boxes: {kind!r}. Expected one of {', '.join(FORMATS)}.")
    boxes = ops.cast(boxes, dtype)
    if boxes.shape[-1] != 4:
        raise ValueError(f"Boxes must have four numbers on the last axis. Got shape {tuple(boxes.shape)}.")
    from_relative, to_relative = source.startswith("rel_"), target.startswith("rel_")
    if (from_relative or to_relative) and (height is None or width is None):
        raise ValueError(
            f"Converting boxes from {source!r} to {target!r} needs the image's size. Got height={height}, "
            f"width={width}."
        )
    if source == target:
        return boxes
    left, top, right, bottom = _to_corners(boxes, source.removeprefix("rel_"))
    if from_relative != to_relative:
        height, width = ops.cast(height, dtype), ops.cast(width, dtype)
        if from_relative:
            left, top, right, bottom = left * width, top * height, right * width, bottom * height
        else:
            left, top, right, bottom = left / width, top / height, right / width, bottom / height
    return _from_corners(left, top, right, bottom, target.removeprefix("rel_"))


def _only(function, kind, *kinds):
    if kind not in kinds:
        raise ValueError(
            f"{function}: expected boxes in the format {' or '.join(kinds)}. Got {kind!r}; convert_format."
        )


def clip_to_image_size(bounding_boxes, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes cut at the image's borders; the labels of those that lie outside become -1.

    Args:
        bounding_boxes: dict of `"boxes"` (..., 4) and maybe `"labels"` (...).
        height, width: of the image, needed for `"xyxy"`.
        bounding_box_format: `"xyxy"` (default) or `"rel_xyxy"`.
    """
    _only("clip_to_image_size", bounding_box_format, "xyxy", "rel_xyxy")
    boxes = ops.convert_to_tensor(bounding_boxes["boxes"])
    if bounding_box_format == "rel_xyxy":
        height = width = 1.0
    elif height is None or width is None:
        raise ValueError(f"clip_to_image_size needs the image's size. Got height={height}, width={width}.")
    clipped = crop(boxes, 0, 0, ops.cast(height, boxes.dtype), ops.cast(width, boxes.dtype))
    result = {**bounding_boxes, "boxes": clipped}
    if bounding_boxes.get("labels") is not None:
        left, top, right, bottom = _columns(clipped)
        area = ops.squeeze((right - left) * (bottom - top), axis=-1)
        result["labels"] = ops.where(ops.greater(area, 0), bounding_boxes["labels"], -1)
    return result


def crop(boxes, top, left, height, width, bounding_box_format="xyxy"):
    """Boxes (..., 4) in the part of the image that begins at (top, left), cut at its borders.

    Args:
        boxes: tensor (..., 4).
        top, left, height, width: ints.
        bounding_box_format: `"xyxy"`.
    """
    _only("crop", bounding_box_format, "xyxy")
    x1, y1, x2, y2 = _columns(boxes)
    xs = [ops.clip(x - left, 0, width) for x in (x1, x2)]
    ys = [ops.clip(y - top, 0, height) for y in (y1, y2)]
    return _boxes(xs[0], ys[0], xs[1], ys[1])


def pad(boxes, top, left, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes (..., 4) in the image with `top` rows and `left` columns put before it.

    Args:
        boxes: tensor (..., 4).
        top, left: ints.
        height, width: kept for Keras's signature.
        bounding_box_format: `"xyxy"`.
    """
    _only("pad", bounding_box_format, "xyxy")
    x1, y1, x2, y2 = _columns(boxes)
    return _boxes(x1 + left, y1 + top, x2 + left, y2 + top)


def affine_transform(
    boxes,
    angle,
    translate_x,
    translate_y,
    scale,
    shear_x,
    shear_y,
    height,
    width,
    center_x=None,
    center_y=None,
    bounding_box_format="xyxy",
):
    """The smallest upright boxes around boxes that are turned, moved, scaled and sheared with their image.

    Args:
        boxes: (batch, boxes, 4).
        angle, shear_x, shear_y: degrees, (batch,).
        translate_x, translate_y: parts of the image's width and height, (batch,).
        scale: factor, (batch,).
        height, width: of the image.
        center_x, center_y: the fixed point in parts of the image, default its middle.
        bounding_box_format: `"xyxy"`.
    """
    _only("affine_transform", bounding_box_format, "xyxy")
    angle = ops.convert_to_tensor(angle)
    rotation, shear_x, shear_y = (x * (-math.pi / 180.0) for x in (angle, shear_x, shear_y))
    x0, y0 = (0.5 if c is None else c for c in (center_x, center_y))
    x0, y0 = ops.multiply(x0, width - 1), ops.multiply(y0, height - 1)
    # The inverse of rotation and shear, as torchvision's affine writes it.
    a = ops.cos(rotation - shear_y) / ops.cos(shear_y)
    b = a * ops.tan(shear_x) + ops.sin(rotation)
    c = -ops.sin(rotation - shear_y) / ops.cos(shear_y)
    d = ops.cos(rotation) - c * ops.tan(shear_x)
    xx, xy, yx, yy = d * scale, -b * scale, -c * scale, a * scale
    moved_x, moved_y = x0 - translate_x * (width - 1.0), y0 - translate_y * (height - 1.0)
    shift_x, shift_y = x0 - xx * moved_x - xy * moved_y, y0 - yx * moved_x - yy * moved_y
    xx, xy, yx, yy, shift_x, shift_y = (ops.reshape(v, (-1, 1, 1)) for v in (xx, xy, yx, yy, shift_x, shift_y))
    left, top, right, bottom = _columns(ops.cast(boxes, angle.dtype))
    corners_x, corners_y = _boxes(left, right, right, left), _boxes(top, top, bottom, bottom)
    new_x, new_y = xx * corners_x + xy * corners_y + shift_x, yx * corners_x + yy * corners_y + shift_y
    low, high = ([f(v, axis=-1, keepdims=True) for v in (new_x, new_y)] for f in (ops.min, ops.max))
    return _boxes(*low, *high)


def _sides_last(boxes):
    return boxes[..., :2], boxes[..., 2:]


def _check_encoding(function, encoding, variance):
    if encoding not in ("center_xywh", "center_yxhw"):
        raise ValueError(f'{function}: the encoding must be "center_xywh" or "center_yxhw". Got {encoding!r}.')
    variance = None if variance is None else ops.convert_to_tensor(variance, "float32")
    if variance is not None and variance.shape[-1] != 4:
        raise ValueError(f"{function}: variance must be four numbers. Got shape {tuple(variance.shape)}.")
    return variance


def encode_box_to_deltas(
    anchors, boxes, anchor_format, box_format, encoding_format="center_yxhw", variance=None, image_shape=None
):
    """How boxes differ from anchors: (shift of the middle / size of the anchor, log of the ratio of the sizes).

    Args:
        anchors, boxes: (..., 4).
        anchor_format, box_format: names of formats.
        encoding_format: `"center_yxhw"` (default) or `"center_xywh"`: the order of the result.
        variance: four numbers that the result is divided by, default None.
        image_shape: (height, width, channels), for relative formats.

    Reference: Girshick et al. 2014.
    """
    variance = _check_encoding("encode_box_to_deltas", encoding_format, variance)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    anchor_middle, anchor_size = _sides_last(convert_format(anchors, anchor_format, encoding_format, height, width))
    middle, size = _sides_last(convert_format(boxes, box_format, encoding_format, height, width))
    anchor_size, size = ops.maximum(anchor_size, backend.epsilon()), ops.maximum(size, backend.epsilon())
    deltas = _boxes((middle - anchor_middle) / anchor_size, ops.log(size / anchor_size))
    return deltas if variance is None else deltas / variance


def decode_deltas_to_boxes(
    anchors, boxes_delta, anchor_format, box_format, encoded_format="center_yxhw", variance=None, image_shape=None
):
    """The reverse of `encode_box_to_deltas`; dicts of anchors and deltas by level give a dict of boxes.

    Args:
        anchors, anchor_format, box_format, variance, image_shape: as `encode_box_to_deltas`.
        boxes_delta: (..., 4).
        encoded_format: `"center_yxhw"` (default) or `"center_xywh"`: the order of the deltas.
    """
    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        return {
            level: decode_deltas_to_boxes(
                anchors[level], boxes_delta[level], anchor_format, box_format, encoded_format, variance, image_shape
            )
            for level in anchors
        }
    variance = _check_encoding("decode_deltas_to_boxes", encoded_format, variance)
    height, width = (None, None) if image_shape is None else image_shape[:2]
    middle, size = _sides_last(convert_format(anchors, anchor_format, encoded_format, height, width))
    shift, growth = _sides_last(boxes_delta if variance is None else ops.multiply(boxes_delta, variance))
    boxes = _boxes(shift * size + middle, ops.exp(growth) * size)
    return convert_format(boxes, encoded_format, box_format, height, width)


def _absolute(boxes, bounding_box_format, image_shape):
    if bounding_box_format.startswith("rel") and image_shape is None:
        raise ValueError(f"Boxes in the format {bounding_box_format!r} need image_shape=(height, width, channels).")
    height, width = (None, None) if image_shape is None else image_shape[:2]
    return convert_format(boxes, bounding_box_format, "xyxy", height, width)


def _across(boxes):
    """Columns (..., 1, N) of boxes (..., N, 4), to meet others of (..., M, 1)."""
    return [ops.swapaxes(column, -1, -2) for column in _columns(boxes)]


def compute_iou(boxes1, boxes2, bounding_box_format, use_masking=False, mask_val=-1, image_shape=None):
    """Intersection over union of each pair of boxes.

    Args:
        boxes1: (boxes1, 4) or (batch, boxes1, 4).
        boxes2: (boxes2, 4) or (batch, boxes2, 4).
        bounding_box_format: name of the format of both.
        use_masking: bool, default False: pairs with a box of negative numbers, which is padding, get `mask_val`.
        mask_val: default -1.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        (boxes1, boxes2) or (batch, boxes1, boxes2).
    """
    given = [ops.convert_to_tensor(boxes) for boxes in (boxes1, boxes2)]
    for boxes in given:
        if boxes.ndim not in (2, 3):
            raise ValueError(f"compute_iou: expected boxes of rank 2 or 3. Got shape {tuple(boxes.shape)}.")
    first, second = (_absolute(boxes, bounding_box_format, image_shape) for boxes in given)
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = _columns(first), _across(second)
    width = ops.maximum(ops.minimum(right1, right2) - ops.maximum(left1, left2), 0.0)
    height = ops.maximum(ops.minimum(bottom1, bottom2) - ops.maximum(top1, top2), 0.0)
    common = width * height
    union = (right1 - left1) * (bottom1 - top1) + (right2 - left2) * (bottom2 - top2) - common
    overlap = common / (union + backend.epsilon())
    if not use_masking:
        return overlap
    padding1, padding2 = (ops.less(ops.max(boxes, axis=-1, keepdims=True), 0.0) for boxes in given)
    padding = ops.logical_or(padding1, ops.swapaxes(padding2, -1, -2))
    return ops.where(padding, ops.cast(mask_val, overlap.dtype), overlap)


def compute_ciou(boxes1, boxes2, bounding_box_format, image_shape=None):
    """Complete intersection over union of boxes one by one: IoU less terms for distance and proportions.

    Args:
        boxes1, boxes2: (..., 4).
        bounding_box_format: name of the format of both.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        (...).

    Reference: Zheng et al. 2020.
    """
    epsilon = backend.epsilon()
    first, second = (_absolute(boxes, bounding_box_format, image_shape) for boxes in (boxes1, boxes2))
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = _columns(first), _columns(second)
    width1, width2, height1, height2 = (
        right1 - left1,
        right2 - left2,
        bottom1 - top1 + epsilon,
        bottom2 - top2 + epsilon,
    )
    common = ops.maximum(ops.minimum(right1, right2) - ops.maximum(left1, left2), 0.0) * ops.maximum(
        ops.minimum(bottom1, bottom2) - ops.maximum(top1, top2), 0.0
    )
    union = width1 * height1 + width2 * height2 - common + epsilon
    overlap = common / (union + epsilon)
    hull_width = ops.maximum(right1, right2) - ops.minimum(left1, left2)
    hull_height = ops.maximum(bottom1, bottom2) - ops.minimum(top1, top2)
    diagonal = ops.square(hull_width) + ops.square(hull_height) + epsilon
    distance = ops.square((left1 + right1 - left2 - right2) / 2) + ops.square((top1 + bottom1 - top2 - bottom2) / 2)
    proportions = 4 / math.pi**2 * ops.square(ops.arctan(width2 / height2) - ops.arctan(width1 / height1))
    weight = proportions / (proportions - overlap + (1 + epsilon))
    return ops.squeeze(overlap - (distance / diagonal + proportions * weight), axis=-1)


__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]
