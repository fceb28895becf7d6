"""Pictures of training, predictions and what layers learnt, with matplotlib.

All return a matplotlib Figure, which a notebook shows, and write it to a file where they are given a path.
"""

import importlib
import math
import os
import sys

import numpy as np


def plot_history(history, metrics=None, path=None):
    """Learning curves: one panel per metric, training and validation values by epoch; learning rates by powers of ten.

    Args:
        history: what `fit` returned, or a dict {metric name: values by epoch}.
        metrics: names to show; None shows all.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: there are no values of a metric; it lists those that there are.
    """
    values = getattr(history, "history", history)
    if not isinstance(values, dict):
        raise TypeError(f"plot_history expects what fit returned, or a dict. Got {history!r}.")
    names = list(metrics or (name for name in values if not name.startswith("val_")))
    missing = [name for name in names if name not in values]
    if missing or not names:
        raise ValueError(f"plot_history: no values for {missing or 'any metric'}. There are {sorted(values)}.")
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = new_figure((4.5 * columns, 3.4 * rows))
    for i, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, i)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in values:
                epochs = range(1, len(values[key]) + 1)
                axes.plot(epochs, values[key], label=label, marker="o" if len(epochs) < 20 else None, markersize=3)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if name == "learning_rate":
            axes.set_yscale("log")
        else:
            axes.legend()
    return finish(figure, path)


def plot_predictions(images, predictions, labels=None, class_names=None, columns=8, path=None):
    """A grid of images, each titled with the predicted class: green if it equals the label, red with the label if not.

    Args:
        images: array (N, height, width), (N, height, width, 1) or (N, height, width, 3). Floats of colours that are not
            all in [0, 1] are shown from their least to their largest value.
        predictions: class numbers (N,), class probabilities (N, classes), or those of one class (N, 1).
        labels: true class numbers (N,) or (N, 1), or one-hot vectors (N, classes).
        class_names: names by class number; long ones are cut.
        columns: images per row.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: there are not as many predictions, or labels, as images.
    """
    images, predictions = _visible(np.asarray(images)), _class_numbers(predictions)
    labels = None if labels is None else _class_numbers(labels)
    counts = {len(array) for array in (images, predictions, labels) if array is not None}
    if images.ndim not in (3, 4) or len(counts) > 1 or not len(images):
        raise ValueError(
            f"plot_predictions expects as many predictions and labels as images. Got images {images.shape}, "
            f"predictions {predictions.shape}, labels {None if labels is None else labels.shape}."
        )
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure((1.3 * columns, 1.6 * rows))
    for i, (image, predicted) in enumerate(zip(images, predictions)):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image.squeeze(), cmap="gray_r" if image.squeeze().ndim == 2 else None)
        axes.set_axis_off()
        right = labels is None or predicted == labels[i]
        title = _short(predicted, class_names)
        if not right:
            label = f"({_short(labels[i], class_names)})"
            title += ("\n" if len(title + label) > _TITLE_LENGTH else " ") + label
        axes.set_title(title, fontsize=8, color="black" if labels is None else "green" if right else "red")
    return finish(figure, path)


def plot_confusion_matrix(labels, predictions, class_names=None, normalize=False, path=None):
    """How often examples of each class (row) were taken for each class (column); without numbers above 30 classes.

    Args:
        labels: true class numbers (N,) or (N, 1), or one-hot vectors (N, classes).
        predictions: class numbers (N,), class probabilities (N, classes), or those of one class (N, 1).
        class_names: names by class number; None shows the numbers.
        normalize: bool, default False: show parts of each row instead of counts.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: there are not as many labels as predictions, or classes than names.
    """
    labels, predictions = _class_numbers(labels), _class_numbers(predictions)
    if len(labels) != len(predictions) or not len(labels):
        raise ValueError(
            f"plot_confusion_matrix expects a prediction for each label. Got {len(labels)} labels and "
            f"{len(predictions)} predictions."
        )
    found = int(max(labels.max(), predictions.max())) + 1
    classes = len(class_names) if class_names is not None else found
    if classes < found or min(labels.min(), predictions.min()) < 0:
        raise ValueError(
            f"plot_confusion_matrix: classes must be numbers from 0 to {classes - 1}. Got "
            f"{min(labels.min(), predictions.min())} to {found - 1}; pass a name for each class."
        )
    counts = np.zeros((classes, classes), "int64")
    np.add.at(counts, (labels, predictions), 1)
    shown = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if normalize else counts
    has_numbers = classes <= 30
    size = 1.8 + 0.5 * classes if has_numbers else 14
    figure = new_figure((size + 0.8, size))
    axes = figure.add_subplot()
    picture = axes.imshow(shown, cmap="Blues", vmin=0, vmax=1 if normalize else None)
    figure.colorbar(picture, shrink=0.8)
    names = [_name(i, class_names) for i in range(classes)]
    fontsize = 10 if has_numbers else max(3, min(10, 700 / classes))
    axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 2 or not has_numbers else 0)
    axes.set_yticks(range(classes), names)
    axes.tick_params(labelsize=fontsize)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if has_numbers:
        for (row, column), value in np.ndenumerate(shown):
            color = "white" if value > picture.norm.vmax / 2 else "black"
            text = f"{value:.2f}" if normalize else str(value)
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    return finish(figure, path)


def plot_filters(layer, channel=None, columns=8, path=None):
    """The kernels of a convolution, one picture per filter: blue where weights are positive, red where negative.

    Args:
        layer: a built layer with a kernel (height, width, inputs, filters), such as `Conv2D`.
        channel: int: the input channel that is shown. None: the first; of 3 channels all, as red, green and blue.
        columns: pictures per row.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: the layer has no such kernel, or no such channel.
    """
    kernel = np.asarray(layer.kernel) if getattr(layer, "kernel", None) is not None else np.zeros(0)
    if kernel.ndim != 4:
        raise ValueError(
            f"plot_filters expects a built layer with a kernel (height, width, inputs, filters), such as Conv2D. Got "
            f"{layer!r}{f' with a kernel of shape {kernel.shape}' if kernel.ndim > 1 else ''}."
        )
    inputs = kernel.shape[2]
    if channel is not None and not -inputs <= channel < inputs:
        raise ValueError(f"plot_filters: {layer!r} has {inputs} input channels. Got channel={channel}.")
    pictures = np.moveaxis(kernel, 3, 0)
    if channel is None and inputs == 3:
        low, high = pictures.min(), pictures.max()
        return _grid((pictures - low) / max(high - low, 1e-12), columns, path)
    largest = np.abs(pictures[..., channel or 0]).max()
    return _grid(pictures[..., channel or 0], columns, path, cmap="RdBu", vmin=-largest, vmax=largest)


def plot_feature_maps(model, layer, image, columns=8, path=None):
    """What a layer makes of an image: one picture per channel of its output, each from its least to its largest value.

    Args:
        model: a Sequential or functional model of one input.
        layer: one of its layers, or the name of one, whose output is (batch, height, width, channels).
        image: array (height, width, channels), as the model takes it.
        columns: pictures per row.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: there is no such layer, or its output is no picture.
    """
    from dlcore.models import Model

    layer = model.get_layer(layer) if isinstance(layer, str) else layer
    if len(layer.output.shape) != 4:
        raise ValueError(
            f"plot_feature_maps expects a layer with an output (batch, height, width, channels). That of {layer!r} has "
            f"the shape {layer.output.shape}."
        )
    maps = Model(model.inputs, layer.output).predict(np.asarray(image)[np.newaxis], verbose=0)[0]
    return _grid(np.moveaxis(maps, -1, 0), columns, path, cmap="viridis")


def plot_embeddings(vectors, labels=None, class_names=None, names=None, path=None):
    """Vectors as points of a plane: that of their two principal components (Pearson 1901).

    Args:
        vectors: array (N, D), D >= 2, or a built `Embedding` layer, whose vectors are taken.
        labels: class numbers (N,): the points' colours.
        class_names: names by class number, for the legend.
        names: N texts that are written beside the points.
        path: if given, the picture is written there; the ending chooses the format.

    Returns:
        a matplotlib Figure.

    Raises:
        ValueError: vectors is no matrix, or there are not as many labels or names as vectors.
    """
    vectors = np.asarray(getattr(vectors, "embeddings", vectors), "float64")
    labels = None if labels is None else np.asarray(labels).reshape(-1)
    if vectors.ndim != 2 or vectors.shape[1] < 2:
        raise ValueError(f"plot_embeddings expects vectors (N, D) of two or more numbers. Got shape {vectors.shape}.")
    for what, values in (("labels", labels), ("names", names)):
        if values is not None and len(values) != len(vectors):
            raise ValueError(
                f"plot_embeddings: {what} must be as many as the {len(vectors)} vectors. Got {len(values)}."
            )
    points = vectors
    if vectors.shape[1] > 2:
        centred = vectors - vectors.mean(axis=0)
        points = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    kinds = [None] if labels is None else list(np.unique(labels))
    legend_columns = math.ceil(len(kinds) / 20)
    figure = new_figure((5.4 + 0.6 * legend_columns, 5))
    axes = figure.add_subplot()
    for i, label in enumerate(kinds):
        own = points if label is None else points[labels == label]
        name = None if label is None else _name(label, class_names)
        axes.scatter(*own.T, s=12, alpha=0.7, label=name, color=_color(i, len(kinds)))
    for point, name in zip(points, names if names is not None else ()):
        axes.annotate(name, point, xytext=(3, 3), textcoords="offset points", fontsize=8)
    if labels is not None:
        place = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "ncols": legend_columns}
        axes.legend(fontsize=8, markerscale=2, handletextpad=0.2, columnspacing=0.8, **place)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    return finish(figure, path)


def _class_numbers(values):
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] > 1:
        return values.argmax(axis=1)
    values = values.reshape(-1)
    if values.dtype.kind == "f" and np.any(values != np.round(values)):
        values = values > 0.5  # the probability of class 1
    return values.astype("int64")


def _visible(images):
    """Floats of colours as numbers in [0, 1]."""
    if images.dtype.kind in "ui" or images.ndim < 4 or images.shape[-1] == 1 or not images.size:
        return images
    low, high = np.nanmin(images), np.nanmax(images)
    return images if low >= 0 and high <= 1 else (images - low) / max(high - low, 1e-12)


def _color(i, count):
    import matplotlib

    return f"C{i}" if count <= 10 else matplotlib.colormaps["turbo"](i / (count - 1))


def _grid(pictures, columns, path, **options):
    """A figure of pictures (N, height, width) or (N, height, width, 3), in rows."""
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure = new_figure((1.1 * columns, 1.1 * rows))
    for i, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(picture, **options)
        axes.set_axis_off()
    return finish(figure, path)


def _name(number, class_names):
    return str(int(number) if class_names is None else class_names[int(number)])


_TITLE_LENGTH = 18  # of an image, in characters


def _short(number, class_names):
    name = _name(number, class_names)
    return name if len(name) <= _TITLE_LENGTH else name[: _TITLE_LENGTH - 1] + "…"


def new_figure(size):
    """A figure; one that pyplot shows, if the program uses pyplot. A notebook shows what a cell returns."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("dlcore.plotting needs matplotlib: pip install matplotlib") from error
    pyplot = sys.modules.get("matplotlib.pyplot")
    backend = os.environ.get("MPLBACKEND", "")
    if "inline" in backend:
        importlib.import_module(backend.removeprefix("module://"))  # teaches the notebook to show figures
        pyplot = None  # whose figures it would show twice
    return (pyplot.figure if pyplot else Figure)(figsize=size, layout="constrained")


def finish(figure, path):
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


__all__ = [
    "plot_confusion_matrix",
    "plot_embeddings",
    "plot_feature_maps",
    "plot_filters",
    "plot_history",
    "plot_predictions",
]
