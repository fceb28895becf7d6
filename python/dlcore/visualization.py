"""Pictures of images with their labels, bounding boxes and segmentation masks."""

import math

import numpy as np

from dlcore import backend
from dlcore.plotting import new_figure


def _as_pictures(function, images, data_format):
    """Images (N, height, width, channels) as a NumPy array."""
    images = np.asarray(backend.convert_to_numpy(images))
    if images.ndim != 4:
        raise ValueError(f"{function}: expected a batch of images (N, H, W, C). Got shape {images.shape}.")
    first = backend.standardize_data_format(data_format) == "channels_first"
    return images.transpose(0, 2, 3, 1) if first else images


def draw_bounding_boxes(
    images,
    bounding_boxes,
    bounding_box_format,
    class_mapping=None,
    color=(128, 128, 128),
    line_thickness=2,
    text_thickness=1,
    font_scale=1.0,
    data_format=None,
):
    """Images with frames, and names of classes, drawn into them with Pillow.

    Args:
        images: (N, height, width, 3), values 0 .. 255, or floats 0 .. 1.
        bounding_boxes: dict of `"boxes"` (N, boxes, 4), `"labels"` (N, boxes), -1 for no box, and maybe
            `"confidences"` (N, boxes), which are written beside the names.
        bounding_box_format: name of the format.
        class_mapping: dict class number -> name, default None: no names.
        color: (red, green, blue).
        line_thickness, text_thickness: pixels.
        font_scale: size of the names, default 1.0.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.

    Returns:
        uint8 array (N, height, width, 3).
    """
    from dlcore.utils.bounding_boxes import convert_format
    from dlcore.utils.images import import_pillow

    image_module = import_pillow()
    from PIL import ImageDraw, ImageFont

    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError('draw_bounding_boxes: expected a dict of "boxes" and "labels".')
    images = _as_pictures("draw_bounding_boxes", images, data_format)
    if images.dtype.kind == "f":
        images = np.clip(images, 0, 255) if images.max(initial=0) > 1 else np.clip(images, 0, 1) * 255
    height, width = images.shape[1:3]
    boxes = convert_format(bounding_boxes["boxes"], bounding_box_format, "xyxy", height, width)
    boxes, labels = backend.convert_to_numpy(boxes).astype(int), backend.convert_to_numpy(bounding_boxes["labels"])
    confidences = bounding_boxes.get("confidences")
    size = max(round(12 * font_scale), 1)
    font, stroke = ImageFont.load_default(size), (text_thickness or line_thickness) - 1
    drawn = []
    for i, image in enumerate(images.astype("uint8")):
        picture = image_module.fromarray(image)
        draw = ImageDraw.Draw(picture)
        for j, (left, top, right, bottom) in enumerate(boxes[i]):
            number = int(labels[i][j])
            if number == -1:
                continue
            x, y = sorted((left, right)), sorted((top, bottom))
            draw.rectangle((x[0], y[0], x[1], y[1]), outline=tuple(color), width=line_thickness)
            if class_mapping and number in class_mapping:
                text = str(class_mapping[number])
                if confidences is not None:
                    text += f" | {float(confidences[i][j]):.2f}"
                above = top - size - 4
                place = (left, above) if above >= 0 else (left + 3, top + 3 + line_thickness)
                draw.text(place, text, fill=tuple(color), font=font, stroke_width=stroke)
        drawn.append(np.asarray(picture))
    return np.stack(drawn)


def draw_segmentation_masks(
    images,
    segmentation_masks,
    num_classes=None,
    color_mapping=None,
    alpha=0.8,
    blend=True,
    ignore_index=-1,
    data_format=None,
):
    """Images with the pixels of each class in its colour.

    Args:
        images: (N, height, width, 3), values 0 .. 255.
        segmentation_masks: class numbers, ints (N, height, width, 1).
        num_classes: int, default the largest number + 1.
        color_mapping: dict class number -> (red, green, blue), default made up.
        alpha: opacity of the colours, default 0.8.
        blend: bool, default True: mix with the image; else the plain colours, as float32.
        ignore_index: class number that is left as it is, default -1.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.

    Returns:
        uint8 array (N, height, width, 3); float32 without blending.
    """
    images = _as_pictures("draw_segmentation_masks", images, data_format).astype("float32")
    masks = _as_pictures("draw_segmentation_masks", segmentation_masks, data_format)[..., 0]
    if masks.dtype.kind not in "iu":
        raise TypeError(f"draw_segmentation_masks: segmentation_masks must be ints. Got {masks.dtype}.")
    count = int(masks.max()) + 1 if num_classes is None else num_classes
    palette = [number * np.array([2**25 - 1, 2**15 - 1, 2**21 - 1]) % 255 for number in range(count)]
    coloured = images.copy()
    for number in range(count):
        coloured[masks == number] = palette[number] if color_mapping is None else color_mapping[number]
    if not blend:
        return coloured
    mixed = images * np.float32(1 - alpha) + coloured * np.float32(alpha)
    return np.where((masks != ignore_index)[..., np.newaxis], mixed, images).astype("uint8")


def plot_image_gallery(
    images,
    y_true=None,
    y_pred=None,
    label_map=None,
    rows=None,
    cols=None,
    value_range=(0, 255),
    scale=2,
    path=None,
    show=None,
    transparent=True,
    dpi=60,
    legend_handles=None,
    data_format=None,
):
    """A grid of images, titled with their labels and predictions, with matplotlib.

    Args:
        images: (N, height, width, channels).
        y_true, y_pred: class numbers (N,), default None.
        label_map: dict class number -> name, needed with y_true or y_pred.
        rows, cols: of the grid, default as square as can be.
        value_range: (lowest, highest) value of the images, default (0, 255).
        scale: inches of an image, default 2.
        path: where the picture is saved, default None.
        show: bool: show it on screen, default where there is no path.
        transparent, dpi: of the saved picture.
        legend_handles: matplotlib's handles of a legend, default None.
        data_format: `"channels_last"` or `"channels_first"`, default the package's.

    Returns:
        the matplotlib Figure.

    Raises:
        ValueError: there are labels and no `label_map`, or both a path and `show=True`.
    """
    if path is not None and show:
        raise ValueError("plot_image_gallery: give a path, or show=True, not both.")
    if label_map is None and (y_true is not None or y_pred is not None):
        raise ValueError("plot_image_gallery: y_true and y_pred need a label_map, class number -> name.")
    images = _as_pictures("plot_image_gallery", images, data_format)
    rows = rows or math.ceil(math.sqrt(len(images)))
    cols = cols or math.ceil(len(images) / rows)
    low, high = value_range
    shown = np.clip((images[: rows * cols].astype("float64") - low) * (255 / (high - low)), 0, 255).astype("uint8")
    show = path is None if show is None else show
    if show:
        import matplotlib.pyplot as pyplot
    figure = new_figure((cols * scale, rows * scale))
    labels = [
        (word, np.asarray(backend.convert_to_numpy(y)).reshape(-1))
        for word, y in (("Label", y_true), ("Pred", y_pred))
        if y is not None
    ]
    for i, image in enumerate(shown):
        axes = figure.add_subplot(rows, cols, i + 1)
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
        names = [f"{word}: {label_map.get(int(y[i]), 'Unknown')}" for word, y in labels if i < len(y)]
        axes.set_title("  ".join(names), fontsize=8)
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    if path is not None:
        figure.savefig(path, transparent=transparent, dpi=dpi, bbox_inches="tight", pad_inches=0.05)
    elif show:
        pyplot.show()
        pyplot.close(figure)
    return figure


def plot_bounding_box_gallery(
    images,
    bounding_box_format,
    y_true=None,
    y_pred=None,
    value_range=(0, 255),
    true_color=(0, 188, 212),
    pred_color=(255, 235, 59),
    line_thickness=2,
    font_scale=1.0,
    text_thickness=None,
    class_mapping=None,
    ground_truth_mapping=None,
    prediction_mapping=None,
    legend=False,
    legend_handles=None,
    rows=None,
    cols=None,
    data_format=None,
    **kwargs,
):
    """A grid of images with true and predicted boxes, each in its colour.

    Args:
        images: (N, height, width, 3).
        bounding_box_format: name of the format of both.
        y_true, y_pred: dicts of `"boxes"` and `"labels"` as for `draw_bounding_boxes`.
        class_mapping, ground_truth_mapping, prediction_mapping: dicts class number -> name; the latter for one of both.
        legend: bool, default False: say which colour is which.
        true_color, pred_color: (red, green, blue) from 0 to 255.
        Others: as for `draw_bounding_boxes` and `plot_image_gallery`.
    """
    if legend and legend_handles:
        raise ValueError("plot_bounding_box_gallery: give legend=True, or legend_handles, not both.")
    pictures = _as_pictures("plot_bounding_box_gallery", images, data_format)
    options = {"line_thickness": line_thickness, "text_thickness": text_thickness, "font_scale": font_scale}
    for boxes, color, mapping in (
        (y_true, true_color, ground_truth_mapping or class_mapping),
        (y_pred, pred_color, prediction_mapping or class_mapping),
    ):
        if boxes is not None:
            drawn = draw_bounding_boxes(
                pictures, boxes, bounding_box_format, mapping, color, data_format="channels_last", **options
            )
            pictures, value_range = drawn, (0, 255)
    if legend:
        from matplotlib.patches import Patch

        legend_handles = [
            Patch(color=np.array(color) / 255, label=label)
            for color, label in ((true_color, "Ground Truth"), (pred_color, "Prediction"))
        ]
    return plot_image_gallery(
        pictures,
        value_range=value_range,
        legend_handles=legend_handles,
        rows=rows,
        cols=cols,
        data_format="channels_last",
        **kwargs,
    )


def plot_segmentation_mask_gallery(
    images,
    num_classes,
    value_range=(0, 255),
    y_true=None,
    y_pred=None,
    color_mapping=None,
    blend=True,
    alpha=0.8,
    ignore_index=-1,
    data_format=None,
    **kwargs,
):
    """Rows of an image, the image with its true mask, and with its predicted one.

    Args:
        images: (N, height, width, 3).
        num_classes: int.
        y_true, y_pred: class numbers (N, height, width, 1), default None.
        Others: as for `draw_segmentation_masks` and `plot_image_gallery`.
    """
    pictures = _as_pictures("plot_segmentation_mask_gallery", images, data_format)
    columns = [pictures]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = _as_pictures("plot_segmentation_mask_gallery", masks, data_format).astype("int32")
            options = {"color_mapping": color_mapping, "alpha": alpha, "blend": blend, "ignore_index": ignore_index}
            columns.append(
                draw_segmentation_masks(pictures, masks, num_classes, data_format="channels_last", **options)
            )
    return plot_image_gallery(
        np.stack(columns, axis=1).reshape(-1, *pictures.shape[1:]),
        value_range=value_range,
        rows=len(pictures),
        cols=len(columns),
        data_format="channels_last",
        **kwargs,
    )


__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]
